//! One interface shared among several sources (`PACKET_FANOUT` of packet(7)).
//!
//! In: an open packet socket and the number of a group. Out: the socket is a member of it. Not its job: opening sockets, and
//! what a member does with its frames.

use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::socket::setsockopt;

/// `include/uapi/linux/if_packet.h` and `linux/socket.h`.
const SOL_PACKET: i32 = 263;
const PACKET_FANOUT: i32 = 18;
const PACKET_FANOUT_HASH: u32 = 0;

mod option {
    //! The option's type, which the crate's macro makes: it holds the system call, so that there is none here.
    #![allow(missing_docs, reason = "made by a macro")]

    use nix::{libc, setsockopt_impl, sockopt_impl};

    sockopt_impl!(Fanout, SetOnly, super::SOL_PACKET, super::PACKET_FANOUT, u32);
}

/// Joins the group, or begins it: the number in the low half of the argument, the kind in the high half.
pub(crate) fn join(socket: BorrowedFd<'_>, group: u16) -> std::io::Result<()> {
    let argument = u32::from(group) | PACKET_FANOUT_HASH << 16;
    Ok(setsockopt(&socket.as_fd(), option::Fanout, &argument)?)
}

//! Bytes to facts: one captured frame in, one plain [`Packet`] (or the [`Reject`] that says why not) out.
//!
//! In: a [`Frame`], borrowed, of any link type. Out: addresses, ports, flags, lengths of the *innermost* conversation,
//! and with [`outermost`] those of the outermost header. Not its job: state over packets (except the bounded
//! [`FragmentTable`]), time, files, threads: `track` follows connections, `capture` brings the frames.

mod address;
mod packet;

pub use address::Address;
pub use packet::{FragmentPlace, Frame, LinkType, Outermost, Packet, Reject, Transport, tcp_flags};

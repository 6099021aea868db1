//! Bytes to facts: one captured frame in, one plain [`Packet`] (or the [`Reject`] that says why not) out.
//!
//! In: a [`Frame`], borrowed, of any link type. Out: addresses, ports, flags, lengths of the *innermost* conversation,
//! and with [`outermost`] those of the outermost header. Not its job: state over packets (except the bounded
//! [`FragmentTable`]), time, files, threads: `track` follows connections, `capture` brings the frames.
//!
//! [`decode`] tries the plain case by hand ([`decode_fast`]) and leaves the rest to [`decode_honest`], which reads the
//! same bytes through etherparse; both agree wherever the first answers.
//!
//! ```
//! use balefire_decode::{Frame, LinkType, Reject, decode};
//!
//! let arp = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x08, 0x06, 0, 1];
//! let frame = Frame { link: LinkType::ETHERNET, bytes: &arp, wire_bytes: 42 };
//! assert_eq!(decode(frame), Err(Reject::NotIp));
//! ```

mod address;
mod fast;
mod fragments;
mod honest;
mod ip;
mod link;
mod outer;
mod packet;
mod reject;
mod span;
mod transport;
mod tunnel;

pub use address::Address;
pub use fast::{decode, decode_fast, peek};
pub use fragments::{FRAGMENT_TIMEOUT_NS, FragmentCounters, FragmentTable};
pub use honest::{MAX_TUNNELS, decode_honest};
pub use ip::MAX_EXTENSION_HEADERS;
pub use link::MAX_LINK_HEADERS;
pub use outer::outermost;
pub use packet::{FragmentPlace, Frame, LinkType, Outermost, Packet, Transport, tcp_flags};
pub use reject::Reject;

//! Facts to connections and events: follows every conversation of one worker and tells a [`Sink`] what happened.
//!
//! In: [`Arrival`]s, a batch at a time, in packet order. Out: calls on the sink: opened, packet, fact (names and other
//! application facts), burst, closed. Not its job: which side is inside, countries, timelines, scores: that is `detect`'s.
//! Time is the packets' own; nothing here reads a clock, a file or a thread.
//!
//! The memory: one [`Tracker`] holds at most [`Settings::connections`] connections of 152 bytes each, an index of 6 to
//! 13 bytes per connection, and [`Settings::payload_buffers`] buffers of [`BUFFER_BYTES`]. All of it is taken from the
//! operating system as it is first written, never moved, and given back only with the tracker.

mod application;
mod class;
mod counters;
mod event;
mod fact;
pub mod index;
mod key;
mod keyed;
pub mod log;
mod originator;
pub mod prefetch;
mod queues;
mod settings;
mod slab;
mod tcp;
mod tracker;

pub use application::BUFFER_BYTES;
pub use class::Class;
pub use counters::Counters;
pub use event::{Arrival, Closed, ConnState, Endpoints, Opened, Sink, Volume};
pub use fact::{
    Certificate, DnsMessage, Echo, Fact, HttpBody, HttpRequest, Ja4, NameKind, Protocol, TlsHello, Validity,
};
pub use key::KeyHasher;
pub use keyed::{KeyedPacket, Ready};
pub use settings::Settings;
pub use tracker::Tracker;

/// Silence of the originator after which its next payload is a new check-in inside the connection.
///
/// One second: it is longer than the gaps inside one request (a round trip, a delayed acknowledgement of at most 0.5 s
/// by RFC 1122 section 4.2.3.2, the first retransmission after 1 s by RFC 6298), and shorter than the shortest
/// heartbeat worth telling apart from a stream: one every 2 s with 40 % jitter still leaves 1.2 s.
pub const BURST_GAP_NS: i64 = 1_000_000_000;

#[cfg(test)]
mod testing;

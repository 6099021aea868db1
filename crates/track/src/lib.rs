//! Facts to connections and events: follows every conversation of one worker and tells a [`Sink`] what happened.
//!
//! In: [`Arrival`]s, a batch at a time, in packet order. Out: calls on the sink: opened, packet, fact (names and other
//! application facts), burst, closed. Not its job: which side is inside, countries, timelines, scores: that is `detect`'s.
//! Time is the packets' own; nothing here reads a clock, a file or a thread.

mod event;

pub use event::{Arrival, Closed, ConnState, Endpoints, Fact, NameKind, Opened, Sink, Volume};

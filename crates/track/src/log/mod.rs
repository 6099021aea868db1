//! Connection logs: the lines of somebody else's tracker, told to the same [`Sink`](crate::Sink) as packets are.
//!
//! In: lines of a connection CSV or of Zeek's `conn`, `dns`, `ssl`, `quic` and `http` logs (tab-separated or JSON). Out: an
//! [`Entry`] per usable line ([`Parser`]), put in order of time ([`Window`]), joined by connection and told to a sink
//! ([`Replay`]). Not its job: files, compression, which log comes next, threads: that is `pipeline`'s.
//!
//! A log knows less than packets do, and nothing is made up: there are no bursts inside a connection but the requests that
//! an HTTP log lists, a byte count that is given once stands for payload and IP bytes alike, and a connection without a
//! state is never taken for a failed one.

mod columns;
mod entry;
mod fault;
mod json;
mod learnt;
mod name;
mod parser;
mod replay;
mod row;
mod value;
mod window;

#[cfg(test)]
mod tests;

pub use entry::{Ending, Entry, EntryKind, JoinKey, Learnt, Name};
pub use fault::{HeaderFault, LineFault, Reason};
pub use parser::{Line, Parser, is_text};
pub use replay::{Replay, ReplayCounters};
pub use window::{HELD_ENTRIES, Window};

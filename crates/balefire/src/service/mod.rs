//! What surrounds a detector that is left running: what it knows of itself, and who may ask.
//!
//! In: finished hours and snapshots, as an attendant of the console. Out: metrics, alerts, answers. Nothing here can hold
//! up the packet's way: all of it runs on the collector's thread or beside it, bounded in time and memory. Not its job:
//! detecting, writing hours.

pub(crate) mod alerts;
mod answers;
pub(crate) mod beside;
pub(crate) mod control;
mod cores;
pub(crate) mod ctl;
pub(crate) mod daemon;
mod links;
pub(crate) mod listen;
mod lock;
pub(crate) mod metrics;
mod notify;
pub(crate) mod now;
pub(crate) mod refuse;
mod reload;
mod sandbox;
mod state;
pub(crate) mod vitals;
mod why;

use balefire_detect::{State, Summary};
use balefire_pipeline::Snapshot;

/// Told of everything the console is told of, after it.
pub(crate) trait Attendant {
    /// An hour is complete; whether it is kept (written, or nobody asked for that).
    fn hour(&mut self, hour: &Summary, kept: bool);

    /// What is known is about to be kept, after an hour; what this one is to remember goes beside it.
    fn state(&mut self, _state: &mut State) {}

    /// Once a second.
    fn tick(&mut self, snapshot: &Snapshot);
}

//! What surrounds a detector that is left running: what it knows of itself, and who may ask.
//!
//! In: finished hours and snapshots, as an attendant of the console. Out: metrics, alerts, answers. Nothing here can hold
//! up the packet's way: all of it runs on the collector's thread or beside it, bounded in time and memory. Not its job:
//! detecting, writing hours.

pub(crate) mod alerts;
pub(crate) mod control;
pub(crate) mod ctl;
pub(crate) mod daemon;
pub(crate) mod listen;
mod lock;
pub(crate) mod metrics;
mod notify;
mod sandbox;
pub(crate) mod vitals;

use balefire_detect::Summary;
use balefire_pipeline::Snapshot;

/// Told of everything the console is told of, after it.
pub(crate) trait Attendant {
    /// An hour is complete; whether it is kept (written, or nobody asked for that).
    fn hour(&mut self, hour: &Summary, kept: bool);

    /// Once a second.
    fn tick(&mut self, snapshot: &Snapshot);
}

//! Runs capture, decode, track and detect on threads: the capture loop, queues, workers, the collector, loss counters,
//! shutdown.
//!
//! In: a [`balefire_capture::Source`] and settings. Out: finished hours to an [`Observer`] as they close, and an
//! [`Outcome`] for the whole run. Not its job: what a packet means (decode, track, detect) and how anything is
//! printed or written (report, the program).

mod begin;
mod capture_loop;
mod census;
mod collector;
mod dispatch;
mod gauges;
mod hours;
mod log_run;
mod log_source;
mod memory;
mod pool;
mod profile;
mod queue;
mod run;
mod tap;
mod worker;

pub use begin::Begin;
pub use census::{Census, Counts};
pub use log_run::{LogOutcome, LogReport, run_logs};
pub use log_source::{LogFault, LogInput};
pub use memory::TableLimits;
pub use profile::ThreadProfile;
pub use run::{
    LATENCY_BOUNDS_NS, LatencyCounts, LatencyNs, Observer, Outcome, PipelineError, QueueGauge, Settings, Snapshot,
    TableGauge, ThreadUse, run,
};
pub use tap::{Lost, Tap, TapOptions, TapWatch};

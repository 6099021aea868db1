//! The way in: settings, what is reported while running, and what comes out.

use std::sync::atomic::AtomicBool;

use balefire_capture::{CaptureError, Damage, KernelCounters, Source, SourceCounters};
use balefire_detect::{Accounting, ControlServer, CountryRow, Summary, TimelineRow};

/// How to run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Worker threads.
    pub workers: usize,
    /// Blocks a worker's queue holds before a file waits and a tap drops.
    pub queue_blocks: usize,
    /// On a silent tap an hour is closed this long after its end by the wall clock, nanoseconds.
    pub lateness_ns: i64,
    /// Keep rows for [`Outcome::timelines`].
    pub keep_timelines: bool,
    /// Connections per worker.
    pub connections: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            workers: 1,
            queue_blocks: 16,
            lateness_ns: 2_000_000_000,
            keep_timelines: false,
            connections: 1 << 20,
        }
    }
}

/// Called from the collector thread.
pub trait Observer: Send {
    /// An hour is complete: every worker has answered its marker.
    fn hour(&mut self, hour: &Summary) -> Result<(), PipelineError>;

    /// Once a second of wall time while running, for consoles and progress bars.
    fn tick(&mut self, snapshot: &Snapshot);
}

/// How full one worker's queue is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueGauge {
    /// Blocks waiting.
    pub blocks: usize,
    /// Blocks it can hold.
    pub capacity: usize,
    /// Frames dropped because it was full, so far.
    pub dropped: u64,
}

/// What part of the last second a thread worked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ThreadUse {
    /// `capture`, `worker-0`, `collector`.
    pub name: String,
    /// 0 to 1.
    pub busy: f64,
}

/// Time from a packet's hand-over by the capture to the end of its worker's work on it, nanoseconds of wall time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LatencyNs {
    /// Median.
    pub p50: u64,
    /// 99 of 100 are below.
    pub p99: u64,
    /// 999 of 1,000 are below.
    pub p999: u64,
    /// Largest.
    pub max: u64,
}

/// How a run stands, between hours.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Wall time since the start, seconds.
    pub elapsed_s: f64,
    /// Where every packet went, so far. Numbers of different threads are of slightly different moments.
    pub accounting: Accounting,
    /// The source's counters.
    pub source: SourceCounters,
    /// Kernel and interface losses; `None` for files.
    pub kernel: Option<KernelCounters>,
    /// Packets a second over the last tick.
    pub packets_per_s: f64,
    /// Wire bits a second over the last tick.
    pub bits_per_s: f64,
    /// One gauge per worker.
    pub queues: Vec<QueueGauge>,
    /// One per thread.
    pub threads: Vec<ThreadUse>,
    /// Latency so far.
    pub latency: LatencyNs,
    /// Live connections in all workers.
    pub connections: u64,
    /// Inside hosts in all workers.
    pub hosts: u64,
    /// Timelines in all workers.
    pub timelines: u64,
    /// Evicted entries of all tables.
    pub evictions: u64,
    /// Time of the newest packet, nanoseconds since 1970.
    pub packet_time_ns: Option<i64>,
    /// Control servers as they stand, best first, at most 20; from the shared registry, without evidence.
    pub servers: Vec<ControlServer>,
    /// Countries by servers, at most 10.
    pub countries: Vec<CountryRow>,
}

/// A run, finished.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The whole run.
    pub summary: Summary,
    /// Every timeline, in order of host, server, port, name; empty unless asked for.
    pub timelines: Vec<TimelineRow>,
    /// Damaged inputs.
    pub damage: Vec<Damage>,
    /// The source's counters.
    pub source: SourceCounters,
    /// Latency of the whole run.
    pub latency: LatencyNs,
    /// Hours in the run that had at least one packet, and hours it spans.
    pub hours_watched: (u64, u64),
}

/// Why a run ended without an outcome.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PipelineError {
    /// The source failed.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// The observer could not take an hour (disk full, folder gone).
    #[error("hour not written: {0}")]
    Observer(String),
    /// A worker thread ended by a bug.
    #[error("worker {0} ended by a bug; its part of the results is lost")]
    Worker(usize),
}

/// Runs until the source ends or `stop` is set; then closes the last hour as partial.
///
/// # Errors
/// See [`PipelineError`].
pub fn run(
    _source: Box<dyn Source>,
    _settings: &Settings,
    _detect: &balefire_detect::Settings,
    _observer: &mut dyn Observer,
    _stop: &AtomicBool,
) -> Result<Outcome, PipelineError> {
    Err(PipelineError::Worker(0))
}

//! The way in: settings, what is reported while running, and what comes out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use balefire_capture::{CaptureError, Damage, KernelCounters, Source, SourceCounters};
use balefire_decode::FragmentTable;
use balefire_detect::{Accounting, ControlServer, CountryRow, Detector, Shared, State, Summary, TimelineRow};
use balefire_track::{KeyHasher, Tracker};
use crossbeam::channel;
use crossbeam::queue::ArrayQueue;
use crossbeam::sync::Parker;
use parking_lot::Mutex;

use crate::begin::Begin;
use crate::capture_loop::{CaptureLoop, Wiring};
use crate::collector::Collector;
use crate::dispatch::{Dispatcher, SEED_OF_FILES};
use crate::gauges::Gauges;
use crate::profile::{ThreadProfile, Watch};
use crate::queue;
use crate::worker::Worker;

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
    /// Buffers per worker for application data that spans segments.
    pub payload_buffers: usize,
    /// Conclude every hour, for [`Observer::hour`]; where nobody wants them that is work for nothing.
    pub conclude_hours: bool,
    /// Take the state at every hour's end, for [`Observer::state`].
    pub keep_state: bool,
    /// What an earlier run knew; taken at the start. Its seed must be the detector's, or it is left.
    pub state: Arc<Mutex<Option<State>>>,
    /// Take the time of every stage, for [`Outcome::profile`]. It changes no result, but costs some time itself.
    pub profile: bool,
    /// What each of the threads does first.
    pub begin: Begin,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            workers: 1,
            queue_blocks: 16,
            lateness_ns: 2_000_000_000,
            keep_timelines: false,
            connections: 1 << 20,
            payload_buffers: balefire_track::Settings::default().payload_buffers,
            conclude_hours: true,
            keep_state: false,
            state: Arc::default(),
            profile: false,
            begin: Begin::default(),
        }
    }
}

/// Called from the thread that called [`run`], which is the collector.
pub trait Observer {
    /// An hour is complete: every worker has answered its marker.
    ///
    /// # Errors
    /// Ends the run. An observer that can go on without this hour says so itself and returns `Ok`.
    fn hour(&mut self, hour: &Summary) -> Result<(), PipelineError>;

    /// What the run knew when that hour closed, with [`Settings::keep_state`].
    fn state(&mut self, _state: State) {}

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
    /// Grows as long as the thread lives, also while it has nothing to do: one that stands still is stuck.
    pub beats: u64,
}

/// How full one table is, in all workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableGauge {
    /// `connections`, `hosts`, `destinations`, `pairs`, `timelines`, `names`.
    pub name: &'static str,
    /// Entries now.
    pub entries: u64,
    /// Entries evicted so far to make room.
    pub evicted: u64,
}

/// Upper ends of the classes that latencies are counted in, nanoseconds.
pub const LATENCY_BOUNDS_NS: [u64; 10] = [
    10_000,
    100_000,
    1_000_000,
    5_000_000,
    10_000_000,
    50_000_000,
    100_000_000,
    500_000_000,
    1_000_000_000,
    10_000_000_000,
];

/// Frames by their latency, so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LatencyCounts {
    /// Frames of each class of [`LATENCY_BOUNDS_NS`]; the last one is those beyond.
    pub frames: [u64; LATENCY_BOUNDS_NS.len() + 1],
    /// All latencies added up, seconds.
    pub sum_s: f64,
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
    /// The same, counted in classes.
    pub latency_counts: LatencyCounts,
    /// One per kind of table.
    pub tables: Vec<TableGauge>,
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
    /// How many servers are suspected, in all workers.
    pub servers_total: u64,
    /// Control servers as they stand, best first, at most 1,000; from the shared registry, without evidence.
    pub servers: Vec<ControlServer>,
    /// All of them, those of class suspected, probable, confirmed.
    pub servers_by_class: [u64; 3],
    /// Countries by servers, at most 50.
    pub countries: Vec<CountryRow>,
}

/// A run, finished.
#[derive(Debug)]
pub struct Outcome {
    /// The whole run.
    pub summary: Summary,
    /// Every timeline, in order of host, server, port, name; empty unless asked for.
    pub timelines: Vec<TimelineRow>,
    /// Damaged inputs.
    pub damage: Vec<Damage>,
    /// The source's counters.
    pub source: SourceCounters,
    /// The source failed on the way (an interface went away, a disk could not be read); what came before counts.
    pub source_error: Option<CaptureError>,
    /// Latency of the whole run.
    pub latency: LatencyNs,
    /// Hours in the run that had at least one packet, and hours it spans.
    pub hours_watched: (u64, u64),
    /// Where the time of each thread went; empty unless asked for.
    pub profile: Vec<ThreadProfile>,
}

/// Why a run ended without an outcome.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PipelineError {
    /// The observer could not take an hour (disk full, folder gone).
    #[error("hour not written: {0}")]
    Observer(String),
    /// A worker thread ended by a bug.
    #[error("worker {0} ended by a bug; its part of the results is lost")]
    Worker(usize),
    /// The capture thread ended by a bug.
    #[error("the capture thread ended by a bug")]
    CaptureThread,
    /// A connection log cannot be opened, or is none.
    #[error("{name}: {reason}")]
    Log {
        /// Its name as given.
        name: String,
        /// What it is instead, or the system's reason.
        reason: String,
    },
    /// A thread could not be started.
    #[error("a thread could not be started: {0}")]
    Thread(std::io::Error),
}

/// Runs until the source ends or `stop` is set; then closes the last hour. The calling thread is the collector.
///
/// # Errors
/// See [`PipelineError`]. A source that fails on the way is not one: what came before it counts, and
/// [`Outcome::source_error`] says so.
pub fn run(
    source: Box<dyn Source>,
    settings: &Settings,
    detect: &Arc<balefire_detect::Settings>,
    shared: &Arc<Shared>,
    observer: &mut dyn Observer,
    stop: &AtomicBool,
) -> Result<Outcome, PipelineError> {
    let workers = settings.workers.max(1);
    let queue_blocks = settings.queue_blocks.max(1);
    let gauges = Gauges::new(workers, queue_blocks, source.is_live());
    let spare = Arc::new(ArrayQueue::new(workers * (queue_blocks + 2)));
    let (reports, inbox) = channel::unbounded();
    let parker = Parker::new();
    let seed = detect.hash_seed;
    let dispatch_seed = if source.is_live() { seed } else { SEED_OF_FILES };
    let dispatcher = Dispatcher::new(detect.home.clone(), workers, dispatch_seed);

    thread::scope(|scope| {
        let state = settings.state.lock().take().filter(|state| state.seed() == seed);
        let mut lanes = Vec::with_capacity(workers);
        let mut threads = Vec::with_capacity(workers);
        for number in 0..workers {
            let (lane, mut inbox) = queue::lane(queue_blocks, parker.unparker().clone());
            inbox.beats = Arc::clone(&gauges.workers[number].beats);
            lanes.push(lane);
            let mut detector = Detector::new(Arc::clone(detect), Arc::clone(shared), number);
            if let Some(state) = &state {
                detector.restore(state, workers, &|host, server| dispatcher.worker_of(host, server));
            }
            let worker = Worker {
                number,
                inbox,
                spare: Arc::clone(&spare),
                reports: reports.clone(),
                gauges: Arc::clone(&gauges),
                fragments: FragmentTable::new(FRAGMENTED_DATAGRAMS, seed),
                tracker: Tracker::new(balefire_track::Settings {
                    connections: settings.connections,
                    payload_buffers: settings.payload_buffers,
                    seed,
                    ..balefire_track::Settings::default()
                }),
                detector,
                conclude_hours: settings.conclude_hours,
                keep_state: settings.keep_state,
                is_live: source.is_live(),
                keep_timelines: settings.keep_timelines,
                watch: Watch::new(settings.profile),
            };
            let name = format!("worker-{number}");
            threads.push(spawn(scope, &settings.begin, name, || worker.run())?);
        }
        drop(state);
        let lateness_ns = settings.lateness_ns;
        let wiring = Wiring {
            lateness_ns,
            queue_blocks,
            dispatcher,
            hasher: KeyHasher::new(seed),
            lanes,
            spare,
            parker,
            gauges: Arc::clone(&gauges),
            reports,
            watch: Watch::new(settings.profile),
        };
        let capture_loop = CaptureLoop::new(source, wiring);
        let name = "capture".to_owned();
        let capture = spawn(scope, &settings.begin, name, || capture_loop.run(stop))?;

        let (detect, shared) = (Arc::clone(detect), Arc::clone(shared));
        let keep_timelines = settings.keep_timelines;
        let collected = Collector {
            reports: inbox,
            workers,
            detect,
            shared,
            gauges: Arc::clone(&gauges),
            keep_timelines,
            conclude_hours: settings.conclude_hours,
            observer,
            watch: Watch::new(settings.profile),
        }
        .run();
        if collected.is_err() {
            // Whatever failed, the threads must end before the scope does.
            stop.store(true, Relaxed);
        }
        for (number, thread) in threads.into_iter().enumerate() {
            thread.join().map_err(|_| PipelineError::Worker(number))?;
        }
        capture.join().map_err(|_| PipelineError::CaptureThread)?;
        collected.map(|outcome| Outcome {
            profile: gauges.take_profiles(),
            ..outcome
        })
    })
}

/// Datagrams in pieces a worker remembers at a time; a piece is matched within 30 s or not at all.
const FRAGMENTED_DATAGRAMS: usize = 4096;

pub(crate) fn spawn<'scope, T: Send + 'scope>(
    scope: &'scope thread::Scope<'scope, '_>,
    begin: &Begin,
    name: String,
    body: impl FnOnce() -> T + Send + 'scope,
) -> Result<thread::ScopedJoinHandle<'scope, T>, PipelineError> {
    let (begin, own_name) = (begin.clone(), name.clone());
    let body = move || {
        begin.call(&own_name);
        body()
    };
    thread::Builder::new()
        .name(name)
        .spawn_scoped(scope, body)
        .map_err(PipelineError::Thread)
}

#[cfg(test)]
#[path = "run/lists_tests.rs"]
mod lists_tests;

#[cfg(test)]
#[path = "run/pace_tests.rs"]
mod pace_tests;

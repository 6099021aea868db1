//! Numbers that threads show while they run: relaxed atomics, one writer each, written once per block.
//!
//! In: stores by the capture thread and the workers. Out: a [`Snapshot`] for consoles and progress bars. Final results never
//! come from here (they travel with the parts), so a reader may see numbers of slightly different moments.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use balefire_capture::{KernelCounters, SourceCounters};
use balefire_detect::{Accounting, QueueDrops, Reject, Shared};
use crossbeam::utils::CachePadded;
use hdrhistogram::Histogram;
use parking_lot::Mutex;

use crate::profile::{self, ThreadProfile};
use crate::run::{LATENCY_BOUNDS_NS, LatencyCounts, LatencyNs, QueueGauge, Snapshot, TableGauge, ThreadUse};

/// A worker's tables, as they are shown.
pub(crate) const TABLES: [&str; 6] = ["connections", "hosts", "destinations", "pairs", "timelines", "names"];

/// Written by the capture thread.
#[derive(Debug, Default)]
pub(crate) struct CaptureGauges {
    pub(crate) received: AtomicU64,
    pub(crate) wire_bytes: AtomicU64,
    pub(crate) late: AtomicU64,
    pub(crate) clock_steps: AtomicU64,
    pub(crate) filtered: AtomicU64,
    pub(crate) input_bytes: AtomicU64,
    pub(crate) input_bytes_total: AtomicU64,
    pub(crate) newest_ns: AtomicI64,
    pub(crate) idle_ns: AtomicU64,
    pub(crate) kernel_received: AtomicU64,
    pub(crate) kernel_dropped: AtomicU64,
    pub(crate) interface_dropped: AtomicU64,
    /// Grows as long as the thread lives, busy or not.
    pub(crate) beats: AtomicU64,
}

/// Written by one worker, but for the queue's two, which the capture thread writes.
#[derive(Debug)]
pub(crate) struct WorkerGauges {
    pub(crate) decoded: AtomicU64,
    pub(crate) rejects: [AtomicU64; Reject::COUNT],
    pub(crate) decode_panics: AtomicU64,
    pub(crate) connections: AtomicU64,
    pub(crate) hosts: AtomicU64,
    pub(crate) timelines: AtomicU64,
    pub(crate) evictions: AtomicU64,
    /// Entries and evictions of each table, in the order of [`TABLES`].
    pub(crate) tables: [[AtomicU64; 2]; TABLES.len()],
    pub(crate) idle_ns: AtomicU64,
    /// Grows as long as the thread lives, busy or not; its inbox has a share of it.
    pub(crate) beats: Arc<AtomicU64>,
    pub(crate) queue_waiting: AtomicU64,
    pub(crate) queue_dropped: AtomicU64,
    /// Locked by its worker once per block and by the reader once a second.
    pub(crate) latency: Mutex<Histogram<u64>>,
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Gauges {
    pub(crate) capture: CachePadded<CaptureGauges>,
    pub(crate) workers: Vec<CachePadded<WorkerGauges>>,
    queue_blocks: usize,
    live: bool,
    started: Instant,
    /// Of the threads that have ended.
    profiles: Mutex<Vec<ThreadProfile>>,
}

impl WorkerGauges {
    fn new() -> Self {
        Self {
            decoded: AtomicU64::new(0),
            rejects: [const { AtomicU64::new(0) }; Reject::COUNT],
            decode_panics: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            hosts: AtomicU64::new(0),
            timelines: AtomicU64::new(0),
            evictions: AtomicU64::new(0),
            tables: [const { [const { AtomicU64::new(0) }; 2] }; TABLES.len()],
            idle_ns: AtomicU64::new(0),
            beats: Arc::default(),
            queue_waiting: AtomicU64::new(0),
            queue_dropped: AtomicU64::new(0),
            latency: Mutex::new(new_histogram()),
        }
    }
}

/// 1 us to 100 s at two digits: 20 KB, fixed, so recording never allocates.
fn new_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1_000, 100_000_000_000, 2).unwrap_or_else(|_| unreachable!("the bounds are constants"))
}

impl Gauges {
    pub(crate) fn new(workers: usize, queue_blocks: usize, live: bool) -> Arc<Self> {
        Arc::new(Self {
            capture: CachePadded::default(),
            workers: (0..workers).map(|_| CachePadded::new(WorkerGauges::new())).collect(),
            queue_blocks,
            live,
            started: Instant::now(),
            profiles: Mutex::new(Vec::new()),
        })
    }

    /// Latency over all workers.
    pub(crate) fn latency(&self) -> LatencyNs {
        quantiles(&self.latencies())
    }

    fn latencies(&self) -> Histogram<u64> {
        let mut all = new_histogram();
        for worker in &self.workers {
            // Both have the same bounds, so adding cannot fail.
            let _ = all.add(&*worker.latency.lock());
        }
        all
    }

    fn tables(&self) -> Vec<TableGauge> {
        let sum = |table: usize, place: usize| {
            let workers = self.workers.iter();
            workers.map(|w| w.tables[table][place].load(Relaxed)).sum()
        };
        let tables = TABLES.iter().enumerate();
        tables
            .map(|(table, &name)| TableGauge {
                name,
                entries: sum(table, 0),
                evicted: sum(table, 1),
            })
            .collect()
    }

    /// A thread ends: keeps what its watch says, if it runs.
    pub(crate) fn keep_profile(&self, watch: &profile::Watch) {
        self.profiles.lock().extend(watch.profile());
    }

    /// The profiles of all threads that have ended, by name, the capture thread first.
    pub(crate) fn take_profiles(&self) -> Vec<ThreadProfile> {
        let mut profiles = std::mem::take(&mut *self.profiles.lock());
        let number = |name: &str| {
            name.strip_prefix("worker-")
                .and_then(|digits| digits.parse::<u32>().ok())
        };
        profiles.sort_by_key(|profile| match number(&profile.name) {
            _ if profile.name == "capture" => (0, 0),
            Some(number) => (1, number),
            None => (2, 0),
        });
        profiles
    }

    fn accounting(&self) -> Accounting {
        let capture = &self.capture;
        let sum =
            |read: fn(&WorkerGauges) -> &AtomicU64| self.workers.iter().map(|w| read(w).load(Relaxed)).sum::<u64>();
        let rejects = Reject::ALL.iter().filter_map(|&reject| {
            let frames: u64 = self
                .workers
                .iter()
                .map(|w| w.rejects[reject as usize].load(Relaxed))
                .sum();
            (frames > 0).then_some((reject, frames))
        });
        let drops = self.workers.iter().enumerate().filter_map(|(worker, w)| {
            let frames = w.queue_dropped.load(Relaxed);
            (frames > 0).then_some(QueueDrops {
                worker: worker as u32,
                frames,
            })
        });
        Accounting {
            received: capture.received.load(Relaxed),
            wire_bytes: capture.wire_bytes.load(Relaxed),
            decoded: sum(|w| &w.decoded),
            rejects: rejects.collect(),
            queue_drops: drops.collect(),
            decode_panics: sum(|w| &w.decode_panics),
            late: capture.late.load(Relaxed),
            clock_steps: capture.clock_steps.load(Relaxed),
            evictions: sum(|w| &w.evictions),
            kernel_drops: self.live.then(|| capture.kernel_dropped.load(Relaxed)),
            interface_drops: self.live.then(|| capture.interface_dropped.load(Relaxed)),
            gaps: Vec::new(),
        }
    }

    fn source(&self) -> SourceCounters {
        let capture = &self.capture;
        SourceCounters {
            frames: capture.received.load(Relaxed),
            filtered: capture.filtered.load(Relaxed),
            input_bytes: capture.input_bytes.load(Relaxed),
            input_bytes_total: capture.input_bytes_total.load(Relaxed),
            ..SourceCounters::default()
        }
    }

    fn kernel(&self) -> Option<KernelCounters> {
        let capture = &self.capture;
        self.live.then(|| KernelCounters {
            received: capture.kernel_received.load(Relaxed),
            dropped_kernel: capture.kernel_dropped.load(Relaxed),
            dropped_interface: capture.interface_dropped.load(Relaxed),
        })
    }
}

fn quantiles(all: &Histogram<u64>) -> LatencyNs {
    if all.is_empty() {
        return LatencyNs::default();
    }
    LatencyNs {
        p50: all.value_at_quantile(0.5),
        p99: all.value_at_quantile(0.99),
        p999: all.value_at_quantile(0.999),
        max: all.max(),
    }
}

fn counts(all: &Histogram<u64>) -> LatencyCounts {
    let mut counts = LatencyCounts::default();
    let mut below = 0;
    for (count, bound) in counts.frames.iter_mut().zip(LATENCY_BOUNDS_NS) {
        *count = all.count_between(below, bound);
        below = bound + 1;
    }
    if let Some(rest) = counts.frames.last_mut() {
        *rest = all.len();
    }
    let counted: u64 = counts.frames[..LATENCY_BOUNDS_NS.len()].iter().sum();
    if let Some(rest) = counts.frames.last_mut() {
        *rest = rest.saturating_sub(counted);
    }
    counts.sum_s = all.mean() * all.len() as f64 / 1e9;
    counts
}

/// Turns gauges into snapshots; keeps what the last one saw, for rates.
#[derive(Debug)]
pub(crate) struct Watch {
    gauges: Arc<Gauges>,
    last: Instant,
    last_received: u64,
    last_wire_bytes: u64,
    last_idle_ns: Vec<u64>,
}

impl Watch {
    pub(crate) fn new(gauges: Arc<Gauges>) -> Self {
        let threads = gauges.workers.len() + 1;
        Self {
            gauges,
            last: Instant::now(),
            last_received: 0,
            last_wire_bytes: 0,
            last_idle_ns: vec![0; threads],
        }
    }

    pub(crate) fn snapshot(&mut self, shared: &Shared) -> Snapshot {
        let gauges = Arc::clone(&self.gauges);
        let seconds = self.last.elapsed().as_secs_f64().max(1e-9);
        self.last = Instant::now();
        let accounting = gauges.accounting();
        let packets = accounting.received.saturating_sub(self.last_received);
        let bytes = accounting.wire_bytes.saturating_sub(self.last_wire_bytes);
        (self.last_received, self.last_wire_bytes) = (accounting.received, accounting.wire_bytes);
        let sum = |read: fn(&WorkerGauges) -> &AtomicU64| gauges.workers.iter().map(|w| read(w).load(Relaxed)).sum();
        let latencies = gauges.latencies();
        let mut servers = shared.servers(usize::MAX);
        let mut servers_by_class = [0; 3];
        for server in &servers {
            servers_by_class[server.class as usize] += 1;
        }
        servers.truncate(SHOWN_SERVERS);
        Snapshot {
            elapsed_s: gauges.started.elapsed().as_secs_f64(),
            source: gauges.source(),
            kernel: gauges.kernel(),
            packets_per_s: packets as f64 / seconds,
            bits_per_s: bytes as f64 * 8.0 / seconds,
            queues: gauges
                .workers
                .iter()
                .map(|w| queue_gauge(w, gauges.queue_blocks))
                .collect(),
            threads: self.threads(seconds),
            latency: quantiles(&latencies),
            latency_counts: counts(&latencies),
            tables: gauges.tables(),
            connections: sum(|w| &w.connections),
            hosts: sum(|w| &w.hosts),
            timelines: sum(|w| &w.timelines),
            evictions: sum(|w| &w.evictions),
            packet_time_ns: (accounting.received > 0).then(|| gauges.capture.newest_ns.load(Relaxed)),
            servers_total: shared.servers_total(),
            servers,
            servers_by_class,
            countries: shared.country_rows(SHOWN_COUNTRIES),
            accounting,
        }
    }

    /// What part of the time since the last snapshot each thread did not wait.
    fn threads(&mut self, seconds: f64) -> Vec<ThreadUse> {
        let capture = &self.gauges.capture;
        let capture = std::iter::once((
            "capture".to_owned(),
            capture.idle_ns.load(Relaxed),
            capture.beats.load(Relaxed),
        ));
        let workers = self.gauges.workers.iter().enumerate();
        let workers = workers.map(|(number, w)| {
            let name = format!("worker-{number}");
            (name, w.idle_ns.load(Relaxed), w.beats.load(Relaxed))
        });
        let named = capture.chain(workers).zip(&mut self.last_idle_ns);
        named
            .map(|((name, idle_ns, beats), last)| {
                let idle = idle_ns.saturating_sub(std::mem::replace(last, idle_ns)) as f64 / 1e9 / seconds;
                ThreadUse {
                    name,
                    busy: (1.0 - idle).clamp(0.0, 1.0),
                    beats,
                }
            })
            .collect()
    }
}

/// Rows of the live lists: what a person can go through, and a metrics store can hold as labels.
const SHOWN_SERVERS: usize = 1000;
const SHOWN_COUNTRIES: usize = 50;

fn queue_gauge(worker: &WorkerGauges, capacity: usize) -> QueueGauge {
    QueueGauge {
        blocks: worker.queue_waiting.load(Relaxed) as usize,
        capacity,
        dropped: worker.queue_dropped.load(Relaxed),
    }
}

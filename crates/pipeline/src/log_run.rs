//! Connection logs through the same detect as packets: a reader thread, workers that own their detectors, the collector.
//!
//! In: logs, settings. Out: hours to the observer as they close, and the outcome of the run, as for captures. `received`
//! counts usable lines, `decoded` those that reached a detector, bytes are those the lines tell of; a line that cannot be
//! used is in [`LogReport::faults`]. Not its job: lines (`track::log`), opening and decompressing files (the program).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use balefire_capture::SourceCounters;
use balefire_detect::{Detector, Shared};
use balefire_track::log::{Entry, EntryKind, HELD_ENTRIES, Replay, ReplayCounters, Window};
use crossbeam::channel::{self, Receiver, Sender};

use crate::capture_loop::{CaptureCounts, CaptureEnd};
use crate::collector::{Collector, Report};
use crate::dispatch::{Dispatcher, SEED_OF_FILES};
use crate::gauges::Gauges;
use crate::hours::{HourClock, Step};
use crate::log_source::{LogFault, LogInput, LogSource};
use crate::profile::Watch;
use crate::queue::HourMark;
use crate::run::{Observer, Outcome, PipelineError, Settings, spawn};
use crate::worker::WorkerCounts;

/// Entries that cross to a worker at a time: 144 KiB, which a second-level cache holds.
const BATCH_ENTRIES: usize = 1024;

/// A run over logs, finished.
#[derive(Debug)]
pub struct LogOutcome {
    /// As of a run over captures.
    pub outcome: Outcome,
    /// What only logs have.
    pub logs: LogReport,
}

/// What became of the lines.
#[derive(Debug, Default)]
pub struct LogReport {
    /// Lines that tell nothing: of logs that are not read, handshakes without a name.
    pub unused_lines: u64,
    /// Inputs that tell of no connection: Zeek's logs of other things.
    pub passed_over: Vec<String>,
    /// What was joined, and what was not.
    pub joined: ReplayCounters,
    /// Lines that could not be used.
    pub faults: Vec<LogFault>,
}

/// What a worker is told, in order.
enum Message {
    Entries(Vec<Entry>),
    /// An hour is over: answer with its part.
    Hour(HourMark),
}

/// Runs until every log is read or `stop` is set; then closes the last hour. The calling thread is the collector.
///
/// # Errors
/// See [`PipelineError`]. A log that ends in the middle, or has lines that cannot be used, is not one: the rest counts, and
/// [`LogReport::faults`] says so.
pub fn run_logs(
    inputs: Vec<LogInput>,
    settings: &Settings,
    detect: &Arc<balefire_detect::Settings>,
    shared: &Arc<Shared>,
    observer: &mut dyn Observer,
    stop: &AtomicBool,
) -> Result<LogOutcome, PipelineError> {
    let workers = settings.workers.max(1);
    let source = LogSource::open(inputs, stop)?;
    let gauges = Gauges::new(workers, settings.queue_blocks.max(1), false);
    let (reports, inbox) = channel::unbounded();

    thread::scope(|scope| {
        let mut lanes = Vec::with_capacity(workers);
        let mut threads = Vec::with_capacity(workers);
        for number in 0..workers {
            let (lane, inbox) = channel::bounded(settings.queue_blocks.max(1));
            lanes.push(lane);
            let worker = Worker {
                number,
                inbox,
                reports: reports.clone(),
                gauges: Arc::clone(&gauges),
                replay: Replay::new(settings.connections),
                detector: Detector::new(Arc::clone(detect), Arc::clone(shared), number),
                keep_timelines: settings.keep_timelines,
                conclude_hours: settings.conclude_hours,
                counts: WorkerCounts::default(),
                decoded: 0,
                evictions_told: 0,
            };
            threads.push(spawn(scope, &settings.begin, format!("worker-{number}"), || {
                worker.run()
            })?);
        }
        let reader = Reader {
            source,
            dispatcher: Dispatcher::new(detect.home.clone(), workers, SEED_OF_FILES),
            clock: HourClock::new(),
            hour: 0,
            received: 0,
            counts: CaptureCounts::default(),
            lists: (0..workers).map(|_| Vec::new()).collect(),
            lanes,
            gauges: Arc::clone(&gauges),
            reports,
        };
        let reader = spawn(scope, &settings.begin, "reader".to_owned(), || reader.run(stop))?;
        let (detect, shared) = (Arc::clone(detect), Arc::clone(shared));
        let collected = Collector {
            reports: inbox,
            workers,
            detect,
            shared,
            gauges,
            keep_timelines: settings.keep_timelines,
            conclude_hours: settings.conclude_hours,
            observer,
            watch: Watch::new(false),
        }
        .run();
        if collected.is_err() {
            // Whatever failed, the threads must end before the scope does.
            stop.store(true, Relaxed);
        }
        let mut logs = LogReport::default();
        for (number, thread) in threads.into_iter().enumerate() {
            logs.joined
                .add(&thread.join().map_err(|_| PipelineError::Worker(number))?);
        }
        let source = reader.join().map_err(|_| PipelineError::CaptureThread)?;
        logs.unused_lines = source.unused_lines();
        (logs.passed_over, logs.faults) = source.into_leftovers();
        Ok(LogOutcome {
            outcome: collected?,
            logs,
        })
    })
}

/// The reader thread.
struct Reader {
    source: LogSource,
    dispatcher: Dispatcher,
    clock: HourClock,
    hour: u64,
    received: u64,
    counts: CaptureCounts,
    lists: Vec<Vec<Entry>>,
    lanes: Vec<Sender<Message>>,
    gauges: Arc<Gauges>,
    reports: Sender<Report>,
}

/// A worker has ended by a bug; its join says so.
struct WorkerGone;

impl<T> From<channel::SendError<T>> for WorkerGone {
    fn from(_: channel::SendError<T>) -> Self {
        Self
    }
}

impl Reader {
    /// Returns the source for what it has to tell of its logs.
    fn run(mut self, stop: &AtomicBool) -> LogSource {
        if self.read(stop).and_then(|()| self.finish()).is_ok() {
            let end = CaptureEnd {
                damage: Vec::new(),
                source: SourceCounters {
                    frames: self.received,
                    input_bytes: self.source.read_bytes(),
                    ..SourceCounters::default()
                },
                error: None,
                hours_watched: self.clock.watched(),
            };
            // The collector outlives the reader; if it failed, the run is ending anyway.
            let _ = self.reports.send(Report::CaptureEnd(Box::new(end)));
        }
        self.source
    }

    fn read(&mut self, stop: &AtomicBool) -> Result<(), WorkerGone> {
        let mut window = Window::new(HELD_ENTRIES);
        while !stop.load(Relaxed)
            && let Some(entry) = self.source.next()
        {
            window.push(entry);
            if window.is_full() {
                window.release().try_for_each(|entry| self.hand_out(entry))?;
            }
        }
        window.finish().try_for_each(|entry| self.hand_out(entry))
    }

    fn hand_out(&mut self, entry: Entry) -> Result<(), WorkerGone> {
        match self.clock.step(entry.time_ns) {
            Step::Within => {}
            Step::Late => self.counts.late += 1,
            Step::Crosses => {
                let period = self.clock.turn(entry.time_ns);
                self.end_hour(HourMark {
                    number: self.hour,
                    period,
                    last: false,
                })?;
            }
        }
        self.count(&entry);
        let ends = entry.endpoints;
        let worker = self.dispatcher.worker_of(ends.originator, ends.responder);
        self.lists[worker].push(entry);
        if self.lists[worker].len() >= BATCH_ENTRIES {
            self.flush(worker)?;
        }
        Ok(())
    }

    fn count(&mut self, entry: &Entry) {
        let (counts, time_ns) = (&mut self.counts, entry.time_ns);
        counts.received += 1;
        if let EntryKind::Connection(ending) = entry.kind {
            let bytes = ending.sent.ip_bytes.saturating_add(ending.received.ip_bytes);
            counts.wire_bytes = counts.wire_bytes.saturating_add(bytes);
        }
        counts.first_ns = Some(counts.first_ns.map_or(time_ns, |first| first.min(time_ns)));
        counts.last_ns = Some(counts.last_ns.map_or(time_ns, |last| last.max(time_ns)));
    }

    fn flush(&mut self, worker: usize) -> Result<(), WorkerGone> {
        if self.lists[worker].is_empty() {
            return Ok(());
        }
        let list = std::mem::replace(&mut self.lists[worker], Vec::with_capacity(BATCH_ENTRIES));
        self.received += list.len() as u64;
        self.lanes[worker].send(Message::Entries(list))?;
        let gauges = &self.gauges;
        gauges.workers[worker]
            .queue_waiting
            .store(self.lanes[worker].len() as u64, Relaxed);
        gauges.capture.received.store(self.received, Relaxed);
        gauges.capture.input_bytes.store(self.source.read_bytes(), Relaxed);
        gauges
            .capture
            .newest_ns
            .store(self.clock.newest_ns().unwrap_or_default(), Relaxed);
        Ok(())
    }

    fn end_hour(&mut self, mark: HourMark) -> Result<(), WorkerGone> {
        for worker in 0..self.lanes.len() {
            self.flush(worker)?;
        }
        let mut counts = Box::new(std::mem::take(&mut self.counts));
        counts.clock_steps = self.clock.take_steps();
        self.gauges.capture.late.fetch_add(counts.late, Relaxed);
        self.gauges.capture.clock_steps.fetch_add(counts.clock_steps, Relaxed);
        let _ = self.reports.send(Report::Hour { mark, counts });
        self.hour += 1;
        self.lanes.iter().try_for_each(|lane| lane.send(Message::Hour(mark)))?;
        Ok(())
    }

    /// Ends the last hour and, by hanging up, the workers.
    fn finish(&mut self) -> Result<(), WorkerGone> {
        if let Some(period) = self.clock.finish() {
            self.end_hour(HourMark {
                number: self.hour,
                period,
                last: true,
            })?;
        }
        self.lanes.clear();
        Ok(())
    }
}

/// A worker thread: owns its open connections and its detector.
struct Worker {
    number: usize,
    inbox: Receiver<Message>,
    reports: Sender<Report>,
    gauges: Arc<Gauges>,
    replay: Replay,
    detector: Detector,
    keep_timelines: bool,
    conclude_hours: bool,
    counts: WorkerCounts,
    decoded: u64,
    evictions_told: u64,
}

impl Worker {
    /// Works until the reader hangs up.
    fn run(mut self) -> ReplayCounters {
        while let Ok(message) = self.inbox.recv() {
            match message {
                Message::Entries(entries) => self.entries(&entries),
                Message::Hour(mark) => self.hour(mark),
            }
        }
        let part = if self.keep_timelines {
            self.detector.finish_with_timelines()
        } else {
            self.detector.finish()
        };
        let _ = self.reports.send(Report::WorkerEnd(Box::new(part)));
        self.replay.counters()
    }

    fn entries(&mut self, entries: &[Entry]) {
        self.detector.refresh_lists();
        for entry in entries {
            self.replay.entry(entry, &mut self.detector);
        }
        self.counts.decoded += entries.len() as u64;
        self.decoded += entries.len() as u64;
        let gauges = &self.gauges.workers[self.number];
        let detected = self.detector.gauges();
        gauges.decoded.store(self.decoded, Relaxed);
        gauges.connections.store(self.replay.live(), Relaxed);
        gauges.hosts.store(detected.hosts, Relaxed);
        gauges.timelines.store(detected.timelines, Relaxed);
        gauges.evictions.store(self.evictions(), Relaxed);
    }

    /// Since the start, of all its tables.
    fn evictions(&self) -> u64 {
        self.replay.counters().closed_early + self.detector.gauges().evictions()
    }

    fn hour(&mut self, mark: HourMark) {
        self.detector.refresh_lists();
        if mark.last {
            self.replay.flush(&mut self.detector);
        } else {
            self.replay.advance(mark.period.end_ns, &mut self.detector);
        }
        let part = Box::new(self.detector.end_hour(self.conclude_hours));
        let mut counts = std::mem::take(&mut self.counts);
        let evictions = self.evictions();
        counts.evictions = evictions.saturating_sub(std::mem::replace(&mut self.evictions_told, evictions));
        let _ = self.reports.send(Report::Part {
            number: mark.number,
            part,
            counts,
            state: None,
        });
    }
}

#[cfg(test)]
mod tests;

//! The collector: merges the workers' parts of an hour and of the run, in whatever order they arrive, and closes them.
//!
//! In: reports of the capture thread and the workers. Out: finished hours to the observer, in order, and the run's outcome.
//! Merging commutes, so the result does not depend on which worker answers first. Not its job: scores and ranks (detect).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use balefire_capture::KernelCounters;
use balefire_detect::{Accounting, Part, Period, PeriodKind, QueueDrops, Reject, Section, Shared, State, Summary};
use crossbeam::channel::{Receiver, RecvTimeoutError};

use crate::capture_loop::{CaptureCounts, CaptureEnd};
use crate::gauges::{Gauges, Watch};
use crate::profile::{self, Stage};
use crate::queue::HourMark;
use crate::run::{Observer, Outcome, PipelineError};
use crate::worker::WorkerCounts;

/// Wall time between snapshots.
const TICK: Duration = Duration::from_secs(1);

/// What the collector is told.
#[derive(Debug)]
pub(crate) enum Report {
    /// The capture thread ended an hour.
    Hour { mark: HourMark, counts: Box<CaptureCounts> },
    /// A worker's part of an hour.
    Part {
        number: u64,
        part: Box<Part>,
        counts: WorkerCounts,
        /// What it knows, with its number, where that is kept.
        state: Option<(usize, Section)>,
    },
    /// A worker's part of the run; nothing follows from it.
    WorkerEnd(Box<Part>),
    /// Nothing follows from the capture thread.
    CaptureEnd(Box<CaptureEnd>),
}

/// An hour that is not complete yet.
#[derive(Default)]
struct OpenHour {
    mark: Option<(HourMark, Box<CaptureCounts>)>,
    part: Option<Box<Part>>,
    counts: WorkerCounts,
    state: BTreeMap<usize, Section>,
    answers: usize,
}

pub(crate) struct Collector<'a> {
    pub(crate) reports: Receiver<Report>,
    pub(crate) workers: usize,
    pub(crate) detect: Arc<balefire_detect::Settings>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) gauges: Arc<Gauges>,
    pub(crate) keep_timelines: bool,
    pub(crate) conclude_hours: bool,
    pub(crate) observer: &'a mut dyn Observer,
    pub(crate) watch: profile::Watch,
}

impl Collector<'_> {
    /// Collects until all threads have ended.
    pub(crate) fn run(mut self) -> Result<Outcome, PipelineError> {
        self.watch.start();
        let mut watch = Watch::new(Arc::clone(&self.gauges));
        let mut hours: BTreeMap<u64, OpenHour> = BTreeMap::new();
        let mut run = RunTotals::default();
        let mut next_tick = Instant::now() + TICK;
        loop {
            let report = self.reports.recv_deadline(next_tick);
            self.watch.lap(Stage::Wait);
            match report {
                Ok(Report::Hour { mark, counts }) => hours.entry(mark.number).or_default().mark = Some((mark, counts)),
                Ok(Report::Part {
                    number,
                    part,
                    counts,
                    state,
                }) => {
                    let open = hours.entry(number).or_default();
                    open.add(part, &counts);
                    open.state.extend(state);
                }
                Ok(Report::WorkerEnd(end)) => run.add_worker(*end),
                Ok(Report::CaptureEnd(end)) => run.capture = Some(*end),
                Err(RecvTimeoutError::Timeout) => {
                    next_tick = Instant::now() + TICK;
                    self.observer.tick(&watch.snapshot(&self.shared));
                    self.watch.lap(Stage::Report);
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
            while let Some(open) = hours.first_entry().filter(|open| open.get().is_complete(self.workers)) {
                let mut open = open.remove();
                let state = self.state(&mut open);
                let hour = self.conclude(open, &mut run);
                self.watch.lap(Stage::Merge);
                if let Some(hour) = hour {
                    self.observer.hour(&hour)?;
                    if let Some(state) = state {
                        self.observer.state(state);
                    }
                    self.watch.lap(Stage::Report);
                }
            }
            self.watch.lap(Stage::Merge);
        }
        // The console's last word is the final state, also for a run shorter than a tick.
        self.observer.tick(&watch.snapshot(&self.shared));
        self.watch.lap(Stage::Report);
        let outcome = self.outcome(run);
        self.watch.lap(Stage::Merge);
        self.gauges.keep_profile(&self.watch);
        outcome
    }

    /// The hour's counts go into the run's; the hour itself, if anybody wants it.
    fn conclude(&self, open: OpenHour, run: &mut RunTotals) -> Option<Summary> {
        let (mark, capture) = open.mark?;
        let part = open.part?;
        run.capture_counts.add(&capture);
        run.worker_counts.add(&open.counts);
        if !self.conclude_hours {
            return None;
        }
        let accounting = accounting(&capture, &open.counts);
        let mut summary = part.conclude(&self.detect, &self.shared, mark.period, accounting);
        summary.first_packet_ns = capture.first_ns;
        summary.last_packet_ns = capture.last_ns;
        Some(summary)
    }

    /// What all workers knew at the hour's end, if that is kept.
    fn state(&self, open: &mut OpenHour) -> Option<State> {
        let sections = std::mem::take(&mut open.state);
        let end_ns = open.mark.as_ref()?.0.period.end_ns;
        let is_kept = !sections.is_empty();
        is_kept.then(|| State::new(&self.detect, end_ns, sections.into_values().collect()))
    }

    fn outcome(&self, run: RunTotals) -> Result<Outcome, PipelineError> {
        let RunTotals {
            part,
            ended,
            capture,
            capture_counts,
            worker_counts,
        } = run;
        // A thread that ended without its report failed; `run` finds out which when it joins them.
        let (Some(part), Some(capture)) = (part, capture) else {
            return Err(PipelineError::Worker(ended));
        };
        if ended < self.workers {
            return Err(PipelineError::Worker(ended));
        }
        let (first, last) = (capture_counts.first_ns, capture_counts.last_ns);
        let period = Period {
            kind: PeriodKind::Run,
            start_ns: first.unwrap_or_default(),
            end_ns: last.unwrap_or_default(),
            partial: false,
        };
        let accounting = accounting(&capture_counts, &worker_counts);
        let timelines = if self.keep_timelines {
            part.timelines(&self.detect, &self.shared)
        } else {
            Vec::new()
        };
        let mut summary = part.conclude(&self.detect, &self.shared, period, accounting);
        (summary.first_packet_ns, summary.last_packet_ns) = (first, last);
        Ok(Outcome {
            summary,
            timelines,
            damage: capture.damage,
            source: capture.source,
            source_error: capture.error,
            latency: self.gauges.latency(),
            hours_watched: capture.hours_watched,
            profile: Vec::new(),
        })
    }
}

/// What grows over the run.
#[derive(Default)]
struct RunTotals {
    part: Option<Part>,
    ended: usize,
    capture: Option<CaptureEnd>,
    capture_counts: CaptureCounts,
    worker_counts: WorkerCounts,
}

impl RunTotals {
    fn add_worker(&mut self, part: Part) {
        match &mut self.part {
            Some(merged) => merged.merge(part),
            None => self.part = Some(part),
        }
        self.ended += 1;
    }
}

impl OpenHour {
    fn add(&mut self, part: Box<Part>, counts: &WorkerCounts) {
        match &mut self.part {
            Some(merged) => merged.merge(*part),
            None => self.part = Some(part),
        }
        self.counts.add(counts);
        self.answers += 1;
    }

    fn is_complete(&self, workers: usize) -> bool {
        self.mark.is_some() && self.answers == workers
    }
}

impl CaptureCounts {
    fn add(&mut self, other: &Self) {
        self.received += other.received;
        self.wire_bytes += other.wire_bytes;
        self.late += other.late;
        self.clock_steps += other.clock_steps;
        self.first_ns = [self.first_ns, other.first_ns].into_iter().flatten().min();
        self.last_ns = [self.last_ns, other.last_ns].into_iter().flatten().max();
        self.queue_drops
            .resize(self.queue_drops.len().max(other.queue_drops.len()), 0);
        for (sum, frames) in self.queue_drops.iter_mut().zip(&other.queue_drops) {
            *sum += frames;
        }
        self.gaps.extend_from_slice(&other.gaps);
        if let Some(kernel) = other.kernel {
            let sum = self.kernel.get_or_insert_with(KernelCounters::default);
            sum.received += kernel.received;
            sum.dropped_kernel += kernel.dropped_kernel;
            sum.dropped_interface += kernel.dropped_interface;
        }
    }
}

fn accounting(capture: &CaptureCounts, workers: &WorkerCounts) -> Accounting {
    let rejects = Reject::ALL
        .iter()
        .map(|&reject| (reject, workers.rejects[reject as usize]));
    let drops = capture.queue_drops.iter().enumerate();
    let drops = drops.map(|(worker, &frames)| QueueDrops {
        worker: worker as u32,
        frames,
    });
    Accounting {
        received: capture.received,
        wire_bytes: capture.wire_bytes,
        decoded: workers.decoded,
        rejects: rejects.filter(|(_, frames)| *frames > 0).collect(),
        queue_drops: drops.filter(|queue| queue.frames > 0).collect(),
        decode_panics: workers.decode_panics,
        late: capture.late,
        clock_steps: capture.clock_steps,
        evictions: workers.evictions,
        kernel_drops: capture.kernel.map(|kernel| kernel.dropped_kernel),
        interface_drops: capture.kernel.map(|kernel| kernel.dropped_interface),
        gaps: capture.gaps.clone(),
    }
}

//! The capture thread: fills blocks, marks the hours, hands every frame to its worker.
//!
//! In: a source. Out: batches and hour marks in the workers' queues, counts to the collector. A file waits for a full queue;
//! a tap never does: it drops the batch and counts its frames under that queue. Not its job: reading frames beyond the
//! addresses that choose the worker, but for plain ones: those it decodes, as their headers are in this core's cache and the
//! worker is what a file waits for.

mod hand_out;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use balefire_capture::{BLOCK_BYTES, CaptureError, Damage, Fill, KernelCounters, Source, SourceCounters};
use balefire_detect::{Gap, Period};
use balefire_track::KeyHasher;
use crossbeam::channel::Sender;
use crossbeam::queue::ArrayQueue;
use crossbeam::sync::Parker;

use crate::collector::Report;
use crate::dispatch::Dispatcher;
use crate::gauges::Gauges;
use crate::hours::{EDGE_TOLERANCE_NS, HourClock};
use crate::pool::{BlockPool, Lists};
use crate::profile::{Stage, Watch};
use crate::queue::{Handed, HourMark, Lane, Message};

/// How often kernel and interface losses are read.
const KERNEL_PERIOD: Duration = Duration::from_secs(1);

/// How long memory that a stall needed waits for another one.
const GIVE_BACK_PERIOD: Duration = Duration::from_secs(60);

/// How long the thread sleeps at most while every block is in use; workers wake it.
const NAP: Duration = Duration::from_millis(20);

/// How long a tap's thread lets the kernel's ring gather frames while the last block was small and a queue is half full, and
/// three quarters full: a queue has room for blocks, not bytes, and a slow worker would lose frames behind a few kilobytes.
/// At 10 Gbit/s the ring takes 1.2 MB and 12 MB in these times.
const GATHER: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(10)];

/// What the capture thread counted in the open hour.
#[derive(Clone, Debug, Default)]
pub(crate) struct CaptureCounts {
    pub(crate) received: u64,
    pub(crate) wire_bytes: u64,
    pub(crate) late: u64,
    /// Times that packet time fell back.
    pub(crate) clock_steps: u64,
    pub(crate) first_ns: Option<i64>,
    pub(crate) last_ns: Option<i64>,
    /// Frames dropped at each worker's queue.
    pub(crate) queue_drops: Vec<u64>,
    /// Kernel losses since the last hour; `None` for files.
    pub(crate) kernel: Option<KernelCounters>,
    /// Times in which an interface was down or gone.
    pub(crate) gaps: Vec<Gap>,
}

/// What the capture thread leaves when it ends.
#[derive(Debug)]
pub(crate) struct CaptureEnd {
    pub(crate) damage: Vec<Damage>,
    pub(crate) source: SourceCounters,
    pub(crate) error: Option<CaptureError>,
    pub(crate) hours_watched: (u64, u64),
}

/// A worker's queue is gone: it ended by a bug.
#[derive(Debug)]
struct WorkerGone;

pub(crate) struct CaptureLoop {
    source: Box<dyn Source>,
    live: bool,
    lateness_ns: i64,
    clock: HourClock,
    hour: u64,
    counts: CaptureCounts,
    /// Of the hours before.
    wire_bytes_before: u64,
    dispatcher: Dispatcher,
    hasher: KeyHasher,
    lanes: Vec<Lane>,
    /// Hour marks that found a full queue on a tap: pushed before anything newer, so order holds and nobody waits.
    pending: Vec<VecDeque<Message>>,
    /// The frames of the block in hand, by worker.
    lists: Vec<Vec<Handed>>,
    empty: Lists,
    pool: BlockPool,
    gave_back: Instant,
    parker: Parker,
    gauges: Arc<Gauges>,
    reports: Sender<Report>,
    idle_ns: u64,
    kernel_read: Instant,
    kernel_now: KernelCounters,
    kernel_at_hour: KernelCounters,
    watch: Watch,
}

/// What [`CaptureLoop::new`] is given besides the source.
pub(crate) struct Wiring {
    pub(crate) lateness_ns: i64,
    pub(crate) queue_blocks: usize,
    pub(crate) dispatcher: Dispatcher,
    /// That of the workers' trackers.
    pub(crate) hasher: KeyHasher,
    pub(crate) lanes: Vec<Lane>,
    pub(crate) spare: Arc<ArrayQueue<Vec<Handed>>>,
    pub(crate) parker: Parker,
    pub(crate) gauges: Arc<Gauges>,
    pub(crate) reports: Sender<Report>,
    pub(crate) watch: Watch,
}

impl CaptureLoop {
    pub(crate) fn new(source: Box<dyn Source>, wiring: Wiring) -> Self {
        let Wiring {
            lateness_ns,
            queue_blocks,
            dispatcher,
            hasher,
            lanes,
            spare,
            parker,
            gauges,
            reports,
            watch,
        } = wiring;
        let workers = lanes.len();
        let live = source.is_live();
        Self {
            live,
            source,
            lateness_ns,
            clock: HourClock::new(),
            hour: 0,
            counts: CaptureCounts {
                queue_drops: vec![0; workers],
                ..CaptureCounts::default()
            },
            wire_bytes_before: 0,
            dispatcher,
            hasher,
            lanes,
            pending: (0..workers).map(|_| VecDeque::new()).collect(),
            lists: (0..workers).map(|_| Vec::new()).collect(),
            empty: Lists::new(spare, workers, live),
            pool: BlockPool::new(workers, queue_blocks, live),
            gave_back: Instant::now(),
            parker,
            gauges,
            reports,
            idle_ns: 0,
            kernel_read: Instant::now(),
            kernel_now: KernelCounters::default(),
            kernel_at_hour: KernelCounters::default(),
            watch,
        }
    }

    /// Runs until the source ends, fails, or `stop` is set; then ends the last hour and the workers.
    pub(crate) fn run(mut self, stop: &AtomicBool) {
        self.watch.start();
        let error = match self.capture(stop) {
            Ok(()) => None,
            Err(Ended::Source(error)) => Some(error),
            Err(Ended::Worker) => return, // the collector sees the missing worker itself
        };
        self.read_kernel(true);
        if self.finish().is_err() {
            return;
        }
        let end = CaptureEnd {
            damage: self.source.damage().to_vec(),
            source: self.source.counters(),
            error,
            hours_watched: self.clock.watched(),
        };
        self.watch.lap(Stage::Dispatch);
        self.gauges.keep_profile(&self.watch);
        let _ = self.reports.send(Report::CaptureEnd(Box::new(end)));
    }

    fn capture(&mut self, stop: &AtomicBool) -> Result<(), Ended> {
        while !stop.load(Relaxed) {
            let index = self.free_block()?;
            let Some(block) = self.pool.fill(index) else { continue };
            block.clear();
            let (begun, waited_before_ns) = (Instant::now(), self.source.counters().waited_ns);
            self.watch.lap(Stage::Dispatch);
            let fill = self.source.fill(block).map_err(Ended::Source)?;
            self.watch
                .lap(if fill == Fill::Idle { Stage::Wait } else { Stage::Read });
            self.idle_ns += match fill {
                // A silent tap waits inside the source.
                Fill::Idle => nanoseconds(begun.elapsed()),
                Fill::Frames | Fill::End => self.source.counters().waited_ns - waited_before_ns,
            };
            self.hand_out(index)?;
            self.show();
            match fill {
                Fill::Frames => {}
                Fill::Idle => self.close_silent_hour()?,
                Fill::End => return Ok(()),
            }
            if self.live {
                self.push_pending();
                self.read_kernel(false);
                self.give_back();
                self.gather(index);
            }
        }
        Ok(())
    }

    /// Lets the next block grow where the last was small and a worker is behind.
    fn gather(&mut self, last: usize) {
        let fullest = self.lanes.iter().map(Lane::quarters).max().unwrap_or(0);
        if fullest < 2 || self.pool.share(last).bytes.len() >= BLOCK_BYTES / 2 {
            return;
        }
        self.watch.lap(Stage::Dispatch);
        let asleep = Instant::now();
        std::thread::sleep(GATHER[usize::from(fullest > 2)]);
        self.idle_ns += nanoseconds(asleep.elapsed());
        self.watch.lap(Stage::Wait);
    }

    fn give_back(&mut self) {
        if self.kernel_read > self.gave_back + GIVE_BACK_PERIOD {
            self.gave_back = self.kernel_read;
            self.pool.give_back();
            self.empty.give_back();
        }
    }

    fn free_block(&mut self) -> Result<usize, Ended> {
        loop {
            if let Some(index) = self.pool.take() {
                return Ok(index);
            }
            self.wait()?;
        }
    }

    fn send(&mut self, worker: usize, message: Message) -> Result<(), WorkerGone> {
        if self.live {
            self.send_or_drop(worker, message)
        } else {
            self.send_or_wait(worker, message)
        }
    }

    fn send_or_wait(&mut self, worker: usize, mut message: Message) -> Result<(), WorkerGone> {
        loop {
            match self.lanes[worker].push(message) {
                Ok(()) => return Ok(()),
                Err(back) => message = back,
            }
            // Only this lane counts: at the end of the run other workers have ended already, as they were told to.
            if self.lanes[worker].is_gone() {
                return Err(WorkerGone);
            }
            self.nap();
        }
    }

    fn send_or_drop(&mut self, worker: usize, message: Message) -> Result<(), WorkerGone> {
        if self.lanes[worker].is_gone() {
            return Err(WorkerGone);
        }
        self.push_pending_of(worker);
        let blocked = !self.pending[worker].is_empty();
        let back = if blocked {
            Err(message)
        } else {
            self.lanes[worker].push(message)
        };
        match back {
            Ok(()) => {}
            Err(Message::Frames(batch)) => {
                let frames = batch.frames.len() as u64;
                self.counts.queue_drops[worker] += frames;
                self.gauges.workers[worker].queue_dropped.fetch_add(frames, Relaxed);
                self.empty.back(batch.frames);
            }
            Err(mark) => self.pending[worker].push_back(mark),
        }
        Ok(())
    }

    fn push_pending(&mut self) {
        for worker in 0..self.pending.len() {
            self.push_pending_of(worker);
        }
    }

    fn push_pending_of(&mut self, worker: usize) {
        while let Some(message) = self.pending[worker].pop_front() {
            if let Err(message) = self.lanes[worker].push(message) {
                self.pending[worker].push_front(message);
                return;
            }
        }
    }

    /// The open hour is over: tells the workers and the collector, opens the hour of `time_ns`.
    fn turn(&mut self, time_ns: i64) -> Result<(), WorkerGone> {
        if self.live {
            self.read_kernel(true);
        }
        let period = self.clock.turn(time_ns);
        self.end_open_hour(period)
    }

    fn end_open_hour(&mut self, period: Period) -> Result<(), WorkerGone> {
        self.end_hour(HourMark {
            number: self.hour,
            period,
            last: false,
        })
    }

    fn end_hour(&mut self, mut mark: HourMark) -> Result<(), WorkerGone> {
        let workers = self.lanes.len();
        let mut counts = std::mem::take(&mut self.counts);
        counts.clock_steps = self.clock.take_steps();
        self.gauges.capture.late.fetch_add(counts.late, Relaxed);
        self.gauges.capture.clock_steps.fetch_add(counts.clock_steps, Relaxed);
        self.wire_bytes_before += counts.wire_bytes;
        self.counts.queue_drops = vec![0; workers];
        if self.live {
            let gaps = self.source.take_gaps().into_iter();
            counts.gaps = gaps.map(as_told).collect();
            let is_long = |gap: &Gap| gap.until_ns.saturating_sub(gap.from_ns) > EDGE_TOLERANCE_NS;
            mark.period.partial |= counts.gaps.iter().any(is_long);
            let (now, before) = (
                self.kernel_now,
                std::mem::replace(&mut self.kernel_at_hour, self.kernel_now),
            );
            counts.kernel = Some(KernelCounters {
                received: now.received.saturating_sub(before.received),
                dropped_kernel: now.dropped_kernel.saturating_sub(before.dropped_kernel),
                dropped_interface: now.dropped_interface.saturating_sub(before.dropped_interface),
            });
        }
        let _ = self.reports.send(Report::Hour {
            mark,
            counts: Box::new(counts),
        });
        self.hour += 1;
        for worker in 0..workers {
            self.send(worker, Message::Hour(mark))?;
        }
        Ok(())
    }

    /// Packet time stands still on a silent tap; its hours begin and end by the wall clock, the end a little late.
    fn close_silent_hour(&mut self) -> Result<(), WorkerGone> {
        if !self.live {
            return Ok(());
        }
        let now_ns = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |now| now.as_nanos() as i64);
        let Some(end_ns) = self.clock.open_hour_end_ns() else {
            self.clock.begin_silent(now_ns);
            return Ok(());
        };
        if now_ns < end_ns.saturating_add(self.lateness_ns) {
            return Ok(());
        }
        self.read_kernel(true);
        let period = self.clock.turn_silent(now_ns);
        self.end_open_hour(period)
    }

    /// Ends the last hour and the workers. Even a tap waits here: nothing more is captured.
    fn finish(&mut self) -> Result<(), WorkerGone> {
        if let Some(period) = self.clock.finish() {
            self.end_hour(HourMark {
                number: self.hour,
                period,
                last: true,
            })?;
        }
        for worker in 0..self.lanes.len() {
            while let Some(message) = self.pending[worker].pop_front() {
                self.send_or_wait(worker, message)?;
            }
            self.send_or_wait(worker, Message::End)?;
        }
        Ok(())
    }

    fn wait(&mut self) -> Result<(), WorkerGone> {
        if self.lanes.iter().any(Lane::is_gone) {
            return Err(WorkerGone);
        }
        self.nap();
        Ok(())
    }

    fn nap(&mut self) {
        self.watch.lap(Stage::Dispatch);
        let asleep = Instant::now();
        self.parker.park_timeout(NAP);
        self.gauges.capture.beats.fetch_add(1, Relaxed);
        self.idle_ns += nanoseconds(asleep.elapsed());
        self.watch.lap(Stage::Wait);
    }

    fn read_kernel(&mut self, now: bool) {
        if now || self.kernel_read.elapsed() >= KERNEL_PERIOD {
            self.kernel_read = Instant::now();
            if let Some(counters) = self.source.kernel_counters() {
                self.kernel_now = counters;
                let gauges = &self.gauges.capture;
                gauges.kernel_received.store(counters.received, Relaxed);
                gauges.kernel_dropped.store(counters.dropped_kernel, Relaxed);
                gauges.interface_dropped.store(counters.dropped_interface, Relaxed);
            }
        }
    }

    fn show(&mut self) {
        let gauges = &self.gauges.capture;
        gauges.beats.fetch_add(1, Relaxed);
        let source = self.source.counters();
        gauges.received.store(source.frames, Relaxed);
        gauges
            .wire_bytes
            .store(self.wire_bytes_before + self.counts.wire_bytes, Relaxed);
        gauges.filtered.store(source.filtered, Relaxed);
        gauges.input_bytes.store(source.input_bytes, Relaxed);
        gauges.input_bytes_total.store(source.input_bytes_total, Relaxed);
        gauges.idle_ns.store(self.idle_ns, Relaxed);
        gauges
            .newest_ns
            .store(self.clock.newest_ns().unwrap_or_default(), Relaxed);
        for (lane, worker) in self.lanes.iter().zip(&self.gauges.workers) {
            worker.queue_waiting.store(lane.waiting() as u64, Relaxed);
        }
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// A gap as the hour's record has it.
fn as_told(gap: balefire_capture::Gap) -> Gap {
    let balefire_capture::Gap {
        interface,
        from_ns,
        until_ns,
        reason,
    } = gap;
    Gap {
        interface,
        from_ns,
        until_ns,
        reason,
    }
}

/// Why capturing ended before the source did.
enum Ended {
    Source(CaptureError),
    Worker,
}

impl From<WorkerGone> for Ended {
    fn from(_: WorkerGone) -> Self {
        Self::Worker
    }
}

#[cfg(test)]
mod tests;

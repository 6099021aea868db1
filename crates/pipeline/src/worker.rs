//! A worker thread: takes batches, decodes them, follows their connections, feeds its detector, answers hour marks.
//!
//! In: messages of its queue, with plain frames decoded already. Out: reports to the collector and gauges. It owns its tables; nothing it touches per packet
//! is shared or locked. Not its job: choosing frames (dispatch) and merging (collector).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use balefire_capture::{Block, FrameRecord};
use balefire_decode::{FragmentPlace, FragmentTable, Reject, decode};
use balefire_detect::Detector;
use balefire_track::{KeyedPacket, Ready, Tracker};
use crossbeam::channel::Sender;
use crossbeam::queue::ArrayQueue;

use crate::collector::Report;
use crate::gauges::{Gauges, WorkerGauges};
use crate::profile::{Stage, Timed, Watch};
use crate::queue::{Batch, Handed, HourMark, Inbox, Message};

/// Packets made ready before any table is touched, so that their table lines can be fetched from memory side by side.
/// 64 are 6 KiB: they stay in the first-level cache between the passes.
const CHUNK: usize = 64;

/// What a worker counted in the open hour.
#[derive(Clone, Debug)]
pub(crate) struct WorkerCounts {
    pub(crate) decoded: u64,
    pub(crate) rejects: [u64; Reject::COUNT],
    pub(crate) decode_panics: u64,
    /// Entries of its tables that had to go; counted when the hour closes.
    pub(crate) evictions: u64,
}

impl Default for WorkerCounts {
    fn default() -> Self {
        Self {
            decoded: 0,
            rejects: [0; Reject::COUNT],
            decode_panics: 0,
            evictions: 0,
        }
    }
}

impl WorkerCounts {
    pub(crate) fn add(&mut self, other: &Self) {
        self.decoded += other.decoded;
        self.decode_panics += other.decode_panics;
        self.evictions += other.evictions;
        for (sum, frames) in self.rejects.iter_mut().zip(other.rejects) {
            *sum += frames;
        }
    }
}

/// One worker.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) number: usize,
    pub(crate) inbox: Inbox,
    pub(crate) spare: Arc<ArrayQueue<Vec<Handed>>>,
    pub(crate) reports: Sender<Report>,
    pub(crate) gauges: Arc<Gauges>,
    pub(crate) fragments: FragmentTable,
    pub(crate) tracker: Tracker,
    pub(crate) detector: Detector,
    pub(crate) keep_timelines: bool,
    pub(crate) conclude_hours: bool,
    pub(crate) keep_state: bool,
    /// What waits in the detector is worked off when there is nothing else to do. Of a file it never is: when a thread sleeps is chance, and the
    /// same file gives the same answer.
    pub(crate) is_live: bool,
    pub(crate) watch: Watch,
}

impl Worker {
    /// Works until told that nothing follows.
    pub(crate) fn run(mut self) {
        let mut counts = WorkerCounts::default();
        let mut totals = WorkerCounts::default();
        let mut idle_ns = 0;
        let is_live = self.is_live;
        self.watch.start();
        loop {
            let (detector, gauge) = (&mut self.detector, &self.gauges.workers[self.number].idle_ns);
            // Told before each sleep too: a worker without work would seem busy until some comes.
            let message = self.inbox.pop(&mut idle_ns, |idle_ns| {
                gauge.store(idle_ns, Relaxed);
                if is_live {
                    detector.rest();
                }
            });
            self.own_gauges().idle_ns.store(idle_ns, Relaxed);
            self.watch.lap(Stage::Wait);
            match message {
                Message::Frames(batch) => self.batch(batch, &mut counts, &totals),
                Message::Hour(mark) => self.hour(mark, std::mem::take(&mut counts), &mut totals),
                Message::End => return self.end(),
            }
        }
    }

    fn batch(&mut self, batch: Batch, counts: &mut WorkerCounts, before: &WorkerCounts) {
        let Batch {
            block,
            mut frames,
            handed_over,
        } = batch;
        self.detector.refresh_lists();
        self.detector.answer();
        self.frames(&block, &mut frames, counts);
        drop(block);
        self.show(counts, before);
        let waited_ns = u64::try_from(handed_over.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.own_gauges()
            .latency
            .lock()
            .saturating_record_n(waited_ns, frames.len() as u64);
        frames.clear();
        // The way back holds a list for every block of every queue; one too many is simply freed.
        let _ = self.spare.push(frames);
    }

    /// Passes over a chunk: make ready, with lines of the connection table asked for one chunk ahead; then (inside `track`) fetch
    /// the connections, then update all.
    fn frames(&mut self, block: &Block, handed: &mut [Handed], counts: &mut WorkerCounts) {
        let mut ready = [Ready::BLANK; CHUNK];
        let (mut chunk, mut rest) = handed.split_at_mut(handed.len().min(CHUNK));
        self.ahead(chunk);
        while !chunk.is_empty() {
            let mut arrived = 0;
            for handed in chunk {
                if let Handed::Raw(record) = handed {
                    *handed = self.decoded(block, record, counts);
                }
                if let Handed::Plain(packet) = handed {
                    let bytes = &block.bytes;
                    ready[arrived] = Ready { packet, bytes };
                    arrived += 1;
                }
            }
            let most = rest.len().min(CHUNK);
            (chunk, rest) = rest.split_at_mut(most);
            self.ahead(chunk);
            counts.decoded += arrived as u64;
            let ready = &ready[..arrived];
            if self.watch.is_on() {
                self.watch.lap(Stage::Decode);
                self.tracker
                    .take(ready, &mut Timed::new(&mut self.detector, &mut self.watch));
                self.watch.lap(Stage::Track);
            } else {
                self.tracker.take(ready, &mut self.detector);
            }
        }
    }

    #[inline]
    fn ahead(&self, chunk: &[Handed]) {
        for handed in chunk {
            if let Handed::Plain(packet) = handed {
                self.tracker.ahead(packet);
            }
        }
    }

    /// Decodes what the capture thread did not; fragments are given the ports of their datagrams.
    fn decoded(&mut self, block: &Block, record: &FrameRecord, counts: &mut WorkerCounts) -> Handed {
        // Decoding is pure, so a bug in it costs one frame.
        match catch_unwind(AssertUnwindSafe(|| decode(block.frame(record)))) {
            Ok(Ok(mut packet)) => {
                if packet.fragment != FragmentPlace::Whole {
                    self.fragments.resolve(&mut packet, record.time_ns);
                }
                let packet = KeyedPacket::new(&packet, record.time_ns, record.offset, &self.tracker.hasher());
                self.tracker.ahead(&packet);
                Handed::Plain(packet)
            }
            Ok(Err(reject)) => {
                counts.rejects[reject as usize] += 1;
                Handed::Done
            }
            Err(_) => {
                counts.decode_panics += 1;
                Handed::Done
            }
        }
    }

    fn hour(&mut self, mark: HourMark, mut counts: WorkerCounts, totals: &mut WorkerCounts) {
        self.detector.refresh_lists();
        if mark.last {
            self.tracker.flush(&mut self.detector);
        } else {
            // What timed out within the hour is told in it, whether or not this worker saw a later packet.
            self.tracker.advance(mark.period.end_ns, &mut self.detector);
        }
        let part = Box::new(self.detector.end_hour(self.conclude_hours));
        counts.evictions = self.evictions().saturating_sub(totals.evictions);
        totals.add(&counts);
        let state = self.keep_state.then(|| (self.number, self.detector.save()));
        // The collector outlives the workers; if it failed, the run is ending anyway.
        let _ = self.reports.send(Report::Part {
            number: mark.number,
            part,
            counts,
            state,
        });
        self.watch.lap(Stage::Close);
    }

    fn end(mut self) {
        self.detector.refresh_lists();
        let part = if self.keep_timelines {
            self.detector.finish_with_timelines()
        } else {
            self.detector.finish()
        };
        self.watch.lap(Stage::Close);
        self.gauges.keep_profile(&self.watch);
        let _ = self.reports.send(Report::WorkerEnd(Box::new(part)));
    }

    fn show(&self, hour: &WorkerCounts, before: &WorkerCounts) {
        let gauges = self.own_gauges();
        gauges.decoded.store(before.decoded + hour.decoded, Relaxed);
        gauges
            .decode_panics
            .store(before.decode_panics + hour.decode_panics, Relaxed);
        for (index, gauge) in gauges.rejects.iter().enumerate() {
            gauge.store(before.rejects[index] + hour.rejects[index], Relaxed);
        }
        let tracked = self.tracker.counters();
        let detected = self.detector.gauges();
        gauges.connections.store(tracked.live, Relaxed);
        gauges.hosts.store(detected.hosts, Relaxed);
        gauges.timelines.store(detected.timelines, Relaxed);
        gauges.evictions.store(self.evictions(), Relaxed);
        // In the order of `TABLES`.
        let tables = [
            [tracked.live, tracked.evicted()],
            [detected.hosts, detected.hosts_evicted],
            [detected.destinations, detected.destinations_evicted],
            [detected.pairs, detected.pairs_evicted],
            [
                detected.timelines,
                detected.timelines_evicted + detected.established_evicted,
            ],
            [detected.names, detected.names_evicted],
        ];
        for (gauge, [entries, evicted]) in gauges.tables.iter().zip(tables) {
            gauge[0].store(entries, Relaxed);
            gauge[1].store(evicted, Relaxed);
        }
    }

    /// Since the start, of all its tables.
    fn evictions(&self) -> u64 {
        self.tracker.counters().evicted() + self.detector.gauges().evictions()
    }

    fn own_gauges(&self) -> &WorkerGauges {
        &self.gauges.workers[self.number]
    }
}

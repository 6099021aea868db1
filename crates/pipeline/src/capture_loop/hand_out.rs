//! From a filled block to the workers' queues: the hour's clock, the counts, decoding what is plain, the choice of a worker.
//!
//! In: a block. Out: a batch for each worker that has frames in it. Not its job: full queues, and what an hour's end takes (`capture_loop`).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use balefire_capture::{Block, FrameRecord};
use balefire_decode::decode_fast;
use balefire_track::{KeyHasher, KeyedPacket};

use super::{CaptureLoop, WorkerGone};
use crate::hours::Step;
use crate::profile::Stage;
use crate::queue::{Batch, Handed, Message};

/// Frames decoded together.
const CHUNK: usize = 64;

impl CaptureLoop {
    /// Hands every frame of a filled block to its worker, with the hour marks between them.
    pub(super) fn hand_out(&mut self, index: usize) -> Result<(), WorkerGone> {
        let block = Arc::clone(self.pool.share(index));
        for records in block.frames.chunks(CHUNK) {
            if self.clock.steps(records.iter().map(|record| record.time_ns)) {
                self.count(records);
                self.list(&block, records);
            } else {
                self.hand_out_singly(&block, records)?;
            }
        }
        self.flush(&block)
    }

    /// Frames among which an hour may turn, or time fall back.
    fn hand_out_singly(&mut self, block: &Arc<Block>, records: &[FrameRecord]) -> Result<(), WorkerGone> {
        for record in records {
            match self.clock.step(record.time_ns) {
                Step::Within => {}
                Step::Late => self.counts.late += 1,
                Step::Crosses => {
                    self.flush(block)?;
                    self.turn(record.time_ns)?;
                }
            }
            let record = std::slice::from_ref(record);
            self.count(record);
            self.list(block, record);
        }
        Ok(())
    }

    fn count(&mut self, records: &[FrameRecord]) {
        let counts = &mut self.counts;
        counts.received += records.len() as u64;
        for record in records {
            counts.wire_bytes += u64::from(record.wire_bytes);
            counts.first_ns = Some(counts.first_ns.unwrap_or(i64::MAX).min(record.time_ns));
            counts.last_ns = Some(counts.last_ns.unwrap_or(i64::MIN).max(record.time_ns));
        }
    }

    /// Puts frames on their workers' lists, the plain ones decoded.
    fn list(&mut self, block: &Block, records: &[FrameRecord]) {
        self.watch.lap(Stage::Dispatch);
        let mut next = 0;
        while next < records.len() {
            let listed = catch_unwind(AssertUnwindSafe(|| {
                while let Some(record) = records.get(next) {
                    let handed = decode_plain(block, record, &self.hasher);
                    let worker = match &handed {
                        _ if self.lists.len() == 1 => 0,
                        Handed::Plain(packet) => {
                            let (low, high) = packet.ends();
                            self.dispatcher.worker_of(low, high)
                        }
                        _ => self.dispatcher.worker(block.frame(record)),
                    };
                    self.lists[worker].push(handed);
                    next += 1;
                }
            }));
            if listed.is_err() {
                // Decoding is pure. A frame on which it fails by a bug goes to a worker undecoded, which counts it.
                self.lists[0].push(Handed::Raw(records[next]));
                next += 1;
            }
        }
        self.watch.lap(Stage::Decode);
    }

    /// Sends each worker its share of the block so far.
    fn flush(&mut self, block: &Arc<Block>) -> Result<(), WorkerGone> {
        for worker in 0..self.lists.len() {
            if self.lists[worker].is_empty() {
                continue;
            }
            let frames = std::mem::replace(&mut self.lists[worker], self.empty.take());
            let batch = Batch {
                block: Arc::clone(block),
                frames,
                handed_over: Instant::now(),
            };
            self.send(worker, Message::Frames(batch))?;
        }
        Ok(())
    }
}

/// What a worker is handed of a frame.
#[inline(always)]
fn decode_plain(block: &Block, record: &FrameRecord, hasher: &KeyHasher) -> Handed {
    match decode_fast(block.frame(record)) {
        Some(packet) => Handed::Plain(KeyedPacket::new(&packet, record.time_ns, record.offset, hasher)),
        None => Handed::Raw(*record),
    }
}

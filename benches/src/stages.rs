//! Frames held in memory, and the worker's stages over them: decode, track, detect, without threads or files.
//!
//! In: how many packets of the mix. Out: passes that a bench times or counts. Not its job: measuring.

use std::sync::Arc;

use balefire_capture::synthetic::SyntheticSource;
use balefire_capture::{Block, CaptureError, Fill, FrameRecord, Source};
use balefire_decode::{FragmentPlace, FragmentTable, Packet, decode};
use balefire_detect::{Countries, Detector, Shared};
use balefire_track::{Arrival, Closed, Endpoints, Fact, Opened, Sink, Tracker};

use crate::corpora::{Size, mix};

/// Frames handed on together, as the pipeline's worker does.
const CHUNK: usize = 64;

/// Fragmented datagrams a worker follows.
const FRAGMENTED_DATAGRAMS: usize = 4_096;

/// Frames in memory.
#[derive(Debug)]
pub struct Held {
    blocks: Vec<Block>,
    /// How many.
    pub packets: u64,
}

/// Holds `packets` of the mix of `seed`, beginning `hours` later than the mix does. Another seed has other connections
/// of the same hosts to the same sites.
///
/// # Errors
/// None that this source has.
pub fn hold_mix(seed: u64, packets: u64, hours: i64) -> Result<Held, CaptureError> {
    let mut scenario = mix::scenario(&Size {
        seed,
        packets,
        connections: 0,
        hosts: 0,
    });
    scenario.start_ns += hours * 3_600 * 1_000_000_000;
    let mut source = SyntheticSource::new(&scenario);
    let mut blocks = Vec::new();
    loop {
        let mut block = Block::new();
        let end = source.fill(&mut block)? == Fill::End;
        blocks.push(block);
        if end {
            return Ok(Held {
                blocks,
                packets: source.counters().frames,
            });
        }
    }
}

/// One worker's tables, as a run with default settings has them.
#[derive(Debug)]
pub struct Worker {
    fragments: FragmentTable,
    tracker: Tracker,
}

impl Default for Worker {
    fn default() -> Self {
        let settings = balefire_track::Settings {
            seed: 7,
            ..balefire_track::Settings::default()
        };
        Self {
            fragments: FragmentTable::new(FRAGMENTED_DATAGRAMS, 7),
            tracker: Tracker::new(settings),
        }
    }
}

impl Worker {
    /// Everything in `held` through decode and track into `sink`; returns the packets that could be decoded.
    pub fn pass(&mut self, held: &Held, sink: &mut impl Sink) -> u64 {
        self.pass_with(held, sink, arrival)
    }

    /// The same without payload, as if frames were cut behind their headers: no application layer sees a byte.
    pub fn pass_headers(&mut self, held: &Held, sink: &mut impl Sink) -> u64 {
        self.pass_with(held, sink, |block, record| {
            let mut arrival = arrival(block, record)?;
            let end = (arrival.packet.payload_offset as usize).min(arrival.frame.len());
            arrival.frame = &arrival.frame[..end];
            arrival.packet.payload_captured = 0;
            Some(arrival)
        })
    }

    /// One block through decode and track into `sink`; returns the packets that could be decoded.
    pub fn block(&mut self, block: &Block, sink: &mut impl Sink) -> u64 {
        self.block_with(block, sink, &arrival)
    }

    fn pass_with(
        &mut self,
        held: &Held,
        sink: &mut impl Sink,
        arrival: impl for<'a> Fn(&'a Block, &FrameRecord) -> Option<Arrival<'a>>,
    ) -> u64 {
        held.blocks
            .iter()
            .map(|block| self.block_with(block, sink, &arrival))
            .sum()
    }

    fn block_with(
        &mut self,
        block: &Block,
        sink: &mut impl Sink,
        arrival: &impl for<'a> Fn(&'a Block, &FrameRecord) -> Option<Arrival<'a>>,
    ) -> u64 {
        let mut decoded = 0;
        // A list for each block, since it borrows the block's bytes; `list_allocations` says how many these are.
        let mut arrivals = Vec::with_capacity(CHUNK);
        for chunk in block.frames.chunks(CHUNK) {
            arrivals.clear();
            arrivals.extend(chunk.iter().filter_map(|record| arrival(block, record)));
            decoded += arrivals.len() as u64;
            for arrival in &mut arrivals {
                if arrival.packet.fragment != FragmentPlace::Whole {
                    self.fragments.resolve(&mut arrival.packet, arrival.time_ns);
                }
            }
            self.tracker.batch(&arrivals, sink);
        }
        decoded
    }

    /// Ends every connection.
    pub fn flush(&mut self, sink: &mut impl Sink) {
        self.tracker.flush(sink);
    }

    /// Connections begun so far that are still in the table.
    pub fn live(&self) -> u64 {
        self.tracker.counters().live
    }
}

impl Held {
    /// Allocations of a pass that are the bench's own: one list to a block.
    pub fn list_allocations(&self) -> usize {
        self.blocks.len()
    }
}

fn arrival<'a>(block: &'a Block, record: &FrameRecord) -> Option<Arrival<'a>> {
    let frame = block.frame(record);
    let packet = decode(frame).ok()?;
    Some(Arrival {
        time_ns: record.time_ns,
        wire_bytes: record.wire_bytes,
        packet,
        frame: frame.bytes,
    })
}

/// Only decodes; returns a sum that keeps the work from being left out.
pub fn decode_only(held: &Held) -> u64 {
    let fold = |packet: Packet| u64::from(packet.ip_bytes) + u64::from(packet.src_port);
    let frames = held
        .blocks
        .iter()
        .flat_map(|block| block.frames.iter().map(|record| block.frame(record)));
    frames.filter_map(|frame| decode(frame).ok()).map(fold).sum()
}

/// A detector as a run with default settings has it.
pub fn detector() -> Detector {
    let settings = Arc::new(balefire_detect::Settings::default());
    let shared = Arc::new(Shared::new(Countries::embedded(), &settings));
    Detector::new(settings, shared, 0)
}

/// Takes events and does nothing with them: what is left is the cost of decode and track.
#[derive(Debug, Default)]
pub struct Deaf {
    /// Connections told of.
    pub opened: u64,
}

impl Sink for Deaf {
    fn opened(&mut self, _opened: &Opened) -> u32 {
        self.opened += 1;
        0
    }

    fn packet(&mut self, _tag: u32, _from_originator: bool, _time_ns: i64, _ip_bytes: u32) {}

    fn fact(&mut self, _tag: u32, _endpoints: &Endpoints, _time_ns: i64, _fact: &Fact<'_>) {}

    fn burst(&mut self, _tag: u32, _endpoints: &Endpoints, _time_ns: i64, _payload_bytes: u32) {}

    fn closed(&mut self, _tag: u32, _closed: &Closed) {}
}

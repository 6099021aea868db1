//! Synthetic traffic as a [`Source`] and as a capture file.
//!
//! In: a [`Scenario`]. Out: blocks, or a pcap. Not its job: what is in the frames.

use std::io::{self, Write};

use balefire_decode::LinkType;

use super::scenario::Scenario;
use super::traffic::Traffic;
use crate::{BLOCK_BYTES, Block, CaptureError, Fill, FrameRecord, PcapWriter, Source, SourceCounters};

/// LINKTYPE_ETHERNET.
const ETHERNET: LinkType = LinkType(1);

/// Longer than any frame the generator makes: 1,500 bytes of IP in VXLAN.
const LONGEST_FRAME_BYTES: usize = 2_048;

/// A capture that is made up as it is read.
///
/// ```
/// use balefire_capture::synthetic::{Scenario, SyntheticSource};
/// use balefire_capture::{Block, Fill, Source};
///
/// let mut scenario = Scenario::default();
/// scenario.set("beacon", "interval=60,jitter=0.2,country=NL,name=a.example")?;
/// let mut source = SyntheticSource::new(&scenario);
/// let mut block = Block::new();
/// assert_eq!(source.fill(&mut block)?, Fill::Frames);
/// assert!(block.frames.is_sorted_by_key(|frame| frame.time_ns));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SyntheticSource {
    traffic: Traffic,
    frames: u64,
}

impl SyntheticSource {
    /// The scenario from its beginning.
    pub fn new(scenario: &Scenario) -> Self {
        Self {
            traffic: Traffic::new(scenario),
            frames: 0,
        }
    }
}

impl Source for SyntheticSource {
    fn fill(&mut self, block: &mut Block) -> Result<Fill, CaptureError> {
        while block.bytes.len() + LONGEST_FRAME_BYTES <= BLOCK_BYTES {
            let offset = block.bytes.len() as u32;
            let Some(frame) = self.traffic.next_frame(&mut block.bytes) else {
                return Ok(Fill::End);
            };
            self.frames += 1;
            block.frames.push(FrameRecord {
                time_ns: frame.time_ns,
                offset,
                captured: frame.captured as u32,
                wire_bytes: frame.wire_bytes,
                link: ETHERNET,
                interface: 0,
            });
        }
        Ok(Fill::Frames)
    }

    fn counters(&self) -> SourceCounters {
        SourceCounters {
            frames: self.frames,
            ..SourceCounters::default()
        }
    }
}

/// Writes the whole scenario as a pcap to `out` and returns the number of packets.
///
/// # Errors
/// The system's, from writing.
pub fn write_capture<W: Write>(scenario: &Scenario, out: W) -> io::Result<u64> {
    let mut writer = PcapWriter::new(out, ETHERNET)?;
    let mut traffic = Traffic::new(scenario);
    let mut bytes = Vec::with_capacity(LONGEST_FRAME_BYTES);
    while let Some(frame) = traffic.next_frame(&mut bytes) {
        writer.write(frame.time_ns, frame.wire_bytes, &bytes)?;
        bytes.clear();
    }
    let frames = writer.frames();
    writer.finish()?;
    Ok(frames)
}

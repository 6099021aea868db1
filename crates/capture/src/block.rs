//! The unit that crosses threads: one pooled buffer of frame bytes with one compact record per frame.
//!
//! A [`crate::Source`] fills it, the pipeline hands it to workers and takes it back; nothing allocates per frame.

use balefire_decode::{Frame, LinkType};

/// Bytes of frame data in a block. A block fills in about 1 ms at 10 Gbit/s, and queue costs vanish over its ~3,000 frames.
pub const BLOCK_BYTES: usize = 1 << 20;

/// Records that a new block has room for: frames of 256 bytes. More make it grow.
const BLOCK_FRAMES: usize = 4096;

/// The longest frame taken, in captured bytes: libpcap's and Wireshark's own limit (MAXIMUM_SNAPLEN).
pub const MAX_FRAME_BYTES: usize = 262_144;

/// Where one frame lies in its block, and what the capture said of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameRecord {
    /// Capture time, nanoseconds since 1970-01-01 UTC.
    pub time_ns: i64,
    /// Offset of the first byte in [`Block::bytes`].
    pub offset: u32,
    /// Captured bytes.
    pub captured: u32,
    /// Bytes on the wire.
    pub wire_bytes: u32,
    /// Link type of the interface it came from.
    pub link: LinkType,
    /// Number of the interface within its source, 0 where there is one.
    pub interface: u16,
}

/// A pooled buffer of frames.
#[derive(Debug, Default)]
pub struct Block {
    /// Frame bytes; capacity [`BLOCK_BYTES`], kept over reuse.
    pub bytes: Vec<u8>,
    /// One record per frame, in capture order.
    pub frames: Vec<FrameRecord>,
}

impl Block {
    /// An empty block with its buffer allocated.
    pub fn new() -> Self {
        Self {
            bytes: Vec::with_capacity(BLOCK_BYTES),
            frames: Vec::with_capacity(BLOCK_FRAMES),
        }
    }

    /// The same with every page of it in memory already: a tap's memory does not creep up with each block that is a little fuller
    /// than ever before.
    pub fn touched() -> Self {
        let mut block = Self::new();
        block.bytes.resize(BLOCK_BYTES, 0);
        let record = FrameRecord {
            time_ns: 0,
            offset: 0,
            captured: 0,
            wire_bytes: 0,
            link: LinkType(0),
            interface: 0,
        };
        block.frames.resize(BLOCK_FRAMES, record);
        block.clear();
        block
    }

    /// Forgets the frames, keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.frames.clear();
    }

    /// The frame a record of this block describes.
    #[inline]
    pub fn frame(&self, record: &FrameRecord) -> Frame<'_> {
        let start = record.offset as usize;
        let bytes = &self.bytes[start..start + record.captured as usize];
        Frame {
            link: record.link,
            bytes,
            wire_bytes: record.wire_bytes,
        }
    }
}

//! Writes capture files of every variant for the tests, and reads them back whole.

use std::io::{self, Read};

use balefire_capture::{Block, CaptureError, Damage, FileOptions, FileSource, Fill, Source};
use balefire_decode::LinkType;

/// A frame as a test wants it or as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) time_ns: i64,
    pub(crate) link: u16,
    pub(crate) interface: u16,
    pub(crate) wire_bytes: u32,
    pub(crate) bytes: Vec<u8>,
}

/// What came of reading a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) frames: Vec<Frame>,
    pub(crate) damage: Vec<Damage>,
}

/// Reads to the end, checking on the way what every source promises.
pub(crate) fn drain(source: &mut FileSource) -> Outcome {
    let mut block = Block::new();
    let mut frames = Vec::new();
    loop {
        let fill = source.fill(&mut block).unwrap();
        assert!(block.bytes.len() <= balefire_capture::BLOCK_BYTES);
        assert_eq!(fill == Fill::Frames, !block.frames.is_empty());
        for record in &block.frames {
            let frame = block.frame(record);
            frames.push(Frame {
                time_ns: record.time_ns,
                link: record.link.0,
                interface: record.interface,
                wire_bytes: record.wire_bytes,
                bytes: frame.bytes.to_vec(),
            });
        }
        block.clear();
        if fill == Fill::End {
            break;
        }
    }
    assert_eq!(source.counters().frames, frames.len() as u64);
    Outcome {
        frames,
        damage: source.damage().to_vec(),
    }
}

pub(crate) fn open(reader: impl Read + Send + 'static) -> Result<FileSource, CaptureError> {
    FileSource::from_reader("test".into(), reader, &FileOptions::default())
}

pub(crate) fn read(file: &[u8]) -> Outcome {
    drain(&mut open(io::Cursor::new(file.to_vec())).unwrap())
}

/// Gives its bytes in pieces of the given sizes, over and over.
pub(crate) struct Dribble {
    pub(crate) bytes: Vec<u8>,
    pub(crate) at: usize,
    pub(crate) sizes: Vec<usize>,
    pub(crate) turn: usize,
}

impl Read for Dribble {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = self.sizes[self.turn % self.sizes.len()].max(1);
        self.turn += 1;
        let size = size.min(buffer.len()).min(self.bytes.len() - self.at);
        buffer[..size].copy_from_slice(&self.bytes[self.at..self.at + size]);
        self.at += size;
        Ok(size)
    }
}

fn u16_of(big: bool, value: u16) -> [u8; 2] {
    if big { value.to_be_bytes() } else { value.to_le_bytes() }
}

fn u32_of(big: bool, value: u32) -> [u8; 4] {
    if big { value.to_be_bytes() } else { value.to_le_bytes() }
}

/// A variant of the classic format.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PcapVariant {
    pub(crate) big: bool,
    pub(crate) magic: u32,
}

impl PcapVariant {
    pub(crate) const NANOSECONDS: u32 = 0xa1b2_3c4d;
    pub(crate) const MICROSECONDS: u32 = 0xa1b2_c3d4;
    pub(crate) const MODIFIED: u32 = 0xa1b2_cd34;

    pub(crate) fn unit_ns(self) -> i64 {
        if self.magic == Self::NANOSECONDS { 1 } else { 1_000 }
    }

    pub(crate) fn record_header_bytes(self) -> usize {
        if self.magic == Self::MODIFIED { 24 } else { 16 }
    }

    pub(crate) fn header(self, link: u16) -> Vec<u8> {
        let mut file = u32_of(self.big, self.magic).to_vec();
        file.extend(u16_of(self.big, 2));
        file.extend(u16_of(self.big, 4));
        file.extend([0; 8]);
        file.extend(u32_of(self.big, 262_144));
        file.extend(u32_of(self.big, link.into()));
        file
    }

    pub(crate) fn file(self, link: u16, frames: &[Frame]) -> Vec<u8> {
        let mut file = self.header(link);
        for frame in frames {
            file.extend(self.record(frame));
        }
        file
    }

    pub(crate) fn record(self, frame: &Frame) -> Vec<u8> {
        let mut record = Vec::new();
        record.extend(u32_of(self.big, (frame.time_ns / 1_000_000_000) as u32));
        record.extend(u32_of(
            self.big,
            (frame.time_ns % 1_000_000_000 / self.unit_ns()) as u32,
        ));
        record.extend(u32_of(self.big, frame.bytes.len() as u32));
        record.extend(u32_of(self.big, frame.wire_bytes));
        record.resize(self.record_header_bytes(), 0);
        record.extend(&frame.bytes);
        record
    }
}

/// Builds pcapng blocks of one byte order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blocks {
    pub(crate) big: bool,
}

impl Blocks {
    pub(crate) fn block(self, kind: u32, body: &[u8]) -> Vec<u8> {
        let length = (12 + body.len().next_multiple_of(4)) as u32;
        let mut block = u32_of(self.big, kind).to_vec();
        block.extend(u32_of(self.big, length));
        block.extend(body);
        block.resize(length as usize - 4, 0);
        block.extend(u32_of(self.big, length));
        block
    }

    pub(crate) fn section(self) -> Vec<u8> {
        let mut body = u32_of(self.big, 0x1a2b_3c4d).to_vec();
        body.extend(u16_of(self.big, 1));
        body.extend(u16_of(self.big, 0));
        body.extend([0xff; 8]);
        self.block(0x0a0d_0d0a, &body)
    }

    /// `resolution` as in if_tsresol, `offset_s` as in if_tsoffset.
    pub(crate) fn interface(self, link: u16, snaplen: u32, resolution: u8, offset_s: i64) -> Vec<u8> {
        let mut body = u16_of(self.big, link).to_vec();
        body.extend([0; 2]);
        body.extend(u32_of(self.big, snaplen));
        body.extend(self.option(2, b"eth0"));
        body.extend(self.option(9, &[resolution]));
        let offset = if self.big {
            offset_s.to_be_bytes()
        } else {
            offset_s.to_le_bytes()
        };
        body.extend(self.option(14, &offset));
        body.extend(self.option(0, &[]));
        self.block(1, &body)
    }

    pub(crate) fn option(self, code: u16, value: &[u8]) -> Vec<u8> {
        let mut option = u16_of(self.big, code).to_vec();
        option.extend(u16_of(self.big, value.len() as u16));
        option.extend(value);
        option.resize(option.len().next_multiple_of(4), 0);
        option
    }

    pub(crate) fn enhanced(self, interface: u32, ticks: u64, wire_bytes: u32, bytes: &[u8]) -> Vec<u8> {
        let mut body = u32_of(self.big, interface).to_vec();
        body.extend(self.timed(ticks, wire_bytes, bytes));
        self.block(6, &body)
    }

    pub(crate) fn obsolete(self, interface: u16, ticks: u64, wire_bytes: u32, bytes: &[u8]) -> Vec<u8> {
        let mut body = u16_of(self.big, interface).to_vec();
        body.extend([0, 7]);
        body.extend(self.timed(ticks, wire_bytes, bytes));
        self.block(2, &body)
    }

    pub(crate) fn simple(self, wire_bytes: u32, bytes: &[u8]) -> Vec<u8> {
        let mut body = u32_of(self.big, wire_bytes).to_vec();
        body.extend(bytes);
        self.block(3, &body)
    }

    fn timed(self, ticks: u64, wire_bytes: u32, bytes: &[u8]) -> Vec<u8> {
        let mut body = u32_of(self.big, (ticks >> 32) as u32).to_vec();
        body.extend(u32_of(self.big, ticks as u32));
        body.extend(u32_of(self.big, bytes.len() as u32));
        body.extend(u32_of(self.big, wire_bytes));
        body.extend(bytes);
        body.resize(body.len().next_multiple_of(4), 0);
        // A comment behind the frame, as editors leave it.
        body.extend(self.option(1, b"seen"));
        body.extend(self.option(0, &[]));
        body
    }
}

/// A frame of Ethernet with nothing special about it.
pub(crate) fn frame(time_ns: i64, size: usize) -> Frame {
    let bytes = (0..size).map(|at| (at ^ size) as u8).collect();
    Frame {
        time_ns,
        link: LinkType(1).0,
        interface: 0,
        wire_bytes: size as u32,
        bytes,
    }
}

//! One capture file from its first byte to its last: tells the format, fills blocks, carries cut records over.
//!
//! In: a [`Stream`]. Out: frames in place in the block's bytes; at the end, what was damaged. Not its job: which files
//! there are and in what order, and the user's filter.

use std::io;

use super::pcap::{FILE_HEADER_BYTES, Pcap, is_magic};
use super::pcapng::{MAX_BLOCK_BYTES, Pcapng, SECTION_HEADER};
use super::stream::Stream;
use super::walk::Walk;
use crate::{BLOCK_BYTES, Block, FrameRecord, MAX_FRAME_BYTES};

// A cut record is carried into the next block: it must leave room there.
const _: () = assert!(MAX_BLOCK_BYTES + STEP_ROOM <= BLOCK_BYTES && MAX_FRAME_BYTES < MAX_BLOCK_BYTES);
const STEP_ROOM: usize = 64 * 1024;

/// How a call of [`Reader::fill`] ended.
#[derive(Debug)]
pub(super) enum Step {
    /// The block holds frames.
    Frames,
    /// A pipe had nothing to give for a while; the block is empty.
    Waiting,
    /// The file is at its end; the block is empty.
    End,
    /// Reading stops here; the block is empty.
    Damaged {
        /// Offset in the uncompressed file.
        offset: u64,
        /// What is wrong there.
        reason: String,
    },
}

#[derive(Debug)]
enum Format {
    Empty,
    Pcap(Pcap),
    Pcapng(Pcapng),
}

/// A capture file that is being read.
#[derive(Debug)]
pub(super) struct Reader {
    stream: Stream,
    format: Format,
    /// The bytes of a cut record, which begin the next block.
    carry: Vec<u8>,
    /// Offset of the carried bytes in the uncompressed file.
    offset: u64,
    /// What ended the file, told once the frames before it are delivered.
    ending: Option<Step>,
}

impl Reader {
    /// Reads the start of the file and tells its format.
    ///
    /// # Errors
    /// The input cannot be read, or [`io::ErrorKind::InvalidData`] with the reason why it is no capture.
    pub(super) fn new(mut stream: Stream) -> io::Result<Self> {
        let mut carry = Vec::with_capacity(MAX_BLOCK_BYTES);
        let format = format(&mut stream, &mut carry)?;
        // A pcap header is used up; a section header is walked like any block.
        let offset = if let Format::Pcap(_) = format {
            FILE_HEADER_BYTES as u64
        } else {
            0
        };
        carry.drain(..offset as usize);
        Ok(Self {
            stream,
            format,
            carry,
            offset,
            ending: None,
        })
    }

    /// Input bytes taken so far, before decompression.
    pub(super) fn taken_bytes(&self) -> u64 {
        self.stream.taken_bytes()
    }

    /// Empties `block` and fills it with frames, reading up to `limit` bytes at a time.
    pub(super) fn fill(&mut self, block: &mut Block, limit: usize) -> Step {
        loop {
            if let Some(ending) = self.ending.take() {
                block.clear();
                return ending;
            }
            match self.fill_once(block, limit) {
                Some(step) => return step,
                None if !block.frames.is_empty() => return Step::Frames,
                None => {}
            }
        }
    }

    /// Fills the block until it has frames or is full of what is no frame, and carries the rest over.
    fn fill_once(&mut self, block: &mut Block, limit: usize) -> Option<Step> {
        block.clear();
        let Block { bytes, frames } = block;
        bytes.reserve(BLOCK_BYTES);
        bytes.append(&mut self.carry);
        let mut at = 0;
        let mut waiting = false;
        while frames.is_empty() && bytes.len() < BLOCK_BYTES && self.ending.is_none() && !waiting {
            let read = self.stream.append(bytes, limit.min(BLOCK_BYTES - bytes.len()));
            let walk = self.format.walk(bytes, at, frames);
            at = walk.at;
            if let Some(broken) = walk.broken {
                self.ending = Some(self.damaged(broken.at, broken.reason));
                break;
            }
            match read {
                Ok(0) => self.ending = Some(self.end(bytes.len() - at, at)),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => waiting = frames.is_empty(),
                Err(error) => self.ending = Some(self.damaged(bytes.len(), read_error(&error))),
            }
            if at == bytes.len() && frames.is_empty() {
                self.offset += at as u64;
                bytes.clear();
                at = 0;
            }
        }
        if self.ending.is_none() {
            self.carry.extend_from_slice(&bytes[at..]);
        }
        self.offset += at as u64;
        waiting.then_some(Step::Waiting)
    }

    fn damaged(&self, at: usize, reason: String) -> Step {
        Step::Damaged {
            offset: self.offset + at as u64,
            reason,
        }
    }

    /// What the end of the input means, with `left` bytes at `at` that are no whole record.
    fn end(&self, left: usize, at: usize) -> Step {
        let reason = match &self.format {
            Format::Pcapng(file) if file.is_skipping() => "cut short in the middle of a block".to_owned(),
            _ if left > 0 => format!("cut short in the middle of a record, {left} bytes of it are left"),
            Format::Pcapng(file) if !file.has_interface() => "pcapng without an interface description".to_owned(),
            _ => return Step::End,
        };
        self.damaged(at, reason)
    }
}

impl Format {
    fn walk(&mut self, bytes: &[u8], at: usize, frames: &mut Vec<FrameRecord>) -> Walk {
        match self {
            Self::Empty => Walk { at, broken: None },
            Self::Pcap(file) => file.walk(bytes, at, frames),
            Self::Pcapng(file) => file.walk(bytes, at, frames),
        }
    }
}

/// Reads into `start` until the format is told and its header whole.
fn format(stream: &mut Stream, start: &mut Vec<u8>) -> io::Result<Format> {
    let mut need = 4;
    loop {
        let whole = read_until(stream, start, need)?;
        let Some(first) = start.first_chunk::<4>() else {
            // An empty file is a capture without packets: rotating writers leave such files behind.
            return if start.is_empty() {
                Ok(Format::Empty)
            } else {
                Err(unknown(start))
            };
        };
        let section = u32::from_le_bytes(*first) == SECTION_HEADER;
        if !section && !is_magic(*first) {
            return Err(unknown(start));
        }
        if !whole {
            return Err(invalid(format!("cut short in its header, after {} bytes", start.len())));
        }
        if !section {
            match start.first_chunk::<FILE_HEADER_BYTES>() {
                Some(header) => return Pcap::new(header).map(Format::Pcap).map_err(invalid),
                None => need = FILE_HEADER_BYTES,
            }
        } else {
            need = match Pcapng::section_header_bytes(start) {
                Ok(Some(size)) if size <= start.len() => {
                    let mut file = Pcapng::default();
                    let walk = file.walk(&start[..size], 0, &mut Vec::new());
                    return match walk.broken {
                        Some(broken) => Err(invalid(broken.reason)),
                        None => Ok(Format::Pcapng(Pcapng::default())),
                    };
                }
                Ok(Some(size)) => size,
                Ok(None) => 12,
                Err(reason) => return Err(invalid(reason)),
            };
        }
    }
}

/// Reads until `start` has `need` bytes; false at the end of the input before that.
fn read_until(stream: &mut Stream, start: &mut Vec<u8>, need: usize) -> io::Result<bool> {
    while start.len() < need {
        match stream.append(start, STEP_ROOM.min(start.capacity() - start.len())) {
            Ok(0) => return Ok(false),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // What came before the error decides; the error comes again or the end does.
            Err(_) if start.len() >= need => {}
            Err(error) => return Err(io::Error::new(error.kind(), read_error(&error))),
        }
    }
    Ok(true)
}

fn read_error(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "compressed data is cut short".to_owned(),
        _ => format!("cannot be read further: {error}"),
    }
}

fn invalid(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

/// Says what a file is instead of a capture, as far as its first bytes tell.
fn unknown(start: &[u8]) -> io::Error {
    let what = match start {
        [0x04, 0x22, 0x4d, 0x18, ..] => "compressed with lz4: decompress it first",
        [0xfd, b'7', b'z', b'X', ..] => "compressed with xz: decompress it first",
        [b'B', b'Z', b'h', ..] => "compressed with bzip2: decompress it first",
        [b'P', b'K', 3, 4, ..] => "a zip archive: unpack it first",
        [b's', b'n', b'o', b'o', ..] => "a snoop capture: convert it with `editcap -F pcap`",
        _ => {
            let first: Vec<String> = start.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
            let reason = format!(
                "no capture file: begins with {}; pcap and pcapng are read, also gzip or zstd",
                first.join(" ")
            );
            return invalid(reason);
        }
    };
    invalid(format!("{what}; pcap and pcapng are read, also gzip or zstd"))
}

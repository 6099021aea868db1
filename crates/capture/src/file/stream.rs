//! The bytes of one input: plain, gzip or zstd, from a file, a pipe or any reader.
//!
//! In: something to read. Out: its (uncompressed) bytes, appended to a block's buffer, and how many were taken from the
//! input for it. Not its job: what the bytes mean.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::os::fd::AsFd;

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::gzip::Gzip;

/// Bytes asked for at a time where the buffer must be initialised first (pipes, decompressors): what fits the caches, so
/// that initialising costs next to nothing.
const STEP_BYTES: usize = 64 * 1024;

/// Compressed bytes read at a time.
const COMPRESSED_BYTES: usize = 256 * 1024;

/// How long a pipe may be silent before the caller is told so, in milliseconds: short against a person's patience.
const PATIENCE_MS: i64 = 100;

/// An input that is being read.
pub(super) struct Stream {
    kind: Kind,
}

enum Kind {
    /// A regular file, plain, read in as large pieces as fit; and the bytes taken from it.
    File(File, u64),
    /// Anything else, plain.
    Reader(Raw),
    Gzip(Box<Gzip<BufReader<Raw>>>),
    Zstd(Box<zstd::Decoder<'static, BufReader<Raw>>>),
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::File(..) => "file",
            Kind::Reader(_) => "reader",
            Kind::Gzip(_) => "gzip",
            Kind::Zstd(_) => "zstd",
        };
        f.debug_struct("Stream").field("kind", &kind).finish_non_exhaustive()
    }
}

/// The input below a decompressor, with the first bytes (which were looked at) put back, counting.
struct Raw {
    head: Cursor<Vec<u8>>,
    inner: Box<dyn Read + Send>,
    taken_bytes: u64,
}

impl Read for Raw {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut read = self.head.read(buffer)?;
        if read == 0 {
            read = self.inner.read(buffer)?;
        }
        self.taken_bytes += read as u64;
        Ok(read)
    }
}

/// A pipe or terminal: says `WouldBlock` after [`PATIENCE_MS`] without a byte, so that a silent one can be left.
struct Pipe(File);

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut fds = [PollFd::from_borrowed_fd(self.0.as_fd(), PollFlags::IN)];
        let patience = Timespec {
            tv_sec: 0,
            tv_nsec: PATIENCE_MS * 1_000_000,
        };
        match poll(&mut fds, Some(&patience)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => Err(io::ErrorKind::WouldBlock.into()),
            Ok(_) => self.0.read(buffer),
            Err(error) => Err(error.into()),
        }
    }
}

/// What the first bytes of an input are, as far as compression goes.
fn compression(head: &[u8]) -> Option<Compression> {
    match head {
        [0x1f, 0x8b, ..] => Some(Compression::Gzip),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Compression::Zstd),
        // A skippable frame, which parallel compressors put first (RFC 8878, section 3.1.2).
        [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Compression::Zstd),
        _ => None,
    }
}

enum Compression {
    Gzip,
    Zstd,
}

impl Stream {
    /// Reads an opened file: a regular one in large pieces, anything else as it comes.
    pub(super) fn of_file(file: File) -> io::Result<Self> {
        if !file.metadata()?.is_file() {
            return Self::of_reader(Box::new(Pipe(file)));
        }
        let mut file = file;
        let mut head = [0; 4];
        let read = read_head(&mut file, &mut head)?;
        if compression(&head[..read]).is_some() {
            return Self::with_head(head[..read].to_vec(), Box::new(file));
        }
        // Back to where it stood, which is not 0 for an inherited descriptor somebody has read from.
        io::Seek::seek_relative(&mut file, -(read as i64))?;
        Ok(Self {
            kind: Kind::File(file, 0),
        })
    }

    /// Reads anything.
    pub(super) fn of_reader(mut reader: Box<dyn Read + Send>) -> io::Result<Self> {
        let mut head = [0; 4];
        let read = read_head(&mut reader, &mut head)?;
        Self::with_head(head[..read].to_vec(), reader)
    }

    fn with_head(head: Vec<u8>, inner: Box<dyn Read + Send>) -> io::Result<Self> {
        let compression = compression(&head);
        let raw = Raw {
            head: Cursor::new(head),
            inner,
            taken_bytes: 0,
        };
        let kind = match compression {
            None => Kind::Reader(raw),
            Some(Compression::Gzip) => Kind::Gzip(Box::new(Gzip::new(BufReader::with_capacity(COMPRESSED_BYTES, raw)))),
            Some(Compression::Zstd) => Kind::Zstd(Box::new(zstd::Decoder::with_buffer(BufReader::with_capacity(
                COMPRESSED_BYTES,
                raw,
            ))?)),
        };
        Ok(Self { kind })
    }

    /// Bytes taken from the input so far.
    pub(super) fn taken_bytes(&self) -> u64 {
        match &self.kind {
            Kind::File(_, taken_bytes) => *taken_bytes,
            Kind::Reader(raw) => raw.taken_bytes,
            Kind::Gzip(decoder) => decoder.input().get_ref().taken_bytes,
            Kind::Zstd(decoder) => decoder.get_ref().get_ref().taken_bytes,
        }
    }

    /// Appends up to `room` bytes; 0 at the end of the input. Bytes that were read before an error are kept in `bytes`,
    /// and an error of kind `WouldBlock` means: nothing yet, ask again.
    pub(super) fn append(&mut self, bytes: &mut Vec<u8>, room: usize) -> io::Result<usize> {
        match &mut self.kind {
            Kind::File(file, taken_bytes) => {
                let before = bytes.len();
                let result = append_file(file, bytes, room);
                *taken_bytes += (bytes.len() - before) as u64;
                result
            }
            Kind::Reader(reader) => append_steps(reader, bytes, room),
            Kind::Gzip(reader) => append_steps(reader, bytes, room),
            Kind::Zstd(reader) => append_steps(reader, bytes, room),
        }
    }
}

/// One read into what the buffer has free, which needs no initialising.
fn append_file(file: &mut File, bytes: &mut Vec<u8>, room: usize) -> io::Result<usize> {
    let free = bytes.capacity() - bytes.len();
    if room < free {
        // Less is wanted than is free: read to the end of what is wanted, in pieces that begin small.
        return file.take(room as u64).read_to_end(bytes);
    }
    loop {
        match rustix::io::read(&*file, spare_capacity(bytes)) {
            Err(rustix::io::Errno::INTR) => {}
            result => return Ok(result?),
        }
    }
}

/// Reads step by step while whole steps come; a short one means that the input has no more at hand.
fn append_steps(reader: &mut impl Read, bytes: &mut Vec<u8>, room: usize) -> io::Result<usize> {
    let before = bytes.len();
    loop {
        let step = STEP_BYTES.min(room - (bytes.len() - before));
        let from = bytes.len();
        bytes.resize(from + step, 0);
        let result = reader.read(&mut bytes[from..]);
        let read = *result.as_ref().unwrap_or(&0);
        bytes.truncate(from + read);
        match result {
            Ok(read) if read > 0 && read == step && bytes.len() - before < room => {}
            Ok(_) => return Ok(bytes.len() - before),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // The error comes again at the next call, or was no error: first what is there.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && bytes.len() > before => {
                return Ok(bytes.len() - before);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Fills `head` as far as the input goes, waiting as long as it takes.
fn read_head(reader: &mut impl Read, head: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < head.len() {
        match reader.read(&mut head[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

//! Connection logs among what the user named: told from captures by their content, opened, decompressed.
//!
//! In: paths as typed. Out: [`LogInput`]s, if they are logs. Not its job: reading lines (`pipeline`, `track`), captures
//! (`capture`).

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::AsFd;
use std::path::PathBuf;

use balefire_capture::{Input, expand};
use balefire_pipeline::LogInput;
use balefire_track::log::{Parser, is_text};
use flate2::bufread::MultiGzDecoder;
use rustix::pipe::{PipeFlags, SpliceFlags, pipe_with, tee};

use crate::exit::Failure;

/// What is looked at to know a file: Zeek's header lines are well within it.
const HEAD_BYTES: usize = 4096;

/// Bytes read, and decompressed, at a time.
const READ_BYTES: usize = 256 * 1024;

/// The first four bytes of captures, of either byte order: pcap, with nanoseconds, modified, pcapng
/// (<https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-05.html>, section 4; pcapng section 4.1).
const CAPTURE_MAGIC: [[u8; 4]; 7] = [
    [0xa1, 0xb2, 0xc3, 0xd4],
    [0xd4, 0xc3, 0xb2, 0xa1],
    [0xa1, 0xb2, 0x3c, 0x4d],
    [0x4d, 0x3c, 0xb2, 0xa1],
    [0xa1, 0xb2, 0xcd, 0x34],
    [0x34, 0xcd, 0xb2, 0xa1],
    [0x0a, 0x0d, 0x0d, 0x0a],
];

/// The inputs as logs; `None` if they are captures, or nothing that could be a log: reading captures says what is wrong.
pub(crate) fn inputs(named: &[PathBuf]) -> Result<Option<Vec<LogInput>>, Failure> {
    let Ok(files) = expand(named) else { return Ok(None) };
    let (mut log, mut capture) = (None, None);
    for file in &files {
        let Ok(head) = head(file) else { continue };
        let is_capture = CAPTURE_MAGIC.iter().any(|magic| head.starts_with(magic));
        let is_log = is_text(&head) && (!is_found(file) || begins_a_log(&head));
        let kind = if is_capture { &mut capture } else { &mut log };
        if is_capture || is_log {
            kind.get_or_insert(file.path());
        }
    }
    match (log, capture) {
        (None, _) => Ok(None),
        (Some(log), Some(capture)) => Err(Failure::usage(format!(
            "{} is a log and {} is a capture: read one kind at a time",
            log.display(),
            capture.display()
        ))),
        (Some(_), None) => Ok(Some(files.into_iter().map(input).collect())),
    }
}

fn is_found(file: &Input) -> bool {
    matches!(file, Input::Found(_))
}

/// Whether text that was found in a folder is a log: there, prose is not taken for a log with a bad header.
fn begins_a_log(head: &[u8]) -> bool {
    let mut parser = Parser::new();
    let mut lines = head.split_inclusive(|&byte| byte == b'\n');
    head.starts_with(b"#separator") || (lines.all(|line| parser.line(line).is_ok()) && parser.is_known())
}

fn input(file: Input) -> LogInput {
    let name = match &file {
        Input::Standard => "standard input".to_owned(),
        file => file.path().display().to_string(),
    };
    let found = is_found(&file);
    let open = move || open(&file);
    LogInput {
        name,
        found,
        open: Box::new(open),
    }
}

fn open(file: &Input) -> io::Result<Box<dyn BufRead + Send>> {
    decompressed(raw(file)?)
}

fn raw(file: &Input) -> io::Result<File> {
    match file {
        Input::Standard => io::stdin().as_fd().try_clone_to_owned().map(File::from),
        file => File::open(file.path()),
    }
}

pub(crate) fn decompressed(raw: impl Read + Send + 'static) -> io::Result<Box<dyn BufRead + Send>> {
    let mut raw = BufReader::with_capacity(READ_BYTES, raw);
    Ok(match raw.fill_buf()? {
        [0x1f, 0x8b, ..] => Box::new(BufReader::with_capacity(READ_BYTES, MultiGzDecoder::new(raw))),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            Box::new(BufReader::with_capacity(READ_BYTES, zstd::Decoder::with_buffer(raw)?))
        }
        _ => Box::new(raw),
    })
}

/// The first bytes, decompressed. A pipe is looked into without taking them out of it; of a compressed one whatever came
/// in the first write must do.
fn head(file: &Input) -> io::Result<Vec<u8>> {
    let kind = match file {
        Input::Standard => raw(file)?.metadata()?.file_type(),
        file => std::fs::metadata(file.path())?.file_type(),
    };
    match file {
        _ if is_pipe(&kind) && is_inherited(file) => {
            let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
            tee(&raw(file)?, &writer, HEAD_BYTES, SpliceFlags::empty())?;
            drop(writer);
            up_to_head(File::from(reader))
        }
        _ if !kind.is_file() => Err(io::Error::other("cannot be looked into")),
        // A redirected file shares its position with whoever reads it next; opened anew, it has its own.
        Input::Standard => up_to_head(File::open("/dev/stdin")?),
        file => up_to_head(raw(file)?),
    }
}

/// A pipe that this process holds open anyway. Opening another for a look, and closing it, would end its writer.
fn is_inherited(file: &Input) -> bool {
    let held = |folder: &str| file.path().starts_with(folder);
    *file == Input::Standard || held("/dev/fd") || held("/proc/self/fd")
}

fn is_pipe(kind: &std::fs::FileType) -> bool {
    std::os::unix::fs::FileTypeExt::is_fifo(kind)
}

fn up_to_head(raw: File) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(HEAD_BYTES);
    let mut reader = decompressed(raw)?.take(HEAD_BYTES as u64);
    // A cut compressed file may still show its first bytes.
    match reader.read_to_end(&mut head) {
        Err(error) if head.is_empty() => Err(error),
        _ => Ok(head),
    }
}

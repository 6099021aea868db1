//! Frames from capture files: any number of them, one after the other in the order of time.
//!
//! In: paths, folders, patterns, `-`, or a reader. Out: blocks, counters, and what was damaged. Not its job: threads, and
//! what is done about damage.

mod clock;
mod filter;
mod gzip;
mod inputs;
mod pcap;
mod pcapng;
mod reader;
mod stream;
mod walk;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::PathBuf;

use self::filter::Filter;
pub use self::inputs::{Input, expand};
use self::reader::{Reader, Step};
use self::stream::Stream;
use crate::{Block, CaptureError, Damage, Fill, Source, SourceCounters};

/// Bytes read at a time to find a file's first packet.
const PROBE_BYTES: usize = 64 * 1024;

/// How to read files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileOptions {
    /// Frames that this expression in libpcap's filter language does not match are left out, and counted.
    pub filter: Option<String>,
}

/// Capture files, read one after the other.
///
/// pcap (either byte order, micro- and nanoseconds, old and modified headers) and pcapng (sections of either byte order,
/// interfaces with their own link type, resolution and offset), each also compressed with gzip or zstd.
///
/// ```
/// use balefire_capture::{Block, Fill, FileOptions, FileSource, PcapWriter, Source};
/// use balefire_decode::LinkType;
///
/// let mut writer = PcapWriter::new(Vec::new(), LinkType(1))?;
/// writer.write(1_700_000_000_000_000_000, 60, &[0; 60])?;
/// let file = std::io::Cursor::new(writer.finish()?);
///
/// let mut source = FileSource::from_reader("memory".into(), file, &FileOptions::default())?;
/// let mut block = Block::new();
/// assert_eq!(source.fill(&mut block)?, Fill::Frames);
/// assert_eq!(block.frame(&block.frames[0]).bytes, [0; 60]);
/// assert_eq!(source.fill(&mut block)?, Fill::End);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct FileSource {
    current: Option<Current>,
    waiting: VecDeque<Input>,
    filter: Option<Filter>,
    counters: SourceCounters,
    /// Input bytes of the files before the current one.
    finished_bytes: u64,
    damage: Vec<Damage>,
}

#[derive(Debug)]
struct Current {
    path: PathBuf,
    reader: Reader,
    packets: u64,
}

impl FileSource {
    /// Prepares to read `inputs`: files, folders (all files inside), patterns, or `-` for standard input. Several are read
    /// in the order of their first packets' times; standard input and pipes, which cannot be looked into first, come last.
    ///
    /// # Errors
    /// The filter does not compile; an input that was named is not there; no input at all is a capture. Where one of
    /// several inputs is no capture, that is [`Source::damage`], and the others are read.
    pub fn open(inputs: &[PathBuf], options: &FileOptions) -> Result<Self, CaptureError> {
        let filter = options.filter.clone().map(Filter::new).transpose()?;
        let mut files = inputs::expand(inputs)?;
        let mut source = Self::empty(filter);
        source.counters.input_bytes_total = total_bytes(&files);
        if files.len() > 1 {
            files = source.in_order_of_time(files)?;
        }
        source.waiting = files.into();
        // The first is opened here: what is no capture is said before anything runs.
        if let Some(first) = source.waiting.pop_front() {
            let path = first.path().to_path_buf();
            let reader = open_input(&first).map_err(|error| capture_error(path.clone(), error))?;
            source.current = Some(Current {
                path,
                reader,
                packets: 0,
            });
        }
        Ok(source)
    }

    /// Reads one capture from anything; `path` is what messages call it.
    ///
    /// # Errors
    /// The filter does not compile, the reader fails, or what it brings is no capture.
    pub fn from_reader(
        path: PathBuf,
        reader: impl Read + Send + 'static,
        options: &FileOptions,
    ) -> Result<Self, CaptureError> {
        let filter = options.filter.clone().map(Filter::new).transpose()?;
        let mut source = Self::empty(filter);
        let reader = Stream::of_reader(Box::new(reader)).and_then(Reader::new);
        let reader = reader.map_err(|error| capture_error(path.clone(), error))?;
        source.current = Some(Current {
            path,
            reader,
            packets: 0,
        });
        Ok(source)
    }

    fn empty(filter: Option<Filter>) -> Self {
        Self {
            current: None,
            waiting: VecDeque::new(),
            filter,
            counters: SourceCounters::default(),
            finished_bytes: 0,
            damage: Vec::new(),
        }
    }

    /// Sorts files by the time of their first packet; those that are no captures become damage.
    fn in_order_of_time(&mut self, files: Vec<Input>) -> Result<Vec<Input>, CaptureError> {
        let mut block = Block::new();
        let mut timed = Vec::with_capacity(files.len());
        let mut refused = None;
        for file in files {
            if file == Input::Standard || !file.path().is_file() {
                timed.push((None, file));
                continue;
            }
            match open_input(&file) {
                Ok(mut reader) => timed.push((Some(first_time(&mut reader, &mut block)), file)),
                Err(error) => {
                    let unreadable = error.kind() != io::ErrorKind::InvalidData && matches!(file, Input::Named(_));
                    let path = file.path().to_path_buf();
                    let reason = error.to_string();
                    let error = capture_error(path.clone(), error);
                    if unreadable {
                        return Err(error);
                    }
                    refused.get_or_insert(error);
                    self.damage.push(Damage {
                        path,
                        offset: 0,
                        reason,
                        packets_kept: 0,
                    });
                }
            }
        }
        if let (true, Some(error)) = (timed.is_empty(), refused) {
            return Err(error);
        }
        // Stable: files of the same time stay as given. `None`, the pipes, go last.
        timed.sort_by_key(|(time, _)| time.map_or((true, 0), |time| (false, time)));
        Ok(timed.into_iter().map(|(_, file)| file).collect())
    }

    /// Goes on to the next file that opens; false when there is none.
    fn next_file(&mut self) -> bool {
        while let Some(input) = self.waiting.pop_front() {
            let path = input.path().to_path_buf();
            match open_input(&input) {
                Ok(reader) => {
                    self.current = Some(Current {
                        path,
                        reader,
                        packets: 0,
                    });
                    return true;
                }
                Err(error) => {
                    self.damage.push(Damage {
                        path,
                        offset: 0,
                        reason: error.to_string(),
                        packets_kept: 0,
                    });
                }
            }
        }
        false
    }

    fn finish_file(&mut self) {
        if let Some(current) = self.current.take() {
            self.finished_bytes += current.reader.taken_bytes();
            self.counters.input_bytes = self.finished_bytes;
        }
    }
}

impl Source for FileSource {
    fn fill(&mut self, block: &mut Block) -> Result<Fill, CaptureError> {
        loop {
            let Some(current) = &mut self.current else {
                if self.next_file() {
                    continue;
                }
                block.clear();
                return Ok(Fill::End);
            };
            let step = current.reader.fill(block, FILL_BYTES);
            self.counters.input_bytes = self.finished_bytes + current.reader.taken_bytes();
            match step {
                Step::Frames => {
                    current.packets += block.frames.len() as u64;
                    if let Some(filter) = &mut self.filter {
                        self.counters.filtered += filter.apply(block);
                    }
                    if !block.frames.is_empty() {
                        self.counters.frames += block.frames.len() as u64;
                        return Ok(Fill::Frames);
                    }
                }
                Step::Waiting => return Ok(Fill::Idle),
                Step::End => self.finish_file(),
                Step::Damaged { offset, reason } => {
                    let path = current.path.clone();
                    self.damage.push(Damage {
                        path,
                        offset,
                        reason,
                        packets_kept: current.packets,
                    });
                    self.finish_file();
                }
            }
        }
    }

    fn counters(&self) -> SourceCounters {
        self.counters
    }

    fn damage(&self) -> &[Damage] {
        &self.damage
    }
}

/// Sizes of all files together; 0 when one has none.
fn total_bytes(files: &[Input]) -> u64 {
    let size = |file: &Input| match file {
        Input::Standard => None,
        Input::Named(path) | Input::Found(path) => path
            .metadata()
            .ok()
            .filter(std::fs::Metadata::is_file)
            .map(|metadata| metadata.len()),
    };
    files.iter().map(size).sum::<Option<u64>>().unwrap_or(0)
}

fn open_input(input: &Input) -> io::Result<Reader> {
    let file = match input {
        Input::Standard => File::from(io::stdin().as_fd().try_clone_to_owned()?),
        Input::Named(path) | Input::Found(path) => File::open(path)?,
    };
    Reader::new(Stream::of_file(file)?)
}

/// Bytes of a file read at a time, and so in a block: what a core's second-level cache (1 to 2 MiB) still holds when the
/// records are walked and the worker takes over; a longer read means fewer system calls, and headers fetched anew.
const FILL_BYTES: usize = 256 * 1024;

/// Time of the first packet; of a file without one, the end of time.
fn first_time(reader: &mut Reader, block: &mut Block) -> i64 {
    match reader.fill(block, PROBE_BYTES) {
        Step::Frames => block.frames.first().map_or(i64::MAX, |frame| frame.time_ns),
        Step::Waiting | Step::End | Step::Damaged { .. } => i64::MAX,
    }
}

fn capture_error(path: PathBuf, error: io::Error) -> CaptureError {
    // A reason of our own has no number of the system's.
    if error.kind() == io::ErrorKind::InvalidData && error.raw_os_error().is_none() {
        return CaptureError::NotACapture {
            path,
            reason: error.to_string(),
        };
    }
    CaptureError::Io { path, source: error }
}

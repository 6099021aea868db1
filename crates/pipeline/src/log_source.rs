//! Connection logs in: many logs read side by side, one entry after another, the oldest next.
//!
//! In: logs that can be opened. Out: entries, nearly in order of time, and what could not be used, by log, line and reason.
//! Not its job: putting them in order exactly (`track`'s window), decompressing (the program's opener), what they mean.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;
use std::io::{self, BufRead, Read};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use balefire_track::log::{Entry, HeaderFault, Line, LineFault, Parser, Reason};

use crate::run::PipelineError;

/// The longest line that is read. Zeek's longest are HTTP lines with a long URI; a file without line ends must not fill the
/// memory.
const MAX_LINE_BYTES: u64 = 1 << 20;

/// Logs kept open at a time while their turn has not come: processes may commonly open 1,024 files. Of more logs, those
/// waiting are closed and opened again.
const MAX_OPEN: usize = 256;

/// What is read, for error messages.
const READ: &str = "a connection CSV and Zeek's conn, dns, ssl, quic and http logs are read";

/// A log, or what may be one.
pub struct LogInput {
    /// What messages call it: its path.
    pub name: String,
    /// Found in a folder rather than named: it is passed over if it is no log of connections.
    pub found: bool,
    /// Opens it at its beginning, decompressed. Called again only where there are very many logs.
    pub open: Box<dyn FnMut() -> io::Result<Box<dyn BufRead + Send>> + Send>,
}

impl fmt::Debug for LogInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogInput")
            .field("name", &self.name)
            .field("found", &self.found)
            .finish_non_exhaustive()
    }
}

/// Lines of one log that could not be used, for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFault {
    /// The log.
    pub name: String,
    /// The first such line, from 1.
    pub line: u64,
    /// What was wrong with it, for people.
    pub reason: String,
    /// How many lines were left out for it; 0 if reading stopped there.
    pub lines: u64,
    /// Lines of this log that were used.
    pub lines_used: u64,
}

impl fmt::Display for LogFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            line,
            reason,
            lines,
            lines_used,
        } = self;
        match lines {
            0 => write!(
                f,
                "{name}: reading stopped after line {line}: {reason}; its {lines_used} usable lines so far count"
            ),
            1 => write!(
                f,
                "{name}: line {line}: {reason}; left out, {lines_used} other lines used"
            ),
            _ => write!(
                f,
                "{name}: line {line} and {} more: {reason}; left out, {lines_used} other lines used",
                lines - 1
            ),
        }
    }
}

/// All logs of a run.
#[derive(Debug)]
pub(crate) struct LogSource {
    logs: Vec<Log>,
    /// Logs with an entry in hand, the oldest entry first; of equal times the log that was named first.
    ready: BinaryHeap<Reverse<(i64, usize)>>,
    /// Inputs that tell of no connection.
    passed_over: Vec<String>,
}

impl LogSource {
    /// Opens every log and reads its first entry.
    ///
    /// # Errors
    /// A named log cannot be opened or is no log of connections; or none of those found is.
    pub(crate) fn open(inputs: Vec<LogInput>, stop: &AtomicBool) -> Result<Self, PipelineError> {
        let many = inputs.len() > MAX_OPEN;
        let mut source = Self {
            logs: Vec::new(),
            ready: BinaryHeap::new(),
            passed_over: Vec::new(),
        };
        for input in inputs {
            let mut log = Log::new(input);
            if stop.load(Relaxed) {
                break;
            }
            match log.rewind().and_then(|()| log.advance()) {
                Ok(()) if log.is_other() => source.passed_over.push(log.input.name),
                Ok(()) => {
                    if many {
                        log.reader = None;
                    }
                    source
                        .ready
                        .extend(log.next.as_ref().map(|next| Reverse((next.time_ns, source.logs.len()))));
                    source.logs.push(log);
                }
                Err(Failure::Header(_)) if log.input.found => source.passed_over.push(log.input.name),
                Err(failure) if log.input.found => {
                    log.stopped(&failure);
                    source.logs.push(log);
                }
                Err(failure) => return Err(log.error(&failure)),
            }
        }
        if let (true, [first, others @ ..]) = (source.logs.is_empty(), &source.passed_over[..]) {
            let more = if others.is_empty() {
                String::new()
            } else {
                format!(", nor in {} others", others.len())
            };
            let reason = format!("no connection is told of here{more}; {READ}");
            return Err(PipelineError::Log {
                name: first.clone(),
                reason,
            });
        }
        Ok(source)
    }

    /// The next entry; `None` at the end.
    pub(crate) fn next(&mut self) -> Option<Entry> {
        while let Some(Reverse((_, index))) = self.ready.pop() {
            let log = &mut self.logs[index];
            let entry = log.take();
            self.ready
                .extend(log.next.as_ref().map(|next| Reverse((next.time_ns, index))));
            if entry.is_some() {
                return entry;
            }
        }
        None
    }

    /// Bytes of lines read so far.
    pub(crate) fn read_bytes(&self) -> u64 {
        self.logs.iter().map(|log| log.bytes).sum()
    }

    /// Lines that tell nothing, of all logs.
    pub(crate) fn unused_lines(&self) -> u64 {
        self.logs.iter().map(|log| log.unused).sum()
    }

    /// Names of inputs that tell of no connection, and what could not be used of the others.
    pub(crate) fn into_leftovers(self) -> (Vec<String>, Vec<LogFault>) {
        (
            self.passed_over,
            self.logs.into_iter().flat_map(Log::into_faults).collect(),
        )
    }
}

/// One log being read.
#[derive(Debug)]
struct Log {
    input: LogInput,
    reader: Option<Reader>,
    ended: bool,
    parser: Parser,
    buffer: Vec<u8>,
    next: Option<Entry>,
    line: u64,
    bytes: u64,
    used: u64,
    unused: u64,
    faults: [Option<Tally>; Reason::COUNT],
    stopped: Option<(u64, String)>,
}

/// The first line at fault for a reason, and how many there are.
#[derive(Clone, Copy, Debug)]
struct Tally {
    fault: LineFault,
    line: u64,
    lines: u64,
}

/// Why a log cannot be read, or no further.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Header(#[from] HeaderFault),
}

impl Log {
    fn new(input: LogInput) -> Self {
        Self {
            input,
            reader: None,
            ended: false,
            parser: Parser::new(),
            buffer: Vec::new(),
            next: None,
            line: 0,
            bytes: 0,
            used: 0,
            unused: 0,
            faults: [None; Reason::COUNT],
            stopped: None,
        }
    }

    /// To the beginning, as if nothing had been read.
    fn rewind(&mut self) -> Result<(), Failure> {
        self.reader = Some(Reader((self.input.open)()?));
        self.parser = Parser::new();
        self.next = None;
        (self.line, self.bytes, self.used, self.unused) = (0, 0, 0, 0);
        self.faults = [None; Reason::COUNT];
        Ok(())
    }

    /// The entry in hand; the next one is read at once. `None` if the log cannot be opened again.
    fn take(&mut self) -> Option<Entry> {
        if self.reader.is_none() && !self.ended {
            // Closed since it was first looked at: back to the entry in hand, which is its first.
            if let Err(failure) = self.rewind().and_then(|()| self.advance()) {
                self.stopped(&failure);
            }
        }
        let entry = self.next.take();
        if let Err(failure) = self.advance() {
            self.stopped(&failure);
        }
        entry
    }

    /// Reads up to the next entry. At the end there is none, and the log is closed.
    fn advance(&mut self) -> Result<(), Failure> {
        while let Some(reader) = &mut self.reader {
            self.buffer.clear();
            let whole = reader.line(&mut self.buffer)?;
            if self.buffer.is_empty() {
                (self.reader, self.ended) = (None, true);
                return Ok(());
            }
            self.line += 1;
            self.bytes += self.buffer.len() as u64;
            let line = if whole {
                self.parser.line(&self.buffer)?
            } else {
                Line::Fault(LineFault::TOO_LONG)
            };
            match line {
                Line::Entry(entry) => {
                    self.used += 1;
                    self.next = Some(entry);
                    return Ok(());
                }
                Line::Unused => self.unused += 1,
                Line::Header => {}
                Line::Fault(fault) => self.tally(fault),
            }
        }
        Ok(())
    }

    fn tally(&mut self, fault: LineFault) {
        let first = Tally {
            fault,
            line: self.line,
            lines: 0,
        };
        self.faults[fault.reason as usize].get_or_insert(first).lines += 1;
    }

    /// A log that was read to its end and is about other things.
    fn is_other(&self) -> bool {
        self.ended && self.next.is_none() && !self.parser.is_known() && self.faults.iter().all(Option::is_none)
    }

    fn stopped(&mut self, failure: &Failure) {
        (self.reader, self.ended) = (None, true);
        self.stopped = Some((self.line, failure.to_string()));
    }

    fn error(self, failure: &Failure) -> PipelineError {
        PipelineError::Log {
            name: self.input.name,
            reason: failure.to_string(),
        }
    }

    fn into_faults(self) -> impl Iterator<Item = LogFault> {
        let Self {
            input,
            used,
            faults,
            stopped,
            ..
        } = self;
        let mut lines: Vec<_> = faults.into_iter().flatten().collect();
        lines.sort_by_key(|tally| tally.line);
        let lines = lines
            .into_iter()
            .map(|tally| (tally.line, tally.fault.to_string(), tally.lines));
        let stopped = stopped.into_iter().map(|(line, reason)| (line, reason, 0));
        let fault = move |(line, reason, lines)| LogFault {
            name: input.name.clone(),
            line,
            reason,
            lines,
            lines_used: used,
        };
        lines.chain(stopped).map(fault)
    }
}

/// Lines with a limit.
struct Reader(Box<dyn BufRead + Send>);

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reader")
    }
}

impl Reader {
    /// Appends a line with its end; nothing at the end of the log. Says whether the line is whole: of one that is too long
    /// the beginning is kept and the rest is skipped.
    fn line(&mut self, buffer: &mut Vec<u8>) -> io::Result<bool> {
        self.0.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', buffer)?;
        if (buffer.len() as u64) < MAX_LINE_BYTES || buffer.ends_with(b"\n") {
            return Ok(true);
        }
        self.0.skip_until(b'\n')?;
        Ok(false)
    }
}

#[cfg(test)]
mod tests;

//! What every kind of capture offers the capture thread: fill a block, say how it went, say what was lost.

use std::fmt;
use std::path::PathBuf;

use crate::Block;

/// How a call of [`Source::fill`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// The block holds frames; more may follow.
    Frames,
    /// A live source waited its poll timeout and nothing came; the block may hold frames all the same.
    Idle,
    /// No frame will follow; the block may hold the last ones.
    End,
}

/// A part of the input that could not be used. What was read before it was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file, or `-` for standard input.
    pub path: PathBuf,
    /// Offset in the (uncompressed) file where reading stopped, in bytes.
    pub offset: u64,
    /// What was wrong there, for people.
    pub reason: String,
    /// Packets read from this file before that.
    pub packets_kept: u64,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            offset,
            reason,
            packets_kept,
        } = self;
        write!(
            f,
            "{}: damaged at byte {offset}: {reason}; kept the {packets_kept} packets before it",
            path.display()
        )
    }
}

/// Losses the kernel and the interface counted, totals since the source was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KernelCounters {
    /// Packets the kernel gave or would have given.
    pub received: u64,
    /// Dropped because the ring was full.
    pub dropped_kernel: u64,
    /// Dropped by the interface or its driver.
    pub dropped_interface: u64,
}

/// A time in which an interface of a tap delivered nothing because it was down or gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Its name.
    pub interface: String,
    /// Since when, nanoseconds since 1970 by the wall clock: a gap has no packets to tell the time.
    pub from_ns: i64,
    /// Until when.
    pub until_ns: i64,
    /// The system's reason.
    pub reason: String,
}

/// What a source counted itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceCounters {
    /// Frames put into blocks.
    pub frames: u64,
    /// Frames that the user's filter left out of files (a live filter works in the kernel and is not counted).
    pub filtered: u64,
    /// Input bytes consumed so far, of [`SourceCounters::input_bytes_total`]; for progress.
    pub input_bytes: u64,
    /// Input bytes in all, 0 where unknown (standard input, live).
    pub input_bytes_total: u64,
    /// Nanoseconds that [`Source::fill`] slept for want of frames, where the source knows.
    pub waited_ns: u64,
}

/// Why a source could not be opened or went away.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// The input could not be opened or read.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// What was opened.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The input is no capture file.
    #[error("{path}: {reason}", path = path.display())]
    NotACapture {
        /// The file.
        path: PathBuf,
        /// What its first bytes are instead, and what would be read.
        reason: String,
    },
    /// The interface could not be opened, or is gone.
    #[error("{interface}: {reason}")]
    Interface {
        /// Its name.
        interface: String,
        /// Why, and how to mend it.
        reason: String,
    },
    /// The filter expression does not compile.
    #[error("filter \"{expression}\": {reason}")]
    Filter {
        /// As given.
        expression: String,
        /// libpcap's words.
        reason: String,
    },
}

/// Anything that brings frames. Used from one thread.
pub trait Source: Send {
    /// Appends frames to an empty `block` until it is full, the source's patience ends, or nothing follows.
    ///
    /// # Errors
    /// Only when the source as a whole cannot go on. Damage inside one file is kept in [`Source::damage`] instead.
    fn fill(&mut self, block: &mut Block) -> Result<Fill, CaptureError>;

    /// The source's own counters so far.
    fn counters(&self) -> SourceCounters;

    /// Kernel and interface losses so far; `None` for files. May be called once a second.
    fn kernel_counters(&mut self) -> Option<KernelCounters> {
        None
    }

    /// Gaps since the last call; one that goes on is told up to now, and the rest later.
    fn take_gaps(&mut self) -> Vec<Gap> {
        Vec::new()
    }

    /// Damaged inputs so far.
    fn damage(&self) -> &[Damage] {
        &[]
    }

    /// Whether frames are lost while nobody calls [`Source::fill`]: true for a tap, where the pipeline must never wait.
    fn is_live(&self) -> bool {
        false
    }
}

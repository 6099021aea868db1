//! Several interfaces, and several threads for one, as one source.
//!
//! In: names of interfaces. Out: blocks in the order in which they were filled, gaps where an interface was down or gone. Each
//! reader thread copies frames from its own kernel ring into blocks; the capture thread takes whole blocks from them
//! (a swap of two buffers, no copy) and does the rest as for any source: it alone reads the hour's clock and chooses
//! workers, so the counts of an hour stay exact, and a conversation stays whole however its frames were spread. The frames
//! of a conversation keep their order within a reader (the kernel's hash sends them to one). Where the capture thread falls
//! behind, readers run out of blocks, the kernel's rings fill, and the kernel counts what it drops.
//!
//! Not its job: frames (`capture`), workers (`capture_loop`).

mod gaps;
mod reader;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use balefire_capture::{
    Block, CaptureError, Fill, Gap, KernelCounters, LiveOptions, LiveSource, LiveStopper, Source, SourceCounters,
};
use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded};
use parking_lot::Mutex;

use self::gaps::Gaps;
pub use self::gaps::Lost;
use self::reader::{Reader, open, start};
use crate::begin::Begin;

/// Blocks of a reader: one being filled, the others waiting for the capture thread or on their way back.
const BLOCKS: usize = 6;

/// How long the capture thread waits for a block before it says that nothing came.
const PATIENCE: Duration = Duration::from_millis(100);

/// What to listen to.
#[derive(Clone, Debug)]
pub struct TapOptions {
    /// Interfaces.
    pub interfaces: Vec<String>,
    /// Reader threads of each.
    pub readers: usize,
    /// How to listen.
    pub live: LiveOptions,
    /// What each reader does first.
    pub begin: Begin,
}

/// See the head of this file.
#[derive(Debug)]
pub struct Tap {
    full: Receiver<Full>,
    empty: Vec<Sender<Block>>,
    watch: TapWatch,
    stopper: LiveStopper,
    frames: u64,
    waited_ns: u64,
    begin: Begin,
    /// Opened, and started with the first [`Source::fill`]: threads have the rights of the one that starts them, and the
    /// program gives rights up between opening and running.
    waiting: Vec<(Reader, LiveSource)>,
}

/// Shows how the readers are; clones show the same. By default there are none.
#[derive(Clone, Debug, Default)]
pub struct TapWatch {
    readers: Arc<Vec<ReaderState>>,
}

/// What one reader shows.
#[derive(Debug)]
struct ReaderState {
    name: String,
    interface: String,
    beats: AtomicU64,
    lost: AtomicBool,
    received: AtomicU64,
    dropped_kernel: AtomicU64,
    dropped_interface: AtomicU64,
    gaps: Mutex<Gaps>,
}

/// A filled block and its reader.
#[derive(Debug)]
struct Full {
    reader: usize,
    block: Block,
}

impl Tap {
    /// Opens every interface as often as it has readers. The kernel keeps what arrives from now on.
    ///
    /// # Errors
    /// The first that cannot be opened.
    pub fn open(options: &TapOptions) -> Result<Self, CaptureError> {
        let each = options.readers.max(1);
        let stopper = LiveStopper::default();
        let mut sources = Vec::new();
        let mut states = Vec::new();
        for (number, interface) in options.interfaces.iter().enumerate() {
            let group = group(number, each);
            for reader in 0..each {
                sources.push((open(interface, &options.live, &stopper, group)?, group));
                states.push(ReaderState {
                    name: format!("reader-{interface}-{reader}"),
                    interface: interface.clone(),
                    beats: AtomicU64::new(0),
                    lost: AtomicBool::new(false),
                    received: AtomicU64::new(0),
                    dropped_kernel: AtomicU64::new(0),
                    dropped_interface: AtomicU64::new(0),
                    gaps: Mutex::default(),
                });
            }
        }
        let watch = TapWatch {
            readers: Arc::new(states),
        };
        let (to_capture, full) = bounded(sources.len() * BLOCKS);
        let (mut empty, mut waiting) = (Vec::new(), Vec::new());
        for (number, (source, group)) in sources.into_iter().enumerate() {
            let (give, take) = bounded(BLOCKS);
            for _ in 0..BLOCKS {
                // The channel has exactly that room.
                let _ = give.send(Block::touched());
            }
            empty.push(give);
            let reader = Reader {
                number,
                interface: watch.readers[number].interface.clone(),
                options: options.live.clone(),
                group,
                stopper: stopper.clone(),
                watch: watch.clone(),
                empty: take,
                full: to_capture.clone(),
                before: KernelCounters::default(),
                looked: Instant::now(),
                looked_at_link: Instant::now(),
            };
            waiting.push((reader, source));
        }
        Ok(Self {
            full,
            empty,
            watch,
            stopper,
            frames: 0,
            waited_ns: 0,
            begin: options.begin.clone(),
            waiting,
        })
    }

    /// What ends this source from another thread.
    pub fn stopper(&self) -> LiveStopper {
        self.stopper.clone()
    }

    /// What shows how the readers are.
    pub fn watch(&self) -> TapWatch {
        self.watch.clone()
    }
}

impl Source for Tap {
    fn fill(&mut self, block: &mut Block) -> Result<Fill, CaptureError> {
        for (reader, source) in self.waiting.drain(..) {
            start(reader, source, self.begin.clone())?;
        }
        // Only where nothing waits already is the time looked at.
        let taken = self.full.try_recv().or_else(|_| {
            let begun = Instant::now();
            let taken = self.full.recv_timeout(PATIENCE);
            self.waited_ns += u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
            taken
        });
        match taken {
            Ok(Full { reader, block: filled }) => {
                let mut used = std::mem::replace(block, filled);
                used.clear();
                self.frames += block.frames.len() as u64;
                // The reader may have ended; then the block is simply freed.
                let _ = self.empty[reader].try_send(used);
                Ok(Fill::Frames)
            }
            Err(RecvTimeoutError::Timeout) => Ok(Fill::Idle),
            Err(RecvTimeoutError::Disconnected) => Ok(Fill::End),
        }
    }

    fn counters(&self) -> SourceCounters {
        SourceCounters {
            frames: self.frames,
            waited_ns: self.waited_ns,
            ..SourceCounters::default()
        }
    }

    fn kernel_counters(&mut self) -> Option<KernelCounters> {
        let readers = self.watch.readers.iter();
        Some(readers.fold(KernelCounters::default(), |sum, reader| KernelCounters {
            received: sum.received + reader.received.load(Relaxed),
            dropped_kernel: sum.dropped_kernel + reader.dropped_kernel.load(Relaxed),
            dropped_interface: sum.dropped_interface + reader.dropped_interface.load(Relaxed),
        }))
    }

    fn take_gaps(&mut self) -> Vec<Gap> {
        // All readers of an interface lose it together: its gaps are told once, by the first.
        let mut told = BTreeMap::new();
        for reader in self.watch.readers.iter() {
            let gaps = reader.gaps.lock().take(now_ns());
            told.entry(&reader.interface).or_insert(gaps);
        }
        told.into_values().flatten().collect()
    }

    fn is_live(&self) -> bool {
        true
    }
}

impl TapWatch {
    /// Every reader thread, with a number that grows as long as it lives.
    pub fn beats(&self) -> Vec<(String, u64)> {
        let readers = self.readers.iter();
        readers
            .map(|reader| (reader.name.clone(), reader.beats.load(Relaxed)))
            .collect()
    }

    /// Every interface, and since when and why one of its readers has lost it, if so at the moment.
    pub fn lost(&self) -> Vec<(String, Option<Lost>)> {
        let mut states = BTreeMap::new();
        for reader in self.readers.iter() {
            let lost = states.entry(reader.interface.clone()).or_insert(None);
            if lost.is_none() && reader.lost.load(Relaxed) {
                *lost = reader.gaps.lock().begun.clone();
            }
        }
        states.into_iter().collect()
    }

    /// Gaps so far.
    pub fn gaps(&self) -> u64 {
        let mut counts = BTreeMap::new();
        for reader in self.readers.iter() {
            counts.entry(&reader.interface).or_insert(reader.gaps.lock().counted);
        }
        counts.into_values().sum()
    }
}

/// The group of an interface's readers; one reader needs none. Groups are numbered per network namespace, so the process's
/// own number keeps two programs apart.
fn group(interface: usize, readers: usize) -> Option<u16> {
    let number = std::process::id().wrapping_mul(31).wrapping_add(interface as u32);
    (readers > 1).then_some((number & 0xffff) as u16)
}

fn now_ns() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |now| i64::try_from(now.as_nanos()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_that_is_not_there_is_said_at_once() {
        let options = TapOptions {
            interfaces: vec!["balefire-none".to_owned()],
            readers: 2,
            live: LiveOptions::default(),
            begin: Begin::default(),
        };
        assert!(Tap::open(&options).is_err());
    }
}

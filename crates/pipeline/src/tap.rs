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

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use balefire_capture::{
    Block, CaptureError, Fill, Gap, KernelCounters, LiveOptions, LiveSource, LiveStopper, Source, SourceCounters,
};
use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded};
use parking_lot::Mutex;

use crate::begin::Begin;

/// Blocks of a reader: one being filled, the others waiting for the capture thread or on their way back.
const BLOCKS: usize = 6;

/// How long the capture thread waits for a block before it says that nothing came.
const PATIENCE: Duration = Duration::from_millis(100);

/// Between attempts to open an interface that is gone. It must be back within 5 s.
const RETRY: Duration = Duration::from_secs(1);

/// Between looks at the kernel's counters.
const COUNTERS_PERIOD: Duration = Duration::from_millis(500);

/// Between looks whether an interface on which nothing comes is up.
const LINK_PERIOD: Duration = Duration::from_millis(500);

/// Gaps kept until the hour's end; beyond, an interface that goes up and down all the time has its gaps joined.
const MOST_GAPS: usize = 256;

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
    begin: Begin,
    /// Opened, and started with the first [`Source::fill`]: threads have the rights of the one that starts them, and the
    /// program gives rights up between opening and running.
    waiting: Vec<(Reader, LiveSource)>,
}

/// Shows how the readers are; clones show the same.
#[derive(Clone, Debug)]
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

#[derive(Debug, Default)]
struct Gaps {
    open: Option<Gap>,
    closed: Vec<Gap>,
    counted: u64,
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
                let _ = give.send(Block::new());
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
        match self.full.recv_timeout(PATIENCE) {
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

    /// Every interface, and whether one of its readers has lost it at the moment.
    pub fn lost(&self) -> Vec<(String, bool)> {
        let mut states = BTreeMap::new();
        for reader in self.readers.iter() {
            *states.entry(reader.interface.clone()).or_insert(false) |= reader.lost.load(Relaxed);
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

impl Gaps {
    fn begin(&mut self, gap: Gap) {
        self.end(gap.from_ns);
        self.counted += 1;
        self.open = Some(gap);
    }

    fn end(&mut self, until_ns: i64) {
        let Some(mut gap) = self.open.take() else { return };
        gap.until_ns = until_ns;
        let is_full = self.closed.len() >= MOST_GAPS;
        match self.closed.last_mut() {
            Some(last) if is_full => last.until_ns = until_ns,
            _ => self.closed.push(gap),
        }
    }

    fn take(&mut self, now_ns: i64) -> Vec<Gap> {
        let goes_on = self.open.clone();
        self.end(now_ns);
        self.open = goes_on.map(|gap| Gap { from_ns: now_ns, ..gap });
        std::mem::take(&mut self.closed)
    }
}

/// One reader thread.
#[derive(Debug)]
struct Reader {
    number: usize,
    interface: String,
    options: LiveOptions,
    group: Option<u16>,
    stopper: LiveStopper,
    watch: TapWatch,
    empty: Receiver<Block>,
    full: Sender<Full>,
    /// Kernel counters of sources that are gone.
    before: KernelCounters,
    looked: Instant,
    looked_at_link: Instant,
}

fn start(reader: Reader, source: LiveSource, begin: Begin) -> Result<(), CaptureError> {
    let (name, interface) = (reader.state().name.clone(), reader.interface.clone());
    thread::Builder::new()
        .name(name)
        .spawn(move || {
            begin.call(&reader.state().name);
            reader.run(source);
        })
        .map(drop)
        .map_err(|error| CaptureError::Interface {
            interface,
            reason: format!("its reader thread could not be started: {error}"),
        })
}

impl Reader {
    fn run(mut self, first: LiveSource) {
        let mut source = Some(first);
        let mut spare = None;
        loop {
            self.state().beats.fetch_add(1, Relaxed);
            let Some(open) = &mut source else {
                if self.stopper.is_stopped() {
                    return;
                }
                source = self.again();
                continue;
            };
            // Without an empty block the kernel's ring has to hold what comes; it counts what it cannot.
            let waited = spare.take().map_or_else(|| self.empty.recv_timeout(PATIENCE), Ok);
            let mut block = match waited {
                Ok(block) => block,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let fill = open.fill(&mut block);
            if self.looked.elapsed() >= COUNTERS_PERIOD || !matches!(fill, Ok(Fill::Frames)) {
                self.looked = Instant::now();
                self.count(open);
            }
            if block.frames.is_empty() {
                spare = Some(block);
                self.look_at_link();
            } else {
                self.is_back();
                let number = self.number;
                if self.full.send(Full { reader: number, block }).is_err() {
                    return;
                }
            }
            match fill {
                Ok(Fill::Frames | Fill::Idle) => {}
                Ok(Fill::End) => return,
                Err(error) => {
                    self.before = self.kernel_now();
                    source = None;
                    self.lose(&error);
                }
            }
        }
    }

    fn state(&self) -> &ReaderState {
        &self.watch.readers[self.number]
    }

    fn lose(&self, error: &CaptureError) {
        self.begin_gap(match error {
            CaptureError::Interface { reason, .. } => reason.clone(),
            other => other.to_string(),
        });
    }

    fn begin_gap(&self, reason: String) {
        let state = self.state();
        state.lost.store(true, Relaxed);
        let from_ns = now_ns();
        state.gaps.lock().begin(Gap {
            interface: self.interface.clone(),
            from_ns,
            until_ns: from_ns,
            reason,
        });
    }

    /// An open interface that is taken down, or loses its cable, is silent and no more: libpcap goes on when it is up again, and so do
    /// we, but the time between is a gap like any other.
    fn look_at_link(&mut self) {
        if self.looked_at_link.elapsed() < LINK_PERIOD {
            return;
        }
        self.looked_at_link = Instant::now();
        match (down(&self.interface), self.state().lost.load(Relaxed)) {
            (Some(reason), false) => self.begin_gap(reason.to_owned()),
            (None, true) => self.is_back(),
            _ => {}
        }
    }

    fn is_back(&self) {
        let state = self.state();
        if state.lost.swap(false, Relaxed) {
            state.gaps.lock().end(now_ns());
        }
    }

    /// Waits a moment, and tries to open the interface again.
    fn again(&self) -> Option<LiveSource> {
        let begun = Instant::now();
        while begun.elapsed() < RETRY {
            if self.stopper.is_stopped() {
                return None;
            }
            thread::sleep(Duration::from_millis(50));
            self.state().beats.fetch_add(1, Relaxed);
        }
        let source = open(&self.interface, &self.options, &self.stopper, self.group).ok()?;
        self.is_back();
        Some(source)
    }

    fn count(&self, source: &mut LiveSource) {
        if let Some(now) = source.kernel_counters() {
            let state = self.state();
            state.received.store(self.before.received + now.received, Relaxed);
            let dropped = self.before.dropped_kernel + now.dropped_kernel;
            state.dropped_kernel.store(dropped, Relaxed);
            let dropped = self.before.dropped_interface + now.dropped_interface;
            state.dropped_interface.store(dropped, Relaxed);
        }
    }

    fn kernel_now(&self) -> KernelCounters {
        let state = self.state();
        KernelCounters {
            received: state.received.load(Relaxed),
            dropped_kernel: state.dropped_kernel.load(Relaxed),
            dropped_interface: state.dropped_interface.load(Relaxed),
        }
    }
}

fn open(
    interface: &str,
    options: &LiveOptions,
    stopper: &LiveStopper,
    group: Option<u16>,
) -> Result<LiveSource, CaptureError> {
    let source = LiveSource::open(interface, options)?.stopped_by(stopper.clone());
    if let Some(group) = group {
        source.share(group)?;
    }
    Ok(source)
}

/// Why nothing can come from an interface, as sysfs says (Documentation/ABI/testing/sysfs-class-net): without IFF_UP, or without a
/// carrier. Where it says nothing (`any`, no sysfs) it is taken for up.
fn down(interface: &str) -> Option<&'static str> {
    const IFF_UP: u32 = 1;
    let read = |what: &str| fs::read_to_string(format!("/sys/class/net/{interface}/{what}")).ok();
    let flags = read("flags").and_then(|text| u32::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok());
    if flags.is_some_and(|flags| flags & IFF_UP == 0) {
        return Some("the interface is down");
    }
    let carrier = read("carrier");
    carrier
        .is_some_and(|carrier| carrier.trim() == "0")
        .then_some("no carrier: the cable, or the other side")
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

    fn gap(from_ns: i64) -> Gap {
        Gap {
            interface: "eth7".to_owned(),
            from_ns,
            until_ns: from_ns,
            reason: "gone".to_owned(),
        }
    }

    #[test]
    fn a_gap_over_the_hours_end_is_told_in_both_hours() {
        let mut gaps = Gaps::default();
        gaps.begin(gap(10));
        let told = |gaps: &mut Gaps, now| -> Vec<(i64, i64)> {
            gaps.take(now).iter().map(|gap| (gap.from_ns, gap.until_ns)).collect()
        };
        assert_eq!(told(&mut gaps, 100), [(10, 100)]);
        gaps.end(130);
        gaps.begin(gap(140));
        gaps.end(150);
        assert_eq!(told(&mut gaps, 200), [(100, 130), (140, 150)]);
        assert_eq!(told(&mut gaps, 300), []);
        assert_eq!(gaps.counted, 2);
    }

    #[test]
    fn down_and_then_gone_are_two_gaps_one_after_the_other() {
        let mut gaps = Gaps::default();
        gaps.begin(gap(10));
        gaps.begin(gap(20));
        gaps.end(30);
        let told: Vec<(i64, i64)> = gaps.take(40).iter().map(|gap| (gap.from_ns, gap.until_ns)).collect();
        assert_eq!(told, [(10, 20), (20, 30)]);
    }

    #[test]
    fn of_what_is_not_in_sysfs_nothing_is_said() {
        assert_eq!((down("balefire-none"), down("any")), (None, None));
    }

    #[test]
    fn gaps_without_end_are_bounded() {
        let mut gaps = Gaps::default();
        for number in 0..10_000 {
            gaps.begin(gap(number * 10));
            gaps.end(number * 10 + 5);
        }
        let told = gaps.take(1_000_000);
        assert_eq!(told.len(), MOST_GAPS);
        assert_eq!(told.last().map(|gap| gap.until_ns), Some(99_995));
    }

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

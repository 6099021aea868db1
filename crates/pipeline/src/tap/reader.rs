//! A reader thread: copies frames from its own kernel ring into blocks, and notices when its interface is lost and back.
//!
//! In: an opened source, empty blocks. Out: filled blocks, the kernel's counters, gaps. Not its job: what becomes of blocks (`tap`).

use std::fs;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

use balefire_capture::{Block, CaptureError, Fill, Gap, KernelCounters, LiveOptions, LiveSource, LiveStopper, Source};
use crossbeam::channel::{Receiver, RecvTimeoutError, Sender};

use super::{Full, PATIENCE, ReaderState, TapWatch, now_ns};
use crate::begin::Begin;

/// Between attempts to open an interface that is gone. It must be back within 5 s.
const RETRY: Duration = Duration::from_secs(1);

/// Between looks at the kernel's counters.
const COUNTERS_PERIOD: Duration = Duration::from_millis(500);

/// Between looks whether an interface on which nothing comes is up.
const LINK_PERIOD: Duration = Duration::from_millis(500);

/// One reader thread.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) number: usize,
    pub(super) interface: String,
    pub(super) options: LiveOptions,
    pub(super) group: Option<u16>,
    pub(super) stopper: LiveStopper,
    pub(super) watch: TapWatch,
    pub(super) empty: Receiver<Block>,
    pub(super) full: Sender<Full>,
    /// Kernel counters of sources that are gone.
    pub(super) before: KernelCounters,
    pub(super) looked: Instant,
    pub(super) looked_at_link: Instant,
}

pub(super) fn start(reader: Reader, source: LiveSource, begin: Begin) -> Result<(), CaptureError> {
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

pub(super) fn open(
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_is_not_in_sysfs_nothing_is_said() {
        assert_eq!((down("balefire-none"), down("any")), (None, None));
    }
}

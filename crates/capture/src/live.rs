//! Frames from a network interface, through libpcap and the kernel's memory-mapped ring (TPACKET_V3).
//!
//! In: an interface's name. Out: blocks, `Idle` where nothing comes, the kernel's loss counters. Not its job: threads, and
//! what is dropped when the workers are slow: that is counted where it happens, in the pipeline and in the kernel.

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use balefire_decode::LinkType;
use pcap::{Active, Capture, Precision, Stat};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::link::{link_of, prefix_bytes};
use crate::source::KernelCounters;
use crate::{BLOCK_BYTES, Block, CaptureError, Fill, FrameRecord, MAX_FRAME_BYTES, Source, SourceCounters};

/// The most frames taken from the ring between two looks at the block: what may be held back for the next block is at most
/// so many frames of the snap length.
const BATCH_FRAMES: usize = 256;

/// What gives a program the right to listen without being root.
pub(crate) const MEND_PERMISSION: &str =
    "run as root, or once: sudo setcap cap_net_raw,cap_net_admin=eip $(command -v balefire)";

/// How to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveOptions {
    /// Take frames that are not for this machine; a tap has no others.
    pub promiscuous: bool,
    /// The most bytes taken of a frame, at most [`MAX_FRAME_BYTES`].
    ///
    /// 16 KiB takes a jumbo frame (9,216) whole with any tunnel around it. Only what receive offload has glued together is
    /// cut, up to 64 KiB long: nothing that is read of a frame lies so far behind, and counts use the length on the wire.
    pub snaplen_bytes: u32,
    /// Size of the kernel's ring. 64 MiB holds half a second at 1 Gbit/s: the longest a capture thread should be kept
    /// from running by others.
    pub buffer_bytes: u32,
    /// Frames that this expression in libpcap's filter language does not match stay in the kernel.
    pub filter: Option<String>,
    /// How long [`Source::fill`] waits for a frame before it says `Idle`, and the longest a frame waits in the ring for
    /// others to come; milliseconds.
    pub poll_timeout_ms: u32,
}

impl Default for LiveOptions {
    fn default() -> Self {
        Self {
            promiscuous: true,
            snaplen_bytes: 16 * 1024,
            buffer_bytes: 64 << 20,
            filter: None,
            poll_timeout_ms: 100,
        }
    }
}

/// Ends a [`LiveSource`] from another thread. Clones end the same source.
#[derive(Clone, Debug, Default)]
pub struct LiveStopper {
    stop: Arc<AtomicBool>,
}

impl LiveStopper {
    /// Lets [`Source::fill`] deliver what the kernel holds and then say `End`, within two poll timeouts on a silent
    /// interface and after one ring's worth of frames on a busy one.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked to stop.
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// An interface that is being listened to.
///
/// libpcap's own wait has no end on a silent ring (TPACKET_V3 hands over no empty blocks), so the handle is non-blocking and
/// the wait is a `poll` of our own with a timeout.
pub struct LiveSource {
    interface: String,
    capture: Capture<Active>,
    link: LinkType,
    /// Bytes before every frame that were never on the wire.
    prefix_bytes: u32,
    /// Nanoseconds in a unit of the fraction of a second.
    unit_ns: i64,
    poll_timeout_ms: u32,
    /// Frames that did not fit the last block.
    held: Block,
    stopper: LiveStopper,
    /// Once stopping: bytes that are still taken from the ring.
    drain_bytes: u64,
    /// What ended the capture, told once the frames before it are delivered.
    failure: Option<CaptureError>,
    counters: SourceCounters,
    kernel: KernelTotals,
}

impl fmt::Debug for LiveSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            interface,
            link,
            counters,
            ..
        } = self;
        f.debug_struct("LiveSource")
            .field("interface", interface)
            .field("link", link)
            .field("counters", counters)
            .finish_non_exhaustive()
    }
}

impl LiveSource {
    /// Opens `interface` (`any` for all of them) and begins to capture.
    ///
    /// # Errors
    /// [`CaptureError::Interface`] when it is not there or may not be opened, with what mends it;
    /// [`CaptureError::Filter`] when the filter does not compile for its link type.
    pub fn open(interface: &str, options: &LiveOptions) -> Result<Self, CaptureError> {
        let refused = |error: pcap::Error| CaptureError::Interface {
            interface: interface.to_owned(),
            reason: explain(&error, interface),
        };
        let snaplen = options.snaplen_bytes.clamp(64, MAX_FRAME_BYTES as u32);
        let nanoseconds = has_nanoseconds(interface);
        let capture = Capture::from_device(interface)
            .map_err(refused)?
            .promisc(options.promiscuous)
            .immediate_mode(false)
            .snaplen(snaplen.cast_signed())
            .buffer_size(i32::try_from(options.buffer_bytes).unwrap_or(i32::MAX))
            .timeout(i32::try_from(options.poll_timeout_ms.max(1)).unwrap_or(i32::MAX))
            .precision(if nanoseconds { Precision::Nano } else { Precision::Micro })
            .open()
            .map_err(refused)?;
        let mut capture = capture.setnonblock().map_err(refused)?;
        if let Some(expression) = &options.filter {
            capture.filter(expression, true).map_err(|error| CaptureError::Filter {
                expression: expression.clone(),
                reason: text(&error),
            })?;
        }
        let link = link_of(capture.get_datalink().0);
        Ok(Self {
            interface: interface.to_owned(),
            capture,
            link,
            prefix_bytes: prefix_bytes(link),
            unit_ns: if nanoseconds { 1 } else { 1_000 },
            poll_timeout_ms: options.poll_timeout_ms.max(1),
            held: Block::default(),
            stopper: LiveStopper::default(),
            drain_bytes: options.buffer_bytes.into(),
            failure: None,
            counters: SourceCounters::default(),
            kernel: KernelTotals::default(),
        })
    }

    /// Ended by `stopper`, which may end others too.
    #[must_use]
    pub fn stopped_by(mut self, stopper: LiveStopper) -> Self {
        self.stopper = stopper;
        self
    }

    /// Shares the interface's frames with the other sources of the same `group` in this process: each frame goes to one of
    /// them, those of a conversation to the same one. The kernel's hash is of addresses and ports, both directions alike
    /// (`__skb_get_hash_symmetric`, packet(7) `PACKET_FANOUT_HASH`).
    ///
    /// # Errors
    /// [`CaptureError::Interface`] when the kernel refuses.
    pub fn share(&self, group: u16) -> Result<(), CaptureError> {
        crate::fanout::join(self.capture.as_fd(), group).map_err(|error| CaptureError::Interface {
            interface: self.interface.clone(),
            reason: format!("its frames cannot be shared among threads: {error}; use one capture thread"),
        })
    }

    /// What ends this source from another thread.
    pub fn stopper(&self) -> LiveStopper {
        self.stopper.clone()
    }

    /// The link type of the interface.
    pub fn link(&self) -> LinkType {
        self.link
    }

    fn lost(&self, error: &pcap::Error) -> CaptureError {
        CaptureError::Interface {
            interface: self.interface.clone(),
            reason: explain(error, &self.interface),
        }
    }

    /// Takes a batch of frames from the ring; returns how many there were.
    fn take_batch(&mut self, block: &mut Block) -> Result<usize, pcap::Error> {
        let Self {
            capture,
            held,
            link,
            prefix_bytes,
            unit_ns,
            ..
        } = self;
        capture.dispatch(Some(BATCH_FRAMES), |packet| {
            let record = FrameRecord {
                time_ns: packet
                    .header
                    .ts
                    .tv_sec
                    .saturating_mul(1_000_000_000)
                    .saturating_add(packet.header.ts.tv_usec.saturating_mul(*unit_ns)),
                offset: 0,
                // libpcap gives no more than the snap length.
                captured: packet.data.len() as u32,
                wire_bytes: packet.header.len.saturating_sub(*prefix_bytes),
                link: *link,
                interface: 0,
            };
            // Once one is held, all that follow are: frames keep their order.
            let fits = held.frames.is_empty() && block.bytes.len() + packet.data.len() <= BLOCK_BYTES;
            append(if fits { &mut *block } else { &mut *held }, record, packet.data);
        })
    }

    /// Waits for a frame; whether one may be there.
    fn wait(&mut self) -> Result<bool, CaptureError> {
        let begun = Instant::now();
        let woken = self.poll();
        self.counters.waited_ns += u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        woken
    }

    fn poll(&self) -> Result<bool, CaptureError> {
        let seconds = i64::from(self.poll_timeout_ms / 1_000);
        let nanoseconds = i64::from(self.poll_timeout_ms % 1_000) * 1_000_000;
        let timeout = Timespec {
            tv_sec: seconds,
            tv_nsec: nanoseconds,
        };
        let fd: BorrowedFd<'_> = self.capture.as_fd();
        match poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::IN)], Some(&timeout)) {
            Ok(ready) => Ok(ready > 0),
            // A signal: the caller looks whether it means the end.
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(CaptureError::Interface {
                interface: self.interface.clone(),
                reason: format!("cannot wait for frames: {error}"),
            }),
        }
    }

    /// Moves frames that were held into `block`, as many as fit.
    fn take_held(&mut self, block: &mut Block) {
        if self.held.frames.is_empty() {
            return;
        }
        let mut moved = 0;
        for record in &self.held.frames {
            let frame = self.held.frame(record).bytes;
            if block.bytes.len() + frame.len() > BLOCK_BYTES {
                break;
            }
            append(block, *record, frame);
            moved += 1;
        }
        if moved == self.held.frames.len() {
            self.held.clear();
        } else {
            self.held.frames.drain(..moved);
        }
    }

    fn deliver(&mut self, block: &Block) -> Fill {
        self.counters.frames += block.frames.len() as u64;
        Fill::Frames
    }
}

impl Source for LiveSource {
    fn fill(&mut self, block: &mut Block) -> Result<Fill, CaptureError> {
        block.clear();
        self.take_held(block);
        let mut waited = false;
        loop {
            let stopping = self.stopper.stop.load(Ordering::Relaxed);
            if !self.held.frames.is_empty() {
                return Ok(self.deliver(block));
            }
            if let Some(failure) = self.failure.take() {
                return Err(failure);
            }
            if stopping && self.drain_bytes == 0 {
                self.deliver(block);
                return Ok(Fill::End);
            }
            let before = block.bytes.len();
            let taken = match self.take_batch(block) {
                Ok(taken) => taken,
                Err(error) => {
                    self.failure = Some(self.lost(&error));
                    if block.frames.is_empty() {
                        continue;
                    }
                    return Ok(self.deliver(block));
                }
            };
            if stopping {
                let bytes = block.bytes.len() - before + self.held.bytes.len();
                self.drain_bytes = self.drain_bytes.saturating_sub(bytes as u64);
            }
            if taken > 0 {
                continue;
            }
            if !block.frames.is_empty() {
                return Ok(self.deliver(block));
            }
            // After a stop one wait more: the kernel hands over its last block when the timeout is over.
            if waited {
                return Ok(if stopping { Fill::End } else { Fill::Idle });
            }
            self.wait()?;
            waited = true;
        }
    }

    fn counters(&self) -> SourceCounters {
        self.counters
    }

    fn kernel_counters(&mut self) -> Option<KernelCounters> {
        // The interface may be gone, with its counters: the last ones are the best answer.
        if let Ok(stat) = self.capture.stats() {
            self.kernel.take(stat);
        }
        Some(self.kernel.totals)
    }

    fn is_live(&self) -> bool {
        true
    }
}

fn append(block: &mut Block, mut record: FrameRecord, frame: &[u8]) {
    // A block has 1 MiB; what is held is at most BATCH_FRAMES frames of MAX_FRAME_BYTES, 64 MiB.
    record.offset = block.bytes.len() as u32;
    block.bytes.extend_from_slice(frame);
    block.frames.push(record);
}

/// libpcap's counters have 32 bits, which are full after minutes at full rate: sums their differences.
#[derive(Debug, Default)]
struct KernelTotals {
    last: [u32; 3],
    totals: KernelCounters,
}

impl KernelTotals {
    fn take(&mut self, stat: Stat) {
        let now = [stat.received, stat.dropped, stat.if_dropped];
        let totals = [
            &mut self.totals.received,
            &mut self.totals.dropped_kernel,
            &mut self.totals.dropped_interface,
        ];
        for ((total, now), last) in totals.into_iter().zip(now).zip(self.last) {
            *total += u64::from(now.wrapping_sub(last));
        }
        self.last = now;
    }
}

/// Whether libpcap offers nanoseconds there: on every network interface of the system, not on what its other modules bring
/// (pcap-tstamp(7) and the modules' own sources; the crate cannot ask).
fn has_nanoseconds(interface: &str) -> bool {
    let other = [
        "nflog",
        "nfqueue",
        "usbmon",
        "bluetooth",
        "dbus",
        "dag",
        "snf",
        "rdmasniff",
    ];
    !other.iter().any(|prefix| interface.starts_with(prefix))
}

fn text(error: &pcap::Error) -> String {
    match error {
        pcap::Error::PcapError(reason) => reason.trim().to_owned(),
        other => other.to_string(),
    }
}

/// libpcap's reason, and what mends it where that is known.
pub(crate) fn explain(error: &pcap::Error, interface: &str) -> String {
    let reason = text(error);
    let known = reason.to_ascii_lowercase();
    if known.contains("permi") || known.contains("not permitted") {
        format!("{reason}; {MEND_PERMISSION}")
    } else if known.contains("no such device") || known.contains("doesn't exist") {
        format!("{reason}; `balefire interfaces` lists what is there")
    } else if known.contains("not up") || known.contains("is down") || known.contains("went down") {
        format!("{reason}; ip link set {interface} up")
    } else {
        reason
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_counters_go_on_beyond_32_bits() {
        let mut totals = KernelTotals::default();
        let stat = |received, dropped| Stat {
            received,
            dropped,
            if_dropped: 0,
        };
        totals.take(stat(u32::MAX - 1, 5));
        totals.take(stat(3, 9));
        assert_eq!(totals.totals.received, u64::from(u32::MAX) + 4);
        assert_eq!(totals.totals.dropped_kernel, 9);
    }

    #[test]
    fn reasons_carry_what_mends_them() {
        let explained = |reason: &str| explain(&pcap::Error::PcapError(reason.to_owned()), "eth9");
        assert!(explained("socket: Operation not permitted").ends_with("$(command -v balefire)"));
        assert!(explained("eth9: You don't have permission to capture").contains("setcap"));
        assert!(explained("eth9: No such device exists").contains("balefire interfaces"));
        assert!(explained("eth9: That device is not up").ends_with("; ip link set eth9 up"));
        assert!(explained("The interface is down").ends_with("; ip link set eth9 up"));
        assert_eq!(explained("odd\n"), "odd");
    }

    #[test]
    fn an_interface_that_is_not_there_is_said() {
        let error = LiveSource::open("balefire-none", &LiveOptions::default()).unwrap_err();
        assert!(error.to_string().starts_with("balefire-none: "), "{error}");
    }
}

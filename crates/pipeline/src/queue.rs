//! What crosses threads, and the lanes it crosses on: one bounded lock-free queue per worker, one way back for empty lists.
//!
//! The unit is a [`Batch`]: one worker's share of a block's frames, with a reference on the block. A block is free again
//! when its last batch is dropped, which the capture thread sees from the reference count: no lock, no allocation.
//! Not its job: who gets which frame (dispatch) and what happens to it (worker).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use balefire_capture::{Block, FrameRecord};
use balefire_detect::Period;
use balefire_track::KeyedPacket;
use crossbeam::queue::ArrayQueue;
use crossbeam::sync::{Parker, Unparker};

/// One frame as it crosses threads.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Handed {
    /// Of the plain kind: decoded by the capture thread, while its bytes were in that core's cache; payload offsets are in the
    /// block. The worker touches the frame only where it reads a payload.
    Plain(KeyedPacket),
    /// Any other: the worker decodes it, so what an odd frame costs is never the capture thread's time.
    Raw(FrameRecord),
    /// What a worker leaves in the place of a frame that it counted and that is no packet.
    Done,
}

const _: () = assert!(size_of::<Handed>() == size_of::<KeyedPacket>());

/// One worker's share of a block.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) block: Arc<Block>,
    pub(crate) frames: Vec<Handed>,
    /// Wall time of the hand-over, for latency only.
    pub(crate) handed_over: Instant,
}

/// What a worker is told, in order.
#[derive(Debug)]
pub(crate) enum Message {
    /// Work.
    Frames(Batch),
    /// An hour is over: answer with its part.
    Hour(HourMark),
    /// Nothing follows: answer with the rest.
    End,
}

/// The end of an hour, at its place between the frames.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HourMark {
    /// Counts the hours of the run, from 0.
    pub(crate) number: u64,
    pub(crate) period: Period,
    /// The run ends with it: connections still open are told as closed in it.
    pub(crate) last: bool,
}

/// The capture thread's side of one worker's queue.
#[derive(Debug)]
pub(crate) struct Lane {
    queue: Arc<ArrayQueue<Message>>,
    wake: Unparker,
    gone: Arc<AtomicBool>,
}

/// The worker's side.
#[derive(Debug)]
pub(crate) struct Inbox {
    queue: Arc<ArrayQueue<Message>>,
    parker: Parker,
    capture: Unparker,
    gone: Arc<AtomicBool>,
    /// Grows with every look at the queue: who watches it sees whether the worker is stuck.
    pub(crate) beats: Arc<AtomicU64>,
}

/// How long a thread sleeps at most before it looks again; wake-ups are explicit, this only bounds a missed one.
const NAP: Duration = Duration::from_millis(20);

/// A queue for `blocks` messages; `capture` wakes the capture thread when the worker has taken one.
pub(crate) fn lane(blocks: usize, capture: Unparker) -> (Lane, Inbox) {
    let queue = Arc::new(ArrayQueue::new(blocks.max(1)));
    let parker = Parker::new();
    let gone = Arc::new(AtomicBool::new(false));
    let lane = Lane {
        queue: Arc::clone(&queue),
        wake: parker.unparker().clone(),
        gone: Arc::clone(&gone),
    };
    (
        lane,
        Inbox {
            queue,
            parker,
            capture,
            gone,
            beats: Arc::default(),
        },
    )
}

impl Lane {
    /// Hands a message over, or gives it back if the queue is full.
    pub(crate) fn push(&self, message: Message) -> Result<(), Message> {
        let pushed = self.queue.push(message);
        self.wake.unpark();
        pushed
    }

    /// Messages waiting.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// How many quarters of the queue are taken.
    pub(crate) fn quarters(&self) -> usize {
        4 * self.queue.len() / self.queue.capacity()
    }

    /// Whether the worker has ended, by a bug if nobody told it to.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }
}

impl Inbox {
    /// The next message; sleeps while there is none, and does `meanwhile` before each sleep, with the time slept so far. `idle_ns` grows by the time slept. Where the capture thread is gone
    /// without a word (another worker failed) that is the end.
    pub(crate) fn pop(&self, idle_ns: &mut u64, mut meanwhile: impl FnMut(u64)) -> Message {
        loop {
            self.beats.fetch_add(1, Ordering::Relaxed);
            // Looked at before the queue: what the capture thread pushed last is then taken all the same.
            let alone = Arc::strong_count(&self.queue) == 1;
            if let Some(message) = self.queue.pop() {
                // Waking a sleeper is a system call: not for every block, only once there is room for a quarter of the queue.
                if 4 * self.queue.len() <= 3 * self.queue.capacity() {
                    self.capture.unpark();
                }
                return message;
            }
            if alone {
                return Message::End;
            }
            meanwhile(*idle_ns);
            let asleep = Instant::now();
            self.parker.park_timeout(NAP);
            *idle_ns += asleep.elapsed().as_nanos() as u64;
        }
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.gone.store(true, Ordering::Release);
        self.capture.unpark();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_lane_gives_back_and_a_dropped_inbox_is_seen() {
        let (lane, inbox) = lane(1, Parker::new().unparker().clone());
        assert!(lane.push(Message::End).is_ok());
        assert!(matches!(lane.push(Message::End), Err(Message::End)));
        assert!(!lane.is_gone());
        let mut idle_ns = 0;
        assert!(matches!(inbox.pop(&mut idle_ns, |_| ()), Message::End));
        drop(inbox);
        assert!(lane.is_gone());
    }

    #[test]
    fn a_capture_thread_that_is_gone_ends_its_workers() {
        let (lane, inbox) = lane(2, Parker::new().unparker().clone());
        let period = Period {
            kind: balefire_detect::PeriodKind::Hour,
            start_ns: 0,
            end_ns: 1,
            partial: true,
        };
        let mark = HourMark {
            number: 0,
            period,
            last: false,
        };
        assert!(lane.push(Message::Hour(mark)).is_ok());
        drop(lane);
        let mut idle_ns = 0;
        assert!(
            matches!(inbox.pop(&mut idle_ns, |_| ()), Message::Hour(_)),
            "what was pushed comes first"
        );
        assert!(matches!(inbox.pop(&mut idle_ns, |_| ()), Message::End));
    }
}

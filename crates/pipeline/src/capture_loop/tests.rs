//! The capture loop against scripted sources: where frames and marks go, and what a full queue does.

use std::thread;

use balefire_capture::{Block, CaptureError, FrameRecord};
use balefire_decode::LinkType;
use balefire_detect::Home;
use crossbeam::channel::{self, Receiver};

use super::*;
use crate::hours::HOUR_NS;
use crate::profile::Watch;
use crate::queue::{self, Inbox};

const T0: i64 = 1_700_000_000_000_000_000 / HOUR_NS * HOUR_NS;

/// Gives the listed times as frames, one block a call; an empty block is silence.
struct Script {
    blocks: std::vec::IntoIter<Vec<i64>>,
    live: bool,
    frames: u64,
    fails: bool,
}

impl Source for Script {
    fn fill(&mut self, block: &mut Block) -> Result<Fill, CaptureError> {
        let Some(times) = self.blocks.next() else {
            let gone = CaptureError::Interface {
                interface: "tap0".to_owned(),
                reason: "gone".to_owned(),
            };
            return if self.fails { Err(gone) } else { Ok(Fill::End) };
        };
        for time_ns in times {
            let (offset, link) = (block.bytes.len() as u32, LinkType(1));
            block.bytes.extend_from_slice(&[0; 14]);
            block.frames.push(FrameRecord {
                time_ns,
                offset,
                captured: 14,
                wire_bytes: 60,
                link,
                interface: 0,
            });
            self.frames += 1;
        }
        Ok(if block.frames.is_empty() {
            Fill::Idle
        } else {
            Fill::Frames
        })
    }

    fn counters(&self) -> SourceCounters {
        SourceCounters {
            frames: self.frames,
            ..SourceCounters::default()
        }
    }

    fn kernel_counters(&mut self) -> Option<KernelCounters> {
        self.live.then(|| KernelCounters {
            received: self.frames,
            dropped_kernel: self.frames * 2,
            dropped_interface: 0,
        })
    }

    fn is_live(&self) -> bool {
        self.live
    }
}

fn capture_loop(
    blocks: Vec<Vec<i64>>,
    live: bool,
    fails: bool,
    queue_blocks: usize,
) -> (CaptureLoop, Inbox, Receiver<Report>) {
    let (reports, received) = channel::unbounded();
    let parker = Parker::new();
    let (lane, inbox) = queue::lane(queue_blocks, parker.unparker().clone());
    let wiring = Wiring {
        lateness_ns: 0,
        queue_blocks,
        hasher: balefire_track::KeyHasher::new(0),
        dispatcher: Dispatcher::new(Home::default(), 1, 0),
        lanes: vec![lane],
        spare: Arc::new(ArrayQueue::new(queue_blocks + 2)),
        parker,
        gauges: Gauges::new(1, queue_blocks, live),
        reports,
        watch: Watch::new(false),
    };
    let script = Script {
        blocks: blocks.into_iter(),
        live,
        frames: 0,
        fails,
    };
    (CaptureLoop::new(Box::new(script), wiring), inbox, received)
}

/// What a worker would see: `f12` for a batch of 12 frames, `h0` for the mark of hour 0, `end`.
fn drain(inbox: &Inbox) -> Vec<String> {
    let mut seen = Vec::new();
    let mut idle_ns = 0;
    loop {
        match inbox.pop(&mut idle_ns, |_| ()) {
            Message::Frames(batch) => seen.push(format!("f{}", batch.frames.len())),
            Message::Hour(mark) => seen.push(format!("h{}{}", mark.number, if mark.last { " last" } else { "" })),
            Message::End => {
                seen.push("end".to_owned());
                return seen;
            }
        }
    }
}

fn hours(received: &Receiver<Report>) -> Vec<CaptureCounts> {
    let counts = received.try_iter().filter_map(|report| match report {
        Report::Hour { counts, .. } => Some(*counts),
        _ => None,
    });
    counts.collect()
}

#[test]
fn marks_stand_between_the_frames_of_their_hours() {
    let blocks = vec![vec![T0, T0 + 1, T0 + HOUR_NS, T0 + 5], vec![T0 + 3 * HOUR_NS]];
    let (capture, inbox, received) = capture_loop(blocks, false, false, 8);
    let worker = thread::spawn(move || drain(&inbox));
    capture.run(&AtomicBool::new(false));
    assert_eq!(worker.join().unwrap(), ["f2", "h0", "f2", "h1", "f1", "h2 last", "end"]);
    let counts = hours(&received);
    assert_eq!(
        counts.iter().map(|hour| (hour.received, hour.late)).collect::<Vec<_>>(),
        [(2, 0), (2, 1), (1, 0)]
    );
}

#[test]
fn a_file_waits_for_a_full_queue() {
    let blocks = (0..50).map(|block| vec![T0 + block; 3]).collect();
    let (capture, inbox, received) = capture_loop(blocks, false, false, 1);
    let worker = thread::spawn(move || drain(&inbox));
    capture.run(&AtomicBool::new(false));
    let frames = worker.join().unwrap().iter().filter(|message| *message == "f3").count();
    assert_eq!(frames, 50);
    assert_eq!(hours(&received)[0].queue_drops, [0]);
}

#[test]
fn a_tap_drops_and_counts_but_keeps_its_marks() {
    let mut blocks: Vec<Vec<i64>> = (0..20).map(|block| vec![T0 + block; 3]).collect();
    blocks.extend((0..20).map(|block| vec![T0 + HOUR_NS + block; 3]));
    let (capture, inbox, received) = capture_loop(blocks, true, false, 2);
    // Nobody takes anything until the capture has nothing more to give but the marks.
    let gauges = Arc::clone(&capture.gauges);
    let capture = thread::spawn(move || capture.run(&AtomicBool::new(false)));
    while gauges.workers[0].queue_dropped.load(Relaxed) < 38 * 3 {
        thread::sleep(Duration::from_millis(1));
    }
    let seen = drain(&inbox);
    capture.join().unwrap();
    assert_eq!(seen, ["f3", "f3", "h0", "h1 last", "end"]);
    let counts = hours(&received);
    let drops: u64 = counts.iter().flat_map(|hour| &hour.queue_drops).sum();
    let taken: u64 = counts.iter().map(|hour| hour.received).sum();
    assert_eq!(taken, 120);
    assert_eq!(taken, drops + 6, "every frame was handed over or dropped by name");
    let kernel: u64 = counts
        .iter()
        .filter_map(|hour| hour.kernel)
        .map(|kernel| kernel.dropped_kernel)
        .sum();
    assert_eq!(kernel, 240, "the hours' kernel drops add up to the total");
}

#[test]
fn a_silent_tap_has_its_hour_and_a_silent_pipe_has_none() {
    for (live, expected) in [(true, &["h0 last", "end"][..]), (false, &["end"])] {
        let (capture, inbox, received) = capture_loop(vec![vec![], vec![]], live, false, 4);
        let gauges = Arc::clone(&capture.gauges);
        let worker = thread::spawn(move || drain(&inbox));
        capture.run(&AtomicBool::new(false));
        assert_eq!(worker.join().unwrap(), expected);
        let counts = hours(&received);
        assert!(counts.iter().all(|hour| hour.received == 0 && hour.last_ns.is_none()));
        assert_eq!(gauges.capture.newest_ns.load(Relaxed), 0, "silence is no packet");
    }
}

#[test]
fn a_source_that_fails_keeps_what_came_before() {
    let (capture, inbox, received) = capture_loop(vec![vec![T0]], false, true, 4);
    let worker = thread::spawn(move || drain(&inbox));
    capture.run(&AtomicBool::new(false));
    assert_eq!(worker.join().unwrap(), ["f1", "h0 last", "end"]);
    let end = received.try_iter().find_map(|report| match report {
        Report::CaptureEnd(end) => Some(end),
        _ => None,
    });
    assert!(end.is_some_and(|end| end.error.is_some() && end.hours_watched == (1, 1)));
}

#[test]
fn a_worker_that_died_ends_the_capture() {
    let blocks = (0..50).map(|block| vec![T0 + block]).collect();
    let (capture, inbox, _received) = capture_loop(blocks, false, false, 1);
    drop(inbox);
    capture.run(&AtomicBool::new(false)); // returns instead of waiting for ever
}

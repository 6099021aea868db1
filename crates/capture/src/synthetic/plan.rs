//! The packets to come, in time order.
//!
//! In: segments with their times, in any order. Out: the earliest, again and again. Not its job: ends of time (that is
//! the traffic's).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::frame::Segment;

/// A time-ordered store of planned segments; those of the same time come in the order they were planned.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Time, serial number, place in `segments`: small entries, since a heap moves them often.
    order: BinaryHeap<Reverse<(i64, u64, u32)>>,
    segments: Vec<Option<Segment>>,
    free: Vec<u32>,
    serial: u64,
}

impl Plan {
    /// Plans `segment` for `time_ns`.
    pub(super) fn push(&mut self, time_ns: i64, segment: Segment) {
        let place = match self.free.pop() {
            Some(place) => {
                self.segments[place as usize] = Some(segment);
                place
            }
            None => {
                self.segments.push(Some(segment));
                (self.segments.len() - 1) as u32
            }
        };
        self.order.push(Reverse((time_ns, self.serial, place)));
        self.serial += 1;
    }

    /// When the earliest segment is due.
    pub(super) fn next_ns(&self) -> Option<i64> {
        self.order.peek().map(|Reverse((time_ns, ..))| *time_ns)
    }

    /// Takes the earliest segment.
    pub(super) fn pop(&mut self) -> Option<(i64, Segment)> {
        let Reverse((time_ns, _, place)) = self.order.pop()?;
        let segment = self.segments[place as usize].take()?;
        self.free.push(place);
        Some((time_ns, segment))
    }
}

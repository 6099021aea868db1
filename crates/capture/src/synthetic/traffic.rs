//! The engine: everybody acts in the order of time, and frames come out in it.
//!
//! In: a [`Scenario`]. Out: frames, one after the other, in time order. Not its job: files, blocks. Memory grows with
//! hosts and with conversations under way, never with the length.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::beacons::{Implant, controlled_hosts};
use super::frame;
use super::people::Person;
use super::plan::Plan;
use super::scenario::Scenario;
use super::services::Routine;
use super::talk::NS_PER_S;

/// Somebody or something that causes packets.
pub(super) trait Actor: Send + std::fmt::Debug {
    /// Plans what it does at `now_ns`, all at `now_ns` or later, and says when it acts next.
    fn act(&mut self, now_ns: i64, plan: &mut Plan) -> Option<i64>;
}

/// What [`Traffic::next_frame`] says of the frame it wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyntheticFrame {
    /// Nanoseconds since 1970-01-01 UTC.
    pub time_ns: i64,
    /// Bytes written: the frame, or its first part where the scenario has a snap length.
    pub captured: usize,
    /// Length of the whole frame.
    pub wire_bytes: u32,
}

/// The frames of a scenario, in time order; all are Ethernet.
#[derive(Debug)]
pub struct Traffic {
    actors: Vec<Box<dyn Actor>>,
    /// Time and place of every actor; ties go by place.
    agenda: BinaryHeap<Reverse<(i64, u32)>>,
    plan: Plan,
    end_ns: i64,
    frames_left: u64,
    snaplen_bytes: usize,
}

impl Traffic {
    /// Everybody at their first moment.
    pub fn new(scenario: &Scenario) -> Self {
        let length_ns = i64::try_from(scenario.duration_s)
            .unwrap_or(i64::MAX)
            .saturating_mul(NS_PER_S);
        let mut traffic = Self {
            actors: Vec::new(),
            agenda: BinaryHeap::new(),
            plan: Plan::default(),
            end_ns: scenario.start_ns.saturating_add(length_ns),
            frames_left: scenario.packets.unwrap_or(u64::MAX),
            snaplen_bytes: if scenario.snaplen_bytes == 0 {
                usize::MAX
            } else {
                scenario.snaplen_bytes
            },
        };
        traffic.cast(scenario);
        traffic
    }

    /// Appends the next frame to `out`; `None` at the scenario's end.
    pub fn next_frame(&mut self, out: &mut Vec<u8>) -> Option<SyntheticFrame> {
        self.act_until_due();
        if self.frames_left == 0 || self.plan.next_ns()? >= self.end_ns {
            return None;
        }
        let (time_ns, segment) = self.plan.pop()?;
        self.frames_left -= 1;
        let start = out.len();
        let whole = frame::write(&segment, out);
        let captured = whole.min(self.snaplen_bytes);
        out.truncate(start + captured);
        Some(SyntheticFrame {
            time_ns,
            captured,
            wire_bytes: whole as u32,
        })
    }

    fn cast(&mut self, scenario: &Scenario) {
        let start = scenario.start_ns;
        for number in 0..scenario.hosts {
            if scenario.browsing > 0.0 {
                let mut person = Person::new(scenario, number);
                self.enter(person.first_ns(start), Box::new(person));
            }
            for service in &scenario.services {
                if let Some(mut routine) = Routine::new(scenario, number, *service) {
                    self.enter(routine.first_ns(start), Box::new(routine));
                }
            }
        }
        for (index, beacon) in scenario.beacons.iter().enumerate() {
            for number in controlled_hosts(scenario, beacon) {
                if let Some(mut implant) = Implant::new(scenario, index, number) {
                    self.enter(implant.first_ns(start), Box::new(implant));
                }
            }
        }
    }

    fn enter(&mut self, first_ns: i64, actor: Box<dyn Actor>) {
        self.agenda.push(Reverse((first_ns, self.actors.len() as u32)));
        self.actors.push(actor);
    }

    /// Lets everybody act who is due before the next planned packet: their packets may come before it.
    fn act_until_due(&mut self) {
        while let Some(Reverse((now_ns, place))) = self.agenda.peek().copied() {
            if now_ns >= self.end_ns || self.plan.next_ns().is_some_and(|due| due < now_ns) {
                return;
            }
            self.agenda.pop();
            if let Some(next) = self.actors[place as usize].act(now_ns, &mut self.plan) {
                // An actor that would not move on would stop all time.
                self.agenda.push(Reverse((next.max(now_ns + 1), place)));
            }
        }
    }
}

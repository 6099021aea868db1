//! The hour clock of the data path: says when packet time crosses a UTC hour, and which packets come late.
//!
//! In: packet times in capture order. Out: whether a packet belongs to the open hour, opens another, or is late. The
//! open hour closes at the first packet beyond its end; what arrives after that with an older time counts in the hour that
//! is open then, as late. Not its job: wall clocks (a silent tap's hour is closed by the capture loop).

use balefire_detect::{Period, PeriodKind};

/// Nanoseconds in an hour.
pub(crate) const HOUR_NS: i64 = 3_600_000_000_000;

/// An hour whose first or last packet is at most this far from its edge counts as wholly watched: quieter taps exist, but
/// a file does not say when its capture was started.
pub(crate) const EDGE_TOLERANCE_NS: i64 = 60_000_000_000;

/// Packet time that falls back by more is a clock that was set, or captures put together out of order; below it are the
/// reorderings of interfaces with several queues.
const STEP_NS: i64 = 1_000_000_000;

/// What a packet's time does to the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It belongs to the open hour.
    Within,
    /// It is older than the open hour: counted there, as late.
    Late,
    /// The open hour is over; [`HourClock::turn`] must be called before the packet is handed on.
    Crosses,
}

/// Follows the hours.
#[derive(Debug)]
pub(crate) struct HourClock {
    start_ns: i64,
    end_ns: i64,
    run_first_ns: Option<i64>,
    newest_ns: i64,
    hours: u64,
    first_hour_ns: i64,
    /// Falls of packet time since they were last taken.
    steps: u64,
    /// Time has fallen back and has not caught up yet.
    is_behind: bool,
}

impl HourClock {
    pub(crate) fn new() -> Self {
        // An empty open hour before all time: the first packet is within none.
        Self {
            start_ns: 0,
            end_ns: 0,
            run_first_ns: None,
            newest_ns: i64::MIN,
            hours: 0,
            first_hour_ns: 0,
            steps: 0,
            is_behind: false,
        }
    }

    /// The hot call, once per packet.
    #[inline]
    pub(crate) fn step(&mut self, time_ns: i64) -> Step {
        if time_ns >= self.start_ns && time_ns < self.end_ns {
            if time_ns >= self.newest_ns {
                self.newest_ns = time_ns;
                self.is_behind = false;
            } else {
                self.fall_back(time_ns);
            }
            return Step::Within;
        }
        self.step_outside(time_ns)
    }

    /// The same for many packets at once, if all lie in the open hour and none is older than one before it; otherwise nothing is
    /// done, and `false` says that each must be asked for.
    #[inline]
    pub(crate) fn steps(&mut self, times_ns: impl Iterator<Item = i64>) -> bool {
        // Ascending from a time within the hour: only the last can lie beyond it.
        let mut newest_ns = self.newest_ns.max(self.start_ns);
        let mut is_ascending = true;
        for time_ns in times_ns {
            is_ascending &= time_ns >= newest_ns;
            newest_ns = time_ns;
        }
        let is_within = is_ascending && newest_ns < self.end_ns;
        if is_within {
            self.newest_ns = newest_ns;
            self.is_behind = false;
        }
        is_within
    }

    #[cold]
    fn step_outside(&mut self, time_ns: i64) -> Step {
        if self.run_first_ns.is_none() {
            self.run_first_ns = Some(time_ns);
            self.first_hour_ns = hour_of(time_ns);
            self.open(time_ns);
            self.newest_ns = time_ns;
            return Step::Within;
        }
        if time_ns < self.start_ns {
            self.fall_back(time_ns);
            Step::Late
        } else {
            Step::Crosses
        }
    }

    /// A fall counts once, however long time takes to catch up.
    fn fall_back(&mut self, time_ns: i64) {
        let is_behind = self.newest_ns.saturating_sub(time_ns) > STEP_NS;
        self.steps += u64::from(is_behind && !self.is_behind);
        self.is_behind = is_behind;
    }

    /// Falls of packet time since this was last asked.
    pub(crate) fn take_steps(&mut self) -> u64 {
        std::mem::take(&mut self.steps)
    }

    /// Closes the open hour and opens the one of a packet's `time_ns`; returns the closed one.
    pub(crate) fn turn(&mut self, time_ns: i64) -> Period {
        let closed = self.turn_silent(time_ns);
        self.newest_ns = self.newest_ns.max(time_ns);
        closed
    }

    /// The same by the wall clock, which says nothing of packets.
    pub(crate) fn turn_silent(&mut self, now_ns: i64) -> Period {
        let closed = self.period(false);
        self.open(now_ns);
        closed
    }

    /// Opens the first hour by the wall clock, if no packet has: it is watched from then on.
    pub(crate) fn begin_silent(&mut self, now_ns: i64) {
        if self.run_first_ns.is_none() {
            self.run_first_ns = Some(now_ns);
            self.first_hour_ns = hour_of(now_ns);
            self.open(now_ns);
        }
    }

    /// Closes the open hour at the end of the run; `None` if none was opened.
    pub(crate) fn finish(&self) -> Option<Period> {
        self.run_first_ns.map(|_| self.period(true))
    }

    /// End of the open hour, `None` while none is open.
    pub(crate) fn open_hour_end_ns(&self) -> Option<i64> {
        self.run_first_ns.map(|_| self.end_ns)
    }

    /// Newest packet time, `None` before the first packet.
    pub(crate) fn newest_ns(&self) -> Option<i64> {
        (self.newest_ns != i64::MIN).then_some(self.newest_ns)
    }

    /// Hours opened so far, and hours from the first to the open one.
    pub(crate) fn watched(&self) -> (u64, u64) {
        let spanned = if self.hours == 0 {
            0
        } else {
            self.start_ns.saturating_sub(self.first_hour_ns) / HOUR_NS + 1
        };
        (self.hours, spanned.unsigned_abs())
    }

    fn open(&mut self, time_ns: i64) {
        self.start_ns = hour_of(time_ns);
        self.end_ns = self.start_ns.saturating_add(HOUR_NS);
        self.is_behind = false;
        self.hours += 1;
    }

    fn period(&self, run_ends: bool) -> Period {
        let begun_late = self
            .run_first_ns
            .is_some_and(|first| first.saturating_sub(self.start_ns) > EDGE_TOLERANCE_NS);
        let ended_early = run_ends && self.end_ns.saturating_sub(self.newest_ns) > EDGE_TOLERANCE_NS;
        let partial = begun_late || ended_early;
        Period {
            kind: PeriodKind::Hour,
            start_ns: self.start_ns,
            end_ns: self.end_ns,
            partial,
        }
    }
}

/// Start of the UTC hour of a time; saturates at the ends of the range.
fn hour_of(time_ns: i64) -> i64 {
    time_ns.div_euclid(HOUR_NS).checked_mul(HOUR_NS).unwrap_or(i64::MIN)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const T0: i64 = 1_700_000_000_000_000_000 / HOUR_NS * HOUR_NS;
    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn crossing_closes_and_late_stays_open() {
        let mut clock = HourClock::new();
        assert_eq!(clock.finish(), None);
        assert_eq!(clock.step(T0 + 5), Step::Within);
        assert_eq!(clock.step(T0 + HOUR_NS - 1), Step::Within);
        assert_eq!(clock.step(T0 + HOUR_NS), Step::Crosses);
        let closed = clock.turn(T0 + HOUR_NS);
        assert_eq!(
            (closed.start_ns, closed.end_ns, closed.partial),
            (T0, T0 + HOUR_NS, false)
        );
        assert_eq!(clock.step(T0 + HOUR_NS - 1), Step::Late);
        assert!(clock.finish().is_some_and(|last| last.partial));
        assert_eq!(clock.watched(), (2, 2));
    }

    #[test]
    fn a_gap_is_not_an_hour() {
        let mut clock = HourClock::new();
        clock.step(T0);
        assert_eq!(clock.step(T0 + 5 * HOUR_NS), Step::Crosses);
        clock.turn(T0 + 5 * HOUR_NS);
        assert_eq!(clock.watched(), (2, 6));
    }

    #[test]
    fn hours_of_a_silent_tap_go_by_the_wall_clock() {
        let mut clock = HourClock::new();
        clock.begin_silent(T0 + 5);
        assert_eq!(
            (clock.open_hour_end_ns(), clock.newest_ns()),
            (Some(T0 + HOUR_NS), None)
        );
        let closed = clock.turn_silent(T0 + HOUR_NS + 2);
        assert_eq!(
            (closed.start_ns, closed.partial),
            (T0, false),
            "watched, and nothing came"
        );
        assert_eq!(clock.newest_ns(), None);
        // A packet goes on from there, and a later silence leaves its time alone.
        assert_eq!(clock.step(T0 + HOUR_NS + 7), Step::Within);
        clock.begin_silent(T0 + HOUR_NS + 8);
        clock.turn_silent(T0 + 2 * HOUR_NS + 1);
        assert_eq!(clock.newest_ns(), Some(T0 + HOUR_NS + 7));
        assert_eq!(clock.watched(), (3, 3));
    }

    #[test]
    fn edges_decide_what_is_partial() {
        let mut clock = HourClock::new();
        clock.step(T0 + 2 * EDGE_TOLERANCE_NS);
        assert!(clock.turn(T0 + HOUR_NS).partial, "begun two minutes late");
        clock.step(T0 + 2 * HOUR_NS - 1);
        assert!(
            clock.finish().is_some_and(|last| !last.partial),
            "watched to the last nanosecond"
        );
    }

    #[test]
    fn a_fall_of_time_counts_once() {
        let mut clock = HourClock::new();
        let s = 1_000_000_000;
        // Half a second of reordering is none; ten minutes back and slowly on is one; an hour before the open one is one more.
        for second in [600, 601, 0, 1, 2, 700, -3600, -3599, 701] {
            clock.step(T0 + second * s);
            clock.step(T0 + second * s - s / 2);
        }
        assert_eq!(clock.take_steps(), 2);
        assert_eq!(clock.take_steps(), 0);
        clock.step(T0 + HOUR_NS);
        clock.turn(T0 + HOUR_NS);
        assert_eq!(clock.take_steps(), 0, "an hour's end is no fall");
    }

    #[test]
    fn extreme_times_do_not_overflow() {
        let mut clock = HourClock::new();
        clock.step(i64::MIN);
        clock.turn(i64::MAX);
        assert_eq!(clock.step(i64::MIN), Step::Late);
        assert!(clock.finish().is_some());
    }

    /// Times around an hour's end, mostly ascending.
    fn times() -> impl Strategy<Value = Vec<i64>> {
        let step_s = prop_oneof![8 => 0i64..400, 1 => -3i64..0, 1 => -4000i64..4000];
        prop::collection::vec(step_s, 1..200).prop_map(|steps| {
            steps
                .into_iter()
                .scan(T0 + 1000 * SECOND, |time_ns, step_s| {
                    *time_ns += step_s * SECOND;
                    Some(*time_ns)
                })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn many_at_once_are_the_same_as_one_after_the_other(times in times(), at_once in 1usize..40) {
            let (mut single, mut many) = (HourClock::new(), HourClock::new());
            let each = |clock: &mut HourClock, time_ns| {
                if clock.step(time_ns) == Step::Crosses {
                    clock.turn(time_ns);
                }
            };
            for chunk in times.chunks(at_once) {
                chunk.iter().for_each(|time_ns| each(&mut single, *time_ns));
                if !many.steps(chunk.iter().copied()) {
                    chunk.iter().for_each(|time_ns| each(&mut many, *time_ns));
                }
                prop_assert_eq!(format!("{single:?}"), format!("{many:?}"));
            }
        }
    }
}

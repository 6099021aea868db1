//! The bounded memory of one host's check-ins with one server: everything the timing score may know.
//!
//! In: start times and sizes, one at a time, or another timeline of the same pair. Out: counts, an interval histogram,
//! hours of the day, the last times, a sketch of the sizes. Not its job: judging them, that is [`crate::score_timing`];
//! which events make a timeline, that is the detector's tables.
//!
//! Plain data, no heap, O(1) per check-in, at most [`Timeline::MAX_BYTES`]. Every sum is an integer, so merging is exact
//! where the text of [`Timeline::merge`] says so, and the same on every machine.

mod intervals;
mod sizes;

pub(crate) use intervals::Intervals;
pub use intervals::{BINS_PER_OCTAVE, INTERVAL_BINS};
use sizes::Sizes;

/// Starts closer than this to the last kept start are the same check-in: a client often opens several connections at once.
pub const COLLAPSE_NS: i64 = 1_000_000_000;

/// Intervals kept exactly, one less than the times of [`Timeline::recent`].
const RING: usize = 24;
const NS_PER_MS: i64 = 1_000_000;
const NS_PER_HOUR: i64 = 3_600_000_000_000;

/// The check-ins of one host to one server, in bounded memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline {
    first_ns: i64,
    last_ns: i64,
    check_ins: u32,
    /// The last intervals in milliseconds (saturating at 49 days), a ring: `ring_next` is the oldest once it is full.
    ring_ms: [u32; RING],
    /// Check-ins by UTC hour of day. Not hours since the first check-in: hours of the day add up in a merge whatever the first
    /// check-ins were, show office hours after months as after a day, and can be compared between hosts.
    hours: [u16; 24],
    intervals: Intervals,
    sizes: Sizes,
    ring_next: u8,
    ring_len: u8,
}

const _: () = assert!(size_of::<Timeline>() <= Timeline::MAX_BYTES);

impl Timeline {
    /// Largest size of a timeline.
    pub const MAX_BYTES: usize = 512;

    /// Times that [`Self::recent`] gives at most.
    pub const RECENT: usize = RING + 1;

    /// The first check-in.
    pub fn new(time_ns: i64, bytes: u32) -> Self {
        let mut timeline = Self {
            first_ns: time_ns,
            last_ns: time_ns,
            check_ins: 1,
            ring_ms: [0; RING],
            hours: [0; 24],
            intervals: Intervals::default(),
            sizes: Sizes::default(),
            ring_next: 0,
            ring_len: 0,
        };
        timeline.count_hour(time_ns);
        timeline.sizes.add(bytes);
        timeline
    }

    /// One more start. Closer than [`COLLAPSE_NS`] to the last kept start it is the same check-in and changes nothing:
    /// so a sleep below a second is seen as its smallest multiple of at least a second, still regular.
    ///
    /// A start earlier than the last kept one (captures merged badly, workers of a log) divides the interval it falls in if
    /// that is one of the last 24; before those it counts, but makes no interval.
    #[inline]
    pub fn check_in(&mut self, time_ns: i64, bytes: u32) {
        let gap_ns = time_ns.saturating_sub(self.last_ns);
        if gap_ns >= COLLAPSE_NS {
            let previous_ms = self.last_gap_ms();
            let gap_ms = gap_ms(self.last_ns, time_ns);
            self.intervals.add_after(previous_ms, gap_ms);
            self.push(gap_ms);
            self.last_ns = time_ns;
        } else if gap_ns > -COLLAPSE_NS || !self.divide(time_ns) {
            return;
        }
        self.check_ins = self.check_ins.saturating_add(1);
        self.count_hour(time_ns);
        self.sizes.add(bytes);
    }

    /// Adds another timeline of the same pair. Commutative: `a + b` equals `b + a` in every field.
    ///
    /// Exact for any two parts: check-ins (until they saturate), hours and sizes (until they are halved), first and last time.
    /// Also exact for the interval histogram, the sums and the recent times when one part ends before the other begins
    /// (the interval between them is added; only the pair of intervals behind it is unknown to the sums of neighbours), and when
    /// both parts still have all their times in the ring: those are put in order and replayed. Otherwise, parts that interleave
    /// and are long, the intervals of each part are added as they are: an interval with a start of the other part inside it
    /// is not divided.
    pub fn merge(&mut self, other: &Self) {
        if self.whole() && other.whole() {
            self.replay(other);
            return;
        }
        let mine_first =
            (self.first_ns, self.last_ns, self.check_ins) <= (other.first_ns, other.last_ns, other.check_ins);
        let (early, late) = if mine_first { (&*self, other) } else { (other, &*self) };
        let mut sum = early.clone();
        sum.add_counts(late);
        let gap_ns = late.first_ns.saturating_sub(early.last_ns);
        if gap_ns > -COLLAPSE_NS {
            if gap_ns < COLLAPSE_NS {
                sum.check_ins -= 1;
            } else {
                let gap = gap_ms(early.last_ns, late.first_ns);
                if let Some(previous) = early.last_gap_ms() {
                    sum.intervals.add_pair(previous, gap);
                }
                sum.intervals.add(gap);
            }
        }
        sum.merge_ring(early, late);
        *self = sum;
    }

    /// Check-ins so far; saturates at `u32::MAX` (136 years at one a second).
    pub fn check_ins(&self) -> u32 {
        self.check_ins
    }

    /// Time of the first check-in, nanoseconds since 1970.
    pub fn first_ns(&self) -> i64 {
        self.first_ns
    }

    /// Time of the last check-in.
    pub fn last_ns(&self) -> i64 {
        self.last_ns
    }

    /// The last check-in times, oldest first, at most [`Self::RECENT`]; all but the last to the millisecond.
    pub fn recent(&self) -> impl Iterator<Item = i64> + '_ {
        let total_ms: i64 = self.gaps_ms().map(i64::from).sum();
        let mut at_ns = self.last_ns.saturating_sub(total_ms * NS_PER_MS);
        std::iter::once(at_ns).chain(self.gaps_ms().map(move |gap| {
            at_ns = at_ns.saturating_add(i64::from(gap) * NS_PER_MS);
            at_ns
        }))
    }

    /// The last intervals, milliseconds, oldest first.
    pub fn gaps_ms(&self) -> impl Iterator<Item = u32> + '_ {
        let (len, next) = (usize::from(self.ring_len), usize::from(self.ring_next));
        (0..len).map(move |index| self.ring_ms[(next + RING - len + index) % RING])
    }

    /// Interval counts on a logarithmic scale: bin `i` begins at `2^(i / 8)` seconds, the last has no end. Older counts are
    /// halved at a limit, so this is a picture of the last few tens of thousands of intervals.
    pub fn histogram(&self) -> &[u16; INTERVAL_BINS] {
        self.intervals.bins()
    }

    /// Where bin `index` of [`Self::histogram`] begins, seconds.
    pub fn bin_start_s(index: usize) -> f64 {
        (index as f64 / BINS_PER_OCTAVE as f64).exp2()
    }

    /// Check-ins by UTC hour of day; all are halved when one reaches 65,535.
    pub fn hours(&self) -> &[u16; 24] {
        &self.hours
    }

    /// Share of check-ins whose size is within about 20 % of the typical one; `None` below four check-ins.
    pub fn size_regularity(&self) -> Option<f64> {
        self.sizes.regularity()
    }

    /// The typical size in bytes, 0 where no check-in carried a byte.
    pub fn typical_size_bytes(&self) -> u32 {
        self.sizes.typical_bytes()
    }

    /// The sums over intervals.
    pub(crate) fn intervals(&self) -> &Intervals {
        &self.intervals
    }

    /// Whether every check-in is still in the ring.
    fn whole(&self) -> bool {
        self.check_ins == u32::from(self.ring_len) + 1
    }

    fn last_gap_ms(&self) -> Option<u32> {
        let last = (usize::from(self.ring_next) + RING - 1) % RING;
        (self.ring_len > 0).then(|| self.ring_ms[last])
    }

    fn push(&mut self, gap_ms: u32) {
        self.ring_ms[usize::from(self.ring_next)] = gap_ms;
        self.ring_next = (self.ring_next + 1) % RING as u8;
        self.ring_len = (self.ring_len + 1).min(RING as u8);
    }

    fn count_hour(&mut self, time_ns: i64) {
        let slot = time_ns.div_euclid(NS_PER_HOUR).rem_euclid(24) as usize;
        if self.hours[slot] == u16::MAX {
            self.hours.iter_mut().for_each(|hour| *hour /= 2);
        }
        self.hours[slot] += 1;
    }
}

/// Whole milliseconds between two times such that consecutive gaps add up exactly.
fn gap_ms(from_ns: i64, to_ns: i64) -> u32 {
    let ms = to_ns
        .div_euclid(NS_PER_MS)
        .saturating_sub(from_ns.div_euclid(NS_PER_MS));
    u32::try_from(ms.max(1)).unwrap_or(u32::MAX)
}

/// Late starts and merges: the rare ways in.
impl Timeline {
    /// Puts a late start into the interval it falls in. False if it belongs to a check-in that is there already.
    fn divide(&mut self, time_ns: i64) -> bool {
        let mut times = [0; Self::RECENT];
        let mut len = 0;
        for time in self.recent() {
            times[len] = time;
            len += 1;
        }
        let at = times[..len].partition_point(|&time| time <= time_ns);
        let near = |&time: &i64| time_ns.abs_diff(time) < COLLAPSE_NS as u64;
        if at.checked_sub(1).map(|before| &times[before]).is_some_and(near) || times[..len].get(at).is_some_and(near) {
            return false;
        }
        if at == 0 {
            self.prepend(time_ns, times[0]);
            return true;
        }
        let (before, after) = (times[at - 1], times[at]);
        self.intervals.remove(gap_ms(before, after));
        self.intervals.add(gap_ms(before, time_ns));
        self.intervals.add(gap_ms(time_ns, after));
        let mut gaps = [0; RING + 1];
        for (index, pair) in times[..len].windows(2).enumerate() {
            let shifted = index + usize::from(index >= at);
            gaps[shifted] = gap_ms(pair[0], pair[1]);
        }
        gaps[at - 1] = gap_ms(before, time_ns);
        gaps[at] = gap_ms(time_ns, after);
        self.refill(&gaps[..len]);
        true
    }

    /// A start before all times in the ring: the new first one if the ring holds the whole history, else only a count.
    fn prepend(&mut self, time_ns: i64, oldest_ns: i64) {
        if self.whole() {
            let gap = gap_ms(time_ns, oldest_ns);
            self.intervals.add(gap);
            let mut gaps = [0; RING + 1];
            let len = 1 + usize::from(self.ring_len);
            gaps[0] = gap;
            for (slot, old) in gaps[1..].iter_mut().zip(self.gaps_ms()) {
                *slot = old;
            }
            self.refill(&gaps[..len]);
        }
        self.first_ns = self.first_ns.min(time_ns);
    }

    /// The ring from these gaps, the last [`RING`] of them.
    fn refill(&mut self, gaps: &[u32]) {
        self.ring_next = 0;
        self.ring_len = 0;
        for &gap in &gaps[gaps.len().saturating_sub(RING)..] {
            self.push(gap);
        }
    }

    /// Both histories are in the rings: order them and begin anew.
    fn replay(&mut self, other: &Self) {
        let (times, len) = union(self, other);
        let mut sum = Self::new(times[0], 0);
        for &time in &times[1..len] {
            sum.check_in(time, 0);
        }
        sum.first_ns = self.first_ns.min(other.first_ns);
        sum.sizes = self.sizes.clone();
        sum.sizes.merge(&other.sizes);
        if sum.check_ins == self.check_ins + other.check_ins {
            // The ring knows times to the millisecond, which may be the other side of an hour.
            sum.hours = self.hours;
            sum.add_hours(&other.hours);
        }
        *self = sum;
    }

    fn add_counts(&mut self, other: &Self) {
        self.check_ins = self.check_ins.saturating_add(other.check_ins);
        self.first_ns = self.first_ns.min(other.first_ns);
        self.last_ns = self.last_ns.max(other.last_ns);
        self.intervals.merge(&other.intervals);
        self.sizes.merge(&other.sizes);
        self.add_hours(&other.hours);
    }

    fn add_hours(&mut self, hours: &[u16; 24]) {
        let sum = |slot: usize| u32::from(self.hours[slot]) + u32::from(hours[slot]);
        let halve = u32::from((0..24).any(|slot| sum(slot) > u32::from(u16::MAX)));
        self.hours = std::array::from_fn(|slot| (sum(slot) >> halve) as u16);
    }

    /// The ring of a merged timeline: the last times of both, those closer than [`COLLAPSE_NS`] as one.
    fn merge_ring(&mut self, early: &Self, late: &Self) {
        let (times, len) = union(early, late);
        self.ring_len = 0;
        self.ring_next = 0;
        // Times older than the shorter ring's begin would miss check-ins of that part: only where both are whole is the past known.
        let known_from = [early, late]
            .iter()
            .filter(|part| !part.whole())
            .filter_map(|part| part.recent().next())
            .max();
        let mut last = None;
        for &time in times[..len]
            .iter()
            .filter(|&&time| known_from.is_none_or(|from| time >= from))
        {
            match last {
                Some(before) if time.saturating_sub(before) < COLLAPSE_NS => continue,
                Some(before) => self.push(gap_ms(before, time)),
                None => {}
            }
            last = Some(time);
        }
        // The ring counts back from the last kept time.
        self.last_ns = last.unwrap_or(self.last_ns);
    }
}

/// The recent times of both, in order.
fn union(one: &Timeline, two: &Timeline) -> ([i64; 2 * Timeline::RECENT], usize) {
    let mut times = [0; 2 * Timeline::RECENT];
    let mut len = 0;
    for time in one.recent().chain(two.recent()) {
        times[len] = time;
        len += 1;
    }
    times[..len].sort_unstable();
    (times, len)
}

crate::state::kept!(Timeline { first_ns, last_ns, check_ins, ring_ms, hours, intervals, sizes, ring_next, ring_len } if |read| {
    let (next, len) = (usize::from(read.ring_next), usize::from(read.ring_len));
    next < RING && len <= RING && len < read.check_ins as usize && read.first_ns <= read.last_ns
});

#[cfg(test)]
mod tests;

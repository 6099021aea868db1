//! What a timeline looks like, in numbers without a unit: the measures that the fitted table asks about.
//!
//! In: a [`Timeline`]. Out: [`Shape`]. Not its job: what a measure is worth, that is the fitted table's.
//!
//! Every measure is relative (shares, ratios, nats per interval), so a sleep of 5 s and one of an hour look alike.

use super::describe::{Rhythm, describe};
use super::recent::recent;
use super::windows::{Sums, WIDTHS, ln, start_s};
use crate::Timeline;
use crate::timeline::BINS_PER_OCTAVE;

/// Number of measures.
pub const MEASURES: usize = 63;

/// Parts of the score, by what they look at.
pub const PARTS: [&str; 6] = ["count", "interval", "sleep", "recent", "order", "hours"];

/// The part each measure belongs to.
pub(super) const PART_OF: [u8; MEASURES] = {
    let mut parts = [1; MEASURES];
    let mut at = 0;
    while at < MEASURES {
        parts[at] = match at {
            0 | 15 | 28 => 0,
            17..=40 => 2,
            41..=53 => 3,
            54 | 55 => 4,
            56..=62 => 5,
            _ => 1,
        };
        at += 1;
    }
    parts
};

/// Measures, and what falls out for people on the way.
#[derive(Clone, Debug)]
pub struct Shape {
    /// In the order of the table.
    pub measures: [f32; MEASURES],
    pub(crate) rhythm: Rhythm,
}

impl Shape {
    /// The one measure of each part that says most to people, in the order of [`PARTS`].
    pub(crate) fn part_values(&self) -> [f64; PARTS.len()] {
        let measure = |at: usize| f64::from(self.measures[at]);
        let intervals = measure(LN_COUNT).exp().round();
        [
            intervals,
            measure(GAIN),
            measure(SLEEP_WITHIN_30_PERCENT),
            measure(RECENT_SPREAD),
            measure(NEIGHBOUR_CORRELATION),
            measure(HOURS_OCCUPIED),
        ]
    }
}

// Places in the row of measures that have a name outside of it.
const LN_COUNT: usize = 0;
const GAIN: usize = 8;
const SLEEP_WITHIN_30_PERCENT: usize = 33;
const RECENT_SPREAD: usize = 51;
const NEIGHBOUR_CORRELATION: usize = 54;
const HOURS_OCCUPIED: usize = 60;

/// Puts measures one after the other.
struct Row {
    values: [f32; MEASURES],
    len: usize,
}

impl Row {
    fn put(&mut self, values: &[f32]) {
        self.values[self.len..self.len + values.len()].copy_from_slice(values);
        self.len += values.len();
    }
}

/// Measures a timeline.
pub fn shape(timeline: &Timeline) -> Shape {
    let mut row = Row {
        values: [0.0; MEASURES],
        len: 0,
    };
    let sums = Sums::new(timeline.histogram());
    let all = sums.fit(sums.first);
    let total_s = sums.time(0, usize::MAX).max(1.0);
    let (_, spread) = timeline.intervals().log_mean_and_spread();
    let count = all.count;
    // Standard deviation of log intervals, nats, unbiased; the log-normal's log-likelihood follows from it.
    let sigma = (spread as f32 * std::f32::consts::LN_2).max(0.02) * (count / (count - 0.9).max(0.5)).sqrt();
    // ln(2 pi e) = 2.8379
    let log_normal = -0.5 * (2.837_9 + 2.0 * ln(sigma));
    let gain = all.gain.min(all.gain + all.poisson - log_normal);
    // 0 to 14: all intervals. Poisson's expected log-likelihood is minus Euler's constant and one: below it, traffic comes in bursts.
    row.put(&[ln(count)]);
    row.put(&all.shares);
    row.put(&[
        all.gain,
        nats(all.gain, count),
        gain,
        nats(gain, count),
        sigma,
        all.poisson,
        nats(all.poisson + 1.577, count),
    ]);
    let (heaviest_by_root, start) = sums.heaviest(13);
    // Where the time goes.
    let inside = sums.count(start, start + 13);
    row.put(&[ln(inside + 1.0), sums.time(start, start + 13) / total_s]);

    // The sleep: what is left without the bursts of a session.
    let from = heaviest_by_root.saturating_sub(BINS_PER_OCTAVE / 2).max(sums.first);
    let sleep = if from == sums.first { all } else { sums.fit(from) };
    let tail = tail(&sums, sleep.start, total_s);
    row.put(&tail);
    let largest_s = timeline.intervals().largest_s() as f32;
    row.put(&[largest_s / total_s, largest_s / sleep.typical_s.max(1.0) / count]);
    let typical_s = sleep.typical_s.max(1.0);
    row.put(&[(sleep.typical_s / all.typical_s.max(1.0)).max(0.1), sleep.poisson]);
    row.put(&[ln(sleep.count), sleep.count / count]);
    row.put(&sleep.shares);
    row.put(&[sleep.gain, nats(sleep.gain, sleep.count)]);
    let (near, sleep_s) = (
        sums.time(sleep.start, sleep.start + 7),
        sums.time(from, usize::MAX).max(1.0),
    );
    row.put(&[
        near / sleep_s,
        sums.time(sleep.start.saturating_sub(7), sleep.start + 14) / total_s,
    ]);

    let recent = recent(timeline, start_s(from), typical_s);
    row.put(&recent.measures);
    let intervals = timeline.intervals();
    let change = intervals.mean_change() as f32;
    row.put(&[
        intervals.neighbour_correlation() as f32,
        change / (spread as f32).max(0.02),
    ]);
    row.put(&hours(timeline, typical_s, count));
    debug_assert_eq!(row.len, MEASURES);
    Shape {
        measures: row.values,
        rhythm: describe(&sums, &sleep, &recent),
    }
}

/// Total nats, between bounds: beyond them more of the same says nothing more.
fn nats(per_interval: f32, count: f32) -> f32 {
    (per_interval * count).clamp(-20.0, 100.0)
}

/// Shares of intervals by their multiple of the sleep: bursts below, then two, three, four to six sleeps in one, pauses; and the
/// share of time in the pauses.
fn tail(sums: &Sums, start: usize, total_s: f32) -> [f32; 7] {
    // Bins from the middle of the typical window to 1/4, 1/2, 1.5, 2.5, 3.5, 6.5, 12.5 times it.
    const CUTS: [isize; 7] = [-13, -5, 8, 14, 18, 25, 33];
    let cuts = CUTS.map(|cut| start.saturating_add_signed(cut));
    let all = sums.count(0, usize::MAX).max(1.0);
    let share = |from: usize, to: usize| sums.count(from, to) / all;
    [
        share(0, cuts[0]),
        share(cuts[0], cuts[1]),
        share(cuts[1], cuts[2]),
        share(cuts[2], cuts[3]),
        share(cuts[3], cuts[4]),
        share(cuts[4], cuts[5]),
        sums.time(cuts[4], usize::MAX) / total_s,
    ]
}

/// How steady the hours are: relative spread and dispersion of the check-ins of the inner hours of the longest run, and how the
/// span compares to the sleeps in it.
fn hours(timeline: &Timeline, typical_s: f32, count: f32) -> [f32; 7] {
    let hours = timeline.hours();
    let seen_hours = (0..24).fold(0_u64, |seen, hour| seen | u64::from(hours[hour] > 0) << hour);
    let (longest, end) = longest_run(seen_hours);
    let (mut sum, mut squares) = (0.0, 0.0);
    let inner = longest.saturating_sub(2);
    for back in 1..=inner {
        let check_ins = f32::from(hours[(end - back) % 24]);
        sum += check_ins;
        squares += check_ins * check_ins;
    }
    let span_s = (timeline.last_ns().saturating_sub(timeline.first_ns()) as f32 / 1e9).max(1.0);
    let occupied = seen_hours.count_ones() as f32;
    let seen = occupied / (span_s / 3600.0 + 1.0).min(24.0);
    let length = (span_s / typical_s / count).min(1000.0);
    let total: u32 = hours.iter().map(|&hour| u32::from(hour)).sum();
    let busiest = f32::from(hours.iter().fold(0, |most, &hour| most.max(hour))) / (total as f32).max(1.0);
    if inner < 2 {
        return [-1.0, -1.0, seen.min(2.0), length, occupied, busiest, -1.0];
    }
    let mean = sum / inner as f32;
    let variance = ((squares / inner as f32 - mean * mean) * inner as f32 / (inner as f32 - 1.0)).max(0.0);
    let steady = mean * typical_s / 3600.0;
    [
        variance.sqrt() / mean.max(0.1),
        variance / mean.max(0.1),
        seen.min(2.0),
        length,
        occupied,
        busiest,
        steady.min(100.0),
    ]
}

/// Length and last place of the longest run of hours, round the clock; of equal ones the first to end. Hours are bits.
fn longest_run(hours: u64) -> (usize, usize) {
    // Bit `hour` stays while a run of that length ends there.
    let mut ends = hours | hours << 24;
    let (mut longest, mut end) = (0, 0);
    while ends != 0 && longest < 24 {
        (longest, end) = (longest + 1, ends.trailing_zeros() as usize);
        ends &= ends << 1;
    }
    (longest, end)
}

const _: () = assert!(1 + WIDTHS.len() + 7 + 2 + 7 + 2 + 2 + 2 + WIDTHS.len() + 2 + 2 + 13 + 2 + 7 == MEASURES);

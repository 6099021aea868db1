//! What a timeline looks like, in numbers without a unit: the measures that the fitted table asks about.
//!
//! In: a [`Timeline`]. Out: [`Shape`]. Not its job: what a measure is worth, that is the fitted table's.
//!
//! Every measure is relative (shares, ratios, nats per interval), so a sleep of 5 s and one of an hour look alike. Those of
//! [`mod@super::first`] are had first; windows and sleeps only of a timeline that is worth it.

use super::describe::{Rhythm, describe, describe_recent};
use super::first::{FIRST_MEASURES, First, first, nats, normal_against_poisson};
use super::recent::NEAR_MEASURES;
use super::windows::{Sums, WIDTHS, ln, start_s};
use crate::Timeline;
use crate::timeline::BINS_PER_OCTAVE;

/// Number of measures.
pub const MEASURES: usize = FIRST_MEASURES + REST_MEASURES;
/// Those of windows and sleeps.
const REST_MEASURES: usize = WIDTHS.len() + 4 + 2 + 7 + 1 + 2 + 2 + WIDTHS.len() + 2 + 2 + 2 + NEAR_MEASURES + 2;

/// Measures of [`Shape`] that are had before the others: trees that ask only these come first.
pub const CHEAP_MEASURES: usize = FIRST_MEASURES;

/// Parts of the score, by what they look at.
pub const PARTS: [&str; 6] = ["count", "interval", "sleep", "recent", "order", "hours"];

/// The part each measure belongs to.
pub(super) const PART_OF: [u8; MEASURES] = {
    let mut parts = [2; MEASURES];
    let mut at = 0;
    while at < MEASURES {
        parts[at] = match at {
            0 | 57 => 0,
            1..=12 | 34..=46 => 1,
            13..=26 | 72..=75 => 3,
            27 | 28 => 4,
            29..=33 | 76 | 77 => 5,
            _ => 2,
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
const RECENT_SPREAD: usize = 13;
const NEIGHBOUR_CORRELATION: usize = 27;
const HOURS_OCCUPIED: usize = 32;
const GAIN: usize = 41;
const SLEEP_WITHIN_30_PERCENT: usize = 62;

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
    whole(timeline, &first(timeline))
}

/// A timeline of which no more is measured: the rest of its row is 0, its rhythm that of the recent intervals.
pub(super) fn begun(first: &First) -> Shape {
    let mut measures = [0.0; MEASURES];
    measures[..FIRST_MEASURES].copy_from_slice(&first.values);
    Shape {
        measures,
        rhythm: describe_recent(&first.recent),
    }
}

/// Measures what is not measured yet.
pub(super) fn whole(timeline: &Timeline, first: &First) -> Shape {
    let mut row = Row {
        values: [0.0; MEASURES],
        len: 0,
    };
    row.put(&first.values);
    let (count, total_s) = (first.count, first.total_s);
    let sums = Sums::new(timeline.histogram());
    let all = sums.fit(sums.first);
    // The log-normal's log-likelihood follows from the spread of the logs, unbiased. ln(2 pi e) = 2.8379
    let log_normal = -0.5 * (2.837_9 + 2.0 * ln(first.values[SIGMA]));
    let gain = all.gain.min(all.gain + all.poisson - log_normal);
    row.put(&all.shares);
    row.put(&[all.gain, nats(all.gain, count), gain, nats(gain, count)]);
    let (heaviest_by_root, start) = sums.heaviest(13);
    // Where the time goes.
    let inside = sums.count(start, start + 13);
    row.put(&[ln(inside + 1.0), sums.time(start, start + 13) / total_s]);

    // The sleep: what is left without the bursts of a session.
    let from = heaviest_by_root.saturating_sub(BINS_PER_OCTAVE / 2).max(sums.first);
    let sleep = if from == sums.first { all } else { sums.fit(from) };
    row.put(&tail(&sums, sleep.start, total_s));
    let typical_s = sleep.typical_s.max(1.0);
    let largest_s = timeline.intervals().largest_s() as f32;
    row.put(&[largest_s / typical_s / count]);
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
    let (_, relative) = sums.mean_and_spread(from);
    row.put(&[relative, normal_against_poisson(relative, sleep.count)]);

    row.put(&first.recent.near(start_s(from), typical_s));
    row.put(&[
        (first.hours.span_s / typical_s / count).min(1000.0),
        first
            .hours
            .mean
            .map_or(-1.0, |mean| (mean * typical_s / 3600.0).min(100.0)),
    ]);
    debug_assert_eq!(row.len, MEASURES);
    Shape {
        measures: row.values,
        rhythm: describe(&sums, &sleep, &first.recent),
    }
}
const SIGMA: usize = 1;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_places_hold_what_they_say() {
        let times = (1..40).map(|step| step * 61_000_000_000);
        let mut timeline = Timeline::new(0, 480);
        times.for_each(|time_ns| timeline.check_in(time_ns, 480));
        let (first, shape) = (first(&timeline), shape(&timeline));
        assert_eq!(shape.measures[SLEEP_WITHIN_30_PERCENT], 1.0);
        assert_eq!(shape.measures[HOURS_OCCUPIED], 1.0);
        assert_eq!(shape.measures[RECENT_SPREAD], first.recent.measures[0]);
        assert_eq!(
            begun(&first).measures[..FIRST_MEASURES],
            shape.measures[..FIRST_MEASURES]
        );
        assert_eq!(shape.part_values()[0], 39.0);
        assert!(shape.part_values()[1] > 2.0, "{:?}", shape.part_values());
        for (name, places) in [(0, 2), (1, 25), (2, 24), (3, 18), (4, 2), (5, 7)] {
            assert_eq!(
                PART_OF.iter().filter(|&&part| part == name).count(),
                places,
                "{}",
                PARTS[usize::from(name)]
            );
        }
    }
}

//! The rhythm in words an operator uses: interval, jitter, missed check-ins, how many sleeps.
//!
//! In: the histogram's sums, the fit of the sleep, the recent intervals. Out: [`Rhythm`]. Not its job: the score; nothing here
//! moves it.

use super::recent::Recent;
use super::windows::{Fit, Sums, start_s};
use crate::timeline::{BINS_PER_OCTAVE, INTERVAL_BINS};

/// Typical interval and what is around it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rhythm {
    pub(crate) interval_s: f64,
    pub(crate) jitter: f64,
    pub(crate) missed: f64,
    pub(crate) modes: u8,
}

/// Share of the sleep's intervals within 30 % that makes a sleep stand out from its multiples and bursts.
const SHARP: f32 = 0.6;
/// Index of that window's share in [`Fit::shares`].
const WITHIN_30_PERCENT: usize = 3;

/// Describes a timeline.
pub(super) fn describe(sums: &Sums, sleep: &Fit, recent: &Recent) -> Rhythm {
    if sums.last == 0 {
        return Rhythm::default();
    }
    let sharp = sleep.shares[WITHIN_30_PERCENT] >= SHARP;
    // A sharp sleep: half to one and a half of it. Otherwise there is no telling a multiple from jitter: everything.
    let (low, high) = if sharp {
        (sleep.start.saturating_sub(5), (sleep.start + 8).min(INTERVAL_BINS))
    } else {
        (0, INTERVAL_BINS)
    };
    let (mut p10, mut p50, mut p90) = (
        quantile(sums, low, high, 0.1),
        quantile(sums, low, high, 0.5),
        quantile(sums, low, high, 0.9),
    );
    // Bins are 9 % wide: where they are too coarse, or the ring holds everything, the exact intervals say it better.
    let range = recent.between(start_s(low), start_s(high));
    let narrow = f64::from(p90 / p10) < (3.0 / BINS_PER_OCTAVE as f64).exp2();
    if range.len() >= 3 && (narrow || range.len() as f32 >= sums.count(low, high)) {
        let exact = |share: usize| range[(range.len() - 1) * share / 10] as f32 / 1000.0;
        (p10, p50, p90) = (exact(1), exact(5), exact(9));
    }
    let bursts = sums.count(0, low);
    Rhythm {
        interval_s: f64::from(p50),
        jitter: f64::from((p90 - p10) / 2.0 / p50.max(0.001)),
        missed: if sharp { missed(sums, sleep.start) } else { 0.0 },
        modes: match (
            sleep.gain > 0.0,
            sharp && bursts >= 8.0 && bursts >= 0.1 * sums.count(0, INTERVAL_BINS),
        ) {
            (false, _) => 0,
            (true, false) => 1,
            (true, true) => 2,
        },
    }
}

/// Describes a timeline of which only the recent intervals were looked at.
pub(super) fn describe_recent(recent: &Recent) -> Rhythm {
    let all = recent.all();
    let Some(last) = all.len().checked_sub(1) else {
        return Rhythm::default();
    };
    let exact = |share: usize| f64::from(all[last * share / 10]) / 1000.0;
    Rhythm {
        interval_s: exact(5),
        jitter: (exact(9) - exact(1)) / 2.0 / exact(5).max(0.001),
        missed: 0.0,
        modes: 0,
    }
}

/// Check-ins that are missing if intervals near two to six sleeps are that many sleeps, over all there should be.
fn missed(sums: &Sums, start: usize) -> f64 {
    let near = |from: usize, to: usize| f64::from(sums.count(start + from, start + to));
    // Cut at 1.5, 2.5, 3.5 and 6.5 times the middle of the window.
    let (two, three, five) = (near(8, 14), near(14, 18), near(18, 25));
    let one = f64::from(sums.count(start.saturating_sub(5), start + 8));
    (two + 2.0 * three + 4.0 * five) / (one + 2.0 * two + 3.0 * three + 5.0 * five).max(1.0)
}

/// Quantile of the intervals in a range of bins, seconds, interpolated in the bin.
fn quantile(sums: &Sums, low: usize, high: usize, share: f32) -> f32 {
    let target = sums.count(low, high) * share;
    sums.reach(low, high, target)
        .map_or(start_s(high), |(bin, below, count)| {
            let (start, end) = (start_s(bin), start_s(bin + 1));
            start + (end - start) * (target - below) / count
        })
}

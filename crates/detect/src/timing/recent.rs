//! The recent intervals, exactly: what the histogram's 9 % bins and the sums over everything cannot show.
//!
//! In: the ring of a [`Timeline`], and later the range of intervals around its sleep. Out: [`Recent`]. Not its job: older
//! intervals.

use super::first::normal_against_poisson;
use super::windows::{ln, mean_and_spread};
use crate::Timeline;

/// Measures of the recent intervals alone, and of those near the sleep.
pub(super) const RECENT_MEASURES: usize = 14;
pub(super) const NEAR_MEASURES: usize = 4;

/// The recent intervals, at most 24.
#[derive(Clone, Debug)]
pub(super) struct Recent {
    /// Spread, least, most, mean and middle half against the middle one, change, turns, bounded support against Poisson (an interval
    /// and all), then second least, second most, share of short and of long ones, normal against Poisson.
    pub(super) measures: [f32; RECENT_MEASURES],
    /// The middle interval.
    pub(super) middle_s: f32,
    count: usize,
    /// In order of length.
    sorted_ms: [u32; Timeline::RECENT - 1],
}

impl Recent {
    /// Measures the recent intervals.
    pub(super) fn new(timeline: &Timeline) -> Self {
        let mut sorted_ms = [0; Timeline::RECENT - 1];
        let mut count = 0;
        let (mut change, mut turns, mut before, mut rising) = (0.0, 0.0, 0.0_f32, false);
        let (mut sum, mut squares) = (0.0, 0.0);
        for (slot, gap_ms) in sorted_ms.iter_mut().zip(timeline.gaps_ms()) {
            *slot = gap_ms;
            let gap = gap_ms as f32 / 1000.0;
            sum += gap;
            squares += gap * gap;
            if count >= 1 {
                change += (gap - before).abs();
                let turned = count >= 2 && (gap > before) != rising;
                turns += f32::from(u8::from(turned));
                rising = gap > before;
            }
            before = gap;
            count += 1;
        }
        sorted_ms[..count].sort_unstable();
        let of = count.max(1) as f32;
        let (mean, spread) = mean_and_spread(of, sum, squares);
        let at = |place: usize| sorted_ms[place] as f32 / 1000.0;
        let last = count.saturating_sub(1);
        let quartile = |quarter: usize| at(last * quarter / 4);
        let middle = (quartile(2) + at(count / 2 % sorted_ms.len())).max(0.1) / 2.0;
        let bounded = bounded_against_poisson(quartile(4) - quartile(0), mean.max(0.1), of);
        let short = sorted_ms[..count].iter().filter(|&&gap| (gap as f32) < 300.0 * middle);
        let long = sorted_ms[..count].iter().filter(|&&gap| gap as f32 > 2000.0 * middle);
        let measures = [
            spread,
            quartile(0) / middle,
            quartile(4) / middle,
            mean / middle,
            (quartile(3) - quartile(1)) / middle,
            change / sum.max(0.1),
            turns / (of - 2.0).max(1.0),
            bounded,
            bounded * of,
            at(1.min(last)) / middle,
            at(last.saturating_sub(1)) / middle,
            short.count() as f32 / of,
            long.count() as f32 / of,
            normal_against_poisson(spread, of),
        ];
        Self {
            measures,
            middle_s: middle,
            count,
            sorted_ms,
        }
    }

    /// All in order of length, milliseconds.
    pub(super) fn all(&self) -> &[u32] {
        &self.sorted_ms[..self.count]
    }

    /// Those from one length up to another.
    pub(super) fn between(&self, from_s: f32, to_s: f32) -> &[u32] {
        let place = |edge_s: f32| self.all().partition_point(|&gap| (gap as f32) < edge_s * 1000.0);
        let (from, to) = (place(from_s), place(to_s));
        &self.all()[from.min(to)..to]
    }

    /// Of those from `low_s` to 2.6 `typical_s`: their share, spread, and total nats for a bounded support; and the middle one of
    /// all in sleeps.
    pub(super) fn near(&self, low_s: f32, typical_s: f32) -> [f32; NEAR_MEASURES] {
        let near = self.between(low_s * 0.999, 2.6 * typical_s);
        let share = near.len() as f32 / self.count.max(1) as f32;
        let middle = self.middle_s / typical_s;
        let [least, .., most] = near else {
            return [share, 1.0, 0.0, middle];
        };
        let (mut sum, mut squares) = (0.0, 0.0);
        for gap_ms in near {
            let gap = *gap_ms as f32 / 1000.0;
            sum += gap;
            squares += gap * gap;
        }
        let count = near.len() as f32;
        let (mean, spread) = mean_and_spread(count, sum, squares);
        let range = (most - least) as f32 / 1000.0;
        [
            share,
            spread,
            count * bounded_against_poisson(range, mean.max(0.1), count),
            middle,
        ]
    }
}

/// Nats per interval by which a uniform distribution over the seen range (widened to its unbiased estimate) beats an exponential
/// one of the same mean. A clock's range is cut at 2 % of its mean.
fn bounded_against_poisson(range: f32, mean: f32, count: f32) -> f32 {
    let width = (range * (count + 1.0) / (count - 1.0).max(0.5)).max(0.02 * mean);
    ln(mean) + 1.0 - ln(width)
}

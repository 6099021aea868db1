//! The recent intervals, exactly: what the histogram's 9 % bins and the sums over everything cannot show.
//!
//! In: the ring of a [`Timeline`], and the range of intervals around its sleep. Out: [`Recent`]. Not its job: older intervals.

use super::windows::ln;
use crate::Timeline;

/// Measures of the recent intervals.
pub(super) const RECENT_MEASURES: usize = 13;

/// The recent intervals, at most 24.
#[derive(Clone, Debug)]
pub(super) struct Recent {
    /// In the order of [`super::shape()`].
    pub(super) measures: [f32; RECENT_MEASURES],
    count: usize,
    /// In order of length.
    sorted_ms: [u32; Timeline::RECENT - 1],
}

impl Recent {
    /// Those from one length up to another, in order of length, milliseconds.
    pub(super) fn between(&self, from_s: f32, to_s: f32) -> &[u32] {
        let sorted = &self.sorted_ms[..self.count];
        let place = |edge_s: f32| sorted.partition_point(|&gap| (gap as f32) < edge_s * 1000.0);
        let (from, to) = (place(from_s), place(to_s));
        &sorted[from.min(to)..to]
    }
}

/// Running sums over the intervals near the sleep.
struct Near {
    count: f32,
    sum: f32,
    squares: f32,
    least: f32,
    most: f32,
}

/// Measures the recent intervals; those from `low_s` to 2.6 `typical_s` count as near the sleep.
pub(super) fn recent(timeline: &Timeline, low_s: f32, typical_s: f32) -> Recent {
    let mut sorted_ms = [0; Timeline::RECENT - 1];
    let mut count = 0;
    let (mut change, mut turns, mut before, mut rising) = (0.0, 0.0, 0.0_f32, false);
    let mut near = Near {
        count: 0.0,
        sum: 0.0,
        squares: 0.0,
        least: f32::MAX,
        most: 0.0,
    };
    let (mut sum, mut squares) = (0.0, 0.0);
    for (slot, gap_ms) in sorted_ms.iter_mut().zip(timeline.gaps_ms()) {
        *slot = gap_ms;
        let gap = gap_ms as f32 / 1000.0;
        sum += gap;
        squares += gap * gap;
        if count >= 1 {
            change += (gap - before).abs();
            turns += if count >= 2 && (gap > before) != rising {
                1.0
            } else {
                0.0
            };
            rising = gap > before;
        }
        if gap >= low_s * 0.999 && gap <= 2.6 * typical_s {
            near.add(gap);
        }
        before = gap;
        count += 1;
    }
    sorted_ms[..count].sort_unstable();
    let of = count.max(1) as f32;
    let mean = (sum / of).max(0.1);
    let quartile = |quarter: usize| sorted_ms[count.saturating_sub(1) * quarter / 4] as f32 / 1000.0;
    let middle = (quartile(2) + sorted_ms[count / 2 % sorted_ms.len()] as f32 / 1000.0).max(0.1) / 2.0;
    let variance = (squares / of - mean * mean).max(0.0) * of / (of - 1.0).max(1.0);
    let bounded = bounded_against_poisson(quartile(4) - quartile(0), mean, of);
    let measures = [
        variance.sqrt() / mean,
        quartile(0) / middle,
        quartile(4) / middle,
        mean / middle,
        (quartile(3) - quartile(1)) / middle,
        change / sum.max(0.1),
        turns / (of - 2.0).max(1.0),
        bounded,
        bounded * of,
        near.count / of,
        near.spread(),
        near.bounded(),
        middle / typical_s,
    ];
    Recent {
        measures,
        count,
        sorted_ms,
    }
}

/// Nats per interval by which a uniform distribution over the seen range (widened to its unbiased estimate) beats an exponential
/// one of the same mean. A clock's range is cut at 2 % of its mean.
fn bounded_against_poisson(range: f32, mean: f32, count: f32) -> f32 {
    let width = (range * (count + 1.0) / (count - 1.0).max(0.5)).max(0.02 * mean);
    ln(mean) + 1.0 - ln(width)
}

impl Near {
    fn add(&mut self, gap: f32) {
        self.count += 1.0;
        self.sum += gap;
        self.squares += gap * gap;
        self.least = self.least.min(gap);
        self.most = self.most.max(gap);
    }

    /// Standard deviation over mean; 1 where there are fewer than two.
    fn spread(&self) -> f32 {
        if self.count < 2.0 {
            return 1.0;
        }
        let mean = self.sum / self.count;
        let variance = (self.squares / self.count - mean * mean).max(0.0) * self.count / (self.count - 1.0);
        variance.sqrt() / mean
    }

    /// Total nats for a bounded support; 0 where there are fewer than two.
    fn bounded(&self) -> f32 {
        if self.count < 2.0 {
            return 0.0;
        }
        self.count * bounded_against_poisson(self.most - self.least, self.sum / self.count, self.count)
    }
}

//! The measures asked first: those that are had without a window over the histogram.
//!
//! In: a [`Timeline`]. Out: [`First`], the begin of a row of measures, and the recent intervals in order. Not its job: the
//! measures of windows and sleeps, which only a timeline that these do not rule out is worth.

use super::recent::Recent;
use super::windows::{ln, mean_and_spread, middle_s};
use crate::Timeline;
use crate::timeline::INTERVAL_BINS;

/// Measures of this file.
pub(super) const FIRST_MEASURES: usize = 34;

/// What is done at a time: as many 16-bit counts as a register holds.
const LANES: usize = 8;

/// What is measured first.
#[derive(Debug)]
pub(super) struct First {
    pub(super) values: [f32; FIRST_MEASURES],
    pub(super) recent: Recent,
    /// Intervals in the histogram, and their total in seconds.
    pub(super) count: f32,
    pub(super) total_s: f32,
    pub(super) hours: Hours,
}

/// Measures what is cheap.
pub(super) fn first(timeline: &Timeline) -> First {
    let (count, sum, squares) = totals(timeline.histogram());
    let (count, total_s) = (count.max(1.0), sum.max(1.0));
    let (log_mean, spread) = timeline.intervals().log_mean_and_spread();
    let (log_mean, spread) = (log_mean as f32 * std::f32::consts::LN_2, spread as f32);
    let (mean_s, relative) = mean_and_spread(count, sum, squares);
    // Standard deviation of log intervals, nats, unbiased.
    let sigma = (spread * std::f32::consts::LN_2).max(0.02) * (count / (count - 0.9).max(0.5)).sqrt();
    // What makes a gamma distribution's shape: 0 of a clock, Euler's constant of Poisson traffic, more of bursts.
    let burst = ln(mean_s) - log_mean;
    let largest_s = timeline.intervals().largest_s() as f32;
    let windows = densest(timeline.histogram(), count);
    let recent = Recent::new(timeline);
    let change = timeline.intervals().mean_change() as f32;
    let hours = Hours::new(timeline);
    let mut values = [0.0; FIRST_MEASURES];
    let mut len = 0;
    let mut put = |some: &[f32]| {
        values[len..len + some.len()].copy_from_slice(some);
        len += some.len();
    };
    put(&[ln(count)]);
    put(&[
        sigma,
        relative,
        normal_against_poisson(relative, count),
        burst,
        nats(0.577_2 - burst, count),
        largest_s / mean_s,
        nats(ln(mean_s / largest_s.max(0.001) * count / (count + 1.0)) + 1.0, count),
        largest_s / total_s,
    ]);
    put(&windows);
    put(&recent.measures);
    put(&[
        timeline.intervals().neighbour_correlation() as f32,
        change / spread.max(0.02),
    ]);
    put(&hours.measures);
    debug_assert_eq!(len, FIRST_MEASURES);
    First {
        values,
        recent,
        count,
        total_s,
        hours,
    }
}

/// Total nats, between bounds: beyond them more of the same says nothing more.
pub(super) fn nats(per_interval: f32, count: f32) -> f32 {
    (per_interval * count).clamp(-20.0, 100.0)
}

/// Total nats by which a normal distribution of this relative spread beats an exponential one of the same mean.
pub(super) fn normal_against_poisson(relative: f32, count: f32) -> f32 {
    // 1 - ln(2 pi e) / 2
    nats(-0.418_9 - ln(relative), count)
}

/// Number of intervals, their sum and the sum of their squares. Several at a time.
fn totals(bins: &[u16; INTERVAL_BINS]) -> (f32, f32, f32) {
    static MIDDLES_S: [f32; INTERVAL_BINS] = {
        let mut middles = [0.0; INTERVAL_BINS];
        let mut bin = 0;
        while bin < INTERVAL_BINS {
            middles[bin] = middle_s(bin);
            bin += 1;
        }
        middles
    };
    let (mut counts, mut sums, mut squares) = ([0; LANES], [0.0; LANES], [0.0; LANES]);
    let (bins, middles) = (bins.as_chunks::<LANES>().0, MIDDLES_S.as_chunks::<LANES>().0);
    for (bins, middles) in bins.iter().zip(middles) {
        for lane in 0..LANES {
            let time = f32::from(bins[lane] as i16) * middles[lane];
            counts[lane] += bins[lane] as i16;
            sums[lane] += time;
            squares[lane] += time * middles[lane];
        }
    }
    let count: i32 = counts.iter().map(|&count| i32::from(count)).sum();
    (count as f32, sums.iter().sum(), squares.iter().sum())
}

/// Largest shares of the intervals in 2, 4, 8 and 16 bins side by side.
fn densest(bins: &[u16; INTERVAL_BINS], count: f32) -> [f32; 4] {
    // At most `Intervals::LIMIT` and the rounding of 136 bins: fits.
    let mut one = [0_i16; INTERVAL_BINS];
    for (one, bin) in one.iter_mut().zip(bins) {
        *one = *bin as i16;
    }
    let two = joined::<1>(&one);
    let four = joined::<2>(&two);
    let eight = joined::<4>(&four);
    [two, four, eight, joined::<8>(&eight)].map(|sums| f32::from(largest(&sums)) / count)
}

/// Every sum with the one so many places behind it; the last stay alone. A width known to the compiler, so that it takes several at
/// a time.
fn joined<const WIDTH: usize>(sums: &[i16; INTERVAL_BINS]) -> [i16; INTERVAL_BINS] {
    let mut joined = *sums;
    for (sum, behind) in joined.iter_mut().zip(&sums[WIDTH..]) {
        *sum += behind;
    }
    joined
}

fn largest(sums: &[i16; INTERVAL_BINS]) -> i16 {
    let mut most = [0; LANES];
    for sums in sums.as_chunks::<LANES>().0 {
        for (most, sum) in most.iter_mut().zip(sums) {
            *most = (*sum).max(*most);
        }
    }
    most.iter().fold(0, |largest, &sum| sum.max(largest))
}

/// How steady the hours are: relative spread and dispersion of the check-ins of the inner hours of the longest run, and how many
/// there are.
#[derive(Debug)]
pub(super) struct Hours {
    pub(super) measures: [f32; 5],
    pub(super) span_s: f32,
    /// Check-ins of an inner hour; `None` where the run has fewer than two.
    pub(super) mean: Option<f32>,
}

impl Hours {
    fn new(timeline: &Timeline) -> Self {
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
        let seen = (occupied / (span_s / 3600.0 + 1.0).min(24.0)).min(2.0);
        let total: u32 = hours.iter().map(|&hour| u32::from(hour)).sum();
        let busiest = f32::from(hours.iter().fold(0, |most, &hour| most.max(hour))) / (total as f32).max(1.0);
        if inner < 2 {
            return Self {
                measures: [-1.0, -1.0, seen, occupied, busiest],
                span_s,
                mean: None,
            };
        }
        let inner = inner as f32;
        let mean = sum / inner;
        let variance = ((squares / inner - mean * mean) * inner / (inner - 1.0)).max(0.0);
        Self {
            measures: [
                variance.sqrt() / mean.max(0.1),
                variance / mean.max(0.1),
                seen,
                occupied,
                busiest,
            ],
            span_s,
            mean: Some(mean),
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_and_windows_are_those_of_a_plain_sum() {
        let bins: [u16; INTERVAL_BINS] = std::array::from_fn(|bin| (bin * 37 % 11) as u16 * u16::from(bin % 3 > 0));
        let (count, sum, squares) = totals(&bins);
        let plain = |power: i32| -> f64 {
            (0..INTERVAL_BINS)
                .map(|bin| f64::from(bins[bin]) * f64::from(middle_s(bin)).powi(power))
                .sum()
        };
        assert_eq!(f64::from(count), plain(0));
        assert!((f64::from(sum) / plain(1) - 1.0).abs() < 1e-5);
        assert!((f64::from(squares) / plain(2) - 1.0).abs() < 1e-5);
        for (width, share) in [2, 4, 8, 16].into_iter().zip(densest(&bins, count)) {
            let most = bins.windows(width).map(|window| window.iter().sum::<u16>()).max();
            assert_eq!(share, f32::from(most.unwrap_or(0)) / count, "{width}");
        }
    }

    #[test]
    fn the_fullest_histogram_fits_the_totals() {
        let (count, ..) = totals(&[121; INTERVAL_BINS]);
        assert_eq!(count, 16_456.0);
        assert_eq!(densest(&[121; INTERVAL_BINS], count)[3], 16.0 * 121.0 / count);
        let mut one = [0; INTERVAL_BINS];
        one[3] = 16_384;
        assert_eq!(densest(&one, 16_384.0), [1.0; 4]);
    }

    #[test]
    fn the_longest_run_goes_round_the_clock() {
        assert_eq!(longest_run(0b111), (3, 2));
        assert_eq!(longest_run(1 << 23 | 0b11), (3, 25));
        assert_eq!(longest_run(0), (0, 0));
        assert_eq!(longest_run((1 << 24) - 1).0, 24);
    }
}

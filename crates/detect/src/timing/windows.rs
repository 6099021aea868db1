//! Windows over the interval histogram: how many intervals lie close together, and how much better that fits a beacon.
//!
//! In: the histogram. Out: the densest window of each width, and the likelihood of a renewal process with bounded support
//! against Poisson traffic. Not its job: what is made of it, that is [`super::shape()`]'s.

use crate::timeline::{BINS_PER_OCTAVE, INTERVAL_BINS};

const EDGES: usize = INTERVAL_BINS + 1;

/// Widths of the windows, bins: the supports of a uniform jitter of 4, 13, 21, 30, 51, 70 and 90 %, as
/// `2^(width / 8) = (1 + jitter) / (1 - jitter)`.
pub(super) const WIDTHS: [usize; 7] = [1, 3, 5, 7, 13, 20, 34];
/// What is done for all widths at a time, or for as many 16-bit counts as a register holds.
const LANES: usize = 8;
const _: () = assert!(WIDTHS.len() <= LANES);
/// The width, as an index, whose densest window names the typical interval.
const TYPICAL: usize = 3;
/// Natural logarithm of a bin's width.
const LN_BIN: f32 = std::f32::consts::LN_2 / BINS_PER_OCTAVE as f32;
/// `ln(2^(width / 8) - 1)` for [`WIDTHS`]: the width of a window that begins at 1.
const LN_SPREAD: [f32; 7] = [-2.40232, -1.21456, -0.61210, -0.18151, 0.73449, 1.53834, 2.89189];
/// An interval outside of the window may be anything between 1 s and 36 h: `ln(17 ln 2)` nats less likely per log unit.
const LN_ANYTHING: f32 = 2.466_9;

/// Eighth roots of two to the power of 0 to 7.
const ROOTS: [f32; 8] = [
    1.0,
    1.090_507_7,
    1.189_207_1,
    1.296_839_6,
    std::f32::consts::SQRT_2,
    1.542_210_8,
    1.681_792_8,
    1.834_008_1,
];

/// What one interval of a bin adds to each sum, by bin: root and length of the bin's middle, its log in nats, its square.
const WEIGHTS: [[f32; 4]; INTERVAL_BINS] = {
    let mut weights = [[0.0; 4]; INTERVAL_BINS];
    let mut bin = 0;
    while bin < INTERVAL_BINS {
        let octave = bin / BINS_PER_OCTAVE;
        let half = if octave % 2 == 1 { ROOTS[4] } else { 1.0 };
        // 2^(1/16) and its square root.
        let half_bin = if bin % 2 == 1 { 1.044_273_8 } else { 1.0 };
        let root = (1_u64 << (octave / 2)) as f32 * half * ROOTS[bin % BINS_PER_OCTAVE / 2] * half_bin * 1.021_897_1;
        let middle = middle_s(bin);
        weights[bin] = [root, middle, (bin as f32 + 0.5) * LN_BIN, middle * middle];
        bin += 1;
    }
    weights
};
/// Places of the sums: weighted by the root of the interval (between counting intervals, where bursts win, and counting time,
/// where pauses win), by its length, by its log, by its square.
const ROOT: usize = 0;
const TIME: usize = 1;
const LOG: usize = 2;
const SQUARE: usize = 3;

/// Where a bin begins, seconds.
pub(super) const fn start_s(bin: usize) -> f32 {
    (1_u64 << (bin / BINS_PER_OCTAVE)) as f32 * ROOTS[bin % BINS_PER_OCTAVE]
}

/// The middle of a bin on a logarithmic scale, seconds.
pub(super) const fn middle_s(bin: usize) -> f32 {
    start_s(bin) * 1.044_273_8
}

/// Sums over the bins before each edge.
pub(super) struct Sums {
    /// First bin with an interval, and the one after the last.
    pub(super) first: usize,
    pub(super) last: usize,
    count: [i16; EDGES],
    /// Side by side, so that one step adds all: by [`ROOT`], [`TIME`], [`LOG`] and [`SQUARE`].
    weighted: [[f32; 4]; EDGES],
}

/// What the intervals from one bin on look like.
#[derive(Clone, Copy)]
pub(super) struct Fit {
    /// Intervals.
    pub(super) count: f32,
    /// Mean of the log-likelihood of Poisson traffic, nats an interval, as density over log intervals.
    pub(super) poisson: f32,
    /// Share in the densest window of each width.
    pub(super) shares: [f32; WIDTHS.len()],
    /// Log-likelihood of the best window over [`Self::poisson`], nats an interval.
    pub(super) gain: f32,
    /// Begin of the densest window of the typical width, bins.
    pub(super) start: usize,
    /// Mean interval in it, seconds.
    pub(super) typical_s: f32,
}

impl Sums {
    pub(super) fn new(bins: &[u16; INTERVAL_BINS]) -> Self {
        let first = bins.iter().position(|&bin| bin > 0).unwrap_or(0);
        let last = bins.iter().rposition(|&bin| bin > 0).map_or(0, |bin| bin + 1);
        let mut sums = Self {
            first,
            last,
            count: [0; EDGES],
            weighted: [[0.0; 4]; EDGES],
        };
        let (mut count, mut weighted) = (0_i16, [0.0; 4]);
        let seen = first..last.max(first);
        let edges = sums.count[first + 1..].iter_mut().zip(&mut sums.weighted[first + 1..]);
        for ((intervals, weights), edge) in bins[seen.clone()].iter().zip(&WEIGHTS[seen]).zip(edges) {
            // At most `Intervals::LIMIT` and the rounding of 136 bins: fits.
            count = count.saturating_add(*intervals as i16);
            let intervals = f32::from(*intervals as i16);
            weighted = std::array::from_fn(|sum| weighted[sum] + intervals * weights[sum]);
            (*edge.0, *edge.1) = (count, weighted);
        }
        sums.count[last..].fill(count);
        sums.weighted[last..].fill(weighted);
        sums
    }

    /// Intervals in a range of bins.
    pub(super) fn count(&self, from: usize, to: usize) -> f32 {
        f32::from(self.count[to.min(INTERVAL_BINS)] - self.count[from.min(to).min(INTERVAL_BINS)])
    }

    /// Their total, seconds.
    pub(super) fn time(&self, from: usize, to: usize) -> f32 {
        self.weighted[to.min(INTERVAL_BINS)][TIME] - self.weighted[from.min(to).min(INTERVAL_BINS)][TIME]
    }

    /// Mean of the intervals from a bin on, seconds, and their standard deviation over it, unbiased; 1 where there are fewer than two,
    /// as of Poisson traffic.
    pub(super) fn mean_and_spread(&self, from: usize) -> (f32, f32) {
        let count = self.count(from, INTERVAL_BINS);
        let (before, all) = (&self.weighted[from.min(INTERVAL_BINS)], &self.weighted[INTERVAL_BINS]);
        mean_and_spread(count, all[TIME] - before[TIME], all[SQUARE] - before[SQUARE])
    }

    /// Begins of the windows in which the intervals weigh most, by the root of their length and by their length: where the time goes.
    pub(super) fn heaviest(&self, width: usize) -> (usize, usize) {
        let to = self
            .last
            .saturating_sub(width)
            .max(self.first)
            .min(INTERVAL_BINS - width);
        // Nothing but pauses: no window fits behind them.
        if self.first > to {
            return (self.first, self.first);
        }
        // Two rows at a time: a comparison waits for the one before it.
        let (mut most, mut at) = ([[-1.0_f32; 4]; 2], [[self.first as i32; 4]; 2]);
        let starts = self.weighted[self.first..=to].chunks(2);
        let ends = self.weighted[self.first + width..=to + width].chunks(2);
        for (place, (starts, ends)) in (self.first as i32..).step_by(2).zip(starts.zip(ends)) {
            for (row, (start, end)) in starts.iter().zip(ends).enumerate() {
                for sum in 0..4 {
                    let weight = end[sum] - start[sum];
                    let heavier = weight > most[row][sum];
                    most[row][sum] = if heavier { weight } else { most[row][sum] };
                    at[row][sum] = if heavier { place + row as i32 } else { at[row][sum] };
                }
            }
        }
        let first = |sum: usize| {
            let second = most[1][sum] > most[0][sum] || (most[1][sum] == most[0][sum] && at[1][sum] < at[0][sum]);
            at[usize::from(second)][sum] as usize
        };
        (first(ROOT), first(TIME))
    }

    /// The bin, of some from `low` to before `high` that hold `target` intervals, in which the count reaches it; and the intervals
    /// before that bin and in it. `None` where there are no intervals.
    pub(super) fn reach(&self, low: usize, high: usize, target: f32) -> Option<(usize, f32, f32)> {
        let before = self.count[low];
        let whole = target as i16;
        let target = whole + i16::from(f32::from(whole) < target);
        // Counted, not searched: a search guesses at every step.
        let edges = self.count[low..=high].iter();
        let short: i16 = edges.map(|&count| i16::from(count - before < target)).sum();
        let bin = (low + short as usize)
            .checked_sub(1)
            .filter(|&bin| bin >= low && bin < high)?;
        let below = f32::from(self.count[bin] - before);
        Some((bin, below, f32::from(self.count[bin + 1] - self.count[bin])))
    }

    /// Fits windows to the intervals from bin `from` on.
    pub(super) fn fit(&self, from: usize) -> Fit {
        let from = from.min(self.last);
        let count = self.count(from, INTERVAL_BINS).max(1.0);
        let (time, log) = (
            self.time(from, INTERVAL_BINS).max(1.0),
            self.weighted[INTERVAL_BINS][LOG] - self.weighted[from][LOG],
        );
        // Exponential intervals with their own mean m: f(ln x) = x / m exp(-x / m).
        let poisson = log / count - ln(time / count) - 1.0;
        let mut fit = Fit {
            count,
            poisson,
            shares: [0.0; 7],
            gain: f32::MIN,
            start: from,
            typical_s: 0.0,
        };
        let (mut inside, mut logs, mut ln_widths) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
        for (index, &width) in WIDTHS.iter().enumerate() {
            let (start, most) = self.densest(from, width);
            let end = start + width;
            inside[index] = most;
            fit.shares[index] = most / count;
            if index == TYPICAL && most > 0.0 {
                fit.start = start;
                fit.typical_s = (self.weighted[end][TIME] - self.weighted[start][TIME]) / most;
            }
            logs[index] = self.weighted[end][LOG] - self.weighted[start][LOG];
            ln_widths[index] = start as f32 * LN_BIN + LN_SPREAD[index];
        }
        // Uniform between the window's edges a and b: f(ln x) = x / (b - a); the share of intervals outside is fitted. All widths at
        // a time.
        let ln_all = ln(count + 1.0);
        let outside = inside.map(|inside| count - inside);
        let (ln_inside, ln_outside) = (
            inside.map(|inside| ln(inside + 0.5)),
            outside.map(|outside| ln(outside + 0.5)),
        );
        let likelihood: [f32; LANES] = std::array::from_fn(|index| {
            logs[index]
                + inside[index] * (ln_inside[index] - ln_all - ln_widths[index])
                + outside[index] * (ln_outside[index] - ln_all - LN_ANYTHING)
        });
        for likelihood in &likelihood[..WIDTHS.len()] {
            fit.gain = fit.gain.max(likelihood / count - poisson);
        }
        fit
    }

    /// Begin of the densest window that begins at or after a bin, and the intervals in it.
    fn densest(&self, from: usize, width: usize) -> (usize, f32) {
        let to = self.last.saturating_sub(width).max(from).min(INTERVAL_BINS - width);
        let from = from.min(to);
        let (at, most) = first_largest(&self.count[from..=to], &self.count[from + width..=to + width]);
        (from + at, f32::from(most))
    }
}

/// Mean, and standard deviation over it (unbiased, at least a thousandth), from count, sum and sum of squares.
pub(super) fn mean_and_spread(count: f32, sum: f32, squares: f32) -> (f32, f32) {
    let mean = (sum / count.max(1.0)).max(0.001);
    if count < 2.0 {
        return (mean, 1.0);
    }
    let variance = (squares / count - mean * mean).max(0.0) * count / (count - 1.0);
    (mean, (variance.sqrt() / mean).max(1e-3))
}

/// Place and value of the largest difference; of equal ones the first. As many at a time as a register holds.
fn first_largest(starts: &[i16], ends: &[i16]) -> (usize, i16) {
    let (start_groups, start_rest) = starts.as_chunks::<LANES>();
    let (end_groups, end_rest) = ends.as_chunks::<LANES>();
    let (mut most, mut at) = ([i16::MIN; LANES], [0_i16; LANES]);
    for (group, (start, end)) in start_groups.iter().zip(end_groups).enumerate() {
        for lane in 0..LANES {
            let difference = end[lane] - start[lane];
            at[lane] = if difference > most[lane] {
                group as i16
            } else {
                at[lane]
            };
            most[lane] = most[lane].max(difference);
        }
    }
    // Value and place in one number, so that of equal values the first wins.
    let both = |value: i16, place: usize| (i32::from(value) << 8) - place as i32;
    let mut best = i32::MIN;
    for lane in 0..LANES {
        best = best.max(both(most[lane], at[lane] as usize * LANES + lane));
    }
    for (place, (start, end)) in start_rest.iter().zip(end_rest).enumerate() {
        best = best.max(both(end - start, start_groups.len() * LANES + place));
    }
    let value = (best + 255) >> 8;
    (((value << 8) - best) as usize, value as i16)
}

/// Natural logarithm of a positive number, error below 1e-4: the measures need no more.
#[inline]
pub(super) fn ln(value: f32) -> f32 {
    // Bits of sqrt(1/2): taking them off first puts the mantissa between sqrt(1/2) and sqrt(2) without a branch.
    const HALF_ROOT: i32 = 0x3f35_04f3;
    let bits = value.max(f32::MIN_POSITIVE).to_bits() as i32;
    let octaves = (bits - HALF_ROOT) >> 23;
    let mantissa = f32::from_bits((bits - (octaves << 23)) as u32);
    // 2 atanh(t), t = (m - 1) / (m + 1), |t| < 0.172.
    let t = (mantissa - 1.0) / (mantissa + 1.0);
    let square = t * t;
    octaves as f32 * std::f32::consts::LN_2 + 2.0 * t * (1.0 + square * (1.0 / 3.0 + square * 0.2))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn constants_are_what_they_say() {
        for (width, spread) in WIDTHS.iter().zip(LN_SPREAD) {
            assert!(
                (((*width as f32 / 8.0).exp2() - 1.0).ln() - spread).abs() < 1e-3,
                "{width}"
            );
        }
        for (bin, weights) in WEIGHTS.iter().enumerate() {
            let middle = ((bin as f32 + 0.5) / 8.0).exp2();
            assert!((weights[TIME] / middle - 1.0).abs() < 1e-5);
            assert!((weights[ROOT] / middle.sqrt() - 1.0).abs() < 1e-5, "{bin}");
            assert!((start_s(bin) / (bin as f32 / 8.0).exp2() - 1.0).abs() < 1e-6, "{bin}");
        }
        assert!(((17.0 * std::f32::consts::LN_2).ln() - LN_ANYTHING).abs() < 1e-3);
        for step in 1..10_000 {
            let value = step as f32 * 0.013;
            assert!((ln(value) - value.ln()).abs() < 1e-4, "{value}");
        }
    }

    #[test]
    fn a_clock_fits_a_window_and_a_poisson_process_does_not() {
        let mut clock = [0; INTERVAL_BINS];
        clock[47] = 100;
        let fit = Sums::new(&clock).fit(0);
        assert!(fit.gain > 2.0 && fit.shares[0] == 1.0, "{}", fit.gain);
        assert!((fit.typical_s - 61.3).abs() < 1.0, "{}", fit.typical_s);
        // Exponential intervals of mean 60 s, by the distribution function.
        let below = |bin: usize| 1.0 - (-((bin as f32 / 8.0).exp2()) / 60.0).exp();
        let poisson = std::array::from_fn(|bin| (10_000.0 * (below(bin + 1) - below(bin))) as u16);
        let fit = Sums::new(&poisson).fit(0);
        assert!(fit.gain < 0.0, "{}", fit.gain);
    }

    proptest! {
        /// Whole registers find what one bin after the other would.
        #[test]
        fn windows_and_quantiles_are_those_of_a_plain_search(
            bins in prop::collection::vec(prop_oneof![3 => Just(0_u16), 1 => 0_u16..120], INTERVAL_BINS),
            share in 0.01_f32..1.0,
        ) {
            let bins: [u16; INTERVAL_BINS] = std::array::from_fn(|bin| bins[bin]);
            let sums = Sums::new(&bins);
            for width in WIDTHS {
                let (start, most) = sums.densest(sums.first, width);
                let inside = |start: usize| bins[start..start + width].iter().map(|&bin| f32::from(bin)).sum::<f32>();
                let starts = sums.first.min(INTERVAL_BINS - width)..=INTERVAL_BINS - width;
                let plain = starts.clone().map(inside).fold(0.0, f32::max);
                prop_assert_eq!(most, plain);
                prop_assert_eq!(inside(start), plain);
                prop_assert!(starts.take_while(|&before| before < start).all(|before| inside(before) < plain));
            }
            let all = sums.count(0, INTERVAL_BINS);
            let (target, mut below) = (all * share, 0.0);
            let mut plain = None;
            for (bin, &count) in bins.iter().enumerate() {
                if plain.is_none() && count > 0 && below + f32::from(count) >= target {
                    plain = Some((bin, below, f32::from(count)));
                }
                below += f32::from(count);
            }
            prop_assert_eq!(sums.reach(0, INTERVAL_BINS, target), plain);
            let (root, time) = sums.heaviest(13);
            let weight = |start: usize, sum: usize| sums.weighted[start + 13][sum] - sums.weighted[start][sum];
            for start in sums.first..=(INTERVAL_BINS - 13).min(sums.last.saturating_sub(13)) {
                prop_assert!(weight(start, ROOT) <= weight(root, ROOT) && weight(start, TIME) <= weight(time, TIME));
            }
        }
    }

    #[test]
    fn the_fullest_histogram_fits_the_sums() {
        let fit = Sums::new(&[121; INTERVAL_BINS]).fit(0);
        assert_eq!(fit.count, 16_456.0);
        let mut pauses = [0; INTERVAL_BINS];
        pauses[INTERVAL_BINS - 1] = 9;
        let sums = Sums::new(&pauses);
        assert_eq!(sums.heaviest(13), (INTERVAL_BINS - 1, INTERVAL_BINS - 1));
        assert_eq!(sums.fit(sums.first).count, 9.0);
        let empty = Sums::new(&[0; INTERVAL_BINS]).fit(0);
        assert_eq!((empty.count, empty.typical_s), (1.0, 0.0));
    }
}

//! Windows over the interval histogram: how many intervals lie close together, and how much better that fits a beacon.
//!
//! In: the histogram. Out: the densest window of each width, and the likelihood of a renewal process with bounded support
//! against Poisson traffic. Not its job: what is made of it, that is [`super::shape()`]'s.

use crate::timeline::{BINS_PER_OCTAVE, INTERVAL_BINS};

const EDGES: usize = INTERVAL_BINS + 1;

/// Widths of the windows, bins: the supports of a uniform jitter of 4, 13, 21, 30, 51, 70 and 90 %, as
/// `2^(width / 8) = (1 + jitter) / (1 - jitter)`.
pub(super) const WIDTHS: [usize; 7] = [1, 3, 5, 7, 13, 20, 34];
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

/// Middles of the bins, seconds, and their square roots.
const MIDDLES: ([f32; INTERVAL_BINS], [f32; INTERVAL_BINS]) = {
    let (mut middles, mut roots) = ([0.0; INTERVAL_BINS], [0.0; INTERVAL_BINS]);
    let mut bin = 0;
    while bin < INTERVAL_BINS {
        let octave = bin / BINS_PER_OCTAVE;
        // 2^(1/16) and its square root.
        middles[bin] = (1_u64 << octave) as f32 * ROOTS[bin % BINS_PER_OCTAVE] * 1.044_273_8;
        let half = if octave % 2 == 1 { ROOTS[4] } else { 1.0 };
        let half_bin = if bin % 2 == 1 { 1.044_273_8 } else { 1.0 };
        roots[bin] = (1_u64 << (octave / 2)) as f32 * half * ROOTS[bin % BINS_PER_OCTAVE / 2] * half_bin * 1.021_897_1;
        bin += 1;
    }
    (middles, roots)
};

/// Sums over the bins before each edge.
pub(super) struct Sums {
    /// First bin with an interval, and the one after the last.
    pub(super) first: usize,
    pub(super) last: usize,
    count: [i16; EDGES],
    /// Weighted by the root of the interval: between counting intervals, where bursts win, and counting time, where pauses win.
    root: [f32; EDGES],
    time: [f32; EDGES],
    log: [f32; EDGES],
}

/// What the intervals from one bin on look like.
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
            root: [0.0; EDGES],
            time: [0.0; EDGES],
            log: [0.0; EDGES],
        };
        let (mut count, mut root, mut time, mut log) = (0_i16, 0.0, 0.0, 0.0);
        for (bin, &intervals) in bins.iter().enumerate().take(last).skip(first) {
            let weight = f32::from(intervals);
            // At most `Intervals::LIMIT` and the rounding of 136 bins: fits.
            count = count.saturating_add(intervals.min(i16::MAX as u16) as i16);
            root += weight * MIDDLES.1[bin];
            time += weight * MIDDLES.0[bin];
            log += weight * (bin as f32 + 0.5) * LN_BIN;
            sums.count[bin + 1] = count;
            sums.root[bin + 1] = root;
            sums.time[bin + 1] = time;
            sums.log[bin + 1] = log;
        }
        sums.count[last..].fill(count);
        sums.root[last..].fill(root);
        sums.time[last..].fill(time);
        sums.log[last..].fill(log);
        sums
    }

    /// Intervals in a range of bins.
    pub(super) fn count(&self, from: usize, to: usize) -> f32 {
        f32::from(self.count[to.min(INTERVAL_BINS)] - self.count[from.min(to).min(INTERVAL_BINS)])
    }

    /// Their total, seconds.
    pub(super) fn time(&self, from: usize, to: usize) -> f32 {
        self.time[to.min(INTERVAL_BINS)] - self.time[from.min(to).min(INTERVAL_BINS)]
    }

    /// Begin of the window in which the intervals weigh most by the root of their length.
    pub(super) fn heaviest_by_root(&self, width: usize) -> usize {
        self.heaviest(&self.root, width)
    }

    /// The same by their length: where the time goes.
    pub(super) fn heaviest_by_time(&self, width: usize) -> usize {
        self.heaviest(&self.time, width)
    }

    fn heaviest(&self, sums: &[f32; EDGES], width: usize) -> usize {
        let (mut best, mut at) = (-1.0, self.first);
        for start in self.first
            ..=self
                .last
                .saturating_sub(width)
                .max(self.first)
                .min(INTERVAL_BINS - width)
        {
            let weight = sums[start + width] - sums[start];
            if weight > best {
                (best, at) = (weight, start);
            }
        }
        at
    }

    /// Fits windows to the intervals from bin `from` on.
    pub(super) fn fit(&self, from: usize) -> Fit {
        let from = from.min(self.last);
        let count = self.count(from, INTERVAL_BINS).max(1.0);
        let (time, log) = (
            self.time(from, INTERVAL_BINS).max(1.0),
            self.log[INTERVAL_BINS] - self.log[from],
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
        let ln_all = ln(count + 1.0);
        for (index, &width) in WIDTHS.iter().enumerate() {
            let (start, inside) = self.densest(from, width);
            let end = start + width;
            let outside = count - inside;
            fit.shares[index] = inside / count;
            if index == TYPICAL && inside > 0.0 {
                fit.start = start;
                fit.typical_s = (self.time[end] - self.time[start]) / inside;
            }
            // Uniform between the window's edges a and b: f(ln x) = x / (b - a); the share of intervals outside is fitted.
            let ln_width = start as f32 * LN_BIN + LN_SPREAD[index];
            let likelihood = self.log[end] - self.log[start]
                + inside * (ln(inside + 0.5) - ln_all - ln_width)
                + outside * (ln(outside + 0.5) - ln_all - LN_ANYTHING);
            fit.gain = fit.gain.max(likelihood / count - poisson);
        }
        fit
    }

    /// Begin of the densest window that begins at or after a bin, and the intervals in it.
    fn densest(&self, from: usize, width: usize) -> (usize, f32) {
        let to = self.last.saturating_sub(width).max(from).min(INTERVAL_BINS - width);
        let from = from.min(to);
        let (starts, ends) = (&self.count[from..=to], &self.count[from + width..=to + width]);
        // Count and place in one number, so that several windows are compared at a time; of equal counts the first wins.
        let mut best = i32::MIN;
        for (place, (start, end)) in starts.iter().zip(ends).enumerate() {
            best = best.max((i32::from(*end - *start) << 8) - place as i32);
        }
        let most = (best + 255) >> 8;
        let at = ((most << 8) - best) as usize;
        (from + at, most as f32)
    }
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
    use super::*;

    #[test]
    fn constants_are_what_they_say() {
        for (width, spread) in WIDTHS.iter().zip(LN_SPREAD) {
            assert!(
                (((*width as f32 / 8.0).exp2() - 1.0).ln() - spread).abs() < 1e-3,
                "{width}"
            );
        }
        for bin in 0..INTERVAL_BINS {
            let middle = ((bin as f32 + 0.5) / 8.0).exp2();
            assert!((MIDDLES.0[bin] / middle - 1.0).abs() < 1e-5);
            assert!((MIDDLES.1[bin] / middle.sqrt() - 1.0).abs() < 1e-5, "{bin}");
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

    #[test]
    fn the_fullest_histogram_fits_the_sums() {
        let fit = Sums::new(&[121; INTERVAL_BINS]).fit(0);
        assert_eq!(fit.count, 16_456.0);
        let empty = Sums::new(&[0; INTERVAL_BINS]).fit(0);
        assert_eq!((empty.count, empty.typical_s), (1.0, 0.0));
    }
}

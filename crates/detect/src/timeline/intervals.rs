//! The intervals of a timeline on a logarithmic scale: a histogram and running sums, all integers.
//!
//! In: intervals in milliseconds, one or two neighbours at a time. Out: counts per bin, sums over log intervals. Not its
//! job: which starts make an interval.

/// Bins per octave: each is 9 % wide, so a clock with a jitter of 5 % fills one or two.
pub const BINS_PER_OCTAVE: usize = 8;
/// From 1 s to 2^17 s (36 h) and beyond.
pub const INTERVAL_BINS: usize = 17 * BINS_PER_OCTAVE;
/// Fine units of the sums: 64 per octave, 1.1 % each.
const UNITS_PER_OCTAVE: u32 = 64;
/// Unit of the sums of squares and products, in fine units squared.
const PRODUCT_UNIT: f64 = 16.0;

/// Histogram and sums over intervals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Intervals {
    bins: [u16; INTERVAL_BINS],
    /// Intervals in the histogram; halves with it.
    count: u32,
    /// Sum of log intervals, fine units.
    sum_log: u32,
    /// Sum of their squares, in units of [`PRODUCT_UNIT`].
    sum_log_squared: u32,
    /// Pairs of neighbouring intervals behind the next two sums.
    pairs: u32,
    /// Sum of products of neighbouring log intervals.
    sum_product: u32,
    /// Sum of absolute differences of neighbouring log intervals.
    sum_change: u32,
    largest_ms: u32,
}

crate::state::kept!(Intervals { bins, count, sum_log, sum_log_squared, pairs, sum_product, sum_change, largest_ms } if |read| {
    let sums = [read.sum_log, read.sum_log_squared, read.pairs, read.sum_product, read.sum_change];
    read.count <= Intervals::LIMIT
        && read.bins.iter().all(|bin| u32::from(*bin) <= Intervals::LIMIT)
        && sums.iter().all(|sum| *sum <= u32::MAX / 2)
});

impl Default for Intervals {
    fn default() -> Self {
        Self {
            bins: [0; INTERVAL_BINS],
            count: 0,
            sum_log: 0,
            sum_log_squared: 0,
            pairs: 0,
            sum_product: 0,
            sum_change: 0,
            largest_ms: 0,
        }
    }
}

impl Intervals {
    /// Intervals at which everything but the largest one is halved: so no 16-bit bin can overflow in months, and a timeline forgets
    /// slowly what a host did before (half of it in the next 8,192 check-ins, 6 days at one a minute).
    pub(crate) const LIMIT: u32 = 16_384;

    /// One more interval.
    #[inline]
    pub(crate) fn add(&mut self, gap_ms: u32) {
        self.add_log(gap_ms, log_units(gap_ms));
    }

    /// One more interval, and the pair it makes with the one before.
    #[inline]
    pub(crate) fn add_after(&mut self, before_ms: Option<u32>, gap_ms: u32) {
        let log = log_units(gap_ms);
        self.add_log(gap_ms, log);
        if let Some(before_ms) = before_ms {
            self.add_log_pair(log_units(before_ms), log);
        }
    }

    /// Two neighbours, for the sums over pairs.
    pub(crate) fn add_pair(&mut self, before_ms: u32, after_ms: u32) {
        self.add_log_pair(log_units(before_ms), log_units(after_ms));
    }

    fn add_log(&mut self, gap_ms: u32, log: u32) {
        if self.count >= Self::LIMIT {
            self.halve();
        }
        self.bins[bin(log)] += 1;
        self.count += 1;
        self.sum_log += log;
        self.sum_log_squared += product(log, log);
        self.largest_ms = self.largest_ms.max(gap_ms);
    }

    fn add_log_pair(&mut self, before: u32, after: u32) {
        self.pairs += 1;
        self.sum_product += product(before, after);
        self.sum_change += before.abs_diff(after);
    }

    /// Takes an interval back that turned out to be divided. The largest stays.
    pub(crate) fn remove(&mut self, gap_ms: u32) {
        let log = log_units(gap_ms);
        let bin = &mut self.bins[bin(log)];
        // After halving the interval may be gone already.
        if *bin > 0 {
            *bin -= 1;
            self.count -= 1;
            self.sum_log = self.sum_log.saturating_sub(log);
            self.sum_log_squared = self.sum_log_squared.saturating_sub(product(log, log));
        }
    }

    /// Adds another timeline's intervals; halved once if the sum passes [`Self::LIMIT`].
    pub(crate) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.bins.iter_mut().zip(other.bins) {
            // Both are at most LIMIT, so the sum fits.
            *mine += theirs;
        }
        self.count += other.count;
        self.sum_log += other.sum_log;
        self.sum_log_squared += other.sum_log_squared;
        self.pairs += other.pairs;
        self.sum_product += other.sum_product;
        self.sum_change += other.sum_change;
        self.largest_ms = self.largest_ms.max(other.largest_ms);
        if self.count > Self::LIMIT {
            self.halve();
        }
    }

    /// Counts per bin.
    pub(crate) fn bins(&self) -> &[u16; INTERVAL_BINS] {
        &self.bins
    }

    /// Intervals in the bins.
    #[cfg(test)]
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// The longest interval ever, seconds.
    pub(crate) fn largest_s(&self) -> f64 {
        f64::from(self.largest_ms) / 1000.0
    }

    /// Mean and standard deviation of log2 intervals (seconds); zeros without intervals.
    pub(crate) fn log_mean_and_spread(&self) -> (f64, f64) {
        let (mean, variance) = self.moments();
        (
            mean / f64::from(UNITS_PER_OCTAVE),
            variance.sqrt() / f64::from(UNITS_PER_OCTAVE),
        )
    }

    /// Correlation of neighbouring log intervals, -1 to 1; 0 where it is undefined.
    pub(crate) fn neighbour_correlation(&self) -> f64 {
        let (mean, variance) = self.moments();
        if self.pairs == 0 || variance <= 0.0 {
            return 0.0;
        }
        ((f64::from(self.sum_product) * PRODUCT_UNIT / f64::from(self.pairs) - mean * mean) / variance).clamp(-1.0, 1.0)
    }

    /// Mean absolute change between neighbouring intervals, octaves.
    pub(crate) fn mean_change(&self) -> f64 {
        if self.pairs == 0 {
            return 0.0;
        }
        f64::from(self.sum_change) / f64::from(self.pairs) / f64::from(UNITS_PER_OCTAVE)
    }

    fn moments(&self) -> (f64, f64) {
        if self.count == 0 {
            return (0.0, 0.0);
        }
        let count = f64::from(self.count);
        let mean = f64::from(self.sum_log) / count;
        (
            mean,
            (f64::from(self.sum_log_squared) * PRODUCT_UNIT / count - mean * mean).max(0.0),
        )
    }

    fn halve(&mut self) {
        let mut count = 0;
        for bin in &mut self.bins {
            // Up: a rare interval is not forgotten before the common ones.
            *bin = bin.div_ceil(2);
            count += u32::from(*bin);
        }
        // The sums shrink by the share that the rounded bins kept, so means stay what they were.
        let share = f64::from(count) / f64::from(self.count.max(1));
        self.sum_log = (f64::from(self.sum_log) * share) as u32;
        self.sum_log_squared = (f64::from(self.sum_log_squared) * share) as u32;
        self.count = count;
        self.pairs /= 2;
        self.sum_product /= 2;
        self.sum_change /= 2;
    }
}

/// Bin of a log interval.
fn bin(log_units: u32) -> usize {
    const UNITS_PER_BIN: u32 = UNITS_PER_OCTAVE / BINS_PER_OCTAVE as u32;
    ((log_units / UNITS_PER_BIN) as usize).min(INTERVAL_BINS - 1)
}

/// Product of two log intervals in units of [`PRODUCT_UNIT`], rounded: twice [`Intervals::LIMIT`] of the largest fit 32 bits.
fn product(one: u32, two: u32) -> u32 {
    (one * two + PRODUCT_UNIT as u32 / 2) / PRODUCT_UNIT as u32
}

/// `log2(gap)` in fine units above one second. Only additions, multiplications and one division, so it is the same on every
/// machine (a library's `log2` is not).
fn log_units(gap_ms: u32) -> u32 {
    let seconds = f64::from(gap_ms.max(1000)) / 1000.0;
    let log = (log2(seconds) * f64::from(UNITS_PER_OCTAVE)) as u32;
    log.min(17 * UNITS_PER_OCTAVE)
}

/// Base-2 logarithm of a normal positive number, error below 1e-6: exponent, and the series of `2 atanh((m - 1) / (m + 1))` for the
/// mantissa between `sqrt(1/2)` and `sqrt(2)`.
#[inline]
pub(crate) fn log2(value: f64) -> f64 {
    const MANTISSA: u64 = (1 << 52) - 1;
    let bits = value.to_bits();
    let mut exponent = ((bits >> 52) & 0x7ff) as i64 - 1023;
    let mut mantissa = f64::from_bits((bits & MANTISSA) | (1023 << 52));
    if mantissa > std::f64::consts::SQRT_2 {
        mantissa *= 0.5;
        exponent += 1;
    }
    let t = (mantissa - 1.0) / (mantissa + 1.0);
    let square = t * t;
    let series = t * (1.0 + square * (1.0 / 3.0 + square * (1.0 / 5.0 + square * (1.0 / 7.0))));
    exponent as f64 + series * (2.0 * std::f64::consts::LOG2_E)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log2_is_close_to_the_library() {
        for step in 1..20_000 {
            let value = f64::from(step) * 0.37;
            assert!((log2(value) - value.log2()).abs() < 1e-6, "{value}");
        }
    }

    #[test]
    fn bins_begin_where_they_say() {
        assert_eq!(bin(log_units(1000)), 0);
        assert_eq!(bin(log_units(1)), 0);
        assert_eq!(bin(log_units(2000)), 8);
        assert_eq!(bin(log_units(60_000)), 47);
        assert_eq!(bin(log_units(u32::MAX)), INTERVAL_BINS - 1);
    }

    #[test]
    fn months_of_check_ins_do_not_overflow() {
        let mut intervals = Intervals::default();
        for step in 0..1_000_000_u32 {
            intervals.add(if step % 2 == 0 { 1000 } else { u32::MAX });
            intervals.add_pair(1000, u32::MAX);
        }
        assert!(intervals.count() <= Intervals::LIMIT);
        assert_eq!(
            intervals.count(),
            intervals.bins().iter().map(|&bin| u32::from(bin)).sum::<u32>()
        );
        let (mean, spread) = intervals.log_mean_and_spread();
        assert!(
            (mean - 8.5).abs() < 0.1 && (spread - 8.5).abs() < 0.1,
            "{mean} {spread}"
        );
    }

    #[test]
    fn a_rare_interval_outlives_halving() {
        let mut intervals = Intervals::default();
        intervals.add(3_600_000);
        (0..5 * Intervals::LIMIT).for_each(|_| intervals.add(60_000));
        assert_eq!(intervals.bins()[bin(log_units(3_600_000))], 1);
        assert_eq!(intervals.largest_s(), 3600.0);
    }
}

//! Time of a pcapng interface: ticks of its own resolution, counted from its own offset, into nanoseconds since 1970.
//!
//! In: the two options' values and a tick count, all chosen by whoever wrote the file. Out: a time that saturates at both
//! ends of its range (1677 and 2262) and never overflows.

const NS_PER_S: u64 = 1_000_000_000;

/// How to turn ticks into nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scale {
    /// A tick is this many nanoseconds.
    Multiply(u64),
    /// So many ticks are a nanosecond.
    Divide(u128),
    /// A second has 2^n ticks.
    Binary(u32),
}

/// An interface's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    scale: Scale,
    offset_s: i64,
}

impl Clock {
    /// `resolution` as in option `if_tsresol`: a negative power of ten, or of two when the top bit is set.
    /// `offset_s` as in option `if_tsoffset`.
    pub(super) fn new(resolution: u8, offset_s: i64) -> Self {
        let power = u32::from(resolution & 0x7f);
        let scale = if resolution & 0x80 != 0 {
            Scale::Binary(power)
        } else if power <= 9 {
            Scale::Multiply(10u64.pow(9 - power))
        } else {
            // Above 10^-38 the divisor does not fit, and every tick count is less than a nanosecond anyway.
            Scale::Divide(10u128.checked_pow(power - 9).unwrap_or(u128::MAX))
        };
        Self { scale, offset_s }
    }

    /// Nanoseconds since 1970 after `ticks`.
    #[inline]
    pub(super) fn time_ns(self, ticks: u64) -> i64 {
        if let (Scale::Multiply(ns), 0) = (self.scale, self.offset_s) {
            return ticks
                .checked_mul(ns)
                .and_then(|time| i64::try_from(time).ok())
                .unwrap_or(i64::MAX);
        }
        self.slow_time_ns(ticks)
    }

    fn slow_time_ns(self, ticks: u64) -> i64 {
        let ticks = u128::from(ticks);
        let time = match self.scale {
            Scale::Multiply(ns) => ticks * u128::from(ns),
            Scale::Divide(by) => ticks / by,
            // 64 bits of ticks and 30 of the factor fit in 128; a power above 127 does not occur (7 bits).
            Scale::Binary(power) => (ticks * u128::from(NS_PER_S)) >> power,
        };
        // At most 2^94 and 2^93: the sum fits.
        let time = time.cast_signed() + i128::from(self.offset_s) * i128::from(NS_PER_S);
        i64::try_from(time).unwrap_or(if time < 0 { i64::MIN } else { i64::MAX })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolutions_of_ten_and_two() {
        assert_eq!(Clock::new(6, 0).time_ns(1_500_000), 1_500_000_000);
        assert_eq!(Clock::new(9, 0).time_ns(7), 7);
        assert_eq!(Clock::new(0, 0).time_ns(3), 3_000_000_000);
        assert_eq!(Clock::new(12, 0).time_ns(7_999), 7);
        assert_eq!(Clock::new(0x80 | 10, 0).time_ns(1_536), 1_500_000_000);
        assert_eq!(Clock::new(0x80, 0).time_ns(2), 2_000_000_000);
    }

    #[test]
    fn offsets_add_whole_seconds_either_way() {
        assert_eq!(Clock::new(6, 10).time_ns(1), 10_000_001_000);
        assert_eq!(Clock::new(6, -1).time_ns(0), -1_000_000_000);
    }

    #[test]
    fn nothing_overflows() {
        for resolution in 0..=u8::MAX {
            for offset in [i64::MIN, -1, 0, 1, i64::MAX] {
                for ticks in [0, 1, u64::MAX] {
                    Clock::new(resolution, offset).time_ns(ticks);
                }
            }
        }
        assert_eq!(Clock::new(0, 0).time_ns(u64::MAX), i64::MAX);
        assert_eq!(Clock::new(6, i64::MIN).time_ns(0), i64::MIN);
        assert_eq!(Clock::new(0x7f, 0).time_ns(u64::MAX), 0);
        assert_eq!(Clock::new(0xff, 0).time_ns(u64::MAX), 0);
    }
}

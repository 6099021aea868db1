//! Numbers from a seed, the same on every platform and for ever.
//!
//! In: a seed and a stream. Out: integers, fractions and draws from a few laws. Not its job: secrets. Everything here is
//! integer arithmetic or the IEEE 754 operations that are exactly rounded; the system's `ln` and `exp` are not, so they
//! are written out.

/// xoshiro256++ (Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2021), seeded through SplitMix64.
#[derive(Clone, Debug)]
pub struct Random {
    state: [u64; 4],
}

impl Random {
    /// The generator of `stream` under `seed`: streams are independent, so one more beacon changes no other traffic.
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut mix = seed ^ stream.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17);
        let mut word = || {
            mix = mix.wrapping_add(0x9e37_79b9_7f4a_7c15);
            split_mix(mix)
        };
        Self {
            state: [word(), word(), word(), word()],
        }
    }

    /// 64 random bits.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        let s = &mut self.state;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let shifted = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= shifted;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// A number below `end`; 0 for an `end` of 0. The bias is below `end` in 2^64.
    #[inline]
    pub fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(end)) >> 64) as u64
    }

    /// A number from `low` to `high`, both included.
    #[inline]
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low).saturating_add(1))
    }

    /// A fraction in [0, 1).
    #[inline]
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// True with this probability.
    #[inline]
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// A standard normal draw, as the sum of twelve uniforms (Irwin-Hall): variance 1, tails cut at six.
    pub fn gauss(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    /// A log-normal draw: gaps between what people do, sizes of what they fetch.
    pub fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        median * exponential_function(sigma * self.gauss())
    }

    /// An exponential draw: gaps of a memoryless process.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * logarithm(1.0 - self.unit())
    }

    /// Fills `bytes` with random ones.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let word = self.bits().to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
    }
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood, 2014): a well mixed 64-bit hash of a number.
#[inline]
pub(super) fn split_mix(number: u64) -> u64 {
    let mixed = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// e^x for |x| <= 700: 2^k times the Taylor series of the rest, which is below 0.35 (17 terms leave less than one bit).
fn exponential_function(x: f64) -> f64 {
    let x = x.clamp(-700.0, 700.0);
    let halvings = (x / std::f64::consts::LN_2).round();
    let rest = x - halvings * std::f64::consts::LN_2;
    let mut term = 1.0;
    let mut sum = 1.0;
    for n in 1..18 {
        term *= rest / f64::from(n);
        sum += term;
    }
    let power = f64::from_bits(((1023 + halvings as i64) as u64) << 52);
    sum * power
}

/// ln x for normal positive x: exponent times ln 2, plus the area hyperbolic tangent series of the mantissa.
fn logarithm(x: f64) -> f64 {
    let bits = x.to_bits();
    let exponent = (bits >> 52) as i64 - 1023;
    let mantissa = f64::from_bits((bits & ((1 << 52) - 1)) | (1023 << 52));
    let t = (mantissa - 1.0) / (mantissa + 1.0);
    let square = t * t;
    let mut power = t;
    let mut sum = 0.0;
    for n in 0..20 {
        sum += power / f64::from(2 * n + 1);
        power *= square;
    }
    2.0 * sum + exponent as f64 * std::f64::consts::LN_2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_numbers_of_a_seed_are_pinned() {
        let mut random = Random::new(1, 0);
        let drawn = [random.bits(), random.bits(), random.bits()];
        assert_eq!(
            drawn,
            [
                14_971_601_782_005_023_387,
                13_781_649_495_232_077_965,
                1_847_458_086_238_483_744
            ]
        );
    }

    #[test]
    fn streams_differ() {
        assert_ne!(Random::new(1, 0).bits(), Random::new(1, 1).bits());
        assert_ne!(Random::new(1, 0).bits(), Random::new(2, 0).bits());
    }

    #[test]
    fn written_out_functions_agree_with_the_system_to_14_digits() {
        for i in 1..2000 {
            let x = f64::from(i) / 100.0;
            assert!((logarithm(x) - x.ln()).abs() <= 1e-14 * (1.0 + x.ln().abs()), "ln {x}");
            let y = x - 10.0;
            assert!((exponential_function(y) / y.exp() - 1.0).abs() <= 1e-13, "exp {y}");
        }
    }

    #[test]
    fn laws_have_their_moments() {
        let mut random = Random::new(3, 3);
        let n = 20_000;
        let exponential = (0..n).map(|_| random.exponential(5.0)).sum::<f64>() / f64::from(n);
        assert!((4.8..5.2).contains(&exponential), "{exponential}");
        let gauss = (0..n).map(|_| random.gauss().powi(2)).sum::<f64>() / f64::from(n);
        assert!((0.95..1.05).contains(&gauss), "{gauss}");
        let mut log_normal: Vec<f64> = (0..n).map(|_| random.log_normal(30.0, 1.5)).collect();
        log_normal.sort_by(f64::total_cmp);
        assert!((28.0..32.0).contains(&log_normal[10_000]));
        assert!((0..n).all(|_| random.between(3, 5) <= 5));
    }
}

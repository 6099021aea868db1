//! What a tap may see of a timeline besides the clean day of a generator.
//!
//! In: the starts of a pair with known truth. Out: the same pair cut to a short watch, with an operator's tasking, sped up,
//! over many days. Not its job: measuring them.

/// The variant of beacons as seen whose jitter is at least [`WIDE`]: rows of their own weight.
pub const AS_SEEN_WIDE: u8 = 6;
/// Jitter from which few check-ins look like chance.
pub const WIDE: f64 = 0.8;

/// A start: time in nanoseconds, bytes.
pub type Start = (i64, u32);

const SECOND: f64 = 1e9;
const DAY_NS: i64 = 86_400_000_000_000;
/// Most starts of a timeline over days.
const MOST_STARTS: usize = 30_000;

/// Small deterministic random numbers (SplitMix64, Steele et al. 2014).
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Between 0 and 1.
    pub fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn log_uniform(&mut self, low: f64, high: f64) -> f64 {
        (low.ln() + (high.ln() - low.ln()) * self.unit()).exp()
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }

    fn below(&mut self, end: usize) -> usize {
        ((self.unit() * end as f64) as usize).min(end.saturating_sub(1))
    }
}

/// How a pair may be varied.
#[derive(Debug)]
pub struct Variants<'a> {
    /// Whether it is a beacon.
    pub beacon: bool,
    /// Neither cut nor scaled: a part of it would not be what the whole is.
    pub whole_only: bool,
    /// Pairs of the same kind, for further days.
    pub alike: &'a [&'a [Start]],
}

impl Variants<'_> {
    /// 0 as seen, 1 cut to a window, 2 beacon with tasking, 3 fast beacon, 4 innocent at another pace, 5 over days.
    pub fn of(&self, starts: &[Start], random: &mut Random) -> Vec<(u8, Vec<Start>)> {
        let mut variants = vec![(0, starts.to_vec())];
        if !self.whole_only {
            variants.push((1, cut(starts, random)));
        }
        if self.beacon {
            let tasked = tasked(starts, random);
            variants.push((2, maybe_cut(tasked, random)));
            let fast = fast(starts, random);
            let fast = if random.unit() < 0.4 {
                self::tasked(&fast, random)
            } else {
                fast
            };
            variants.push((3, maybe_cut(fast, random)));
        } else if !self.whole_only {
            variants.push((4, maybe_cut(scaled(starts, random.log_uniform(0.02, 3.0)), random)));
        }
        if random.unit() < 0.3 {
            variants.push((5, days(starts, self.alike, random)));
        }
        variants
    }
}

/// What a watch of 4 minutes to a day sees.
fn cut(starts: &[Start], random: &mut Random) -> Vec<Start> {
    let length = (random.log_uniform(240.0, 86_400.0) * SECOND) as i64;
    let from = starts[random.below(starts.len())].0 - (random.unit() * length as f64) as i64;
    starts
        .iter()
        .copied()
        .filter(|start| start.0 >= from && start.0 < from + length)
        .collect()
}

fn maybe_cut(starts: Vec<Start>, random: &mut Random) -> Vec<Start> {
    if random.unit() < 0.7 {
        cut(&starts, random)
    } else {
        starts
    }
}

/// An operator gives tasks: after some check-ins a few more within seconds, and now and then a pause.
fn tasked(starts: &[Start], random: &mut Random) -> Vec<Start> {
    let (share, most, gap_s) = (
        random.log_uniform(0.02, 0.4),
        1 + random.below(6),
        random.log_uniform(0.3, 8.0),
    );
    let pauses = random.unit() < 0.3;
    let span_ns = starts.last().map_or(0, |last| last.0 - starts[0].0);
    let mean_ns = span_ns as f64 / (starts.len() as f64 - 1.0).max(1.0);
    let (mut tasked, mut paused_ns) = (Vec::new(), 0);
    for &(time, bytes) in starts {
        tasked.push((time + paused_ns, bytes));
        if random.unit() < share {
            let mut at = time + paused_ns;
            for _ in 0..=random.below(most) {
                at += (random.exponential(gap_s) * SECOND) as i64;
                tasked.push((at, bytes));
            }
        }
        if pauses && random.unit() < 0.02 {
            paused_ns += (random.log_uniform(2.0, 30.0) * mean_ns) as i64;
        }
    }
    tasked.sort_unstable();
    tasked
}

/// The same beacon with a sleep of seconds or less, each check-in a little late.
fn fast(starts: &[Start], random: &mut Random) -> Vec<Start> {
    let mut fast = scaled(starts, random.log_uniform(0.004, 0.3));
    let delay_s = random.log_uniform(0.005, 0.3);
    fast.iter_mut()
        .for_each(|start| start.0 += (random.exponential(delay_s) * SECOND) as i64);
    fast.sort_unstable();
    fast
}

fn scaled(starts: &[Start], factor: f64) -> Vec<Start> {
    let first = starts[0].0;
    starts
        .iter()
        .map(|&(time, bytes)| (first + ((time - first) as f64 * factor) as i64, bytes))
        .collect()
}

/// Two to thirteen days, some left out, each a pair of the same kind.
fn days(starts: &[Start], alike: &[&[Start]], random: &mut Random) -> Vec<Start> {
    let mut days = starts.to_vec();
    for day in 1..(2 + random.below(12)) as i64 {
        if random.unit() >= 0.2 && days.len() <= MOST_STARTS {
            let other = alike[random.below(alike.len())];
            days.extend(other.iter().map(|&(time, bytes)| (time + day * DAY_NS, bytes)));
        }
    }
    days.sort_unstable();
    days
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_variants_in_order() {
        let starts: Vec<Start> = (0..50).map(|step| (step * 60_000_000_000, 480)).collect();
        let variants = Variants {
            beacon: true,
            whole_only: false,
            alike: &[&starts],
        };
        let (one, two) = (
            variants.of(&starts, &mut Random::new(3)),
            variants.of(&starts, &mut Random::new(3)),
        );
        assert_eq!(one, two);
        assert!(one.len() >= 4 && one.iter().all(|(_, starts)| starts.is_sorted()));
    }
}

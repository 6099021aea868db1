//! What the sizes of check-ins look like, in 40 bytes.
//!
//! In: a size per check-in. Out: how alike they are, and the typical one. Not its job: judging it, context scores do.

/// Bins per octave: 19 % wide each.
const BINS_PER_OCTAVE: f64 = 4.0;
const BINS: usize = 32;
/// Bin 0 is everything below; the last, from 16 KiB on, everything above.
const FIRST_LOG2: f64 = 6.0;

/// Histogram of log sizes with 8-bit counts, and the majority's exact size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sizes {
    bins: [u8; BINS],
    /// Candidate of the majority vote (Boyer and Moore, 1981): the size of more than half of the check-ins, if there is one.
    candidate_bytes: u32,
    votes: u32,
}

impl Sizes {
    pub(super) fn add(&mut self, bytes: u32) {
        let bin = bin(bytes);
        if self.bins[bin] == u8::MAX {
            self.bins.iter_mut().for_each(|count| *count = count.div_ceil(2));
        }
        self.bins[bin] += 1;
        if bytes == self.candidate_bytes {
            self.votes = self.votes.saturating_add(1);
        } else if self.votes == 0 {
            self.candidate_bytes = bytes;
            self.votes = 1;
        } else {
            self.votes -= 1;
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        let sum = |index: usize| u32::from(self.bins[index]) + u32::from(other.bins[index]);
        let halve = u32::from((0..BINS).any(|index| sum(index) > u32::from(u8::MAX)));
        self.bins = std::array::from_fn(|index| ((sum(index) + halve) >> halve) as u8);
        if self.candidate_bytes == other.candidate_bytes {
            self.votes = self.votes.saturating_add(other.votes);
            return;
        }
        // The lead of the stronger over the weaker; a tie keeps the smaller size, so that order does not matter.
        if (other.votes, self.candidate_bytes) > (self.votes, other.candidate_bytes) {
            self.candidate_bytes = other.candidate_bytes;
        }
        self.votes = self.votes.abs_diff(other.votes);
    }

    /// Share of the densest two neighbouring bins.
    pub(super) fn regularity(&self) -> Option<f64> {
        let count: u32 = self.bins.iter().map(|&bin| u32::from(bin)).sum();
        let densest = self
            .bins
            .windows(2)
            .map(|pair| u32::from(pair[0]) + u32::from(pair[1]))
            .max()?;
        (count >= 4).then(|| f64::from(densest) / f64::from(count))
    }

    /// The majority's size; where there is no majority, the middle of the fullest bin.
    pub(super) fn typical_bytes(&self) -> u32 {
        let fullest = (0..BINS).rev().max_by_key(|&index| self.bins[index]).unwrap_or(0);
        if bin(self.candidate_bytes) == fullest {
            return self.candidate_bytes;
        }
        if fullest == 0 {
            return 0;
        }
        (FIRST_LOG2 + (fullest as f64 + 0.5) / BINS_PER_OCTAVE).exp2() as u32
    }
}

fn bin(bytes: u32) -> usize {
    let log = super::intervals::log2(f64::from(bytes.max(1)));
    (((log - FIRST_LOG2) * BINS_PER_OCTAVE).max(0.0) as usize).min(BINS - 1)
}

crate::state::kept!(Sizes {
    bins,
    candidate_bytes,
    votes
});

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(of: &[u32]) -> Sizes {
        let mut sizes = Sizes::default();
        of.iter().for_each(|&bytes| sizes.add(bytes));
        sizes
    }

    #[test]
    fn alike_and_unlike() {
        let alike = sizes(&[480, 480, 520, 480, 480]);
        assert_eq!(alike.typical_bytes(), 480);
        assert_eq!(alike.regularity(), Some(1.0));
        let unlike = sizes(&[60, 480, 3000, 17_000, 1_000_000, 120]);
        assert!(unlike.regularity().is_some_and(|share| share < 0.4));
        assert_eq!(sizes(&[480, 480, 480]).regularity(), None);
    }

    #[test]
    fn many_sizes_do_not_overflow() {
        let mut many = sizes(&[]);
        (0..100_000_u32).for_each(|step| many.add(if step % 10 == 0 { 1400 } else { 300 }));
        assert_eq!(many.typical_bytes(), 300);
        assert!(many.regularity().is_some_and(|share| share > 0.8));
    }

    #[test]
    fn merge_does_not_mind_the_order() {
        let (a, b) = (sizes(&[1, 1, 2, 900]), sizes(&[5, 5, 700, 700]));
        let (mut one, mut two) = (a.clone(), b.clone());
        one.merge(&b);
        two.merge(&a);
        assert_eq!(one, two);
    }
}

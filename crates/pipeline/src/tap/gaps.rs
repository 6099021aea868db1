//! Times in which an interface was down or gone, until an hour's record takes them.
//!
//! In: when one begins, and ends. Out: what falls into the hour; what is lost at the moment. Not its job: noticing it (`readers`).

use balefire_capture::Gap;

/// Gaps kept until the hour's end; beyond, an interface that goes up and down all the time has its gaps joined.
const MOST_GAPS: usize = 256;

/// An interface that is down or gone at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Since when, nanoseconds since 1970 by the wall clock.
    pub since_ns: i64,
    /// The system's reason.
    pub reason: String,
}

#[derive(Debug, Default)]
pub(super) struct Gaps {
    /// As it began, however many hours' records have had their part of it.
    pub(super) begun: Option<Lost>,
    open: Option<Gap>,
    closed: Vec<Gap>,
    pub(super) counted: u64,
}

impl Gaps {
    pub(super) fn begin(&mut self, gap: Gap) {
        self.end(gap.from_ns);
        self.counted += 1;
        self.begun = Some(Lost {
            since_ns: gap.from_ns,
            reason: gap.reason.clone(),
        });
        self.open = Some(gap);
    }

    pub(super) fn end(&mut self, until_ns: i64) {
        let Some(mut gap) = self.open.take() else { return };
        gap.until_ns = until_ns;
        self.begun = None;
        let is_full = self.closed.len() >= MOST_GAPS;
        match self.closed.last_mut() {
            Some(last) if is_full => last.until_ns = until_ns,
            _ => self.closed.push(gap),
        }
    }

    pub(super) fn take(&mut self, now_ns: i64) -> Vec<Gap> {
        let (goes_on, begun) = (self.open.clone(), self.begun.clone());
        self.end(now_ns);
        self.open = goes_on.map(|gap| Gap { from_ns: now_ns, ..gap });
        self.begun = begun;
        std::mem::take(&mut self.closed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap(from_ns: i64) -> Gap {
        Gap {
            interface: "eth7".to_owned(),
            from_ns,
            until_ns: from_ns,
            reason: "gone".to_owned(),
        }
    }

    #[test]
    fn a_gap_over_the_hours_end_is_told_in_both_hours() {
        let mut gaps = Gaps::default();
        gaps.begin(gap(10));
        let told = |gaps: &mut Gaps, now| -> Vec<(i64, i64)> {
            gaps.take(now).iter().map(|gap| (gap.from_ns, gap.until_ns)).collect()
        };
        assert_eq!(told(&mut gaps, 100), [(10, 100)]);
        assert_eq!(gaps.begun.as_ref().map(|lost| lost.since_ns), Some(10));
        gaps.end(130);
        assert_eq!(gaps.begun, None);
        gaps.begin(gap(140));
        gaps.end(150);
        assert_eq!(told(&mut gaps, 200), [(100, 130), (140, 150)]);
        assert_eq!(told(&mut gaps, 300), []);
        assert_eq!(gaps.counted, 2);
    }

    #[test]
    fn down_and_then_gone_are_two_gaps_one_after_the_other() {
        let mut gaps = Gaps::default();
        gaps.begin(gap(10));
        gaps.begin(gap(20));
        gaps.end(30);
        let told: Vec<(i64, i64)> = gaps.take(40).iter().map(|gap| (gap.from_ns, gap.until_ns)).collect();
        assert_eq!(told, [(10, 20), (20, 30)]);
    }

    #[test]
    fn gaps_without_end_are_bounded() {
        let mut gaps = Gaps::default();
        for number in 0..10_000 {
            gaps.begin(gap(number * 10));
            gaps.end(number * 10 + 5);
        }
        let told = gaps.take(1_000_000);
        assert_eq!(told.len(), MOST_GAPS);
        assert_eq!(told.last().map(|gap| gap.until_ns), Some(99_995));
    }
}

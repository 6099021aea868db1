//! A score: what the times say and what context adds, as one probability.
//!
//! In: a [`Timing`] and [`Facts`]. Out: [`Judged`], and the class it earns. Not its job: either of the two, sentences.

use crate::context::{Context, Facts, MOST_RAISING};
use crate::settings::Thresholds;
use crate::summary::Class;
use crate::timing::Timing;

/// Moves the whole score: the timing score states how rare beacons are among all pairs it was calibrated on, which holds
/// here too, so nothing is added. Kept as a named part because a site may know better.
pub(crate) const PRIOR: f64 = 0.0;

/// Fewest check-ins that are scored at all: two intervals can always look alike.
pub(crate) const FEWEST_CHECK_INS: u32 = 4;

/// One timeline, judged.
#[derive(Clone, Debug)]
pub(crate) struct Judged {
    pub(crate) context: Context,
    pub(crate) score: f64,
}

/// Times and context together.
pub(crate) fn judge(timing: &Timing, facts: &Facts<'_>) -> Judged {
    let context = Context::of(facts);
    let score = probability(timing.log_odds + PRIOR + context.log_odds());
    Judged { context, score }
}

/// Whether any context could raise these times to the first class.
pub(crate) fn may_be_suspected(timing_log_odds: f64, thresholds: &Thresholds) -> bool {
    probability(timing_log_odds + PRIOR + MOST_RAISING) >= thresholds.suspected
}

/// The class of a score by behaviour alone.
pub(crate) fn class(score: f64, thresholds: &Thresholds) -> Option<Class> {
    if score >= thresholds.probable {
        Some(Class::Probable)
    } else if score >= thresholds.suspected {
        Some(Class::Suspected)
    } else {
        None
    }
}

/// Log-odds to probability.
fn probability(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_make_classes() {
        let thresholds = Thresholds::default();
        assert_eq!(class(0.49, &thresholds), None);
        assert_eq!(class(0.5, &thresholds), Some(Class::Suspected));
        assert_eq!(class(0.9, &thresholds), Some(Class::Probable));
        assert_eq!(probability(0.0), 0.5);
    }

    #[test]
    fn hopeless_times_are_passed_over() {
        let thresholds = Thresholds::default();
        assert!(!may_be_suspected(-PRIOR - MOST_RAISING - 0.01, &thresholds));
        assert!(may_be_suspected(-PRIOR - MOST_RAISING + 0.01, &thresholds));
        assert!(!may_be_suspected(f64::NEG_INFINITY, &thresholds));
    }
}

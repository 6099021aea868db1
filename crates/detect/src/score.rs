//! A score: what the times or other signs say and what context adds, as one probability.
//!
//! In: a [`Timing`] and [`Facts`]. Out: [`Judged`], and the class it earns. Not its job: any of the weights, sentences.
//!
//! One set of facts has several readings: a rhythm, sessions that come again, a server that is dead. The likeliest counts.

use crate::channels;
use crate::context::{Context, Facts, MOST_RAISING};
use crate::readings;
use crate::settings::Thresholds;
use crate::summary::{Class, EvidenceKind};
use crate::timing::{BASE_RATE, Timing};

/// Fewest check-ins that are scored at all: two intervals can always look alike.
pub(crate) const FEWEST_CHECK_INS: u32 = 4;
/// Update checks, telemetry and monitoring are as regular as beacons, so the rhythm alone can never be surer than the share of
/// beacons among everything periodic. What polls by design polls rarely; so that share grows with the check-ins: even
/// odds at three, 10 to 1 at about 80, 100 to 1 at 2,000.
const PER_MORE_CHECK_INS: f64 = 0.7;
const EVEN_CHECK_INS: f64 = 3.0;

/// One timeline, judged.
#[derive(Clone, Debug)]
pub(crate) struct Judged {
    /// The reading that counts.
    pub(crate) kind: EvidenceKind,
    /// Log-odds before context: of the rhythm, or the base rate.
    pub(crate) base: f64,
    /// What [`regular_too`] takes from the rhythm.
    pub(crate) periodic: f64,
    pub(crate) context: Context,
    pub(crate) score: f64,
}

/// Times and context together.
pub(crate) fn judge(timing: &Timing, facts: &Facts<'_>) -> Judged {
    let mut best = if let Some((kind, context)) = channels::reading(facts) {
        reading(kind, BASE_RATE.ln(), 0.0, context)
    } else {
        let periodic = regular_too(timing.log_odds, facts.check_ins);
        let mut context = Context::of(facts);
        context.drawn(timing, facts);
        reading(facts.kind, timing.log_odds, periodic, context.capped())
    };
    for (kind, context) in readings::others(timing, facts).into_iter().flatten() {
        let other = reading(kind, BASE_RATE.ln(), 0.0, context);
        if other.score > best.score {
            best = other;
        }
    }
    best
}

/// Whether any context could raise these times to the first class.
pub(crate) fn may_be_suspected(timing_log_odds: f64, thresholds: &Thresholds) -> bool {
    probability(timing_log_odds + MOST_RAISING) >= thresholds.suspected
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

/// What must be taken from a rhythm's log-odds because innocent things are periodic too: with odds `t` of being periodic, and `r`
/// of a beacon among the periodic, the odds of a beacon are about `1 / (1 / t + 1 / r)`.
fn regular_too(timing_log_odds: f64, check_ins: u32) -> f64 {
    let among = (PER_MORE_CHECK_INS * (f64::from(check_ins) / EVEN_CHECK_INS).ln()).max(0.0);
    let (low, high) = (timing_log_odds.min(among), timing_log_odds.max(among));
    low - (low - high).exp().ln_1p() - timing_log_odds
}

fn reading(kind: EvidenceKind, base: f64, periodic: f64, context: Context) -> Judged {
    let score = probability(base + periodic + context.log_odds());
    Judged {
        kind,
        base,
        periodic,
        context,
        score,
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
        assert!(!may_be_suspected(-MOST_RAISING - 0.01, &thresholds));
        assert!(may_be_suspected(-MOST_RAISING + 0.01, &thresholds));
        assert!(!may_be_suspected(f64::NEG_INFINITY, &thresholds));
    }

    #[test]
    fn few_regular_check_ins_are_never_sure() {
        let sure = |check_ins| probability(12.0 + regular_too(12.0, check_ins));
        assert!(sure(9) < 0.7 && sure(30) < 0.9 && sure(300) > 0.9 && sure(3000) > 0.99);
        assert!(regular_too(-9.0, 1000) > -0.01 && regular_too(-9.0, 5) < 0.0);
    }
}

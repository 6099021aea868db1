//! The timing score: how much more likely a beacon makes these check-in times than a person or a busy program does.
//!
//! In: a [`Timeline`]. Out: [`Timing`], a pure function of it. Not its job: what the two ends are; context scores that.

use crate::Timeline;
use crate::timeline::{BINS_PER_OCTAVE, INTERVAL_BINS};

/// One named part of the timing score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimingPart {
    /// Short stable name.
    pub name: &'static str,
    /// What was measured.
    pub value: f64,
    /// What it adds to the log-odds (natural logarithm).
    pub log_odds: f64,
}

/// Parts of every [`Timing`].
pub const TIMING_PARTS: usize = 4;

/// What the times of a timeline say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timing {
    /// Probability of being a beacon by timing alone, 0 to 1.
    pub probability: f64,
    /// Its log-odds (natural logarithm), the sum of `parts`.
    pub log_odds: f64,
    /// Typical interval, seconds; 0 where there is none.
    pub interval_s: f64,
    /// Half width of the central 80 % of intervals over the typical one.
    pub jitter: f64,
    /// Estimated share of check-ins that did not happen or were not seen, 0 to 1.
    pub missed: f64,
    /// Typical intervals: 0 (none stands out), 1 or 2.
    pub modes: u8,
    /// What the log-odds are made of.
    pub parts: [TimingPart; TIMING_PARTS],
}

/// Scores a timeline by its times alone.
pub fn score_timing(timeline: &Timeline) -> Timing {
    let bins = timeline.histogram();
    let count = f64::from(timeline.intervals().count());
    let (window, start, inside) = densest(bins);
    let share = if count > 0.0 { inside / count } else { 0.0 };
    let (_, spread) = timeline.intervals().log_mean_and_spread();
    // Nats per interval by which a uniform window beats a broad log-normal of the same centre.
    let gain = share * (2.5 * spread.max(1.0) * BINS_PER_OCTAVE as f64 / window as f64).ln()
        + (1.0 - share) * (1.0 - share).max(1e-9).ln();
    let parts = [
        TimingPart {
            name: "prior",
            value: count,
            log_odds: -7.0,
        },
        TimingPart {
            name: "neighbours",
            value: timeline.intervals().neighbour_correlation(),
            log_odds: -timeline.intervals().mean_change().clamp(0.0, 4.0) * (1.0 - share),
        },
        TimingPart {
            name: "regular",
            value: gain,
            log_odds: (gain * count.min(60.0)).clamp(-6.0, 10.0),
        },
        TimingPart {
            name: "in_window",
            value: timeline.intervals().largest_s(),
            log_odds: (share - 0.5) * 4.0,
        },
    ];
    let log_odds = parts.iter().map(|part| part.log_odds).sum::<f64>();
    let interval_s = if count > 0.0 {
        Timeline::bin_start_s(start) * (window as f64 / 16.0).exp2()
    } else {
        0.0
    };
    Timing {
        probability: 1.0 / (1.0 + (-log_odds).exp()),
        log_odds,
        interval_s,
        jitter: (window as f64 / 16.0).exp2() - 1.0,
        missed: 0.0,
        modes: u8::from(share > 0.5),
        parts,
    }
}

/// The window (width, first bin, intervals in it) that is densest for its width.
fn densest(bins: &[u16; INTERVAL_BINS]) -> (usize, usize, f64) {
    let total: f64 = bins.iter().map(|&bin| f64::from(bin)).sum();
    let mut best = (1, 0, 0.0);
    let mut best_gain = f64::MIN;
    for width in [1, 2, 4, 8, 13] {
        let mut inside: f64 = bins[..width].iter().map(|&bin| f64::from(bin)).sum();
        for start in 0..=INTERVAL_BINS - width {
            let gain = inside / total.max(1.0) - 0.04 * width as f64;
            if gain > best_gain {
                best_gain = gain;
                best = (width, start, inside);
            }
            if start + width < INTERVAL_BINS {
                inside += f64::from(bins[start + width]) - f64::from(bins[start]);
            }
        }
    }
    best
}

//! The timing score: how much more likely a beacon makes these check-in times than a person or a busy program does.
//!
//! In: a [`Timeline`]. Out: [`Timing`], a pure function of it, without allocation. Not its job: what the two ends are (an NTP
//! client is as regular as a beacon); context scores that.
//!
//! Measures of the bounded state ([`shape()`]: likelihood ratios of windows against Poisson and log-normal traffic, shares near
//! multiples of the sleep, exact recent intervals, hours) are weighed by a fitted table of small trees;
//! what each question moves is added to the part its measure belongs to. Most timelines are plainly people: the first trees ask
//! only what is had without windows ([`mod@first`]), and what they rule out is not measured further. Nothing absolute is asked of an interval. How the table is fitted: `benches/src/bin/fit_timing.rs`.

mod describe;
mod first;
mod recent;
mod shape;
mod table;
mod trees;
mod windows;

pub use shape::{CHEAP_MEASURES, MEASURES, PARTS, Shape, shape};

use self::first::first;
use self::trees::Asking;
use crate::Timeline;

/// Check-ins below which timing says nothing: three intervals are regular by chance too often.
pub const LEAST_CHECK_INS: u32 = 5;
/// Largest log-odds per check-in after the second, so that few stay modest: 0.75 at four, 0.9 at six, 0.996 at twelve.
const LOG_ODDS_PER_CHECK_IN: f64 = 0.55;

/// One named part of the timing score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimingPart {
    /// Short stable name: `prior`, those of [`PARTS`], `few`.
    pub name: &'static str,
    /// What was measured. `prior`: the stated base rate. `count`: intervals. `interval`: nats per interval by which the best window beats
    /// Poisson traffic. `sleep`: share of intervals within 30 % of the sleep, bursts left out. `recent`: standard deviation over mean of
    /// the recent intervals. `order`: correlation of neighbouring intervals. `hours`: hours of day with check-ins.
    /// `few`: check-ins. `interval` and `sleep` are 0 of a timeline that the first questions ruled out.
    pub value: f64,
    /// What it adds to the log-odds (natural logarithm).
    pub log_odds: f64,
}

/// Parts of every [`Timing`].
pub const TIMING_PARTS: usize = PARTS.len() + 2;

/// Base rate that [`Timing::probability`] states: one beacon among a thousand innocent timelines.
pub const BASE_RATE: f64 = 1e-3;

/// What the times of a timeline say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timing {
    /// Probability of being a beacon by timing alone, 0 to 1, where one timeline in a thousand is one ([`BASE_RATE`]) and the
    /// others are not periodic: with even odds six check-ins would make 0.99, and a network of a thousand quiet pairs ten false alarms.
    /// Periodic but innocent services score as high as beacons.
    pub probability: f64,
    /// Its log-odds (natural logarithm), the sum of `parts`.
    pub log_odds: f64,
    /// Typical interval, seconds; 0 where there is none. The rhythm of a timeline that the first questions ruled out is that of its
    /// recent intervals, whatever their multiples and bursts.
    pub interval_s: f64,
    /// Half width of the central 80 % of intervals over the typical one; bursts and multiples are left out where they stand apart.
    pub jitter: f64,
    /// Estimated share of check-ins that did not happen or were not seen, 0 to 1.
    pub missed: f64,
    /// Typical intervals: 0 (none stands out), 1, or 2 (a sleep and shorter bursts).
    pub modes: u8,
    /// What the log-odds are made of.
    pub parts: [TimingPart; TIMING_PARTS],
}

/// Scores a timeline by its times alone.
pub fn score_timing(timeline: &Timeline) -> Timing {
    let first = first(timeline);
    let judged = timeline.check_ins() >= LEAST_CHECK_INS;
    let mut asking = if judged {
        Asking::first(&first.values)
    } else {
        Asking::nothing()
    };
    let shape = if asking.is_over() {
        shape::begun(&first)
    } else {
        let shape = shape::whole(timeline, &first);
        asking.rest(&shape.measures);
        shape
    };
    let thousandths = asking.thousandths();
    let prior = if judged {
        f64::from(table::BASE) / 1000.0
    } else {
        BASE_RATE.ln()
    };
    let values = shape.part_values();
    let mut parts = [TimingPart {
        name: "prior",
        value: BASE_RATE,
        log_odds: prior,
    }; TIMING_PARTS];
    for (index, name) in PARTS.iter().enumerate() {
        parts[index + 1] = TimingPart {
            name,
            value: values[index],
            log_odds: f64::from(thousandths[index]) / 1000.0,
        };
    }
    let so_far: f64 = parts[..TIMING_PARTS - 1].iter().map(|part| part.log_odds).sum();
    let check_ins = f64::from(timeline.check_ins());
    let most = LOG_ODDS_PER_CHECK_IN * (check_ins - 2.0).max(0.0);
    parts[TIMING_PARTS - 1] = TimingPart {
        name: "few",
        value: check_ins,
        log_odds: (most - so_far).min(0.0),
    };
    let log_odds = parts.iter().map(|part| part.log_odds).sum::<f64>();
    let rhythm = shape.rhythm;
    Timing {
        probability: 1.0 / (1.0 + (-log_odds).exp()),
        log_odds,
        interval_s: rhythm.interval_s,
        jitter: rhythm.jitter,
        missed: rhythm.missed,
        modes: rhythm.modes,
        parts,
    }
}

#[cfg(test)]
mod tests;

//! What the score promises: beacons above people, modest with few check-ins, parts that add up, no panic.

use proptest::prelude::*;

use super::*;

const BASE_NS: i64 = 1_790_000_000_000_000_000;

/// Uniform numbers from 0 to 1, the same on every run.
struct Uniform(u64);

impl Uniform {
    fn next(&mut self) -> f64 {
        // Knuth's MMIX multiplier.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

fn timeline(gaps_s: impl Iterator<Item = f64>) -> Timeline {
    let mut time_s = 0.0;
    let mut timeline = Timeline::new(BASE_NS, 480);
    for gap in gaps_s {
        time_s += gap;
        timeline.check_in(BASE_NS + (time_s * 1e9) as i64, 480);
    }
    timeline
}

fn beacon(interval_s: f64, jitter: f64, intervals: usize) -> Timeline {
    let mut uniform = Uniform(7);
    timeline((0..intervals).map(move |_| interval_s * (1.0 + jitter * (2.0 * uniform.next() - 1.0))))
}

fn poisson(mean_s: f64, intervals: usize) -> Timeline {
    let mut uniform = Uniform(11);
    timeline((0..intervals).map(move |_| -mean_s * (1.0 - uniform.next()).ln()))
}

/// Page loads: bursts of seconds, then minutes to hours.
fn person(visits: usize) -> Timeline {
    let mut uniform = Uniform(5);
    timeline((0..visits * 6).map(move |step| {
        let spread = (4.0 * (uniform.next() + uniform.next() + uniform.next() - 1.5)).exp();
        spread * if step % 6 == 0 { 900.0 } else { 3.0 }
    }))
}

#[test]
fn beacons_score_above_people() {
    for (name, innocent) in [
        ("person", person(40)),
        ("poisson", poisson(120.0, 300)),
        ("few visits", person(3)),
    ] {
        let score = score_timing(&innocent).probability;
        assert!(score < 0.1, "{name}: {score}");
    }
    for (interval, jitter, intervals) in [
        (60.0, 0.0, 200),
        (33.0, 0.2, 2600),
        (300.0, 0.5, 280),
        (1800.0, 0.1, 40),
    ] {
        let score = score_timing(&beacon(interval, jitter, intervals)).probability;
        assert!(score > 0.9, "{interval} {jitter} {intervals}: {score}");
    }
}

#[test]
fn few_check_ins_stay_modest() {
    let at = |intervals| score_timing(&beacon(60.0, 0.02, intervals)).probability;
    assert!(at(3) < 0.01, "four check-ins say nothing: {}", at(3));
    assert!(at(5) <= 0.91 && at(7) <= 0.97, "{} {}", at(5), at(7));
    assert!(at(30) > at(5));
    assert_eq!(score_timing(&Timeline::new(0, 0)).log_odds, BASE_RATE.ln());
}

#[test]
fn parts_add_up_and_have_names() {
    for timeline in [beacon(60.0, 0.2, 100), person(10), poisson(30.0, 4)] {
        let timing = score_timing(&timeline);
        let sum: f64 = timing.parts.iter().map(|part| part.log_odds).sum();
        assert!((sum - timing.log_odds).abs() < 1e-9);
        assert!((timing.probability - 1.0 / (1.0 + (-sum).exp())).abs() < 1e-12);
        let names: Vec<&str> = timing.parts.iter().map(|part| part.name).collect();
        assert_eq!(
            names,
            ["prior", "count", "interval", "sleep", "recent", "order", "hours", "few"]
        );
        assert_eq!(timing.parts[7].value, f64::from(timeline.check_ins()));
    }
}

#[test]
fn interval_and_jitter_are_the_operators() {
    let clock = score_timing(&beacon(60.0, 0.0, 300));
    assert!(
        (clock.interval_s - 60.0).abs() < 0.1 && clock.jitter < 0.01,
        "{clock:?}"
    );
    // The central 80 % of a uniform jitter of 20 % are 16 % wide to each side.
    let twenty = score_timing(&beacon(33.0, 0.2, 2000));
    assert!(
        (twenty.interval_s / 33.0 - 1.0).abs() < 0.05 && (twenty.jitter - 0.16).abs() < 0.03,
        "{twenty:?}"
    );
    let wide = score_timing(&beacon(300.0, 0.9, 2000));
    assert!((wide.jitter - 0.72).abs() < 0.2, "{wide:?}");
}

#[test]
fn what_the_first_questions_rule_out_is_measured_no_further_and_keeps_its_recent_rhythm() {
    let timing = score_timing(&person(40));
    assert!(timing.probability < 1e-3, "{timing:?}");
    let sleep = timing.parts.iter().find(|part| part.name == "sleep");
    assert_eq!(sleep.map(|part| (part.value, part.log_odds)), Some((0.0, 0.0)));
    assert!(timing.interval_s > 1.0 && timing.jitter > 0.5, "{timing:?}");
    assert_eq!((timing.modes, timing.missed), (0, 0.0));
}

#[test]
fn missed_check_ins_and_bursts_are_told_apart() {
    let mut uniform = Uniform(3);
    let dropped = timeline((0..400).map(|_| {
        let mut sleeps = 1.0;
        while uniform.next() < 0.3 {
            sleeps += 1.0;
        }
        60.0 * sleeps
    }));
    let timing = score_timing(&dropped);
    assert!((timing.missed - 0.3).abs() < 0.07, "{timing:?}");
    assert!((timing.interval_s - 60.0).abs() < 1.0, "{timing:?}");
    let bursts = timeline((0..400).map(|step| if step % 40 < 20 { 2.0 } else { 300.0 }));
    let timing = score_timing(&bursts);
    assert_eq!(timing.modes, 2, "{timing:?}");
    assert!((timing.interval_s - 300.0).abs() < 3.0, "{timing:?}");
}

#[test]
fn a_sleep_of_a_minute_and_of_ten_look_alike() {
    // Same shape at another scale: only the hours may differ.
    let (one, ten) = (
        score_timing(&beacon(64.0, 0.3, 40)),
        score_timing(&beacon(512.0, 0.3, 40)),
    );
    for part in 1..6 {
        assert!(
            (one.parts[part].log_odds - ten.parts[part].log_odds).abs() < 1.0,
            "{one:?} {ten:?}"
        );
    }
}

proptest! {
    #[test]
    fn any_timeline_has_a_finite_score(times in prop::collection::vec(prop_oneof![any::<i64>(), BASE_NS..BASE_NS + 1_000_000_000_000], 1..120)) {
        let mut timeline = Timeline::new(times[0], 0);
        times[1..].iter().for_each(|&time| timeline.check_in(time, 1));
        let shape = shape(&timeline);
        prop_assert!(shape.measures.iter().all(|measure| measure.is_finite()), "{:?}", shape.measures);
        let timing = score_timing(&timeline);
        prop_assert!((0.0..=1.0).contains(&timing.probability));
        prop_assert!(timing.interval_s.is_finite() && timing.interval_s >= 0.0);
        prop_assert!(timing.jitter.is_finite() && timing.jitter >= 0.0 && (0.0..=1.0).contains(&timing.missed));
        prop_assert_eq!(timing, score_timing(&timeline.clone()));
    }
}

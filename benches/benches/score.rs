//! What a check-in, a merge and a timing score cost.
//!
//! In: timelines made here: clocks, jitter, Poisson traffic, page loads. Out: nanoseconds each. Budget: 1,000,000 scores a second
//! on one core. Not its job: the same on a day of a generator, `timelines LOG.csv --speed` does that.

use std::hint::black_box;

use balefire_detect::{Timeline, score_timing};
use criterion::{Criterion, criterion_group, criterion_main};

const SECOND: f64 = 1e9;

fn uniform(state: &mut u64) -> f64 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    (*state >> 11) as f64 / (1_u64 << 53) as f64
}

/// Nine innocent in ten, as kind to the score as a network is.
fn timelines() -> Vec<Timeline> {
    let mut state = 42;
    (0..1000)
        .map(|index| {
            let mut time = 1.79e18;
            let mut timeline = Timeline::new(time as i64, 480);
            for step in 0..20 + index % 300 {
                let unit = uniform(&mut state);
                let gap_s = match index % 10 {
                    0 => 60.0 * (0.8 + 0.4 * unit),
                    1..=3 => -120.0 * (1.0 - unit).ln(),
                    _ if step % 7 == 0 => 900.0 * unit,
                    _ => (6.0 * (unit - 0.5)).exp(),
                };
                time += gap_s * SECOND;
                timeline.check_in(time as i64, 480);
            }
            timeline
        })
        .collect()
}

fn score(criterion: &mut Criterion) {
    let timelines = timelines();
    let mut next = (0..timelines.len()).cycle();
    criterion.bench_function("score_timing", |bencher| {
        bencher.iter(|| score_timing(black_box(&timelines[next.next().unwrap_or(0)])));
    });
    let mut state = 1;
    let (mut time, mut timeline) = (1_790_000_000_000_000_000, Timeline::new(0, 0));
    criterion.bench_function("check_in", |bencher| {
        bencher.iter(|| {
            time += (uniform(&mut state) * 100.0 * SECOND) as i64;
            timeline.check_in(black_box(time), 480);
        });
    });
    criterion.bench_function("merge", |bencher| {
        bencher.iter(|| {
            let mut sum = timelines[next.next().unwrap_or(0)].clone();
            sum.merge(black_box(&timelines[next.next().unwrap_or(0)]));
            sum
        });
    });
}

criterion_group!(benches, score);
criterion_main!(benches);

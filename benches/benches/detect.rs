//! What scoring costs: timelines a second through `score_timing`, and check-ins into a timeline.
//!
//! In: timelines of many kinds, from a seed. Out: `cargo bench -p balefire-benches --bench detect`. What events cost on
//! their way into the tables is in `stages`.

use std::hint::black_box;
use std::time::Duration;

use balefire_capture::synthetic::Random;
use balefire_detect::{Timeline, score_timing};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const TIMELINES: usize = 1_000;

/// Half beacons of all jitters, half people: 4 to 400 check-ins.
fn timelines() -> Vec<Timeline> {
    let mut random = Random::new(1, 1);
    let mut one = |number: usize| {
        let mut time_s = 0.0;
        let mut timeline = Timeline::new(0, 500);
        let interval_s = random.log_normal(120.0, 1.2).max(2.0);
        let jitter = random.unit() * 0.9;
        for _ in 0..random.between(3, 400) {
            time_s += match number % 2 {
                0 => interval_s * (1.0 + jitter * (2.0 * random.unit() - 1.0)),
                _ => random.log_normal(interval_s, 1.5),
            };
            timeline.check_in((time_s * 1e9) as i64, random.between(200, 900) as u32);
        }
        timeline
    };
    (0..TIMELINES).map(&mut one).collect()
}

fn score(criterion: &mut Criterion) {
    let timelines = timelines();
    let mut group = criterion.benchmark_group("detect");
    group.throughput(Throughput::Elements(TIMELINES as u64));
    group.bench_function("score_timing", |bencher| {
        bencher.iter(|| {
            timelines
                .iter()
                .map(|timeline| score_timing(black_box(timeline)).interval_s)
                .sum::<f64>()
        });
    });
    group.throughput(Throughput::Elements(1_000_000));
    group.bench_function("check_in", |bencher| {
        bencher.iter(|| {
            let mut timeline = Timeline::new(0, 500);
            for number in 1..=1_000_000_i64 {
                timeline.check_in(
                    black_box(number * 60_000_000_000 + (number * 7_919 % 1_000) * 1_000_000),
                    500,
                );
            }
            timeline
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_secs(1));
    targets = score
}
criterion_main!(benches);

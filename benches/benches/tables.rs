//! What an event costs in the detector's tables: new pairs, repeating pairs, packets; and how many bytes they take.
//!
//! In: events made here, as `track` would tell them. Out: nanoseconds per connection and per packet, bytes per pair and
//! timeline, from `cargo bench -p balefire-benches --bench tables`. What scoring alone costs is in `detect`.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use balefire_capture::synthetic::Random;
use balefire_detect::{Address, Countries, Detector, Settings, Shared, Transport};
use balefire_track::{Closed, ConnState, Endpoints, Fact, NameKind, Opened, Sink, Volume};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

/// Pairs in the tables before anything is measured.
const PAIRS: u32 = 1_000_000;
/// Connections measured in one go.
const CONNECTIONS: u32 = 100_000;
const S: i64 = 1_000_000_000;

fn detector() -> Detector {
    let settings = Settings {
        hash_seed: 7,
        ..Settings::default()
    };
    let shared = Arc::new(Shared::new(Countries::embedded(), &settings));
    Detector::new(Arc::new(settings), shared, 0)
}

/// Pair `number`: one of 65,536 hosts to one of many servers.
fn endpoints(number: u32) -> Endpoints {
    let [_, _, a, b] = (number.wrapping_mul(40_503)).to_be_bytes();
    let [c, d, e, _] = number.wrapping_mul(0x9e37_79b1).to_be_bytes();
    Endpoints {
        originator: Address::v4([10, 7, a, b]),
        responder: Address::v4([64 + c % 64, d, e, 9]),
        originator_port: 40_000,
        responder_port: 443,
        transport: Transport::TCP,
    }
}

/// A whole connection: opened, two packets, first burst, closed; with a name if there is one.
fn connection(detector: &mut Detector, number: u32, time_ns: i64, name: Option<&str>) {
    let endpoints = endpoints(number);
    let tag = detector.opened(&Opened {
        endpoints,
        time_ns,
        mid_stream: false,
    });
    detector.packet(tag, true, time_ns, 60);
    if let Some(name) = name {
        let fact = Fact::Name {
            kind: NameKind::Sni,
            name,
            port: 0,
        };
        detector.fact(tag, &endpoints, time_ns, &fact);
    }
    detector.burst(tag, &endpoints, time_ns, 300);
    detector.packet(tag, false, time_ns, 1500);
    let sent = Volume {
        packets: 1,
        payload_bytes: 300,
        ip_bytes: 360,
    };
    let closed = Closed {
        endpoints,
        first_ns: time_ns,
        last_ns: time_ns,
        state: ConnState::Sf,
        sent,
        received: sent,
    };
    detector.closed(tag, &closed);
}

/// A detector that has seen every pair `times` times.
fn filled(times: i64) -> Detector {
    let mut detector = detector();
    for round in 0..times {
        for number in 0..PAIRS {
            connection(&mut detector, number, round * 60 * S + i64::from(number) * 1000, None);
        }
    }
    detector
}

fn connections(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tables");
    group.throughput(Throughput::Elements(u64::from(CONNECTIONS)));
    let mut random = Random::new(3, 1);
    let names: Vec<String> = (0..20_000)
        .map(|number| format!("host{number}.example{}.org", number % 3_000))
        .collect();

    let mut new = filled(1);
    let before = new.gauges();
    println!(
        "{} pairs: {:.0} B each, all tables",
        before.pairs,
        before.table_bytes as f64 / before.pairs as f64
    );
    let mut next = PAIRS;
    group.bench_function("new_pair", |bencher| {
        bencher.iter_batched(
            || (),
            |()| {
                for _ in 0..CONNECTIONS {
                    next += 1;
                    connection(&mut new, next, 100 * S, None);
                }
            },
            BatchSize::PerIteration,
        );
    });

    let mut known = filled(1);
    let mut round = 1;
    group.bench_function("known_pair_random_order", |bencher| {
        bencher.iter_batched(
            || {
                (0..CONNECTIONS)
                    .map(|_| random.between(0, u64::from(PAIRS) - 1) as u32)
                    .collect::<Vec<_>>()
            },
            |numbers| {
                round += 1;
                for number in numbers {
                    // Within a second of the first sighting, so that no pair is promoted.
                    connection(&mut known, number, i64::from(number) * 1000 + 5, None);
                }
            },
            BatchSize::PerIteration,
        );
    });

    let mut timelines = detector();
    let count = 200_000;
    for round in 0..5 {
        for number in 0..count {
            connection(&mut timelines, number, round * 60 * S + i64::from(number) * 1000, None);
        }
    }
    let gauges = timelines.gauges();
    println!(
        "{} timelines: {:.0} B each, all tables",
        gauges.timelines,
        gauges.table_bytes as f64 / gauges.timelines as f64
    );
    let mut time_ns = 300 * S;
    group.bench_function("timeline_random_order", |bencher| {
        bencher.iter_batched(
            || {
                (0..CONNECTIONS)
                    .map(|_| random.between(0, u64::from(count) - 1) as u32)
                    .collect::<Vec<_>>()
            },
            |numbers| {
                for number in numbers {
                    time_ns += 100_000_000;
                    connection(&mut timelines, number, time_ns, None);
                }
            },
            BatchSize::PerIteration,
        );
    });

    let mut named = filled(1);
    let mut next = PAIRS;
    group.bench_function("new_pair_with_name", |bencher| {
        bencher.iter_batched(
            || (),
            |()| {
                for _ in 0..CONNECTIONS {
                    next += 1;
                    let name = &names[next as usize % names.len()];
                    connection(&mut named, next, 100 * S, Some(name));
                }
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

fn packets(criterion: &mut Criterion) {
    let mut detector = detector();
    let tags: Vec<u32> = (0..4096)
        .map(|number| {
            detector.opened(&Opened {
                endpoints: endpoints(number),
                time_ns: 0,
                mid_stream: false,
            })
        })
        .collect();
    let mut group = criterion.benchmark_group("tables");
    group.throughput(Throughput::Elements(tags.len() as u64));
    group.bench_function("packet", |bencher| {
        bencher.iter(|| {
            for (time_ns, &tag) in (0..).zip(&tags) {
                detector.packet(black_box(tag), tag % 3 == 0, time_ns, 326);
            }
        });
    });
    group.finish();
}

fn hour(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tables");
    group.sample_size(10);
    let mut detector = filled(1);
    group.bench_function("close_hour_1M_pairs", |bencher| bencher.iter(|| detector.close_hour()));
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_secs(1));
    targets = packets, connections, hour
}
criterion_main!(benches);

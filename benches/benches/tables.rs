//! What an event costs in the detector's tables: new pairs, repeating pairs, packets; and how many bytes they take.
//!
//! In: events made here, as `track` would tell them. Out: CPU nanoseconds per connection and per packet, bytes per pair and
//! timeline, from `cargo bench -p balefire-benches --bench tables`. What scoring alone costs is in `detect`.

use std::hint::black_box;
use std::sync::Arc;

use balefire_capture::synthetic::Random;
use balefire_detect::{Address, Countries, Detector, Settings, Shared, Transport};
use balefire_track::{Closed, ConnState, Endpoints, Fact, NameKind, Opened, Sink, Volume};

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

/// CPU time of this thread so far, as the kernel accounts it: other work on the machine does not count.
fn cpu_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|field| field.parse().ok()).unwrap_or(0)
}

/// Median of five rounds, CPU nanoseconds per step.
fn measure(what: &str, steps: u32, mut round: impl FnMut()) {
    let mut times: Vec<f64> = (0..5)
        .map(|_| {
            let before = cpu_ns();
            round();
            (cpu_ns() - before) as f64 / f64::from(steps)
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("{what:48} {:9.1} ns CPU", times[2]);
}

fn main() {
    packets();
    new_pairs();
    repeating_pairs();
    timelines();
}

fn packets() {
    let mut detector = detector();
    let tags: Vec<u32> = (0..4096)
        .map(|number| {
            let endpoints = endpoints(number);
            detector.opened(&Opened {
                endpoints,
                time_ns: 0,
                mid_stream: false,
            })
        })
        .collect();
    measure("packet", 50_000_000, || {
        for time_ns in 0..50_000_000_i64 {
            let tag = tags[time_ns as usize & 4095];
            detector.packet(black_box(tag), tag.is_multiple_of(3), time_ns, 326);
        }
    });
}

fn new_pairs() {
    let names: Vec<String> = (0..20_000)
        .map(|number| format!("host{number}.example{}.org", number % 3_000))
        .collect();
    let mut detector = filled(1);
    let gauges = detector.gauges();
    println!(
        "{} pairs, {} destinations, {} hosts: {:.0} B per pair in all tables",
        gauges.pairs,
        gauges.destinations,
        gauges.hosts,
        gauges.table_bytes as f64 / gauges.pairs as f64
    );
    let mut next = PAIRS;
    measure("connection of a new pair", CONNECTIONS, || {
        for _ in 0..CONNECTIONS {
            next += 1;
            connection(&mut detector, next, 100 * S, None);
        }
    });
    measure("connection of a new pair, with a name", CONNECTIONS, || {
        for _ in 0..CONNECTIONS {
            next += 1;
            let name = &names[next as usize % names.len()];
            connection(&mut detector, next, 100 * S, Some(name));
        }
    });
    measure("end of an hour", 1, || {
        black_box(detector.close_hour());
    });
}

fn repeating_pairs() {
    let mut random = Random::new(3, 1);
    let mut detector = filled(1);
    measure("connection of a known pair, random order", CONNECTIONS, || {
        for _ in 0..CONNECTIONS {
            let number = random.between(0, u64::from(PAIRS) - 1) as u32;
            // Within a second of the first sighting, so that no pair gets a timeline.
            connection(&mut detector, number, i64::from(number) * 1000 + 5, None);
        }
    });
}

fn timelines() {
    let mut random = Random::new(5, 1);
    let mut detector = detector();
    let count = 200_000;
    let round = |detector: &mut Detector, round: i64| {
        for number in 0..count {
            connection(detector, number, round * 60 * S + i64::from(number) * 1000, None);
        }
    };
    (0..5).for_each(|number| round(&mut detector, number));
    let gauges = detector.gauges();
    println!(
        "{} timelines: {:.0} B each in all tables",
        gauges.timelines,
        gauges.table_bytes as f64 / gauges.timelines as f64
    );
    let mut time_ns = 300 * S;
    measure("connection of a timeline, random order, scored", CONNECTIONS, || {
        for _ in 0..CONNECTIONS {
            time_ns += 100_000_000;
            let number = random.between(0, u64::from(count) - 1) as u32;
            connection(&mut detector, number, time_ns, None);
        }
    });
}

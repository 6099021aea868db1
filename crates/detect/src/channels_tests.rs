//! Readings of sketches: what several signs together reach, and what takes them away again.

use balefire_decode::Transport;
use balefire_track::Echo;

use super::*;
use crate::key::Scope;
use crate::readings::tests::nameless;
use crate::score::{Judged, judge};
use crate::{EvidenceKind, Timeline, score_timing};

fn judged(facts: &Facts<'_>) -> Judged {
    judge(&score_timing(&Timeline::new(0, 0)), facts)
}

fn queried(names: impl Iterator<Item = String>, query_type: u16) -> f64 {
    let mut sketch = NameSketch::default();
    for name in names {
        sketch.query(&name);
        sketch.query_type(query_type);
    }
    let sketch = Sketch::Names(sketch);
    let facts = Facts {
        kind: EvidenceKind::DnsTunnel,
        scope: Scope::Domain,
        name: Some("example.org"),
        sketch: Some(&sketch),
        ..nameless()
    };
    judged(&facts).score
}

#[test]
fn data_in_names_is_told_from_many_names() {
    // Numbers spread over 32 hexadecimal digits.
    let data = |number: u64| {
        let high = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        format!("{high:016x}{:016x}", high.rotate_left(29) ^ 0x5bd1_e995_1234_5678)
    };
    assert!(queried((1..150).map(data), 16) > 0.9);
    assert!(queried((1..100).map(|number| format!("edge{number}")), 1) < 0.1);
    assert!(queried((1..300).map(|number| format!("www{}", number % 3)), 1) < 0.01);
    assert!(
        queried(
            (1..400).map(|number| format!("{}.{}.0.10", number % 200, number / 200)),
            1
        ) < 0.1
    );
}

/// The score of this many requests and replies; `data` gives the digests of a request and of its reply.
fn pinged(messages: u32, bytes: u32, data: impl Fn(u32) -> (u32, u32)) -> f64 {
    let mut sketch = EchoSketch::default();
    for number in 1..=messages {
        let (sent, returned) = data(number);
        for (is_reply, head) in [(false, sent), (true, returned)] {
            sketch.add(&Echo {
                is_reply,
                identifier: 1,
                sequence: number as u16,
                payload_bytes: bytes,
                head,
                pattern: head >> 8,
            });
        }
    }
    let sketch = Sketch::Echoes(sketch);
    let facts = Facts {
        kind: EvidenceKind::IcmpTunnel,
        transport: Transport::ICMP,
        port: 0,
        sketch: Some(&sketch),
        ..nameless()
    };
    let judged = judged(&facts);
    assert_eq!(judged.kind, EvidenceKind::IcmpTunnel);
    judged.score
}

#[test]
fn data_in_echoes_is_told_from_pings() {
    let mixed = |number: u32| number.wrapping_mul(0x9e37_79b9);
    // A shell over ICMP, short and long; files that go out in requests which the system itself returns.
    assert!(pinged(8, 60, |number| (mixed(number), !mixed(number))) > 0.7);
    assert!(pinged(200, 200, |number| (mixed(number), !mixed(number))) > 0.95);
    assert!(pinged(400, 1_400, |number| (mixed(number), mixed(number))) > 0.4);
    // The usual ping for a day, a large one, one that fills its requests with random octets.
    assert!(pinged(86_400, 56, |number| (0xaa00 | number & 0xff, 0xaa00 | number & 0xff)) < 0.001);
    assert!(pinged(1_000, 1_472, |number| (0xaa00 | number & 0xff, 0xaa00 | number & 0xff)) < 0.001);
    assert!(pinged(86_400, 56, |number| (mixed(number), mixed(number))) < 0.35);
}

fn open_for(hours: i64, facts: &Facts<'_>, sketch: LastingSketch) -> Judged {
    let sketch = Sketch::Lasting(LastingSketch {
        longest_ns: hours * 3_600_000_000_000,
        ..sketch
    });
    judged(&Facts {
        kind: EvidenceKind::LongConnection,
        closed: 1,
        starts: 1,
        check_ins: 1,
        bare_hellos: 0,
        odd_certificates: 0,
        sketch: Some(&sketch),
        ..*facts
    })
}

#[test]
fn a_long_connection_is_told_from_push_and_is_never_probable_alone() {
    let unknown = LastingSketch {
        protocol: Some(Protocol::Unknown),
        ..LastingSketch::default()
    };
    let found = open_for(12, &nameless(), unknown);
    assert_eq!(found.kind, EvidenceKind::LongConnection);
    assert!((0.5..0.9).contains(&found.score), "{found:?}");
    let worst = Facts {
        services: 1,
        hosts_all: 1_000,
        ..nameless()
    };
    assert!(open_for(1_000, &worst, unknown).score < 0.9);
    let named = Facts {
        name: Some("push.example.org"),
        named: 1,
        ..nameless()
    };
    assert!(open_for(12, &named, LastingSketch::default()).score < 0.05);
    let ssh = LastingSketch {
        protocol: Some(Protocol::Ssh),
        ..unknown
    };
    let port = Facts { port: 22, ..nameless() };
    assert!(open_for(12, &port, ssh).score < 0.2);
    assert!(open_for(1, &nameless(), LastingSketch::default()).score < 0.5);
}

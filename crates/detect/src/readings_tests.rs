//! Readings without a rhythm: what several signs together reach, and what takes them away again.

use balefire_decode::Address;

use super::*;
use crate::score::{Judged, judge};
use crate::tunnel::Sketch;
use crate::{Country, Timeline, score_timing};

/// A host that resolves names, and a server that was never among them.
fn nameless() -> Facts<'static> {
    Facts {
        kind: EvidenceKind::ConnectionBeacon,
        scope: Scope::Service,
        role: Role::Outbound,
        server: Address::v4([192, 0, 2, 1]),
        port: 4434,
        transport: Transport::TCP,
        name: None,
        check_ins: 8,
        named: 0,
        relayed: 0,
        closed: 8,
        failed: 0,
        starts: 8,
        parallel: 0,
        span_ns: 3_600_000_000_000,
        received_bytes: 8 * 1_000,
        size_regularity: None,
        typical_size_bytes: 0,
        country: Country::UNKNOWN,
        home_country: None,
        hosts_there: 1,
        hosts_all: 1,
        bare_hellos: 8,
        odd_certificates: 8,
        bare_requests: 0,
        bare_posts: 0,
        services: 40,
        names: true,
        resolves: true,
        resolved: None,
        alike: 1,
        tunnel: None,
    }
}

fn judged(facts: &Facts<'_>) -> Judged {
    judge(&score_timing(&Timeline::new(0, 0)), facts)
}

#[test]
fn sessions_of_a_nameless_server_need_no_rhythm() {
    let found = judged(&nameless());
    assert_eq!(found.kind, EvidenceKind::RepeatedSessions);
    assert!(found.score > 0.5, "{found:?}");
    let resolved = Facts {
        resolved: Some("www.example.org"),
        ..nameless()
    };
    assert!(judged(&resolved).score < 0.01);
    let many = Facts {
        services: 2_000,
        ..nameless()
    };
    assert!(judged(&many).score < 0.3);
    let plain = Facts {
        bare_hellos: 0,
        odd_certificates: 0,
        port: 443,
        ..nameless()
    };
    assert!(judged(&plain).score < 0.3);
}

#[test]
fn a_dead_server_is_tried_for_long_and_a_scan_is_not_it() {
    let dead = Facts {
        failed: 8,
        bare_hellos: 0,
        odd_certificates: 0,
        ..nameless()
    };
    let found = judged(&dead);
    assert_eq!(found.kind, EvidenceKind::DeadServer);
    assert!((0.5..0.95).contains(&found.score), "{found:?}");
    let scanner = Facts {
        services: 5_000,
        ..dead
    };
    assert!(judged(&scanner).score < 0.05);
}

#[test]
fn a_forged_name_inside_is_told_from_one_that_dns_gave() {
    let forged = Facts {
        role: Role::Internal,
        name: Some("www.amazon.com"),
        named: 40,
        closed: 40,
        check_ins: 40,
        bare_hellos: 0,
        odd_certificates: 0,
        services: 3,
        port: 80,
        ..nameless()
    };
    assert!(judged(&forged).score > 0.5);
    let known = Facts {
        resolved: Some("www.amazon.com"),
        ..forged
    };
    assert!(judged(&known).score < 0.1);
}

fn queried(names: impl Iterator<Item = String>, query_type: u16) -> f64 {
    let mut sketch = Sketch::default();
    for name in names {
        sketch.query(&name);
        sketch.query_type(query_type);
    }
    let facts = Facts {
        kind: EvidenceKind::DnsTunnel,
        scope: Scope::Domain,
        name: Some("example.org"),
        tunnel: Some(&sketch),
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

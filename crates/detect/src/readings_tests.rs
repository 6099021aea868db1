//! Readings without a rhythm: what several signs together reach, and what takes them away again.

use balefire_decode::Address;

use super::*;
use crate::score::{Judged, judge};
use crate::{Country, Timeline, score_timing};

/// A host that resolves names, and a server that was never among them.
pub(crate) fn nameless() -> Facts<'static> {
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
        mismatched: 0,
        protocol: None,
        days: None,
        services: 40,
        names: true,
        resolves: true,
        resolved: None,
        alike: 1,
        beside: 0.0,
        client_hosts: None,
        answers_alike: None,
        sketch: None,
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

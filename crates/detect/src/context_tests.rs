//! Each weight alone, against a plain case.

use super::*;
use crate::standing::RAREST;

pub(crate) fn plain() -> Facts<'static> {
    Facts {
        kind: EvidenceKind::ConnectionBeacon,
        scope: Scope::Service,
        role: Role::Outbound,
        server: Address::v4([192, 0, 2, 1]),
        port: 443,
        transport: Transport::TCP,
        name: Some("www.example.org"),
        check_ins: 50,
        named: 50,
        relayed: 0,
        closed: 50,
        failed: 0,
        starts: 50,
        parallel: 0,
        span_ns: 3_600_000_000_000,
        received_bytes: 50 * 10_000,
        size_regularity: None,
        typical_size_bytes: 0,
        country: Country::UNKNOWN,
        home_country: None,
        hosts_there: 1,
        hosts_all: 1,
        bare_hellos: 0,
        odd_certificates: 0,
        bare_requests: 0,
        bare_posts: 0,
        mismatched: 0,
        protocol: None,
        days: None,
        services: 100,
        names: true,
        resolves: false,
        resolved: None,
        alike: 1,
        beside: 0.0,
        client_hosts: None,
        answers_alike: None,
        sketch: None,
    }
}

/// The only weight besides that for having a name.
fn only(facts: &Facts<'_>) -> Option<(&'static str, f64)> {
    let context = Context::of(facts);
    let mut weights = context.iter().filter(|weight| weight.name != part::NAMED);
    let first = weights.next().map(|weight| (weight.name, weight.log_odds));
    assert!(weights.next().is_none(), "{context:?}");
    first
}

#[test]
fn a_plain_case_has_a_name_and_no_other_weight() {
    assert_eq!(only(&plain()), None);
    assert_eq!(Context::of(&plain()).log_odds(), NAMED);
}

#[test]
fn one_weight_each() {
    let raising = [
        (
            part::BARE_ADDRESS,
            Facts {
                name: None,
                named: 0,
                ..plain()
            },
        ),
        (part::BARE_ADDRESS, Facts { named: 3, ..plain() }),
        (part::ODD_PORT, Facts { port: 4433, ..plain() }),
        (part::FAILED, Facts { failed: 40, ..plain() }),
        (
            part::ANSWERS,
            Facts {
                received_bytes: 50 * 300,
                ..plain()
            },
        ),
        (
            part::SIZES,
            Facts {
                size_regularity: Some(0.95),
                typical_size_bytes: 300,
                ..plain()
            },
        ),
        (
            part::PREVALENCE,
            Facts {
                hosts_all: 100,
                ..plain()
            },
        ),
        (
            part::ABROAD,
            Facts {
                country: Country(*b"NL"),
                home_country: Some(Country(*b"DE")),
                ..plain()
            },
        ),
    ];
    for (name, facts) in raising {
        let found = only(&facts);
        assert!(
            found.is_some_and(|(part, log_odds)| part == name && log_odds > 0.0),
            "{name}: {found:?}"
        );
    }
    let lowering = [
        (
            part::PROXY,
            Facts {
                relayed: 50,
                named: 0,
                ..plain()
            },
        ),
        (
            part::ANSWERS,
            Facts {
                received_bytes: 50 * 1_000_000,
                ..plain()
            },
        ),
        (
            part::SIZES,
            Facts {
                size_regularity: Some(0.3),
                typical_size_bytes: 300,
                ..plain()
            },
        ),
        (
            part::PREVALENCE,
            Facts {
                hosts_all: 100,
                hosts_there: 60,
                ..plain()
            },
        ),
        (
            part::KNOWN_SERVICE,
            Facts {
                name: Some("ocsp.digicert.com"),
                ..plain()
            },
        ),
        (part::KNOWN_SERVICE, Facts { port: 993, ..plain() }),
        (
            part::KNOWN_SERVICE,
            Facts {
                server: Address::v4([9, 9, 9, 9]),
                ..plain()
            },
        ),
        (
            part::SERVICES,
            Facts {
                services: 2_000,
                ..plain()
            },
        ),
        (part::ALIKE, Facts { alike: 12, ..plain() }),
        (
            part::KIND,
            Facts {
                kind: EvidenceKind::Heartbeat,
                closed: 1,
                ..plain()
            },
        ),
    ];
    for (name, facts) in lowering {
        let found = only(&facts);
        assert!(
            found.is_some_and(|(part, log_odds)| part == name && log_odds < 0.0),
            "{name}: {found:?}"
        );
    }
}

#[test]
fn prevalence_falls_as_more_hosts_share_a_destination() {
    let weight = |there, all| {
        let facts = Facts {
            hosts_there: there,
            hosts_all: all,
            ..plain()
        };
        Context::of(&facts).log_odds() - NAMED
    };
    assert_eq!(weight(1, 3).abs(), 0.0, "too few hosts to compare with");
    assert!(weight(1, 10) > 0.4 && weight(1, 10_000) <= RAREST);
    for all in [10, 1_000, 100_000] {
        let mut last = f64::MAX;
        for there in (0..).map(|power| 1_u64 << power).take_while(|&there| there <= all) {
            let now = weight(there, all);
            assert!(now <= last + 1e-9, "{there} of {all}");
            last = now;
        }
    }
    assert!(
        weight(41, 20_000) > 0.0,
        "a botnet of 41 in a large network is not common"
    );
    assert!(weight(900, 1_000) < -2.5);
    assert_eq!(weight(50, 10), weight(10, 10), "never more hosts there than in all");
}

#[test]
fn nothing_raises_more_than_stated() {
    let worst = Facts {
        name: None,
        named: 0,
        port: 4433,
        received_bytes: 50,
        size_regularity: Some(1.0),
        typical_size_bytes: 300,
        hosts_all: 1 << 40,
        country: Country(*b"NL"),
        home_country: Some(Country(*b"DE")),
        ..plain()
    };
    assert!(Context::of(&worst).log_odds() <= MOST_RAISING);
    assert!(Context::of(&Facts { failed: 50, ..worst }).log_odds() <= MOST_RAISING);
}

#[test]
fn a_port_is_no_excuse_for_a_name_behind_a_proxy() {
    let facts = Facts {
        scope: Scope::ConnectTarget,
        port: 993,
        name: Some("mail.example"),
        ..plain()
    };
    assert_eq!(only(&facts), None);
}

#[test]
fn a_few_bursts_in_each_of_many_connections_are_requests() {
    let long = Facts {
        kind: EvidenceKind::Heartbeat,
        closed: 2,
        ..plain()
    };
    let short = Facts { closed: 10, ..long };
    assert!(Context::of(&short).log_odds() < Context::of(&long).log_odds() - 2.0);
}

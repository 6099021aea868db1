//! Summaries made by hand: one with findings, one without, and one full of hostile strings.

use balefire_detect::{
    Accounting, Address, Allowed, AllowedRule, Class, Contact, ControlServer, Country, CountryRow, CountrySource,
    Evidence, EvidenceKind, INTERVAL_BINS, IndicatorMatch, IntelList, IntelSign, Period, PeriodKind, Protocol,
    QueueDrops, Reject, ScorePart, Summary, TimelineRow, Totals, Traits, Transport,
};

pub(crate) const SECOND_NS: i64 = 1_000_000_000;
/// 2024-05-01 00:00:00 UTC.
pub(crate) const START_NS: i64 = 1_714_521_600 * SECOND_NS;

/// A day with nothing in it.
pub(crate) fn quiet() -> Summary {
    Summary {
        period: Period {
            kind: PeriodKind::Run,
            start_ns: START_NS + 3 * SECOND_NS,
            end_ns: START_NS + 86_400 * SECOND_NS,
            partial: false,
        },
        first_packet_ns: Some(START_NS + 3 * SECOND_NS),
        last_packet_ns: Some(START_NS + 86_399 * SECOND_NS),
        accounting: Accounting {
            received: 62_322,
            wire_bytes: 46_100_000,
            decoded: 62_180,
            rejects: vec![(Reject::NotIp, 142)],
            ..Accounting::default()
        },
        totals: Totals {
            hosts: 9,
            destinations: 412,
            connections: 5_120,
            timelines: 37,
            ..Totals::default()
        },
        servers: Vec::new(),
        countries: vec![country(*b"DE", 0, 0)],
        country_source: CountrySource {
            name: "iptocc 1.4".to_owned(),
            date: "2026-11-01".to_owned(),
            meaning: "country of registration",
        },
        peers: Vec::new(),
        intel: Vec::new(),
        allowed: Allowed::default(),
    }
}

/// Three servers in two countries; one host under both.
pub(crate) fn busy() -> Summary {
    let mut summary = quiet();
    summary.totals.servers = 3;
    summary.totals.servers_by_class = [1, 2, 0];
    summary.totals.controlled_hosts = 3;
    summary.totals.servers_abroad = Some(2);
    summary.totals.hosts_abroad = Some(2);
    summary.servers = vec![
        server(
            1,
            [192, 0, 2, 17],
            443,
            &["cdn.example.net", "www.example.net"],
            *b"NL",
            0.99,
        ),
        server(2, [203, 0, 113, 9], 8080, &[], *b"US", 0.95),
        server(
            3,
            [198, 51, 100, 4],
            53,
            &["a-very-long-name-of-a-host-that-does-not-fit.example.org"],
            *b"US",
            0.61,
        ),
    ];
    summary.servers[2].transport = Transport::UDP;
    summary.servers[2].class = Class::Suspected;
    summary.servers[2].hosts.push(Address::v4([10, 0, 0, 9]));
    summary.countries = vec![country(*b"US", 2, 3), country(*b"NL", 1, 1), country(*b"DE", 0, 0)];
    summary.countries[1].rank_by_servers = 2;
    summary.countries[1].rank_by_hosts = 2;
    summary.accounting.received += 12;
    summary.accounting.rejects.push((Reject::LinkUnsupported, 5));
    summary.accounting.queue_drops = vec![QueueDrops { worker: 0, frames: 0 }, QueueDrops { worker: 1, frames: 7 }];
    summary.accounting.late = 3;
    summary.accounting.clock_steps = 1;
    summary.accounting.evictions = 12;
    summary
}

pub(crate) fn server(
    rank: u32,
    address: [u8; 4],
    port: u16,
    names: &[&str],
    country: [u8; 2],
    score: f64,
) -> ControlServer {
    let host = Address::v4([10, 0, 0, rank as u8]);
    ControlServer {
        rank,
        address: Address::v4(address),
        port,
        transport: Transport::TCP,
        names: names.iter().map(|&name| name.to_owned()).collect(),
        country: Country(country),
        class: Class::Probable,
        score,
        hosts: vec![host],
        first_ns: START_NS + 41 * SECOND_NS,
        last_ns: START_NS + 86_370 * SECOND_NS,
        check_ins: 2_615,
        behind_relay: false,
        evidence: vec![evidence(host, names.first().copied(), score)],
    }
}

pub(crate) fn evidence(host: Address, name: Option<&str>, score: f64) -> Evidence {
    let part = |name, value, log_odds, text: &str| ScorePart {
        name,
        value,
        log_odds,
        text: text.to_owned(),
    };
    let mut histogram = [0; INTERVAL_BINS];
    // 26.9 s to 41.5 s, and three of twice that.
    for (bin, count) in [(38, 120), (39, 400), (40, 1200), (41, 600), (42, 290), (48, 3)] {
        histogram[bin] = count;
    }
    Evidence {
        kind: EvidenceKind::ConnectionBeacon,
        host,
        flow: None,
        name: name.map(str::to_owned),
        addresses: vec![Address::v4([104, 248, 234, 238])],
        ports: vec![80],
        keyed_by: vec!["address"],
        interval_s: 33.012_345,
        jitter: 0.204_56,
        check_ins: 2_615,
        first_ns: START_NS + 41 * SECOND_NS,
        last_ns: START_NS + 86_370 * SECOND_NS,
        timing: 0.941_234_5,
        sent_bytes: Some(81_000),
        received_bytes: Some(1_124_000),
        score,
        parts: vec![
            part("timing", 0.941_234_5, 2.771_7, "regular for 24 h, 33.0 s +-20 %"),
            part("bare_address", 1.0, 0.8, "bare address, never resolved by this host"),
            part("http_host", 1.0, -0.2, "plain HTTP with a Host header"),
        ],
        innocent: vec![
            "a monitoring agent of yours polls it".to_owned(),
            "an update client without DNS".to_owned(),
        ],
        missing: vec!["nothing of the server's certificate (no TLS)".to_owned()],
        histogram: Box::new(histogram),
        hours: [109; 24],
        recent_ns: (0..16)
            .map(|index| START_NS + (86_370 - 33 * (15 - index)) * SECOND_NS)
            .collect(),
        traits: traits(),
        intel: None,
    }
}

fn traits() -> Traits {
    Traits {
        protocol: Some(Protocol::Http),
        client: Some("Mozilla/4.0 (compatible; MSIE 6.0)".to_owned()),
        request: Some("GET /page.jsp?id=7".to_owned()),
        certificate: None,
    }
}

/// A contact with an address on a list.
pub(crate) fn listed(host: Address, list: &str, label: Option<&str>) -> Evidence {
    Evidence {
        kind: EvidenceKind::ThreatIntel,
        interval_s: 0.0,
        jitter: 0.0,
        check_ins: 3,
        timing: 0.0,
        score: 0.0,
        parts: Vec::new(),
        innocent: vec!["the list is wrong about it, or out of date".to_owned()],
        missing: Vec::new(),
        histogram: Box::new([0; INTERVAL_BINS]),
        hours: [0; 24],
        recent_ns: Vec::new(),
        traits: Traits::default(),
        intel: Some(IntelSign {
            contact: Contact::Address,
            matches: vec![IndicatorMatch {
                list: list.to_owned(),
                line: 1_234,
                indicator: "192.0.2.0/24".to_owned(),
                label: label.map(str::to_owned),
            }],
        }),
        ..evidence(host, None, 0.0)
    }
}

/// The same day with lists: the first server is listed too, the last is known by its list only, a rule hides another.
pub(crate) fn with_lists() -> Summary {
    let mut summary = busy();
    let host = summary.servers[0].hosts[0];
    for at in [0, 2] {
        summary.servers[at].class = Class::Confirmed;
        summary.servers[at]
            .evidence
            .insert(0, listed(host, "c2.csv", Some("Dridex, gate")));
    }
    summary.servers[2].evidence.truncate(1);
    summary.servers[2].score = 0.0;
    summary.intel = vec![IntelList {
        name: "c2.csv".to_owned(),
        indicators: 4_321,
        fingerprint: 7,
    }];
    let rule = |rule: &str, hits, expires_ns, expired| AllowedRule {
        rule: rule.to_owned(),
        reason: "ours, asked in March".to_owned(),
        expires_ns,
        expired,
        hits,
    };
    summary.allowed = Allowed {
        findings: 2,
        rules: vec![
            rule(
                "domain updates.example, port 443",
                2,
                Some(START_NS + 86_400 * 30 * SECOND_NS),
                false,
            ),
            rule("address 192.0.2.200", 0, Some(START_NS), true),
        ],
    };
    summary
}

pub(crate) fn country(code: [u8; 2], servers: u64, hosts: u64) -> CountryRow {
    CountryRow {
        country: Country(code),
        servers,
        hosts,
        rank_by_servers: u32::from(servers > 0),
        rank_by_hosts: u32::from(hosts > 0),
        share_of_servers: servers as f64 / 3.0,
        share_of_hosts: hosts as f64 / 3.0,
        connections: 2_615,
        bytes_out: 1_000_000,
        bytes_in: 40_000_000,
        packets: 50_000,
    }
}

pub(crate) fn timeline(server: [u8; 4], name: Option<&str>) -> TimelineRow {
    TimelineRow {
        host: Address::v4([10, 0, 0, 1]),
        server: Address::v4(server),
        port: 443,
        name: name.map(str::to_owned),
        kind: EvidenceKind::ConnectionBeacon,
        check_ins: 40,
        interval_s: 60.000_4,
        jitter: 0.1,
        timing: 0.4,
        score: 0.2,
    }
}

/// The part of an hour between two seconds of it.
pub(crate) fn hour_part(from_s: i64, to_s: i64, partial: bool) -> Summary {
    let mut hour = quiet();
    hour.period = Period {
        kind: PeriodKind::Hour,
        start_ns: START_NS,
        end_ns: START_NS + 3600 * SECOND_NS,
        partial,
    };
    hour.first_packet_ns = Some(START_NS + from_s * SECOND_NS);
    hour.last_packet_ns = Some(START_NS + to_s * SECOND_NS);
    hour
}

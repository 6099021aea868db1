//! The detector from events to summary: what is found, what is not, that workers and seeds change nothing, that limits hold.

#[path = "asked_tests.rs"]
mod asked;
#[path = "detector_evidence_tests.rs"]
mod evidence;
#[path = "detector_limits_tests.rs"]
mod limits;

use balefire_track::{Closed, ConnState, Endpoints, Fact, NameKind, Opened, Sink, Volume};

use super::*;
use crate::Transport;
use crate::countries::Countries;
use crate::home::Role;
use crate::summary::{Accounting, Class, EvidenceKind, Period, PeriodKind, Summary};

const S: i64 = 1_000_000_000;

/// One connection of a tap, for tests.
#[derive(Clone, Debug)]
struct Talk {
    time_ns: i64,
    from: Address,
    to: Address,
    port: u16,
    transport: Transport,
    name: Option<(NameKind, String)>,
    bursts: Vec<i64>,
    state: ConnState,
}

fn outside(last: u16) -> Address {
    let [high, low] = last.to_be_bytes();
    Address::v4([198, 51, high, low])
}

fn inside(last: u16) -> Address {
    let [high, low] = last.to_be_bytes();
    Address::v4([10, 0, high, low])
}

fn talk(time_ns: i64, from: Address, to: Address, port: u16) -> Talk {
    Talk {
        time_ns,
        from,
        to,
        port,
        transport: Transport::TCP,
        name: None,
        bursts: vec![],
        state: ConnState::Sf,
    }
}

fn named(talk: Talk, kind: NameKind, name: &str) -> Talk {
    Talk {
        name: Some((kind, name.to_owned())),
        ..talk
    }
}

fn play(detector: &mut Detector, talk: &Talk) {
    let endpoints = Endpoints {
        originator: talk.from,
        responder: talk.to,
        originator_port: 40_000,
        responder_port: talk.port,
        transport: talk.transport,
    };
    let time_ns = talk.time_ns;
    let tag = detector.opened(&Opened {
        endpoints,
        time_ns,
        mid_stream: false,
    });
    detector.packet(tag, true, time_ns, 400);
    detector.packet(tag, false, time_ns + 1, 1400);
    if let Some((kind, name)) = &talk.name {
        detector.fact(
            tag,
            &endpoints,
            time_ns + 2,
            &Fact::Name {
                kind: *kind,
                name,
                port: 443,
            },
        );
    }
    detector.burst(tag, &endpoints, time_ns + 3, 300);
    for &later in &talk.bursts {
        detector.burst(tag, &endpoints, time_ns + later, 60);
    }
    let sent = Volume {
        packets: 1,
        payload_bytes: 300,
        ip_bytes: 400,
    };
    let received = Volume {
        packets: 1,
        payload_bytes: 1300,
        ip_bytes: 1400,
    };
    let state = talk.state;
    detector.closed(
        tag,
        &Closed {
            endpoints,
            first_ns: time_ns,
            last_ns: time_ns + S,
            state,
            sent,
            received,
        },
    );
}

fn settings() -> Settings {
    Settings {
        hash_seed: 1,
        ..Settings::default()
    }
}

fn shared(settings: &Settings) -> Arc<Shared> {
    Arc::new(Shared::new(Countries::embedded(), settings))
}

/// The worker that the dispatcher's rule gives a conversation to: by the inside host, else by the pair of addresses.
fn worker_of(settings: &Settings, talk: &Talk, workers: usize) -> usize {
    let seed = Seed::new(99);
    let hash = match settings.home.role(talk.from, talk.to) {
        Role::Outbound => seed.address(talk.from),
        Role::Inbound => seed.address(talk.to),
        Role::Internal | Role::Transit => seed.address(talk.from) ^ seed.address(talk.to),
    };
    (hash % workers as u64) as usize
}

const RUN: Period = Period {
    kind: PeriodKind::Run,
    start_ns: 0,
    end_ns: 0,
    partial: false,
};

/// Hours (closed whenever a talk begins in the next one) and the run.
fn summaries(settings: &Settings, talks: &[Talk], workers: usize) -> Vec<Summary> {
    let shared = shared(settings);
    let settings = Arc::new(settings.clone());
    let mut detectors: Vec<_> = (0..workers)
        .map(|worker| Detector::new(settings.clone(), shared.clone(), worker))
        .collect();
    let hour_of = |talk: &Talk| talk.time_ns.div_euclid(3600 * S);
    let mut hour = talks.first().map_or(0, hour_of);
    let mut summaries = Vec::new();
    let merged = |parts: Vec<Part>| {
        parts.into_iter().reduce(|mut all, part| {
            all.merge(part);
            all
        })
    };
    for talk in talks {
        if hour_of(talk) > hour {
            hour = hour_of(talk);
            let parts = detectors.iter_mut().map(Detector::close_hour).collect();
            summaries.push(
                merged(parts)
                    .unwrap()
                    .conclude(&settings, &shared, RUN, Accounting::default()),
            );
        }
        play(&mut detectors[worker_of(&settings, talk, workers)], talk);
    }
    let parts = detectors.iter_mut().map(Detector::finish).collect();
    summaries.push(
        merged(parts)
            .unwrap()
            .conclude(&settings, &shared, RUN, Accounting::default()),
    );
    summaries
}

fn run(settings: &Settings, talks: &[Talk]) -> Summary {
    summaries(settings, talks, 1).pop().unwrap()
}

/// A beacon every `interval` seconds with a jitter that is the same in every run.
fn beacon(from: Address, to: Address, port: u16, interval_s: i64, jitter: i64, count: i64) -> Vec<Talk> {
    let mut state = 7_u64;
    (0..count)
        .map(|step| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let wobble = (state >> 33) as i64 % (2 * jitter * 1000 + 1) - jitter * 1000;
            talk(step * interval_s * S + wobble * 1_000_000 + 3700 * S, from, to, port)
        })
        .collect()
}

/// People: bursts of connections after log-normal-like pauses, to a few places, from a fixed seed.
fn people(hosts: u16, count: i64) -> Vec<Talk> {
    let mut state = 11_u64;
    let mut draw = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / f64::from(1_u32 << 31)
    };
    let mut talks = Vec::new();
    for host in 0..hosts {
        let mut time_ns = 3600 * S;
        for _ in 0..count {
            let normal = (0..12).map(|_| draw()).sum::<f64>() - 6.0;
            time_ns += ((3.0 + 1.6 * normal).exp() * S as f64) as i64;
            let to = outside(1000 + (draw() * 20.0) as u16);
            talks.push(named(
                talk(time_ns, inside(host), to, 443),
                NameKind::Sni,
                &format!("site{}.example", to.octets()[15]),
            ));
        }
    }
    talks
}

fn in_order(mut talks: Vec<Talk>) -> Vec<Talk> {
    talks.sort_by_key(|talk| talk.time_ns);
    talks
}

#[test]
fn a_day_of_a_jittered_beacon_to_a_bare_address_is_probable() {
    let mut talks = beacon(inside(1), outside(1), 80, 33, 6, 2600);
    talks.extend(people(8, 300));
    let summary = run(&settings(), &in_order(talks));
    let first = &summary.servers[0];
    assert_eq!(
        (first.address, first.port, first.class),
        (outside(1), 80, Class::Probable)
    );
    assert_eq!(first.hosts, vec![inside(1)]);
    assert!(
        summary.servers[1..]
            .iter()
            .all(|server| server.class == Class::Suspected)
    );
    assert_eq!(summary.totals.hosts, 8);
    let evidence = &first.evidence[0];
    assert!((30.0..36.0).contains(&evidence.interval_s), "{}", evidence.interval_s);
    assert_eq!(evidence.check_ins, 2600);
    assert!(
        evidence
            .parts
            .iter()
            .any(|part| part.name == "bare_address" && part.log_odds > 0.0)
    );
    let sum: f64 = evidence.parts.iter().map(|part| part.log_odds).sum();
    assert!(
        (1.0 / (1.0 + (-sum).exp()) - evidence.score).abs() < 1e-9,
        "the parts are the score"
    );
    assert_eq!(evidence.histogram.iter().map(|&bin| u64::from(bin)).sum::<u64>(), 2599);
}

#[test]
fn people_alone_are_nobody() {
    let summary = run(&settings(), &in_order(people(20, 400)));
    let probable = summary.servers.iter().filter(|server| server.class > Class::Suspected);
    assert_eq!(probable.count(), 0);
    assert_eq!(
        (
            summary.totals.hosts,
            summary.totals.destinations,
            summary.totals.connections
        ),
        (20, 20, 8000)
    );
}

#[test]
fn a_name_behind_many_addresses_is_one_server() {
    let talks: Vec<_> = beacon(inside(1), outside(1), 443, 60, 5, 300)
        .into_iter()
        .enumerate()
        .map(|(step, talk)| {
            let to = if step % 3 == 0 {
                outside(40 + step as u16 % 50)
            } else {
                outside(7)
            };
            named(Talk { to, ..talk }, NameKind::Sni, "cdn.bad.example")
        })
        .collect();
    let summary = run(&settings(), &talks);
    assert_eq!(summary.servers.len(), 1, "{:?}", summary.servers);
    assert_eq!((summary.servers[0].address, summary.servers[0].port), (outside(7), 443));
    assert_eq!(summary.servers[0].names, vec!["cdn.bad.example"]);
    assert!(summary.servers[0].evidence.iter().any(|sign| sign.check_ins == 300));
}

#[test]
fn a_proxy_inside_does_not_hide_the_server_behind_it() {
    let proxy = inside(900);
    let beacon = beacon(inside(1), proxy, 3128, 250, 40, 390)
        .into_iter()
        .map(|talk| named(talk, NameKind::ConnectTarget, "www.bad.example"));
    let mut talks: Vec<_> = beacon.collect();
    talks.extend(people(4, 200).into_iter().map(|talk| {
        let name = talk.name.clone().map_or(String::new(), |(_, name)| name);
        named(
            Talk {
                to: proxy,
                port: 3128,
                ..talk
            },
            NameKind::ConnectTarget,
            &name,
        )
    }));
    for score_internal in [false, true] {
        let settings = Settings {
            score_internal,
            ..settings()
        };
        let summary = run(&settings, &in_order(talks.clone()));
        assert!(
            summary.servers[1..]
                .iter()
                .all(|server| server.class == Class::Suspected)
        );
        let first = &summary.servers[0];
        assert_eq!((first.address, first.port, first.behind_relay), (proxy, 3128, true));
        assert_eq!(
            (first.names.as_slice(), first.country),
            (&["www.bad.example".to_owned()][..], Country::UNKNOWN)
        );
        assert_eq!(first.hosts, vec![inside(1)]);
    }
}

#[test]
fn bursts_in_one_long_connection_are_a_heartbeat() {
    let long = Talk {
        bursts: (1..400).map(|step| step * 37 * S + (step % 5) * S).collect(),
        ..talk(3600 * S, inside(1), outside(1), 8888)
    };
    let summary = run(&settings(), &[long]);
    assert_eq!(summary.servers.len(), 1);
    assert_eq!(summary.servers[0].evidence[0].kind, EvidenceKind::Heartbeat);
    assert_eq!(summary.servers[0].evidence[0].check_ins, 400);
}

#[test]
fn a_domain_asked_for_on_a_timer_is_a_dns_beacon() {
    let talks: Vec<_> = beacon(inside(1), inside(53), 53, 60, 2, 2000)
        .into_iter()
        .enumerate()
        .map(|(step, talk)| {
            let talk = Talk {
                transport: Transport::UDP,
                ..talk
            };
            named(talk, NameKind::DnsQuery, &format!("x{step}.c.bad.example"))
        })
        .collect();
    let summary = run(&settings(), &talks);
    assert_eq!(summary.servers.len(), 1, "{:?}", summary.servers);
    assert_eq!(summary.servers[0].names, vec!["bad.example"]);
    assert_eq!(summary.servers[0].evidence[0].kind, EvidenceKind::DnsBeacon);
    assert_eq!(summary.servers[0].country, Country::UNKNOWN);
}

#[test]
fn roles_decide_what_is_scored_and_what_is_counted() {
    let of = |from, to| beacon(from, to, 4444, 30, 1, 500);
    let found = |settings: &Settings, talks: Vec<Talk>| run(settings, &talks);
    let inward = found(&settings(), of(outside(1), inside(1)));
    assert!(inward.servers.is_empty() && inward.totals.connections == 500 && inward.totals.hosts == 0);
    assert_eq!(
        inward.countries.iter().map(|row| (row.bytes_out, row.bytes_in)).next(),
        Some((1400 * 500, 400 * 500))
    );
    let within = of(inside(1), inside(2));
    assert!(found(&settings(), within.clone()).servers.is_empty());
    assert_eq!(
        found(
            &Settings {
                score_internal: true,
                ..settings()
            },
            within
        )
        .servers
        .len(),
        1
    );
    assert_eq!(
        found(&settings(), of(outside(1), outside(2))).servers[0].hosts,
        vec![outside(1)]
    );
    for group in ["239.255.255.250", "255.255.255.255", "224.0.0.251"] {
        let group = Address::from(group.parse::<std::net::IpAddr>().unwrap());
        assert!(found(&settings(), of(inside(1), group)).servers.is_empty());
    }
    let broadcast = of(inside(1), inside(255)).into_iter().map(|talk| Talk {
        transport: Transport::UDP,
        ..talk
    });
    assert!(
        found(
            &Settings {
                score_internal: true,
                ..settings()
            },
            broadcast.collect()
        )
        .servers
        .is_empty()
    );
}

#[test]
fn ntp_is_lowered_and_says_so() {
    let ntp: Vec<_> = beacon(inside(1), outside(1), 123, 64, 1, 1000)
        .into_iter()
        .map(|talk| Talk {
            transport: Transport::UDP,
            ..talk
        })
        .collect();
    let odd: Vec<_> = ntp
        .iter()
        .map(|talk| Talk {
            port: 9123,
            ..talk.clone()
        })
        .collect();
    let score = |talks: &[Talk]| {
        let settings = settings();
        let shared = shared(&settings);
        let mut detector = Detector::new(Arc::new(settings.clone()), shared.clone(), 0);
        talks.iter().for_each(|talk| play(&mut detector, talk));
        let rows = detector.finish_with_timelines().timelines(&settings, &shared);
        rows.iter().map(|row| row.score).fold(0.0, f64::max)
    };
    let (ntp, odd) = (score(&ntp), score(&odd));
    assert!(ntp < odd && ntp > 0.0, "{ntp} {odd}");
}

#[test]
fn the_registry_follows_while_running() {
    let settings = Arc::new(settings());
    let shared = shared(&settings);
    let mut detector = Detector::new(settings.clone(), shared.clone(), 0);
    let mut seen_at = None;
    for (step, check_in) in beacon(inside(1), outside(1), 4433, 60, 2, 200).iter().enumerate() {
        play(&mut detector, check_in);
        if seen_at.is_none() && !shared.servers(1).is_empty() {
            seen_at = Some(step);
        }
    }
    assert!(seen_at.is_some_and(|step| (3..100).contains(&step)), "{seen_at:?}");
    let now = &shared.servers(5)[0];
    assert_eq!((now.address, now.hosts.len(), now.rank), (outside(1), 1, 1));
    assert!(now.check_ins > 150);
}

#[test]
fn a_name_that_moves_is_one_row_of_the_registry() {
    let settings = Arc::new(settings());
    let shared = shared(&settings);
    let mut detector = Detector::new(settings.clone(), shared.clone(), 0);
    for (step, check_in) in beacon(inside(1), outside(1), 443, 60, 2, 400).into_iter().enumerate() {
        let to = outside(1 + step as u16 / 100);
        let talk = Talk { to, ..check_in };
        play(&mut detector, &named(talk, NameKind::Sni, "moves.bad.example"));
    }
    let rows: Vec<_> = shared
        .servers(9)
        .into_iter()
        .filter(|server| server.check_ins > 150)
        .collect();
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0].names, vec!["moves.bad.example"]);
}

#[test]
fn an_hour_holds_only_its_own() {
    let mut talks = beacon(inside(9), outside(1), 4433, 60, 2, 55);
    talks.extend(people(3, 50).into_iter().map(|talk| Talk {
        time_ns: talk.time_ns + 3600 * S,
        ..talk
    }));
    let all = summaries(&settings(), &in_order(talks), 1);
    let (first, second) = (&all[0], &all[1]);
    assert_eq!((first.totals.hosts, first.servers.len()), (1, 1));
    assert!(second.servers.is_empty() && second.totals.hosts == 3);
    assert!(first.last_packet_ns < second.first_packet_ns);
    let run = all.last().unwrap();
    let connections: u64 = all[..all.len() - 1].iter().map(|hour| hour.totals.connections).sum();
    assert!(run.totals.connections >= connections && run.totals.hosts == 4);
    assert_eq!(run.first_packet_ns, first.first_packet_ns);
}

//! From contacts to confirmed servers: by every way of recognition, over workers, hours and changes of the lists.

#[path = "sighted_reload_tests.rs"]
mod reload;

use std::sync::Arc;

use balefire_track::{Closed, ConnState, Endpoints, Fact, Opened, Sink, TlsHello, Volume};

use super::*;
use crate::allow::{AllowFields, AllowRule, Allowlist};
use crate::countries::Countries;
use crate::intel::IntelBuilder;
use crate::settings::Settings;
use crate::shared::Shared;
use crate::summary::{Accounting, Contact, ControlServer, EvidenceKind, Period, PeriodKind, Summary};

const S: i64 = 1_000_000_000;
/// 2026-03-02 00:00:00 UTC.
const START_NS: i64 = 1_772_409_600 * S;
const RUN: Period = Period {
    kind: PeriodKind::Run,
    start_ns: 0,
    end_ns: 0,
    partial: false,
};
const JA4: &str = "t13d1516h2_8daaf6152771_e5627efa2ab1";

fn host(last: u8) -> Address {
    Address::v4([10, 0, 0, last])
}

fn server(last: u8) -> Address {
    Address::v4([198, 51, 100, last])
}

fn lists(intel: &str, allow: &[AllowFields<'_>]) -> Lists {
    let mut builder = IntelBuilder::default();
    if !intel.is_empty() {
        builder.add("list.txt", intel.as_bytes()).unwrap();
    }
    let rules = allow.iter().map(|fields| {
        AllowRule::new(&AllowFields {
            reason: "known",
            ..*fields
        })
        .unwrap()
    });
    Lists {
        intel: builder.build(),
        allow: Allowlist::new(rules.collect()),
    }
}

/// Detectors as a run has them, each host with its own.
struct Run {
    settings: Arc<Settings>,
    shared: Arc<Shared>,
    detectors: Vec<Detector>,
}

impl Run {
    fn new(lists: Lists, workers: usize) -> Self {
        let settings = Arc::new(Settings {
            hash_seed: 3,
            ..Settings::default()
        });
        let shared = Arc::new(Shared::new(Countries::embedded(), &settings));
        shared.replace_lists(lists);
        let detectors = (0..workers)
            .map(|worker| Detector::new(settings.clone(), shared.clone(), worker))
            .collect();
        Self {
            settings,
            shared,
            detectors,
        }
    }

    /// One connection with what is learnt in it.
    fn talk(&mut self, time_s: i64, from: Address, to: Address, port: u16, facts: &[Fact<'_>]) {
        let inside = self.settings.home.contains(to);
        let workers = self.detectors.len();
        let chosen = usize::from(from.octets()[15]) + if inside { usize::from(to.octets()[15]) } else { 0 };
        let detector = &mut self.detectors[chosen % workers];
        let transport = if port == 53 { Transport::UDP } else { Transport::TCP };
        let endpoints = Endpoints {
            originator: from,
            responder: to,
            originator_port: 40_000,
            responder_port: port,
            transport,
        };
        let time_ns = START_NS + time_s * S;
        let tag = detector.opened(&Opened {
            endpoints,
            time_ns,
            mid_stream: false,
        });
        detector.packet(tag, true, time_ns, 400);
        for fact in facts {
            detector.fact(tag, &endpoints, time_ns + 2, fact);
        }
        let volume = Volume {
            packets: 1,
            payload_bytes: 300,
            ip_bytes: 400,
        };
        let (first_ns, last_ns) = (time_ns, time_ns + S);
        detector.closed(
            tag,
            &Closed {
                endpoints,
                first_ns,
                last_ns,
                state: ConnState::Sf,
                sent: volume,
                received: volume,
            },
        );
    }

    fn close_hour(&mut self) -> Summary {
        let parts = self.detectors.iter_mut().map(Detector::close_hour).collect();
        self.conclude(parts)
    }

    fn finish(&mut self) -> Summary {
        let parts = self.detectors.iter_mut().map(Detector::finish).collect();
        self.conclude(parts)
    }

    fn conclude(&self, parts: Vec<Part>) -> Summary {
        let merged = parts.into_iter().reduce(|mut all, part| {
            all.merge(part);
            all
        });
        merged
            .unwrap()
            .conclude(&self.settings, &self.shared, RUN, Accounting::default())
    }

    fn reload(&mut self, lists: Lists) {
        self.shared.replace_lists(lists);
        self.detectors.iter_mut().for_each(Detector::refresh_lists);
    }
}

fn named(kind: NameKind, name: &str, port: u16) -> Fact<'_> {
    Fact::Name { kind, name, port }
}

fn only(summary: &Summary) -> &ControlServer {
    assert_eq!(summary.servers.len(), 1, "{:?}", summary.servers);
    assert_eq!(summary.servers[0].class, Class::Confirmed);
    &summary.servers[0]
}

fn contact(server: &ControlServer) -> Contact {
    server.evidence[0].intel.as_ref().unwrap().contact
}

#[test]
fn one_contact_with_a_listed_address_confirms_it() {
    let mut run = Run::new(lists("198.51.100.0/24\n203.0.113.9:4444\n", &[]), 1);
    run.talk(1, host(1), server(7), 443, &[]);
    run.talk(2, host(2), Address::v4([203, 0, 113, 9]), 443, &[]);
    run.talk(3, host(2), Address::v4([192, 0, 2, 1]), 443, &[]);
    run.talk(9, host(1), server(7), 443, &[]);
    let summary = run.finish();
    let live = run.shared.servers(9);
    assert_eq!((live.len(), live[0].class), (1, Class::Confirmed));
    let found = only(&summary);
    assert_eq!(
        (found.address, found.port, found.hosts.as_slice()),
        (server(7), 443, &[host(1)][..])
    );
    assert_eq!((found.check_ins, found.last_ns - found.first_ns), (2, 8 * S));
    let evidence = &found.evidence[0];
    assert_eq!((evidence.kind, evidence.score), (EvidenceKind::ThreatIntel, 0.0));
    let matched = &evidence.intel.as_ref().unwrap().matches[0];
    assert_eq!(
        (matched.list.as_str(), matched.line, matched.indicator.as_str()),
        ("list.txt", 1, "198.51.100.0/24")
    );
    assert_eq!(summary.totals.servers_by_class, [0, 0, 1]);
    assert_eq!(summary.totals.controlled_hosts, 1);
    assert_eq!(summary.intel[0].indicators, 2);
}

#[test]
fn a_port_of_a_list_is_that_port() {
    let mut run = Run::new(lists("198.51.100.7:4444\n", &[]), 1);
    run.talk(1, host(1), server(7), 443, &[]);
    assert!(run.close_hour().servers.is_empty());
    run.talk(2, host(1), server(7), 4444, &[]);
    assert_eq!(only(&run.finish()).port, 4444);
}

#[test]
fn a_listed_name_is_one_server_at_many_addresses() {
    let mut run = Run::new(lists("evil.example\n", &[]), 1);
    for (time_s, last) in [(1, 7), (2, 8), (3, 8), (4, 9)] {
        run.talk(
            time_s,
            host(1),
            server(last),
            443,
            &[named(NameKind::Sni, "a.evil.example", 0)],
        );
    }
    run.talk(
        5,
        host(2),
        server(30),
        443,
        &[named(NameKind::Sni, "innocent.example", 0)],
    );
    // Asked for by another host, which never connects.
    run.talk(
        6,
        host(3),
        Address::v4([9, 9, 9, 9]),
        53,
        &[named(NameKind::DnsQuery, "evil.example", 0)],
    );
    let summary = run.finish();
    let found = only(&summary);
    assert_eq!((found.address, found.behind_relay), (server(8), false));
    assert_eq!(found.hosts, [host(1), host(3)]);
    assert!(found.names.contains(&"a.evil.example".to_owned()), "{:?}", found.names);
}

#[test]
fn a_question_alone_names_the_host_that_asked_and_not_the_resolver() {
    let resolver = Address::v4([10, 0, 0, 53]);
    let mut run = Run::new(lists("c2.evil.example\n", &[]), 1);
    run.talk(
        1,
        host(1),
        resolver,
        53,
        &[named(NameKind::DnsQuery, "www.evil.example", 0)],
    );
    run.talk(
        2,
        host(1),
        resolver,
        53,
        &[named(NameKind::DnsQuery, "x.c2.evil.example", 0)],
    );
    // The resolver passes it on.
    run.talk(
        2,
        resolver,
        Address::v4([9, 9, 9, 9]),
        53,
        &[named(NameKind::DnsQuery, "x.c2.evil.example", 0)],
    );
    let summary = run.finish();
    let found = only(&summary);
    assert_eq!((found.address, found.behind_relay), (resolver, true));
    assert_eq!(
        (found.names.as_slice(), found.hosts.as_slice()),
        (
            &["c2.evil.example".to_owned(), "x.c2.evil.example".to_owned()][..],
            &[host(1)][..]
        )
    );
    assert_eq!(
        (found.country, contact(found)),
        (Country::UNKNOWN, Contact::DnsQuestion)
    );
}

#[test]
fn what_is_asked_of_a_proxy_counts_by_name_and_by_address() {
    let proxy = Address::v4([10, 0, 0, 80]);
    let mut run = Run::new(lists("evil.example:443\n198.51.100.7\n", &[]), 1);
    run.talk(
        1,
        host(1),
        proxy,
        3128,
        &[named(NameKind::ConnectTarget, "evil.example", 443)],
    );
    run.talk(
        2,
        host(1),
        proxy,
        3128,
        &[named(NameKind::ConnectTarget, "evil.example", 80)],
    );
    run.talk(
        3,
        host(2),
        proxy,
        3128,
        &[named(NameKind::ConnectTarget, "198.51.100.7", 8443)],
    );
    let summary = run.finish();
    assert_eq!(summary.servers.len(), 2);
    let by_name = summary.servers.iter().find(|server| server.behind_relay).unwrap();
    assert_eq!(
        (by_name.address, by_name.names[0].as_str(), by_name.check_ins),
        (proxy, "evil.example", 1)
    );
    let by_address = summary.servers.iter().find(|server| !server.behind_relay).unwrap();
    assert_eq!(
        (by_address.address, by_address.port, contact(by_address)),
        (server(7), 8443, Contact::ProxyTarget)
    );
}

fn hello(ja4_text: &str) -> Fact<'_> {
    Fact::Tls(TlsHello {
        has_server_name: true,
        alpn: "",
        version: 0x0304,
        ja4: ja4(ja4_text),
    })
}

#[test]
fn a_listed_fingerprint_confirms_the_server_it_was_used_with() {
    let mut run = Run::new(lists(&format!("{JA4}\n"), &[]), 1);
    run.talk(1, host(1), server(7), 443, &[hello(JA4)]);
    run.talk(
        2,
        host(1),
        server(8),
        443,
        &[hello("t13d1516h2_8daaf6152771_000000000000")],
    );
    // Between two inside addresses nothing is scored.
    run.talk(3, host(1), host(9), 443, &[hello(JA4)]);
    let summary = run.finish();
    assert_eq!(
        (only(&summary).address, contact(only(&summary))),
        (server(7), Contact::Ja4)
    );
}

#[test]
fn an_entry_holds_until_its_time_in_packets() {
    let mut run = Run::new(
        lists(
            "indicator,valid_until\n198.51.100.7,2026-03-02T00:01:00Z\n198.51.100.8,2026-03-02T00:01:00Z\n",
            &[],
        ),
        1,
    );
    run.talk(59, host(1), server(7), 443, &[]);
    run.talk(61, host(1), server(8), 443, &[]);
    assert_eq!(only(&run.finish()).address, server(7));
}

/// A beacon that behaviour finds by itself.
fn beacon(run: &mut Run, from: Address, to: Address, facts: &[Fact<'_>]) {
    for step in 0..200 {
        run.talk(step * 60, from, to, 8443, facts);
    }
}

#[test]
fn behaviour_keeps_its_own_score_beside_what_lists_say() {
    let mut plain = Run::new(Lists::default(), 1);
    beacon(&mut plain, host(1), server(7), &[]);
    let alone = plain.finish().servers.remove(0);
    let mut run = Run::new(lists("198.51.100.7\n", &[]), 1);
    beacon(&mut run, host(1), server(7), &[]);
    let summary = run.finish();
    let both = only(&summary);
    assert_eq!(
        (both.score, both.check_ins, both.address),
        (alone.score, alone.check_ins, alone.address)
    );
    assert_eq!(both.evidence[1..], alone.evidence[..]);
    assert_eq!(both.evidence[0].kind, EvidenceKind::ThreatIntel);
}

#[test]
fn workers_change_nothing() {
    let of = |workers| {
        let intel = format!("198.51.100.7\nevil.example\n{JA4}\n");
        let mut run = Run::new(
            lists(
                &intel,
                &[AllowFields {
                    host: Some("10.0.0.5"),
                    ..AllowFields::default()
                }],
            ),
            workers,
        );
        let mut hours = Vec::new();
        for step in 0..60 {
            let from = host((step % 7) as u8 + 1);
            let time_s = step * 300;
            run.talk(time_s, from, server(7), 443, &[]);
            run.talk(
                time_s + 1,
                from,
                server((step % 5) as u8 + 20),
                443,
                &[named(NameKind::Sni, "a.evil.example", 0), hello(JA4)],
            );
            run.talk(
                time_s + 2,
                from,
                host(53),
                53,
                &[named(NameKind::DnsQuery, "b.evil.example", 0)],
            );
            if step % 12 == 11 {
                hours.push(run.close_hour());
            }
        }
        hours.push(run.finish());
        hours
    };
    let one = of(1);
    assert_eq!(
        one.last().unwrap().totals.controlled_hosts,
        6,
        "seven hosts, one of them allowed"
    );
    assert_eq!(one, of(2));
    assert_eq!(one, of(5));
}

#[test]
fn an_hour_has_the_contacts_of_that_hour() {
    let mut run = Run::new(lists("198.51.100.7\n198.51.100.8\n", &[]), 1);
    run.talk(10, host(1), server(7), 443, &[]);
    run.talk(20, host(1), server(8), 443, &[]);
    assert_eq!(run.close_hour().servers.len(), 2);
    run.talk(3610, host(1), server(7), 443, &[]);
    run.talk(3620, host(1), server(7), 443, &[]);
    let second = run.close_hour();
    assert_eq!(
        (only(&second).check_ins, only(&second).first_ns),
        (2, START_NS + 3610 * S)
    );
    assert!(run.close_hour().servers.is_empty());
    let whole = run.finish();
    assert_eq!(whole.servers.iter().map(|server| server.check_ins).sum::<u64>(), 4);
}

#[test]
fn a_flood_of_contacts_stays_in_bounds_and_is_counted() {
    let mut run = Run::new(lists("198.0.0.0/8\n", &[]), 1);
    run.detectors[0].watch.limit = 64;
    for number in 0..1000_u16 {
        let [high, low] = number.to_be_bytes();
        run.talk(i64::from(number), host(1), Address::v4([198, 51, high, low]), 443, &[]);
    }
    let gauges = run.detectors[0].gauges();
    let waiting = 1000 - gauges.sightings - gauges.sightings_evicted;
    assert!(gauges.sightings <= 64 && waiting < 64, "{gauges:?}");
    assert_eq!(run.finish().servers.len(), 64);
    assert!(run.detectors[0].watch.order.len() <= 128);
}

#[test]
fn without_lists_nothing_is_asked() {
    let run = Run::new(Lists::default(), 1);
    let watch = &run.detectors[0].watch;
    assert!(!watch.wants_addresses() && !watch.wants_facts() && watch.unlisted.is_empty());
}

//! Hours of a run settled by what the whole run says.

use std::collections::{BTreeMap, BTreeSet};

use balefire_archive::{About, Hour, Waiting};
use balefire_detect::{
    Accounting, Address, Allowed, Class, ControlServer, Country, CountrySource, Evidence, EvidenceKind, INTERVAL_BINS,
    Period, PeriodKind, Summary, Totals, Traits, Transport,
};
use proptest::prelude::*;

use crate::sample::START_S;

const NS: i64 = 1_000_000_000;

fn about() -> About {
    About {
        sensor_id: "tap1".to_owned(),
        home_country: None,
        settings: "any".to_owned(),
        version: "0.1.0".to_owned(),
    }
}

/// A server 192.0.2.N with a name or without, its country by its number, and its hosts 10.0.0.N.
fn server(number: u8, name: Option<&str>, class: Class, hosts: &[u8], last_s: i64) -> ControlServer {
    let hosts: Vec<Address> = hosts.iter().map(|&host| Address::v4([10, 0, 0, host])).collect();
    let address = Address::v4([192, 0, 2, number]);
    let evidence = |host: &Address| Evidence {
        kind: EvidenceKind::ConnectionBeacon,
        host: *host,
        flow: None,
        name: name.map(str::to_owned),
        addresses: vec![address],
        ports: vec![443],
        keyed_by: vec!["address"],
        interval_s: 60.0,
        jitter: 0.1,
        check_ins: 30,
        first_ns: START_S * NS,
        last_ns: last_s * NS,
        timing: 0.9,
        sent_bytes: Some(100),
        received_bytes: Some(200),
        score: 0.9,
        parts: Vec::new(),
        innocent: Vec::new(),
        missing: Vec::new(),
        histogram: Box::new([0; INTERVAL_BINS]),
        hours: [0; 24],
        recent_ns: Vec::new(),
        traits: Traits::default(),
        intel: None,
    };
    ControlServer {
        rank: 1,
        address,
        port: 443,
        transport: Transport::TCP,
        names: name.iter().map(|name| (*name).to_owned()).collect(),
        country: Country([*b"US", *b"NL", *b"DE"][usize::from(number % 3)]),
        class,
        score: 0.9,
        evidence: hosts.iter().map(evidence).collect(),
        first_ns: START_S * NS,
        last_ns: last_s * NS,
        check_ins: 30 * hosts.len() as u64,
        behind_relay: false,
        hosts,
    }
}

/// The hour of this number, or the run (`None`).
fn summary(hour: Option<i64>, servers: Vec<ControlServer>) -> Summary {
    let start_ns = (START_S + hour.unwrap_or(0) * 3600) * NS;
    Summary {
        period: Period {
            kind: if hour.is_some() {
                PeriodKind::Hour
            } else {
                PeriodKind::Run
            },
            start_ns,
            end_ns: start_ns + 3600 * NS,
            partial: false,
        },
        first_packet_ns: Some(start_ns),
        last_packet_ns: Some(start_ns + 3599 * NS),
        accounting: Accounting::default(),
        totals: Totals::default(),
        servers,
        countries: Vec::new(),
        country_source: CountrySource {
            name: "iptocc".to_owned(),
            date: "2026-11-01".to_owned(),
            meaning: "country of registration",
        },
        intel: Vec::new(),
        allowed: Allowed::default(),
        peers: vec![(Country(*b"NL"), Address::v4([192, 0, 2, 1]))],
    }
}

fn settled(hours: Vec<Vec<ControlServer>>, run: Vec<ControlServer>) -> Vec<Hour> {
    let mut waiting = Waiting::default();
    for (number, servers) in (0..).zip(hours) {
        let gone = waiting.push(Hour::from_summary(&summary(Some(number), servers), &about()));
        assert!(gone.is_empty());
    }
    let mut hours = waiting.settle(&summary(None, run), &about());
    for hour in &mut hours {
        hour.revision = 1;
        hour.check().unwrap();
        assert!(hour.watched.settled);
    }
    hours
}

/// Server, host, class, class at the hour's end.
fn words(hour: &Hour) -> Vec<(&str, &str, i64, i64)> {
    let rows = hour.pairs.iter();
    rows.map(|row| (row.server.as_str(), row.host.as_str(), row.class, row.class_at_close))
        .collect()
}

#[test]
fn the_class_is_the_runs_and_the_hours_own_stays_beside_it() {
    let suspected = server(1, None, Class::Suspected, &[1], START_S + 3000);
    let probable = server(1, None, Class::Probable, &[1], START_S + 7000);
    let hours = settled(vec![vec![suspected], vec![probable.clone()]], vec![probable]);
    assert_eq!(words(&hours[0]), [("192.0.2.1:443/tcp", "10.0.0.1", 2, 1)]);
    assert_eq!(words(&hours[1]), [("192.0.2.1:443/tcp", "10.0.0.1", 2, 2)]);
    assert_eq!((hours[0].servers[0].class, hours[0].servers[0].class_at_close), (2, 1));
}

#[test]
fn what_the_run_does_not_say_is_withdrawn_and_kept() {
    let one = server(1, None, Class::Suspected, &[1, 2], START_S + 3000);
    let other = server(2, None, Class::Suspected, &[1], START_S + 3000);
    let run = server(1, None, Class::Suspected, &[2], START_S + 3000);
    let hours = settled(vec![vec![one, other]], vec![run]);
    assert_eq!(
        words(&hours[0]),
        [
            ("192.0.2.1:443/tcp", "10.0.0.1", 0, 1),
            ("192.0.2.1:443/tcp", "10.0.0.2", 1, 1),
            ("192.0.2.2:443/tcp", "10.0.0.1", 0, 1),
        ]
    );
    assert_eq!((hours[0].watched.servers, hours[0].watched.controlled_hosts), (1, 1));
    assert_eq!(hours[0].servers[1].class, 0);
}

#[test]
fn what_only_the_run_says_stands_in_the_hour_of_its_last_check_in() {
    let run = server(3, None, Class::Probable, &[7], START_S + 3600 + 40);
    let hours = settled(vec![vec![], vec![], vec![]], vec![run]);
    assert!(hours[0].pairs.is_empty() && hours[2].pairs.is_empty());
    assert_eq!(words(&hours[1]), [("192.0.2.3:443/tcp", "10.0.0.7", 2, 0)]);
}

#[test]
fn a_server_known_by_another_address_of_its_name_is_the_runs() {
    let early = server(4, Some("c2.example"), Class::Suspected, &[1], START_S + 3000);
    let late = server(5, Some("c2.example"), Class::Suspected, &[1], START_S + 7000);
    let hours = settled(vec![vec![early.clone(), late.clone()], vec![late.clone()]], vec![late]);
    for (hour, check_ins) in hours.iter().zip([60, 30]) {
        assert_eq!(words(hour), [("192.0.2.5:443/tcp", "10.0.0.1", 1, 1)]);
        assert_eq!(hour.servers[0].check_ins, check_ins);
    }
    // Without a name: by an address among those of the run's sign.
    let early = server(6, None, Class::Suspected, &[1], START_S + 3000);
    let mut late = server(7, None, Class::Probable, &[1], START_S + 7000);
    late.evidence[0].addresses = vec![Address::v4([192, 0, 2, 6]), Address::v4([192, 0, 2, 7])];
    let hours = settled(vec![vec![early]], vec![late]);
    assert_eq!(words(&hours[0]), [("192.0.2.7:443/tcp", "10.0.0.1", 2, 1)]);
}

#[test]
fn peers_are_counted_by_country() {
    let mut one = summary(Some(0), vec![server(1, None, Class::Suspected, &[1], START_S + 9)]);
    one.countries = vec![balefire_detect::CountryRow {
        country: Country(*b"NL"),
        servers: 1,
        hosts: 1,
        rank_by_servers: 1,
        rank_by_hosts: 1,
        share_of_servers: 1.0,
        share_of_hosts: 1.0,
        connections: 5,
        bytes_out: 1,
        bytes_in: 2,
        packets: 3,
    }];
    let hour = Hour::from_summary(&one, &about());
    let row = &hour.countries[0];
    assert_eq!((row.peers, hour.watched.peers), (Some(1), Some(1)));
    let estimate = balefire_archive::estimate_peers(row.peers_sketch.as_deref().into_iter()).unwrap();
    assert!((estimate - 1.0).abs() < 0.01, "{estimate}");
}

/// Server, host.
type Pairs = BTreeSet<(String, String)>;

/// Class and country of a server: one word, or the hours do not agree.
type Words = BTreeMap<String, BTreeSet<(i64, String)>>;

/// What is counted of hours.
fn counted(hours: &[Hour]) -> (Pairs, Words) {
    let (mut pairs, mut servers) = (Pairs::new(), Words::new());
    for row in hours.iter().flat_map(|hour| &hour.pairs).filter(|row| row.class > 0) {
        pairs.insert((row.server.clone(), row.host.clone()));
        let words = servers.entry(row.server.clone()).or_default();
        words.insert((row.class, row.country.clone()));
    }
    (pairs, servers)
}

/// What one judgement names: servers by number, with or without a name that others may share.
fn any_servers(last_hour: i64) -> impl Strategy<Value = Vec<ControlServer>> {
    let hosts = prop::collection::btree_set(1u8..6, 1..4);
    let one = (0usize..3, 0usize..3, hosts, -3600..last_hour * 3600);
    prop::collection::btree_map(1u8..8, one, 0..6).prop_map(|servers| {
        let servers = servers.into_iter().map(|(number, (name, class, hosts, last_s))| {
            let name = [None, Some("a.example"), Some("b.example")][name];
            let class = [Class::Suspected, Class::Probable, Class::Confirmed][class];
            let hosts: Vec<u8> = hosts.into_iter().collect();
            server(number, name, class, &hosts, START_S + last_s)
        });
        servers.collect()
    })
}

proptest! {
    /// Hours, added up, are the run: whatever each of them had named, and however little they had to do with what the run names.
    #[test]
    fn hours_add_up_to_the_run(hours in prop::collection::vec(any_servers(6), 1..5), run in any_servers(6)) {
        let whole = Hour::from_summary(&summary(None, run.clone()), &about());
        let settled = settled(hours, run);
        prop_assert_eq!(counted(&settled), counted(&[whole]));
    }
}

//! A state from tables to bytes and back: the same again, the same findings as without a stop, and no bytes that do harm.

use std::sync::Arc;

use balefire_track::{Closed, ConnState, Endpoints, Fact, NameKind, Opened, Sink, Volume};
use proptest::prelude::*;

use super::*;
use crate::countries::Countries;
use crate::part::Part;
use crate::shared::Shared;
use crate::summary::{Accounting, Period, PeriodKind, Summary};

const S: i64 = 1_000_000_000;
const HOUR: i64 = 3_600 * S;
const BEGIN: i64 = 1_772_438_400 * S;

/// A connection.
#[derive(Clone, Debug)]
struct Talk {
    time_ns: i64,
    host: u8,
    server: u8,
    port: u16,
    name: Option<String>,
    lasts_ns: i64,
}

fn talk(time_ns: i64, host: u8, server: u8) -> Talk {
    Talk {
        time_ns,
        host,
        server,
        port: 443,
        name: None,
        lasts_ns: S,
    }
}

fn play(detector: &mut Detector, talk: &Talk) {
    let Talk { time_ns, port, .. } = *talk;
    let endpoints = Endpoints {
        originator: Address::v4([10, 0, 0, talk.host]),
        responder: Address::v4([198, 51, talk.server, 7]),
        originator_port: 40_000,
        responder_port: port,
        transport: Transport::TCP,
    };
    let tag = detector.opened(&Opened {
        endpoints,
        time_ns,
        mid_stream: false,
    });
    let fact = |detector: &mut Detector, fact: &Fact<'_>| detector.fact(tag, &endpoints, time_ns + 1, fact);
    if let Some(name) = &talk.name {
        let kind = NameKind::Sni;
        fact(detector, &Fact::Name { kind, name, port });
        let address = endpoints.responder;
        fact(
            detector,
            &Fact::DnsAnswer {
                name,
                address,
                ttl_s: 60,
            },
        );
    }
    detector.packet(tag, true, time_ns, 400);
    let volume = |payload_bytes| Volume {
        packets: 1,
        payload_bytes,
        ip_bytes: payload_bytes + 40,
    };
    detector.closed(
        tag,
        &Closed {
            endpoints,
            first_ns: time_ns,
            last_ns: time_ns + talk.lasts_ns,
            state: ConnState::Sf,
            sent: volume(300),
            received: volume(500 + u64::from(talk.server)),
        },
    );
}

fn settings(seed: u64) -> Arc<Settings> {
    Arc::new(Settings {
        hash_seed: seed,
        ..Settings::default()
    })
}

struct Run {
    settings: Arc<Settings>,
    shared: Arc<Shared>,
    workers: Vec<Detector>,
}

impl Run {
    fn new(seed: u64, workers: usize) -> Self {
        let settings = settings(seed);
        let shared = Arc::new(Shared::new(Countries::embedded(), &settings));
        let workers = (0..workers).map(|number| Detector::new(Arc::clone(&settings), Arc::clone(&shared), number));
        Self {
            workers: workers.collect(),
            settings,
            shared,
        }
    }

    fn again(state: &State, workers: usize) -> Self {
        let mut run = Self::new(state.seed(), workers);
        let owner = move |host: Address, _: Address| owner(host, workers);
        for worker in &mut run.workers {
            assert!(worker.restore(state, workers, &owner).1);
        }
        run
    }

    fn play(&mut self, talks: &[Talk]) {
        let workers = self.workers.len();
        for talk in talks {
            play(
                &mut self.workers[owner(Address::v4([10, 0, 0, talk.host]), workers)],
                talk,
            );
        }
    }

    fn hour(&mut self) -> Summary {
        let mut part = Part::default();
        self.workers
            .iter_mut()
            .for_each(|worker| part.merge(worker.close_hour()));
        let period = Period {
            kind: PeriodKind::Hour,
            start_ns: 0,
            end_ns: 1,
            partial: false,
        };
        part.conclude(&self.settings, &self.shared, period, Accounting::default())
    }

    fn state(&mut self) -> State {
        let sections = self.workers.iter_mut().map(Detector::save).collect();
        State::new(&self.settings, BEGIN, sections)
    }
}

fn owner(host: Address, workers: usize) -> usize {
    usize::from(host.octets()[15]) % workers
}

/// An office: a host with a beacon of one check-in in three hours, and what others do.
fn days(hours: std::ops::Range<i64>) -> Vec<Talk> {
    let mut talks = Vec::new();
    for hour in hours {
        let begin = BEGIN + hour * HOUR;
        if hour % 3 == 0 {
            talks.push(talk(begin + 40 * S + hour % 7 * 5 * S, 9, 200));
        }
        for step in 0..12 {
            // Somewhere in its five minutes.
            let mixed = ((hour * 12 + step) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let time_ns = begin + step * 300 * S + (mixed >> 40) as i64 % 280 * S;
            let mut one = talk(time_ns, (mixed >> 33) as u8 % 8 + 1, (mixed >> 13) as u8 % 20);
            one.name = Some(format!("www{}.example.org", one.server));
            talks.push(one);
        }
    }
    talks
}

#[test]
fn a_beacon_of_one_check_in_in_three_hours_is_found_over_a_restart_and_not_without_it() {
    let split = 12;
    let mut first = Run::new(7, 1);
    first.play(&days(0..split));
    assert!(
        first
            .hour()
            .servers
            .iter()
            .all(|server| server.hosts[0].octets()[15] != 9)
    );
    let state = State::from_bytes(&first.state().to_bytes()).unwrap();
    let found = |run: &mut Run| {
        run.play(&days(split..2 * split));
        let hour = run.hour();
        let beacon = hour.servers.iter().find(|server| server.address.octets()[14] == 200);
        beacon.map(|server| (server.check_ins, server.first_ns))
    };
    let (check_ins, first_ns) = found(&mut Run::again(&state, 1)).expect("the beacon over both runs");
    assert_eq!((check_ins, first_ns), (8, BEGIN + 40 * S));
    assert_eq!(found(&mut Run::new(7, 1)), None, "half of it alone proves nothing");
}

#[test]
fn a_stop_changes_no_finding_however_many_workers_go_on() {
    let mut unbroken = Run::new(7, 2);
    unbroken.play(&days(0..60));
    unbroken.hour();
    let mut stopped = Run::new(7, 2);
    stopped.play(&days(0..60));
    stopped.hour();
    let state = stopped.state();
    assert_eq!((state.workers(), state.left_out), (2, 0));
    unbroken.play(&days(60..63));
    let expected = unbroken.hour();
    assert!(!expected.servers.is_empty());
    for workers in [2, 1, 3] {
        let mut run = Run::again(&state, workers);
        // Who was suspected is suspected before a packet has come.
        assert_eq!(run.shared.servers_total(), stopped.shared.servers_total(), "{workers}");
        run.play(&days(60..63));
        let hour = run.hour();
        assert_eq!(hour.servers, expected.servers, "{workers} workers");
        assert_eq!(hour.totals.controlled_hosts, expected.totals.controlled_hosts);
    }
}

#[test]
fn every_table_is_there_again() {
    let mut run = Run::new(7, 1);
    run.play(&days(0..60));
    for port in 0..4 {
        let more = (0..6).map(|step| Talk {
            port: 9_000 + port,
            lasts_ns: 700 * S,
            ..talk(BEGIN + 61 * HOUR + step * 900 * S + i64::from(port) * 60 * S, 3, 77)
        });
        run.play(&more.collect::<Vec<_>>());
    }
    run.hour();
    let before = run.workers[0].gauges();
    let state = run.state();
    let mut again = Run::again(&state, 1);
    let after = again.workers[0].gauges();
    assert_eq!(
        (before.hosts, before.destinations, before.pairs, before.timelines),
        (after.hosts, after.destinations, after.pairs, after.timelines)
    );
    assert!(again.workers[0].sketched.lasting.iter().count() > 0);
    assert!(again.workers[0].sketched.groups.iter().count() > 0);
    let given = |run: &Run| -> Vec<(Address, Address, i64, String)> {
        let worker = &run.workers[0];
        let each = worker.resolved.each(&worker.names);
        each.map(|(host, address, time_ns, name)| (host, address, time_ns, name.to_owned()))
            .collect()
    };
    assert!(!given(&run).is_empty());
    assert_eq!(given(&again), given(&run));
    let twice = again.state();
    assert_eq!(twice, Run::again(&twice, 1).state());
}

#[test]
fn damage_and_other_forms_are_refused_by_what_they_are() {
    let mut run = Run::new(7, 2);
    run.play(&days(0..9));
    let mut state = run.state();
    state.beside = b"told".to_vec();
    let bytes = state.to_bytes();
    assert_eq!(State::from_bytes(&bytes), Ok(state.clone()));
    for length in [0, 1, 15, 16, 17, 18, 40, bytes.len() / 2, bytes.len() - 1] {
        assert!(State::from_bytes(&bytes[..length]).is_err(), "{length}");
    }
    for at in [18, 30, 60, bytes.len() / 2, bytes.len() - 1] {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        assert_eq!(State::from_bytes(&damaged), Err(StateError::Damaged), "{at}");
    }
    assert_eq!(State::from_bytes(b"# a settings file"), Err(StateError::NoState));
    let mut newer = bytes;
    newer[16] = 0xff;
    let found = State::from_bytes(&newer).unwrap_err();
    assert!(found.to_string().contains("form is 255"), "{found}");
    let elsewhere = Settings {
        home: crate::Home::parse(["192.0.2.0/24"]).unwrap(),
        ..Settings::default()
    };
    assert_eq!(state.fits(&elsewhere), Err(StateError::OtherHome));
    assert_eq!(state.fits(&settings(99)), Ok(()));
}

/// The form of a state is a promise to those who upgrade. Where this fails: raise [`VERSION`], then put the new number here. Nothing
/// in it has been judged, so that weights may change without it.
#[test]
fn the_form_is_the_one_that_the_version_names() {
    let mut run = Run::new(7, 1);
    let mut talks = Vec::new();
    for step in 0..3 {
        for host in 1..9 {
            let mut one = talk(BEGIN + step * HOUR + i64::from(host) * S, host, host % 3);
            one.name = (host > 3).then(|| format!("www{}.example.org", host % 4));
            talks.push(one);
        }
        talks.push(talk(BEGIN + step * HOUR + 60 * S, 9, step as u8));
    }
    run.play(&talks);
    let digest = Sha256::digest(run.state().to_bytes());
    let head = u64::from_le_bytes(*digest.first_chunk().unwrap());
    assert_eq!((VERSION, format!("{head:016x}").as_str()), (2, "1aeee1e151155e45"));
}

fn talks() -> impl Strategy<Value = Vec<Talk>> {
    let one = (
        0_i64..400_000,
        0_u8..6,
        0_u8..12,
        0_u16..3,
        prop::option::of(0_u8..9),
        0_i64..2_000,
    );
    let one = one.prop_map(|(at_s, host, server, port, name, lasts_s)| Talk {
        time_ns: BEGIN + at_s * S,
        host,
        server,
        port: 440 + port,
        name: name.map(|number| format!("n{number}.example.net")),
        lasts_ns: lasts_s * S,
    });
    prop::collection::vec(one, 0..300).prop_map(|mut talks| {
        talks.sort_by_key(|talk| talk.time_ns);
        talks
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// What was restored is written as it was read, and judged as if nothing had been.
    #[test]
    fn whatever_happened_is_restored(before in talks(), after in talks(), seed: u64) {
        let mut unbroken = Run::new(seed, 1);
        unbroken.play(&before);
        unbroken.hour();
        let bytes = unbroken.state().to_bytes();
        let state = State::from_bytes(&bytes).unwrap();
        let mut again = Run::again(&state, 1);
        let twice = again.state();
        prop_assert_eq!(&twice, &Run::again(&twice, 1).state());
        let later: Vec<Talk> = after.into_iter().map(|talk| Talk { time_ns: talk.time_ns + 500_000 * S, ..talk }).collect();
        unbroken.play(&later);
        again.play(&later);
        prop_assert_eq!(unbroken.hour().servers, again.hour().servers);
    }

    /// Content that a good checksum vouches for, and that is none, does no harm.
    #[test]
    fn strange_content_is_left(mut bytes in prop::collection::vec(any::<u8>(), 0..400), place in any::<prop::sample::Index>(), value: u8) {
        let mut run = Run::new(7, 1);
        run.play(&days(0..6));
        let mut state = run.state();
        if !bytes.is_empty() {
            bytes[0] %= 8;
        }
        for section in [bytes, {
            let mut section = state.sections[0].clone();
            let at = place.index(section.len());
            section[at] = value;
            section
        }] {
            state.sections = vec![section];
            let mut strange = Run::new(7, 1);
            strange.workers[0].restore(&state, 1, &|_, _| 0);
            strange.play(&days(6..18));
            strange.hour();
        }
    }
}

//! Evidence on request: it is there before an hour has ended, from the worker that has it, and bounded.

use super::*;
use crate::asked::MOST_ASKED;
use crate::intel::IntelBuilder;
use crate::lists::Lists;
use crate::summary::{ControlServer, Flow};

fn detectors(shared: &Arc<Shared>, workers: usize) -> Vec<Detector> {
    let settings = Arc::new(settings());
    (0..workers)
        .map(|worker| Detector::new(settings.clone(), shared.clone(), worker))
        .collect()
}

fn answered(shared: &Shared, detectors: &mut [Detector]) -> Vec<ControlServer> {
    let servers = shared.servers(usize::MAX);
    let about: Vec<_> = servers.iter().map(|server| (server, &[][..])).collect();
    let asked = shared.ask(&about);
    for detector in detectors.iter_mut() {
        assert!(!asked.is_answered());
        detector.answer();
    }
    assert!(asked.is_answered());
    asked.servers()
}

#[test]
fn evidence_is_there_before_the_hour_ends_and_is_what_the_hour_will_say() {
    let shared = shared(&settings());
    let mut detectors = detectors(&shared, 1);
    for talk in beacon(inside(1), outside(1), 80, 33, 3, 60) {
        play(&mut detectors[0], &talk);
    }
    let servers = answered(&shared, &mut detectors);
    let now = &servers[0].evidence[0];
    assert_eq!((servers.len(), now.host, now.check_ins), (1, inside(1), 60));
    assert!(!now.parts.is_empty() && now.recent_ns.len() == 16);
    let flow = Flow {
        server: outside(1),
        port: 80,
        client_port: 40_000,
        transport: Transport::TCP,
    };
    assert_eq!(now.flow, Some(flow));
    // One worker knows as much as the hour will.
    let part = detectors[0].close_hour();
    let hour = part.conclude(&settings(), &shared, RUN, Accounting::default());
    assert_eq!(hour.servers[0].evidence[0], *now);
}

/// On a quiet tap the queue of check-ins would not fill for minutes.
#[test]
fn a_rest_works_off_what_waits() {
    let shared = shared(&settings());
    let mut detectors = detectors(&shared, 1);
    let (last, most) = beacon(inside(1), outside(1), 80, 33, 3, 40)
        .pop()
        .zip(Some(39))
        .unwrap();
    for talk in beacon(inside(1), outside(1), 80, 33, 3, most) {
        play(&mut detectors[0], &talk);
        detectors[0].rest();
        assert!(detectors[0].pending.is_empty());
    }
    let before = shared.servers(1).remove(0).check_ins;
    play(&mut detectors[0], &last);
    assert!(!detectors[0].pending.is_empty());
    assert!(before >= 32, "{before}");
}

#[test]
fn every_worker_answers_for_its_own_hosts() {
    let settings = settings();
    let shared = shared(&settings);
    let mut detectors = detectors(&shared, 3);
    let hosts = 1..8;
    for host in hosts.clone() {
        for talk in beacon(inside(host), outside(1), 80, 60, 4, 40) {
            play(&mut detectors[worker_of(&settings, &talk, 3)], &talk);
        }
    }
    let servers = answered(&shared, &mut detectors);
    let signs = servers.iter().flat_map(|server| &server.evidence);
    let mut told: Vec<Address> = signs.map(|sign| sign.host).collect();
    told.sort_unstable();
    assert_eq!(told, hosts.map(inside).collect::<Vec<_>>());
    // Of named hosts only.
    let all = shared.servers(1);
    let asked = shared.ask(&[(&all[0], &[inside(5), inside(200)])]);
    detectors.iter_mut().for_each(Detector::answer);
    let signs = &asked.servers()[0].evidence;
    assert_eq!((signs.len(), signs[0].host), (1, inside(5)));
}

#[test]
fn what_a_list_names_has_its_entry_as_evidence() {
    let shared = shared(&settings());
    let mut builder = IntelBuilder::default();
    builder.add("list.txt", b"198.51.0.1\n").unwrap();
    shared.replace_lists(Lists {
        intel: builder.build(),
        ..Lists::default()
    });
    let mut detectors = detectors(&shared, 2);
    play(&mut detectors[1], &talk(3600 * S, inside(1), outside(1), 443));
    detectors[1].drain();
    let servers = answered(&shared, &mut detectors);
    let sign = &servers[0].evidence[0];
    assert_eq!(
        (servers[0].class, sign.kind),
        (Class::Confirmed, EvidenceKind::ThreatIntel)
    );
    assert_eq!(sign.flow.map(|flow| flow.client_port), Some(40_000));
    assert_eq!(sign.intel.as_ref().unwrap().matches[0].list, "list.txt");
}

#[test]
fn questions_are_bounded_and_forgotten_ones_stay_without_an_answer() {
    let shared = shared(&settings());
    let mut detectors = detectors(&shared, 1);
    for last in 0..MOST_ASKED as u16 + 6 {
        for talk in beacon(inside(last), outside(500 + last), 80, 60, 4, 30) {
            play(&mut detectors[0], &talk);
        }
    }
    assert!(shared.servers(usize::MAX).len() > MOST_ASKED);
    assert_eq!(answered(&shared, &mut detectors).len(), MOST_ASKED);
    let first = shared.ask(&[]);
    for _ in 0..100 {
        shared.ask(&[]);
    }
    let last = shared.ask(&[]);
    detectors[0].answer();
    assert!(!first.is_answered() && last.is_answered());
    // A server that nobody suspects has no signs.
    let unknown = shared.servers(1).remove(0);
    let unknown = ControlServer { port: 9, ..unknown };
    let asked = shared.ask(&[(&unknown, &[])]);
    detectors[0].answer();
    assert!(asked.is_answered() && asked.servers()[0].evidence.is_empty());
}

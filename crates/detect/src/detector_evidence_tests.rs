//! Kinds of evidence beside the plain rhythm, from events to summary: the server as a whole, data in echoes, long connections, one
//! sign listed once.

use balefire_track::{Echo, Protocol};

use super::*;

/// Check-ins of one host every two minutes, each to the place that `place` says.
fn rotating(count: i64, place: impl Fn(i64) -> (Address, u16)) -> Vec<Talk> {
    let spread = |step: i64| (step.wrapping_mul(0x9e37_79b9) >> 7).rem_euclid(1 << 20);
    beacon(inside(1), outside(1), 443, 120, 12, count)
        .into_iter()
        .enumerate()
        .map(|(step, talk)| {
            let (to, port) = place(spread(step as i64));
            Talk { to, port, ..talk }
        })
        .collect()
}

fn with_people(mut talks: Vec<Talk>) -> Vec<Talk> {
    talks.extend(people(8, 200));
    in_order(talks)
}

fn probable(summary: &Summary) -> Vec<&crate::ControlServer> {
    let servers = summary.servers.iter();
    servers.filter(|server| server.class == Class::Probable).collect()
}

#[test]
fn one_beacon_over_the_addresses_of_a_network_is_one_server() {
    let talks = with_people(rotating(300, |draw| {
        (Address::v4([203, 5, 7, 10 + (draw % 24) as u8]), 443)
    }));
    let all = summaries(&settings(), &talks, 1);
    let summary = all.last().unwrap();
    let found = probable(summary);
    assert_eq!(found.len(), 1, "{:?}", summary.servers);
    let evidence = &found[0].evidence[0];
    assert_eq!(
        (evidence.kind, &evidence.keyed_by[..]),
        (EvidenceKind::ConnectionBeacon, &["network"][..])
    );
    assert!(
        (110.0..130.0).contains(&evidence.interval_s) && evidence.check_ins == 300,
        "{evidence:?}"
    );
    assert!(evidence.addresses.len() >= 8 && evidence.ports == [443]);
    assert_eq!(all, summaries(&settings(), &talks, 4), "whatever the workers");
}

#[test]
fn one_beacon_over_the_ports_of_a_server_is_one_server() {
    let talks = with_people(rotating(300, |draw| (outside(1), 8_000 + (draw % 9) as u16)));
    let summary = run(&settings(), &talks);
    let found = probable(&summary);
    assert_eq!(found.len(), 1, "{:?}", summary.servers);
    assert!(found[0].evidence[0].ports.len() == 9 && found[0].evidence[0].addresses == [outside(1)]);
    assert_eq!(found[0].check_ins, 300);
}

#[test]
fn a_member_that_is_as_sure_is_not_doubled_by_its_group() {
    let mut talks = beacon(inside(1), outside(1), 443, 60, 3, 600);
    // Something else on the same server, once.
    talks.push(talk(20_000 * S, inside(1), outside(1), 8_443));
    let summary = run(&settings(), &with_people(talks));
    let found = probable(&summary);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].evidence.len(), 1, "{:?}", found[0].evidence);
    assert_eq!(found[0].evidence[0].keyed_by, ["address"]);
}

#[test]
fn scans_and_content_networks_are_no_groups() {
    // Each address once, at a fixed rate.
    let scan = (0..250).map(|step| {
        talk(
            (3700 + 7 * step) * S,
            inside(1),
            Address::v4([203, 5, 7, step as u8]),
            22,
        )
    });
    let summary = run(&settings(), &with_people(scan.collect()));
    assert!(
        summary
            .servers
            .iter()
            .all(|server| server.address.octets()[12..15] != [203, 5, 7])
    );
    // Neighbours with names: what is said of them is said by name.
    let content = rotating(300, |draw| (Address::v4([203, 5, 7, (draw % 24) as u8]), 443));
    let content = content
        .into_iter()
        .enumerate()
        .map(|(step, talk)| named(talk, NameKind::Sni, &format!("cdn{}.example", step % 3)));
    let summary = run(&settings(), &with_people(content.collect()));
    let keys = summary.servers.iter().flat_map(|server| &server.evidence);
    assert!(
        keys.clone().all(|sign| !sign.keyed_by.contains(&"network")),
        "{:?}",
        keys.collect::<Vec<_>>()
    );
}

#[test]
fn datagrams_that_repeat_are_a_beacon() {
    let udp = |talk| Talk {
        transport: Transport::UDP,
        ..talk
    };
    let talks = beacon(inside(1), outside(1), 53_211, 90, 20, 200).into_iter().map(udp);
    let summary = run(&settings(), &with_people(talks.collect()));
    let server = probable(&summary)[0];
    assert_eq!(
        (server.address, server.port, server.transport),
        (outside(1), 53_211, Transport::UDP)
    );
    assert_eq!(server.evidence[0].kind, EvidenceKind::ConnectionBeacon);
}

/// Echoes of one host, `data` gives the digests of request and reply.
fn echoes(count: u32, data: impl Fn(u32) -> (u32, u32)) -> Summary {
    let settings = Arc::new(settings());
    let shared = shared(&settings);
    let mut detector = Detector::new(settings.clone(), shared.clone(), 0);
    for talk in with_people(Vec::new()) {
        play(&mut detector, &talk);
    }
    let endpoints = Endpoints {
        originator: inside(1),
        responder: outside(1),
        originator_port: 8,
        responder_port: 0,
        transport: Transport::ICMP,
    };
    let tag = detector.opened(&Opened {
        endpoints,
        time_ns: 4_000 * S,
        mid_stream: false,
    });
    for number in 1..=count {
        let (sent, returned) = data(number);
        for (is_reply, head) in [(false, sent), (true, returned)] {
            let time_ns = (4_000 + 30 * i64::from(number)) * S + i64::from(is_reply);
            let echo = Echo {
                is_reply,
                identifier: 1,
                sequence: number as u16,
                payload_bytes: 64,
                head,
                pattern: head >> 8,
            };
            detector.fact(tag, &endpoints, time_ns, &Fact::Echo(echo));
            if !is_reply {
                detector.burst(tag, &endpoints, time_ns, 64);
            }
        }
    }
    detector
        .finish()
        .conclude(&settings, &shared, RUN, Accounting::default())
}

#[test]
fn echoes_that_carry_data_are_a_tunnel_and_a_ping_is_nothing() {
    let mixed = |number: u32| number.wrapping_mul(0x9e37_79b9);
    let tunnel = echoes(300, |number| (mixed(number), !mixed(number)));
    let server = probable(&tunnel)[0];
    assert_eq!(
        (server.transport, server.evidence[0].kind),
        (Transport::ICMP, EvidenceKind::IcmpTunnel)
    );
    let ping = echoes(1_000, |number| (0x5500 | number & 0xff, 0x5500 | number & 0xff));
    assert!(ping.servers.is_empty(), "{:?}", ping.servers);
}

#[test]
fn a_connection_open_for_hours_is_named_and_stays_suspected() {
    let open = |name: Option<&str>, protocol| {
        let settings = Arc::new(settings());
        let shared = shared(&settings);
        let mut detector = Detector::new(settings.clone(), shared.clone(), 0);
        for talk in with_people(Vec::new()) {
            play(&mut detector, &talk);
        }
        let endpoints = Endpoints {
            originator: inside(1),
            responder: outside(1),
            originator_port: 40_000,
            responder_port: 4_433,
            transport: Transport::TCP,
        };
        let time_ns = 4_000 * S;
        let tag = detector.opened(&Opened {
            endpoints,
            time_ns,
            mid_stream: false,
        });
        detector.fact(tag, &endpoints, time_ns, &Fact::Protocol(protocol));
        if let Some(name) = name {
            let kind = NameKind::Sni;
            detector.fact(tag, &endpoints, time_ns, &Fact::Name { kind, name, port: 0 });
        }
        let volume = Volume {
            packets: 40,
            payload_bytes: 9_000,
            ip_bytes: 12_000,
        };
        detector.closed(
            tag,
            &Closed {
                endpoints,
                first_ns: time_ns,
                last_ns: time_ns + 13 * 3_600 * S,
                state: ConnState::Sf,
                sent: volume,
                received: volume,
            },
        );
        detector
            .finish()
            .conclude(&settings, &shared, RUN, Accounting::default())
    };
    let found = open(None, Protocol::Unknown);
    assert_eq!(found.servers.len(), 1, "{:?}", found.servers);
    assert_eq!(
        (found.servers[0].class, found.servers[0].evidence[0].kind),
        (Class::Suspected, EvidenceKind::LongConnection)
    );
    assert!(open(Some("ws.example.org"), Protocol::Tls).servers.is_empty());
    assert!(open(None, Protocol::Ssh).servers.is_empty());
}

#[test]
fn a_server_and_the_questions_for_its_name_are_listed_once() {
    let talks: Vec<Talk> = beacon(inside(1), outside(1), 443, 300, 20, 200)
        .into_iter()
        .flat_map(|check_in| {
            let asked = Talk {
                to: inside(53),
                port: 53,
                transport: Transport::UDP,
                ..check_in.clone()
            };
            let answered = Talk {
                time_ns: check_in.time_ns + S / 10,
                ..check_in
            };
            [
                named(asked, NameKind::DnsQuery, "a.bad.example"),
                named(answered, NameKind::Sni, "a.bad.example"),
            ]
        })
        .collect();
    let summary = run(&settings(), &with_people(talks));
    let of_it = |server: &&crate::ControlServer| server.names.iter().any(|name| name.ends_with("bad.example"));
    let rows: Vec<_> = summary.servers.iter().filter(of_it).collect();
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!((rows[0].address, rows[0].behind_relay), (outside(1), false));
    let by_connection: Vec<_> = rows[0]
        .evidence
        .iter()
        .filter(|sign| sign.kind == EvidenceKind::ConnectionBeacon)
        .collect();
    assert_eq!(by_connection.len(), 1);
    assert_eq!(by_connection[0].keyed_by, ["address", "name"]);
}

#[test]
fn a_server_that_is_asked_straight_is_listed_once() {
    let asked = beacon(inside(1), outside(1), 53, 60, 10, 400).into_iter().enumerate();
    let talks = asked.map(|(step, talk)| {
        let talk = Talk {
            transport: Transport::UDP,
            ..talk
        };
        named(
            talk,
            NameKind::DnsQuery,
            &format!("{:08x}.bad.example", (step * 0x9e37_79b9) & 0xffff_ffff),
        )
    });
    let summary = run(&settings(), &with_people(talks.collect()));
    let rows: Vec<_> = summary
        .servers
        .iter()
        .filter(|server| server.address == outside(1))
        .collect();
    assert_eq!(rows.len(), 1, "{rows:?}");
    let kinds = rows[0].kinds();
    assert!(
        kinds.contains(&EvidenceKind::DnsBeacon) || kinds.contains(&EvidenceKind::DnsTunnel),
        "{kinds:?}"
    );
}

#[test]
fn suspicions_of_one_host_support_each_other_but_for_what_is_one_habit() {
    let other = Address::v4([203, 5, 7, 9]);
    let parts = |port, to| {
        let mut talks = beacon(inside(1), outside(1), 443, 60, 3, 300);
        talks.extend(beacon(inside(1), to, port, 300, 90, 60));
        let summary = run(&settings(), &with_people(talks));
        let found = summary.servers.into_iter().find(|server| server.address == to);
        let parts = found.unwrap().evidence.remove(0).parts;
        parts.into_iter().any(|part| part.name == "other_suspicion")
    };
    assert!(parts(8_081, other), "another network, another port");
    assert!(!parts(443, other), "one program with two servers");
    assert!(!parts(8_081, outside(2)), "neighbours");
}

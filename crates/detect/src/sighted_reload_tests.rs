//! Lists that change while a run goes on: what is known is judged again, what is allowed is hidden at once and counted.

use super::*;

#[test]
fn new_lists_are_held_against_what_is_known() {
    let mut run = Run::new(Lists::default(), 2);
    run.talk(1, host(1), server(7), 443, &[]);
    run.talk(2, host(1), server(9), 443, &[]);
    run.talk(3, host(2), server(7), 443, &[]);
    beacon(
        &mut run,
        host(3),
        server(8),
        &[named(NameKind::Sni, "a.evil.example", 0)],
    );
    let given = Fact::DnsAnswer {
        name: "once.evil.example",
        address: server(30),
        ttl_s: 60,
    };
    run.talk(12_100, host(4), Address::v4([9, 9, 9, 9]), 53, &[given]);
    run.talk(12_101, host(4), server(30), 443, &[]);
    run.talk(12_102, host(5), server(30), 443, &[]);
    run.reload(lists("198.51.100.7\nevil.example\n", &[]));
    let summary = run.finish();
    let confirmed = |address| -> Option<&ControlServer> {
        summary
            .servers
            .iter()
            .find(|server| server.class == Class::Confirmed && server.address == address)
    };
    assert_eq!(
        confirmed(server(7)).map(|server| server.hosts.clone()),
        Some(vec![host(1), host(2)])
    );
    assert_eq!(
        confirmed(server(8)).map(|server| server.hosts.clone()),
        Some(vec![host(3)])
    );
    let given: Vec<_> = confirmed(server(30))
        .into_iter()
        .flat_map(|server| &server.hosts)
        .collect();
    assert_eq!(given, [&host(4)], "only who was given the address for the name");
    assert!(confirmed(server(9)).is_none());
    assert!(
        run.shared
            .servers(99)
            .iter()
            .any(|one| one.address == server(7) && one.class == Class::Confirmed)
    );
    // What is known is not counted twice, and what is listed no longer is gone at once.
    run.reload(lists("198.51.100.7\n", &[]));
    let again = run.finish();
    let seven = again.servers.iter().find(|one| one.address == server(7)).unwrap();
    assert_eq!(seven.check_ins, 2);
    assert!(
        again
            .servers
            .iter()
            .all(|one| one.address == server(7) || one.class != Class::Confirmed)
    );
    run.reload(Lists::default());
    assert!(run.finish().servers.iter().all(|one| one.class != Class::Confirmed));
    assert!(run.shared.servers(99).iter().all(|one| one.class != Class::Confirmed));
}

#[test]
fn what_was_known_counts_in_the_hour_it_was_last_met() {
    let mut run = Run::new(Lists::default(), 1);
    run.talk(10, host(1), server(7), 443, &[]);
    run.close_hour();
    run.talk(3610, host(1), server(8), 443, &[]);
    run.reload(lists("198.51.100.7\n198.51.100.8\n", &[]));
    let hour = run.close_hour();
    assert_eq!(only(&hour).address, server(8));
    assert_eq!(run.finish().servers.len(), 2);
}

#[test]
fn a_rule_hides_what_is_suspected_and_what_is_listed_and_counts_it() {
    let mut run = Run::new(lists("198.51.100.9\n", &[]), 1);
    beacon(&mut run, host(1), server(7), &[]);
    run.talk(100, host(1), server(9), 443, &[]);
    assert_eq!(run.finish().servers.len(), 2);
    let rules = [
        AllowFields {
            address: Some("198.51.100.7"),
            ..AllowFields::default()
        },
        AllowFields {
            cidr: Some("198.51.100.0/24"),
            port: Some(443),
            ..AllowFields::default()
        },
        AllowFields {
            domain: Some("unused.example"),
            ..AllowFields::default()
        },
    ];
    run.reload(lists("198.51.100.9\n", &rules));
    assert!(run.shared.servers(9).is_empty());
    let summary = run.finish();
    assert!(summary.servers.is_empty(), "{:?}", summary.servers);
    assert_eq!(summary.totals.servers, 0);
    assert_eq!(summary.allowed.findings, 2);
    assert_eq!(
        summary.allowed.rules.iter().map(|rule| rule.hits).collect::<Vec<_>>(),
        [1, 1, 0]
    );
    let expired = AllowFields {
        expires: Some("2026-03-01"),
        ..rules[0]
    };
    run.reload(lists("198.51.100.9\n", &[expired]));
    run.talk(20_000, host(5), server(50), 443, &[]);
    let summary = run.finish();
    assert_eq!((summary.servers.len(), summary.allowed.rules[0].expired), (2, true));
}

#[test]
fn a_rule_by_fingerprint_hides_only_who_used_it() {
    let rule = AllowFields {
        ja4: Some(JA4),
        ..AllowFields::default()
    };
    let mut run = Run::new(lists("", &[rule]), 1);
    beacon(&mut run, host(1), server(7), &[hello(JA4)]);
    beacon(
        &mut run,
        host(2),
        server(8),
        &[hello("t13d1516h2_8daaf6152771_000000000000")],
    );
    let summary = run.finish();
    assert_eq!(
        summary.servers.iter().map(|server| server.address).collect::<Vec<_>>(),
        [server(8)]
    );
    assert_eq!(summary.allowed.findings, 1);
    assert!(
        run.shared
            .servers(9)
            .iter()
            .all(|server| server.class != Class::Confirmed)
    );
}

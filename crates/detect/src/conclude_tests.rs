//! Counting and ranking of finished servers.

use super::*;
use crate::Transport;

fn server(last: u8, country: &[u8; 2], hosts: &[u8]) -> ControlServer {
    ControlServer {
        rank: 0,
        address: Address::v4([192, 0, 2, last]),
        port: 443,
        transport: Transport::TCP,
        names: vec![],
        country: Country(*country),
        class: Class::Suspected,
        score: 0.6,
        hosts: hosts.iter().map(|&host| Address::v4([10, 0, 0, host])).collect(),
        first_ns: 0,
        last_ns: 0,
        check_ins: 10,
        behind_relay: false,
        evidence: vec![],
    }
}

#[test]
fn a_host_counts_once_under_each_country_and_once_in_all() {
    let servers = [
        server(1, b"NL", &[1, 2]),
        server(2, b"NL", &[2]),
        server(3, b"US", &[2, 3]),
        server(4, b"--", &[4]),
    ];
    let traffic = BTreeMap::from([(
        Country(*b"FR"),
        Traffic {
            connections: 5,
            ..Traffic::default()
        },
    )]);
    let rows = country_rows(&servers, &traffic);
    let of = |code: &[u8; 2]| rows.iter().find(|row| row.country == Country(*code)).unwrap();
    assert_eq!((of(b"NL").servers, of(b"NL").hosts), (2, 2));
    assert_eq!((of(b"NL").share_of_servers, of(b"NL").share_of_hosts), (0.5, 0.5));
    assert_eq!(rows.iter().map(|row| row.share_of_servers).sum::<f64>(), 1.0);
    assert_eq!(
        (
            of(b"NL").rank_by_servers,
            of(b"US").rank_by_servers,
            of(b"--").rank_by_servers
        ),
        (1, 2, 2)
    );
    assert_eq!(
        (
            of(b"NL").rank_by_hosts,
            of(b"US").rank_by_hosts,
            of(b"--").rank_by_hosts
        ),
        (1, 1, 3)
    );
    assert_eq!(
        (
            of(b"FR").rank_by_servers,
            of(b"FR").rank_by_hosts,
            of(b"FR").connections
        ),
        (0, 0, 5)
    );
    assert_eq!(
        rows.iter().map(|row| row.country.code()).collect::<Vec<_>>(),
        ["NL", "US", "--", "FR"]
    );
}

#[test]
fn abroad_needs_a_home_and_a_known_country() {
    let servers = [
        server(1, b"NL", &[1]),
        server(2, b"DE", &[1, 2]),
        server(3, b"--", &[3]),
    ];
    let part = Part::default();
    let totals_at = |home: Option<Country>| totals(&part, &servers, home);
    assert_eq!(
        (totals_at(None).servers_abroad, totals_at(None).hosts_abroad),
        (None, None)
    );
    let home = totals_at(Some(Country(*b"DE")));
    assert_eq!((home.servers_abroad, home.hosts_abroad), (Some(1), Some(1)));
    assert_eq!(
        (home.servers, home.controlled_hosts, home.servers_by_class),
        (3, 3, [3, 0, 0])
    );
}

#[test]
fn ties_are_broken_by_address_and_port() {
    let mut servers = vec![
        server(9, b"NL", &[1]),
        server(3, b"NL", &[1]),
        server(3, b"NL", &[1, 2]),
    ];
    servers[0].score = 0.7;
    servers.sort_by(best_first);
    number(&mut servers);
    let order: Vec<_> = servers
        .iter()
        .map(|server| (server.rank, server.address.octets()[15], server.hosts.len()))
        .collect();
    assert_eq!(order, [(1, 9, 1), (2, 3, 2), (3, 3, 1)]);
}

//! Hours made by hand, and what an archive says of them.

use std::path::Path;

use balefire_archive::{
    Answer, Archive, CountryRow, HOUR_S, Hour, PairRow, Query, Question, Retention, SCHEMA_VERSION, SensorHour,
    ServerRow, Sqlite, TABLES, Value, queries,
};
use proptest::prelude::*;

/// 2026-03-02 00:00 UTC.
pub(crate) const START_S: i64 = 1_772_409_600;

const NS: i64 = 1_000_000_000;

/// A server by its number: address, country and class follow from it.
pub(crate) fn server(number: u8, class: i64) -> ServerRow {
    let address = format!("192.0.2.{number}");
    ServerRow {
        server: format!("{address}:443/tcp"),
        address,
        port: 443,
        protocol: "tcp".to_owned(),
        behind_relay: false,
        names: (number.is_multiple_of(2)).then(|| format!("c{number}.example")),
        country: ["NL", "US", "--", "DE"][usize::from(number % 4)].to_owned(),
        asn: None,
        class,
        class_at_close: class,
        score: 0.75,
        kinds: "connection_beacon".to_owned(),
        first_ns: START_S * NS + 5,
        last_ns: START_S * NS + 3_000 * NS,
        check_ins: 40,
        hosts: 0,
    }
}

/// A host by its number; every third is IPv6, three to a /64.
pub(crate) fn pair(host: u8, server: &ServerRow) -> PairRow {
    let (host, network) = if host.is_multiple_of(3) {
        let net = host / 9;
        (
            format!("2001:db8:0:{net:x}::{host:x}"),
            format!("2001:db8:0:{net:x}::/64"),
        )
    } else {
        (format!("10.0.0.{host}"), format!("10.0.0.{host}"))
    };
    PairRow {
        host,
        host_network: network,
        server: server.server.clone(),
        address: server.address.clone(),
        port: server.port,
        protocol: server.protocol.clone(),
        country: server.country.clone(),
        class: server.class,
        class_at_close: server.class_at_close,
        score: 0.75,
        name: server.names.clone(),
        kinds: "connection_beacon heartbeat".to_owned(),
        check_ins: 40,
        bytes_out: None,
        bytes_in: Some(12_345),
        interval_s: 60.125,
        jitter: 0.2,
        first_ns: server.first_ns,
        last_ns: server.last_ns,
        parts: Some("timing=2.23 bare_address=1.4".to_owned()),
    }
}

/// An hour with these (server, class) and their hosts.
pub(crate) fn hour(sensor_id: &str, number: i64, servers: &[(u8, i64, &[u8])]) -> Hour {
    let hour_s = START_S + number * HOUR_S;
    let mut hour = Hour {
        hour_s,
        sensor_id: sensor_id.to_owned(),
        revision: 0,
        watched: watched(hour_s),
        servers: Vec::new(),
        pairs: Vec::new(),
        countries: vec![CountryRow {
            role: "hosting".to_owned(),
            country: "FR".to_owned(),
            servers: 0,
            hosts: 0,
            connections: 17,
            bytes_out: 1_000,
            bytes_in: 2_000,
            packets: 50,
            peers: Some(3),
            peers_sketch: None,
        }],
    };
    for &(number, class, hosts) in servers {
        let server = server(number, class);
        hour.pairs.extend(hosts.iter().map(|&host| pair(host, &server)));
        hour.servers.push(server);
    }
    hour.arrange();
    hour
}

fn watched(hour_s: i64) -> SensorHour {
    SensorHour {
        schema_version: SCHEMA_VERSION,
        partial: false,
        settled: false,
        parts: 1,
        first_packet_ns: Some(hour_s * NS),
        last_packet_ns: Some((hour_s + HOUR_S) * NS - 1),
        received: 1_000,
        wire_bytes: 100_000,
        decoded: 990,
        not_ip: 7,
        rejected: 3,
        decode_panics: 0,
        queue_drops: 0,
        late: 0,
        kernel_drops: None,
        interface_drops: Some(2),
        gaps: None,
        evictions: None,
        clock_steps: None,
        sampling: 1.0,
        hosts: 20,
        destinations: 90,
        connections: 400,
        timelines: 12,
        servers: 0,
        controlled_hosts: 0,
        peers: None,
        country_source: "iptocc".to_owned(),
        country_date: "2026-11-01".to_owned(),
        country_meaning: "country of registration".to_owned(),
        intel_source: None,
        intel_date: None,
        home_country: None,
        settings_hash: "0123456789abcdef".to_owned(),
        version: "0.1.0".to_owned(),
        rejects: Some("not_ip=7 ip_version=2 link_cut=1".to_owned()),
    }
}

/// The same hour, but only its packets between two seconds of it.
pub(crate) fn part_of(mut hour: Hour, from_s: i64, to_s: i64) -> Hour {
    hour.watched.partial = true;
    hour.watched.first_packet_ns = Some((hour.hour_s + from_s) * NS);
    hour.watched.last_packet_ns = Some((hour.hour_s + to_s) * NS);
    hour
}

pub(crate) fn open(folder: &Path) -> Archive {
    Archive::open(folder, Retention::default()).unwrap()
}

/// All tables of a report over everything, as text.
pub(crate) fn tables(archive: &Archive) -> String {
    let question = Question::everything(archive.store()).unwrap().unwrap();
    let mut text = String::new();
    for answer in answers(archive, &question) {
        text += &format!("{}: {:?} {:?}\n", answer.name, answer.columns, answer.rows);
    }
    text
}

/// Every row of every view, as text.
pub(crate) fn rows(archive: &Archive) -> String {
    let mut text = String::new();
    for table in TABLES {
        let mut statement = archive
            .store()
            .connection()
            .prepare(&format!("SELECT * FROM {table} ORDER BY 1, 3, 5, 6, 7"))
            .unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query(()).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values: Vec<Value> = (0..columns).map(|at| row.get_ref(at).unwrap().into()).collect();
            text += &format!("{table} {values:?}\n");
        }
    }
    text
}

fn answers(archive: &Archive, question: &Question) -> Vec<Answer> {
    let tables: Vec<&Query> = queries(question).collect();
    let sqlite = Sqlite::new(archive.store().path());
    sqlite.answer(question, &tables, &|_| ()).unwrap()
}

/// The first row of the table of totals: servers, hosts, /64s.
pub(crate) fn totals(archive: &Archive) -> [i64; 3] {
    let question = Question::everything(archive.store()).unwrap().unwrap();
    let row = answers(archive, &question).remove(0).rows.remove(0);
    [1, 3, 5].map(|at| match row[at] {
        Value::Integer(number) => number,
        _ => panic!("{row:?}"),
    })
}

/// Any hour of a few sensors, servers and hosts.
pub(crate) fn any_hour() -> impl Strategy<Value = Hour> {
    let servers = prop::collection::btree_map(0u8..8, (0i64..4, prop::collection::btree_set(0u8..12, 1..6)), 0..6);
    (0i64..6, 0usize..3, servers, 1i64..4, any::<bool>()).prop_map(|(number, sensor, servers, revision, partial)| {
        let servers: Vec<(u8, i64, Vec<u8>)> = servers
            .into_iter()
            .map(|(server, (class, hosts))| (server, class, hosts.into_iter().collect()))
            .collect();
        let servers: Vec<(u8, i64, &[u8])> = servers
            .iter()
            .map(|(server, class, hosts)| (*server, *class, &hosts[..]))
            .collect();
        let mut hour = hour(["a", "b", "c-3"][sensor], number, &servers);
        hour.revision = revision;
        if partial {
            hour = part_of(hour, 60 * revision, 600 * revision);
        }
        hour
    })
}

//! Alerts of made-up servers: each finding once, each class change, the limit per server, and every output.

use std::fs;
use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;

use balefire_detect::Country;
use serde_json::Value;

use super::*;
use crate::values::Syslog;

fn server(last: u8, class: Class, hosts: &[u8]) -> ControlServer {
    ControlServer {
        rank: 1,
        address: Address::v4([192, 0, 2, last]),
        port: 443,
        transport: Transport::TCP,
        names: vec!["a\u{1b}[2J.example".to_owned()],
        country: Country(*b"NL"),
        class,
        score: 0.987_65,
        hosts: hosts.iter().map(|host| Address::v4([10, 0, 0, *host])).collect(),
        first_ns: 1_700_000_000_000_000_000,
        last_ns: 1_700_000_600_000_000_000,
        check_ins: 10,
        behind_relay: false,
        evidence: Vec::new(),
    }
}

struct Bench {
    folder: tempfile::TempDir,
    alerts: Alerts,
    vitals: Vitals,
}

fn bench(per_hour: u32) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let vitals = Vitals::new("tap", Vec::new());
    let output = Output::file(&folder.path().join("alerts.jsonl")).unwrap();
    let alerts = Alerts::new("tap", per_hour, Outputs::new(vec![output]), vitals.clone());
    Bench { folder, alerts, vitals }
}

impl Bench {
    fn look(&mut self, servers: &[ControlServer]) {
        self.alerts.look(servers, Standing::Live, Instant::now());
    }

    fn lines(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.folder.path().join("alerts.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

#[test]
fn each_finding_is_told_once_and_each_change_of_class() {
    let mut bench = bench(100);
    bench.look(&[server(1, Class::Suspected, &[1, 2])]);
    bench.look(&[server(1, Class::Suspected, &[1, 2])]);
    bench.look(&[server(1, Class::Probable, &[1, 2, 3])]);
    let lines = bench.lines();
    let kinds: Vec<&str> = lines
        .iter()
        .map(|line| line["balefire"]["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["finding", "finding", "class_change", "finding"]);
    assert_eq!(lines[0]["event_type"], "balefire");
    assert_eq!(lines[0]["timestamp"], "2023-11-14T22:23:20.000000Z");
    assert_eq!(
        (
            &lines[0]["src_ip"],
            &lines[0]["dest_ip"],
            &lines[0]["dest_port"],
            &lines[0]["proto"]
        ),
        (&"10.0.0.1".into(), &"192.0.2.1".into(), &443.into(), &"TCP".into())
    );
    assert_eq!(lines[2]["balefire"]["class_before"], "suspected");
    assert!(!lines[0].to_string().contains("\\u001b"), "{}", lines[0]);
    assert_eq!(bench.vitals.state().alerts.sent, 4);
}

#[test]
fn one_server_cannot_flood_and_what_was_held_back_is_counted() {
    let mut bench = bench(2);
    let start = Instant::now();
    let many: Vec<u8> = (1..=10).collect();
    bench
        .alerts
        .look(&[server(1, Class::Suspected, &many)], Standing::Live, start);
    bench
        .alerts
        .look(&[server(2, Class::Suspected, &[1])], Standing::Live, start);
    assert_eq!(bench.lines().len(), 3);
    let counts = bench.vitals.state().alerts;
    assert_eq!((counts.sent, counts.suppressed, counts.failed), (3, 8, 0));
    bench
        .alerts
        .look(&[server(1, Class::Probable, &many)], Standing::Live, start + WINDOW);
    let lines = bench.lines();
    assert_eq!(lines.last().unwrap()["balefire"]["suppressed_before"], 8);
}

#[test]
fn memory_of_what_was_told_is_bounded() {
    let mut bench = bench(1);
    for number in 0..MOST_SERVERS as u32 + 5 {
        let [_, a, b, c] = number.to_be_bytes();
        let mut one = server(1, Class::Suspected, &[1]);
        one.address = Address::v4([100, a, b, c]);
        bench.alerts.server(&one, Standing::Live, Instant::now());
    }
    assert_eq!(bench.alerts.told.len(), MOST_SERVERS);
}

#[test]
fn a_file_that_was_moved_away_is_opened_anew() {
    let mut bench = bench(100);
    bench.look(&[server(1, Class::Suspected, &[1])]);
    let path = bench.folder.path().join("alerts.jsonl");
    fs::rename(&path, bench.folder.path().join("alerts.jsonl.1")).unwrap();
    bench.look(&[server(2, Class::Suspected, &[1])]);
    assert_eq!(bench.lines().len(), 1);
    assert_eq!(bench.lines()[0]["dest_ip"], "192.0.2.2");
}

#[test]
fn syslog_gets_the_same_line_behind_a_header() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let unix = UnixDatagram::bind(&path).unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let places = [Syslog::Unix(path), Syslog::Udp(udp.local_addr().unwrap())];
    let outputs = places.iter().map(|place| Output::syslog(place, "tap-host").unwrap());
    let outputs = Outputs::new(outputs.collect());
    let mut alerts = Alerts::new("tap", 9, outputs, Vitals::new("tap", Vec::new()));
    alerts.look(&[server(1, Class::Probable, &[1])], Standing::Live, Instant::now());
    let mut buffer = [0; 4096];
    for length in [unix.recv(&mut buffer).unwrap(), udp.recv(&mut buffer).unwrap()] {
        let text = std::str::from_utf8(&buffer[..length]).unwrap();
        assert!(length < 2048 && text.starts_with("<36>1 20"), "{text}");
        let (head, json) = text.split_once(" alert - ").unwrap();
        assert!(head.contains(" tap-host balefire "), "{head}");
        assert_eq!(serde_json::from_str::<Value>(json).unwrap()["dest_ip"], "192.0.2.1");
    }
}

#[test]
fn an_output_that_fails_is_counted_and_the_other_still_served() {
    let mut bench = bench(9);
    let nowhere = Output::syslog(&Syslog::Unix(bench.folder.path().join("none")), "h").unwrap();
    let file = Output::file(&bench.folder.path().join("alerts.jsonl")).unwrap();
    bench.alerts.outputs = Outputs::new(vec![nowhere, file]);
    bench.look(&[server(1, Class::Suspected, &[1])]);
    assert_eq!(bench.vitals.state().alerts.failed, 1);
    assert_eq!(bench.lines().len(), 1);
}

#[test]
fn places_of_syslog_are_read_and_written() {
    for text in ["udp:192.0.2.1:514", "udp:[2001:db8::1]:514", "unix:/dev/log"] {
        let place = Syslog::try_from(text.to_owned()).unwrap();
        assert_eq!(String::from(place), text);
    }
    assert!(Syslog::try_from("tcp:192.0.2.1:514".to_owned()).is_err());
}

//! Alerts of made-up servers: each finding once, each class change, the limit per server, and every output.

use std::fs;
use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;

use balefire_detect::{
    Countries, Country, Evidence, EvidenceKind, Flow, INTERVAL_BINS, ScorePart, Settings, Traits, Transport,
};
use serde_json::Value;

use super::*;
use crate::values::{Syslog, SyslogFormat};

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

/// A sign of this host, whose last connection went from port 40,000 to `flow_to`.
fn sign(host: u8, flow_to: (Address, u16)) -> Evidence {
    Evidence {
        kind: EvidenceKind::ConnectionBeacon,
        host: Address::v4([10, 0, 0, host]),
        flow: Some(Flow {
            server: flow_to.0,
            port: flow_to.1,
            client_port: 40_000,
            transport: Transport::TCP,
        }),
        name: None,
        addresses: Vec::new(),
        ports: Vec::new(),
        keyed_by: vec!["address"],
        interval_s: 60.0,
        jitter: 0.1,
        check_ins: 10,
        first_ns: 1_700_000_000_000_000_000,
        last_ns: 1_700_000_601_500_000_000,
        timing: 0.9,
        sent_bytes: None,
        received_bytes: None,
        score: 0.9,
        parts: vec![ScorePart {
            name: "timing",
            value: 0.9,
            log_odds: 2.0,
            text: "regular = every 60 s | always\\".to_owned(),
        }],
        innocent: Vec::new(),
        missing: Vec::new(),
        histogram: Box::new([0; INTERVAL_BINS]),
        hours: [0; 24],
        recent_ns: Vec::new(),
        traits: Traits::default(),
        intel: None,
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
    let alerts = Alerts::new(
        "tap",
        Arc::new(Orders::with_limit(per_hour)),
        Outputs::new(vec![output]),
        vitals.clone(),
    );
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
fn what_was_told_before_a_restart_is_not_told_again() {
    let mut before = bench(2);
    let relayed = ControlServer {
        behind_relay: true,
        ..server(3, Class::Suspected, &[7])
    };
    let known = [server(1, Class::Suspected, &[1, 2, 3]), relayed];
    before.look(&known);
    assert_eq!(before.vitals.state().alerts.sent, 3);
    let mut state = State::new(&balefire_detect::Settings::default(), 7, Vec::new());
    before.alerts.state(&mut state);
    let kept = state.beside;
    let mut after = bench(2);
    after.alerts.remember(&kept);
    after.look(&known);
    assert_eq!(after.lines().len(), 0);
    // What is new is told, with what was held back before.
    after.look(&[server(1, Class::Probable, &[1, 2, 3, 4])]);
    assert_eq!(after.lines().len(), 2);
    assert_eq!(after.lines()[0]["balefire"]["suppressed_before"], 1);
    for strange in [&b""[..], b"[", b"[{\"address\":1}]", b"{}"] {
        after.alerts.remember(strange);
        assert!(after.alerts.told.is_empty());
    }
}

#[test]
fn an_order_opens_the_file_anew_and_says_so() {
    let mut bench = bench(100);
    let path = bench.folder.path().join("alerts.jsonl");
    fs::rename(&path, bench.folder.path().join("alerts.jsonl.1")).unwrap();
    let orders = Arc::clone(&bench.alerts.orders);
    let asked = std::thread::spawn(move || orders.rotate());
    while !asked.is_finished() {
        bench.alerts.tick(&Snapshot::default());
        std::thread::sleep(Duration::from_millis(5));
    }
    let answer = asked.join().unwrap();
    assert_eq!(answer["done"], "rotate", "{answer}");
    assert_eq!(answer["files"][0], path.display().to_string());
    assert!(path.exists() && bench.lines().is_empty());
    bench.alerts.orders.limit(1);
    bench.look(&[server(1, Class::Suspected, &[1, 2])]);
    assert_eq!((bench.lines().len(), bench.vitals.state().alerts.suppressed), (1, 1));
}

#[test]
fn syslog_gets_the_same_line_behind_a_header() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let unix = UnixDatagram::bind(&path).unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let places = [Syslog::Unix(path), Syslog::Udp(udp.local_addr().unwrap())];
    let outputs = places
        .iter()
        .map(|place| Output::syslog(place, "tap-host", SyslogFormat::Json).unwrap());
    let outputs = Outputs::new(outputs.collect());
    let mut alerts = Alerts::new(
        "tap",
        Arc::new(Orders::with_limit(9)),
        outputs,
        Vitals::new("tap", Vec::new()),
    );
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
    let nowhere = Output::syslog(&Syslog::Unix(bench.folder.path().join("none")), "h", SyslogFormat::Json).unwrap();
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

#[test]
fn an_alert_names_the_flow_that_other_tools_know() {
    let mut bench = bench(9);
    let mut direct = server(1, Class::Probable, &[1]);
    direct.evidence = vec![sign(1, (direct.address, 443))];
    let mut relayed = server(2, Class::Probable, &[1]);
    relayed.evidence = vec![sign(1, (Address::v4([10, 0, 0, 53]), 3128))];
    bench.look(&[direct, relayed, server(3, Class::Probable, &[1])]);
    let lines = bench.lines();
    // Of 10.0.0.1:40000 and 192.0.2.1:443 over TCP, by another program.
    assert_eq!(
        (&lines[0]["src_port"], &lines[0]["balefire"]["via"]),
        (&40_000.into(), &Value::Null)
    );
    assert_eq!(lines[0]["community_id"], "1:rQCafGKc8LGvM0iFow7oLGxZxy0=");
    assert_eq!(lines[0]["timestamp"], "2023-11-14T22:23:21.500000Z");
    let via = &lines[1]["balefire"]["via"];
    assert_eq!(
        (&lines[1]["src_port"], &lines[1]["community_id"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(
        (&via["dest_ip"], &via["dest_port"]),
        (&"10.0.0.53".into(), &3128.into())
    );
    assert_eq!(via["community_id"], "1:ut5g26a2DIDaiEVJyO1y9IvfmWY=");
    assert_eq!(
        (&lines[2]["src_port"], &lines[2]["community_id"]),
        (&Value::Null, &Value::Null)
    );
}

#[test]
fn cef_is_escaped_and_has_its_keys() {
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let place = Syslog::Udp(udp.local_addr().unwrap());
    let outputs = Outputs::new(vec![Output::syslog(&place, "tap-host", SyslogFormat::Cef).unwrap()]);
    let orders = Arc::new(Orders::with_limit(9));
    let mut alerts = Alerts::new("tap", orders, outputs, Vitals::new("tap", Vec::new()));
    let mut found = server(1, Class::Probable, &[1]);
    found.evidence = vec![sign(1, (found.address, 443))];
    alerts.look(&[found], Standing::Live, Instant::now());
    let mut buffer = [0; 4096];
    let length = udp.recv(&mut buffer).unwrap();
    let text = std::str::from_utf8(&buffer[..length]).unwrap();
    let (head, body) = text.split_once(" alert - ").unwrap();
    assert!(
        head.starts_with("<36>1 20") && head.contains(" tap-host balefire "),
        "{head}"
    );
    let version = env!("CARGO_PKG_VERSION");
    let expected =
        format!("CEF:0|balefire|balefire|{version}|finding|Host is controlled from outside|7|rt=1700000601500 ");
    assert!(body.starts_with(&expected), "{body}");
    for pair in [
        " src=10.0.0.1 spt=40000 dst=192.0.2.1 dpt=443 proto=TCP dhost=a\u{fffd}[2J.example cat=probable ",
        " externalId=1:rQCafGKc8LGvM0iFow7oLGxZxy0\\= cnt=10 reason=regular \\= every 60 s | always\\\\ ",
        " cs1Label=hostingCountry cs1=NL ",
    ] {
        assert!(body.contains(pair), "{pair} in {body}");
    }
    let mut six = server(4, Class::Confirmed, &[1]);
    six.address = "2001:db8::1".parse::<std::net::IpAddr>().unwrap().into();
    alerts.look(&[six], Standing::Live, Instant::now());
    let length = udp.recv(&mut buffer).unwrap();
    let text = std::str::from_utf8(&buffer[..length]).unwrap();
    assert!(
        text.contains("|9|rt=") && text.contains(" c6a3Label=Destination IPv6 Address c6a3=2001:db8::1"),
        "{text}"
    );
    assert!(!text.contains(" dst=") && !text.contains("externalId"), "{text}");
}

/// Workers that do not answer cost an alert its evidence, not the alert; those that do give it with the next snapshot.
#[test]
fn news_wait_for_their_evidence_but_not_for_ever() {
    let mut bench = bench(9);
    let settings = Settings::default();
    let shared = Arc::new(Shared::new(Countries::embedded(), &settings));
    bench.alerts = bench.alerts.asking(&shared);
    let snapshot = |hosts: &[u8]| Snapshot {
        servers: vec![server(1, Class::Suspected, hosts)],
        ..Snapshot::default()
    };
    // No worker is there, so all have answered; but the first snapshot only asks.
    bench.alerts.tick(&snapshot(&[1]));
    assert!(bench.lines().is_empty());
    bench.alerts.tick(&snapshot(&[1]));
    assert_eq!(bench.lines().len(), 1);
    let _stuck = balefire_detect::Detector::new(Arc::new(settings), Arc::clone(&shared), 0);
    for _ in 0..PATIENCE {
        bench.alerts.tick(&snapshot(&[1, 2]));
        assert_eq!(bench.lines().len(), 1);
    }
    bench.alerts.tick(&snapshot(&[1, 2]));
    let lines = bench.lines();
    assert_eq!((lines.len(), &lines[1]["src_ip"]), (2, &"10.0.0.2".into()));
    assert_eq!(lines[1]["balefire"]["evidence"], Value::Null);
    // What an hour told in between is not told again.
    bench.alerts.tick(&snapshot(&[1, 2, 3]));
    bench.look(&snapshot(&[1, 2, 3]).servers);
    bench.alerts.tick(&snapshot(&[1, 2, 3]));
    for _ in 0..=PATIENCE {
        bench.alerts.tick(&snapshot(&[1, 2, 3]));
    }
    assert_eq!(bench.lines().len(), 3);
}

//! One beacon over three runs of the service: too few check-ins in the first, found in the second and told at once with its evidence,
//! not told again in the third. The service runs as nobody, with CAP_NET_RAW alone.
//!
//! In: sessions written by hand, one at a time, at even intervals. Out: one alert, with the flow that other tools know; evidence over the
//! socket before any hour has closed. Check-ins that are hours apart elsewhere are seconds apart here; those of three hours, over a state in
//! packet time, are in the detector's own tests of its state.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::link::{Link, skip};
use crate::service::Service;

const HOST: [u8; 4] = [10, 9, 9, 9];
const SERVER: [u8; 4] = [198, 51, 100, 77];
const INTERVAL: Duration = Duration::from_secs(2);
/// Check-ins of the three runs: the first has too few to be judged at all.
const RUNS: [u16; 3] = [4, 20, 2];
const FIRST_PORT: u16 = 40_000;

#[test]
fn a_beacon_is_found_over_a_restart_and_told_once() {
    let Some(link) = Link::new("b") else { return };
    let folder = tempfile::tempdir().unwrap();
    if !Service::may_be_nobody(folder.path()) {
        skip("nobody cannot run the program from here, or setpriv (package util-linux) is missing");
        return;
    }
    let mut clock = Clock::new();
    let mut port = FIRST_PORT;
    for (run, check_ins) in RUNS.into_iter().enumerate() {
        let began_in = hour();
        let mut service = Service::start_as_nobody(&link, folder.path(), "");
        for _ in 0..check_ins {
            clock.next();
            port += 1;
            link.replay(&session(folder.path(), port));
        }
        match run {
            0 => {
                assert_eq!(service.ctl("servers")["servers"].as_array().unwrap().len(), 0);
                assert!(alerts(folder.path()).is_empty());
                service.is_nobody_with_no_rights();
            }
            1 => is_told(&service, folder.path(), port, began_in),
            _ => {
                assert_eq!(service.ctl("servers")["servers"].as_array().unwrap().len(), 1);
                assert!(service.said().contains("and not again: 1"), "{}", service.said());
            }
        }
        // Alerts are looked for once a second, and wait up to three for evidence.
        sleep(Duration::from_secs(2));
        service.ctl("shutdown");
        assert!(service.ended());
        // Once for each class that it comes to.
        let is_said = service.said().contains("control server 198.51.100.77");
        assert_eq!(is_said, run == 1, "{}", service.said());
        assert_eq!(
            findings(folder.path()),
            usize::from(run > 0),
            "{:?}",
            alerts(folder.path())
        );
    }
}

/// The alert as it comes, and the evidence as it is asked for, both long before the hour ends.
fn is_told(service: &Service, folder: &Path, newest_port: u16, began_in: u64) {
    let deadline = Instant::now() + Duration::from_secs(8);
    while findings(folder) == 0 {
        assert!(
            Instant::now() < deadline,
            "{}: {}",
            service.ctl("servers"),
            service.said()
        );
        sleep(Duration::from_millis(100));
    }
    let alert = &alerts(folder)[0];
    assert_eq!(
        (&alert["src_ip"], &alert["dest_ip"]),
        (&"10.9.9.9".into(), &"198.51.100.77".into())
    );
    let port = alert["src_port"].as_u64().unwrap();
    assert!(
        (u64::from(FIRST_PORT)..=u64::from(newest_port)).contains(&port),
        "{alert}"
    );
    assert!(alert["community_id"].as_str().unwrap().starts_with("1:"), "{alert}");
    if began_in == hour() {
        assert_eq!(alert["balefire"]["standing"], "live");
    }
    assert!(
        !alert["balefire"]["evidence"]["why"].as_array().unwrap().is_empty(),
        "{alert}"
    );

    let mut why = service.ctl_about("why", "198.51.100.77");
    // The newest session may still be on its way.
    while why["now"][0]["evidence"][0]["check_ins"] != RUNS[0] + RUNS[1] {
        assert!(Instant::now() < deadline, "{why}");
        sleep(Duration::from_millis(100));
        why = service.ctl_about("why", "198.51.100.77");
    }
    let sign = &why["now"][0]["evidence"][0];
    if began_in == hour() {
        assert_eq!(why["evidence_of"], Value::Null, "no hour has closed: {why}");
    }
    assert!((1.8..2.3).contains(&sign["interval_s"].as_f64().unwrap()), "{sign}");
    assert!(
        why["page_now"].as_str().unwrap().contains("What it is made of"),
        "{why}"
    );
    assert_eq!(why["now_is_whole"], true);
    assert!(why["now_as_of"].is_string());
}

/// Hours since 1970: a test may run over the end of one.
fn hour() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs() / 3_600
}

fn alerts(folder: &Path) -> Vec<Value> {
    let text = fs::read_to_string(folder.join("out/alerts.jsonl")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn findings(folder: &Path) -> usize {
    let alerts = alerts(folder);
    alerts
        .iter()
        .filter(|alert| alert["balefire"]["kind"] == "finding")
        .count()
}

/// Even intervals over all runs; a restart that takes longer skips one.
struct Clock {
    next: Instant,
}

impl Clock {
    fn new() -> Self {
        Self { next: Instant::now() }
    }

    fn next(&mut self) {
        while self.next < Instant::now() {
            self.next += INTERVAL;
        }
        sleep(self.next - Instant::now());
    }
}

/// A capture of one TCP connection: opened, a request, an answer, closed.
fn session(folder: &Path, port: u16) -> PathBuf {
    // FIN 1, SYN 2, PSH 8, ACK 16 (RFC 9293, section 3.1).
    let talk: [(bool, u8, usize); 8] = [
        (true, 2, 0),
        (false, 18, 0),
        (true, 16, 0),
        (true, 24, 120),
        (false, 24, 240),
        (true, 17, 0),
        (false, 17, 0),
        (true, 16, 0),
    ];
    let mut next = [1_000_u32, 5_000];
    // A pcap file: little-endian, microseconds, Ethernet (draft-ietf-opsawg-pcap).
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 1] {
        file.extend(word.to_le_bytes());
    }
    for (number, (from_host, flags, payload)) in talk.into_iter().enumerate() {
        let (mine, other) = if from_host { (0, 1) } else { (1, 0) };
        let frame = frame(from_host, port, flags, [next[mine], next[other]], payload);
        next[mine] += payload as u32 + u32::from(flags & 3 != 0);
        for word in [
            1_700_000_000,
            number as u32 * 1_000,
            frame.len() as u32,
            frame.len() as u32,
        ] {
            file.extend(word.to_le_bytes());
        }
        file.extend(frame);
    }
    let path = folder.join("session.pcap");
    fs::write(&path, file).unwrap();
    path
}

fn frame(from_host: bool, port: u16, flags: u8, [sequence, acknowledged]: [u32; 2], payload: usize) -> Vec<u8> {
    let (source, target) = if from_host { (HOST, SERVER) } else { (SERVER, HOST) };
    let ports = if from_host { [port, 4444] } else { [4444, port] };
    let mut ip = vec![0x45, 0];
    ip.extend((40 + payload as u16).to_be_bytes());
    ip.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
    ip.extend(source);
    ip.extend(target);
    let sum: u32 = ip
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
        .sum();
    let checksum = !((sum & 0xffff) + (sum >> 16)) as u16;
    ip[10..12].copy_from_slice(&checksum.to_be_bytes());
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
    frame.extend(ip);
    frame.extend(ports.iter().flat_map(|port| port.to_be_bytes()));
    frame.extend(sequence.to_be_bytes());
    frame.extend(if flags & 16 == 0 { 0 } else { acknowledged }.to_be_bytes());
    frame.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    frame.extend(std::iter::repeat_n(0xa5, payload));
    frame
}

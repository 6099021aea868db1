//! The memory of the whole process stays under what `--memory` names, whatever comes, and a beacon is found all the same.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use balefire_capture::PcapWriter;
use balefire_decode::LinkType;
use serde_json::Value;
use wait4::Wait4;

use crate::bench::Bench;

const SECOND_NS: i64 = 1_000_000_000;
const START_NS: i64 = 1_772_409_600 * SECOND_NS;
const BEACON: (Ipv4Addr, Ipv4Addr) = (Ipv4Addr::new(10, 1, 0, 2), Ipv4Addr::new(145, 22, 251, 83));
const SYN: u8 = 0x02;
const ACK: u8 = 0x10;
const PUSH_ACK: u8 = 0x18;
const FIN_ACK: u8 = 0x11;

/// SYNs of pairs that never come again.
const FLOOD: u32 = 600_000;
/// All of them within this, which is shorter than an attempt is remembered (40 s): each is a live connection at the end.
const FLOOD_NS: i64 = 18 * SECOND_NS;

#[test]
fn a_flood_of_pairs_stays_under_the_cap_and_hides_no_beacon() {
    const CAP_BYTES: u64 = 80 << 20;
    const SLACK_BYTES: u64 = 64 << 20;
    let bench = Bench::new();
    let flood = flood(&bench);
    let (peak_bytes, document) = run(&flood, "80MiB");
    assert!(peak_bytes < CAP_BYTES + SLACK_BYTES, "{peak_bytes}");
    assert_eq!(document["servers"][0]["address"], BEACON.1.to_string(), "{document:#}");
    assert_eq!(document["totals"]["connections"], u64::from(FLOOD) + 40);
    // It is the cap that does it: with more room the same flood takes more.
    let (peak_bytes, document) = run(&flood, "2GiB");
    assert!(peak_bytes > CAP_BYTES + SLACK_BYTES, "{peak_bytes}");
    assert_eq!(document["servers"][0]["address"], BEACON.1.to_string());
}

fn run(capture: &Path, memory: &str) -> (u64, Value) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_balefire"))
        .args([
            "read",
            "--quiet",
            "--format",
            "json",
            "--workers",
            "1",
            "--queue-blocks",
            "4",
        ])
        .args(["--memory", memory])
        .arg(capture)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let document = serde_json::from_reader(child.stdout.take().unwrap()).unwrap();
    let used = child.wait4().unwrap();
    assert!(used.status.success());
    (used.rusage.maxrss, document)
}

/// Forty check-ins, 20 s apart, and the flood between the twentieth and what follows.
fn flood(bench: &Bench) -> PathBuf {
    let path = bench.path("flood.pcap");
    let mut writer = PcapWriter::create(&path, LinkType::ETHERNET).unwrap();
    for check_in in 0..40_u16 {
        let at_ns = START_NS + i64::from(check_in) * 20 * SECOND_NS;
        beacon(
            &mut |offset_ns, frame| write(&mut writer, at_ns + offset_ns, frame),
            40_000 + check_in,
        );
        if check_in == 20 {
            for number in 0..FLOOD {
                let [_, high, middle, low] = number.to_be_bytes();
                let host = Ipv4Addr::new(10, 2, middle & 3, low);
                let server = Ipv4Addr::new(198, 18 | (high & 1), middle, low ^ (high << 4));
                let port = 1_024 + (number >> 6) as u16;
                let frame = frame((host, server), (port, 80), SYN, number, &[]);
                let offset_ns = i64::from(number) * FLOOD_NS / i64::from(FLOOD);
                write(&mut writer, at_ns + SECOND_NS + offset_ns, frame);
            }
        }
    }
    writer.finish().unwrap();
    path
}

fn write(writer: &mut PcapWriter<impl std::io::Write>, time_ns: i64, frame: Vec<u8>) {
    writer.write(time_ns, frame.len() as u32, &frame).unwrap();
}

/// One check-in: a connection with a question and an answer.
fn beacon(write: &mut impl FnMut(i64, Vec<u8>), port: u16) {
    let (host, server) = BEACON;
    let (out, back) = ((host, server), (server, host));
    let (ask, answer) = ((port, 443), (443, port));
    for (place, (ends, ports, flags, sequence, payload)) in [
        (out, ask, SYN, 100, &[][..]),
        (back, answer, SYN | ACK, 200, &[]),
        (out, ask, ACK, 101, &[]),
        (out, ask, PUSH_ACK, 101, &[7; 90]),
        (back, answer, PUSH_ACK, 201, &[9; 60]),
        (out, ask, FIN_ACK, 191, &[]),
        (back, answer, FIN_ACK, 261, &[]),
    ]
    .into_iter()
    .enumerate()
    {
        write(place as i64 * 20_000_000, frame(ends, ports, flags, sequence, payload));
    }
}

/// Ethernet, IPv4, TCP; without checksums, which a tap often sees.
fn frame(ends: (Ipv4Addr, Ipv4Addr), ports: (u16, u16), flags: u8, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![2; 12];
    frame.extend([0x08, 0x00, 0x45, 0]);
    frame.extend((40 + payload.len() as u16).to_be_bytes());
    frame.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
    frame.extend(ends.0.octets());
    frame.extend(ends.1.octets());
    frame.extend(ports.0.to_be_bytes());
    frame.extend(ports.1.to_be_bytes());
    frame.extend(sequence.to_be_bytes());
    frame.extend([0, 0, 0, 0, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    frame.extend(payload);
    frame
}

//! The captures in `captures/` are exactly what their commands make, and their expectations name exactly what was planted.
//!
//! In: every `NAME.expect.toml`. Not its job: what the detector says of them; the program's tests hold that.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a panic is the failure")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use balefire_capture::synthetic::{Scenario, write_capture};
use serde::Deserialize;

/// The keys are described in `captures/README.md`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    command: String,
    packets: u64,
    #[serde(rename = "below")]
    _below: String,
    #[serde(default, rename = "known")]
    _known: Vec<String>,
    #[serde(default)]
    server: Vec<Server>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Server {
    address: String,
    port: u16,
    name: Option<String>,
    country: String,
    #[serde(rename = "class")]
    _class: String,
    kind: String,
    interval_s: Option<f64>,
    hosts: Vec<String>,
}

#[test]
fn every_capture_is_what_its_command_makes() {
    let mut seen = 0;
    for path in expectations() {
        let expect = read(&path);
        let capture = path.with_file_name(format!("{}.pcap", name(&path)));
        let mut made = Vec::new();
        let packets = write_capture(&scenario(&expect.command), &mut made).unwrap();
        assert_eq!(packets, expect.packets, "{}", path.display());
        let kept = fs::read(&capture).unwrap();
        assert!(
            made == kept,
            "{} is not what its command makes:\n{}",
            capture.display(),
            expect.command
        );
        assert!(made.len() < 1_000_000, "{}: {} bytes", capture.display(), made.len());
        assert!(expect.command.ends_with(&format!(" --out {}.pcap", name(&path))));
        seen += 1;
    }
    assert!(seen >= 8);
}

#[test]
fn expectations_name_what_was_planted() {
    for path in expectations() {
        let expect = read(&path);
        let scenario = scenario(&expect.command);
        let mut planted: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
        for one in scenario.planted() {
            for server in &one.servers {
                planted
                    .entry((server.to_string(), one.port))
                    .or_default()
                    .insert(one.host.to_string());
            }
        }
        let expected: BTreeMap<_, BTreeSet<String>> = expect
            .server
            .iter()
            .map(|s| ((s.address.clone(), s.port), s.hosts.iter().cloned().collect()))
            .collect();
        assert_eq!(expected, planted, "{}", path.display());
        for (server, beacon) in expect.server.iter().zip(&scenario.beacons) {
            let nominal = server.interval_s.unwrap_or(beacon.interval_s);
            assert_eq!(nominal, beacon.interval_s, "{}", path.display());
            let stays_open = ["heartbeat", "long_connection"].contains(&server.kind.as_str());
            assert_eq!(stays_open, beacon.heartbeat, "{}", path.display());
            assert!(
                server.name.is_none() || server.name == beacon.name,
                "{}",
                path.display()
            );
            let ip: std::net::IpAddr = server.address.parse().unwrap();
            assert_eq!(iptocc::country_code(ip), Some(server.country.as_str()));
        }
    }
}

fn expectations() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../captures");
    let mut found: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(".expect.toml"))
        .collect();
    found.sort();
    found
}

/// `plain_beacon` of `.../plain_beacon.expect.toml`.
fn name(path: &Path) -> String {
    path.file_name()
        .unwrap()
        .to_string_lossy()
        .trim_end_matches(".expect.toml")
        .to_owned()
}

fn read(path: &Path) -> Expect {
    toml::from_str(&fs::read_to_string(path).unwrap()).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The scenario that `balefire synth --FLAG VALUE ... --out FILE` means.
fn scenario(command: &str) -> Scenario {
    let words: Vec<_> = command
        .strip_prefix("balefire synth ")
        .unwrap()
        .split_whitespace()
        .collect();
    let mut scenario = Scenario::default();
    for pair in words.chunks(2) {
        let flag = pair[0].strip_prefix("--").unwrap();
        if flag != "out" {
            scenario.set(flag, pair[1]).unwrap();
        }
    }
    scenario
}

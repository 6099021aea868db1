//! The captures of `captures/`: each is made by its command, and what its expectation says is what the program says.
//!
//! In: every `NAME.expect.toml`, keys as `captures/README.md` describes them. All captures are gone through before the
//! test fails, so that one run shows everything that is wrong.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::bench::{Bench, balefire, document};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    command: String,
    packets: u64,
    below: String,
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
    class: String,
    kind: String,
    interval_s: f64,
    hosts: Vec<String>,
}

/// How far the reported interval may be from the nominal one.
const INTERVAL_TOLERANCE: f64 = 0.2;

#[test]
fn the_commands_make_the_captures() {
    let bench = Bench::new();
    for (capture, expect) in expectations() {
        let (command, _) = expect.command.split_once(" --out ").unwrap();
        let words: Vec<_> = command.split(' ').skip(1).collect();
        let made = bench.path("made.pcap");
        balefire(&words).arg("--out").arg(&made).assert().success();
        assert!(
            fs::read(&made).unwrap() == fs::read(&capture).unwrap(),
            "{}",
            capture.display()
        );
    }
}

#[test]
fn the_program_says_of_every_capture_what_is_expected() {
    let mut wrong = Vec::new();
    for (capture, expect) in expectations() {
        let found = document(&capture, &[]);
        let name = capture.file_name().unwrap().to_string_lossy().into_owned();
        wrong.extend(
            differences(&expect, &found)
                .into_iter()
                .map(|text| format!("{name}: {text}")),
        );
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// What the program's document says otherwise than expected.
fn differences(expect: &Expect, found: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    if found["accounting"]["received"] != expect.packets {
        wrong.push(format!("received {}", found["accounting"]["received"]));
    }
    let servers = found["servers"].as_array().unwrap();
    for server in &expect.server {
        match servers.iter().find(|found| is(server, found)) {
            Some(found) => wrong.extend(differences_of_server(server, found)),
            None => wrong.push(format!("{}:{} is not reported", server.address, server.port)),
        }
    }
    for found in servers {
        if !expect.server.iter().any(|server| is(server, found)) && class_of(&found["class"]) >= class(&expect.below) {
            wrong.push(format!(
                "{}:{} {} is {} by {}",
                found["address"], found["port"], found["names"], found["class"], found["score"]
            ));
        }
    }
    wrong
}

fn is(server: &Server, found: &Value) -> bool {
    found["address"] == server.address.as_str() && found["port"] == server.port
}

fn differences_of_server(server: &Server, found: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut demand = |holds: bool, text: String| {
        if !holds {
            wrong.push(format!("{}:{}: {text}", server.address, server.port));
        }
    };
    demand(
        class_of(&found["class"]) >= class(&server.class),
        format!("{} by {}", found["class"], found["score"]),
    );
    demand(
        found["hosting_country"] == server.country.as_str(),
        format!("in {}", found["hosting_country"]),
    );
    let hosts = serde_json::to_value(&server.hosts).unwrap();
    demand(found["hosts"] == hosts, format!("hosts {}", found["hosts"]));
    if let Some(name) = &server.name {
        let names = found["names"].as_array().unwrap();
        demand(
            names.iter().any(|found| found == name.as_str()),
            format!("names {names:?}"),
        );
    }
    let evidence = found["evidence"].as_array().unwrap();
    let of_kind: Vec<_> = evidence
        .iter()
        .filter(|evidence| evidence["kind"] == server.kind.as_str())
        .collect();
    let kinds: Vec<_> = evidence.iter().map(|evidence| evidence["kind"].to_string()).collect();
    demand(!of_kind.is_empty(), format!("evidence {kinds:?}"));
    for evidence in of_kind {
        let interval_s = evidence["interval_s"].as_f64().unwrap();
        demand(
            (interval_s / server.interval_s - 1.0).abs() <= INTERVAL_TOLERANCE,
            format!("interval {interval_s} s"),
        );
    }
    wrong
}

fn class_of(found: &Value) -> usize {
    class(found.as_str().unwrap())
}

fn class(name: &str) -> usize {
    let classes = ["suspected", "probable", "confirmed"];
    classes.iter().position(|class| *class == name).unwrap()
}

/// Every capture with its expectation, by name.
fn expectations() -> Vec<(PathBuf, Expect)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../captures");
    let mut found: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(".expect.toml"))
        .map(|path| {
            let expect = toml::from_str(&fs::read_to_string(&path).unwrap())
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let capture = path.to_string_lossy().replace(".expect.toml", ".pcap");
            (PathBuf::from(capture), expect)
        })
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(found.len() >= 8);
    found
}

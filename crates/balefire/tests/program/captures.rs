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
    /// `ADDRESS PORT` of innocent servers that do reach the class today.
    #[serde(default)]
    known: Vec<String>,
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
    interval_s: Option<f64>,
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
        // A server may be reported by address and by name: what is expected may be said in either row.
        let rows: Vec<_> = servers.iter().filter(|row| is(server, row)).collect();
        wrong.extend(differences_of_server(server, &rows));
    }
    let mut known: Vec<&str> = expect.known.iter().map(String::as_str).collect();
    for row in servers {
        if expect.server.iter().any(|server| is(server, row)) || class_of(&row["class"]) < class(&expect.below) {
            continue;
        }
        let place = format!("{} {}", row["address"].as_str().unwrap(), row["port"]);
        let before = known.len();
        known.retain(|known| *known != place);
        if known.len() == before {
            wrong.push(format!(
                "{place} {} is {} by {}",
                row["names"], row["class"], row["score"]
            ));
        }
    }
    wrong.extend(
        known
            .iter()
            .map(|place| format!("{place} is let go now: take it out of `known`")),
    );
    wrong
}

fn is(server: &Server, row: &Value) -> bool {
    row["address"] == server.address.as_str() && row["port"] == server.port
}

fn differences_of_server(server: &Server, rows: &[&Value]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut demand = |holds: bool, field: &str| {
        if !holds {
            let said: Vec<_> = rows.iter().map(|row| row[field].to_string()).collect();
            wrong.push(format!("{} {}: {field} {said:?}", server.address, server.port));
        }
    };
    let any = |holds: &dyn Fn(&Value) -> bool| rows.iter().any(|row| holds(row));
    demand(any(&|row| class_of(&row["class"]) >= class(&server.class)), "class");
    demand(
        any(&|row| row["hosting_country"] == server.country.as_str()),
        "hosting_country",
    );
    let hosts = serde_json::to_value(&server.hosts).unwrap();
    demand(any(&|row| row["hosts"] == hosts), "hosts");
    let named = |row: &Value| {
        row["names"]
            .as_array()
            .unwrap()
            .iter()
            .any(|name| Some(name.as_str().unwrap()) == server.name.as_deref())
    };
    demand(server.name.is_none() || any(&named), "names");
    let near = |interval_s: f64| {
        let nominal = server
            .interval_s
            .filter(|nominal| (interval_s / nominal - 1.0).abs() > INTERVAL_TOLERANCE);
        nominal.is_none()
    };
    let is_sign =
        |evidence: &Value| evidence["kind"] == server.kind.as_str() && near(evidence["interval_s"].as_f64().unwrap());
    demand(
        any(&|row| row["evidence"].as_array().unwrap().iter().any(is_sign)),
        "evidence",
    );
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

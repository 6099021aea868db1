//! The service, for real: `balefire run` with two readers on a veth pair between two network namespaces of the test's own, a
//! notify socket that the test reads, an interface that goes away and comes back. Needs root, iproute2 and tcpreplay; says so
//! and skips without them.
//!
//! In: a capture the program itself makes. Out: every packet accounted for, the gap named, rights given up, a second instance
//! refused, a broken settings file survived, an end within 5 s.

#![allow(clippy::unwrap_used, reason = "a test that cannot set up its surroundings fails")]

mod beacon;
mod link;
mod service;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use link::{Link, ip, succeed};
use service::{BALEFIRE, Service, settle_with};

#[test]
fn a_service_from_ready_to_stopped() {
    let Some(link) = Link::new("a") else { return };
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("replay.pcap");
    let synth = ["synth", "--seed", "6", "--hosts", "30", "--duration", "1h", "--out"];
    succeed(Command::new(BALEFIRE).args(synth).arg(&capture));
    let mut service = Service::start(&link, folder.path());

    let first = link.replay(&capture);
    service.until("balefire_packets_received_total", first);
    service.has_given_up_rights();
    service.refuses_outside(&service.ctl("status"));
    service.refuses_a_second();
    service.answers(first);

    link.remove();
    service.until_lost_is(1);
    link.make();
    let back = Instant::now();
    service.until_lost_is(0);
    assert!(back.elapsed() < Duration::from_secs(5), "{:?}", back.elapsed());
    ip(&["-n", &link.receiver, "link", "set", "bfvr", "down"]);
    service.until_lost_is(1);
    ip(&["-n", &link.receiver, "link", "set", "bfvr", "up"]);
    service.until_lost_is(0);
    assert!(
        service.said().contains("bfvr: lost: the interface is down"),
        "{}",
        service.said()
    );
    assert!(service.said().contains("bfvr: back after "), "{}", service.said());
    // Reloads, good and broken, while packets come: none may be missed for them.
    let second = std::thread::scope(|scope| {
        let replay = scope.spawn(|| link.replay(&capture));
        for round in 0..20 {
            service.reloads(round % 2 == 0);
        }
        replay.join().unwrap()
    });
    service.until("balefire_packets_received_total", first + second);
    service.rotates();

    fs::write(folder.path().join("balefire.toml"), "[run\n").unwrap();
    service.signal("HUP");
    service.until_said("the old settings stay in force");
    assert!(service.heard("WATCHDOG=1"));
    settle_with(folder.path(), "");

    let asked = Instant::now();
    service.ctl("shutdown");
    let status = service.ended();
    assert!(
        status && asked.elapsed() < Duration::from_secs(5),
        "{:?}: {}{}",
        asked.elapsed(),
        service.said(),
        service.threads()
    );
    check_hours(&folder.path().join("out"), first + second);
    restarts(&link, folder.path());
}

/// Cores are kept to, and those that are not there refused.
#[test]
fn threads_stay_on_their_cores() {
    let Some(link) = Link::new("c") else { return };
    let folder = tempfile::tempdir().unwrap();
    let cpus = "cpus = [0]\n";
    let service = Service::start_with(&link, folder.path(), cpus);
    service.until_said("all threads on cores 0; 5 would give each that handles packets its own");
    let status = service.ctl("status");
    let threads = status["threads"].as_array().unwrap();
    assert!(
        threads.len() >= 5 && threads.iter().all(|thread| thread["cores"] == "0"),
        "{status}"
    );
    drop(service);
    for (cpus, words) in [("cpus = [0, 1023]\n", "1023 is no core"), ("cpus = [0, 0]\n", "twice")] {
        settle_with(folder.path(), cpus);
        let refused = Service::command(&link.receiver, folder.path()).output().unwrap();
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(refused.status.code() == Some(2) && said.contains(words), "{said}");
    }
}

/// What was learnt is there again; a damaged state is refused by name, and the service watches all the same.
fn restarts(link: &Link, folder: &Path) {
    let state = folder.join("out/.balefire.state");
    assert!(fs::metadata(&state).unwrap().len() > 1_000);
    let alerts = folder.join("out/alerts.jsonl");
    let told = fs::read_to_string(&alerts).unwrap();
    let service = Service::start(link, folder);
    service.until_said("taken up");
    let tables = service.ctl("stats")["tables"].clone();
    let entries = |name: &str| {
        let mut found = tables.as_array().unwrap().iter();
        found.find(|table| table["name"] == name).unwrap()["entries"].as_u64()
    };
    // Tables are shown with the first block, and none has come; what was suspected is there at once.
    assert!(entries("timelines").is_some(), "{tables}");
    assert!(service.ctl("servers")["servers"].is_array());
    sleep(Duration::from_millis(1500));
    assert_eq!(
        fs::read_to_string(&alerts).unwrap(),
        told,
        "a restart does not alert again"
    );
    drop(service);
    let mut bytes = fs::read(&state).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&state, bytes).unwrap();
    let service = Service::start(link, folder);
    service.until_said(".balefire.state: it is damaged or cut short");
    assert!(!state.exists() && state.with_extension("state.refused").exists());
}

/// All hours together: nearly always one, two where the test crossed an hour's end.
fn check_hours(folder: &Path, sent: u64) {
    let (mut received, mut gaps) = (0, Vec::new());
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let hour: serde_json::Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let accounting = &hour["accounting"];
        let number = |name: &str| accounting[name].as_u64().unwrap();
        let ends = ["decoded", "not_ip", "rejected", "dropped"].map(number);
        assert_eq!(number("received"), ends.iter().sum::<u64>(), "{accounting}");
        // How much a busy machine drops at its queues is not asked here, only that every packet has its name.
        assert_eq!(number("kernel_drops"), 0, "{accounting}");
        received += number("received");
        gaps.extend(accounting["gaps"].as_array().unwrap().clone());
    }
    assert_eq!(received, sent);
    assert!(gaps.iter().all(|gap| gap["interface"] == "bfvr"), "{gaps:?}");
    assert!(gaps.len() >= 2, "gone once, down once: {gaps:?}");
}

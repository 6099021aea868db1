//! The tap, for real: two network namespaces of the test's own joined by a veth pair, tcpreplay on one end, `balefire live`
//! on the other. Needs root, iproute2 and tcpreplay; says so and skips without them.
//!
//! In: a capture the program itself makes. Out: sent = received, no drops, a silent interface that still stops at once.

#![allow(clippy::unwrap_used, reason = "a test that cannot set up its surroundings fails")]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const BALEFIRE: &str = env!("CARGO_BIN_EXE_balefire");

#[test]
fn a_replay_at_top_speed_arrives_whole() {
    let Some(tap) = Tap::new("a") else { return };
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("replay.pcap");
    let synth = ["synth", "--seed", "5", "--hosts", "40", "--duration", "2h", "--out"];
    succeed(Command::new(BALEFIRE).args(synth).arg(&capture));

    // Room for the whole replay: an unoptimised worker is slower than the wire, and the machine may be busy with other tests.
    let mut live = tap.live(folder.path(), &["--queue-blocks", "256"]);
    let replay = succeed(
        tap.at_sender("tcpreplay")
            .args(["--topspeed", "-i", &tap.sender_interface])
            .arg(&capture),
    );
    let sent = sent_packets(&replay);
    assert!(
        sent > 10_000,
        "the replay should be long enough to mean something: {sent} packets"
    );
    // What the kernel has buffered is taken within its poll timeout; the rest of the second is patience.
    sleep(Duration::from_secs(1));
    let stopped = live.terminate();
    assert!(stopped < Duration::from_secs(2), "took {stopped:?} to stop");

    let run = live.json();
    let accounting = &run["accounting"];
    assert_eq!(accounting["received"].as_u64(), Some(sent), "{accounting}");
    assert_eq!(accounting["kernel_drops"].as_u64(), Some(0), "{accounting}");
    assert_eq!(accounting["interface_drops"].as_u64(), Some(0), "{accounting}");
    assert_eq!(
        accounting["queue_drops"].as_array().map(Vec::len),
        Some(0),
        "{accounting}"
    );
    let rejected: u64 = accounting["rejects"]
        .as_object()
        .unwrap()
        .values()
        .filter_map(serde_json::Value::as_u64)
        .sum();
    assert_eq!(accounting["decoded"].as_u64().unwrap() + rejected, sent, "{accounting}");
    assert_eq!(
        partial_hours(folder.path()),
        1,
        "the hour that was open is written, as partial"
    );
}

#[test]
fn a_silent_interface_stops_at_once() {
    let Some(tap) = Tap::new("b") else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut live = tap.live(folder.path(), &["--workers", "2"]);
    sleep(Duration::from_secs(2));
    let stopped = live.terminate();
    assert!(stopped < Duration::from_secs(2), "took {stopped:?} to stop");
    assert_eq!(live.json()["accounting"]["received"].as_u64(), Some(0));
}

#[test]
fn a_list_read_anew_confirms_what_was_seen_before() {
    let Some(tap) = Tap::new("c") else { return };
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("replay.pcap");
    let synth = [
        "synth",
        "--seed",
        "5",
        "--hosts",
        "4",
        "--duration",
        "10m",
        "--services",
        "none",
    ];
    let beacon = ["--beacon", "interval=120,country=NL,name=evil.example", "--out"];
    succeed(Command::new(BALEFIRE).args(synth).args(beacon).arg(&capture));
    let list = folder.path().join("list.txt");
    fs::write(&list, "192.0.2.1\n").unwrap();
    let mut live = tap.live(folder.path(), &["--intel", list.to_str().unwrap()]);
    let hang_up = |live: &Live| succeed(Command::new("kill").args(["-HUP", &live.child.id().to_string()]));
    // A list that cannot be used leaves the one in force.
    fs::write(&list, "nothing to be read here\n").unwrap();
    hang_up(&live);
    succeed(
        tap.at_sender("tcpreplay")
            .args(["--topspeed", "-i", &tap.sender_interface])
            .arg(&capture),
    );
    sleep(Duration::from_secs(1));
    fs::write(&list, "evil.example\n").unwrap();
    hang_up(&live);
    sleep(Duration::from_secs(1));
    live.terminate();
    let run = live.json();
    assert_eq!(run["totals"]["servers_by_class"]["confirmed"], 1, "{}", run["servers"]);
    assert_eq!(run["servers"][0]["evidence"][0]["kind"], "threat_intel");
}

/// Two namespaces and the veth pair between them, gone when dropped.
struct Tap {
    sender: String,
    receiver: String,
    sender_interface: String,
    receiver_interface: String,
}

impl Tap {
    fn new(name: &str) -> Option<Self> {
        for (program, package) in [("ip", "iproute2"), ("tcpreplay", "tcpreplay"), ("sysctl", "procps")] {
            if Command::new(program).arg("-V").output().is_err() {
                skip(&format!("needs {program} (package {package})"));
                return None;
            }
        }
        let id = std::process::id();
        let tap = Self {
            sender: format!("bf{id}{name}s"),
            receiver: format!("bf{id}{name}r"),
            sender_interface: format!("bf{name}s"),
            receiver_interface: format!("bf{name}r"),
        };
        let made = Command::new("ip").args(["netns", "add", &tap.sender]).output().unwrap();
        if !made.status.success() {
            skip(&format!(
                "needs root and namespaces: {}",
                String::from_utf8_lossy(&made.stderr).trim()
            ));
            return None;
        }
        ip(&["netns", "add", &tap.receiver]);
        for namespace in [&tap.sender, &tap.receiver] {
            // The kernel's own neighbour and multicast packets would be counted too.
            let quiet = [
                "net.ipv6.conf.all.disable_ipv6=1",
                "net.ipv6.conf.default.disable_ipv6=1",
            ];
            succeed(
                Command::new("ip")
                    .args(["netns", "exec", namespace, "sysctl", "-qw"])
                    .args(quiet),
            );
        }
        let pair = [
            "link",
            "add",
            &tap.sender_interface,
            "netns",
            &tap.sender,
            "type",
            "veth",
            "peer",
            "name",
        ];
        ip(&[&pair[..], &[&tap.receiver_interface, "netns", &tap.receiver]].concat());
        for (namespace, interface) in [
            (&tap.sender, &tap.sender_interface),
            (&tap.receiver, &tap.receiver_interface),
        ] {
            ip(&[
                "-n", namespace, "link", "set", interface, "arp", "off", "mtu", "9000", "up",
            ]);
        }
        Some(tap)
    }

    fn at_sender(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.sender, program]);
        command
    }

    /// Starts `balefire live` and waits until it listens.
    fn live(&self, output: &Path, more: &[&str]) -> Live {
        let mut command = Command::new("ip");
        command.args([
            "netns",
            "exec",
            &self.receiver,
            BALEFIRE,
            "live",
            "-i",
            &self.receiver_interface,
        ]);
        command
            .args(["--format", "json", "--sensor", "test", "--output"])
            .arg(output)
            .args(more);
        let stdout = fs::File::create(output.join("stdout.json")).unwrap();
        let child = command.stdout(stdout).stderr(Stdio::null()).spawn().unwrap();
        let live = Live {
            child,
            stdout: output.join("stdout.json"),
        };
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let table = Command::new("ip")
                .args(["netns", "exec", &self.receiver, "cat", "/proc/net/packet"])
                .output();
            // One line of heading, then one per packet socket.
            if table.unwrap().stdout.iter().filter(|byte| **byte == b'\n').count() > 1 {
                break;
            }
            assert!(Instant::now() < deadline, "balefire live did not open the interface");
            sleep(Duration::from_millis(50));
        }
        sleep(Duration::from_millis(300)); // the socket is bound to its ring a moment after it exists
        live
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        for namespace in [&self.sender, &self.receiver] {
            let _ = Command::new("ip").args(["netns", "del", namespace]).output();
        }
    }
}

struct Live {
    child: Child,
    stdout: std::path::PathBuf,
}

impl Live {
    /// SIGTERM, and the time until it is gone with exit code 0.
    fn terminate(&mut self) -> Duration {
        let asked = Instant::now();
        succeed(Command::new("kill").args(["-TERM", &self.child.id().to_string()]));
        while asked.elapsed() < Duration::from_secs(10) {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(status.success(), "{status}");
                return asked.elapsed();
            }
            sleep(Duration::from_millis(10));
        }
        panic!("still running 10 s after SIGTERM");
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&fs::read_to_string(&self.stdout).unwrap()).unwrap()
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn partial_hours(folder: &Path) -> usize {
    let hours = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let hours = hours.filter(|path| {
        path.file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("balefire-test-")
    });
    let hours = hours.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    let summaries =
        hours.map(|path| serde_json::from_str::<serde_json::Value>(&fs::read_to_string(path).unwrap()).unwrap());
    summaries.filter(|summary| summary["period"]["partial"] == true).count()
}

fn sent_packets(replay: &Output) -> u64 {
    let text = String::from_utf8_lossy(&replay.stdout);
    let line = text.lines().find(|line| line.contains("Successful packets")).unwrap();
    line.split_whitespace().last().unwrap().parse().unwrap()
}

fn ip(arguments: &[&str]) {
    succeed(Command::new("ip").args(arguments));
}

fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// Past the test harness, which hides what a passing test prints.
fn skip(reason: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED live_netns: {reason}");
}

//! The service, for real: `balefire run` with two readers on a veth pair between two network namespaces of the test's own, a
//! notify socket that the test reads, an interface that goes away and comes back. Needs root, iproute2 and tcpreplay; says so
//! and skips without them.
//!
//! In: a capture the program itself makes. Out: every packet accounted for, the gap named, rights given up, a second instance
//! refused, a broken settings file survived, an end within 5 s.

#![allow(clippy::unwrap_used, reason = "a test that cannot set up its surroundings fails")]

use std::fs;
use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const BALEFIRE: &str = env!("CARGO_BIN_EXE_balefire");

#[test]
fn a_service_from_ready_to_stopped() {
    let Some(link) = Link::new() else { return };
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("replay.pcap");
    let synth = ["synth", "--seed", "6", "--hosts", "30", "--duration", "1h", "--out"];
    succeed(Command::new(BALEFIRE).args(synth).arg(&capture));
    let mut service = Service::start(&link, folder.path());

    let first = link.replay(&capture);
    service.until("balefire_packets_received_total", first);
    service.has_given_up_rights();
    service.refuses_a_second();
    service.answers(first);

    link.remove();
    service.until_lost_is(1);
    link.make();
    let back = Instant::now();
    service.until_lost_is(0);
    assert!(back.elapsed() < Duration::from_secs(5), "{:?}", back.elapsed());
    let second = link.replay(&capture);
    service.until("balefire_packets_received_total", first + second);

    fs::write(folder.path().join("balefire.toml"), "[run\n").unwrap();
    service.signal("HUP");
    service.until_said("the old settings stay in force");
    assert!(service.heard("WATCHDOG=1"));
    settle(folder.path());

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
    assert!(!gaps.is_empty());
}

/// Two namespaces with a veth pair that can be taken away.
struct Link {
    sender: String,
    receiver: String,
}

impl Link {
    fn new() -> Option<Self> {
        for (program, package) in [("ip", "iproute2"), ("tcpreplay", "tcpreplay"), ("sysctl", "procps")] {
            if Command::new(program).arg("-V").output().is_err() {
                skip(&format!("needs {program} (package {package})"));
                return None;
            }
        }
        let id = std::process::id();
        let link = Self {
            sender: format!("bfv{id}s"),
            receiver: format!("bfv{id}r"),
        };
        let made = Command::new("ip")
            .args(["netns", "add", &link.sender])
            .output()
            .unwrap();
        if !made.status.success() {
            let reason = String::from_utf8_lossy(&made.stderr).trim().to_owned();
            skip(&format!("needs root and namespaces: {reason}"));
            return None;
        }
        ip(&["netns", "add", &link.receiver]);
        for namespace in [&link.sender, &link.receiver] {
            let quiet = [
                "net.ipv6.conf.all.disable_ipv6=1",
                "net.ipv6.conf.default.disable_ipv6=1",
            ];
            let mut sysctl = within(namespace, "sysctl");
            succeed(sysctl.arg("-qw").args(quiet));
        }
        ip(&["-n", &link.receiver, "link", "set", "lo", "up"]);
        link.make();
        Some(link)
    }

    fn make(&self) {
        let pair = [
            "link",
            "add",
            "bfvs",
            "netns",
            &self.sender,
            "type",
            "veth",
            "peer",
            "name",
        ];
        ip(&[&pair[..], &["bfvr", "netns", &self.receiver]].concat());
        for (namespace, interface) in [(&self.sender, "bfvs"), (&self.receiver, "bfvr")] {
            ip(&[
                "-n", namespace, "link", "set", interface, "arp", "off", "mtu", "9000", "up",
            ]);
        }
    }

    fn remove(&self) {
        ip(&["-n", &self.receiver, "link", "del", "bfvr"]);
    }

    /// Packets sent.
    fn replay(&self, capture: &Path) -> u64 {
        let mut tcpreplay = within(&self.sender, "tcpreplay");
        let output = succeed(tcpreplay.args(["--topspeed", "-i", "bfvs"]).arg(capture));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let line = text.lines().find(|line| line.contains("Successful packets")).unwrap();
        line.split_whitespace().last().unwrap().parse().unwrap()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        for namespace in [&self.sender, &self.receiver] {
            let _ = Command::new("ip").args(["netns", "del", namespace]).output();
        }
    }
}

struct Service {
    child: Child,
    receiver: String,
    folder: PathBuf,
    socket: UnixDatagram,
    heard: String,
}

impl Service {
    /// Starts it, and waits until it says that it is ready.
    fn start(link: &Link, folder: &Path) -> Self {
        fs::create_dir(folder.join("out")).unwrap();
        settle(folder);
        let socket = UnixDatagram::bind(folder.join("notify")).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let said = fs::File::create(folder.join("said")).unwrap();
        let child = Self::command(&link.receiver, folder)
            .env("NOTIFY_SOCKET", folder.join("notify"))
            .env("WATCHDOG_USEC", "20000000")
            .stdout(Stdio::null())
            .stderr(said)
            .spawn()
            .unwrap();
        let mut service = Self {
            child,
            receiver: link.receiver.clone(),
            folder: folder.to_owned(),
            socket,
            heard: String::new(),
        };
        let deadline = Instant::now() + Duration::from_secs(20);
        while !service.heard("READY=1") {
            assert!(Instant::now() < deadline, "not ready: {}", service.said());
        }
        service
    }

    fn command(receiver: &str, folder: &Path) -> Command {
        let mut command = within(receiver, BALEFIRE);
        command.args(["run", "--config"]).arg(folder.join("balefire.toml"));
        command
    }

    /// Whether the service manager was told that.
    fn heard(&mut self, word: &str) -> bool {
        let mut buffer = [0; 1024];
        while let Ok(length) = self.socket.recv(&mut buffer) {
            self.heard.push_str(&String::from_utf8_lossy(&buffer[..length]));
            self.heard.push('\n');
            if self.heard.contains(word) {
                break;
            }
        }
        self.heard.contains(word)
    }

    fn said(&self) -> String {
        fs::read_to_string(self.folder.join("said")).unwrap()
    }

    /// What every thread waits for.
    fn threads(&self) -> String {
        let Ok(tasks) = fs::read_dir(format!("/proc/{}/task", self.child.id())) else {
            return String::new();
        };
        let read = |path: PathBuf| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        let lines = tasks.flatten().map(|task| task.path());
        let lines = lines.map(|task| format!("{} in {}\n", read(task.join("comm")), read(task.join("wchan"))));
        lines.collect()
    }

    fn until_said(&self, words: &str) {
        let deadline = Instant::now() + Duration::from_secs(5);
        while !self.said().contains(words) {
            assert!(Instant::now() < deadline, "{}", self.said());
            sleep(Duration::from_millis(50));
        }
    }

    /// Over HTTP from within the namespace, by the shell's own sockets.
    fn metric(&self, name: &str) -> Option<u64> {
        let ask = "exec 3<>/dev/tcp/127.0.0.1/9477; printf 'GET /metrics HTTP/1.1\\r\\n\\r\\n' >&3; cat <&3";
        let page = within(&self.receiver, "bash").args(["-c", ask]).output().unwrap();
        let page = String::from_utf8_lossy(&page.stdout).into_owned();
        let line = page
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
        line.trim_end_matches(".0").parse().ok()
    }

    fn until(&self, name: &str, value: u64) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.metric(name) != Some(value) {
            assert!(
                Instant::now() < deadline,
                "{name} is {:?}, not {value}: {}",
                self.metric(name),
                self.said()
            );
            sleep(Duration::from_millis(100));
        }
    }

    fn until_lost_is(&self, value: u64) {
        self.until("balefire_interface_lost{interface=\"bfvr\"}", value);
    }

    fn has_given_up_rights(&self) {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let mut looked = 0;
        for task in tasks {
            let status = fs::read_to_string(task.unwrap().path().join("status")).unwrap();
            let field = |name: &str| {
                let line = status.lines().find_map(|line| line.strip_prefix(name));
                line.unwrap_or_default().trim().to_owned()
            };
            let name = field("Name:");
            assert_eq!(
                (field("NoNewPrivs:"), field("Seccomp:")),
                ("1".into(), "2".into()),
                "{name}"
            );
            assert_eq!(field("CapEff:"), "0000000000002000", "{name}: only CAP_NET_RAW");
            looked += 1;
        }
        assert!(looked >= 6, "{looked} threads");
    }

    /// Over the control socket.
    fn ctl(&self, word: &str) -> serde_json::Value {
        let mut command = Command::new(BALEFIRE);
        let command = command.args(["ctl", word, "--json", "--config"]);
        let output = succeed(command.arg(self.folder.join("balefire.toml")));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn answers(&self, received: u64) {
        let status = self.ctl("status");
        assert_eq!(status["packets"]["received"].as_u64(), Some(received), "{status}");
        assert_eq!(status["sandbox"]["seccomp"], true, "{status}");
        for word in ["servers", "hosts", "countries"] {
            assert!(self.ctl(word)[word].is_array(), "{word}");
        }
    }

    fn refuses_a_second(&self) {
        let second = Self::command(&self.receiver, &self.folder).output().unwrap();
        let said = String::from_utf8_lossy(&second.stderr).into_owned();
        assert_eq!(second.status.code(), Some(1), "{said}");
        assert!(said.contains(&format!("process {}", self.child.id())), "{said}");
    }

    fn signal(&self, name: &str) {
        succeed(Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]));
    }

    /// Waits for the end; whether it was a good one.
    fn ended(&mut self) -> bool {
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(status.success(), "{status}: {}", self.said());
                return true;
            }
            sleep(Duration::from_millis(10));
        }
        false
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes the settings file.
fn settle(folder: &Path) {
    let settings = format!(
        "[sensor]\nname = \"test\"\n[service]\ninterfaces = [\"bfvr\"]\nreaders = 2\noutput = {:?}\n\
         [run]\nworkers = 2\nqueue_blocks = 256\n[archive]\nwrite = false\n[alerts]\nfile = {:?}\n",
        folder.join("out"),
        folder.join("out/alerts.jsonl"),
    );
    fs::write(folder.join("balefire.toml"), settings).unwrap();
}

fn within(namespace: &str, program: &str) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace, program]);
    command
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
    let _ = writeln!(std::io::stderr(), "SKIPPED service_netns: {reason}");
}

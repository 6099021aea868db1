//! Two network namespaces with a veth pair between them, made and taken away by the tests.
//!
//! In: captures to send. Out: packets on an interface that nobody else has. Says so and gives none without root, iproute2 and tcpreplay.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output};

/// Two namespaces with a veth pair that can be taken away.
pub(crate) struct Link {
    pub(crate) sender: String,
    pub(crate) receiver: String,
}

impl Link {
    pub(crate) fn new(name: &str) -> Option<Self> {
        for (program, package) in [("ip", "iproute2"), ("tcpreplay", "tcpreplay"), ("sysctl", "procps")] {
            if Command::new(program).arg("-V").output().is_err() {
                skip(&format!("needs {program} (package {package})"));
                return None;
            }
        }
        let id = format!("{}{name}", std::process::id());
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

    pub(crate) fn make(&self) {
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

    pub(crate) fn remove(&self) {
        ip(&["-n", &self.receiver, "link", "del", "bfvr"]);
    }

    /// Packets sent.
    pub(crate) fn replay(&self, capture: &Path) -> u64 {
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

pub(crate) fn within(namespace: &str, program: &str) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace, program]);
    command
}

pub(crate) fn ip(arguments: &[&str]) {
    succeed(Command::new("ip").args(arguments));
}

pub(crate) fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// Past the test harness, which hides what a passing test prints.
pub(crate) fn skip(reason: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED service_netns: {reason}");
}

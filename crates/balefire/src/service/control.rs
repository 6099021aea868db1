//! The control socket: a Unix socket with mode 0660 on which the running service answers one question per connection.
//!
//! In: a line, one of [`WORDS`]. Out: one JSON object, and the end of the connection. What comes from the wire is made
//! harmless here, so a client may print it. Not its job: the socket's loop (`listen`), showing answers (`ctl`).

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use balefire_detect::ControlServer;
use balefire_report::{clean, rfc3339};
use rustix::fs::Mode;
use rustix::process::{Signal, getpid, kill_process, umask};
use serde_json::{Value, json};

use super::listen::{Answerer, Door, serve};
use super::vitals::{State, Vitals};
use crate::exit::Failure;

/// What can be asked.
pub(crate) const WORDS: [&str; 6] = ["status", "servers", "hosts", "countries", "reload", "shutdown"];

/// The socket's name where the settings do not give one, in the output folder.
pub(crate) const DEFAULT_NAME: &str = ".balefire.sock";

/// The longest answer a client takes: a thousand servers with their hosts are some hundred kilobytes.
const MOST_ANSWER_BYTES: u64 = 16 << 20;

/// The socket, made before rights are given up. The folder's lock is held, so what lies there is of a dead instance.
pub(crate) fn bind(path: &Path) -> Result<UnixListener, Failure> {
    let refused = |error: io::Error| Failure::failed(format!("control socket {}: {error}", path.display()));
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(refused(error)),
        _ => {}
    }
    // Between making it and setting its mode nobody else may come in.
    let before = umask(Mode::from_bits_truncate(0o177));
    let bound = UnixListener::bind(path);
    umask(before);
    let listener = bound.map_err(refused)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o660)).map_err(refused)?;
    Ok(listener)
}

/// Answers from now on.
pub(crate) fn open(listener: UnixListener, vitals: &Vitals, landlock: &'static str) -> Result<(), Failure> {
    let control = Control {
        vitals: vitals.clone(),
        landlock,
    };
    serve("control", Door::Unix(listener), Box::new(control))
}

/// Asks a running service.
pub(crate) fn ask(path: &Path, word: &str) -> Result<Value, Failure> {
    let refused = |error: io::Error| {
        Failure::failed(format!(
            "{}: {error}; is the service running, and may this user reach its socket?",
            path.display()
        ))
    };
    let mut stream = UnixStream::connect(path).map_err(refused)?;
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .map_err(refused)?;
    stream.write_all(format!("{word}\n").as_bytes()).map_err(refused)?;
    let mut text = String::new();
    stream
        .take(MOST_ANSWER_BYTES)
        .read_to_string(&mut text)
        .map_err(refused)?;
    serde_json::from_str(&text).map_err(|error| Failure::failed(format!("the service's answer is no JSON: {error}")))
}

struct Control {
    vitals: Vitals,
    landlock: &'static str,
}

impl Answerer for Control {
    fn answer(&mut self, question: &[u8], ended: bool) -> Option<Vec<u8>> {
        if !ended && !question.contains(&b'\n') {
            return None;
        }
        let line = question.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let word = String::from_utf8_lossy(line);
        let answer = self.about(word.trim());
        Some(format!("{answer}\n").into_bytes())
    }
}

impl Control {
    fn about(&self, word: &str) -> Value {
        let signal = |signal| match kill_process(getpid(), signal) {
            Ok(()) => json!({"done": word}),
            Err(error) => json!({"error": error.to_string()}),
        };
        let state = self.vitals.state();
        match word {
            "status" => self.status(&state),
            "servers" => json!({"servers": state.snapshot.servers.iter().map(server).collect::<Vec<_>>()}),
            "hosts" => json!({"hosts": hosts(&state.snapshot.servers)}),
            "countries" => json!({"countries": countries(&state)}),
            "reload" => signal(Signal::HUP),
            "shutdown" => signal(Signal::TERM),
            other => json!({"error": format!("{:?} is none of {}", clean(other), WORDS.join(", "))}),
        }
    }

    fn status(&self, state: &State) -> Value {
        let snapshot = &state.snapshot;
        let accounting = &snapshot.accounting;
        let kernel = snapshot.kernel.unwrap_or_default();
        let dropped: u64 = snapshot.queues.iter().map(|queue| queue.dropped).sum();
        let threads = state.threads.iter();
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "sensor": clean(&state.sensor),
            "process": std::process::id(),
            "up_s": snapshot.elapsed_s.round(),
            "interfaces": state.interfaces.iter()
                .map(|(name, lost)| json!({"name": clean(name), "lost": lost}))
                .collect::<Vec<_>>(),
            "gaps": state.gaps,
            "packets": {
                "per_second": snapshot.packets_per_s.round(),
                "received": accounting.received,
                "decoded": accounting.decoded,
                "rejected": accounting.rejects.iter().map(|(_, frames)| frames).sum::<u64>(),
                "dropped_queue": dropped,
                "dropped_kernel": kernel.dropped_kernel,
                "dropped_interface": kernel.dropped_interface,
                "newest": snapshot.packet_time_ns.map(rfc3339),
            },
            "tables": snapshot.tables.iter()
                .map(|table| (table.name.to_owned(), json!({"entries": table.entries, "evicted": table.evicted})))
                .collect::<serde_json::Map<_, _>>(),
            "servers": snapshot.servers_by_class.iter().sum::<u64>(),
            "hours": {
                "kept": state.hours.kept,
                "lost": state.hours.lost,
                "last_end": state.hours.last_end_ns.map(rfc3339),
            },
            "alerts": {
                "sent": state.alerts.sent,
                "suppressed": state.alerts.suppressed,
                "failed": state.alerts.failed,
            },
            "threads": threads
                .map(|beat| json!({"name": clean(&beat.name), "silent_s": beat.silent().as_secs()}))
                .collect::<Vec<_>>(),
            "sandbox": rights(self.landlock),
        })
    }
}

/// As the kernel says, not as we meant it.
fn rights(landlock: &str) -> Value {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    let field = |name: &str| {
        let found = status.lines().find_map(|line| line.strip_prefix(name));
        found.map(|text| text.trim().to_owned())
    };
    json!({
        "capabilities": field("CapEff:"),
        "no_new_privs": field("NoNewPrivs:").map(|text| text == "1"),
        "seccomp": field("Seccomp:").map(|text| text == "2"),
        "landlock": landlock,
    })
}

fn server(server: &ControlServer) -> Value {
    json!({
        "rank": server.rank,
        "address": server.address.to_string(),
        "port": server.port,
        "protocol": server.transport.name(),
        "names": server.names.iter().map(|name| clean(name)).collect::<Vec<_>>(),
        "hosting_country": clean(server.country.code()),
        "class": server.class.name(),
        "score": (server.score * 1e4).round() / 1e4,
        "hosts": server.hosts.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "check_ins": server.check_ins,
        "first": rfc3339(server.first_ns),
        "last": rfc3339(server.last_ns),
    })
}

/// Each controlled host with its servers, in address order.
fn hosts(servers: &[ControlServer]) -> Vec<Value> {
    let mut hosts = std::collections::BTreeMap::<_, Vec<String>>::new();
    for server in servers {
        for host in &server.hosts {
            let place = format!("{}:{}", server.address, server.port);
            hosts.entry(*host).or_default().push(place);
        }
    }
    let hosts = hosts.into_iter();
    hosts
        .map(|(host, servers)| json!({"host": host.to_string(), "servers": servers}))
        .collect()
}

fn countries(state: &State) -> Vec<Value> {
    let rows = state.snapshot.countries.iter();
    rows.map(|row| {
        json!({
            "hosting_country": clean(row.country.code()),
            "servers": row.servers,
            "hosts": row.hosts,
            "rank_by_servers": row.rank_by_servers,
            "rank_by_hosts": row.rank_by_hosts,
        })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_answered_over_the_socket_and_others_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(DEFAULT_NAME);
        // What a killed instance leaves.
        drop(bind(&path).unwrap());
        let listener = bind(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        open(listener, &Vitals::new("tap", Vec::new()), "full").unwrap();
        for word in ["status", "servers", "hosts", "countries"] {
            let answer = ask(&path, word).unwrap();
            assert!(answer.get("error").is_none(), "{word}: {answer}");
        }
        assert_eq!(ask(&path, "status").unwrap()["sensor"], "tap");
        let refused = ask(&path, "rm -rf\u{1b}").unwrap();
        assert!(
            refused["error"].as_str().unwrap().contains("none of status"),
            "{refused}"
        );
        assert!(ask(&folder.path().join("none"), "status").is_err());
    }
}

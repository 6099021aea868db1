//! Tells the service manager how things are (systemd's sd_notify protocol).
//!
//! In: the first snapshot, every snapshot, the end. Out: READY, STATUS, WATCHDOG, STOPPING on the socket that NOTIFY_SOCKET
//! names, and nothing without one. The watchdog is fed only while every thread shows life: one that is stuck lets it bite.
//! Not its job: what a thread's life is (`vitals`).

use std::env;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use balefire_detect::Summary;
use balefire_pipeline::Snapshot;
use balefire_report::{counted, engineering};

use super::Attendant;
use super::vitals::Vitals;
use crate::output;

/// A thread is taken for stuck after this much silence even where the watchdog is slower: no block takes a second.
const MOST_SILENCE: Duration = Duration::from_secs(30);

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct Notifier {
    vitals: Vitals,
    /// Silence after which the watchdog is not fed: half of its own patience.
    limit: Duration,
    is_ready: bool,
    is_stuck: bool,
}

impl Notifier {
    pub(crate) fn new(vitals: Vitals) -> Self {
        let limit = watchdog().map_or(MOST_SILENCE, |patience| (patience / 2).min(MOST_SILENCE));
        Self {
            vitals,
            limit,
            is_ready: false,
            is_stuck: false,
        }
    }
}

impl Attendant for Notifier {
    fn hour(&mut self, _hour: &Summary, _kept: bool) {}

    fn tick(&mut self, snapshot: &Snapshot) {
        if !self.is_ready {
            self.is_ready = true;
            tell("READY=1");
        }
        let stuck = self.vitals.most_silent().filter(|(_, silent)| *silent > self.limit);
        match &stuck {
            Some((thread, silent)) if !self.is_stuck => output::complain(&format!(
                "thread {thread} has shown no life for {} s; the watchdog is not fed any more",
                silent.as_secs()
            )),
            None => tell("WATCHDOG=1"),
            _ => {}
        }
        self.is_stuck = stuck.is_some();
        let servers: u64 = snapshot.servers_by_class.iter().sum();
        tell(&format!(
            "STATUS={} packets/s, {}",
            engineering(snapshot.packets_per_s),
            counted(servers, "suspected control server")
        ));
    }
}

/// The end has begun.
pub(crate) fn stopping() {
    tell("STOPPING=1");
}

/// How patient the service manager's watchdog is, if it has one for this process (sd_watchdog_enabled(3)).
fn watchdog() -> Option<Duration> {
    let of = env::var("WATCHDOG_PID").ok();
    if of.is_some_and(|process| process != std::process::id().to_string()) {
        return None;
    }
    let microseconds = env::var("WATCHDOG_USEC").ok()?.parse().ok()?;
    Some(Duration::from_micros(microseconds))
}

/// One datagram, never waited for: a service manager that does not read must not hold the collector.
fn tell(state: &str) {
    let Some(name) = env::var_os("NOTIFY_SOCKET") else {
        return;
    };
    let address = match name.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        _ => SocketAddr::from_pathname(&name),
    };
    let sent = address.and_then(|address| {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        socket.send_to_addr(state.as_bytes(), &address)
    });
    // Nothing to be done where nobody listens: the watchdog says the rest.
    let _ = sent;
}

//! Tells the service manager how things are (systemd's sd_notify protocol).
//!
//! In: the first snapshot, every snapshot, the end. Out: READY, STATUS, WATCHDOG, STOPPING on the socket that NOTIFY_SOCKET
//! names, and nothing without one. The watchdog is fed only while every thread shows life: one that is stuck lets it bite.
//! Not its job: what a thread's life is (`vitals`).

use std::time::Duration;

use balefire_detect::Summary;
use balefire_pipeline::Snapshot;
use balefire_report::engineering;
use sd_notify::NotifyState;

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
        let limit = sd_notify::watchdog_enabled().map_or(MOST_SILENCE, |patience| (patience / 2).min(MOST_SILENCE));
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
            tell(&[NotifyState::Ready]);
        }
        let stuck = self.vitals.most_silent().filter(|(_, silent)| *silent > self.limit);
        match &stuck {
            Some((thread, silent)) if !self.is_stuck => output::complain(&format!(
                "thread {thread} has shown no life for {} s; the watchdog is not fed any more",
                silent.as_secs()
            )),
            None => tell(&[NotifyState::Watchdog]),
            _ => {}
        }
        self.is_stuck = stuck.is_some();
        let servers: u64 = snapshot.servers_by_class.iter().sum();
        tell(&[NotifyState::Status(&format!(
            "{} packets/s, {servers} suspected control servers",
            engineering(snapshot.packets_per_s)
        ))]);
    }
}

/// The end has begun.
pub(crate) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// A service manager that does not listen is no reason to stop.
pub(crate) fn tell(states: &[NotifyState<'_>]) {
    let _ = sd_notify::notify(states);
}

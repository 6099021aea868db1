//! Alerts: one JSON line for every finding (a host and the server that controls it) and every change of a server's class.
//!
//! In: the registry as it stands, once a second, and finished hours. Out: [`Event`]s to a file, standard output or syslog. A
//! finding is told when it is first seen, and not again; the hour that confirms it tells only what is new. At most so many
//! alerts per server and hour of wall time: the rest is counted, and the next alert of that server says how many. Not
//! its job: deciding what is a finding (`detect`).

mod event;
mod outputs;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use balefire_detect::{Address, Class, ControlServer, Summary, Transport};
use balefire_pipeline::Snapshot;

pub(crate) use self::event::Event;
use self::event::{Kind, Standing};
pub(crate) use self::outputs::{Output, Outputs};
use super::Attendant;
use super::vitals::{AlertCounts, Vitals};

/// Servers remembered as told of. At the limit the one that was quiet longest is forgotten: if it comes again, it is told of
/// again.
const MOST_SERVERS: usize = 10_000;

/// Hosts of a server that are told of one by one; of further ones nothing is told.
const MOST_HOSTS: usize = 4096;

/// The time over which alerts of a server are counted.
const WINDOW: Duration = Duration::from_secs(3600);

/// What tells servers apart; behind a relay the name does.
type ServerKey = (Address, u16, Transport, Option<String>);

/// What was told of a server.
#[derive(Debug)]
struct Told {
    class: Class,
    hosts: BTreeSet<Address>,
    seen: Instant,
    window: Instant,
    in_window: u32,
    suppressed: u64,
}

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct Alerts {
    sensor: String,
    per_hour: u32,
    told: BTreeMap<ServerKey, Told>,
    outputs: Outputs,
    counts: AlertCounts,
    vitals: Vitals,
}

impl Alerts {
    /// At most `per_hour` alerts of one server.
    pub(crate) fn new(sensor: &str, per_hour: u32, outputs: Outputs, vitals: Vitals) -> Self {
        Self {
            sensor: sensor.to_owned(),
            per_hour,
            told: BTreeMap::new(),
            outputs,
            counts: AlertCounts::default(),
            vitals,
        }
    }

    fn look(&mut self, servers: &[ControlServer], standing: Standing, now: Instant) {
        let before = self.counts;
        for server in servers {
            self.server(server, standing, now);
        }
        if self.counts != before {
            self.vitals.alerts(self.counts);
        }
    }

    fn server(&mut self, server: &ControlServer, standing: Standing, now: Instant) {
        let name = server.behind_relay.then(|| server.names.first().cloned()).flatten();
        let key = (server.address, server.port, server.transport, name);
        if !self.told.contains_key(&key) {
            self.make_room();
        }
        let told = self.told.entry(key).or_insert_with(|| Told {
            class: server.class,
            hosts: BTreeSet::new(),
            seen: now,
            window: now,
            in_window: 0,
            suppressed: 0,
        });
        told.seen = now;
        if now.duration_since(told.window) >= WINDOW {
            (told.window, told.in_window) = (now, 0);
        }
        let mut events = Vec::new();
        if told.class != server.class {
            events.push((Kind::ClassChange { from: told.class }, server.hosts.first().copied()));
            told.class = server.class;
        }
        // Mostly nothing is new, and the two sets are as long.
        if server.hosts.iter().any(|host| !told.hosts.contains(host)) {
            for host in &server.hosts {
                if told.hosts.len() >= MOST_HOSTS {
                    break;
                }
                if told.hosts.insert(*host) {
                    events.push((Kind::Finding, Some(*host)));
                }
            }
        }
        for (kind, host) in events {
            if told.in_window >= self.per_hour {
                told.suppressed += 1;
                self.counts.suppressed += 1;
                continue;
            }
            told.in_window += 1;
            let suppressed = std::mem::take(&mut told.suppressed);
            let event = Event::new(&self.sensor, server, host, kind, standing, suppressed);
            if self.outputs.send(&event) {
                self.counts.sent += 1;
            } else {
                self.counts.failed += 1;
            }
        }
    }

    fn make_room(&mut self) {
        if self.told.len() < MOST_SERVERS {
            return;
        }
        // Once per new server beyond ten thousand: rare, and a walk of a millisecond on the collector's thread.
        let oldest = self.told.iter().min_by_key(|(_, told)| told.seen);
        if let Some(key) = oldest.map(|(key, _)| key.clone()) {
            self.told.remove(&key);
        }
    }
}

impl Attendant for Alerts {
    fn hour(&mut self, hour: &Summary, _kept: bool) {
        self.look(&hour.servers, Standing::Hour, Instant::now());
    }

    fn tick(&mut self, snapshot: &Snapshot) {
        self.look(&snapshot.servers, Standing::Live, Instant::now());
    }
}

#[cfg(test)]
mod tests;

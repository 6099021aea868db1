//! Alerts: one JSON line for every finding (a host and the server that controls it) and every change of a server's class.
//!
//! In: the registry as it stands, once a second, and finished hours. Out: [`Event`]s to a file, standard output or syslog. A
//! finding is told when it is first seen, and not again; the hour that confirms it tells only what is new. What is new is first
//! asked about, so that its alert has the evidence of that moment: it waits a second for it, three at the most. At most so many
//! alerts per server and hour of wall time: the rest is counted, and the next alert of that server says how many. Not
//! its job: deciding what is a finding (`detect`).

mod cef;
mod community;
mod event;
mod memory;
mod orders;
mod outputs;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use balefire_detect::{Address, Asked, Class, ControlServer, Shared, State, Summary};
use balefire_pipeline::Snapshot;

pub(crate) use self::event::Event;
use self::event::{Kind, Standing};
pub(crate) use self::orders::Orders;
pub(crate) use self::outputs::{Output, OutputCounts, Outputs};
use super::Attendant;
use super::beside::{Beside, ServerKey, key};
use super::vitals::{AlertCounts, Vitals};

/// Servers remembered as told of. At the limit the one that was quiet longest is forgotten: if it comes again, it is told of
/// again.
const MOST_SERVERS: usize = 10_000;

/// Hosts of a server that are told of one by one; of further ones nothing is told.
const MOST_HOSTS: usize = 4096;

/// The time over which alerts of a server are counted.
const WINDOW: Duration = Duration::from_secs(3600);

/// Snapshots that an alert waits for the workers' evidence; then it is told without.
const PATIENCE: u32 = 3;

/// New hosts of a server that are asked about by name.
const MOST_ASKED_HOSTS: usize = 32;

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

/// News that wait for their evidence.
#[derive(Debug)]
struct Waiting {
    asked: Asked,
    servers: BTreeSet<ServerKey>,
    snapshots: u32,
}

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct Alerts {
    sensor: String,
    orders: Arc<Orders>,
    told: BTreeMap<ServerKey, Told>,
    outputs: Outputs,
    counts: AlertCounts,
    vitals: Vitals,
    /// Whom to ask for evidence; without it live alerts have none.
    shared: Option<Arc<Shared>>,
    waiting: Option<Waiting>,
}

impl Alerts {
    /// At most as many alerts of one server as `orders` say.
    pub(crate) fn new(sensor: &str, orders: Arc<Orders>, outputs: Outputs, vitals: Vitals) -> Self {
        Self {
            sensor: sensor.to_owned(),
            orders,
            told: BTreeMap::new(),
            outputs,
            counts: AlertCounts::default(),
            vitals,
            shared: None,
            waiting: None,
        }
    }

    /// Asks these workers for evidence.
    pub(crate) fn asking(mut self, shared: &Arc<Shared>) -> Self {
        self.shared = Some(Arc::clone(shared));
        self
    }

    /// Remembers what was told before a restart; what cannot be read is told again.
    pub(crate) fn remember(&mut self, beside: &[u8]) {
        self.told = memory::told(Beside::read(beside).alerts, Instant::now());
    }

    fn look(&mut self, servers: &[ControlServer], standing: Standing, now: Instant) {
        let before = self.counts;
        for server in servers {
            self.server(server, standing, now);
        }
        if self.counts != before {
            self.vitals.alerts(self.counts, self.outputs.counts());
        }
    }

    /// What is new since the last snapshot is asked about, and told with what has come.
    fn look_live(&mut self, servers: &[ControlServer], shared: &Shared, now: Instant) {
        if let Some(mut waiting) = self.waiting.take() {
            waiting.snapshots += 1;
            if !waiting.asked.is_answered() && waiting.snapshots < PATIENCE {
                self.waiting = Some(waiting);
                return;
            }
            self.tell(servers, &waiting, now);
        }
        let news: Vec<(&ControlServer, Vec<Address>)> = servers
            .iter()
            .filter_map(|server| Some((server, self.news(server, now)?)))
            .collect();
        if !news.is_empty() {
            let about: Vec<_> = news.iter().map(|(server, hosts)| (*server, &hosts[..])).collect();
            self.waiting = Some(Waiting {
                asked: shared.ask(&about),
                servers: news.iter().map(|(server, _)| key(server)).collect(),
                snapshots: 0,
            });
        }
    }

    fn tell(&mut self, servers: &[ControlServer], waiting: &Waiting, now: Instant) {
        let asked = waiting.asked.servers().into_iter();
        let mut evidence: BTreeMap<_, _> = asked.map(|server| (key(&server), server.evidence)).collect();
        let told: Vec<ControlServer> = servers
            .iter()
            .filter(|server| waiting.servers.contains(&key(server)))
            .map(|server| ControlServer {
                evidence: evidence.remove(&key(server)).unwrap_or_default(),
                ..server.clone()
            })
            .collect();
        self.look(&told, Standing::Live, now);
    }

    /// Whether there is something to tell of a server, and its new hosts, some of them where they are many.
    fn news(&mut self, server: &ControlServer, now: Instant) -> Option<Vec<Address>> {
        let Some(told) = self.told.get_mut(&key(server)) else {
            return Some(server.hosts.iter().take(MOST_ASKED_HOSTS).copied().collect());
        };
        told.seen = now;
        let has_room = told.hosts.len() < MOST_HOSTS;
        let new = server
            .hosts
            .iter()
            .filter(|host| has_room && !told.hosts.contains(host));
        let new: Vec<Address> = new.take(MOST_ASKED_HOSTS).copied().collect();
        (told.class != server.class || !new.is_empty()).then_some(new)
    }

    fn server(&mut self, server: &ControlServer, standing: Standing, now: Instant) {
        let key = key(server);
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
        let per_hour = self.orders.per_server_hourly();
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
            if told.in_window >= per_hour {
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

    fn state(&mut self, state: &mut State) {
        let mut beside = Beside::read(&state.beside);
        beside.alerts = memory::kept(&self.told);
        state.beside = beside.written();
    }

    fn tick(&mut self, snapshot: &Snapshot) {
        self.orders.take_up(|| self.outputs.reopen());
        match self.shared.clone() {
            Some(shared) => self.look_live(&snapshot.servers, &shared, Instant::now()),
            None => self.look(&snapshot.servers, Standing::Live, Instant::now()),
        }
    }
}

#[cfg(test)]
mod tests;

//! What the running program remembers for consoles, beyond the state of the moment: a minute of rates, events, the last hour and
//! the evidence of hours closed.
//!
//! In: snapshots and hours, on the collector's thread, from [`Vitals`](crate::service::vitals::Vitals). Out: a [`View`], and what
//! is known of one server, for a console of the same process or over the control socket. Everything is bounded; the lock is
//! held for copies. Not its job: turning the detector's values into the model's (`fill`), drawing.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use balefire_detect::{Asked, ControlServer, MOST_ASKED, Shared, Summary};
use balefire_pipeline::{Lost, Snapshot};
use balefire_report::{clean, counted, thousands};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::fill;
use super::view::{Event, EventKind, Explained, Grade, HISTORY_S, Hour, Rate, View};
use crate::output;
use crate::service::now::Now;
use crate::service::vitals::{State, nanoseconds, now_ns};

/// Events kept; the oldest go.
const MOST_EVENTS: usize = 500;
/// Servers whose class is remembered; beyond, all are forgotten and the standing ones are events once more.
const MOST_TOLD: usize = 10_000;
/// Servers whose evidence is kept after their hour, with a few kilobytes each; those of the oldest hours go.
const MOST_EXPLAINED: usize = 500;
/// Signs kept of each.
const MOST_SIGNS: usize = 8;
/// Hosts kept of each; all are counted elsewhere.
const MOST_HOSTS: usize = 256;
/// Between two events on losses at one place: one that goes on is told of once a minute.
const LOSS_EVERY_NS: i64 = 60_000_000_000;

/// Between two questions to the workers for the evidence of what a console lists, and how long after the last console they are asked.
const CURRENT_EVERY: Duration = Duration::from_secs(5);
const WATCHED_FOR: Duration = Duration::from_secs(15);

/// See the head of this file; clones share one board.
#[derive(Clone, Debug, Default)]
pub(crate) struct Board(Arc<Mutex<Record>>);

#[derive(Debug, Default)]
struct Record {
    rates: VecDeque<Rate>,
    events: VecDeque<Event>,
    hour: Option<Hour>,
    explained: BTreeMap<String, Proof>,
    told: BTreeMap<String, Grade>,
    lost_interfaces: Vec<String>,
    losses: [Loss; 3],
    words_seen: u64,
    current: Current,
}

/// The best servers with the evidence of some seconds ago, while somebody looks.
#[derive(Debug, Default)]
struct Current {
    looked: Option<Instant>,
    asked: Option<(Instant, Asked)>,
    servers: BTreeMap<String, ControlServer>,
}

/// Evidence of one server, of the hour it was last seen in.
#[derive(Debug)]
struct Proof {
    start_ns: i64,
    end_ns: i64,
    server: ControlServer,
    /// All signs it had; `server` keeps the best.
    signs: u64,
}

/// One place of loss.
#[derive(Clone, Copy, Debug, Default)]
struct Loss {
    /// Frames, when it was last told of.
    told: u64,
    next_ns: i64,
}

impl Board {
    /// Once a second. `interfaces` of a tap, and why each is lost, if it is.
    pub(crate) fn tick(&self, snapshot: &Snapshot, interfaces: &[(String, Option<Lost>)]) {
        let now_ns = now_ns();
        let mut record = self.0.lock();
        if record.rates.len() >= HISTORY_S {
            record.rates.pop_front();
        }
        record.rates.push_back(Rate {
            packets_per_s: snapshot.packets_per_s,
            bits_per_s: snapshot.bits_per_s,
        });
        record.words();
        record.findings(&snapshot.servers, now_ns);
        record.interfaces(interfaces, now_ns);
        record.losses(snapshot, now_ns);
    }

    /// Once a second, too: while a console looks, workers are asked for the evidence of the best servers now and then.
    pub(crate) fn keep_current(&self, snapshot: &Snapshot, shared: &Shared) {
        let mut record = self.0.lock();
        let current = &mut record.current;
        if current.looked.is_none_or(|looked| looked.elapsed() > WATCHED_FOR) {
            (current.asked, current.servers) = (None, BTreeMap::new());
            return;
        }
        if let Some((_, asked)) = current.asked.as_ref().filter(|(_, asked)| asked.is_answered()) {
            let known = asked.servers().into_iter().map(|server| (fill::id(&server), server));
            current.servers = known.collect();
        }
        if current
            .asked
            .as_ref()
            .is_none_or(|(when, _)| when.elapsed() >= CURRENT_EVERY)
        {
            let about: Vec<(&ControlServer, &[_])> = snapshot
                .servers
                .iter()
                .take(MOST_ASKED)
                .map(|server| (server, &[][..]))
                .collect();
            current.asked = (!about.is_empty()).then(|| (Instant::now(), shared.ask(&about)));
        }
    }

    /// An hour was closed.
    pub(crate) fn hour(&self, summary: &Summary, kept: bool) {
        let mut record = self.0.lock();
        record.event(now_ns(), EventKind::Hour, fill::hour_words(summary, kept));
        record.hour = Some(fill::hour(summary));
        for server in summary.servers.iter().take(MOST_EXPLAINED) {
            let mut kept = server.clone();
            kept.evidence.truncate(MOST_SIGNS);
            kept.hosts.truncate(MOST_HOSTS);
            let proof = Proof {
                start_ns: summary.period.start_ns,
                end_ns: summary.period.end_ns,
                server: kept,
                signs: server.evidence.len() as u64,
            };
            record.explained.insert(fill::id(server), proof);
        }
        record.forget_oldest();
    }

    /// Everything a console shows.
    pub(crate) fn view(&self, state: &State) -> View {
        let mut view = fill::view(state, now_ns());
        let mut record = self.0.lock();
        view.rates = record.rates.iter().copied().collect();
        view.events = record.events.iter().cloned().collect();
        view.hour = record.hour.clone();
        record.current.looked = Some(Instant::now());
        record.complete(&mut view);
        view
    }

    /// What is known of the server of this `id`; `None` where it is not suspected now, nor was in the hours remembered.
    /// `ask` brings the evidence of now; where workers do not answer, that of the last hour it was in stands.
    pub(crate) fn explain(
        &self,
        state: &State,
        id: &str,
        ask: impl FnOnce(&[&ControlServer]) -> Now,
    ) -> Option<Explained> {
        let servers = &state.snapshot.servers;
        let standing = servers.iter().find(|server| fill::id(server) == id);
        // Before the lock: it takes its time.
        let now = ask(standing.as_slice());
        let said = now.servers.first().filter(|said| !said.evidence.is_empty());
        let record = self.0.lock();
        let proof = record.explained.get(id);
        let known = said.or(proof.map(|proof| &proof.server));
        let mut explained = fill::explained(standing, known)?;
        if said.is_some() {
            explained.now_ns = now.as_of_ns;
        }
        explained.hour_ns = proof.map(|proof| (proof.start_ns, proof.end_ns));
        explained.signs_total = match (said, proof) {
            (Some(said), _) => said.evidence.len() as u64,
            (None, Some(proof)) => proof.signs,
            (None, None) => 0,
        };
        Some(explained)
    }

    /// The answer to `top` and `top ID` on the control socket.
    pub(crate) fn answer(&self, state: &State, id: &str, ask: impl FnOnce(&[&ControlServer]) -> Now) -> Value {
        let answer = if id.is_empty() {
            serde_json::to_value(self.view(state))
        } else {
            match self.explain(state, id, ask) {
                Some(explained) => serde_json::to_value(explained),
                None => return failed(&format!("{} is not suspected now", clean(id))),
            }
        };
        answer.unwrap_or_else(|error| failed(&error.to_string()))
    }
}

fn failed(why: &str) -> Value {
    json!({"error": why})
}

impl Record {
    fn event(&mut self, time_ns: i64, kind: EventKind, text: String) {
        if self.events.len() >= MOST_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(Event { time_ns, kind, text });
    }

    /// What hours that were closed know better: how a server stands now is as of its last judgement, which may be an eighth
    /// of its check-ins ago.
    fn complete(&self, view: &mut View) {
        for server in &mut view.servers {
            let proof = self.explained.get(&server.id).map(|proof| &proof.server);
            // What is known now goes before what an hour knew.
            for known in proof.into_iter().chain(self.current.servers.get(&server.id)) {
                fill::complete(server, known);
            }
        }
        for host in &mut view.hosts {
            if let Some(proof) = self.explained.get(&host.best) {
                host.last_ns = host.last_ns.max(proof.server.last_ns);
            }
        }
    }

    /// What the program said on standard error.
    fn words(&mut self) {
        let (words, newest) = output::said_since(self.words_seen);
        self.words_seen = newest;
        for (time, line) in words {
            self.event(nanoseconds(time), EventKind::Word, clean(&line));
        }
    }

    fn findings(&mut self, servers: &[ControlServer], now_ns: i64) {
        for server in servers {
            if self.told.len() >= MOST_TOLD {
                self.told.clear();
            }
            let (id, grade) = (fill::id(server), Grade::from(server.class));
            let before = self.told.get(&id).copied();
            if before.is_none_or(|before| before < grade) {
                self.event(now_ns, EventKind::Finding, fill::finding_words(server, before));
                self.told.insert(id, grade);
            }
        }
    }

    fn interfaces(&mut self, interfaces: &[(String, Option<Lost>)], now_ns: i64) {
        for (name, lost) in interfaces {
            let known = self.lost_interfaces.iter().position(|lost| lost == name);
            match (known, lost) {
                (None, Some(lost)) => {
                    self.lost_interfaces.push(name.clone());
                    let words = format!("{} is lost: {}", clean(name), clean(&lost.reason));
                    self.event(now_ns, EventKind::Gap, words);
                }
                (Some(place), None) => {
                    self.lost_interfaces.swap_remove(place);
                    self.event(now_ns, EventKind::Gap, format!("{} is back", clean(name)));
                }
                _ => {}
            }
        }
    }

    fn losses(&mut self, snapshot: &Snapshot, now_ns: i64) {
        let kernel = snapshot.kernel.unwrap_or_default();
        let queues = snapshot.queues.iter().map(|queue| queue.dropped).sum();
        let places = [
            (kernel.dropped_kernel, "in the kernel's ring"),
            (kernel.dropped_interface, "by the interface"),
            (queues, "at full queues"),
        ];
        for (index, (frames, place)) in places.into_iter().enumerate() {
            let loss = &mut self.losses[index];
            let new = frames.saturating_sub(loss.told);
            if new == 0 || now_ns < loss.next_ns {
                continue;
            }
            *loss = Loss {
                told: frames,
                next_ns: now_ns.saturating_add(LOSS_EVERY_NS),
            };
            let text = format!("{} lost {place}, {} in all", counted(new, "frame"), thousands(frames));
            self.event(now_ns, EventKind::Loss, text);
        }
    }

    fn forget_oldest(&mut self) {
        let surplus = self.explained.len().saturating_sub(MOST_EXPLAINED);
        if surplus == 0 {
            return;
        }
        let mut ends: Vec<(i64, String)> = self
            .explained
            .iter()
            .map(|(id, proof)| (proof.end_ns, id.clone()))
            .collect();
        ends.sort_unstable();
        for (_, id) in ends.into_iter().take(surplus) {
            self.explained.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use balefire_detect::{Address, Class, Country, Transport};
    use balefire_pipeline::QueueGauge;

    use super::*;

    fn server(last: u8, class: Class) -> ControlServer {
        ControlServer {
            rank: 1,
            address: Address::v4([192, 0, 2, last]),
            port: 443,
            transport: Transport::TCP,
            names: Vec::new(),
            country: Country(*b"NL"),
            class,
            score: 0.97,
            hosts: vec![Address::v4([10, 0, 0, 1])],
            first_ns: 1,
            last_ns: 2,
            check_ins: 9,
            behind_relay: false,
            evidence: Vec::new(),
        }
    }

    fn kinds(board: &Board) -> Vec<EventKind> {
        let record = board.0.lock();
        let events = record.events.iter().filter(|event| event.kind != EventKind::Word);
        events.map(|event| event.kind).collect()
    }

    #[test]
    fn a_server_is_an_event_once_per_class() {
        let board = Board::default();
        let tick = |class| {
            let servers = vec![server(1, class)];
            let snapshot = Snapshot {
                servers,
                ..Snapshot::default()
            };
            board.tick(&snapshot, &[]);
        };
        tick(Class::Suspected);
        tick(Class::Suspected);
        assert_eq!(kinds(&board).len(), 1);
        tick(Class::Probable);
        tick(Class::Suspected);
        assert_eq!(kinds(&board), [EventKind::Finding; 2]);
        let record = board.0.lock();
        assert_eq!(
            record.events.iter().next_back().map(|event| event.text.as_str()),
            Some("now probable, was suspected: 192.0.2.1:443/tcp, NL Netherlands, score 0.97, 1 host")
        );
    }

    #[test]
    fn an_hour_knows_the_last_check_in_better() {
        let board = Board::default();
        let standing = server(1, Class::Probable);
        let mut closed = standing.clone();
        (closed.last_ns, closed.check_ins) = (50, 12);
        let proof = Proof {
            start_ns: 0,
            end_ns: 60,
            signs: 9,
            server: closed,
        };
        let id = fill::id(&standing);
        board.0.lock().explained.insert(id.clone(), proof);
        let vitals = crate::service::vitals::Vitals::new("tap", Vec::new());
        let mut state = vitals.state();
        state.snapshot.servers = vec![standing];
        let view = board.view(&state);
        assert_eq!((view.servers[0].last_ns, view.servers[0].check_ins), (50, 12));
        assert_eq!(view.hosts[0].last_ns, 50);
        let nobody = |_: &[&ControlServer]| Now::default();
        let known = board.explain(&state, &id, nobody).unwrap();
        assert_eq!((known.hour_ns, known.signs_total), (Some((0, 60)), 9));
        let answer = board.answer(&state, &id, nobody);
        assert_eq!(answer["server"]["id"], id);
        let other = board.answer(&state, "192.0.2.9:1/tcp\u{1b}", nobody);
        assert_eq!(other["error"], "192.0.2.9:1/tcp\u{fffd} is not suspected now");
        assert_eq!(board.answer(&state, "", nobody)["schema"], "balefire-top/1");
    }

    fn gone() -> Lost {
        Lost {
            since_ns: 0,
            reason: "gone".to_owned(),
        }
    }

    #[test]
    fn interfaces_and_losses_are_events_when_they_change() {
        let board = Board::default();
        let mut snapshot = Snapshot {
            queues: vec![QueueGauge::default()],
            ..Snapshot::default()
        };
        let lost = |lost: bool| [("eth2".to_owned(), lost.then(gone))];
        board.tick(&snapshot, &lost(false));
        assert!(kinds(&board).is_empty());
        board.tick(&snapshot, &lost(true));
        board.tick(&snapshot, &lost(true));
        board.tick(&snapshot, &lost(false));
        assert_eq!(kinds(&board), [EventKind::Gap; 2]);
        for dropped in [5, 5, 9] {
            snapshot.queues[0].dropped = dropped;
            board.tick(&snapshot, &lost(false));
        }
        // The second loss is within the minute of the first.
        assert_eq!(kinds(&board), [EventKind::Gap, EventKind::Gap, EventKind::Loss]);
    }

    #[test]
    fn history_and_events_are_bounded() {
        let board = Board::default();
        for round in 0..MOST_EVENTS + 70 {
            let lost = round % 2 == 0;
            board.tick(&Snapshot::default(), &[("eth2".to_owned(), lost.then(gone))]);
        }
        let record = board.0.lock();
        assert_eq!((record.rates.len(), record.events.len()), (HISTORY_S, MOST_EVENTS));
    }
}

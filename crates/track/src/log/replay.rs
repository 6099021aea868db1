//! Entries in order of time, told to a sink as the connections they describe: opened, facts, bursts, volume, closed.
//!
//! A connection's line is written when it ends and tells everything at once; here it is opened at its beginning and closed
//! at its end, so that what other logs saw inside it finds it open. Not its job: sorting ([`super::Window`]).

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::hash_map::{Entry as Place, HashMap};

use foldhash::fast::RandomState;

use crate::{BURST_GAP_NS, Closed, ConnState, Endpoints, Fact, Opened, Sink, Volume};

use super::entry::{Ending, Entry, EntryKind, JoinKey, Name};
use super::learnt;

/// A connection stays open this long after its last packet: times in logs are rounded to a microsecond, and a line of
/// another log may carry the very time at which the connection ended.
const LINGER_NS: i64 = 1_000_000_000;

/// A fact whose connection has no line yet opens it; it waits this long for that line, or for more facts. Zeek ends idle
/// TCP connections after 5 minutes (`tcp_inactivity_timeout`); this is three times as long.
const WAIT_NS: i64 = 900_000_000_000;

/// What was joined and what was not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplayCounters {
    /// Connections with a line of their own.
    pub connections: u64,
    /// Facts and requests told inside a connection that was open.
    pub facts_joined: u64,
    /// Connections that were opened by a fact and got no line of their own.
    pub facts_alone: u64,
    /// Lines of connections that were open already: the same log given twice.
    pub duplicates: u64,
    /// Connections closed before their end because too many were open; facts that come later stand alone.
    pub closed_early: u64,
}

impl ReplayCounters {
    /// Adds another worker's counters.
    pub fn add(&mut self, other: &Self) {
        self.connections += other.connections;
        self.facts_joined += other.facts_joined;
        self.facts_alone += other.facts_alone;
        self.duplicates += other.duplicates;
        self.closed_early += other.closed_early;
    }
}

/// A connection that is open.
#[derive(Debug)]
struct Open {
    tag: u32,
    endpoints: Endpoints,
    join: JoinKey,
    first_ns: i64,
    last_ns: i64,
    /// When it may be closed.
    until_ns: i64,
    last_request_ns: Option<i64>,
    /// From its own line; `None` as long as only facts are known.
    ending: Option<Ending>,
}

/// Tells entries to a sink.
#[derive(Debug)]
pub struct Replay {
    open: Vec<Option<Open>>,
    free: Vec<u32>,
    by_join: HashMap<JoinKey, u32, RandomState>,
    /// One per open connection: when to look at it again, in which order they were opened, where it is.
    due: BinaryHeap<Reverse<(i64, u64, u32)>>,
    opened: u64,
    limit: usize,
    counters: ReplayCounters,
}

impl Replay {
    /// Keeps at most `limit` connections open, at least one.
    pub fn new(limit: usize) -> Self {
        Self {
            open: Vec::new(),
            free: Vec::new(),
            by_join: HashMap::default(),
            due: BinaryHeap::new(),
            opened: 0,
            limit: limit.clamp(1, u32::MAX as usize),
            counters: ReplayCounters::default(),
        }
    }

    /// What was joined so far.
    pub fn counters(&self) -> ReplayCounters {
        self.counters
    }

    /// Connections open now.
    pub fn live(&self) -> u64 {
        self.due.len() as u64
    }

    /// Tells one entry, and before it what ended in the meantime.
    pub fn entry(&mut self, entry: &Entry, sink: &mut impl Sink) {
        self.advance(entry.time_ns, sink);
        match entry.kind {
            EntryKind::Connection(ending) => self.connection(entry, ending, sink),
            EntryKind::Fact => {
                self.inside(entry, sink);
            }
            EntryKind::Request { payload_bytes } => {
                let slot = self.inside(entry, sink);
                self.request(slot, entry.time_ns, payload_bytes, sink);
            }
        }
    }

    /// Closes what ended before `time_ns`.
    pub fn advance(&mut self, time_ns: i64, sink: &mut impl Sink) {
        while let Some(&Reverse((due_ns, order, slot))) = self.due.peek()
            && due_ns < time_ns
        {
            self.due.pop();
            // Facts push the end of a waiting connection back; the heap learns of it only here.
            match self.until(slot) {
                Some(until_ns) if until_ns > due_ns => self.due.push(Reverse((until_ns, order, slot))),
                _ => self.close(slot, sink),
            }
        }
    }

    /// Closes everything, in order of its end.
    pub fn flush(&mut self, sink: &mut impl Sink) {
        self.advance(i64::MAX, sink);
        while let Some(Reverse((_, _, slot))) = self.due.pop() {
            self.close(slot, sink);
        }
    }

    fn connection(&mut self, entry: &Entry, ending: Ending, sink: &mut impl Sink) {
        let last_ns = entry.time_ns.saturating_add(ending.duration_ns);
        if let Some(open) = self.find(entry).and_then(|slot| self.open[slot as usize].as_mut()) {
            if open.ending.is_some() {
                self.counters.duplicates += 1;
                return;
            }
            // A fact came first: the connection's own line was written so late that it fell out of the window.
            self.counters.connections += 1;
            open.ending = Some(ending);
            open.first_ns = open.first_ns.min(entry.time_ns);
            open.last_ns = open.last_ns.max(last_ns);
            open.until_ns = open.until_ns.max(last_ns.saturating_add(LINGER_NS));
            return;
        }
        self.counters.connections += 1;
        let tag = sink.opened(&Opened {
            endpoints: entry.endpoints,
            time_ns: entry.time_ns,
            mid_stream: false,
        });
        tell_learnt(entry, tag, sink);
        let open = Open {
            tag,
            endpoints: entry.endpoints,
            join: entry.join,
            first_ns: entry.time_ns,
            last_ns,
            until_ns: last_ns.saturating_add(LINGER_NS),
            last_request_ns: None,
            ending: Some(ending),
        };
        if entry.join == JoinKey::NONE && ending.duration_ns == 0 {
            tell_end(&open, sink);
        } else {
            self.keep(open, sink);
        }
    }

    /// A fact or request: finds its connection, or opens one.
    fn inside(&mut self, entry: &Entry, sink: &mut impl Sink) -> u32 {
        let slot = self.find(entry).unwrap_or_else(|| {
            let opened = Opened {
                endpoints: entry.endpoints,
                time_ns: entry.time_ns,
                mid_stream: false,
            };
            let open = Open {
                tag: sink.opened(&opened),
                endpoints: entry.endpoints,
                join: entry.join,
                first_ns: entry.time_ns,
                last_ns: entry.time_ns,
                until_ns: entry.time_ns,
                last_request_ns: None,
                ending: None,
            };
            self.keep(open, sink)
        });
        if let Some(open) = &mut self.open[slot as usize] {
            if open.ending.is_none() {
                let wait_ns = if open.join == JoinKey::NONE { 0 } else { WAIT_NS };
                open.last_ns = open.last_ns.max(entry.time_ns);
                open.until_ns = open.last_ns.saturating_add(wait_ns);
            }
            self.counters.facts_joined += u64::from(open.ending.is_some());
            tell_learnt(entry, open.tag, sink);
        }
        slot
    }

    fn request(&mut self, slot: u32, time_ns: i64, payload_bytes: u32, sink: &mut impl Sink) {
        if let Some(open) = &mut self.open[slot as usize] {
            let last_ns = open.last_request_ns.replace(time_ns);
            if last_ns.is_none_or(|last_ns| time_ns.saturating_sub(last_ns) >= BURST_GAP_NS) {
                sink.burst(open.tag, &open.endpoints, time_ns, payload_bytes);
            }
        }
    }

    /// The open connection of this identifier between these addresses.
    fn find(&self, entry: &Entry) -> Option<u32> {
        if entry.join == JoinKey::NONE {
            return None;
        }
        let slot = *self.by_join.get(&entry.join)?;
        let open = self.open[slot as usize].as_ref()?;
        let same = open.endpoints.originator == entry.endpoints.originator
            && open.endpoints.responder == entry.endpoints.responder;
        same.then_some(slot)
    }

    fn keep(&mut self, open: Open, sink: &mut impl Sink) -> u32 {
        if self.due.len() >= self.limit
            && let Some(Reverse((_, _, slot))) = self.due.pop()
        {
            self.counters.closed_early += 1;
            self.close(slot, sink);
        }
        let slot = self.free.pop().unwrap_or_else(|| {
            self.open.push(None);
            (self.open.len() - 1) as u32
        });
        if open.join != JoinKey::NONE {
            self.by_join.insert(open.join, slot);
        }
        self.due.push(Reverse((open.until_ns, self.opened, slot)));
        self.opened += 1;
        self.open[slot as usize] = Some(open);
        slot
    }

    fn until(&self, slot: u32) -> Option<i64> {
        self.open[slot as usize].as_ref().map(|open| open.until_ns)
    }

    fn close(&mut self, slot: u32, sink: &mut impl Sink) {
        let Some(open) = self.open[slot as usize].take() else {
            return;
        };
        self.free.push(slot);
        if let Place::Occupied(place) = self.by_join.entry(open.join)
            && *place.get() == slot
        {
            place.remove();
        }
        self.counters.facts_alone += u64::from(open.ending.is_none());
        tell_end(&open, sink);
    }
}

fn tell_learnt(entry: &Entry, tag: u32, sink: &mut impl Sink) {
    if let Some(Name { text, kind, port }) = &entry.name {
        let fact = Fact::Name {
            kind: *kind,
            name: text,
            port: *port,
        };
        sink.fact(tag, &entry.endpoints, entry.time_ns, &fact);
    }
    learnt::tell(entry, |fact| sink.fact(tag, &entry.endpoints, entry.time_ns, fact));
}

fn tell_end(open: &Open, sink: &mut impl Sink) {
    // Of a connection known by facts only nothing is known of how it ended, so no failure is claimed.
    let unknown = Ending {
        duration_ns: 0,
        state: ConnState::Oth,
        sent: Volume::default(),
        received: Volume::default(),
    };
    let Ending {
        state, sent, received, ..
    } = open.ending.unwrap_or(unknown);
    for (from_originator, volume) in [(true, &sent), (false, &received)] {
        if *volume != Volume::default() {
            sink.volume(open.tag, from_originator, open.last_ns, volume);
        }
    }
    let Open {
        tag,
        endpoints,
        first_ns,
        last_ns,
        ..
    } = *open;
    sink.closed(
        tag,
        &Closed {
            endpoints,
            first_ns,
            last_ns,
            state,
            sent,
            received,
        },
    );
}

//! The timelines of one worker, with what is known about each beside its times.
//!
//! In: records of pairs seen three times. Out: records by slot. Not its job: deciding what a check-in is, scoring.
//!
//! A flood of new pairs must not push out what was learnt over days. So a timeline starts on probation, a list that is
//! evicted oldest first, and is established at [`ESTABLISHED_AT`] check-ins. Probation gets at least an eighth of the
//! room; only when it holds less than that does an established timeline go, the least worth of a few that a hand passes.

use balefire_decode::{Address, Transport};
use balefire_track::Protocol;
use balefire_track::index::Index;
use balefire_track::prefetch::fetch;

use crate::Timeline;
use crate::home::Role;
use crate::key::Scope;
use crate::names::NO_NAME;
use crate::slab::Slab;
use crate::summary::EvidenceKind;

/// Check-ins from which a timeline is established: the fewest at which a beacon of any usual jitter can be told at all.
pub(crate) const ESTABLISHED_AT: u32 = 8;
/// Starts closer than this are one client opening several connections at once. Browsers open up to six to a server at a
/// time (RFC 9112 section 9.4 has no limit, common practice is six); the shortest sleeps of implants are above.
const PARALLEL_NS: i64 = 200_000_000;
/// Established timelines compared before one of them goes.
const COMPARED: usize = 8;
/// End of a list.
const NONE: u32 = u32::MAX;

/// A timeline and its circumstances.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) hash: u64,
    pub(crate) host: Address,
    /// The server's address; of a name served from several the one most used (majority vote, Boyer and Moore 1981).
    pub(crate) server: Address,
    votes: u32,
    pub(crate) port: u16,
    pub(crate) transport: Transport,
    pub(crate) kind: EvidenceKind,
    pub(crate) scope: Scope,
    pub(crate) role: Role,
    /// The name it is keyed by, or for an address the last name used for it.
    pub(crate) name: u32,
    /// The port named with a CONNECT target.
    pub(crate) target_port: u16,
    /// Connections that gave a name for the server.
    pub(crate) named: u32,
    /// Connections that turned out to be requests to a proxy.
    pub(crate) relayed: u32,
    /// Connections that ended since the record began.
    pub(crate) closed: u32,
    /// Those that were never answered or were rejected.
    pub(crate) failed: u32,
    /// Connections and other starts so far, and those that began within [`PARALLEL_NS`] of the one before.
    pub(crate) starts: u32,
    pub(crate) parallel: u32,
    last_start_ns: i64,
    /// Ended connections whose TLS hello named no server, and those whose certificate is none of a public authority's.
    pub(crate) bare_hellos: u16,
    pub(crate) odd_certificates: u16,
    /// Those with an HTTP request that names no server, and those of them that post.
    pub(crate) bare_requests: u16,
    pub(crate) bare_posts: u16,
    /// Those whose payload was something else than their port stands for.
    pub(crate) mismatched: u16,
    /// What the payload of the last one was.
    pub(crate) protocol: Option<Protocol>,
    /// Payload that ended connections had received.
    pub(crate) received_bytes: u64,
    /// Payload that they had sent; of one connection at most 4 GiB.
    pub(crate) sent_bytes: u64,
    /// Payload that the last ended connection had sent, until a check-in takes it as its size.
    pub(crate) sent_last_bytes: u32,
    /// Seeded hash of the last client's fingerprint, 0 if none was shown.
    pub(crate) client: u64,
    /// Length of more than half of the answers, if there is one, by majority vote.
    answer_bytes: u32,
    pub(crate) answer_votes: u32,
    /// The host's port in the last connection to `server`; 0 before one in this run.
    pub(crate) client_port: u16,
    /// The last period with a check-in.
    pub(crate) period: u32,
    /// Check-ins when it was last scored, and the timing log-odds then.
    pub(crate) scored_at: u32,
    pub(crate) timing_log_odds: f32,
    /// As the registry has it: 0 not there, 1 suspected, 2 probable.
    pub(crate) class: u8,
    /// It belongs to an active group of servers.
    pub(crate) grouped: bool,
    touched: bool,
    established: bool,
    older: u32,
    newer: u32,
    pub(crate) timeline: Timeline,
}

/// What is kept beside the times stays below three eighths of them.
const _: () = assert!(size_of::<Record>() <= Timeline::MAX_BYTES + 184);

impl Record {
    /// A new record, on probation.
    pub(crate) fn new(
        hash: u64,
        host: Address,
        server: Address,
        port: u16,
        transport: Transport,
        timeline: Timeline,
    ) -> Self {
        Self {
            hash,
            host,
            server,
            votes: 1,
            port,
            transport,
            kind: EvidenceKind::ConnectionBeacon,
            scope: Scope::Service,
            role: Role::Outbound,
            name: NO_NAME,
            target_port: 0,
            named: 0,
            relayed: 0,
            closed: 0,
            failed: 0,
            starts: 0,
            parallel: 0,
            last_start_ns: i64::MIN,
            bare_hellos: 0,
            odd_certificates: 0,
            bare_requests: 0,
            bare_posts: 0,
            mismatched: 0,
            protocol: None,
            received_bytes: 0,
            sent_bytes: 0,
            sent_last_bytes: 0,
            client: 0,
            answer_bytes: 0,
            answer_votes: 0,
            client_port: 0,
            period: 0,
            scored_at: 0,
            timing_log_odds: f32::NEG_INFINITY,
            class: 0,
            grouped: false,
            touched: false,
            established: false,
            older: NONE,
            newer: NONE,
            timeline,
        }
    }

    /// A check-in went to this address. True if it is the most used one from now on.
    pub(crate) fn vote(&mut self, server: Address, port: u16, transport: Transport) -> bool {
        if (self.server, self.port, self.transport) == (server, port, transport) {
            self.votes = self.votes.saturating_add(1);
            return false;
        }
        if self.votes > 0 {
            self.votes -= 1;
            return false;
        }
        (self.server, self.port, self.transport, self.votes) = (server, port, transport, 1);
        self.client_port = 0;
        true
    }

    /// It was used from this port of the host; of interest where it went to the server that it stands for.
    #[inline]
    pub(crate) fn used_from(&mut self, server: Address, port: u16, client_port: u16) {
        if (self.server, self.port) == (server, port) {
            self.client_port = client_port;
        }
    }

    /// A connection began; several at once are what browsers do.
    pub(crate) fn started(&mut self, time_ns: i64) {
        self.starts = self.starts.saturating_add(1);
        if time_ns.saturating_sub(self.last_start_ns) < PARALLEL_NS {
            self.parallel = self.parallel.saturating_add(1);
        }
        self.last_start_ns = time_ns;
    }

    /// An ended connection's share in what is known.
    pub(crate) fn ended(&mut self, end: &End) {
        self.closed = self.closed.saturating_add(1);
        self.failed = self.failed.saturating_add(u32::from(end.failed));
        self.relayed = self.relayed.saturating_add(u32::from(end.relayed));
        self.named = self.named.saturating_add(u32::from(end.named));
        self.bare_hellos = self.bare_hellos.saturating_add(u16::from(end.bare_hello));
        self.odd_certificates = self.odd_certificates.saturating_add(u16::from(end.odd_certificate));
        self.bare_requests = self.bare_requests.saturating_add(u16::from(end.bare_request));
        self.bare_posts = self.bare_posts.saturating_add(u16::from(end.bare_post));
        self.mismatched = self.mismatched.saturating_add(u16::from(end.mismatched));
        self.protocol = end.protocol.or(self.protocol);
        self.received_bytes = self.received_bytes.saturating_add(end.received_bytes);
        self.sent_bytes = self.sent_bytes.saturating_add(u64::from(end.sent_bytes));
        self.sent_last_bytes = end.sent_bytes;
        if end.client != 0 {
            self.client = end.client;
        }
        if end.answer_bytes == self.answer_bytes {
            self.answer_votes = self.answer_votes.saturating_add(1);
        } else if self.answer_votes == 0 {
            (self.answer_bytes, self.answer_votes) = (end.answer_bytes, 1);
        } else {
            self.answer_votes -= 1;
        }
    }

    /// Share by which one length of answers outnumbers all others; none below four answers, or where there were none.
    pub(crate) fn answers_alike(&self) -> Option<f64> {
        let answered = self.closed.saturating_sub(self.failed);
        (answered >= 4 && self.answer_bytes > 0).then(|| f64::from(self.answer_votes) / f64::from(self.closed))
    }

    /// What was known of a group's first member is known of the group.
    pub(crate) fn inherit(&mut self, first: &Self) {
        (self.named, self.relayed, self.closed) = (first.named, first.relayed, first.closed);
        (self.failed, self.starts, self.parallel) = (first.failed, first.starts, first.parallel);
        (self.bare_hellos, self.odd_certificates) = (first.bare_hellos, first.odd_certificates);
        (self.bare_requests, self.bare_posts) = (first.bare_requests, first.bare_posts);
        (self.mismatched, self.protocol) = (first.mismatched, first.protocol);
        (self.received_bytes, self.sent_bytes) = (first.received_bytes, first.sent_bytes);
    }

    /// The address that is part of a name's key: where workers are chosen by pairs of addresses, only one sees them all.
    pub(crate) fn relay(&self) -> Option<Address> {
        (self.role != Role::Outbound).then_some(self.server)
    }

    /// What is lost if it goes: compared in this order.
    fn worth(&self) -> (u8, bool, i32, u32) {
        // Whole log-odds: a beacon's are above, browsing's far below zero.
        (
            self.class,
            self.timing_log_odds > 0.0,
            i32::from(self.touched),
            self.timeline.check_ins(),
        )
    }
}

/// What an ended connection says of its timelines.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub(crate) failed: bool,
    pub(crate) relayed: bool,
    pub(crate) named: bool,
    pub(crate) bare_hello: bool,
    pub(crate) odd_certificate: bool,
    pub(crate) bare_request: bool,
    pub(crate) bare_post: bool,
    pub(crate) mismatched: bool,
    pub(crate) protocol: Option<Protocol>,
    pub(crate) sent_bytes: u32,
    pub(crate) received_bytes: u64,
    /// Length of the answer: of its HTTP body where that is told, else all payload received.
    pub(crate) answer_bytes: u32,
    /// Seeded hash of the client's fingerprint, 0 if it showed none.
    pub(crate) client: u64,
}

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct Ledger {
    index: Index,
    records: Slab<Option<Record>>,
    free: Vec<u32>,
    limit: usize,
    live: usize,
    probation: usize,
    oldest: u32,
    newest: u32,
    hand: u32,
    evicted_probation: u64,
    evicted_established: u64,
}

impl Ledger {
    pub(crate) fn new(limit: usize) -> Self {
        let limit = limit.max(COMPARED);
        Self {
            index: Index::new(limit),
            records: Slab::new(),
            free: Vec::new(),
            limit,
            live: 0,
            probation: 0,
            oldest: NONE,
            newest: NONE,
            hand: 0,
            evicted_probation: 0,
            evicted_established: 0,
        }
    }

    #[inline]
    pub(crate) fn find(&self, hash: u64) -> Option<u32> {
        self.index
            .find(hash, |slot| self.at(slot).is_some_and(|record| record.hash == hash))
    }

    #[inline]
    pub(crate) fn at(&self, slot: u32) -> Option<&Record> {
        self.records.get(slot).and_then(Option::as_ref)
    }

    #[inline]
    pub(crate) fn at_mut(&mut self, slot: u32) -> Option<&mut Record> {
        self.records.get_mut(slot).and_then(Option::as_mut)
    }

    /// Asks for the line of the index where a record of this hash will be searched for.
    #[inline]
    pub(crate) fn prefetch_index(&self, hash: u64) {
        self.index.prefetch(hash);
    }

    /// Asks for the record itself, when that line has come.
    #[inline]
    pub(crate) fn prefetch_entry(&self, hash: u64) {
        if let Some(slot) = self.index.candidate(hash) {
            self.prefetch_slot(slot);
        }
    }

    /// Asks for the record in this slot.
    #[inline]
    pub(crate) fn prefetch_slot(&self, slot: u32) {
        self.records.get(slot).map(fetch);
    }

    /// Adds a record; returns its slot and the record that had to go.
    pub(crate) fn insert(&mut self, record: Record) -> (u32, Option<Record>) {
        let evicted = if self.live >= self.limit { self.evict() } else { None };
        let hash = record.hash;
        let slot = match self.free.pop() {
            Some(slot) => {
                if let Some(place) = self.records.get_mut(slot) {
                    *place = Some(record);
                }
                slot
            }
            None => self.records.push(Some(record)),
        };
        let records = &self.records;
        self.index.insert(hash, slot, |slot| {
            records
                .get(slot)
                .and_then(Option::as_ref)
                .map_or(0, |record| record.hash)
        });
        self.live += 1;
        self.append(slot);
        (slot, evicted)
    }

    /// A check-in happened: it is warm, and perhaps established now.
    #[inline]
    pub(crate) fn checked_in(&mut self, slot: u32) {
        let Some(record) = self.at_mut(slot) else { return };
        record.touched = true;
        if !record.established && record.timeline.check_ins() >= ESTABLISHED_AT {
            record.established = true;
            self.unlink(slot);
        }
    }

    /// All records with their slots.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().flatten()
    }

    /// Slots ever used: a bound for walking by slot while records change.
    pub(crate) fn slots(&self) -> u32 {
        self.records.len() as u32
    }

    pub(crate) fn len(&self) -> usize {
        self.live
    }

    /// Evicted on probation, and established.
    pub(crate) fn evicted(&self) -> (u64, u64) {
        (self.evicted_probation, self.evicted_established)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.index.bytes() + self.records.bytes()
    }

    fn evict(&mut self) -> Option<Record> {
        if self.probation >= (self.limit / 8).max(1) {
            self.evicted_probation += 1;
            return self.remove_probation();
        }
        let slot = self.least_of_a_few()?;
        self.evicted_established += 1;
        self.take(slot)
    }

    /// The oldest on probation; a few that were warm since go to the end of the list first.
    fn remove_probation(&mut self) -> Option<Record> {
        for _ in 0..COMPARED {
            let slot = self.oldest;
            let record = self.at_mut(slot)?;
            if !std::mem::take(&mut record.touched) {
                break;
            }
            self.unlink(slot);
            self.append(slot);
        }
        let slot = self.oldest;
        self.unlink(slot);
        self.take(slot)
    }

    fn take(&mut self, slot: u32) -> Option<Record> {
        let record = self.records.get_mut(slot).and_then(Option::take)?;
        self.index.remove(record.hash, slot);
        self.free.push(slot);
        self.live -= 1;
        Some(record)
    }

    /// Of the next established records under the hand the least worth. The hand looks at a bounded number of slots; less than an
    /// eighth of them are on probation, so it finds some.
    fn least_of_a_few(&mut self) -> Option<u32> {
        let slots = self.slots();
        let mut least: Option<(u32, (u8, bool, i32, u32))> = None;
        let mut compared = 0;
        for _ in 0..slots {
            let slot = self.hand;
            self.hand = if self.hand + 1 >= slots { 0 } else { self.hand + 1 };
            let Some(record) = self.at_mut(slot).filter(|record| record.established) else {
                continue;
            };
            let worth = record.worth();
            record.touched = false;
            if least.is_none_or(|(_, smallest)| worth < smallest) {
                least = Some((slot, worth));
            }
            compared += 1;
            if compared == COMPARED {
                break;
            }
        }
        least.map(|(slot, _)| slot)
    }

    /// To the end of the probation list.
    fn append(&mut self, slot: u32) {
        let newest = self.newest;
        if let Some(record) = self.at_mut(slot) {
            record.older = newest;
            record.newer = NONE;
        }
        match self.at_mut(newest) {
            Some(before) => before.newer = slot,
            None => self.oldest = slot,
        }
        self.newest = slot;
        self.probation += 1;
    }

    /// Out of the probation list.
    fn unlink(&mut self, slot: u32) {
        let Some((older, newer)) = self.at(slot).map(|record| (record.older, record.newer)) else {
            return;
        };
        match self.at_mut(older) {
            Some(record) => record.newer = newer,
            None => self.oldest = newer,
        }
        match self.at_mut(newer) {
            Some(record) => record.older = older,
            None => self.newest = older,
        }
        self.probation -= 1;
    }
}

// Of its name the text is kept, beside it; what it did in this run is nothing yet.
crate::state::kept!(Record {
    hash, host, server, votes, port, transport, kind, scope, role, target_port, named, relayed, closed, failed, starts, parallel,
    last_start_ns, bare_hellos, odd_certificates, bare_requests, bare_posts, mismatched, received_bytes, sent_bytes, sent_last_bytes, client,
    answer_bytes, answer_votes, scored_at, timing_log_odds, class, grouped, timeline,
} else {
    name: NO_NAME, client_port: 0, protocol: None, period: crate::state::NOT_IN_THIS_RUN, touched: false, established: false, older: NONE, newer: NONE,
} if |read| read.class <= 2);

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000_000;

    fn record(number: u64) -> Record {
        let address = Address::v4([192, 0, 2, 1]);
        let mut timeline = Timeline::new(0, 0);
        timeline.check_in(10 * S, 0);
        timeline.check_in(20 * S, 0);
        Record::new(number << 32 | number, address, address, 80, Transport::TCP, timeline)
    }

    fn check_in(ledger: &mut Ledger, slot: u32, times: i64) {
        for step in 0..times {
            ledger.at_mut(slot).unwrap().timeline.check_in((30 + 10 * step) * S, 0);
            ledger.checked_in(slot);
        }
    }

    #[test]
    fn a_flood_of_short_timelines_does_not_evict_established_ones() {
        let mut ledger = Ledger::new(64);
        let slots: Vec<u32> = (1..=56).map(|number| ledger.insert(record(number)).0).collect();
        for &slot in &slots {
            check_in(&mut ledger, slot, 5);
        }
        for number in 100..10_000 {
            ledger.insert(record(number));
        }
        assert!((1..=56).all(|number| ledger.find(record(number).hash).is_some()));
        assert_eq!(ledger.len(), 64);
        assert_eq!(ledger.evicted(), (9_900 - 8, 0));
    }

    #[test]
    fn among_established_ones_the_regular_stay() {
        let mut ledger = Ledger::new(16);
        for number in 1..=16 {
            let (slot, _) = ledger.insert(record(number));
            check_in(&mut ledger, slot, 6);
            ledger.at_mut(slot).unwrap().timing_log_odds = if number % 4 == 0 { 2.0 } else { -5.0 };
        }
        for number in 100..105 {
            let (slot, evicted) = ledger.insert(record(number));
            assert!(evicted.is_some());
            check_in(&mut ledger, slot, 6);
        }
        for number in [4, 8, 12, 16] {
            assert!(ledger.find(record(number).hash).is_some(), "{number}");
        }
        assert_eq!((ledger.len(), ledger.evicted().1), (16, 5));
    }

    #[test]
    fn a_warm_one_on_probation_outlives_cold_ones() {
        let mut ledger = Ledger::new(8);
        let (warm, _) = ledger.insert(record(1));
        for number in 2..=8 {
            ledger.insert(record(number));
        }
        check_in(&mut ledger, warm, 1);
        ledger.insert(record(9));
        assert!(ledger.find(record(1).hash).is_some() && ledger.find(record(2).hash).is_none());
    }

    #[test]
    fn the_majority_is_the_server() {
        let mut one = record(1);
        let other = Address::v4([192, 0, 2, 9]);
        for _ in 0..3 {
            one.vote(other, 443, Transport::TCP);
        }
        assert_eq!((one.server, one.port), (other, 443));
        one.vote(Address::v4([192, 0, 2, 1]), 80, Transport::TCP);
        assert_eq!(one.server, other);
    }
}

//! Check-ins that waited are worked off together: items to tables.
//!
//! In: the queue that [`crate::intake`] fills. Out: changes in the tables of a [`Detector`]. Not its job: judging, parts.
//!
//! A check-in touches half a dozen cache lines in tables much larger than the caches. One at a time each would be waited
//! for; the queue's ask for their lines of the indexes as they come, then for their entries, and only then are they worked
//! off, so that many are waited for at once. Nothing here depends on how long the queue is.

use balefire_track::Protocol;

use crate::Timeline;
use crate::candidate::behind_relay;
use crate::detector::{Detector, is_due};
use crate::intake::{Event, Item};
use crate::key::Scope;
use crate::ledger::{End, Record};
use crate::names::NO_NAME;
use crate::seen::{Deed, Sighting};
use crate::shared::server_key;
use crate::summary::EvidenceKind;

impl Detector {
    /// Works off everything that waits.
    pub(crate) fn drain(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        for item in &pending {
            match item.event {
                Event::Ended { .. } => {
                    if let Some(connection) = self.connections.get(item.connection) {
                        let records = [connection.record, connection.named_record, connection.beat_record];
                        records.iter().for_each(|&slot| self.ledger.prefetch_slot(slot));
                        self.names.prefetch_slot(connection.name);
                    }
                }
                Event::Start => {
                    self.prefetch_entries(item);
                    self.prefetch_group(item);
                }
                _ => self.prefetch_entries(item),
            }
        }
        for item in &pending {
            match item.event {
                Event::Ended {
                    failed,
                    sent_bytes,
                    received_bytes,
                } => {
                    self.ended(item, failed, sent_bytes, received_bytes);
                }
                _ => self.check_in(item),
            }
        }
        self.pending = pending;
        self.pending.clear();
        self.drain_questions();
    }

    /// Asks for the lines where an item's host, destination, pair and timeline will be searched for. They come while
    /// more is queued.
    #[inline]
    pub(crate) fn prefetch_indexes(&self, item: &Item) {
        let [host, destination, pair] = item.hashes;
        self.seen.prefetch_indexes(host, destination, pair);
        self.ledger.prefetch_index(pair);
    }

    /// Asks for the entries themselves.
    #[inline]
    pub(crate) fn prefetch_entries(&self, item: &Item) {
        let [host, destination, pair] = item.hashes;
        self.seen.prefetch_entries(host, destination, pair);
        self.ledger.prefetch_entry(pair);
    }

    pub(crate) fn check_in(&mut self, item: &Item) {
        let [host, destination, pair] = item.hashes;
        let known = self.ledger.find(pair);
        let sighting = if known.is_none() {
            self.seen.pair(pair, item.time_ns)
        } else {
            Sighting::Again
        };
        if item.event != Event::Beat {
            let deed = match (item.event, sighting, item.key.scope) {
                (Event::Start, Sighting::First, _) => Deed::NewService,
                (Event::Named, _, Scope::Name) => Deed::Named,
                _ => Deed::Other,
            };
            self.seen.host(host, item.host, self.period, deed);
            self.seen.destination(
                destination,
                &item.key,
                sighting == Sighting::First,
                self.period,
                item.time_ns,
            );
        }
        if item.event == Event::Start && self.watch.wants_addresses() {
            self.address_used(&item.ends(), item.time_ns, sighting == Sighting::First);
        }
        let grouped = item.event == Event::Start && self.group_start(item, sighting, known);
        if grouped && let Some(connection) = self.connections.get_mut(item.connection) {
            connection.grouped = true;
        }
        let slot = match (known, sighting) {
            (Some(slot), _) => slot,
            (None, Sighting::Third(times)) => self.promote(item, times),
            _ => return,
        };
        if let Some(connection) = self.connections.get_mut(item.connection) {
            match item.event {
                Event::Start => connection.record = slot,
                Event::Named => connection.named_record = slot,
                _ => connection.beat_record = slot,
            }
        }
        let period = self.period;
        let Some(record) = self.ledger.at_mut(slot) else { return };
        let bytes = if item.event == Event::Beat {
            item.bytes
        } else {
            std::mem::take(&mut record.sent_last_bytes)
        };
        record.timeline.check_in(item.time_ns, bytes);
        record.period = period;
        record.grouped |= grouped;
        if item.event != Event::Beat {
            record.started(item.time_ns);
        }
        let before = (record.server, record.port, record.transport);
        if record.scope != Scope::Service && record.vote(item.server, item.port, item.transport) && record.class > 0 {
            // It moves to another row of the registry, at the next judgement.
            (record.class, record.scored_at) = (0, 0);
            let name = self.names.text(record.name).filter(|_| behind_relay(record.scope));
            let key = server_key(before, name);
            self.shared.remove(&key, record.hash);
        }
        record.used_from(item.server, item.port, item.client_port);
        let due = is_due(record.timeline.check_ins(), record.scored_at);
        self.ledger.checked_in(slot);
        if item.event == Event::Beat {
            self.use_name(slot, item.name);
        }
        if due {
            self.rescore(slot);
        }
    }

    /// A pair's third check-in: it gets a timeline, which begins with the first two.
    fn promote(&mut self, item: &Item, times: [i64; 2]) -> u32 {
        let mut timeline = Timeline::new(times[0], 0);
        timeline.check_in(times[1], 0);
        let mut record = Record::new(
            item.hashes[2],
            item.host,
            item.server,
            item.port,
            item.transport,
            timeline,
        );
        record.kind = item.kind;
        record.scope = item.key.scope;
        record.role = item.role;
        record.name = item.name;
        record.target_port = if item.key.scope == Scope::ConnectTarget {
            item.key.port
        } else {
            0
        };
        self.names.hold(item.name);
        let (slot, evicted) = self.ledger.insert(record);
        if let Some(evicted) = evicted {
            self.names.release(evicted.name);
        }
        slot
    }

    /// What an ended connection says about its timelines.
    fn ended(&mut self, item: &Item, failed: bool, sent_bytes: u32, received_bytes: u64) {
        let Some(connection) = self.connections.get(item.connection) else {
            return;
        };
        let (pair, relayed) = (connection.pair, connection.relayed);
        let (bare_hello, odd_certificate) = (connection.bare_hello, connection.odd_certificate);
        let protocol = connection.protocol;
        let (grouped, client, body_bytes) = (connection.grouped, connection.client, connection.body_bytes);
        let name = if self.names.hash(connection.name) == connection.name_hash {
            connection.name
        } else {
            NO_NAME
        };
        let bare_request = connection.request && name == NO_NAME && !relayed;
        let bare_post = bare_request && connection.post;
        let (slot, named_slot, beat_slot) = (connection.record, connection.named_record, connection.beat_record);
        self.connections_free.push(item.connection);
        let end = End {
            failed,
            relayed,
            named: name != NO_NAME && !relayed,
            bare_hello,
            odd_certificate,
            bare_request,
            bare_post,
            protocol,
            // What a proxy is asked for is another port's.
            mismatched: !relayed && is_mismatched(protocol, item),
            sent_bytes,
            received_bytes,
            answer_bytes: body_bytes
                .filter(|body| u64::from(*body) * 2 + 1_000 > received_bytes)
                .unwrap_or(u32::try_from(received_bytes).unwrap_or(u32::MAX)),
            client,
        };
        if grouped {
            let group = self.group_hash(item);
            if let Some(group) = self.sketched.groups.find(group) {
                group.record.ended(&end);
            }
        }
        // A slot may have been given to another timeline since the connection began.
        if let Some(record) = self.ledger.at_mut(slot).filter(|record| record.hash == pair) {
            record.ended(&end);
            if !relayed {
                self.use_name(slot, name);
            }
        }
        let named =
            |record: &&mut Record| record.host == item.host && record.name == name && record.scope != Scope::Service;
        if let Some(record) = self.ledger.at_mut(named_slot).filter(named) {
            record.ended(&end);
        }
        let beating = |record: &&mut Record| {
            (record.host, record.server, record.port, record.kind)
                == (item.host, item.server, item.port, EvidenceKind::Heartbeat)
        };
        if let Some(record) = self.ledger.at_mut(beat_slot).filter(beating) {
            record.ended(&end);
        }
    }

    /// The name a timeline of an address was last used with.
    fn use_name(&mut self, slot: u32, name: u32) {
        let Some(record) = self.ledger.at_mut(slot) else { return };
        if name == NO_NAME || record.name == name || record.scope != Scope::Service {
            return;
        }
        let before = std::mem::replace(&mut record.name, name);
        self.names.hold(name);
        self.names.release(before);
    }
}

/// Whether the payload was something else than the port stands for.
fn is_mismatched(protocol: Option<Protocol>, item: &Item) -> bool {
    let usual = Protocol::usual_at(item.transport, item.port);
    protocol.is_some_and(|protocol| !usual.is_empty() && !usual.contains(&protocol))
}

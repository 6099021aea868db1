//! The server as a whole: one beacon over several ports of one address, or over neighbouring addresses.
//!
//! In: connections of one worker's hosts as they begin and end. Out: timelines of groups ([`GroupSketch`]). Not its job: which
//! groups are worth reporting beside their members ([`crate::conclude`]).
//!
//! A group is a host's pairs with one network: a /24, or a /64 of IPv6 (what one customer is given: RFC 6177), over one transport.
//! Between two inside or two outside addresses, where the address pair chooses the worker, it is one address only. A host
//! that has one pair with a network pays one look-up when that pair is new; from the second pair on the group is active, and
//! has a timeline of its own that all its members feed.

use balefire_decode::{Address, Transport};

use crate::Timeline;
use crate::detector::Detector;
use crate::home::Role;
use crate::intake::Item;
use crate::ledger::Record;
use crate::seen::Sighting;
use crate::shared::server_key;
use crate::sketched::{Sketch, Sketched};
use crate::state::{Input, Kept};
use crate::summary::EvidenceKind;
use crate::table::{Entry, Table};

/// Places listed; check-ins with others count in the whole only.
const LISTED: usize = 16;

/// Where a group's check-ins went.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct GroupSketch {
    /// Pairs so far.
    pub(crate) members: u32,
    check_ins: u32,
    places: [Option<(Address, u16, u32)>; LISTED],
}

impl GroupSketch {
    fn add(&mut self, address: Address, port: u16, check_ins: u32) {
        self.check_ins = self.check_ins.saturating_add(check_ins);
        for place in &mut self.places {
            match place {
                Some((known, known_port, count)) if (*known, *known_port) == (address, port) => {
                    *count = count.saturating_add(check_ins);
                    return;
                }
                Some(_) => {}
                None => {
                    *place = Some((address, port, check_ins));
                    return;
                }
            }
        }
    }

    /// Its first places.
    pub(crate) fn places(&self) -> impl Iterator<Item = (Address, u16)> + '_ {
        self.places.iter().flatten().map(|&(address, port, _)| (address, port))
    }

    /// Share of the place used most.
    pub(crate) fn largest_share(&self) -> f64 {
        let most = self.places.iter().flatten().map(|place| place.2).max().unwrap_or(0);
        f64::from(most) / f64::from(self.check_ins.max(1))
    }
}

/// A network in which a host has a pair.
#[derive(Debug)]
struct Network {
    hash: u64,
    /// The first pair, its beginning and its place.
    pair: u64,
    first_ns: i64,
    address: Address,
    port: u16,
    active: bool,
    again: bool,
}

impl Entry for Network {
    fn hash(&self) -> u64 {
        self.hash
    }

    fn second_chance(&mut self) -> bool {
        self.active && std::mem::take(&mut self.again)
    }
}

/// The networks of one worker's hosts.
#[derive(Debug)]
pub(crate) struct Networks(Table<Network>);

impl Networks {
    pub(crate) fn new(limit: usize) -> Self {
        Self(Table::new(limit))
    }

    pub(crate) fn evicted(&self) -> u64 {
        self.0.evicted()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.0.bytes()
    }
}

/// The network that stands for the group: of addresses that one worker sees all, the /24 or /64; else the address.
pub(crate) fn network(role: Role, server: Address) -> Address {
    let kept_bits = match (role, server.is_v4()) {
        (Role::Outbound, true) => 120,
        (Role::Outbound, false) => 64,
        _ => 128,
    };
    Address::of_bits(server.bits() & (u128::MAX << (128 - kept_bits)))
}

impl Detector {
    /// The identity of the group that a connection belongs to.
    pub(crate) fn group_hash(&self, item: &Item) -> u64 {
        let ends = self.seed.ends(item.host, network(item.role, item.server));
        ends ^ u64::from(item.transport.0).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    /// Asks for the line where a connection's group will be searched for, if its pair is new.
    #[inline]
    pub(crate) fn prefetch_group(&self, item: &Item) {
        self.networks.0.prefetch_index(self.group_hash(item));
    }

    /// A connection began: of a new pair (`sighting`), or of one whose record is in `slot`. True if it belongs to an active group.
    pub(crate) fn group_start(&mut self, item: &Item, sighting: Sighting, slot: Option<u32>) -> bool {
        if !matches!(item.transport, Transport::TCP | Transport::UDP) {
            return false;
        }
        let known = slot.and_then(|slot| self.ledger.at(slot));
        if known.is_some_and(|record| !record.grouped) {
            return false;
        }
        let hash = self.group_hash(item);
        let pair = item.hashes[2];
        let found = self.networks.0.find(hash, |network| network.hash == hash);
        let Some(network) = found.and_then(|slot| self.networks.0.at_mut(slot)) else {
            if sighting == Sighting::First {
                self.networks.0.insert(Network {
                    hash,
                    pair,
                    first_ns: item.time_ns,
                    address: item.server,
                    port: item.port,
                    active: false,
                    again: false,
                });
            }
            return false;
        };
        network.again = true;
        if !network.active {
            if sighting != Sighting::First || network.pair == pair {
                return false;
            }
            network.active = true;
            let (pair, first_ns, place) = (network.pair, network.first_ns, (network.address, network.port));
            self.begin_group(item, hash, pair, first_ns, place);
        }
        self.feed_group(item, hash, sighting == Sighting::First);
        true
    }

    /// The second pair of a host with a network: what is known of the first goes into the group.
    fn begin_group(&mut self, item: &Item, hash: u64, pair: u64, first_ns: i64, place: (Address, u16)) {
        let first = self.ledger.find(pair).and_then(|slot| self.ledger.at_mut(slot));
        let timeline = match first {
            Some(record) => {
                record.grouped = true;
                record.timeline.clone()
            }
            None => Timeline::new(first_ns, 0),
        };
        let mut sketch = GroupSketch {
            members: 1,
            ..GroupSketch::default()
        };
        sketch.add(place.0, place.1, timeline.check_ins());
        let mut record = Record::new(hash, item.host, place.0, place.1, item.transport, timeline);
        record.role = item.role;
        record.kind = EvidenceKind::ConnectionBeacon;
        if let Some(first) = self.ledger.find(pair).and_then(|slot| self.ledger.at(slot)) {
            record.inherit(first);
        }
        self.sketched
            .groups
            .insert(Sketched::new(record, Sketch::Group(sketch), 0));
    }

    fn feed_group(&mut self, item: &Item, hash: u64, is_new: bool) {
        let period = self.period;
        let Some(Sketched {
            record,
            sketch: Sketch::Group(group),
            ..
        }) = self.sketched.groups.find(hash)
        else {
            return;
        };
        let bytes = std::mem::take(&mut record.sent_last_bytes);
        record.timeline.check_in(item.time_ns, bytes);
        record.started(item.time_ns);
        record.period = period;
        let before = (record.server, record.port, record.transport);
        if record.vote(item.server, item.port, item.transport) && record.class > 0 {
            // It moves to another row of the registry, at the next judgement.
            (record.class, record.scored_at) = (0, 0);
            self.shared.remove(&server_key(before, None), hash);
        }
        record.used_from(item.server, item.port, item.client_port);
        group.members = group.members.saturating_add(u32::from(is_new));
        group.add(item.server, item.port, 1);
        let due = crate::detector::is_due(record.timeline.check_ins(), record.scored_at);
        if due {
            self.rescore_sketched(hash);
        }
    }
}

crate::state::kept!(GroupSketch {
    members,
    check_ins,
    places
});
crate::state::kept!(Network {
    hash,
    pair,
    first_ns,
    address,
    port,
    active,
    again
});

impl Networks {
    pub(crate) fn put_each(&self, mut put: impl FnMut(&dyn Fn(&mut Vec<u8>))) {
        self.0.iter().for_each(|network| put(&|out| network.put(out)));
    }

    /// Puts one back; false where there is none.
    pub(crate) fn restore(&mut self, from: &mut Input<'_>) -> bool {
        let Some(network) = Network::take(from) else {
            return false;
        };
        if self.0.find(network.hash, |known| known.hash == network.hash).is_none() {
            self.0.insert(network);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_by_role_and_family() {
        let four = Address::v4([192, 0, 2, 77]);
        assert_eq!(network(Role::Outbound, four), Address::v4([192, 0, 2, 0]));
        assert_eq!(network(Role::Internal, four), four);
        let six: Address = "2001:db8:1:2:3:4:5:6".parse::<std::net::IpAddr>().unwrap().into();
        assert_eq!(network(Role::Outbound, six).to_string(), "2001:db8:1:2::");
    }

    #[test]
    fn places_are_counted_up_to_a_limit() {
        let mut sketch = GroupSketch::default();
        for port in 0..40_u16 {
            sketch.add(Address::v4([192, 0, 2, 1]), port, if port == 3 { 60 } else { 1 });
        }
        assert_eq!(sketch.places().count(), LISTED);
        assert!((sketch.largest_share() - 60.0 / 99.0).abs() < 1e-9);
    }
}

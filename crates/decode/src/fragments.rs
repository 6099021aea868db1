//! Ports for later fragments: remembers the first fragment of a datagram until its others have come.
//!
//! In: decoded [`Packet`]s with their packet times. Out: the same packets, later fragments with the ports of their first.
//! Not its job: putting datagrams together; a detector counts packets and bytes of conversations and needs no data of
//! later fragments.
//!
//! The table is an array of small sets: a key belongs to one set, and only the set's oldest entry can be displaced. So a
//! lookup, an insertion and an eviction each look at [`WAYS`] neighbours, whatever an attacker sends.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;

use crate::Address;
use crate::packet::{FragmentPlace, Packet, Transport};

/// How long a first fragment is remembered, in packet time: the least of the reassembly times in use (Linux'
/// `ipfrag_time`; RFC 791 and RFC 8200 allow more).
pub const FRAGMENT_TIMEOUT_NS: i64 = 30_000_000_000;

/// Entries of a set. Eight entries are eight cache lines that lie side by side.
const WAYS: usize = 8;

/// Ranges of the datagram that an entry keeps apart. Fragments in order need one; what needs more is not checked for overlap.
const RANGES: usize = 3;

/// A TCP header without options; a first fragment with less hides the flags from filters (RFC 1858 section 3).
const TCP_HEADER_BYTES: u16 = 20;

/// What the table counted since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FragmentCounters {
    /// Later fragments that got their ports.
    pub matched: u64,
    /// Later fragments whose first one was not seen, came after them, or was forgotten; their ports stay 0.
    pub unmatched: u64,
    /// Fragments that cover bytes already covered: evasion, duplicates, or a sender that reuses an identification
    /// within [`FRAGMENT_TIMEOUT_NS`].
    pub overlaps: u64,
    /// First fragments too small for a TCP header.
    pub tiny_first: u64,
    /// First fragments forgotten before their time because their set was full.
    pub evicted: u64,
}

/// A bounded memory of first fragments.
#[derive(Debug)]
pub struct FragmentTable {
    slots: Box<[Option<Entry>]>,
    hasher: FixedState,
    counters: FragmentCounters,
}

/// Which datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    src: Address,
    dst: Address,
    id: u32,
    /// For IPv6 always 0: there the identification alone tells datagrams apart (RFC 8200 section 4.5), and the first
    /// fragment's number is that behind all extension headers, the later ones' is not.
    transport: u8,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    key: Key,
    transport: Transport,
    src_port: u16,
    dst_port: u16,
    time_ns: i64,
    covered: Covered,
}

impl FragmentTable {
    /// A table for `capacity` datagrams at a time, rounded up to a power of two and at least one set; all memory (about
    /// 72 bytes each) is taken here. `seed` should differ from run to run, so that nobody can choose colliding keys.
    pub fn new(capacity: usize, seed: u64) -> Self {
        let slots = capacity.clamp(WAYS, 1 << 24).next_power_of_two();
        Self {
            slots: vec![None; slots].into_boxed_slice(),
            hasher: FixedState::with_seed(seed),
            counters: FragmentCounters::default(),
        }
    }

    /// Datagrams the table can hold.
    pub fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// What was counted so far.
    pub fn counters(&self) -> FragmentCounters {
        self.counters
    }

    /// Learns from a first fragment, completes a later one, leaves every other packet alone. `time_ns` is the packet's own.
    #[inline]
    pub fn resolve(&mut self, packet: &mut Packet, time_ns: i64) {
        match packet.fragment {
            FragmentPlace::Whole => {}
            FragmentPlace::First => self.learn(packet, time_ns),
            FragmentPlace::Later => self.complete(packet, time_ns),
        }
    }

    fn learn(&mut self, packet: &Packet, time_ns: i64) {
        if packet.transport == Transport::TCP && packet.fragment_bytes < TCP_HEADER_BYTES {
            self.counters.tiny_first += 1;
        }
        let entry = Entry {
            key: Key::of(packet),
            transport: packet.transport,
            src_port: packet.src_port,
            dst_port: packet.dst_port,
            time_ns,
            covered: Covered::first(packet),
        };
        let set = Self::set(&mut self.slots, &self.hasher, &entry.key);
        let known = set.iter().position(|slot| slot.is_some_and(|old| old.key == entry.key));
        let (place, live) = match known {
            Some(place) => (place, set[place].is_some_and(|old| old.is_live(time_ns))),
            None => oldest(set, time_ns),
        };
        set[place] = Some(entry);
        match (known.is_some(), live) {
            (true, true) => self.counters.overlaps += 1,
            (false, true) => self.counters.evicted += 1,
            (_, false) => {}
        }
    }

    fn complete(&mut self, packet: &mut Packet, time_ns: i64) {
        let key = Key::of(packet);
        let set = Self::set(&mut self.slots, &self.hasher, &key);
        let first = set
            .iter_mut()
            .flatten()
            .find(|entry| entry.key == key && entry.is_live(time_ns));
        let Some(first) = first else {
            self.counters.unmatched += 1;
            return;
        };
        packet.src_port = first.src_port;
        packet.dst_port = first.dst_port;
        packet.transport = first.transport;
        self.counters.matched += 1;
        if !first.covered.add(packet) {
            self.counters.overlaps += 1;
        }
    }

    /// The set a key belongs to.
    fn set<'a>(slots: &'a mut [Option<Entry>], hasher: &FixedState, key: &Key) -> &'a mut [Option<Entry>] {
        let sets = slots.len() / WAYS;
        let start = (hasher.hash_one(key) as usize & (sets - 1)) * WAYS;
        &mut slots[start..start + WAYS]
    }
}

/// The place to give away in a full or half-full set, and whether a live entry is lost with it.
fn oldest(set: &[Option<Entry>], time_ns: i64) -> (usize, bool) {
    let mut place = 0;
    let mut oldest_ns = i64::MAX;
    for (index, slot) in set.iter().enumerate() {
        match slot {
            Some(entry) if entry.is_live(time_ns) => {
                if entry.time_ns < oldest_ns {
                    (place, oldest_ns) = (index, entry.time_ns);
                }
            }
            _ => return (index, false),
        }
    }
    (place, true)
}

impl Key {
    fn of(packet: &Packet) -> Self {
        let transport = if packet.src.is_v4() { packet.transport.0 } else { 0 };
        Self {
            src: packet.src,
            dst: packet.dst,
            id: packet.fragment_id,
            transport,
        }
    }
}

impl Entry {
    /// Captures are not always in order of time, so the distance counts, not its sign.
    fn is_live(&self, time_ns: i64) -> bool {
        time_ns.saturating_sub(self.time_ns).unsigned_abs() <= FRAGMENT_TIMEOUT_NS.unsigned_abs()
    }
}

/// Which parts of a datagram have come, in units of 8 bytes: disjoint half-open ranges, the first one from 0.
#[derive(Clone, Copy, Debug, Default)]
struct Covered {
    ranges: [(u16, u16); RANGES],
}

impl Covered {
    fn first(packet: &Packet) -> Self {
        let mut covered = Self::default();
        covered.ranges[0] = (0, packet.fragment_bytes.div_ceil(8));
        covered
    }

    /// Adds a fragment's range; false if any of it was covered before.
    fn add(&mut self, packet: &Packet) -> bool {
        let start = packet.fragment_offset;
        let end = start.saturating_add(packet.fragment_bytes.div_ceil(8));
        let is_used = |&(from, to): &(u16, u16)| from < to;
        if self
            .ranges
            .iter()
            .filter(|range| is_used(range))
            .any(|&(from, to)| start < to && from < end)
        {
            return false;
        }
        if let Some(before) = self.ranges.iter_mut().find(|range| is_used(range) && range.1 == start) {
            before.1 = end;
        } else if let Some(free) = self.ranges.iter_mut().find(|range| !is_used(range)) {
            *free = (start, end);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Frame, LinkType, decode};

    const SECOND_NS: i64 = 1_000_000_000;

    /// A fragment of the datagram `id`: `offset` and `inside` in units of 8 bytes, the first one with ports 40000 and 53.
    fn fragment(id: u16, transport: Transport, offset: u16, units: u8) -> Packet {
        let mut inside = vec![0; usize::from(units) * 8];
        if offset == 0 {
            inside[..4].copy_from_slice(&[0x9c, 0x40, 0, 53]);
        }
        let total = (20 + inside.len() as u16).to_be_bytes();
        let field = (0x2000 | offset).to_be_bytes();
        let id = id.to_be_bytes();
        let head = [
            0x45,
            0,
            total[0],
            total[1],
            id[0],
            id[1],
            field[0],
            field[1],
            64,
            transport.0,
            0,
            0,
            10,
            0,
            0,
            1,
            10,
            0,
            0,
            2,
        ];
        let bytes = [head.as_slice(), &inside].concat();
        decode(Frame {
            link: LinkType::RAW,
            bytes: &bytes,
            wire_bytes: bytes.len() as u32,
        })
        .unwrap()
    }

    fn resolved(table: &mut FragmentTable, mut packet: Packet, time_ns: i64) -> (u16, u16) {
        table.resolve(&mut packet, time_ns);
        (packet.src_port, packet.dst_port)
    }

    #[test]
    fn later_fragments_get_the_ports_of_their_first() {
        let mut table = FragmentTable::new(64, 1);
        assert_eq!(
            resolved(&mut table, fragment(7, Transport::UDP, 2, 2), 0),
            (0, 0),
            "before its first"
        );
        assert_eq!(resolved(&mut table, fragment(7, Transport::UDP, 0, 2), 0), (40000, 53));
        assert_eq!(resolved(&mut table, fragment(7, Transport::UDP, 2, 2), 1), (40000, 53));
        assert_eq!(
            resolved(&mut table, fragment(8, Transport::UDP, 2, 2), 1),
            (0, 0),
            "another datagram"
        );
        assert_eq!(
            resolved(&mut table, fragment(7, Transport::TCP, 2, 2), 1),
            (0, 0),
            "another protocol"
        );
        let counters = FragmentCounters {
            matched: 1,
            unmatched: 3,
            ..FragmentCounters::default()
        };
        assert_eq!(table.counters(), counters);
    }

    #[test]
    fn a_first_fragment_is_forgotten_after_its_time() {
        let mut table = FragmentTable::new(64, 1);
        resolved(&mut table, fragment(7, Transport::UDP, 0, 2), 100 * SECOND_NS);
        assert_eq!(
            resolved(&mut table, fragment(7, Transport::UDP, 2, 2), 130 * SECOND_NS),
            (40000, 53)
        );
        assert_eq!(
            resolved(&mut table, fragment(7, Transport::UDP, 4, 2), 130 * SECOND_NS + 1),
            (0, 0)
        );
        assert_eq!(
            resolved(&mut table, fragment(7, Transport::UDP, 6, 2), 69 * SECOND_NS),
            (0, 0),
            "time ran backwards"
        );
        assert_eq!(
            resolved(&mut table, fragment(7, Transport::UDP, 8, 2), i64::MIN),
            (0, 0)
        );
    }

    #[test]
    fn overlaps_and_tiny_firsts_are_counted() {
        let mut table = FragmentTable::new(64, 1);
        for (offset, units, overlaps) in [
            (0, 4, 0),
            (4, 4, 0),
            (12, 2, 0),
            (8, 2, 0),
            (9, 1, 1),
            (1, 1, 2),
            (20, 2, 2),
            (13, 8, 3),
            (0, 4, 4),
        ] {
            resolved(&mut table, fragment(7, Transport::UDP, offset, units), 0);
            assert_eq!(table.counters().overlaps, overlaps, "{units} units from {offset}");
        }
        for (units, tiny_first) in [(1, 1), (2, 2), (3, 2)] {
            // Only TCP hides flags in what follows.
            let mut first = fragment(units.into(), Transport::UDP, 0, units);
            first.transport = Transport::TCP;
            resolved(&mut table, first, 0);
            assert_eq!(table.counters().tiny_first, tiny_first, "{units} units");
        }
    }

    #[test]
    fn an_ipv6_datagram_is_known_by_its_identification() {
        let mut table = FragmentTable::new(64, 1);
        let mut first = fragment(7, Transport::UDP, 0, 2);
        (first.src, first.dst) = (Address::v6([1; 16]), Address::v6([2; 16]));
        // The later fragment's header names the destination options that only the first one holds.
        let mut later = fragment(7, Transport(60), 2, 2);
        (later.src, later.dst) = (first.src, first.dst);
        table.resolve(&mut first, 0);
        table.resolve(&mut later, 0);
        assert_eq!((later.transport, later.dst_port), (Transport::UDP, 53));
    }

    #[test]
    fn a_flood_evicts_and_is_counted() {
        let mut table = FragmentTable::new(1000, 1);
        assert_eq!(table.capacity(), 1024);
        for id in 0..10_000 {
            resolved(&mut table, fragment(id, Transport::UDP, 0, 2), id.into());
        }
        let live = table.slots.iter().flatten().count();
        assert_eq!(table.counters().evicted as usize, 10_000 - live);
        assert!(live > 1000, "sets fill evenly, {live} of 1024");
        assert_eq!(
            resolved(&mut table, fragment(9_999, Transport::UDP, 2, 2), 10_000),
            (40000, 53),
            "the newest stays"
        );
        for id in 0..2_000 {
            resolved(&mut table, fragment(id, Transport::UDP, 0, 2), 100 * SECOND_NS);
        }
        assert!(table.counters().evicted < 10_000 + 1_000, "the expired are no loss");
    }

    proptest! {
        /// Against a plain list of units: as long as the ranges suffice, an overlap is counted exactly when a unit comes twice.
        #[test]
        fn fragments_in_order_overlap_exactly_where_units_repeat(units in proptest::collection::vec(1..5_u8, 1..12), back in 0..3_u16) {
            let mut table = FragmentTable::new(8, 1);
            let mut next = 0;
            let mut overlaps = 0;
            for (index, &count) in units.iter().enumerate() {
                let steps_back = if index > 0 && index % 3 == 0 { back } else { 0 };
                let offset = if index > 0 { (next - steps_back).max(1) } else { 0 };
                let repeats = index > 0 && offset < next;
                overlaps += u64::from(repeats);
                resolved(&mut table, fragment(7, Transport::UDP, offset, count), 0);
                if !repeats {
                    next = offset + u16::from(count);
                }
            }
            prop_assert_eq!(table.counters().overlaps, overlaps);
            prop_assert_eq!(table.counters().matched, units.len() as u64 - 1);
        }
    }
}

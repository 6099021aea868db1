//! Counts frames without following anything: what `balefire stats` prints.
//!
//! In: frames. Out: [`Counts`]: frames, wire bytes, the outermost IP headers' versions, transports and distinct unordered
//! address pairs, and beside them what the detector would make of the frames (decoded, rejects). Not its job: reading
//! headers (`decode`), connections (`track`).

use std::collections::{BTreeMap, HashSet};
use std::hash::Hash;

use balefire_decode::{Frame, Outermost, Transport, decode, outermost};
use foldhash::fast::RandomState;

/// Distinct pairs counted at most, of 8 and of 32 bytes: seven eighths of 2^24 and 2^22 slots, which the set's table holds
/// without growing once more. Both full are about 300 MB. Beyond, [`Counts::pairs_complete`] is false.
const MOST_PAIRS_IPV4: usize = 14_680_064;
const MOST_PAIRS_IPV6: usize = 3_670_016;

/// What was counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames.
    pub packets: u64,
    /// Their bytes on the wire.
    pub bytes: u64,
    /// Frames whose outermost IP header is IPv4.
    pub ipv4: u64,
    /// Frames whose outermost IP header is IPv6.
    pub ipv6: u64,
    /// Frames with TCP right in the outermost IP packet; later fragments have none.
    pub tcp: u64,
    /// Frames with UDP right in it.
    pub udp: u64,
    /// Distinct unordered address pairs of outermost IPv4 headers.
    pub pairs_ipv4: u64,
    /// The same of IPv6.
    pub pairs_ipv6: u64,
    /// Whether all pairs were counted: false once a set is full.
    pub pairs_complete: bool,
    /// Frames decoded down to a conversation.
    pub decoded: u64,
    /// Frames that were not, by the reason's name.
    pub rejects: BTreeMap<&'static str, u64>,
}

/// A count in progress.
#[derive(Debug, Default)]
pub struct Census {
    counts: Counts,
    pairs_ipv4: Pairs<(u32, u32)>,
    pairs_ipv6: Pairs<(u128, u128)>,
}

impl Census {
    /// Counts a frame.
    pub fn add(&mut self, frame: Frame<'_>) {
        self.counts.packets += 1;
        self.counts.bytes += u64::from(frame.wire_bytes);
        match decode(frame) {
            Ok(_) => self.counts.decoded += 1,
            Err(reject) => *self.counts.rejects.entry(reject.name()).or_default() += 1,
        }
        if let Some(outer) = outermost(frame) {
            self.add_outer(&outer);
        }
    }

    /// The numbers so far.
    pub fn counts(&self) -> Counts {
        Counts {
            pairs_ipv4: self.pairs_ipv4.seen.len() as u64,
            pairs_ipv6: self.pairs_ipv6.seen.len() as u64,
            pairs_complete: !(self.pairs_ipv4.full || self.pairs_ipv6.full),
            ..self.counts.clone()
        }
    }

    fn add_outer(&mut self, outer: &Outermost) {
        // The low 32 bits of a mapped address are the IPv4 address.
        match (outer.version, outer.pair()) {
            (4, Some((low, high))) => self
                .pairs_ipv4
                .add((low.bits() as u32, high.bits() as u32), MOST_PAIRS_IPV4),
            (_, Some((low, high))) => self.pairs_ipv6.add((low.bits(), high.bits()), MOST_PAIRS_IPV6),
            (_, None) => {}
        }
        match outer.version {
            4 => self.counts.ipv4 += 1,
            _ => self.counts.ipv6 += 1,
        }
        match outer.transport {
            Some(Transport::TCP) => self.counts.tcp += 1,
            Some(Transport::UDP) => self.counts.udp += 1,
            _ => {}
        }
    }
}

/// A bounded set. Most packets are of the pair just before, which needs no look-up.
#[derive(Debug)]
struct Pairs<T> {
    seen: HashSet<T, RandomState>,
    last: Option<T>,
    full: bool,
}

impl<T> Default for Pairs<T> {
    fn default() -> Self {
        Self {
            seen: HashSet::default(),
            last: None,
            full: false,
        }
    }
}

impl<T: Copy + Eq + Hash> Pairs<T> {
    fn add(&mut self, pair: T, most: usize) {
        if self.last == Some(pair) {
            return;
        }
        self.last = Some(pair);
        if self.seen.len() < most {
            self.seen.insert(pair);
        } else if !self.seen.contains(&pair) {
            self.full = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use balefire_decode::{Address, LinkType};

    fn outer(version: u8, src: Address, dst: Address) -> Outermost {
        Outermost {
            version,
            transport: Some(Transport::UDP),
            src,
            dst,
        }
    }

    #[test]
    fn pairs_have_no_direction_and_two_families() {
        let mut census = Census::default();
        let (a, b) = (Address::v4([10, 0, 0, 1]), Address::v4([192, 0, 2, 1]));
        census.add_outer(&outer(4, a, b));
        census.add_outer(&outer(4, b, a));
        census.add_outer(&outer(4, a, a));
        census.add_outer(&outer(4, Address::UNSPECIFIED, Address::UNSPECIFIED));
        census.add_outer(&outer(6, Address::UNSPECIFIED, Address::v6([1; 16])));
        census.add_outer(&outer(6, Address::UNSPECIFIED, Address::UNSPECIFIED));
        let document = census.counts();
        assert_eq!((document.ipv4, document.ipv6, document.udp, document.tcp), (4, 2, 6, 0));
        assert_eq!((document.pairs_ipv4, document.pairs_ipv6), (2, 1));
    }

    #[test]
    fn a_full_set_says_so_and_stays_bounded() {
        let mut pairs = Pairs::default();
        for pair in [1, 2, 2, 1, 2] {
            pairs.add(pair, 2);
        }
        assert!(!pairs.full);
        pairs.add(3, 2);
        assert!(pairs.full && pairs.seen.len() == 2);
    }

    #[test]
    fn every_frame_is_decoded_or_has_a_reason() {
        let mut census = Census::default();
        census.add(Frame {
            link: LinkType(1),
            bytes: &[0; 60],
            wire_bytes: 60,
        });
        census.add(Frame {
            link: LinkType(65_000),
            bytes: &[],
            wire_bytes: 1500,
        });
        let counts = census.counts();
        assert_eq!(counts.packets, counts.decoded + counts.rejects.values().sum::<u64>());
        assert_eq!(counts.bytes, 1560);
    }
}

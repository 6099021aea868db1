//! `balefire stats`: only counts, nothing is tracked or scored.
//!
//! In: capture files. Out: one JSON object, the last line of standard output: frames, their bytes on the wire, and the
//! outermost IP headers' versions, transports and distinct unordered address pairs; beside it what the detector would make
//! of them (decoded, rejects). Not its job: reading headers (`decode`).

use std::collections::{BTreeMap, HashSet};
use std::hash::Hash;

use balefire_capture::{Block, Fill, Source};
use balefire_decode::{Address, Frame, Outermost, Transport, decode, outermost};
use balefire_report::clean;
use foldhash::fast::RandomState;
use serde::Serialize;

use crate::exit::{Exit, Failure};
use crate::flags::StatsFlags;
use crate::{output, read};

/// Distinct pairs counted at most, of 8 and of 32 bytes: seven eighths of 2^24 and 2^22 slots, which the set's table holds
/// without growing once more. Both full are about 300 MB. Beyond, `pairs_complete` is false.
const MOST_PAIRS_IPV4: usize = 14_680_064;
const MOST_PAIRS_IPV6: usize = 3_670_016;

pub(crate) fn run(flags: &StatsFlags) -> Result<Exit, Failure> {
    let mut source = read::open(&flags.captures, flags.filter.as_deref().unwrap_or_default())?;
    let mut counts = Counts::default();
    let mut block = Block::new();
    loop {
        block.clear();
        let fill = source
            .fill(&mut block)
            .map_err(|error| Failure::failed(error.to_string()))?;
        for record in &block.frames {
            counts.add(block.frame(record));
        }
        if fill == Fill::End {
            break;
        }
    }
    let text = serde_json::to_string(&counts.document(source.counters().filtered));
    output::print(&(text.map_err(|error| Failure::failed(error.to_string()))? + "\n"))?;
    for damage in source.damage() {
        output::complain(&clean(&damage.to_string()));
    }
    Ok(if source.damage().is_empty() {
        Exit::Done
    } else {
        Exit::Damaged
    })
}

/// The object that is printed.
#[derive(Debug, Serialize)]
struct Document {
    packets: u64,
    bytes: u64,
    ipv4: u64,
    ipv6: u64,
    tcp: u64,
    udp: u64,
    pairs_ipv4: u64,
    pairs_ipv6: u64,
    pairs_complete: bool,
    filtered: u64,
    decoded: u64,
    rejects: BTreeMap<&'static str, u64>,
}

#[derive(Default)]
struct Counts {
    packets: u64,
    bytes: u64,
    ipv4: u64,
    ipv6: u64,
    tcp: u64,
    udp: u64,
    decoded: u64,
    rejects: BTreeMap<&'static str, u64>,
    pairs_ipv4: Pairs<(u32, u32)>,
    pairs_ipv6: Pairs<(u128, u128)>,
}

impl Counts {
    fn add(&mut self, frame: Frame<'_>) {
        self.packets += 1;
        self.bytes += u64::from(frame.wire_bytes);
        match decode(frame) {
            Ok(_) => self.decoded += 1,
            Err(reject) => *self.rejects.entry(reject.name()).or_default() += 1,
        }
        if let Some(outer) = outermost(frame) {
            self.add_outer(&outer);
        }
    }

    fn add_outer(&mut self, outer: &Outermost) {
        let (low, high) = if outer.src <= outer.dst {
            (outer.src, outer.dst)
        } else {
            (outer.dst, outer.src)
        };
        // Addresses that were not captured, or stand in a header that contradicts itself, are told as `::`; only as a
        // source, and only in IPv6, is that an address.
        let unknown = outer.dst == Address::UNSPECIFIED || (outer.version == 4 && outer.src == Address::UNSPECIFIED);
        match (outer.version, unknown) {
            (4, false) => {
                // The low 32 bits of a mapped address are the IPv4 address.
                self.pairs_ipv4
                    .add((low.bits() as u32, high.bits() as u32), MOST_PAIRS_IPV4);
            }
            (_, false) => self.pairs_ipv6.add((low.bits(), high.bits()), MOST_PAIRS_IPV6),
            _ => {}
        }
        match outer.version {
            4 => self.ipv4 += 1,
            _ => self.ipv6 += 1,
        }
        match outer.transport {
            Some(Transport::TCP) => self.tcp += 1,
            Some(Transport::UDP) => self.udp += 1,
            _ => {}
        }
    }

    fn document(self, filtered: u64) -> Document {
        Document {
            packets: self.packets,
            bytes: self.bytes,
            ipv4: self.ipv4,
            ipv6: self.ipv6,
            tcp: self.tcp,
            udp: self.udp,
            pairs_ipv4: self.pairs_ipv4.seen.len() as u64,
            pairs_ipv6: self.pairs_ipv6.seen.len() as u64,
            pairs_complete: !(self.pairs_ipv4.full || self.pairs_ipv6.full),
            filtered,
            decoded: self.decoded,
            rejects: self.rejects,
        }
    }
}

/// A bounded set. Most packets are of the pair just before, which needs no look-up.
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
    use balefire_decode::LinkType;

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
        let mut counts = Counts::default();
        let (a, b) = (Address::v4([10, 0, 0, 1]), Address::v4([192, 0, 2, 1]));
        counts.add_outer(&outer(4, a, b));
        counts.add_outer(&outer(4, b, a));
        counts.add_outer(&outer(4, a, a));
        counts.add_outer(&outer(4, Address::UNSPECIFIED, Address::UNSPECIFIED));
        counts.add_outer(&outer(6, Address::UNSPECIFIED, Address::v6([1; 16])));
        counts.add_outer(&outer(6, Address::UNSPECIFIED, Address::UNSPECIFIED));
        let document = counts.document(0);
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
        let mut counts = Counts::default();
        counts.add(Frame {
            link: LinkType(1),
            bytes: &[0; 60],
            wire_bytes: 60,
        });
        counts.add(Frame {
            link: LinkType(65_000),
            bytes: &[],
            wire_bytes: 1500,
        });
        assert_eq!(counts.packets, counts.decoded + counts.rejects.values().sum::<u64>());
        assert_eq!(counts.bytes, 1560);
    }
}

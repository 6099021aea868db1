//! Queries below a domain as a channel: what a host asks for there, in a few numbers.
//!
//! In: DNS queries and answers of one worker's hosts. Out: [`Sketch`]es with their records, as candidates. Not its job: weights.
//!
//! Names below a top-level domain that the Public Suffix List does not have, and that is itself no plausible one, are
//! counted together: a tunnel that talks to its server directly needs no domain at all.

use balefire_decode::Address;

use crate::ledger::Record;
use crate::names::Names;
use crate::table::{Entry, Table};

/// Stands for all names without a domain.
pub(crate) const NO_DOMAIN: &str = "(no domain)";
/// Queries from which a sketch is judged.
pub(crate) const FEWEST_QUERIES: u32 = 8;
const BITMAP_WORDS: usize = 4;
/// Parts of a bit in which entropy is added up: whole numbers, so that no order of additions shows.
const PARTS_OF_BIT: f64 = 256.0;

/// See the head of this file. 88 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sketch {
    /// Which of 256 hash values occurred: linear counting (Whang, Vander-Zanden, Taylor 1990), good to about 1,000 names.
    seen: [u64; BITMAP_WORDS],
    octets: u64,
    entropy: u64,
    queries: u32,
    /// Queries whose type was seen; of those TXT, CNAME, MX and the like; and those that hosts never need.
    typed: u32,
    odd: u32,
    rare: u32,
}

impl Sketch {
    /// A query for `data` below the domain.
    pub(crate) fn query(&mut self, data: &str) {
        self.queries = self.queries.saturating_add(1);
        self.octets += data.len() as u64;
        self.entropy += (entropy_bits(data.as_bytes()) * PARTS_OF_BIT) as u64;
        let hash = fnv(data.as_bytes());
        self.seen[(hash >> 6) as usize % BITMAP_WORDS] |= 1 << (hash & 63);
    }

    /// Its type. Hosts ask for A, NS, PTR, AAAA, SRV, SVCB and HTTPS; seldom CNAME, SOA, MX, TXT; NULL, KEY, ANY
    /// and private types are what tunnels use (IANA DNS resource record types; iodine's and dnscat's manuals).
    pub(crate) fn query_type(&mut self, query_type: u16) {
        self.typed = self.typed.saturating_add(1);
        match query_type {
            1 | 2 | 12 | 28 | 33 | 35 | 43 | 46 | 48 | 64 | 65 => {}
            5 | 6 | 15 | 16 => self.odd += 1,
            _ => self.rare += 1,
        }
    }

    pub(crate) fn queries(&self) -> u32 {
        self.queries
    }

    /// Different names, estimated.
    pub(crate) fn distinct(&self) -> f64 {
        let bits = (BITMAP_WORDS * 64) as f64;
        let empty: u32 = self.seen.iter().map(|word| word.count_zeros()).sum();
        (-bits * (f64::from(empty).max(1.0) / bits).ln()).min(f64::from(self.queries))
    }

    /// Octets below the domain.
    pub(crate) fn mean_octets(&self) -> f64 {
        self.octets as f64 / f64::from(self.queries.max(1))
    }

    /// Shannon entropy per octet of one query's data.
    pub(crate) fn mean_bits(&self) -> f64 {
        self.entropy as f64 / PARTS_OF_BIT / f64::from(self.queries.max(1))
    }

    /// Shares of unusual and of rare types; none where no type was seen.
    pub(crate) fn type_shares(&self) -> Option<(f64, f64)> {
        let share = |count: u32| f64::from(count) / f64::from(self.typed);
        (self.typed > 0).then(|| (share(self.odd), share(self.rare)))
    }
}

/// A host's queries below one domain.
#[derive(Debug)]
pub(crate) struct Tunnel {
    pub(crate) record: Record,
    pub(crate) sketch: Sketch,
    name_hash: u64,
    again: bool,
}

impl Entry for Tunnel {
    fn hash(&self) -> u64 {
        self.record.hash
    }

    fn second_chance(&mut self) -> bool {
        std::mem::take(&mut self.again)
    }
}

/// The sketches of one worker.
#[derive(Debug)]
pub(crate) struct Tunnels(Table<Tunnel>);

impl Tunnels {
    pub(crate) fn new(limit: usize) -> Self {
        Self(Table::new(limit))
    }

    pub(crate) fn find(&mut self, hash: u64) -> Option<&mut Tunnel> {
        let slot = self.0.find(hash, |tunnel| tunnel.record.hash == hash)?;
        self.0.at_mut(slot)
    }

    pub(crate) fn at(&self, hash: u64) -> Option<&Tunnel> {
        let slot = self.0.find(hash, |tunnel| tunnel.record.hash == hash)?;
        self.0.at(slot)
    }

    /// One query at this time; `fresh` makes the record of a new domain, whose name has this hash.
    pub(crate) fn query(&mut self, ends: (u64, i64, u32), data: &str, name_hash: u64, fresh: impl FnOnce() -> Record) {
        let (hash, time_ns, period) = ends;
        if self.find(hash).is_none() {
            self.0.insert(Tunnel {
                record: fresh(),
                sketch: Sketch::default(),
                name_hash,
                again: false,
            });
        } else if let Some(tunnel) = self.find(hash) {
            tunnel.record.timeline.check_in(time_ns, 0);
        }
        if let Some(tunnel) = self.find(hash) {
            tunnel.sketch.query(data);
            tunnel.record.period = period;
            tunnel.again |= tunnel.sketch.queries() > 1;
        }
    }

    /// Those worth judging, while their names are known.
    pub(crate) fn iter<'a>(&'a self, names: &'a Names) -> impl Iterator<Item = &'a Tunnel> {
        self.0.iter().filter(|tunnel| {
            tunnel.sketch.queries() >= FEWEST_QUERIES && names.hash(tunnel.record.name) == tunnel.name_hash
        })
    }

    /// Asks for the line where this hash will be searched for.
    #[inline]
    pub(crate) fn prefetch_index(&self, hash: u64) {
        self.0.prefetch_index(hash);
    }

    /// Asks for the entry itself.
    #[inline]
    pub(crate) fn prefetch_entry(&self, hash: u64) {
        self.0.prefetch_entry(hash);
    }

    pub(crate) fn evicted(&self) -> u64 {
        self.0.evicted()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.0.bytes()
    }
}

/// What carries data in a name, and the domain it is below: none where the top-level domain is neither listed nor plausible.
pub(crate) fn split(name: &str) -> (&str, Option<&str>) {
    let listed = psl::suffix(name.as_bytes()).is_some_and(|suffix| suffix.is_known());
    let top = name.rsplit('.').next().unwrap_or_default();
    let plausible = top.len() <= 12 && top.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    if !listed && !plausible {
        return (name, None);
    }
    match psl::domain_str(name).filter(|domain| domain.len() < name.len()) {
        Some(domain) => (&name[..name.len() - domain.len() - 1], Some(domain)),
        None => ("", Some(name)),
    }
}

/// Whether an address could be asked for such names at all.
pub(crate) fn is_resolver_port(port: u16, server: Address) -> bool {
    port != 5353 && port != 5355 && !crate::key::is_group(server)
}

/// Shannon entropy of the octets, bits each.
fn entropy_bits(data: &[u8]) -> f64 {
    let mut counts = [0_u8; 256];
    for &byte in data {
        counts[usize::from(byte)] = counts[usize::from(byte)].saturating_add(1);
    }
    let all = data.len().max(1) as f64;
    let of = |count: u8| {
        let share = f64::from(count) / all;
        -share * share.log2()
    };
    counts.iter().filter(|&&count| count > 0).map(|&count| of(count)).sum()
}

/// FNV-1a with a final mix. Not seeded, so that the estimate is the same in every run: who makes names collide hides nothing but the
/// number of his own names.
fn fnv(data: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for &byte in data {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_at_the_domain() {
        assert_eq!(split("a.b.example.co.uk"), ("a.b", Some("example.co.uk")));
        assert_eq!(split("example.org"), ("", Some("example.org")));
        assert_eq!(split("xyz.pirate.sea"), ("xyz", Some("pirate.sea")));
        assert_eq!(split("cat.00ff12.77ab"), ("cat.00ff12.77ab", None));
    }

    #[test]
    fn distinct_names_are_estimated() {
        for wanted in [5_u32, 50, 300] {
            let mut sketch = Sketch::default();
            for _ in 0..3 {
                for number in 0..wanted {
                    sketch.query(&format!("n{number}"));
                }
            }
            let off = sketch.distinct() / f64::from(wanted);
            assert!((0.8..1.25).contains(&off), "{wanted}: {off}");
        }
    }

    #[test]
    fn entropy_tells_words_from_encoded_data() {
        let mean = |data: &str| {
            let mut sketch = Sketch::default();
            sketch.query(data);
            sketch.mean_bits()
        };
        assert!(mean("aaaaaaaa") < 0.01 && mean("0123456789abcdef") > 3.99);
        assert!(mean("static") < mean("laegpumiplhhpz12ynd1efljwlkjcgwy"));
    }

    #[test]
    fn rare_types_are_told_from_usual_ones() {
        let mut sketch = Sketch::default();
        assert_eq!(sketch.type_shares(), None);
        for query_type in [1, 28, 16, 10] {
            sketch.query_type(query_type);
        }
        assert_eq!(sketch.type_shares(), Some((0.25, 0.25)));
    }
}

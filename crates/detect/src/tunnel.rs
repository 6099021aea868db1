//! Queries below a domain as a channel: what a host asks for there, in a few numbers.
//!
//! In: the names of DNS queries. Out: a [`NameSketch`], and how a name is divided. Not its job: weights, tables ([`crate::sketched`]).
//!
//! Names below a top-level domain that the Public Suffix List does not have, and that is itself no plausible one, are
//! counted together: a tunnel that talks to its server directly needs no domain at all.

use balefire_decode::Address;

/// Stands for all names without a domain.
pub(crate) const NO_DOMAIN: &str = "(no domain)";
/// Parts of a bit in which entropy is added up: whole numbers, so that no order of additions shows.
const PARTS_OF_BIT: f64 = 256.0;

/// Which of 64 times `WORDS` hash values occurred: linear counting (Whang, Vander-Zanden, Taylor 1990), good to about
/// four times as many different things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Distinct<const WORDS: usize>([u64; WORDS]);

impl<const WORDS: usize> Default for Distinct<WORDS> {
    fn default() -> Self {
        Self([0; WORDS])
    }
}

impl<const WORDS: usize> Distinct<WORDS> {
    /// One thing, or the hash of one. Not seeded, so that the estimate is the same in every run: who makes things collide hides
    /// nothing but the number of his own.
    pub(crate) fn add(&mut self, thing: u64) {
        let hash = (thing ^ (thing >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        self.0[(hash >> 6) as usize % WORDS] |= 1 << (hash & 63);
    }

    /// What either saw.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (word, theirs) in self.0.iter_mut().zip(&other.0) {
            *word |= theirs;
        }
    }

    /// About how many different things.
    pub(crate) fn estimate(&self) -> f64 {
        let bits = (WORDS * 64) as f64;
        let empty: u32 = self.0.iter().map(|word| word.count_zeros()).sum();
        -bits * (f64::from(empty).max(1.0) / bits).ln()
    }
}

/// See the head of this file. 88 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct NameSketch {
    seen: Distinct<4>,
    octets: u64,
    entropy: u64,
    queries: u32,
    /// Queries whose type was seen; of those TXT, CNAME, MX and the like; and those that hosts never need.
    typed: u32,
    odd: u32,
    rare: u32,
}

crate::state::kept!(NameSketch {
    seen,
    octets,
    entropy,
    queries,
    typed,
    odd,
    rare
});

impl<const WORDS: usize> crate::state::Kept for Distinct<WORDS> {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }

    fn take(from: &mut crate::state::Input<'_>) -> Option<Self> {
        <[u64; WORDS]>::take(from).map(Self)
    }
}

impl NameSketch {
    /// A query for `data` below the domain.
    pub(crate) fn query(&mut self, data: &str) {
        self.queries = self.queries.saturating_add(1);
        self.octets += data.len() as u64;
        self.entropy += (entropy_bits(data.as_bytes()) * PARTS_OF_BIT) as u64;
        self.seen.add(fnv(data.as_bytes()));
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
        self.seen.estimate().min(f64::from(self.queries))
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
    let mut present = [0_u128; 2];
    for &byte in data {
        counts[usize::from(byte)] = counts[usize::from(byte)].saturating_add(1);
        present[usize::from(byte >> 7)] |= 1 << (byte & 127);
    }
    let all = data.len().max(1) as f64;
    let of = |count: u8| {
        let share = f64::from(count) / all;
        -share * share.log2()
    };
    // In the order of octets, of which a name has a dozen: a sum of fractions depends on its order.
    let mut bits = 0.0;
    for (half, mut present) in [(0, present[0]), (128, present[1])] {
        while present != 0 {
            bits += of(counts[half + present.trailing_zeros() as usize]);
            present &= present - 1;
        }
    }
    bits
}

/// FNV-1a.
pub(crate) fn fnv(data: &[u8]) -> u64 {
    let step = |hash: u64, &byte: &u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    data.iter().fold(0xcbf2_9ce4_8422_2325_u64, step)
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
            let mut sketch = NameSketch::default();
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
            let mut sketch = NameSketch::default();
            sketch.query(data);
            sketch.mean_bits()
        };
        assert!(mean("aaaaaaaa") < 0.01 && mean("0123456789abcdef") > 3.99);
        assert!(mean("static") < mean("laegpumiplhhpz12ynd1efljwlkjcgwy"));
    }

    #[test]
    fn rare_types_are_told_from_usual_ones() {
        let mut sketch = NameSketch::default();
        assert_eq!(sketch.type_shares(), None);
        for query_type in [1, 28, 16, 10] {
            sketch.query_type(query_type);
        }
        assert_eq!(sketch.type_shares(), Some((0.25, 0.25)));
    }
}

//! Threat intelligence the operator gave: lists compiled into one table that is only read, by any number of workers.
//!
//! In: the bytes of lists. Out: [`Intel`], which says of an address, a name or a fingerprint which lists name it. Not its job:
//! opening files (the program), what a match means ([`crate::confirm`]).
//!
//! Memory of an indicator: 24 bytes, and its key: 9 to 18 for an IPv4 address or network, 37 to 75 for IPv6, 28 to 55 and its
//! text for a domain, 46 to 92 for a fingerprint, by how full the hash table is. A look-up is one access per prefix length in use
//! for an address, one per label for a name.

mod csv;
mod indicator;
mod list;
mod misp;
mod name;
mod stix;
mod time;

use std::collections::HashMap;

use balefire_decode::Address;
use balefire_track::Ja4;
use foldhash::fast::RandomState;

pub use indicator::Refusal;
pub(crate) use indicator::{Value, ja4, mask, network};
pub use list::{ListError, ListFault, ListFormat, ListReport};
pub(crate) use name::{normal, suffixes};
pub(crate) use time::seconds;

/// Indicators that are kept unless another limit is asked for: at most about 0.5 GB of addresses or 1 GB of domains.
pub const MOST_INDICATORS: usize = 10_000_000;
/// Entries of one key, as of an address at many ports in many lists; more are refused, so that a list cannot make look-ups slow.
const MOST_OF_ONE: usize = 64;
/// Bytes kept of a label.
const MOST_LABEL: usize = 160;
/// Ends a chain of entries; "without end" for times; "no label".
const NONE: u32 = u32::MAX;

type Map<K> = HashMap<K, u32, RandomState>;

/// A list in use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IntelList {
    /// As the operator calls it.
    pub name: String,
    /// Indicators taken from it.
    pub indicators: u64,
    /// Of its content, whatever it is called: tells one edition from another.
    pub fingerprint: u64,
}

/// FNV-1a, 64 bits (RFC 9923): the same on every machine and in every version. It tells editions apart; it is no
/// protection against who makes two lists alike on purpose.
fn fingerprint(bytes: &[u8]) -> u64 {
    let step = |hash: u64, &byte: &u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// Which entry of which list names something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct IndicatorMatch {
    /// The list.
    pub list: String,
    /// Its line (in JSON: its attribute or object), from 1.
    pub line: u32,
    /// What is named: `192.0.2.7`, `192.0.2.0/24`, `evil.example`, a fingerprint; with `:port` where only that port is.
    pub indicator: String,
    /// What the list says of it.
    pub label: Option<String>,
}

/// Where an indicator stands and when and where it holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source {
    pub(crate) list: u16,
    pub(crate) line: u32,
    pub(crate) port: u16,
    pub(crate) until_s: Option<i64>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// The next entry of the same key.
    next: u32,
    label: u32,
    line: u32,
    /// Seconds since 1970, until 2106; [`NONE`] for ever.
    until_s: u32,
    list: u16,
    port: u16,
}

const _: () = assert!(size_of::<Entry>() <= 24);

/// See the head of this file.
#[derive(Debug, Default)]
pub struct Intel {
    lists: Vec<IntelList>,
    /// By prefix length, of 32.
    v4: Vec<(u8, Map<u32>)>,
    /// By prefix length, of 128.
    v6: Vec<(u8, Map<u128>)>,
    domains: Map<Box<str>>,
    ja4: Map<Ja4>,
    entries: Vec<Entry>,
    labels: Vec<Box<str>>,
}

impl Intel {
    /// Whether nothing is listed.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Indicators of all lists.
    pub fn indicators(&self) -> u64 {
        self.entries.len() as u64
    }

    /// The lists, in the order they were read.
    pub fn lists(&self) -> &[IntelList] {
        &self.lists
    }

    pub(crate) fn has_addresses(&self) -> bool {
        !(self.v4.is_empty() && self.v6.is_empty())
    }

    pub(crate) fn has_domains(&self) -> bool {
        !self.domains.is_empty()
    }

    pub(crate) fn has_ja4(&self) -> bool {
        !self.ja4.is_empty()
    }

    /// Whether the address is listed at this port at this time.
    pub(crate) fn lists_address(&self, address: Address, port: u16, time_ns: i64) -> bool {
        let mut listed = false;
        self.of_address(address, |_, head| {
            listed |= self.chain(head).any(|entry| entry.holds(Some(port), time_ns));
        });
        listed
    }

    /// The shortest listed domain that this name is or lies below. Without a port any port's entry counts.
    pub(crate) fn listed_domain<'n>(&self, name: &'n str, port: Option<u16>, time_ns: i64) -> Option<&'n str> {
        suffixes(name)
            .filter(|suffix| {
                let head = self.domains.get(*suffix).copied().unwrap_or(NONE);
                self.chain(head).any(|entry| entry.holds(port, time_ns))
            })
            .last()
    }

    pub(crate) fn lists_ja4(&self, ja4: &Ja4, time_ns: i64) -> bool {
        let head = self.ja4.get(ja4).copied().unwrap_or(NONE);
        self.chain(head).any(|entry| entry.holds(None, time_ns))
    }

    /// Every entry that names the address.
    pub(crate) fn matches_of_address(&self, address: Address, port: u16, time_ns: i64) -> Vec<IndicatorMatch> {
        let mut found = Vec::new();
        self.of_address(address, |prefix, head| {
            let network = Address::of_bits(address.bits() & mask(prefix));
            let shown = match (prefix, network.is_v4() && prefix >= 96) {
                (128, _) => network.to_string(),
                (prefix, true) => format!("{network}/{}", prefix - 96),
                (prefix, false) => format!("{network}/{prefix}"),
            };
            self.matches(head, Some(port), time_ns, &shown, network.is_v4(), &mut found);
        });
        found.sort();
        found
    }

    /// Every entry that names the domain or one above it.
    pub(crate) fn matches_of_domain(&self, name: &str, port: Option<u16>, time_ns: i64) -> Vec<IndicatorMatch> {
        let mut found = Vec::new();
        for suffix in suffixes(name) {
            let head = self.domains.get(suffix).copied().unwrap_or(NONE);
            self.matches(head, port, time_ns, suffix, true, &mut found);
        }
        found.sort();
        found
    }

    /// Every entry that names the fingerprint.
    pub(crate) fn matches_of_ja4(&self, ja4: &Ja4, time_ns: i64) -> Vec<IndicatorMatch> {
        let mut found = Vec::new();
        let head = self.ja4.get(ja4).copied().unwrap_or(NONE);
        self.matches(head, None, time_ns, ja4.text(), true, &mut found);
        found.sort();
        found
    }

    fn of_address(&self, address: Address, mut found: impl FnMut(u8, u32)) {
        let bits = address.bits();
        if address.is_v4() {
            for (prefix, map) in &self.v4 {
                let key = (bits & mask(96 + prefix)) as u32;
                if let Some(head) = map.get(&key) {
                    found(96 + prefix, *head);
                }
            }
            return;
        }
        for (prefix, map) in &self.v6 {
            if let Some(head) = map.get(&(bits & mask(*prefix))) {
                found(*prefix, *head);
            }
        }
    }

    fn chain(&self, head: u32) -> impl Iterator<Item = &Entry> {
        let mut next = head;
        std::iter::from_fn(move || {
            let entry = self.entries.get(next as usize)?;
            next = entry.next;
            Some(entry)
        })
    }

    fn matches(
        &self,
        head: u32,
        port: Option<u16>,
        time_ns: i64,
        shown: &str,
        plain: bool,
        found: &mut Vec<IndicatorMatch>,
    ) {
        for entry in self.chain(head).filter(|entry| entry.holds(port, time_ns)) {
            let indicator = match (entry.port, plain) {
                (0, _) => shown.to_owned(),
                (port, true) => format!("{shown}:{port}"),
                (port, false) => format!("[{shown}]:{port}"),
            };
            found.push(IndicatorMatch {
                list: self
                    .lists
                    .get(usize::from(entry.list))
                    .map(|list| list.name.clone())
                    .unwrap_or_default(),
                line: entry.line,
                indicator,
                label: self.labels.get(entry.label as usize).map(|label| label.to_string()),
            });
        }
    }
}

impl Entry {
    fn holds(&self, port: Option<u16>, time_ns: i64) -> bool {
        let there = self.port == 0 || port.is_none_or(|port| port == self.port);
        there && (self.until_s == NONE || time_ns < i64::from(self.until_s).saturating_mul(1_000_000_000))
    }
}

/// Reads lists, one after another.
#[derive(Debug)]
pub struct IntelBuilder {
    intel: Intel,
    labels: HashMap<Box<str>, u32, RandomState>,
    limit: usize,
}

impl Default for IntelBuilder {
    fn default() -> Self {
        Self::new(MOST_INDICATORS)
    }
}

impl IntelBuilder {
    /// Keeps at most `limit` indicators; more are counted.
    pub fn new(limit: usize) -> Self {
        Self {
            intel: Intel::default(),
            labels: HashMap::default(),
            // Entries are numbered with 32 bits, the last of which is nobody's.
            limit: limit.min(NONE as usize - 1),
        }
    }

    /// Reads one list; `name` is what findings call it. Its form is told by its content.
    ///
    /// # Errors
    /// Nothing in it can be used. Lines that cannot be used beside others that can are in the report.
    pub fn add(&mut self, name: &str, bytes: &[u8]) -> Result<ListReport, ListError> {
        let list =
            u16::try_from(self.intel.lists.len()).map_err(|_| ListError::TooManyLists { name: name.to_owned() })?;
        self.intel.lists.push(IntelList {
            name: name.to_owned(),
            indicators: 0,
            fingerprint: fingerprint(bytes),
        });
        let report = list::Reading::new(self, list, name).read(bytes);
        match (&report, self.intel.lists.last_mut()) {
            (Ok(report), Some(list)) => list.indicators = report.indicators,
            _ => drop(self.intel.lists.pop()),
        }
        report
    }

    /// What was read, ready to be asked.
    pub fn build(mut self) -> Intel {
        self.intel.v4.sort_by_key(|(prefix, _)| *prefix);
        self.intel.v6.sort_by_key(|(prefix, _)| *prefix);
        self.intel.entries.shrink_to_fit();
        self.intel
    }

    /// Whether it is new; an error where there is no room.
    pub(crate) fn insert(&mut self, value: &Value, source: Source, label: &str) -> Result<bool, Refusal> {
        if self.intel.entries.len() >= self.limit {
            return Err(Refusal::Limit);
        }
        let number = u32::try_from(self.intel.entries.len()).map_err(|_| Refusal::Limit)?;
        let entries = &self.intel.entries;
        let head = match value {
            Value::Network(bits, prefix) if *prefix >= 96 && Address::of_bits(*bits).is_v4() => {
                map_of(&mut self.intel.v4, prefix - 96)
                    .entry(*bits as u32)
                    .or_insert(NONE)
            }
            Value::Network(bits, prefix) => map_of(&mut self.intel.v6, *prefix).entry(*bits).or_insert(NONE),
            Value::Domain(name) => self.intel.domains.entry(name.as_str().into()).or_insert(NONE),
            Value::Ja4(ja4) => self.intel.ja4.entry(*ja4).or_insert(NONE),
        };
        let (mut at, mut of_one) = (*head, 0);
        while let Some(entry) = entries.get(at as usize) {
            if (entry.list, entry.port) == (source.list, source.port) {
                return Ok(false);
            }
            (at, of_one) = (entry.next, of_one + 1);
        }
        if of_one >= MOST_OF_ONE {
            return Err(Refusal::Limit);
        }
        let next = std::mem::replace(head, number);
        let label = self.label(label);
        // A time before 1970 has passed; one after 2106 will not.
        let until_s = source.until_s.map_or(NONE, |s| u32::try_from(s.max(0)).unwrap_or(NONE));
        self.intel.entries.push(Entry {
            next,
            label,
            line: source.line,
            until_s,
            list: source.list,
            port: source.port,
        });
        Ok(true)
    }

    /// The number of a label, each text kept once.
    fn label(&mut self, label: &str) -> u32 {
        let label = label.trim();
        let mut end = label.len().min(MOST_LABEL);
        while !label.is_char_boundary(end) {
            end -= 1;
        }
        let label = &label[..end];
        if label.is_empty() {
            return NONE;
        }
        if let Some(number) = self.labels.get(label) {
            return *number;
        }
        let number = u32::try_from(self.intel.labels.len()).unwrap_or(NONE);
        self.intel.labels.push(label.into());
        self.labels.insert(label.into(), number);
        number
    }
}

fn map_of<K>(maps: &mut Vec<(u8, Map<K>)>, prefix: u8) -> &mut Map<K> {
    let at = match maps.iter().position(|(known, _)| *known == prefix) {
        Some(at) => at,
        None => {
            maps.push((prefix, Map::default()));
            maps.len() - 1
        }
    };
    &mut maps[at].1
}

#[cfg(test)]
#[path = "intel/tests.rs"]
mod tests;

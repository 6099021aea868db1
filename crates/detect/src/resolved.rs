//! Which names a host was given addresses for: what names a connection to an address that gives no name itself.
//!
//! In: the answers of DNS that a host was sent. Out: [`Resolutions`]. Not its job: the queries, which are check-ins.
//!
//! Where workers are chosen by pairs of addresses, a host's resolver and its servers may be with different workers: so
//! the final word is said when the parts of all are together, and a name counts whenever it was given.

use balefire_decode::Address;

use crate::names::Names;
use crate::table::{Entry, Table};

/// What hosts were given, over any number of workers. May hold the same host and address several times. Each name lies there
/// once for each worker, however many hosts were given it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resolutions {
    entries: Vec<Resolution>,
    texts: Vec<u8>,
}

/// A host was given an address for a name, `bytes` long from `at` on.
#[derive(Clone, Copy, Debug)]
struct Resolution {
    /// Of host and address, seeded alike in all workers.
    ends: u64,
    time_ns: i64,
    at: u32,
    bytes: u16,
}

impl Resolutions {
    /// Takes in those of another worker.
    pub(crate) fn extend(&mut self, other: &Self) {
        // Names are at most 255 bytes and a table holds far fewer than 2^24 of them; what would not fit is left out.
        let Ok(shift) = u32::try_from(self.texts.len() + other.texts.len()).map(|_| self.texts.len() as u32) else {
            return;
        };
        self.texts.extend_from_slice(&other.texts);
        self.entries.extend(other.entries.iter().map(|entry| Resolution {
            at: entry.at + shift,
            ..*entry
        }));
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Hash of the host and the address it was given.
    pub(crate) fn ends(&self, place: usize) -> u64 {
        self.entries[place].ends
    }

    /// Of the same ends the lesser counts: the earlier, and at the same moment the smaller name.
    pub(crate) fn order(&self, place: usize) -> (i64, &[u8]) {
        (self.entries[place].time_ns, self.bytes(place))
    }

    pub(crate) fn name(&self, place: usize) -> Option<&str> {
        std::str::from_utf8(self.bytes(place)).ok()
    }

    fn bytes(&self, place: usize) -> &[u8] {
        let entry = &self.entries[place];
        let start = entry.at as usize;
        &self.texts[start..start + usize::from(entry.bytes)]
    }
}

#[derive(Debug)]
struct Given {
    hash: u64,
    host: Address,
    address: Address,
    time_ns: i64,
    /// The name's slot, and its hash: the slot may belong to another name by the time it is asked for.
    name: u32,
    name_hash: u64,
    again: bool,
}

impl Entry for Given {
    fn hash(&self) -> u64 {
        self.hash
    }

    fn second_chance(&mut self) -> bool {
        std::mem::take(&mut self.again)
    }
}

/// The resolutions of one worker.
#[derive(Debug)]
pub(crate) struct ResolvedTable(Table<Given>);

impl ResolvedTable {
    pub(crate) fn new(limit: usize) -> Self {
        Self(Table::new(limit))
    }

    /// `host` was told at `time_ns` that the name in slot `name` has this address. `hash` is of host and address.
    pub(crate) fn given(&mut self, hash: u64, ends: (Address, Address), time_ns: i64, name: (u32, u64), names: &Names) {
        let (host, address) = ends;
        let found = self
            .0
            .find(hash, |given| (given.host, given.address) == (host, address));
        let Some(given) = found.and_then(|slot| self.0.at_mut(slot)) else {
            self.0.insert(Given {
                hash,
                host,
                address,
                time_ns,
                name: name.0,
                name_hash: name.1,
                again: false,
            });
            return;
        };
        given.again = true;
        let forgotten = names.hash(given.name) != given.name_hash;
        // At the same moment the smaller name, so that the order in which workers saw them does not matter.
        if forgotten || (time_ns == given.time_ns && names.text(name.0) < names.text(given.name)) {
            (given.time_ns, given.name, given.name_hash) = (time_ns, name.0, name.1);
        }
    }

    /// The name that a host was given an address for.
    pub(crate) fn name<'a>(&self, hash: u64, host: Address, address: Address, names: &'a Names) -> Option<&'a str> {
        let slot = self
            .0
            .find(hash, |given| (given.host, given.address) == (host, address))?;
        let given = self.0.at(slot)?;
        names
            .text(given.name)
            .filter(|_| names.hash(given.name) == given.name_hash)
    }

    /// All of them whose names are still known, for the whole's last word.
    pub(crate) fn all(&self, names: &Names) -> Resolutions {
        let mut all = Resolutions::default();
        all.entries.reserve_exact(self.0.len());
        // Where each name lies, by its slot.
        let mut places = vec![u32::MAX; names.slots()];
        for given in self.known(names) {
            let Some(name) = names.bytes_of(given.name) else {
                continue;
            };
            let Ok(end) = u32::try_from(all.texts.len()) else { break };
            let place = &mut places[given.name as usize];
            if *place == u32::MAX {
                *place = end;
                all.texts.extend_from_slice(name);
            }
            let at = *place;
            all.entries.push(Resolution {
                ends: given.hash,
                time_ns: given.time_ns,
                at,
                bytes: name.len() as u16,
            });
        }
        all
    }

    /// The same one by one: host, address, when, and the name.
    pub(crate) fn each<'a>(&'a self, names: &'a Names) -> impl Iterator<Item = (Address, Address, i64, &'a str)> + 'a {
        let known = self.known(names);
        known.filter_map(|given| Some((given.host, given.address, given.time_ns, names.text(given.name)?)))
    }

    fn known<'a>(&'a self, names: &'a Names) -> impl Iterator<Item = &'a Given> + 'a {
        self.0.iter().filter(|given| names.hash(given.name) == given.name_hash)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::Seed;

    #[test]
    fn the_first_name_stays_and_a_host_has_its_own() {
        let seed = Seed::new(7);
        let mut names = Names::new(64);
        let mut table = ResolvedTable::new(64);
        let host = Address::v4([10, 0, 0, 1]);
        let other = Address::v4([10, 0, 0, 2]);
        let address = Address::v4([192, 0, 2, 1]);
        let hash = |host| seed.ends(host, address);
        for (time_ns, text) in [(5, "www.example.org"), (5, "a.example.org"), (6, "aa.example.org")] {
            let name = names.intern(text, &seed);
            table.given(hash(host), (host, address), time_ns, name, &names);
        }
        assert_eq!(table.name(hash(host), host, address, &names), Some("a.example.org"));
        assert_eq!(table.name(hash(other), other, address, &names), None);
        let mut all = table.all(&names);
        all.extend(&table.all(&names));
        assert_eq!(
            (all.len(), all.name(1), all.ends(1)),
            (2, Some("a.example.org"), hash(host))
        );
        assert_eq!(
            table.each(&names).collect::<Vec<_>>(),
            [(host, address, 5, "a.example.org")]
        );
    }
}

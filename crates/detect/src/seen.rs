//! Who and what was seen at all: distinct hosts, destinations with their number of hosts, and pairs seen once or twice.
//!
//! In: hashes and keys of check-ins. Out: distinct counts, prevalence, and the moment a pair deserves a timeline. Not its
//! job: timelines ([`crate::ledger`]).

use balefire_decode::Address;

use crate::key::Destination;
use crate::table::{Entry, Table};

/// A host.
#[derive(Debug)]
pub(crate) struct Host {
    hash: u64,
    pub(crate) address: Address,
    /// The last period (hour of the run, from 0) it was active in.
    pub(crate) period: u32,
    /// Services (address, port, transport) it was seen to talk to: pairs that were new.
    pub(crate) services: u32,
    /// It was seen to give a server's name, in TLS or HTTP.
    pub(crate) names: bool,
    /// Answers to its DNS queries were seen.
    pub(crate) resolves: bool,
    again: bool,
}

/// What a host was seen to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// It went to a service it had not been to before.
    NewService,
    /// It gave a server's name.
    Named,
    /// It was given an address for a name.
    Resolved,
    /// Something else.
    Other,
}

impl Host {
    fn did(&mut self, deed: Deed) {
        match deed {
            Deed::NewService => self.services = self.services.saturating_add(1),
            Deed::Named => self.names = true,
            Deed::Resolved => self.resolves = true,
            Deed::Other => {}
        }
    }
}

impl Entry for Host {
    fn hash(&self) -> u64 {
        self.hash
    }

    fn second_chance(&mut self) -> bool {
        std::mem::take(&mut self.again)
    }
}

/// A destination and how many hosts of this worker go there.
#[derive(Debug)]
pub(crate) struct Reached {
    hash: u64,
    pub(crate) key: Destination,
    pub(crate) hosts: u32,
    /// The last period it was reached in.
    pub(crate) period: u32,
}

impl Entry for Reached {
    fn hash(&self) -> u64 {
        self.hash
    }

    /// What several hosts use is worth remembering: prevalence is what lowers innocent scores. Halving makes it go in the end.
    fn second_chance(&mut self) -> bool {
        self.hosts /= 2;
        self.hosts > 0
    }
}

/// A pair seen once or twice.
#[derive(Debug)]
struct Pair {
    hash: u64,
    first_ns: i64,
    second_ns: i64,
    twice: bool,
}

impl Entry for Pair {
    fn hash(&self) -> u64 {
        self.hash
    }

    fn second_chance(&mut self) -> bool {
        std::mem::take(&mut self.twice)
    }
}

/// What a check-in of a pair without a timeline is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sighting {
    /// The first one.
    First,
    /// The second one, or too close to the last to count.
    Again,
    /// The third: the pair is forgotten here, and its first two times go into a timeline.
    Third([i64; 2]),
}

/// The three tables of one worker.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) hosts: Table<Host>,
    pub(crate) destinations: Table<Reached>,
    pairs: Table<Pair>,
}

impl Seen {
    pub(crate) fn new(limits: &crate::Limits) -> Self {
        Self {
            hosts: Table::new(limits.hosts),
            destinations: Table::new(limits.addresses),
            pairs: Table::new(limits.pairs),
        }
    }

    /// A host did something in this period.
    #[inline]
    pub(crate) fn host(&mut self, hash: u64, address: Address, period: u32, deed: Deed) {
        if let Some(slot) = self.hosts.find(hash, |host| host.address == address) {
            if let Some(host) = self.hosts.at_mut(slot) {
                host.again = true;
                host.period = period;
                host.did(deed);
            }
            return;
        }
        let mut host = Host {
            hash,
            address,
            period,
            services: 0,
            names: false,
            resolves: false,
            again: false,
        };
        host.did(deed);
        self.hosts.insert(host);
    }

    /// A destination was reached, by one more host if the pair is new.
    #[inline]
    pub(crate) fn destination(&mut self, hash: u64, key: &Destination, new_host: bool, period: u32) {
        if let Some(slot) = self.destinations.find(hash, |reached| reached.key == *key) {
            if let Some(reached) = self.destinations.at_mut(slot) {
                reached.hosts = reached.hosts.saturating_add(u32::from(new_host)).max(1);
                reached.period = period;
            }
            return;
        }
        self.destinations.insert(Reached {
            hash,
            key: *key,
            hosts: 1,
            period,
        });
    }

    /// A pair without a timeline checked in.
    #[inline]
    pub(crate) fn pair(&mut self, hash: u64, time_ns: i64) -> Sighting {
        let Some(slot) = self.pairs.find(hash, |pair| pair.hash == hash) else {
            self.pairs.insert(Pair {
                hash,
                first_ns: time_ns,
                second_ns: time_ns,
                twice: false,
            });
            return Sighting::First;
        };
        let Some(pair) = self.pairs.at_mut(slot) else {
            return Sighting::Again;
        };
        // The same rule as a timeline's, so that a page load of many connections is one check-in here too.
        let last_ns = if pair.second_ns != pair.first_ns {
            pair.second_ns
        } else {
            pair.first_ns
        };
        if time_ns.saturating_sub(last_ns).saturating_abs() < crate::COLLAPSE_NS {
            return Sighting::Again;
        }
        if pair.second_ns == pair.first_ns {
            pair.second_ns = time_ns;
            pair.twice = true;
            return Sighting::Again;
        }
        let times = [pair.first_ns.min(pair.second_ns), pair.first_ns.max(pair.second_ns)];
        self.pairs.remove(slot);
        Sighting::Third(times)
    }

    /// The first and the last time of a pair that is known and has no timeline.
    pub(crate) fn pair_times(&self, hash: u64) -> Option<(i64, i64)> {
        let slot = self.pairs.find(hash, |pair| pair.hash == hash)?;
        let pair = self.pairs.at(slot)?;
        Some((pair.first_ns.min(pair.second_ns), pair.first_ns.max(pair.second_ns)))
    }

    /// A host, if it is known.
    pub(crate) fn host_of(&self, hash: u64, address: Address) -> Option<&Host> {
        let slot = self.hosts.find(hash, |host| host.address == address)?;
        self.hosts.at(slot)
    }

    /// Hosts that go to a destination.
    pub(crate) fn hosts_of(&self, hash: u64, key: &Destination) -> u32 {
        let slot = self.destinations.find(hash, |reached| reached.key == *key);
        slot.and_then(|slot| self.destinations.at(slot))
            .map_or(0, |reached| reached.hosts)
    }

    /// Reads the cells where these three will be searched for.
    #[inline]
    pub(crate) fn touch_indexes(&self, host: u64, destination: u64, pair: u64) -> u64 {
        self.hosts.touch_index(host) ^ self.destinations.touch_index(destination) ^ self.pairs.touch_index(pair)
    }

    /// Reads the entries themselves.
    #[inline]
    pub(crate) fn touch_entries(&self, host: u64, destination: u64, pair: u64) -> u64 {
        self.hosts.touch_entry(host) ^ self.destinations.touch_entry(destination) ^ self.pairs.touch_entry(pair)
    }

    pub(crate) fn pairs_len(&self) -> usize {
        self.pairs.len()
    }

    pub(crate) fn pairs_evicted(&self) -> u64 {
        self.pairs.evicted()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.hosts.bytes() + self.destinations.bytes() + self.pairs.bytes()
    }
}

/// The index keeps at most 8/5 and at least 16/5 cells of 8 bytes per entry after growing.
const _: () = assert!(size_of::<Option<Pair>>() + 26 <= 64);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    const S: i64 = 1_000_000_000;

    #[test]
    fn the_third_sighting_gives_the_first_two_times() {
        let mut seen = Seen::new(&Limits::default());
        assert_eq!(seen.pair(9, 10 * S), Sighting::First);
        assert_eq!(seen.pair(9, 10 * S + 5), Sighting::Again);
        assert_eq!(seen.pair(9, 20 * S), Sighting::Again);
        assert_eq!(seen.pair(9, 20 * S + 5), Sighting::Again);
        assert_eq!(seen.pair(9, 30 * S), Sighting::Third([10 * S, 20 * S]));
        assert_eq!(seen.pair(9, 40 * S), Sighting::First);
    }

    #[test]
    fn prevalence_counts_hosts_not_check_ins() {
        let mut seen = Seen::new(&Limits::default());
        let key = Destination::service(Address::v4([192, 0, 2, 1]), 443, balefire_decode::Transport::TCP);
        seen.destination(5, &key, true, 0);
        seen.destination(5, &key, false, 0);
        seen.destination(5, &key, true, 1);
        assert_eq!(seen.hosts_of(5, &key), 2);
        assert_eq!(seen.hosts_of(6 << 32, &key), 0);
    }

    #[test]
    fn a_flood_of_single_pairs_leaves_those_seen_twice_for_a_round() {
        let limits = Limits {
            pairs: 100,
            ..Limits::default()
        };
        let mut seen = Seen::new(&limits);
        seen.pair(1 << 32, 0);
        seen.pair(1 << 32, 10 * S);
        for number in 2..=150_u64 {
            seen.pair(number << 32, 11 * S);
        }
        assert!(matches!(seen.pair(1 << 32, 20 * S), Sighting::Third(_)));
        assert!(seen.pairs_len() <= 100 && seen.pairs_evicted() >= 49);
    }
}

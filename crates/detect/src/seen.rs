//! Who and what was seen at all: distinct hosts, destinations with their number of hosts, and pairs seen once or twice.
//!
//! In: hashes and keys of check-ins. Out: distinct counts, prevalence, and the moment a pair deserves a timeline. Not its
//! job: timelines ([`crate::ledger`]).

use std::num::{NonZeroU32, NonZeroU64};

use balefire_decode::{Address, Transport};

use crate::key::{Destination, Scope};
use crate::slab::Slab;
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

/// A destination and how many hosts of this worker go there. It is found by its 64-bit seeded hash, as pairs are; what it is
/// is kept for lists that come later, and for counting distinct addresses.
#[derive(Debug)]
pub(crate) struct Reached {
    pub(crate) hash: u64,
    hosts: NonZeroU32,
    /// The last period it was reached in, its lower half: nothing is known for seven years.
    period: u16,
    /// The day, since 1970, on which it was first reached.
    first_day: u16,
    /// An IPv4 address; or where in [`Seen::long`] an IPv6 address is.
    place: u32,
    port: u16,
    transport: u8,
    what: What,
}

/// Of the address of a destination, most are IPv4, and sixteen bytes for each would be half the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Name,
    V4,
    V6,
}

impl Reached {
    pub(crate) fn hosts(&self) -> u32 {
        self.hosts.get()
    }

    /// Whether it was reached in this period.
    pub(crate) fn is_active(&self, period: u32) -> bool {
        self.period == period as u16
    }

    /// The day, since 1970, on which it was first reached.
    pub(crate) fn first_day(&self) -> u16 {
        self.first_day
    }
}

impl Entry for Reached {
    fn hash(&self) -> u64 {
        self.hash
    }

    /// What several hosts use is worth remembering: prevalence is what lowers innocent scores. Halving makes it go in the end.
    fn second_chance(&mut self) -> bool {
        let half = NonZeroU32::new(self.hosts.get() / 2);
        self.hosts = half.unwrap_or(self.hosts);
        half.is_some()
    }
}

/// A pair seen once or twice. The bit [`Pair::AGAIN`] of its identity is kept for another use.
#[derive(Debug)]
struct Pair {
    identity: NonZeroU64,
    first_ns: i64,
    /// The same as the first until there is a second.
    second_ns: i64,
}

impl Pair {
    /// It was seen a second time since the hand last passed.
    const AGAIN: u64 = 1 << 31;

    /// Its identity from its hash: 63 bits of it, and never 0.
    #[inline]
    fn identity(hash: u64) -> NonZeroU64 {
        NonZeroU64::new(hash & !Self::AGAIN).unwrap_or(NonZeroU64::MIN)
    }
}

impl Entry for Pair {
    fn hash(&self) -> u64 {
        self.identity.get() & !Self::AGAIN
    }

    fn second_chance(&mut self) -> bool {
        let again = self.identity.get() & Self::AGAIN != 0;
        self.identity = Self::identity(self.identity.get());
        again
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
    /// IPv6 addresses of destinations.
    long: Slab<Address>,
    long_free: Vec<u32>,
    /// The first day of any destination.
    since_day: Option<u16>,
}

/// The day of a time, since 1970; it has room until 2149.
pub(crate) fn day_of(time_ns: i64) -> u16 {
    const DAY_NS: i64 = 86_400_000_000_000;
    u16::try_from(time_ns.div_euclid(DAY_NS).max(0)).unwrap_or(u16::MAX)
}

impl Seen {
    pub(crate) fn new(limits: &crate::Limits) -> Self {
        Self {
            hosts: Table::new(limits.hosts),
            destinations: Table::new(limits.addresses),
            pairs: Table::new(limits.pairs),
            long: Slab::new(),
            long_free: Vec::new(),
            since_day: None,
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
    pub(crate) fn destination(&mut self, hash: u64, key: &Destination, new_host: bool, period: u32, time_ns: i64) {
        if let Some(slot) = self.destinations.find(hash, |reached| reached.hash == hash) {
            if let Some(reached) = self.destinations.at_mut(slot) {
                reached.hosts = reached.hosts.saturating_add(u32::from(new_host));
                reached.period = period as u16;
            }
            return;
        }
        let (what, place) = self.place(key);
        let first_day = day_of(time_ns);
        self.since_day = Some(self.since_day.map_or(first_day, |since_day| since_day.min(first_day)));
        let (_, evicted) = self.destinations.insert(Reached {
            hash,
            hosts: NonZeroU32::MIN,
            period: period as u16,
            first_day,
            place,
            port: key.port,
            transport: key.transport,
            what,
        });
        if let Some(gone) = evicted.filter(|gone| gone.what == What::V6) {
            self.long_free.push(gone.place);
        }
    }

    fn place(&mut self, key: &Destination) -> (What, u32) {
        let address = Address::of_bits(key.bits);
        if key.scope != Scope::Service {
            return (What::Name, 0);
        }
        if address.is_v4() {
            return (What::V4, key.bits as u32);
        }
        let place = self
            .long_free
            .pop()
            .unwrap_or_else(|| self.long.push(Address::UNSPECIFIED));
        if let Some(long) = self.long.get_mut(place) {
            *long = address;
        }
        (What::V6, place)
    }

    /// What a destination is, if it is no name.
    pub(crate) fn service(&self, reached: &Reached) -> Option<Destination> {
        let address = match reached.what {
            What::Name => return None,
            What::V4 => Address::v4(reached.place.to_be_bytes()),
            What::V6 => *self.long.get(reached.place)?,
        };
        Some(Destination::service(
            address,
            reached.port,
            Transport(reached.transport),
        ))
    }

    /// A pair without a timeline checked in.
    #[inline]
    pub(crate) fn pair(&mut self, hash: u64, time_ns: i64) -> Sighting {
        let identity = Pair::identity(hash);
        let found = self.pairs.find(identity.get(), |pair| pair.hash() == identity.get());
        let Some(slot) = found else {
            self.pairs.insert(Pair {
                identity,
                first_ns: time_ns,
                second_ns: time_ns,
            });
            return Sighting::First;
        };
        let Some(pair) = self.pairs.at_mut(slot) else {
            return Sighting::Again;
        };
        // The same rule as a timeline's, so that a page load of many connections is one check-in here too.
        if time_ns.saturating_sub(pair.second_ns).saturating_abs() < crate::COLLAPSE_NS {
            return Sighting::Again;
        }
        if pair.second_ns == pair.first_ns {
            pair.second_ns = time_ns;
            pair.identity |= Pair::AGAIN;
            return Sighting::Again;
        }
        let times = [pair.first_ns.min(pair.second_ns), pair.first_ns.max(pair.second_ns)];
        self.pairs.remove(slot);
        Sighting::Third(times)
    }

    /// The first and the last time of a pair that is known and has no timeline.
    pub(crate) fn pair_times(&self, hash: u64) -> Option<(i64, i64)> {
        let identity = Pair::identity(hash).get();
        let slot = self.pairs.find(identity, |pair| pair.hash() == identity)?;
        let pair = self.pairs.at(slot)?;
        Some((pair.first_ns.min(pair.second_ns), pair.first_ns.max(pair.second_ns)))
    }

    /// A host, if it is known.
    pub(crate) fn host_of(&self, hash: u64, address: Address) -> Option<&Host> {
        let slot = self.hosts.find(hash, |host| host.address == address)?;
        self.hosts.at(slot)
    }

    /// Hosts that go to the destination with this hash, and the day of the first.
    pub(crate) fn reached(&self, hash: u64) -> Option<(u32, u16)> {
        let slot = self.destinations.find(hash, |reached| reached.hash == hash)?;
        let reached = self.destinations.at(slot)?;
        Some((reached.hosts(), reached.first_day))
    }

    /// The first day of any destination.
    pub(crate) fn since_day(&self) -> Option<u16> {
        self.since_day
    }

    /// Asks for the lines where these three will be searched for.
    #[inline]
    pub(crate) fn prefetch_indexes(&self, host: u64, destination: u64, pair: u64) {
        self.hosts.prefetch_index(host);
        self.destinations.prefetch_index(destination);
        self.pairs.prefetch_index(Pair::identity(pair).get());
    }

    /// Asks for the entries themselves.
    #[inline]
    pub(crate) fn prefetch_entries(&self, host: u64, destination: u64, pair: u64) {
        self.hosts.prefetch_entry(host);
        self.destinations.prefetch_entry(destination);
        self.pairs.prefetch_entry(Pair::identity(pair).get());
    }

    pub(crate) fn pairs_len(&self) -> usize {
        self.pairs.len()
    }

    pub(crate) fn pairs_evicted(&self) -> u64 {
        self.pairs.evicted()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.hosts.bytes() + self.destinations.bytes() + self.pairs.bytes() + self.long.bytes()
    }
}

// Its hash follows from its address.
crate::state::kept!(Host { address, services, names, resolves } else {
    hash: 0, period: crate::state::NOT_IN_THIS_RUN, again: false,
});

/// What is kept over restarts, and put back.
impl Seen {
    /// Puts a host back; seen by two workers before, it did what it did with both.
    pub(crate) fn restore_host(&mut self, hash: u64, host: Host) {
        let found = self.hosts.find(hash, |known| known.address == host.address);
        match found.and_then(|slot| self.hosts.at_mut(slot)) {
            Some(known) => {
                known.services = known.services.saturating_add(host.services);
                known.names |= host.names;
                known.resolves |= host.resolves;
            }
            None => {
                self.hosts.insert(Host { hash, ..host });
            }
        }
    }

    /// Puts a destination back, or adds its hosts to what is known.
    pub(crate) fn restore_destination(&mut self, hash: u64, hosts: u32, service: Option<Destination>, first_day: u16) {
        let find = |seen: &Self| seen.destinations.find(hash, |reached| reached.hash == hash);
        let known = find(self).is_some();
        if !known {
            let name = Destination {
                bits: 0,
                port: 0,
                transport: 0,
                scope: Scope::Name,
            };
            let period = crate::state::NOT_IN_THIS_RUN;
            let time_ns = i64::from(first_day).saturating_mul(86_400_000_000_000);
            self.destination(hash, &service.unwrap_or(name), true, period, time_ns);
        }
        let more = if known { hosts } else { hosts.saturating_sub(1) };
        if let Some(reached) = find(self).and_then(|slot| self.destinations.at_mut(slot)) {
            reached.hosts = reached.hosts.saturating_add(more);
            reached.first_day = reached.first_day.min(first_day);
        }
    }

    /// Pairs with their first and second time, the same where there was no second.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (u64, i64, i64)> {
        self.pairs
            .iter()
            .map(|pair| (pair.hash(), pair.first_ns, pair.second_ns))
    }

    /// Puts a pair back.
    pub(crate) fn restore_pair(&mut self, identity: u64, first_ns: i64, second_ns: i64) {
        let identity = Pair::identity(identity);
        if self
            .pairs
            .find(identity.get(), |pair| pair.hash() == identity.get())
            .is_none()
        {
            self.pairs.insert(Pair {
                identity,
                first_ns,
                second_ns,
            });
        }
    }
}

/// What a pair seen once takes if nobody else goes where it goes: both entries, and the places of both in their indexes,
/// which at the default limits have 64 bytes for eight entries. Its host has other pairs.
const _: () = assert!(size_of::<Option<Pair>>() + size_of::<Option<Reached>>() + 2 * 64 / 8 <= 64);

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
        let key = Destination::service(Address::v4([192, 0, 2, 1]), 443, Transport::TCP);
        seen.destination(5, &key, true, 0, 86_400 * S);
        seen.destination(5, &key, false, 0, 3 * 86_400 * S);
        seen.destination(5, &key, true, 1, 9 * 86_400 * S);
        assert_eq!(seen.reached(5), Some((2, 1)));
        assert_eq!((seen.reached(6 << 32), seen.since_day()), (None, Some(1)));
    }

    #[test]
    fn destinations_are_told_again_as_they_were() {
        let mut seen = Seen::new(&Limits {
            addresses: 3,
            ..Limits::default()
        });
        let long = |last| {
            let mut octets = [0x20; 16];
            octets[15] = last;
            Destination::service(Address::v6(octets), 53, Transport::UDP)
        };
        let name = Destination {
            scope: Scope::Name,
            ..long(0)
        };
        let short = Destination::service(Address::v4([192, 0, 2, 1]), 443, Transport::TCP);
        for (number, key) in [long(1), name, short, long(2), long(3), short, long(4)]
            .iter()
            .enumerate()
        {
            seen.destination((number as u64 + 1) << 32, key, true, 0, 0);
        }
        let mut told: Vec<_> = seen.destinations.iter().map(|reached| seen.service(reached)).collect();
        told.sort_unstable();
        assert_eq!(told, [Some(short), Some(long(3)), Some(long(4))]);
        assert!(seen.long.len() <= 3, "places of evicted ones are used again");
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

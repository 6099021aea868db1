//! A worker's share of an hour or of the run, which merges with the others' in any order.
//!
//! In: what a [`crate::Detector`] hands over. Out: after merging, a [`crate::Summary`] (see [`Part::conclude`]) or the rows of
//! `--scores`. Not its job: judging before the merge: how many hosts share a destination is known only then.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use balefire_decode::Address;

use crate::around::Around;
use crate::candidate::{Candidate, Surroundings};
use crate::clients::Client;
use crate::hash::Seed;
use crate::resolved::Resolutions;
use crate::settings::Settings;
use crate::shared::Shared;
use crate::sighted::Sighting;
use crate::summary::{Country, Evidence, TimelineRow};

/// Traffic with one country.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    pub(crate) connections: u64,
    pub(crate) bytes_out: u64,
    pub(crate) bytes_in: u64,
    pub(crate) packets: u64,
}

impl Traffic {
    pub(crate) fn add(&mut self, other: &Self) {
        self.connections += other.connections;
        self.bytes_out += other.bytes_out;
        self.bytes_in += other.bytes_in;
        self.packets += other.packets;
    }
}

/// A host as one worker saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct HostSeen {
    pub(crate) address: Address,
    /// In the period.
    pub(crate) active: bool,
    /// Services it talked to so far: no two workers count the same one.
    pub(crate) services: u64,
    /// It was seen to give names of servers.
    pub(crate) names: bool,
    /// It was seen to be given addresses for names.
    pub(crate) resolves: bool,
}

impl HostSeen {
    /// A host of which nothing was seen.
    pub(crate) fn of(address: Address) -> Self {
        Self {
            address,
            active: false,
            services: 0,
            names: false,
            resolves: false,
        }
    }

    /// Takes in what another worker saw of it.
    pub(crate) fn unite(&mut self, other: &Self) {
        self.active |= other.active;
        self.services += other.services;
        self.names |= other.names;
        self.resolves |= other.resolves;
    }
}

/// A destination as one worker saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DestinationSeen {
    /// Its seeded hash, the same in all workers.
    pub(crate) hash: u64,
    /// Hosts that go there.
    pub(crate) hosts: u32,
    /// Reached in the period.
    pub(crate) active: bool,
    /// Its address, unless it is a name.
    pub(crate) address: Option<Address>,
    /// The day, since 1970, on which the first of them went there.
    pub(crate) first_day: u16,
}

/// See the head of this file. Parts of the same period merge; the default is the empty part.
#[derive(Clone, Debug, Default)]
pub struct Part {
    /// Every host so far. May repeat until [`Self::settle`].
    pub(crate) hosts: Vec<HostSeen>,
    /// Addresses that hosts were given for names. May repeat.
    pub(crate) resolutions: Resolutions,
    /// Fingerprints of clients and the hosts that showed them. May repeat.
    pub(crate) clients: Vec<Client>,
    /// Every destination so far. May repeat until [`Self::settle`].
    pub(crate) destinations: Vec<DestinationSeen>,
    pub(crate) candidates: Vec<Candidate>,
    /// What of these lists the candidates ask for; since [`Self::settle`].
    pub(crate) around: Around,
    /// More than one worker's hosts and destinations are in it.
    pub(crate) merged: bool,
    /// Contacts with what is listed. May repeat until [`Self::settle`].
    pub(crate) sightings: Vec<Sighting>,
    pub(crate) traffic: BTreeMap<Country, Traffic>,
    pub(crate) connections: u64,
    pub(crate) timelines: u64,
    pub(crate) first_packet_ns: Option<i64>,
    pub(crate) last_packet_ns: Option<i64>,
}

impl Part {
    /// Adds another worker's part of the same period. The order of merges changes nothing.
    pub fn merge(&mut self, other: Self) {
        self.merged |= other.merged || !(self.hosts.is_empty() || other.hosts.is_empty());
        append(&mut self.hosts, other.hosts);
        append(&mut self.clients, other.clients);
        append(&mut self.destinations, other.destinations);
        if self.resolutions.len() == 0 {
            self.resolutions = other.resolutions;
        } else {
            self.resolutions.extend(&other.resolutions);
        }
        self.candidates.extend(other.candidates);
        self.sightings.extend(other.sightings);
        for (country, traffic) in &other.traffic {
            self.traffic.entry(*country).or_default().add(traffic);
        }
        self.connections += other.connections;
        self.timelines += other.timelines;
        self.first_packet_ns = either(self.first_packet_ns, other.first_packet_ns, i64::min);
        self.last_packet_ns = either(self.last_packet_ns, other.last_packet_ns, i64::max);
    }

    /// Every timeline in the part, in order of host, server, port, name; for the part of
    /// [`crate::Detector::finish_with_timelines`] that is every timeline of the run.
    pub fn timelines(&self, settings: &Settings, shared: &Shared) -> Vec<TimelineRow> {
        let mut part = self.clone();
        part.settle(settings);
        part.candidates
            .iter()
            .map(|candidate| candidate.row(&part.surroundings(candidate, settings, shared)))
            .collect()
    }

    /// The same rows with what is known of each, suspected or not: how context is measured.
    pub fn explained(&self, settings: &Settings, shared: &Shared) -> Vec<(TimelineRow, Evidence)> {
        let mut part = self.clone();
        part.settle(settings);
        let explain = |candidate: &Candidate| {
            let around = part.surroundings(candidate, settings, shared);
            let judged = candidate.judge(&around);
            (candidate.row(&around), candidate.evidence(&judged, &around))
        };
        part.candidates.iter().map(explain).collect()
    }

    /// Unites what several workers saw and sorts what is reported, so that equal parts are equal however they were merged.
    pub(crate) fn settle(&mut self, settings: &Settings) {
        self.around = Around::of(
            &self.candidates,
            &self.hosts,
            &self.destinations,
            &self.resolutions,
            &self.clients,
            &Seed::new(settings.hash_seed),
        );
        if self.merged {
            self.hosts.sort_unstable();
            self.hosts.dedup_by(|next, kept| {
                let same = next.address == kept.address;
                if same {
                    kept.unite(next);
                }
                same
            });
            self.destinations.sort_unstable();
            self.destinations.dedup_by(|next, kept| {
                let same = next.hash == kept.hash;
                if same {
                    kept.hosts = kept.hosts.saturating_add(next.hosts);
                    kept.active |= next.active;
                    kept.first_day = kept.first_day.min(next.first_day);
                }
                same
            });
        }
        sort_large(&mut self.candidates, |one, two| one.order().cmp(&two.order()));
        self.sightings.sort_unstable();
        self.sightings.dedup_by(|next, kept| {
            let same = next.met == kept.met;
            if same {
                kept.span.add(&next.span);
            }
            same
        });
    }

    /// What the whole knows about one candidate. Only after [`Self::settle`].
    pub(crate) fn surroundings(&self, candidate: &Candidate, settings: &Settings, shared: &Shared) -> Surroundings<'_> {
        let country = if candidate.behind_relay() {
            Country::UNKNOWN
        } else {
            shared.countries().country(candidate.server)
        };
        let host = self.around.host(candidate.host);
        let ends = Seed::new(settings.hash_seed).ends(candidate.host, candidate.server);
        let resolved = self.around.name(ends);
        let reached = self.around.reached(candidate.reached);
        let client = self.around.client(candidate.client);
        Surroundings {
            services: host.map_or(1, |host| host.services),
            names: host.is_some_and(|host| host.names),
            resolves: host.is_some_and(|host| host.resolves),
            resolved: resolved.and_then(|place| self.resolutions.name(place)),
            alike: 1,
            beside: 0.0,
            client_hosts: client.map(|client| client.hosts.estimate()),
            client: client.map(|client| &*client.text),
            hosts_there: reached.map_or(1, |reached| u64::from(reached.hosts)),
            first_day: reached.map(|reached| reached.first_day),
            since_day: self.around.since_day(),
            hosts_all: self.hosts.len() as u64,
            country,
            home_country: settings.home_country.map(Country),
        }
    }

    /// Distinct hosts and (address, port, protocol) of the period. Only after [`Self::settle`].
    pub(crate) fn distinct(&self) -> (u64, u64) {
        let hosts = self.hosts.iter().filter(|host| host.active).count();
        let active = |reached: &&DestinationSeen| reached.active && reached.address.is_some();
        (hosts as u64, self.destinations.iter().filter(active).count() as u64)
    }
}

/// Without a copy where there was nothing yet.
fn append<T>(all: &mut Vec<T>, more: Vec<T>) {
    if all.is_empty() {
        *all = more;
    } else {
        all.extend(more);
    }
}

fn either(one: Option<i64>, two: Option<i64>, choose: fn(i64, i64) -> i64) -> Option<i64> {
    match (one, two) {
        (Some(one), Some(two)) => Some(choose(one, two)),
        (one, two) => one.or(two),
    }
}
/// A stable sort that moves every entry at most once, and needs four bytes beside each: entries of half a kilobyte are copied a
/// dozen times by one that merges, through memory as large as they.
fn sort_large<T>(entries: &mut [T], compare: impl Fn(&T, &T) -> Ordering) {
    // Candidates are of tables whose slots have 32 bits.
    let mut order: Vec<u32> = (0..entries.len() as u32).collect();
    order.sort_unstable_by(|one, two| compare(&entries[*one as usize], &entries[*two as usize]).then(one.cmp(two)));
    for place in 0..entries.len() {
        let mut from = order[place] as usize;
        // What lay before was moved to where the entry of that place came from.
        while from < place {
            from = order[from] as usize;
        }
        order[place] = from as u32;
        entries.swap(place, from);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn large_entries_are_sorted_as_any(keys in prop::collection::vec(0u8..20, 0..200)) {
            let mut entries: Vec<(u8, usize)> = keys.into_iter().zip(0..).collect();
            let mut expected = entries.clone();
            expected.sort_by_key(|entry| entry.0);
            sort_large(&mut entries, |one, two| one.0.cmp(&two.0));
            prop_assert_eq!(entries, expected);
        }
    }
}

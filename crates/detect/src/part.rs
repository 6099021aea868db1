//! A worker's share of an hour or of the run, which merges with the others' in any order.
//!
//! In: what a [`crate::Detector`] hands over. Out: after merging, a [`crate::Summary`] (see [`Part::conclude`]) or the rows of
//! `--scores`. Not its job: judging before the merge: how many hosts share a destination is known only then.

use std::collections::BTreeMap;

use balefire_decode::Address;

use crate::candidate::{Candidate, Surroundings};
use crate::clients::{self, Client};
use crate::resolved::Resolution;
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
}

/// See the head of this file. Parts of the same period merge; the default is the empty part.
#[derive(Clone, Debug, Default)]
pub struct Part {
    /// Every host so far. May repeat until [`Self::settle`].
    pub(crate) hosts: Vec<HostSeen>,
    /// Addresses that hosts were given for names. May repeat until [`Self::settle`].
    pub(crate) resolutions: Vec<Resolution>,
    /// Fingerprints of clients and the hosts that showed them. May repeat until [`Self::settle`].
    pub(crate) clients: Vec<Client>,
    /// Every destination so far. May repeat until [`Self::settle`].
    pub(crate) destinations: Vec<DestinationSeen>,
    pub(crate) candidates: Vec<Candidate>,
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
        self.hosts.extend(other.hosts);
        self.resolutions.extend(other.resolutions);
        self.clients.extend(other.clients);
        self.destinations.extend(other.destinations);
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
        part.settle();
        part.candidates
            .iter()
            .map(|candidate| candidate.row(&part.surroundings(candidate, settings, shared)))
            .collect()
    }

    /// The same rows with what is known of each, suspected or not: how context is measured.
    pub fn explained(&self, settings: &Settings, shared: &Shared) -> Vec<(TimelineRow, Evidence)> {
        let mut part = self.clone();
        part.settle();
        let explain = |candidate: &Candidate| {
            let around = part.surroundings(candidate, settings, shared);
            let judged = candidate.judge(&around);
            (candidate.row(&around), candidate.evidence(&judged, &around))
        };
        part.candidates.iter().map(explain).collect()
    }

    /// Sorts and unites everything, so that equal parts are equal however they were merged.
    pub(crate) fn settle(&mut self) {
        self.hosts.sort_unstable();
        self.hosts.dedup_by(|next, kept| {
            let same = next.address == kept.address;
            if same {
                kept.active |= next.active;
                kept.services += next.services;
                kept.names |= next.names;
                kept.resolves |= next.resolves;
            }
            same
        });
        // The earliest answer names the address, whoever saw it.
        self.resolutions.sort_unstable();
        self.resolutions
            .dedup_by(|next, kept| (next.host, next.address) == (kept.host, kept.address));
        clients::settle(&mut self.clients);
        self.destinations.sort_unstable();
        self.destinations.dedup_by(|next, kept| {
            let same = next.hash == kept.hash;
            if same {
                kept.hosts = kept.hosts.saturating_add(next.hosts);
                kept.active |= next.active;
            }
            same
        });
        self.candidates.sort_by(|one, two| one.order().cmp(&two.order()));
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
        let found = self
            .destinations
            .binary_search_by(|reached| reached.hash.cmp(&candidate.reached));
        let country = if candidate.behind_relay() {
            Country::UNKNOWN
        } else {
            shared.countries().country(candidate.server)
        };
        let host = self
            .hosts
            .binary_search_by(|host| host.address.cmp(&candidate.host))
            .map(|at| &self.hosts[at])
            .ok();
        let resolved = self
            .resolutions
            .binary_search_by(|known| (known.host, known.address).cmp(&(candidate.host, candidate.server)))
            .map(|at| &*self.resolutions[at].name)
            .ok();
        Surroundings {
            services: host.map_or(1, |host| host.services),
            names: host.is_some_and(|host| host.names),
            resolves: host.is_some_and(|host| host.resolves),
            resolved,
            alike: 1,
            client_hosts: self
                .clients
                .binary_search_by_key(&candidate.client, |client| client.hash)
                .map(|at| self.clients[at].hosts.estimate())
                .ok(),
            hosts_there: found.map_or(1, |at| u64::from(self.destinations[at].hosts)),
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

fn either(one: Option<i64>, two: Option<i64>, choose: fn(i64, i64) -> i64) -> Option<i64> {
    match (one, two) {
        (Some(one), Some(two)) => Some(choose(one, two)),
        (one, two) => one.or(two),
    }
}

//! What the parts of all workers together know around their candidates, picked out in one walk over each list.
//!
//! In: the candidates of a period, and everything that was seen. Out: what was seen of each candidate's host, destination, name and
//! client. Not its job: counting the whole ([`crate::part`]), judging ([`crate::candidate`]).
//!
//! The lists are long (every host, destination and answer of a run) and the candidates few, so the lists are not sorted for
//! them: the wanted keys go into small maps, and what has none of them is passed over.

use std::collections::HashMap;

use balefire_decode::Address;
use foldhash::fast::RandomState;

use crate::candidate::Candidate;
use crate::clients::Client;
use crate::hash::Seed;
use crate::part::{DestinationSeen, HostSeen};
use crate::resolved::Resolutions;

/// A destination over all workers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reached {
    /// Hosts that go there.
    pub(crate) hosts: u32,
    /// The day on which the first did, since 1970.
    pub(crate) first_day: u16,
}

/// Found for the candidates; what is absent was not seen by any worker.
#[derive(Clone, Debug, Default)]
pub(crate) struct Around {
    hosts: HashMap<Address, Option<HostSeen>, RandomState>,
    reached: HashMap<u64, Option<Reached>, RandomState>,
    /// The day of the oldest destination that is still known: since then all of this was watched.
    since_day: Option<u16>,
    /// By hash of host and server, places in the list of resolutions.
    names: HashMap<u64, Option<usize>, RandomState>,
    clients: HashMap<u64, Option<Client>, RandomState>,
}

impl Around {
    /// Lists may hold the same thing several times, from several workers.
    pub(crate) fn of(
        candidates: &[Candidate],
        hosts: &[HostSeen],
        destinations: &[DestinationSeen],
        resolutions: &Resolutions,
        clients: &[Client],
        seed: &Seed,
    ) -> Self {
        let mut around = Self::default();
        for candidate in candidates {
            around.hosts.insert(candidate.host, None);
            around.reached.insert(candidate.reached, None);
            around.names.insert(seed.ends(candidate.host, candidate.server), None);
            around.clients.insert(candidate.client, None);
        }
        for seen in hosts {
            if let Some(known) = around.hosts.get_mut(&seen.address) {
                known.get_or_insert(HostSeen::of(seen.address)).unite(seen);
            }
        }
        for seen in destinations {
            let since_day = around.since_day.get_or_insert(seen.first_day);
            *since_day = seen.first_day.min(*since_day);
            if let Some(known) = around.reached.get_mut(&seen.hash) {
                let before = known.unwrap_or(Reached {
                    hosts: 0,
                    first_day: seen.first_day,
                });
                *known = Some(Reached {
                    hosts: before.hosts.saturating_add(seen.hosts),
                    first_day: before.first_day.min(seen.first_day),
                });
            }
        }
        for at in 0..resolutions.len() {
            if let Some(known) = around.names.get_mut(&resolutions.ends(at)) {
                // The earliest answer names the address, whoever saw it.
                let earliest = known.filter(|&known| resolutions.order(known) <= resolutions.order(at));
                *known = Some(earliest.unwrap_or(at));
            }
        }
        for shown in clients {
            if let Some(known) = around.clients.get_mut(&shown.hash) {
                match known {
                    Some(known) => known.hosts.merge(&shown.hosts),
                    None => *known = Some(shown.clone()),
                }
            }
        }
        around
    }

    pub(crate) fn host(&self, address: Address) -> Option<&HostSeen> {
        self.hosts.get(&address)?.as_ref()
    }

    /// Who goes to a destination, and since when.
    pub(crate) fn reached(&self, reached: u64) -> Option<Reached> {
        *self.reached.get(&reached)?
    }

    /// The day on which the watch began.
    pub(crate) fn since_day(&self) -> Option<u16> {
        self.since_day
    }

    /// The place of the name that a host was given an address for.
    pub(crate) fn name(&self, ends: u64) -> Option<usize> {
        *self.names.get(&ends)?
    }

    /// A client's fingerprint, over all workers.
    pub(crate) fn client(&self, client: u64) -> Option<&Client> {
        self.clients.get(&client)?.as_ref()
    }
}

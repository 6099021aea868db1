//! New lists, held against what a worker knows already: who has been where, and by which names.
//!
//! In: a detector whose lists have changed. Out: sightings of what happened before. Not its job: lists, contacts to come
//! ([`crate::sighted`]).
//!
//! What is found again: every pair that has a timeline, every pair seen once or twice by address, and by name where the host was
//! given the server's address for it. What is not: questions for names without a timeline that were not followed by a connection,
//! and fingerprints; these are met with the next one.

use std::collections::BTreeMap;
use std::sync::Arc;

use balefire_decode::{Address, Transport};

use crate::detector::Detector;
use crate::home::Role;
use crate::intake::Ends;
use crate::key::{Destination, Scope};
use crate::ledger::Record;
use crate::sighted::{Span, Via};
use crate::summary::EvidenceKind;

const HOUR_NS: i64 = 3_600_000_000_000;
/// Pairs asked for in one look back; at 20 to 60 ns each it is over in a quarter of a second.
const MOST_PAIRS: usize = 1 << 22;

/// Something to be kept as sighted.
struct Past {
    ends: Ends,
    via: Via,
    listed: String,
    name: String,
    target_port: u16,
    run: Span,
}

impl Detector {
    pub(crate) fn look_back(&mut self) {
        let lists = Arc::clone(&self.watch.lists);
        if lists.intel.is_empty() {
            return;
        }
        let mut past = Vec::new();
        for record in self.ledger.iter() {
            past.extend(self.past_of_record(record));
        }
        self.past_of_pairs(&mut past);
        let newest_ns = self.traffic.newest_ns();
        let hour_ns = newest_ns.map(|newest_ns| newest_ns.div_euclid(HOUR_NS).saturating_mul(HOUR_NS));
        for found in past {
            // How many of its contacts were in this hour is not known: at least the last.
            let hour = match hour_ns {
                Some(hour_ns) if found.run.last_ns >= hour_ns => Span {
                    first_ns: found.run.first_ns.max(hour_ns),
                    last_ns: found.run.last_ns,
                    contacts: 1,
                    client_port: found.run.client_port,
                },
                _ => Span::NONE,
            };
            self.remember(&found, &hour);
        }
    }

    /// Keeps it unless it is known: what was counted as it came is not counted again.
    fn remember(&mut self, past: &Past, hour: &Span) {
        let listed = (past.listed.as_str(), past.name.as_str());
        if !self.is_sighted(&past.ends, past.via, listed.0, past.target_port) {
            self.sight(&past.ends, past.via, listed, past.target_port, &past.run, hour);
        }
    }

    /// What a timeline says of contacts; it may be two, of an address and a name.
    fn past_of_record(&self, record: &Record) -> Vec<Past> {
        let intel = &self.watch.lists.intel;
        let (first_ns, last_ns) = (record.timeline.first_ns(), record.timeline.last_ns());
        let past = |via, listed: &str, name: &str| Past {
            ends: Ends {
                role: record.role,
                host: record.host,
                server: record.server,
                port: record.port,
                transport: record.transport,
                client_port: record.client_port,
            },
            via,
            listed: listed.to_owned(),
            name: name.to_owned(),
            target_port: record.target_port,
            run: Span {
                first_ns,
                last_ns,
                contacts: u64::from(record.timeline.check_ins()),
                client_port: record.client_port,
            },
        };
        let mut found = Vec::new();
        let name = self.names.text(record.name);
        if record.scope == Scope::Service && intel.lists_address(record.server, record.port, first_ns) {
            found.push(past(Via::Address, "", ""));
        }
        let Some(name) = name else { return found };
        let (via, port) = match record.scope {
            Scope::Service | Scope::Name => (Via::Name, Some(record.port)),
            Scope::ConnectTarget => (Via::Target, Some(record.target_port).filter(|port| *port > 0)),
            Scope::Domain => (Via::Question, None),
        };
        if let Ok(ip) = name.parse::<std::net::IpAddr>() {
            if via == Via::Target && intel.lists_address(ip.into(), record.target_port, first_ns) {
                found.push(past(via, name, name));
            }
        } else if let Some(listed) = intel.listed_domain(name, port, first_ns) {
            found.push(past(via, listed, name));
        }
        found
    }

    /// Pairs that have no timeline are known by a hash only: so every host that may have gone to a listed address is asked for.
    fn past_of_pairs(&self, past: &mut Vec<Past>) {
        let intel = &self.watch.lists.intel;
        let mut by_name: BTreeMap<Address, Vec<(Address, Box<str>)>> = BTreeMap::new();
        for (host, address, time_ns, name) in self.resolved.each(&self.names) {
            if intel.listed_domain(name, None, time_ns).is_some() {
                by_name.entry(address).or_default().push((host, name.into()));
            }
        }
        let hosts: Vec<Address> = self.seen.hosts.iter().map(|host| host.address).collect();
        let mut left = MOST_PAIRS;
        for key in self
            .seen
            .destinations
            .iter()
            .filter_map(|reached| self.seen.service(reached))
        {
            let key = &key;
            let server = Address::of_bits(key.bits);
            if intel.lists_address(server, key.port, 0) {
                for &host in hosts.iter().take(left) {
                    past.extend(self.past_of_pair(host, server, key, Via::Address, ""));
                }
                left = left.saturating_sub(hosts.len());
            }
            for (host, name) in by_name.get(&server).into_iter().flatten() {
                past.extend(self.past_of_pair(*host, server, key, Via::Name, name));
            }
        }
    }

    fn past_of_pair(&self, host: Address, server: Address, key: &Destination, via: Via, name: &str) -> Option<Past> {
        let (host_hash, destination) = (self.seed.address(host), self.seed.destination(key));
        let pair = self.seed.pair(host_hash, destination, EvidenceKind::ConnectionBeacon);
        let (first_ns, last_ns) = self.seen.pair_times(pair)?;
        let role = self.settings.home.role(host, server);
        if role == Role::Internal && !self.settings.score_internal {
            return None;
        }
        let intel = &self.watch.lists.intel;
        let listed = match via {
            Via::Name => intel.listed_domain(name, Some(key.port), first_ns)?,
            _ => intel.lists_address(server, key.port, first_ns).then_some("")?,
        };
        Some(Past {
            ends: Ends {
                role,
                host,
                server,
                port: key.port,
                transport: Transport(key.transport),
                // A pair is its two times.
                client_port: 0,
            },
            via,
            listed: listed.to_owned(),
            name: name.to_owned(),
            target_port: 0,
            run: Span {
                first_ns,
                last_ns,
                contacts: 1 + u64::from(last_ns > first_ns),
                client_port: 0,
            },
        })
    }
}

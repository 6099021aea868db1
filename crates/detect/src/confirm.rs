//! Sightings to confirmed servers: what the lists in force say of every contact, grouped as behaviour is, beside its evidence.
//!
//! In: the sightings of a settled part, the servers that behaviour found, the lists. Out: the same servers, some confirmed, and
//! those that only a list knows. Not its job: scores; a match has none, and lowers or raises none.
//!
//! A server met by a listed name is one server, at the address most contacts went to, as with behaviour. A question or a request
//! to a proxy for the name belongs to that server, or where nobody connected to it, to the relay that was asked, by name. A
//! resolver or proxy inside that only passes on what its own clients asked for is not controlled.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use balefire_decode::{Address, Transport};
use balefire_track::Ja4;

use crate::allow::{Finding, Tally};
use crate::candidate::{Candidate, Surroundings};
use crate::intel::{IndicatorMatch, Intel, ja4};
use crate::key::Scope;
use crate::part::Part;
use crate::shared::Shared;
use crate::sighted::{Sighting, Via};
use crate::summary::{Class, Contact, ControlServer, Country, Evidence, EvidenceKind, Flow, IntelSign};
use crate::traits::Traits;

/// Entries named for one contact.
const MOST_MATCHES: usize = 16;
/// Names listed for one server, as for behaviour.
const MOST_NAMES: usize = 16;

/// Fingerprints that were watched for, by host, server and port.
#[derive(Debug, Default)]
pub(crate) struct Fingerprints(HashMap<(Address, Address, u16), Vec<Ja4>>);

impl Fingerprints {
    pub(crate) fn of(part: &Part) -> Self {
        let mut seen: HashMap<_, Vec<Ja4>> = HashMap::new();
        for Sighting { met, .. } in part.sightings.iter().filter(|sighting| sighting.met.via == Via::Ja4) {
            seen.entry((met.host, met.server, met.port))
                .or_default()
                .extend(ja4(&met.listed));
        }
        Self(seen)
    }

    fn between(&self, host: Address, server: Address, port: u16) -> &[Ja4] {
        self.0.get(&(host, server, port)).map_or(&[], Vec::as_slice)
    }
}

/// Whether the operator does not want to see what behaviour found.
pub(crate) fn is_allowed(
    candidate: &Candidate,
    around: &Surroundings<'_>,
    last_ns: i64,
    seen: &Fingerprints,
    tally: &mut Tally<'_>,
) -> bool {
    if tally.is_idle() {
        return false;
    }
    let names: Vec<&str> = candidate.name.as_deref().into_iter().chain(around.resolved).collect();
    tally.hides(&Finding {
        host: candidate.host,
        server: candidate.server,
        port: match candidate.scope {
            Scope::Service | Scope::Name => candidate.port,
            Scope::ConnectTarget => candidate.target_port,
            Scope::Domain => 0,
        },
        behind_relay: candidate.behind_relay(),
        names: &names,
        ja4: seen.between(candidate.host, candidate.server, candidate.port),
        last_ns,
    })
}

/// A contact that a list names and no rule allows.
struct Confirmed<'a> {
    sighting: &'a Sighting,
    /// The widest listed domain its name is in.
    listed: Option<&'a str>,
    matches: Vec<IndicatorMatch>,
    /// The server itself, where it is known by address.
    server: Option<(Address, u16, Transport)>,
}

/// What the lists in force say of one contact.
pub(crate) fn evidence(sighting: &Sighting, intel: &Intel) -> Option<Evidence> {
    Confirmed::new(sighting, intel).map(|confirmed| confirmed.evidence())
}

/// Adds what is listed to the servers that behaviour found; their order is not kept.
pub(crate) fn confirm(
    servers: &mut Vec<ControlServer>,
    part: &Part,
    shared: &Shared,
    intel: &Intel,
    seen: &Fingerprints,
    tally: &mut Tally<'_>,
) {
    let relays = relays(part);
    let confirmed: Vec<Confirmed<'_>> = part
        .sightings
        .iter()
        .filter(|sighting| !relays.contains(&(sighting.met.host, &sighting.met.listed)))
        .filter_map(|sighting| Confirmed::new(sighting, intel))
        .filter(|found| !found.is_allowed(seen, tally))
        .collect();
    if confirmed.is_empty() {
        return;
    }
    let mut rows = Rows {
        servers,
        shared,
        by_domain: BTreeMap::new(),
    };
    let mut by_name: BTreeMap<(&str, u16, Transport), Vec<&Confirmed<'_>>> = BTreeMap::new();
    let mut relayed: BTreeMap<&str, Vec<&Confirmed<'_>>> = BTreeMap::new();
    for found in &confirmed {
        let met = &found.sighting.met;
        match (found.listed, found.server) {
            (Some(listed), Some(_)) => by_name
                .entry((listed, met.port, met.transport))
                .or_default()
                .push(found),
            (Some(listed), None) => relayed.entry(listed).or_default().push(found),
            (None, _) => rows.by_address(found),
        }
    }
    for ((listed, ..), found) in by_name {
        rows.by_name(listed, &found);
    }
    for (listed, found) in relayed {
        rows.behind_relay(listed, &found);
    }
    servers
        .iter_mut()
        .filter(|server| server.class == Class::Confirmed)
        .for_each(finish);
}

/// Inside addresses that were asked for a listed name by others, so that their own use of it says nothing of them.
fn relays(part: &Part) -> BTreeSet<(Address, &str)> {
    let asked = part.sightings.iter().filter(|sighting| sighting.met.behind_relay());
    asked
        .map(|sighting| (sighting.met.server, &*sighting.met.listed))
        .collect()
}

impl<'a> Confirmed<'a> {
    fn new(sighting: &'a Sighting, intel: &Intel) -> Option<Self> {
        let Sighting { met, name, span } = sighting;
        let time_ns = span.first_ns;
        let direct = Some((met.server, met.port, met.transport));
        let of_name = |port: Option<u16>, server| {
            let listed = intel.listed_domain(name, port, time_ns);
            (intel.matches_of_domain(name, port, time_ns), listed, server)
        };
        let (mut matches, listed, server) = match met.via {
            Via::Address => (intel.matches_of_address(met.server, met.port, time_ns), None, direct),
            Via::Ja4 => (intel.matches_of_ja4(&ja4(&met.listed)?, time_ns), None, direct),
            Via::Name => of_name(Some(met.port), direct),
            Via::Question => of_name(None, None),
            Via::Target => match name.parse::<IpAddr>() {
                Ok(ip) => {
                    let server = (ip.into(), met.target_port, Transport::TCP);
                    (
                        intel.matches_of_address(server.0, server.1, time_ns),
                        None,
                        Some(server),
                    )
                }
                Err(_) => of_name(Some(met.target_port).filter(|port| *port > 0), None),
            },
        };
        matches.truncate(MOST_MATCHES);
        (!matches.is_empty()).then_some(Self {
            sighting,
            listed,
            matches,
            server,
        })
    }

    fn is_allowed(&self, seen: &Fingerprints, tally: &mut Tally<'_>) -> bool {
        let Sighting { met, name, span } = self.sighting;
        let (server, port) = match (self.server, met.via) {
            (Some((server, port, _)), _) => (server, port),
            (None, Via::Target) => (met.server, met.target_port),
            (None, _) => (met.server, 0),
        };
        tally.hides(&Finding {
            host: met.host,
            server,
            port,
            behind_relay: self.server.is_none(),
            names: &[name],
            ja4: seen.between(met.host, met.server, met.port),
            last_ns: span.last_ns,
        })
    }

    fn evidence(&self) -> Evidence {
        let Sighting { met, name, span } = self.sighting;
        let contact = match met.via {
            Via::Address => Contact::Address,
            Via::Name => Contact::Name,
            Via::Target => Contact::ProxyTarget,
            Via::Question => Contact::DnsQuestion,
            Via::Ja4 => Contact::Ja4,
        };
        Evidence {
            kind: EvidenceKind::ThreatIntel,
            host: met.host,
            flow: Flow::of((met.server, met.port, met.transport), span.client_port),
            name: Some(name.to_string()).filter(|name| !name.is_empty()),
            addresses: vec![self.server.map_or(met.server, |(address, ..)| address)],
            ports: vec![self.server.map_or(met.port, |(_, port, _)| port)],
            keyed_by: vec![match met.via {
                Via::Address | Via::Ja4 => "address",
                Via::Name => "name",
                Via::Target => "connect_target",
                Via::Question => "domain",
            }],
            interval_s: 0.0,
            jitter: 0.0,
            check_ins: span.contacts,
            sent_bytes: None,
            received_bytes: None,
            first_ns: span.first_ns,
            last_ns: span.last_ns,
            timing: 0.0,
            score: 0.0,
            parts: Vec::new(),
            innocent: self.innocent(),
            missing: Vec::new(),
            histogram: Box::new([0; crate::INTERVAL_BINS]),
            hours: [0; 24],
            recent_ns: Vec::new(),
            traits: Traits {
                client: Some(met.listed.to_string()).filter(|_| met.via == Via::Ja4),
                ..Traits::default()
            },
            intel: Some(IntelSign {
                contact,
                matches: self.matches.clone(),
            }),
        }
    }

    fn innocent(&self) -> Vec<String> {
        let mut innocent = vec!["the list is wrong about it, or out of date".to_owned()];
        let more = match self.sighting.met.via {
            Via::Address if self.matches.iter().all(|found| found.indicator.contains('/')) => {
                "a network is listed, and this server is another customer's"
            }
            Via::Address => "others serve from the same address, as of a shared host or a content network",
            Via::Question => "somebody only looked the name up, as mail filters and analysts do",
            Via::Ja4 => "another program with the same TLS library has the same fingerprint",
            Via::Name | Via::Target => return innocent,
        };
        innocent.push(more.to_owned());
        innocent
    }
}

/// Servers as they grow.
struct Rows<'s> {
    servers: &'s mut Vec<ControlServer>,
    shared: &'s Shared,
    /// Where the server of a listed domain is among them.
    by_domain: BTreeMap<String, usize>,
}

impl Rows<'_> {
    fn by_address(&mut self, found: &Confirmed<'_>) {
        if let Some((address, port, transport)) = found.server {
            let at = self.row(address, port, transport);
            self.add(at, found);
        }
    }

    /// All contacts by one listed domain at one port.
    fn by_name(&mut self, listed: &str, found: &[&Confirmed<'_>]) {
        let Some(met) = found.first().map(|found| &found.sighting.met) else {
            return;
        };
        let named = |server: &ControlServer| {
            let there = !server.behind_relay && (server.port, server.transport) == (met.port, met.transport);
            there
                && found
                    .iter()
                    .any(|found| server.names.iter().any(|name| **name == *found.sighting.name))
        };
        let at = match self.servers.iter().position(named) {
            Some(at) => at,
            None => self.row(busiest(found), met.port, met.transport),
        };
        found.iter().for_each(|found| self.add(at, found));
        self.by_domain.entry(listed.to_owned()).or_insert(at);
    }

    /// All questions and requests for one listed domain.
    fn behind_relay(&mut self, listed: &str, found: &[&Confirmed<'_>]) {
        let named =
            |server: &ControlServer| server.behind_relay && server.names.first().is_some_and(|name| name == listed);
        let known = self.by_domain.get(listed).copied();
        let at = match known.or_else(|| self.servers.iter().position(named)) {
            Some(at) => at,
            None => {
                let address = busiest(found);
                let met = found
                    .iter()
                    .map(|found| &found.sighting.met)
                    .find(|met| met.server == address);
                let Some(met) = met else { return };
                let mut server = blank(address, met.port, met.transport);
                server.names.push(listed.to_owned());
                server.behind_relay = true;
                self.servers.push(server);
                self.servers.len() - 1
            }
        };
        found.iter().for_each(|found| self.add(at, found));
    }

    fn row(&mut self, address: Address, port: u16, transport: Transport) -> usize {
        let is = |server: &ControlServer| {
            !server.behind_relay && (server.address, server.port, server.transport) == (address, port, transport)
        };
        self.servers.iter().position(is).unwrap_or_else(|| {
            let country = self.shared.countries().country(address);
            self.servers.push(ControlServer {
                country,
                ..blank(address, port, transport)
            });
            self.servers.len() - 1
        })
    }

    fn add(&mut self, at: usize, found: &Confirmed<'_>) {
        let Some(server) = self.servers.get_mut(at) else { return };
        let evidence = found.evidence();
        server.class = Class::Confirmed;
        server.first_ns = server.first_ns.min(evidence.first_ns);
        server.last_ns = server.last_ns.max(evidence.last_ns);
        server.hosts.push(evidence.host);
        if let Some(name) = &evidence.name
            && server.names.len() < MOST_NAMES
            && !server.names.contains(name)
            && found.sighting.met.via != Via::Ja4
            && name.parse::<IpAddr>().is_err()
        {
            server.names.push(name.clone());
        }
        server.evidence.push(evidence);
    }
}

/// The address that most contacts went to; of equals the lowest.
fn busiest(found: &[&Confirmed<'_>]) -> Address {
    let mut contacts: BTreeMap<Address, u64> = BTreeMap::new();
    for Sighting { met, span, .. } in found.iter().map(|found| found.sighting) {
        *contacts.entry(met.server).or_default() += span.contacts;
    }
    let most = contacts
        .iter()
        .max_by_key(|(address, contacts)| (**contacts, std::cmp::Reverse(**address)));
    most.map_or(Address::UNSPECIFIED, |(address, _)| *address)
}

fn blank(address: Address, port: u16, transport: Transport) -> ControlServer {
    ControlServer {
        rank: 0,
        address,
        port,
        transport,
        names: Vec::new(),
        country: Country::UNKNOWN,
        class: Class::Confirmed,
        score: 0.0,
        hosts: Vec::new(),
        first_ns: i64::MAX,
        last_ns: i64::MIN,
        check_ins: 0,
        behind_relay: false,
        evidence: Vec::new(),
    }
}

/// Hosts once and in order; what lists say first; check-ins of a server without behaviour are its contacts.
fn finish(server: &mut ControlServer) {
    server.hosts.sort_unstable();
    server.hosts.dedup();
    server.evidence.sort_by_key(|sign| sign.intel.is_none());
    if server.evidence.iter().all(|sign| sign.intel.is_some()) {
        let mut most: BTreeMap<Address, u64> = BTreeMap::new();
        for sign in &server.evidence {
            let contacts = most.entry(sign.host).or_default();
            *contacts = sign.check_ins.max(*contacts);
        }
        server.check_ins = most.values().sum();
    }
}

//! Merged parts to a finished summary: judges every candidate, groups evidence by control server, counts and ranks.
//!
//! In: a settled [`Part`]. Out: a [`Summary`] that is the same, byte for byte, whatever workers the parts came from. Not
//! its job: collecting, text.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use balefire_decode::Address;

use crate::allow::Tally;
use crate::beside::Beside;
use crate::candidate::{Habit, Surroundings};
use crate::confirm::{Fingerprints, confirm, is_allowed};
use crate::intel::Intel;
use crate::joined::{Found, by_server, once};
use crate::key::Scope;
use crate::part::{Part, Traffic};
use crate::score::{Judged, class};
use crate::settings::Settings;
use crate::shared::{ServerKey, Shared};
use crate::summary::{
    Accounting, Class, ControlServer, Country, CountryRow, EvidenceKind, Period, PeriodKind, Summary, Totals,
};

/// Names listed for one server.
const MOST_NAMES: usize = 16;

impl Part {
    /// The finished summary of a period, once the parts of all workers are merged.
    pub fn conclude(mut self, settings: &Settings, shared: &Shared, period: Period, accounting: Accounting) -> Summary {
        self.settle(settings);
        let (shared, settings) = (&shared.held(), &settings.with_thresholds(shared.thresholds()));
        let lists = shared.lists_now().0;
        let mut tally = Tally::new(&lists.allow);
        let servers = servers(&self, settings, shared, &lists.intel, &mut tally);
        let countries = country_rows(&servers, &self.traffic);
        let peers = match period.kind {
            PeriodKind::Hour => peers(&self, settings, shared),
            PeriodKind::Run => Vec::new(),
        };
        Summary {
            period,
            first_packet_ns: self.first_packet_ns,
            last_packet_ns: self.last_packet_ns,
            accounting,
            totals: totals(&self, &servers, settings.home_country.map(Country)),
            servers,
            countries,
            country_source: shared.countries().source().clone(),
            peers,
            intel: lists.intel.lists().to_vec(),
            allowed: tally.allowed(self.last_packet_ns),
        }
    }
}

/// Where an address is in several destinations, they stand together: one look-up each.
fn peers(part: &Part, settings: &Settings, shared: &Shared) -> Vec<(Country, Address)> {
    let reached = part.destinations.iter().filter(|reached| reached.active);
    let mut addresses: Vec<Address> = reached.filter_map(|reached| reached.address).collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses.retain(|address| !settings.home.contains(*address));
    let countries = shared.countries();
    let mut peers: Vec<(Country, Address)> = addresses
        .into_iter()
        .map(|address| (countries.country(address), address))
        .collect();
    peers.sort_unstable();
    peers
}

fn servers(
    part: &Part,
    settings: &Settings,
    shared: &Shared,
    intel: &Intel,
    tally: &mut Tally<'_>,
) -> Vec<ControlServer> {
    let mut judged: Vec<(Surroundings<'_>, Judged)> = part
        .candidates
        .iter()
        .map(|candidate| {
            let around = part.surroundings(candidate, settings, shared);
            (around, candidate.judge(&around))
        })
        .collect();
    let alike = alike(part, &judged, settings);
    for (candidate, (around, judged)) in part.candidates.iter().zip(&mut judged) {
        if let Some(&alike) = alike.get(&candidate.habit()).filter(|alike| **alike > 1) {
            around.alike = alike;
            *judged = candidate.judge(around);
        }
    }
    let beside = Beside::of(&part.candidates, &judged, settings.thresholds.suspected);
    let fingerprints = Fingerprints::of(part);
    let found: Vec<Found<'_>> = part
        .candidates
        .iter()
        .zip(&mut judged)
        .filter_map(|(candidate, (around, judged))| {
            around.beside = beside.surest(candidate, around);
            if around.beside > 0.0 {
                *judged = candidate.judge(around);
            }
            class(judged.score, &settings.thresholds)?;
            let evidence = candidate.evidence(judged, around);
            if is_allowed(candidate, around, evidence.last_ns, &fingerprints, tally) {
                return None;
            }
            Some(Found {
                candidate,
                evidence,
                country: around.country,
            })
        })
        .collect();
    let mut servers: Vec<_> = by_server(found)
        .into_iter()
        .filter_map(|(key, found)| server(key, found, settings))
        .collect();
    confirm(&mut servers, part, shared, intel, &fingerprints, tally);
    servers.sort_by(best_first);
    number(&mut servers);
    servers
}

/// How many servers each host uses in the same way, as far as each alone is half as likely as what would be reported: of many that
/// are alike some fall below by chance.
fn alike(part: &Part, judged: &[(Surroundings<'_>, Judged)], settings: &Settings) -> HashMap<Habit, u64> {
    let mut servers: BTreeSet<(Habit, Address)> = BTreeSet::new();
    for (candidate, (_, judged)) in part.candidates.iter().zip(judged) {
        let alone = candidate.scope == Scope::Service && !candidate.is_group();
        if alone && judged.kind == candidate.kind && judged.score >= settings.thresholds.suspected / 2.0 {
            servers.insert((candidate.habit(), candidate.server));
        }
    }
    let mut alike = HashMap::new();
    for (habit, _) in servers {
        *alike.entry(habit).or_default() += 1;
    }
    alike
}

fn server(key: ServerKey, found: Vec<Found<'_>>, settings: &Settings) -> Option<ControlServer> {
    // Joined findings may have been made elsewhere: at the resolver, at another address behind the name.
    let at_home = |one: &&Found<'_>| one.candidate.server == key.address;
    let behind_relay = key.behind_relay.is_some();
    let country = found
        .iter()
        .filter(|one| one.candidate.behind_relay() == behind_relay)
        .find(at_home)
        .or(found.first())?
        .country;
    let mut names: BTreeMap<String, u64> = BTreeMap::new();
    let mut longest: BTreeMap<Address, u64> = BTreeMap::new();
    let mut evidence = Vec::with_capacity(found.len());
    for Found { evidence: sign, .. } in found {
        if let Some(name) = &sign.name {
            *names.entry(name.clone()).or_default() += sign.check_ins;
        }
        let check_ins = longest.entry(sign.host).or_default();
        *check_ins = sign.check_ins.max(*check_ins);
        evidence.push(sign);
    }
    let mut names: Vec<(String, u64)> = names.into_iter().collect();
    names.sort_by(|one, two| two.1.cmp(&one.1).then_with(|| one.0.cmp(&two.0)));
    let evidence = once(evidence);
    let score = evidence.first()?.score;
    Some(ControlServer {
        rank: 0,
        address: key.address,
        port: key.port,
        transport: key.transport,
        names: names.into_iter().take(MOST_NAMES).map(|(name, _)| name).collect(),
        country,
        class: class(score, &settings.thresholds)?,
        score,
        check_ins: longest.values().sum(),
        hosts: longest.into_keys().collect(),
        first_ns: evidence.iter().map(|sign| sign.first_ns).min()?,
        last_ns: evidence.iter().map(|sign| sign.last_ns).max()?,
        behind_relay: key.behind_relay.is_some(),
        evidence,
    })
}

/// Class, score, hosts, check-ins; then address, port, transport and name, so that the order is total.
pub(crate) fn best_first(one: &ControlServer, two: &ControlServer) -> Ordering {
    two.class
        .cmp(&one.class)
        .then(two.score.total_cmp(&one.score))
        .then(two.hosts.len().cmp(&one.hosts.len()))
        .then(two.check_ins.cmp(&one.check_ins))
        .then(one.address.cmp(&two.address))
        .then(one.port.cmp(&two.port))
        .then(one.transport.cmp(&two.transport))
        .then_with(|| one.names.cmp(&two.names))
}

/// Ranks from 1, in the order given.
pub(crate) fn number(servers: &mut [ControlServer]) {
    for (rank, server) in (1..).zip(servers) {
        server.rank = rank;
    }
}

fn totals(part: &Part, servers: &[ControlServer], home: Option<Country>) -> Totals {
    let (hosts, destinations) = part.distinct();
    let of_class = |class: Class| servers.iter().filter(|server| server.class == class).count() as u64;
    let is_abroad = |server: &&ControlServer| server.country != Country::UNKNOWN && Some(server.country) != home;
    let abroad = || servers.iter().filter(is_abroad);
    Totals {
        hosts,
        destinations,
        connections: part.connections,
        timelines: part.timelines,
        servers: servers.len() as u64,
        servers_by_class: [
            of_class(Class::Suspected),
            of_class(Class::Probable),
            of_class(Class::Confirmed),
        ],
        controlled_hosts: distinct_hosts(servers.iter()),
        servers_abroad: home.map(|_| abroad().count() as u64),
        hosts_abroad: home.map(|_| distinct_hosts(abroad())),
    }
}

fn distinct_hosts<'a>(servers: impl Iterator<Item = &'a ControlServer>) -> u64 {
    servers.flat_map(|server| &server.hosts).collect::<BTreeSet<_>>().len() as u64
}

/// One row per country that has servers or traffic.
pub(crate) fn country_rows(servers: &[ControlServer], traffic: &BTreeMap<Country, Traffic>) -> Vec<CountryRow> {
    let mut by_country: BTreeMap<Country, (u64, BTreeSet<Address>)> = BTreeMap::new();
    for country in traffic.keys() {
        by_country.entry(*country).or_default();
    }
    for server in servers {
        let (count, hosts) = by_country.entry(server.country).or_default();
        *count += 1;
        hosts.extend(&server.hosts);
    }
    let all_hosts = distinct_hosts(servers.iter());
    let share = |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
    let mut rows: Vec<CountryRow> = by_country
        .into_iter()
        .map(|(country, (count, hosts))| {
            let traffic = traffic.get(&country).copied().unwrap_or_default();
            CountryRow {
                country,
                servers: count,
                hosts: hosts.len() as u64,
                rank_by_servers: 0,
                rank_by_hosts: 0,
                share_of_servers: share(count, servers.len() as u64),
                share_of_hosts: share(hosts.len() as u64, all_hosts),
                connections: traffic.connections,
                bytes_out: traffic.bytes_out,
                bytes_in: traffic.bytes_in,
                packets: traffic.packets,
            }
        })
        .collect();
    rank(&mut rows, |row| row.hosts, |row, rank| row.rank_by_hosts = rank);
    rank(&mut rows, |row| row.servers, |row, rank| row.rank_by_servers = rank);
    rows.sort_by_key(|row| (std::cmp::Reverse((row.servers, row.hosts)), row.country));
    rows
}

/// Competition ranking: equal counts share a rank, the next rank counts all before it; none is rank 0.
fn rank(rows: &mut [CountryRow], count: fn(&CountryRow) -> u64, set: fn(&mut CountryRow, u32)) {
    rows.sort_by_key(|row| (std::cmp::Reverse(count(row)), row.country));
    let mut last = (0, 0);
    for (place, row) in (1..).zip(rows.iter_mut()).take_while(|(_, row)| count(row) > 0) {
        if count(row) != last.0 {
            last = (count(row), place);
        }
        set(row, last.1);
    }
}

impl ControlServer {
    /// The kinds of its evidence, each once, best first.
    pub fn kinds(&self) -> Vec<EvidenceKind> {
        let mut kinds = Vec::new();
        for sign in &self.evidence {
            if !kinds.contains(&sign.kind) {
                kinds.push(sign.kind);
            }
        }
        kinds
    }
}

#[cfg(test)]
#[path = "conclude_tests.rs"]
mod tests;

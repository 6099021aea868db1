//! What all workers share: the country database, the operator's lists and thresholds, which may be replaced while a run goes on,
//! and the registry of suspected servers, written rarely.
//!
//! In: a worker's verdict when it changes. Out: control servers and countries as they stand, for a console. Not its job:
//! final results, which come from merged parts and do not depend on who wrote first.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use balefire_decode::{Address, Transport};
use dashmap::DashMap;
use foldhash::fast::RandomState;
use parking_lot::RwLock;

use crate::allow::{Allowlist, Finding};
use crate::asked::Desk;
use crate::conclude;
use crate::countries::Countries;
use crate::lists::{InForce, Lists};
use crate::settings::{Settings, Thresholds};
use crate::summary::{Class, ControlServer, Country, CountryRow};

/// Servers the registry holds; more are counted, not kept.
const MOST_SERVERS: usize = 1 << 16;
/// Timelines kept per server; more are counted.
const MOST_SIGNS: usize = 1 << 12;
/// Hosts of one server whose signs are given at a time.
const MOST_NAMED_HOSTS: usize = 32;
/// Names kept per server.
const MOST_NAMES: usize = 8;

/// A server as the registry knows it. Behind a relay the name is part of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ServerKey {
    pub(crate) address: Address,
    pub(crate) port: u16,
    pub(crate) transport: Transport,
    pub(crate) behind_relay: Option<Box<str>>,
}

/// The key of a place, with the name that a relay was asked for.
pub(crate) fn server_key(place: (Address, u16, Transport), behind_relay: Option<&str>) -> ServerKey {
    ServerKey {
        address: place.0,
        port: place.1,
        transport: place.2,
        behind_relay: behind_relay.map(Box::from),
    }
}

/// One timeline's verdict.
#[derive(Clone, Debug)]
pub(crate) struct Sign {
    pub(crate) host: Address,
    pub(crate) class: Class,
    pub(crate) score: f64,
    pub(crate) check_ins: u64,
    pub(crate) first_ns: i64,
    pub(crate) last_ns: i64,
}

#[derive(Debug)]
struct Suspect {
    country: Country,
    names: Vec<Box<str>>,
    /// By the identity of the timeline.
    signs: BTreeMap<u64, Sign>,
}

/// See the head of this file.
#[derive(Debug)]
pub struct Shared {
    countries: RwLock<Arc<Countries>>,
    thresholds: RwLock<Thresholds>,
    /// Grows with every replacement of the two.
    version: AtomicU64,
    home_country: Option<Country>,
    suspects: DashMap<ServerKey, Suspect, RandomState>,
    refused: AtomicU64,
    lists: InForce,
    /// Where workers are asked for evidence.
    pub(crate) desk: Desk,
}

impl Shared {
    /// With the country database of the run.
    pub fn new(countries: Countries, settings: &Settings) -> Self {
        Self {
            countries: RwLock::new(Arc::new(countries)),
            thresholds: RwLock::new(settings.thresholds),
            version: AtomicU64::new(0),
            home_country: settings.home_country.map(Country),
            suspects: DashMap::with_hasher(RandomState::default()),
            refused: AtomicU64::new(0),
            lists: InForce::default(),
            desk: Desk::default(),
        }
    }

    /// The country database in force.
    pub fn countries(&self) -> Arc<Countries> {
        Arc::clone(&self.countries.read())
    }

    /// Puts another country database in force, also while a run goes on: workers take it up with their next block, what is
    /// concluded from then on is concluded by it, and servers known already are looked up anew. Traffic stays with the country
    /// it was counted under.
    pub fn replace_countries(&self, countries: Countries) {
        let countries = Arc::new(countries);
        let before = std::mem::replace(&mut *self.countries.write(), Arc::clone(&countries));
        self.version.fetch_add(1, Ordering::Release);
        for mut entry in self.suspects.iter_mut() {
            if entry.key().behind_relay.is_none() {
                entry.value_mut().country = countries.country(entry.key().address);
            }
        }
        // A database is some tens of megabytes; freeing it is nobody's business who holds a lock.
        drop(before);
    }

    /// The scores at which a server gets its class, as they are in force.
    pub fn thresholds(&self) -> Thresholds {
        *self.thresholds.read()
    }

    /// Puts other thresholds in force: for what is concluded from then on, and for every timeline when it is judged the next time.
    pub fn replace_thresholds(&self, thresholds: Thresholds) {
        *self.thresholds.write() = thresholds;
        self.version.fetch_add(1, Ordering::Release);
    }

    /// Grows whenever the country database or the thresholds are replaced.
    #[inline]
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Everything in force, held still for a conclusion: a replacement on the way must not give one summary two databases.
    pub(crate) fn held(&self) -> Self {
        Self {
            countries: RwLock::new(self.countries()),
            thresholds: RwLock::new(self.thresholds()),
            version: AtomicU64::new(0),
            home_country: self.home_country,
            suspects: DashMap::with_hasher(RandomState::default()),
            refused: AtomicU64::new(0),
            lists: self.lists.held(),
            desk: Desk::default(),
        }
    }

    /// The lists in force.
    pub fn lists(&self) -> Arc<Lists> {
        self.lists.now().0
    }

    /// Puts new lists in force, also while a run goes on: workers take them up with their next block, and what is concluded from
    /// then on is concluded by them.
    pub fn replace_lists(&self, lists: Lists) {
        self.lists.replace(lists);
    }

    /// The lists in force, and their version.
    pub(crate) fn lists_now(&self) -> (Arc<Lists>, u64) {
        self.lists.now()
    }

    /// Grows with every replacement.
    #[inline]
    pub(crate) fn lists_version(&self) -> u64 {
        self.lists.version()
    }

    /// Verdicts the full registry did not take.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// How many servers are suspected.
    pub fn servers_total(&self) -> u64 {
        self.suspects.len() as u64
    }

    /// Suspected servers as they stand, best first, at most `limit`, without evidence.
    pub fn servers(&self, limit: usize) -> Vec<ControlServer> {
        let mut servers = self.all();
        servers.sort_by(conclude::best_first);
        servers.truncate(limit);
        conclude::number(&mut servers);
        servers
    }

    /// Hosting countries of the suspected servers as they stand, at most `limit`. Traffic is not known here and is 0.
    pub fn country_rows(&self, limit: usize) -> Vec<CountryRow> {
        let mut rows = conclude::country_rows(&self.all(), &BTreeMap::new());
        rows.truncate(limit);
        rows
    }

    /// Timelines that speak against a server: the best, at most `most`, or of each named host the best. None that a rule hides.
    pub(crate) fn signs_of(&self, server: &ControlServer, hosts: &[Address], most: usize) -> Vec<u64> {
        let name = server.names.first().filter(|_| server.behind_relay);
        let place = (server.address, server.port, server.transport);
        let key = server_key(place, name.map(String::as_str));
        let Some(suspect) = self.suspects.get(&key) else {
            return Vec::new();
        };
        let lists = self.lists.now().0;
        let mut signs = suspect.shown(&key, &lists.allow);
        // What a list says has no score and comes first; the timeline decides between equals.
        signs.sort_by(|(one, sign), (two, other)| {
            let class = other.class.cmp(&sign.class);
            class.then(other.score.total_cmp(&sign.score)).then(one.cmp(two))
        });
        if !hosts.is_empty() {
            signs.retain(|(_, sign)| hosts.contains(&sign.host));
            let mut told = BTreeSet::new();
            signs.retain(|(_, sign)| told.insert(sign.host));
        }
        signs.truncate(most.max(hosts.len().min(MOST_NAMED_HOSTS)));
        signs.into_iter().map(|(timeline, _)| timeline).collect()
    }

    /// A timeline's class became `Some`, or its numbers moved.
    pub(crate) fn put(&self, key: ServerKey, timeline: u64, country: Country, name: Option<&str>, sign: Sign) {
        if self.suspects.len() >= MOST_SERVERS && !self.suspects.contains_key(&key) {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let mut suspect = self.suspects.entry(key).or_insert_with(|| Suspect {
            country,
            names: Vec::new(),
            signs: BTreeMap::new(),
        });
        suspect.country = country;
        if let Some(name) = name
            && suspect.names.len() < MOST_NAMES
            && !suspect.names.iter().any(|known| &**known == name)
        {
            suspect.names.push(name.into());
        }
        if suspect.signs.len() >= MOST_SIGNS && !suspect.signs.contains_key(&timeline) {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return;
        }
        suspect.signs.insert(timeline, sign);
    }

    /// A timeline lost its class.
    pub(crate) fn remove(&self, key: &ServerKey, timeline: u64) {
        if let Some(mut suspect) = self.suspects.get_mut(key) {
            suspect.signs.remove(&timeline);
        }
        self.suspects.remove_if(key, |_, suspect| suspect.signs.is_empty());
    }

    pub(crate) fn home_country(&self) -> Option<Country> {
        self.home_country
    }

    fn all(&self) -> Vec<ControlServer> {
        let lists = self.lists.now().0;
        self.suspects
            .iter()
            .filter_map(|entry| entry.value().as_server(entry.key(), &lists.allow))
            .collect()
    }
}

impl Suspect {
    /// Its signs, without those that a rule hides.
    fn shown(&self, key: &ServerKey, allow: &Allowlist) -> Vec<(u64, &Sign)> {
        let names: Vec<&str> = self.names.iter().map(|name| &**name).collect();
        let is_shown = |sign: &Sign| {
            let finding = Finding {
                host: sign.host,
                server: key.address,
                port: if key.behind_relay.is_some() { 0 } else { key.port },
                behind_relay: key.behind_relay.is_some(),
                names: &names,
                ja4: &[],
                last_ns: sign.last_ns,
            };
            allow.hides(&finding).is_none()
        };
        let signs = self.signs.iter().filter(|(_, sign)| is_shown(sign));
        signs.map(|(timeline, sign)| (*timeline, sign)).collect()
    }

    fn as_server(&self, key: &ServerKey, allow: &Allowlist) -> Option<ControlServer> {
        let signs: Vec<&Sign> = self.shown(key, allow).into_iter().map(|(_, sign)| sign).collect();
        let best = signs.iter().max_by(|one, two| one.score.total_cmp(&two.score))?;
        let hosts: BTreeSet<Address> = signs.iter().map(|sign| sign.host).collect();
        let most = |host: &Address| {
            signs
                .iter()
                .filter(|sign| sign.host == *host)
                .map(|sign| sign.check_ins)
                .max()
                .unwrap_or(0)
        };
        Some(ControlServer {
            rank: 0,
            address: key.address,
            port: key.port,
            transport: key.transport,
            names: self.names.iter().map(|name| name.to_string()).collect(),
            country: self.country,
            class: signs.iter().map(|sign| sign.class).max()?,
            score: best.score,
            check_ins: hosts.iter().map(most).sum(),
            hosts: hosts.into_iter().collect(),
            first_ns: signs.iter().map(|sign| sign.first_ns).min()?,
            last_ns: signs.iter().map(|sign| sign.last_ns).max()?,
            behind_relay: key.behind_relay.is_some(),
            evidence: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared() -> Shared {
        Shared::new(Countries::embedded(), &Settings::default())
    }

    fn key(last: u8) -> ServerKey {
        ServerKey {
            address: Address::v4([192, 0, 2, last]),
            port: 443,
            transport: Transport::TCP,
            behind_relay: None,
        }
    }

    fn sign(host: u8, class: Class, score: f64) -> Sign {
        let host = Address::v4([10, 0, 0, host]);
        Sign {
            host,
            class,
            score,
            check_ins: 10,
            first_ns: 1,
            last_ns: 2,
        }
    }

    #[test]
    fn verdicts_come_and_go() {
        let shared = shared();
        let nl = Country(*b"NL");
        shared.put(key(1), 1, nl, Some("a.example"), sign(1, Class::Suspected, 0.6));
        shared.put(key(1), 2, nl, Some("a.example"), sign(2, Class::Probable, 0.95));
        shared.put(key(1), 3, nl, None, sign(2, Class::Suspected, 0.7));
        shared.put(key(2), 4, nl, None, sign(1, Class::Suspected, 0.8));
        let servers = shared.servers(9);
        assert_eq!(servers.len(), 2);
        assert_eq!((shared.servers(1).len(), shared.servers_total()), (1, 2));
        assert_eq!(
            (servers[0].rank, servers[0].hosts.len(), servers[0].class),
            (1, 2, Class::Probable)
        );
        assert_eq!((servers[0].check_ins, servers[0].names.len()), (20, 1));
        let rows = shared.country_rows(9);
        assert_eq!((rows[0].servers, rows[0].hosts), (2, 2));
        shared.remove(&key(1), 2);
        assert_eq!(shared.servers(1)[0].address, key(2).address);
        shared.remove(&key(1), 1);
        shared.remove(&key(1), 3);
        shared.remove(&key(2), 4);
        assert!(shared.servers(9).is_empty() && shared.servers_total() == 0);
    }

    #[test]
    fn replacements_reach_what_is_known_and_what_is_held_stays() {
        let shared = shared();
        let address = Address::v4([193, 0, 6, 139]);
        let ripe = ServerKey { address, ..key(1) };
        shared.put(ripe, 1, Country::UNKNOWN, None, sign(1, Class::Suspected, 0.6));
        let (held, before) = (shared.held(), shared.version());
        shared.replace_countries(Countries::embedded());
        assert_eq!(shared.servers(1)[0].country, shared.countries().country(address));
        assert_ne!(shared.servers(1)[0].country, Country::UNKNOWN);
        let lower = Thresholds {
            suspected: 0.1,
            probable: 0.2,
        };
        shared.replace_thresholds(lower);
        assert_eq!((shared.thresholds(), shared.version()), (lower, before + 2));
        assert_eq!(held.thresholds(), Thresholds::default());
    }

    #[test]
    fn a_server_holds_a_bounded_number_of_timelines() {
        let shared = shared();
        for timeline in 0..MOST_SIGNS as u64 + 10 {
            shared.put(key(1), timeline, Country::UNKNOWN, None, sign(1, Class::Suspected, 0.6));
        }
        assert_eq!(shared.refused(), 10);
    }
}

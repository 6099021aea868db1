//! Contacts of hosts with what threat intelligence lists, as one worker sees them: by address, name, DNS question, fingerprint.
//!
//! In: connections and facts as they come; new lists. Out: [`Sighting`]s for the parts of hours and of the run, and a word to the
//! shared registry. Not its job: the lists ([`crate::intel`]), what is said of a contact ([`crate::confirm`]).
//!
//! An address is looked up when a host first goes there, a name when it is not among those lately found unlisted; without lists
//! nothing is. What is kept is what was seen, not which entry matched: so a list that changes is judged by what it says now.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use balefire_decode::{Address, Transport};
use balefire_track::{Fact, Ja4, NameKind};
use foldhash::fast::RandomState;

use crate::detector::Detector;
use crate::home::Role;
use crate::intake::Ends;
use crate::intel::ja4;
use crate::lists::Lists;
use crate::part::Part;
use crate::shared::{ServerKey, Sign};
use crate::summary::{Class, Country};

/// Sightings of one worker; at the limit the oldest goes that was not seen again in this hour. At most 400 bytes and two names
/// each.
pub(crate) const MOST_SIGHTINGS: usize = 1 << 16;
/// Sightings that may be passed over before one goes all the same.
const LOOKED_AT: usize = 8;
/// Names lately found unlisted, by hash: 64 KiB.
const UNLISTED: usize = 1 << 13;

/// By what a contact was recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Via {
    /// A connection to a listed address.
    Address,
    /// A connection in which the client named a listed domain.
    Name,
    /// A request to a proxy.
    Target,
    /// A question to a resolver.
    Question,
    /// A TLS client with a listed fingerprint.
    Ja4,
}

/// When, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    pub(crate) first_ns: i64,
    pub(crate) last_ns: i64,
    pub(crate) contacts: u64,
    /// The host's port in the last one; 0 where that is not known.
    pub(crate) client_port: u16,
}

impl Span {
    pub(crate) const NONE: Self = Self {
        first_ns: i64::MAX,
        last_ns: i64::MIN,
        contacts: 0,
        client_port: 0,
    };

    pub(crate) fn once(time_ns: i64, client_port: u16) -> Self {
        Self {
            first_ns: time_ns,
            last_ns: time_ns,
            contacts: 1,
            client_port,
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        // Of two at the same moment the higher, so that the order of adding changes nothing.
        self.client_port = (self.last_ns, self.client_port)
            .max((other.last_ns, other.client_port))
            .1;
        self.first_ns = self.first_ns.min(other.first_ns);
        self.last_ns = self.last_ns.max(other.last_ns);
        self.contacts = self.contacts.saturating_add(other.contacts);
    }
}

/// What was met, without when.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Met {
    pub(crate) host: Address,
    /// The server, or the proxy or resolver that was asked.
    pub(crate) server: Address,
    pub(crate) port: u16,
    pub(crate) transport: Transport,
    pub(crate) via: Via,
    /// Asked of a proxy; 0 for none.
    pub(crate) target_port: u16,
    /// The listed domain, address asked of a proxy, or fingerprint.
    pub(crate) listed: Box<str>,
}

/// A host met something listed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Sighting {
    pub(crate) met: Met,
    /// The name as it was first used.
    pub(crate) name: Box<str>,
    pub(crate) span: Span,
}

impl Met {
    /// Whether the server's address is that of a proxy or resolver.
    pub(crate) fn behind_relay(&self) -> bool {
        matches!(self.via, Via::Target | Via::Question)
    }

    fn key(&self) -> ServerKey {
        ServerKey {
            address: self.server,
            port: self.port,
            transport: self.transport,
            behind_relay: self.behind_relay().then(|| self.listed.clone()),
        }
    }
}

#[derive(Debug)]
struct Kept {
    sighting: Sighting,
    hour: Span,
}

/// What one worker watches for, and what it met.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) lists: Arc<Lists>,
    pub(crate) version: u64,
    addresses: bool,
    names: bool,
    ja4: bool,
    unlisted: Vec<u64>,
    kept: HashMap<u64, Kept, RandomState>,
    /// Oldest first; may name some that are gone.
    order: VecDeque<u64>,
    limit: usize,
    evicted: u64,
}

impl Watch {
    pub(crate) fn new((lists, version): (Arc<Lists>, u64), limit: usize) -> Self {
        let mut watch = Self {
            lists: Arc::clone(&lists),
            version,
            addresses: false,
            names: false,
            ja4: false,
            unlisted: Vec::new(),
            kept: HashMap::default(),
            order: VecDeque::new(),
            limit: limit.max(1),
            evicted: 0,
        };
        watch.arm(lists, version);
        watch
    }

    pub(crate) fn arm(&mut self, lists: Arc<Lists>, version: u64) {
        let intel = &lists.intel;
        self.addresses = intel.has_addresses();
        self.names = intel.has_domains();
        self.ja4 = intel.has_ja4() || lists.allow.rules().iter().any(|rule| rule.ja4().is_some());
        // A name that was unlisted may be listed now. Zero stands for no name: a name of that hash, one in 2^64, would be taken
        // for looked up.
        self.unlisted = vec![0; if self.names { UNLISTED } else { 0 }];
        (self.lists, self.version) = (lists, version);
    }

    /// Whether facts are of interest; addresses are asked for on their own.
    #[inline]
    pub(crate) fn wants_facts(&self) -> bool {
        self.names || self.ja4 || self.addresses
    }

    #[inline]
    pub(crate) fn wants_addresses(&self) -> bool {
        self.addresses
    }

    pub(crate) fn len(&self) -> usize {
        self.kept.len()
    }

    pub(crate) fn evicted(&self) -> u64 {
        self.evicted
    }

    /// The sightings of the hour that ends; the next begins without.
    pub(crate) fn close_hour(&mut self) -> Vec<Sighting> {
        let active = self.kept.values_mut().filter(|kept| kept.hour.contacts > 0);
        active
            .map(|kept| Sighting {
                span: std::mem::replace(&mut kept.hour, Span::NONE),
                ..kept.sighting.clone()
            })
            .collect()
    }

    /// Those of the run.
    pub(crate) fn all(&self) -> Vec<Sighting> {
        self.kept.values().map(|kept| kept.sighting.clone()).collect()
    }

    /// What was met, by its hash.
    pub(crate) fn sighting(&self, hash: u64) -> Option<&Sighting> {
        self.kept.get(&hash).map(|kept| &kept.sighting)
    }

    /// Forgets what is listed no longer, and says what.
    pub(crate) fn forget_unlisted(&mut self) -> Vec<(u64, Met)> {
        let lists = Arc::clone(&self.lists);
        let mut gone = Vec::new();
        self.kept.retain(|hash, kept| {
            let listed = is_listed(&kept.sighting, &lists);
            if !listed {
                gone.push((*hash, kept.sighting.met.clone()));
            }
            listed
        });
        let kept = &self.kept;
        self.order.retain(|hash| kept.contains_key(hash));
        gone
    }

    /// Adds to a sighting, or begins it; the run's contacts of it so far.
    fn add(&mut self, hash: u64, met: impl FnOnce() -> (Met, Box<str>), run: &Span, hour: &Span) -> u64 {
        if let Some(kept) = self.kept.get_mut(&hash) {
            kept.sighting.span.add(run);
            kept.hour.add(hour);
            return kept.sighting.span.contacts;
        }
        self.make_room();
        let (met, name) = met();
        let sighting = Sighting { met, name, span: *run };
        self.kept.insert(hash, Kept { sighting, hour: *hour });
        self.order.push_back(hash);
        run.contacts
    }

    fn make_room(&mut self) {
        let mut passed = 0;
        while self.kept.len() >= self.limit {
            let Some(hash) = self.order.pop_front() else { return };
            let active = self.kept.get(&hash).is_some_and(|kept| kept.hour.contacts > 0);
            if active && passed < LOOKED_AT {
                passed += 1;
                self.order.push_back(hash);
            } else if self.kept.remove(&hash).is_some() {
                self.evicted += 1;
            }
        }
    }
}

/// Whether the lists in force name it.
pub(crate) fn is_listed(sighting: &Sighting, lists: &Lists) -> bool {
    let Sighting { met, name, span } = sighting;
    let (intel, time_ns) = (&lists.intel, span.first_ns);
    let target_port = (met.target_port > 0).then_some(met.target_port);
    match met.via {
        Via::Address => intel.lists_address(met.server, met.port, time_ns),
        Via::Name => intel.listed_domain(name, Some(met.port), time_ns).is_some(),
        Via::Question => intel.listed_domain(name, None, time_ns).is_some(),
        Via::Target => match name.parse::<IpAddr>() {
            Ok(ip) => intel.lists_address(ip.into(), met.target_port, time_ns),
            Err(_) => intel.listed_domain(name, target_port, time_ns).is_some(),
        },
        Via::Ja4 => is_watched(ja4(&met.listed).as_ref(), lists, time_ns),
    }
}

fn is_watched(ja4: Option<&Ja4>, lists: &Lists, time_ns: i64) -> bool {
    let Some(ja4) = ja4 else { return false };
    let allowed = || lists.allow.rules().iter().any(|rule| rule.ja4() == Some(*ja4));
    lists.intel.lists_ja4(ja4, time_ns) || allowed()
}

/// Events to sightings.
impl Detector {
    /// A connection began; `first` where this host was not known to have gone there.
    pub(crate) fn address_used(&mut self, ends: &Ends, time_ns: i64, first: bool) {
        let listed = if first {
            self.watch.lists.intel.lists_address(ends.server, ends.port, time_ns)
        } else {
            self.watch.len() > 0
                && self
                    .watch
                    .kept
                    .contains_key(&self.sighting_hash(ends, Via::Address, "", 0))
        };
        if listed {
            self.sight(
                ends,
                Via::Address,
                ("", ""),
                0,
                &Span::once(time_ns, ends.client_port),
                &Span::once(time_ns, ends.client_port),
            );
        }
    }

    /// A name or a fingerprint was seen.
    #[inline]
    pub(crate) fn fact_used(&mut self, ends: &Ends, time_ns: i64, fact: &Fact<'_>) {
        if self.watch.wants_facts() {
            self.fact_looked_up(ends, time_ns, fact);
        }
    }

    fn fact_looked_up(&mut self, ends: &Ends, time_ns: i64, fact: &Fact<'_>) {
        let inside = ends.role == Role::Internal && !self.settings.score_internal;
        match fact {
            Fact::Name {
                kind: NameKind::Sni | NameKind::HttpHost,
                name,
                ..
            } if !inside => {
                self.name_used(ends, Via::Name, name, ends.port, time_ns);
            }
            Fact::Name {
                kind: NameKind::ConnectTarget,
                name,
                port,
            } => match name.parse::<IpAddr>() {
                Ok(ip) => self.target_used(ends, name, ip.into(), *port, time_ns),
                Err(_) => self.name_used(ends, Via::Target, name, *port, time_ns),
            },
            Fact::Name {
                kind: NameKind::DnsQuery,
                name,
                ..
            } => self.name_used(ends, Via::Question, name, 0, time_ns),
            Fact::Tls(hello) if !inside && self.watch.ja4 => {
                if let Some(ja4) = hello
                    .ja4
                    .filter(|ja4| is_watched(Some(ja4), &self.watch.lists, time_ns))
                {
                    let once = Span::once(time_ns, ends.client_port);
                    self.sight(ends, Via::Ja4, (ja4.text(), ""), 0, &once, &once);
                }
            }
            _ => {}
        }
    }

    fn name_used(&mut self, ends: &Ends, via: Via, name: &str, port: u16, time_ns: i64) {
        if !self.watch.names {
            return;
        }
        let hash = self.seed.text(name);
        let place = hash as usize % UNLISTED;
        if self.watch.unlisted.get(place) == Some(&hash) {
            return;
        }
        let lists = Arc::clone(&self.watch.lists);
        if let Some(listed) = lists.intel.listed_domain(name, (port > 0).then_some(port), time_ns) {
            let once = Span::once(time_ns, ends.client_port);
            let target_port = if via == Via::Target { port } else { 0 };
            self.sight(ends, via, (listed, name), target_port, &once, &once);
        } else if lists.intel.listed_domain(name, None, time_ns).is_none()
            && let Some(place) = self.watch.unlisted.get_mut(place)
        {
            *place = hash;
        }
    }

    /// An address asked of a proxy.
    fn target_used(&mut self, ends: &Ends, name: &str, target: Address, port: u16, time_ns: i64) {
        let inside = self.settings.home.contains(target) && !self.settings.score_internal;
        if !inside && self.watch.lists.intel.lists_address(target, port, time_ns) {
            let once = Span::once(time_ns, ends.client_port);
            self.sight(ends, Via::Target, (name, name), port, &once, &once);
        }
    }

    /// Keeps a sighting, and tells the registry of it when it is new and each time its contacts have doubled.
    pub(crate) fn sight(
        &mut self,
        ends: &Ends,
        via: Via,
        (listed, name): (&str, &str),
        target_port: u16,
        run: &Span,
        hour: &Span,
    ) {
        let hash = self.sighting_hash(ends, via, listed, target_port);
        let met = || {
            let met = Met {
                host: ends.host,
                server: ends.server,
                port: ends.port,
                transport: ends.transport,
                via,
                target_port,
                listed: listed.into(),
            };
            (met, Box::from(name))
        };
        let contacts = self.watch.add(hash, met, run, hour);
        if !contacts.is_power_of_two() && run.contacts == 1 {
            return;
        }
        let Some(kept) = self.watch.kept.get(&hash) else { return };
        let Sighting { met, span, .. } = &kept.sighting;
        // A fingerprint that only the allowlist names is no finding.
        if via == Via::Ja4 && !ja4(listed).is_some_and(|ja4| self.watch.lists.intel.lists_ja4(&ja4, span.first_ns)) {
            return;
        }
        let country = if met.behind_relay() {
            Country::UNKNOWN
        } else {
            self.countries.country(met.server)
        };
        let sign = Sign {
            host: met.host,
            class: Class::Confirmed,
            score: 0.0,
            check_ins: span.contacts,
            first_ns: span.first_ns,
            last_ns: span.last_ns,
        };
        let name = Some(&*kept.sighting.name).filter(|name| !name.is_empty());
        self.shared.put(met.key(), hash, country, name, sign);
    }

    /// Whether it is kept as met already.
    pub(crate) fn is_sighted(&self, ends: &Ends, via: Via, listed: &str, target_port: u16) -> bool {
        self.watch
            .kept
            .contains_key(&self.sighting_hash(ends, via, listed, target_port))
    }

    /// The part's share of what was met.
    pub(crate) fn hand_over_sightings(&mut self, part: &mut Part, run: bool) {
        part.sightings = if run { self.watch.all() } else { self.watch.close_hour() };
    }

    /// Asks whether lists, countries or thresholds have changed; if the lists have, forgets what is listed no longer and looks back
    /// for what is now. Called once per block: two atomic loads where nothing changed.
    pub fn refresh_lists(&mut self) {
        let version = self.shared.version();
        if version != self.version {
            self.version = version;
            self.countries = self.shared.countries();
            self.settings = Arc::new(self.settings.with_thresholds(self.shared.thresholds()));
        }
        if self.shared.lists_version() == self.watch.version {
            return;
        }
        self.drain();
        let (lists, version) = self.shared.lists_now();
        self.watch.arm(lists, version);
        for (hash, met) in self.watch.forget_unlisted() {
            self.shared.remove(&met.key(), hash);
        }
        self.look_back();
    }

    fn sighting_hash(&self, ends: &Ends, via: Via, listed: &str, target_port: u16) -> u64 {
        let small = (u64::from(target_port) << 32)
            | (u64::from(ends.port) << 16)
            | (u64::from(ends.transport.0) << 8)
            | via as u64;
        // Two odd constants keep the three parts from cancelling each other; the seeded parts are random already.
        let ends = self.seed.ends(ends.host, ends.server);
        ends.wrapping_add(self.seed.text(listed).rotate_left(23))
            .wrapping_add(small.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
}

#[cfg(test)]
#[path = "sighted_tests.rs"]
mod tests;

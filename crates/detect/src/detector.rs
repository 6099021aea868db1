//! One worker's detector: takes the events of its connections, keeps its tables, gives out parts.
//!
//! In: calls of [`balefire_track::Sink`], in packet order. Out: [`Part`]s at the hour's end and at the end of the run, and
//! verdicts in the shared registry as they change. Not its job: connections (`track`), merging and ranking ([`Part`]).
//!
//! Check-ins are not worked on one at a time: they wait in a short queue and are worked off together, so that the memory
//! accesses of many overlap ([`crate::check_in`]).

use std::sync::Arc;

use balefire_decode::{Address, Transport};
use balefire_track::Endpoints;

use crate::candidate::{Candidate, Surroundings, behind_relay, facts_of};
use crate::clients::Clients;
use crate::countries::Countries;
use crate::group::Networks;
use crate::hash::Seed;
use crate::home::Role;
use crate::intake::{Connection, Item, QUEUE};
use crate::key::{Destination, Scope};
use crate::ledger::{Ledger, Record};
use crate::names::Names;
use crate::part::{DestinationSeen, HostSeen, Part};
use crate::questions::Questions;
use crate::readings;
use crate::resolved::ResolvedTable;
use crate::score::{FEWEST_CHECK_INS, class, judge, may_be_suspected};
use crate::seen::Seen;
use crate::settings::Settings;
use crate::shared::{Shared, Sign, server_key};
use crate::sighted::{MOST_SIGHTINGS, Watch};
use crate::sketched::{FEWEST_EVENTS, Sketch, Sketched, SketchedTables, is_judged_at};
use crate::slab::Slab;
use crate::summary::{Country, EvidenceKind};
use crate::timing::{Timing, score_timing};
use crate::traffic::TrafficCounters;
use crate::traits::{Shown, Traits};

/// How full a worker's tables are, and what had to go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gauges {
    /// Inside hosts.
    pub hosts: u64,
    /// Destinations: addresses with port, and names.
    pub destinations: u64,
    /// Pairs seen once or twice.
    pub pairs: u64,
    /// Timelines.
    pub timelines: u64,
    /// Names.
    pub names: u64,
    /// Connections followed.
    pub connections: u64,
    /// Hosts evicted.
    pub hosts_evicted: u64,
    /// Destinations evicted.
    pub destinations_evicted: u64,
    /// Pairs evicted.
    pub pairs_evicted: u64,
    /// Timelines evicted before they had eight check-ins.
    pub timelines_evicted: u64,
    /// Timelines evicted that had.
    pub established_evicted: u64,
    /// Addresses that DNS gave for names, evicted.
    pub dns_evicted: u64,
    /// Domains asked below of, pinged addresses, long connections, groups of servers, networks and clients, evicted.
    pub sketches_evicted: u64,
    /// Names evicted.
    pub names_evicted: u64,
    /// Contacts with what is listed, kept and evicted.
    pub sightings: u64,
    /// See there.
    pub sightings_evicted: u64,
    /// Connections that were counted but not followed because all places were taken.
    pub connections_unfollowed: u64,
    /// Memory of the tables.
    pub table_bytes: u64,
}

impl Gauges {
    /// Evicted entries of all tables.
    pub fn evictions(&self) -> u64 {
        self.hosts_evicted
            + self.destinations_evicted
            + self.pairs_evicted
            + self.timelines_evicted
            + self.established_evicted
            + self.names_evicted
            + self.dns_evicted
            + self.sightings_evicted
            + self.sketches_evicted
    }
}

/// See the head of this file.
#[derive(Debug)]
pub struct Detector {
    pub(crate) settings: Arc<Settings>,
    pub(crate) shared: Arc<Shared>,
    /// Those of `shared` as of this version, so that a look-up shares nothing with other workers.
    pub(crate) countries: Arc<Countries>,
    pub(crate) version: u64,
    pub(crate) worker: usize,
    pub(crate) seed: Seed,
    pub(crate) names: Names,
    pub(crate) seen: Seen,
    pub(crate) ledger: Ledger,
    pub(crate) connections: Slab<Connection>,
    pub(crate) connections_free: Vec<u32>,
    pub(crate) connections_unfollowed: u64,
    pub(crate) pending: Vec<Item>,
    pub(crate) questions: Questions,
    /// The last asked for among connections that are not followed, and its role: see [`crate::intake`].
    pub(crate) last_ends: (Option<Endpoints>, Option<Role>),
    pub(crate) traffic: TrafficCounters,
    pub(crate) resolved: ResolvedTable,
    pub(crate) sketched: SketchedTables,
    pub(crate) networks: Networks,
    pub(crate) clients: Clients,
    pub(crate) shown: Shown,
    pub(crate) watch: Watch,
    run: Part,
    /// Questions answered so far.
    pub(crate) answered: u64,
    /// Hours closed so far: the stamp of what is active in this one.
    pub(crate) period: u32,
}

impl Detector {
    /// An empty detector for one worker; all of a run share `settings` and `shared`.
    pub fn new(settings: Arc<Settings>, shared: Arc<Shared>, worker: usize) -> Self {
        let limits = settings.limits;
        Self {
            seed: Seed::new(settings.hash_seed),
            // Every timeline may hold a name, and names that wait in the queues must not go: a question has its own and its domain's.
            names: Names::new(limits.names.max(limits.timelines).max(4 * QUEUE)),
            seen: Seen::new(&limits),
            ledger: Ledger::new(limits.timelines),
            connections: Slab::new(),
            connections_free: Vec::new(),
            connections_unfollowed: 0,
            pending: Vec::with_capacity(QUEUE),
            questions: Questions::new(),
            last_ends: (None, None),
            traffic: TrafficCounters::new(),
            resolved: ResolvedTable::new(limits.names / 4),
            sketched: SketchedTables::new(&limits),
            networks: Networks::new(limits.pairs / 8),
            clients: Clients::new(),
            shown: Shown::new(),
            watch: Watch::new(shared.lists_now(), MOST_SIGHTINGS),
            run: Part::default(),
            answered: shared.desk.enrol(),
            period: 0,
            // The version first: what is replaced in between is then taken up with the first block.
            version: shared.version(),
            countries: shared.countries(),
            settings,
            shared,
            worker,
        }
    }

    /// The part of the hour that ends now, and begins the next. Candidates are the timelines with a check-in in the hour; what
    /// is said of them is said as of now.
    pub fn close_hour(&mut self) -> Part {
        self.drain();
        let period = self.period;
        let mut part = self.part(|record, thresholds| {
            let active = record.period == period;
            active.then(|| candidate_timing(record, thresholds)).flatten()
        });
        part.timelines = self.scored(|record| record.period == period);
        self.hand_over_sightings(&mut part, false);
        self.hand_over_traffic(&mut part);
        self.period += 1;
        part
    }

    /// The same, or, where nobody wants the hour, only what the run must know of it: then the part is empty.
    pub fn end_hour(&mut self, wanted: bool) -> Part {
        if wanted {
            return self.close_hour();
        }
        self.drain();
        drop(self.watch.close_hour());
        self.hand_over_traffic(&mut Part::default());
        self.period += 1;
        Part::default()
    }

    /// The part of the whole run. To be called once, after the last event; an hour still open is in it.
    pub fn finish(&mut self) -> Part {
        self.finish_where(candidate_timing)
    }

    /// The same with every timeline in it, for [`Part::timelines`]. Its summary is the same as without.
    pub fn finish_with_timelines(&mut self) -> Part {
        self.finish_where(|record, _| Some(score_timing(&record.timeline)))
    }

    /// How full the tables are.
    pub fn gauges(&self) -> Gauges {
        let (timelines_evicted, established_evicted) = self.ledger.evicted();
        let places = self.connections.len() - self.connections_free.len();
        let table_bytes = self.seen.bytes()
            + self.ledger.bytes()
            + self.connections.bytes()
            + self.resolved.bytes()
            + self.sketched.bytes()
            + self.networks.bytes()
            + self.clients.bytes()
            + self.shown.bytes()
            + self.names.bytes();
        Gauges {
            hosts: self.seen.hosts.len() as u64,
            destinations: self.seen.destinations.len() as u64,
            pairs: self.seen.pairs_len() as u64,
            timelines: self.ledger.len() as u64,
            names: self.names.len() as u64,
            connections: places as u64,
            hosts_evicted: self.seen.hosts.evicted(),
            destinations_evicted: self.seen.destinations.evicted(),
            pairs_evicted: self.seen.pairs_evicted(),
            timelines_evicted,
            established_evicted,
            dns_evicted: self.resolved.evicted(),
            sketches_evicted: self.sketched.evicted()
                + self.networks.evicted()
                + self.clients.evicted()
                + self.shown.evicted(),
            names_evicted: self.names.evicted(),
            sightings: self.watch.len() as u64,
            sightings_evicted: self.watch.evicted(),
            connections_unfollowed: self.connections_unfollowed,
            table_bytes: table_bytes as u64,
        }
    }

    /// The number given at the start.
    pub fn worker(&self) -> usize {
        self.worker
    }

    fn finish_where(&mut self, wanted: impl Fn(&Record, &crate::Thresholds) -> Option<Timing>) -> Part {
        self.drain();
        let mut part = self.part(wanted);
        part.timelines = self.scored(|_| true);
        self.hand_over_sightings(&mut part, true);
        // Everything since the start was active in the run.
        part.hosts.iter_mut().for_each(|host| host.active = true);
        part.destinations.iter_mut().for_each(|reached| reached.active = true);
        let mut last_hour = Part::default();
        self.hand_over_traffic(&mut last_hour);
        part.merge(std::mem::take(&mut self.run));
        part
    }

    /// Hosts, destinations and the wanted candidates, each with its timing, as they stand.
    fn part(&self, wanted: impl Fn(&Record, &crate::Thresholds) -> Option<Timing>) -> Part {
        let period = self.period;
        // Tables of a million entries: a list that grows would be copied twenty times.
        let mut hosts = Vec::with_capacity(self.seen.hosts.len());
        hosts.extend(self.seen.hosts.iter().map(|host| HostSeen {
            address: host.address,
            active: host.period == period,
            services: u64::from(host.services),
            names: host.names,
            resolves: host.resolves,
        }));
        let mut destinations = Vec::with_capacity(self.seen.destinations.len());
        destinations.extend(self.seen.destinations.iter().map(|reached| DestinationSeen {
            hash: reached.hash,
            hosts: reached.hosts(),
            active: reached.is_active(period),
            first_day: reached.first_day(),
            address: self.seen.service(reached).map(|key| Address::of_bits(key.bits)),
        }));
        let candidate = |record: &Record, sketched| {
            let timing = wanted(record, &self.settings.thresholds)?;
            Some(self.candidate(record, timing, sketched))
        };
        let plain = self.ledger.iter().filter_map(|record| candidate(record, None));
        let sketched = self.sketched.iter(&self.names);
        let sketched = sketched.filter_map(|sketched| candidate(&sketched.record, Some(sketched)));
        Part {
            hosts,
            destinations,
            candidates: plain.chain(sketched).collect(),
            resolutions: self.resolved.all(&self.names),
            clients: self.clients.all().collect(),
            ..Part::default()
        }
    }

    /// A record as it stands, with its timing.
    pub(crate) fn candidate(&self, record: &Record, timing: Timing, sketched: Option<&Sketched>) -> Candidate {
        let traits = match record.scope {
            // Behind a relay the pair is that with the relay.
            Scope::ConnectTarget | Scope::Domain => Traits::default(),
            Scope::Service | Scope::Name => {
                let key = Destination::service(record.server, record.port, record.transport);
                let (host, destination) = (self.seed.address(record.host), self.seed.destination(&key));
                let pair = self.seed.pair(host, destination, EvidenceKind::ConnectionBeacon);
                self.shown.of(pair)
            }
        };
        Candidate::new(record, timing, self.reached(record), &self.names, sketched, traits)
    }

    fn scored(&self, active: impl Fn(&Record) -> bool) -> u64 {
        let enough = |record: &&Record| record.timeline.check_ins() >= FEWEST_CHECK_INS && active(record);
        self.ledger.iter().filter(enough).count() as u64
    }

    /// Traffic counters go into the part of the hour and are kept for that of the run.
    fn hand_over_traffic(&mut self, part: &mut Part) {
        let hour = self.traffic.take();
        self.run.merge(hour.clone());
        part.merge(hour);
    }

    /// The hash of the destination under which a record's prevalence is counted.
    pub(crate) fn reached(&self, record: &Record) -> u64 {
        let key = match record.scope {
            Scope::Service => Destination::service(record.server, record.port, record.transport),
            scope => self
                .seed
                .named(self.names.hash(record.name), scope, record.relay(), record.target_port),
        };
        self.seed.destination(&key)
    }

    /// Judges a timeline that has grown enough since the last time, and tells the registry if its class changed.
    pub(crate) fn rescore(&mut self, slot: u32) {
        let Some(record) = self.ledger.at_mut(slot) else { return };
        let timing = score_timing(&record.timeline);
        record.scored_at = record.timeline.check_ins();
        record.timing_log_odds = timing.log_odds as f32;
        let hopeless = !may_be_suspected(timing.log_odds, &self.settings.thresholds) && !may_be_read_otherwise(record);
        if record.class == 0 && hopeless {
            return;
        }
        let Some(record) = self.ledger.at(slot) else { return };
        let class = self.verdict(record, &timing, None);
        if let Some(record) = self.ledger.at_mut(slot) {
            record.class = class;
        }
    }

    /// The same for a record with a sketch: of events told one by one each time they have doubled.
    pub(crate) fn rescore_sketched(&mut self, hash: u64) {
        let Some(sketched) = self.sketched.find(hash) else {
            return;
        };
        let events = sketched.sketch.events().unwrap_or(FEWEST_EVENTS);
        if matches!(sketched.sketch, Sketch::Names(_) | Sketch::Echoes(_)) && !is_judged_at(events) {
            return;
        }
        let timing = score_timing(&sketched.record.timeline);
        sketched.record.scored_at = sketched.record.timeline.check_ins();
        sketched.record.timing_log_odds = timing.log_odds as f32;
        let Some(sketched) = self.sketched.at(hash) else { return };
        let class = self.verdict(&sketched.record, &timing, Some(&sketched.sketch));
        if let Some(sketched) = self.sketched.find(hash) {
            sketched.record.class = class;
        }
    }

    /// The class as [`Record::class`] has it; the registry is told.
    pub(crate) fn verdict(&self, record: &Record, timing: &Timing, sketch: Option<&Sketch>) -> u8 {
        let around = self.surroundings(record);
        let facts = facts_of(record, &self.names, &around, sketch);
        let score = judge(timing, &facts).score;
        let class = class(score, &self.settings.thresholds);
        let name = self.names.text(record.name);
        // Nearly all that are judged never were, nor are, in the registry: they need no key of their own memory.
        if class.is_none() && record.class == 0 {
            return 0;
        }
        let place = (record.server, record.port, record.transport);
        let key = server_key(place, name.filter(|_| behind_relay(record.scope)));
        match class {
            Some(class) => {
                let sign = Sign {
                    host: record.host,
                    class,
                    score,
                    check_ins: u64::from(sketch.and_then(Sketch::events).unwrap_or(record.timeline.check_ins())),
                    first_ns: record.timeline.first_ns(),
                    last_ns: record.timeline.last_ns(),
                };
                self.shared.put(key, record.hash, around.country, name, sign);
            }
            None => self.shared.remove(&key, record.hash),
        }
        class.map_or(0, |class| class as u8 + 1)
    }

    /// What this worker knows around a record; the final word is [`Part::conclude`]'s, which knows all workers'.
    pub(crate) fn surroundings(&self, record: &Record) -> Surroundings<'_> {
        let country = if behind_relay(record.scope) {
            Country::UNKNOWN
        } else {
            self.country(record.server)
        };
        let host = self.seen.host_of(self.seed.address(record.host), record.host);
        let hash = self.seed.ends(record.host, record.server);
        let reached = self.seen.reached(self.reached(record));
        let client = self.clients.client(record.client);
        Surroundings {
            services: host.map_or(1, |host| u64::from(host.services)),
            names: host.is_some_and(|host| host.names),
            resolves: host.is_some_and(|host| host.resolves),
            resolved: self.resolved.name(hash, record.host, record.server, &self.names),
            alike: 1,
            beside: 0.0,
            client_hosts: client.map(|client| client.hosts.estimate()),
            client: client.map(|client| &*client.text),
            hosts_there: reached.map_or(0, |(hosts, _)| u64::from(hosts)),
            first_day: reached.map(|(_, first_day)| first_day),
            since_day: self.seen.since_day(),
            hosts_all: self.seen.hosts.len() as u64,
            country,
            home_country: self.shared.home_country(),
        }
    }

    fn country(&self, address: Address) -> Country {
        self.countries.country(address)
    }
}

/// Most that the log-odds of a timeline's times rise between two judgements: at four check-ins nothing is sure, and at
/// seven a clock may be. A timeline not judged since its last check-ins gets that much credit before it is passed over.
const MOST_GAINED: f64 = 5.0;

/// The timing of a timeline that the end of an hour or of the run must look at: the last judgement is cheap to ask, a new one is
/// not.
fn candidate_timing(record: &Record, thresholds: &crate::Thresholds) -> Option<Timing> {
    if may_be_read_otherwise(record) {
        return Some(score_timing(&record.timeline));
    }
    let known = f64::from(record.timing_log_odds);
    let is_current = record.timeline.check_ins() == record.scored_at;
    let most = if is_current { known } else { known + MOST_GAINED };
    if !may_be_suspected(most, thresholds) {
        return None;
    }
    let timing = score_timing(&record.timeline);
    (is_current || may_be_suspected(timing.log_odds, thresholds)).then_some(timing)
}

/// Whether something else than the rhythm may raise it.
fn may_be_read_otherwise(record: &Record) -> bool {
    matches!(
        record.kind,
        EvidenceKind::DnsTunnel | EvidenceKind::IcmpTunnel | EvidenceKind::LongConnection
    ) || record.kind == EvidenceKind::ConnectionBeacon
        && record.scope == Scope::Service
        && record.transport == Transport::TCP
        && readings::may_apply(
            record.closed,
            record.named,
            u32::from(record.bare_hellos),
            record.failed,
            record.role == Role::Internal,
        )
}

/// Whether a timeline has grown enough to be judged again: by an eighth and by four check-ins, which bounds the cost of
/// judging to a fraction of one judgement per check-in.
#[inline]
pub(crate) fn is_due(check_ins: u32, scored_at: u32) -> bool {
    check_ins >= FEWEST_CHECK_INS && check_ins - scored_at.min(check_ins) >= (scored_at / 8).max(4)
}

#[cfg(test)]
#[path = "detector_tests.rs"]
mod tests;

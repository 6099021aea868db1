//! A timeline taken out of a worker's tables: all that is needed to judge it once the parts of all workers are together.
//!
//! In: a [`Record`]. Out: [`Candidate`], then [`Evidence`] or a [`TimelineRow`]. Not its job: grouping, merging.

use std::collections::BTreeSet;

use balefire_decode::{Address, Transport};

use crate::Timeline;
use crate::context::Facts;
use crate::explain;
use crate::group::GroupSketch;
use crate::home::Role;
use crate::key::Scope;
use crate::ledger::Record;
use crate::names::Names;
use crate::score::{Judged, judge};
use crate::seen::day_of;
use crate::sketched::{Sketch, Sketched};
use crate::summary::{Country, Evidence, EvidenceKind, Flow, TimelineRow};
use crate::timing::Timing;
use crate::traits::Traits;

/// See the head of this file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Candidate {
    pub(crate) host: Address,
    pub(crate) server: Address,
    pub(crate) port: u16,
    pub(crate) transport: Transport,
    pub(crate) kind: EvidenceKind,
    pub(crate) scope: Scope,
    pub(crate) name: Option<Box<str>>,
    /// The seeded hash of the destination, under which prevalence is counted.
    pub(crate) reached: u64,
    /// The port named with a CONNECT target.
    pub(crate) target_port: u16,
    pub(crate) timing: Timing,
    role: Role,
    named: u32,
    relayed: u32,
    closed: u32,
    failed: u32,
    starts: u32,
    parallel: u32,
    received_bytes: u64,
    sent_bytes: u64,
    pub(crate) client: u64,
    answers_alike: Option<f64>,
    bare_hellos: u32,
    odd_certificates: u32,
    bare_requests: u32,
    bare_posts: u32,
    mismatched: u32,
    traits: Traits,
    pub(crate) sketch: Option<Sketch>,
    client_port: u16,
    timeline: Timeline,
}

/// Address, port and transport.
pub(crate) type Place = (Address, u16, Transport);

/// Host, port, transport and kind of sign.
pub(crate) type Habit = (Address, u16, Transport, &'static str);

/// What only the whole knows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surroundings<'a> {
    /// Services the host talks to.
    pub(crate) services: u64,
    /// The host was seen to give names of servers, and to be given addresses for names.
    pub(crate) names: bool,
    pub(crate) resolves: bool,
    /// The name that the host was given the server's address for.
    pub(crate) resolved: Option<&'a str>,
    /// Servers that the host uses in the same regular way over the same port, this one included.
    pub(crate) alike: u64,
    /// Score of the surest suspicion of the host that is of something else; not asked for by the live verdict.
    pub(crate) beside: f64,
    /// Hosts that show the fingerprint of its client.
    pub(crate) client_hosts: Option<f64>,
    /// That fingerprint.
    pub(crate) client: Option<&'a str>,
    /// The day on which any host first went there, and the first day of the watch, since 1970.
    pub(crate) first_day: Option<u16>,
    pub(crate) since_day: Option<u16>,
    pub(crate) hosts_there: u64,
    pub(crate) hosts_all: u64,
    pub(crate) country: Country,
    pub(crate) home_country: Option<Country>,
}

impl Candidate {
    /// A record with the timing of its timeline.
    pub(crate) fn new(
        record: &Record,
        timing: Timing,
        reached: u64,
        names: &Names,
        sketched: Option<&Sketched>,
        traits: Traits,
    ) -> Self {
        let knows_its_name = sketched.is_none_or(|sketched| sketched.knows_its_name(names));
        Self {
            host: record.host,
            server: record.server,
            port: record.port,
            transport: record.transport,
            kind: record.kind,
            scope: record.scope,
            name: names.text(record.name).filter(|_| knows_its_name).map(Box::from),
            reached,
            target_port: record.target_port,
            timing,
            role: record.role,
            named: record.named,
            relayed: record.relayed,
            closed: record.closed,
            failed: record.failed,
            starts: record.starts,
            parallel: record.parallel,
            received_bytes: record.received_bytes,
            sent_bytes: record.sent_bytes,
            client: record.client,
            answers_alike: record.answers_alike(),
            bare_hellos: u32::from(record.bare_hellos),
            odd_certificates: u32::from(record.odd_certificates),
            bare_requests: u32::from(record.bare_requests),
            bare_posts: u32::from(record.bare_posts),
            mismatched: u32::from(record.mismatched),
            traits: Traits {
                protocol: record.protocol,
                ..traits
            },
            sketch: sketched.map(|sketched| sketched.sketch.clone()),
            client_port: record.client_port,
            timeline: record.timeline.clone(),
        }
    }

    /// What it has in common with the same program's other servers.
    pub(crate) fn habit(&self) -> Habit {
        (self.host, self.port, self.transport, self.kind.name())
    }

    /// Where it went, or whom it asked.
    pub(crate) fn place(&self) -> Place {
        (self.server, self.port, self.transport)
    }

    /// Whether the server's address is that of a proxy or resolver.
    pub(crate) fn behind_relay(&self) -> bool {
        behind_relay(self.scope)
    }

    fn addresses(&self) -> Vec<Address> {
        let Some(group) = self.group() else {
            return vec![self.server];
        };
        group
            .places()
            .map(|place| place.0)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect()
    }

    fn ports(&self) -> Vec<u16> {
        let Some(group) = self.group() else {
            return vec![self.port];
        };
        group
            .places()
            .map(|place| place.1)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect()
    }

    fn keyed_by(&self) -> &'static str {
        match self.scope {
            Scope::Service if self.is_group() => "network",
            Scope::Service => "address",
            Scope::Name => "name",
            Scope::ConnectTarget => "connect_target",
            Scope::Domain => "domain",
        }
    }

    /// It is of several places taken together.
    pub(crate) fn is_group(&self) -> bool {
        self.group().is_some()
    }

    /// What is known of these places.
    pub(crate) fn group(&self) -> Option<&GroupSketch> {
        match &self.sketch {
            Some(Sketch::Group(group)) => Some(group),
            _ => None,
        }
    }

    pub(crate) fn role(&self) -> Role {
        self.role
    }

    pub(crate) fn check_ins(&self) -> u64 {
        let events = self.sketch.as_ref().and_then(Sketch::events);
        u64::from(events.unwrap_or(self.timeline.check_ins()))
    }

    pub(crate) fn first_ns(&self) -> i64 {
        self.timeline.first_ns()
    }

    pub(crate) fn judge(&self, around: &Surroundings<'_>) -> Judged {
        judge(&self.timing, &self.facts(around))
    }

    /// The finding in full.
    pub(crate) fn evidence(&self, judged: &Judged, around: &Surroundings<'_>) -> Evidence {
        let facts = self.facts(around);
        Evidence {
            kind: judged.kind,
            host: self.host,
            flow: Flow::of(self.place(), self.client_port),
            name: self.name.as_deref().or(around.resolved).map(str::to_owned),
            addresses: self.addresses(),
            ports: self.ports(),
            keyed_by: vec![self.keyed_by()],
            interval_s: self.timing.interval_s,
            jitter: self.timing.jitter,
            check_ins: self.check_ins(),
            first_ns: self.timeline.first_ns(),
            last_ns: self.timeline.last_ns(),
            timing: self.timing.probability,
            sent_bytes: (self.closed > 0).then_some(self.sent_bytes),
            received_bytes: (self.closed > 0).then_some(self.received_bytes),
            score: judged.score,
            parts: explain::parts(&self.timing, judged, &facts),
            innocent: explain::innocent(judged, &facts),
            missing: explain::missing(&facts),
            histogram: Box::new(*self.timeline.histogram()),
            hours: *self.timeline.hours(),
            recent_ns: self.timeline.recent().collect(),
            traits: Traits {
                client: around.client.map(str::to_owned),
                ..self.traits.clone()
            },
            intel: None,
        }
    }

    /// One line of `--scores`.
    pub(crate) fn row(&self, around: &Surroundings<'_>) -> TimelineRow {
        TimelineRow {
            host: self.host,
            server: self.server,
            port: self.port,
            name: self
                .name
                .as_deref()
                .filter(|_| self.scope != Scope::Service)
                .map(str::to_owned),
            kind: self.kind,
            check_ins: self.check_ins(),
            interval_s: self.timing.interval_s,
            jitter: self.timing.jitter,
            timing: self.timing.probability,
            score: self.judge(around).score,
        }
    }

    fn facts<'a>(&'a self, around: &Surroundings<'a>) -> Facts<'a> {
        Facts {
            kind: self.kind,
            scope: self.scope,
            role: self.role,
            server: self.server,
            port: self.port,
            transport: self.transport,
            name: self.name.as_deref(),
            check_ins: self.timeline.check_ins(),
            named: self.named,
            relayed: self.relayed,
            closed: self.closed,
            failed: self.failed,
            starts: self.starts,
            parallel: self.parallel,
            span_ns: self.timeline.last_ns().saturating_sub(self.timeline.first_ns()),
            received_bytes: self.received_bytes,
            size_regularity: self.timeline.size_regularity(),
            typical_size_bytes: self.timeline.typical_size_bytes(),
            country: around.country,
            home_country: around.home_country,
            hosts_there: around.hosts_there,
            hosts_all: around.hosts_all,
            bare_hellos: self.bare_hellos,
            odd_certificates: self.odd_certificates,
            bare_requests: self.bare_requests,
            bare_posts: self.bare_posts,
            mismatched: self.mismatched,
            protocol: self.traits.protocol,
            days: days(around, self.timeline.last_ns()),
            services: around.services,
            names: around.names,
            resolves: around.resolves,
            resolved: around.resolved,
            alike: around.alike,
            beside: around.beside,
            client_hosts: around.client_hosts,
            answers_alike: self.answers_alike,
            sketch: self.sketch.as_ref(),
        }
    }
}

/// Whether destinations of this scope are reached through somebody else's address.
pub(crate) fn behind_relay(scope: Scope) -> bool {
    matches!(scope, Scope::ConnectTarget | Scope::Domain)
}

/// The facts of a record in a worker's own tables, for the live verdict.
pub(crate) fn facts_of<'a>(
    record: &'a Record,
    names: &'a Names,
    around: &Surroundings<'a>,
    sketch: Option<&'a Sketch>,
) -> Facts<'a> {
    Facts {
        kind: record.kind,
        scope: record.scope,
        role: record.role,
        server: record.server,
        port: record.port,
        transport: record.transport,
        name: names.text(record.name),
        check_ins: record.timeline.check_ins(),
        named: record.named,
        relayed: record.relayed,
        closed: record.closed,
        failed: record.failed,
        starts: record.starts,
        parallel: record.parallel,
        span_ns: record.timeline.last_ns().saturating_sub(record.timeline.first_ns()),
        received_bytes: record.received_bytes,
        size_regularity: record.timeline.size_regularity(),
        typical_size_bytes: record.timeline.typical_size_bytes(),
        country: around.country,
        home_country: around.home_country,
        hosts_there: around.hosts_there,
        hosts_all: around.hosts_all,
        bare_hellos: u32::from(record.bare_hellos),
        odd_certificates: u32::from(record.odd_certificates),
        bare_requests: u32::from(record.bare_requests),
        bare_posts: u32::from(record.bare_posts),
        mismatched: u32::from(record.mismatched),
        protocol: record.protocol,
        days: days(around, record.timeline.last_ns()),
        services: around.services,
        names: around.names,
        resolves: around.resolves,
        resolved: around.resolved,
        alike: around.alike,
        beside: around.beside,
        client_hosts: around.client_hosts,
        answers_alike: record.answers_alike(),
        sketch,
    }
}

/// For how many days the destination was known at a time, and for how many days was watched then.
fn days(around: &Surroundings<'_>, time_ns: i64) -> Option<(u16, u16)> {
    let (first_day, since_day) = around.first_day.zip(around.since_day)?;
    let today = day_of(time_ns);
    Some((today.saturating_sub(first_day), today.saturating_sub(since_day)))
}

impl Candidate {
    /// Total order of candidates: nothing in it depends on who found them.
    pub(crate) fn order(&self) -> impl Ord + '_ {
        (
            self.host,
            self.server,
            self.port,
            self.transport,
            self.name.as_deref(),
            self.kind.name(),
            self.scope,
            self.target_port,
            self.is_group(),
            self.first_ns(),
        )
    }
}

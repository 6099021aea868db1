//! Context: what is known of a timeline beside its times, as named log-odds.
//!
//! In: [`Facts`] about host and destination and how many hosts go there. Out: [`Context`], a list of weights that add to the
//! log-odds of the times. Not its job: timing, sentences ([`crate::explain`]), classes.
//!
//! The weights are judgement, not fits: each is small beside what a regular timeline brings (several nats), so context decides
//! between timelines that are alike in time, and only a whole set of innocent signs outweighs a clock. A factor of e in
//! the odds is 1. They are bounded, see [`MOST_RAISING`], so that a timeline can be passed over without looking at context.

use balefire_decode::{Address, Transport};

use crate::home::Role;
use crate::innocent::{self, Innocent};
use crate::key::Scope;
use crate::summary::{Country, EvidenceKind};

/// What is known of one timeline beside its times.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) kind: EvidenceKind,
    pub(crate) scope: Scope,
    pub(crate) role: Role,
    pub(crate) server: Address,
    pub(crate) port: u16,
    pub(crate) transport: Transport,
    /// Keyed by this name, or used with this name last.
    pub(crate) name: Option<&'a str>,
    pub(crate) check_ins: u32,
    /// Connections with a name, to a proxy, ended, failed: since the timeline began.
    pub(crate) named: u32,
    pub(crate) relayed: u32,
    pub(crate) closed: u32,
    pub(crate) failed: u32,
    /// Connections begun, and those begun together with another.
    pub(crate) starts: u32,
    pub(crate) parallel: u32,
    /// From the first check-in to the last.
    pub(crate) span_ns: i64,
    /// Payload bytes received by ended connections.
    pub(crate) received_bytes: u64,
    pub(crate) size_regularity: Option<f64>,
    pub(crate) typical_size_bytes: u32,
    pub(crate) country: Country,
    pub(crate) home_country: Option<Country>,
    /// Of [`Self::hosts_all`], those that go to this destination.
    pub(crate) hosts_there: u64,
    pub(crate) hosts_all: u64,
}

/// One weight: a name, what was measured, what it adds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Weight {
    pub(crate) name: &'static str,
    pub(crate) value: f64,
    pub(crate) log_odds: f64,
}

/// Weights of one timeline.
#[derive(Clone, Debug, Default)]
pub(crate) struct Context {
    weights: [Option<Weight>; MOST_WEIGHTS],
    len: usize,
    pub(crate) innocent: [Option<Innocent>; 3],
}

const MOST_WEIGHTS: usize = 14;

/// Names of the weights.
pub(crate) mod part {
    pub(crate) const PREVALENCE: &str = "prevalence";
    pub(crate) const BARE_ADDRESS: &str = "bare_address";
    pub(crate) const SIZES: &str = "sizes";
    pub(crate) const FAILED: &str = "failed";
    pub(crate) const ANSWERS: &str = "answers";
    pub(crate) const ODD_PORT: &str = "odd_port";
    pub(crate) const KNOWN_SERVICE: &str = "known_service";
    pub(crate) const PROXY: &str = "proxy";
    pub(crate) const ABROAD: &str = "abroad";
    pub(crate) const FEW: &str = "few";
    pub(crate) const KIND: &str = "kind";
    pub(crate) const NAMED: &str = "named";
    pub(crate) const PARALLEL: &str = "parallel";
    pub(crate) const BRIEF: &str = "brief";
}

/// Most that prevalence can raise: the only host of many that goes there. Public studies of enterprise traffic find that
/// few destinations have one visitor and that most control servers are among them (BAYWATCH, DSN 2016).
const RAREST: f64 = 0.8;
/// Most that prevalence can lower.
const MOST_COMMON: f64 = -3.0;
/// A server without a name: browsers, updates and telemetry use names; implants often have an address built in.
const BARE_TCP: f64 = 0.8;
/// Datagram protocols rarely carry a name that can be seen.
const BARE_OTHER: f64 = 0.2;
/// A beacon without tasking sends the same again and again.
const SIZES_ALIKE: f64 = 0.5;
const SIZES_UNLIKE: f64 = -0.5;
/// A control server that is down is still asked for; so is a decommissioned printer.
const DEAD: f64 = 0.3;
/// Answers to check-ins are short; content is not.
const SHORT_ANSWERS: f64 = 0.3;
const LONG_ANSWERS: f64 = -0.6;
const CONTENT: f64 = -1.2;
/// TCP ports that no usual service has.
const UNUSUAL_PORT: f64 = 0.5;
/// A relay's address says nothing of who is behind it; targets are judged by name.
const RELAY: f64 = -5.0;
const HOSTED_ABROAD: f64 = 0.3;
/// A server that gives its name as nearly everything does.
const NAMED: f64 = -0.7;
/// Per unit of the share of connections that were opened together with another: browsers do, implants do not.
const PER_PARALLEL: f64 = -3.0;
const MOST_PARALLEL: f64 = -1.5;
/// A retry loop or a page that reloads is regular for a minute; a beacon goes on.
const BRIEF_S: f64 = 120.0;
const PER_HALVED_SPAN: f64 = -0.6;
const BRIEFEST: f64 = -2.5;
/// A missing check-in below eight.
const PER_MISSING_CHECK_IN: f64 = -0.25;
/// Below this many, bursts in connections and queries are what any application does a few times.
const ENOUGH_INDIRECT: u32 = 20;
const PER_MISSING_INDIRECT: f64 = -0.2;
/// Resolvers forget names after their time to live, so a name in constant use is asked for at fixed intervals.
const DNS: f64 = -2.0;
/// Push, chat and web sockets keep their connections alive at fixed intervals, and are much more common than implants that do.
const HEARTBEAT: f64 = -3.0;

/// The most that context can add: a timeline whose times are below the threshold by more is not looked at.
pub(crate) const MOST_RAISING: f64 =
    RAREST + BARE_TCP + SIZES_ALIKE + DEAD + SHORT_ANSWERS + UNUSUAL_PORT + HOSTED_ABROAD;

impl Context {
    /// Weighs everything known.
    pub(crate) fn of(facts: &Facts<'_>) -> Self {
        let mut context = Self::default();
        context.prevalence(facts);
        context.destination(facts);
        context.volume(facts);
        context.known(facts);
        context.duration(facts);
        match facts.kind {
            EvidenceKind::DnsBeacon => context.add(part::KIND, 0.0, DNS),
            EvidenceKind::Heartbeat => context.add(part::KIND, 0.0, HEARTBEAT),
            EvidenceKind::ConnectionBeacon => {}
        }
        context
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Weight> {
        self.weights[..self.len].iter().flatten()
    }

    /// The sum of all weights.
    pub(crate) fn log_odds(&self) -> f64 {
        self.iter().map(|weight| weight.log_odds).sum()
    }

    /// How often, and for how long.
    fn duration(&mut self, facts: &Facts<'_>) {
        let (enough, each, seen) = match facts.kind {
            EvidenceKind::ConnectionBeacon => (8, PER_MISSING_CHECK_IN, facts.check_ins),
            EvidenceKind::DnsBeacon => (ENOUGH_INDIRECT, PER_MISSING_INDIRECT, facts.check_ins),
            // A few bursts in each of many connections are requests, not the life of one connection.
            EvidenceKind::Heartbeat => (
                ENOUGH_INDIRECT,
                PER_MISSING_INDIRECT,
                facts.check_ins / facts.closed.max(1),
            ),
        };
        let missing = f64::from(enough.saturating_sub(seen));
        self.add(part::FEW, f64::from(seen), each * missing);
        let span_s = (facts.span_ns as f64 / 1e9).max(1.0);
        if span_s < BRIEF_S {
            self.add(
                part::BRIEF,
                span_s,
                (PER_HALVED_SPAN * (BRIEF_S / span_s).log2()).max(BRIEFEST),
            );
        }
        if facts.starts >= 8 {
            let share = f64::from(facts.parallel) / f64::from(facts.starts);
            // One in twenty is chance or a retry.
            self.add(
                part::PARALLEL,
                share,
                (PER_PARALLEL * (share - 0.05).max(0.0)).max(MOST_PARALLEL),
            );
        }
    }

    /// How many hosts share the destination. With fewer than four hosts there is nothing to compare with.
    fn prevalence(&mut self, facts: &Facts<'_>) {
        let all = facts.hosts_all as f64;
        let there = (facts.hosts_there.max(1) as f64).min(all.max(1.0));
        if all < 4.0 {
            return;
        }
        let rare = (0.25 * (all / there).ln()).clamp(0.0, RAREST);
        // Full weight from a quarter of all hosts on: a botnet is rarely that large a part of a network.
        let common = 0.8 * (there / 2.0).max(1.0).ln() * (there / all / 0.25).sqrt().min(1.0);
        self.add(part::PREVALENCE, there, (rare - common).clamp(MOST_COMMON, RAREST));
    }

    /// What kind of place it is.
    fn destination(&mut self, facts: &Facts<'_>) {
        if facts.scope == Scope::Service {
            let ended = facts.closed.max(1);
            if facts.relayed * 2 > ended {
                self.add(part::PROXY, f64::from(facts.relayed), RELAY);
                return;
            }
            // Bursts are told one by one, so for them only the connection's name counts.
            let mostly_named = facts.kind == EvidenceKind::Heartbeat || facts.named * 4 >= ended;
            if facts.name.is_some() && mostly_named {
                self.add(part::NAMED, 1.0, NAMED);
            } else {
                let tcp = facts.transport == Transport::TCP;
                self.add(part::BARE_ADDRESS, 0.0, if tcp { BARE_TCP } else { BARE_OTHER });
            }
        } else {
            self.add(part::NAMED, 1.0, NAMED);
        }
        if facts.transport == Transport::TCP && is_odd_port(facts.port) {
            self.add(part::ODD_PORT, f64::from(facts.port), UNUSUAL_PORT);
        }
        if let Some(home) = facts.home_country
            && facts.country != Country::UNKNOWN
            && facts.country != home
        {
            self.add(part::ABROAD, 1.0, HOSTED_ABROAD);
        }
    }

    /// What the connections carried.
    fn volume(&mut self, facts: &Facts<'_>) {
        if facts.closed >= 4 && facts.failed * 2 > facts.closed {
            let share = f64::from(facts.failed) / f64::from(facts.closed);
            self.add(part::FAILED, share, DEAD);
            return;
        }
        if let Some(share) = facts.size_regularity.filter(|_| facts.typical_size_bytes > 0) {
            // Halfway at 70 % of sizes within a fifth of the typical one.
            self.add(
                part::SIZES,
                share,
                ((share - 0.7) * 2.0).clamp(SIZES_UNLIKE, SIZES_ALIKE),
            );
        }
        // Of bursts the connection's end tells what all of them together brought.
        let answered = match facts.kind {
            EvidenceKind::ConnectionBeacon if facts.closed >= 4 => facts.closed,
            EvidenceKind::Heartbeat if facts.closed >= 1 => facts.check_ins,
            _ => 0,
        };
        if answered > 0 {
            let mean = facts.received_bytes as f64 / f64::from(answered);
            let log_odds = match mean {
                ..4_000.0 => SHORT_ANSWERS,
                ..30_000.0 => 0.0,
                ..200_000.0 => LONG_ANSWERS,
                _ => CONTENT,
            };
            self.add(part::ANSWERS, mean, log_odds);
        }
    }

    /// Known innocent services: the strongest match counts, not their sum, because they say the same.
    fn known(&mut self, facts: &Facts<'_>) {
        let service = matches!(facts.scope, Scope::Service | Scope::Name);
        let port = service
            .then(|| innocent::by_port(facts.transport, facts.port))
            .flatten();
        let address = service.then(|| innocent::by_address(facts.server)).flatten();
        let name = match facts.scope {
            Scope::Domain => facts.name.and_then(innocent::by_domain),
            _ => facts.name.and_then(innocent::by_name),
        };
        self.innocent = [name, port, address];
        let strongest = self
            .innocent
            .iter()
            .flatten()
            .min_by(|one, two| one.log_odds.total_cmp(&two.log_odds));
        if let Some(log_odds) = strongest.map(|innocent| innocent.log_odds) {
            self.add(part::KNOWN_SERVICE, 1.0, log_odds);
        }
    }

    fn add(&mut self, name: &'static str, value: f64, log_odds: f64) {
        if log_odds != 0.0 && self.len < MOST_WEIGHTS {
            self.weights[self.len] = Some(Weight { name, value, log_odds });
            self.len += 1;
        }
    }
}

/// Not one of the ports that web, mail, remote access and databases usually have (IANA registry), and no known service.
fn is_odd_port(port: u16) -> bool {
    const USUAL: &[u16] = &[20, 21, 22, 23, 80, 443, 3128, 3306, 3389, 5432, 5900, 8000, 8080, 8443];
    !USUAL.contains(&port) && innocent::by_port(Transport::TCP, port).is_none()
}

#[cfg(test)]
#[path = "context_tests.rs"]
mod tests;

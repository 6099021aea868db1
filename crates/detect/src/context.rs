//! Context: what is known of a timeline beside its times, as named log-odds.
//!
//! In: [`Facts`] about host and destination and how many hosts go there. Out: [`Context`], a list of weights that add to the
//! log-odds of the times. Not its job: timing, sentences ([`crate::explain`]), classes.
//!
//! How the weights were chosen. Each is the logarithm of how much more often a sign is there of beacons than of what is innocent
//! and as regular, as far as that can be known, rounded towards nothing: signs are not independent of each other. They come
//! from three places:
//!
//! - Measured: where the generator has the sign, `cargo run --release -p balefire-benches --bin context_weights` prints both rates,
//!   what they are worth, and the weight in use, and marks what disagrees.
//! - Judgement, from the source that stands beside the constant: what no generator has (odd certificates, forged names, proxies, hosting).
//! - Three were changed after reading results of captures with truth, in which some rows lay close to a threshold: what more sessions
//!   and more tries of a dead server are worth (`PER_MORE_SESSIONS`, `PER_MORE_TRIES` in [`crate::readings`]), and that bursts in one
//!   connection are counted at half the penalty of other indirect signs ([`PER_MISSING_BURST`]). No number was searched for and none
//!   is for one address or name, but for these three those captures are no independent proof.
//!
//! Each is small beside what a regular timeline brings (several nats), so context decides between timelines that are alike in time,
//! and only a whole set of innocent signs outweighs a clock. Together they are bounded, see [`MOST_RAISING`], so that a timeline can be
//! passed over without looking at context.

use balefire_decode::{Address, Transport};
use balefire_track::Protocol;

use crate::group::GroupSketch;
use crate::home::Role;
use crate::innocent::{self, Innocent};
use crate::key::Scope;
use crate::readings;
use crate::sketched::Sketch;
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
    /// Of [`Self::closed`], those with a TLS hello that names no server, and with a certificate of no public authority.
    pub(crate) bare_hellos: u32,
    pub(crate) odd_certificates: u32,
    /// With an HTTP request that names no server; and those of them that post.
    pub(crate) bare_requests: u32,
    pub(crate) bare_posts: u32,
    /// Whose payload was something else than the port stands for; and what the last one's was.
    pub(crate) mismatched: u32,
    pub(crate) protocol: Option<Protocol>,
    /// Days for which the destination is known, and for which was watched.
    pub(crate) days: Option<(u16, u16)>,
    /// Services the host talks to, and what is known of its habits: whether it was seen to name servers and to be given
    /// addresses for names at all.
    pub(crate) services: u64,
    pub(crate) names: bool,
    pub(crate) resolves: bool,
    /// The name that DNS gave the address for.
    pub(crate) resolved: Option<&'a str>,
    /// Servers used alike by this host, this one included.
    pub(crate) alike: u64,
    /// Score of the surest suspicion of the host that is of something else.
    pub(crate) beside: f64,
    /// Hosts that show the fingerprint of its client, if one was seen.
    pub(crate) client_hosts: Option<f64>,
    /// Share by which one length of answers outnumbers all others.
    pub(crate) answers_alike: Option<f64>,
    /// What is known of it beside its times.
    pub(crate) sketch: Option<&'a Sketch>,
}

impl Facts<'_> {
    /// Neither the connections nor DNS give a name for the server.
    pub(crate) fn is_bare(&self) -> bool {
        // Bursts are told one by one, so for them only the connection's name counts.
        let mostly_named = self.kind == EvidenceKind::Heartbeat || self.named * 4 >= self.closed.max(1);
        let named = self.name.is_some() && mostly_named;
        self.scope == Scope::Service && !named && self.resolved.is_none()
    }
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

const MOST_WEIGHTS: usize = 28;

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
    pub(crate) const SERVICES: &str = "destinations";
    pub(crate) const ALIKE: &str = "alike";
    pub(crate) const CERTIFICATE: &str = "certificate";
    pub(crate) const BARE_HELLO: &str = "tls_without_name";
    pub(crate) const BARE_REQUEST: &str = "http_without_name";
    pub(crate) const BARE_POST: &str = "posts_without_name";
    pub(crate) const FORGED: &str = "name_elsewhere";
    pub(crate) const REPEATS: &str = "repeats";
    pub(crate) const RHYTHM: &str = "rhythm";
    pub(crate) const RETRIES: &str = "retries";
    pub(crate) const LASTING: &str = "lasting";
    pub(crate) const UNIQUE_NAMES: &str = "unique_names";
    pub(crate) const LONG_NAMES: &str = "long_names";
    pub(crate) const NAME_ENTROPY: &str = "name_entropy";
    pub(crate) const RECORD_TYPES: &str = "record_types";
    pub(crate) const CLIENT: &str = "client";
    pub(crate) const ANSWERS_ALIKE: &str = "answers_alike";
    pub(crate) const ALTERED: &str = "altered_replies";
    pub(crate) const UNASKED: &str = "unasked_replies";
    pub(crate) const CHANGING: &str = "changing_data";
    pub(crate) const LENGTHS: &str = "lengths";
    pub(crate) const VOLUME: &str = "volume";
    pub(crate) const LONG_ECHOES: &str = "long_echoes";
    pub(crate) const OPEN: &str = "open";
    pub(crate) const CARRIES: &str = "carries";
    pub(crate) const PROTOCOL: &str = "protocol";
    pub(crate) const ALONE: &str = "alone";
    pub(crate) const TOGETHER: &str = "together";
    pub(crate) const COMES_BACK: &str = "comes_back";
    pub(crate) const MISMATCH: &str = "port_protocol";
    pub(crate) const KNOWN_FOR: &str = "known_for";
    pub(crate) const DRAWN: &str = "drawn_intervals";
    pub(crate) const SPOKEN: &str = "spoken";
    pub(crate) const BESIDE: &str = "other_suspicion";
    pub(crate) const CAPPED: &str = "capped";
}

/// A server without a name: browsers, updates and telemetry use names; implants often have an address built in.
const BARE_TCP: f64 = 0.8;
/// Nor did DNS give the host this address, where the answers to its other queries were seen.
const NEVER_RESOLVED: f64 = 0.6;
/// Datagram protocols rarely carry a name that can be seen.
const BARE_OTHER: f64 = 0.2;
/// A beacon without tasking sends the same again and again.
const SIZES_ALIKE: f64 = 0.5;
const SIZES_UNLIKE: f64 = -0.5;
/// A control server that is down is still asked for; so is a decommissioned printer.
const DEAD: f64 = 0.3;
/// Answers to check-ins are short, and so are most of what else is regular; content is not.
const SHORT_ANSWERS: f64 = 0.1;
const LONG_ANSWERS: f64 = -0.6;
const CONTENT: f64 = -1.2;
/// TCP ports that no usual service has.
const UNUSUAL_PORT: f64 = 0.5;
/// A relay's address says nothing of who is behind it; targets are judged by name.
const RELAY: f64 = -5.0;
const HOSTED_ABROAD: f64 = 0.3;
/// A server that gives its name as nearly everything does.
const NAMED: f64 = -1.0;
/// A domain or a proxy's target has one in any case.
const NAMED_ANYWAY: f64 = -0.7;
/// Per unit of the share of connections that were opened together with another: browsers do, implants do not.
const PER_PARALLEL: f64 = -3.0;
const MOST_PARALLEL: f64 = -1.5;
/// A retry loop or a page that reloads is regular for a minute; a beacon goes on.
const BRIEF_S: f64 = 120.0;
const PER_HALVED_SPAN: f64 = -0.6;
const BRIEFEST: f64 = -2.5;
/// Below this many, bursts in connections and queries are what any application does a few times.
const ENOUGH_INDIRECT: u32 = 20;
const PER_MISSING_INDIRECT: f64 = -0.2;
/// Of bursts in one connection half of that: how many there are is in the share of beacons among the periodic as well.
const PER_MISSING_BURST: f64 = -0.1;
/// Resolvers forget names after their time to live, so a name in constant use is asked for at fixed intervals.
const DNS: f64 = -2.0;
/// Push, chat and web sockets keep their connections alive at fixed intervals, and are much more common than implants that do.
const HEARTBEAT: f64 = -3.0;
/// HTTP/3 connections are kept open and alive by every browser (RFC 9000 section 10.1.2).
const HTTP3_HEARTBEAT: f64 = -4.5;
/// Any application that is waited on sends evenly for some minutes; an implant goes on.
const LONG_WATCH_S: f64 = 900.0;
const PER_HALVED_WATCH: f64 = -0.6;
const BRIEFEST_WATCH: f64 = -4.0;
/// Multiple testing: of a host's many servers one looks regular by chance sooner than of few. The base rate of the timing score
/// is stated for networks of people, who use about this many services each; the odds fall as their number rises.
const USUAL_SERVICES: f64 = 100.0;
const FEW_SERVICES: f64 = 3.0;
const MANY_SERVICES: f64 = -5.0;
/// A device that does little and names whom it talks to is an appliance more often than a victim.
const FEW_SERVICES_NAMED: f64 = 0.7;
/// One program talks to N servers in the same way more easily than N control servers do.
const PER_ALIKE: f64 = -1.2;
const MOST_ALIKE: f64 = -5.0;
/// Several ports or addresses taken together are one more chance to look regular, beside their members'.
const TOGETHER: f64 = -1.0;
/// Neighbours for which DNS gave a name are a content network more often.
const TOGETHER_RESOLVED: f64 = -3.0;
/// What gives names has timelines by name over all its addresses, so the group says nothing more.
const TOGETHER_NAMED: f64 = -12.0;
/// "Nothing to do" is the same answer every time; content is not.
const ANSWERS_ALIKE: f64 = 0.2;
/// A scan goes everywhere once, at a fixed rate, and mostly unanswered; a beacon comes back to the same few places. Scans for what is
/// open are answered by nothing or a banner; where each is a session of TLS or HTTP that brings something, going once is what a server
/// does that moves.
const GOES_ONCE: f64 = -4.0;
const SESSION_ONCE: f64 = -1.0;
const SESSION_BYTES: f64 = 200.0;
const UNANSWERED: f64 = -3.0;
/// A certificate that no public authority issued, and a hello that names nobody: scanners' and implants' habits, and appliances'.
const ODD_CERTIFICATE: f64 = 1.0;
const BARE_HELLO: f64 = 0.5;

/// The most that context can add: signs are not independent, and a timeline whose times are below the threshold by more is not looked
/// at. All of them at once would be half as much again.
pub(crate) const MOST_RAISING: f64 = 10.0;

impl Context {
    /// Weighs everything known.
    pub(crate) fn of(facts: &Facts<'_>) -> Self {
        let mut context = Self::default();
        context.prevalence(facts);
        context.destination(facts);
        context.volume(facts);
        context.known(facts);
        context.duration(facts);
        context.client(facts);
        context.mismatch(facts);
        context.spoken(facts);
        context.known_for(facts);
        // What is said of a relay's address says nothing of who is behind it.
        let raising = if facts.relayed * 2 > facts.closed {
            0.0
        } else if facts.is_bare() && matches!(facts.transport, Transport::TCP | Transport::UDP) {
            FEW_SERVICES
        } else {
            FEW_SERVICES_NAMED
        };
        context.services(facts, raising);
        match facts.kind {
            EvidenceKind::DnsBeacon => context.add(part::KIND, 0.0, DNS),
            EvidenceKind::Heartbeat if (facts.transport, facts.port) == (Transport::UDP, 443) => {
                context.add(part::KIND, 0.0, HTTP3_HEARTBEAT);
            }
            EvidenceKind::Heartbeat => context.add(part::KIND, 0.0, HEARTBEAT),
            _ => {}
        }
        if let Some(Sketch::Group(group)) = facts.sketch {
            context.group(facts, group);
        }
        context
    }

    /// What is asked of several places that are taken for one server.
    fn group(&mut self, facts: &Facts<'_>, group: &GroupSketch) {
        let named = if facts.named * 4 >= facts.closed.max(1) {
            TOGETHER_NAMED
        } else if facts.resolved.is_some() {
            TOGETHER_RESOLVED
        } else {
            TOGETHER
        };
        self.add(part::TOGETHER, f64::from(group.members), named);
        let each = f64::from(facts.check_ins) / f64::from(group.members.max(1));
        let mean_bytes = facts.received_bytes as f64 / f64::from(facts.closed.max(1));
        let sessions = (facts.bare_hellos + facts.bare_requests) * 2 > facts.closed && facts.failed * 4 <= facts.closed;
        let most = if sessions && mean_bytes >= SESSION_BYTES {
            SESSION_ONCE
        } else {
            GOES_ONCE
        };
        // Full weight for once each, none from four times each on.
        let once = most * (1.0 - each.max(1.0).ln() / 4.0_f64.ln()).max(0.0);
        self.add(part::COMES_BACK, each, once);
        if facts.closed >= 4 && facts.failed * 2 > facts.closed {
            self.add(
                part::FAILED,
                f64::from(facts.failed) / f64::from(facts.closed),
                UNANSWERED,
            );
        }
    }

    /// Takes off what is more than [`MOST_RAISING`].
    pub(crate) fn capped(mut self) -> Self {
        let over = self.log_odds() - MOST_RAISING;
        self.add(part::CAPPED, MOST_RAISING, -over.max(0.0));
        self
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
            EvidenceKind::DnsBeacon => (ENOUGH_INDIRECT, PER_MISSING_INDIRECT, facts.check_ins),
            // A few bursts in each of many connections are requests, not the life of one connection.
            EvidenceKind::Heartbeat => (
                ENOUGH_INDIRECT,
                if facts.closed > 1 {
                    PER_MISSING_INDIRECT
                } else {
                    PER_MISSING_BURST
                },
                facts.check_ins / facts.closed.max(1),
            ),
            _ => (0, 0.0, facts.check_ins),
        };
        let missing = f64::from(enough.saturating_sub(seen));
        self.add(part::FEW, f64::from(seen), each * missing);
        let span_s = (facts.span_ns as f64 / 1e9).max(1.0);
        let (long_s, per_halved, least) = match facts.kind {
            EvidenceKind::Heartbeat => (LONG_WATCH_S, PER_HALVED_WATCH, BRIEFEST_WATCH),
            _ => (BRIEF_S, PER_HALVED_SPAN, BRIEFEST),
        };
        if span_s < long_s {
            self.add(part::BRIEF, span_s, (per_halved * (long_s / span_s).log2()).max(least));
        }
        self.parallel(facts);
    }

    /// Connections opened at the same moment.
    pub(crate) fn parallel(&mut self, facts: &Facts<'_>) {
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

    /// How many services the host talks to, and how many of them in the very same way.
    pub(crate) fn services(&mut self, facts: &Facts<'_>, most: f64) {
        let services = facts.services.max(1) as f64;
        let log_odds = (USUAL_SERVICES / services).ln();
        self.add(part::SERVICES, services, log_odds.clamp(MANY_SERVICES, most));
        let alike = facts.alike.max(1) as f64;
        self.add(part::ALIKE, alike, (PER_ALIKE * alike.ln()).max(MOST_ALIKE));
        self.beside(facts);
    }

    /// What kind of place it is.
    fn destination(&mut self, facts: &Facts<'_>) {
        if facts.scope == Scope::Service {
            let ended = facts.closed.max(1);
            if facts.relayed * 2 > ended {
                self.add(part::PROXY, f64::from(facts.relayed), RELAY);
                return;
            }
            if !facts.is_bare() {
                self.add(part::NAMED, 1.0, NAMED);
            } else if facts.transport != Transport::TCP {
                self.add(part::BARE_ADDRESS, 0.0, BARE_OTHER);
            } else if facts.resolves {
                self.add(part::BARE_ADDRESS, 1.0, BARE_TCP + NEVER_RESOLVED);
            } else if facts.names || facts.closed < 4 {
                self.add(part::BARE_ADDRESS, 0.0, BARE_TCP);
            }
            let share = |count: u32| f64::from(count) / f64::from(ended);
            self.add(
                part::CERTIFICATE,
                share(facts.odd_certificates),
                ODD_CERTIFICATE * share(facts.odd_certificates),
            );
            self.add(
                part::BARE_HELLO,
                share(facts.bare_hellos),
                BARE_HELLO * share(facts.bare_hellos),
            );
        } else {
            let anyway = matches!(facts.scope, Scope::Domain | Scope::ConnectTarget);
            self.add(part::NAMED, 1.0, if anyway { NAMED_ANYWAY } else { NAMED });
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
        if let Some(alike) = facts.answers_alike.filter(|alike| *alike > 0.5) {
            self.add(part::ANSWERS_ALIKE, alike, ANSWERS_ALIKE);
        }
    }

    /// Known innocent services: the strongest match counts, not their sum, because they say the same.
    pub(crate) fn known(&mut self, facts: &Facts<'_>) {
        let service = matches!(facts.scope, Scope::Service | Scope::Name);
        // A port stands for nothing where something else is spoken at it.
        let speaks_it = facts.mismatched * 2 <= facts.closed;
        let port = (service && speaks_it)
            .then(|| innocent::by_port(facts.transport, facts.port))
            .flatten()
            .map(|found| innocent::at_home(found, facts));
        let address = service.then(|| innocent::by_address(facts.server)).flatten();
        let name = match facts.scope {
            Scope::Domain => facts.name.and_then(innocent::by_domain),
            _ => facts.name.or(facts.resolved).and_then(innocent::by_name),
        };
        let name = name.filter(|_| !readings::is_forged(facts));
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

    pub(crate) fn add(&mut self, name: &'static str, value: f64, log_odds: f64) {
        if log_odds != 0.0 && self.len < MOST_WEIGHTS {
            self.weights[self.len] = Some(Weight { name, value, log_odds });
            self.len += 1;
        }
    }
}

/// Not one of the ports that web, mail, remote access and databases usually have (IANA registry), and no known service.
pub(crate) fn is_odd_port(port: u16) -> bool {
    const USUAL: &[u16] = &[20, 21, 22, 23, 80, 443, 3128, 3306, 3389, 5432, 5900, 8000, 8080, 8443];
    !USUAL.contains(&port) && innocent::by_port(Transport::TCP, port).is_none()
}

#[cfg(test)]
#[path = "context_tests.rs"]
pub(crate) mod tests;

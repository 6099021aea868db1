//! Signs that need no rhythm: sessions with a nameless server that come again, tries of a dead server. Those that have a sketch are
//! next door ([`crate::channels`]).
//!
//! In: [`Facts`]. Out: a [`Context`] to be added to the base rate for each reading that applies. Not its job: the
//! rhythm's own context, classes.
//!
//! Scores stay modest by construction: each starts at one in a thousand ([`crate::BASE_RATE`]) and several signs must meet.

use balefire_decode::Transport;

use crate::context::{Context, Facts, is_odd_port, part};
use crate::home::Role;
use crate::innocent;
use crate::key::Scope;
use crate::summary::EvidenceKind;
use crate::timing::{BASE_RATE, Timing};

/// Neither named nor ever given by DNS to a host whose DNS is seen: implants carry addresses, programs carry names.
const NEVER_RESOLVED: f64 = 2.2;
const BARE: f64 = 1.0;
/// All hellos without a name: browsers and system libraries always send it (RFC 6066 section 3).
const BARE_HELLOS: f64 = 1.5;
const ODD_CERTIFICATES: f64 = 1.5;
/// All HTTP requests to an address, and to post: pages are got, by name.
const BARE_REQUESTS: f64 = 1.5;
const BARE_POSTS: f64 = 1.0;
/// Most that few services raise where no rhythm is asked for.
const FEW_SERVICES: f64 = 4.0;
/// TLS on a port without that habit; any other unusual port.
const ODD_PORT_TLS: f64 = 1.5;
const ODD_PORT: f64 = 0.5;
/// A public site's name given to an address inside that DNS did not give for it: a forged Host, or a proxy.
const FORGED: f64 = 3.0;
/// The same where no answers of DNS were seen and the name is none of a platform's: it may be a site's own.
const FORGED_PERHAPS: f64 = 1.5;
const SIZES_ALIKE: f64 = 1.0;
/// Per natural unit of their number, from two on: programs that find nobody give up or ask DNS again, what has an address built in
/// tries on.
const PER_MORE_SESSIONS: f64 = 0.8;
const PER_MORE_TRIES: f64 = 1.8;
/// A server that has a name, and is gone: makers of appliances give up services, and what does little else is one of theirs.
const NAMED_DEAD: f64 = -0.5;
const FEW_SERVICES_NAMED: f64 = 1.5;
/// Part of what the rhythm says beyond the base rate.
const OF_RHYTHM: f64 = 0.4;
const MOST_RHYTHM: f64 = 2.0;

/// Every reading besides the rhythm that applies.
pub(crate) fn others(timing: &Timing, facts: &Facts<'_>) -> [Option<(EvidenceKind, Context)>; 2] {
    let applies = facts.kind == EvidenceKind::ConnectionBeacon
        && facts.scope == Scope::Service
        && facts.transport == Transport::TCP
        && facts.relayed * 2 <= facts.closed
        && facts.sketch.is_none();
    if !applies {
        return [None, None];
    }
    [
        sessions(timing, facts).map(|context| (EvidenceKind::RepeatedSessions, context)),
        dead(timing, facts).map(|context| (EvidenceKind::DeadServer, context)),
    ]
}

/// Whether [`others`] may say anything: asked of every timeline at the hour's end.
#[inline]
pub(crate) fn may_apply(closed: u32, named: u32, bare_hellos: u32, failed: u32, internal: bool) -> bool {
    closed >= 2 && (named * 4 < closed || bare_hellos > 0 || failed * 2 > closed || internal)
}

/// Connections to a server that nobody names, again and again.
fn sessions(timing: &Timing, facts: &Facts<'_>) -> Option<Context> {
    let forged = is_forged(facts);
    if facts.check_ins < 4 || facts.closed < 2 || facts.failed * 2 > facts.closed {
        return None;
    }
    if !forged && !(facts.is_bare() && (facts.resolves || facts.names || facts.bare_hellos + facts.bare_requests > 0)) {
        return None;
    }
    let mut context = Context::default();
    let share = |count: u32| f64::from(count) / f64::from(facts.closed);
    if forged {
        let sure = facts.resolves || facts.name.and_then(innocent::by_name).is_some();
        context.add(part::FORGED, 1.0, if sure { FORGED } else { FORGED_PERHAPS });
    } else {
        bare(&mut context, facts);
    }
    context.add(
        part::BARE_HELLO,
        share(facts.bare_hellos),
        BARE_HELLOS * share(facts.bare_hellos),
    );
    context.add(
        part::CERTIFICATE,
        share(facts.odd_certificates),
        ODD_CERTIFICATES * share(facts.odd_certificates),
    );
    context.add(
        part::BARE_REQUEST,
        share(facts.bare_requests),
        BARE_REQUESTS * share(facts.bare_requests),
    );
    context.add(
        part::BARE_POST,
        share(facts.bare_posts),
        BARE_POSTS * share(facts.bare_posts),
    );
    if is_odd_port(facts.port) {
        let tls = facts.bare_hellos * 2 > facts.closed;
        context.add(
            part::ODD_PORT,
            f64::from(facts.port),
            if tls { ODD_PORT_TLS } else { ODD_PORT },
        );
    }
    let repeats = PER_MORE_SESSIONS * (f64::from(facts.check_ins) / 2.0).ln();
    context.add(part::REPEATS, f64::from(facts.check_ins), repeats.clamp(0.0, 2.2));
    if let Some(alike) = facts.size_regularity.filter(|_| facts.typical_size_bytes > 0) {
        context.add(part::SIZES, alike, ((alike - 0.5) * 2.0).clamp(-0.5, SIZES_ALIKE));
    }
    let span_s = (facts.span_ns as f64 / 1e9).max(1.0);
    context.add(part::LASTING, span_s, (0.3 * (span_s / 300.0).ln()).clamp(-0.3, 1.0));
    rhythm(&mut context, timing);
    around(&mut context, facts, FEW_SERVICES);
    context.mismatch(facts);
    context.spoken(facts);
    Some(context)
}

/// A server that is gone or refuses, and is tried all the same. A scanner tries many servers: their number lowers.
fn dead(timing: &Timing, facts: &Facts<'_>) -> Option<Context> {
    if facts.failed < 3 || facts.failed * 2 <= facts.closed {
        return None;
    }
    let mut context = Context::default();
    let tries = PER_MORE_TRIES * (f64::from(facts.failed) / 2.0).ln();
    context.add(part::RETRIES, f64::from(facts.failed), tries.clamp(0.0, 4.0));
    let span_s = (facts.span_ns as f64 / 1e9).max(1.0);
    context.add(part::LASTING, span_s, (0.7 * (span_s / 60.0).ln()).clamp(-2.0, 2.0));
    bare(&mut context, facts);
    if !facts.is_bare() {
        context.add(part::NAMED, 1.0, NAMED_DEAD);
    }
    rhythm(&mut context, timing);
    let few = if facts.is_bare() {
        FEW_SERVICES
    } else {
        FEW_SERVICES_NAMED
    };
    around(&mut context, facts, few);
    Some(context)
}

/// The name of a public site, at an address inside, and not by DNS.
pub(crate) fn is_forged(facts: &Facts<'_>) -> bool {
    let name = facts.resolved.is_none().then_some(facts.name).flatten();
    facts.role == Role::Internal && facts.named * 2 > facts.closed && name.is_some_and(innocent::is_public_name)
}

pub(crate) fn bare(context: &mut Context, facts: &Facts<'_>) {
    if !facts.is_bare() {
        return;
    }
    // Inside, machines are often called by address.
    if facts.resolves && facts.role != Role::Internal {
        context.add(part::BARE_ADDRESS, 1.0, NEVER_RESOLVED);
    } else if facts.names || facts.bare_hellos + facts.bare_requests > 0 {
        context.add(part::BARE_ADDRESS, 0.0, BARE);
    }
}

fn rhythm(context: &mut Context, timing: &Timing) {
    let log_odds = OF_RHYTHM * (timing.log_odds - BASE_RATE.ln());
    context.add(part::RHYTHM, timing.probability, log_odds.clamp(0.0, MOST_RHYTHM));
}

fn around(context: &mut Context, facts: &Facts<'_>, few: f64) {
    context.services(facts, few);
    context.prevalence(facts);
    context.parallel(facts);
    context.known(facts);
    context.known_for(facts);
}

#[cfg(test)]
#[path = "readings_tests.rs"]
pub(crate) mod tests;

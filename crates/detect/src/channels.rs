//! Signs that are judged by a sketch: data in names, data in echoes, connections that last.
//!
//! In: [`Facts`] with a [`Sketch`]. Out: the kind of sign and a [`Context`] to be added to the base rate. Not its job: the sketches.

use balefire_track::Protocol;

use crate::context::{Context, Facts, is_odd_port, part};
use crate::echo::EchoSketch;
use crate::innocent;
use crate::lasting::LastingSketch;
use crate::readings::bare;
use crate::sketched::Sketch;
use crate::summary::EvidenceKind;
use crate::tunnel::NameSketch;

/// Replies that return something else: no host does that (RFC 792: "the data received in the echo message must be returned").
const ALTERED: f64 = 6.0;
/// Share of altered replies that is as good as all: where the asked host's own system answers as well, half of them are faithful.
const ALTERED_SHARE: f64 = 0.4;
const FAITHFUL: f64 = -1.0;
/// Replies nobody asked for; seen of floods of pings too, which have more under way than is remembered.
const UNASKED: f64 = 2.0;
/// No pattern twice, against always the same: programs that ping fill their requests with one pattern, a few on demand with
/// random octets (fping -R).
const CHANGING: f64 = 3.0;
const UNCHANGING: f64 = -4.0;
const ONE_SIZE: f64 = -0.5;
/// Hours from which a connection is long, as the best-known open tool for it begins to count (RITA 5, its default
/// `long_connection_score_thresholds`: base 1 h, low 4 h, medium 8 h, high 12 h).
const PER_LONGER: f64 = 1.0;
const SHORTEST: f64 = -2.0;
const LONGEST: f64 = 2.5;
/// Payload of an hour: chat and push carry little, people's remote work and streams much.
const LITTLE_BYTES: f64 = 100e3;
const MUCH_BYTES: f64 = 10e6;
const LITTLE: f64 = 0.8;
const MUCH: f64 = -2.0;
/// The client names the server, or DNS did: push, chat, mail and web sockets.
const NAMED_LASTING: f64 = -2.5;
/// Of no protocol that is known here, or of one that is left open for hours by people and machines alike.
const UNKNOWN_PROTOCOL: f64 = 1.2;
const SSH: f64 = -1.5;
const BARE_HELLO: f64 = 0.7;
const ODD_CERTIFICATE: f64 = 1.2;
const ODD_PORT: f64 = 0.5;
const FEW_SERVICES: f64 = 2.0;
/// Nothing repeats in it, so by itself it is never probable (0.9 is +2.2).
const MOST_ALONE: f64 = 1.7;

/// The reading of a sketch; none of groups, which have a rhythm.
pub(crate) fn reading(facts: &Facts<'_>) -> Option<(EvidenceKind, Context)> {
    match facts.sketch? {
        Sketch::Names(sketch) => Some((EvidenceKind::DnsTunnel, names(sketch, facts))),
        Sketch::Echoes(sketch) => Some((EvidenceKind::IcmpTunnel, echoes(sketch, facts))),
        Sketch::Lasting(sketch) => Some((EvidenceKind::LongConnection, lasting(sketch, facts))),
        Sketch::Group(_) => None,
    }
}

/// Queries that carry data: many different names below one domain, long and random, of types that carry much.
fn names(sketch: &NameSketch, facts: &Facts<'_>) -> Context {
    let mut context = Context::default();
    let (queries, distinct) = (f64::from(sketch.queries().max(1)), sketch.distinct());
    context.add(
        part::UNIQUE_NAMES,
        distinct,
        (1.2 * (distinct.max(1.0) / 4.0).ln()).clamp(-3.0, 4.0),
    );
    // Content networks and trackers ask for the same names again; a tunnel must not, or a cache answers.
    context.add(
        part::SIZES,
        distinct / queries,
        ((distinct / queries).min(1.0) - 0.5) * 2.0,
    );
    let octets = sketch.mean_octets();
    context.add(part::LONG_NAMES, octets, ((octets - 12.0) / 8.0).clamp(-2.0, 3.0));
    // Hexadecimal has at most 4 bits an octet, base 32 five; words of a language in short labels about 2.5 to 3.
    let bits = sketch.mean_bits();
    context.add(part::NAME_ENTROPY, bits, ((bits - 3.0) * 1.5).clamp(-1.5, 1.5));
    if let Some((odd, rare)) = sketch.type_shares() {
        let types = if odd + rare < 0.01 {
            -1.0
        } else {
            2.5 * odd + 4.0 * rare
        };
        context.add(part::RECORD_TYPES, odd + rare, types);
    }
    context.prevalence(facts);
    by_name(&mut context, facts);
    context
}

/// Echoes that carry data: replies return something else, requests never repeat, and much goes through.
fn echoes(sketch: &EchoSketch, facts: &Facts<'_>) -> Context {
    let mut context = Context::default();
    if let Some((altered, unasked)) = sketch.replies() {
        let log_odds = match altered {
            0.0 => FAITHFUL,
            _ => ALTERED * (altered / ALTERED_SHARE).min(1.0),
        };
        context.add(part::ALTERED, altered, log_odds);
        context.add(part::UNASKED, unasked, UNASKED * unasked);
    }
    let changing = sketch.changing();
    if let Some(share) = changing {
        let log_odds = UNCHANGING + (CHANGING - UNCHANGING) * (share * 1.25).min(1.0);
        context.add(part::CHANGING, share, log_odds);
    }
    let sizes = sketch.sizes();
    let of_sizes = if sizes < 1.5 { ONE_SIZE } else { 0.4 * sizes.ln() };
    context.add(part::LENGTHS, sizes, of_sizes.min(1.2));
    // However much a ping carries that is always the same, it is one ping.
    if changing.is_none_or(|share| share > 0.25) {
        let volume = 0.5 * (sketch.bytes() as f64 / 1_000.0).max(1e-3).ln();
        context.add(part::VOLUME, sketch.bytes() as f64, volume.clamp(-1.0, 3.0));
        let mean = sketch.mean_bytes();
        context.add(part::LONG_ECHOES, mean, (mean / 64.0).max(1.0).ln().min(2.5));
    }
    context.prevalence(facts);
    by_name(&mut context, facts);
    context
}

/// Connections that stay open for hours, carry little, and go to a server nobody names.
fn lasting(sketch: &LastingSketch, facts: &Facts<'_>) -> Context {
    let mut context = Context::default();
    let hours = sketch.longest_ns as f64 / 3.6e12;
    context.add(
        part::OPEN,
        hours,
        (PER_LONGER * hours.max(1e-3).ln()).clamp(SHORTEST, LONGEST),
    );
    if let Some(bytes) = sketch.bytes_an_hour() {
        let log_odds = match bytes {
            ..LITTLE_BYTES => LITTLE,
            ..MUCH_BYTES => 0.0,
            _ => MUCH,
        };
        context.add(part::CARRIES, bytes, log_odds);
    }
    if facts.is_bare() {
        bare(&mut context, facts);
    } else {
        context.add(part::NAMED, 1.0, NAMED_LASTING);
    }
    match sketch.protocol {
        Some(Protocol::Unknown) => context.add(part::PROTOCOL, 0.0, UNKNOWN_PROTOCOL),
        Some(Protocol::Ssh) => context.add(part::PROTOCOL, 1.0, SSH),
        _ => {}
    }
    let share = |count: u32| f64::from(count) / f64::from(facts.closed.max(1));
    context.add(
        part::BARE_HELLO,
        share(facts.bare_hellos),
        BARE_HELLO * share(facts.bare_hellos).min(1.0),
    );
    let odd = share(facts.odd_certificates);
    context.add(part::CERTIFICATE, odd, ODD_CERTIFICATE * odd.min(1.0));
    if is_odd_port(facts.port) {
        context.add(part::ODD_PORT, f64::from(facts.port), ODD_PORT);
    }
    context.services(facts, FEW_SERVICES);
    context.prevalence(facts);
    context.known(facts);
    let over = context.log_odds() + crate::BASE_RATE.ln() - MOST_ALONE;
    context.add(part::ALONE, over.max(0.0), -over.max(0.0));
    context
}

/// What the name stands for; a port says nothing here.
fn by_name(context: &mut Context, facts: &Facts<'_>) {
    if let Some(known) = facts.name.or(facts.resolved).and_then(innocent::by_name) {
        context.innocent[0] = Some(known);
        context.add(part::KNOWN_SERVICE, 1.0, known.log_odds);
    }
}

#[cfg(test)]
#[path = "channels_tests.rs"]
mod tests;

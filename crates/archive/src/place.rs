//! Which word on an hour counts, where there is one already: the rules of `schema.md`, "Files of one archive".
//!
//! In: what is there, and a new [`Hour`] of the same sensor. Out: a [`Decision`], and two parts of an hour put together. Not
//! its job: storing.

use crate::count::{reasons, rejects_text};
use crate::record::{CountryRow, Hour, PairRow, SensorHour, ServerRow};
use crate::sketch;

/// What is known of the word that is there.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct There {
    pub(crate) revision: i64,
    pub(crate) digest: Vec<u8>,
    pub(crate) partial: bool,
    pub(crate) first_packet_ns: Option<i64>,
    pub(crate) last_packet_ns: Option<i64>,
    pub(crate) received: i64,
}

/// What becomes of a new word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It is there already.
    Unchanged,
    /// It becomes the next revision.
    Replace,
    /// It and what is there become the next revision together.
    Join,
    /// What is there is the better one.
    Keep,
}

pub(crate) fn decide(there: Option<&There>, new: &Hour, digest: &[u8; 32]) -> Decision {
    let Some(there) = there else { return Decision::Replace };
    if there.digest == digest {
        return Decision::Unchanged;
    }
    let (mine, theirs) = (span(&new.watched), there.first_packet_ns.zip(there.last_packet_ns));
    if !new.watched.partial {
        return Decision::Replace;
    }
    if !there.partial {
        return Decision::Keep;
    }
    let (Some(mine), Some(theirs)) = (mine, theirs) else {
        return if mine.is_some() {
            Decision::Replace
        } else {
            Decision::Keep
        };
    };
    if mine.0 <= theirs.0 && theirs.1 <= mine.1 {
        Decision::Replace
    } else if theirs.1 < mine.0 || mine.1 < theirs.0 {
        Decision::Join
    } else if new.watched.received > there.received {
        Decision::Replace
    } else {
        Decision::Keep
    }
}

fn span(watched: &SensorHour) -> Option<(i64, i64)> {
    watched.first_packet_ns.zip(watched.last_packet_ns)
}

/// Two parts of one hour, whose packets do not overlap, as one. The revision is the first's.
pub(crate) fn join(mut one: Hour, two: Hour) -> Hour {
    join_watched(&mut one.watched, two.watched);
    one.servers = joined(one.servers, two.servers, |row| row.server.clone(), join_servers);
    one.pairs = joined(
        one.pairs,
        two.pairs,
        |row| (row.server.clone(), row.host.clone()),
        join_pairs,
    );
    one.countries = joined(
        one.countries,
        two.countries,
        |row| (row.role.clone(), row.country.clone()),
        join_countries,
    );
    // A server has one class and one country in an hour, whatever its parts said.
    let servers = &one.servers;
    for pair in &mut one.pairs {
        if let Ok(at) = servers.binary_search_by(|row| row.server.cmp(&pair.server)) {
            pair.country.clone_from(&servers[at].country);
            if pair.counts() {
                pair.class = servers[at].class;
            }
        }
    }
    one.arrange();
    one
}

/// Rows of both, in order of the key; those with one key joined.
pub(crate) fn joined<R, K: Ord>(one: Vec<R>, two: Vec<R>, key: impl Fn(&R) -> K, join: impl Fn(&mut R, R)) -> Vec<R> {
    let mut all: Vec<R> = one.into_iter().chain(two).collect();
    all.sort_by_key(|row| key(row));
    let mut rows: Vec<R> = Vec::with_capacity(all.len());
    for row in all {
        match rows.last_mut() {
            Some(last) if key(last) == key(&row) => join(last, row),
            _ => rows.push(row),
        }
    }
    rows
}

fn join_watched(one: &mut SensorHour, two: SensorHour) {
    let sum = |one: &mut Option<i64>, two: Option<i64>| *one = one.zip(two).map(|(one, two)| one.saturating_add(two));
    one.partial = true;
    one.settled &= two.settled;
    one.parts += two.parts;
    one.first_packet_ns = [one.first_packet_ns, two.first_packet_ns].into_iter().flatten().min();
    one.last_packet_ns = [one.last_packet_ns, two.last_packet_ns].into_iter().flatten().max();
    for (one, two) in [
        (&mut one.received, two.received),
        (&mut one.wire_bytes, two.wire_bytes),
        (&mut one.decoded, two.decoded),
        (&mut one.not_ip, two.not_ip),
        (&mut one.rejected, two.rejected),
        (&mut one.decode_panics, two.decode_panics),
        (&mut one.queue_drops, two.queue_drops),
        (&mut one.late, two.late),
        (&mut one.connections, two.connections),
    ] {
        *one = one.saturating_add(two);
    }
    sum(&mut one.kernel_drops, two.kernel_drops);
    sum(&mut one.interface_drops, two.interface_drops);
    sum(&mut one.gaps, two.gaps);
    sum(&mut one.evictions, two.evictions);
    sum(&mut one.clock_steps, two.clock_steps);
    one.rejects = one
        .rejects
        .take()
        .zip(two.rejects)
        .and_then(|(one, two)| join_reasons(&one, &two));
    one.sampling = one.sampling.min(two.sampling);
    // Distinct things of two parts cannot be added: the larger is a lower bound.
    one.hosts = one.hosts.max(two.hosts);
    one.destinations = one.destinations.max(two.destinations);
    one.timelines = one.timelines.max(two.timelines);
    one.peers = one.peers.zip(two.peers).map(|(one, two)| one.max(two));
    // What decided the later part.
    let SensorHour {
        country_source,
        country_date,
        country_meaning,
        intel_source,
        intel_date,
        home_country,
        settings_hash,
        version,
        ..
    } = two;
    (one.country_source, one.country_date, one.country_meaning) = (country_source, country_date, country_meaning);
    (one.intel_source, one.intel_date, one.home_country) = (intel_source, intel_date, home_country);
    (one.settings_hash, one.version) = (settings_hash, version);
}

/// Frames of both by reason; the order of reasons is the first's, and then the second's.
fn join_reasons(one: &str, two: &str) -> Option<String> {
    let mut all = reasons(one)?;
    for (name, frames) in reasons(two)? {
        match all.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum = sum.saturating_add(frames),
            None => all.push((name, frames)),
        }
    }
    Some(rejects_text(all.into_iter()))
}

pub(crate) fn join_servers(one: &mut ServerRow, two: ServerRow) {
    one.names = join_words(one.names.take(), two.names);
    if two.score > one.score {
        (one.country, one.asn) = (two.country, two.asn);
        one.kinds = join_words(Some(two.kinds), Some(one.kinds.clone())).unwrap_or_default();
    } else {
        one.kinds = join_words(Some(one.kinds.clone()), Some(two.kinds)).unwrap_or_default();
    }
    one.class = one.class.max(two.class);
    one.class_at_close = one.class_at_close.max(two.class_at_close);
    one.score = one.score.max(two.score);
    one.first_ns = one.first_ns.min(two.first_ns);
    one.last_ns = one.last_ns.max(two.last_ns);
    // A restarted sensor counts anew.
    one.check_ins = one.check_ins.saturating_add(two.check_ins);
}

pub(crate) fn join_pairs(one: &mut PairRow, two: PairRow) {
    let sum = |one: Option<i64>, two: Option<i64>| one.zip(two).map(|(one, two)| one.saturating_add(two));
    let (mut better, other) = if two.score > one.score {
        (two, one.clone())
    } else {
        (one.clone(), two)
    };
    better.name = better.name.or(other.name);
    better.kinds = join_words(Some(better.kinds), Some(other.kinds)).unwrap_or_default();
    better.class = better.class.max(other.class);
    better.class_at_close = better.class_at_close.max(other.class_at_close);
    better.check_ins = better.check_ins.saturating_add(other.check_ins);
    better.bytes_out = sum(better.bytes_out, other.bytes_out);
    better.bytes_in = sum(better.bytes_in, other.bytes_in);
    better.first_ns = better.first_ns.min(other.first_ns);
    better.last_ns = better.last_ns.max(other.last_ns);
    *one = better;
}

fn join_countries(one: &mut CountryRow, two: CountryRow) {
    one.connections = one.connections.saturating_add(two.connections);
    one.bytes_out = one.bytes_out.saturating_add(two.bytes_out);
    one.bytes_in = one.bytes_in.saturating_add(two.bytes_in);
    one.packets = one.packets.saturating_add(two.packets);
    one.peers_sketch = sketch::union(
        [one.peers_sketch.as_deref(), two.peers_sketch.as_deref()]
            .into_iter()
            .flatten(),
    );
    one.peers = one.peers.zip(two.peers).map(|(one, two)| one.max(two));
}

/// The words of both, each once, the first's first.
fn join_words(one: Option<String>, two: Option<String>) -> Option<String> {
    let mut words: Vec<&str> = Vec::new();
    for word in [&one, &two].into_iter().flatten().flat_map(|words| words.split(' ')) {
        if !words.contains(&word) {
            words.push(word);
        }
    }
    Some(words.join(" ")).filter(|words| !words.is_empty())
}

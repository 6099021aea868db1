//! The hours of one run made to agree with what the run as a whole says: the rules of `schema.md`, "What a report counts".
//!
//! In: hours as known at their ends, and the run's own summary as an [`Hour`]-like record. Out: the same hours, settled: over them the
//! distinct servers, hosts, classes and countries are the run's. Not its job: writing them.

use std::collections::{BTreeMap, BTreeSet};

use balefire_detect::Summary;

use crate::place::join_pairs;
use crate::record::{HOUR_S, Hour, PairRow, ServerRow, WITHDRAWN};
use crate::summary::{About, identity};

const NS_PER_S: i64 = 1_000_000_000;

/// Pairs that wait for the end of the run at most; then the oldest hours go as they are.
pub const MOST_WAITING_PAIRS: usize = 1_000_000;

/// The hours of a run that wait for its end.
#[derive(Debug, Default)]
pub struct Waiting {
    hours: Vec<Hour>,
    pairs: usize,
}

impl Waiting {
    /// Takes one more hour; returns those that can wait no longer.
    pub fn push(&mut self, hour: Hour) -> Vec<Hour> {
        self.pairs += hour.pairs.len();
        self.hours.push(hour);
        let mut gone = 0;
        while self.pairs > MOST_WAITING_PAIRS && gone + 1 < self.hours.len() {
            self.pairs -= self.hours[gone].pairs.len();
            gone += 1;
        }
        self.hours.drain(..gone).collect()
    }

    /// The hours, settled by the run's summary.
    pub fn settle(self, run: &Summary, about: &About) -> Vec<Hour> {
        settle(self.hours, &Hour::from_summary(run, about), &places(run))
    }
}

/// What the run says, for look-ups.
struct Run<'a> {
    servers: BTreeMap<&'a str, &'a ServerRow>,
    pairs: BTreeMap<(&'a str, &'a str), &'a PairRow>,
    /// The server of a host by the name it used.
    named: BTreeMap<(&'a str, &'a str), &'a str>,
}

/// By host, address and protocol of a sign, the server it belongs to: a beacon that goes to several addresses may have been told of
/// under another of them.
type Places = BTreeMap<(String, String, &'static str), String>;

fn places(run: &Summary) -> Places {
    let mut places = Places::new();
    for server in run.servers.iter().filter(|server| !server.behind_relay) {
        for sign in &server.evidence {
            for address in &sign.addresses {
                let key = (sign.host.to_string(), address.to_string(), server.transport.name());
                places.entry(key).or_insert_with(|| identity(server));
            }
        }
    }
    places
}

fn settle(mut hours: Vec<Hour>, run: &Hour, places: &Places) -> Vec<Hour> {
    let by_host = |row: &'_ PairRow| (row.host.clone(), row.server.clone());
    let said = Run {
        servers: run.servers.iter().map(|row| (row.server.as_str(), row)).collect(),
        pairs: run
            .pairs
            .iter()
            .map(|row| ((row.host.as_str(), row.server.as_str()), row))
            .collect(),
        named: run
            .pairs
            .iter()
            .filter_map(|row| Some(((row.host.as_str(), row.name.as_deref()?), row.server.as_str())))
            .collect(),
    };
    let mut told = BTreeSet::new();
    for hour in &mut hours {
        settle_pairs(&mut hour.pairs, &said, places);
        told.extend(hour.pairs.iter().filter(|row| row.counts()).map(by_host));
    }
    for row in run.pairs.iter().filter(|row| !told.contains(&by_host(row))) {
        if let Some(hour) = hour_of(&mut hours, row.last_ns) {
            // An hour may have named this pair in a way that was withdrawn; the run's word stands in its place.
            hour.pairs.retain(|there| by_host(there) != by_host(row));
            hour.pairs.push(PairRow {
                class_at_close: WITHDRAWN,
                ..row.clone()
            });
        }
    }
    for hour in &mut hours {
        hour.servers = servers(hour, &said);
        let countries: BTreeMap<&str, &str> = hour
            .servers
            .iter()
            .map(|row| (row.server.as_str(), row.country.as_str()))
            .collect();
        for pair in &mut hour.pairs {
            if let Some(country) = countries.get(pair.server.as_str()) {
                pair.country = (*country).to_owned();
            }
        }
        hour.watched.settled = true;
        hour.arrange();
    }
    hours
}

/// Gives each pair the run's word.
fn settle_pairs(pairs: &mut Vec<PairRow>, run: &Run<'_>, places: &Places) {
    for row in pairs.iter_mut() {
        let own = (row.host.as_str(), row.server.as_str());
        let renamed = || {
            let server = run.named.get(&(row.host.as_str(), row.name.as_deref()?))?;
            run.pairs.get(&(row.host.as_str(), *server))
        };
        let elsewhere = || {
            let protocol = ["tcp", "udp", "icmp", "icmp6", "ip"]
                .into_iter()
                .find(|name| *name == row.protocol)?;
            let server = places.get(&(row.host.clone(), row.address.clone(), protocol))?;
            run.pairs.get(&(row.host.as_str(), server.as_str()))
        };
        let word = run.pairs.get(&own).or_else(renamed).or_else(elsewhere).copied();
        match word {
            Some(word) => {
                row.server.clone_from(&word.server);
                row.address.clone_from(&word.address);
                row.port = word.port;
                row.protocol.clone_from(&word.protocol);
                row.country.clone_from(&word.country);
                row.class = word.class;
            }
            None => row.class = WITHDRAWN,
        }
    }
    // Two servers of the hour may be one of the run.
    pairs.sort_by(|one, two| (&one.server, &one.host).cmp(&(&two.server, &two.host)));
    let mut kept: Vec<PairRow> = Vec::with_capacity(pairs.len());
    for row in pairs.drain(..) {
        match kept.last_mut() {
            Some(last) if (&last.server, &last.host) == (&row.server, &row.host) => join_pairs(last, row),
            _ => kept.push(row),
        }
    }
    *pairs = kept;
}

/// The hour in which this time lies, or the nearest one that the run has.
fn hour_of(hours: &mut [Hour], time_ns: i64) -> Option<&mut Hour> {
    let hour_s = time_ns.div_euclid(NS_PER_S).div_euclid(HOUR_S) * HOUR_S;
    hours
        .iter_mut()
        .min_by_key(|hour| (hour.hour_s.abs_diff(hour_s), hour.hour_s))
}

/// The servers of the hour's pairs: as the hour knew them, with the run's class and country.
fn servers(hour: &Hour, run: &Run<'_>) -> Vec<ServerRow> {
    let known: BTreeMap<&str, &ServerRow> = hour.servers.iter().map(|row| (row.server.as_str(), row)).collect();
    let mut servers: BTreeMap<&str, ServerRow> = BTreeMap::new();
    for pair in &hour.pairs {
        let word = run.servers.get(pair.server.as_str());
        let class = word.map_or(WITHDRAWN, |word| word.class);
        match servers.get_mut(pair.server.as_str()) {
            Some(row) => add_pair(row, pair),
            None => {
                let Some(mut row) = known.get(pair.server.as_str()).or(word).map(|row| (*row).clone()) else {
                    continue;
                };
                if let Some(word) = word {
                    row.country.clone_from(&word.country);
                    row.class_at_close = known
                        .get(pair.server.as_str())
                        .map_or(WITHDRAWN, |row| row.class_at_close);
                }
                row.class = class;
                // Its numbers are those of its pairs in this hour.
                row.score = pair.score;
                row.kinds.clone_from(&pair.kinds);
                (row.first_ns, row.last_ns, row.check_ins) = (pair.first_ns, pair.last_ns, pair.check_ins);
                servers.insert(&pair.server, row);
            }
        }
    }
    servers.into_values().collect()
}

fn add_pair(row: &mut ServerRow, pair: &PairRow) {
    if pair.score > row.score {
        row.kinds.clone_from(&pair.kinds);
    }
    row.score = row.score.max(pair.score);
    row.first_ns = row.first_ns.min(pair.first_ns);
    row.last_ns = row.last_ns.max(pair.last_ns);
    row.check_ins = row.check_ins.saturating_add(pair.check_ins);
}

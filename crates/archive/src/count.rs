//! What is counted from an hour's pairs, and whether an hour can be believed.
//!
//! In: an [`Hour`]. Out: its counts set anew, or the first thing that is wrong. A record from another machine is checked
//! before it is let in: a report must not be led astray by a file that only looks like one.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Fault;
use crate::record::{
    CountryRow, HOUR_S, Hour, PairRow, SCHEMA_VERSION, SensorHour, ServerRow, WITHDRAWN, is_sensor_id,
};
use crate::sketch;

/// The first second of the year 10000: times are written with four digits.
const LAST_S: i64 = 253_402_300_800;

/// Rows of a table in one hour; beyond, it is no hour but an attack.
pub(crate) const MOST_ROWS: usize = 20_000_000;

/// The role of all rows.
pub(crate) const HOSTING: &str = "hosting";

impl PairRow {
    /// Whether reports count it.
    pub(crate) fn counts(&self) -> bool {
        self.class > WITHDRAWN
    }
}

/// Sets what is counted from pairs: of the hour, its servers and its countries. A country without a row gets one.
pub(crate) fn recount(hour: &mut Hour) {
    let mut hosts_of: BTreeMap<&str, i64> = BTreeMap::new();
    let (mut servers, mut hosts) = (BTreeSet::new(), BTreeSet::new());
    let mut countries: BTreeMap<&str, (BTreeSet<&str>, BTreeSet<&str>)> = BTreeMap::new();
    for pair in &hour.pairs {
        *hosts_of.entry(&pair.server).or_default() += 1;
        if pair.counts() {
            servers.insert(pair.server.as_str());
            hosts.insert(pair.host.as_str());
            let country = countries.entry(&pair.country).or_default();
            country.0.insert(&pair.server);
            country.1.insert(&pair.host);
        }
    }
    for server in &mut hour.servers {
        server.hosts = hosts_of.get(server.server.as_str()).copied().unwrap_or(0);
    }
    hour.watched.servers = servers.len() as i64;
    hour.watched.controlled_hosts = hosts.len() as i64;
    for row in &mut hour.countries {
        let (servers, hosts) = countries.remove(row.country.as_str()).unwrap_or_default();
        (row.servers, row.hosts) = (servers.len() as i64, hosts.len() as i64);
    }
    let without_row = countries.into_iter().map(|(country, (servers, hosts))| CountryRow {
        role: HOSTING.to_owned(),
        country: country.to_owned(),
        servers: servers.len() as i64,
        hosts: hosts.len() as i64,
        connections: 0,
        bytes_out: 0,
        bytes_in: 0,
        packets: 0,
        peers: None,
        peers_sketch: None,
    });
    let without_row: Vec<CountryRow> = without_row.collect();
    if !without_row.is_empty() {
        hour.countries.extend(without_row);
        hour.countries
            .sort_by(|one, two| (&one.role, &one.country).cmp(&(&two.role, &two.country)));
    }
}

/// See [`Hour::check`].
pub(crate) fn check(hour: &Hour) -> Result<(), Fault> {
    let wrong = |what: String| Err(Fault::Content(what));
    if !is_sensor_id(&hour.sensor_id) {
        return wrong(format!("\"{}\" is no name of a sensor", hour.sensor_id.escape_debug()));
    }
    if hour.hour_s % HOUR_S != 0 || !(0..LAST_S).contains(&hour.hour_s) {
        return wrong(format!("{} is no start of an hour", hour.hour_s));
    }
    if hour.revision < 1 {
        return wrong(format!("{} is no revision", hour.revision));
    }
    if !(1..=SCHEMA_VERSION).contains(&hour.watched.schema_version) {
        let found = hour.watched.schema_version;
        return wrong(format!(
            "schema version {found}, this program knows 1 to {SCHEMA_VERSION}"
        ));
    }
    check_rejects(&hour.watched)?;
    for table in [hour.servers.len(), hour.pairs.len(), hour.countries.len()] {
        if table > MOST_ROWS {
            return wrong(format!("{table} rows in one hour"));
        }
    }
    check_servers(&hour.servers)?;
    check_pairs(hour)?;
    if !hour
        .countries
        .is_sorted_by(|one, two| (&one.role, &one.country) < (&two.role, &two.country))
    {
        return wrong("a country twice, or out of order".to_owned());
    }
    let mut sketches = hour.countries.iter().filter_map(|row| row.peers_sketch.as_deref());
    if !sketches.all(sketch::is_sketch) {
        return wrong("a sketch of peers that is none".to_owned());
    }
    let mut recounted = hour.clone();
    recount(&mut recounted);
    if recounted != *hour {
        return wrong("its counts are not those of its pairs".to_owned());
    }
    Ok(())
}

/// Reasons add up to the frames that were not read.
fn check_rejects(watched: &SensorHour) -> Result<(), Fault> {
    let Some(text) = &watched.rejects else { return Ok(()) };
    let frames = reasons(text).map(|reasons| {
        reasons
            .iter()
            .fold(0i64, |sum, (_, frames)| sum.saturating_add(*frames))
    });
    let unread = watched
        .not_ip
        .saturating_add(watched.rejected)
        .checked_sub(watched.decode_panics);
    if watched.schema_version < 2 || frames.is_none() || frames != unread {
        let text = text.escape_debug();
        return Err(Fault::Content(format!(
            "rejects \"{text}\" are not what not_ip, rejected and decode_panics say"
        )));
    }
    Ok(())
}

/// Reasons and their frames, as `rejects` has them; `None` if it is nothing of the kind.
pub(crate) fn reasons(text: &str) -> Option<Vec<(&str, i64)>> {
    let words = text.split(' ').filter(|word| !word.is_empty());
    words
        .map(|word| {
            let (name, frames) = word.split_once('=')?;
            let frames = frames.parse::<i64>().ok().filter(|frames| *frames > 0)?;
            (!name.is_empty()).then_some((name, frames))
        })
        .collect()
}

/// The text of [`reasons`], in the order given.
pub(crate) fn rejects_text<'a>(reasons: impl Iterator<Item = (&'a str, i64)>) -> String {
    let words: Vec<String> = reasons.map(|(name, frames)| format!("{name}={frames}")).collect();
    words.join(" ")
}

fn check_servers(servers: &[ServerRow]) -> Result<(), Fault> {
    if !servers.is_sorted_by(|one, two| one.server < two.server) {
        return Err(Fault::Content("a server twice, or out of order".to_owned()));
    }
    for row in servers {
        let good = is_class(row.class)
            && is_class(row.class_at_close)
            && is_country(&row.country)
            && (0..=0xffff).contains(&row.port)
            && (0.0..=1.0).contains(&row.score);
        if !good {
            let server = row.server.escape_debug();
            return Err(Fault::Content(format!(
                "server {server}: class, country, port or score is none"
            )));
        }
    }
    Ok(())
}

fn check_pairs(hour: &Hour) -> Result<(), Fault> {
    let pairs = &hour.pairs;
    if !pairs.is_sorted_by(|one, two| (&one.server, &one.host) < (&two.server, &two.host)) {
        return Err(Fault::Content("a pair twice, or out of order".to_owned()));
    }
    let mut servers = hour.servers.iter();
    let mut server = servers.next();
    for pair in pairs {
        while server.is_some_and(|server| server.server < pair.server) {
            server = servers.next();
        }
        let agrees = server.is_some_and(|server| {
            (&server.server, &server.country, server.port) == (&pair.server, &pair.country, pair.port)
                && (pair.class == server.class || pair.class == WITHDRAWN)
        });
        if !agrees || !(0.0..=1.0).contains(&pair.score) {
            let (host, server) = (pair.host.escape_debug(), pair.server.escape_debug());
            return Err(Fault::Content(format!(
                "pair {host} and {server}: not as its server's row"
            )));
        }
    }
    Ok(())
}

fn is_class(class: i64) -> bool {
    (WITHDRAWN..=3).contains(&class)
}

fn is_country(code: &str) -> bool {
    code == "--" || code.len() == 2 && code.bytes().all(|letter| letter.is_ascii_uppercase())
}

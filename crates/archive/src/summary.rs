//! A finished hour of the detector made into an hourly record.
//!
//! In: a [`Summary`] and what it does not say itself ([`About`]). Out: an [`Hour`] without a revision. Not its job: judging
//! anything anew, settling (`settle`).

use std::net::{IpAddr, Ipv6Addr};

use balefire_detect::{Address, Class, ControlServer, CountryRow as Traffic, Evidence, IntelList, Reject, Summary};
use sha2::{Digest, Sha256};

use crate::cell::MOST_TEXT_BYTES;
use crate::count::{HOSTING, rejects_text};
use crate::place::{join_pairs, join_servers, joined};
use crate::record::{CountryRow, HOUR_S, Hour, PairRow, SCHEMA_VERSION, SensorHour, ServerRow};
use crate::sketch;

/// What a summary does not say of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Name of the tap.
    pub sensor_id: String,
    /// Country of the tap, two letters.
    pub home_country: Option<String>,
    /// Settings that decide findings, as text. With the content of the lists in force they become the record's `settings_hash`.
    pub settings: String,
    /// Of the program.
    pub version: String,
}

const NS_PER_S: i64 = 1_000_000_000;

impl Hour {
    /// The record of an hour as known at its end.
    pub fn from_summary(summary: &Summary, about: &About) -> Self {
        let hour_s = summary.period.start_ns.div_euclid(NS_PER_S).div_euclid(HOUR_S) * HOUR_S;
        let mut hour = Self {
            hour_s,
            sensor_id: about.sensor_id.clone(),
            revision: 0,
            watched: watched(summary, about),
            servers: summary.servers.iter().map(server_row).collect(),
            pairs: summary.servers.iter().flat_map(pair_rows).collect(),
            countries: countries(summary),
        };
        // Two servers behind one relay may go by one name.
        hour.servers = joined(hour.servers, Vec::new(), |row| row.server.clone(), join_servers);
        hour.pairs = joined(
            hour.pairs,
            Vec::new(),
            |row| (row.server.clone(), row.host.clone()),
            join_pairs,
        );
        hour.arrange();
        hour
    }
}

/// Who a server is, see `schema.md`.
pub fn identity(server: &ControlServer) -> String {
    let (port, protocol) = (server.port, server.transport.name());
    let place = match server.address.ip() {
        IpAddr::V4(ip) => format!("{ip}:{port}/{protocol}"),
        IpAddr::V6(ip) => format!("[{ip}]:{port}/{protocol}"),
    };
    match server.names.first() {
        Some(name) if server.behind_relay => format!("{name} via {place}"),
        _ => place,
    }
}

/// Sixteen hexadecimal digits over what decided: the settings, and what the lists in force then said. What lists are called, and where they
/// lie, decides nothing.
fn settings_hash(settings: &str, summary: &Summary) -> String {
    let mut digest = Sha256::new();
    // Lengths keep one text from running into the next.
    let mut feed = |bytes: &[u8]| {
        digest.update((bytes.len() as u64).to_le_bytes());
        digest.update(bytes);
    };
    feed(settings.as_bytes());
    for list in &summary.intel {
        feed(&list.fingerprint.to_le_bytes());
    }
    for rule in &summary.allowed.rules {
        feed(rule.rule.as_bytes());
        feed(&rule.expires_ns.unwrap_or(i64::MAX).to_le_bytes());
    }
    digest
        .finalize()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The lists with their editions; of many, how many.
fn intel_source(lists: &[IntelList]) -> Option<String> {
    let words: Vec<String> = lists
        .iter()
        .map(|list| format!("{} ({:016x})", text(&list.name), list.fingerprint))
        .collect();
    let words = Some(words.join(", ")).filter(|words| !words.is_empty())?;
    Some(if words.len() <= MOST_TEXT_BYTES {
        words
    } else {
        let all = lists
            .iter()
            .fold(0u64, |all, list| all.rotate_left(1) ^ list.fingerprint);
        format!("{} lists ({all:016x})", lists.len())
    })
}

fn watched(summary: &Summary, about: &About) -> SensorHour {
    let accounting = &summary.accounting;
    let frames_of = |not_ip: bool| -> u64 {
        let rejects = accounting.rejects.iter();
        let of_kind = rejects.filter(|(reason, _)| (*reason == Reject::NotIp) == not_ip);
        of_kind.map(|(_, frames)| frames).sum()
    };
    let source = &summary.country_source;
    SensorHour {
        schema_version: SCHEMA_VERSION,
        partial: summary.period.partial,
        settled: false,
        parts: 1,
        first_packet_ns: summary.first_packet_ns,
        last_packet_ns: summary.last_packet_ns,
        received: count(accounting.received),
        wire_bytes: count(accounting.wire_bytes),
        decoded: count(accounting.decoded),
        not_ip: count(frames_of(true)),
        rejected: count(frames_of(false) + accounting.decode_panics),
        decode_panics: count(accounting.decode_panics),
        queue_drops: count(accounting.queue_drops.iter().map(|queue| queue.frames).sum()),
        late: count(accounting.late),
        kernel_drops: accounting.kernel_drops.map(count),
        interface_drops: accounting.interface_drops.map(count),
        gaps: Some(count(accounting.gaps.len() as u64)),
        evictions: Some(count(accounting.evictions)),
        clock_steps: Some(count(accounting.clock_steps)),
        sampling: 1.0,
        hosts: count(summary.totals.hosts),
        destinations: count(summary.totals.destinations),
        connections: count(summary.totals.connections),
        timelines: count(summary.totals.timelines),
        servers: 0,
        controlled_hosts: 0,
        peers: Some(count(summary.peers.len() as u64)),
        country_source: text(&source.name),
        country_date: text(&source.date),
        country_meaning: text(source.meaning),
        intel_source: intel_source(&summary.intel),
        // None of the forms of lists that are read says a date of the whole list.
        intel_date: None,
        home_country: about.home_country.clone(),
        settings_hash: settings_hash(&about.settings, summary),
        version: about.version.clone(),
        rejects: Some(rejects_text(
            accounting
                .rejects
                .iter()
                .filter(|(_, frames)| *frames > 0)
                .map(|(reason, frames)| (reason.name(), count(*frames))),
        )),
    }
}

fn server_row(server: &ControlServer) -> ServerRow {
    let names: Vec<String> = server.names.iter().map(|name| text(name)).collect();
    let kinds: Vec<&str> = server.kinds().into_iter().map(|kind| kind.name()).collect();
    ServerRow {
        server: text(&identity(server)),
        address: server.address.to_string(),
        port: i64::from(server.port),
        protocol: server.transport.name().to_owned(),
        behind_relay: server.behind_relay,
        names: Some(names.join(" ")).filter(|names| !names.is_empty()),
        country: text(server.country.code()),
        asn: None,
        class: class(server.class),
        class_at_close: class(server.class),
        score: decimals(server.score, 4),
        kinds: kinds.join(" "),
        first_ns: server.first_ns,
        last_ns: server.last_ns,
        check_ins: count(server.check_ins),
        hosts: 0,
    }
}

/// One row per host; its evidence is in order of the score, best first.
fn pair_rows(server: &ControlServer) -> impl Iterator<Item = PairRow> {
    server.hosts.iter().filter_map(|&host| {
        let signs: Vec<&Evidence> = server.evidence.iter().filter(|sign| sign.host == host).collect();
        let best = signs.first()?;
        let mut kinds: Vec<&str> = Vec::new();
        for sign in &signs {
            if !kinds.contains(&sign.kind.name()) {
                kinds.push(sign.kind.name());
            }
        }
        Some(PairRow {
            host: host.to_string(),
            host_network: network(host),
            server: text(&identity(server)),
            address: server.address.to_string(),
            port: i64::from(server.port),
            protocol: server.transport.name().to_owned(),
            country: text(server.country.code()),
            class: class(server.class),
            class_at_close: class(server.class),
            score: decimals(best.score, 4),
            name: signs.iter().find_map(|sign| sign.name.as_deref()).map(text),
            kinds: kinds.join(" "),
            check_ins: count(signs.iter().map(|sign| sign.check_ins).max()?),
            bytes_out: signs.iter().filter_map(|sign| sign.sent_bytes).max().map(count),
            bytes_in: signs.iter().filter_map(|sign| sign.received_bytes).max().map(count),
            interval_s: decimals(best.interval_s, 3),
            jitter: decimals(best.jitter, 4),
            first_ns: signs.iter().map(|sign| sign.first_ns).min()?,
            last_ns: signs.iter().map(|sign| sign.last_ns).max()?,
            parts: parts(best),
        })
    })
}

/// A row per country with servers, traffic or peers.
fn countries(summary: &Summary) -> Vec<CountryRow> {
    let mut rows: Vec<CountryRow> = summary.countries.iter().map(country_row).collect();
    for peers in summary.peers.chunk_by(|one, two| one.0 == two.0) {
        let code = text(peers[0].0.code());
        let row = rows.iter_mut().find(|row| row.country == code);
        let Some(row) = row else { continue };
        row.peers = Some(count(peers.len() as u64));
        row.peers_sketch = sketch::of(peers.iter().map(|(_, address)| *address));
    }
    rows
}

fn country_row(row: &Traffic) -> CountryRow {
    CountryRow {
        role: HOSTING.to_owned(),
        country: text(row.country.code()),
        servers: 0,
        hosts: 0,
        connections: count(row.connections),
        bytes_out: count(row.bytes_out),
        bytes_in: count(row.bytes_in),
        packets: count(row.packets),
        // Traffic without a connection that a host opened: nobody was reached.
        peers: Some(0),
        peers_sketch: None,
    }
}

fn class(class: Class) -> i64 {
    match class {
        Class::Suspected => 1,
        Class::Probable => 2,
        Class::Confirmed => 3,
    }
}

/// The address itself, or the /64 it is in: what a household or a machine with changing addresses keeps (RFC 7421).
fn network(address: Address) -> String {
    match address.ip() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("{}/64", Ipv6Addr::from(u128::from(ip) >> 64 << 64)),
    }
}

fn parts(evidence: &Evidence) -> Option<String> {
    let parts = evidence.parts.iter();
    let parts: Vec<String> = parts
        .map(|part| format!("{}={}", part.name, decimals(part.log_odds, 2)))
        .collect();
    Some(parts.join(" ")).filter(|parts| !parts.is_empty())
}

/// What cannot be in a record becomes visible; names come from `track` as printable ASCII already.
fn text(text: &str) -> String {
    let printable = |letter: char| {
        if letter.is_control() {
            char::REPLACEMENT_CHARACTER
        } else {
            letter
        }
    };
    text.chars().map(printable).collect()
}

/// SQLite and Parquet count to 2^63.
fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Rounded, so that the last bits of a logarithm do not make two words of one; 0 for what is no number.
fn decimals(number: f64, places: i32) -> f64 {
    let scale = 10f64.powi(places);
    let rounded = (number * scale).round() / scale;
    if rounded.is_finite() { rounded + 0.0 } else { 0.0 }
}

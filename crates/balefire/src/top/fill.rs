//! The detector's values as the console's model.
//!
//! In: the program's [`State`], summaries, control servers with evidence. Out: the values of `view`, every string from the
//! wire made harmless. Not its job: remembering (`board`), drawing.

use std::collections::BTreeMap;
use std::fs;

use balefire_detect::{Address, ControlServer, CountryRow, Evidence, IntelSign, Reject, Summary, Timeline, Transport};
use balefire_pipeline::Lost;
use balefire_report::{clean, counted, country_name, score, socket_with_protocol};

use super::view::{
    Country, Explained, Grade, Host, Hour, Interface, Latency, Memory, Packets, Part, Queue, SCHEMA, Server, Sign,
    Table, Thread, View,
};
use crate::service::vitals::State;

/// Hosts listed; all are counted.
const MOST_HOSTS: usize = 1_000;
/// Entries of lists named for a contact.
const MOST_LISTED: usize = 4;

/// All but what the board remembers.
pub(crate) fn view(state: &State, clock_ns: i64) -> View {
    let snapshot = &state.snapshot;
    let (hosts, hosts_total) = hosts(&snapshot.servers);
    View {
        schema: SCHEMA.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        sensor: clean(&state.sensor),
        clock_ns,
        up_s: snapshot.elapsed_s,
        interfaces: interfaces(&state.interfaces),
        packets: packets(state),
        gaps: state.gaps,
        queues: snapshot.queues.iter().map(queue).collect(),
        threads: threads(state),
        latency: Latency {
            p50_ns: snapshot.latency.p50,
            p99_ns: snapshot.latency.p99,
            p999_ns: snapshot.latency.p999,
            max_ns: snapshot.latency.max,
        },
        memory: Memory {
            used_bytes: resident_bytes(),
            cap_bytes: state.memory_cap_bytes,
        },
        tables: tables(state),
        hosts_inside: snapshot.hosts,
        servers_total: snapshot.servers_total,
        servers_by_class: snapshot.servers_by_class,
        servers: snapshot.servers.iter().map(server).collect(),
        hosts_total,
        hosts,
        countries: countries(&snapshot.countries),
        hours_kept: state.hours.kept,
        hours_lost: state.hours.lost,
        ..View::default()
    }
}

/// What no other server has: its place, and behind a relay its name.
pub(crate) fn id(server: &ControlServer) -> String {
    let place = socket_with_protocol(server);
    match server.names.first() {
        Some(name) if server.behind_relay => format!("{place} {}", clean(name)),
        _ => place,
    }
}

/// An hour in one line.
pub(crate) fn hour_words(summary: &Summary, kept: bool) -> String {
    let partial = if summary.period.partial { ", partly watched" } else { "" };
    let lost = if kept { "" } else { "; NOT WRITTEN" };
    format!(
        "hour of {}{partial}: {}, {}, {}{lost}",
        balefire_report::date_time(summary.period.start_ns),
        counted(summary.totals.servers, "control server"),
        counted(summary.totals.controlled_hosts, "controlled host"),
        counted(summary.accounting.received, "packet"),
    )
}

/// A finding in one line; `before` is the class it had.
pub(crate) fn finding_words(found: &ControlServer, before: Option<Grade>) -> String {
    let class = Grade::from(found.class).name();
    let news = before.map_or_else(
        || class.to_owned(),
        |before| format!("now {class}, was {}", before.name()),
    );
    let name = match found.names.first() {
        Some(name) => format!(" ({})", clean(name)),
        None => String::new(),
    };
    let known_by = match behaviour_score(found) {
        Some(number) => format!("score {}", score(number)),
        None => "by threat intelligence".to_owned(),
    };
    format!(
        "{news}: {}{name}, {} {}, {known_by}, {}",
        socket_with_protocol(found),
        clean(found.country.code()),
        country_name(&found.country),
        counted(found.hosts.len() as u64, "host"),
    )
}

pub(crate) fn hour(summary: &Summary) -> Hour {
    Hour {
        start_ns: summary.period.start_ns,
        end_ns: summary.period.end_ns,
        partial: summary.period.partial,
        servers: summary.totals.servers,
        hosts: summary.totals.controlled_hosts,
        countries: countries(&summary.countries),
    }
}

/// As it stands, and with its evidence: of now, or of when its hour was closed.
pub(crate) fn explained(now: Option<&ControlServer>, then: Option<&ControlServer>) -> Option<Explained> {
    let shown = now.or(then)?;
    let signs = then.map(|then| &then.evidence[..]).unwrap_or_default();
    let mut of_server = server(shown);
    if let Some(then) = then {
        complete(&mut of_server, then);
    }
    Some(Explained {
        server: of_server,
        hosts: shown.hosts.iter().take(MOST_HOSTS).map(Address::to_string).collect(),
        // The board knows.
        now_ns: None,
        hour_ns: None,
        signs: signs.iter().map(sign).collect(),
        signs_total: 0,
    })
}

/// What evidence knows better than the registry, which has the last judgement.
pub(crate) fn complete(server: &mut Server, known: &ControlServer) {
    server.last_ns = server.last_ns.max(known.last_ns);
    server.check_ins = server.check_ins.max(known.check_ins);
    for sign in &known.evidence {
        server.last_ns = server.last_ns.max(sign.last_ns);
    }
    if let Some(best) = known.evidence.iter().find(|sign| sign.intel.is_none()) {
        (server.interval_s, server.jitter) = (Some(best.interval_s), Some(best.jitter));
        server.recent_ns.clone_from(&best.recent_ns);
    }
}

fn server(found: &ControlServer) -> Server {
    let transport = found.transport;
    let ports = matches!(transport, Transport::TCP | Transport::UDP);
    Server {
        rank: found.rank,
        id: id(found),
        address: found.address.to_string(),
        port: if ports { found.port } else { 0 },
        protocol: transport.name().to_owned(),
        names: found.names.iter().map(|name| clean(name)).collect(),
        country: clean(found.country.code()),
        country_name: country_name(&found.country),
        class: found.class.into(),
        score: behaviour_score(found),
        hosts: found.hosts.len() as u64,
        check_ins: found.check_ins,
        first_ns: found.first_ns,
        last_ns: found.last_ns,
        interval_s: None,
        jitter: None,
        recent_ns: Vec::new(),
    }
}

/// What only a list knows has no score; the detector says 0.
fn behaviour_score(server: &ControlServer) -> Option<f64> {
    Some(server.score).filter(|score| *score > 0.0 || Grade::from(server.class) != Grade::Confirmed)
}

/// Each controlled host once, the best of its servers first met, as servers come best first.
fn hosts(servers: &[ControlServer]) -> (Vec<Host>, u64) {
    let mut hosts = BTreeMap::<Address, Host>::new();
    for found in servers {
        let code = clean(found.country.code());
        for address in &found.hosts {
            let host = hosts.entry(*address).or_insert_with(|| Host {
                address: address.to_string(),
                best: id(found),
                class: found.class.into(),
                score: behaviour_score(found),
                ..Host::default()
            });
            host.servers += 1;
            host.last_ns = host.last_ns.max(found.last_ns);
            if !host.countries.contains(&code) {
                host.countries.push(code.clone());
            }
        }
    }
    let total = hosts.len() as u64;
    (hosts.into_values().take(MOST_HOSTS).collect(), total)
}

/// Those with a control server; traffic alone is no news here.
fn countries(rows: &[CountryRow]) -> Vec<Country> {
    let rows = rows.iter().filter(|row| row.servers > 0);
    rows.map(|row| Country {
        code: clean(row.country.code()),
        name: country_name(&row.country),
        servers: row.servers,
        hosts: row.hosts,
        rank_by_servers: row.rank_by_servers,
        rank_by_hosts: row.rank_by_hosts,
    })
    .collect()
}

fn interfaces(interfaces: &[(String, Option<Lost>)]) -> Vec<Interface> {
    let interfaces = interfaces.iter();
    interfaces
        .map(|(name, lost)| Interface {
            name: clean(name),
            lost: lost.is_some(),
        })
        .collect()
}

fn packets(state: &State) -> Packets {
    let snapshot = &state.snapshot;
    let accounting = &snapshot.accounting;
    let rejects = |not_ip: bool| -> u64 {
        let reasons = accounting.rejects.iter();
        let reasons = reasons.filter(|(reason, _)| (*reason == Reject::NotIp) == not_ip);
        reasons.map(|(_, frames)| frames).sum()
    };
    Packets {
        received: accounting.received,
        wire_bytes: accounting.wire_bytes,
        decoded: accounting.decoded,
        not_ip: rejects(true),
        rejected: rejects(false) + accounting.decode_panics,
        dropped_queue: snapshot.queues.iter().map(|queue| queue.dropped).sum(),
        dropped_kernel: snapshot.kernel.map(|kernel| kernel.dropped_kernel),
        dropped_interface: snapshot.kernel.map(|kernel| kernel.dropped_interface),
        late: accounting.late,
        newest_ns: snapshot.packet_time_ns,
    }
}

fn queue(queue: &balefire_pipeline::QueueGauge) -> Queue {
    Queue {
        blocks: queue.blocks as u64,
        capacity: queue.capacity as u64,
        dropped: queue.dropped,
    }
}

/// Those whose use is measured, then readers of a tap, of which only the sign of life is known.
fn threads(state: &State) -> Vec<Thread> {
    let silent_s = |name: &str| {
        let beat = state.threads.iter().find(|beat| beat.name == name);
        beat.map_or(0, |beat| beat.silent().as_secs())
    };
    let measured = state.snapshot.threads.iter();
    let mut threads: Vec<Thread> = measured
        .map(|thread| Thread {
            name: clean(&thread.name),
            busy: Some(thread.busy),
            silent_s: silent_s(&thread.name),
        })
        .collect();
    for beat in &state.threads {
        if threads.iter().all(|thread| thread.name != beat.name) {
            threads.push(Thread {
                name: clean(&beat.name),
                busy: None,
                silent_s: beat.silent().as_secs(),
            });
        }
    }
    threads
}

fn tables(state: &State) -> Vec<Table> {
    let limit = |name: &str| {
        let found = state.table_limits.iter().find(|(known, _)| *known == name);
        found.map_or(0, |(_, limit)| *limit)
    };
    let tables = state.snapshot.tables.iter();
    tables
        .map(|table| Table {
            name: table.name.to_owned(),
            entries: table.entries,
            limit: limit(table.name),
            evicted: table.evicted,
        })
        .collect()
}

/// `/proc/self/statm`, second number: resident pages (proc(5)).
fn resident_bytes() -> Option<u64> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    pages.checked_mul(rustix::param::page_size() as u64)
}

fn sign(evidence: &Evidence) -> Sign {
    let bins = evidence.histogram.iter().enumerate().filter(|(_, count)| **count > 0);
    Sign {
        kind: evidence.kind.name().to_owned(),
        host: evidence.host.to_string(),
        name: evidence.name.as_deref().map(clean),
        interval_s: evidence.interval_s,
        jitter: evidence.jitter,
        check_ins: evidence.check_ins,
        first_ns: evidence.first_ns,
        last_ns: evidence.last_ns,
        timing: evidence.timing,
        score: evidence.score,
        parts: evidence
            .parts
            .iter()
            .map(|part| Part {
                name: part.name.to_owned(),
                log_odds: part.log_odds,
                text: clean(&part.text),
            })
            .collect(),
        innocent: evidence.innocent.iter().map(|text| clean(text)).collect(),
        missing: evidence.missing.iter().map(|text| clean(text)).collect(),
        intervals: bins
            .map(|(bin, count)| (Timeline::bin_start_s(bin), u64::from(*count)))
            .collect(),
        hours: evidence.hours.iter().map(|count| u64::from(*count)).collect(),
        recent_ns: evidence.recent_ns.clone(),
        listed: evidence.intel.as_ref().map(listed).unwrap_or_default(),
    }
}

/// Each entry that names it: what is listed, where, and what the list says of it.
fn listed(sign: &IntelSign) -> Vec<String> {
    let matches = sign.matches.iter().take(MOST_LISTED);
    matches
        .map(|entry| {
            let label = entry.label.as_deref().map(|label| format!(": {label}"));
            clean(&format!(
                "{} in {} line {}{}",
                entry.indicator,
                entry.list,
                entry.line,
                label.unwrap_or_default()
            ))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use balefire_detect::{Class, EvidenceKind, INTERVAL_BINS, IndicatorMatch, ScorePart, Traits};

    use super::*;

    fn found(last: u8, class: Class, hosts: &[u8]) -> ControlServer {
        ControlServer {
            rank: u32::from(last),
            address: Address::v4([192, 0, 2, last]),
            port: 443,
            transport: Transport::TCP,
            names: vec!["evil\u{1b}[2J.example".to_owned()],
            country: balefire_detect::Country(*b"NL"),
            class,
            score: if class == Class::Confirmed { 0.0 } else { 0.9 },
            hosts: hosts.iter().map(|last| Address::v4([10, 0, 0, *last])).collect(),
            first_ns: 1,
            last_ns: i64::from(last),
            check_ins: 9,
            behind_relay: false,
            evidence: Vec::new(),
        }
    }

    fn evidence() -> Evidence {
        let mut histogram = Box::new([0; INTERVAL_BINS]);
        histogram[8] = 7;
        Evidence {
            kind: EvidenceKind::ConnectionBeacon,
            host: Address::v4([10, 0, 0, 1]),
            flow: None,
            name: None,
            addresses: Vec::new(),
            ports: vec![443],
            keyed_by: vec!["address"],
            interval_s: 2.0,
            jitter: 0.1,
            check_ins: 8,
            first_ns: 1,
            last_ns: 2,
            timing: 0.9,
            sent_bytes: None,
            received_bytes: None,
            score: 0.9,
            parts: vec![ScorePart {
                name: "timing",
                value: 0.9,
                log_odds: 2.2,
                text: "named\u{202e}".to_owned(),
            }],
            innocent: Vec::new(),
            missing: Vec::new(),
            histogram,
            hours: [0; 24],
            recent_ns: vec![2],
            traits: Traits::default(),
            intel: None,
        }
    }

    #[test]
    fn a_host_of_several_servers_is_listed_once_under_the_best() {
        let servers = [found(1, Class::Confirmed, &[5, 6]), found(2, Class::Probable, &[6, 7])];
        let (hosts, total) = hosts(&servers);
        assert_eq!(total, 3);
        let shown: Vec<_> = hosts
            .iter()
            .map(|host| (host.address.as_str(), host.servers, host.best.as_str(), host.score))
            .collect();
        assert_eq!(
            shown,
            [
                ("10.0.0.5", 1, "192.0.2.1:443/tcp", None),
                ("10.0.0.6", 2, "192.0.2.1:443/tcp", None),
                ("10.0.0.7", 1, "192.0.2.2:443/tcp", Some(0.9)),
            ]
        );
        assert_eq!((hosts[1].last_ns, hosts[1].countries.join(" ")), (2, "NL".to_owned()));
    }

    #[test]
    fn behind_a_relay_the_name_tells_servers_apart() {
        let mut relayed = found(1, Class::Probable, &[5]);
        assert_eq!(id(&relayed), "192.0.2.1:443/tcp");
        relayed.behind_relay = true;
        assert_eq!(id(&relayed), "192.0.2.1:443/tcp evil\u{fffd}[2J.example");
    }

    #[test]
    fn evidence_is_of_the_hour_and_standing_of_now() {
        assert_eq!(explained(None, None), None);
        let (now, mut then) = (found(1, Class::Probable, &[5, 6]), found(1, Class::Suspected, &[5]));
        assert_eq!(explained(Some(&now), None).unwrap().signs.len(), 0);
        let mut listed = evidence();
        listed.intel = Some(IntelSign {
            contact: balefire_detect::Contact::Address,
            matches: vec![IndicatorMatch {
                list: "list.csv".to_owned(),
                line: 7,
                indicator: "192.0.2.1".to_owned(),
                label: Some("bot\nnet".to_owned()),
            }],
        });
        then.evidence = vec![listed, evidence()];
        let known = explained(Some(&now), Some(&then)).unwrap();
        assert_eq!((known.server.class, known.server.hosts), (Grade::Probable, 2));
        assert_eq!(known.signs[0].listed, ["192.0.2.1 in list.csv line 7: bot\u{fffd}net"]);
        // Of behaviour, not of a list.
        assert_eq!(known.server.interval_s, Some(2.0));
        assert_eq!(known.signs[1].intervals, [(2.0, 7)]);
        assert_eq!(known.signs[1].parts[0].text, "named\u{fffd}");
    }
}

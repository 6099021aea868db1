//! The page that explains one server: every sign with its numbers, what each part of the score adds, and what else it
//! could be.
//!
//! In: a [`Summary`], the timelines of the run, and what the operator asks about (an address, an address with its port,
//! or a name). Out: a page of text. Not its job: the scores themselves (`detect`).

use balefire_detect::{
    BINS_PER_OCTAVE, ControlServer, Evidence, EvidenceKind, INTERVAL_BINS, Summary, Timeline, TimelineRow, Traits,
};

use crate::Style;
use crate::country::country_name;
use crate::document::has_score;
use crate::grid::{Align, Cell, Grid};
use crate::lists::sign_page;
use crate::number::{counted, date_time, duration, percent, score, seconds, thousands, time_of_day};
use crate::place::{COUNTRY_NOTE, socket, socket_with_protocol, source_text};
use crate::text::{clean, shortened};

/// Signs shown in full per server; the rest is counted.
const EVIDENCE_SHOWN: usize = 8;
/// Timelines shown for a server that is not suspected.
const TIMELINES_SHOWN: usize = 20;
/// Last check-in times shown.
const TIMES_SHOWN: usize = 10;
/// Columns of a part's text before it is shortened.
const PART_COLUMNS: usize = 90;

/// The page. `timelines` may be empty; with them a server that is not suspected is explained as well.
pub fn why(summary: &Summary, timelines: &[TimelineRow], asked: &str, style: Style) -> String {
    let servers: Vec<&ControlServer> = summary
        .servers
        .iter()
        .filter(|server| is_asked(server, asked))
        .collect();
    if servers.is_empty() {
        return not_suspected(summary, timelines, asked);
    }
    let mut page = String::new();
    for server in servers {
        page.push_str(&server_page(server, summary, style));
        page.push('\n');
    }
    page.push_str(&format!(
        "Countries: {}. {COUNTRY_NOTE}\n",
        source_text(&summary.country_source)
    ));
    page
}

/// Whether the operator's words name this server: `192.0.2.1`, `192.0.2.1:443`, `[2001:db8::1]:443`, `www.example.org`.
pub fn is_asked(server: &ControlServer, asked: &str) -> bool {
    let asked = asked.trim().trim_end_matches('.');
    server.address.to_string().eq_ignore_ascii_case(asked)
        || socket(server.address, server.port, server.transport).eq_ignore_ascii_case(asked)
        || socket_with_protocol(server).eq_ignore_ascii_case(asked)
        || server.names.iter().any(|name| name.eq_ignore_ascii_case(asked))
}

fn server_page(server: &ControlServer, summary: &Summary, style: Style) -> String {
    let mut page = format!(
        "{}   {} {}   {} {}   {}   first {}, last {}\n",
        socket_with_protocol(server),
        style.class(server.class, server.class.name()),
        if has_score(server) {
            score(server.score)
        } else {
            "by its list".to_owned()
        },
        clean(server.country.code()),
        country_name(&server.country),
        of_hosts(server.hosts.len() as u64, summary.totals.hosts),
        date_time(server.first_ns),
        date_time(server.last_ns),
    );
    if server.behind_relay {
        page.push_str("The address is a relay (a proxy, a resolver): the server behind it is known by its name only, its country not.\n");
    }
    if !server.names.is_empty() {
        let names: Vec<String> = server.names.iter().map(|name| clean(name)).collect();
        page.push_str(&format!("Names used for it: {}\n", names.join(", ")));
    }
    page.push_str(&listed_page(server));
    let mut behaviour = server.evidence.iter().filter(|sign| sign.intel.is_none());
    for evidence in behaviour.by_ref().take(EVIDENCE_SHOWN) {
        page.push('\n');
        page.push_str(&evidence_page(evidence));
    }
    page.push_str(&and_more(behaviour.count(), "sign"));
    page.push_str(&format!(
        "\nAllow: balefire allow add {} --reason ...\n",
        allow_words(server)
    ));
    page
}

/// `1 of 20 hosts`; of a moment in which nobody counted the others, its own alone.
fn of_hosts(hosts: u64, all: u64) -> String {
    if hosts > all {
        counted(hosts, "host")
    } else {
        format!("{} of {}", thousands(hosts), counted(all, "host"))
    }
}

/// What lists say of it, apart from how it behaves.
fn listed_page(server: &ControlServer) -> String {
    let mut listed = server
        .evidence
        .iter()
        .filter_map(|sign| Some((sign, sign.intel.as_ref()?)));
    let mut page = String::new();
    let mut innocent: Vec<&String> = Vec::new();
    for (evidence, sign) in listed.by_ref().take(EVIDENCE_SHOWN) {
        if page.is_empty() {
            page.push_str("\nThreat intelligence\n");
        }
        page.push_str(&sign_page(evidence, sign));
        let fresh = evidence
            .innocent
            .iter()
            .filter(|text| !innocent.contains(text))
            .collect::<Vec<_>>();
        innocent.extend(fresh);
    }
    page.push_str(&and_more(listed.count(), "contact"));
    if !innocent.is_empty() {
        let innocent: Vec<String> = innocent.into_iter().cloned().collect();
        page.push_str(&format!("  Still innocent if: {}.\n", listed_texts(&innocent)));
    }
    page
}

fn and_more(more: usize, noun: &str) -> String {
    if more == 0 {
        return String::new();
    }
    format!("\nand {} more: --format json lists all\n", counted(more as u64, noun))
}

/// The server as a rule of the allowlist names it.
fn allow_words(server: &ControlServer) -> String {
    match server.names.first() {
        Some(name) if server.behind_relay => clean(name),
        _ if server.port > 0 => format!("{} --port {}", server.address, server.port),
        _ => server.address.to_string(),
    }
}

fn evidence_page(evidence: &Evidence) -> String {
    let name = evidence
        .name
        .as_deref()
        .map(|name| format!(" by the name {}", clean(name)))
        .unwrap_or_default();
    let span_ns = evidence.last_ns.saturating_sub(evidence.first_ns);
    let mut page = format!(
        "{} of {}{name}   score {}\n  Timing {}   {}, typically {} apart (+-{}), over {} from {} to {}\n",
        kind_words(evidence.kind),
        evidence.host,
        score(evidence.score),
        score(evidence.timing),
        counted(evidence.check_ins, "check-in"),
        seconds(evidence.interval_s),
        percent(evidence.jitter),
        duration(span_ns),
        date_time(evidence.first_ns),
        time_of_day(evidence.last_ns),
    );
    page.push_str(&places(evidence));
    page.push_str(&payload(&evidence.traits));
    page.push_str(&intervals(&evidence.histogram));
    page.push_str(&hours(&evidence.hours));
    if !evidence.recent_ns.is_empty() {
        let times: Vec<String> = evidence
            .recent_ns
            .iter()
            .rev()
            .take(TIMES_SHOWN)
            .rev()
            .map(|&ns| time_of_day(ns))
            .collect();
        page.push_str(&format!("  Last      {}\n", times.join(" ")));
    }
    page.push_str(&parts(evidence));
    let innocent = match &evidence.innocent[..] {
        [] => "no known innocent service fits, but timing alone never excludes a monitoring or update client of yours"
            .to_owned(),
        open => listed_texts(open),
    };
    page.push_str(&format!("  Still innocent if: {innocent}.\n"));
    if !evidence.missing.is_empty() {
        page.push_str(&format!("  Missing: {}.\n", listed_texts(&evidence.missing)));
    }
    page
}

/// Where it went, if that is more than the server's own address and port, and what its check-ins have in common.
fn places(evidence: &Evidence) -> String {
    let mut text = String::new();
    if evidence.keyed_by.len() > 1 {
        text.push_str(&format!("  Seen      by {}\n", evidence.keyed_by.join(" and by ")));
    }
    if evidence.addresses.len() > 1 {
        let addresses: Vec<String> = evidence.addresses.iter().map(ToString::to_string).collect();
        text.push_str(&format!("  Addresses {}\n", addresses.join(" ")));
    }
    if evidence.ports.len() > 1 {
        let ports: Vec<String> = evidence.ports.iter().map(ToString::to_string).collect();
        text.push_str(&format!("  Ports     {}\n", ports.join(" ")));
    }
    text
}

/// What the payload showed of the two.
fn payload(traits: &Traits) -> String {
    let mut shown = Vec::new();
    shown.extend(traits.protocol.map(|protocol| protocol.name().to_owned()));
    shown.extend(
        traits
            .client
            .as_deref()
            .map(|client| format!("client {}", clean(client))),
    );
    shown.extend(traits.request.as_deref().map(clean));
    let mut text = match &shown[..] {
        [] => String::new(),
        shown => format!("  Payload   {}\n", shortened(&shown.join(", "), PART_COLUMNS)),
    };
    if let Some(certificate) = &traits.certificate {
        let named = |name: &str| {
            if name.is_empty() {
                "nobody".to_owned()
            } else {
                clean(name)
            }
        };
        let signed = if certificate.is_self_signed {
            "signed by itself".to_owned()
        } else {
            format!("issued by {}", named(&certificate.issuer))
        };
        let since = certificate
            .not_before_ns
            .map(|ns| format!(", valid from {}", date_time(ns)));
        let days = certificate
            .validity_days
            .map(|days| format!(" for {}", counted(u64::from(days), "day")));
        text.push_str(&format!(
            "  Server    certificate for {}, {signed}{}{}\n",
            named(&certificate.subject),
            since.unwrap_or_default(),
            days.unwrap_or_default(),
        ));
    }
    text
}

fn listed_texts(texts: &[String]) -> String {
    texts
        .iter()
        .map(|text| clean(text.trim_end_matches('.')))
        .collect::<Vec<_>>()
        .join("; ")
}

/// The interval histogram: a letter per eighth of an octave, whole octaves from the first interval to the last.
fn intervals(histogram: &[u16; INTERVAL_BINS]) -> String {
    let Some(first) = histogram.iter().position(|count| *count > 0) else {
        return String::new();
    };
    let last = histogram.iter().rposition(|count| *count > 0).unwrap_or(first);
    let bins = first - first % BINS_PER_OCTAVE..((last / BINS_PER_OCTAVE + 1) * BINS_PER_OCTAVE).min(INTERVAL_BINS);
    let mut marks = String::new();
    for octave in bins.clone().step_by(BINS_PER_OCTAVE) {
        let start_s = Timeline::bin_start_s(octave).round() as i64;
        marks.push_str(&format!("{:<BINS_PER_OCTAVE$}", short_duration(start_s)));
    }
    format!(
        "  Intervals {}\n            {}\n",
        marks.trim_end(),
        drawn(&histogram[bins])
    )
}

/// Check-ins by UTC hour of day.
fn hours(hours: &[u16; 24]) -> String {
    if hours.iter().all(|count| *count == 0) {
        return String::new();
    }
    format!("  UTC hours 0     6     12    18\n            {}\n", drawn(hours))
}

/// One letter per count, denser for more; a point for none.
fn drawn(counts: &[u16]) -> String {
    let most = f64::from(counts.iter().copied().max().unwrap_or(0).max(1));
    let letter = |count: &u16| match f64::from(*count) / most {
        share if share <= 0.0 => '.',
        share if share <= 1.0 / 16.0 => ',',
        share if share <= 1.0 / 8.0 => ':',
        share if share <= 1.0 / 4.0 => ';',
        share if share <= 1.0 / 2.0 => '!',
        share if share <= 0.8 => '|',
        _ => '#',
    };
    counts.iter().map(letter).collect()
}

/// At most seven letters, to fit above an octave.
fn short_duration(whole_s: i64) -> String {
    match whole_s {
        0..120 => format!("{whole_s} s"),
        120..7200 => format!("{} m", whole_s / 60),
        7200..172_800 => format!("{} h", whole_s / 3600),
        _ => format!("{} d", whole_s / 86_400),
    }
}

/// Every part with its sign, and their sum: the log-odds of the score.
fn parts(evidence: &Evidence) -> String {
    let mut text = String::from("  What it is made of (log-odds, natural logarithm)\n");
    let mut sum = 0.0;
    for part in &evidence.parts {
        sum += part.log_odds;
        let sign = if part.log_odds < 0.0 { '-' } else { '+' };
        let words = shortened(&clean(&part.text), PART_COLUMNS);
        text.push_str(&format!(
            "    {sign} {:>5.2}  {}: {words}\n",
            part.log_odds.abs(),
            part.name
        ));
    }
    let sign = if sum < 0.0 { '-' } else { '+' };
    text.push_str(&format!(
        "    = {sign}{:.2}, a score of {}\n",
        sum.abs(),
        score(evidence.score)
    ));
    text
}

fn kind_words(kind: EvidenceKind) -> &'static str {
    match kind {
        EvidenceKind::ConnectionBeacon => "Repeating connections",
        EvidenceKind::Heartbeat => "Heartbeat inside a long connection",
        EvidenceKind::DnsBeacon => "Repeating DNS queries",
        EvidenceKind::DnsTunnel => "Data in DNS names",
        EvidenceKind::IcmpTunnel => "Data in ICMP echoes",
        EvidenceKind::LongConnection => "A connection that stays open",
        EvidenceKind::RepeatedSessions => "Repeated sessions, alike but not regular,",
        EvidenceKind::DeadServer => "Retries to a dead server",
        EvidenceKind::ThreatIntel => "Contact with a listed server",
        _ => kind.name(),
    }
}

fn not_suspected(summary: &Summary, timelines: &[TimelineRow], asked: &str) -> String {
    let among = match summary.totals.servers {
        0 => "not suspected, and nothing else in this input is".to_owned(),
        1 => "not the one suspected control server of this input".to_owned(),
        more => format!(
            "not among the {} of this input",
            counted(more, "suspected control server")
        ),
    };
    let mut page = format!("{}   {among}.\n", clean(asked));
    let asked = asked.trim().trim_end_matches('.');
    let is_of = |row: &&TimelineRow| {
        row.server.to_string().eq_ignore_ascii_case(asked)
            || format!("{}:{}", row.server, row.port) == asked
            || format!("[{}]:{}", row.server, row.port).eq_ignore_ascii_case(asked)
            || row.name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(asked))
    };
    let mut rows: Vec<&TimelineRow> = timelines.iter().filter(is_of).collect();
    if rows.is_empty() {
        page.push_str("No host went there often enough to have a timeline.\n");
        return page;
    }
    rows.sort_by(|a, b| b.score.total_cmp(&a.score).then(b.check_ins.cmp(&a.check_ins)));
    page.push_str(&format!(
        "\nIts {}, best first:\n",
        counted(rows.len() as u64, "timeline")
    ));
    page.push_str(&timeline_grid(&rows));
    page
}

fn timeline_grid(rows: &[&TimelineRow]) -> String {
    let mut grid = Grid::new(&[
        ("host", Align::Left),
        ("port", Align::Right),
        ("name", Align::Left),
        ("kind", Align::Left),
        ("check-ins", Align::Right),
        ("interval", Align::Right),
        ("jitter", Align::Right),
        ("timing", Align::Right),
        ("score", Align::Right),
    ]);
    for row in rows.iter().take(TIMELINES_SHOWN) {
        grid.row(vec![
            Cell::new(row.host.to_string()),
            Cell::new(row.port.to_string()),
            Cell::new(
                row.name
                    .as_deref()
                    .map_or_else(|| "-".to_owned(), |name| shortened(name, 40)),
            ),
            Cell::new(row.kind.name()),
            Cell::new(thousands(row.check_ins)),
            Cell::new(seconds(row.interval_s)),
            Cell::new(percent(row.jitter)),
            Cell::new(score(row.timing)),
            Cell::new(score(row.score)),
        ]);
    }
    grid.text()
}

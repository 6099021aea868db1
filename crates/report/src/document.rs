//! The JSON document: one object that holds all a summary says.
//!
//! In: a [`Summary`] and the sensor's name. Out: JSON text that is the same for the same summary, byte for byte: fields
//! in a fixed order, numbers rounded to a stated precision, times in RFC 3339 UTC with six digits. Nothing of the run's
//! circumstances (file names, speed, worker threads) is in it. Not its job: hours, files, terminals.
//!
//! Precision: `score`, `timing` and `jitter` 4 decimals, `interval_s` and `log_odds` 3, shares 6, a part's `value` 6
//! significant digits. A number that does not exist is `null`.

use std::collections::BTreeMap;

use balefire_detect::{
    Accounting, Allowed, Class, ControlServer, CountryRow, CountrySource, Evidence, Gap, IntelList, IntelSign, Period,
    PeriodKind, Protocol, Reject, ScorePart, Summary, Timeline, Totals, Traits,
};
use serde::Serialize;

use crate::number::rfc3339;
use crate::text::clean;

/// Name and version of the document's schema; the number grows when a field changes its meaning or goes.
pub const SCHEMA: &str = "balefire-summary/1";

/// The summary as JSON, indented, with a line end.
///
/// # Errors
/// None in practice: every value of the document has a JSON form. Kept as a result so that nothing here can panic.
pub fn json(summary: &Summary, sensor: &str) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(&Document::from_summary(summary, sensor)).map(|text| text + "\n")
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    sensor: String,
    period: PeriodFields,
    country_source: SourceFields,
    accounting: AccountingFields,
    totals: TotalsFields,
    servers: Vec<ServerFields<'a>>,
    countries: Vec<CountryFields>,
    intel: Vec<ListFields>,
    allowed: AllowedFields,
}

impl<'a> Document<'a> {
    fn from_summary(summary: &'a Summary, sensor: &str) -> Self {
        Self {
            schema: SCHEMA,
            sensor: clean(sensor),
            period: PeriodFields::new(&summary.period, summary),
            country_source: SourceFields::new(&summary.country_source),
            accounting: AccountingFields::new(&summary.accounting),
            totals: TotalsFields::new(&summary.totals),
            servers: summary.servers.iter().map(ServerFields::new).collect(),
            countries: summary.countries.iter().map(CountryFields::new).collect(),
            intel: summary.intel.iter().map(ListFields::new).collect(),
            allowed: AllowedFields::new(&summary.allowed),
        }
    }
}

#[derive(Serialize)]
struct PeriodFields {
    kind: &'static str,
    start: String,
    end: String,
    partial: bool,
    first_packet: Option<String>,
    last_packet: Option<String>,
}

impl PeriodFields {
    fn new(period: &Period, summary: &Summary) -> Self {
        Self {
            kind: match period.kind {
                PeriodKind::Hour => "hour",
                PeriodKind::Run => "run",
            },
            start: rfc3339(period.start_ns),
            end: rfc3339(period.end_ns),
            partial: period.partial,
            first_packet: summary.first_packet_ns.map(rfc3339),
            last_packet: summary.last_packet_ns.map(rfc3339),
        }
    }
}

#[derive(Serialize)]
struct SourceFields {
    name: String,
    date: String,
    meaning: String,
    note: &'static str,
}

impl SourceFields {
    fn new(source: &CountrySource) -> Self {
        Self {
            name: clean(&source.name),
            date: clean(&source.date),
            meaning: clean(source.meaning),
            note: "every country here is the hosting country of an address; an address is not an actor",
        }
    }
}

#[derive(Serialize)]
struct AccountingFields {
    received: u64,
    wire_bytes: u64,
    decoded: u64,
    not_ip: u64,
    rejected: u64,
    dropped: u64,
    decode_panics: u64,
    late: u64,
    clock_steps: u64,
    evictions: u64,
    rejects: BTreeMap<&'static str, u64>,
    queue_drops: Vec<QueueFields>,
    kernel_drops: Option<u64>,
    interface_drops: Option<u64>,
    gaps: Vec<GapFields>,
}

#[derive(Serialize)]
struct GapFields {
    interface: String,
    from: String,
    until: String,
    reason: String,
}

impl GapFields {
    fn new(gap: &Gap) -> Self {
        Self {
            interface: clean(&gap.interface),
            from: rfc3339(gap.from_ns),
            until: rfc3339(gap.until_ns),
            reason: clean(&gap.reason),
        }
    }
}

#[derive(Serialize)]
struct QueueFields {
    worker: u32,
    frames: u64,
}

impl AccountingFields {
    fn new(accounting: &Accounting) -> Self {
        let mut rejects: BTreeMap<_, _> = Reject::ALL.iter().map(|reason| (reason.name(), 0)).collect();
        for (reason, frames) in &accounting.rejects {
            *rejects.entry(reason.name()).or_default() += frames;
        }
        let split = Split::of(accounting);
        // Queues without a drop are left out: how many there are must not change the document of a file.
        let queues = accounting.queue_drops.iter().filter(|queue| queue.frames > 0);
        Self {
            received: accounting.received,
            wire_bytes: accounting.wire_bytes,
            decoded: accounting.decoded,
            not_ip: split.not_ip,
            rejected: split.rejected,
            dropped: split.dropped,
            decode_panics: accounting.decode_panics,
            late: accounting.late,
            clock_steps: accounting.clock_steps,
            evictions: accounting.evictions,
            rejects,
            queue_drops: queues
                .map(|queue| QueueFields {
                    worker: queue.worker,
                    frames: queue.frames,
                })
                .collect(),
            kernel_drops: accounting.kernel_drops,
            interface_drops: accounting.interface_drops,
            gaps: accounting.gaps.iter().map(GapFields::new).collect(),
        }
    }
}

/// The right side of `received = decoded + not IP + rejected + dropped`; a decoder's failure counts as rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Split {
    pub(crate) not_ip: u64,
    pub(crate) rejected: u64,
    pub(crate) dropped: u64,
}

impl Split {
    pub(crate) fn of(accounting: &Accounting) -> Self {
        let frames_of = |not_ip: bool| -> u64 {
            let reasons = accounting
                .rejects
                .iter()
                .filter(|(reason, _)| (*reason == Reject::NotIp) == not_ip);
            reasons.map(|(_, frames)| frames).sum()
        };
        Self {
            not_ip: frames_of(true),
            rejected: frames_of(false) + accounting.decode_panics,
            dropped: accounting.queue_drops.iter().map(|queue| queue.frames).sum(),
        }
    }
}

#[derive(Serialize)]
struct TotalsFields {
    hosts: u64,
    destinations: u64,
    connections: u64,
    timelines: u64,
    servers: u64,
    servers_by_class: BTreeMap<&'static str, u64>,
    controlled_hosts: u64,
    servers_abroad: Option<u64>,
    hosts_abroad: Option<u64>,
}

impl TotalsFields {
    fn new(totals: &Totals) -> Self {
        let classes = [Class::Suspected, Class::Probable, Class::Confirmed].map(Class::name);
        Self {
            hosts: totals.hosts,
            destinations: totals.destinations,
            connections: totals.connections,
            timelines: totals.timelines,
            servers: totals.servers,
            servers_by_class: classes.into_iter().zip(totals.servers_by_class).collect(),
            controlled_hosts: totals.controlled_hosts,
            servers_abroad: totals.servers_abroad,
            hosts_abroad: totals.hosts_abroad,
        }
    }
}

#[derive(Serialize)]
struct ServerFields<'a> {
    rank: u32,
    address: String,
    port: u16,
    protocol: &'static str,
    names: Vec<String>,
    hosting_country: String,
    class: &'static str,
    score: Option<f64>,
    behind_relay: bool,
    hosts: Vec<String>,
    first: String,
    last: String,
    check_ins: u64,
    evidence: Vec<EvidenceFields<'a>>,
}

impl<'a> ServerFields<'a> {
    fn new(server: &'a ControlServer) -> Self {
        Self {
            rank: server.rank,
            address: server.address.to_string(),
            port: server.port,
            protocol: server.transport.name(),
            names: server.names.iter().map(|name| clean(name)).collect(),
            hosting_country: clean(server.country.code()),
            class: server.class.name(),
            score: decimals(server.score, 4).filter(|_| has_score(server)),
            behind_relay: server.behind_relay,
            hosts: server.hosts.iter().map(ToString::to_string).collect(),
            first: rfc3339(server.first_ns),
            last: rfc3339(server.last_ns),
            check_ins: server.check_ins,
            evidence: server.evidence.iter().map(EvidenceFields::new).collect(),
        }
    }
}

#[derive(Serialize)]
struct EvidenceFields<'a> {
    kind: &'static str,
    host: String,
    name: Option<String>,
    addresses: Vec<String>,
    ports: &'a [u16],
    keyed_by: &'a [&'static str],
    interval_s: Option<f64>,
    jitter: Option<f64>,
    check_ins: u64,
    first: String,
    last: String,
    timing: Option<f64>,
    score: Option<f64>,
    parts: Vec<PartFields<'a>>,
    innocent: Vec<String>,
    missing: Vec<String>,
    intervals: Vec<IntervalFields>,
    hours: &'a [u16],
    recent: Vec<String>,
    traits: TraitsFields,
    intel: Option<IntelFields>,
}

impl<'a> EvidenceFields<'a> {
    fn new(evidence: &'a Evidence) -> Self {
        // What a list names has no timing, and no score that could be one.
        let measured = |number: Option<f64>| number.filter(|_| evidence.intel.is_none());
        Self {
            kind: evidence.kind.name(),
            host: evidence.host.to_string(),
            name: evidence.name.as_deref().map(clean),
            addresses: evidence.addresses.iter().map(ToString::to_string).collect(),
            ports: &evidence.ports,
            keyed_by: &evidence.keyed_by,
            interval_s: measured(decimals(evidence.interval_s, 3)),
            jitter: measured(decimals(evidence.jitter, 4)),
            check_ins: evidence.check_ins,
            first: rfc3339(evidence.first_ns),
            last: rfc3339(evidence.last_ns),
            timing: measured(decimals(evidence.timing, 4)),
            score: measured(decimals(evidence.score, 4)),
            parts: evidence.parts.iter().map(PartFields::new).collect(),
            innocent: evidence.innocent.iter().map(|text| clean(text)).collect(),
            missing: evidence.missing.iter().map(|text| clean(text)).collect(),
            intervals: IntervalFields::of(evidence),
            hours: &evidence.hours,
            recent: evidence.recent_ns.iter().map(|&time_ns| rfc3339(time_ns)).collect(),
            traits: TraitsFields::new(&evidence.traits),
            intel: evidence.intel.as_ref().map(IntelFields::new),
        }
    }
}

/// What the payload showed.
#[derive(Serialize)]
struct TraitsFields {
    protocol: Option<&'static str>,
    client: Option<String>,
    request: Option<String>,
    certificate: Option<CertificateFields>,
}

#[derive(Serialize)]
struct CertificateFields {
    subject: String,
    issuer: String,
    self_signed: bool,
    not_before: Option<String>,
    validity_days: Option<u32>,
}

impl TraitsFields {
    fn new(traits: &Traits) -> Self {
        Self {
            protocol: traits.protocol.map(Protocol::name),
            client: traits.client.as_deref().map(clean),
            request: traits.request.as_deref().map(clean),
            certificate: traits.certificate.as_ref().map(|certificate| CertificateFields {
                subject: clean(&certificate.subject),
                issuer: clean(&certificate.issuer),
                self_signed: certificate.is_self_signed,
                not_before: certificate.not_before_ns.map(rfc3339),
                validity_days: certificate.validity_days,
            }),
        }
    }
}

/// Whether behaviour has anything to say of it.
pub fn has_score(server: &ControlServer) -> bool {
    server.score > 0.0 || server.class != Class::Confirmed
}

/// By what a listed server was met, and which entries name it.
#[derive(Serialize)]
struct IntelFields {
    contact: &'static str,
    matches: Vec<MatchFields>,
}

#[derive(Serialize)]
struct MatchFields {
    list: String,
    line: u32,
    indicator: String,
    label: Option<String>,
}

impl IntelFields {
    fn new(sign: &IntelSign) -> Self {
        let matches = sign.matches.iter().map(|found| MatchFields {
            list: clean(&found.list),
            line: found.line,
            indicator: clean(&found.indicator),
            label: found.label.as_deref().map(clean),
        });
        Self {
            contact: sign.contact.name(),
            matches: matches.collect(),
        }
    }
}

/// A list of threat intelligence.
#[derive(Serialize)]
struct ListFields {
    name: String,
    indicators: u64,
}

impl ListFields {
    fn new(list: &IntelList) -> Self {
        Self {
            name: clean(&list.name),
            indicators: list.indicators,
        }
    }
}

/// What the allowlist hid.
#[derive(Serialize)]
struct AllowedFields {
    findings: u64,
    rules: Vec<RuleFields>,
}

#[derive(Serialize)]
struct RuleFields {
    rule: String,
    reason: String,
    expires: Option<String>,
    expired: bool,
    hits: u64,
}

impl AllowedFields {
    fn new(allowed: &Allowed) -> Self {
        let rules = allowed.rules.iter().map(|rule| RuleFields {
            rule: clean(&rule.rule),
            reason: clean(&rule.reason),
            expires: rule.expires_ns.map(rfc3339),
            expired: rule.expired,
            hits: rule.hits,
        });
        Self {
            findings: allowed.findings,
            rules: rules.collect(),
        }
    }
}

/// A bin of the interval histogram that is not empty; bins are an eighth of an octave wide.
#[derive(Serialize)]
struct IntervalFields {
    from_s: Option<f64>,
    count: u16,
}

impl IntervalFields {
    fn of(evidence: &Evidence) -> Vec<Self> {
        let bins = evidence.histogram.iter().enumerate().filter(|(_, count)| **count > 0);
        bins.map(|(bin, &count)| Self {
            from_s: decimals(Timeline::bin_start_s(bin), 3),
            count,
        })
        .collect()
    }
}

#[derive(Serialize)]
struct PartFields<'a> {
    name: &'a str,
    value: Option<f64>,
    log_odds: Option<f64>,
    text: String,
}

impl<'a> PartFields<'a> {
    fn new(part: &'a ScorePart) -> Self {
        Self {
            name: part.name,
            value: significant(part.value, 6),
            log_odds: decimals(part.log_odds, 3),
            text: clean(&part.text),
        }
    }
}

#[derive(Serialize)]
struct CountryFields {
    country: String,
    servers: u64,
    hosts: u64,
    rank_by_servers: u32,
    rank_by_hosts: u32,
    share_of_servers: Option<f64>,
    share_of_hosts: Option<f64>,
    connections: u64,
    bytes_out: u64,
    bytes_in: u64,
    packets: u64,
}

impl CountryFields {
    fn new(row: &CountryRow) -> Self {
        Self {
            country: clean(row.country.code()),
            servers: row.servers,
            hosts: row.hosts,
            rank_by_servers: row.rank_by_servers,
            rank_by_hosts: row.rank_by_hosts,
            share_of_servers: decimals(row.share_of_servers, 6),
            share_of_hosts: decimals(row.share_of_hosts, 6),
            connections: row.connections,
            bytes_out: row.bytes_out,
            bytes_in: row.bytes_in,
            packets: row.packets,
        }
    }
}

/// The number with that many decimals, `None` where there is none; never `-0.0`.
pub(crate) fn decimals(number: f64, places: i32) -> Option<f64> {
    let scale = 10f64.powi(places);
    // Past 2^53 there are no decimals to round.
    let rounded = if number.abs() < 1e12 {
        (number * scale).round() / scale
    } else {
        number
    };
    rounded.is_finite().then_some(rounded + 0.0)
}

/// The number with that many significant digits.
fn significant(number: f64, digits: i32) -> Option<f64> {
    if number == 0.0 || !number.is_finite() {
        return number.is_finite().then_some(0.0);
    }
    let places = digits - 1 - number.abs().log10().floor() as i32;
    if (0..=300).contains(&places) {
        decimals(number, places)
    } else {
        decimals(number, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding() {
        assert_eq!(decimals(0.123_456, 4), Some(0.1235));
        assert_eq!(decimals(-0.000_01, 4).map(f64::to_bits), Some(0.0f64.to_bits()));
        assert_eq!(decimals(f64::NAN, 4), None);
        assert_eq!(decimals(f64::INFINITY, 4), None);
        assert_eq!(significant(1_234.567_89, 6), Some(1234.57));
        assert_eq!(significant(0.000_123_456_789, 6), Some(0.000_123_457));
        assert_eq!(significant(123_456_789.4, 6), Some(123_456_789.0));
        assert_eq!(significant(0.0, 6), Some(0.0));
    }
}

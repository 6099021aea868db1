//! Sentences for weights: what a part of a score means, which innocent explanations stay open, what could not be seen.
//!
//! In: timing, facts and context of one timeline. Out: [`ScorePart`]s and texts of an [`crate::Evidence`]. Not its job: the numbers,
//! layout.

use balefire_track::Protocol;

use crate::Timing;
use crate::context::{Context, Facts, Weight, part};
use crate::home::Role;
use crate::key::Scope;
use crate::score::Judged;
use crate::sketched::Sketch;
use crate::summary::{EvidenceKind, ScorePart};
use crate::timing::BASE_RATE;

/// Every part of a score, largest magnitude first.
pub(crate) fn parts(timing: &Timing, judged: &Judged, facts: &Facts<'_>) -> Vec<ScorePart> {
    let context = &judged.context;
    let by_sketch = matches!(
        facts.sketch,
        Some(Sketch::Names(_) | Sketch::Echoes(_) | Sketch::Lasting(_))
    );
    let by_rhythm = judged.kind == facts.kind && !by_sketch;
    let mut parts = vec![
        if by_rhythm {
            ScorePart {
                name: "timing",
                value: timing.probability,
                log_odds: judged.base,
                text: timing_text(timing, facts),
            }
        } else {
            ScorePart {
                name: "base_rate",
                value: BASE_RATE,
                log_odds: judged.base,
                text: format!("one timeline in {:.0} is of a control server", 1.0 / BASE_RATE),
            }
        },
        ScorePart {
            name: "periodic_too",
            value: f64::from(facts.check_ins),
            log_odds: judged.periodic,
            text: "update checks and monitoring are as regular; more check-ins than these would tell".to_owned(),
        },
    ];
    parts.retain(|part| part.log_odds != 0.0);
    parts.extend(context.iter().map(|weight| ScorePart {
        name: weight.name,
        value: weight.value,
        log_odds: weight.log_odds,
        text: text(weight, context, facts),
    }));
    parts.sort_by(|one, two| {
        two.log_odds
            .abs()
            .total_cmp(&one.log_odds.abs())
            .then(one.name.cmp(two.name))
    });
    parts
}

fn timing_text(timing: &Timing, facts: &Facts<'_>) -> String {
    let what = match facts.kind {
        EvidenceKind::ConnectionBeacon => "connections",
        EvidenceKind::Heartbeat => "client bursts inside connections",
        EvidenceKind::DnsBeacon => "DNS queries",
        _ => "events",
    };
    let how = match timing.probability {
        0.9.. => "regular",
        0.5.. => "rather regular",
        _ => "not regular by themselves",
    };
    format!(
        "{} {what}, {how}: every {:.3} s, jitter {:.0} %",
        facts.check_ins,
        timing.interval_s,
        timing.jitter * 100.0
    )
}

fn text(weight: &Weight, context: &Context, facts: &Facts<'_>) -> String {
    match weight.name {
        part::PREVALENCE if facts.hosts_there <= 1 => format!("only host of {} that goes there", facts.hosts_all),
        part::PREVALENCE => format!("{} of {} hosts go there", facts.hosts_there, facts.hosts_all),
        part::BARE_ADDRESS if weight.value > 0.0 => "bare address, never resolved by this host".to_owned(),
        part::BARE_ADDRESS => "bare address, no name seen with it".to_owned(),
        part::SIZES if matches!(facts.sketch, Some(Sketch::Names(_))) => {
            format!("{:.0} % of queries ask for a new name", weight.value * 100.0)
        }
        part::SIZES if weight.log_odds > 0.0 => {
            format!(
                "sent sizes alike: {:.0} % near {} B",
                weight.value * 100.0,
                facts.typical_size_bytes
            )
        }
        part::SIZES => format!(
            "sent sizes differ: only {:.0} % near {} B",
            weight.value * 100.0,
            facts.typical_size_bytes
        ),
        part::FAILED => format!("{} of {} connections unanswered or refused", facts.failed, facts.closed),
        part::ANSWERS if weight.log_odds > 0.0 => format!("short answers: {:.0} B each", weight.value),
        part::ANSWERS => format!("long answers, as of content: {:.0} kB each", weight.value / 1e3),
        part::ODD_PORT => format!("port {} of no usual service", facts.port),
        part::KNOWN_SERVICE => {
            let known: Vec<_> = context
                .innocent
                .iter()
                .flatten()
                .map(|innocent| innocent.what)
                .collect();
            format!("looks like {}", known.join(", "))
        }
        part::PROXY => "a proxy: its targets are judged by name".to_owned(),
        part::ABROAD => format!("hosted abroad ({})", facts.country.code()),
        part::FEW if facts.kind == EvidenceKind::Heartbeat => {
            format!("only {} a connection", several(weight.value, "burst"))
        }
        part::FEW => format!("only {}", several(facts.check_ins as f64, "check-in")),
        part::NAMED => format!("a name is given: {}", facts.name.unwrap_or("-")),
        part::PARALLEL => format!(
            "{:.0} % of connections opened together with another, as browsers do",
            weight.value * 100.0
        ),
        part::SERVICES => format!("one of {:.0} services that this host talks to", weight.value),
        part::ALIKE => format!(
            "the host uses {:.0} servers in this same way, as one program does",
            weight.value
        ),
        part::CERTIFICATE => format!(
            "certificates of no public authority in {:.0} % of connections",
            weight.value * 100.0
        ),
        part::BARE_HELLO => format!(
            "TLS without a server name in {:.0} % of connections",
            weight.value * 100.0
        ),
        part::BARE_REQUEST => format!(
            "HTTP without a server's name in {:.0} % of connections",
            weight.value * 100.0
        ),
        part::BARE_POST => format!("{:.0} % of connections post to a bare address", weight.value * 100.0),
        part::FORGED => format!(
            "{} is given as name, yet the address is inside",
            facts.name.unwrap_or("-")
        ),
        part::REPEATS => format!("{:.0} sessions, again and again", weight.value),
        part::RHYTHM => format!("their times alone: {:.3}", weight.value),
        part::RETRIES => format!("{:.0} tries unanswered or refused", weight.value),
        part::LASTING => format!("tried for {}", span(weight.value)),
        part::UNIQUE_NAMES => format!("about {:.0} different names below it", weight.value),
        part::LONG_NAMES => format!("{:.0} octets of each name carry data", weight.value),
        part::NAME_ENTROPY => format!("{:.1} bits of entropy an octet", weight.value),
        part::RECORD_TYPES if weight.log_odds > 0.0 => format!(
            "{:.0} % of queries are of types that hosts seldom ask for",
            weight.value * 100.0
        ),
        part::RECORD_TYPES => "only ordinary types are asked for".to_owned(),
        part::CLIENT if weight.value < 1.5 => {
            format!(
                "no other of {} hosts shows this client (JA4, User-Agent)",
                facts.hosts_all
            )
        }
        part::CLIENT => format!(
            "about {:.0} of {} hosts show this client (JA4, User-Agent)",
            weight.value, facts.hosts_all
        ),
        part::ANSWERS_ALIKE => "most answers have the very same length".to_owned(),
        part::ALTERED if weight.log_odds < 0.0 => "replies return what was sent".to_owned(),
        part::ALTERED => format!(
            "{:.0} % of replies return something else than was sent",
            weight.value * 100.0
        ),
        part::UNASKED => format!(
            "{:.0} % of replies answer no request that was seen",
            weight.value * 100.0
        ),
        part::CHANGING if weight.log_odds < 0.0 => "requests repeat one pattern, as ping does".to_owned(),
        part::CHANGING => format!("{:.0} % of requests carry data of their own", weight.value * 100.0),
        part::LENGTHS => format!("about {:.0} different lengths", weight.value),
        part::VOLUME => format!("{:.1} kB went through", weight.value / 1e3),
        part::LONG_ECHOES => format!("{:.0} octets in each", weight.value),
        part::OPEN => format!("open for {:.1} h", weight.value),
        part::CARRIES => format!("{:.1} kB an hour both ways", weight.value / 1e3),
        part::PROTOCOL if weight.value > 0.0 => "SSH, which people keep open".to_owned(),
        part::PROTOCOL => "its first words are of no known protocol".to_owned(),
        part::ALONE => "nothing repeats, so by itself it is never probable".to_owned(),
        part::TOGETHER => format!("{:.0} ports or neighbouring addresses taken together", weight.value),
        part::COMES_BACK => format!(
            "{:.1} check-ins with each of them; a scan looks like this",
            weight.value
        ),
        part::MISMATCH => mismatch_text(weight.value, facts),
        part::KNOWN_FOR if weight.log_odds > 0.0 => format!(
            "first used {} ago, in {} of watching",
            several(weight.value, "day"),
            several(facts.days.map_or(0.0, |(_, watched)| f64::from(watched)), "day")
        ),
        part::KNOWN_FOR => format!("in use since the watch began, {} ago", several(weight.value, "day")),
        part::SPOKEN => match facts.protocol {
            Some(Protocol::Ssh) => "SSH, over which backups and remote commands run on a timer".to_owned(),
            Some(Protocol::Smtp) => "mail, which servers deliver again and again".to_owned(),
            _ => "IRC, which few but bots still speak".to_owned(),
        },
        part::CAPPED => format!("all signs together raise by {:.0} at most", weight.value),
        part::BESIDE => format!(
            "something else is suspected of this host, with a score of {}",
            match weight.value {
                // As scores are printed everywhere: none is a certainty.
                high if high >= 0.995 => ">0.99".to_owned(),
                other => format!("{other:.2}"),
            }
        ),
        part::DRAWN if weight.log_odds > 0.0 => format!(
            "intervals vary by {:.0} %, as of sleeps drawn from a range; what polls has a timer",
            weight.value * 100.0
        ),
        part::DRAWN => "intervals as even as a timer's".to_owned(),
        part::BRIEF => format!("all within {}", span(weight.value)),
        part::KIND if facts.kind == EvidenceKind::DnsBeacon => {
            "names in constant use are asked for again as they expire".to_owned()
        }
        part::KIND => "push, chat and web sockets keep connections alive too".to_owned(),
        other => other.to_owned(),
    }
}

/// Seconds in the two largest units that people would use: `88 s`, `12 m 5 s`, `7 h 52 m`, `3 d 4 h`.
fn span(seconds: f64) -> String {
    let whole_s = seconds.max(0.0).round() as u64;
    let (days, hours, minutes, rest_s) = (whole_s / 86_400, whole_s / 3600 % 24, whole_s / 60 % 60, whole_s % 60);
    match whole_s {
        0..120 => format!("{whole_s} s"),
        120..3600 => format!("{minutes} m {rest_s} s"),
        3600..86_400 => format!("{hours} h {minutes} m"),
        _ => format!("{days} d {hours} h"),
    }
}

/// `1 day`, `2 days`.
fn several(number: f64, noun: &str) -> String {
    let number = format!("{number:.0}");
    let end = if number == "1" { "" } else { "s" };
    format!("{number} {noun}{end}")
}

/// What was spoken, and what the port stands for.
fn mismatch_text(share: f64, facts: &Facts<'_>) -> String {
    let usual = Protocol::usual_at(facts.transport, facts.port);
    let usual = usual.first().map_or("another protocol", |protocol| protocol.name());
    let spoken = match facts.protocol {
        None | Some(Protocol::Unknown) => "no known protocol",
        Some(protocol) => protocol.name(),
    };
    format!(
        "{spoken} at port {}, which is for {usual}, in {:.0} % of connections",
        facts.port,
        share * 100.0
    )
}

/// Explanations that would make it harmless, for people to check.
pub(crate) fn innocent(judged: &Judged, facts: &Facts<'_>) -> Vec<String> {
    let mut open: Vec<String> = judged
        .context
        .innocent
        .iter()
        .flatten()
        .map(|innocent| format!("it is {}", innocent.what))
        .collect();
    match judged.kind {
        EvidenceKind::DeadServer => {
            open.push("a program of yours still asks for a service that is gone".to_owned());
        }
        EvidenceKind::RepeatedSessions => {
            open.push("an appliance or program of yours with its server's address built in".to_owned());
        }
        EvidenceKind::DnsTunnel => {
            open.push("a product that asks for reputations or sends telemetry in names".to_owned());
        }
        EvidenceKind::IcmpTunnel => {
            open.push(
                "a probe of yours that fills its pings with random data, or a middlebox that alters replies".to_owned(),
            );
        }
        EvidenceKind::LongConnection => {
            open.push("push, chat, remote work or a private network of yours without a name".to_owned());
        }
        EvidenceKind::ConnectionBeacon if facts.failed * 2 > facts.closed && facts.closed > 0 => {
            open.push("a program of yours still asks for a service that is gone".to_owned());
        }
        EvidenceKind::ConnectionBeacon => {
            open.push("a monitoring agent or update client of yours polls it".to_owned());
        }
        EvidenceKind::Heartbeat => open.push("an application keeps its connection alive".to_owned()),
        EvidenceKind::DnsBeacon => open.push("a program looks the name up on a timer or as it expires".to_owned()),
        // What lists name has no rhythm to explain.
        EvidenceKind::ThreatIntel => {}
    }
    if facts.role == Role::Internal {
        open.push("a service inside your own network".to_owned());
    }
    if facts.hosts_all >= 4 && facts.hosts_there * 4 >= facts.hosts_all {
        open.push("common software: a quarter or more of all hosts go there".to_owned());
    }
    open.dedup();
    open
}

/// What was not there to be seen and would have helped.
pub(crate) fn missing(facts: &Facts<'_>) -> Vec<String> {
    let mut missing = Vec::new();
    if facts.scope == Scope::Service && facts.name.is_none() {
        missing.push("a name: none in TLS or HTTP".to_owned());
    }
    if facts.closed == 0 && facts.kind == EvidenceKind::ConnectionBeacon {
        missing.push("an ended connection, so neither sizes nor outcomes are known".to_owned());
    }
    if facts.hosts_all < 4 {
        missing.push(format!("other hosts to compare with: only {} seen", facts.hosts_all));
    }
    if matches!(facts.scope, Scope::ConnectTarget | Scope::Domain) {
        missing.push("the server's own address: it is behind a relay".to_owned());
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_weight_has_its_own_sentence() {
        let facts = crate::context::Facts {
            kind: EvidenceKind::Heartbeat,
            scope: Scope::Service,
            role: Role::Outbound,
            server: balefire_decode::Address::v4([192, 0, 2, 1]),
            port: 4433,
            transport: balefire_decode::Transport::TCP,
            name: None,
            check_ins: 5,
            named: 0,
            relayed: 0,
            closed: 5,
            failed: 5,
            starts: 9,
            parallel: 5,
            span_ns: 5_000_000_000,
            received_bytes: 0,
            size_regularity: None,
            typical_size_bytes: 0,
            country: crate::Country(*b"NL"),
            home_country: Some(crate::Country(*b"DE")),
            hosts_there: 1,
            hosts_all: 9,
            bare_hellos: 5,
            odd_certificates: 5,
            bare_requests: 0,
            bare_posts: 0,
            mismatched: 5,
            protocol: Some(Protocol::Ssh),
            days: Some((1, 9)),
            services: 9,
            names: true,
            resolves: true,
            resolved: None,
            alike: 3,
            beside: 0.0,
            client_hosts: None,
            answers_alike: None,
            sketch: None,
        };
        let timing = crate::score_timing(&crate::Timeline::new(0, 0));
        let judged = crate::score::judge(&timing, &facts);
        for weight in Context::of(&facts).iter() {
            let text = text(weight, &judged.context, &facts);
            assert!(text.contains(' '), "{text}");
        }
        assert!(!missing(&facts).is_empty() && !innocent(&judged, &facts).is_empty());
    }
}

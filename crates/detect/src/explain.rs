//! Sentences for weights: what a part of a score means, which innocent explanations stay open, what could not be seen.
//!
//! In: timing, facts and context of one timeline. Out: [`ScorePart`]s and texts of an [`crate::Evidence`]. Not its job: the numbers,
//! layout.

use crate::Timing;
use crate::context::{Context, Facts, Weight, part};
use crate::home::Role;
use crate::key::Scope;
use crate::summary::{EvidenceKind, ScorePart};

/// Every part of a score, largest magnitude first.
pub(crate) fn parts(timing: &Timing, context: &Context, facts: &Facts<'_>, prior: f64) -> Vec<ScorePart> {
    let mut parts = vec![
        ScorePart {
            name: "timing",
            value: timing.probability,
            log_odds: timing.log_odds,
            text: timing_text(timing, facts),
        },
        ScorePart {
            name: "prior",
            value: prior,
            log_odds: prior,
            text: "how rare control servers are among regular timelines".to_owned(),
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
        part::BARE_ADDRESS => "bare address, no name seen with it".to_owned(),
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
        part::FEW if facts.kind == EvidenceKind::Heartbeat => format!("only {} bursts a connection", weight.value),
        part::FEW => format!("only {} check-ins", facts.check_ins),
        part::NAMED => format!("a name is given: {}", facts.name.unwrap_or("-")),
        part::PARALLEL => format!(
            "{:.0} % of connections opened together with another, as browsers do",
            weight.value * 100.0
        ),
        part::BRIEF => format!("all within {:.0} s", weight.value),
        part::KIND if facts.kind == EvidenceKind::DnsBeacon => {
            "names in constant use are asked for again as they expire".to_owned()
        }
        part::KIND => "push, chat and web sockets keep connections alive too".to_owned(),
        other => other.to_owned(),
    }
}

/// Explanations that would make it harmless, for people to check.
pub(crate) fn innocent(context: &Context, facts: &Facts<'_>) -> Vec<String> {
    let mut open: Vec<String> = context
        .innocent
        .iter()
        .flatten()
        .map(|innocent| format!("it is {}", innocent.what))
        .collect();
    match facts.kind {
        EvidenceKind::ConnectionBeacon if facts.failed * 2 > facts.closed && facts.closed > 0 => {
            open.push("a program of yours still asks for a service that is gone".to_owned());
        }
        EvidenceKind::ConnectionBeacon => {
            open.push("a monitoring agent or update client of yours polls it".to_owned());
        }
        EvidenceKind::Heartbeat => open.push("an application keeps its connection alive".to_owned()),
        EvidenceKind::DnsBeacon => open.push("a program looks the name up on a timer or as it expires".to_owned()),
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
        };
        let context = Context::of(&facts);
        for weight in context.iter() {
            let text = text(weight, &context, &facts);
            assert!(text.contains(' '), "{text}");
        }
        assert!(!missing(&facts).is_empty() && !innocent(&context, &facts).is_empty());
    }
}

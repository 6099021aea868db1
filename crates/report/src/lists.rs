//! What the operator's own lists did: which contacts they name, which findings they hide.
//!
//! In: signs of threat intelligence, the allowlist's tally. Out: lines of the page and of the page of one server. Not its job:
//! matching (`detect`).

use balefire_detect::{Allowed, Contact, Evidence, IndicatorMatch, IntelList, IntelSign};

use crate::grid::{Align, Cell, Grid};
use crate::number::{counted, date_time, rfc3339, thousands, time_of_day};
use crate::text::{clean, shortened};

/// Rules shown on the page; JSON has all.
const RULES_SHOWN: usize = 20;
/// Columns of a rule, and of its reason.
const RULE_COLUMNS: usize = 48;
/// Lists named on the page.
const LISTS_NAMED: usize = 4;
/// Columns of what a list says of an entry.
const LABEL_COLUMNS: usize = 60;

/// Which lists were in force.
pub(crate) fn intel_line(lists: &[IntelList]) -> String {
    if lists.is_empty() {
        return String::new();
    }
    let indicators: u64 = lists.iter().map(|list| list.indicators).sum();
    let names: Vec<String> = lists.iter().take(LISTS_NAMED).map(|list| clean(&list.name)).collect();
    let more = lists.len().saturating_sub(LISTS_NAMED);
    let more = if more > 0 {
        format!(" and {} more", thousands(more as u64))
    } else {
        String::new()
    };
    format!(
        "Threat intelligence: {} of {} ({}{more}).\n",
        counted(indicators, "indicator"),
        counted(lists.len() as u64, "list"),
        names.join(", "),
    )
}

/// What was hidden, rule by rule; nothing where there are no rules.
pub(crate) fn allowed_lines(allowed: &Allowed) -> String {
    if allowed.rules.is_empty() {
        return String::new();
    }
    let count = |wanted: fn(&balefire_detect::AllowedRule) -> bool| {
        thousands(allowed.rules.iter().filter(|rule| wanted(rule)).count() as u64)
    };
    let mut text = format!(
        "Allowlist: {} hidden by {} of {}; {} without hits, {} expired.\n",
        counted(allowed.findings, "finding"),
        count(|rule| rule.hits > 0),
        counted(allowed.rules.len() as u64, "rule"),
        count(|rule| rule.hits == 0),
        count(|rule| rule.expired),
    );
    let mut grid = Grid::new(&[
        ("hits", Align::Right),
        ("rule", Align::Left),
        ("until", Align::Left),
        ("reason", Align::Left),
    ]);
    for rule in allowed.rules.iter().take(RULES_SHOWN) {
        let until = match rule.expires_ns {
            None => "-".to_owned(),
            Some(expires_ns) => {
                let day: String = rfc3339(expires_ns).chars().take(10).collect();
                if rule.expired { format!("{day} expired") } else { day }
            }
        };
        grid.row(vec![
            Cell::new(thousands(rule.hits)),
            Cell::new(shortened(&rule.rule, RULE_COLUMNS)),
            Cell::new(until),
            Cell::new(shortened(&rule.reason, RULE_COLUMNS)),
        ]);
    }
    text.push_str(&grid.text());
    if let Some(more) = allowed.rules.len().checked_sub(RULES_SHOWN).filter(|more| *more > 0) {
        text.push_str(&format!(
            " and {} more: --format json lists all\n",
            thousands(more as u64)
        ));
    }
    text
}

/// `on list feodo.csv: Dridex`.
pub(crate) fn few_words(sign: &IntelSign) -> String {
    let Some(first) = sign.matches.first() else {
        return String::new();
    };
    let more = sign.matches.len() - 1;
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    let label = first
        .label
        .as_deref()
        .map(|label| format!(": {}", clean(label)))
        .unwrap_or_default();
    format!("on list {}{more}{label}", clean(&first.list))
}

/// One contact on the page of its server.
pub(crate) fn sign_page(evidence: &Evidence, sign: &IntelSign) -> String {
    let name = evidence
        .name
        .as_deref()
        .map(|name| format!(" ({})", clean(name)))
        .unwrap_or_default();
    let what = match sign.contact {
        Contact::Address => "connected to it",
        Contact::Name => "connected to it by name",
        Contact::ProxyTarget => "asked a proxy for it",
        Contact::DnsQuestion => "asked DNS for its name",
        Contact::Ja4 => "used a listed TLS fingerprint with it",
    };
    let mut page = format!(
        "  {} {what}{name}: {} from {} to {}\n",
        evidence.host,
        counted(evidence.check_ins, "time"),
        date_time(evidence.first_ns),
        time_of_day(evidence.last_ns),
    );
    for found in &sign.matches {
        page.push_str(&match_line(found));
    }
    page
}

fn match_line(found: &IndicatorMatch) -> String {
    let label = found
        .label
        .as_deref()
        .map(|label| format!(": {}", shortened(&clean(label), LABEL_COLUMNS)));
    format!(
        "    {}, entry {} of {}{}\n",
        clean(&found.indicator),
        thousands(u64::from(found.line)),
        clean(&found.list),
        label.unwrap_or_default(),
    )
}

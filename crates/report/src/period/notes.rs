//! What stands under a table: how its counts are meant, and what they cannot say.
//!
//! In: a [`PeriodReport`], the name of one of its tables. Out: a sentence or more, if any are needed. Not its job: what was watched
//! (`words`), where it stands on a page.

use super::PeriodReport;
use super::words::whole;

/// What a reader of this table must know, if anything.
pub(super) fn note(name: &str, report: &PeriodReport) -> Option<String> {
    let abroad = if report.home.is_some() {
        "abroad"
    } else {
        "with a known country"
    };
    Some(match name {
        "totals" => "Distinct in the period. Shares are of all; a host of servers in two places counts once under each, and once in all.".to_owned(),
        "days" => format!("Hosts of servers {abroad}. An address is not a machine: in a long period one machine may have many."),
        "countries_by_servers" | "countries_by_hosts" => format!(
            "Shares are of all servers and of all distinct hosts of servers {abroad}. A host controlled from two countries counts once under \
             each, so shares of hosts may add up to more than 100 %."
        ),
        "periods" => "Distinct in each row, so rows do not add up to the period. - is not known: not watched, or no row before.".to_owned(),
        "set_sizes" => format!("Servers {abroad}, by the distinct hosts each controlled in the period. Shares are of all servers {abroad}."),
        "services" => format!("Servers {abroad}. A host of servers at two ports counts once under each."),
        "turnover" => format!(
            "New: only in this period. Persistent: in both. Gone: only in the one before. {}",
            if report.is_before_unwatched() {
                "Nothing of the one before was watched, so nobody can say what is new or gone."
            } else {
                "What was not watched was not seen: after hours that are missing a server may be new to us alone, or not gone."
            }
        ),
        "turnover_servers" => format!(
            "Hosts of new servers are of this period, those of gone ones of the one before.{}",
            unlisted(report)
        ),
        _ => return None,
    })
}

/// How many of the new and of the gone servers are not listed.
fn unlisted(report: &PeriodReport) -> String {
    let Some(sheet) = report.sheet("turnover_servers") else {
        return String::new();
    };
    let more = ["new", "gone"].map(|kind| {
        let mut rows = (0..sheet.rows.len()).filter(|&row| sheet.text(row, "servers_are") == Some(kind));
        let all = rows.clone().find_map(|row| sheet.integer(row, "servers_in_all"));
        let listed = rows.by_ref().count() as i64;
        (all.unwrap_or(listed) - listed, kind)
    });
    let words: Vec<String> = more
        .into_iter()
        .filter(|(more, _)| *more > 0)
        .map(|(more, kind)| format!("{} more {kind}", whole(more)))
        .collect();
    if words.is_empty() {
        String::new()
    } else {
        format!(" Not listed: {}.", words.join(", "))
    }
}

//! `balefire interfaces`: what can be listened to, and what would mend the rest.
//!
//! In: nothing. Out: a line per interface, and below it why it cannot be opened. Not its job: opening interfaces (`capture`).

use balefire_capture::{InterfaceReport, interfaces};
use balefire_report::clean;

use crate::exit::{Exit, Failure};
use crate::output;

pub(crate) fn run() -> Result<Exit, Failure> {
    let reports = interfaces().map_err(|error| Failure::failed(error.to_string()))?;
    let mut text = String::new();
    if reports.is_empty() {
        text.push_str("No interface is shown to this user. Run as root, or once: sudo setcap cap_net_raw,cap_net_admin=eip $(command -v balefire)\n");
    }
    let width = reports
        .iter()
        .map(|report| report.name.chars().count())
        .max()
        .unwrap_or(0);
    for report in &reports {
        text.push_str(&line(report, width));
    }
    output::print(&text)?;
    Ok(Exit::Done)
}

fn line(report: &InterfaceReport, width: usize) -> String {
    let name = clean(&report.name);
    let state = match (report.up, report.running) {
        (false, _) => "down",
        (true, false) => "up, no carrier",
        (true, true) => "up",
    };
    let can = if report.refused.is_none() {
        "can be opened"
    } else {
        "cannot be opened"
    };
    let addresses: Vec<String> = report.addresses.iter().map(ToString::to_string).collect();
    let addresses = if addresses.is_empty() {
        "no address".to_owned()
    } else {
        addresses.join(" ")
    };
    let about = report
        .description
        .as_deref()
        .map(|text| format!("  {}", clean(text)))
        .unwrap_or_default();
    let mut line = format!("{name:width$}  {can:16}  {state:14}  {addresses}{about}\n");
    if let Some(reason) = &report.refused {
        line.push_str(&format!("{:width$}  {}\n", "", clean(reason)));
    }
    line
}

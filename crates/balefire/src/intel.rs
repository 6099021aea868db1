//! `balefire intel check`: what is understood of lists of threat intelligence.
//!
//! In: lists. Out: a few lines on each, and exit code 3 where a line was not understood. Not its job: the formats (`detect`).

use std::collections::BTreeMap;

use balefire_detect::{IntelBuilder, ListReport, Refusal};
use balefire_report::{clean, counted, thousands};

use crate::exit::{Exit, Failure};
use crate::flags::IntelCommand;
use crate::lists;
use crate::output;

pub(crate) fn run(command: &IntelCommand) -> Result<Exit, Failure> {
    let IntelCommand::Check { files } = command;
    let mut builder = IntelBuilder::default();
    let mut exit = Exit::Done;
    let files = lists::files(files)?;
    for path in &files {
        match lists::add(&mut builder, path) {
            Ok(report) => {
                if report.faults > 0 && exit == Exit::Done {
                    exit = Exit::Damaged;
                }
                output::print(&page(&report))?;
            }
            // The others are of interest all the same.
            Err(failure) => {
                output::complain(&failure.to_string());
                exit = failure.exit;
            }
        }
    }
    if files.len() > 1 {
        let intel = builder.build();
        let indicators = counted(intel.indicators(), "indicator");
        let lists = counted(intel.lists().len() as u64, "list");
        output::print(&format!("together: {indicators} of {lists}\n"))?;
    }
    Ok(exit)
}

fn page(report: &ListReport) -> String {
    let mut page = format!(
        "{}: {}, {} taken, {} there already, {} not understood\n",
        clean(&report.name),
        report.format.name(),
        counted(report.indicators, "indicator"),
        thousands(report.duplicates),
        counted(report.faults, report.format.unit()),
    );
    for fault in &report.first_faults {
        page.push_str(&format!("  {}\n", clean(&fault.to_string())));
    }
    if let Some(more) = report
        .faults
        .checked_sub(report.first_faults.len() as u64)
        .filter(|more| *more > 0)
    {
        page.push_str(&format!("  and {} more\n", thousands(more)));
    }
    page.push_str(&unused(&report.unused));
    page
}

fn unused(unused: &BTreeMap<Refusal, u64>) -> String {
    let lines = unused
        .iter()
        .map(|(why, count)| format!("  not used, {}: {why}\n", thousands(*count)));
    lines.collect()
}

//! A period's report as CSV: the tables' own columns and numbers, unrounded.
//!
//! In: a [`PeriodReport`]. Out: RFC 4180 text with `\n` line ends: a header and rows per table, tables parted by an empty line. The first
//! column names the table; the last say of when, of what was watched and by which database, so that rows of many reports can be put
//! into one table. Not its job: words.

use super::words::{database_names, date_time};
use super::{Datum, PeriodReport, Sheet};
use crate::document::decimals;
use crate::text::csv_cell;

/// Columns of `coverage` that go behind every row.
const COVERAGE: [&str; 6] = [
    "hours_expected",
    "hours_watched",
    "hours_partial",
    "received",
    "dropped",
    "least_sampling",
];

/// Those that are known of the period compared with, too.
const OF_BOTH: [&str; 3] = ["hours_expected", "hours_watched", "hours_partial"];

/// The tables.
pub fn csv(report: &PeriodReport) -> String {
    let tables: Vec<String> = report.sheets.iter().map(|sheet| table(sheet, report)).collect();
    tables.join("\n")
}

fn table(sheet: &Sheet, report: &PeriodReport) -> String {
    let tail = tail(report);
    let names = |names: &[(String, String)], pick: fn(&(String, String)) -> &String| -> String {
        names.iter().map(pick).cloned().collect::<Vec<String>>().join(",")
    };
    let columns: Vec<String> = sheet.columns.iter().map(|name| csv_cell(name)).collect();
    let mut text = format!("table,{},{}\n", columns.join(","), names(&tail, |(name, _)| name));
    for row in &sheet.rows {
        let known = sheet
            .columns
            .iter()
            .zip(row)
            .map(|(name, datum)| report.known(name, datum));
        let cells: Vec<String> = known.map(cell).collect();
        text += &format!(
            "{},{},{}\n",
            csv_cell(&sheet.name),
            cells.join(","),
            names(&tail, |(_, cell)| cell)
        );
    }
    text
}

fn tail(report: &PeriodReport) -> Vec<(String, String)> {
    let pair = |name: &str, cell: String| (name.to_owned(), cell);
    let moment = |time_s: i64| format!("{}:00Z", date_time(time_s).replace(' ', "T"));
    let mut tail = vec![
        pair("period_start", moment(report.from_s)),
        pair("period_end", moment(report.to_s)),
    ];
    if let Some(coverage) = report.sheet("coverage") {
        let known = |name: &str| cell(report.known(name, coverage.cell(0, name)));
        tail.extend(COVERAGE.map(|name| pair(&format!("period_{name}"), known(name))));
    }
    if let Some((from_s, to_s)) = report.before {
        tail.extend([
            pair("compared_start", moment(from_s)),
            pair("compared_end", moment(to_s)),
        ]);
        if let Some(coverage) = report.sheet("coverage_before") {
            tail.extend(OF_BOTH.map(|name| pair(&format!("compared_{name}"), cell(coverage.cell(0, name)))));
        }
    }
    let home = report.home.map(|home| csv_cell(home.code())).unwrap_or_default();
    let databases = report.sheet("databases").map(database_names).unwrap_or_default();
    tail.extend([
        pair("class_least", csv_cell(&report.class_least)),
        pair("sensors_asked", csv_cell(&report.sensors.join(" "))),
        pair("home_country", home),
        pair("hosting_country_source", csv_cell(&databases.join("; "))),
        pair(
            "hosting_country_means",
            csv_cell("registered or located there by the source; not who acts"),
        ),
    ]);
    tail
}

fn cell(datum: &Datum) -> String {
    match datum {
        Datum::Nothing => String::new(),
        Datum::Integer(number) => number.to_string(),
        Datum::Real(number) => decimals(*number, 9)
            .map(|number| number.to_string())
            .unwrap_or_default(),
        Datum::Text(text) if text == "--" => "unknown".to_owned(),
        Datum::Text(text) => csv_cell(text),
    }
}

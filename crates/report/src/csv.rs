//! CSV (RFC 4180, with a header, `\n` line ends): rows of hosting countries, and rows of timelines with their scores.
//!
//! In: summaries and timeline rows. Out: text with every cell neutralised (see [`crate::csv_cell`]). Not its job:
//! choosing files.

use std::fmt::Write;

use balefire_detect::{Country, Summary, TimelineRow};

use crate::document::decimals;
use crate::number::rfc3339;
use crate::place::source_text;
use crate::text::csv_cell;

/// The country rows of a summary. The last columns say of when and of whom the row is, and what its country means, so
/// that rows of many hours and sensors can be put into one table.
pub fn countries(summary: &Summary, sensor: &str) -> String {
    let mut text = String::from(
        "country,servers,hosts,rank_by_servers,rank_by_hosts,share_of_servers,share_of_hosts,connections,bytes_out,\
         bytes_in,packets,period_start,period_end,partial,sensor,hosting_country_source\n",
    );
    let period = &summary.period;
    let tail = format!(
        "{},{},{},{},{}",
        rfc3339(period.start_ns),
        rfc3339(period.end_ns),
        period.partial,
        csv_cell(sensor),
        csv_cell(&source_text(&summary.country_source)),
    );
    for row in &summary.countries {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{},{},{},{},{},{},{},{},{},{},{},{tail}",
            country_cell(row.country),
            row.servers,
            row.hosts,
            row.rank_by_servers,
            row.rank_by_hosts,
            number(row.share_of_servers, 6),
            number(row.share_of_hosts, 6),
            row.connections,
            row.bytes_out,
            row.bytes_in,
            row.packets,
        );
    }
    text
}

/// One row per timeline, for `--scores`.
pub fn scores(rows: &[TimelineRow]) -> String {
    let mut text = String::from("src,dst,dport,name,check_ins,interval_s,jitter,timing,score\n");
    for row in rows {
        let _ = writeln!(
            text,
            "{},{},{},{},{},{},{},{},{}",
            row.host,
            row.server,
            row.port,
            csv_cell(row.name.as_deref().unwrap_or_default()),
            row.check_ins,
            number(row.interval_s, 3),
            number(row.jitter, 4),
            number(row.timing, 6),
            number(row.score, 6),
        );
    }
    text
}

/// The code; `unknown` for the `--` of the other formats, which a spreadsheet would take for the start of a formula.
fn country_cell(country: Country) -> String {
    if country == Country::UNKNOWN {
        "unknown".to_owned()
    } else {
        csv_cell(country.code())
    }
}

/// The number as JSON has it; an empty cell where there is none.
fn number(number: f64, places: i32) -> String {
    decimals(number, places)
        .map(|number| number.to_string())
        .unwrap_or_default()
}

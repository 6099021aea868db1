//! Words of a period's report: titles, headings, cells, what was watched, what a country means.
//!
//! In: a [`PeriodReport`] and its sheets. Out: text, every cell cleaned. Not its job: where it stands on a page, notes under tables (`notes`).

use balefire_detect::Country;

use super::{Datum, PeriodReport, Piece, Sheet};
use crate::country::country_name;
use crate::number::{percent, significant, thousands};
use crate::text::clean;

/// What a hosting country is not.
pub(super) const NOT_AN_ACTOR: &str =
    "A hosting country is where an address is registered or located by the named database; it does not say who acts.";

/// A table ready to be put anywhere: headings, whether their column holds numbers, and rows.
pub(super) struct Shown {
    pub(super) headings: Vec<(String, bool)>,
    pub(super) rows: Vec<Vec<String>>,
}

/// `Control servers abroad, 2026-01-01 to 2026-05-31`.
pub(super) fn headline(report: &PeriodReport) -> String {
    let what = if report.home.is_some() {
        "Control servers abroad"
    } else {
        "Control servers"
    };
    format!("{what}, {}", period(report.from_s, report.to_s))
}

/// Whole days by their first and last, other periods by their hours.
pub(super) fn period(from_s: i64, to_s: i64) -> String {
    let moment = |time_s: i64| date_time(time_s);
    if from_s % 86_400 == 0 && to_s % 86_400 == 0 && to_s > from_s {
        let (first, last) = (date(from_s), date(to_s - 1));
        if first == last {
            first
        } else {
            format!("{first} to {last}")
        }
    } else {
        format!("{} to {} UTC", moment(from_s), moment(to_s))
    }
}

/// The question, in brackets behind the headline.
pub(super) fn asked(report: &PeriodReport) -> String {
    let home = match &report.home {
        Some(home) => format!("home: {}", clean(home.code())),
        None => "no home country given, so servers at home are among them".to_owned(),
    };
    let class = match report.class_least.as_str() {
        "confirmed" => "class confirmed".to_owned(),
        least => format!("class {} and up", clean(least)),
    };
    let sensors = match report.sensors.len() {
        0 => "all sensors".to_owned(),
        _ => format!("sensors {}", clean(&report.sensors.join(", "))),
    };
    format!("{home}; {class}; {sensors}; UTC")
}

/// The answer in one sentence.
pub(super) fn answer(report: &PeriodReport) -> Option<String> {
    let totals = report.sheet("totals")?;
    let abroad = (0..totals.rows.len()).find(|&row| matches!(totals.text(row, "place"), Some("abroad" | "located")))?;
    if report.is_unwatched() {
        return Some("Nothing of this period was watched.".to_owned());
    }
    let count = |sheet: &Sheet, row: usize, column: &str, noun| counted(sheet.integer(row, column).unwrap_or(0), noun);
    let place = if report.home.is_some() { " abroad" } else { "" };
    let servers = count(totals, abroad, "servers", "control server");
    let hosts = count(totals, abroad, "hosts", "host");
    // Of these nobody can say whether they are abroad; they must not be passed over.
    let elsewhere = (0..totals.rows.len()).find(|&row| totals.text(row, "place") == Some("not_located"));
    let elsewhere = elsewhere.filter(|&row| totals.integer(row, "servers").is_some_and(|servers| servers > 0));
    let unlocated = |row: usize| {
        let servers = count(totals, row, "servers", "control server");
        let hosts = count(totals, row, "hosts", "host");
        format!("{servers} without a known country controlled {hosts}")
    };
    if totals.integer(abroad, "servers") == Some(0) {
        return Some(match elsewhere {
            Some(row) if report.home.is_none() => format!("{}.", unlocated(row)),
            Some(row) => format!("No control server{place} was found; {}.", unlocated(row)),
            None => format!("No control server{place} was found."),
        });
    }
    let mut text = format!("{servers}{place} controlled {hosts}");
    for (sheet, by) in [("countries_by_servers", "servers"), ("countries_by_hosts", "hosts")] {
        let Some(sheet) = report.sheet(sheet).filter(|sheet| !sheet.rows.is_empty()) else {
            continue;
        };
        let country = sheet.text(0, "country").unwrap_or_default();
        text += &format!(
            "; first by {by}: {} ({}, {})",
            named(country),
            count(sheet, 0, "servers", "server"),
            count(sheet, 0, "hosts", "host"),
        );
    }
    if let Some(row) = elsewhere {
        text += &format!("; {}", unlocated(row));
    }
    Some(text + ".")
}

/// What was watched: under every table.
pub(super) fn watched(report: &PeriodReport) -> String {
    let Some(sheet) = report.sheet("coverage") else {
        return "What was watched is not known.".to_owned();
    };
    let number = |column: &str| sheet.integer(0, column).unwrap_or(0);
    let count = |column: &str| whole(number(column));
    let mut text = format!(
        "Watched {} of {} ({} in part, {} missing)",
        count("hours_watched"),
        counted(number("hours_expected"), "hour"),
        count("hours_partial"),
        count("hours_missing"),
    );
    if number("hours_watched") == 0 {
        return text + ": what is told as 0 here is not known." + &compared(report);
    }
    if number("sensors") != 1 {
        text += &format!(
            "; {} of {}",
            count("sensor_hours_watched"),
            counted(number("sensor_hours_expected"), "sensor hour"),
        );
    }
    text += &format!(" of {}; {}", counted(number("sensors"), "sensor"), lost(sheet));
    for (column, one, many) in [
        ("gaps", "gap in a tap", "gaps in taps"),
        ("clock_steps", "fall of packet time", "falls of packet time"),
    ] {
        match number(column) {
            0 => {}
            1 => text += &format!("; 1 {one}"),
            more => text += &format!("; {} {many}", whole(more)),
        }
    }
    if number("evictions") > 0 {
        text += &format!(
            "; {} gone for lack of room",
            counted(number("evictions"), "table entry")
        );
    }
    if let Datum::Real(least) = sheet.cell(0, "least_sampling") {
        text += &if *least < 1.0 {
            format!("; sampled: down to {} of packets at a sensor", percent(*least))
        } else {
            "; not sampled".to_owned()
        };
    }
    if report.forgotten_sensor_hours > 0 {
        text += &format!(
            "; of {} rows have been forgotten by age ([archive] keep_*_days), so counts are too low",
            counted(report.forgotten_sensor_hours, "sensor hour")
        );
    }
    text + "." + &compared(report)
}

/// The share of packets that were lost, as far as anybody counted.
fn lost(sheet: &Sheet) -> String {
    let number = |column: &str| sheet.integer(0, column).unwrap_or(0);
    let (of_files, all) = (number("sensor_hours_of_files"), number("sensor_hours_watched"));
    if of_files == all {
        return "losses not known (hours of files)".to_owned();
    }
    let (received, dropped) = (number("received"), number("dropped"));
    // Frames dropped at queues are received, those of the kernel are not: the sum is the most there can have been.
    let lost = dropped as f64 / received.saturating_add(dropped).max(1) as f64;
    let files = match of_files {
        0 => String::new(),
        1 => " (1 sensor hour is of a file, whose losses nobody counted)".to_owned(),
        more => format!(
            " ({} are of files, whose losses nobody counted)",
            counted(more, "sensor hour")
        ),
    };
    format!("lost {} of packets{files}", percent(lost))
}

/// What was watched of the period compared with.
fn compared(report: &PeriodReport) -> String {
    let (Some((from_s, to_s)), Some(sheet)) = (report.before, report.sheet("coverage_before")) else {
        return String::new();
    };
    let count = |column: &str| whole(sheet.integer(0, column).unwrap_or(0));
    format!(
        " Of {}: watched {} of {} ({} in part).",
        period(from_s, to_s),
        count("hours_watched"),
        counted(sheet.integer(0, "hours_expected").unwrap_or(0), "hour"),
        count("hours_partial"),
    )
}

/// What the archive counts is never below zero.
fn counted(number: i64, noun: &str) -> String {
    crate::number::counted(number.unsigned_abs(), noun)
}

/// `Countries: iptocc 1.4 of 2026-11-01 (country of registration).`
pub(super) fn databases(report: &PeriodReport) -> String {
    let names: Vec<String> = report.sheet("databases").map(database_names).unwrap_or_default();
    match names.len() {
        0 => format!("Countries: no database is named. {NOT_AN_ACTOR}"),
        _ => format!("Countries: {}. {NOT_AN_ACTOR}", names.join("; ")),
    }
}

pub(super) fn database_names(sheet: &Sheet) -> Vec<String> {
    (0..sheet.rows.len())
        .map(|row| {
            let text = |column: &str| clean(sheet.text(row, column).unwrap_or_default());
            let of = match text("country_date") {
                date if date.is_empty() => String::new(),
                date => format!(" of {date}"),
            };
            format!("{}{of} ({})", text("country_source"), text("country_meaning"))
        })
        .collect()
}

/// The title of a table.
pub(super) fn title(name: &str, report: &PeriodReport) -> String {
    let abroad = if report.home.is_some() { " abroad" } else { "" };
    match name {
        "totals" => "Control servers and controlled hosts".to_owned(),
        "days" => "Controlled hosts, three ways to count".to_owned(),
        "countries_by_servers" => format!("Hosting countries{abroad}, ranked by control servers"),
        "countries_by_hosts" => format!("Hosting countries{abroad}, ranked by controlled hosts"),
        "periods" => match report.piece {
            Piece::Hour => "Hour by hour".to_owned(),
            Piece::Day => "Day by day".to_owned(),
            Piece::Month => "Month by month".to_owned(),
        },
        "set_sizes" => "Hosts controlled by one server".to_owned(),
        "services" => "Ports and protocols of control servers".to_owned(),
        "turnover" => match report.before {
            Some((from_s, to_s)) => format!("Servers against {}", period(from_s, to_s)),
            None => "Servers against the period before".to_owned(),
        },
        "turnover_servers" => "New and gone servers, by their hosts".to_owned(),
        "coverage" => "What was watched".to_owned(),
        "coverage_before" => "What was watched of the period compared with".to_owned(),
        "databases" => "Databases of hosting countries".to_owned(),
        other => clean(other),
    }
}

/// The table with its cells as people read them.
pub(super) fn shown(sheet: &Sheet, report: &PeriodReport) -> Shown {
    let mut headings: Vec<(String, bool)> = Vec::new();
    for column in &sheet.columns {
        match column.as_str() {
            "hosts_to" | "servers_in_all" => {}
            "hosts_from" => headings.push(("hosts of one server".to_owned(), true)),
            "country" => headings.extend([("".to_owned(), false), ("hosting country".to_owned(), false)]),
            name => headings.push((heading(name, report), is_number(name))),
        }
    }
    let rows = (0..sheet.rows.len()).map(|row| {
        let mut cells = Vec::new();
        for (column, datum) in sheet.columns.iter().zip(&sheet.rows[row]) {
            match (column.as_str(), datum) {
                ("hosts_to" | "servers_in_all", _) => {}
                ("hosts_from", Datum::Integer(least)) => cells.push(range(*least, sheet.integer(row, "hosts_to"))),
                ("country", Datum::Text(code)) => cells.extend([clean(code), country(code)]),
                ("country", _) => cells.extend(["-".to_owned(), String::new()]),
                (name, datum) => cells.push(cell(name, datum, report)),
            }
        }
        cells
    });
    Shown {
        rows: rows.collect(),
        headings,
    }
}

fn heading(column: &str, report: &PeriodReport) -> String {
    match column {
        "bucket_s" => match report.piece {
            Piece::Hour => "hour".to_owned(),
            Piece::Day => "day".to_owned(),
            Piece::Month => "month".to_owned(),
        },
        "highest_day_s" => "highest day".to_owned(),
        "servers_are" => "servers are".to_owned(),
        "share_of_all_servers" | "share_of_all_hosts" => "of all".to_owned(),
        "share_of_servers_abroad" | "share_of_hosts_abroad" if report.home.is_some() => "of all abroad".to_owned(),
        "share_of_servers_abroad" | "share_of_hosts_abroad" => "of all located".to_owned(),
        "change_of_servers" | "change_of_hosts" => "change".to_owned(),
        "host_networks" => "hosts, IPv6 by /64".to_owned(),
        "servers_probable_or_more" => "probable and up".to_owned(),
        "servers_confirmed" => "confirmed".to_owned(),
        other => clean(&other.replace('_', " ")),
    }
}

fn is_number(column: &str) -> bool {
    !matches!(
        column,
        "place"
            | "server"
            | "servers_are"
            | "protocol"
            | "country_source"
            | "country_date"
            | "country_meaning"
            | "bucket_s"
            | "highest_day_s"
    )
}

fn cell(column: &str, datum: &Datum, report: &PeriodReport) -> String {
    match datum {
        Datum::Nothing => "-".to_owned(),
        Datum::Integer(start_s) if column == "bucket_s" => piece(*start_s, report.piece),
        Datum::Integer(day_s) if column.ends_with("_day_s") => date(*day_s),
        Datum::Integer(0) if column == "port" => "-".to_owned(),
        Datum::Integer(port) if column == "port" => port.to_string(),
        Datum::Integer(number) => whole(*number),
        Datum::Real(share) if column.starts_with("share_") => percent(*share),
        Datum::Real(change) if column.starts_with("change_") => signed_percent(*change),
        Datum::Real(number) if number.abs() >= 1000.0 => whole(number.round() as i64),
        Datum::Real(number) => significant(*number),
        Datum::Text(text) if column == "place" => clean(&text.replace('_', " ")),
        Datum::Text(text) => clean(text),
    }
}

/// The start of a piece, by what it is.
pub(super) fn piece(start_s: i64, piece: Piece) -> String {
    match piece {
        Piece::Month => date(start_s)[..7].to_owned(),
        Piece::Day => date(start_s),
        Piece::Hour => date_time(start_s),
    }
}

fn range(least: i64, most: Option<i64>) -> String {
    match most {
        Some(most) if most == least => whole(least),
        Some(most) => format!("{}-{}", whole(least), whole(most)),
        None => format!("{} and more", whole(least)),
    }
}

fn signed_percent(change: f64) -> String {
    let size = percent(change.abs());
    // More than doubled is told in full: `>99 %` would hide it.
    let size = if change.abs() >= 0.995 {
        format!("{} %", whole((change.abs() * 100.0).round() as i64))
    } else {
        size
    };
    match change {
        c if c > 0.0 => format!("+{size}"),
        c if c < 0.0 => format!("-{size}"),
        _ => size,
    }
}

pub(super) fn whole(number: i64) -> String {
    let digits = thousands(number.unsigned_abs());
    if number < 0 { format!("-{digits}") } else { digits }
}

/// The name of a country for people.
pub(super) fn country(code: &str) -> String {
    match code.as_bytes() {
        &[first, second] => country_name(&Country([first, second])),
        _ => clean(code),
    }
}

fn named(code: &str) -> String {
    let name = country(code);
    if name == code {
        clean(code)
    } else {
        format!("{} {name}", clean(code))
    }
}

/// `2026-01-31`.
pub(super) fn date(time_s: i64) -> String {
    date_time(time_s)[..10].to_owned()
}

/// `2026-01-31 14:00`; of times no clock shows, the nearest one.
pub(super) fn date_time(time_s: i64) -> String {
    crate::number::date_time(time_s.saturating_mul(1_000_000_000))[..16].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(home: Option<Country>, totals: [(&str, i64, i64); 2]) -> PeriodReport {
        let row = |(place, servers, hosts): (&str, i64, i64)| {
            vec![
                Datum::Text(place.to_owned()),
                Datum::Integer(servers),
                Datum::Integer(hosts),
            ]
        };
        PeriodReport {
            from_s: 0,
            to_s: 3_600,
            piece: Piece::Day,
            before: None,
            class_least: "suspected".to_owned(),
            sensors: Vec::new(),
            home,
            sheets: vec![Sheet {
                name: "totals".to_owned(),
                columns: ["place", "servers", "hosts"].map(str::to_owned).to_vec(),
                rows: totals.map(row).to_vec(),
            }],
            coverage: Vec::new(),
            forgotten_sensor_hours: 0,
        }
    }

    #[test]
    fn servers_without_a_known_country_are_in_the_answer() {
        let told = |home, totals| answer(&report(home, totals)).unwrap_or_default();
        let home = Some(Country(*b"NL"));
        assert_eq!(
            told(None, [("located", 0, 0), ("not_located", 1, 2)]),
            "1 control server without a known country controlled 2 hosts."
        );
        assert_eq!(
            told(home, [("abroad", 0, 0), ("not_located", 1, 2)]),
            "No control server abroad was found; 1 control server without a known country controlled 2 hosts."
        );
        assert_eq!(
            told(home, [("abroad", 3, 5), ("not_located", 2, 1)]),
            "3 control servers abroad controlled 5 hosts; 2 control servers without a known country controlled 1 host."
        );
        assert_eq!(
            told(home, [("abroad", 0, 0), ("not_located", 0, 0)]),
            "No control server abroad was found."
        );
    }
}

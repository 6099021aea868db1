//! A period's report as one JSON object.
//!
//! In: a [`PeriodReport`]. Out: what was asked, what was watched, and every table as rows of named cells, as the archive answered
//! them. Not its job: words, rounding for people.

use serde_json::{Map, Value, json};

use super::words::{NOT_AN_ACTOR, date_time};
use super::{Datum, PeriodReport, Piece, Sheet};
use crate::document::decimals;
use crate::text::clean;

/// Of the object; grows when a member changes its meaning or goes.
pub const SCHEMA: &str = "balefire.report.1";

/// The object, in one line.
pub fn json(report: &PeriodReport) -> String {
    let moment = |time_s: i64| format!("{}:00Z", date_time(time_s).replace(' ', "T"));
    let piece = match report.piece {
        Piece::Hour => "hour",
        Piece::Day => "day",
        Piece::Month => "month",
    };
    let before = report
        .before
        .map(|(from_s, to_s)| json!({"start": moment(from_s), "end": moment(to_s)}));
    let sensors: Vec<String> = report.sensors.iter().map(|name| clean(name)).collect();
    let tables = |sheets: &[Sheet]| -> Map<String, Value> {
        let named = sheets.iter().map(|sheet| (clean(&sheet.name), rows(sheet, report)));
        named.collect()
    };
    let document = json!({
        "schema": SCHEMA,
        "period": {"start": moment(report.from_s), "end": moment(report.to_s)},
        "compared_with": before,
        "by": piece,
        "class_least": clean(&report.class_least),
        "sensors": sensors,
        "home_country": report.home.map(|home| clean(home.code())),
        "hosting_country_means": NOT_AN_ACTOR,
        "watched": tables(&report.coverage),
        "forgotten_sensor_hours": report.forgotten_sensor_hours,
        "tables": tables(&report.sheets),
    });
    document.to_string() + "\n"
}

fn rows(sheet: &Sheet, report: &PeriodReport) -> Value {
    let rows = sheet.rows.iter().map(|row| {
        let cells = sheet
            .columns
            .iter()
            .zip(row)
            .map(|(name, datum)| (clean(name), value(report.known(name, datum))));
        Value::Object(cells.collect())
    });
    Value::Array(rows.collect())
}

fn value(datum: &Datum) -> Value {
    match datum {
        Datum::Nothing => Value::Null,
        Datum::Integer(number) => json!(number),
        Datum::Real(number) => json!(decimals(*number, 9)),
        Datum::Text(text) => Value::String(clean(text)),
    }
}

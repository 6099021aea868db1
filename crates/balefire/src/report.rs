//! `balefire report`: the tables of a period, from an archive.
//!
//! In: what was typed. Out: tables on standard output. Not its job: counting (`archive`).

use balefire_archive::{Answer, QUERIES, Question, Store, Value, find};
use balefire_report::clean;
use jiff::Timestamp;

use crate::exit::{Exit, Failure};
use crate::flags::{LeastClass, ReportFlags};
use crate::output;
use crate::values::CountryCode;

pub(crate) fn run(flags: &ReportFlags) -> Result<Exit, Failure> {
    let folder = find(&flags.archive);
    let failed = |error: balefire_archive::ArchiveError| Failure::failed(error.to_string());
    let store = Store::open_to_read(&folder.join(balefire_archive::SQLITE)).map_err(failed)?;
    let Some(question) = question(&store, flags)? else {
        return Err(Failure::failed(format!(
            "{}: no hour is in this archive yet",
            folder.display()
        )));
    };
    let mut text = String::new();
    for query in QUERIES {
        let answer = question.answer(&store, query).map_err(failed)?;
        text += &table(query.name, &answer);
    }
    text += "An address is not an actor: a hosting country is where an address is registered or located by the named database.\n";
    output::print(&text)?;
    Ok(Exit::Done)
}

fn question(store: &Store, flags: &ReportFlags) -> Result<Option<Question>, Failure> {
    let everything = Question::everything(store).map_err(|error| Failure::failed(error.to_string()))?;
    let Some(mut question) = everything else {
        return Ok(None);
    };
    if let Some(from) = &flags.from {
        question.from_s = hour_of("--from", from)?;
    }
    if let Some(to) = &flags.to {
        question.to_s = hour_of("--to", to)?;
    }
    if question.to_s <= question.from_s {
        return Err(Failure::usage("--to must be after --from"));
    }
    question.sensors.clone_from(&flags.sensor);
    question.class_least = match flags.class {
        LeastClass::Suspected => 1,
        LeastClass::Probable => 2,
        LeastClass::Confirmed => 3,
    };
    if let Some(country) = &flags.home_country {
        let code: CountryCode = country
            .clone()
            .try_into()
            .map_err(|error| Failure::usage(format!("--home-country: {error}")))?;
        question.home_country = Some(code.0);
    }
    Ok(Some(question))
}

/// The start of the hour of a time, or of a day.
fn hour_of(flag: &str, text: &str) -> Result<i64, Failure> {
    let time = text
        .parse::<Timestamp>()
        .or_else(|_| format!("{text}T00:00:00Z").parse())
        .map_err(|error| Failure::usage(format!("{flag}: {error}; write 2026-03-02T00:00:00Z, or 2026-03-02")))?;
    Ok(time.as_second().div_euclid(balefire_archive::HOUR_S) * balefire_archive::HOUR_S)
}

/// Columns as wide as their widest cell.
fn table(name: &str, answer: &Answer) -> String {
    let rows: Vec<Vec<String>> = std::iter::once(answer.columns.clone())
        .chain(answer.rows.iter().map(|row| row.iter().map(cell).collect()))
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..answer.columns.len()).map(width).collect();
    let mut text = format!("{name}\n");
    for row in &rows {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, &width)| format!("{cell:>width$}"))
            .collect();
        text += &format!(" {}\n", cells.join("  "));
    }
    text + "\n"
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => format!("{number:.4}"),
        Value::Text(text) => clean(text),
        Value::Bytes(bytes) => format!("{} bytes", bytes.len()),
    }
}

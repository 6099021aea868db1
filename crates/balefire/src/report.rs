//! `balefire report`: the tables of a period, from an archive or from ClickHouse.
//!
//! In: what was typed, the settings file. Out: tables on standard output. Not its job: counting (`archive`), the look of a page (the
//! crate `report`).

mod flags;
mod period;

use std::time::{SystemTime, UNIX_EPOCH};

use balefire_archive::{Answer, By, ClickHouse, Query, Question, SQLITE, Sqlite, Store, Value, find, queries};
use balefire_detect::Country;
use balefire_report::{
    Datum, PeriodReport, Piece, Sheet, clean, period_csv, period_html, period_json, period_markdown, period_page,
    rfc3339,
};

use crate::exit::{Exit, Failure};
use crate::flags::SettingFlags;
use crate::output;
use crate::settings::Settings;
use crate::values::{CountryCode, SetSizes};

pub(crate) use flags::ReportFlags;
use flags::{Engine, LeastClass, Piece as AskedPiece, ReportFormat};

/// Who may read ClickHouse is no business of a command line that everybody on the machine can see.
const PASSWORD_VARIABLE: &str = "BALEFIRE_CLICKHOUSE_PASSWORD";

/// Tables that are told under every other one.
const COVERAGE: [&str; 3] = ["coverage", "coverage_before", "databases"];

pub(crate) fn run(flags: &ReportFlags) -> Result<Exit, Failure> {
    let settings = Settings::load(&SettingFlags {
        config: flags.config.clone(),
        ..SettingFlags::default()
    })?;
    let (question, answers, forgotten_sensor_hours) = match flags.engine {
        Engine::Sqlite => from_sqlite(flags, &settings)?,
        Engine::Clickhouse => from_clickhouse(flags, &settings)?,
    };
    let report = PeriodReport {
        forgotten_sensor_hours,
        ..report(flags, &question, answers)
    };
    output::print(&match flags.format {
        ReportFormat::Table => period_page(&report),
        ReportFormat::Csv => period_csv(&report),
        ReportFormat::Json => period_json(&report),
        ReportFormat::Markdown => period_markdown(&report),
        ReportFormat::Html => period_html(&report),
    })?;
    Ok(Exit::Done)
}

/// The question, its answers, and the sensor hours whose rows have gone by age.
type Answered = (Question, Vec<Answer>, i64);

fn from_sqlite(flags: &ReportFlags, settings: &Settings) -> Result<Answered, Failure> {
    let Some(folder) = &flags.archive else {
        return Err(Failure::usage(
            "--archive DIR is missing: the folder that was given to --output",
        ));
    };
    let named = folder;
    let folder = find(named);
    let path = folder.join(SQLITE);
    if !path.exists() {
        return Err(Failure::failed(format!(
            "{}: no archive is there; --archive names the folder that was given to --output: \
             `balefire read --output DIR CAPTURE` makes one in DIR",
            clean(&named.display().to_string())
        )));
    }
    let store = Store::open_to_read(&path).map_err(failed)?;
    let everything = Question::everything(&store).map_err(failed)?;
    let Some(everything) = everything else {
        return Err(Failure::failed(format!(
            "{}: no hour is in this archive yet; `balefire read --output DIR CAPTURE` writes some",
            folder.display()
        )));
    };
    let sensors = store
        .sensors()
        .map_err(failed)?
        .into_iter()
        .map(|sensor| sensor.sensor_id);
    known_sensors(flags, &sensors.collect::<Vec<String>>())?;
    let question = asked(flags, settings, everything)?;
    let forgotten = store.forgotten_hours(question.from_s, question.to_s).map_err(failed)?;
    let answers = Sqlite::new(&path).answer(&question, &tables(flags, &question)?, &|_| ());
    Ok((question, answers.map_err(failed)?, forgotten))
}

fn from_clickhouse(flags: &ReportFlags, settings: &Settings) -> Result<Answered, Failure> {
    let (Some(url), Some(source)) = (&flags.url, &flags.source) else {
        return Err(Failure::usage(
            "--engine clickhouse needs --url http://HOST:8123 and --source TABLE, with {table} in it",
        ));
    };
    let user = flags
        .user
        .clone()
        .map(|user| (user, std::env::var(PASSWORD_VARIABLE).unwrap_or_default()));
    let mut server = ClickHouse::new(url, source, user, &session()).map_err(failed)?;
    let Some(everything) = server.everything().map_err(failed)? else {
        return Err(Failure::failed(format!("{url}: no hour is in {source:?}")));
    };
    known_sensors(flags, &server.sensors().map_err(failed)?)?;
    let question = asked(flags, settings, everything)?;
    let answers = balefire_archive::answer(&mut server, &question, &tables(flags, &question)?, &|_| ());
    // Parquet folders go whole: their hours are missing, not thinned.
    Ok((question, answers.map_err(failed)?, 0))
}

/// A name that no hour has is a slip of the pen: its answer would be nothing but zeros.
fn known_sensors(flags: &ReportFlags, sensors: &[String]) -> Result<(), Failure> {
    let Some(unknown) = flags.sensor.iter().find(|name| !sensors.contains(name)) else {
        return Ok(());
    };
    let some: Vec<String> = sensors.iter().take(20).map(|name| clean(name)).collect();
    let more = if sensors.len() > 20 { ", and more" } else { "" };
    Err(Failure::usage(format!(
        "--sensor {}: no hour is of it; there are hours of {}{more}",
        clean(unknown),
        some.join(", ")
    )))
}

/// What is asked, where everything is known; flags go before settings, those before what the archive says.
fn asked(flags: &ReportFlags, settings: &Settings, everything: Question) -> Result<Question, Failure> {
    let (first_s, last_s) = (everything.from_s, everything.to_s);
    let mut question = everything;
    let mut cut = false;
    if let Some(from) = &flags.from {
        question.from_s = period::hour_of("--from", from, &mut cut)?;
    }
    if let Some(to) = &flags.to {
        question.to_s = period::hour_of("--to", to, &mut cut)?;
    }
    if cut {
        output::remark(&format!(
            "balefire: --from and --to are cut down to whole hours: the period is {} to {} (exclusive)",
            moment(question.from_s),
            moment(question.to_s)
        ));
    }
    if question.to_s <= question.from_s {
        return Err(Failure::usage(format!(
            "the period is empty: --to must be after --from; there are hours from {} to {}",
            moment(first_s),
            moment(last_s)
        )));
    }
    question.by = match flags.by {
        AskedPiece::Hour => By::Hour,
        AskedPiece::Day => By::Day,
        AskedPiece::Month => By::Month,
    };
    if question.is_cut_too_fine() {
        return Err(Failure::usage(
            "--by cuts the period into more than 20,000 pieces: take larger ones",
        ));
    }
    if let Some(before) = &flags.compare {
        let mut cut = false;
        let (from_s, to_s) = period::period(before, (question.from_s, question.to_s), &mut cut)?;
        if cut {
            output::remark(&format!(
                "balefire: --compare is cut down to whole hours: {} to {} (exclusive)",
                moment(from_s),
                moment(to_s)
            ));
        }
        question.before = Some((from_s, to_s));
    }
    question.sensors.clone_from(&flags.sensor);
    question.class_least = match flags.class {
        LeastClass::Suspected => 1,
        LeastClass::Probable => 2,
        LeastClass::Confirmed => 3,
    };
    let code = match &flags.home_country {
        Some(country) => Some(
            CountryCode::try_from(country.clone())
                .map_err(|error| Failure::usage(format!("--home-country: {error}")))?,
        ),
        None => settings.home.country,
    };
    question.home_country = code.map(|code| code.0).or(question.home_country);
    question.set_sizes = match flags.set_sizes.as_slice() {
        [] => settings.report.set_sizes.0.clone(),
        sizes => {
            SetSizes::try_from(sizes.to_vec())
                .map_err(|error| Failure::usage(format!("--set-sizes: {error}")))?
                .0
        }
    };
    Ok(question)
}

/// The tables to be answered: those asked for, and those that go under them.
fn tables(flags: &ReportFlags, question: &Question) -> Result<Vec<&'static Query>, Failure> {
    let all: Vec<&Query> = queries(question).collect();
    for name in &flags.table {
        if !all.iter().any(|query| query.name == name) {
            let names: Vec<&str> = all.iter().map(|query| query.name).collect();
            let more = if question.before.is_none() {
                "; turnover and turnover_servers need --compare"
            } else {
                ""
            };
            return Err(Failure::usage(format!(
                "--table {name}: there are {}{more}",
                names.join(", ")
            )));
        }
    }
    Ok(all
        .into_iter()
        .filter(|query| {
            COVERAGE.contains(&query.name)
                || flags.table.is_empty()
                || flags.table.iter().any(|name| name == query.name)
                // Which servers they are belongs to how many they are.
                || (query.name == "turnover_servers" && flags.table.iter().any(|name| name == "turnover"))
        })
        .collect())
}

fn report(flags: &ReportFlags, question: &Question, answers: Vec<Answer>) -> PeriodReport {
    let sheets: Vec<Sheet> = answers.into_iter().map(sheet).collect();
    let (coverage, mut shown): (Vec<Sheet>, Vec<Sheet>) = sheets
        .into_iter()
        .partition(|sheet| COVERAGE.contains(&sheet.name.as_str()));
    // Who asks for one of them by name gets it as a table too.
    shown.extend(
        coverage
            .iter()
            .filter(|sheet| flags.table.contains(&sheet.name))
            .cloned(),
    );
    PeriodReport {
        from_s: question.from_s,
        to_s: question.to_s,
        piece: match question.by {
            By::Hour => Piece::Hour,
            By::Day => Piece::Day,
            By::Month => Piece::Month,
        },
        before: question.before,
        class_least: ["suspected", "probable", "confirmed"]
            [usize::try_from(question.class_least - 1).unwrap_or(0).min(2)]
        .to_owned(),
        sensors: question.sensors.clone(),
        home: question.home_country.map(Country),
        sheets: shown,
        coverage,
        forgotten_sensor_hours: 0,
    }
}

fn sheet(answer: Answer) -> Sheet {
    let cell = |value: Value| match value {
        Value::Null => Datum::Nothing,
        Value::Integer(number) => Datum::Integer(number),
        Value::Real(number) => Datum::Real(number),
        Value::Text(text) => Datum::Text(text),
        Value::Bytes(bytes) => Datum::Text(format!("{} bytes", bytes.len())),
    };
    Sheet {
        name: answer.name.to_owned(),
        columns: answer.columns,
        rows: answer
            .rows
            .into_iter()
            .map(|row| row.into_iter().map(cell).collect())
            .collect(),
    }
}

/// To the minute: hours begin with one.
fn moment(time_s: i64) -> String {
    let time: String = rfc3339(time_s.saturating_mul(1_000_000_000)).chars().take(16).collect();
    time + "Z"
}

/// A word that no other run uses at the same server.
fn session() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("balefire-{}-{}", std::process::id(), since.as_nanos())
}

fn failed(error: balefire_archive::ArchiveError) -> Failure {
    Failure::failed(error.to_string())
}

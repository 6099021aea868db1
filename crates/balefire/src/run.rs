//! One run of the detector, from an opened source to the exit code; the same for files and taps.
//!
//! In: a source, a [`Plan`], a console. Out: the answer on standard output, files, and how it ended. Not its job: opening
//! the source (`read`, `live`).

use std::sync::atomic::AtomicBool;

use balefire_capture::Source;
use balefire_pipeline::{LogInput, LogReport, Outcome, PipelineError, run_logs};
use balefire_report::{Heading, Unit, clean, counted, country_csv, json, scores_csv, table, why};

use crate::console::Console;
use crate::exit::{Exit, Failure};
use crate::flags::Format;
use crate::output;
use crate::plan::{Answer, Plan};
use crate::profile;

/// What the run is called on its page.
pub(crate) struct Title {
    /// Files, or the interface.
    pub(crate) input: String,
    /// The arguments after `balefire read --why SERVER`, where that can be asked again.
    pub(crate) again: Option<String>,
    /// What it is counted in.
    pub(crate) unit: Unit,
}

/// Runs, and says what was found.
pub(crate) fn run(
    source: Box<dyn Source>,
    plan: &Plan,
    mut console: Console<'_>,
    title: &Title,
    stop: &AtomicBool,
) -> Result<Exit, Failure> {
    let outcome = balefire_pipeline::run(source, &plan.pipeline, &plan.detect, &plan.shared, &mut console, stop);
    conclude(outcome, Vec::new(), plan, console, title)
}

/// The same over connection logs.
pub(crate) fn over_logs(
    inputs: Vec<LogInput>,
    plan: &Plan,
    mut console: Console<'_>,
    title: &Title,
    stop: &AtomicBool,
) -> Result<Exit, Failure> {
    match run_logs(inputs, &plan.pipeline, &plan.detect, &plan.shared, &mut console, stop) {
        Ok(logs) => {
            let (faults, notes) = (
                logs.logs.faults.iter().map(ToString::to_string).collect(),
                of_logs(&logs.logs),
            );
            let exit = conclude(Ok(logs.outcome), faults, plan, console, title);
            notes.iter().for_each(|note| output::remark(note));
            exit
        }
        Err(error) => conclude(Err(error), Vec::new(), plan, console, title),
    }
}

/// `faults` are parts of the input that could not be used.
fn conclude(
    outcome: Result<Outcome, PipelineError>,
    faults: Vec<String>,
    plan: &Plan,
    mut console: Console<'_>,
    title: &Title,
) -> Result<Exit, Failure> {
    let elapsed_s = console.finish();
    let outcome = outcome.map_err(|error| Failure::failed(clean(&error.to_string())))?;

    console.settle(&outcome.summary);
    if let Some(path) = &plan.scores {
        output::write_file(path, &scores_csv(&outcome.timelines))?;
    }
    let mut notes = console.notes();
    let exit = ending(&outcome, &faults, &console, &mut notes);
    if !outcome.profile.is_empty() {
        output::remark(profile::table(&outcome.profile, outcome.summary.accounting.received).trim_end());
    }
    output::print(&answer(plan, &outcome, title, elapsed_s, notes)?)?;
    Ok(exit)
}

/// What to say of logs that is nobody's fault: what was not used, and what could not be joined.
fn of_logs(logs: &LogReport) -> Vec<String> {
    let joined = &logs.joined;
    let counts = [
        (
            logs.passed_over.len() as u64,
            "file",
            "left out: no connection is told of there",
        ),
        (
            logs.unused_lines,
            "line",
            "of no use here (logs that are not read, handshakes without a name)",
        ),
        (
            joined.facts_alone,
            "connection",
            "known by a name only: lines on the connection itself are in none of the logs",
        ),
        (joined.duplicates, "connection", "given twice, counted once"),
        (
            joined.closed_early,
            "connection",
            "ended early for lack of room (limits.connections): names that came later stand alone",
        ),
    ];
    let counts = counts.iter().filter(|(count, ..)| *count > 0);
    counts
        .map(|(count, noun, what)| format!("logs: {} {what}", counted(*count, noun)))
        .collect()
}

/// Says what went wrong on the way, on standard error and (its last lines) on the page.
fn ending(outcome: &Outcome, faults: &[String], console: &Console<'_>, notes: &mut Vec<String>) -> Exit {
    let mut exit = Exit::Done;
    let damage = outcome.damage.iter().map(ToString::to_string);
    for fault in damage.chain(faults.iter().cloned()) {
        let message = clean(&fault);
        output::complain(&message);
        notes.push(format!("Input damaged: {message}"));
        exit = Exit::Damaged;
    }
    if let Some(error) = &outcome.source_error {
        let message = clean(&error.to_string());
        output::complain(&message);
        notes.push(format!("Ended early: {message}; what came before it counts"));
        exit = Exit::Failed;
    }
    if console.has_failed() {
        exit = Exit::Failed;
    }
    exit
}

fn answer(
    plan: &Plan,
    outcome: &Outcome,
    title: &Title,
    elapsed_s: f64,
    mut notes: Vec<String>,
) -> Result<String, Failure> {
    let summary = &outcome.summary;
    Ok(match &plan.answer {
        Answer::Nothing => String::new(),
        Answer::Why(server) => why(summary, &outcome.timelines, server, output::stdout_style()),
        Answer::Summary(Format::Json) => json(summary, &plan.sensor)
            .map(|document| match &outcome.profile[..] {
                [] => document,
                threads => profile::into_document(document, threads),
            })
            .map_err(|error| Failure::failed(format!("the summary has no JSON form: {error}")))?,
        Answer::Summary(Format::Csv) => country_csv(summary, &plan.sensor),
        Answer::Summary(Format::Table) => {
            if let (Some(first), Some(again)) = (summary.servers.first(), &title.again) {
                notes.insert(0, format!("More: balefire read --why {} {again}", first.address));
            }
            let heading = Heading {
                input: title.input.clone(),
                unit: title.unit,
                elapsed_s: Some(elapsed_s),
                hours_watched: outcome.hours_watched,
                notes,
            };
            table(summary, &heading, output::stdout_style())
        }
    })
}

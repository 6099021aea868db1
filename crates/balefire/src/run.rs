//! One run of the detector, from an opened source to the exit code; the same for files and taps.
//!
//! In: a source, a [`Plan`], a console. Out: the answer on standard output, files, and how it ended. Not its job: opening
//! the source (`read`, `live`).

use std::sync::atomic::AtomicBool;

use balefire_capture::Source;
use balefire_pipeline::Outcome;
use balefire_report::{Heading, clean, country_csv, json, scores_csv, table, why};

use crate::console::Console;
use crate::exit::{Exit, Failure};
use crate::flags::Format;
use crate::output;
use crate::plan::{Answer, Plan};

/// What the run is called on its page.
pub(crate) struct Title {
    /// Files, or the interface.
    pub(crate) input: String,
    /// The arguments after `balefire read --why SERVER`, where that can be asked again.
    pub(crate) again: Option<String>,
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
    let elapsed_s = console.finish();
    let outcome = outcome.map_err(|error| Failure::failed(error.to_string()))?;

    if let Some(path) = &plan.scores {
        output::write_file(path, &scores_csv(&outcome.timelines))?;
    }
    let mut notes = console.notes();
    let exit = ending(&outcome, &console, &mut notes);
    output::print(&answer(plan, &outcome, title, elapsed_s, notes)?)?;
    Ok(exit)
}

/// Says what went wrong on the way, on standard error and (its last lines) on the page.
fn ending(outcome: &Outcome, console: &Console<'_>, notes: &mut Vec<String>) -> Exit {
    let mut exit = Exit::Done;
    for damage in &outcome.damage {
        let message = clean(&damage.to_string());
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
        Answer::Why(server) => why(summary, &outcome.timelines, server, output::stdout_style()),
        Answer::Summary(Format::Json) => json(summary, &plan.sensor)
            .map_err(|error| Failure::failed(format!("the summary has no JSON form: {error}")))?,
        Answer::Summary(Format::Csv) => country_csv(summary, &plan.sensor),
        Answer::Summary(Format::Table) => {
            if let (Some(first), Some(again)) = (summary.servers.first(), &title.again) {
                notes.insert(0, format!("More: balefire read --why {} {again}", first.address));
            }
            let heading = Heading {
                input: title.input.clone(),
                elapsed_s: Some(elapsed_s),
                hours_watched: outcome.hours_watched,
                notes,
            };
            table(summary, &heading, output::stdout_style())
        }
    })
}

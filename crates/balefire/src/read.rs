//! `balefire read`: capture files, or connection logs, through the whole detector.
//!
//! In: what was typed. Out: the answer, and the exit code. Not its job: reading files (`capture`, `logs`), running (`run`).

use std::io::Cursor;
use std::path::PathBuf;

use balefire_capture::{CaptureError, FileOptions, FileSource, PcapWriter};
use balefire_decode::LinkType;
use balefire_report::Unit;

use crate::console::Console;
use crate::exit::{Exit, Failure};
use crate::flags::ReadFlags;
use crate::keep::Keeper;
use crate::logs;
use crate::output;
use crate::plan::Plan;
use crate::run::{self, Title};
use crate::settings::Settings;
use crate::signals::{self, Ending};

pub(crate) fn run(flags: &ReadFlags) -> Result<Exit, Failure> {
    let settings = Settings::load_for_files(&flags.settings)?;
    let mut plan = Plan::new(&settings, &flags.output, &[])?;
    plan.pipeline.conclude_hours = plan.hours.is_some();
    let keeper = plan
        .archive
        .take()
        .map(|(archive, about)| Keeper::for_files(archive, about));
    let exit;
    let stop;
    if let Some(inputs) = logs::inputs(&flags.captures)? {
        if !settings.capture.filter.trim().is_empty() {
            return Err(Failure::usage(
                "a filter chooses packets, and a connection log has none: read it without",
            ));
        }
        stop = signals::watch(Ending::at_once())?;
        let console = Console::for_files(plan.hours.as_ref(), keeper, plan.quiet);
        exit = run::over_logs(
            inputs,
            &plan,
            console,
            &title(&flags.captures, &typed(), Unit::Lines),
            &stop.asked,
        )?;
    } else {
        let source = open(&flags.captures, &settings.capture.filter)?;
        stop = signals::watch(Ending::at_once())?;
        let console = Console::for_files(plan.hours.as_ref(), keeper, plan.quiet);
        exit = run::run(
            Box::new(source),
            &plan,
            console,
            &title(&flags.captures, &typed(), Unit::Packets),
            &stop.asked,
        )?;
    }
    if stop.was_signalled() {
        output::complain("stopped by a signal before the end of the input; the answer is of what was read until then");
        return Ok(Exit::Failed);
    }
    Ok(exit)
}

/// Opens capture files, with a filter if it says anything.
pub(crate) fn open(captures: &[PathBuf], filter: &str) -> Result<FileSource, Failure> {
    FileSource::open(captures, &options(filter)).map_err(failure)
}

/// Whether libpcap takes the expression: opens a capture without packets with it.
pub(crate) fn check_filter(filter: &str) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::failed(error.to_string());
    let empty = PcapWriter::new(Vec::new(), LinkType(1))
        .and_then(PcapWriter::finish)
        .map_err(failed)?;
    let opened = FileSource::from_reader("no packets".into(), Cursor::new(empty), &options(filter));
    opened.map(drop).map_err(failure)
}

fn options(filter: &str) -> FileOptions {
    let filter = Some(filter.trim()).filter(|filter| !filter.is_empty());
    FileOptions {
        filter: filter.map(str::to_owned),
    }
}

fn failure(error: CaptureError) -> Failure {
    match error {
        CaptureError::Filter { .. } => Failure::usage(error.to_string()),
        error => Failure::failed(error.to_string()),
    }
}

/// What was typed after `balefire read`.
fn typed() -> Vec<String> {
    let arguments = std::env::args_os().skip(2);
    arguments
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect()
}

/// The question can be asked again with all that was typed but for where answers went: without its flags (`--score-internal`,
/// `--home`) it would have another answer. Standard input is gone by then.
fn title(captures: &[PathBuf], typed: &[String], unit: Unit) -> Title {
    let names: Vec<String> = captures.iter().map(|path| path.display().to_string()).collect();
    let input = match &names[..] {
        [one] if one == "-" => "standard input".to_owned(),
        [one] => one.clone(),
        _ => format!("{} and {} more", names[0], names.len() - 1),
    };
    let again = names.iter().all(|name| name != "-").then(|| {
        asking(typed)
            .iter()
            .map(|word| quoted(word))
            .collect::<Vec<_>>()
            .join(" ")
    });
    Title { input, again, unit }
}

/// The words that decide the answer, not those that say where it goes.
fn asking(typed: &[String]) -> Vec<&str> {
    const ALONE: [&str; 4] = ["-q", "--quiet", "--no-archive", "--profile"];
    const WITH_VALUE: [&str; 3] = ["--output", "--scores", "--format"];
    let mut asking = Vec::new();
    let mut words = typed.iter().map(String::as_str);
    while let Some(word) = words.next() {
        if WITH_VALUE.contains(&word) {
            words.next();
        } else if !ALONE.contains(&word) && !word.split_once('=').is_some_and(|(flag, _)| WITH_VALUE.contains(&flag)) {
            asking.push(word);
        }
    }
    asking
}

/// The word as a shell takes it.
fn quoted(name: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./+:,@%=".contains(letter);
    if !name.is_empty() && name.chars().all(plain) {
        name.to_owned()
    } else {
        format!("'{}'", name.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles() {
        let none = title(&["-".into()], &["-".to_owned()], Unit::Packets);
        assert_eq!(none.input, "standard input");
        assert!(none.again.is_none());
        let typed = [
            "--home=10.0.0.0/8",
            "-q",
            "--output",
            "hours",
            "a.pcap",
            "--scores=s.csv",
            "it's.pcap",
        ];
        let typed = typed.map(str::to_owned);
        let two = title(&["a.pcap".into(), "it's.pcap".into()], &typed, Unit::Packets);
        assert_eq!(two.input, "a.pcap and 1 more");
        assert_eq!(two.again.as_deref(), Some("--home=10.0.0.0/8 a.pcap 'it'\\''s.pcap'"));
    }
}

//! `balefire archive`: hours of many sensors brought together.
//!
//! In: what was typed. Out: what became of the hours. Not its job: any of it (`archive`).

use std::path::Path;

use balefire_archive::{
    Archive, ArchiveError, FOLDER, Retention, SQLITE, Store, Transfer, clickhouse, find, hours_of, push,
};
use balefire_report::{clean, counted, rfc3339, thousands};

use crate::exit::{Exit, Failure};
use crate::flags::ArchiveCommand;
use crate::output;

const NS_PER_S: i64 = 1_000_000_000;

pub(crate) fn run(command: &ArchiveCommand) -> Result<Exit, Failure> {
    let failed = |error: ArchiveError| Failure::failed(error.to_string());
    match command {
        ArchiveCommand::Import { archive, from } => import(archive, from),
        ArchiveCommand::Push { archive, to } => {
            let folder = there(archive)?;
            let store = Store::open(&folder.join(SQLITE)).map_err(failed)?;
            let transfer = push(&store, &folder.join(balefire_archive::PARQUET), to).map_err(failed)?;
            told(&transfer, to, "put", "there already")
        }
        ArchiveCommand::Ls { archive } => list(&there(archive)?),
        ArchiveCommand::Check { archive } => {
            let folder = there(archive)?;
            let archive = Archive::open(&folder, Retention::default()).map_err(failed)?;
            let transfer = archive.check().map_err(failed)?;
            transfer
                .faults
                .iter()
                .for_each(|fault| output::complain(&fault.to_string()));
            output::print(&format!(
                "{}: archive.sqlite is whole; hours with Parquet files: {} good, {} not; without: {}.\n",
                clean(&folder.display().to_string()),
                thousands(transfer.known),
                thousands(transfer.faults.len() as u64),
                thousands(transfer.without_files),
            ))?;
            if transfer.only_files > 0 {
                output::complain(&format!(
                    "hours there as Parquet files only, which no report counts: {} (`balefire archive import` of that folder takes them up)",
                    thousands(transfer.only_files),
                ));
            }
            Ok(if transfer.faults.is_empty() {
                Exit::Done
            } else {
                Exit::Damaged
            })
        }
        ArchiveCommand::Ddl { source, .. } => {
            output::print(&clickhouse(source))?;
            Ok(Exit::Done)
        }
    }
}

fn import(named: &Path, from: &[String]) -> Result<Exit, Failure> {
    let failed = |error: ArchiveError| Failure::failed(error.to_string());
    let folder = if named.join(SQLITE).exists() {
        named.to_path_buf()
    } else {
        named.join(FOLDER)
    };
    if !folder.join(SQLITE).exists() {
        // A slip of the pen must not leave an empty archive behind.
        let mut hours = 0;
        for place in from {
            hours += hours_of(place).map_err(failed)?;
        }
        if hours == 0 {
            return Err(Failure::failed(format!(
                "no hour is in {}; no archive was made",
                clean(&from.join(", "))
            )));
        }
    }
    let mut archive = Archive::open(&folder, Retention::default()).map_err(failed)?;
    let mut exit = Exit::Done;
    for place in from {
        let transfer = archive.import_from(place).map_err(failed)?;
        if told(&transfer, place, "taken", "there already")? != Exit::Done {
            exit = Exit::Damaged;
        }
    }
    Ok(exit)
}

/// The archive that a name means; one that is not there is not made.
fn there(named: &Path) -> Result<std::path::PathBuf, Failure> {
    let folder = find(named);
    if folder.join(SQLITE).exists() {
        Ok(folder)
    } else {
        Err(Failure::usage(format!(
            "{}: no archive is there; --archive names the folder that was given to --output",
            named.display()
        )))
    }
}

/// What became of the hours of a place.
fn told(transfer: &Transfer, place: &str, taken: &str, known: &str) -> Result<Exit, Failure> {
    let Transfer { faults, .. } = transfer;
    for fault in faults {
        output::complain(&fault.to_string());
    }
    output::print(&format!(
        "{}: {} {taken}, {} {known}, {} left out.\n",
        clean(place),
        counted(transfer.taken, "hour"),
        thousands(transfer.known),
        thousands(faults.len() as u64),
    ))?;
    Ok(if faults.is_empty() { Exit::Done } else { Exit::Damaged })
}

fn list(folder: &Path) -> Result<Exit, Failure> {
    let store = Store::open_to_read(&folder.join(SQLITE)).map_err(|error| Failure::failed(error.to_string()))?;
    let sensors = store.sensors().map_err(|error| Failure::failed(error.to_string()))?;
    let mut text = format!(
        "{:<20} {:<16} {:<16} {:>8} {:>8} {:>8}\n",
        "sensor", "first hour", "last hour", "hours", "partial", "missing"
    );
    for sensor in sensors {
        // To the minute: hours begin with one.
        let hour = |hour_s: i64| {
            rfc3339(hour_s.saturating_mul(NS_PER_S))
                .chars()
                .take(16)
                .collect::<String>()
        };
        text += &format!(
            "{:<20} {:<16} {:<16} {:>8} {:>8} {:>8}\n",
            clean(&sensor.sensor_id),
            hour(sensor.first_s),
            hour(sensor.last_s),
            sensor.hours,
            sensor.partial,
            sensor.missing(),
        );
    }
    output::print(&text)?;
    Ok(Exit::Done)
}

//! Hours from and to other places: folders, and object storage.
//!
//! In: an archive, a place as the operator names it. Out: what became of each hour there. Only whole hours count: of an hour in a
//! place the highest revision is taken, and one that cannot be believed is left out and told of. Not its job: which word counts
//! (`archive`), speaking S3 (`remote`).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::archive::{Added, Archive, SQLITE, find};
use crate::closing::{PARQUET, place, read_hour};
use crate::error::{ArchiveError, Fault, source_error};
use crate::record::is_sensor_id;

/// Begins the name of a place in object storage.
pub const S3: &str = "s3://";

/// What became of the hours of a place.
#[derive(Debug, Default)]
pub struct Transfer {
    /// New, or in the place of an earlier word.
    pub taken: u64,
    /// There already, or a better one was.
    pub known: u64,
    /// Left out, and why.
    pub faults: Vec<ArchiveError>,
    /// Of a check: hours without Parquet files.
    pub without_files: u64,
    /// Of a check: hours of Parquet files that SQLite does not have.
    pub only_files: u64,
}

impl Transfer {
    pub(crate) fn count(&mut self, added: Result<Added, ArchiveError>) -> Result<(), ArchiveError> {
        match added {
            Ok(Added::New | Added::Replaced | Added::Joined) => self.taken += 1,
            Ok(Added::Unchanged | Added::Kept) => self.known += 1,
            // The hour is at fault, not the archive: the others can still come.
            Err(error @ (ArchiveError::Record { .. } | ArchiveError::Conflict { .. })) => self.faults.push(error),
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// An hour in a place: day, hour, sensor; and its highest revision with where that lies.
pub(crate) type Offered<W> = BTreeMap<(String, String, String), (i64, W)>;

impl Archive {
    /// Takes the hours of another archive: its folder, the folder above it, or its Parquet folder; or `s3://BUCKET/PREFIX`.
    ///
    /// # Errors
    /// If the place or this archive fails. An hour that cannot be believed is a fault in the answer.
    pub fn import_from(&mut self, named: &str) -> Result<Transfer, ArchiveError> {
        if named.starts_with(S3) {
            return crate::remote::import(self, named);
        }
        let mut transfer = Transfer::default();
        for (_, folder) in offered(&parquet_of(Path::new(named))?)?.into_values() {
            let added = read_hour(&folder).and_then(|hour| self.import(&hour));
            transfer.count(added)?;
        }
        Ok(transfer)
    }

    /// Reads every hour's Parquet files and compares them with SQLite; looks at every page of SQLite.
    ///
    /// # Errors
    /// If SQLite is damaged. An hour whose files are gone or say something else is a fault in the answer.
    pub fn check(&self) -> Result<Transfer, ArchiveError> {
        self.store().check_all()?;
        let mut transfer = Transfer::default();
        let mut known = BTreeSet::new();
        for (sensor_id, hour_s, revision) in self.store().hours()? {
            let folder = self.parquet_folder().join(place(&sensor_id, hour_s, revision));
            // Of all revisions of the hour.
            known.extend(folder.parent().map(Path::to_path_buf));
            if !folder.exists() {
                // Kept for a shorter time, never written here, or lost: who asks knows.
                transfer.without_files += 1;
                continue;
            }
            let there = self.store().there(&sensor_id, hour_s)?;
            match read_hour(&folder) {
                Ok(hour) if there.is_some_and(|there| there.digest == hour.digest()) => transfer.known += 1,
                Ok(_) => transfer.faults.push(ArchiveError::Record {
                    path: folder,
                    fault: Fault::Content("its files say something else than archive.sqlite".to_owned()),
                }),
                Err(error) => transfer.faults.push(error),
            }
        }
        if self.parquet_folder().is_dir() {
            let there = offered(&self.parquet_folder())?.into_values();
            let unknown = there.filter(|(_, folder)| folder.parent().is_none_or(|hour| !known.contains(hour)));
            transfer.only_files = unknown.count() as u64;
        }
        Ok(transfer)
    }
}

/// How many hours a place has, before an archive is made to take them.
///
/// # Errors
/// If the place cannot be read, or is none.
pub fn hours_of(named: &str) -> Result<u64, ArchiveError> {
    if named.starts_with(S3) {
        return crate::remote::hours_of(named);
    }
    Ok(offered(&parquet_of(Path::new(named))?)?.len() as u64)
}

/// The Parquet folder that a name means.
fn parquet_of(named: &Path) -> Result<PathBuf, ArchiveError> {
    let below = [named.join(PARQUET), find(named).join(PARQUET)];
    if let Some(folder) = below.into_iter().find(|folder| folder.is_dir()) {
        return Ok(folder);
    }
    // An archive without Parquet files has nothing to give, but is no mistake; a folder of something else is one.
    if folders(named, "date")?.is_empty() && !find(named).join(SQLITE).exists() {
        return Err(ArchiveError::NotAnArchive {
            path: named.to_path_buf(),
            reason:
                "no hours (date=.../hour=.../sensor=.../rev=...) are in it; name a folder that was given to --output, \
                     an archive, or its parquet folder"
                    .to_owned(),
        });
    }
    Ok(named.to_path_buf())
}

/// The hours under a folder.
fn offered(folder: &Path) -> Result<Offered<PathBuf>, ArchiveError> {
    let mut hours = Offered::new();
    for (day, path) in folders(folder, "date")? {
        for (hour, path) in folders(&path, "hour")? {
            for (sensor, path) in folders(&path, "sensor")? {
                for (revision, path) in folders(&path, "rev")? {
                    offer(&mut hours, (day.clone(), hour.clone(), sensor.clone()), &revision, path);
                }
            }
        }
    }
    Ok(hours)
}

/// Keeps the highest revision.
pub(crate) fn offer<W>(hours: &mut Offered<W>, key: (String, String, String), revision: &str, place: W) {
    let Ok(revision) = revision.parse::<i64>() else { return };
    if revision < 1 || !is_sensor_id(&key.2) {
        return;
    }
    if hours.get(&key).is_none_or(|(known, _)| *known < revision) {
        hours.insert(key, (revision, place));
    }
}

/// The folders called `NAME=VALUE`, by their values.
fn folders(folder: &Path, name: &str) -> Result<Vec<(String, PathBuf)>, ArchiveError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(source_error(folder))? {
        let path = entry.map_err(source_error(folder))?.path();
        let value = path
            .file_name()
            .and_then(|file| file.to_str())
            .and_then(|file| file.strip_prefix(name)?.strip_prefix('='));
        if let Some(value) = value.map(str::to_owned) {
            found.push((value, path));
        }
    }
    found.sort();
    Ok(found)
}

//! An archive: one folder with an SQLite file and the Parquet folders of its hours.
//!
//! In: hours, of this sensor or from other archives. Out: what became of each; a crash at any point loses no hour that
//! [`Archive::add`] or [`Archive::import`] has returned for, and none whose files were whole. Not its job: rendering, remote places.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::closing::{Closing, PARQUET, place};
use crate::error::{ArchiveError, io_error};
use crate::place::{Decision, decide, join};
use crate::record::{Hour, day_of, hour_of_day};
use crate::store::{Retention, Store};

/// The SQLite file, in the archive's folder.
pub const SQLITE: &str = "archive.sqlite";

/// The archive's folder, in the folder of `--output`.
pub const FOLDER: &str = "archive";

/// What became of an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// The first word on it.
    New,
    /// It took the place of an earlier one.
    Replaced,
    /// It was put together with an earlier part of the hour.
    Joined,
    /// It was there already.
    Unchanged,
    /// What was there is the better one.
    Kept,
}

/// See the head of this file. Only one process writes at a time; any number read.
#[derive(Debug)]
pub struct Archive {
    folder: PathBuf,
    store: Store,
    closing: Closing,
    retention: Retention,
    recovered: usize,
    /// Held while the archive is open.
    _lock: File,
}

impl Archive {
    /// Opens to write; made if it is not there. Finishes hours that a crash left on their way.
    ///
    /// # Errors
    /// If somebody else writes to it, it is damaged, newer than this program, or cannot be written.
    pub fn open(folder: &Path, retention: Retention) -> Result<Self, ArchiveError> {
        fs::create_dir_all(folder).map_err(io_error(folder))?;
        let path = folder.join("writer.lock");
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(io_error(&path))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|_| ArchiveError::Locked { path })?;
        let mut archive = Self {
            folder: folder.to_path_buf(),
            store: Store::open(&folder.join(SQLITE))?,
            closing: Closing::open(folder)?,
            retention,
            recovered: 0,
            _lock: lock,
        };
        archive.recovered = archive.finish_what_is_left()?;
        Ok(archive)
    }

    /// Its SQLite file.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The folder of whole hours.
    pub fn parquet_folder(&self) -> PathBuf {
        self.folder.join(PARQUET)
    }

    /// Hours that a crash had left on their way, finished at the start.
    pub fn recovered(&self) -> usize {
        self.recovered
    }

    /// Takes a new word on an hour of this sensor; its revision is given here.
    ///
    /// # Errors
    /// If it cannot be written; then the archive is as it was, or the hour's files are whole and it is finished at the next start.
    pub fn add(&mut self, hour: Hour) -> Result<Added, ArchiveError> {
        // An hour that failed half-way before is finished first, or its revision would be given twice.
        self.finish_what_is_left()?;
        let there = self.store.there(&hour.sensor_id, hour.hour_s)?;
        let (mut hour, added) = match decide(there.as_ref(), &hour, &hour.digest()) {
            Decision::Unchanged => return Ok(Added::Unchanged),
            Decision::Keep => return Ok(Added::Kept),
            Decision::Replace if there.is_none() => (hour, Added::New),
            Decision::Replace => (hour, Added::Replaced),
            Decision::Join => match self.store.load(&hour.sensor_id, hour.hour_s)? {
                Some(first) => (join(first, hour), Added::Joined),
                None => (hour, Added::Replaced),
            },
        };
        hour.revision = there.map_or(0, |there| there.revision) + 1;
        self.close(&hour)?;
        Ok(added)
    }

    /// Takes an hour of another archive as it is: the higher revision counts; of two words with one revision the whole hour
    /// before a part of it.
    ///
    /// # Errors
    /// As [`Self::add`], and if another word of the same kind has the same revision.
    pub fn import(&mut self, hour: &Hour) -> Result<Added, ArchiveError> {
        self.finish_what_is_left()?;
        let there = self.store.there(&hour.sensor_id, hour.hour_s)?;
        let added = match &there {
            None => Added::New,
            Some(there) if there.revision > hour.revision => return Ok(Added::Kept),
            Some(there) if there.revision == hour.revision && there.digest == hour.digest() => {
                return Ok(Added::Unchanged);
            }
            // A part and the whole may meet with one revision: where one run was stopped and another began anew.
            Some(there) if there.revision == hour.revision && there.partial != hour.watched.partial => {
                if hour.watched.partial {
                    return Ok(Added::Kept);
                }
                let mut whole = hour.clone();
                whole.revision += 1;
                self.close(&whole)?;
                return Ok(Added::Replaced);
            }
            Some(there) if there.revision == hour.revision => {
                return Err(ArchiveError::Conflict {
                    sensor_id: hour.sensor_id.clone(),
                    hour: format!("{}T{:02}", day_of(hour.hour_s), hour_of_day(hour.hour_s)),
                    revision: hour.revision,
                });
            }
            Some(_) => Added::Replaced,
        };
        self.close(hour)?;
        Ok(added)
    }

    /// An empty folder for the files of an hour that comes from elsewhere; gone with the next hour or start.
    #[cfg(feature = "object-storage")]
    pub(crate) fn incoming(&self) -> Result<PathBuf, ArchiveError> {
        self.closing.incoming()
    }

    /// The order is the promise, see `schema.md`: whole files, then the transaction, then their place.
    fn close(&mut self, hour: &Hour) -> Result<(), ArchiveError> {
        // What a start would not believe must not be written: it would be taken for torn.
        hour.check().map_err(|fault| ArchiveError::Record {
            path: self
                .parquet_folder()
                .join(place(&hour.sensor_id, hour.hour_s, hour.revision)),
            fault,
        })?;
        let staged = self.closing.stage(hour)?;
        self.store.put(hour)?;
        self.closing.settle_in(&staged, hour)?;
        self.forget()
    }

    fn finish_what_is_left(&mut self) -> Result<usize, ArchiveError> {
        let left = self.closing.left()?;
        for (staged, hour) in &left {
            let there = self.store.there(&hour.sensor_id, hour.hour_s)?;
            if there.is_none_or(|there| there.revision < hour.revision) {
                self.store.put(hour)?;
            }
            self.closing.settle_in(staged, hour)?;
        }
        Ok(left.len())
    }

    fn forget(&mut self) -> Result<(), ArchiveError> {
        self.store.retain(&self.retention)?;
        if self.retention.parquet_days == 0 {
            return Ok(());
        }
        let newest = self.store.newest_hour_s()?;
        match newest.and_then(|newest| Retention::from_s(self.retention.parquet_days, newest)) {
            Some(from_s) => self.closing.forget_before(&day_of(from_s)),
            None => Ok(()),
        }
    }
}

/// The archive in a folder that the operator named: itself, or the one below it.
pub fn find(named: &Path) -> PathBuf {
    if named.join(SQLITE).exists() {
        named.to_path_buf()
    } else {
        named.join(FOLDER)
    }
}

//! The files of an hour on their way: written beside, synced, renamed, so that a reader never sees half an hour.
//!
//! In: an [`Hour`] with its revision. Out: a folder in `closing/` that is whole, and later its place under `parquet/`. What a
//! crash leaves is told apart by name: `NAME.part` is half an hour, `NAME` a whole one. Not its job: SQLite, and which
//! word counts (`archive`).

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::cell::{Row, Value};
use crate::error::{ArchiveError, Fault, io_error};
use crate::parquet_file;
use crate::record::{CountryRow, Hour, PairRow, SensorHour, ServerRow, day_of, hour_of_day};

/// The folder of whole hours, under the archive's.
pub const PARQUET: &str = "parquet";

/// Ends the name of a folder that is being written.
const PART: &str = ".part";

/// The tables of an hour; also the stems of its files.
pub const TABLES: [&str; 4] = [SensorHour::TABLE, ServerRow::TABLE, PairRow::TABLE, CountryRow::TABLE];

/// Where an hour lies under `parquet/`, as Hive, Spark, DuckDB and ClickHouse read it.
pub fn place(sensor_id: &str, hour_s: i64, revision: i64) -> PathBuf {
    let (day, hour) = (day_of(hour_s), hour_of_day(hour_s));
    PathBuf::from(format!("date={day}/hour={hour:02}/sensor={sensor_id}/rev={revision}"))
}

/// The two folders.
#[derive(Debug)]
pub(crate) struct Closing {
    closing: PathBuf,
    parquet: PathBuf,
}

impl Closing {
    pub(crate) fn open(folder: &Path) -> Result<Self, ArchiveError> {
        let (closing, parquet) = (folder.join("closing"), folder.join(PARQUET));
        for path in [&closing, &parquet] {
            fs::create_dir_all(path).map_err(io_error(path))?;
        }
        Ok(Self { closing, parquet })
    }

    /// Writes the four files; when this returns they are on the disk, under a name that says so.
    pub(crate) fn stage(&self, hour: &Hour) -> Result<PathBuf, ArchiveError> {
        let name = format!("{}.{}.{}", hour.hour_s, hour.revision, hour.sensor_id);
        let (part, whole) = (self.closing.join(format!("{name}{PART}")), self.closing.join(name));
        for left in [&part, &whole] {
            remove(left)?;
        }
        let written = write_hour(&part, hour).and_then(|()| rename(&part, &whole, &self.closing));
        if written.is_err() {
            // Best effort: what stays is removed at the next start, and the error that led here is the one to tell.
            let _ = fs::remove_dir_all(&part);
        }
        written.map(|()| whole)
    }

    /// See [`crate::Archive`]: a name that a start removes.
    #[cfg(feature = "object-storage")]
    pub(crate) fn incoming(&self) -> Result<PathBuf, ArchiveError> {
        let folder = self.closing.join(format!("incoming{PART}"));
        remove(&folder)?;
        fs::create_dir(&folder).map_err(io_error(&folder))?;
        Ok(folder)
    }

    /// Moves a whole hour to its place.
    pub(crate) fn settle_in(&self, staged: &Path, hour: &Hour) -> Result<(), ArchiveError> {
        let place = self.parquet.join(place(&hour.sensor_id, hour.hour_s, hour.revision));
        let parent = place.parent().unwrap_or(&self.parquet);
        make_folders(&self.parquet, parent)?;
        // The same revision is the same hour: it was moved, and the crash came before the folder was synced.
        remove(&place)?;
        rename(staged, &place, parent)?;
        sync_folder(&self.closing)
    }

    /// What a crash left: half hours are removed, whole ones returned with their folders, oldest first.
    pub(crate) fn left(&self) -> Result<Vec<(PathBuf, Hour)>, ArchiveError> {
        let mut whole = Vec::new();
        for entry in fs::read_dir(&self.closing).map_err(io_error(&self.closing))? {
            let path = entry.map_err(io_error(&self.closing))?.path();
            let is_part = path.to_string_lossy().ends_with(PART);
            match if is_part { None } else { read_hour(&path).ok() } {
                Some(hour) => whole.push((path, hour)),
                None => remove(&path)?,
            }
        }
        whole.sort_by_key(|one| (one.1.hour_s, one.1.revision));
        Ok(whole)
    }

    /// Removes the days before this one; at most a week of them at a time.
    pub(crate) fn forget_before(&self, day: &str) -> Result<(), ArchiveError> {
        let mut old: Vec<PathBuf> = Vec::new();
        for entry in fs::read_dir(&self.parquet).map_err(io_error(&self.parquet))? {
            let path = entry.map_err(io_error(&self.parquet))?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            if name.and_then(|name| name.strip_prefix("date=").map(|date| date < day)) == Some(true) {
                old.push(path);
            }
        }
        old.sort();
        old.iter().take(7).try_for_each(|path| remove(path))
    }
}

/// Reads and believes a folder with the four files of an hour.
///
/// # Errors
/// If a file is missing, torn, or says what cannot be.
pub fn read_hour(folder: &Path) -> Result<Hour, ArchiveError> {
    let wrong = |what: &str| ArchiveError::Record {
        path: folder.to_path_buf(),
        fault: Fault::Content(what.to_owned()),
    };
    let mut watched = parquet_file::read::<SensorHour>(&file_of::<SensorHour>(folder))?;
    let (Some((first, watched)), true) = (watched.pop(), watched.is_empty()) else {
        return Err(wrong("sensor_hour must have one row"));
    };
    let [
        Value::Integer(hour_s),
        Value::Text(day),
        Value::Text(sensor_id),
        Value::Integer(revision),
    ] = first.clone()
    else {
        return Err(wrong("its first columns are not those of an hour"));
    };
    let hour = Hour {
        hour_s,
        sensor_id,
        revision,
        watched,
        servers: rows(folder, &first)?,
        pairs: rows(folder, &first)?,
        countries: rows(folder, &first)?,
    };
    if day != hour.day() {
        return Err(wrong("its day is not that of its hour"));
    }
    hour.check().map_err(|fault| ArchiveError::Record {
        path: folder.to_path_buf(),
        fault,
    })?;
    Ok(hour)
}

fn rows<R: Row>(folder: &Path, first: &[Value; 4]) -> Result<Vec<R>, ArchiveError> {
    let path = file_of::<R>(folder);
    let rows = parquet_file::read::<R>(&path)?;
    if rows.iter().any(|(found, _)| found != first) {
        return Err(ArchiveError::Record {
            path,
            fault: Fault::Content("rows of another hour".to_owned()),
        });
    }
    Ok(rows.into_iter().map(|(_, row)| row).collect())
}

fn write_hour(folder: &Path, hour: &Hour) -> Result<(), ArchiveError> {
    fs::create_dir(folder).map_err(io_error(folder))?;
    let first = hour.first_values();
    parquet_file::write(
        &file_of::<SensorHour>(folder),
        &first,
        std::slice::from_ref(&hour.watched),
    )?;
    parquet_file::write(&file_of::<ServerRow>(folder), &first, &hour.servers)?;
    parquet_file::write(&file_of::<PairRow>(folder), &first, &hour.pairs)?;
    parquet_file::write(&file_of::<CountryRow>(folder), &first, &hour.countries)?;
    sync_folder(folder)
}

fn file_of<R: Row>(folder: &Path) -> PathBuf {
    folder.join(format!("{}.parquet", R::TABLE))
}

fn rename(from: &Path, to: &Path, folder: &Path) -> Result<(), ArchiveError> {
    fs::rename(from, to).map_err(io_error(to))?;
    sync_folder(folder)
}

/// Makes each folder on the way and syncs the one it is in, or a crash may lose a name that a synced file lies under.
fn make_folders(root: &Path, folder: &Path) -> Result<(), ArchiveError> {
    if folder == root || folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().unwrap_or(root);
    make_folders(root, parent)?;
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(io_error(folder)(error)),
        _ => {}
    }
    sync_folder(parent)
}

fn sync_folder(folder: &Path) -> Result<(), ArchiveError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(io_error(folder))
}

/// Removes a folder or file; that there is none is fine.
fn remove(path: &Path) -> Result<(), ArchiveError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(about) if about.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(io_error(path)),
    }
}

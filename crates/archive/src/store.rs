//! The SQLite file of an archive: opened, checked, brought to the current schema; one transaction an hour.
//!
//! In: a path, [`Hour`]s. Out: what is known of an hour, and the views that reports read. Not its job: which word on an hour
//! counts (`place`), Parquet and crashes (`closing`), rows (`store::rows`), age (`retention`).

mod retention;
mod rows;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior};

use crate::error::{ArchiveError, io_error, sqlite_error};
use crate::place::There;
use crate::record::{HOUR_S, Hour};

pub use retention::Retention;

/// "bale": tells our files from other people's (SQLite file format, section 1.3.15).
const APPLICATION_ID: i64 = 0x6261_6c65;

/// What brings a file of version `n` to `n + 1`, from 0, which is empty.
const MIGRATIONS: &[&str] = &[include_str!("../schema/v1.sql"), include_str!("../schema/v2.sql")];

/// Version of the schema in SQLite.
pub const STORE_VERSION: i64 = MIGRATIONS.len() as i64;

/// A file up to this size is checked whenever it is opened to write; a larger one after a crash, and by `check`.
const CHECKED_ALWAYS_BYTES: u64 = 256 << 20;

/// How long one writer waits for a reader's checkpoint or another statement.
const BUSY: Duration = Duration::from_secs(20);

/// See the head of this file.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    sqlite: Connection,
}

/// What there is of one sensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SensorHours {
    /// The sensor.
    pub sensor_id: String,
    /// Its first hour, seconds since 1970.
    pub first_s: i64,
    /// Its last.
    pub last_s: i64,
    /// Hours that are there.
    pub hours: i64,
    /// Those watched in part.
    pub partial: i64,
}

impl SensorHours {
    /// Hours between its first and its last that are not there.
    pub fn missing(&self) -> i64 {
        (self.last_s - self.first_s) / HOUR_S + 1 - self.hours
    }
}

impl Store {
    /// Opens to write: makes the file if it is not there, checks it, brings it to the current schema.
    ///
    /// # Errors
    /// The file is of a newer version (it is not touched), is something else, or is damaged.
    pub fn open(path: &Path) -> Result<Self, ArchiveError> {
        let header = header(path)?;
        let after_crash = wal_path(path).exists();
        let sqlite = Connection::open(path).map_err(sqlite_error(path))?;
        let mut store = Self {
            path: path.to_path_buf(),
            sqlite,
        };
        store.set_up(header.is_none())?;
        let bytes = std::fs::metadata(path).map_err(io_error(path))?.len();
        if after_crash || bytes <= CHECKED_ALWAYS_BYTES {
            store.check("quick_check")?;
        }
        store.migrate()?;
        Ok(store)
    }

    /// Opens to read only.
    ///
    /// # Errors
    /// As [`Self::open`], and if it is not there.
    pub fn open_to_read(path: &Path) -> Result<Self, ArchiveError> {
        if header(path)?.is_none() {
            return Err(ArchiveError::NotAnArchive {
                path: path.to_path_buf(),
                reason: "nothing is there; `balefire read --output DIR` makes one".to_owned(),
            });
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let sqlite = Connection::open_with_flags(path, flags).map_err(sqlite_error(path))?;
        sqlite.busy_timeout(BUSY).map_err(sqlite_error(path))?;
        let store = Self {
            path: path.to_path_buf(),
            sqlite,
        };
        let found = store.version()?;
        if found < STORE_VERSION {
            return Err(ArchiveError::NotAnArchive {
                path: path.to_path_buf(),
                reason: format!(
                    "its schema is version {found}; run `balefire archive check` on it, which brings it to {STORE_VERSION}"
                ),
            });
        }
        Ok(store)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The connection, for reports.
    pub fn connection(&self) -> &Connection {
        &self.sqlite
    }

    /// Looks at every page.
    ///
    /// # Errors
    /// What SQLite found, if anything.
    pub fn check_all(&self) -> Result<(), ArchiveError> {
        self.check("integrity_check")
    }

    /// What is known of an hour.
    pub(crate) fn there(&self, sensor_id: &str, hour_s: i64) -> Result<Option<There>, ArchiveError> {
        self.sqlite
            .prepare_cached(
                "SELECT h.revision, h.digest, h.partial, h.first_packet_ns, h.last_packet_ns, h.received
                 FROM hour_row AS h JOIN sensor AS s USING (sensor_no) WHERE h.hour_s = ?1 AND s.sensor_id = ?2",
            )
            .and_then(|mut statement| {
                statement
                    .query_row((hour_s, sensor_id), |row| {
                        Ok(There {
                            revision: row.get(0)?,
                            digest: row.get(1)?,
                            partial: row.get(2)?,
                            first_packet_ns: row.get(3)?,
                            last_packet_ns: row.get(4)?,
                            received: row.get(5)?,
                        })
                    })
                    .optional()
            })
            .map_err(sqlite_error(&self.path))
    }

    /// Puts the hour in the place of whatever is there, in one transaction.
    pub(crate) fn put(&mut self, hour: &Hour) -> Result<(), ArchiveError> {
        let digest = hour.digest();
        self.transaction(|transaction| rows::put(transaction, hour, &digest))
    }

    /// The hour as it was put, or what retention has left of it.
    pub(crate) fn load(&self, sensor_id: &str, hour_s: i64) -> Result<Option<Hour>, ArchiveError> {
        rows::load(&self.sqlite, sensor_id, hour_s).map_err(sqlite_error(&self.path))
    }

    /// Every hour by its sensor, with its revision.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn hours(&self) -> Result<Vec<(String, i64, i64)>, ArchiveError> {
        self.sqlite
            .prepare_cached("SELECT s.sensor_id, h.hour_s, h.revision FROM hour_row AS h JOIN sensor AS s USING (sensor_no) ORDER BY 2, 1")
            .and_then(|mut statement| {
                let rows = statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
                rows.collect()
            })
            .map_err(sqlite_error(&self.path))
    }

    /// What there is of each sensor.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn sensors(&self) -> Result<Vec<SensorHours>, ArchiveError> {
        self.sqlite
            .prepare_cached(
                "SELECT sensor_id, min(hour_s), max(hour_s), count(*), sum(partial) FROM sensor_hour GROUP BY sensor_id ORDER BY sensor_id",
            )
            .and_then(|mut statement| {
                let rows = statement.query_map((), |row| {
                    Ok(SensorHours {
                        sensor_id: row.get(0)?,
                        first_s: row.get(1)?,
                        last_s: row.get(2)?,
                        hours: row.get(3)?,
                        partial: row.get(4)?,
                    })
                })?;
                rows.collect()
            })
            .map_err(sqlite_error(&self.path))
    }

    /// Sensor hours from `from_s` on, before `to_s`, of which retention has taken servers: their own record names more than there are.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn forgotten_hours(&self, from_s: i64, to_s: i64) -> Result<i64, ArchiveError> {
        self.sqlite
            .query_row(
                "SELECT count(*) FROM hour_row AS h WHERE h.hour_s >= ?1 AND h.hour_s < ?2 AND h.servers >
                 (SELECT count(*) FROM server_row AS r WHERE r.hour_s = h.hour_s AND r.sensor_no = h.sensor_no AND r.class > 0)",
                (from_s, to_s),
                |row| row.get(0),
            )
            .map_err(sqlite_error(&self.path))
    }

    /// The newest hour, of whatever sensor.
    pub(crate) fn newest_hour_s(&self) -> Result<Option<i64>, ArchiveError> {
        self.sqlite
            .query_row("SELECT max(hour_s) FROM hour_row", (), |row| row.get(0))
            .map_err(sqlite_error(&self.path))
    }

    /// Forgets what is too old, a bounded piece at a time.
    pub(crate) fn retain(&mut self, retention: &Retention) -> Result<(), ArchiveError> {
        if retention.is_forever() {
            return Ok(());
        }
        self.transaction(|transaction| retention::forget(transaction, retention))?;
        retention::give_back(&self.sqlite).map_err(sqlite_error(&self.path))
    }

    /// Whether this revision was pushed to that place.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn is_pushed(&self, place: &str, sensor_id: &str, hour_s: i64, revision: i64) -> Result<bool, ArchiveError> {
        self.sqlite
            .prepare_cached(
                "SELECT 1 FROM pushed JOIN sensor USING (sensor_no)
                 WHERE place = ?1 AND hour_s = ?2 AND sensor_id = ?3 AND revision = ?4",
            )
            .and_then(|mut statement| statement.exists((place, hour_s, sensor_id, revision)))
            .map_err(sqlite_error(&self.path))
    }

    /// Notes that this revision was pushed to that place.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn note_pushed(&self, place: &str, sensor_id: &str, hour_s: i64, revision: i64) -> Result<(), ArchiveError> {
        self.sqlite
            .execute(
                "INSERT OR IGNORE INTO pushed SELECT ?1, ?2, sensor_no, ?4 FROM sensor WHERE sensor_id = ?3",
                (place, hour_s, sensor_id, revision),
            )
            .map(drop)
            .map_err(sqlite_error(&self.path))
    }

    fn set_up(&self, is_new: bool) -> Result<(), ArchiveError> {
        let sqlite = &self.sqlite;
        let set = || {
            sqlite.busy_timeout(BUSY)?;
            if is_new {
                // Only an empty file takes it; what retention frees is given back piece by piece.
                sqlite.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
            }
            sqlite.pragma_update(None, "journal_mode", "WAL")?;
            // In WAL mode a commit is on the disk only with FULL.
            sqlite.pragma_update(None, "synchronous", "FULL")?;
            sqlite.pragma_update(None, "foreign_keys", true)?;
            sqlite.pragma_update(None, "temp_store", "FILE")
        };
        set().map_err(sqlite_error(&self.path))
    }

    fn version(&self) -> Result<i64, ArchiveError> {
        self.sqlite
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .map_err(sqlite_error(&self.path))
    }

    fn migrate(&mut self) -> Result<(), ArchiveError> {
        let found = self.version()?;
        if found > STORE_VERSION {
            return Err(newer(&self.path, found));
        }
        if found == STORE_VERSION {
            return Ok(());
        }
        let steps = &MIGRATIONS[usize::try_from(found).unwrap_or(0)..];
        self.transaction(|transaction| {
            steps.iter().try_for_each(|step| transaction.execute_batch(step))?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", STORE_VERSION)
        })?;
        // So that the version is in the file itself, where `header` looks.
        self.sqlite
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()))
            .map_err(sqlite_error(&self.path))
    }

    fn check(&self, pragma: &str) -> Result<(), ArchiveError> {
        let said: Result<Vec<String>, _> = self
            .sqlite
            .prepare(&format!("PRAGMA {pragma}(20)"))
            .and_then(|mut statement| statement.query_map((), |row| row.get(0))?.collect());
        let reason = match said {
            Ok(said) if said == ["ok"] => return Ok(()),
            Ok(said) => said.join("; "),
            Err(error) => error.to_string(),
        };
        Err(ArchiveError::Damaged {
            path: self.path.clone(),
            reason,
        })
    }

    fn transaction<T>(
        &mut self,
        body: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, ArchiveError> {
        let run = || {
            let transaction = self.sqlite.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = body(&transaction)?;
            transaction.commit()?;
            Ok(done)
        };
        run().map_err(sqlite_error(&self.path))
    }
}

/// Looks at the file before SQLite does, which would write beside it: `None` if there is nothing yet.
fn header(path: &Path) -> Result<Option<i64>, ArchiveError> {
    // Offsets after the SQLite file format, section 1.3.
    const BYTES: usize = 100;
    const MAGIC: &[u8] = b"SQLite format 3\0";
    let mut bytes = Vec::with_capacity(BYTES);
    match File::open(path) {
        Ok(file) => file
            .take(BYTES as u64)
            .read_to_end(&mut bytes)
            .map_err(io_error(path))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error(path)(error)),
    };
    if bytes.is_empty() {
        return Ok(None);
    }
    let number = |at: usize| -> i64 {
        let four = bytes.get(at..at + 4).and_then(|four| four.try_into().ok());
        i64::from(u32::from_be_bytes(four.unwrap_or_default()))
    };
    let (version, application) = (number(60), number(68));
    let reason = if bytes.len() < BYTES || !bytes.starts_with(MAGIC) {
        "it is no SQLite database"
    } else if application != APPLICATION_ID && (application, version) != (0, 0) {
        "it is a database of another program"
    } else if version > STORE_VERSION {
        return Err(newer(path, version));
    } else {
        return Ok(Some(version));
    };
    Err(ArchiveError::NotAnArchive {
        path: path.to_path_buf(),
        reason: reason.to_owned(),
    })
}

fn newer(path: &Path, found: i64) -> ArchiveError {
    ArchiveError::Newer {
        path: path.to_path_buf(),
        found,
        known: STORE_VERSION,
    }
}

fn wal_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

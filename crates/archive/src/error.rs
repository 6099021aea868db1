//! What can go wrong: what, where, and how to mend it.
//!
//! In: the reasons of the system, SQLite, Parquet and object storage. Out: [`ArchiveError`], and [`Fault`] for a record that
//! cannot be believed. Not its job: deciding what to do about it.

use std::io;
use std::path::{Path, PathBuf};

/// Why the archive could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// A file or folder.
    #[error("{path}: {source}; give a folder that exists, is writable and has room", path = path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// What hours were to be taken from cannot be read.
    #[error(
        "{path}: {source}; hours come from a folder that was given to --output, an archive, its parquet folder, or s3://BUCKET/PREFIX",
        path = path.display()
    )]
    Source {
        /// Which.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// SQLite failed.
    #[error("{path}: {source}", path = path.display())]
    Sqlite {
        /// The database.
        path: PathBuf,
        /// Its reason.
        source: rusqlite::Error,
    },
    /// The database is damaged.
    #[error("{path}: damaged ({reason}); move it away and run `balefire archive import` on the parquet folder beside it", path = path.display())]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What the check said.
        reason: String,
    },
    /// The database was written by a newer program; it was not touched.
    #[error("{path}: its schema is version {found}, this program knows up to {known}; it is left as it is: use the program that wrote it, or a newer one", path = path.display())]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// The file is something else.
    #[error("{path}: no archive of balefire: {reason}", path = path.display())]
    NotAnArchive {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        reason: String,
    },
    /// Somebody else writes to it.
    #[error("{path}: another balefire writes to this archive; give each its own --output, or wait until it is done", path = path.display())]
    Locked {
        /// The lock.
        path: PathBuf,
    },
    /// ClickHouse did not answer, or not as it should.
    #[error("{url}: {reason}")]
    ClickHouse {
        /// The server.
        url: String,
        /// Its reason, or why it was not asked.
        reason: String,
    },
    /// A Parquet file cannot be used.
    #[error("{path}: {fault}; it is left out", path = path.display())]
    Record {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        fault: Fault,
    },
    /// Two different words on one hour with the same revision.
    #[error(
        "{sensor_id}, hour {hour}: two different records have revision {revision}; two taps bear one name: give each its own --sensor"
    )]
    Conflict {
        /// The sensor.
        sensor_id: String,
        /// The hour, `YYYY-MM-DDTHH`.
        hour: String,
        /// The revision of both.
        revision: i64,
    },
    /// Object storage.
    #[error("{url}: {reason}")]
    Remote {
        /// Where.
        url: String,
        /// Why, and how to mend it.
        reason: String,
    },
}

/// Why a record cannot be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// A cell is not what its column holds.
    #[error("table {table}: column {column} is missing or holds something else")]
    Cell {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
    },
    /// The file is no Parquet, or cut short.
    #[error("no readable Parquet ({0})")]
    Parquet(String),
    /// It is there, but not like this.
    #[error("{0}")]
    Content(String),
}

pub(crate) fn io_error(path: &Path) -> impl FnOnce(io::Error) -> ArchiveError + '_ {
    move |source| ArchiveError::Io {
        path: path.to_path_buf(),
        source,
    }
}

pub(crate) fn source_error(path: &Path) -> impl FnOnce(io::Error) -> ArchiveError + '_ {
    move |source| ArchiveError::Source {
        path: path.to_path_buf(),
        source,
    }
}

pub(crate) fn sqlite_error(path: &Path) -> impl FnOnce(rusqlite::Error) -> ArchiveError + '_ {
    move |source| ArchiveError::Sqlite {
        path: path.to_path_buf(),
        source,
    }
}

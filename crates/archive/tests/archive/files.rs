//! The files themselves: what is refused, and what stays readable.

use std::fs;
use std::path::Path;

use balefire_archive::{
    Added, Archive, ArchiveError, Hour, Question, Retention, STORE_VERSION, Store, place, read_hour,
};
use proptest::prelude::*;

use crate::sample::{any_hour, hour, open, rows};

fn try_open(folder: &Path) -> Result<Archive, ArchiveError> {
    Archive::open(folder, Retention::default())
}

#[test]
fn a_newer_file_is_refused_untouched() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).add(hour("a", 0, &[(1, 1, &[1])])).unwrap();
    let path = folder.path().join("archive.sqlite");
    let sqlite = rusqlite::Connection::open(&path).unwrap();
    sqlite.pragma_update(None, "user_version", STORE_VERSION + 1).unwrap();
    sqlite
        .pragma_query_value(None, "journal_mode", |row| row.get::<_, String>(0))
        .unwrap();
    sqlite
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()))
        .unwrap();
    drop(sqlite);
    let before = fs::read(&path).unwrap();
    for error in [try_open(folder.path()).map(drop), Store::open_to_read(&path).map(drop)] {
        let error = error.unwrap_err();
        assert!(matches!(error, ArchiveError::Newer { .. }), "{error}");
        assert!(error.to_string().contains("left as it is"), "{error}");
    }
    assert_eq!(fs::read(&path).unwrap(), before);
    assert!(!folder.path().join("archive.sqlite-wal").exists());
}

#[test]
fn other_files_are_refused_untouched() {
    for bytes in [
        &b"not a database at all, but long enough to have a header of a hundred bytes, which is where one looks first"
            [..],
        b"x",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("archive.sqlite");
        fs::write(&path, bytes).unwrap();
        assert!(matches!(
            try_open(folder.path()),
            Err(ArchiveError::NotAnArchive { .. })
        ));
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("archive.sqlite");
    let sqlite = rusqlite::Connection::open(&path).unwrap();
    sqlite
        .execute_batch("CREATE TABLE theirs (a); PRAGMA application_id = 7; PRAGMA user_version = 1;")
        .unwrap();
    drop(sqlite);
    assert!(matches!(
        try_open(folder.path()),
        Err(ArchiveError::NotAnArchive { .. })
    ));
}

#[test]
fn damage_is_found_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut archive = open(folder.path());
    for number in 0..50 {
        archive
            .add(hour("a", number, &[(1, 1, &[1, 2, 3, 4, 5]), (2, 2, &[6, 7, 8])]))
            .unwrap();
    }
    drop(archive);
    let path = folder.path().join("archive.sqlite");
    let mut bytes = fs::read(&path).unwrap();
    let length = bytes.len();
    // A few pages in the middle, as a bad disk leaves them.
    bytes[length / 4..length * 3 / 4].fill(0xa5);
    fs::write(&path, bytes).unwrap();
    let error = try_open(folder.path()).map(drop).unwrap_err();
    assert!(
        matches!(error, ArchiveError::Damaged { .. } | ArchiveError::Sqlite { .. }),
        "{error}"
    );
}

/// Every version that was ever written stays readable: its file is kept, and so is what it said.
#[test]
fn golden_files_of_every_version_are_read() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    if std::env::var_os("BALEFIRE_BLESS").is_some() {
        bless(&golden);
    }
    let versions: Vec<_> = (1..=STORE_VERSION)
        .map(|version| golden.join(format!("v{version}")))
        .collect();
    for version in versions {
        let folder = tempfile::tempdir().unwrap();
        fs::copy(version.with_extension("sqlite"), folder.path().join("archive.sqlite")).unwrap();
        let archive = open(folder.path());
        let expected = fs::read_to_string(version.with_extension("txt")).unwrap();
        assert_eq!(rows(&archive), expected, "{}", version.display());
    }
}

/// Hours that sensors wrote before: what their version had not got is not known, and their fingerprint is the one they were written with.
#[test]
fn parquet_of_the_first_version_is_read() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1-hour");
    let hour = read_hour(&golden).unwrap();
    assert_eq!((hour.watched.schema_version, &hour.watched.rejects), (1, &None));
    let digest: String = hour.digest().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        digest,
        "86282f109585c182b94887164afd51674b6d116b9dcc15f4964f4b735a8257a6"
    );
    let folder = tempfile::tempdir().unwrap();
    let mut archive = open(folder.path());
    assert_eq!(archive.import(&hour).unwrap(), Added::New);
    assert_eq!(archive.import(&hour).unwrap(), Added::Unchanged);
    let checked = archive.check().unwrap();
    assert_eq!((checked.known, checked.faults.len()), (1, 0));
    assert_eq!((checked.without_files, checked.only_files), (0, 0));
    // Files that went, and files whose SQLite went.
    let parquet = folder.path().join("parquet");
    let away = folder.path().join("away");
    fs::rename(&parquet, &away).unwrap();
    let checked = archive.check().unwrap();
    assert_eq!((checked.known, checked.without_files, checked.only_files), (0, 1, 0));
    let empty = tempfile::tempdir().unwrap();
    let other = open(empty.path());
    let _ = fs::remove_dir_all(empty.path().join("parquet"));
    fs::rename(&away, empty.path().join("parquet")).unwrap();
    let checked = other.check().unwrap();
    assert_eq!((checked.known, checked.without_files, checked.only_files), (0, 0, 1));
}

/// Writes the golden file of the current version, if there is none yet.
fn bless(golden: &Path) {
    let stem = golden.join(format!("v{STORE_VERSION}"));
    if stem.with_extension("sqlite").exists() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut archive = open(folder.path());
    for (sensor, number) in [("a", 0), ("a", 1), ("b", 1), ("b", 30)] {
        archive
            .add(hour(
                sensor,
                number,
                &[(1, 1, &[1, 2]), (2, 2, &[2, 3, 6]), (3, 0, &[9])],
            ))
            .unwrap();
    }
    let said = rows(&archive);
    drop(archive);
    fs::create_dir_all(golden).unwrap();
    fs::copy(folder.path().join("archive.sqlite"), stem.with_extension("sqlite")).unwrap();
    fs::write(stem.with_extension("txt"), said).unwrap();
}

#[test]
fn an_empty_archive_has_no_question() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(Question::everything(open(folder.path()).store()).unwrap(), None);
    assert!(Store::open_to_read(&folder.path().join("elsewhere.sqlite")).is_err());
}

/// The archive's folder of an hour.
fn written(folder: &Path, hour: &Hour) -> std::path::PathBuf {
    let mut archive = open(folder);
    archive.import(hour).unwrap();
    archive
        .parquet_folder()
        .join(place(&hour.sensor_id, hour.hour_s, hour.revision))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn an_hour_reads_back_as_it_was(hour in any_hour()) {
        let folder = tempfile::tempdir().unwrap();
        let read = read_hour(&written(folder.path(), &hour)).unwrap();
        prop_assert_eq!(&read, &hour);
        prop_assert!(hour.check().is_ok());
    }

    #[test]
    fn changed_bytes_are_refused_or_harmless(
        hour in any_hour(), file in 0usize..4, at in any::<prop::sample::Index>(), bit in 0u8..8, cut in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let folder = written(folder.path(), &hour);
        let path = folder.join(["pair", "server", "country", "sensor_hour"][file]).with_extension("parquet");
        let mut bytes = fs::read(&path).unwrap();
        let at = at.index(bytes.len());
        if cut {
            bytes.truncate(at);
        } else {
            bytes[at] ^= 1 << bit;
        }
        fs::write(&path, bytes).unwrap();
        // It must not panic, and what is believed must hold together.
        if let Ok(read) = read_hour(&folder) {
            prop_assert!(!cut);
            prop_assert!(read.check().is_ok());
        }
    }
}

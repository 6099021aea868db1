//! What a crash leaves between the steps of an hour's closing, and what the next start makes of it.

use std::fs;
use std::path::{Path, PathBuf};

use balefire_archive::{Added, Archive, ArchiveError, Retention, place, read_hour};

use crate::sample::{hour, open, tables, totals};

/// An archive with one hour, closed, and the folder of that hour.
fn closed(folder: &Path) -> PathBuf {
    let mut archive = open(folder);
    let hour = hour("a", 0, &[(1, 2, &[1, 2])]);
    archive.add(hour.clone()).unwrap();
    archive.parquet_folder().join(place("a", hour.hour_s, 1))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

#[test]
fn whole_files_without_a_transaction_are_finished() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let whole = closed(other.path());
    drop(open(folder.path()));
    copy(&whole, &folder.path().join("closing/whole"));
    let archive = open(folder.path());
    assert_eq!(archive.recovered(), 1);
    assert_eq!(tables(&archive), tables(&open(other.path())));
    assert!(
        archive
            .parquet_folder()
            .join(place("a", archive.store().hours().unwrap()[0].1, 1))
            .exists()
    );
    assert_eq!(fs::read_dir(folder.path().join("closing")).unwrap().count(), 0);
}

#[test]
fn a_transaction_without_its_folder_in_place_is_finished() {
    let folder = tempfile::tempdir().unwrap();
    let place = closed(folder.path());
    fs::rename(&place, folder.path().join("closing/whole")).unwrap();
    let archive = open(folder.path());
    assert_eq!(archive.recovered(), 1);
    assert!(read_hour(&place).is_ok());
    assert_eq!(totals(&archive), [1, 2, 2]);
}

#[test]
fn half_files_are_removed_and_the_hour_can_come_again() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let whole = closed(other.path());
    drop(open(folder.path()));
    // Half an hour by its name, and torn files under a whole one's, as a disk that lies about syncs leaves them.
    let closing = folder.path().join("closing");
    copy(&whole, &closing.join("1.1.a.part"));
    for (torn, file) in [("torn1", "pair.parquet"), ("torn2", "sensor_hour.parquet")] {
        copy(&whole, &closing.join(torn));
        let path = closing.join(torn).join(file);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    }
    copy(&whole, &closing.join("missing"));
    fs::remove_file(closing.join("missing/country.parquet")).unwrap();
    let mut archive = open(folder.path());
    assert_eq!(archive.recovered(), 0);
    assert_eq!(fs::read_dir(&closing).unwrap().count(), 0);
    assert!(archive.store().hours().unwrap().is_empty());
    assert_eq!(archive.add(hour("a", 0, &[(1, 2, &[1, 2])])).unwrap(), Added::New);
}

#[test]
fn an_hour_that_failed_half_way_is_finished_before_the_next() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let whole = closed(other.path());
    let mut archive = open(folder.path());
    // As if the transaction had failed for lack of room: the files wait.
    copy(&whole, &folder.path().join("closing/whole"));
    archive.add(hour("a", 1, &[(1, 2, &[1, 4])])).unwrap();
    assert_eq!(archive.store().hours().unwrap().len(), 2);
    assert_eq!(totals(&archive), [1, 3, 3]);
}

#[test]
fn only_one_writes() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path());
    let second = Archive::open(folder.path(), Retention::default());
    assert!(matches!(second, Err(ArchiveError::Locked { .. })), "{second:?}");
    drop(first);
    open(folder.path());
}

//! Hour files: their names, that they are whole, and what happens to those that are there already.

use std::fs;
use std::path::Path;

use balefire_report::{HourError, HourFiles, Written, is_sensor_name};

use crate::sample::{hour_part, quiet};

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn an_hour_is_two_files_and_nothing_is_left_over() {
    let folder = tempfile::tempdir().unwrap();
    let files = HourFiles::open(folder.path().join("new"), "tap1").unwrap();
    assert_eq!(files.write(&hour_part(0, 3599, false)).unwrap(), Written::New);
    let folder = folder.path().join("new");
    assert_eq!(
        names(&folder),
        ["balefire-tap1-20240501T00Z.csv", "balefire-tap1-20240501T00Z.json"]
    );
    let text = fs::read_to_string(folder.join("balefire-tap1-20240501T00Z.json")).unwrap();
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["schema"], "balefire-summary/1");
    assert_eq!(document["period"]["partial"], false);
    assert_eq!(document["period"]["start"], "2024-05-01T00:00:00.000000Z");
}

#[test]
fn written_again_it_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let files = HourFiles::open(folder.path(), "tap1").unwrap();
    files.write(&hour_part(0, 3599, false)).unwrap();
    assert_eq!(files.write(&hour_part(0, 3599, false)).unwrap(), Written::Unchanged);
    fs::remove_file(folder.path().join("balefire-tap1-20240501T00Z.csv")).unwrap();
    assert_eq!(
        files.write(&hour_part(0, 3599, false)).unwrap(),
        Written::Replaced,
        "a lost CSV comes back"
    );
}

#[test]
fn a_part_never_hides_a_whole_hour() {
    let folder = tempfile::tempdir().unwrap();
    let files = HourFiles::open(folder.path(), "tap1").unwrap();
    files.write(&hour_part(0, 3599, false)).unwrap();
    let whole = fs::read(folder.path().join("balefire-tap1-20240501T00Z.json")).unwrap();
    assert_eq!(files.write(&hour_part(0, 3599, true)).unwrap(), Written::Beside);
    assert_eq!(
        fs::read(folder.path().join("balefire-tap1-20240501T00Z.json")).unwrap(),
        whole
    );
    assert!(folder.path().join("balefire-tap1-20240501T00Z.part2.csv").exists());
}

#[test]
fn a_restart_within_the_hour_keeps_both_parts() {
    let folder = tempfile::tempdir().unwrap();
    let files = HourFiles::open(folder.path(), "tap1").unwrap();
    assert_eq!(files.write(&hour_part(0, 1200, true)).unwrap(), Written::New);
    assert_eq!(files.write(&hour_part(1260, 2000, true)).unwrap(), Written::Beside);
    assert_eq!(
        files.write(&hour_part(1260, 2400, true)).unwrap(),
        Written::Replaced,
        "a fuller view of the second"
    );
    assert_eq!(names(folder.path()).len(), 4);
    assert_eq!(files.write(&hour_part(0, 3599, false)).unwrap(), Written::Replaced);
}

#[test]
fn something_unreadable_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let there = folder.path().join("balefire-tap1-20240501T00Z.json");
    fs::write(&there, "not ours").unwrap();
    let files = HourFiles::open(folder.path(), "tap1").unwrap();
    assert_eq!(files.write(&hour_part(0, 10, true)).unwrap(), Written::Beside);
    assert_eq!(fs::read_to_string(&there).unwrap(), "not ours");
}

#[test]
fn too_many_parts_is_an_error_not_a_flood() {
    let folder = tempfile::tempdir().unwrap();
    let files = HourFiles::open(folder.path(), "tap1").unwrap();
    for part in 0..32 {
        files.write(&hour_part(part * 10, part * 10 + 5, true)).unwrap();
    }
    assert!(matches!(
        files.write(&hour_part(900, 905, true)),
        Err(HourError::TooManyParts(_))
    ));
}

#[test]
fn a_folder_that_is_none_is_an_error_with_its_path() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = HourFiles::open(file.path(), "tap1").unwrap_err().to_string();
    assert!(error.contains(file.path().to_str().unwrap()), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let files = HourFiles::open(folder.path().join("gone"), "tap1").unwrap();
    fs::remove_dir(folder.path().join("gone")).unwrap();
    assert!(matches!(files.write(&quiet()), Err(HourError::Io { .. })));
}

#[test]
fn sensor_names_cannot_leave_the_folder() {
    for name in [
        "",
        ".",
        "..",
        "a/b",
        "../x",
        "a b",
        "a\u{202e}b",
        ".hidden",
        &"x".repeat(65),
    ] {
        assert!(!is_sensor_name(name), "{name}");
    }
    assert!(is_sensor_name("tap-1.example_org"));
}

//! Hour files of `--output`.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::bench::{Bench, balefire, complaint_of, document, output_of};

fn hours(folder: &Path) -> Vec<(String, Value)> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut hours: Vec<(String, Value)> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap())
        })
        .collect();
    hours.sort_by(|a, b| a.0.cmp(&b.0));
    hours
}

#[test]
fn every_hour_has_its_files_and_the_ends_are_partial() {
    let bench = Bench::new();
    let (capture, folder) = (bench.capture(), bench.path("out"));
    let read = ["read", "--sensor", "tap1", "--output"];
    let table = output_of(balefire(&read).arg(&folder).arg(&capture), 0);
    assert!(table.contains("Hours written: 5 new."), "{table}");
    let hours = hours(&folder);
    let names: Vec<&str> = hours.iter().map(|(name, _)| name.as_str()).collect();
    let expected: Vec<String> = (0..5)
        .map(|hour| format!("balefire-tap1-20260302T{hour:02}Z.json"))
        .collect();
    assert_eq!(names, expected);
    let partial: Vec<bool> = hours
        .iter()
        .map(|(_, hour)| hour["period"]["partial"].as_bool().unwrap())
        .collect();
    assert_eq!(partial, [true, false, false, false, true]);
    for (name, hour) in &hours {
        assert_eq!(
            (&hour["schema"], &hour["sensor"]),
            (&"balefire-summary/1".into(), &"tap1".into())
        );
        assert_eq!(hour["period"]["kind"], "hour");
        assert!(folder.join(name.replace(".json", ".csv")).exists());
    }
    let sum: u64 = hours
        .iter()
        .map(|(_, hour)| hour["accounting"]["received"].as_u64().unwrap())
        .sum();
    assert_eq!(
        sum,
        document(&capture, &[])["accounting"]["received"].as_u64().unwrap(),
        "packets of hours add up"
    );
}

#[test]
fn hours_do_not_depend_on_workers() {
    let bench = Bench::new();
    let capture = bench.capture();
    for (folder, workers) in [("one", "1"), ("four", "4")] {
        let read = ["read", "--sensor", "tap1", "--workers", workers, "--output"];
        balefire(&read).arg(bench.path(folder)).arg(&capture).assert().success();
    }
    for (name, _) in hours(&bench.path("one")) {
        for name in [name.clone(), name.replace(".json", ".csv")] {
            let text = |folder: &str| fs::read_to_string(bench.path(folder).join(&name)).unwrap();
            assert_eq!(text("one"), text("four"), "{name}");
        }
    }
}

#[test]
fn read_again_nothing_changes() {
    let bench = Bench::new();
    let (capture, folder) = (bench.capture(), bench.path("out"));
    let read = ["read", "--sensor", "tap1", "--output"];
    balefire(&read).arg(&folder).arg(&capture).assert().success();
    let table = output_of(balefire(&read).arg(&folder).arg(&capture), 0);
    assert!(table.contains("Hours written: 5 unchanged."), "{table}");
}

#[test]
fn a_folder_that_cannot_be_is_an_error_before_anything_is_read() {
    let bench = Bench::new();
    let capture = bench.capture();
    let complaint = complaint_of(balefire(&["read", "--output"]).arg(&capture).arg(&capture), 1);
    assert!(complaint.contains("office.pcap"), "{complaint}");
}

//! The frame of `crates/README.md`, held by a test: who may know whom, file heads and lengths, the root's listing, unsafe.
//!
//! In: `cargo metadata` and the files of the repository. Out: a failure that names the file or the edge. Not its job: style
//! that rustfmt and clippy hold already.

#![allow(clippy::unwrap_used, reason = "a test that cannot read the repository fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Who may depend on whom, tests included. Whoever is not named may depend on nobody of ours.
const EDGES: &[(&str, &[&str])] = &[
    ("decode", &[]),
    ("capture", &["decode"]),
    ("track", &["decode"]),
    ("detect", &["decode", "track"]),
    ("pipeline", &["capture", "decode", "detect", "track"]),
    ("report", &["detect"]),
    ("archive", &["detect"]),
    (
        "program",
        &["archive", "capture", "decode", "detect", "pipeline", "report", "track"],
    ),
    (
        "benches",
        &["archive", "capture", "decode", "detect", "pipeline", "report", "track"],
    ),
];

/// A file that is longer is two files.
const MOST_LINES: usize = 600;

/// Files under `crates/` that may hold unsafe code.
const MOST_UNSAFE_FILES: usize = 2;

/// The root's listing, beside names that begin with a dot and what builds leave.
const ROOT: &[&str] = &[
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "benches",
    "captures",
    "crates",
    "fuzz",
];

#[test]
fn nobody_knows_more_than_they_may() {
    let allowed: BTreeMap<&str, BTreeSet<&str>> = EDGES
        .iter()
        .map(|(from, to)| (*from, to.iter().copied().collect()))
        .collect();
    for (package, ours) in dependencies() {
        let allowed = allowed
            .get(package.as_str())
            .unwrap_or_else(|| panic!("{package} is not in the frame"));
        for known in &ours {
            assert!(allowed.contains(known.as_str()), "{package} must not know {known}");
        }
    }
}

#[test]
fn libraries_know_no_flags_terminals_or_settings_files() {
    let outside = [
        "clap",
        "toml",
        "indicatif",
        "anyhow",
        "signal-hook",
        "ratatui",
        "crossterm",
    ];
    for package in metadata_packages() {
        if ["balefire", "balefire-benches"].contains(&package["name"].as_str().unwrap()) {
            continue;
        }
        for dependency in package["dependencies"].as_array().unwrap() {
            // What only a library's tests use is not known by the library.
            if dependency["kind"] == "dev" {
                continue;
            }
            let name = dependency["name"].as_str().unwrap();
            assert!(!outside.contains(&name), "{} must not use {name}", package["name"]);
        }
    }
}

#[test]
fn no_crate_is_a_drawer_for_everything() {
    for package in metadata_packages() {
        let name = short_name(package["name"].as_str().unwrap());
        assert!(
            !["common", "utils", "util", "types", "errors", "config"].contains(&name.as_str()),
            "{name}"
        );
    }
}

#[test]
fn every_file_says_what_it_is_for_and_ends_in_time() {
    let files = rust_files(&["crates", "benches", "fuzz"]);
    assert!(files.len() > 50, "only {} files found", files.len());
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//!"), "{}: begins without a //! head", path.display());
        let lines = text.lines().count();
        assert!(
            lines <= MOST_LINES,
            "{}: {lines} lines, at most {MOST_LINES}",
            path.display()
        );
    }
}

#[test]
fn the_root_lists_nothing_else() {
    let mut found: Vec<String> = fs::read_dir(root())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.') && name != "target")
        .collect();
    found.sort();
    assert_eq!(found, ROOT);
}

#[test]
fn unsafe_stays_fenced() {
    // Put together here, so that this file does not find itself.
    let word = ["un", "safe"].concat();
    let forms = [" {", " fn ", " impl ", " extern ", "_code"].map(|rest| format!("{word}{rest}"));
    let is_code = |line: &str| !line.trim_start().starts_with("//");
    let uses = |text: &str| {
        text.lines()
            .filter(|line| is_code(line))
            .any(|line| forms.iter().any(|form| line.contains(form)))
    };
    let files: Vec<PathBuf> = rust_files(&["crates"])
        .into_iter()
        .filter(|path| uses(&fs::read_to_string(path).unwrap()))
        .collect();
    assert!(files.len() <= MOST_UNSAFE_FILES, "{files:?}");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap()
        .to_path_buf()
}

fn metadata_packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

/// Of each of our packages those of ours that it depends on, in whatever way.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let is_ours = |name: &&str| *name == "balefire" || name.starts_with("balefire-");
    let of = |package: &Value| -> BTreeSet<String> {
        let dependencies = package["dependencies"].as_array().unwrap().iter();
        dependencies
            .map(|dependency| dependency["name"].as_str().unwrap())
            .filter(is_ours)
            .map(short_name)
            .collect()
    };
    let packages = metadata_packages();
    packages
        .iter()
        .map(|package| (short_name(package["name"].as_str().unwrap()), of(package)))
        .collect()
}

fn short_name(name: &str) -> String {
    name.strip_prefix("balefire-").unwrap_or("program").to_owned()
}

fn rust_files(folders: &[&str]) -> Vec<PathBuf> {
    let mut waiting: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    let mut files = Vec::new();
    while let Some(folder) = waiting.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

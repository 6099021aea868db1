//! The operator's lists, read: threat intelligence and the allowlist.
//!
//! In: the paths in the settings. Out: [`Loaded`], or a failure that names file and line. Read anew it is the same; a file that
//! cannot be used leaves what is in force. Not its job: formats (`detect`), the allowlist's commands (`allow`).

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use balefire_detect::{AllowRule, IntelBuilder, ListReport, Lists, Shared};
use balefire_report::{clean, counted, rfc3339, thousands};

use crate::allow;
use crate::exit::Failure;
use crate::logs::decompressed;
use crate::output;
use crate::settings::Settings;

/// Largest list, unpacked: ten million lines of a hundred bytes.
const MOST_BYTES: u64 = 1 << 30;

/// Lists, and what is to be said of them.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) lists: Lists,
    /// Lines that were not understood.
    pub(crate) remarks: Vec<String>,
}

impl Loaded {
    /// What is in force from now on, and what of it is other than `before`.
    pub(crate) fn words(&self, before: &Lists) -> String {
        let now = &self.lists;
        let number = |now: u64, before: u64| match before {
            _ if before == now => thousands(now),
            _ => format!("{} (were {})", thousands(now), thousands(before)),
        };
        let rules = |lists: &Lists| lists.allow.rules().len() as u64;
        format!(
            "indicators {}, lists {}, allow rules {}{}{}",
            number(now.intel.indicators(), before.intel.indicators()),
            number(now.intel.lists().len() as u64, before.intel.lists().len() as u64),
            number(rules(now), rules(before)),
            only_of(now, before, "new rule"),
            only_of(before, now, "rule gone"),
        )
    }
}

/// Rules that only the one has. A rule with another reason or expiry is another rule.
fn only_of(one: &Lists, other: &Lists, what: &str) -> String {
    /// More are counted.
    const NAMED: usize = 4;
    let words = |rule: &AllowRule| {
        let until = rule.expires_ns().map(|ns| format!(" until {}", rfc3339(ns)));
        format!("{}{} ({})", rule.text(), until.unwrap_or_default(), rule.reason())
    };
    let known: Vec<String> = other.allow.rules().iter().map(words).collect();
    let only = one.allow.rules().iter().map(words).filter(|rule| !known.contains(rule));
    let only: Vec<String> = only.map(|rule| format!("; {what}: {}", clean(&rule))).collect();
    let more = only.len().saturating_sub(NAMED) as u64;
    let named = only[..only.len().min(NAMED)].concat();
    match more {
        0 => named,
        more => format!("{named}; {what}: {} more", thousands(more)),
    }
}

/// Reads everything the settings name.
pub(crate) fn load(settings: &Settings) -> Result<Loaded, Failure> {
    let mut loaded = Loaded::default();
    let mut builder = IntelBuilder::default();
    for path in files(&settings.detect.intel)? {
        let report = add(&mut builder, &path)?;
        loaded.remarks.extend(remark(&report));
    }
    loaded.lists.intel = builder.build();
    if let Some(path) = &settings.detect.allowlist {
        loaded.lists.allow = allow::read(path)?;
    }
    Ok(loaded)
}

/// Reads them again and puts them in force; what is there stays where they cannot be read.
pub(crate) fn reload(settings: &Settings, shared: &Shared) {
    match load(settings) {
        Ok(loaded) => {
            loaded.remarks.iter().for_each(|remark| output::remark(remark));
            output::remark(&format!("lists read anew: {}", loaded.words(&shared.lists())));
            shared.replace_lists(loaded.lists);
        }
        Err(failure) => output::complain(&format!("{failure}; the lists in force stay as they are")),
    }
}

/// The lists themselves: a folder stands for the files in it, in the order of their names, hidden ones left out.
pub(crate) fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let entries = fs::read_dir(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let entries = entries.map_err(|error| unreadable(path, &error.to_string()))?;
        let hidden = |path: &PathBuf| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with('.'))
        };
        let mut found: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
        found.retain(|path| path.is_file() && !hidden(path));
        if found.is_empty() {
            return Err(unreadable(path, "no lists in this folder"));
        }
        found.sort();
        files.extend(found);
    }
    Ok(files)
}

/// Reads one list; packed ones are unpacked.
pub(crate) fn add(builder: &mut IntelBuilder, path: &Path) -> Result<ListReport, Failure> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(decompressed)
        .and_then(|reader| reader.take(MOST_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| unreadable(path, &error.to_string()))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(unreadable(path, "longer than 1 GiB: split it"));
    }
    builder
        .add(&path.display().to_string(), &bytes)
        .map_err(|error| Failure::usage(clean(&error.to_string())))
}

/// What was not understood, if anything.
fn remark(report: &ListReport) -> Option<String> {
    let first = report.first_faults.first()?;
    Some(clean(&format!(
        "{}: {} not understood and left out; {first} (`balefire intel check` has more)",
        report.name,
        counted(report.faults, report.format.unit()),
    )))
}

fn unreadable(path: &Path, reason: &str) -> Failure {
    Failure::usage(clean(&format!(
        "{}: {reason}; --intel names lists, or folders of lists",
        path.display()
    )))
}

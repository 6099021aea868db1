//! Settings read anew while the service runs: what takes effect at once, what cannot be read, what waits for the next start.
//!
//! In: SIGHUP or the control socket. Out: lists, country database, thresholds and the alerts' limit in force, each whole or as
//! before; a [`Report`] that names every setting that differs. Not its job: applying them to packets (`detect`).

use std::path::PathBuf;
use std::sync::Arc;

use balefire_detect::{CountrySource, Shared, Thresholds};
use balefire_report::clean;
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::alerts::Orders;
use super::daemon;
use crate::flags::RunFlags;
use crate::keep::Decided;
use crate::settings::Settings;
use crate::{lists, output, plan};

/// Settings that a reload puts in force; of every other one a change is named, and holds from the next start on.
const AT_ONCE: [&str; 6] = [
    "alerts.per_server_hourly",
    "detect.allowlist",
    "detect.country_db",
    "detect.intel",
    "detect.probable",
    "detect.suspected",
];

/// Rights are given up by folders, and what is named later may lie elsewhere.
const NEW_FOLDER: &str = " (under the sandbox it must lie in a folder that the settings named at the start)";

/// See the head of this file. One reload at a time.
#[derive(Debug)]
pub(crate) struct Reloader {
    flags: RunFlags,
    running: Mutex<Settings>,
    shared: Arc<Shared>,
    orders: Arc<Orders>,
    decided: Decided,
}

/// What came of a reload.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// In force now.
    pub(crate) taken: Vec<String>,
    /// Could not be used; what was in force stays.
    pub(crate) failed: Vec<String>,
    /// Differs, and holds from the next start on.
    pub(crate) at_next_start: Vec<String>,
}

impl Report {
    /// For the control socket.
    pub(crate) fn json(&self) -> Value {
        json!({
            "done": "reload",
            "taken": self.taken,
            "failed": self.failed,
            "at_next_start": self.at_next_start,
        })
    }

    /// For the log.
    fn tell(&self) {
        self.taken
            .iter()
            .for_each(|taken| output::remark(&format!("reload: {taken}")));
        self.failed
            .iter()
            .for_each(|failed| output::complain(&format!("reload: {failed}")));
        if !self.at_next_start.is_empty() {
            output::remark(&format!(
                "reload: from the next start on: {}",
                self.at_next_start.join(", ")
            ));
        }
    }
}

impl Reloader {
    pub(crate) fn new(flags: RunFlags, running: Settings, shared: Arc<Shared>) -> Self {
        Self {
            flags,
            running: Mutex::new(running),
            shared,
            orders: Arc::default(),
            decided: Decided::default(),
        }
    }

    /// Tells alerts of their limit, and the archive of what decides findings.
    pub(crate) fn with(mut self, orders: Arc<Orders>, decided: Decided) -> Self {
        (self.orders, self.decided) = (orders, decided);
        self
    }

    /// The allowlist's file, with its folder.
    pub(crate) fn allowlist(&self) -> Option<PathBuf> {
        let path = self.running.lock().detect.allowlist.clone()?;
        Some(std::path::absolute(&path).unwrap_or(path))
    }

    /// Reads everything anew, and says what came of it.
    pub(crate) fn reload(&self) -> Report {
        let mut running = self.running.lock();
        let mut report = Report::default();
        match daemon::load(&self.flags) {
            Ok(new) => self.take(&new, &mut running, &mut report),
            Err(error) => {
                // The parser draws the line of the file below its message; in one line only the words are of use.
                let error = error.to_string();
                let words: Vec<&str> = error.lines().filter(|line| !line.contains(" |")).collect();
                let message = format!("{}; the old settings stay in force", words.join(": "));
                report.failed.push(clean(&message));
            }
        }
        report.tell();
        report
    }

    fn take(&self, new: &Settings, running: &mut Settings, report: &mut Report) {
        self.lists(new, running, report);
        // The built-in one is always the same.
        if new.detect.country_db.is_some() || running.detect.country_db.is_some() {
            self.countries(new, running, report);
        }
        self.scores(new, running, report);
        let per_hour = new.alerts.per_server_hourly;
        if per_hour != running.alerts.per_server_hourly {
            self.orders.limit(per_hour.size() as u32);
            report.taken.push(format!("alerts.per_server_hourly {}", per_hour.0));
            running.alerts.per_server_hourly = per_hour;
        }
        report.at_next_start = differing(running, new);
    }

    fn lists(&self, new: &Settings, running: &mut Settings, report: &mut Report) {
        let (old, named) = (&mut running.detect, &new.detect);
        match lists::load(new) {
            Ok(loaded) => {
                loaded.remarks.iter().for_each(|remark| output::remark(remark));
                report
                    .taken
                    .push(format!("lists read anew: {}", loaded.words(&self.shared.lists())));
                self.shared.replace_lists(loaded.lists);
                old.intel.clone_from(&named.intel);
                old.allowlist.clone_from(&named.allowlist);
            }
            Err(error) => {
                let moved = old.intel != named.intel || old.allowlist != named.allowlist;
                let mend = if moved { NEW_FOLDER } else { "" };
                let message = format!("{error}{mend}; the lists in force stay as they are");
                report.failed.push(clean(&message));
            }
        }
    }

    fn countries(&self, new: &Settings, running: &mut Settings, report: &mut Report) {
        let words = |source: &CountrySource| format!("countries from {} of {}", source.name, source.date);
        match plan::countries(new) {
            Ok(countries) => {
                report.taken.push(clean(&words(countries.source())));
                self.shared.replace_countries(countries);
                running.detect.country_db.clone_from(&new.detect.country_db);
            }
            Err(error) => {
                let moved = new.detect.country_db != running.detect.country_db;
                let mend = if moved { NEW_FOLDER } else { "" };
                let stay = words(self.shared.countries().source());
                let message = format!("{error}{mend}; what is in force stays: {stay}");
                report.failed.push(clean(&message));
            }
        }
    }

    fn scores(&self, new: &Settings, running: &mut Settings, report: &mut Report) {
        let thresholds = Thresholds {
            suspected: new.detect.suspected.0,
            probable: new.detect.probable.0,
        };
        if self.shared.thresholds() != thresholds {
            self.shared.replace_thresholds(thresholds);
            report.taken.push(format!(
                "detect.suspected {}, detect.probable {}",
                thresholds.suspected, thresholds.probable
            ));
        }
        running.detect.suspected = new.detect.suspected;
        running.detect.probable = new.detect.probable;
        // An hour's record says by what it was decided.
        if let Ok(deciding) = running.deciding() {
            self.decided.replace(deciding);
        }
    }
}

/// Names of settings that differ and are not put in force at once.
fn differing(running: &Settings, new: &Settings) -> Vec<String> {
    let tables = (toml::Table::try_from(running), toml::Table::try_from(new));
    let (Ok(running), Ok(new)) = tables else {
        return Vec::new();
    };
    let mut names = Vec::new();
    let mut sections: Vec<&String> = running.keys().chain(new.keys()).collect();
    sections.sort();
    sections.dedup();
    for section in sections {
        let fields = |table: &toml::Table| {
            table
                .get(section)
                .and_then(toml::Value::as_table)
                .cloned()
                .unwrap_or_default()
        };
        let (running, new) = (fields(&running), fields(&new));
        let mut keys: Vec<&String> = running.keys().chain(new.keys()).collect();
        keys.sort();
        keys.dedup();
        let differs = keys.into_iter().filter(|key| running.get(*key) != new.get(*key));
        names.extend(differs.map(|key| format!("{section}.{key}")));
    }
    names.retain(|name| !AT_ONCE.contains(&name.as_str()));
    names
}

#[cfg(test)]
#[path = "reload_tests.rs"]
mod tests;

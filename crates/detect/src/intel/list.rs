//! One list: finds out how it is written, and reads the forms of one indicator a line.
//!
//! In: the bytes of a file. Out: indicators into an [`IntelBuilder`], and a [`ListReport`] that says what was read and names
//! the first lines that could not be. Not its job: CSV, MISP and STIX (beside this file), opening files (the program).

use std::collections::BTreeMap;
use std::fmt;

use super::indicator::{Indicator, Refusal};
use super::{IntelBuilder, Source, csv, misp, stix, time};

/// Faults of one list that are named; all are counted.
const FAULTS_NAMED: usize = 5;
/// Letters shown of a faulty text.
const FAULT_LETTERS: usize = 60;

/// How a list is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListFormat {
    /// One indicator a line.
    Lines,
    /// `0.0.0.0 name`, as of a hosts file.
    Hosts,
    /// Columns with a header.
    Csv,
    /// A MISP event or feed in JSON.
    Misp,
    /// A STIX 2 bundle in JSON.
    Stix,
}

impl ListFormat {
    /// For people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lines => "plain list",
            Self::Hosts => "hosts file",
            Self::Csv => "CSV",
            Self::Misp => "MISP",
            Self::Stix => "STIX",
        }
    }

    /// What its places count.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Lines | Self::Hosts | Self::Csv => "line",
            Self::Misp => "attribute",
            Self::Stix => "object",
        }
    }
}

/// One line that could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListFault {
    /// `line`, `attribute` or `object`.
    pub unit: &'static str,
    /// Which one, from 1.
    pub place: u32,
    /// The text, shortened.
    pub text: String,
    /// What is wrong with it.
    pub why: Refusal,
}

impl fmt::Display for ListFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {:?}: {}", self.unit, self.place, self.text, self.why)
    }
}

/// What became of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListReport {
    /// As the operator calls it.
    pub name: String,
    /// How it is written.
    pub format: ListFormat,
    /// Indicators taken.
    pub indicators: u64,
    /// Indicators that this list has already.
    pub duplicates: u64,
    /// Texts that are fine but of no use, by reason.
    pub unused: BTreeMap<Refusal, u64>,
    /// Texts that could not be read.
    pub faults: u64,
    /// The first of them.
    pub first_faults: Vec<ListFault>,
}

/// A list with nothing that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ListError {
    /// No indicator in it.
    #[error("{name}: no indicator that can be used among {looked_at} {unit}s{}", first.as_ref().map(|fault| format!("; {fault}")).unwrap_or_default())]
    Nothing {
        /// The list.
        name: String,
        /// Texts looked at.
        looked_at: u64,
        /// What they are.
        unit: &'static str,
        /// The first that could not be read.
        first: Option<Box<ListFault>>,
    },
    /// It begins like JSON and is none, or is of something else.
    #[error("{name}: {reason}")]
    Json {
        /// The list.
        name: String,
        /// What is wrong, and where.
        reason: String,
    },
    /// More lists than can be told apart.
    #[error("{name}: the 65,535 lists before it are all that can be told apart; join some")]
    TooManyLists {
        /// The list.
        name: String,
    },
}

/// What stands beside an indicator.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Beside<'a> {
    pub(crate) port: Option<u16>,
    pub(crate) label: &'a str,
    /// As written; empty for ever.
    pub(crate) until: &'a str,
}

/// A list being read.
pub(crate) struct Reading<'a> {
    builder: &'a mut IntelBuilder,
    list: u16,
    report: ListReport,
}

impl<'a> Reading<'a> {
    pub(crate) fn new(builder: &'a mut IntelBuilder, list: u16, name: &str) -> Self {
        let report = ListReport {
            name: name.to_owned(),
            format: ListFormat::Lines,
            indicators: 0,
            duplicates: 0,
            unused: BTreeMap::new(),
            faults: 0,
            first_faults: Vec::new(),
        };
        Self { builder, list, report }
    }

    /// Reads all of it.
    pub(crate) fn read(mut self, bytes: &[u8]) -> Result<ListReport, ListError> {
        let text = String::from_utf8_lossy(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes));
        if text.trim_start().starts_with(['{', '[']) && !looks_like_address(&text) {
            self.json(&text)?;
        } else {
            match csv::Columns::find(&text) {
                Some(columns) => {
                    self.report.format = ListFormat::Csv;
                    columns.read(&text, &mut self);
                }
                None => self.lines(&text),
            }
        }
        let report = self.report;
        if report.indicators > 0 {
            return Ok(report);
        }
        Err(ListError::Nothing {
            looked_at: report.faults + report.unused.values().sum::<u64>(),
            unit: report.format.unit(),
            first: report.first_faults.into_iter().next().map(Box::new),
            name: report.name,
        })
    }

    /// Takes what stands in one field: an indicator, or two joined by a bar (`192.0.2.1|443`, `evil.example|192.0.2.1`).
    pub(crate) fn take(&mut self, place: u32, text: &str, beside: Beside<'_>) {
        let (text, second) = match text.split_once('|') {
            Some((first, second)) => (first.trim(), Some(second.trim())),
            None => (text, None),
        };
        let port = second.and_then(|second| second.parse::<u16>().ok());
        self.one(
            place,
            text,
            Beside {
                port: port.or(beside.port),
                ..beside
            },
        );
        if let Some(second) = second.filter(|_| port.is_none()) {
            self.one(place, second, beside);
        }
    }

    /// Counts what cannot be used.
    pub(crate) fn refuse(&mut self, place: u32, text: &str, why: Refusal) {
        if !why.is_fault() {
            *self.report.unused.entry(why).or_default() += 1;
            return;
        }
        self.report.faults += 1;
        if self.report.first_faults.len() < FAULTS_NAMED {
            self.report.first_faults.push(ListFault {
                unit: self.report.format.unit(),
                place,
                text: text.chars().take(FAULT_LETTERS).collect(),
                why,
            });
        }
    }

    fn one(&mut self, place: u32, text: &str, beside: Beside<'_>) {
        let until_s = match beside.until.trim() {
            "" => Some(None),
            until => time::seconds(until).map(Some),
        };
        let Some(until_s) = until_s else {
            return self.refuse(place, beside.until, Refusal::NoTime);
        };
        let indicator = match Indicator::parse(text) {
            Ok(indicator) => indicator,
            Err(why) => return self.refuse(place, text, why),
        };
        let source = Source {
            list: self.list,
            line: place,
            port: if indicator.port > 0 {
                indicator.port
            } else {
                beside.port.unwrap_or(0)
            },
            until_s,
        };
        match self.builder.insert(&indicator.value, source, beside.label) {
            Ok(true) => self.report.indicators += 1,
            Ok(false) => self.report.duplicates += 1,
            Err(why) => self.refuse(place, text, why),
        }
    }

    fn json(&mut self, text: &str) -> Result<(), ListError> {
        let error = |reason: String| ListError::Json {
            name: self.report.name.clone(),
            reason,
        };
        let root: serde_json::Value = serde_json::from_str(text)
            .map_err(|cause| error(format!("begins like JSON and is none: {cause}; export it again")))?;
        if stix::is_bundle(&root) {
            self.report.format = ListFormat::Stix;
            stix::read(&root, self);
        } else if misp::is_event(&root) {
            self.report.format = ListFormat::Misp;
            misp::read(&root, self);
        } else {
            return Err(error(
                "JSON that is neither a STIX 2 bundle (\"type\": \"bundle\") nor a MISP event (\"Event\", \"Attribute\")".to_owned(),
            ));
        }
        Ok(())
    }

    /// One indicator a line, or names after the address of nobody.
    fn lines(&mut self, text: &str) {
        for (line, place) in text.lines().zip(1..) {
            let line = without_comment(line);
            let mut words = line.split_whitespace();
            let Some(first) = words.next() else { continue };
            let Some(second) = words.next() else {
                self.take(place, first, Beside::default());
                continue;
            };
            if !is_nobody(first) {
                self.refuse(place, line, Refusal::NoDomain);
                continue;
            }
            if self.report.indicators == 0 {
                self.report.format = ListFormat::Hosts;
            }
            for name in std::iter::once(second).chain(words) {
                // What every hosts file has of the machine itself.
                if (!name.contains("local") || name.contains('.'))
                    && !name.starts_with("ip6-")
                    && name != "broadcasthost"
                    && name.parse::<std::net::IpAddr>().is_err()
                {
                    self.take(place, name, Beside::default());
                }
            }
        }
    }
}

/// The line before `#` or `;`, where these begin a comment: at its start or after a space, so that URLs keep theirs.
pub(crate) fn without_comment(line: &str) -> &str {
    let line = line.trim();
    let begins = |at: usize| at == 0 || line[..at].ends_with(char::is_whitespace);
    let comment = line.match_indices(['#', ';']).find(|(at, _)| begins(*at));
    comment.map_or(line, |(at, _)| line[..at].trim_end())
}

/// A bracketed IPv6 address, or a defanged name, begins like an array.
fn looks_like_address(text: &str) -> bool {
    let first = text.trim_start().lines().next().unwrap_or_default();
    Indicator::parse(without_comment(first)).is_ok()
}

/// What hosts files map unwanted names to.
fn is_nobody(text: &str) -> bool {
    matches!(
        text,
        "0.0.0.0" | "127.0.0.1" | "::" | "::1" | "255.255.255.255" | "0" | "fe80::1%lo0"
    )
}

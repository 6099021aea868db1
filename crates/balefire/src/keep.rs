//! Where finished hours are kept: the hour files, and the archive.
//!
//! In: hours as the pipeline closes them, and the run's own summary at the end. Out: files, the archive, and what became of
//! each hour. Not its job: what is in them (`report`, `archive`).
//!
//! A file is read as a whole, so its hours wait for the end and are settled by what the whole run says. A tap may run for
//! months: its hours go into the archive as they close, and one that cannot be written waits for better times.

use std::collections::VecDeque;
use std::sync::Arc;

use balefire_archive::{About, Added, Archive, ArchiveError, Hour, Waiting};
use balefire_detect::Summary;
use parking_lot::Mutex;

/// Hours of a tap that wait for a disk with room: two days. Beyond, the oldest is lost, and counted.
const MOST_UNWRITTEN: usize = 48;

/// The settings that decide findings, where it changes while a run goes on; clones are of the same run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Decided(Arc<Mutex<Option<String>>>);

impl Decided {
    /// Hours that close from now on were decided by these settings.
    pub(crate) fn replace(&self, settings: String) {
        *self.0.lock() = Some(settings);
    }
}

/// The archive's side of a run.
pub(crate) struct Keeper {
    archive: Archive,
    about: About,
    decided: Decided,
    /// Hours of files, until the run is over; `None` for a tap.
    waiting: Option<Waiting>,
    unwritten: VecDeque<Hour>,
    added: [u64; 5],
    lost: u64,
}

impl Keeper {
    /// For files: hours wait for the end of the run.
    pub(crate) fn for_files(archive: Archive, about: About) -> Self {
        Self::new(archive, about, Some(Waiting::default()))
    }

    /// For a tap: hours are written as they close.
    pub(crate) fn for_tap(archive: Archive, about: About) -> Self {
        Self::new(archive, about, None)
    }

    fn new(archive: Archive, about: About, waiting: Option<Waiting>) -> Self {
        Self {
            archive,
            about,
            decided: Decided::default(),
            waiting,
            unwritten: VecDeque::new(),
            added: [0; 5],
            lost: 0,
        }
    }

    /// Whom to tell when the settings change.
    pub(crate) fn decided(&self) -> Decided {
        self.decided.clone()
    }

    /// An hour has closed.
    pub(crate) fn hour(&mut self, hour: &Summary) -> Result<(), ArchiveError> {
        if let Some(settings) = self.decided.0.lock().take() {
            self.about.settings = settings;
        }
        let record = Hour::from_summary(hour, &self.about);
        let ready = match &mut self.waiting {
            Some(waiting) => waiting.push(record),
            None => vec![record],
        };
        self.write(ready)
    }

    /// The run is over.
    pub(crate) fn finish(&mut self, run: &Summary) -> Result<(), ArchiveError> {
        let ready = match self.waiting.take() {
            Some(waiting) => waiting.settle(run, &self.about),
            None => Vec::new(),
        };
        self.write(ready)
    }

    /// What to say at the end.
    pub(crate) fn notes(&self) -> Vec<String> {
        let kinds = ["new", "replaced", "put together", "unchanged", "kept as they were"];
        let words: Vec<String> = self
            .added
            .iter()
            .zip(kinds)
            .filter(|(hours, _)| **hours > 0)
            .map(|(hours, kind)| format!("{hours} {kind}"))
            .collect();
        let mut notes = Vec::new();
        if !words.is_empty() {
            notes.push(format!("Hours in the archive: {}.", words.join(", ")));
        }
        let missing = self.lost + self.unwritten.len() as u64;
        if missing > 0 {
            notes.push(format!("Hours that did not get into the archive: {missing}."));
        }
        notes
    }

    /// Whether an hour did not get there.
    pub(crate) fn has_failed(&self) -> bool {
        self.lost > 0 || !self.unwritten.is_empty()
    }

    /// Writes what is ready, after what could not be written before; what fails stays.
    fn write(&mut self, ready: Vec<Hour>) -> Result<(), ArchiveError> {
        self.unwritten.extend(ready);
        let mut strange = None;
        while let Some(hour) = self.unwritten.front() {
            let added = match self.archive.add(hour.clone()) {
                Ok(added) => added,
                // It would never get in: a time before 1970, or after 9999.
                Err(error @ ArchiveError::Record { .. }) => {
                    self.unwritten.pop_front();
                    self.lost += 1;
                    strange.get_or_insert(error);
                    continue;
                }
                Err(error) => {
                    // Hours of a file wait without a limit of their own: `Waiting` had one.
                    while self.waiting.is_none() && self.unwritten.len() > MOST_UNWRITTEN {
                        self.unwritten.pop_front();
                        self.lost += 1;
                    }
                    return Err(error);
                }
            };
            self.unwritten.pop_front();
            let place = match added {
                Added::New => 0,
                Added::Replaced => 1,
                Added::Joined => 2,
                Added::Unchanged => 3,
                Added::Kept => 4,
            };
            self.added[place] += 1;
        }
        strange.map_or(Ok(()), Err)
    }
}

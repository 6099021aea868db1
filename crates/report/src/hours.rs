//! Hour files: one finished UTC hour as `balefire-SENSOR-YYYYMMDDTHHZ.json` and `.csv` in a folder.
//!
//! In: hour summaries, a folder, a sensor's name. Out: two files an hour, whole or not there at all: each is written under a
//! temporary name in the same folder, flushed to the disk and renamed, the JSON last, so where it is the CSV is too.
//! Not its job: when an hour is over (`pipeline`).
//!
//! What is there already is never lost by accident:
//! - an hour with the same content is left as it is (a capture read again);
//! - a whole hour takes the place of whatever is there (a better view of the same hour);
//! - a part of an hour takes the place of a part whose packets it covers (the same capture read with other settings);
//! - any other part goes beside, as `....part2.json` and so on (a sensor restarted within the hour), up to
//!   32 of them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use balefire_detect::Summary;
use serde::Deserialize;

use crate::number::{hour_stamp, rfc3339};
use crate::{country_csv, json};

/// Parts of one hour kept beside each other; a sensor that restarts more often than every other minute is broken.
const MOST_PARTS: u32 = 32;

/// Where hours are written.
#[derive(Clone, Debug)]
pub struct HourFiles {
    folder: PathBuf,
    sensor: String,
}

/// What became of one hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// New files.
    New,
    /// Files of the same hour were replaced by a fuller or newer view of it.
    Replaced,
    /// The same content was there already.
    Unchanged,
    /// Other packets of the same hour were there; this part has its own files.
    Beside,
}

/// Why an hour could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HourError {
    /// The folder or a file in it could not be written.
    #[error("{path}: {source}; the hour is not written: give a folder that exists, is writable and has room", path = path.display())]
    Io {
        /// What was written.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The sensor's name cannot be part of a file name.
    #[error("sensor \"{0}\": use letters, digits, dot, dash and underscore, at most 64, the first no dot")]
    Sensor(String),
    /// Too many parts of one hour.
    #[error("{0}: {MOST_PARTS} parts of this hour are there already; move them away")]
    TooManyParts(String),
}

/// Whether a sensor may be called so: its name becomes part of file names.
pub fn is_sensor_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    (1..=64).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(plain)
}

impl HourFiles {
    /// A folder to write into; made if it is not there.
    ///
    /// # Errors
    /// The folder cannot be made, or the sensor's name cannot be part of a file name.
    pub fn open(folder: impl Into<PathBuf>, sensor: &str) -> Result<Self, HourError> {
        let folder = folder.into();
        if !is_sensor_name(sensor) {
            return Err(HourError::Sensor(crate::clean(sensor)));
        }
        fs::create_dir_all(&folder).map_err(|source| HourError::Io {
            path: folder.clone(),
            source,
        })?;
        Ok(Self {
            folder,
            sensor: sensor.to_owned(),
        })
    }

    /// Writes one hour.
    ///
    /// # Errors
    /// See [`HourError`]; then neither file of this hour was changed, or only its CSV was.
    pub fn write(&self, hour: &Summary) -> Result<Written, HourError> {
        let base = format!("balefire-{}-{}", self.sensor, hour_stamp(hour.period.start_ns));
        let text = json(hour, &self.sensor).map_err(|error| HourError::Io {
            path: self.folder.join(&base),
            source: io::Error::other(error),
        })?;
        let (stem, written) = self.place(&base, hour, &text)?;
        if written != Written::Unchanged {
            self.replace(&format!("{stem}.csv"), country_csv(hour, &self.sensor).as_bytes())?;
            self.replace(&format!("{stem}.json"), text.as_bytes())?;
        }
        Ok(written)
    }

    /// Under which stem this hour goes, and what that means.
    fn place(&self, base: &str, hour: &Summary, text: &str) -> Result<(String, Written), HourError> {
        let mut free = None;
        for part in 1..=MOST_PARTS {
            let stem = if part == 1 {
                base.to_owned()
            } else {
                format!("{base}.part{part}")
            };
            let Some(there) = self.read(&stem)? else {
                free = Some((stem, if part == 1 { Written::New } else { Written::Beside }));
                break;
            };
            if there == text && self.folder.join(format!("{stem}.csv")).exists() {
                return Ok((stem, Written::Unchanged));
            }
            if (part == 1 && !hour.period.partial) || covers(hour, &there) {
                return Ok((stem, Written::Replaced));
            }
        }
        free.ok_or_else(|| HourError::TooManyParts(base.to_owned()))
    }

    fn read(&self, stem: &str) -> Result<Option<String>, HourError> {
        let path = self.folder.join(format!("{stem}.json"));
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(HourError::Io { path, source }),
        }
    }

    /// Puts the bytes under the name, whole or not at all.
    fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), HourError> {
        // The process number keeps two writers apart; a file a crashed one left is of no use to anybody.
        let temporary = self.folder.join(format!(".{name}.{}.tmp", std::process::id()));
        let path = self.folder.join(name);
        write_through(&temporary, bytes)
            .and_then(|()| fs::rename(&temporary, &path))
            .and_then(|()| File::open(&self.folder)?.sync_all())
            .map_err(|source| {
                // Best effort: the error that led here is the one to tell.
                let _ = fs::remove_file(&temporary);
                HourError::Io { path, source }
            })
    }
}

fn write_through(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let _ = fs::remove_file(path);
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// The part of a written hour that says which packets it is of.
#[derive(Deserialize)]
struct There {
    period: TherePeriod,
}

#[derive(Deserialize)]
struct TherePeriod {
    partial: bool,
    first_packet: Option<String>,
    last_packet: Option<String>,
}

/// Whether nothing of the hour that is there gets lost when this part takes its place. Something unreadable is kept.
fn covers(hour: &Summary, there: &str) -> bool {
    let Ok(There { period }) = serde_json::from_str::<There>(there) else {
        return false;
    };
    let (Some(first_ns), Some(last_ns)) = (hour.first_packet_ns, hour.last_packet_ns) else {
        return false;
    };
    let (Some(first), Some(last)) = (period.first_packet, period.last_packet) else {
        return period.partial;
    };
    // RFC 3339 texts of one length compare as the times do.
    period.partial && rfc3339(first_ns) <= first && last <= rfc3339(last_ns)
}

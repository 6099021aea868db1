//! What will be done: flags and settings made into the values the libraries take.
//!
//! In: [`Settings`], [`OutputFlags`]. Out: a [`Plan`] in which everything is checked and nothing is a flag any more. Opens
//! what must be there before anything runs: the country database, the output folder. Not its job: running.

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::sync::Arc;

use balefire_archive::{About, Archive, FOLDER, Retention};
use balefire_detect::{Countries, Shared, Thresholds};
use balefire_report::HourFiles;

use crate::exit::Failure;
use crate::flags::{Format, OutputFlags};
use crate::lists;
use crate::output;
use crate::settings::Settings;
use crate::values::Count;

/// A run, decided.
pub(crate) struct Plan {
    pub(crate) pipeline: balefire_pipeline::Settings,
    pub(crate) detect: Arc<balefire_detect::Settings>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) hours: Option<HourFiles>,
    /// Where hours are kept for reports; taken by the run.
    pub(crate) archive: Option<(Archive, About)>,
    pub(crate) sensor: String,
    pub(crate) answer: Answer,
    pub(crate) scores: Option<PathBuf>,
    pub(crate) quiet: bool,
}

/// What goes to standard output at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The page, JSON, or country rows.
    Summary(Format),
    /// The page of one server.
    Why(String),
    /// Nothing: a service has told it all by then.
    Nothing,
}

impl Plan {
    /// `interface_networks` are the networks of the interface, for a tap.
    pub(crate) fn new(
        settings: &Settings,
        asked: &OutputFlags,
        interface_networks: &[String],
    ) -> Result<Self, Failure> {
        let answer = match &asked.why {
            Some(_) if asked.format != Format::Table => {
                return Err(Failure::usage(
                    "--why prints a page for people; --format json has every explanation already",
                ));
            }
            Some(server) => Answer::Why(server.clone()),
            None => Answer::Summary(asked.format),
        };
        let sensor = settings.sensor.name.as_str().to_owned();
        let detect = Arc::new(detect_settings(settings, interface_networks)?);
        let hours = asked.output.as_ref().map(|folder| HourFiles::open(folder, &sensor));
        let hours = hours.transpose().map_err(|error| Failure::failed(error.to_string()))?;
        let tables = settings.table_limits()?;
        let archive = match &asked.output {
            Some(folder) if settings.archive.write && !asked.no_archive => {
                let archive = Archive::open(&folder.join(FOLDER), retention(settings));
                let archive = archive.map_err(|error| Failure::failed(error.to_string()))?;
                Some((archive, about(settings)?))
            }
            _ => None,
        };
        let shared = Arc::new(Shared::new(countries(settings)?, &detect));
        let loaded = lists::load(settings)?;
        if !asked.quiet {
            loaded.remarks.iter().for_each(|remark| output::remark(remark));
        }
        shared.replace_lists(loaded.lists);
        Ok(Self {
            pipeline: balefire_pipeline::Settings {
                workers: settings.workers(),
                queue_blocks: settings.run.queue_blocks.size(),
                keep_timelines: asked.scores.is_some() || asked.why.is_some(),
                connections: tables.connections,
                payload_buffers: tables.payload_buffers,
                profile: asked.profile,
                ..balefire_pipeline::Settings::default()
            },
            shared,
            detect,
            hours,
            archive,
            sensor,
            answer,
            scores: asked.scores.clone(),
            quiet: asked.quiet,
        })
    }
}

impl Plan {
    /// Entries each kind of table may have, over all workers, by the names the pipeline shows them under.
    pub(crate) fn table_limits(&self) -> Vec<(&'static str, u64)> {
        let limits = &self.detect.limits;
        let each = [
            ("connections", self.pipeline.connections),
            ("hosts", limits.hosts),
            ("destinations", limits.addresses),
            ("pairs", limits.pairs),
            ("timelines", limits.timelines),
            ("names", limits.names),
        ];
        let workers = self.pipeline.workers.max(1);
        each.map(|(name, limit)| (name, limit.saturating_mul(workers) as u64))
            .to_vec()
    }
}

fn about(settings: &Settings) -> Result<About, Failure> {
    Ok(About {
        sensor_id: settings.sensor.name.as_str().to_owned(),
        home_country: settings.home.country.map(String::from),
        settings: settings.deciding()?,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

fn retention(settings: &Settings) -> Retention {
    let archive = &settings.archive;
    // All are at most 36,500.
    let days = |count: Count<0, 36_500>| u32::try_from(count.0).unwrap_or(u32::MAX);
    Retention {
        suspected_days: days(archive.keep_suspected_days),
        probable_days: days(archive.keep_probable_days),
        confirmed_days: days(archive.keep_confirmed_days),
        totals_days: days(archive.keep_totals_days),
        parquet_days: days(archive.keep_parquet_days),
    }
}

fn detect_settings(settings: &Settings, interface_networks: &[String]) -> Result<balefire_detect::Settings, Failure> {
    Ok(balefire_detect::Settings {
        home: settings.home(interface_networks)?,
        home_country: settings.home.country.map(|code| code.0),
        score_internal: settings.detect.score_internal,
        thresholds: Thresholds {
            suspected: settings.detect.suspected.0,
            probable: settings.detect.probable.0,
        },
        limits: settings.table_limits()?.detect,
        // Keys of the tables are chosen by attackers, so the seed is one they cannot know.
        hash_seed: RandomState::new().hash_one(0u8),
    })
}

/// The country database, whole, in memory: a file cut short under a mapping would be a SIGBUS.
pub(crate) fn countries(settings: &Settings) -> Result<Countries, Failure> {
    let Some(path) = &settings.detect.country_db else {
        return Ok(Countries::embedded());
    };
    let bytes = fs::read(path)
        .map_err(|error| Failure::usage(format!("{}: {error}; --country-db names a .mmdb file", path.display())))?;
    let name = path
        .file_name()
        .map_or_else(|| path.to_string_lossy(), |name| name.to_string_lossy());
    Countries::from_mmdb(&name, bytes).map_err(|error| Failure::usage(error.to_string()))
}

//! Settings: defaults, then the file, then the flags.
//!
//! In: a TOML file and [`SettingFlags`]. Out: [`Settings`], checked, or an error that says where (line and column for
//! the file) and what would be right. Serialised again it is a settings file with the same effect. Not its job: opening
//! anything it names, single sections (`sections`).

mod sections;

use std::fs;
use std::path::{Path, PathBuf};

use balefire_detect::Home;
use balefire_pipeline::TableLimits;
use serde::{Deserialize, Serialize};

use crate::exit::Failure;
use crate::flags::{LiveFlags, RunFlags, SettingFlags};
use crate::service::control::DEFAULT_NAME;
use crate::values::{Count, Memory, Network};

use self::sections::{
    AlertsSection, ArchiveSection, CaptureSection, DetectSection, HomeSection, LimitsSection, MetricsSection,
    ReportSection, SensorSection, ServiceSection,
};
pub(crate) use self::sections::{RunSection, cores};

/// Everything that can be set, in the sections of the file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) sensor: SensorSection,
    pub(crate) home: HomeSection,
    pub(crate) detect: DetectSection,
    pub(crate) run: RunSection,
    pub(crate) capture: CaptureSection,
    pub(crate) limits: LimitsSection,
    pub(crate) metrics: MetricsSection,
    pub(crate) service: ServiceSection,
    pub(crate) alerts: AlertsSection,
    pub(crate) archive: ArchiveSection,
    pub(crate) report: ReportSection,
}

impl Settings {
    /// Defaults, then the file, then the flags.
    pub(crate) fn load(flags: &SettingFlags) -> Result<Self, Failure> {
        let mut settings = match &flags.config {
            Some(path) => Self::read(path)?,
            None => Self::default(),
        };
        settings.apply(flags)?;
        settings.check()?;
        Ok(settings)
    }

    /// The same for capture files and logs.
    pub(crate) fn load_for_files(flags: &SettingFlags) -> Result<Self, Failure> {
        let mut settings = Self::load(flags)?;
        settings
            .run
            .workers
            .get_or_insert_with(|| RunSection::workers_of_files(cores()));
        settings.check()?;
        Ok(settings)
    }

    /// Worker threads: as many as were named, or as fit a tap on this machine.
    pub(crate) fn workers(&self) -> usize {
        let workers = self.run.workers;
        workers.unwrap_or_else(|| RunSection::workers_of_taps(cores())).size()
    }

    /// What only `live` takes.
    pub(crate) fn apply_live(&mut self, flags: &LiveFlags) -> Result<(), Failure> {
        if let Some(snaplen) = flags.snaplen {
            self.capture.snaplen_bytes = flag("--snaplen", u64::from(snaplen).try_into())?;
        }
        if let Some(buffer_mb) = flags.buffer_mb {
            self.capture.buffer_mb = flag("--buffer-mb", u64::from(buffer_mb).try_into())?;
        }
        self.capture.promiscuous &= !flags.no_promiscuous;
        if let Some(address) = &flags.metrics {
            self.metrics.listen = flag("--metrics", address.clone().try_into())?;
        }
        self.metrics.anywhere |= flags.metrics_anywhere;
        Ok(())
    }

    /// What decides findings, as text: the same for two runs that would say the same of the same packets.
    pub(crate) fn deciding(&self) -> Result<String, Failure> {
        let detect = DetectSection {
            // Where files lie decides nothing; the record names the database itself, and takes the lists by what they say.
            country_db: None,
            intel: Vec::new(),
            allowlist: None,
            ..self.detect.clone()
        };
        serde_json::to_string(&(&self.home, detect, &self.limits, &self.capture.filter))
            .map_err(|error| Failure::failed(format!("the settings cannot be written: {error}")))
    }

    /// What only `run` takes.
    pub(crate) fn apply_run(&mut self, flags: &RunFlags) {
        if !flags.interface.is_empty() {
            self.service.interfaces.clone_from(&flags.interface);
        }
        if let Some(output) = &flags.output {
            self.service.output = Some(output.clone());
        }
    }

    /// Where the service's control socket is; `None` without an output folder.
    pub(crate) fn socket(&self) -> Option<PathBuf> {
        let service = &self.service;
        let beside = || service.output.as_ref().map(|folder| folder.join(DEFAULT_NAME));
        service.socket.clone().or_else(beside)
    }

    /// The file that [`Settings::read`] reads back to the same.
    pub(crate) fn dump(&self) -> Result<String, Failure> {
        toml::to_string_pretty(self)
            .map_err(|error| Failure::failed(format!("the settings cannot be written: {error}")))
    }

    /// Networks behind the tap; `more` are added only where the operator named none.
    pub(crate) fn home(&self, more: &[String]) -> Result<Home, Failure> {
        let texts: Vec<&str> = match &self.home.networks {
            Some(networks) => networks.iter().map(Network::as_str).collect(),
            None => Home::DEFAULT_NETWORKS
                .iter()
                .copied()
                .chain(more.iter().map(String::as_str))
                .collect(),
        };
        Home::parse(texts).map_err(|error| Failure::usage(error.to_string()))
    }

    /// Most memory of the run.
    pub(crate) fn memory(&self) -> Memory {
        let by_workers = TableLimits::DEFAULT_BYTES_PER_WORKER.saturating_mul(self.workers() as u64);
        self.limits.memory.unwrap_or(Memory(by_workers))
    }

    /// Each worker's tables: what follows from the memory, and what was set by hand instead.
    pub(crate) fn table_limits(&self) -> Result<TableLimits, Failure> {
        let (workers, blocks) = (self.workers(), self.run.queue_blocks.size());
        let mut limits = TableLimits::within(self.memory().0, workers, blocks).map_err(|enough| {
            // Rounded up, so that what is named is enough.
            let enough = String::from(Memory(enough.div_ceil(1 << 20) << 20));
            Failure::usage(format!(
                "limits.memory is {}: it takes at least {enough} for run.workers = {workers} with run.queue_blocks = {blocks} \
                 waiting for each; name more, or fewer of these",
                String::from(self.memory())
            ))
        })?;
        let LimitsSection {
            memory: _,
            connections,
            hosts,
            addresses,
            pairs,
            timelines,
            names,
        } = &self.limits;
        for (by_hand, derived) in [
            (connections, &mut limits.connections),
            (hosts, &mut limits.detect.hosts),
            (addresses, &mut limits.detect.addresses),
            (pairs, &mut limits.detect.pairs),
            (timelines, &mut limits.detect.timelines),
            (names, &mut limits.detect.names),
        ] {
            *derived = by_hand.map_or(*derived, Count::size);
        }
        Ok(limits)
    }

    fn read(path: &Path) -> Result<Self, Failure> {
        let text = fs::read_to_string(path)
            .map_err(|error| Failure::usage(format!("{}: {error}; --config names a settings file", path.display())))?;
        // The error names line and column and shows the line.
        toml::from_str(&text)
            .map_err(|error| Failure::usage(format!("{}: {}", path.display(), error.to_string().trim_end())))
    }

    fn apply(&mut self, flags: &SettingFlags) -> Result<(), Failure> {
        if !flags.home.is_empty() {
            let networks = flags.home.iter().filter(|text| !text.trim().is_empty());
            let networks: Result<Vec<_>, _> = networks.map(|text| text.clone().try_into()).collect();
            self.home.networks = Some(flag("--home", networks)?);
        }
        if let Some(country) = &flags.home_country {
            self.home.country = Some(flag("--home-country", country.clone().try_into())?);
        }
        if let Some(score) = flags.suspected {
            self.detect.suspected = flag("--suspected", score.try_into())?;
        }
        if let Some(score) = flags.probable {
            self.detect.probable = flag("--probable", score.try_into())?;
        }
        if let Some(workers) = flags.workers {
            self.run.workers = Some(flag("--workers", u64::from(workers).try_into())?);
        }
        if let Some(blocks) = flags.queue_blocks {
            self.run.queue_blocks = flag("--queue-blocks", u64::from(blocks).try_into())?;
        }
        if let Some(memory) = &flags.memory {
            self.limits.memory = Some(flag("--memory", memory.clone().try_into())?);
        }
        if let Some(sensor) = &flags.sensor {
            self.sensor.name = flag("--sensor", sensor.clone().try_into())?;
        }
        if let Some(filter) = &flags.filter {
            self.capture.filter.clone_from(filter);
        }
        if let Some(path) = &flags.country_db {
            self.detect.country_db = Some(path.clone());
        }
        if !flags.intel.is_empty() {
            self.detect.intel.clone_from(&flags.intel);
        }
        if let Some(path) = &flags.allowlist {
            self.detect.allowlist = Some(path.clone());
        }
        self.detect.score_internal |= flags.score_internal;
        Ok(())
    }

    /// What no single value shows.
    fn check(&self) -> Result<(), Failure> {
        let DetectSection {
            suspected, probable, ..
        } = &self.detect;
        if suspected.0 > probable.0 {
            return Err(Failure::usage(format!(
                "detect.suspected is {} and detect.probable {}: a probable server is a suspected one, so it needs the higher score",
                suspected.0, probable.0
            )));
        }
        if self.home.networks.as_ref().is_some_and(Vec::is_empty) {
            return Err(Failure::usage(
                "home.networks names no network, so nothing would be inside; name some, or leave it out for the private ranges",
            ));
        }
        self.table_limits().map(drop)
    }
}

fn flag<T, E: std::fmt::Display>(name: &str, value: Result<T, E>) -> Result<T, Failure> {
    value.map_err(|error| Failure::usage(format!("{name}: {error}")))
}

#[cfg(test)]
mod tests;

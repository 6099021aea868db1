//! Settings: defaults, then the file, then the flags.
//!
//! In: a TOML file and [`SettingFlags`]. Out: [`Settings`], checked, or an error that says where (line and column for
//! the file) and what would be right. Serialised again it is a settings file with the same effect. Not its job: opening
//! anything it names.

use std::fs;
use std::path::{Path, PathBuf};

use balefire_detect::{Home, Thresholds};
use balefire_pipeline::TableLimits;
use serde::{Deserialize, Serialize};

use crate::exit::Failure;
use crate::flags::{LiveFlags, RunFlags, SettingFlags};
use crate::service::control::DEFAULT_NAME;
use crate::values::{Count, CountryCode, Listen, Memory, Network, Score, SensorName, SetSizes, Syslog, SyslogFormat};

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

/// `[sensor]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SensorSection {
    /// Name of this tap in files and documents.
    pub(crate) name: SensorName,
}

/// `[home]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct HomeSection {
    /// Networks behind the tap; absent for the private ranges (and, live, the interface's own networks).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) networks: Option<Vec<Network>>,
    /// Country of the tap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) country: Option<CountryCode>,
}

/// `[detect]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct DetectSection {
    /// Conversations between two inside addresses are scored too.
    pub(crate) score_internal: bool,
    /// Score from which a server is suspected.
    pub(crate) suspected: Score,
    /// Score from which it is probable.
    pub(crate) probable: Score,
    /// Country database; absent for the built-in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) country_db: Option<PathBuf>,
    /// Lists of threat intelligence, or folders of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) intel: Vec<PathBuf>,
    /// The allowlist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) allowlist: Option<PathBuf>,
}

impl Default for DetectSection {
    fn default() -> Self {
        let Thresholds {
            suspected, probable, ..
        } = Thresholds::default();
        Self {
            score_internal: false,
            suspected: Score(suspected),
            probable: Score(probable),
            country_db: None,
            intel: Vec::new(),
            allowlist: None,
        }
    }
}

/// `[run]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RunSection {
    /// Worker threads.
    pub(crate) workers: Count<1, 256>,
    /// Blocks of about 1 MiB that wait for a worker.
    pub(crate) queue_blocks: Count<1, 4096>,
}

impl Default for RunSection {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            // One core is the capture thread's.
            workers: Count(cores.saturating_sub(1).clamp(1, 256) as u64),
            queue_blocks: Count(balefire_pipeline::Settings::default().queue_blocks as u64),
        }
    }
}

/// `[capture]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct CaptureSection {
    /// BPF expression; empty for everything.
    pub(crate) filter: String,
    /// Bytes kept of every packet; live only.
    pub(crate) snaplen_bytes: Count<64, 262_144>,
    /// Kernel ring, MiB; live only.
    pub(crate) buffer_mb: Count<1, 2047>,
    /// Promiscuous mode; live only.
    pub(crate) promiscuous: bool,
}

impl Default for CaptureSection {
    fn default() -> Self {
        let live = balefire_capture::LiveOptions::default();
        Self {
            filter: String::new(),
            snaplen_bytes: Count(u64::from(live.snaplen_bytes)),
            buffer_mb: Count(u64::from(live.buffer_bytes >> 20)),
            promiscuous: live.promiscuous,
        }
    }
}

/// `[metrics]`: where `run` answers Prometheus; `live` does so only with `--metrics`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct MetricsSection {
    /// Address and port, or `off`.
    pub(crate) listen: Listen,
    /// An address that other machines can reach is meant.
    pub(crate) anywhere: bool,
}

/// `[service]`: what `balefire run` needs beside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ServiceSection {
    /// Interfaces to listen on.
    pub(crate) interfaces: Vec<String>,
    /// Threads that read each of them.
    pub(crate) readers: Count<1, 64>,
    /// Folder of the hours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) output: Option<PathBuf>,
    /// Control socket; absent for one in the output folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) socket: Option<PathBuf>,
    /// A core each for the threads that handle packets, and the rest for all others; empty for any.
    pub(crate) cpus: Vec<Count<0, 1023>>,
    /// Rights are given up once the interfaces are open.
    pub(crate) sandbox: bool,
}

impl Default for ServiceSection {
    fn default() -> Self {
        Self {
            interfaces: Vec::new(),
            readers: Count(1),
            output: None,
            socket: None,
            cpus: Vec::new(),
            sandbox: true,
        }
    }
}

/// `[alerts]`: where `balefire run` tells of findings; nowhere unless set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AlertsSection {
    /// JSON lines, appended; opened anew when the file was moved away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<PathBuf>,
    /// The same on standard output.
    pub(crate) stdout: bool,
    /// `udp:ADDRESS:PORT` or `unix:/dev/log`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) syslog: Option<Syslog>,
    /// What is in those messages: `json` or `cef`.
    pub(crate) syslog_format: SyslogFormat,
    /// Alerts of one server in an hour of wall time.
    pub(crate) per_server_hourly: Count<1, 100_000>,
}

impl Default for AlertsSection {
    fn default() -> Self {
        Self {
            file: None,
            stdout: false,
            syslog: None,
            syslog_format: SyslogFormat::Json,
            // A person can look at so many; the rest is counted.
            per_server_hourly: Count(20),
        }
    }
}

/// `[limits]`: the memory of the run, from which the tables' sizes follow, or sizes by hand: entries of each table and worker.
/// At its limit a table lets the coldest go, and counts it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LimitsSection {
    /// Most memory of the run; absent for 1 GiB a worker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) memory: Option<Memory>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) connections: Option<Entries>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hosts: Option<Entries>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) addresses: Option<Entries>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pairs: Option<Entries>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) timelines: Option<Entries>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) names: Option<Entries>,
}

/// Entries of a table.
pub(crate) type Entries = Count<1024, 0x1000_0000>;

/// `[archive]`: what `--output` keeps for reports, and for how long.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ArchiveSection {
    /// Hours go into the archive beside the hour files.
    pub(crate) write: bool,
    /// Days after which suspected servers and their hosts go; 0 keeps them. Days count back from the newest hour.
    pub(crate) keep_suspected_days: Count<0, 36_500>,
    /// The same of probable ones.
    pub(crate) keep_probable_days: Count<0, 36_500>,
    /// The same of confirmed ones.
    pub(crate) keep_confirmed_days: Count<0, 36_500>,
    /// The same of what was watched and of countries, which name no address.
    pub(crate) keep_totals_days: Count<0, 36_500>,
    /// The same of Parquet folders.
    pub(crate) keep_parquet_days: Count<0, 36_500>,
}

impl Default for ArchiveSection {
    fn default() -> Self {
        Self {
            write: true,
            keep_suspected_days: Count(0),
            keep_probable_days: Count(0),
            keep_confirmed_days: Count(0),
            keep_totals_days: Count(0),
            keep_parquet_days: Count(0),
        }
    }
}

/// `[report]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ReportSection {
    /// Where the sizes of sets of hosts controlled by one server begin.
    pub(crate) set_sizes: SetSizes,
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
        let by_workers = TableLimits::DEFAULT_BYTES_PER_WORKER.saturating_mul(self.run.workers.0);
        self.limits.memory.unwrap_or(Memory(by_workers))
    }

    /// Each worker's tables: what follows from the memory, and what was set by hand instead.
    pub(crate) fn table_limits(&self) -> Result<TableLimits, Failure> {
        let (workers, blocks) = (self.run.workers.size(), self.run.queue_blocks.size());
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
            self.run.workers = flag("--workers", u64::from(workers).try_into())?;
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
mod tests {
    use super::*;

    #[test]
    fn a_dump_reads_back_to_the_same() {
        let mut settings = Settings::default();
        assert_eq!(toml::from_str::<Settings>(&settings.dump().unwrap()).unwrap(), settings);
        settings.home.networks = Some(vec!["192.0.2.0/24".to_owned().try_into().unwrap()]);
        settings.home.country = Some("NL".to_owned().try_into().unwrap());
        settings.detect.country_db = Some("/a \"b\"/c.mmdb".into());
        settings.capture.filter = "not port 22".to_owned();
        assert_eq!(toml::from_str::<Settings>(&settings.dump().unwrap()).unwrap(), settings);
    }

    #[test]
    fn errors_in_the_file_have_line_and_column() {
        for (text, place, word) in [
            ("[run]\nworker = 2\n", "line 2, column 1", "worker"),
            ("[run]\nworkers = 0\n", "line 2, column 11", "1 to 256"),
            ("[home]\nnetworks = [\"10.0.0.0/8\", \"x\"]\n", "line 2", "\"x\""),
            ("[home]\ncountry = \"Mars\"\n", "line 2, column 11", "two letters"),
            ("[detect]\nsuspected = 1.5\n", "line 2, column 13", "0 to 1"),
            ("[sensor]\nname = \"a/b\"\n", "line 2, column 8", "letters"),
            ("[run\n", "line 1", ""),
        ] {
            let error = toml::from_str::<Settings>(text).unwrap_err().to_string();
            assert!(error.contains(place) && error.contains(word), "{text}: {error}");
        }
    }

    #[test]
    fn tables_follow_the_memory_but_for_what_is_set_by_hand() {
        let settings: Settings =
            toml::from_str("[limits]\nmemory = \"256MiB\"\npairs = 5000\n[run]\nworkers = 2\n").unwrap();
        let limits = settings.table_limits().unwrap();
        assert_eq!(limits.detect.pairs, 5000);
        let derived = TableLimits::within(256 << 20, 2, settings.run.queue_blocks.size()).unwrap();
        assert_eq!(limits.connections, derived.connections);
        assert!(settings.dump().unwrap().contains("memory = \"256MiB\""));
        let too_little: Settings = toml::from_str("[limits]\nmemory = \"1000\"\n").unwrap();
        let said = too_little.check().unwrap_err().to_string();
        assert!(said.contains("limits.memory is 1000") && said.contains("MiB"), "{said}");
        let error = toml::from_str::<Settings>("[limits]\nmemory = \"1TB\"\n")
            .unwrap_err()
            .to_string();
        assert!(error.contains("line 2") && error.contains("512MiB"), "{error}");
    }

    #[test]
    fn flags_go_before_the_file() {
        let mut settings: Settings = toml::from_str("[run]\nworkers = 2\nqueue_blocks = 7\n").unwrap();
        let flags = SettingFlags {
            workers: Some(5),
            home: vec!["192.0.2.0/24".into()],
            ..SettingFlags::default()
        };
        settings.apply(&flags).unwrap();
        assert_eq!((settings.run.workers.0, settings.run.queue_blocks.0), (5, 7));
        assert_eq!(
            settings.home(&["10.9.0.0/16".to_owned()]).unwrap().to_string(),
            "192.0.2.0/24"
        );
        let thresholds = SettingFlags {
            suspected: Some(0.95),
            ..SettingFlags::default()
        };
        settings.apply(&thresholds).unwrap();
        assert!(settings.check().is_err());
        let empty: Settings = toml::from_str("[home]\nnetworks = []\n").unwrap();
        assert!(empty.check().unwrap_err().to_string().contains("no network"));
    }

    #[test]
    fn the_interface_counts_as_home_only_where_nothing_was_named() {
        let home = Settings::default()
            .home(&["192.0.2.0/24".to_owned()])
            .unwrap()
            .to_string();
        assert!(
            home.starts_with("10.0.0.0/8") && home.ends_with("192.0.2.0/24"),
            "{home}"
        );
    }
}

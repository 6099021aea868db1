//! The sections of the settings file, and what holds where nothing is said.
//!
//! In: TOML. Out: values that can be used, each by itself. Not its job: what must fit together (`settings`).

use std::path::PathBuf;

use balefire_detect::Thresholds;
use serde::{Deserialize, Serialize};

use crate::values::{Count, CountryCode, Listen, Memory, Network, Score, SensorName, SetSizes, Syslog, SyslogFormat};

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
    /// Worker threads; absent for [`RunSection::workers_of_taps`], and for files [`RunSection::workers_of_files`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) workers: Option<Count<1, 256>>,
    /// Blocks of about 1 MiB that wait for a worker.
    pub(crate) queue_blocks: Count<1, 4096>,
}

impl Default for RunSection {
    fn default() -> Self {
        Self {
            workers: None,
            queue_blocks: Count(balefire_pipeline::Settings::default().queue_blocks as u64),
        }
    }
}

impl RunSection {
    /// One core is the capture thread's: nothing may keep it from running.
    pub(crate) fn workers_of_taps(cores: usize) -> Count<1, 256> {
        Count(cores.saturating_sub(1).clamp(1, 256) as u64)
    }

    /// The same, but two on two cores: a file waits for its workers, and what the capture thread leaves of its core is a third of
    /// another one.
    pub(crate) fn workers_of_files(cores: usize) -> Count<1, 256> {
        if cores == 2 {
            return Count(2);
        }
        Self::workers_of_taps(cores)
    }
}

pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
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

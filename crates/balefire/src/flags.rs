//! What was typed: the command line, as clap reads it, with the help texts.
//!
//! In: the process's arguments. Out: [`Flags`]: options that were given are `Some`, nothing is decided, nothing is looked up.
//! Not its job: settings files and defaults (`settings`), what will be done (`plan`).

use std::path::PathBuf;
use std::sync::LazyLock;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use crate::report::ReportFlags;
use crate::synth::SynthFlags;

const AFTER_HELP: &str = "\
Exit codes: 0 done, 1 failed, 2 usage or settings, 3 input damaged (what was readable was used).

An address is not an actor: every country here is the hosting country of an address.";

/// Finds the hosts behind a network tap that are controlled from outside, and the servers that control them.
#[derive(Debug, Parser)]
#[command(name = "balefire", version, long_version = LONG_VERSION.as_str(), after_help = AFTER_HELP, max_term_width = 100, arg_required_else_help = true)]
pub(crate) struct Flags {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// `-V` says the version, `--version` also whose data is built in.
static LONG_VERSION: LazyLock<String> =
    LazyLock::new(|| format!("{}\n{}", env!("CARGO_PKG_VERSION"), balefire_detect::EMBEDDED_NOTICE));

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Find control servers in capture files or connection logs.
    Read(ReadFlags),
    /// Find control servers on a network interface, until SIGINT or SIGTERM.
    Live(LiveFlags),
    /// Watch a tap for months: what `live` does, from a settings file, as a service. SIGTERM ends it, SIGHUP reads the file anew.
    Run(RunFlags),
    /// Ask the running service.
    Ctl(CtlFlags),
    /// Watch the running service: a full-screen console over its control socket.
    Top(TopFlags),
    /// Only count: packets, bytes, addresses; no detection. Prints one JSON object.
    Stats(StatsFlags),
    /// Write a made-up capture: offices, services, and the beacons you plant among them.
    Synth(SynthFlags),
    /// Print the tables of a period from an archive: control servers, controlled hosts, hosting countries.
    Report(ReportFlags),
    /// Bring hours together: import, push, list, check; what a cluster needs.
    #[command(subcommand)]
    Archive(ArchiveCommand),
    /// List the network interfaces, which of them can be opened, and what would mend the rest.
    Interfaces,
    /// Look at an interface and its machine before they are trusted with a tap; every finding with the line that mends
    /// it. Changes nothing. Exit code 1 where something must be mended.
    Doctor(DoctorFlags),
    /// Say what is understood of lists of threat intelligence.
    #[command(subcommand)]
    Intel(IntelCommand),
    /// Look after the allowlist: findings that are not to be reported, and why.
    #[command(subcommand)]
    Allow(AllowCommand),
    /// Check a settings file, or print the settings in effect.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print completions for a shell.
    #[command(hide = true)]
    Completions {
        /// The shell.
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Write the manual pages.
    #[command(hide = true)]
    Man {
        /// The folder they go to.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum IntelCommand {
    /// Read lists as `--intel` would, and say what was understood and what not. Exit code 3 where a line was not.
    Check {
        /// Lists, or folders of lists.
        #[arg(required = true, value_name = "FILE|DIR")]
        files: Vec<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum AllowCommand {
    /// Say whether an allowlist can be used.
    Check(AllowlistFlags),
    /// Print its rules.
    List(AllowlistFlags),
    /// Add a rule at the end of the file; what is in it stays as it is.
    Add(AllowAddFlags),
}

#[derive(Args, Debug)]
pub(crate) struct AllowlistFlags {
    /// The allowlist (TOML). [default: that of the settings file]
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,

    /// Settings file that names it.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Args, Debug, Default)]
pub(crate) struct AllowAddFlags {
    /// The server: an address, a network, or a domain (with everything below it).
    #[arg(value_name = "SERVER")]
    pub(crate) server: Option<String>,

    /// Only at this port.
    #[arg(long, value_name = "PORT")]
    pub(crate) port: Option<u16>,

    /// Only where the host used this TLS fingerprint.
    #[arg(long, value_name = "JA4")]
    pub(crate) ja4: Option<String>,

    /// Only for this host inside, or hosts of this network.
    #[arg(long, value_name = "ADDRESS|CIDR")]
    pub(crate) host: Option<String>,

    /// Why; it is shown with what the rule hides.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,

    /// The first day on which it no longer holds, as 2027-01-31.
    #[arg(long, value_name = "DATE")]
    pub(crate) expires: Option<String>,

    /// The allowlist (TOML); made if it is not there. [default: that of the settings file]
    #[arg(long, value_name = "FILE")]
    pub(crate) allowlist: Option<PathBuf>,

    /// Settings file that names it.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Read the settings file and the flags, and say whether they can be used.
    Check(SettingFlags),
    /// Print the settings in effect as TOML: defaults, then the file, then the flags. The output is a settings file.
    Dump(SettingFlags),
}

#[derive(Args, Debug)]
pub(crate) struct ReadFlags {
    /// Capture files (pcap, pcapng), or connection logs (CSV, Zeek); also gzip or zstd; folders or patterns; `-` is
    /// standard input.
    ///
    /// Several captures are read in the order of their first packets, as one. Logs are told from captures by their
    /// content: a CSV headed ts,src,dst,dport,proto,bytes_out,bytes_in (any order; also duration, name, state, service,
    /// sport), or Zeek's conn, dns, ssl, quic and http logs (tab-separated or JSON), joined by connection.
    #[arg(required = true, value_name = "CAPTURE")]
    pub(crate) captures: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) settings: SettingFlags,

    #[command(flatten)]
    pub(crate) output: OutputFlags,
}

#[derive(Args, Debug)]
pub(crate) struct LiveFlags {
    /// The interface to listen on, usually a mirror port; `balefire interfaces` lists them.
    #[arg(short, long, value_name = "IFACE")]
    pub(crate) interface: String,

    /// Bytes kept of every packet. Names and hand-shakes are in the first ones; byte counts come from the headers.
    #[arg(long, value_name = "BYTES", help_heading = "Capture")]
    pub(crate) snaplen: Option<u32>,

    /// Kernel ring for packets that wait for us, in MiB.
    #[arg(long, value_name = "MIB", help_heading = "Capture")]
    pub(crate) buffer_mb: Option<u32>,

    /// Do not put the interface into promiscuous mode.
    #[arg(long, help_heading = "Capture")]
    pub(crate) no_promiscuous: bool,

    /// Answer Prometheus at ADDRESS:PORT. [without a value: 127.0.0.1:9477]
    #[arg(long, value_name = "ADDRESS:PORT", num_args = 0..=1, default_missing_value = crate::service::metrics::DEFAULT_ADDRESS, help_heading = "Output")]
    pub(crate) metrics: Option<String>,

    /// Append every finding and every change of a server's class to FILE, as JSON lines.
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(crate) alerts: Option<PathBuf>,

    /// The address of --metrics may be one that other machines can reach. There is no password.
    #[arg(long, help_heading = "Output")]
    pub(crate) metrics_anywhere: bool,

    /// Stop by itself after so many seconds.
    #[arg(long, value_name = "SECONDS", help_heading = "Capture")]
    pub(crate) duration: Option<u64>,

    /// Rows of live figures in place of the full-screen console, as without a terminal.
    #[arg(long, help_heading = "Output")]
    pub(crate) plain: bool,

    /// Seconds between rows of live figures. [default: 1 on a terminal, 60 otherwise]
    #[arg(long, value_name = "SECONDS", help_heading = "Output", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) every: Option<u64>,

    #[command(flatten)]
    pub(crate) settings: SettingFlags,

    #[command(flatten)]
    pub(crate) output: OutputFlags,
}

#[derive(Args, Clone, Debug, Default)]
pub(crate) struct RunFlags {
    /// Interfaces to listen on; may be repeated. [default: service.interfaces of the settings file]
    #[arg(short, long, value_name = "IFACE")]
    pub(crate) interface: Vec<String>,

    /// Folder of the hours and of the archive. [default: service.output of the settings file]
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub(crate) output: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) settings: SettingFlags,
}

#[derive(Args, Debug)]
pub(crate) struct CtlFlags {
    /// What to ask, or to ask for.
    #[arg(value_enum)]
    pub(crate) word: CtlWord,

    /// why: a server or a host, as ADDRESS, ADDRESS:PORT or NAME. allow: a server that is to be allowed, as `balefire allow add`
    /// takes it, with --reason; without one the rules in force are shown.
    #[arg(value_name = "ABOUT")]
    pub(crate) about: Option<String>,

    /// allow: why; it is shown with what the rule hides.
    #[arg(long, value_name = "TEXT", requires = "about")]
    pub(crate) reason: Option<String>,

    /// allow: only at this port.
    #[arg(long, value_name = "PORT", requires = "reason")]
    pub(crate) port: Option<u16>,

    /// allow: only for this host inside, or hosts of this network.
    #[arg(long, value_name = "ADDRESS|CIDR", requires = "reason")]
    pub(crate) host: Option<String>,

    /// allow: the first day on which it no longer holds, as 2027-01-31.
    #[arg(long, value_name = "DATE", requires = "reason")]
    pub(crate) expires: Option<String>,

    /// The service's socket. [default: service.socket of the settings file, or .balefire.sock in its output folder]
    #[arg(long, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,

    /// The service's settings file.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// The answer as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct TopFlags {
    /// The service's socket. [default: service.socket of the settings file, or .balefire.sock in its output folder]
    #[arg(long, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,

    /// The service's settings file.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Lines in place of the full-screen console, as without a terminal.
    #[arg(long)]
    pub(crate) plain: bool,

    /// Seconds between lines.
    #[arg(long, value_name = "SECONDS", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) every: u64,
}

/// What the service answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CtlWord {
    /// How it is: packets, losses, tables, threads, hours, rights.
    Status,
    /// Every counter: packets by where they ended, queues, latency, tables with their limits.
    Stats,
    /// Control servers as they stand.
    Servers,
    /// Controlled hosts and their servers.
    Hosts,
    /// Hosting countries.
    Countries,
    /// Why a server is suspected: its evidence in the last closed hour, and how it stands.
    Why,
    /// The allowlist in force; with a server and --reason, one rule more in its file, put in force.
    Allow,
    /// Read settings, lists and country database anew, as SIGHUP does, and say what came of it.
    Reload,
    /// Open alert files anew, once they were moved away.
    Rotate,
    /// End in order, as SIGTERM does.
    Shutdown,
}

impl CtlWord {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Stats => "stats",
            Self::Servers => "servers",
            Self::Hosts => "hosts",
            Self::Countries => "countries",
            Self::Why => "why",
            Self::Allow => "allow",
            Self::Reload => "reload",
            Self::Rotate => "rotate",
            Self::Shutdown => "shutdown",
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct DoctorFlags {
    /// The interface; `balefire interfaces` lists them.
    #[arg(value_name = "IFACE")]
    pub(crate) interface: String,

    /// One JSON object in place of the page.
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) settings: SettingFlags,
}

#[derive(Args, Debug)]
pub(crate) struct StatsFlags {
    /// Capture files, folders or patterns; `-` is standard input.
    #[arg(required = true, value_name = "CAPTURE")]
    pub(crate) captures: Vec<PathBuf>,

    /// Count only what this BPF expression lets through.
    #[arg(long, value_name = "BPF")]
    pub(crate) filter: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ArchiveCommand {
    /// Take the hours of other archives. Twice, late or in any order is the same: the last word on each hour counts.
    Import {
        /// The archive that takes them: the folder given to --output, or one to be made.
        #[arg(long, value_name = "DIR")]
        archive: PathBuf,

        /// Folders given to --output elsewhere, archives, Parquet folders, or s3://BUCKET/PREFIX (access from AWS_ACCESS_KEY_ID,
        /// AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL; AWS_ALLOW_HTTP=true for one of http://).
        #[arg(required = true, value_name = "DIR|URL")]
        from: Vec<String>,
    },
    /// Put hours into object storage that it has not got yet. No object is ever overwritten.
    Push {
        /// The archive.
        #[arg(long, value_name = "DIR")]
        archive: PathBuf,

        /// s3://BUCKET/PREFIX.
        #[arg(value_name = "URL")]
        to: String,
    },
    /// List sensors with the hours that are there, partial and missing.
    Ls {
        /// The archive.
        #[arg(long, value_name = "DIR")]
        archive: PathBuf,
    },
    /// Look at every page of SQLite and read every Parquet file.
    Check {
        /// The archive.
        #[arg(long, value_name = "DIR")]
        archive: PathBuf,
    },
    /// Print what a database needs to hold the hours.
    Ddl {
        /// Which.
        #[arg(value_enum)]
        database: Database,

        /// URL of the folder of hours in object storage.
        #[arg(long, value_name = "URL", default_value = "https://BUCKET.s3.amazonaws.com/PREFIX")]
        source: String,
    },
}

/// A database that reads the hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Database {
    /// Tables, S3Queue and materialised views.
    Clickhouse,
}

/// Flags with a place in the settings file; a flag goes before the file.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct SettingFlags {
    /// Settings file (TOML); `balefire config dump` prints one. Flags go before it.
    #[arg(long, value_name = "FILE", help_heading = "Settings")]
    pub(crate) config: Option<PathBuf>,

    /// Networks behind the tap; may be repeated. [default: private ranges; for live also the interface's own]
    #[arg(long, value_name = "CIDR", value_delimiter = ',', help_heading = "Settings")]
    pub(crate) home: Vec<String>,

    /// Country of the tap, two letters; servers elsewhere are counted as abroad.
    #[arg(long, value_name = "CC", help_heading = "Settings")]
    pub(crate) home_country: Option<String>,

    /// Look for control servers among conversations inside as well.
    #[arg(long, help_heading = "Settings")]
    pub(crate) score_internal: bool,

    /// Country database in MaxMind's format. [default: the built-in table, country of registration]
    #[arg(long, value_name = "FILE.mmdb", help_heading = "Settings")]
    pub(crate) country_db: Option<PathBuf>,

    /// Threat intelligence: a list, or a folder of lists; may be repeated. Whoever has contact with what is listed is reported
    /// as confirmed. Plain lists, CSV, hosts files, MISP and STIX 2 JSON are told by their content. `live` reads them anew on
    /// SIGHUP.
    #[arg(long, value_name = "FILE|DIR", help_heading = "Settings")]
    pub(crate) intel: Vec<PathBuf>,

    /// Findings that are not to be reported, and why (TOML, `[[allow]]` tables); hits are counted. `live` reads it anew on
    /// SIGHUP.
    #[arg(long, value_name = "FILE", help_heading = "Settings")]
    pub(crate) allowlist: Option<PathBuf>,

    /// Score (0 to 1) from which a server is suspected.
    #[arg(long, value_name = "SCORE", help_heading = "Settings")]
    pub(crate) suspected: Option<f64>,

    /// Score (0 to 1) from which it is a probable control server.
    #[arg(long, value_name = "SCORE", help_heading = "Settings")]
    pub(crate) probable: Option<f64>,

    /// Worker threads beside the capture thread. [default: one less than there are cores; two for files on two cores]
    #[arg(long, value_name = "N", help_heading = "Settings")]
    pub(crate) workers: Option<u32>,

    /// Blocks (about 1 MiB) that wait for a worker before a file waits and a tap drops.
    #[arg(long, value_name = "N", help_heading = "Settings")]
    pub(crate) queue_blocks: Option<u32>,

    /// Most memory of the run, as 512MiB or 2GiB: the tables are sized by it, and let the coldest go when full. [default:
    /// 1GiB a worker]
    #[arg(long, value_name = "SIZE", help_heading = "Settings")]
    pub(crate) memory: Option<String>,

    /// Take only what this BPF expression lets through.
    #[arg(long, value_name = "BPF", help_heading = "Settings")]
    pub(crate) filter: Option<String>,

    /// Name of this tap in files and documents. [default: the host's name]
    #[arg(long, value_name = "NAME", help_heading = "Settings")]
    pub(crate) sensor: Option<String>,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct OutputFlags {
    /// What is printed at the end: a page for people, the whole summary, or the rows of hosting countries.
    #[arg(long, value_enum, default_value_t = Format::Table, help_heading = "Output")]
    pub(crate) format: Format,

    /// Write every finished hour (UTC) to DIR, as balefire-SENSOR-YYYYMMDDTHHZ.json and .csv, and to the archive in DIR/archive.
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub(crate) output: Option<PathBuf>,

    /// With --output: write the hour files only, not the archive in DIR/archive.
    #[arg(long, help_heading = "Output")]
    pub(crate) no_archive: bool,

    /// Write every timeline with its scores, suspected or not.
    #[arg(long, value_name = "FILE.csv", help_heading = "Output")]
    pub(crate) scores: Option<PathBuf>,

    /// Explain one server in place of the page: ADDRESS, ADDRESS:PORT or NAME. (JSON has all explanations, always.)
    #[arg(long, value_name = "SERVER", help_heading = "Output")]
    pub(crate) why: Option<String>,

    /// Take the time of every stage of every thread, and print it on standard error at the end (in JSON too, as `profile`).
    #[arg(long, help_heading = "Output")]
    pub(crate) profile: bool,

    /// No progress, no live figures; errors only.
    #[arg(long, short, action = ArgAction::SetTrue, help_heading = "Output")]
    pub(crate) quiet: bool,
}

/// What goes to standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A page for people.
    Table,
    /// One JSON object.
    Json,
    /// Rows of hosting countries.
    Csv,
}

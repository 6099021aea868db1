//! What was typed behind `balefire report`, as clap reads it.
//!
//! In: the process's arguments. Out: [`ReportFlags`], nothing decided. Not its job: what will be asked (`report`).

use std::path::PathBuf;

use clap::{Args, ValueEnum};

const AFTER_HELP: &str = "\
Counts are of distinct servers and hosts in the period, never sums of smaller ones. A hosting country is where an address is \
registered or located by the named database; it does not say who acts.";

/// `balefire report`
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ReportFlags {
    /// The folder that was given to --output, or the archive in it.
    #[arg(long, value_name = "DIR")]
    pub(crate) archive: Option<PathBuf>,

    /// First hour of the period (UTC), as 2026-03-02T00:00:00Z, 2026-03-02 or 2026-03. [default: the first in the archive]
    #[arg(long, value_name = "TIME", help_heading = "Question")]
    pub(crate) from: Option<String>,

    /// End of the period, exclusive. [default: after the last hour in the archive]
    #[arg(long, value_name = "TIME", help_heading = "Question")]
    pub(crate) to: Option<String>,

    /// What the table of periods is cut into.
    #[arg(long, value_enum, default_value_t = Piece::Month, help_heading = "Question")]
    pub(crate) by: Piece,

    /// Compare the servers with those of another period: 2025, 2025-12, 2025-12-31, FROM..TO (exclusive), or `previous`, as long a one just
    /// before.
    #[arg(long, value_name = "PERIOD", help_heading = "Question")]
    pub(crate) compare: Option<String>,

    /// Only these sensors; may be repeated. [default: all]
    #[arg(long, value_name = "NAME", value_delimiter = ',', help_heading = "Question")]
    pub(crate) sensor: Vec<String>,

    /// Least class that counts.
    #[arg(long, value_enum, default_value_t = LeastClass::Suspected, help_heading = "Question")]
    pub(crate) class: LeastClass,

    /// Country of the taps, two letters; servers elsewhere are abroad. [default: of the settings, or of the newest hour]
    #[arg(long, value_name = "CC", help_heading = "Question")]
    pub(crate) home_country: Option<String>,

    /// Where the sizes of sets of hosts begin. [default: of the settings: 1,2,10,100,1000,5000,20000,100000]
    #[arg(long, value_name = "N", value_delimiter = ',', help_heading = "Question")]
    pub(crate) set_sizes: Vec<i64>,

    /// Only this table; may be repeated: totals, days, countries_by_servers, countries_by_hosts, periods, set_sizes, services, turnover,
    /// turnover_servers, coverage, databases.
    #[arg(long, value_name = "NAME", value_delimiter = ',', help_heading = "Output")]
    pub(crate) table: Vec<String>,

    /// How the tables are printed.
    #[arg(long, value_enum, default_value_t = ReportFormat::Table, help_heading = "Output")]
    pub(crate) format: ReportFormat,

    /// Settings file (TOML); `[home]` country and `[report]` are used.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Who counts: the archive's SQLite file, or a ClickHouse server over the same hours.
    #[arg(long, value_enum, default_value_t = Engine::Sqlite, help_heading = "ClickHouse")]
    pub(crate) engine: Engine,

    /// Its HTTP interface, as http://host:8123.
    #[arg(long, value_name = "URL", help_heading = "ClickHouse")]
    pub(crate) url: Option<String>,

    /// Where its hours are, with {table} for the name of a table: balefire.{table},
    /// s3('https://host/bucket/date=*/hour=*/sensor=*/rev=*/{table}.parquet') or file('...').
    #[arg(long, value_name = "TABLE", help_heading = "ClickHouse")]
    pub(crate) source: Option<String>,

    /// Who asks; the password is read from BALEFIRE_CLICKHOUSE_PASSWORD.
    #[arg(long, value_name = "NAME", help_heading = "ClickHouse")]
    pub(crate) user: Option<String>,
}

/// Who counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engine {
    /// The archive's own file.
    Sqlite,
    /// A server, over HTTP.
    Clickhouse,
}

/// What a period is cut into, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Piece {
    /// Hours.
    Hour,
    /// Days.
    Day,
    /// Months.
    Month,
}

/// What goes to standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// A page for people.
    Table,
    /// Rows with what they are of; tables parted by an empty line.
    Csv,
    /// One JSON object.
    Json,
    /// A page for a document.
    Markdown,
    /// One file for a browser, with charts.
    Html,
}

/// A class of servers, and all above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LeastClass {
    /// All.
    Suspected,
    /// Without those merely suspected.
    Probable,
    /// Only those that threat intelligence names.
    Confirmed,
}

//! The tables of a report: the `.sql` files of `sql/`, run as they are, over a period.
//!
//! In: a [`Question`], an archive in SQLite or hours in ClickHouse. Out: an [`Answer`] per table, columns and rows, the same from
//! both. Not its job: rendering.
//!
//! The files have no parameters, so that the same text runs on SQLite and on ClickHouse. They read temporary tables: those that
//! `question` fills with what is asked, and steps (`sql/steps`), each a `SELECT` whose rows are kept under its file's name. Only steps
//! read the archive, through views that `words` has in either dialect.

#[cfg(feature = "object-storage")]
mod clickhouse;
mod engine;
mod question;
mod sqlite;
mod words;

#[cfg(feature = "object-storage")]
pub use clickhouse::{ClickHouse, SOURCE_TABLE};
pub use engine::{Engine, answer};
pub use question::{By, Question, SET_SIZES};
pub use sqlite::Sqlite;

use crate::cell::Value;

/// A table of a report, or a step on the way to it: its name and its SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query {
    /// The stem of its file.
    pub name: &'static str,
    /// The text of the file.
    pub sql: &'static str,
    /// Steps that it reads, in the order they are needed in.
    pub reads: &'static [&'static str],
    /// Columns that SQLite keeps a step in order of, each combination once; empty for any order.
    pub key: &'static [&'static str],
}

macro_rules! queries {
    ($folder:literal, $($name:ident ($($key:ident)*) <- $($reads:ident)*;)*) => {
        &[$(Query {
            name: stringify!($name),
            sql: include_str!(concat!("../", $folder, stringify!($name), ".sql")),
            reads: &[$(stringify!($reads)),*],
            key: &[$(stringify!($key)),*],
        },)*]
    };
}

/// Every table, in the order of a report.
pub const QUERIES: &[Query] = queries! { "sql/",
    totals () <- period_servers place_hosts;
    days () <- bucket_hosts days watched;
    countries_by_servers () <- countries period_servers place_hosts;
    countries_by_hosts () <- countries period_servers place_hosts;
    periods () <- watched bucket_servers bucket_hosts;
    set_sizes () <- server_sizes;
    services () <- services period_servers service_hosts place_hosts;
    turnover () <- server_turnover server_hosts before_pairs;
    turnover_servers () <- turnover_named;
    coverage_before () <- before_watched;
    coverage () <- watched;
    databases () <- watched;
};

/// Every step.
pub(crate) const STEPS: &[Query] = queries! { "sql/steps/",
    watched () <- ;
    before_watched () <- ;
    services (server_id) <- ;
    period_pairs (host_id country server_id) <- ;
    period_servers () <- period_pairs;
    hosts (host_network_id host_id) <- period_pairs;
    networks () <- hosts;
    place_hosts () <- networks;
    server_hosts (server_id host_id) <- period_pairs;
    server_sizes () <- server_hosts;
    country_hosts (country host_id) <- period_pairs;
    countries () <- period_servers country_hosts;
    service_hosts (service_id host_id) <- period_pairs services;
    before_pairs (server_id host_id country) <- ;
    server_turnover (server_id) <- period_servers before_pairs;
    turnover_named () <- server_turnover before_pairs period_pairs;
    day_hosts (day_s host_id) <- ;
    days () <- day_hosts;
    bucket_hosts (bucket_s host_id) <- ;
    bucket_servers () <- ;
};

/// Tables that are only there when two periods are compared.
const OF_TWO_PERIODS: [&str; 3] = ["turnover", "turnover_servers", "coverage_before"];

/// The tables that a question has.
pub fn queries(question: &Question) -> impl Iterator<Item = &'static Query> {
    let compared = question.before.is_some();
    QUERIES
        .iter()
        .filter(move |query| compared || !OF_TWO_PERIODS.contains(&query.name))
}

/// A table, answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// The table.
    pub name: &'static str,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Rows of as many values.
    pub rows: Vec<Vec<Value>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_used_and_every_step_comes_after_what_it_reads() {
        for (folder, queries) in [("sql", QUERIES), ("sql/steps", STEPS)] {
            let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
            let mut files: Vec<String> = std::fs::read_dir(folder)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .filter_map(|name| name.strip_suffix(".sql").map(str::to_owned))
                .collect();
            files.sort();
            let mut names: Vec<&str> = queries.iter().map(|query| query.name).collect();
            names.sort_unstable();
            assert_eq!(files, names);
        }
        for (at, step) in STEPS.iter().enumerate() {
            for read in step.reads {
                assert!(
                    STEPS[..at].iter().any(|step| step.name == *read),
                    "{} reads {read}",
                    step.name
                );
            }
        }
        for query in QUERIES.iter().chain(STEPS) {
            for step in STEPS.iter().filter(|step| step.name != query.name) {
                let reads = [" FROM ", " JOIN "]
                    .iter()
                    .any(|word| query.sql.replace('\n', " ").contains(&format!("{word}{} ", step.name)));
                if reads {
                    assert!(query.reads.contains(&step.name), "{} reads {}", query.name, step.name);
                }
            }
        }
    }
}

//! The tables of a report: the `.sql` files of `sql/`, run as they are, over a period.
//!
//! In: a [`Question`], an archive. Out: an [`Answer`] per table, columns and rows. Not its job: rendering.
//!
//! The files have no parameters, so that the same text runs on SQLite and on ClickHouse. They read three views, which
//! [`Question::views`] defines in words that both understand:
//!
//! - `period_pair`: the rows of `pair` that count: of the period, the sensors and the class asked for;
//! - `period_hour`: the rows of `sensor_hour` of the period and the sensors;
//! - `question`: one row with `from_s`, `to_s`, `hours_expected`, `class_least`, `home_country` (empty if none).

use crate::cell::Value;
use crate::error::{ArchiveError, sqlite_error};
use crate::record::{HOUR_S, is_sensor_id};
use crate::store::Store;

/// A table of a report: its name and its SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query {
    /// The stem of its file.
    pub name: &'static str,
    /// The text of the file.
    pub sql: &'static str,
}

macro_rules! queries {
    ($($name:literal),* $(,)?) => {
        &[$(Query { name: $name, sql: include_str!(concat!("../sql/", $name, ".sql")) },)*]
    };
}

/// Every table, in the order of a report.
pub const QUERIES: &[Query] = queries!["totals", "hosting_countries", "coverage"];

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// First hour, seconds since 1970.
    pub from_s: i64,
    /// End, exclusive.
    pub to_s: i64,
    /// Only these sensors; all if empty.
    pub sensors: Vec<String>,
    /// Least class that counts: 1 suspected, 2 probable, 3 confirmed.
    pub class_least: i64,
    /// The home country, for what is abroad.
    pub home_country: Option<[u8; 2]>,
}

/// A table, answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Rows of as many values.
    pub rows: Vec<Vec<Value>>,
}

impl Question {
    /// All that an archive has; `None` if it has no hour.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn everything(store: &Store) -> Result<Option<Self>, ArchiveError> {
        let hours = store.hours()?;
        let (first, last) = (hours.first(), hours.last());
        Ok(first.zip(last).map(|(first, last)| Self {
            from_s: first.1,
            to_s: last.1 + HOUR_S,
            sensors: Vec::new(),
            class_least: 1,
            home_country: None,
        }))
    }

    /// Hours in the period.
    pub fn hours_expected(&self) -> i64 {
        (self.to_s - self.from_s).max(0) / HOUR_S
    }

    /// The views that the files read, by name, each a `SELECT` over the views of `schema.md`. Nothing in them is anybody's text: numbers,
    /// two capital letters, and names of sensors, which have no quotes; a name that cannot be a sensor's selects nothing.
    pub fn views(&self) -> [(&'static str, String); 3] {
        let Self { from_s, to_s, .. } = self;
        let sensors: Vec<String> = self
            .sensors
            .iter()
            .filter(|name| is_sensor_id(name))
            .map(|name| format!("'{name}'"))
            .collect();
        let sensors = match (self.sensors.is_empty(), sensors.is_empty()) {
            (true, _) => String::new(),
            (false, true) => " AND 1 = 0".to_owned(),
            (false, false) => format!(" AND sensor_id IN ({})", sensors.join(", ")),
        };
        let period = format!("hour_s >= {from_s} AND hour_s < {to_s}{sensors}");
        let class_least = self.class_least.max(1);
        let home: String = self
            .home_country
            .iter()
            .flatten()
            .filter(|letter| letter.is_ascii_uppercase())
            .map(|&letter| char::from(letter))
            .collect();
        let expected = self.hours_expected();
        [
            (
                "period_pair",
                format!("SELECT * FROM pair WHERE {period} AND class >= {class_least}"),
            ),
            ("period_hour", format!("SELECT * FROM sensor_hour WHERE {period}")),
            (
                "question",
                format!(
                    "SELECT {from_s} AS from_s, {to_s} AS to_s, {expected} AS hours_expected, {class_least} AS class_least, \
                     '{home}' AS home_country"
                ),
            ),
        ]
    }

    /// Answers one table from SQLite.
    ///
    /// # Errors
    /// If the archive cannot be read.
    pub fn answer(&self, store: &Store, query: &Query) -> Result<Answer, ArchiveError> {
        let sqlite = store.connection();
        let run = || {
            for (name, select) in self.views() {
                sqlite.execute_batch(&format!(
                    "DROP VIEW IF EXISTS temp.{name}; CREATE TEMP VIEW {name} AS {select};"
                ))?;
            }
            let mut statement = sqlite.prepare(query.sql)?;
            let columns: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
            let rows = statement.query_map((), |row| {
                (0..columns.len()).map(|at| row.get_ref(at).map(Value::from)).collect()
            })?;
            let rows: rusqlite::Result<Vec<Vec<Value>>> = rows.collect();
            Ok(Answer { rows: rows?, columns })
        };
        run().map_err(sqlite_error(store.path()))
    }
}

//! A report from an archive's SQLite file.
//!
//! In: a [`Question`], the file. Out: [`Answer`]s. Not its job: the tables themselves (`sql/`).
//!
//! SQLite groups by sorting, which for millions of rows costs more than all else. So a step that is to be grouped is kept in order of its key:
//! hosts come in order, and a tree that grows at a few hundred ends is cheap. One thread then goes over pairs, another over time, each
//! with a connection of its own.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension};

use super::engine::{Engine, answer};
use super::words::{Dialect, literals, views};
use super::{Answer, Query, Question};
use crate::cell::Value;
use crate::error::{ArchiveError, sqlite_error};
use crate::store::Store;

/// Page cache for steps: beyond it they go to a file in SQLite's temporary folder.
const STEPS_KIB: i64 = 256 << 10;

/// Page cache for the archive.
const ARCHIVE_KIB: i64 = 64 << 10;

/// Rows of an INSERT, below SQLite's limits.
const ROWS_AT_A_TIME: usize = 400;

/// How many times what passing over a row in order of hosts costs, sorting one costs: 20 to 26 were measured (`benches/runs`).
const SORTING: i64 = 20;

/// Below as many rows of pairs a second thread is not worth its start.
const WORTH_A_THREAD: i64 = 200_000;

/// Tables that go over time, not over pairs.
const OVER_TIME: [&str; 2] = ["days", "periods"];

/// An archive that is read for one report.
#[derive(Debug)]
pub struct Sqlite {
    path: PathBuf,
}

impl Sqlite {
    /// The SQLite file.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Answers these tables, all from the same state of the archive.
    ///
    /// # Errors
    /// If the archive cannot be read.
    pub fn answer(
        &self,
        question: &Question,
        queries: &[&'static Query],
        done: &(dyn Fn(&str) + Sync),
    ) -> Result<Vec<Answer>, ArchiveError> {
        let mut one = Lane::open(&self.path)?;
        let (over_time, over_pairs): (Vec<_>, Vec<_>) =
            queries.iter().partition(|query| OVER_TIME.contains(&query.name));
        let is_large = one.rows()? >= WORTH_A_THREAD;
        let second = if is_large && !over_time.is_empty() && !over_pairs.is_empty() {
            Lane::open(&self.path)?.of_the_same_state_as(&one)?
        } else {
            None
        };
        let Some(mut two) = second else {
            return answer(&mut one, question, queries, done);
        };
        let (one, two) = std::thread::scope(|scope| {
            let two = scope.spawn(|| answer(&mut two, question, &over_time, done));
            let one = answer(&mut one, question, &over_pairs, done);
            (one, two.join())
        });
        let two = two.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let mut answers = one?;
        answers.extend(two?);
        answers.sort_by_key(|answer| queries.iter().position(|query| query.name == answer.name));
        Ok(answers)
    }
}

/// One connection with its own steps, in one transaction.
struct Lane {
    store: Store,
}

impl Lane {
    fn open(path: &Path) -> Result<Self, ArchiveError> {
        let store = Store::open_to_read(path)?;
        let lane = Self { store };
        lane.run(|sqlite| {
            sqlite.pragma_update(None, "temp_store", "FILE")?;
            sqlite.pragma_update(None, "cache_size", -ARCHIVE_KIB)?;
            sqlite.execute_batch(&format!("PRAGMA temp.cache_size = -{STEPS_KIB}; BEGIN"))?;
            // The transaction's view of the archive begins with its first read.
            sqlite.query_row("SELECT count(*) FROM hour_row", (), |_| Ok(()))
        })?;
        Ok(lane)
    }

    /// `None` if the archive was written to in between.
    fn of_the_same_state_as(self, other: &Self) -> Result<Option<Self>, ArchiveError> {
        Ok((self.state()? == other.state()?).then_some(self))
    }

    /// Changes with every hour that is written or forgotten.
    fn state(&self) -> Result<(i64, i64, i64), ArchiveError> {
        self.run(|sqlite| {
            sqlite.query_row(
                "SELECT count(*), coalesce(sum(revision), 0), (SELECT count(*) FROM (SELECT 1 FROM pair_row LIMIT 1)) FROM hour_row",
                (),
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )
        })
    }

    /// Rows of pairs, at most as many as matter.
    fn rows(&self) -> Result<i64, ArchiveError> {
        self.run(|sqlite| {
            let count = format!("SELECT count(*) FROM (SELECT 1 FROM pair_row LIMIT {WORTH_A_THREAD})");
            sqlite.query_row(&count, (), |row| row.get(0))
        })
    }

    fn run<T>(&self, body: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, ArchiveError> {
        body(self.store.connection()).map_err(sqlite_error(self.store.path()))
    }
}

impl Engine for Lane {
    fn prepare(&mut self, question: &Question) -> Result<(), ArchiveError> {
        self.run(|sqlite| {
            let only = |select: &str| -> rusqlite::Result<bool> {
                sqlite
                    .query_row(select, (), |_| Ok(()))
                    .optional()
                    .map(|found| found.is_none())
            };
            let dialect = Dialect {
                not_by: if is_most(sqlite, question)? { "+" } else { "" },
                // Not the view `pair`: an aggregate over it would look up every text of every row. Without IPv6 every host is its own
                // network, and a look at its address is spared too.
                pairs: if only("SELECT 1 FROM network LIMIT 1")? {
                    "(SELECT *, host_id AS host_network_id FROM pair_row) AS p"
                } else {
                    "(SELECT r.*, coalesce(-a.network_id, r.host_id) AS host_network_id FROM pair_row AS r \
                     LEFT JOIN address AS a ON a.address_id = r.host_id) AS p"
                },
                of_sensors: Some("sensor_no IN (SELECT sensor_no FROM sensor WHERE sensor_id IN ("),
            };
            for (name, select) in views(question, &dialect) {
                sqlite.execute_batch(&format!("CREATE TEMPORARY VIEW {name} AS {select}"))?;
            }
            for given in question.given() {
                let (name, columns) = (given.name, given.columns);
                sqlite.execute_batch(&format!("CREATE TEMPORARY TABLE {name} ({columns})"))?;
                for rows in given.rows.chunks(ROWS_AT_A_TIME) {
                    let rows: Vec<String> = rows.iter().map(|row| literals(row)).collect();
                    sqlite.execute_batch(&format!("INSERT INTO {name} VALUES {}", rows.join(", ")))?;
                }
            }
            Ok(())
        })
    }

    fn step(&mut self, step: &Query) -> Result<(), ArchiveError> {
        let Query { name, sql, key, .. } = *step;
        self.run(|sqlite| {
            if key.is_empty() {
                return sqlite.execute_batch(&format!("CREATE TEMPORARY TABLE {name} AS {sql}"));
            }
            let columns = sqlite.prepare(sql)?.column_names().join(", ");
            let key = key.join(", ");
            sqlite.execute_batch(&format!(
                "CREATE TEMPORARY TABLE {name} ({columns}, PRIMARY KEY ({key})) WITHOUT ROWID;
                 INSERT OR IGNORE INTO {name} {sql}"
            ))
        })
    }

    fn answer(&mut self, query: &Query) -> Result<Answer, ArchiveError> {
        self.run(|sqlite| {
            let mut statement = sqlite.prepare(query.sql)?;
            let columns: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
            let rows = statement.query_map((), |row| {
                (0..columns.len()).map(|at| row.get_ref(at).map(Value::from)).collect()
            })?;
            let rows: rusqlite::Result<Vec<Vec<Value>>> = rows.collect();
            Ok(Answer {
                name: query.name,
                rows: rows?,
                columns,
            })
        })
    }
}

/// Whether the period is so much of the archive that going over all of it in order of hosts is cheaper than sorting the period's rows.
fn is_most(sqlite: &Connection, question: &Question) -> rusqlite::Result<bool> {
    let edge = |order: &str| -> rusqlite::Result<Option<i64>> {
        sqlite
            .query_row(
                &format!("SELECT hour_s FROM pair_row ORDER BY hour_s {order} LIMIT 1"),
                (),
                |row| row.get(0),
            )
            .optional()
    };
    let (Some(first_s), Some(last_s)) = (edge("ASC")?, edge("DESC")?) else {
        return Ok(false);
    };
    let asked_s = question.to_s.min(last_s) - question.from_s.max(first_s);
    Ok(asked_s.saturating_mul(SORTING) > last_s - first_s)
}

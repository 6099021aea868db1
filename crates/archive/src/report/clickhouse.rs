//! A report from ClickHouse, over HTTP: the same `.sql` files, where one machine is too small.
//!
//! In: a [`Question`], the server's address, where the tables of `schema.md` are. Out: [`Answer`]s. Not its job: the tables
//! themselves (`sql/`), who may read what (the server's users).
//!
//! Steps are temporary tables of one HTTP session, so nothing is written to the server. The hours are read once, into pairs with
//! numbers for their texts (`kept`).

mod kept;

use std::time::Duration;

use reqwest::Url;
use serde_json::Value as Json;
use tokio::runtime::{Builder, Runtime};

use super::engine::Engine;
use super::words::{Dialect, literals, views};
use super::{Answer, Query, Question};
use crate::cell::Value;
use crate::error::ArchiveError;

/// Stands for each table's name in `--source`.
pub const SOURCE_TABLE: &str = "{table}";

/// Rows of an INSERT, so that it stays far below `max_query_size` (256 KiB).
const ROWS_AT_A_TIME: usize = 400;

/// An answer that is larger is none: tables of a report have thousands of rows.
const MOST_ANSWER_BYTES: usize = 256 << 20;

/// How long one step may take.
const PATIENCE: Duration = Duration::from_secs(3600);

/// How long the server may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(20);

/// As the SQL standard, and SQLite, have it: a column goes before an alias, what a join or an aggregate lacks is NULL, and numbers are
/// numbers in JSON.
const SETTINGS: [(&str, &str); 6] = [
    // Filling a table is the work of one thread otherwise, and what filled it waits.
    ("max_insert_threads", "8"),
    ("prefer_column_name_to_alias", "1"),
    ("join_use_nulls", "1"),
    ("aggregate_functions_null_for_empty", "1"),
    ("output_format_json_quote_64bit_integers", "0"),
    ("default_format", "JSONCompactEachRowWithNames"),
];

/// A server to ask.
pub struct ClickHouse {
    url: Url,
    source: String,
    user: Option<(String, String)>,
    client: reqwest::Client,
    runtime: Runtime,
    /// `WITH ...` before a step.
    with: String,
}

impl std::fmt::Debug for ClickHouse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClickHouse")
            .field("url", &self.url.as_str())
            .finish_non_exhaustive()
    }
}

impl ClickHouse {
    /// `source` is a table expression with [`SOURCE_TABLE`] in it; `session` is a word that nobody else uses at the same time.
    ///
    /// # Errors
    /// If the address or the source cannot be used.
    pub fn new(url: &str, source: &str, user: Option<(String, String)>, session: &str) -> Result<Self, ArchiveError> {
        let refused = |reason: String| ArchiveError::ClickHouse {
            url: url.to_owned(),
            reason,
        };
        if !source.contains(SOURCE_TABLE) {
            return Err(refused(format!(
                "the source {source:?} does not say where a table's name goes; write {SOURCE_TABLE} there, as in \
                 file('date=*/hour=*/sensor=*/rev=*/{SOURCE_TABLE}.parquet') or balefire.{SOURCE_TABLE}"
            )));
        }
        let mut address = Url::parse(url).map_err(|error| refused(format!("{error}; write it as http://host:8123")))?;
        address
            .query_pairs_mut()
            .append_pair("session_id", session)
            .extend_pairs(SETTINGS);
        // Whoever else wants a provider has set the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().connect_timeout(CONNECT).timeout(PATIENCE);
        Ok(Self {
            url: address,
            source: source.to_owned(),
            user,
            client: client.build().map_err(|error| refused(error.to_string()))?,
            runtime: Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|error| refused(error.to_string()))?,
            with: String::new(),
        })
    }

    /// Sends one statement; its answer, whole.
    fn send(&self, sql: String) -> Result<Vec<u8>, ArchiveError> {
        let mut request = self.client.post(self.url.clone()).body(sql);
        if let Some((name, password)) = &self.user {
            request = request
                .header("X-ClickHouse-User", name)
                .header("X-ClickHouse-Key", password);
        }
        let answer = self.runtime.block_on(async {
            let mut response = request.send().await?;
            let status = response.status();
            let mut body = Vec::new();
            while let Some(piece) = response.chunk().await? {
                body.extend_from_slice(&piece);
                if body.len() > MOST_ANSWER_BYTES {
                    break;
                }
            }
            Ok::<_, reqwest::Error>((status, body))
        });
        let (status, body) = answer.map_err(|error| self.failed(reasons(&error)))?;
        if body.len() > MOST_ANSWER_BYTES {
            return Err(self.failed(format!("an answer of more than {MOST_ANSWER_BYTES} bytes")));
        }
        if status.is_success() {
            return Ok(body);
        }
        let said: String = String::from_utf8_lossy(&body).chars().take(600).collect();
        Err(self.failed(format!("{status}: {}", said.trim())))
    }

    fn failed(&self, reason: String) -> ArchiveError {
        let mut url = self.url.clone();
        url.set_query(None);
        ArchiveError::ClickHouse {
            url: url.to_string(),
            reason,
        }
    }

    fn source(&self, table: &str) -> String {
        self.source.replace(SOURCE_TABLE, table)
    }

    /// The first and the last hour of all, and the home country of the last; `None` if there is none.
    ///
    /// # Errors
    /// If the server cannot be reached or refuses.
    pub fn everything(&self) -> Result<Option<Question>, ArchiveError> {
        let hours = self.source("sensor_hour");
        let sql = format!(
            "SELECT min(hour_s) AS first_s, max(hour_s) AS last_s, \
             (SELECT home_country FROM {hours} ORDER BY hour_s DESC, sensor_id, revision DESC LIMIT 1) AS home FROM {hours}"
        );
        let (_, rows) = self.rows(sql)?;
        Ok(match rows.first().map(Vec::as_slice) {
            Some([Value::Integer(first_s), Value::Integer(last_s), home]) => {
                let mut question = Question::of(*first_s, last_s + crate::record::HOUR_S);
                if let Value::Text(home) = home {
                    question.home_country = home.as_bytes().try_into().ok();
                }
                Some(question)
            }
            _ => None,
        })
    }

    /// Makes `kept_hour` and `kept_pair`.
    fn keep(&self, question: &Question) -> Result<(), ArchiveError> {
        self.send(kept::last_words(&self.source("sensor_hour")))?;
        for statement in kept::read(question, &self.source("pair")) {
            self.send(statement)?;
        }
        let (_, others) = self.rows(kept::OTHER_HOSTS.to_owned())?;
        if others != [[Value::Integer(0)]] {
            self.send(kept::keep_others())?;
        }
        self.send(kept::DROP_RAW.to_owned()).map(drop)
    }

    /// The sensors that have hours, in order.
    ///
    /// # Errors
    /// If the server cannot be reached or refuses.
    pub fn sensors(&self) -> Result<Vec<String>, ArchiveError> {
        let hours = self.source("sensor_hour");
        let (_, rows) = self.rows(format!("SELECT DISTINCT sensor_id FROM {hours} ORDER BY sensor_id"))?;
        Ok(rows
            .into_iter()
            .flatten()
            .filter_map(|value| match value {
                Value::Text(name) => Some(name),
                _ => None,
            })
            .collect())
    }

    fn rows(&self, sql: String) -> Result<(Vec<String>, Vec<Vec<Value>>), ArchiveError> {
        let body = self.send(sql)?;
        parse(&body).map_err(|reason| self.failed(format!("an answer that is none: {reason}")))
    }
}

impl Engine for ClickHouse {
    fn prepare(&mut self, question: &Question) -> Result<(), ArchiveError> {
        self.keep(question)?;
        let dialect = Dialect {
            not_by: "",
            pairs: kept::KEPT_PAIR,
            of_sensors: None,
        };
        let hours = self.source("sensor_hour");
        let mut with = vec![
            format!("sensor_hour AS (SELECT * FROM {hours} WHERE {})", kept::LAST_WORD),
            format!("service AS ({})", kept::SERVICE),
        ];
        with.extend(views(question, &dialect).map(|(name, select)| format!("{name} AS ({select})")));
        self.with = format!("WITH {}", with.join(",\n"));
        for given in question.given() {
            let (name, columns) = (given.name, given.columns);
            self.send(format!("CREATE TEMPORARY TABLE {name} ({columns})"))?;
            for rows in given.rows.chunks(ROWS_AT_A_TIME) {
                let rows: Vec<String> = rows.iter().map(|row| literals(row)).collect();
                self.send(format!("INSERT INTO {name} VALUES {}", rows.join(", ")))?;
            }
        }
        Ok(())
    }

    fn step(&mut self, step: &Query) -> Result<(), ArchiveError> {
        // The views come before the file's own text, which is not touched.
        let (name, with, sql) = (step.name, &self.with, step.sql);
        self.send(format!("CREATE TEMPORARY TABLE {name} AS\n{with}\n{sql}"))
            .map(drop)
    }

    fn answer(&mut self, query: &Query) -> Result<Answer, ArchiveError> {
        let (columns, rows) = self.rows(query.sql.to_owned())?;
        Ok(Answer {
            name: query.name,
            columns,
            rows,
        })
    }
}

/// A line of names, then a line per row.
fn parse(body: &[u8]) -> Result<(Vec<String>, Vec<Vec<Value>>), String> {
    let text = std::str::from_utf8(body).map_err(|error| error.to_string())?;
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let columns: Vec<String> = match lines.next() {
        Some(line) => serde_json::from_str(line).map_err(|error| error.to_string())?,
        None => return Err("it is empty".to_owned()),
    };
    let mut rows = Vec::new();
    for line in lines {
        let row: Vec<Json> = serde_json::from_str(line).map_err(|error| error.to_string())?;
        if row.len() != columns.len() {
            return Err(format!("a row of {} cells under {} columns", row.len(), columns.len()));
        }
        // Rows of a share are reals, whatever digits this one needs.
        let values = row
            .iter()
            .zip(&columns)
            .map(|(cell, column)| value(cell, is_real(column)));
        rows.push(values.collect::<Result<Vec<Value>, String>>()?);
    }
    Ok((columns, rows))
}

/// Columns that hold reals: JSON writes 1.0 as 1.
fn is_real(column: &str) -> bool {
    ["share_", "change_"].iter().any(|word| column.starts_with(word))
        || column == "hosts_on_mean_day"
        || column == "least_sampling"
}

fn value(cell: &Json, is_real: bool) -> Result<Value, String> {
    match cell {
        Json::Null => Ok(Value::Null),
        Json::String(text) => Ok(Value::Text(text.clone())),
        Json::Number(number) => match number.as_i64() {
            Some(whole) if !is_real => Ok(Value::Integer(whole)),
            _ => number
                .as_f64()
                .map(Value::Real)
                .ok_or_else(|| format!("{number} is too large")),
        },
        other => Err(format!("{other} in a cell")),
    }
}

/// The error with what caused it, which alone says "connection refused".
fn reasons(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_cell_by_cell() {
        let (columns, rows) =
            parse(b"[\"rank\",\"country\",\"share_of_hosts_abroad\"]\n[1,\"US\",1]\n[2,\"--\",null]\n").unwrap();
        assert_eq!(columns, ["rank", "country", "share_of_hosts_abroad"]);
        assert_eq!(
            rows[0],
            [Value::Integer(1), Value::Text("US".to_owned()), Value::Real(1.0)]
        );
        assert_eq!(rows[1][2], Value::Null);
        for bad in [
            &b""[..],
            b"<html>",
            b"[\"a\"]\n[1,2]",
            b"[\"a\"]\n[[1]]",
            b"[\"a\"]\n[true]",
            b"[\"a\"]\n[1",
            b"\xff",
        ] {
            assert!(parse(bad).is_err());
        }
    }

    #[test]
    fn a_source_without_a_place_for_the_table_is_refused() {
        let refused = ClickHouse::new("http://127.0.0.1:8123", "s3('x/pair.parquet')", None, "a").unwrap_err();
        assert!(refused.to_string().contains(SOURCE_TABLE), "{refused}");
        assert!(ClickHouse::new("8123", "balefire.{table}", None, "a").is_err());
    }
}

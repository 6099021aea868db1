//! A report from ClickHouse, over HTTP: the same `.sql` files, where one machine is too small.
//!
//! In: a [`Question`], the server's address, where the tables of `schema.md` are. Out: [`Answer`]s. Not its job: the tables
//! themselves (`sql/`), who may read what (the server's users).
//!
//! Steps are temporary tables of one HTTP session, so nothing is written to the server. The highest revision of every hour is chosen
//! first, because object storage keeps all of them. The hours are then read once: their pairs are kept with numbers instead of texts,
//! exact ones, since all that follows is grouping, and grouping by 12 bytes takes a third of what grouping by two texts does
//! (`benches/runs`).

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

/// Rows of the last word on their hour.
const KEPT: &str = "(hour_s, sensor_id, revision) IN (SELECT hour_s, sensor_id, revision FROM kept_hour)";

/// Of a row of `pair`: no IPv4 address has a colon, every IPv6 address has.
const IS_IPV6: &str = "position(host, ':') > 0";

/// Columns of `kept_pair`, 32 bytes a row: host, country and server fit a key of 16 bytes.
const KEPT_PAIR: &str = "hour_s UInt32, sensor_id LowCardinality(String), country FixedString(2), class UInt8, server_id UInt32, \
                         host_id Int64, host_network_id Int64";

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
            "SELECT min(hour_s) AS first_s, max(hour_s) AS last_s, argMax(home_country, (hour_s, revision)) AS home FROM {hours}"
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

    /// `kept_pair`: the pairs that may count, with numbers for their texts. An IPv4 host is its own number and its own network, an IPv6 host, an
    /// IPv6 network and a server get one each; those of IPv6 are below zero.
    fn keep_pairs(&self, question: &Question) -> Result<(), ArchiveError> {
        let pairs = self.source("pair");
        let within = |(from_s, to_s): (i64, i64)| format!("(hour_s >= {from_s} AND hour_s < {to_s})");
        let periods: Vec<String> = [Some((question.from_s, question.to_s)), question.before]
            .into_iter()
            .flatten()
            .map(within)
            .collect();
        let counts = format!(
            "({}) AND class >= {}",
            periods.join(" OR "),
            question.class_least.max(1)
        );
        let number = "toInt64(row_number() OVER ())";
        for (name, select) in [
            (
                "numbered_server",
                format!(
                    "SELECT toUInt32(row_number() OVER ()) AS server_id, server, port, protocol FROM (SELECT server, any(port) AS port, any(protocol) AS protocol \
                     FROM {pairs} WHERE {counts} GROUP BY server)"
                ),
            ),
            (
                "numbered_host",
                format!(
                    "SELECT -{number} AS host_id, host, host_network FROM (SELECT host, any(host_network) AS host_network \
                     FROM {pairs} WHERE {counts} AND {IS_IPV6} GROUP BY host)"
                ),
            ),
            (
                "numbered_network",
                format!(
                    "SELECT -{number} AS host_network_id, host_network FROM (SELECT DISTINCT host_network FROM numbered_host)"
                ),
            ),
        ] {
            self.send(format!("CREATE TEMPORARY TABLE {name} AS {select}"))?;
        }
        self.send(format!("CREATE TEMPORARY TABLE kept_pair ({KEPT_PAIR})"))?;
        let row = "toUInt32(hour_s), sensor_id, left(country, 2), toUInt8(class), server_id";
        let servers = "INNER JOIN numbered_server AS s ON s.server = p.server";
        self.send(format!(
            "INSERT INTO kept_pair SELECT {row}, toInt64(IPv4StringToNum(host)) AS host_id, host_id AS host_network_id FROM {pairs} AS p \
             {servers} WHERE {counts} AND NOT {IS_IPV6} AND {KEPT}"
        ))?;
        let (_, rows) = self.rows("SELECT count() FROM numbered_host".to_owned())?;
        if rows == [[Value::Integer(0)]] {
            return Ok(());
        }
        self.send(format!(
            "INSERT INTO kept_pair SELECT {row}, h.host_id, n.host_network_id FROM {pairs} AS p {servers} \
             INNER JOIN numbered_host AS h ON h.host = p.host INNER JOIN numbered_network AS n ON n.host_network = h.host_network \
             WHERE {counts} AND {KEPT}"
        ))
        .map(drop)
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
        let hours = self.source("sensor_hour");
        self.send(format!(
            "CREATE TEMPORARY TABLE kept_hour AS SELECT hour_s, sensor_id, max(revision) AS revision FROM {hours} \
             GROUP BY hour_s, sensor_id"
        ))?;
        self.keep_pairs(question)?;
        let dialect = Dialect {
            not_by: "",
            pairs: "kept_pair",
            of_sensors: "sensor_id IN (",
        };
        let mut with = vec![
            format!("sensor_hour AS (SELECT * FROM {hours} WHERE {KEPT})"),
            "service AS (SELECT server_id, port, protocol FROM numbered_server)".to_owned(),
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

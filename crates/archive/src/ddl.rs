//! What ClickHouse needs to hold hours, or to read them where they lie.
//!
//! In: a source of rows for each table. Out: SQL text: tables, queues, feeds and the views of `schema.md`. Not its job: running it.

use crate::cell::{Column, Kind, Row};
use crate::record::{CountryRow, FIRST_COLUMNS, PairRow, SensorHour, ServerRow};

/// A table: its name, its columns, its key after hour and sensor, and the columns for counting with what they are there.
struct Table {
    name: &'static str,
    columns: &'static [Column],
    key: &'static str,
    counting: &'static [(&'static str, &'static str)],
}

const ALL: [Table; 4] = [
    Table {
        name: SensorHour::TABLE,
        columns: SensorHour::COLUMNS,
        key: "",
        counting: &[],
    },
    Table {
        name: ServerRow::TABLE,
        columns: ServerRow::COLUMNS,
        key: ", server",
        counting: &[("server_id", "server")],
    },
    Table {
        name: PairRow::TABLE,
        columns: PairRow::COLUMNS,
        key: ", server, host",
        counting: &[
            ("host_id", "host"),
            ("host_network_id", "host_network"),
            ("server_id", "server"),
        ],
    },
    Table {
        name: CountryRow::TABLE,
        columns: CountryRow::COLUMNS,
        key: ", role, country",
        counting: &[],
    },
];

/// The views of `schema.md` over any source of rows: `rows_of` gives, for a table, what stands after `FROM`, as
/// `file('/a/date=*/hour=*/sensor=*/rev=*/pair.parquet', 'Parquet')`. One statement each.
pub fn clickhouse_views(rows_of: &dyn Fn(&str) -> String) -> Vec<String> {
    let last_words = format!(
        "SELECT hour_s, sensor_id, max(revision) FROM {} GROUP BY hour_s, sensor_id",
        rows_of(SensorHour::TABLE)
    );
    let view = |table: &Table| {
        let columns: Vec<String> = FIRST_COLUMNS
            .iter()
            .chain(table.columns)
            .map(|column| column.name.to_owned())
            .chain(table.counting.iter().map(|(name, of)| format!("{of} AS {name}")))
            .collect();
        format!(
            "CREATE OR REPLACE VIEW {} AS\nSELECT {}\nFROM {}\nWHERE (hour_s, sensor_id, revision) IN ({last_words})",
            table.name,
            columns.join(", "),
            rows_of(table.name),
        )
    };
    ALL.iter().map(view).collect()
}

/// Tables that hold hours, S3Queue tables that fetch new ones from `source` (the URL of the folder of hours, `https://...`), the feeds between, and
/// the views that reports read.
pub fn clickhouse(source: &str) -> String {
    let mut text = String::from(
        "-- balefire: hourly records in ClickHouse. Run once, in a database of its own: clickhouse-client -d balefire --multiquery < this.sql\n\
         -- S3Queue fetches every new object once, at least; rows that came twice are one by ReplacingMergeTree and FINAL.\n\
         -- The views show the last word on every hour, whatever came before it.\n\n",
    );
    for table in &ALL {
        let columns: Vec<String> = FIRST_COLUMNS.iter().chain(table.columns).map(column).collect();
        let columns = columns.join(",\n    ");
        let Table { name, key, .. } = table;
        let objects = format!(
            "{}/date=*/hour=*/sensor=*/rev=*/{name}.parquet",
            source.trim_end_matches('/').replace('\'', "''")
        );
        text += &format!(
            "CREATE TABLE IF NOT EXISTS {name}_row (\n    {columns}\n) ENGINE = ReplacingMergeTree\n\
             PARTITION BY substring(day, 1, 7)\nORDER BY (hour_s, sensor_id, revision{key});\n\n\
             CREATE TABLE IF NOT EXISTS {name}_queue (\n    {columns}\n) ENGINE = S3Queue('{objects}', 'Parquet')\n\
             SETTINGS mode = 'unordered', after_processing = 'keep';\n\n\
             CREATE MATERIALIZED VIEW IF NOT EXISTS {name}_feed TO {name}_row AS SELECT * FROM {name}_queue;\n\n"
        );
    }
    for view in clickhouse_views(&|table| format!("{table}_row FINAL")) {
        text += &view;
        text += ";\n\n";
    }
    text
}

fn column(column: &Column) -> String {
    let plain = match column.kind {
        Kind::Integer => "Int64",
        Kind::Real => "Float64",
        Kind::Text | Kind::Bytes => "String",
    };
    match column.nullable {
        true => format!("{} Nullable({plain})", column.name),
        false => format!("{} {plain}", column.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_has_its_queue_feed_and_view() {
        let text = clickhouse("https://s3.example/hours/");
        for name in ["sensor_hour", "server", "pair", "country"] {
            for begin in [
                "CREATE TABLE IF NOT EXISTS {}_row",
                "CREATE TABLE IF NOT EXISTS {}_queue",
                "CREATE OR REPLACE VIEW {} AS",
            ] {
                assert!(text.contains(&begin.replace("{}", name)), "{begin} {name}");
            }
            assert!(text.contains(&format!(
                "'https://s3.example/hours/date=*/hour=*/sensor=*/rev=*/{name}.parquet'"
            )));
        }
        assert!(text.contains("kernel_drops Nullable(Int64)") && text.contains("host_network AS host_network_id"));
    }
}

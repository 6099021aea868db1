//! Hours that add up: the archive of hourly records, in SQLite and Parquet, and the tables of a report as SQL.
//!
//! In: finished hours ([`balefire_detect::Summary`]), and hours of other archives as Parquet, from a folder or object storage. Out:
//! one SQLite file and hourly Parquet folders (`schema.md` has every table and field), and the answers of the `.sql` files in `sql/`.
//! Not its job: finding anything (`detect`), flags and settings, printing (the program).

mod archive;
mod cell;
mod closing;
mod count;
mod ddl;
mod error;
mod parquet_file;
mod place;
mod record;
mod remote;
mod report;
mod settle;
mod sketch;
mod store;
mod summary;
mod transfer;

pub use archive::{Added, Archive, FOLDER, SQLITE, find};
pub use cell::{Column, Kind, Row, Value};
pub use closing::{PARQUET, TABLES, place, read_hour};
pub use ddl::{clickhouse, clickhouse_views};
pub use error::{ArchiveError, Fault};
pub use record::{
    CountryRow, FIRST_COLUMNS, HOUR_S, Hour, PairRow, SCHEMA_VERSION, SensorHour, ServerRow, WITHDRAWN, is_sensor_id,
};
pub use remote::push;
pub use report::{Answer, By, Engine, QUERIES, Query, Question, SET_SIZES, Sqlite, answer, queries};
#[cfg(feature = "object-storage")]
pub use report::{ClickHouse, SOURCE_TABLE};
pub use settle::{MOST_WAITING_PAIRS, Waiting};
pub use sketch::{estimate as estimate_peers, union as unite_peers};
pub use store::{Retention, STORE_VERSION, SensorHours, Store};
pub use summary::{About, identity};
pub use transfer::{S3, Transfer, hours_of};

//! The rows of one hour, in and out of SQLite.
//!
//! In: an open transaction, an [`Hour`]. Out: its rows, texts numbered; and the hour back from the views. Not its job: the
//! transaction's end.

use rusqlite::types::{ToSql, ToSqlOutput, Type, ValueRef};
use rusqlite::{CachedStatement, Connection, OptionalExtension, Result, Transaction, params, params_from_iter};

use crate::cell::{Row, Value};
use crate::record::{CountryRow, FIRST_COLUMNS, Hour, PairRow, SensorHour, ServerRow};

impl ToSql for Value {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Real(number) => ValueRef::Real(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl From<ValueRef<'_>> for Value {
    fn from(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(number) => Self::Integer(number),
            ValueRef::Real(number) => Self::Real(number),
            ValueRef::Text(text) => Self::Text(String::from_utf8_lossy(text).into_owned()),
            ValueRef::Blob(bytes) => Self::Bytes(bytes.to_vec()),
        }
    }
}

/// Puts the hour in the place of whatever is there.
pub(super) fn put(transaction: &Transaction<'_>, hour: &Hour, digest: &[u8]) -> Result<()> {
    let sensor_no = number_of_sensor(transaction, &hour.sensor_id)?;
    let here = params![hour.hour_s, sensor_no];
    for table in ["hour_row", "server_row", "pair_row", "pair_detail", "country_row"] {
        let delete = format!("DELETE FROM {table} WHERE hour_s = ?1 AND sensor_no = ?2");
        transaction.prepare_cached(&delete)?.execute(here)?;
    }
    put_watched(transaction, hour, sensor_no, digest)?;
    let mut numbers = Numbers::new(transaction)?;
    put_servers(transaction, hour, sensor_no, &mut numbers)?;
    put_pairs(transaction, hour, sensor_no, &mut numbers)?;
    let mut insert = transaction.prepare_cached(&insert("country_row", 2 + CountryRow::COLUMNS.len()))?;
    for row in &hour.countries {
        let first = [Value::Integer(hour.hour_s), Value::Integer(sensor_no)];
        insert.execute(params_from_iter(first.into_iter().chain(row.values())))?;
    }
    Ok(())
}

fn put_watched(transaction: &Transaction<'_>, hour: &Hour, sensor_no: i64, digest: &[u8]) -> Result<()> {
    let first = [
        Value::Integer(hour.hour_s),
        Value::Integer(sensor_no),
        Value::Integer(hour.revision),
        Value::Bytes(digest.to_vec()),
    ];
    let values = first.into_iter().chain(hour.watched.values());
    let mut insert = transaction.prepare_cached(&insert("hour_row", 4 + SensorHour::COLUMNS.len()))?;
    insert.execute(params_from_iter(values)).map(drop)
}

fn put_servers(transaction: &Transaction<'_>, hour: &Hour, sensor_no: i64, numbers: &mut Numbers<'_>) -> Result<()> {
    let mut insert = transaction.prepare_cached(&insert("server_row", 14))?;
    for row in &hour.servers {
        insert.execute(params![
            hour.hour_s,
            sensor_no,
            numbers.service(row)?,
            row.names,
            row.country,
            row.asn,
            row.class,
            row.class_at_close,
            row.score,
            row.kinds,
            row.first_ns,
            row.last_ns,
            row.check_ins,
            row.hosts,
        ])?;
    }
    Ok(())
}

fn put_pairs(transaction: &Transaction<'_>, hour: &Hour, sensor_no: i64, numbers: &mut Numbers<'_>) -> Result<()> {
    let mut narrow = transaction.prepare_cached(&insert("pair_row", 6))?;
    let mut wide = transaction.prepare_cached(&insert("pair_detail", 16))?;
    // Pairs are in order of the server, so its number is asked for once.
    let mut server: Option<(&str, i64)> = None;
    for row in &hour.pairs {
        let server_id = match server {
            Some((name, number)) if name == row.server => number,
            _ => numbers.known_service(&row.server)?,
        };
        server = Some((&row.server, server_id));
        let host_id = numbers.address(row)?;
        narrow.execute(params![
            hour.hour_s,
            sensor_no,
            server_id,
            host_id,
            row.country,
            row.class
        ])?;
        wide.execute(params![
            hour.hour_s,
            sensor_no,
            server_id,
            host_id,
            row.class_at_close,
            row.score,
            row.name,
            row.kinds,
            row.check_ins,
            row.bytes_out,
            row.bytes_in,
            row.interval_s,
            row.jitter,
            row.first_ns,
            row.last_ns,
            row.parts,
        ])?;
    }
    Ok(())
}

/// The hour as its views show it.
pub(super) fn load(sqlite: &Connection, sensor_id: &str, hour_s: i64) -> Result<Option<Hour>> {
    let Some((revision, watched)) = rows::<SensorHour>(sqlite, sensor_id, hour_s)?.pop() else {
        return Ok(None);
    };
    let plain = |rows: Vec<(i64, ServerRow)>| rows.into_iter().map(|(_, row)| row).collect();
    let mut hour = Hour {
        hour_s,
        sensor_id: sensor_id.to_owned(),
        revision,
        watched,
        servers: plain(rows(sqlite, sensor_id, hour_s)?),
        pairs: rows::<PairRow>(sqlite, sensor_id, hour_s)?
            .into_iter()
            .map(|(_, row)| row)
            .collect(),
        countries: rows::<CountryRow>(sqlite, sensor_id, hour_s)?
            .into_iter()
            .map(|(_, row)| row)
            .collect(),
    };
    hour.arrange();
    Ok(Some(hour))
}

/// The rows of one table with their revision.
fn rows<R: Row>(sqlite: &Connection, sensor_id: &str, hour_s: i64) -> Result<Vec<(i64, R)>> {
    let columns: Vec<&str> = R::COLUMNS.iter().map(|column| column.name).collect();
    let select = format!(
        "SELECT {}, {} FROM {} WHERE hour_s = ?1 AND sensor_id = ?2",
        FIRST_COLUMNS[3].name,
        columns.join(", "),
        R::TABLE
    );
    let mut statement = sqlite.prepare_cached(&select)?;
    let rows = statement.query_map((hour_s, sensor_id), |row| {
        let revision = row.get(0)?;
        let values: Result<Vec<Value>> = (1..=R::COLUMNS.len())
            .map(|at| row.get_ref(at).map(Value::from))
            .collect();
        let row = R::from_values(values?.into_iter());
        row.map(|row| (revision, row))
            .map_err(|fault| rusqlite::Error::FromSqlConversionFailure(0, Type::Null, Box::new(fault)))
    })?;
    rows.collect()
}

fn insert(table: &str, columns: usize) -> String {
    format!("INSERT INTO {table} VALUES (?{})", ", ?".repeat(columns - 1))
}

fn number_of_sensor(transaction: &Transaction<'_>, sensor_id: &str) -> Result<i64> {
    transaction.execute("INSERT OR IGNORE INTO sensor (sensor_id) VALUES (?1)", [sensor_id])?;
    transaction.query_row(
        "SELECT sensor_no FROM sensor WHERE sensor_id = ?1",
        [sensor_id],
        |row| row.get(0),
    )
}

/// Numbers for texts that repeat; new ones are given as they come.
struct Numbers<'a> {
    find_service: CachedStatement<'a>,
    add_service: CachedStatement<'a>,
    find_address: CachedStatement<'a>,
    add_address: CachedStatement<'a>,
    find_network: CachedStatement<'a>,
    add_network: CachedStatement<'a>,
}

impl<'a> Numbers<'a> {
    fn new(sqlite: &'a Connection) -> Result<Self> {
        let add = |table: &str, columns: &str, places: &str| {
            sqlite.prepare_cached(&format!(
                "INSERT INTO {table} ({columns}) VALUES ({places}) RETURNING rowid"
            ))
        };
        Ok(Self {
            find_service: sqlite.prepare_cached("SELECT server_id FROM service WHERE server = ?1")?,
            add_service: add(
                "service",
                "server, address, port, protocol, behind_relay",
                "?1, ?2, ?3, ?4, ?5",
            )?,
            find_address: sqlite.prepare_cached("SELECT address_id FROM address WHERE address = ?1")?,
            add_address: add("address", "address, network_id", "?1, ?2")?,
            find_network: sqlite.prepare_cached("SELECT network_id FROM network WHERE network = ?1")?,
            add_network: add("network", "network", "?1")?,
        })
    }

    fn service(&mut self, row: &ServerRow) -> Result<i64> {
        if let Some(number) = find(&mut self.find_service, &row.server)? {
            return Ok(number);
        }
        let values = params![row.server, row.address, row.port, row.protocol, row.behind_relay];
        self.add_service.query_row(values, |row| row.get(0))
    }

    fn known_service(&mut self, server: &str) -> Result<i64> {
        // An hour is checked: each server of a pair has its row.
        find(&mut self.find_service, server)?.ok_or(rusqlite::Error::QueryReturnedNoRows)
    }

    fn address(&mut self, row: &PairRow) -> Result<i64> {
        if let Some(number) = find(&mut self.find_address, &row.host)? {
            return Ok(number);
        }
        let network = if row.host_network == row.host {
            None
        } else {
            match find(&mut self.find_network, &row.host_network)? {
                Some(number) => Some(number),
                None => Some(self.add_network.query_row([&row.host_network], |row| row.get(0))?),
            }
        };
        self.add_address.query_row(params![row.host, network], |row| row.get(0))
    }
}

fn find(statement: &mut CachedStatement<'_>, text: &str) -> Result<Option<i64>> {
    statement.query_row([text], |row| row.get(0)).optional()
}

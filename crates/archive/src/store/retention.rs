//! How long rows are kept, by class.
//!
//! In: ages in days. Out: older rows deleted, in bounded pieces, and their room given back to the file system. Age is counted
//! from the newest hour of the archive, by packet time: an old capture read today ages like the tap's own hours. Not its job:
//! Parquet folders (`closing`).

use rusqlite::{Connection, Result, Transaction, params};

/// Rows that go at a time, of each table: a second's work at most.
const MOST_ROWS: i64 = 100_000;

/// Pages given back at a time: 16 MiB of 4 KiB pages.
const MOST_PAGES: i64 = 4096;

const DAY_S: i64 = 86_400;

/// Days after which rows go; 0 keeps them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Servers and pairs of class suspected, and withdrawn ones.
    pub suspected_days: u32,
    /// Of class probable.
    pub probable_days: u32,
    /// Of class confirmed.
    pub confirmed_days: u32,
    /// What was watched, and countries: without addresses.
    pub totals_days: u32,
    /// Parquet folders.
    pub parquet_days: u32,
}

impl Retention {
    /// Whether all is kept.
    pub fn is_forever(&self) -> bool {
        *self == Self::default()
    }

    /// The first second that is kept of an age in days.
    pub(crate) fn from_s(days: u32, newest_hour_s: i64) -> Option<i64> {
        (days > 0).then(|| newest_hour_s.saturating_sub(i64::from(days) * DAY_S))
    }
}

/// Deletes a piece of what is too old; called again, the next piece.
pub(super) fn forget(transaction: &Transaction<'_>, retention: &Retention) -> Result<()> {
    let newest: Option<i64> = transaction.query_row("SELECT max(hour_s) FROM hour_row", (), |row| row.get(0))?;
    let Some(newest) = newest else { return Ok(()) };
    for (days, classes) in [
        (retention.suspected_days, "class IN (0, 1)"),
        (retention.probable_days, "class = 2"),
        (retention.confirmed_days, "class = 3"),
    ] {
        let Some(from_s) = Retention::from_s(days, newest) else {
            continue;
        };
        forget_pairs(transaction, classes, from_s)?;
        let servers = format!(
            "DELETE FROM server_row WHERE (hour_s, sensor_no, server_id) IN
             (SELECT hour_s, sensor_no, server_id FROM server_row WHERE hour_s < ?1 AND {classes} LIMIT ?2)"
        );
        transaction
            .prepare_cached(&servers)?
            .execute(params![from_s, MOST_ROWS])?;
    }
    if let Some(from_s) = Retention::from_s(retention.totals_days, newest) {
        // An hour goes with all it has, so that nothing is left that belongs to no hour.
        for table in ["pair_detail", "pair_row", "server_row", "country_row", "hour_row"] {
            let hours = "SELECT hour_s FROM hour_row WHERE hour_s < ?1 ORDER BY hour_s LIMIT 240";
            let delete = format!("DELETE FROM {table} WHERE hour_s IN ({hours})");
            transaction.prepare_cached(&delete)?.execute([from_s])?;
        }
    }
    // Looks through every pair, so not every hour.
    if newest % DAY_S == 0 {
        forget_texts(transaction)?;
    }
    Ok(())
}

fn forget_pairs(transaction: &Transaction<'_>, classes: &str, from_s: i64) -> Result<()> {
    let old = format!(
        "SELECT hour_s, sensor_no, server_id, host_id FROM pair_row WHERE hour_s < ?1 AND {classes} ORDER BY 1, 2, 3, 4 LIMIT ?2"
    );
    // The detail first, as the pair says which.
    for table in ["pair_detail", "pair_row"] {
        let delete = format!("DELETE FROM {table} WHERE (hour_s, sensor_no, server_id, host_id) IN ({old})");
        transaction
            .prepare_cached(&delete)?
            .execute(params![from_s, MOST_ROWS])?;
    }
    Ok(())
}

/// Addresses and servers that no row names any more.
fn forget_texts(transaction: &Transaction<'_>) -> Result<()> {
    transaction.execute_batch(
        "DELETE FROM address WHERE address_id NOT IN (SELECT host_id FROM pair_row);
         DELETE FROM network WHERE network_id NOT IN (SELECT network_id FROM address WHERE network_id IS NOT NULL);
         DELETE FROM service WHERE server_id NOT IN (SELECT server_id FROM pair_row)
             AND server_id NOT IN (SELECT server_id FROM server_row);",
    )
}

/// Gives free pages back to the file system, a bounded number.
pub(super) fn give_back(sqlite: &Connection) -> Result<()> {
    sqlite
        .prepare(&format!("PRAGMA incremental_vacuum({MOST_PAGES})"))?
        .query_map((), |_| Ok(()))?
        .collect()
}

//! The pairs of a period in ClickHouse, with numbers for their texts: the statements that make `kept_pair`.
//!
//! In: a [`Question`], where hours and pairs are. Out: statements, in order. Not its job: sending them.
//!
//! Reading is the dearest part, so it is done once: into `raw_pair`, where an IPv4 host is its own number and other texts are those of small
//! dictionaries. Then every text gets a number, an exact one: a server, an IPv6 host, its network. All that follows is grouping, and
//! grouping by 14 bytes takes a third of what grouping by texts does (`benches/runs`).

use crate::report::Question;
use crate::report::words::sensors_words;

/// Rows of the last word on their hour.
pub(super) const LAST_WORD: &str =
    "(hour_s, sensor_id, revision) IN (SELECT hour_s, sensor_id, revision FROM kept_hour)";

/// The same for many rows: a set of numbers is searched in half the time, and the number of a sensor is found once in a block. Nobody's is 0.
const LAST_WORD_BY_NUMBER: &str = "(hour_s, transform(toLowCardinality(sensor_id), \
     (SELECT arraySort(groupUniqArray(sensor_id)) FROM kept_hour), \
     (SELECT arraySort(groupUniqArray(sensor_no)) FROM kept_hour), toUInt32(0)), revision) \
     IN (SELECT hour_s, sensor_no, revision FROM kept_hour)";

/// What `period_pair` and `before_pair` read.
pub(super) const KEPT_PAIR: &str = "kept_pair";

/// The text and the service of every server.
pub(super) const SERVICE: &str = "SELECT server_id, server, port, protocol FROM numbered_server";

/// Hosts that are not IPv4.
pub(super) const OTHER_HOSTS: &str = "SELECT count() FROM numbered_host";

/// The highest revision of every hour: object storage keeps all of them.
pub(super) fn last_words(hours: &str) -> String {
    format!(
        "CREATE TEMPORARY TABLE kept_hour AS SELECT hour_s, sensor_id, revision, \
         toUInt32(dense_rank() OVER (ORDER BY sensor_id)) AS sensor_no \
         FROM (SELECT hour_s, sensor_id, max(revision) AS revision FROM {hours} GROUP BY hour_s, sensor_id)"
    )
}

/// Reads what may count, of `pairs`, and numbers it; hosts other than IPv4 are not yet kept then.
pub(super) fn read(question: &Question, pairs: &str) -> [String; 6] {
    let periods = [Some((question.from_s, question.to_s)), question.before];
    let periods: Vec<String> = periods
        .into_iter()
        .flatten()
        .map(|(from_s, to_s)| format!("(hour_s >= {from_s} AND hour_s < {to_s})"))
        .collect();
    let (periods, class_least) = (periods.join(" OR "), question.class_least.max(1));
    let sensors = sensors_words(question, "sensor_id IN (");
    [
        "CREATE TEMPORARY TABLE raw_pair (hour_s Int64, country FixedString(2), class UInt8, \
         server LowCardinality(String), host_id Int64, other_host LowCardinality(String))"
            .to_owned(),
        format!(
            "INSERT INTO raw_pair SELECT hour_s, left(country, 2), toUInt8(class), server, \
             toInt64(ifNull(IPv4StringToNumOrNull(host) AS number, 0)), if(isNull(number), host, '') FROM {pairs} \
             WHERE ({periods}) AND class >= {class_least}{sensors} AND {LAST_WORD_BY_NUMBER}"
        ),
        // A server's text ends in its port and protocol. Numbers are in order of the texts: see `keep`.
        "CREATE TEMPORARY TABLE numbered_server AS SELECT toUInt32(row_number() OVER (ORDER BY server)) AS server_id, server, \
         toInt64(splitByChar(':', splitByChar('/', server)[-2])[-1]) AS port, splitByChar('/', server)[-1] AS protocol \
         FROM (SELECT CAST(server AS String) AS server FROM raw_pair GROUP BY server)"
            .to_owned(),
        // A /64 is the first eight octets of an IPv6 address. Numbers below zero: those of IPv4 are not.
        "CREATE TEMPORARY TABLE numbered_host AS SELECT -toInt64(row_number() OVER ()) AS host_id, \
         -toInt64(dense_rank() OVER (ORDER BY network)) AS host_network_id, host \
         FROM (SELECT CAST(other_host AS String) AS host, \
         ifNull(toString(substring(IPv6StringToNumOrNull(host), 1, 8)), host) AS network \
         FROM raw_pair WHERE other_host != '' GROUP BY other_host)"
            .to_owned(),
        "CREATE TEMPORARY TABLE kept_pair (hour_s Int64, country FixedString(2), class UInt8, server_id UInt32, \
         host_id Int64, host_network_id Int64)"
            .to_owned(),
        keep("host_id, host_id", "WHERE other_host = ''"),
    ]
}

/// Keeps hosts other than IPv4.
pub(super) fn keep_others() -> String {
    keep(
        "h.host_id, h.host_network_id",
        "INNER JOIN numbered_host AS h ON h.host = p.other_host WHERE p.other_host != ''",
    )
}

/// Once all are kept.
pub(super) const DROP_RAW: &str = "DROP TABLE raw_pair";

/// Numbers of servers are looked up in dictionaries of blocks, not in rows.
fn keep(host: &str, from: &str) -> String {
    format!(
        "INSERT INTO kept_pair SELECT p.hour_s, p.country, p.class, \
         transform(p.server, (SELECT arraySort(groupArray(server)) FROM numbered_server), \
         (SELECT arraySort(groupArray(server_id)) FROM numbered_server), toUInt32(0)), {host} FROM raw_pair AS p {from}"
    )
}

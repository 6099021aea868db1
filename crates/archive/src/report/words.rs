//! What the engines are told beside the `.sql` files, in words that are checked here.
//!
//! In: a [`Question`]. Out: the views that steps read, and literals. Nothing in them is anybody's text: numbers, two capital
//! letters, and names of sensors, which have no quotes. Not its job: sending them.

use super::question::{By, Question};
use crate::cell::Value;
use crate::record::is_sensor_id;

/// Where an engine finds its hours, and how it names what it counts.
pub(super) struct Dialect<'a> {
    /// Before a column in a condition, to keep SQLite from walking in order of that column; or nothing.
    pub(super) not_by: &'a str,
    /// What stands for `pair`: rows with the columns that views read.
    pub(super) pairs: &'a str,
    /// Before the names of the sensors asked for, in a condition on rows of pairs; a bracket is opened for each that is in it. `None` if
    /// the rows are of no others.
    pub(super) of_sensors: Option<&'a str>,
}

/// `period_pair`, `period_hour`, `before_pair` and `before_hour` as `SELECT`s over `pair` and `sensor_hour`, and `placed_pairs` over the step
/// `period_pairs`: the place follows from the country, so it need not be found for every row.
pub(super) fn views(question: &Question, dialect: &Dialect<'_>) -> [(&'static str, String); 5] {
    let Question { from_s, to_s, .. } = *question;
    // Without a period to compare with: nothing.
    let (before_s, before_end_s) = question.before.unwrap_or((0, 0));
    let class_least = question.class_least.max(1);
    let (place, bucket, sensors) = (
        place(question),
        bucket(question),
        sensors_words(question, "sensor_id IN ("),
    );
    let Dialect {
        not_by,
        pairs: source,
        of_sensors,
    } = dialect;
    let of_pairs = of_sensors.map_or_else(String::new, |words| sensors_words(question, words));
    let pairs = |from_s: i64, to_s: i64| {
        format!(
            "SELECT hour_s, hour_s - hour_s % 86400 AS day_s, {bucket} AS bucket_s, {place} AS place, country, class, server_id, \
             host_id, host_network_id FROM {source} \
             WHERE {not_by}hour_s >= {from_s} AND {not_by}hour_s < {to_s} AND class >= {class_least}{of_pairs}"
        )
    };
    let hours = |from_s: i64, to_s: i64| {
        format!(
            "SELECT hour_s, {bucket} AS bucket_s, sensor_id, partial, received, queue_drops, kernel_drops, interface_drops, gaps, evictions, clock_steps, sampling, \
             hosts, country_source, country_date, country_meaning \
             FROM sensor_hour WHERE hour_s >= {from_s} AND hour_s < {to_s}{sensors}"
        )
    };
    [
        ("period_pair", pairs(from_s, to_s)),
        ("period_hour", hours(from_s, to_s)),
        ("before_pair", pairs(before_s, before_end_s)),
        ("before_hour", hours(before_s, before_end_s)),
        (
            "placed_pairs",
            format!("SELECT host_id, country, server_id, {place} AS place, class, host_network_id FROM period_pairs"),
        ),
    ]
}

/// 1 abroad, 0 at home, -1 in no known country.
fn place(question: &Question) -> String {
    let home: String = question
        .home_country
        .iter()
        .flatten()
        .filter(|letter| letter.is_ascii_uppercase())
        .map(|&letter| char::from(letter))
        .collect();
    format!("CASE WHEN country = '--' THEN -1 WHEN country = '{home}' THEN 0 ELSE 1 END")
}

/// The start of the piece an hour is in.
fn bucket(question: &Question) -> String {
    match question.by {
        By::Hour => "hour_s".to_owned(),
        By::Day => "hour_s - hour_s % 86400".to_owned(),
        By::Month => {
            let starts = question.starts();
            let mut words = String::from("CASE");
            for pair in starts.windows(2) {
                words += &format!(" WHEN hour_s < {} THEN {}", pair[1], pair[0]);
            }
            let last_s = starts.last().copied().unwrap_or(question.from_s);
            if starts.len() > 1 {
                words + &format!(" ELSE {last_s} END")
            } else {
                last_s.to_string()
            }
        }
    }
}

/// A condition on the sensors asked for, if any are. A name that cannot be a sensor's selects nothing.
pub(super) fn sensors_words(question: &Question, of_sensors: &str) -> String {
    if question.sensors.is_empty() {
        return String::new();
    }
    let names: Vec<String> = question
        .sensors
        .iter()
        .filter(|name| is_sensor_id(name))
        .map(|name| format!("'{name}'"))
        .collect();
    if names.is_empty() {
        return " AND 1 = 0".to_owned();
    }
    let closed = ")".repeat(of_sensors.matches('(').count());
    format!(" AND {of_sensors}{}{closed}", names.join(", "))
}

/// A row as both dialects write it. The texts are this crate's own.
pub(super) fn literals(row: &[Value]) -> String {
    let cells: Vec<String> = row
        .iter()
        .map(|value| match value {
            Value::Null | Value::Bytes(_) => "NULL".to_owned(),
            Value::Integer(number) => number.to_string(),
            Value::Real(number) => number.to_string(),
            Value::Text(text) => format!("'{}'", text.replace(['\'', '\\'], "")),
        })
        .collect();
    format!("({})", cells.join(", "))
}

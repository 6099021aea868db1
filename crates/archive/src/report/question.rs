//! What is asked: a period, in pieces, of some sensors, from a class on, as seen from a country.
//!
//! In: numbers that the program checked. Out: the small tables that every engine fills before it answers. Not its job: the words of
//! either engine (`words`), what operators type (the program).

use crate::cell::Value;
use crate::error::{ArchiveError, sqlite_error};
use crate::record::{HOUR_S, day_of};
use crate::store::Store;

const DAY_S: i64 = 86_400;

/// Pieces of a period that are told of one by one; a month of hours has 744.
pub(super) const MOST_PERIODS: usize = 20_000;

/// The least sizes of sets in a report, as a national CERT publishes them.
pub const SET_SIZES: [i64; 8] = [1, 2, 10, 100, 1_000, 5_000, 20_000, 100_000];

/// What a period is cut into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// UTC hours.
    Hour,
    /// UTC days.
    Day,
    /// UTC months.
    #[default]
    Month,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// First hour, seconds since 1970.
    pub from_s: i64,
    /// End, exclusive.
    pub to_s: i64,
    /// The pieces it is also told in.
    pub by: By,
    /// The period compared with, first hour and end.
    pub before: Option<(i64, i64)>,
    /// Only these sensors; all if empty.
    pub sensors: Vec<String>,
    /// Least class that counts: 1 suspected, 2 probable, 3 confirmed.
    pub class_least: i64,
    /// The home country, for what is abroad; without one, every known country is.
    pub home_country: Option<[u8; 2]>,
    /// Least sizes of the sets of `set_sizes`, growing.
    pub set_sizes: Vec<i64>,
}

/// A table that the engine fills before it answers: columns with types that both dialects know, and rows.
pub(super) struct Given {
    pub(super) name: &'static str,
    pub(super) columns: &'static str,
    pub(super) rows: Vec<Vec<Value>>,
}

impl Question {
    /// A period, of all sensors and classes.
    pub fn of(from_s: i64, to_s: i64) -> Self {
        Self {
            from_s,
            to_s,
            by: By::default(),
            before: None,
            sensors: Vec::new(),
            class_least: 1,
            home_country: None,
            set_sizes: SET_SIZES.to_vec(),
        }
    }

    /// All that an archive has, as seen from the home country of its newest hour (of the first sensor by name); `None` if it has no hour.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn everything(store: &Store) -> Result<Option<Self>, ArchiveError> {
        let (first_s, last_s, home): (Option<i64>, Option<i64>, Option<String>) = store
            .connection()
            .query_row(
                "SELECT min(hour_s), max(hour_s), \
                 (SELECT home_country FROM sensor_hour ORDER BY hour_s DESC, sensor_id LIMIT 1) FROM hour_row",
                (),
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )
            .map_err(sqlite_error(store.path()))?;
        Ok(first_s.zip(last_s).map(|(first_s, last_s)| {
            let mut question = Self::of(first_s, last_s.saturating_add(HOUR_S));
            question.home_country = home.and_then(|home| home.as_bytes().try_into().ok());
            question
        }))
    }

    /// Hours in the period.
    pub fn hours_expected(&self) -> i64 {
        hours(self.from_s, self.to_s)
    }

    /// Starts of the pieces that the period is cut into; the first may lie before it.
    pub(super) fn starts(&self) -> Vec<i64> {
        let mut starts = Vec::new();
        let mut start_s = self.start_of(self.from_s);
        while start_s < self.to_s && starts.len() <= MOST_PERIODS {
            starts.push(start_s);
            start_s = match self.by {
                By::Hour => start_s + HOUR_S,
                By::Day => start_s + DAY_S,
                // The longest month has 31 days, the shortest 28.
                By::Month => self.start_of(start_s + 31 * DAY_S),
            };
        }
        starts
    }

    /// Whether the period has more pieces than are told.
    pub fn is_cut_too_fine(&self) -> bool {
        self.starts().len() > MOST_PERIODS
    }

    fn start_of(&self, time_s: i64) -> i64 {
        let day_s = time_s.div_euclid(DAY_S) * DAY_S;
        match self.by {
            By::Hour => time_s.div_euclid(HOUR_S) * HOUR_S,
            By::Day => day_s,
            By::Month => {
                let day_of_month: i64 = day_of(time_s).get(8..).and_then(|day| day.parse().ok()).unwrap_or(1);
                day_s - (day_of_month - 1) * DAY_S
            }
        }
    }

    pub(super) fn given(&self) -> Vec<Given> {
        let table = |name, columns, rows| Given { name, columns, rows };
        let text = |text: &str| Value::Text(text.to_owned());
        let number = Value::Integer;
        let starts = self.starts();
        let periods = starts.iter().enumerate().map(|(at, &start_s)| {
            let end_s = starts.get(at + 1).copied().unwrap_or(self.to_s);
            vec![
                number(start_s),
                number(hours(start_s.max(self.from_s), end_s.min(self.to_s))),
            ]
        });
        let sizes = self.set_sizes.iter().enumerate().map(|(at, &least)| {
            let most = self.set_sizes.get(at + 1).map_or(Value::Null, |next| number(next - 1));
            vec![number(least), most]
        });
        let abroad = if self.home_country.is_some() {
            "abroad"
        } else {
            "located"
        };
        let places = [("all", -2), (abroad, 1), ("home", 0), ("not_located", -1)];
        let with_home = self.home_country.is_some();
        let places = places
            .iter()
            .filter(|(_, place)| with_home || *place != 0)
            .enumerate()
            .map(|(at, (name, place))| vec![text(name), number(*place), number(at as i64)]);
        let (before_s, before_end_s) = self.before.unwrap_or_default();
        vec![
            table(
                "question",
                "one BIGINT, hours_expected BIGINT, hours_expected_before BIGINT",
                vec![vec![
                    number(1),
                    number(self.hours_expected()),
                    number(hours(before_s, before_end_s)),
                ]],
            ),
            table(
                "period_bucket",
                "bucket_s BIGINT, hours_expected BIGINT",
                periods.collect(),
            ),
            table("set_size", "least BIGINT, most BIGINT NULL", sizes.collect()),
            table("place", "label TEXT, place BIGINT, ordinal BIGINT", places.collect()),
            table(
                "turnover_kind",
                "label TEXT, ordinal BIGINT",
                vec![
                    vec![text("new"), number(1)],
                    vec![text("persistent"), number(2)],
                    vec![text("gone"), number(3)],
                ],
            ),
        ]
    }
}

fn hours(from_s: i64, to_s: i64) -> i64 {
    (to_s - from_s).max(0) / HOUR_S
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-01T00:00:00Z.
    const NEW_YEAR_S: i64 = 1_767_225_600;

    #[test]
    fn months_begin_on_their_first_day_whatever_their_length() {
        let mut question = Question::of(NEW_YEAR_S + 40 * HOUR_S, NEW_YEAR_S + 151 * DAY_S);
        let days: Vec<String> = question.starts().into_iter().map(day_of).collect();
        assert_eq!(
            days,
            ["2026-01-01", "2026-02-01", "2026-03-01", "2026-04-01", "2026-05-01"]
        );
        question.by = By::Day;
        assert_eq!(question.starts().len(), 150);
        question.by = By::Hour;
        assert_eq!(question.starts().len() as i64, question.hours_expected());
        // A leap year, and a year's end.
        let question = Question::of(NEW_YEAR_S + 750 * DAY_S, NEW_YEAR_S + 800 * DAY_S);
        let days: Vec<String> = question.starts().into_iter().map(day_of).collect();
        assert_eq!(days, ["2028-01-01", "2028-02-01", "2028-03-01"]);
    }

    #[test]
    fn the_hours_of_the_pieces_are_those_of_the_period() {
        for by in [By::Hour, By::Day, By::Month] {
            let mut question = Question::of(NEW_YEAR_S + 5 * HOUR_S, NEW_YEAR_S + 1000 * HOUR_S);
            question.by = by;
            let given = question.given();
            let pieces = given.iter().find(|given| given.name == "period_bucket").unwrap();
            let sum: i64 = pieces
                .rows
                .iter()
                .map(|row| match row[1] {
                    Value::Integer(hours) => hours,
                    _ => 0,
                })
                .sum();
            assert_eq!(sum, 995);
        }
    }
}

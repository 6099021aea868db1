//! The tables of a period, from an archive: what they are called, and what their cells say.
//!
//! In: a [`PeriodReport`], whose [`Sheet`]s are answers of the archive as they are. Out: titles, headings, cells and notes, which
//! every format (`page`, `csv`, `json`, `markdown`, `html`) puts into its own form. Not its job: counting (`archive`).

mod chart;
mod csv;
mod html;
mod json;
mod notes;
mod page;
mod tiles;
mod words;

pub use csv::csv as period_csv;
pub use html::html as period_html;
pub use json::{SCHEMA as PERIOD_SCHEMA, json as period_json};
pub use page::{markdown as period_markdown, page as period_page};

use balefire_detect::Country;

/// One cell of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Datum {
    /// Not known.
    Nothing,
    /// A whole number.
    Integer(i64),
    /// A number.
    Real(f64),
    /// Text; it may be hostile.
    Text(String),
}

/// One table, as the archive answered it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sheet {
    /// The stem of its `.sql` file.
    pub name: String,
    /// Names of its columns.
    pub columns: Vec<String>,
    /// Rows of as many cells.
    pub rows: Vec<Vec<Datum>>,
}

/// What a period is cut into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Piece {
    /// UTC hours.
    Hour,
    /// UTC days.
    Day,
    /// UTC months.
    #[default]
    Month,
}

/// A report over a period: what was asked, and the answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PeriodReport {
    /// First hour, seconds since 1970.
    pub from_s: i64,
    /// End, exclusive.
    pub to_s: i64,
    /// What the table of periods is cut into.
    pub piece: Piece,
    /// The period compared with.
    pub before: Option<(i64, i64)>,
    /// The least class that counts, as `probable`.
    pub class_least: String,
    /// Only these sensors; all if empty.
    pub sensors: Vec<String>,
    /// The home country.
    pub home: Option<Country>,
    /// The tables to be shown.
    pub sheets: Vec<Sheet>,
    /// What was watched (`coverage`), of the compared period (`coverage_before`), and the databases: these are under every table.
    pub coverage: Vec<Sheet>,
    /// Sensor hours of the period of which rows have gone by age: what is counted over them is too low.
    pub forgotten_sensor_hours: i64,
}

impl Sheet {
    /// The cell of a row under a column's name.
    fn cell(&self, row: usize, column: &str) -> &Datum {
        let at = self.columns.iter().position(|name| name == column);
        at.and_then(|at| self.rows.get(row)?.get(at)).unwrap_or(&Datum::Nothing)
    }

    fn integer(&self, row: usize, column: &str) -> Option<i64> {
        match self.cell(row, column) {
            Datum::Integer(number) => Some(*number),
            _ => None,
        }
    }

    fn text(&self, row: usize, column: &str) -> Option<&str> {
        match self.cell(row, column) {
            Datum::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl PeriodReport {
    fn sheet(&self, name: &str) -> Option<&Sheet> {
        self.sheets
            .iter()
            .chain(&self.coverage)
            .find(|sheet| sheet.name == name)
    }

    /// No hour of the period was watched, so that nothing in it was counted.
    fn is_unwatched(&self) -> bool {
        self.sheet("coverage")
            .is_some_and(|sheet| sheet.integer(0, "hours_watched") == Some(0))
    }

    /// What machines are told of a cell: servers and hosts that nobody could see are not known, where the archive counts none.
    fn known<'a>(&self, column: &str, datum: &'a Datum) -> &'a Datum {
        let is_count = column.starts_with("servers") || column.starts_with("host");
        let is_unseen = is_count && *datum == Datum::Integer(0) && self.is_unwatched();
        // Without a home country nobody is abroad: the archive's share is of all that are located.
        let is_of_abroad = self.home.is_none() && column.starts_with("share_of_") && column.ends_with("_abroad");
        // What a file lost before it was written nobody counted, and of what nobody watched there is no count either.
        let nobody_counted = match column {
            "dropped" => self.is_of_files(),
            "received" => self.is_unwatched(),
            _ => false,
        };
        let is_uncounted = nobody_counted && *datum == Datum::Integer(0);
        if is_unseen || is_of_abroad || is_uncounted {
            &Datum::Nothing
        } else {
            datum
        }
    }

    /// No hour of the period compared with was watched.
    fn is_before_unwatched(&self) -> bool {
        self.sheet("coverage_before")
            .is_some_and(|sheet| sheet.integer(0, "hours_watched") == Some(0))
    }

    /// Whether nobody could count losses: all that was watched came from files, or nothing did.
    fn is_of_files(&self) -> bool {
        self.sheet("coverage").is_some_and(|sheet| {
            let hours = |column: &str| sheet.integer(0, column).unwrap_or(0);
            hours("sensor_hours_of_files") == hours("sensor_hours_watched")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(watched: i64, of_files: i64) -> PeriodReport {
        PeriodReport {
            to_s: 3_600,
            coverage: vec![Sheet {
                name: "coverage".to_owned(),
                columns: [
                    "hours_watched",
                    "sensor_hours_watched",
                    "sensor_hours_of_files",
                    "received",
                    "dropped",
                ]
                .map(str::to_owned)
                .to_vec(),
                rows: vec![[watched, watched, of_files, 0, 0].map(Datum::Integer).to_vec()],
            }],
            ..PeriodReport::default()
        }
    }

    #[test]
    fn what_nobody_could_count_is_not_zero() {
        let zero = Datum::Integer(0);
        for (report, known) in [
            (report(4, 0), ["servers", "received", "dropped"].as_slice()),
            (report(4, 4), &["servers", "received"]),
            (report(0, 0), &[]),
        ] {
            for column in ["servers", "received", "dropped"] {
                let told = report.known(column, &zero) == &zero;
                assert_eq!(told, known.contains(&column), "{column} {:?}", report.coverage);
            }
        }
    }

    #[test]
    fn a_share_of_what_is_abroad_needs_a_home() {
        let share = Datum::Real(0.5);
        let without = report(4, 0);
        let with = PeriodReport {
            home: Some(Country(*b"NL")),
            ..report(4, 0)
        };
        for column in ["share_of_servers_abroad", "share_of_hosts_abroad"] {
            assert_eq!(without.known(column, &share), &Datum::Nothing);
            assert_eq!(with.known(column, &share), &share);
        }
        assert_eq!(without.known("share_of_all_servers", &share), &share);
    }

    #[test]
    fn csv_says_what_was_compared_with() {
        let compared = PeriodReport {
            before: Some((-7_200, 0)),
            sheets: vec![Sheet {
                name: "turnover".to_owned(),
                columns: vec!["servers_are".to_owned()],
                rows: vec![vec![Datum::Text("new".to_owned())]],
            }],
            ..report(4, 4)
        };
        let text = period_csv(&compared);
        assert!(text.contains(",compared_start,compared_end,"), "{text}");
        assert!(text.contains(",1969-12-31T22:00:00Z,1970-01-01T00:00:00Z,"), "{text}");
        assert!(!period_csv(&report(4, 4)).contains("compared"));
    }
}

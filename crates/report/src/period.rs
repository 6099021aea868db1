//! The tables of a period, from an archive: what they are called, and what their cells say.
//!
//! In: a [`PeriodReport`], whose [`Sheet`]s are answers of the archive as they are. Out: titles, headings, cells and notes, which
//! every format (`page`, `csv`, `json`, `markdown`, `html`) puts into its own form. Not its job: counting (`archive`).

mod chart;
mod csv;
mod html;
mod json;
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
        if is_count && *datum == Datum::Integer(0) && self.is_unwatched() {
            &Datum::Nothing
        } else {
            datum
        }
    }
}

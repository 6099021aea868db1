//! Summaries to text: the terminal page, the JSON document, CSV rows, hour files, the page that explains one server and
//! the rows of a live console.
//!
//! In: finished [`balefire_detect::Summary`] values and a few words about the run. Out: strings, and the files of
//! [`HourFiles`]. Not its job: finding anything (`detect`), deciding what is asked for or where it is printed (the
//! program). Strings that came from the wire leave this crate only through [`clean`].

mod country;
mod csv;
mod document;
mod grid;
mod hours;
mod lists;
mod live;
mod number;
mod period;
mod place;
mod style;
mod table;
mod text;
mod why;

pub use country::{country_name, is_country_code};
pub use csv::{countries as country_csv, scores as scores_csv};
pub use document::{SCHEMA, has_score, json};
pub use grid::{Align, Cell, Grid};
pub use hours::{HourError, HourFiles, Written, is_sensor_name};
pub use live::{LiveQueue, LiveRow, live_header, live_news, live_row};
pub use number::{
    bytes, counted, date_time, duration, engineering, latency, percent, rfc3339, score, seconds, thousands, time_of_day,
};
pub use period::{
    Datum, PERIOD_SCHEMA, PeriodReport, Piece, Sheet, period_csv, period_html, period_json, period_markdown,
    period_page,
};
pub use place::socket_with_protocol;
pub use style::Style;
pub use table::{Heading, Unit, accounting_line, by_class, table};
pub use text::{clean, csv_cell};
pub use why::{is_asked, why};

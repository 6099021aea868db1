//! A period's report for people: as text for a terminal, and as Markdown for a document.
//!
//! In: a [`PeriodReport`]. Out: text. Not its job: the words (`words`).

use super::notes::note;
use super::words::{self, Shown};
use super::{PeriodReport, Sheet};
use crate::grid::{Align, Cell, Grid};
use crate::number::counted;

/// Rows of a table on a terminal and in a document; the rest is counted, and whole in JSON and CSV.
const MOST_ROWS: usize = 60;

/// Of a line of words on a terminal; tables take what they need.
const COLUMNS: usize = 118;

/// The page for a terminal.
pub fn page(report: &PeriodReport) -> String {
    let mut text = format!("{}\n({})\n\n", words::headline(report), words::asked(report));
    if let Some(answer) = words::answer(report) {
        text += &format!("{}\n", wrapped(&answer, ""));
    }
    let watched = words::watched(report);
    for sheet in &report.sheets {
        text += &format!("{}\n", words::title(&sheet.name, report));
        let shown = words::shown(sheet, report);
        text += &grid(&shown);
        text += &rest(sheet);
        for line in note(&sheet.name, report).iter().chain([&watched]) {
            text += &wrapped(line, "   ");
        }
        text.push('\n');
    }
    text + &wrapped(&words::databases(report), "")
}

/// The text in lines of at most [`COLUMNS`] columns, where it has spaces.
fn wrapped(text: &str, indent: &str) -> String {
    let mut lines = String::new();
    let mut line = indent.to_owned();
    for word in text.split(' ') {
        let is_begun = line.len() > indent.len();
        if is_begun && line.chars().count() + 1 + word.chars().count() > COLUMNS {
            lines += &(std::mem::replace(&mut line, indent.to_owned()) + "\n");
        } else if is_begun {
            line.push(' ');
        }
        line += word;
    }
    lines + &line + "\n"
}

/// The same as Markdown.
pub fn markdown(report: &PeriodReport) -> String {
    let mut text = format!(
        "# {}\n\n{}.\n\n",
        escaped(&words::headline(report)),
        escaped(&words::asked(report))
    );
    if let Some(answer) = words::answer(report) {
        text += &format!("**{}**\n\n", escaped(&answer));
    }
    let watched = words::watched(report);
    for sheet in &report.sheets {
        text += &format!("## {}\n\n", escaped(&words::title(&sheet.name, report)));
        let shown = words::shown(sheet, report);
        let headings: Vec<String> = shown.headings.iter().map(|(name, _)| escaped(name)).collect();
        let rule: Vec<&str> = shown
            .headings
            .iter()
            .map(|(_, number)| if *number { "---:" } else { "---" })
            .collect();
        text += &format!("| {} |\n| {} |\n", headings.join(" | "), rule.join(" | "));
        for row in shown.rows.iter().take(MOST_ROWS) {
            let cells: Vec<String> = row.iter().map(|cell| escaped(cell)).collect();
            text += &format!("| {} |\n", cells.join(" | "));
        }
        text += &format!("{}\n", rest(sheet));
        if let Some(note) = note(&sheet.name, report) {
            text += &format!("{}\n", escaped(&note));
        }
        text += &format!("{}\n\n", escaped(&watched));
    }
    text + &escaped(&words::databases(report)) + "\n"
}

fn grid(shown: &Shown) -> String {
    let columns: Vec<(&str, Align)> = shown
        .headings
        .iter()
        .map(|(name, number)| (name.as_str(), if *number { Align::Right } else { Align::Left }))
        .collect();
    let mut grid = Grid::new(&columns);
    for row in shown.rows.iter().take(MOST_ROWS) {
        grid.row(row.iter().map(Cell::new).collect());
    }
    grid.text().lines().map(|line| format!("  {line}\n")).collect()
}

fn rest(sheet: &Sheet) -> String {
    match sheet.rows.len() {
        0 => "   none\n".to_owned(),
        rows if rows > MOST_ROWS => format!(
            "   and {}, which --format json and csv have\n",
            counted((rows - MOST_ROWS) as u64, "more row")
        ),
        _ => String::new(),
    }
}

/// Characters that Markdown, or HTML within it, would take for markup.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => escaped.push_str("&lt;"),
            '&' => escaped.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' => escaped.extend(['\\', letter]),
            _ => escaped.push(letter),
        }
    }
    escaped
}

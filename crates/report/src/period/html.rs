//! A period's report as one HTML file, which needs nothing beside it: no script, no font, no picture from elsewhere.
//!
//! In: a [`PeriodReport`]. Out: a page that a browser shows and prints. Its own policy forbids scripts and loading, so that a hostile
//! name in a cell could do nothing even if it were not escaped. Not its job: words (`words`), drawing (`chart`).

use super::notes::note;
use super::words::{self, Shown};
use super::{Datum, PeriodReport, Sheet, chart, tiles};
use crate::number::counted;
use crate::text::clean;

/// Countries in a chart; the table has all.
const MOST_BARS: usize = 15;

/// Rows of a table; a report by the hour has thousands.
const MOST_ROWS: usize = 1000;

const STYLE: &str = "
:root { color-scheme: light }
body { font: 15px/1.45 system-ui, sans-serif; color: #1a1a1a; background: #fff; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem; margin-bottom: .2rem } h2 { font-size: 1.1rem; margin-top: 2.2rem }
.asked, .note, .watched, footer { color: #555; font-size: .85rem; margin: .3rem 0 }
.answer { font-size: 1.15rem; font-weight: 600 }
.wide { overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { padding: .25rem .6rem; border-bottom: 1px solid #ddd; text-align: left; vertical-align: baseline }
th { border-bottom: 2px solid #888; font-size: .85rem; font-weight: 600 }
.n { text-align: right; white-space: nowrap }
svg { width: 100%; height: auto; margin: .6rem 0 } svg text { font: 12px system-ui, sans-serif; fill: #333 } svg .number { fill: #555 }
svg rect { fill: #35618f } svg.hosts rect { fill: #9a5b13 } svg circle { fill: #35618f } svg.hosts circle { fill: #9a5b13 }
svg .axis { fill: none; stroke: #888 } svg .line { fill: none; stroke: #35618f; stroke-width: 2 } svg.hosts .line { stroke: #9a5b13 }
svg.tiles text { font-size: 9px; text-anchor: middle } svg.tiles .small { font-size: 7px } svg.tiles .light text { fill: #fff }
svg.tiles .dark text { fill: #1a1a1a } svg.tiles path.empty { fill: #f0f0f0 } svg.tiles g.empty text { fill: #999 }
svg.tiles .home { fill: none; stroke: #1a1a1a; stroke-width: 2 }
footer { margin-top: 2.5rem; border-top: 1px solid #ddd; padding-top: .6rem }
@media print { body { margin: 0; max-width: none; font-size: 10pt } section { break-inside: avoid-page } thead { display: table-header-group } svg { max-width: 16cm } }
";

/// The page.
pub fn html(report: &PeriodReport) -> String {
    let headline = escaped(&words::headline(report));
    let mut text = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\n\
         <link rel=\"icon\" href=\"data:,\">\n\
         <title>{headline}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{headline}</h1>\n<p class=\"asked\">{}</p>\n",
        escaped(&words::asked(report)),
    );
    if let Some(answer) = words::answer(report) {
        text += &format!("<p class=\"answer\">{}</p>\n", escaped(&answer));
    }
    let watched = escaped(&words::watched(report));
    for sheet in &report.sheets {
        text += &section(sheet, report, &watched);
    }
    text + &format!(
        "<footer>{}</footer>\n</body>\n</html>\n",
        escaped(&words::databases(report))
    )
}

fn section(sheet: &Sheet, report: &PeriodReport, watched: &str) -> String {
    let name = escaped(&sheet.name);
    let mut text = format!(
        "<section id=\"{name}\">\n<h2>{}</h2>\n",
        escaped(&words::title(&sheet.name, report))
    );
    text += &charts(sheet, report);
    text += &table(&words::shown(sheet, report));
    if sheet.rows.len() > MOST_ROWS {
        let more = counted((sheet.rows.len() - MOST_ROWS) as u64, "more row");
        text += &format!("<p class=\"note\">and {more}, which --format json and csv have</p>\n");
    }
    if let Some(note) = note(&sheet.name, report) {
        text += &format!("<p class=\"note\">{}</p>\n", escaped(&note));
    }
    text + &format!("<p class=\"watched\">{watched}</p>\n</section>\n")
}

fn charts(sheet: &Sheet, report: &PeriodReport) -> String {
    let title = words::title(&sheet.name, report);
    match sheet.name.as_str() {
        "countries_by_servers" => bars(sheet, "servers", &title) + &map(sheet, "servers", report),
        "countries_by_hosts" => bars(sheet, "hosts", &title) + &map(sheet, "hosts", report),
        "periods" if sheet.rows.len() > 1 => {
            let line = |column: &str| {
                let points: Vec<(String, Option<i64>)> = (0..sheet.rows.len())
                    .map(|row| {
                        let label = match sheet.cell(row, "bucket_s") {
                            Datum::Integer(start_s) => words::piece(*start_s, report.piece),
                            _ => String::new(),
                        };
                        (label, sheet.integer(row, column))
                    })
                    .collect();
                chart::line(&format!("{title}: {column}"), &points, column)
            };
            format!(
                "<p class=\"note\">Control servers</p>{}<p class=\"note\">Controlled hosts</p>{}\n",
                line("servers"),
                line("hosts")
            )
        }
        _ => String::new(),
    }
}

fn bars(sheet: &Sheet, column: &str, title: &str) -> String {
    let rows: Vec<(String, i64)> = (0..sheet.rows.len().min(MOST_BARS))
        .map(|row| {
            let code = sheet.text(row, "country").unwrap_or_default();
            (words::country(code), sheet.integer(row, column).unwrap_or(0))
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    chart::bars(title, &rows, column) + "\n"
}

/// A tile for each country; what is at home is not in these tables.
fn map(sheet: &Sheet, column: &str, report: &PeriodReport) -> String {
    let numbers: Vec<(&str, i64)> = (0..sheet.rows.len())
        .filter_map(|row| Some((sheet.text(row, "country")?, sheet.integer(row, column)?)))
        .collect();
    if numbers.is_empty() {
        return String::new();
    }
    let title = match column {
        "servers" => "Control servers by hosting country, a tile for each",
        _ => "Controlled hosts by the hosting country of their servers, a tile for each",
    };
    let home = report.home.as_ref().map(|home| home.code());
    tiles::tiles(title, &numbers, home, column)
}

fn table(shown: &Shown) -> String {
    let class = |is_number: bool| if is_number { " class=\"n\"" } else { "" };
    let mut text = "<div class=\"wide\"><table>\n<thead><tr>".to_owned();
    for (name, is_number) in &shown.headings {
        text += &format!("<th scope=\"col\"{}>{}</th>", class(*is_number), escaped(name));
    }
    text += "</tr></thead>\n<tbody>\n";
    for row in shown.rows.iter().take(MOST_ROWS) {
        text += "<tr>";
        for (cell, (_, is_number)) in row.iter().zip(&shown.headings) {
            text += &format!("<td{}>{}</td>", class(*is_number), escaped(cell));
        }
        text += "</tr>\n";
    }
    if shown.rows.is_empty() {
        text += &format!("<tr><td colspan=\"{}\">none</td></tr>\n", shown.headings.len());
    }
    text + "</tbody>\n</table></div>\n"
}

/// Text that is only text, in an element or in a quoted attribute.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in clean(text).chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(letter),
        }
    }
    escaped
}

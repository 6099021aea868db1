//! The whole screen: head, pages, lists, what lies over them, the last line.
//!
//! In: a [`View`] and an [`App`]. Out: a [`Buffer`] of the screen's size: [`render`] is pure. Not its job: the overview's body
//! (`overview`), the text of evidence (`evidence`), terminals.

use balefire_report::{counted, duration, engineering, thousands, time_of_day};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::app::{App, Over};
use super::canvas::{Canvas, Look, Tint, columns};
use super::evidence::{self, Line};
use super::overview;
use super::pages::{self, Page};
use super::sheet::Sheet;
use super::view::View;

/// The smallest screen that is drawn on.
pub(crate) const LEAST_COLUMNS: u16 = 60;
pub(crate) const LEAST_ROWS: u16 = 16;

/// Rows of head, pages, rule and last line.
const FRAME_ROWS: u16 = 4;
/// Above the rows of a list: what is shown, and titles.
const LIST_HEAD_ROWS: u16 = 2;

const HELP: &str = "\
1 to 5, tab, h l, arrows   pages: overview, servers, hosts, countries, events
j k, arrows                one row down, up
space b, ^F ^B, PgDn PgUp  one screen down, up
g G, Home End              first row, last row
s S                        sort by the next column, the one before
r                          turn the order round
/                          filter: any cell; cc:NL only the column cc
                           enter keeps it, ^U empties it, Esc drops it
enter                      servers, hosts: how do we know? countries: its rows;
                           events: the whole text; overview: the servers
p                          pause: the screen stands still, nothing is missed
e                          write the rows shown to a CSV file in this folder
a                          allow the server: asks why, adds an allowlist rule
?  q Esc                   this page; back, and q quits from a page
^L  ^Z  ^C                 draw anew; to the shell; quit from anywhere

Evidence is of now, as the one worker sees it that follows the host.
A country is that of an address (hosting), never an actor.
A host under two countries counts once in each and once in the total.";

/// Rows that a list has on a screen of this height.
pub(crate) fn list_rows(height: u16) -> usize {
    usize::from(height.saturating_sub(FRAME_ROWS + LIST_HEAD_ROWS))
}

/// The screen. The app learns how far it can scroll.
pub(crate) fn render(view: &View, app: &mut App, look: Look, area: Rect) -> Buffer {
    let mut buffer = Buffer::empty(Rect::new(0, 0, area.width, area.height));
    let mut canvas = Canvas::new(&mut buffer, look);
    if area.width < LEAST_COLUMNS || area.height < LEAST_ROWS {
        too_small(&mut canvas);
        return buffer;
    }
    app.settle(view, list_rows(area.height));
    head(&mut canvas, view, app);
    tabs(&mut canvas, view, app);
    canvas.rule(2);
    let body = Rect::new(0, 3, area.width, area.height - FRAME_ROWS);
    let over = match &app.over {
        // The reason is typed in the last line; what was there stays.
        Over::Allow { before, .. } => before,
        over => over,
    };
    let lines = match over {
        Over::Nothing | Over::Filter(_) | Over::Allow { .. } => None,
        Over::Help { .. } => Some(help(usize::from(area.width))),
        Over::Event { text, .. } => Some(plain(&evidence::wrapped(text, usize::from(area.width)).join("\n"))),
        Over::Evidence { known: None, id, .. } => Some(plain(&format!("asking for {id} ..."))),
        Over::Evidence { known: Some(known), .. } => Some(evidence::page(known, usize::from(area.width), |values| {
            canvas.spark_text(values)
        })),
    };
    match (lines, app.page) {
        (Some(lines), _) => {
            let scroll = app.scrolled(lines.len(), usize::from(body.height));
            text(&mut canvas, body, &lines, scroll);
        }
        (None, Page::Overview) => overview::draw(&mut canvas, body, view),
        (None, _) => list(&mut canvas, body, view, app),
    }
    foot(&mut canvas, app);
    buffer
}

fn too_small(canvas: &mut Canvas<'_>) {
    let area = canvas.area();
    let words = format!(
        "balefire: {} x {} is too small; {LEAST_COLUMNS} x {LEAST_ROWS} at least (q quits)",
        area.width, area.height
    );
    for (row, line) in evidence::wrapped(&words, usize::from(area.width)).iter().enumerate() {
        canvas.put(0, row as u16, area.width, line, Tint::Plain);
    }
}

/// Whose screen this is, how the tap is, what was lost.
fn head(canvas: &mut Canvas<'_>, view: &View, app: &App) {
    let width = canvas.area().width;
    let clock = format!("{} UTC", time_of_day(view.clock_ns));
    let right = if app.paused.is_some() {
        format!("PAUSED at {clock}")
    } else {
        clock
    };
    let right_columns = columns(&right);
    canvas.put_right(width - right_columns, 0, right_columns, &right, Tint::Strong);
    let room = width - right_columns - 2;
    let mut x = canvas.put(0, 0, room, "balefire", Tint::Strong);
    let rate = view.rates.last().copied().unwrap_or_default();
    let interfaces = interfaces(view);
    let rates = format!("{}pps {}bit/s", spaced(rate.packets_per_s), spaced(rate.bits_per_s));
    let up_ns = (view.up_s.clamp(0.0, 1e9) as i64).saturating_mul(1_000_000_000);
    let lost = view.packets.lost();
    // From left to right, each with its place when room is given away: loss goes last.
    let words = [
        (3, view.sensor.clone(), Tint::Plain),
        (4, format!("up {}", duration(up_ns)), Tint::Plain),
        (1, interfaces.0, interfaces.1),
        (2, rates, Tint::Plain),
        (
            0,
            format!("lost {}", thousands(lost)),
            if lost > 0 { Tint::Loss } else { Tint::Plain },
        ),
    ];
    let mut left = room.saturating_sub(x);
    let mut is_shown = [false; 5];
    for wanted in 0..5 {
        for (index, (_, word, _)) in words.iter().enumerate().filter(|(_, word)| word.0 == wanted) {
            let taken = columns(word) + 2;
            is_shown[index] = taken <= left && !word.is_empty();
            left -= if is_shown[index] { taken } else { 0 };
        }
    }
    for ((_, word, tint), _) in words.iter().zip(is_shown).filter(|(_, is_shown)| *is_shown) {
        x = canvas.put(x + 2, 0, room - x - 2, word, *tint);
    }
}

/// `1.92 M` or `12 `, for a unit to follow.
fn spaced(number: f64) -> String {
    let text = engineering(number);
    if text.contains(' ') { text } else { format!("{text} ") }
}

fn interfaces(view: &View) -> (String, Tint) {
    let lost: Vec<&str> = view
        .interfaces
        .iter()
        .filter(|one| one.lost)
        .map(|one| one.name.as_str())
        .collect();
    if lost.is_empty() {
        let names: Vec<&str> = view.interfaces.iter().map(|one| one.name.as_str()).collect();
        (names.join(" "), Tint::Plain)
    } else {
        (format!("{} DOWN", lost.join(" ")), Tint::Loss)
    }
}

/// The counts go where there is no room for all.
fn tabs(canvas: &mut Canvas<'_>, view: &View, app: &App) {
    let tab = |number: usize, page: Page, with_count: bool| {
        let count = page.count(view).filter(|_| with_count);
        let count = count.map(|count| format!(" {}", thousands(count))).unwrap_or_default();
        let (before, after) = if page == app.page { ("[", "]") } else { (" ", " ") };
        format!("{before}{} {}{count}{after}", number + 1, page.name())
    };
    let all = |with_count: bool| -> Vec<String> {
        let pages = Page::ALL.into_iter().enumerate();
        pages.map(|(number, page)| tab(number, page, with_count)).collect()
    };
    let fits = |tabs: &[String]| tabs.iter().map(|tab| columns(tab) + 1).sum::<u16>() <= canvas.area().width + 1;
    let tabs = Some(all(true)).filter(|tabs| fits(tabs)).unwrap_or_else(|| all(false));
    let mut x = 0;
    for (tab, page) in tabs.iter().zip(Page::ALL) {
        let tint = if page == app.page { Tint::Strong } else { Tint::Plain };
        x = canvas.put(x, 1, columns(tab), tab, tint) + 1;
    }
}

/// Titles and rows of a sheet, and above them what is shown.
fn list(canvas: &mut Canvas<'_>, body: Rect, view: &View, app: &App) {
    let sheet = app.sheet(view);
    let pane = app.pane();
    caption(canvas, body, view, app, &sheet);
    let gap = if body.width >= 100 { 2 } else { 1 };
    // A mark before the selected row, for terminals that show no other.
    let fitting = sheet.fitting(body.width - 1, gap);
    let titles_y = body.y + 1;
    let mut x = 1;
    for (index, width) in &fitting {
        let column = &sheet.columns[*index];
        let sorted = pane.sorting.column == Some(*index);
        let mark = match (sorted, pane.sorting.reversed, canvas.look.blocks) {
            (false, _, _) => "",
            (true, false, true) => "▼",
            (true, true, true) => "▲",
            (true, false, false) => "v",
            (true, true, false) => "^",
        };
        let title = format!("{}{mark}", column.title);
        if column.right {
            // The mark of a title as wide as its column goes into the gap before it.
            let more = columns(&title).saturating_sub(*width).min(1);
            canvas.put_right(x - more, titles_y, width + more, &title, Tint::Strong);
        } else {
            canvas.put(x, titles_y, width + gap.min(1), &title, Tint::Strong);
        }
        x += width + gap;
    }
    let room = usize::from(body.height - LIST_HEAD_ROWS);
    for (row, y) in sheet
        .rows
        .iter()
        .enumerate()
        .skip(pane.top)
        .take(room)
        .zip(body.y + LIST_HEAD_ROWS..)
    {
        let (number, row) = row;
        let mut x = 1;
        for (index, width) in &fitting {
            let Some(cell) = row.cells.get(*index) else { continue };
            match cell.bar {
                Some(share) => canvas.bar(x, y, *width, share, cell.tint),
                None if sheet.columns[*index].right => canvas.put_right(x, y, *width, &cell.text, cell.tint),
                None => {
                    canvas.put(x, y, *width, &cell.text, cell.tint);
                }
            }
            x += width + gap;
        }
        if number == pane.selected {
            canvas.put(0, y, 1, ">", Tint::Strong);
            canvas.tint_row(y, Tint::Selected);
        }
    }
    if sheet.rows.is_empty() {
        let words = match (app.page, pane.sorting.filter.is_empty()) {
            (_, false) => "nothing fits the filter",
            (Page::Events, true) => "nothing has happened yet",
            _ => "nothing is suspected",
        };
        canvas.put(1, body.y + LIST_HEAD_ROWS, body.width - 1, words, Tint::Plain);
    }
}

fn caption(canvas: &mut Canvas<'_>, body: Rect, view: &View, app: &App, sheet: &Sheet) {
    let pane = app.pane();
    let shown = sheet.rows.len() as u64;
    let all = app.page.count(view).unwrap_or(shown);
    let mut words = match app.page {
        Page::Countries => format!(
            "now {}, {}; {}",
            counted(view.servers_total, "server"),
            counted(view.hosts_total, "host"),
            pages::hour_words(view)
        ),
        page if shown == all => counted(shown, page.noun()),
        page => format!("{} of {}", thousands(shown), counted(all, page.noun())),
    };
    if app.page == Page::Servers {
        let [suspected, probable, confirmed] = view.servers_by_class.map(thousands);
        words.push_str(&format!(
            ": {confirmed} confirmed, {probable} probable, {suspected} suspected"
        ));
    }
    if !pane.sorting.filter.is_empty() {
        words.push_str(&format!("   filter: {}", pane.sorting.filter));
    }
    let place = if sheet.rows.is_empty() {
        String::new()
    } else {
        format!("row {} of {}", thousands(pane.selected as u64 + 1), thousands(shown))
    };
    let right = columns(&place);
    canvas.put(0, body.y, body.width - right - 1, &words, Tint::Plain);
    canvas.put_right(body.width - right, body.y, right, &place, Tint::Plain);
}

/// Keys at the left, what they do beside them, broken where the screen is narrow.
fn help(width: usize) -> Vec<Line> {
    const KEYS: usize = 27;
    let mut page = String::new();
    for line in HELP.lines() {
        let (keys, text) = match line.split_at_checked(KEYS) {
            Some((keys, text)) if keys.ends_with("  ") => (keys, text),
            _ => ("", line),
        };
        for (row, text) in evidence::wrapped(text, width.saturating_sub(keys.len()))
            .iter()
            .enumerate()
        {
            let keys = if row == 0 {
                keys.to_owned()
            } else {
                " ".repeat(keys.len())
            };
            page.push_str(&format!("{keys}{text}\n"));
        }
    }
    plain(&page)
}

fn plain(text: &str) -> Vec<Line> {
    text.lines()
        .map(|line| Line {
            text: line.to_owned(),
            tint: Tint::Plain,
        })
        .collect()
}

fn text(canvas: &mut Canvas<'_>, body: Rect, lines: &[Line], scroll: u16) {
    let lines = lines.iter().skip(usize::from(scroll));
    for (line, y) in lines.zip(body.y..body.bottom()) {
        canvas.put(0, y, body.width, &line.text, line.tint);
    }
}

const OVERVIEW_KEYS: [&str; 6] = [
    "? help",
    "q quit",
    "1-5 tab pages",
    "enter servers",
    "e export",
    "p pause",
];
const SERVER_KEYS: [&str; 9] = [
    "? help",
    "q quit",
    "/ filter",
    "s sort",
    "r reverse",
    "enter open",
    "a allow",
    "e export",
    "p pause",
];
const LIST_KEYS: [&str; 8] = [
    "? help",
    "q quit",
    "/ filter",
    "s sort",
    "r reverse",
    "enter open",
    "e export",
    "p pause",
];

/// As far apart as there is room for.
fn spread(keys: &[&str], width: u16) -> String {
    let apart = ["   ", "  "].map(|gap| keys.join(gap));
    let fitting = apart.into_iter().find(|line| columns(line) <= width);
    fitting.unwrap_or_else(|| keys.join(" "))
}

/// What can be done, or what was just said.
fn foot(canvas: &mut Canvas<'_>, app: &App) {
    let area = canvas.area();
    let y = area.height - 1;
    let keys = match &app.over {
        Over::Filter(_) => {
            let prompt = format!("/{}_", app.pane().sorting.filter);
            canvas.put(0, y, area.width, &prompt, Tint::Strong);
            return;
        }
        Over::Allow { rule, .. } => {
            let prompt = format!("allow {}, because: {}_", rule.words(), rule.reason);
            let prompt = app.message.as_ref().unwrap_or(&prompt);
            canvas.put(0, y, area.width, prompt, Tint::Strong);
            return;
        }
        Over::Evidence { .. } => &["j k space b g G scroll", "a allow", "e export as CSV", "q back"][..],
        Over::Help { .. } | Over::Event { .. } => &["j k space b g G scroll", "q back"],
        Over::Nothing if app.page == Page::Overview => &OVERVIEW_KEYS,
        Over::Nothing if matches!(app.page, Page::Servers | Page::Hosts) => &SERVER_KEYS,
        Over::Nothing => &LIST_KEYS,
    };
    let keys = spread(keys, area.width);
    match (&app.message, &app.trouble) {
        (Some(message), _) => canvas.put(0, y, area.width, message, Tint::Strong),
        (None, Some(trouble)) => canvas.put(0, y, area.width, trouble, Tint::Loss),
        (None, None) => canvas.put(0, y, area.width, &keys, Tint::Plain),
    };
}

//! The first page: what was found, how much comes, what is lost, how the machinery does.
//!
//! In: a [`View`]. Out: cells of the page's body; where there is little room the machinery gives way, then the list. Not its
//! job: the frame around it (`draw`).

use balefire_report::{bytes, engineering, latency, percent, thousands};
use ratatui::layout::Rect;

use super::canvas::{Canvas, Tint, columns};
use super::pages::Page;
use super::sheet::{Cell, Sheet};
use super::view::{Table, View};

/// Columns that labels take.
const LABEL: u16 = 11;
/// Threads and tables stand side by side; the second begins here on a narrow screen.
const NARROW_MIDDLE: u16 = 42;
/// Columns of a thread's name.
const NAME: u16 = 14;
/// Rows of the best servers that are worth a heading.
const LEAST_SERVERS: u16 = 2;
/// Rows of countries that are worth a rule and a heading, both counted.
const LEAST_COUNTRIES: u16 = 5;

pub(crate) fn draw(canvas: &mut Canvas<'_>, body: Rect, view: &View) {
    let mut y = found(canvas, body, view);
    y = rates(canvas, body, view, y + 1);
    y = losses(canvas, body, view, y);
    y = latency_and_memory(canvas, body, view, y);
    // Of what is left a part is the servers', so that the answer is on the first page.
    let rest = body.bottom().saturating_sub(y);
    let machinery = (view.threads.len().max(view.tables.len()) as u16 + 1).min(rest.saturating_sub(LEAST_SERVERS + 2));
    let middle = NARROW_MIDDLE.max(body.width / 2);
    threads(canvas, Rect::new(0, y, middle - 2, machinery), view);
    tables(canvas, Rect::new(middle, y, body.width - middle, machinery), view);
    y += machinery;
    if y < body.bottom() {
        canvas.rule(y);
        best(canvas, Rect::new(0, y + 1, body.width, body.bottom() - y - 1), view);
    }
}

/// The answer first.
fn found(canvas: &mut Canvas<'_>, body: Rect, view: &View) -> u16 {
    let y = body.y;
    let [suspected, probable, confirmed] = view.servers_by_class.map(thousands);
    let of_class = if view.servers_total > 0 {
        format!(": {confirmed} confirmed, {probable} probable, {suspected} suspected")
    } else {
        String::new()
    };
    canvas.put(0, y, LABEL, "servers", Tint::Strong);
    let servers = format!("{}{of_class}", thousands(view.servers_total));
    canvas.put(LABEL, y, body.width - LABEL, &servers, Tint::Strong);
    canvas.put(0, y + 1, LABEL, "hosts", Tint::Strong);
    // Hosts are known of the servers that are listed.
    let at_least = if view.servers_total > view.servers.len() as u64 {
        "at least "
    } else {
        ""
    };
    let hosts = format!(
        "{at_least}{} of {} controlled   servers hosted in ",
        thousands(view.hosts_total),
        thousands(view.hosts_inside),
    );
    let room = (body.width - LABEL).saturating_sub(columns(&hosts));
    let hosts = hosts + &hosted_in(view, room);
    canvas.put(LABEL, y + 1, body.width - LABEL, &hosts, Tint::Plain);
    y + 2
}

/// As many countries as there is room for, those with the most servers first.
fn hosted_in(view: &View, room: u16) -> String {
    const MORE: &str = "  ...";
    let mut words = String::new();
    for (number, country) in view.countries.iter().enumerate() {
        let gap = if words.is_empty() { "" } else { "  " };
        let word = format!("{gap}{} {}", country.code, thousands(country.servers));
        let is_last = number + 1 == view.countries.len();
        let needed = columns(&words) + columns(&word) + if is_last { 0 } else { columns(MORE) };
        if needed > room && number > 0 {
            return words + MORE;
        }
        words.push_str(&word);
    }
    if words.is_empty() {
        return "no country".to_owned();
    }
    words
}

fn rates(canvas: &mut Canvas<'_>, body: Rect, view: &View, y: u16) -> u16 {
    let last = view.rates.last().copied().unwrap_or_default();
    let packets: Vec<f64> = view.rates.iter().map(|rate| rate.packets_per_s).collect();
    let bits: Vec<f64> = view.rates.iter().map(|rate| rate.bits_per_s).collect();
    for (row, (label, now, history)) in [
        ("packets/s", last.packets_per_s, packets),
        ("bits/s", last.bits_per_s, bits),
    ]
    .into_iter()
    .enumerate()
    {
        let y = y + row as u16;
        canvas.put(0, y, LABEL, label, Tint::Plain);
        canvas.put_right(LABEL, y, 7, &engineering(now), Tint::Plain);
        let minute = 60.min(body.width - LABEL - 9);
        canvas.spark(LABEL + 9, y, minute, &history);
        let most = format!(
            "a minute, most {}",
            engineering(history.iter().copied().fold(0.0, f64::max))
        );
        let x = LABEL + 9 + minute + 2;
        if x < body.width {
            canvas.put(x, y, body.width - x, &most, Tint::Plain);
        }
    }
    y + 2
}

fn losses(canvas: &mut Canvas<'_>, body: Rect, view: &View, y: u16) -> u16 {
    let packets = &view.packets;
    canvas.put(0, y, LABEL, "received", Tint::Plain);
    let room = body.width - LABEL;
    let rounded = |frames| engineering(frames as f64);
    // Every digit where there is room.
    let forms = [
        sum(view, thousands, true),
        sum(view, rounded, true),
        sum(view, rounded, false),
    ];
    let fitting = forms.iter().find(|form| columns(form) <= room).unwrap_or(&forms[2]);
    canvas.put(LABEL, y, room, fitting, Tint::Plain);
    canvas.put(0, y + 1, LABEL, "lost", Tint::Plain);
    let counted = |frames: Option<u64>| frames.map_or_else(|| "not counted".to_owned(), thousands);
    let places = [
        (
            format!("kernel {}", counted(packets.dropped_kernel)),
            packets.dropped_kernel.unwrap_or(0),
        ),
        (
            format!("interface {}", counted(packets.dropped_interface)),
            packets.dropped_interface.unwrap_or(0),
        ),
        (
            format!("queues {}", thousands(packets.dropped_queue)),
            packets.dropped_queue,
        ),
        (format!("gaps {}", thousands(view.gaps)), view.gaps),
        (
            format!("hours not written {}", thousands(view.hours_lost)),
            view.hours_lost,
        ),
    ];
    let mut x = LABEL;
    for (place, frames) in places {
        let tint = if frames > 0 { Tint::Loss } else { Tint::Plain };
        x = canvas.put(x, y + 1, body.width.saturating_sub(x), &place, tint) + 3;
    }
    y + 2
}

/// Where every packet went; the few that are on the way where `all` is asked for.
fn sum(view: &View, words: fn(u64) -> String, all: bool) -> String {
    let packets = &view.packets;
    let on_the_way = match packets.on_the_way() {
        frames if frames > 0 && all => format!(" + {} on the way", words(frames)),
        _ => String::new(),
    };
    format!(
        "{} = {} decoded + {} not IP + {} rejected + {} dropped{on_the_way}",
        words(packets.received),
        words(packets.decoded),
        words(packets.not_ip),
        words(packets.rejected),
        words(packets.dropped_queue),
    )
}

fn latency_and_memory(canvas: &mut Canvas<'_>, body: Rect, view: &View, y: u16) -> u16 {
    canvas.put(0, y, LABEL, "latency", Tint::Plain);
    let numbers = view.latency;
    let words = format!(
        "p50 {}   p99 {}   p99.9 {}   most {}{}",
        latency(numbers.p50_ns),
        latency(numbers.p99_ns),
        latency(numbers.p999_ns),
        latency(numbers.max_ns),
        if body.width >= 100 {
            "   from hand-over to verdict"
        } else {
            ""
        }
    );
    canvas.put(LABEL, y, body.width - LABEL, &words, Tint::Plain);
    canvas.put(0, y + 1, LABEL, "memory", Tint::Plain);
    let Some(used) = view.memory.used_bytes else {
        canvas.put(LABEL, y + 1, body.width - LABEL, "not known", Tint::Plain);
        return y + 2;
    };
    let cap = view.memory.cap_bytes;
    let share = if cap > 0 { used as f64 / cap as f64 } else { 0.0 };
    let words = match cap {
        0 => bytes(used),
        _ => format!("{} of {}, {}", bytes(used), bytes(cap), percent(share)),
    };
    let x = canvas.put(LABEL, y + 1, body.width - LABEL, &words, Tint::Plain) + 2;
    if cap > 0 {
        let tint = if share >= 1.0 { Tint::Loss } else { Tint::Share };
        canvas.bar(x, y + 1, 24.min(body.width.saturating_sub(x)), share, tint);
    }
    y + 2
}

/// Every thread with its use, every worker with its queue.
fn threads(canvas: &mut Canvas<'_>, area: Rect, view: &View) {
    if area.height == 0 {
        return;
    }
    canvas.put(0, area.y, NAME, "thread", Tint::Strong);
    canvas.put_right(NAME, area.y, 5, "busy", Tint::Strong);
    canvas.put_right(area.width - 10, area.y, 10, "queue", Tint::Strong);
    let mut workers = 0;
    let room = usize::from(area.height - 1);
    for (thread, y) in view.threads.iter().take(room).zip(area.y + 1..) {
        canvas.put(0, y, NAME, &thread.name, Tint::Plain);
        match (thread.busy, thread.silent_s) {
            (_, silent @ 5..) => {
                canvas.put(
                    NAME + 1,
                    y,
                    area.width - NAME - 1,
                    &format!("silent for {silent} s"),
                    Tint::Loss,
                );
            }
            (Some(busy), _) => {
                canvas.put_right(
                    NAME,
                    y,
                    5,
                    &format!("{:.0} %", busy.clamp(0.0, 1.0) * 100.0),
                    Tint::Plain,
                );
                canvas.bar(NAME + 6, y, area.width - NAME - 17, busy, Tint::Share);
            }
            (None, _) => {
                canvas.put_right(NAME, y, 5, "alive", Tint::Plain);
            }
        }
        if thread.name.starts_with("worker")
            && let Some(queue) = view.queues.get(workers)
        {
            workers += 1;
            let words = format!("{} of {}", queue.blocks, queue.capacity);
            let tint = if queue.dropped > 0 { Tint::Loss } else { Tint::Plain };
            canvas.put_right(area.width - 10, y, 10, &words, tint);
        }
    }
}

fn tables(canvas: &mut Canvas<'_>, area: Rect, view: &View) {
    if area.height == 0 {
        return;
    }
    let titles = [
        ("table", 0, 12, false),
        ("entries", 12, 8, true),
        ("of", 20, 8, true),
        ("evicted", 28, 9, true),
    ];
    for (title, x, width, right) in titles {
        if right {
            canvas.put_right(area.x + x, area.y, width, title, Tint::Strong);
        } else {
            canvas.put(area.x + x, area.y, width, title, Tint::Strong);
        }
    }
    for (table, y) in view.tables.iter().zip(area.y + 1..area.bottom()) {
        table_row(canvas, area, y, table);
    }
}

fn table_row(canvas: &mut Canvas<'_>, area: Rect, y: u16, table: &Table) {
    canvas.put(area.x, y, 12, &table.name, Tint::Plain);
    canvas.put_right(area.x + 12, y, 8, &engineering(table.entries as f64), Tint::Plain);
    let limit = if table.limit > 0 {
        engineering(table.limit as f64)
    } else {
        "-".to_owned()
    };
    canvas.put_right(area.x + 20, y, 8, &limit, Tint::Plain);
    let tint = if table.evicted > 0 { Tint::Loss } else { Tint::Plain };
    canvas.put_right(area.x + 28, y, 9, &engineering(table.evicted as f64), tint);
    if area.width > 60 && table.limit > 0 {
        let share = table.entries as f64 / table.limit as f64;
        canvas.bar(area.x + 39, y, area.width - 41, share, Tint::Share);
    }
}

/// The first servers, as the second page has them, and where there is room the countries of the fourth.
fn best(canvas: &mut Canvas<'_>, area: Rect, view: &View) {
    let servers = Page::Servers.sheet(view);
    let countries = Page::Countries.sheet(view);
    if servers.rows.is_empty() {
        canvas.put(1, area.y, area.width - 1, "nothing is suspected", Tint::Plain);
        return;
    }
    let wanted = |sheet: &Sheet| u16::try_from(sheet.rows.len()).unwrap_or(u16::MAX).saturating_add(1);
    let below = (wanted(&countries) + 1).min(area.height / 3);
    let room = if below < LEAST_COUNTRIES { 0 } else { below };
    let height = wanted(&servers).min(area.height - room);
    first_rows(canvas, Rect { height, ..area }, &servers);
    if room > 0 {
        canvas.rule(area.y + height);
        let rows = Rect::new(0, area.y + height + 1, area.width, room - 1);
        first_rows(canvas, rows, &countries);
    }
}

/// As many as fit.
fn first_rows(canvas: &mut Canvas<'_>, area: Rect, sheet: &Sheet) {
    let gap = if area.width >= 100 { 2 } else { 1 };
    let mut x = 1;
    for (index, width) in sheet.fitting(area.width - 1, gap) {
        let column = &sheet.columns[index];
        let title = Cell::text(column.title).tinted(Tint::Strong);
        let cells = sheet.rows.iter().filter_map(|row| row.cells.get(index));
        for (cell, y) in std::iter::once(&title).chain(cells).zip(area.y..area.bottom()) {
            match cell.bar {
                Some(share) => canvas.bar(x, y, width, share, cell.tint),
                None if column.right => canvas.put_right(x, y, width, &cell.text, cell.tint),
                None => {
                    canvas.put(x, y, width, &cell.text, cell.tint);
                }
            }
        }
        x += width + gap;
    }
}

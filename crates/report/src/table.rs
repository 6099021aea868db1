//! The terminal page of a run: the answer first, the evidence second, the machinery last.
//!
//! In: a [`Summary`], the [`Heading`] of the run, a [`Style`]. Out: a page of text. Not its job: the page of one server
//! (`why`), and where the text goes.

use balefire_detect::{Accounting, Class, ControlServer, CountryRow, Evidence, ScorePart, Summary};

use crate::Style;
use crate::country::country_name;
use crate::document::{Split, has_score};
use crate::grid::{Align, Cell, Grid};
use crate::lists::{allowed_lines, intel_line};
use crate::number::{bytes, counted, date_time, duration, percent, score, seconds, thousands};
use crate::place::{COUNTRY_NOTE, socket, source_text};
use crate::text::{clean, shortened};

/// Rows of the server table; the rest is counted and left to JSON.
const SERVER_ROWS: usize = 40;
/// Rows of the country table.
const COUNTRY_ROWS: usize = 25;
/// Columns for a name and for the reasons; both come from the wire or from texts of open length.
const NAME_COLUMNS: usize = 32;
const WHY_COLUMNS: usize = 72;

/// What the program knows of the run beside its summary.
#[derive(Clone, Debug, Default)]
pub struct Heading {
    /// What was read or listened to, as the operator gave it.
    pub input: String,
    /// What was read one of after the other.
    pub unit: Unit,
    /// Wall time it took, seconds; left out where `None`.
    pub elapsed_s: Option<f64>,
    /// Hours with at least one packet, and hours the run spans.
    pub hours_watched: (u64, u64),
    /// Lines the program adds at the end: hour files written, damaged inputs, how to go on.
    pub notes: Vec<String>,
}

/// What a run is counted in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    /// Packets of a tap or of captures, and their bytes on the wire.
    #[default]
    Packets,
    /// Lines of connection logs, and the bytes they tell of.
    Lines,
}

/// The page.
pub fn table(summary: &Summary, heading: &Heading, style: Style) -> String {
    let mut page = head_line(summary, heading);
    page.push('\n');
    if summary.servers.is_empty() {
        page.push_str(&nothing_found(summary, heading));
    } else {
        page.push_str(&servers(summary, style));
        page.push('\n');
        page.push_str(&countries(summary));
    }
    page.push('\n');
    page.push_str(&accounting_line(&summary.accounting, style));
    page.push_str(&format!(
        "  Watched {} of {}.\n",
        thousands(heading.hours_watched.0),
        counted(heading.hours_watched.1, "hour")
    ));
    page.push_str(&losses(&summary.accounting, style));
    page.push_str(&format!(
        "Countries: {}. {COUNTRY_NOTE}\n",
        source_text(&summary.country_source)
    ));
    page.push_str(&intel_line(&summary.intel));
    page.push_str(&allowed_lines(&summary.allowed));
    for note in &heading.notes {
        page.push_str(&clean(note));
        page.push('\n');
    }
    page
}

/// `received = decoded + not IP + rejected + dropped`, without a line end.
pub fn accounting_line(accounting: &Accounting, style: Style) -> String {
    let Split {
        not_ip,
        rejected,
        dropped,
    } = Split::of(accounting);
    let dropped_text = format!("{} dropped", thousands(dropped));
    let mut line = format!(
        "{} received = {} decoded + {} not IP + {} rejected + {}.",
        thousands(accounting.received),
        thousands(accounting.decoded),
        thousands(not_ip),
        thousands(rejected),
        if dropped > 0 {
            style.loss(&dropped_text)
        } else {
            dropped_text
        },
    );
    let accounted = accounting.accounted();
    if accounted != accounting.received {
        let difference = thousands(accounted.abs_diff(accounting.received));
        line.push_str(&style.loss(&format!(
            " The two sides differ by {difference}: a counter is wrong, please report it."
        )));
    }
    line
}

fn head_line(summary: &Summary, heading: &Heading) -> String {
    let accounting = &summary.accounting;
    let (count, volume) = (accounting.received, bytes(accounting.wire_bytes));
    let mut line = match heading.unit {
        Unit::Packets => format!(
            "{}   {}, {volume} on the wire",
            clean(&heading.input),
            counted(count, "packet")
        ),
        Unit::Lines => format!(
            "{}   {} telling of {volume}",
            clean(&heading.input),
            counted(count, "line")
        ),
    };
    if let (Some(first_ns), Some(last_ns)) = (summary.first_packet_ns, summary.last_packet_ns) {
        line.push_str(&format!(
            ", {} from {}",
            duration(last_ns.saturating_sub(first_ns)),
            date_time(first_ns)
        ));
    }
    if let Some(elapsed_s) = heading.elapsed_s {
        line.push_str(&format!(", in {}", seconds(elapsed_s)));
    }
    line + "\n"
}

fn nothing_found(summary: &Summary, heading: &Heading) -> String {
    let totals = &summary.totals;
    format!(
        "No suspected control server among {} of {}: {}, {} long enough to be scored, {} watched.\n",
        counted(totals.destinations, "destination"),
        counted(totals.hosts, "host"),
        counted(totals.connections, "connection"),
        counted(totals.timelines, "timeline"),
        counted(heading.hours_watched.0, "hour"),
    )
}

fn servers(summary: &Summary, style: Style) -> String {
    let totals = &summary.totals;
    let mut grid = Grid::new(&[
        ("#", Align::Right),
        ("server", Align::Left),
        ("name", Align::Left),
        ("country", Align::Left),
        ("class", Align::Left),
        ("score", Align::Right),
        ("hosts", Align::Right),
        ("interval", Align::Right),
        ("jitter", Align::Right),
        ("check-ins", Align::Right),
        ("why", Align::Left),
    ]);
    for server in summary.servers.iter().take(SERVER_ROWS) {
        grid.row(server_row(server, style));
    }
    let mut text = format!(
        "Suspected control servers: {}{}\n{}",
        of_destinations(summary),
        by_class(totals.servers_by_class),
        grid.text()
    );
    if let Some(more) = summary.servers.len().checked_sub(SERVER_ROWS).filter(|more| *more > 0) {
        text.push_str(&format!(
            " and {} more: --format json lists all\n",
            thousands(more as u64)
        ));
    }
    text
}

/// `3 of 46 destinations of 20 hosts`. A name that was only asked for is a server, but nobody's destination.
fn of_destinations(summary: &Summary) -> String {
    let totals = &summary.totals;
    let among = format!(
        "{} of {}",
        counted(totals.destinations, "destination"),
        counted(totals.hosts, "host")
    );
    let servers = thousands(totals.servers);
    if totals.servers > totals.destinations {
        format!("{servers}, beside {among}")
    } else {
        format!("{servers} of {among}")
    }
}

fn server_row(server: &ControlServer, style: Style) -> Vec<Cell> {
    let best = server.evidence.iter().find(|sign| sign.intel.is_none());
    let number = |text: Option<String>| Cell::new(text.unwrap_or_else(|| "-".to_owned()));
    vec![
        Cell::new(server.rank.to_string()),
        Cell::new(socket(server.address, server.port, server.transport)),
        Cell::new(
            server
                .names
                .first()
                .map_or_else(|| "-".to_owned(), |name| shortened(name, NAME_COLUMNS)),
        ),
        Cell::new(server.country.code()),
        Cell::class(style, server.class),
        number(has_score(server).then(|| score(server.score))),
        Cell::new(thousands(server.hosts.len() as u64)),
        number(best.map(|evidence| seconds(evidence.interval_s))),
        number(best.map(|evidence| percent(evidence.jitter))),
        Cell::new(thousands(server.check_ins)),
        Cell::new(why_words(server)),
    ]
}

fn why_words(server: &ControlServer) -> String {
    let listed = server
        .evidence
        .iter()
        .find_map(|sign| sign.intel.as_ref())
        .map(crate::lists::few_words);
    let behaviour = server.evidence.iter().find(|sign| sign.intel.is_none()).map(few_words);
    let words: Vec<String> = listed.into_iter().chain(behaviour).collect();
    let words = shortened(&words.join("; "), WHY_COLUMNS);
    if server.behind_relay {
        shortened(&format!("behind this relay: {words}"), WHY_COLUMNS)
    } else {
        words
    }
}

/// What speaks most for it, in few words: the first clause of each of the largest parts. Parts come largest first.
fn few_words(evidence: &Evidence) -> String {
    let clause = |part: &ScorePart| {
        let end = part.text.find([',', '(', ';', ':']).unwrap_or(part.text.len());
        clean(part.text[..end].trim())
    };
    let mut parts = evidence
        .parts
        .iter()
        .filter(|part| part.log_odds > 0.0)
        .map(clause)
        .filter(|text| !text.is_empty());
    let mut words = parts.next().unwrap_or_default();
    for part in parts {
        if words.chars().count() + 2 + part.chars().count() > WHY_COLUMNS {
            break;
        }
        words.push_str(", ");
        words.push_str(&part);
    }
    shortened(&words, WHY_COLUMNS)
}

/// ` (1 confirmed, 3 probable)`, behind a number of servers; counts come as [suspected, probable, confirmed]. Nothing where there is none.
pub fn by_class(servers_by_class: [u64; 3]) -> String {
    let classes = [Class::Confirmed, Class::Probable, Class::Suspected];
    let counts = [servers_by_class[2], servers_by_class[1], servers_by_class[0]];
    let words: Vec<String> = classes
        .iter()
        .zip(counts)
        .filter(|(_, count)| *count > 0)
        .map(|(class, count)| format!("{} {}", thousands(count), class.name()))
        .collect();
    if words.is_empty() {
        String::new()
    } else {
        format!(" ({})", words.join(", "))
    }
}

fn countries(summary: &Summary) -> String {
    let totals = &summary.totals;
    let of_servers = format!("of {}", thousands(totals.servers));
    let of_hosts = format!("of {} controlled", thousands(totals.controlled_hosts));
    let mut grid = Grid::new(&[
        ("By hosting country", Align::Left),
        ("rank", Align::Right),
        ("servers", Align::Right),
        (&of_servers, Align::Right),
        ("rank", Align::Right),
        ("hosts", Align::Right),
        (&of_hosts, Align::Right),
    ]);
    let rows: Vec<&CountryRow> = summary.countries.iter().filter(|row| row.servers > 0).collect();
    for row in rows.iter().take(COUNTRY_ROWS) {
        grid.row(vec![
            Cell::new(format!("{}  {}", row.country.code(), country_name(&row.country))),
            Cell::new(row.rank_by_servers.to_string()),
            Cell::new(thousands(row.servers)),
            Cell::new(percent(row.share_of_servers)),
            Cell::new(row.rank_by_hosts.to_string()),
            Cell::new(thousands(row.hosts)),
            Cell::new(percent(row.share_of_hosts)),
        ]);
    }
    let mut text = grid.text();
    if let Some(more) = rows.len().checked_sub(COUNTRY_ROWS).filter(|more| *more > 0) {
        text.push_str(&format!(
            " and {}: --format csv lists all\n",
            counted(more as u64, "more country")
        ));
    }
    text.push_str(&format!(
        "{}, {}. A host under two countries counts once in each and once here.\n",
        counted(totals.servers, "distinct server"),
        counted(totals.controlled_hosts, "distinct controlled host"),
    ));
    if let (Some(servers), Some(hosts)) = (totals.servers_abroad, totals.hosts_abroad) {
        text.push_str(&format!(
            "Abroad: {} of {}, {} of {}.\n",
            thousands(servers),
            counted(totals.servers, "server"),
            thousands(hosts),
            counted(totals.controlled_hosts, "controlled host")
        ));
    }
    text
}

/// Lines that only appear where there is something to say: rejects by reason, drops by queue, kernel, interface, late.
fn losses(accounting: &Accounting, style: Style) -> String {
    let mut lines = Vec::new();
    let mut rejects: Vec<String> = accounting
        .rejects
        .iter()
        .filter(|(reason, frames)| *frames > 0 && *reason != balefire_detect::Reject::NotIp)
        .map(|(reason, frames)| format!("{} {}", thousands(*frames), reason.name()))
        .collect();
    if accounting.decode_panics > 0 {
        rejects.push(format!(
            "{} by a bug in the decoder (please report it)",
            thousands(accounting.decode_panics)
        ));
    }
    if !rejects.is_empty() {
        lines.push(format!("Rejected: {}.", rejects.join(", ")));
    }
    let queues: Vec<String> = accounting
        .queue_drops
        .iter()
        .filter(|queue| queue.frames > 0)
        .map(|queue| format!("worker-{} {}", queue.worker, thousands(queue.frames)))
        .collect();
    if !queues.is_empty() {
        lines.push(style.loss(&format!("Dropped at full queues: {}.", queues.join(", "))));
    }
    if let (Some(kernel), Some(interface)) = (accounting.kernel_drops, accounting.interface_drops) {
        let text = format!(
            "Lost before us: {} in the kernel, {} by the interface.",
            thousands(kernel),
            thousands(interface)
        );
        lines.push(if kernel + interface > 0 {
            style.loss(&text)
        } else {
            text
        });
    }
    if accounting.late > 0 {
        lines.push(match accounting.late {
            1 => "1 packet came after its hour was closed and counts in the one open then.".to_owned(),
            more => format!(
                "{} packets came after their hour was closed and count in the one open then.",
                thousands(more)
            ),
        });
    }
    if accounting.clock_steps > 0 {
        lines.push(format!(
            "Packet time fell back {} by more than a second.",
            counted(accounting.clock_steps, "time")
        ));
    }
    if accounting.evictions > 0 {
        let entries = counted(accounting.evictions, "table entry");
        lines.push(style.loss(&format!(
            "{entries} had to go for lack of room (--memory): there may have been more than was found."
        )));
    }
    lines.into_iter().map(|line| line + "\n").collect()
}

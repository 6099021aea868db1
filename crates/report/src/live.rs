//! Rows for a plain terminal, one a second, in the manner of vmstat: rates, losses, queues, latency, what was found.
//!
//! In: a [`LiveRow`], which the program fills from the pipeline's snapshot. Out: one line of text under [`live_header`].
//! Not its job: when and where to print, full-screen consoles.

use balefire_detect::{ControlServer, CountryRow};

use crate::Style;
use crate::country::country_name;
use crate::document::has_score;
use crate::number::{counted, date_time, duration, engineering, latency, score};
use crate::place::socket_with_protocol;
use crate::text::clean;

/// How full one worker's queue is.
#[derive(Clone, Copy, Debug, Default)]
pub struct LiveQueue {
    /// Blocks waiting.
    pub blocks: usize,
    /// Blocks it can hold.
    pub capacity: usize,
}

/// What one row says.
#[derive(Clone, Debug, Default)]
pub struct LiveRow {
    /// Wall time since the start, seconds.
    pub elapsed_s: f64,
    /// Packets a second.
    pub packets_per_s: f64,
    /// Bits a second on the wire.
    pub bits_per_s: f64,
    /// Lost in the kernel's ring, in all.
    pub kernel_drops: u64,
    /// Lost by the interface, in all.
    pub interface_drops: u64,
    /// Lost at full queues, in all.
    pub queue_drops: u64,
    /// Every worker's queue.
    pub queues: Vec<LiveQueue>,
    /// Use of the busiest thread, 0 to 1.
    pub busiest: f64,
    /// Hand-over to verdict, 99 of 100 are below, nanoseconds.
    pub latency_p99_ns: u64,
    /// Hosts inside.
    pub hosts: u64,
    /// Timelines kept.
    pub timelines: u64,
    /// Entries evicted from full tables, in all.
    pub evictions: u64,
    /// Suspected control servers.
    pub servers: u64,
    /// Hosting countries, first by servers.
    pub countries: Vec<CountryRow>,
}

/// Names the columns of [`live_row`]; losses and evictions are totals since the start.
pub fn live_header() -> String {
    format!(
        "{:>9}  {:>8}  {:>8}  {:<20}  {:>7}  {:>6}  {:>8}  {:>8}  {:>9}  {:>7}  {:>7}  countries (servers)",
        "up",
        "pkt/s",
        "bit/s",
        "lost kern/iface/queue",
        "queues",
        "busy",
        "p99",
        "hosts",
        "timelines",
        "evicted",
        "servers"
    )
}

/// One line on a server whose class is new, without its end.
pub fn live_news(server: &ControlServer, style: Style) -> String {
    let name = server
        .names
        .first()
        .map(|name| format!(" ({})", clean(name)))
        .unwrap_or_default();
    let said = if has_score(server) {
        format!("score {}", score(server.score))
    } else {
        "by threat intelligence".to_owned()
    };
    format!(
        "{} control server {}{name}, {} {}, {}, {}, last check-in {}",
        style.class(server.class, server.class.name()),
        socket_with_protocol(server),
        clean(server.country.code()),
        country_name(&server.country),
        said,
        counted(server.hosts.len() as u64, "host"),
        date_time(server.last_ns),
    )
}

/// One line, without its end.
pub fn live_row(row: &LiveRow, style: Style) -> String {
    let lost = format!("{}/{}/{}", row.kernel_drops, row.interface_drops, row.queue_drops);
    let lost_padded = format!("{lost:<21}");
    let any_loss = row.kernel_drops + row.interface_drops + row.queue_drops > 0;
    let waiting: usize = row.queues.iter().map(|queue| queue.blocks).sum();
    let room: usize = row.queues.iter().map(|queue| queue.capacity).sum();
    let countries = row.countries.iter().filter(|country| country.servers > 0).take(5);
    let countries: Vec<String> = countries
        .map(|country| format!("{} {}", clean(country.country.code()), country.servers))
        .collect();
    format!(
        "{:>9}  {:>8}  {:>8}  {}  {:>7}  {:>6}  {:>8}  {:>8}  {:>9}  {:>7}  {:>7}  {}",
        duration((row.elapsed_s.clamp(0.0, 1e9) as i64).saturating_mul(1_000_000_000)),
        engineering(row.packets_per_s),
        engineering(row.bits_per_s),
        if any_loss {
            style.loss(&lost_padded)
        } else {
            lost_padded
        },
        format!("{waiting}/{room}"),
        format!("{:.0} %", row.busiest.clamp(0.0, 1.0) * 100.0),
        latency(row.latency_p99_ns),
        engineering(row.hosts as f64),
        engineering(row.timelines as f64),
        engineering(row.evictions as f64),
        row.servers,
        if countries.is_empty() {
            "-".to_owned()
        } else {
            countries.join(" ")
        },
    )
    .trim_end()
    .to_owned()
}

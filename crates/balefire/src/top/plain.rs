//! `balefire top` as lines: for pipes, logs and terminals that can show nothing else.
//!
//! In: a [`Source`] of views. Out: the rows that `live` prints, one a second, on standard output, until a signal or until nobody
//! reads. Not its job: what a row says (`report`).

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use balefire_detect::{Country, CountryRow};
use balefire_report::{LiveQueue, LiveRow, live_header, live_row};

use super::screen::Source;
use super::view::View;
use crate::exit::{Exit, Failure};
use crate::output;

/// Rows under one heading.
const ROWS_PER_HEADING: u64 = 20;

pub(crate) fn show(mut source: Box<dyn Source>, every: Duration, end: &AtomicBool) -> Result<Exit, Failure> {
    let mut next = Instant::now();
    let mut rows = 0_u64;
    while !end.load(Ordering::Relaxed) {
        if let Some(left) = next.checked_duration_since(Instant::now()) {
            thread::sleep(left.min(Duration::from_millis(100)));
            continue;
        }
        next += every;
        let view = source.view().map_err(Failure::failed)?;
        let mut text = String::new();
        if rows.is_multiple_of(ROWS_PER_HEADING) {
            text.push_str(&live_header());
            text.push('\n');
        }
        rows += 1;
        text.push_str(&live_row(&row(&view), output::stdout_style()));
        text.push('\n');
        let mut stdout = io::stdout().lock();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
            written => written.map_err(|error| Failure::failed(format!("standard output: {error}")))?,
        }
    }
    Ok(Exit::Done)
}

fn row(view: &View) -> LiveRow {
    let rate = view.rates.last().copied().unwrap_or_default();
    let queues = view.queues.iter().map(|queue| LiveQueue {
        blocks: usize::try_from(queue.blocks).unwrap_or(usize::MAX),
        capacity: usize::try_from(queue.capacity).unwrap_or(usize::MAX),
    });
    LiveRow {
        elapsed_s: view.up_s,
        packets_per_s: rate.packets_per_s,
        bits_per_s: rate.bits_per_s,
        kernel_drops: view.packets.dropped_kernel.unwrap_or(0),
        interface_drops: view.packets.dropped_interface.unwrap_or(0),
        queue_drops: view.packets.dropped_queue,
        queues: queues.collect(),
        busiest: view.threads.iter().filter_map(|thread| thread.busy).fold(0.0, f64::max),
        latency_p99_ns: view.latency.p99_ns,
        hosts: view.hosts_inside,
        timelines: view
            .tables
            .iter()
            .find(|table| table.name == "timelines")
            .map_or(0, |table| table.entries),
        evictions: view.tables.iter().map(|table| table.evicted).sum(),
        servers: view.servers_total,
        countries: view.countries.iter().map(country).collect(),
    }
}

fn country(country: &super::view::Country) -> CountryRow {
    let code = country.code.as_bytes();
    CountryRow {
        country: code.try_into().map_or(Country::UNKNOWN, Country),
        servers: country.servers,
        hosts: country.hosts,
        rank_by_servers: country.rank_by_servers,
        rank_by_hosts: country.rank_by_hosts,
        share_of_servers: 0.0,
        share_of_hosts: 0.0,
        connections: 0,
        bytes_out: 0,
        bytes_in: 0,
        packets: 0,
    }
}

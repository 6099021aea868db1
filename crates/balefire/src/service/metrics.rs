//! Metrics over HTTP, in the text form of Prometheus, or as OpenMetrics for who asks for that.
//!
//! In: [`State`]. Out: a page of numbers at `/metrics`. Labels are bounded: reasons, threads, tables, classes, and at most 50
//! countries; no address and no name from the wire ever is one. Not its job: the socket (`listen`).

use std::fmt;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::time::SystemTime;

use balefire_detect::{Class, Reject};
use balefire_pipeline::{LATENCY_BOUNDS_NS, Snapshot};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::listen::{Answerer, Door, MOST_QUESTION_BYTES, serve};
use super::vitals::{State, Vitals, unix_seconds};
use crate::exit::Failure;

/// The port of balefire's metrics, unless set otherwise.
pub(crate) const DEFAULT_ADDRESS: &str = "127.0.0.1:9477";

/// Refuses an address that other machines can reach, unless that is said to be meant.
pub(crate) fn check(address: SocketAddr, anywhere: bool) -> Result<(), Failure> {
    if !address.ip().is_loopback() && !anywhere {
        return Err(Failure::usage(format!(
            "metrics on {address} could be read from other machines, without any password; if that is wanted, say so: \
             --metrics-anywhere, or [metrics] anywhere = true"
        )));
    }
    Ok(())
}

/// Opens the address and answers there from now on; returns where (a port of 0 is chosen by the system).
pub(crate) fn open(address: SocketAddr, anywhere: bool, vitals: &Vitals) -> Result<SocketAddr, Failure> {
    check(address, anywhere)?;
    let refused = |error: std::io::Error| {
        Failure::failed(format!(
            "metrics on {address}: {error}; choose another address: --metrics ADDRESS:PORT, or [metrics] listen"
        ))
    };
    let listener = TcpListener::bind(address).map_err(refused)?;
    let bound = listener.local_addr().map_err(refused)?;
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Page(vitals.clone())));
    serve("metrics", Door::Tcp(listener), Box::new(Http { registry }))?;
    Ok(bound)
}

/// As much of HTTP/1.1 as a scraper needs: one request, one answer, the end.
struct Http {
    registry: Registry,
}

impl Answerer for Http {
    fn answer(&mut self, question: &[u8], ended: bool) -> Option<Vec<u8>> {
        let whole = question.windows(4).any(|end| end == b"\r\n\r\n");
        if !whole {
            return ended.then(|| response("400 Bad Request", TEXT, "the request is not whole\n", true));
        }
        let line = question.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        let mut words = line.split(' ');
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let body = method != "HEAD";
        if method != "GET" && method != "HEAD" {
            return Some(response("405 Method Not Allowed", TEXT, "only GET and HEAD\n", true));
        }
        match path.split('?').next().unwrap_or_default() {
            "/metrics" => {
                let mut page = String::new();
                Some(match text::encode(&mut page, &self.registry) {
                    Ok(()) if accepts_open_metrics(question) => response("200 OK", OPEN_METRICS, &page, body),
                    Ok(()) => response("200 OK", PROMETHEUS, &as_prometheus(&page), body),
                    Err(fmt::Error) => response("500 Internal Server Error", TEXT, "no page could be made\n", body),
                })
            }
            "/" => Some(response("200 OK", TEXT, "balefire: metrics are at /metrics\n", body)),
            _ => Some(response("404 Not Found", TEXT, "metrics are at /metrics\n", body)),
        }
    }

    fn too_long(&self) -> Vec<u8> {
        response(
            "431 Request Header Fields Too Large",
            TEXT,
            &format!("a request has at most {MOST_QUESTION_BYTES} bytes\n"),
            true,
        )
    }
}

const TEXT: &str = "text/plain; charset=utf-8";
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Whether the request's Accept names OpenMetrics, as Prometheus itself does; curl and older scrapers take any text.
fn accepts_open_metrics(question: &[u8]) -> bool {
    let question = String::from_utf8_lossy(question).to_ascii_lowercase();
    let accept = question.lines().filter_map(|line| line.strip_prefix("accept:"));
    accept.flat_map(|kinds| kinds.split(',')).any(|kind| {
        let mut words = kind.split(';').map(str::trim);
        // A weight of 0 says: not that (RFC 9110, 12.4.2).
        words.next() == Some("application/openmetrics-text")
            && !words.any(|word| word.strip_prefix("q=").is_some_and(|weight| weight.parse() == Ok(0.0)))
    })
}

/// The page in the older form (prometheus.io, Exposition formats, text-based format): a family is called by the names of its samples, which
/// for counters end in `_total` and for information in `_info`, a type of which the older form knows nothing; and no line marks the end.
fn as_prometheus(page: &str) -> String {
    let mut older = String::with_capacity(page.len() + page.len() / 8);
    let mut help = "";
    for line in page.lines() {
        let family = |line: &str| line.split(' ').nth(2).unwrap_or_default().to_owned();
        if line.starts_with("# HELP ") {
            help = line;
        } else if let Some(of) = line.strip_prefix("# TYPE ") {
            let (name, kind) = of.split_once(' ').unwrap_or((of, "untyped"));
            let (suffix, kind) = match kind {
                "counter" => ("_total", kind),
                "info" => ("_info", "gauge"),
                _ => ("", kind),
            };
            if family(help) == name {
                let words = help.splitn(4, ' ').nth(3).unwrap_or_default();
                older.push_str(&format!("# HELP {name}{suffix} {words}\n"));
            }
            older.push_str(&format!("# TYPE {name}{suffix} {kind}\n"));
        } else if !line.starts_with('#') {
            older.push_str(line);
            older.push('\n');
        }
    }
    older
}

fn response(status: &str, kind: &str, body: &str, with_body: bool) -> Vec<u8> {
    let length = body.len();
    let body = if with_body { body } else { "" };
    format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
        .into_bytes()
}

/// Makes the page, anew for every scrape.
#[derive(Debug)]
struct Page(Vitals);

impl Collector for Page {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let state = self.0.state();
        let mut lines = Lines { encoder };
        lines.process(&state)?;
        lines.packets(&state.snapshot)?;
        lines.threads(&state)?;
        lines.tables(&state)?;
        lines.findings(&state.snapshot)?;
        lines.service(&state)
    }
}

struct Lines<'a> {
    encoder: DescriptorEncoder<'a>,
}

impl Lines<'_> {
    fn process(&mut self, state: &State) -> fmt::Result {
        let labels = [("version", env!("CARGO_PKG_VERSION")), ("sensor", &state.sensor)];
        let mut info =
            self.encoder
                .encode_descriptor("balefire_build", "Version and sensor", None, MetricType::Info)?;
        info.encode_info(&labels)?;
        self.gauge("uptime_seconds", "Since the start", state.snapshot.elapsed_s)?;
        if let Some(bytes) = resident_bytes() {
            self.gauge("resident_memory_bytes", "Memory in use", bytes)?;
        }
        if let Ok(open) = fs::read_dir("/proc/self/fd") {
            self.gauge("open_file_descriptors", "Open files and sockets", open.count() as f64)?;
        }
        Ok(())
    }

    fn packets(&mut self, snapshot: &Snapshot) -> fmt::Result {
        let counts = &snapshot.accounting;
        self.counter("packets_received", "Frames the capture delivered", counts.received)?;
        self.counter("wire_bytes", "Their lengths on the wire", counts.wire_bytes)?;
        self.counter(
            "packets_decoded",
            "Frames read down to an IP conversation",
            counts.decoded,
        )?;
        let rejects = Reject::ALL.iter().map(|reject| {
            let found = counts.rejects.iter().find(|(of, _)| of == reject);
            (
                "reason",
                reject.name().to_owned(),
                found.map_or(0, |(_, frames)| *frames),
            )
        });
        self.counters("packets_rejected", "Frames not decoded, by reason", rejects)?;
        self.counter(
            "decode_panics",
            "Frames on which the decoder failed by a bug",
            counts.decode_panics,
        )?;
        self.counter("packets_late", "Packets of an hour already closed", counts.late)?;
        let queue: u64 = snapshot.queues.iter().map(|queue| queue.dropped).sum();
        let kernel = snapshot.kernel.unwrap_or_default();
        let places = [
            ("kernel", kernel.dropped_kernel),
            ("interface", kernel.dropped_interface),
            ("queue", queue),
        ];
        self.counters(
            "packets_dropped",
            "Packets lost, by place: before us (kernel, interface) or at a worker's queue",
            places
                .into_iter()
                .map(|(place, packets)| ("place", place.to_owned(), packets)),
        )?;
        let age_s = snapshot.packet_time_ns.map_or(snapshot.elapsed_s, |newest_ns| {
            unix_seconds(SystemTime::now()) - newest_ns as f64 / 1e9
        });
        self.gauge(
            "last_packet_age_seconds",
            "Since the newest packet, or since the start while none has come",
            age_s.max(0.0),
        )?;
        self.latency(snapshot)
    }

    fn latency(&mut self, snapshot: &Snapshot) -> fmt::Result {
        let counts = &snapshot.latency_counts;
        let bounds = LATENCY_BOUNDS_NS.iter().map(|bound| *bound as f64 / 1e9);
        let buckets: Vec<(f64, u64)> = bounds
            .chain([f64::INFINITY])
            .zip(counts.frames.iter().copied())
            .collect();
        let mut histogram = self.encoder.encode_descriptor(
            "balefire_latency_seconds",
            "From the capture's hand-over of a packet to the end of its worker's work on it",
            None,
            MetricType::Histogram,
        )?;
        histogram.encode_histogram::<[(String, String); 0]>(counts.sum_s, counts.frames.iter().sum(), &buckets, None)
    }

    fn threads(&mut self, state: &State) -> fmt::Result {
        let snapshot = &state.snapshot;
        let workers = || snapshot.queues.iter().enumerate();
        let waiting = workers().map(|(worker, queue)| ("worker", worker.to_string(), queue.blocks as f64));
        self.gauges("queue_blocks", "Blocks waiting for a worker", waiting)?;
        let capacity = workers().map(|(worker, queue)| ("worker", worker.to_string(), queue.capacity as f64));
        self.gauges("queue_capacity_blocks", "Blocks its queue can hold", capacity)?;
        let dropped = workers().map(|(worker, queue)| ("worker", worker.to_string(), queue.dropped));
        self.counters("queue_dropped_packets", "Packets dropped at a worker's queue", dropped)?;
        let busy = snapshot.threads.iter();
        let busy = busy.map(|thread| ("thread", thread.name.clone(), thread.busy));
        self.gauges("thread_busy_ratio", "Part of the last second a thread worked", busy)?;
        let silent = state.threads.iter();
        let silent = silent.map(|beat| ("thread", beat.name.clone(), beat.silent().as_secs_f64()));
        self.gauges(
            "thread_silent_seconds",
            "Since a thread last showed life; one that is stuck keeps growing",
            silent,
        )
    }

    fn tables(&mut self, state: &State) -> fmt::Result {
        let tables = &state.snapshot.tables;
        let entries = tables
            .iter()
            .map(|table| ("table", table.name.to_owned(), table.entries as f64));
        self.gauges("table_entries", "Entries of a table, all workers", entries)?;
        let limits = state.table_limits.iter();
        let limits = limits.map(|(name, limit)| ("table", (*name).to_owned(), *limit as f64));
        self.gauges("table_limit", "Entries it may have", limits)?;
        let evicted = tables
            .iter()
            .map(|table| ("table", table.name.to_owned(), table.evicted));
        self.counters("table_evictions", "Entries evicted to make room", evicted)
    }

    fn findings(&mut self, snapshot: &Snapshot) -> fmt::Result {
        let classes = [Class::Suspected, Class::Probable, Class::Confirmed];
        let classes = classes.into_iter().zip(snapshot.servers_by_class);
        let classes = classes.map(|(class, servers)| ("class", class.name().to_owned(), servers as f64));
        self.gauges("servers", "Control servers as they stand, by class", classes)?;
        let rows = || snapshot.countries.iter();
        let servers = rows().map(|row| ("country", row.country.code().to_owned(), row.servers as f64));
        self.gauges(
            "country_servers",
            "Control servers by hosting country, the first 50 countries",
            servers,
        )?;
        let hosts = rows().map(|row| ("country", row.country.code().to_owned(), row.hosts as f64));
        self.gauges(
            "country_hosts",
            "Controlled hosts by the hosting country of their servers; a host may count under several",
            hosts,
        )
    }

    fn service(&mut self, state: &State) -> fmt::Result {
        let hours = &state.hours;
        let results = [("kept", hours.kept), ("lost", hours.lost)];
        // Not called hours: linters take that for a unit, and want seconds.
        self.counters(
            "periods",
            "Hours closed, by whether they could be kept",
            results
                .into_iter()
                .map(|(result, hours)| ("result", result.to_owned(), hours)),
        )?;
        self.counter("periods_partial", "Hours not wholly watched", hours.partial)?;
        if let Some(closed) = hours.last_closed {
            self.gauge(
                "last_hour_closed_timestamp_seconds",
                "When the last hour was closed",
                unix_seconds(closed),
            )?;
        }
        if let Some(end_ns) = hours.last_end_ns {
            self.gauge(
                "last_hour_end_timestamp_seconds",
                "End of the last closed hour",
                end_ns as f64 / 1e9,
            )?;
        }
        self.counter("gaps", "Times an interface was down or gone", state.gaps)?;
        let interfaces = state.interfaces.iter();
        let lost = interfaces.map(|(name, lost)| ("interface", name.clone(), f64::from(u8::from(lost.is_some()))));
        self.gauges("interface_lost", "1 while the interface is down or gone", lost)?;
        let alerts = &state.alerts;
        let results = [
            ("sent", alerts.sent),
            ("suppressed", alerts.suppressed),
            ("failed", alerts.failed),
        ];
        self.counters(
            "alerts",
            "Alerts by what became of them",
            results
                .into_iter()
                .map(|(result, alerts)| ("result", result.to_owned(), alerts)),
        )?;
        self.metric(
            "alert_output",
            "Alerts by output and whether it took them",
            MetricType::Counter,
            |mut metric| {
                for output in &state.alert_outputs {
                    for (result, alerts) in [("taken", output.taken), ("failed", output.failed)] {
                        let labels = [("output", output.kind), ("result", result)];
                        metric
                            .encode_family(&labels)?
                            .encode_counter::<[(String, String); 0], u64, u64>(&alerts, None)?;
                    }
                }
                Ok(())
            },
        )
    }

    fn metric(
        &mut self,
        name: &str,
        help: &str,
        kind: MetricType,
        fill: impl FnOnce(MetricEncoder<'_>) -> fmt::Result,
    ) -> fmt::Result {
        let name = format!("balefire_{name}");
        fill(self.encoder.encode_descriptor(&name, help, None, kind)?)
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        self.metric(name, help, MetricType::Counter, |mut metric| {
            metric.encode_counter::<[(String, String); 0], u64, u64>(&value, None)
        })
    }

    fn counters(
        &mut self,
        name: &str,
        help: &str,
        rows: impl Iterator<Item = (&'static str, String, u64)>,
    ) -> fmt::Result {
        self.metric(name, help, MetricType::Counter, |mut metric| {
            for (label, of, value) in rows {
                let labels = [(label, of)];
                metric
                    .encode_family(&labels)?
                    .encode_counter::<[(String, String); 0], u64, u64>(&value, None)?;
            }
            Ok(())
        })
    }

    fn gauge(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        self.metric(name, help, MetricType::Gauge, |mut metric| metric.encode_gauge(&value))
    }

    fn gauges(
        &mut self,
        name: &str,
        help: &str,
        rows: impl Iterator<Item = (&'static str, String, f64)>,
    ) -> fmt::Result {
        self.metric(name, help, MetricType::Gauge, |mut metric| {
            for (label, of, value) in rows {
                metric.encode_family(&[(label, of)])?.encode_gauge(&value)?;
            }
            Ok(())
        })
    }
}

/// From `/proc/self/statm`, whose second number counts pages (proc(5)).
pub(super) fn resident_bytes() -> Option<f64> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some((pages * rustix::param::page_size() as u64) as f64)
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;

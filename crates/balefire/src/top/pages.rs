//! The pages as tables: which columns, from which fields of the model.
//!
//! In: a [`View`]. Out: a [`Sheet`] per page, also the overview's, for export. Not its job: sorting and filtering (`sheet`),
//! drawing (`draw`, `overview`).

use std::collections::BTreeMap;

use balefire_report::{counted, date_time, duration, percent, rfc3339, score, seconds};

use super::canvas::Tint;
use super::evidence::line_of;
use super::sheet::{Cell, Column, Order, Row, Sheet};
use super::view::{Country, EventKind, Server, View};

/// Columns of the line of check-ins.
const RHYTHM_COLUMNS: usize = 34;

/// In the order of their keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Page {
    #[default]
    Overview,
    Servers,
    Hosts,
    Countries,
    Events,
}

impl Page {
    pub(crate) const ALL: [Self; 5] = [
        Self::Overview,
        Self::Servers,
        Self::Hosts,
        Self::Countries,
        Self::Events,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Servers => "servers",
            Self::Hosts => "hosts",
            Self::Countries => "countries",
            Self::Events => "events",
        }
    }

    /// One of its rows.
    pub(crate) const fn noun(self) -> &'static str {
        match self {
            Self::Overview => "figure",
            Self::Servers => "server",
            Self::Hosts => "host",
            Self::Countries => "country",
            Self::Events => "event",
        }
    }

    /// How many there are.
    pub(crate) fn count(self, view: &View) -> Option<u64> {
        match self {
            Self::Overview => None,
            Self::Servers => Some(view.servers_total),
            Self::Hosts => Some(view.hosts_total),
            Self::Countries => Some(view.countries.len() as u64),
            Self::Events => Some(view.events.len() as u64),
        }
    }

    pub(crate) fn sheet(self, view: &View) -> Sheet {
        match self {
            Self::Overview => overview(view),
            Self::Servers => servers(view),
            Self::Hosts => hosts(view),
            Self::Countries => countries(view),
            Self::Events => events(view),
        }
    }
}

/// The time that is now on the tap: that of the newest packet.
pub(crate) fn now_ns(view: &View) -> i64 {
    view.packets.newest_ns.unwrap_or(view.clock_ns)
}

/// `192.0.2.1:443`; other protocols than TCP are said.
pub(crate) fn place(id: &str) -> String {
    match id.split_once("/tcp") {
        Some((place, rest)) => format!("{place}{rest}"),
        None => id.to_owned(),
    }
}

fn servers(view: &View) -> Sheet {
    let columns = vec![
        Column::number("#", "rank", 3, 0),
        Column::text("server", "server", 21, 48, 0),
        Column::text("name", "name", 16, 60, 7),
        Column::text("cc", "cc", 2, 2, 0),
        Column::text("class", "class", 9, 9, 0),
        Column::number("score", "score", 5, 0),
        Column::number("hosts", "hosts", 5, 0),
        Column::number("interval", "interval_s", 8, 2),
        Column::number("jitter", "jitter", 6, 3),
        Column::number("check-ins", "check_ins", 9, 4),
        Column::number("since", "first", 9, 9),
        Column::number("last", "last", 9, 8),
        Column::text("last check-ins, to now", "", 34, 34, 10),
    ];
    let now_ns = now_ns(view);
    let rows = view.servers.iter().map(|server| Row {
        id: server.id.clone(),
        cells: vec![
            Cell::number(
                -f64::from(server.rank),
                server.rank.to_string(),
                server.rank.to_string(),
            ),
            Cell {
                export: server.id.clone(),
                order: Order::place(&server.id),
                ..Cell::text(place(&server.id))
            },
            name(server),
            code_cell(&server.country),
            Cell {
                order: Order::Number(server.class as u8 as f64),
                ..Cell::text(server.class.name()).tinted(Tint::Class(server.class))
            },
            score_cell(server.score),
            Cell::count(server.hosts),
            measured(server.interval_s, seconds),
            measured(server.jitter, percent),
            Cell::count(server.check_ins),
            ago(now_ns, server.first_ns),
            ago(now_ns, server.last_ns),
            Cell {
                text: line_of(&server.recent_ns, now_ns, RHYTHM_COLUMNS),
                ..Cell::missing()
            },
        ],
    });
    Sheet {
        rows: rows.collect(),
        columns,
    }
}

fn name(server: &Server) -> Cell {
    let names = server.names.join(" ");
    match server.names.as_slice() {
        [] => Cell::missing(),
        [first, rest @ ..] => Cell {
            export: names,
            ..Cell::text(if rest.is_empty() {
                first.clone()
            } else {
                format!("{first} +{}", rest.len())
            })
        },
    }
}

fn score_cell(number: Option<f64>) -> Cell {
    match number {
        Some(number) => Cell::number(number, score(number), format!("{number:.4}")),
        None => Cell {
            text: "list".to_owned(),
            ..Cell::missing()
        },
    }
}

fn measured(number: Option<f64>, text: fn(f64) -> String) -> Cell {
    number.map_or_else(Cell::missing, |number| {
        Cell::number(number, text(number), format!("{number:.4}"))
    })
}

/// How long ago, in the largest unit; exported as the time.
fn ago(now_ns: i64, then_ns: i64) -> Cell {
    let text = duration(now_ns.saturating_sub(then_ns).max(0) / 1_000_000_000 * 1_000_000_000);
    Cell::number(then_ns as f64, text, rfc3339(then_ns))
}

fn hosts(view: &View) -> Sheet {
    let columns = vec![
        Column::text("host", "host", 15, 26, 0),
        Column::number("servers", "servers", 7, 0),
        Column::text("class", "class", 9, 9, 0),
        Column::number("score", "score", 5, 0),
        Column::text("best server", "best_server", 21, 48, 0),
        Column::text("cc", "countries", 5, 40, 2),
        Column::number("last", "servers_last", 9, 3),
    ];
    let now_ns = now_ns(view);
    let rows = view.hosts.iter().map(|host| Row {
        id: host.address.clone(),
        cells: vec![
            Cell {
                order: Order::place(&host.address),
                ..Cell::text(host.address.as_str())
            },
            Cell::count(host.servers),
            Cell {
                order: Order::Number(host.class as u8 as f64),
                ..Cell::text(host.class.name()).tinted(Tint::Class(host.class))
            },
            score_cell(host.score),
            Cell {
                export: host.best.clone(),
                order: Order::place(&host.best),
                ..Cell::text(place(&host.best))
            },
            Cell::text(host.countries.join(" ")),
            ago(now_ns, host.last_ns),
        ],
    });
    Sheet {
        rows: rows.collect(),
        columns,
    }
}

/// What stands now beside the last hour closed, each with its bar over the largest of the column.
fn countries(view: &View) -> Sheet {
    let columns = vec![
        Column::text("cc", "cc", 2, 2, 0),
        Column::text("country", "country", 13, 24, 1),
        Column::number("servers", "servers", 7, 0),
        Column::number("rank", "rank_by_servers", 4, 0),
        Column::text("", "", 6, 20, 3),
        Column::number("hosts", "hosts", 7, 0),
        Column::number("rank", "rank_by_hosts", 4, 0),
        Column::text("", "", 6, 20, 3),
        Column::number("hour's servers", "hour_servers", 14, 0),
        Column::text("", "", 8, 12, 9),
        Column::number("hosts", "hour_hosts", 6, 0),
        Column::text("", "", 8, 12, 8),
    ];
    let hour = view.hour.as_ref().map(|hour| &hour.countries[..]).unwrap_or_default();
    // By rank, then code; the unknown country after those of its rank.
    let place = |rank: u32, country: &Country| (rank, country.code == "--", country.code.clone());
    let mut rows: BTreeMap<(u32, bool, String), [Option<&Country>; 2]> = BTreeMap::new();
    for country in &view.countries {
        rows.insert(place(country.rank_by_servers, country), [Some(country), None]);
    }
    for country in hour {
        let known = view.countries.iter().find(|known| known.code == country.code);
        let key = place(known.map_or(u32::MAX, |known| known.rank_by_servers), country);
        rows.entry(key).or_insert([None, None])[1] = Some(country);
    }
    let most = |countries: &[Country], of: fn(&Country) -> u64| countries.iter().map(of).max().unwrap_or(0);
    let by_servers: fn(&Country) -> u64 = |one| one.servers;
    let by_hosts: fn(&Country) -> u64 = |one| one.hosts;
    let tops = [&view.countries[..], hour].map(|countries| [most(countries, by_servers), most(countries, by_hosts)]);
    let has_hour = view.hour.is_some();
    let rows = rows.into_iter().filter_map(|((_, _, code), [now, then])| {
        let named = now.or(then)?;
        let zero = Country::default();
        let standing = now.unwrap_or(&zero);
        let closed = then.unwrap_or(&zero);
        let hour = |number: u64| if has_hour { Cell::count(number) } else { Cell::missing() };
        Some(Row {
            id: code,
            cells: vec![
                code_cell(&named.code),
                Cell::text(named.name.as_str()),
                Cell::count(standing.servers),
                rank(standing.rank_by_servers),
                share(standing.servers, tops[0][0]),
                Cell::count(standing.hosts),
                rank(standing.rank_by_hosts),
                share(standing.hosts, tops[0][1]),
                hour(closed.servers),
                share(closed.servers, tops[1][0]),
                hour(closed.hosts),
                share(closed.hosts, tops[1][1]),
            ],
        })
    });
    Sheet {
        rows: rows.collect(),
        columns,
    }
}

/// Exported as a word where it is not known, as in all files: `--` is a formula to some spreadsheets.
fn code_cell(code: &str) -> Cell {
    let export = if code == "--" { "unknown" } else { code };
    Cell {
        export: export.to_owned(),
        ..Cell::text(code)
    }
}

fn rank(rank: u32) -> Cell {
    if rank == 0 {
        return Cell::missing();
    }
    Cell::number(-f64::from(rank), rank.to_string(), rank.to_string())
}

fn share(number: u64, most: u64) -> Cell {
    Cell::bar(if most == 0 { 0.0 } else { number as f64 / most as f64 }).tinted(Tint::Share)
}

/// Newest first.
fn events(view: &View) -> Sheet {
    let columns = vec![
        Column::text("time (UTC)", "time", 14, 14, 0),
        Column::text("kind", "kind", 7, 7, 0),
        Column::text("what", "what", 30, u16::MAX, 0),
    ];
    let rows = view.events.iter().rev().map(|event| Row {
        id: format!("{} {}", event.time_ns, event.text),
        cells: vec![
            Cell {
                export: rfc3339(event.time_ns),
                order: Order::Number(event.time_ns as f64),
                ..Cell::text(date_time(event.time_ns).get(5..19).unwrap_or_default())
            },
            Cell::text(event.kind.name()).tinted(match event.kind {
                EventKind::Gap | EventKind::Loss => Tint::Loss,
                _ => Tint::Plain,
            }),
            Cell::text(event.text.as_str()),
        ],
    });
    Sheet {
        rows: rows.collect(),
        columns,
    }
}

/// Name and value of everything on the first page, for export.
fn overview(view: &View) -> Sheet {
    let packets = &view.packets;
    let rate = view.rates.last().copied().unwrap_or_default();
    let mut facts: Vec<(String, String)> = [
        ("sensor", view.sensor.clone()),
        ("clock", rfc3339(view.clock_ns)),
        ("up_s", format!("{:.0}", view.up_s)),
        ("packets_per_s", format!("{:.0}", rate.packets_per_s)),
        ("bits_per_s", format!("{:.0}", rate.bits_per_s)),
        ("received", packets.received.to_string()),
        ("wire_bytes", packets.wire_bytes.to_string()),
        ("decoded", packets.decoded.to_string()),
        ("not_ip", packets.not_ip.to_string()),
        ("rejected", packets.rejected.to_string()),
        ("dropped_queue", packets.dropped_queue.to_string()),
        ("dropped_kernel", optional(packets.dropped_kernel)),
        ("dropped_interface", optional(packets.dropped_interface)),
        ("late", packets.late.to_string()),
        ("gaps", view.gaps.to_string()),
        ("latency_p50_ns", view.latency.p50_ns.to_string()),
        ("latency_p99_ns", view.latency.p99_ns.to_string()),
        ("latency_p999_ns", view.latency.p999_ns.to_string()),
        ("memory_bytes", optional(view.memory.used_bytes)),
        ("memory_cap_bytes", view.memory.cap_bytes.to_string()),
        ("servers", view.servers_total.to_string()),
        ("controlled_hosts", view.hosts_total.to_string()),
        ("hosts", view.hosts_inside.to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec();
    for (number, queue) in view.queues.iter().enumerate() {
        facts.push((format!("queue_{number}_blocks"), queue.blocks.to_string()));
        facts.push((format!("queue_{number}_dropped"), queue.dropped.to_string()));
    }
    for thread in view.threads.iter().filter(|thread| thread.busy.is_some()) {
        facts.push((
            format!("busy_{}", thread.name),
            format!("{:.3}", thread.busy.unwrap_or_default()),
        ));
    }
    for table in &view.tables {
        facts.push((format!("table_{}", table.name), table.entries.to_string()));
        facts.push((format!("evicted_{}", table.name), table.evicted.to_string()));
    }
    Sheet {
        columns: vec![
            Column::text("what", "what", 24, 24, 0),
            Column::text("value", "value", 24, 24, 0),
        ],
        rows: facts
            .into_iter()
            .map(|(name, value)| Row {
                cells: vec![Cell::text(name.as_str()), Cell::text(value)],
                id: name,
            })
            .collect(),
    }
}

fn optional(number: Option<u64>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

/// The hour that the page of countries compares with.
pub(crate) fn hour_words(view: &View) -> String {
    match &view.hour {
        Some(hour) => format!(
            "hour {}-{}{}: {}, {}",
            date_time(hour.start_ns).get(11..16).unwrap_or_default(),
            date_time(hour.end_ns).get(11..16).unwrap_or_default(),
            if hour.partial { " (in part)" } else { "" },
            counted(hour.servers, "server"),
            counted(hour.hosts, "host"),
        ),
        None => "no hour closed yet".to_owned(),
    }
}

//! The console's model: everything its pages show, as plain values.
//!
//! In: filled by `fill` inside the running program, or read from the answer to `top` on the control socket, which is this
//! struct as JSON. Out: what pages, filters and exports read. Times are nanoseconds since 1970, in UTC. Fields that an older
//! or newer program does not send have their defaults. Not its job: filling, drawing.

use balefire_detect::Class;
use serde::{Deserialize, Serialize};

/// Grows when a field changes its meaning or goes; new ones do not change it.
pub(crate) const SCHEMA: &str = "balefire-top/1";

/// Seconds of history kept, one rate each.
pub(crate) const HISTORY_S: usize = 60;

/// How the running program stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct View {
    pub(crate) schema: String,
    pub(crate) version: String,
    pub(crate) sensor: String,
    /// The program's wall clock.
    pub(crate) clock_ns: i64,
    pub(crate) up_s: f64,
    pub(crate) interfaces: Vec<Interface>,
    /// One a second, oldest first, at most [`HISTORY_S`].
    pub(crate) rates: Vec<Rate>,
    pub(crate) packets: Packets,
    /// Times in which an interface was down or gone, since the start.
    pub(crate) gaps: u64,
    pub(crate) queues: Vec<Queue>,
    pub(crate) threads: Vec<Thread>,
    pub(crate) latency: Latency,
    pub(crate) memory: Memory,
    pub(crate) tables: Vec<Table>,
    /// Inside hosts, controlled or not.
    pub(crate) hosts_inside: u64,
    pub(crate) servers_total: u64,
    /// Suspected, probable, confirmed.
    pub(crate) servers_by_class: [u64; 3],
    /// Best first; fewer than `servers_total` where there are very many.
    pub(crate) servers: Vec<Server>,
    /// Distinct hosts of `servers`.
    pub(crate) hosts_total: u64,
    /// In address order; fewer than `hosts_total` where there are very many.
    pub(crate) hosts: Vec<Host>,
    /// As they stand, since the start.
    pub(crate) countries: Vec<Country>,
    /// The last hour that was closed.
    pub(crate) hour: Option<Hour>,
    pub(crate) hours_kept: u64,
    pub(crate) hours_lost: u64,
    /// Newest last.
    pub(crate) events: Vec<Event>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Interface {
    pub(crate) name: String,
    /// Down or gone at the moment.
    pub(crate) lost: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Rate {
    pub(crate) packets_per_s: f64,
    pub(crate) bits_per_s: f64,
}

/// Where every packet went, since the start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Packets {
    pub(crate) received: u64,
    pub(crate) wire_bytes: u64,
    pub(crate) decoded: u64,
    pub(crate) not_ip: u64,
    pub(crate) rejected: u64,
    pub(crate) dropped_queue: u64,
    /// Before us, so not part of `received`; `None` where the source does not count them.
    pub(crate) dropped_kernel: Option<u64>,
    pub(crate) dropped_interface: Option<u64>,
    pub(crate) late: u64,
    pub(crate) newest_ns: Option<i64>,
}

impl Packets {
    /// Lost at all places.
    pub(crate) fn lost(&self) -> u64 {
        let before = [self.dropped_kernel, self.dropped_interface].into_iter().flatten();
        before.fold(self.dropped_queue, u64::saturating_add)
    }

    /// Received and not yet decoded, refused or dropped.
    pub(crate) fn on_the_way(&self) -> u64 {
        let ends = [self.decoded, self.not_ip, self.rejected, self.dropped_queue];
        self.received
            .saturating_sub(ends.into_iter().fold(0, u64::saturating_add))
    }
}

/// A worker's queue, in blocks of about 1 MiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Queue {
    pub(crate) blocks: u64,
    pub(crate) capacity: u64,
    pub(crate) dropped: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Thread {
    pub(crate) name: String,
    /// Part of the last second it worked, 0 to 1; `None` where it is not measured.
    pub(crate) busy: Option<f64>,
    /// For how long it has shown no life.
    pub(crate) silent_s: u64,
}

/// From a packet's hand-over to the end of its worker's work on it, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Latency {
    pub(crate) p50_ns: u64,
    pub(crate) p99_ns: u64,
    pub(crate) p999_ns: u64,
    pub(crate) max_ns: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Memory {
    pub(crate) used_bytes: Option<u64>,
    /// `--memory`, from which the tables' sizes follow; 0 for unknown.
    pub(crate) cap_bytes: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) entries: u64,
    /// 0 for unknown.
    pub(crate) limit: u64,
    pub(crate) evicted: u64,
}

/// A control server as it stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Server {
    pub(crate) rank: u32,
    /// `192.0.2.1:443/tcp`, and behind a relay its name: no other server has it.
    pub(crate) id: String,
    pub(crate) address: String,
    pub(crate) port: u16,
    pub(crate) protocol: String,
    pub(crate) names: Vec<String>,
    pub(crate) country: String,
    pub(crate) country_name: String,
    pub(crate) class: Grade,
    /// `None` where only a list knows it.
    pub(crate) score: Option<f64>,
    pub(crate) hosts: u64,
    pub(crate) check_ins: u64,
    pub(crate) first_ns: i64,
    pub(crate) last_ns: i64,
    /// Of its best evidence, of now or of the last hour with it.
    pub(crate) interval_s: Option<f64>,
    pub(crate) jitter: Option<f64>,
    /// Its last check-ins, at most 16.
    pub(crate) recent_ns: Vec<i64>,
}

/// [`Class`] with a form in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Grade {
    #[default]
    Suspected,
    Probable,
    Confirmed,
}

impl Grade {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Suspected => "suspected",
            Self::Probable => "probable",
            Self::Confirmed => "confirmed",
        }
    }
}

impl From<Class> for Grade {
    fn from(class: Class) -> Self {
        match class {
            Class::Suspected => Self::Suspected,
            Class::Probable => Self::Probable,
            Class::Confirmed => Self::Confirmed,
        }
    }
}

/// A controlled host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Host {
    pub(crate) address: String,
    /// How many servers control it.
    pub(crate) servers: u64,
    /// The `id` of the best of them.
    pub(crate) best: String,
    pub(crate) class: Grade,
    pub(crate) score: Option<f64>,
    /// Hosting countries of its servers.
    pub(crate) countries: Vec<String>,
    /// Last check-in of any host of its servers: it may have been another's.
    pub(crate) last_ns: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Country {
    pub(crate) code: String,
    pub(crate) name: String,
    pub(crate) servers: u64,
    pub(crate) hosts: u64,
    /// 1 for the first, 0 for none; equal counts share a rank.
    pub(crate) rank_by_servers: u32,
    pub(crate) rank_by_hosts: u32,
}

/// An hour as it was closed: what its files say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Hour {
    pub(crate) start_ns: i64,
    pub(crate) end_ns: i64,
    /// Not all of it was watched.
    pub(crate) partial: bool,
    pub(crate) servers: u64,
    pub(crate) hosts: u64,
    pub(crate) countries: Vec<Country>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Event {
    /// When the program noticed, by the wall clock.
    pub(crate) time_ns: i64,
    pub(crate) kind: EventKind,
    pub(crate) text: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EventKind {
    /// A server is new, or its class is higher.
    Finding,
    /// An hour was closed.
    Hour,
    /// An interface went or came back.
    Gap,
    /// Frames are lost.
    Loss,
    /// What the program says on standard error: reloads, failures.
    #[default]
    #[serde(other)]
    Word,
}

impl EventKind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Finding => "finding",
            Self::Hour => "hour",
            Self::Gap => "gap",
            Self::Loss => "loss",
            Self::Word => "word",
        }
    }
}

/// The answer to `top ID`: what is known of one server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Explained {
    pub(crate) server: Server,
    /// Controlled hosts, the first of them.
    pub(crate) hosts: Vec<String>,
    /// Packet time of the moment that the evidence is of; `None` where workers did not answer, and it is of the hour.
    pub(crate) now_ns: Option<i64>,
    /// Begin and end of the last hour it was in; `None` where none was closed since the server is suspected.
    pub(crate) hour_ns: Option<(i64, i64)>,
    /// Best first.
    pub(crate) signs: Vec<Sign>,
    /// All there were.
    pub(crate) signs_total: u64,
}

/// One piece of evidence.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Sign {
    pub(crate) kind: String,
    pub(crate) host: String,
    pub(crate) name: Option<String>,
    pub(crate) interval_s: f64,
    pub(crate) jitter: f64,
    pub(crate) check_ins: u64,
    pub(crate) first_ns: i64,
    pub(crate) last_ns: i64,
    pub(crate) timing: f64,
    pub(crate) score: f64,
    pub(crate) parts: Vec<Part>,
    pub(crate) innocent: Vec<String>,
    pub(crate) missing: Vec<String>,
    /// Begin of a bin in seconds, and intervals in it; bins are an eighth of an octave, empty ones are left out.
    pub(crate) intervals: Vec<(f64, u64)>,
    /// Check-ins by UTC hour of day.
    pub(crate) hours: Vec<u64>,
    pub(crate) recent_ns: Vec<i64>,
    /// Lists that name it; with them there is no timing.
    pub(crate) listed: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) log_odds: f64,
    pub(crate) text: String,
}

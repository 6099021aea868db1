//! One alert as a line of JSON, in the manner of Suricata's EVE: time, type, flow, and the rest under the program's own name.
//!
//! In: a server, one of its hosts, what is new. Out: JSON in one line, times of packets in UTC. Texts from the wire are made
//! harmless. Not its job: where it goes (`outputs`).

use balefire_detect::{Address, Class, ControlServer, Evidence};
use balefire_report::{clean, rfc3339};
use serde::Serialize;

/// What is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A host and a server that controls it.
    Finding,
    /// The server's class.
    ClassChange { from: Class },
}

/// What it rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// What one worker knew at that moment.
    Live,
    /// A finished hour, over all workers, with evidence.
    Hour,
}

/// See the head of this file.
#[derive(Debug, Serialize)]
pub(crate) struct Event {
    timestamp: String,
    event_type: &'static str,
    src_ip: Option<String>,
    dest_ip: String,
    dest_port: u16,
    proto: String,
    balefire: Details,
    #[serde(skip)]
    class: Class,
}

#[derive(Debug, Serialize)]
struct Details {
    kind: &'static str,
    standing: &'static str,
    sensor: String,
    class: &'static str,
    class_before: Option<&'static str>,
    score: f64,
    names: Vec<String>,
    hosting_country: String,
    behind_relay: bool,
    hosts: u64,
    check_ins: u64,
    first: String,
    last: String,
    evidence: Option<Sign>,
    suppressed_before: u64,
}

/// The best evidence against the host.
#[derive(Debug, Serialize)]
struct Sign {
    kind: &'static str,
    interval_s: f64,
    jitter: f64,
    check_ins: u64,
    why: Vec<String>,
}

/// Names and reasons in an alert: what a person reads, and a syslog datagram takes (RFC 5424 asks receivers for 2,048 bytes).
const MOST_NAMES: usize = 3;
const MOST_REASONS: usize = 4;

impl Event {
    pub(super) fn new(
        sensor: &str,
        server: &ControlServer,
        host: Option<Address>,
        kind: Kind,
        standing: Standing,
        suppressed_before: u64,
    ) -> Self {
        let evidence = server.evidence.iter().find(|evidence| Some(evidence.host) == host);
        let code = server.country.code();
        let details = Details {
            kind: match kind {
                Kind::Finding => "finding",
                Kind::ClassChange { .. } => "class_change",
            },
            standing: match standing {
                Standing::Live => "live",
                Standing::Hour => "hour",
            },
            sensor: clean(sensor),
            class: server.class.name(),
            class_before: match kind {
                Kind::Finding => None,
                Kind::ClassChange { from } => Some(from.name()),
            },
            score: rounded(server.score, 1e4),
            names: server.names.iter().take(MOST_NAMES).map(|name| clean(name)).collect(),
            hosting_country: clean(code),
            behind_relay: server.behind_relay,
            hosts: server.hosts.len() as u64,
            check_ins: server.check_ins,
            first: rfc3339(server.first_ns),
            last: rfc3339(server.last_ns),
            evidence: evidence.map(Sign::new),
            suppressed_before,
        };
        Self {
            timestamp: rfc3339(evidence.map_or(server.last_ns, |evidence| evidence.last_ns)),
            event_type: "balefire",
            src_ip: host.map(|host| host.to_string()),
            dest_ip: server.address.to_string(),
            dest_port: server.port,
            proto: server.transport.name().to_ascii_uppercase(),
            balefire: details,
            class: server.class,
        }
    }

    /// One line, without its end.
    pub(super) fn line(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    /// The severity of RFC 5424: critical, warning, notice.
    pub(super) const fn severity(&self) -> u8 {
        match self.class {
            Class::Confirmed => 2,
            Class::Probable => 4,
            Class::Suspected => 5,
        }
    }
}

impl Sign {
    fn new(evidence: &Evidence) -> Self {
        Self {
            kind: evidence.kind.name(),
            interval_s: rounded(evidence.interval_s, 1e3),
            jitter: rounded(evidence.jitter, 1e4),
            check_ins: evidence.check_ins,
            why: evidence
                .parts
                .iter()
                .filter(|part| part.log_odds > 0.0)
                .take(MOST_REASONS)
                .map(|part| clean(&part.text))
                .collect(),
        }
    }
}

fn rounded(number: f64, scale: f64) -> f64 {
    (number * scale).round() / scale
}

//! One alert as a line of JSON, in the manner of Suricata's EVE: time, type, flow, and the rest under the program's own name.
//!
//! In: a server, one of its hosts, what is new. Out: JSON in one line, times of packets in UTC. Texts from the wire are made
//! harmless. Not its job: where it goes (`outputs`).

use balefire_detect::{Address, Class, ControlServer, Evidence, Flow, Transport};
use balefire_report::{clean, rfc3339};
use serde::Serialize;

use super::community::community_id;

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
    pub(super) src_ip: Option<String>,
    /// Of the last connection to that server; `None` where it is not known, or the protocol has none.
    pub(super) src_port: Option<u16>,
    pub(super) dest_ip: String,
    pub(super) dest_port: u16,
    pub(super) proto: String,
    /// Of that connection.
    pub(super) community_id: Option<String>,
    pub(super) balefire: Details,
    #[serde(skip)]
    class: Class,
    /// Of the timestamp, milliseconds.
    #[serde(skip)]
    pub(super) time_ms: i64,
}

#[derive(Debug, Serialize)]
pub(super) struct Details {
    pub(super) kind: &'static str,
    pub(super) standing: &'static str,
    pub(super) sensor: String,
    pub(super) class: &'static str,
    class_before: Option<&'static str>,
    /// `null` where only a list knows the server.
    pub(super) score: Option<f64>,
    pub(super) names: Vec<String>,
    pub(super) hosting_country: String,
    behind_relay: bool,
    hosts: u64,
    pub(super) check_ins: u64,
    first: String,
    last: String,
    pub(super) evidence: Option<Sign>,
    /// The last connection, where it went elsewhere: to the relay, to another address of the server.
    via: Option<Via>,
    suppressed_before: u64,
}

#[derive(Debug, Serialize)]
struct Via {
    src_port: u16,
    dest_ip: String,
    dest_port: u16,
    community_id: String,
}

/// The best evidence against the host.
#[derive(Debug, Serialize)]
pub(super) struct Sign {
    pub(super) kind: &'static str,
    interval_s: Option<f64>,
    jitter: Option<f64>,
    check_ins: u64,
    pub(super) why: Vec<String>,
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
        let time_ns = evidence.map_or(server.last_ns, |evidence| evidence.last_ns);
        let flow = evidence.and_then(|evidence| evidence.flow);
        let is_of_server = |flow: &Flow| (flow.server, flow.port) == (server.address, server.port);
        let direct = flow.filter(is_of_server);
        let named = |flow: Flow| host.map(|host| id_of(host, &flow));
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
            score: balefire_report::has_score(server).then(|| rounded(server.score, 1e4)),
            names: server.names.iter().take(MOST_NAMES).map(|name| clean(name)).collect(),
            hosting_country: clean(code),
            behind_relay: server.behind_relay,
            hosts: server.hosts.len() as u64,
            check_ins: server.check_ins,
            first: rfc3339(server.first_ns),
            last: rfc3339(server.last_ns),
            evidence: evidence.map(Sign::new),
            via: flow.filter(|flow| !is_of_server(flow)).and_then(|flow| {
                Some(Via {
                    src_port: flow.client_port,
                    dest_ip: flow.server.to_string(),
                    dest_port: flow.port,
                    community_id: named(flow)?,
                })
            }),
            suppressed_before,
        };
        Self {
            timestamp: rfc3339(time_ns),
            event_type: "balefire",
            src_ip: host.map(|host| host.to_string()),
            src_port: direct.filter(has_ports).map(|flow| flow.client_port),
            dest_ip: server.address.to_string(),
            dest_port: server.port,
            proto: server.transport.name().to_ascii_uppercase(),
            community_id: direct.and_then(named),
            balefire: details,
            class: server.class,
            time_ms: time_ns.div_euclid(1_000_000),
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

fn id_of(host: Address, flow: &Flow) -> String {
    community_id((host, flow.client_port), (flow.server, flow.port), flow.transport)
}

/// Of ICMP a flow has a type and a code in their place.
fn has_ports(flow: &Flow) -> bool {
    matches!(flow.transport, Transport::TCP | Transport::UDP)
}

impl Sign {
    fn new(evidence: &Evidence) -> Self {
        // What only a list knows has no timing.
        let timed = evidence.intel.is_none();
        let listed = evidence.intel.iter().flat_map(|sign| &sign.matches);
        let listed = listed.map(|entry| clean(&format!("{} in {} line {}", entry.indicator, entry.list, entry.line)));
        let reasons = evidence.parts.iter().filter(|part| part.log_odds > 0.0);
        let reasons = reasons.map(|part| clean(&part.text));
        Self {
            kind: evidence.kind.name(),
            interval_s: timed.then(|| rounded(evidence.interval_s, 1e3)),
            jitter: timed.then(|| rounded(evidence.jitter, 1e4)),
            check_ins: evidence.check_ins,
            why: listed.chain(reasons).take(MOST_REASONS).collect(),
        }
    }
}

fn rounded(number: f64, scale: f64) -> f64 {
    (number * scale).round() / scale
}

//! Why a server is suspected, or a host taken for controlled: the answer of the running service.
//!
//! In: [`State`], and an address, an address with its port, or a name. Out: servers with their evidence as the last closed hour has
//! them, over all workers; beside them how they stand at the moment, without evidence, as the registry that workers write their
//! verdicts into has none. The answer says which is which. Not its job: the page itself (`report`).

use balefire_detect::{ControlServer, Summary};
use balefire_report::{Style, clean, is_asked, json, rfc3339, why};
use serde_json::{Value, json};

use super::answers;
use super::vitals::{State, narrowed};

/// Servers explained in one answer: a host may have many.
const MOST_SERVERS: usize = 16;

/// See the head of this file.
pub(super) fn answer(state: &State, asked: &str) -> Value {
    if asked.is_empty() {
        return json!({"error": "why whom? why ADDRESS, why ADDRESS:PORT, why NAME; of a server, or of a host"});
    }
    let live: Vec<&ControlServer> = state
        .snapshot
        .servers
        .iter()
        .filter(|server| is_meant(server, asked))
        .take(MOST_SERVERS)
        .collect();
    let hour = state.last_hour.as_deref();
    let closed = hour.map(|hour| of_hour(hour, asked));
    let servers = closed.as_ref().map(|closed| documents(closed, &state.sensor));
    let says = said(hour, closed.as_ref(), &live);
    json!({
        "asked": clean(asked),
        "evidence_of": hour.map(|hour| json!({
            "start": rfc3339(hour.period.start_ns),
            "end": rfc3339(hour.period.end_ns),
            "partial": hour.period.partial,
        })),
        "servers": servers.unwrap_or_else(|| json!([])),
        "now": live.iter().map(|server| answers::server(server)).collect::<Vec<_>>(),
        "says": says,
        "page": closed.filter(|closed| !closed.servers.is_empty()).map(|closed| page(&closed)),
    })
}

/// The server is named, or the host is one of those it controls.
fn is_meant(server: &ControlServer, asked: &str) -> bool {
    is_asked(server, asked)
        || server
            .hosts
            .iter()
            .any(|host| host.to_string().eq_ignore_ascii_case(asked))
}

/// The hour with nothing but the servers asked for.
fn of_hour(hour: &Summary, asked: &str) -> Summary {
    let meant = hour.servers.iter().filter(|server| is_meant(server, asked));
    narrowed(hour, meant.take(MOST_SERVERS).cloned().collect())
}

/// As the hour's own document has them.
fn documents(closed: &Summary, sensor: &str) -> Value {
    let document = json(closed, sensor).ok();
    let document: Option<Value> = document.and_then(|text| serde_json::from_str(&text).ok());
    document.map_or_else(|| json!([]), |mut document| document["servers"].take())
}

/// The page of each, as `read --why` prints it.
fn page(closed: &Summary) -> String {
    let mut page = String::new();
    for server in &closed.servers {
        let one = narrowed(closed, vec![server.clone()]);
        page.push_str(&why(&one, &[], &server.address.to_string(), Style::default()));
        page.push('\n');
    }
    page
}

/// What the answer is, in words.
fn said(hour: Option<&Summary>, closed: Option<&Summary>, live: &[&ControlServer]) -> String {
    let standing = match live.len() {
        0 => "not suspected at the moment".to_owned(),
        1 => format!("{} at the moment, score {:.2}", live[0].class.name(), live[0].score),
        several => format!("{several} servers are suspected at the moment"),
    };
    let Some(hour) = hour else {
        return format!(
            "{standing}; no hour has closed since the start, and evidence over all workers is there when one has"
        );
    };
    let (start, end) = (rfc3339(hour.period.start_ns), rfc3339(hour.period.end_ns));
    if closed.is_some_and(|closed| !closed.servers.is_empty()) {
        format!("{standing}; the evidence is of the last closed hour, {start} to {end}")
    } else {
        format!("{standing}; nothing was suspected of it when the last hour closed, {start} to {end}")
    }
}

#[cfg(test)]
mod tests {
    use balefire_detect::{Accounting, Address, Class, Country, Period, PeriodKind, Totals, Transport};

    use super::*;
    use crate::service::Attendant;
    use crate::service::vitals::Vitals;

    fn server(last: u8, name: &str) -> ControlServer {
        ControlServer {
            rank: 1,
            address: Address::v4([192, 0, 2, last]),
            port: 443,
            transport: Transport::TCP,
            names: vec![name.to_owned()],
            country: Country(*b"NL"),
            class: Class::Probable,
            score: 0.97,
            hosts: vec![Address::v4([10, 0, 0, last])],
            first_ns: 0,
            last_ns: 1,
            check_ins: 9,
            behind_relay: false,
            evidence: Vec::new(),
        }
    }

    fn hour() -> Summary {
        let period = Period {
            kind: PeriodKind::Hour,
            start_ns: 1_772_438_400_000_000_000,
            end_ns: 1_772_442_000_000_000_000,
            partial: false,
        };
        Summary {
            period,
            first_packet_ns: None,
            last_packet_ns: None,
            accounting: Accounting::default(),
            totals: Totals::default(),
            servers: vec![server(1, "a\u{1b}[2J.example"), server(2, "b.example")],
            countries: Vec::new(),
            country_source: balefire_detect::Countries::embedded().source().clone(),
            peers: vec![(Country(*b"NL"), Address::v4([192, 0, 2, 1]))],
            intel: Vec::new(),
            allowed: balefire_detect::Allowed::default(),
        }
    }

    #[test]
    fn servers_are_found_by_address_port_name_and_host() {
        let mut vitals = Vitals::new("tap", Vec::new());
        let before = answer(&vitals.state(), "192.0.2.1");
        assert!(
            before["says"].as_str().unwrap().contains("no hour has closed"),
            "{before}"
        );
        assert_eq!((&before["evidence_of"], &before["page"]), (&Value::Null, &Value::Null));
        vitals.hour(&hour(), true);
        for asked in ["192.0.2.2", "192.0.2.2:443", "B.example", "10.0.0.2"] {
            let found = answer(&vitals.state(), asked);
            assert_eq!(found["servers"][0]["address"], "192.0.2.2", "{asked}: {found}");
            assert_eq!(found["evidence_of"]["start"], "2026-03-02T08:00:00.000000Z");
            assert!(
                found["page"].as_str().unwrap().starts_with("192.0.2.2:443/tcp"),
                "{found}"
            );
        }
        let hostile = answer(&vitals.state(), "192.0.2.1").to_string();
        assert!(
            hostile.contains("192.0.2.1") && !hostile.contains("\\u001b"),
            "{hostile}"
        );
        let other = answer(&vitals.state(), "198.51.100.7");
        assert!(
            other["says"].as_str().unwrap().contains("nothing was suspected"),
            "{other}"
        );
        assert!(answer(&vitals.state(), "")["error"].is_string());
    }
}

//! Why a server is suspected, or a host taken for controlled: the answer of the running service.
//!
//! In: [`State`], and an address, an address with its port, or a name. Out: servers as they stand at the moment, with the evidence that
//! the workers that follow them have now, each by what it alone knows; and as the last closed hour has them, over all workers. The answer
//! says which is which, and of which moment. Not its job: the page itself (`report`), asking workers (`now`).

use balefire_detect::{Accounting, Allowed, ControlServer, Period, PeriodKind, Summary, Totals};
use balefire_report::{Style, clean, date_time, has_score, is_asked, json, rfc3339, score, why};
use serde_json::{Value, json};

use super::answers;
use super::now::Now;
use super::vitals::{State, narrowed};

/// Servers explained in one answer: a host may have many.
const MOST_SERVERS: usize = 16;

/// See the head of this file. `ask` brings the evidence of now.
pub(super) fn answer(state: &State, asked: &str, ask: impl FnOnce(&[&ControlServer]) -> Now) -> Value {
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
    let now = ask(&live);
    let moment = of_now(state, &now);
    let hour = state.last_hour.as_deref();
    let closed = hour.map(|hour| of_hour(hour, asked));
    let servers = closed.as_ref().map(|closed| documents(closed, &state.sensor));
    json!({
        "asked": clean(asked),
        "evidence_of": hour.map(|hour| json!({
            "start": rfc3339(hour.period.start_ns),
            "end": rfc3339(hour.period.end_ns),
            "partial": hour.period.partial,
        })),
        "servers": servers.unwrap_or_else(|| json!([])),
        "now": rows(&live, moment.as_ref(), &state.sensor),
        "now_as_of": now.as_of_ns.map(rfc3339),
        "now_is_whole": now.is_whole,
        "says": said(hour, closed.as_ref(), &live, &now),
        "page_now": moment.as_ref().map(page),
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

/// What workers said, in the form of a summary; `None` where none said anything.
fn of_now(state: &State, now: &Now) -> Option<Summary> {
    let as_of_ns = now.as_of_ns?;
    let servers: Vec<ControlServer> = now
        .servers
        .iter()
        .filter(|server| !server.evidence.is_empty())
        .cloned()
        .collect();
    let country_source = now.country_source.clone().filter(|_| !servers.is_empty())?;
    Some(Summary {
        period: Period {
            kind: PeriodKind::Run,
            start_ns: as_of_ns,
            end_ns: as_of_ns,
            partial: true,
        },
        first_packet_ns: None,
        last_packet_ns: Some(as_of_ns),
        accounting: Accounting::default(),
        totals: Totals {
            hosts: state.snapshot.hosts,
            ..Totals::default()
        },
        servers,
        countries: Vec::new(),
        country_source,
        peers: Vec::new(),
        intel: Vec::new(),
        allowed: Allowed::default(),
    })
}

/// As the hour's own document has them.
fn documents(closed: &Summary, sensor: &str) -> Value {
    let document = json(closed, sensor).ok();
    let document: Option<Value> = document.and_then(|text| serde_json::from_str(&text).ok());
    document.map_or_else(|| json!([]), |mut document| document["servers"].take())
}

/// The rows of `servers`, each with its evidence if it is there.
fn rows(live: &[&ControlServer], moment: Option<&Summary>, sensor: &str) -> Vec<Value> {
    let documents = moment.map(|moment| documents(moment, sensor));
    let row = |server: &&ControlServer| {
        let mut row = answers::server(server);
        let place = moment.and_then(|moment| moment.servers.iter().position(|known| is_same(known, server)));
        let evidence = place
            .zip(documents.as_ref())
            .map(|(place, documents)| documents[place]["evidence"].clone());
        row["evidence"] = evidence.unwrap_or(Value::Null);
        row
    };
    live.iter().map(row).collect()
}

fn is_same(one: &ControlServer, two: &ControlServer) -> bool {
    let place = |server: &ControlServer| (server.address, server.port, server.transport, server.behind_relay);
    place(one) == place(two) && (!one.behind_relay || one.names.first() == two.names.first())
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

/// As the page below says it.
fn known_by(server: &ControlServer) -> String {
    if has_score(server) {
        format!("score {}", score(server.score))
    } else {
        "by threat intelligence".to_owned()
    }
}

/// What the answer is, in words.
fn said(hour: Option<&Summary>, closed: Option<&Summary>, live: &[&ControlServer], now: &Now) -> String {
    let mut said = match live {
        [] => "not suspected at the moment".to_owned(),
        [one] => format!("{} at the moment, {}", one.class.name(), known_by(one)),
        several => format!("{} servers are suspected at the moment", several.len()),
    };
    let has_evidence = now.servers.iter().any(|server| !server.evidence.is_empty());
    match now.as_of_ns.filter(|_| has_evidence) {
        Some(as_of_ns) => said.push_str(&format!(
            "; evidence as of {}, by what the worker alone knows that follows it{}",
            date_time(as_of_ns),
            if now.is_whole {
                ""
            } else {
                " (not all workers have answered)"
            },
        )),
        None if !live.is_empty() => said.push_str("; the workers are too busy to say why, ask again"),
        None => {}
    }
    let Some(hour) = hour else {
        return said + "; no hour has closed since the start, which brings all workers' knowledge together";
    };
    let (start, end) = (rfc3339(hour.period.start_ns), rfc3339(hour.period.end_ns));
    if closed.is_some_and(|closed| !closed.servers.is_empty()) {
        said + &format!("; the last closed hour, {start} to {end}, over all workers, has it too")
    } else {
        said + &format!("; nothing was suspected of it when the last hour closed, {start} to {end}")
    }
}

#[cfg(test)]
mod tests {
    use balefire_detect::{Address, Class, Country, Transport};

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
        let nobody = |_: &[&ControlServer]| Now::default();
        let before = answer(&vitals.state(), "192.0.2.1", nobody);
        assert!(
            before["says"].as_str().unwrap().contains("no hour has closed"),
            "{before}"
        );
        assert_eq!((&before["evidence_of"], &before["page"]), (&Value::Null, &Value::Null));
        vitals.hour(&hour(), true);
        for asked in ["192.0.2.2", "192.0.2.2:443", "B.example", "10.0.0.2"] {
            let found = answer(&vitals.state(), asked, nobody);
            assert_eq!(found["servers"][0]["address"], "192.0.2.2", "{asked}: {found}");
            assert_eq!(found["evidence_of"]["start"], "2026-03-02T08:00:00.000000Z");
            assert!(
                found["page"].as_str().unwrap().starts_with("192.0.2.2:443/tcp"),
                "{found}"
            );
        }
        let hostile = answer(&vitals.state(), "192.0.2.1", nobody).to_string();
        assert!(
            hostile.contains("192.0.2.1") && !hostile.contains("\\u001b"),
            "{hostile}"
        );
        let other = answer(&vitals.state(), "198.51.100.7", nobody);
        assert!(
            other["says"].as_str().unwrap().contains("nothing was suspected"),
            "{other}"
        );
        assert!(answer(&vitals.state(), "", nobody)["error"].is_string());
    }
}

//! Servers, hosts and countries as `ctl` prints them for people: columns as on the console's pages, nothing cut.
//!
//! In: the service's answer. Out: lines; a sentence where there is nothing. Cells are made harmless by the grid, whoever sent
//! them. Not its job: what is answered (`answers`), the other answers (`ctl`).

use balefire_detect::Country;
use balefire_report::{Align, Cell, Grid, country_name, score, thousands};
use serde_json::Value;

use crate::flags::CtlWord;

/// The table of this word; `None` for words whose answer is none.
pub(super) fn table(word: CtlWord, answer: &Value) -> Option<String> {
    let rows = |name: &str| answer[name].as_array().map(Vec::as_slice);
    match word {
        CtlWord::Servers => Some(servers(rows("servers")?)),
        CtlWord::Hosts => Some(hosts(rows("hosts")?)),
        CtlWord::Countries => Some(countries(rows("countries")?)),
        _ => None,
    }
}

fn servers(rows: &[Value]) -> String {
    if rows.is_empty() {
        return "none: no control server is suspected at the moment\n".to_owned();
    }
    let mut grid = Grid::new(&[
        ("#", Align::Right),
        ("server", Align::Left),
        ("cc", Align::Left),
        ("class", Align::Left),
        ("score", Align::Right),
        ("hosts", Align::Right),
        ("check-ins", Align::Right),
        ("first (UTC)", Align::Left),
        ("last (UTC)", Align::Left),
        ("names", Align::Left),
    ]);
    for row in rows {
        grid.row(vec![
            Cell::new(count(&row["rank"])),
            Cell::new(place(row)),
            Cell::new(text(&row["hosting_country"])),
            Cell::new(text(&row["class"])),
            // What only a list knows has none, as on the console.
            Cell::new(row["score"].as_f64().map_or_else(|| "list".to_owned(), score)),
            Cell::new(count_of(&row["hosts"])),
            Cell::new(count(&row["check_ins"])),
            Cell::new(moment(&row["first"])),
            Cell::new(moment(&row["last"])),
            Cell::new(joined(&row["names"], text)),
        ]);
    }
    grid.text()
}

fn hosts(rows: &[Value]) -> String {
    if rows.is_empty() {
        return "none: no host is controlled by a server that is suspected at the moment\n".to_owned();
    }
    let mut grid = Grid::new(&[
        ("host", Align::Left),
        ("servers", Align::Right),
        ("controlled by", Align::Left),
    ]);
    for row in rows {
        grid.row(vec![
            Cell::new(text(&row["host"])),
            Cell::new(count_of(&row["servers"])),
            Cell::new(joined(&row["servers"], |server| bracketed(&text(server)))),
        ]);
    }
    grid.text()
}

fn countries(rows: &[Value]) -> String {
    if rows.is_empty() {
        return "none: no country hosts a control server that is suspected at the moment\n".to_owned();
    }
    let mut grid = Grid::new(&[
        ("cc", Align::Left),
        ("hosting country", Align::Left),
        ("servers", Align::Right),
        ("rank", Align::Right),
        ("hosts", Align::Right),
        ("rank", Align::Right),
    ]);
    for row in rows {
        let code = text(&row["hosting_country"]);
        let name = match code.as_bytes() {
            &[first, second] => country_name(&Country([first, second])),
            _ => "-".to_owned(),
        };
        grid.row(vec![
            Cell::new(code),
            Cell::new(name),
            Cell::new(count(&row["servers"])),
            Cell::new(rank(&row["rank_by_servers"])),
            Cell::new(count(&row["hosts"])),
            Cell::new(rank(&row["rank_by_hosts"])),
        ]);
    }
    grid.text()
}

/// `192.0.2.1:443`; other protocols than TCP are said, and those without ports have none.
fn place(row: &Value) -> String {
    let (address, protocol) = (text(&row["address"]), text(&row["protocol"]));
    let place = bracketed(&format!("{address}:{}", row["port"]));
    match protocol.as_str() {
        "tcp" => place,
        "udp" => format!("{place}/udp"),
        _ => format!("{address}/{protocol}"),
    }
}

/// `2001:db8::1:443` as `[2001:db8::1]:443`, so that the port can be told.
fn bracketed(place: &str) -> String {
    match place.rsplit_once(':') {
        Some((address, port)) if address.contains(':') && !address.starts_with('[') => format!("[{address}]:{port}"),
        _ => place.to_owned(),
    }
}

fn joined(list: &Value, word: impl Fn(&Value) -> String) -> String {
    match list.as_array().map(Vec::as_slice) {
        None | Some([]) => "-".to_owned(),
        Some(entries) => entries.iter().map(word).collect::<Vec<_>>().join(" "),
    }
}

/// `2026-03-02T08:00:18.000000Z` to the second.
fn moment(time: &Value) -> String {
    let time = text(time);
    time.get(..19).map_or(time.clone(), |time| time.replacen('T', " ", 1))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or("-").to_owned()
}

fn count(value: &Value) -> String {
    value.as_u64().map_or_else(|| "-".to_owned(), thousands)
}

fn count_of(list: &Value) -> String {
    list.as_array()
        .map_or_else(|| "-".to_owned(), |entries| thousands(entries.len() as u64))
}

/// 0 is none.
fn rank(value: &Value) -> String {
    match value.as_u64() {
        None | Some(0) => "-".to_owned(),
        Some(rank) => thousands(rank),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn servers_stand_in_columns_and_are_harmless() {
        let server = |rank: u32, address: &str, protocol: &str, score: Value, names: &[&str]| {
            json!({
                "rank": rank, "address": address, "port": 443, "protocol": protocol, "names": names,
                "hosting_country": "NL", "class": "probable", "score": score, "hosts": ["10.0.0.1", "10.0.0.2"],
                "check_ins": 1_204, "first": "2026-03-02T08:00:18.000000Z", "last": "2026-03-02T09:00:00.500000Z",
            })
        };
        let answer = json!({"servers": [
            server(1, "192.0.2.1", "tcp", json!(1.0), &["a\u{1b}[2J.example", "b.example"]),
            server(2, "2001:db8::1", "udp", json!(0.97), &[]),
            server(3, "192.0.2.3", "icmp", Value::Null, &[]),
        ]});
        insta::assert_snapshot!("servers", table(CtlWord::Servers, &answer).unwrap());
    }

    #[test]
    fn hosts_and_countries_have_their_counts() {
        let answer = json!({"hosts": [
            {"host": "10.0.0.9", "servers": ["192.0.2.1:443", "2001:db8::1:8443"]},
            {"host": "10.0.0.10", "servers": ["192.0.2.1:443"]},
        ]});
        insta::assert_snapshot!("hosts", table(CtlWord::Hosts, &answer).unwrap());
        let answer = json!({"countries": [
            {"hosting_country": "US", "servers": 3, "hosts": 1_041, "rank_by_servers": 1, "rank_by_hosts": 1},
            {"hosting_country": "--", "servers": 1, "hosts": 0, "rank_by_servers": 2, "rank_by_hosts": 0},
        ]});
        insta::assert_snapshot!("countries", table(CtlWord::Countries, &answer).unwrap());
    }

    #[test]
    fn nothing_is_said_in_words() {
        for (word, name) in [
            (CtlWord::Servers, "servers"),
            (CtlWord::Hosts, "hosts"),
            (CtlWord::Countries, "countries"),
        ] {
            let nothing = table(word, &json!({name: []})).unwrap();
            assert!(nothing.starts_with("none: "), "{nothing}");
            assert_eq!(table(word, &json!({"error": "busy"})), None);
        }
        assert_eq!(table(CtlWord::Status, &json!({})), None);
    }
}

//! The pages as people see them, as snapshots; and what the documents must hold.

use balefire_report::{
    Heading, LiveQueue, LiveRow, Style, Unit, country_csv, json, live_header, live_news, live_row, scores_csv, table,
    why,
};
use insta::assert_snapshot;

use crate::sample::{busy, country, quiet, timeline, with_lists};

fn heading() -> Heading {
    Heading {
        input: "day.pcap.gz".to_owned(),
        elapsed_s: Some(0.05),
        hours_watched: (24, 24),
        unit: Unit::Packets,
        notes: vec!["More: balefire read --why 192.0.2.17 day.pcap.gz".to_owned()],
    }
}

#[test]
fn page_with_findings() {
    assert_snapshot!(table(&busy(), &heading(), Style::default()));
}

#[test]
fn page_with_nothing_found() {
    assert_snapshot!(table(
        &quiet(),
        &Heading {
            notes: Vec::new(),
            ..heading()
        },
        Style::default()
    ));
}

/// A name that was only asked for is a server, and nobody connected to it.
#[test]
fn one_of_each_is_singular_and_none_of_none_is_not_a_share() {
    let mut summary = busy();
    summary.totals.servers = 1;
    (summary.totals.destinations, summary.totals.hosts) = (0, 0);
    (summary.accounting.received, summary.accounting.decoded) = (1, 1);
    summary.accounting.late = 1;
    let heading = Heading {
        hours_watched: (1, 1),
        ..heading()
    };
    let page = table(&summary, &heading, Style::default());
    for words in [
        "   1 packet, ",
        "Suspected control servers: 1, beside 0 destinations of 0 hosts",
        "Watched 1 of 1 hour.",
        "1 distinct server, ",
        "1 packet came after its hour was closed",
    ] {
        assert!(page.contains(words), "{words} in {page}");
    }
    let page = why(&summary, &[], "192.0.2.17", Style::default());
    assert!(!page.contains("of 0 hosts"), "{page}");
}

#[test]
fn colour_only_dresses() {
    let plain = table(&busy(), &heading(), Style::default());
    let coloured = table(&busy(), &heading(), Style { colour: true });
    assert_ne!(plain, coloured);
    let bare = ["\u{1b}[33m", "\u{1b}[31m", "\u{1b}[0m"]
        .iter()
        .fold(coloured, |text, code| text.replace(code, ""));
    assert_eq!(plain, bare);
}

#[test]
fn a_sum_that_does_not_hold_is_said() {
    let mut summary = quiet();
    summary.accounting.decoded -= 2;
    assert!(table(&summary, &heading(), Style::default()).contains("differ by 2"));
}

#[test]
fn page_that_explains() {
    assert_snapshot!(why(&busy(), &[], "192.0.2.17", Style::default()));
    for asked in [
        "192.0.2.17:443",
        "192.0.2.17:443/tcp",
        "WWW.example.net",
        "cdn.example.net.",
    ] {
        assert_eq!(
            why(&busy(), &[], asked, Style::default()),
            why(&busy(), &[], "192.0.2.17", Style::default())
        );
    }
}

#[test]
fn page_that_explains_the_unsuspected() {
    let timelines = [
        timeline([192, 0, 2, 1], None),
        timeline([192, 0, 2, 2], Some("ntp.example.org")),
    ];
    assert_snapshot!(why(&quiet(), &timelines, "ntp.example.org", Style::default()));
    assert!(why(&quiet(), &timelines, "192.0.2.3", Style::default()).contains("often enough"));
}

#[test]
fn document() {
    let text = json(&busy(), "tap1").unwrap();
    assert_eq!(text, json(&busy(), "tap1").unwrap());
    assert_snapshot!(text);
}

#[test]
fn document_does_not_show_how_many_workers_ran() {
    let mut more = busy();
    more.accounting
        .queue_drops
        .push(balefire_detect::QueueDrops { worker: 2, frames: 0 });
    assert_eq!(json(&more, "tap1").unwrap(), json(&busy(), "tap1").unwrap());
}

#[test]
fn rows() {
    assert_snapshot!(country_csv(&busy(), "tap1"));
    assert_snapshot!(scores_csv(&[
        timeline([192, 0, 2, 1], None),
        timeline([192, 0, 2, 2], Some("ntp.example.org"))
    ]));
}

#[test]
fn live() {
    let row = LiveRow {
        elapsed_s: 251.4,
        packets_per_s: 1_920_000.0,
        bits_per_s: 8.41e9,
        kernel_drops: 0,
        queues: vec![
            LiveQueue {
                blocks: 2,
                capacity: 16,
            },
            LiveQueue {
                blocks: 0,
                capacity: 16,
            },
        ],
        busiest: 0.63,
        latency_p99_ns: 2_100_000,
        hosts: 1_204,
        timelines: 184_000,
        servers: 3,
        countries: vec![country(*b"US", 2, 3), country(*b"NL", 1, 1)],
        ..LiveRow::default()
    };
    let rows = format!("{}\n{}", live_header(), live_row(&row, Style::default()));
    assert_snapshot!(format!("{rows}\n{}", live_news(&busy().servers[0], Style::default())));
}

/// What lists say stands apart from behaviour; what the allowlist hid is counted, with a rule that has run out.
#[test]
fn lists_on_every_page() {
    let summary = with_lists();
    let table = table(&summary, &Heading::default(), Style::default());
    let first = summary.servers[0].address.to_string();
    let last = summary.servers[2].address.to_string();
    let both = why(&summary, &[], &first, Style::default());
    let only = why(&summary, &[], &last, Style::default());
    assert_snapshot!(format!(
        "{table}\n{both}\n{only}\n{}",
        live_news(&summary.servers[2], Style::default())
    ));
    let document: serde_json::Value = serde_json::from_str(&json(&summary, "tap1").unwrap()).unwrap();
    assert_eq!(document["servers"][2]["score"], serde_json::Value::Null);
    let sign = &document["servers"][2]["evidence"][0];
    assert_eq!(
        (&sign["kind"], &sign["score"], &sign["timing"]),
        (&"threat_intel".into(), &().into(), &().into())
    );
    assert_eq!(sign["intel"]["matches"][0]["label"], "Dridex, gate");
    assert_eq!(document["allowed"]["rules"][1]["expired"], true);
}

/// Every key of the document is in README.md.
#[test]
fn fields_are_described() {
    fn keys(value: &serde_json::Value, found: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(object) => {
                for (key, value) in object {
                    found.push(key.clone());
                    // Names of reasons and classes are values in the shape of keys.
                    if key != "rejects" && key != "servers_by_class" {
                        keys(value, found);
                    }
                }
            }
            serde_json::Value::Array(values) => values.iter().for_each(|value| keys(value, found)),
            _ => {}
        }
    }
    let described = include_str!("../../../../README.md");
    let mut found = Vec::new();
    keys(
        &serde_json::from_str(&json(&with_lists(), "tap1").unwrap()).unwrap(),
        &mut found,
    );
    assert!(found.len() > 60);
    for key in found {
        let forms = [
            format!("`{key}"),
            format!(".{key}`"),
            format!(".{key}["),
            format!("[].{key}"),
        ];
        assert!(
            forms.iter().any(|form| described.contains(form)),
            "{key} is not in README.md"
        );
    }
}

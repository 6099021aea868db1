//! Whatever the wire says, no page or file carries control or bidirectional characters, or a cell a spreadsheet runs.

use balefire_detect::Summary;
use balefire_report::{Heading, Style, country_csv, json, live_news, scores_csv, table, why};
use proptest::prelude::*;

use crate::sample::{evidence, quiet, server, timeline};

fn hostile(name: &str) -> Summary {
    let mut summary = quiet();
    let mut hostile = server(1, [192, 0, 2, 17], 443, &[name, name], *b"NL", 0.99);
    hostile.country.0 = [0x1b, b'='];
    hostile.evidence.push(evidence(hostile.hosts[0], Some(name), 0.9));
    for part in hostile.evidence.iter_mut().flat_map(|evidence| &mut evidence.parts) {
        part.text = name.to_owned();
    }
    hostile.evidence[0].innocent = vec![name.to_owned()];
    hostile.evidence[0].missing = vec![name.to_owned()];
    summary.country_source.name = name.to_owned();
    summary.country_source.date = name.to_owned();
    summary.countries[0].country.0 = [b'=', 0x07];
    summary.servers.push(hostile);
    summary
}

/// Line ends are ours; nothing else below 0x20, no DEL, no C1, no reordering or hiding.
fn is_harmless(text: &str) -> bool {
    let hides = |letter: char| {
        (letter.is_control() && letter != '\n')
            || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{61c}' | '\u{feff}')
    };
    !text.chars().any(hides)
}

proptest! {
    #[test]
    fn nothing_passes(name in any::<String>(), asked in any::<String>()) {
        let summary = hostile(&name);
        let heading = Heading { input: asked.clone(), notes: vec![name.clone()], ..Heading::default() };
        prop_assert!(is_harmless(&table(&summary, &heading, Style::default())));
        prop_assert!(is_harmless(&why(&summary, &[], "192.0.2.17", Style::default())));
        prop_assert!(is_harmless(&why(&summary, &[timeline([192, 0, 2, 1], Some(&name))], &asked, Style::default())));
        prop_assert!(is_harmless(&live_news(&summary.servers[0], Style::default())));
        let document = json(&summary, &name).unwrap();
        prop_assert!(is_harmless(&document));
        prop_assert!(serde_json::from_str::<serde_json::Value>(&document).is_ok());
        for rows in [country_csv(&summary, &name), scores_csv(&[timeline([192, 0, 2, 1], Some(&name))])] {
            prop_assert!(is_harmless(&rows));
            prop_assert_eq!(rows.lines().count(), 2);
        }
    }
}

#[test]
fn names_that_draw_or_calculate() {
    for name in [
        "\u{1b}]0;owned\u{7}",
        "=cmd|' /C calc'!A0",
        "\u{202e}gpj.exe",
        "a\r\nb",
        "@x",
        "\u{9b}31m",
    ] {
        let rows = scores_csv(&[timeline([192, 0, 2, 1], Some(name))]);
        let cell = rows
            .lines()
            .nth(1)
            .unwrap()
            .split(',')
            .nth(3)
            .unwrap()
            .trim_start_matches('"');
        assert!(!cell.starts_with(['=', '+', '-', '@']) && is_harmless(&rows), "{rows}");
        assert!(is_harmless(&table(
            &hostile(name),
            &Heading::default(),
            Style::default()
        )));
    }
}

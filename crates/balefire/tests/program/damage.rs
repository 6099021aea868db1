//! Damaged and hostile input: used as far as it goes, said where it ends, never a crash.

use std::fs;

use crate::bench::{Bench, balefire, complaint_of, output_of};

#[test]
fn a_cut_file_is_used_and_is_three() {
    let bench = Bench::new();
    let bytes = fs::read(bench.capture()).unwrap();
    let cut = bench.file("cut.pcap", &bytes[..bytes.len() / 2 + 7]);
    let complaint = complaint_of(balefire(&["read"]).arg(&cut), 3);
    assert!(
        complaint.contains("cut.pcap") && complaint.contains("byte") && complaint.contains("kept"),
        "{complaint}"
    );
    let table = output_of(balefire(&["read"]).arg(&cut), 3);
    assert!(
        table.lines().last().unwrap().contains("cut.pcap"),
        "the last line says what was kept: {table}"
    );
    let json: serde_json::Value =
        serde_json::from_str(&output_of(balefire(&["read", "--format", "json"]).arg(&cut), 3)).unwrap();
    assert!(json["accounting"]["received"].as_u64().unwrap() > 100);
    let stats = output_of(balefire(&["stats"]).arg(&cut), 3);
    let stats: serde_json::Value = serde_json::from_str(stats.lines().last().unwrap()).unwrap();
    assert_eq!(stats["packets"], json["accounting"]["received"]);
}

#[test]
fn the_next_file_is_read_all_the_same() {
    let bench = Bench::new();
    let whole = bench.capture();
    let bytes = fs::read(&whole).unwrap();
    let cut = bench.file("cut.pcap", &bytes[..bytes.len() / 2]);
    let stats = |paths: &[&std::path::Path], code| -> u64 {
        let text = output_of(balefire(&["stats"]).args(paths), code);
        serde_json::from_str::<serde_json::Value>(text.lines().last().unwrap()).unwrap()["packets"]
            .as_u64()
            .unwrap()
    };
    assert_eq!(stats(&[&cut, &whole], 3), stats(&[&cut], 3) + stats(&[&whole], 0));
}

#[test]
fn what_is_no_capture_is_named() {
    let bench = Bench::new();
    let text = bench.file("notes.txt", b"these are notes, and longer than any magic number is\n");
    for command in ["read", "stats"] {
        let complaint = complaint_of(balefire(&[command]).arg(&text), 1);
        assert!(complaint.contains("notes.txt"), "{complaint}");
    }
}

#[test]
fn noise_never_crashes() {
    let bench = Bench::new();
    let mut bytes = fs::read(bench.capture()).unwrap();
    // A fixed walk over the file: every 97th byte turned over, headers of records and packets alike.
    for place in (24..bytes.len()).step_by(97) {
        bytes[place] ^= 0xff;
    }
    let noisy = bench.file("noisy.pcap", &bytes);
    for command in ["read", "stats"] {
        let output = balefire(&[command]).arg(&noisy).output().unwrap();
        assert!(matches!(output.status.code(), Some(0 | 3)), "{:?}", output.status);
        assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"));
    }
}

#[test]
fn names_from_the_wire_cannot_draw() {
    let bench = Bench::new();
    let capture = bench.capture();
    // The planted name, in hand-shakes and DNS answers, becomes an escape sequence of the same length.
    let mut bytes = fs::read(&capture).unwrap();
    let (planted, hostile) = (b"cdn.example.net", b"\x1b[2J\x07\x1b]0;owned\x07");
    let places: Vec<usize> = bytes
        .windows(planted.len())
        .enumerate()
        .filter(|(_, at)| at == planted)
        .map(|(at, _)| at)
        .collect();
    assert!(places.len() > 10, "the name is on the wire {} times", places.len());
    for place in places {
        bytes[place..place + hostile.len()].copy_from_slice(hostile);
    }
    let path = bench.file("hostile.pcap", &bytes);
    let scores = bench.path("scores.csv");
    for format in ["table", "json", "csv"] {
        let output = balefire(&["read", "--format", format, "--scores"])
            .arg(&scores)
            .arg(&path)
            .output()
            .unwrap();
        for text in [output.stdout, output.stderr, fs::read(&scores).unwrap()] {
            let text = String::from_utf8(text).unwrap();
            assert!(
                !text.chars().any(|letter| letter.is_control() && letter != '\n'),
                "{format}: {text:?}"
            );
        }
    }
}

#[test]
fn a_file_name_cannot_draw_either() {
    let bench = Bench::new();
    let capture = bench.capture();
    let hostile = bench.path("\u{1b}[2Joffice.pcap");
    fs::rename(capture, &hostile).unwrap();
    let table = output_of(balefire(&["read"]).arg(&hostile), 0);
    assert!(!table.contains('\u{1b}'), "{table:?}");
    let missing = complaint_of(&mut balefire(&["read", "\u{1b}[2Jgone.pcap"]), 1);
    assert!(
        missing.contains("gone.pcap") && !missing.contains('\u{1b}'),
        "{missing:?}"
    );
}

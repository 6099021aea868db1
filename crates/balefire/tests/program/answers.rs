//! What is found, in every format, and that it is the same however it is read.

use std::fs;
use std::process::{Command, Stdio};

use crate::bench::{Bench, balefire, document, output_of};

#[test]
fn the_planted_servers_are_found_and_explained() {
    let bench = Bench::new();
    let capture = bench.capture();
    let found = document(&capture, &[]);
    let servers = found["servers"].as_array().unwrap();
    let bare = servers
        .iter()
        .find(|server| server["port"] == 8443)
        .expect("the bare address");
    assert_eq!(
        (&bare["hosting_country"], &bare["rank"]),
        (&"NL".into(), &1.into()),
        "{bare}"
    );
    let evidence = &bare["evidence"][0];
    let interval_s = evidence["interval_s"].as_f64().unwrap();
    assert!((50.0..70.0).contains(&interval_s), "{evidence}");
    assert!(!evidence["parts"].as_array().unwrap().is_empty() && !evidence["intervals"].as_array().unwrap().is_empty());

    let address = bare["address"].as_str().unwrap();
    let table = output_of(balefire(&["read"]).arg(&capture), 0);
    assert!(
        table.contains(&format!("{address}:8443")) && table.contains("Netherlands"),
        "{table}"
    );
    assert!(table.contains("An address is not an actor."), "{table}");
    let why = output_of(balefire(&["read", "--why", address]).arg(&capture), 0);
    assert!(
        why.contains(&format!("{address}:8443/tcp")) && why.contains("Still innocent if"),
        "{why}"
    );
    let csv = output_of(balefire(&["read", "--format", "csv"]).arg(&capture), 0);
    assert!(
        csv.starts_with("country,servers,hosts,rank_by_servers,") && csv.contains("\nNL,1,1,"),
        "{csv}"
    );
}

#[test]
fn the_accounting_is_whole() {
    let bench = Bench::new();
    let found = document(&bench.capture(), &[]);
    let accounting = &found["accounting"];
    let number = |name: &str| accounting[name].as_u64().unwrap();
    assert!(number("received") > 1000);
    assert_eq!(
        number("received"),
        number("decoded") + number("not_ip") + number("rejected") + number("dropped"),
        "{accounting}"
    );
    assert_eq!(accounting["kernel_drops"], serde_json::Value::Null);
}

#[test]
fn the_same_bytes_whatever_the_way() {
    let bench = Bench::new();
    let capture = bench.capture();
    let json = |more: &[&str], path: &std::path::Path| {
        output_of(
            balefire(&["read", "--format", "json", "--sensor", "tap1"])
                .args(more)
                .arg(path),
            0,
        )
    };
    let one = json(&["--workers", "1"], &capture);
    assert_eq!(one, json(&["--workers", "4"], &capture), "4 workers");
    assert_eq!(
        one,
        json(&["--workers", "3", "--queue-blocks", "1"], &capture),
        "narrow queues"
    );
    let stdin = balefire(&["read", "--format", "json", "--sensor", "tap1", "-"])
        .write_stdin(fs::read(&capture).unwrap())
        .assert()
        .success();
    assert_eq!(one.as_bytes(), stdin.get_output().stdout, "standard input");
    if let Some(packed) = gzip(&capture) {
        let path = bench.file("office.pcap.gz", &packed);
        assert_eq!(one, json(&[], &path), "gzip");
    }
}

#[test]
fn scores_have_every_timeline() {
    let bench = Bench::new();
    let capture = bench.capture();
    let scores = bench.path("scores.csv");
    balefire(&["read", "--scores"])
        .arg(&scores)
        .arg(&capture)
        .assert()
        .success();
    let text = fs::read_to_string(scores).unwrap();
    let mut lines = text.lines();
    assert_eq!(
        lines.next(),
        Some("src,dst,dport,name,check_ins,interval_s,jitter,timing,score")
    );
    let rows: Vec<&str> = lines.collect();
    assert!(
        rows.len() > 3 && rows.iter().all(|row| row.split(',').count() == 9),
        "{text}"
    );
    assert!(rows.iter().any(|row| row.contains(",8443,")), "{text}");
}

#[test]
fn nothing_found_is_said_in_one_line() {
    let bench = Bench::new();
    let capture = bench.path("quiet.pcap");
    let synth = [
        "synth",
        "--seed",
        "3",
        "--hosts",
        "2",
        "--duration",
        "10m",
        "--services",
        "none",
        "--out",
    ];
    balefire(&synth).arg(&capture).assert().success();
    let table = output_of(balefire(&["read"]).arg(&capture), 0);
    assert_eq!(table.matches("No suspected control server").count(), 1, "{table}");
    assert!(document(&capture, &[])["servers"].as_array().unwrap().is_empty());
}

#[test]
fn a_capture_without_packets_is_fine() {
    let bench = Bench::new();
    let mut header = 0xa1b2_c3d4_u32.to_le_bytes().to_vec();
    header.extend([2, 0, 4, 0]);
    header.extend([0; 8]);
    header.extend(65_535_u32.to_le_bytes());
    header.extend(1_u32.to_le_bytes());
    let capture = bench.file("empty.pcap", &header);
    assert_eq!(document(&capture, &[])["accounting"]["received"], 0);
    let stats = output_of(balefire(&["stats"]).arg(&capture), 0);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&stats).unwrap()["packets"], 0);
}

#[test]
fn stats_agree_with_the_detector() {
    let bench = Bench::new();
    let capture = bench.capture();
    let stats = output_of(balefire(&["stats"]).arg(&capture), 0);
    let stats: serde_json::Value = serde_json::from_str(stats.lines().last().unwrap()).unwrap();
    let found = document(&capture, &[]);
    assert_eq!(stats["packets"], found["accounting"]["received"]);
    assert_eq!(stats["bytes"], found["accounting"]["wire_bytes"]);
    assert_eq!(stats["decoded"], found["accounting"]["decoded"]);
}

#[test]
fn the_page_has_no_colour_where_nobody_sees_it() {
    let bench = Bench::new();
    let table = output_of(balefire(&["read"]).arg(bench.capture()), 0);
    assert!(!table.contains('\u{1b}'), "{table}");
}

/// By the gzip program, which every system of ours has; without it that way is left out.
fn gzip(path: &std::path::Path) -> Option<Vec<u8>> {
    let output = Command::new("gzip")
        .arg("-c")
        .arg(path)
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output.status.success().then_some(output.stdout)
}

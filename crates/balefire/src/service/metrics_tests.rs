//! The page of metrics from made-up vitals, and the few words of HTTP around it.

use balefire_capture::KernelCounters;
use balefire_detect::{Accounting, Country, CountryRow};
use balefire_pipeline::{LatencyCounts, QueueGauge, TableGauge, ThreadUse};

use super::super::Attendant;
use super::super::alerts::OutputCounts;
use super::super::vitals::AlertCounts;
use super::*;

fn http() -> Http {
    let mut vitals = Vitals::new("tap-1", vec![("hosts", 4096)]);
    let mut frames = [0; LATENCY_BOUNDS_NS.len() + 1];
    (frames[0], frames[1], frames[10]) = (90, 9, 1);
    vitals.alerts(
        AlertCounts::default(),
        vec![OutputCounts {
            kind: "file",
            taken: 8,
            failed: 1,
        }],
    );
    vitals.tick(&Snapshot {
        accounting: Accounting {
            received: 100,
            decoded: 97,
            rejects: vec![(Reject::NotIp, 3)],
            ..Accounting::default()
        },
        kernel: Some(KernelCounters {
            received: 105,
            dropped_kernel: 5,
            dropped_interface: 0,
        }),
        queues: vec![QueueGauge {
            blocks: 2,
            capacity: 16,
            dropped: 1,
        }],
        threads: vec![ThreadUse {
            name: "worker-0".to_owned(),
            busy: 0.25,
            beats: 1,
        }],
        latency_counts: LatencyCounts { frames, sum_s: 0.5 },
        tables: vec![TableGauge {
            name: "hosts",
            entries: 7,
            evicted: 2,
        }],
        servers_by_class: [3, 2, 1],
        countries: vec![CountryRow {
            country: Country(*b"NL"),
            servers: 4,
            hosts: 9,
            rank_by_servers: 1,
            rank_by_hosts: 1,
            share_of_servers: 1.0,
            share_of_hosts: 1.0,
            connections: 0,
            bytes_out: 0,
            bytes_in: 0,
            packets: 0,
        }],
        ..Snapshot::default()
    });
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Page(vitals)));
    Http { registry }
}

fn ask(question: &str) -> String {
    String::from_utf8(http().answer(question.as_bytes(), false).unwrap()).unwrap()
}

#[test]
fn the_page_has_every_number_under_its_label() {
    let page = ask("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    for line in [
        "balefire_packets_received_total 100",
        "balefire_packets_decoded_total 97",
        "balefire_packets_rejected_total{reason=\"not_ip\"} 3",
        "balefire_packets_dropped_total{place=\"kernel\"} 5",
        "balefire_packets_dropped_total{place=\"queue\"} 1",
        "balefire_queue_capacity_blocks{worker=\"0\"} 16",
        "balefire_thread_busy_ratio{thread=\"worker-0\"} 0.25",
        "balefire_latency_seconds_count 100",
        "balefire_latency_seconds_bucket{le=\"0.0001\"} 99",
        "balefire_latency_seconds_bucket{le=\"+Inf\"} 100",
        "balefire_table_entries{table=\"hosts\"} 7",
        "balefire_table_limit{table=\"hosts\"} 4096",
        "balefire_table_evictions_total{table=\"hosts\"} 2",
        "balefire_servers{class=\"probable\"} 2",
        "balefire_country_hosts{country=\"NL\"} 9",
        "balefire_alerts_total{result=\"suppressed\"} 0",
        "balefire_alert_output_total{output=\"file\",result=\"failed\"} 1",
    ] {
        let found = page.lines().any(|found| found == line || found == format!("{line}.0"));
        assert!(found, "{line} in\n{page}");
    }
    assert!(page.contains("sensor=\"tap-1\""), "{page}");
    let (head, body) = page.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("Content-Length: {}", body.len())), "{head}");
}

#[test]
fn the_form_is_the_one_that_was_asked_for() {
    let older = ask("GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n");
    assert!(older.contains("Content-Type: text/plain; version=0.0.4"), "{older}");
    for line in [
        "# HELP balefire_packets_received_total Frames the capture delivered",
        "# TYPE balefire_packets_received_total counter",
        "# TYPE balefire_build_info gauge",
        "# TYPE balefire_latency_seconds histogram",
        "# TYPE balefire_uptime_seconds gauge",
    ] {
        assert!(older.lines().any(|found| found == line), "{line} in\n{older}");
    }
    assert!(!older.contains("# EOF") && !older.contains("# TYPE balefire_packets_received counter"));
    // What Prometheus 2 sends.
    let accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.1";
    let newer = ask(&format!("GET /metrics HTTP/1.1\r\naccept: {accept}\r\n\r\n"));
    assert!(
        newer.contains("Content-Type: application/openmetrics-text; version=1.0.0"),
        "{newer}"
    );
    assert!(newer.contains("# TYPE balefire_packets_received counter") && newer.ends_with("# EOF\n"));
    let refused = ask("GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text;q=0\r\n\r\n");
    assert!(refused.contains("version=0.0.4"), "{refused}");
}

#[test]
fn the_few_words_of_http() {
    for (question, status) in [
        ("GET / HTTP/1.1\r\n\r\n", "200"),
        ("GET /metrics?x=1 HTTP/1.0\r\n\r\n", "200"),
        ("GET /etc/passwd HTTP/1.1\r\n\r\n", "404"),
        ("POST /metrics HTTP/1.1\r\n\r\n", "405"),
        ("\r\n\r\n", "405"),
    ] {
        assert!(ask(question).starts_with(&format!("HTTP/1.1 {status} ")), "{question}");
    }
    assert!(ask("HEAD /metrics HTTP/1.1\r\n\r\n").ends_with("\r\n\r\n"));
    assert_eq!(http().answer(b"GET /metr", false), None);
    assert!(http().answer(b"GET /metr", true).unwrap().starts_with(b"HTTP/1.1 400 "));
}

#[test]
fn other_machines_are_let_in_only_by_word() {
    let address = "0.0.0.0:0".parse().unwrap();
    let vitals = Vitals::new("tap", Vec::new());
    let error = open(address, false, &vitals).unwrap_err();
    assert!(error.to_string().contains("--metrics-anywhere"), "{error}");
    assert!(open(address, true, &vitals).is_ok());
}

//! Flags, help, exit codes, and streams that end early.

use std::io::Read;
use std::process::Stdio;

use crate::bench::{Bench, balefire, complaint_of, output_of};

#[test]
fn help_is_there_for_every_command() {
    for command in [
        "read",
        "live",
        "run",
        "ctl",
        "doctor",
        "stats",
        "synth",
        "interfaces",
        "config",
    ] {
        let help = output_of(&mut balefire(&[command, "--help"]), 0);
        assert!(help.contains("Usage: balefire"), "{command}: {help}");
    }
    let help = output_of(&mut balefire(&["--help"]), 0);
    assert!(
        help.contains("Exit codes: 0 done, 1 failed, 2 usage or settings, 3 input damaged"),
        "{help}"
    );
    assert!(output_of(&mut balefire(&["--version"]), 0).contains("registration"));
}

#[test]
fn wrong_usage_is_two() {
    for arguments in [
        &["read"][..],
        &["frobnicate"],
        &["read", "--workers", "x", "a.pcap"],
        &["read", "--workers", "0", "a.pcap"],
        &["read", "--format", "xml", "a.pcap"],
        &["read", "--home", "10.0.0.0/33", "a.pcap"],
        &["read", "--home-country", "Mars", "a.pcap"],
        &["read", "--suspected", "0.9", "--probable", "0.5", "a.pcap"],
        &["read", "--suspected", "nan", "a.pcap"],
        &["read", "--sensor", "../x", "a.pcap"],
        &["read", "--why", "192.0.2.1", "--format", "json", "a.pcap"],
        &["live"],
        &["live", "-i", "lo", "--metrics", "nowhere"],
        &["run"],
        &["run", "--output", "/nonexistent"],
        &["ctl", "status"],
        &["live", "-i", "lo", "--snaplen", "1"],
        &["synth", "--out", "/dev/null", "--hosts", "many"],
        &["synth", "--out", "/dev/null", "--beacon", "interval=0,country=NL"],
    ] {
        let complaint = complaint_of(&mut balefire(arguments), 2);
        assert!(
            !complaint.is_empty() && !complaint.contains("panicked"),
            "{arguments:?}: {complaint}"
        );
    }
}

#[test]
fn a_filter_that_does_not_compile_is_two_and_shown() {
    let bench = Bench::new();
    let capture = bench.capture();
    let complaint = complaint_of(balefire(&["read", "--filter", "not a filter"]).arg(capture), 2);
    assert!(complaint.contains("not a filter"), "{complaint}");
}

#[test]
fn what_is_not_there_is_one_and_named() {
    let complaint = complaint_of(&mut balefire(&["read", "/nonexistent/a.pcap"]), 1);
    assert!(complaint.contains("/nonexistent/a.pcap"), "{complaint}");
    let complaint = complaint_of(&mut balefire(&["live", "-i", "no-such-if"]), 1);
    assert!(complaint.contains("no-such-if"), "{complaint}");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let bench = Bench::new();
    let capture = bench.capture();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_balefire"))
        .args(["read", "--format", "json"])
        .arg(capture)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut complaint = String::new();
    child.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
    assert_eq!((child.wait().unwrap().code(), complaint.as_str()), (Some(0), ""));
}

#[test]
fn interfaces_are_listed_or_explained() {
    let list = output_of(&mut balefire(&["interfaces"]), 0);
    assert!(list.contains("lo"), "{list}");
}

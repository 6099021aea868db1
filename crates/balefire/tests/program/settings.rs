//! The settings file and its two commands.

use crate::bench::{Bench, balefire, complaint_of, output_of};

#[test]
fn a_dump_is_a_settings_file_with_the_same_effect() {
    let bench = Bench::new();
    let flags = [
        "config",
        "dump",
        "--home",
        "192.0.2.0/24,2001:db8::/32",
        "--workers",
        "3",
        "--home-country",
        "nl",
    ];
    let dump = output_of(
        balefire(&flags).args(["--sensor", "tap1", "--filter", "not port 22"]),
        0,
    );
    let file = bench.file("balefire.toml", dump.as_bytes());
    assert_eq!(output_of(balefire(&["config", "dump", "--config"]).arg(&file), 0), dump);
    assert!(dump.contains("workers = 3") && dump.contains("\"NL\""), "{dump}");
    let check = output_of(balefire(&["config", "check", "--config"]).arg(&file), 0);
    assert!(check.contains("tap1") && check.contains("192.0.2.0/24"), "{check}");
}

#[test]
fn flags_go_before_the_file() {
    let bench = Bench::new();
    let file = bench.file("balefire.toml", b"[run]\nworkers = 3\n[sensor]\nname = \"a\"\n");
    let dump = output_of(
        balefire(&["config", "dump", "--workers", "5", "--config"]).arg(&file),
        0,
    );
    assert!(dump.contains("workers = 5") && dump.contains("name = \"a\""), "{dump}");
}

#[test]
fn an_unknown_key_is_refused_with_line_and_column() {
    let bench = Bench::new();
    let file = bench.file("balefire.toml", b"[run]\nworkers = 3\nwrokers = 4\n");
    for command in [&["config", "check", "--config"][..], &["config", "dump", "--config"]] {
        let complaint = complaint_of(balefire(command).arg(&file), 2);
        assert!(
            complaint.contains("line 3, column 1") && complaint.contains("wrokers"),
            "{complaint}"
        );
        assert!(complaint.contains("balefire.toml"), "{complaint}");
    }
    let complaint = complaint_of(balefire(&["read", "a.pcap", "--config"]).arg(&file), 2);
    assert!(complaint.contains("wrokers"), "{complaint}");
}

#[test]
fn what_the_settings_name_is_checked() {
    let bench = Bench::new();
    let database = bench.file("broken.mmdb", b"no database");
    let complaint = complaint_of(balefire(&["config", "check", "--country-db"]).arg(&database), 2);
    assert!(complaint.contains("broken.mmdb"), "{complaint}");
    assert!(complaint_of(&mut balefire(&["config", "check", "--filter", "no filter"]), 2).contains("no filter"));
    assert!(complaint_of(&mut balefire(&["config", "check", "--config", "/nonexistent"]), 2).contains("/nonexistent"));
}

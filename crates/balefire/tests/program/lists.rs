//! The operator's lists: who is known to control hosts, who is not to be reported, and the commands around them.

use std::fs;

use crate::bench::{Bench, balefire, complaint_of, document, output_of};

#[test]
fn a_listed_name_is_confirmed_in_every_format() {
    let bench = Bench::new();
    let capture = bench.capture();
    let list = bench.file("c2.csv", b"domain,malware\ncdn.example.net,Dridex\n");
    let more = ["--intel", list.to_str().unwrap()];
    let found = document(&capture, &more);
    let first = &found["servers"][0];
    assert_eq!(
        (&first["class"], &first["rank"]),
        (&"confirmed".into(), &1.into()),
        "{first}"
    );
    assert_eq!(first["hosts"].as_array().unwrap().len(), 2);
    let sign = &first["evidence"][0];
    assert_eq!(
        (&sign["kind"], &sign["score"]),
        (&"threat_intel".into(), &serde_json::Value::Null)
    );
    assert_eq!(sign["intel"]["matches"][0]["label"], "Dridex");
    assert!(
        first["score"].as_f64().unwrap() > 0.5,
        "its behaviour keeps its own score: {first}"
    );
    assert_eq!(found["totals"]["servers_by_class"]["confirmed"], 1);
    assert_eq!(found["intel"][0]["indicators"], 1);

    let table = output_of(balefire(&["read"]).args(more).arg(&capture), 0);
    assert!(table.contains("1 confirmed") && table.contains(": Dridex"), "{table}");
    assert!(table.contains("Threat intelligence: 1 indicator of 1 list"), "{table}");
    let why = output_of(
        balefire(&["read", "--why", "cdn.example.net"]).args(more).arg(&capture),
        0,
    );
    assert!(
        why.contains("Threat intelligence\n") && why.contains("entry 2 of "),
        "{why}"
    );
    let json = |workers: &str| {
        let arguments = ["read", "--format", "json", "--sensor", "tap1", "--workers", workers];
        output_of(balefire(&arguments).args(more).arg(&capture), 0)
    };
    assert_eq!(json("1"), json("4"));
}

#[test]
fn a_rule_hides_and_is_counted_and_runs_out_in_packet_time() {
    let bench = Bench::new();
    let capture = bench.capture();
    let rules = |expires: &str| {
        let text = format!(
            "[[allow]]\ndomain = \"example.net\"\nreason = \"ours\"\n{expires}[[allow]]\nport = 1\nreason = \"x\"\n"
        );
        bench.file("allow.toml", text.as_bytes())
    };
    let with = |path: &std::path::Path| document(&capture, &["--allowlist", path.to_str().unwrap()]);
    let names = |found: &serde_json::Value| found["servers"].to_string().contains("cdn.example.net");
    let found = with(&rules("expires = 2026-03-03\n"));
    assert!(!names(&found), "{}", found["servers"]);
    let allowed = &found["allowed"];
    assert!(allowed["findings"].as_u64().unwrap() >= 2, "two hosts: {allowed}");
    assert_eq!(
        (&allowed["rules"][0]["hits"], &allowed["rules"][1]["hits"]),
        (&allowed["findings"], &0.into())
    );
    let path = bench.path("allow.toml");
    let table = output_of(balefire(&["read", "--allowlist"]).arg(&path).arg(&capture), 0);
    assert!(
        table.contains("hidden by 1 of 2 rules; 1 without hits, 0 expired"),
        "{table}"
    );
    let found = with(&rules("expires = 2026-03-01\n"));
    assert!(
        names(&found) && found["allowed"]["rules"][0]["expired"] == true,
        "{}",
        found["allowed"]
    );
}

#[test]
fn one_line_of_a_connection_log_is_enough() {
    let bench = Bench::new();
    let log = bench.file(
        "conn.csv",
        b"ts,src,dst,dport,proto,bytes_out,bytes_in\n1772409600,10.0.0.5,198.51.100.7,443,tcp,100,200\n",
    );
    let folder = bench.path("intel");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("own.txt"), "198.51.100.0/24 # bad hosting\n").unwrap();
    let found = document(&log, &["--intel", folder.to_str().unwrap()]);
    let server = &found["servers"][0];
    assert_eq!(
        (&server["address"], &server["class"]),
        (&"198.51.100.7".into(), &"confirmed".into()),
        "{found}"
    );
    assert_eq!(
        (&server["score"], &server["check_ins"]),
        (&serde_json::Value::Null, &1.into())
    );
}

#[test]
fn check_says_what_was_understood() {
    let bench = Bench::new();
    let good = bench.file("good.txt", b"192.0.2.1\nevil[.]example\n");
    let check = output_of(balefire(&["intel", "check"]).arg(&good), 0);
    assert!(check.contains("plain list, 2 indicators taken"), "{check}");
    let mixed = bench.file(
        "mixed.txt",
        b"192.0.2.1\nwhat is this\nco.uk\nd41d8cd98f00b204e9800998ecf8427e\n",
    );
    let check = output_of(balefire(&["intel", "check"]).arg(&good).arg(&mixed), 3);
    assert!(
        check.contains("line 2: \"what is this\"") && check.contains("not used, 1: a file hash"),
        "{check}"
    );
    assert!(check.contains("together: 3 indicators of 2 lists"), "{check}");
    let bad = bench.file("bad.json", b"{\"a\": ");
    let complaint = complaint_of(balefire(&["intel", "check"]).arg(&bad), 2);
    assert!(complaint.contains("begins like JSON and is none"), "{complaint}");
    let capture = bench.file("empty.pcap", b"");
    let complaint = complaint_of(balefire(&["read", "--intel"]).arg(&bad).arg(&capture), 2);
    assert!(complaint.contains("bad.json"), "{complaint}");
}

#[test]
fn a_rule_is_added_and_nothing_else_changes() {
    let bench = Bench::new();
    let path = bench.path("allow.toml");
    let add = |server: &str, more: &[&str]| {
        let mut command = balefire(&["allow", "add", server, "--allowlist"]);
        command.arg(&path).args(more);
        command
    };
    let said = output_of(
        &mut add("192.0.2.7", &["--port", "443", "--reason", "our \"agent\""]),
        0,
    );
    assert!(said.contains("added address 192.0.2.7, port 443; 1 rule"), "{said}");
    let commented = format!("# kept\n{}# kept too", fs::read_to_string(&path).unwrap());
    fs::write(&path, &commented).unwrap();
    output_of(
        &mut add(
            "Updates.example.org",
            &["--reason", "updates", "--expires", "2027-01-31"],
        ),
        0,
    );
    let after = fs::read_to_string(&path).unwrap();
    assert!(after.starts_with(&commented), "{after}");
    let list = output_of(balefire(&["allow", "list"]).arg(&path), 0);
    assert_eq!(
        list,
        "address 192.0.2.7, port 443: our \"agent\"\ndomain Updates.example.org, until 2027-01-31T00:00:00.000000Z: updates\n"
    );
    let complaint = complaint_of(&mut add("co.uk", &["--reason", "x"]), 2);
    assert!(
        complaint.contains("public suffix") && complaint.contains("nothing was added"),
        "{complaint}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), after);
    assert!(output_of(balefire(&["allow", "check"]).arg(&path), 0).contains("good, 2 rules"));
    fs::write(&path, "[[allow]]\nport = 1\n").unwrap();
    let complaint = complaint_of(balefire(&["allow", "check"]).arg(&path), 2);
    assert!(complaint.contains("line 1 has no reason"), "{complaint}");
    let capture = bench.file("empty.pcap", b"");
    complaint_of(balefire(&["read", "--allowlist"]).arg(&path).arg(&capture), 2);
}

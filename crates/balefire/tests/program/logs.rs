//! Connection logs through `balefire read`: every way to hand them over, and what is said when they cannot be used.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use crate::bench::{Bench, balefire, complaint_of, output_of};

const FIRST: u32 = 1_772_410_200;

/// (time, host, server, port, bytes out, bytes in) of a beacon every 120 s for six hours among 30 browsing hosts.
fn connections() -> Vec<(u32, String, String, u32)> {
    let mut all = Vec::new();
    for beat in 0..180u32 {
        let at = FIRST + beat * 120 + beat * 31 % 13;
        all.push((at, "10.1.0.99".to_owned(), "45.77.12.34".to_owned(), 500));
    }
    for visit in 0..2000u32 {
        let at = FIRST + visit.wrapping_mul(2_654_435_761) % 21_600;
        let (host, site) = (visit % 30, visit * visit % 97);
        all.push((
            at,
            format!("10.1.0.{host}"),
            format!("151.101.{}.{site}", visit % 3),
            visit * 7 % 9001,
        ));
    }
    all.sort();
    all
}

fn csv() -> String {
    let mut text = String::from("ts,src,dst,dport,proto,bytes_out,bytes_in\n");
    for (at, host, server, bytes) in connections() {
        let _ = writeln!(text, "{at}.5,{host},{server},443,tcp,{bytes},{}", bytes * 3);
    }
    text
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// A folder as Zeek leaves it: rotated and compressed, some of it JSON, logs of other things beside.
fn zeek_folder(bench: &Bench) -> PathBuf {
    const ENDS: &str = "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p";
    let mut conn = [String::new(), String::new()];
    conn[0] += &format!(
        "#separator \\x09\n#unset_field\t-\n#path\tconn\n{ENDS}\tproto\tduration\torig_bytes\tresp_bytes\tconn_state\n"
    );
    let mut ssl = format!("#separator \\x09\n#path\tssl\n{ENDS}\tserver_name\n");
    for (number, (at, host, server, bytes)) in connections().into_iter().enumerate() {
        let ends = format!("{at}.5\tC{number}\t{host}\t{}\t{server}\t443", 2000 + number);
        if at < FIRST + 10_000 {
            let _ = writeln!(conn[0], "{ends}\ttcp\t1.0\t{bytes}\t{}\tSF", bytes * 3);
        } else {
            let _ = writeln!(
                conn[1],
                r#"{{"ts":{at}.5,"uid":"C{number}","id.orig_h":"{host}","id.orig_p":{},"id.resp_h":"{server}","id.resp_p":443,"proto":"tcp","duration":1.0,"orig_bytes":{bytes},"resp_bytes":{},"conn_state":"SF"}}"#,
                2000 + number,
                bytes * 3
            );
        }
        if host == "10.1.0.99" {
            let _ = writeln!(ssl, "{ends}\tcontrol.example");
        }
    }
    let folder = bench.path("zeek");
    fs::create_dir_all(folder.join("2026-03-02")).unwrap();
    fs::write(folder.join("2026-03-02/conn.00:00:00-03:00:00.log.gz"), gzip(&conn[0])).unwrap();
    fs::write(folder.join("2026-03-02/conn.03:00:00-06:00:00.log"), &conn[1]).unwrap();
    fs::write(folder.join("2026-03-02/ssl.log"), &ssl).unwrap();
    fs::write(
        folder.join("weird.log"),
        format!("#separator \\x09\n{ENDS}\tnote\n1\t2\t3\t4\t5\t6\t7\n"),
    )
    .unwrap();
    fs::write(folder.join("stderr.log"), "listening on eth0\n").unwrap();
    folder
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn the_same_answer_however_the_log_comes() {
    let bench = Bench::new();
    let text = csv();
    let plain = bench.file("conn.csv", text.as_bytes());
    let packed = bench.file("whatever", &gzip(&text));
    let wanted = output_of(balefire(&["read", "--format", "json"]).arg(&plain), 0);
    let json = parsed(&wanted);
    assert_eq!(json["accounting"]["received"], 2180);
    assert_eq!(json["servers"][0]["address"], "45.77.12.34");
    assert_eq!(json["servers"][0]["hosts"][0], "10.1.0.99");
    let runs = [
        output_of(balefire(&["read", "--format", "json", "--workers", "4"]).arg(&plain), 0),
        output_of(balefire(&["read", "--format", "json"]).arg(&packed), 0),
        output_of(balefire(&["read", "--format", "json", "-"]).write_stdin(text), 0),
    ];
    for run in runs {
        assert!(run == wanted, "{run}");
    }
    let page = output_of(balefire(&["read"]).arg(&plain), 0);
    assert!(page.contains("conn.csv   2,180 lines telling of "), "{page}");
}

#[test]
fn a_folder_of_zeek_logs_is_joined() {
    let bench = Bench::new();
    let folder = zeek_folder(&bench);
    let read = |workers| {
        let scores = bench.path("scores.csv");
        let mut command = balefire(&["read", "--format", "json", "--workers", workers, "--scores"]);
        let json = output_of(command.arg(&scores).arg(&folder), 0);
        (json, fs::read_to_string(scores).unwrap())
    };
    let (text, scores) = read("1");
    let json = parsed(&text);
    assert_eq!(json["accounting"]["received"], 2180 + 180);
    let first = &json["servers"][0];
    assert_eq!(
        (&first["address"], &first["names"][0]),
        (&"45.77.12.34".into(), &"control.example".into())
    );
    assert_eq!(first["evidence"][0]["check_ins"], 180);
    assert!(scores.lines().any(|line| line.contains("control.example")), "{scores}");
    assert!((text, scores) == read("3"), "workers show");
    let remark = complaint_of(balefire(&["read"]).arg(&folder), 0);
    assert!(remark.contains("logs: 2 files that tell of no connection"), "{remark}");
}

#[test]
fn unusable_lines_are_three_and_named() {
    let bench = Bench::new();
    let text = csv().replacen("10.1.0.99", "10.1.0.999", 3) + "cut,in,the mid";
    let path = bench.file("conn.csv", text.as_bytes());
    let complaint = complaint_of(balefire(&["read"]).arg(&path), 3);
    assert!(
        complaint.contains("conn.csv: line 3 and 2 more: column src is no IP address"),
        "{complaint}"
    );
    assert!(
        complaint.contains("line 2182: fewer fields than the header names; left out, 2177 other lines used"),
        "{complaint}"
    );
    let json = parsed(&output_of(balefire(&["read", "--format", "json"]).arg(&path), 3));
    assert_eq!(json["accounting"]["received"], 2177);

    let packed = gzip(&csv());
    let cut = bench.file("cut.csv.gz", &packed[..packed.len() / 2]);
    let complaint = complaint_of(balefire(&["read"]).arg(&cut), 3);
    assert!(
        complaint.contains("cut.csv.gz: reading stopped after line "),
        "{complaint}"
    );
}

#[test]
fn what_cannot_be_read_is_said_before_anything_runs() {
    let bench = Bench::new();
    let unknown = bench.file("flows.csv", b"time,source,target\n1,2,3\n");
    let complaint = complaint_of(balefire(&["read"]).arg(&unknown), 1);
    assert!(
        complaint.contains("flows.csv: no connection log: found \"time,source,target\"; wanted: "),
        "{complaint}"
    );
    let short = bench.file("short.csv", b"ts,src,dst,dport,proto,bytes_out\n");
    let complaint = complaint_of(balefire(&["read"]).arg(&short), 1);
    assert!(complaint.contains("short.csv: column bytes_in missing"), "{complaint}");
    let log = bench.file("conn.csv", csv().as_bytes());
    let complaint = complaint_of(balefire(&["read"]).arg(&log).arg(bench.capture()), 2);
    assert!(complaint.contains("one kind at a time"), "{complaint}");
    let complaint = complaint_of(balefire(&["read", "--filter", "tcp"]).arg(&log), 2);
    assert!(complaint.contains("a filter chooses packets"), "{complaint}");
}

#[test]
fn names_from_logs_are_harmless_on_the_page() {
    let bench = Bench::new();
    let mut text = String::from("ts,src,dst,dport,proto,bytes_out,bytes_in,name\n");
    for beat in 0..300u32 {
        let _ = writeln!(
            text,
            "{},10.1.0.9,45.77.12.34,443,tcp,1,2,\"=cmd\u{1b}[2J\u{202e}.example\"",
            FIRST + beat * 60
        );
    }
    let path = bench.file("conn.csv", text.as_bytes());
    for format in ["table", "json", "csv"] {
        let said = output_of(balefire(&["read", "--format", format]).arg(&path), 0);
        assert!(!said.contains(['\u{1b}', '\u{202e}']), "{said}");
    }
}

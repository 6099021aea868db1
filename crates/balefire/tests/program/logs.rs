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
    assert!(
        remark.contains("logs: 2 files left out: no connection is told of there"),
        "{remark}"
    );
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

/// A folder whose logs tell of a server what only payloads know: TLS at the port of DNS, a hello without a name, a certificate of its
/// own, and addresses that DNS gave for other names. `json` writes the same as JSON lines.
fn telling_folder(bench: &Bench, name: &str, json: bool) -> PathBuf {
    const JA4: &str = "t13i190800_9dc949149365_97f8aa674fd9";
    let folder = bench.path(name);
    fs::create_dir_all(&folder).unwrap();
    let mut logs = [
        (
            "conn",
            "proto\tservice\tduration\torig_bytes\tresp_bytes\tconn_state",
            String::new(),
        ),
        (
            "ssl",
            "version\tcipher\tserver_name\tja4\tsubject\tissuer",
            String::new(),
        ),
        ("dns", "proto\tquery\tqtype\trcode\tanswers\tTTLs", String::new()),
    ];
    for beat in 0..60_u32 {
        let (at, port) = (FIRST + beat * 240 + beat * 37 % 90, 40_000 + beat);
        let mut line = |log: usize, uid: &str, ends: &str, values: &str| {
            let (_, columns, text) = &mut logs[log];
            if !json {
                let _ = writeln!(text, "{at}.5\t{uid}\t{ends}\t{values}");
                return;
            }
            let keys = ["id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p"]
                .into_iter()
                .chain(columns.split('\t'));
            let fields = keys
                .zip(ends.split('\t').chain(values.split('\t')))
                .filter(|(_, value)| *value != "-");
            let fields: Vec<String> = fields
                .map(|(key, value)| match key {
                    "answers" => format!("\"{key}\":[\"{value}\"]"),
                    "TTLs" => format!("\"{key}\":[{value}]"),
                    _ if value.parse::<f64>().is_ok() => format!("\"{key}\":{value}"),
                    _ => format!("\"{key}\":\"{value}\""),
                })
                .collect();
            let _ = writeln!(text, "{{\"ts\":{at}.5,\"uid\":\"{uid}\",{}}}", fields.join(","));
        };
        let (uid, question) = (format!("C{beat}"), format!("D{beat}"));
        let ends = format!("10.1.0.9\t{port}\t45.77.12.34\t53");
        line(0, &uid, &ends, "tcp\tssl\t1.5\t600\t1400\tSF");
        line(
            1,
            &uid,
            &ends,
            &format!("TLSv12\tx\t-\t{JA4}\tCN=localhost,O=x\tCN=localhost,O=x"),
        );
        let ends = format!("10.1.0.9\t{port}\t10.1.0.53\t53");
        let answer = format!("udp\twww{}.example.org\t1\t0\t203.0.113.{}\t300.0", beat % 7, beat % 7);
        line(2, &question, &ends, &answer);
    }
    for (log, columns, text) in logs {
        let head = format!("#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\t{columns}\n");
        let text = if json { text } else { head + &text };
        fs::write(folder.join(format!("{log}.log.gz")), gzip(&text)).unwrap();
    }
    folder
}

#[test]
fn what_zeek_learnt_of_payloads_is_evidence() {
    let bench = Bench::new();
    let tabs = telling_folder(&bench, "tabs", false);
    let text = output_of(balefire(&["read", "--format", "json"]).arg(&tabs), 0);
    let json = parsed(&text);
    let sign = &json["servers"][0]["evidence"][0];
    assert_eq!(json["servers"][0]["address"], "45.77.12.34");
    let parts = sign["parts"].as_array().unwrap();
    for part in ["port_protocol", "tls_without_name", "certificate", "bare_address"] {
        assert!(parts.iter().any(|found| found["name"] == part), "{part}: {parts:?}");
    }
    let traits = &sign["traits"];
    assert_eq!(
        (
            &traits["protocol"],
            &traits["client"],
            &traits["certificate"]["self_signed"]
        ),
        (
            &"tls".into(),
            &"t13i190800_9dc949149365_97f8aa674fd9".into(),
            &true.into()
        )
    );
    assert_eq!(traits["certificate"]["subject"], "localhost");
    let resolved = parts.iter().find(|found| found["name"] == "bare_address").unwrap();
    assert_eq!(resolved["text"], "bare address, never resolved by this host");
    let objects = telling_folder(&bench, "objects", true);
    assert!(output_of(balefire(&["read", "--format", "json"]).arg(&objects), 0) == text);
    let page = output_of(balefire(&["read", "--why", "45.77.12.34"]).arg(&tabs), 0);
    assert!(
        page.contains("Payload   tls, client t13i190800")
            && page.contains("certificate for localhost, signed by itself"),
        "{page}"
    );
}

//! Whole lines of every kind of log, and what a sink is told of them.

use proptest::prelude::*;

use super::*;
use balefire_decode::{Address, Transport};

use crate::{Closed, ConnState, Endpoints, Fact, NameKind, Opened, Sink, Volume};

const CONN: &str = "\
#separator \\x09
#set_separator\t,
#empty_field\t(empty)
#unset_field\t-
#path\tconn
#open\t2026-09-21-14-13-20
#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\torig_bytes\tresp_bytes\tconn_state\torig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes
#types\ttime\tstring\taddr\tport\taddr\tport\tenum\tstring\tinterval\tcount\tcount\tstring\tcount\tcount\tcount\tcount
1790000000.000001\tCa1\t10.0.0.5\t50000\t203.0.113.9\t443\ttcp\tssl\t2.500000\t500\t1500\tSF\t9\t880\t8\t1900
1790000001.000000\tCb2\t10.0.0.6\t50001\t203.0.113.9\t8080\ttcp\t-\t-\t-\t-\tS0\t1\t60\t0\t0
#close\t2026-09-21-15-13-20
";

fn entries(log: &str) -> Vec<Entry> {
    let mut parser = Parser::new();
    log.lines()
        .filter_map(|line| match parser.line(line.as_bytes()).expect("a known header") {
            Line::Entry(entry) => Some(entry),
            Line::Fault(fault) => panic!("{line}: {fault}"),
            Line::Unused | Line::Header => None,
        })
        .collect()
}

fn fault(header: &str, line: &str) -> String {
    let mut parser = Parser::new();
    assert_eq!(parser.line(header.as_bytes()), Ok(Line::Header));
    match parser.line(line.as_bytes()) {
        Ok(Line::Fault(fault)) => fault.to_string(),
        other => panic!("{line}: {other:?}"),
    }
}

fn ending(entry: &Entry) -> Ending {
    match entry.kind {
        EntryKind::Connection(ending) => ending,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_entry_is_as_small_as_the_window_says() {
    assert!(size_of::<Entry>() <= 152, "{}", size_of::<Entry>());
}

#[test]
fn zeek_connections_tab_separated() {
    let entries = entries(CONN);
    assert_eq!(entries.len(), 2);
    let first = &entries[0];
    assert_eq!(first.time_ns, 1_790_000_000_000_001_000);
    assert_eq!(first.endpoints.originator, Address::v4([10, 0, 0, 5]));
    assert_eq!(
        (first.endpoints.originator_port, first.endpoints.responder_port),
        (50_000, 443)
    );
    let end = ending(first);
    assert_eq!((end.duration_ns, end.state), (2_500_000_000, ConnState::Sf));
    assert_eq!(
        end.sent,
        Volume {
            packets: 9,
            payload_bytes: 500,
            ip_bytes: 880
        }
    );
    assert_eq!(ending(&entries[1]).state, ConnState::S0);
    assert_ne!(first.join, entries[1].join);
}

#[test]
fn json_says_the_same_as_tabs() {
    let json = concat!(
        r#"{"ts":1790000000.000001,"uid":"Ca1","id.orig_h":"10.0.0.5","id.orig_p":50000,"id.resp_h":"203.0.113.9","#,
        r#""id.resp_p":443,"proto":"tcp","service":"ssl","duration":2.5,"orig_bytes":500,"resp_bytes":1500,"#,
        r#""conn_state":"SF","local_orig":true,"history":["x",{"y":1}],"orig_pkts":9,"orig_ip_bytes":880,"#,
        r#""resp_pkts":8,"resp_ip_bytes":1900}"#,
        "\n",
        r#"{"ts":"2026-09-21T14:13:21Z","uid":"Cb2","id.orig_h":"10.0.0.6","id.orig_p":50001,"id.resp_h":"203.0.113.9","#,
        r#""id.resp_p":8080,"proto":"tcp","conn_state":"S0","orig_pkts":1,"orig_ip_bytes":60,"resp_pkts":0,"#,
        r#""resp_ip_bytes":0}"#,
    );
    assert_eq!(entries(json), entries(CONN));
}

#[test]
fn csv_in_any_order_and_with_quotes() {
    let csv = "\u{feff}proto,\"ts\",dport,src,dst,bytes_in,bytes_out,service,name,colour\r\n\
               tcp,1790000000.5,443,10.0.0.5,2001:db8::9,1500,500,ssl,\"WWW.Example.com\",\"a,b\"\r\n\
               udp,1790000001,53,10.0.0.5,192.0.2.53,0,40,dns,a.example,-\r\n";
    let entries = entries(csv);
    assert_eq!(entries.len(), 2);
    let name = |entry: &Entry| entry.name.clone().map(|name| (name.kind, name.text.into_string()));
    assert_eq!(name(&entries[0]), Some((NameKind::Sni, "www.example.com".into())));
    assert_eq!(name(&entries[1]), Some((NameKind::DnsQuery, "a.example".into())));
    assert_eq!(ending(&entries[0]).state, ConnState::Sf, "an answer shows a connection");
    assert_eq!(ending(&entries[1]).state, ConnState::Oth, "no answer shows no failure");
    assert_eq!(
        ending(&entries[0]).sent,
        Volume {
            packets: 0,
            payload_bytes: 500,
            ip_bytes: 500
        }
    );
    assert_eq!(entries[0].join, JoinKey::NONE);
}

#[test]
fn names_of_dns_tls_quic_and_http_logs() {
    const ENDS: &str = "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p";
    const LINE: &str = "1790000000.0\tC1\t10.0.0.5\t50000\t203.0.113.9";
    let log = |columns: &str, values: &str| {
        let entries = entries(&format!("{ENDS}\t{columns}\n{LINE}\t{values}\n"));
        let entry = entries.into_iter().next().expect("an entry");
        let name = entry.name.map(|name| (name.kind, name.text.into_string(), name.port));
        (entry.endpoints.transport, name, entry.kind)
    };
    assert_eq!(
        log("proto\ttrans_id\tquery", "53\tudp\t7\tA.Example.COM."),
        (
            Transport::UDP,
            Some((NameKind::DnsQuery, "a.example.com".into(), 0)),
            EntryKind::Fact
        )
    );
    assert_eq!(
        log("version\tserver_name", "443\tTLSv13\twww.example.org"),
        (
            Transport::TCP,
            Some((NameKind::Sni, "www.example.org".into(), 0)),
            EntryKind::Fact
        )
    );
    assert_eq!(
        log("client_initial_dcid\tserver_name", "443\tab\tq.example").0,
        Transport::UDP
    );
    let columns = "trans_depth\tmethod\thost\turi\trequest_body_len";
    let (_, name, kind) = log(columns, "80\t1\tPOST\tc2.example:8080\t/x\t100");
    assert_eq!(name, Some((NameKind::HttpHost, "c2.example".into(), 8080)));
    assert_eq!(kind, EntryKind::Request { payload_bytes: 121 });
    let (_, name, _) = log(columns, "3128\t1\tCONNECT\tproxy.example\thidden.example:443\t0");
    assert_eq!(name, Some((NameKind::ConnectTarget, "hidden.example".into(), 443)));
    let (_, name, _) = log(columns, "3128\t1\tGET\t-\thttp://a.example/b\t0");
    assert_eq!(name, Some((NameKind::HttpHost, "a.example".into(), 0)));
}

#[test]
fn logs_of_other_things_are_unused_and_not_faulty() {
    let mut parser = Parser::new();
    assert_eq!(parser.line(b"#fields\tts\tuid\tid.orig_h\tnote\tmsg"), Ok(Line::Header));
    assert_eq!(parser.line(b"1\t2\t3\t4\t5"), Ok(Line::Unused));
    assert_eq!(
        parser.line(br#"#fields	ts	uid	id.orig_h	id.resp_h	id.resp_p	server_name"#),
        Ok(Line::Header)
    );
    assert!(
        matches!(
            parser.line(b"1790000000\tC1\t10.0.0.1\t192.0.2.1\t443\t-"),
            Ok(Line::Entry(_))
        ),
        "TLS without a name is a sign"
    );
}

#[test]
fn unknown_headers_say_what_was_found_and_what_is_wanted() {
    let error = |line: &str| Parser::new().line(line.as_bytes()).expect_err("a fault").to_string();
    let nothing = error("time,source,target\n");
    assert!(
        nothing.starts_with("no connection log: found \"time,source,target\"; wanted: a CSV headed ts,src,"),
        "{nothing}"
    );
    let lacks = error("ts,src,dst,dport,proto,bytes_out\n");
    assert!(lacks.starts_with("column bytes_in missing: found \"ts,src"), "{lacks}");
    let zeek = error("#fields\tts\tid.orig_h\torig_bytes");
    assert!(
        zeek.starts_with("columns id.resp_h, id.resp_p, proto missing"),
        "{zeek}"
    );
    let json = error(r#"{"timestamp":1,"src_ip":"\u001b[2J"}"#);
    assert!(
        json.starts_with("no connection log: found \"src_ip,timestamp\""),
        "{json}"
    );
    let prose = error("dear diary\u{1b}\u{202e}");
    assert!(prose.contains("\"dear diary??\""), "{prose}");
}

#[test]
fn bad_lines_say_which_column() {
    const HEADER: &str = "ts,src,dst,dport,proto,bytes_out,bytes_in,state";
    let cases = [
        ("x,10.0.0.1,192.0.2.1,80,tcp,1,1,SF", "column ts is no time"),
        ("1,10.0.0.256,192.0.2.1,80,tcp,1,1,SF", "column src is no IP address"),
        ("1,10.0.0.1,-,80,tcp,1,1,SF", "column dst is empty"),
        ("1,10.0.0.1,192.0.2.1,65536,tcp,1,1,SF", "column dport is no port"),
        ("1,10.0.0.1,192.0.2.1,-,tcp,1,1,SF", "column dport is empty"),
        ("1,10.0.0.1,192.0.2.1,80,xxx,1,1,SF", "column proto is no protocol"),
        ("1,10.0.0.1,192.0.2.1,80,tcp,-1,1,SF", "column bytes_out is no number"),
        (
            "1,10.0.0.1,192.0.2.1,80,tcp,1,1,SX",
            "column state is no connection state",
        ),
        ("1,10.0.0.1,192.0.2.1", "fewer fields"),
    ];
    for (line, wanted) in cases {
        let said = fault(HEADER, line);
        assert!(said.starts_with(wanted), "{line}: {said}");
    }
    let mut json = Parser::new();
    assert!(
        matches!(json.line(br#"{"ts":1,"#), Ok(Line::Fault(_))),
        "a cut first line is one bad line"
    );
}

#[test]
fn text_is_told_from_captures() {
    assert!(is_text(b"ts,src,dst\n"));
    assert!(
        is_text(b"\r\nts,name\n1,\x1b[2J\x00\xff"),
        "only the first line is the writer's own"
    );
    assert!(is_text("gr\u{fc}n".as_bytes()) && is_text(&"gr\u{fc}n".as_bytes()[..3]));
    for magic in [
        &b"\xd4\xc3\xb2\xa1\x02\x00"[..],
        b"\x0a\x0d\x0d\x0a\x1c\x00\x00\x00",
        b"\x1f\x8b\x08",
        b"\x28\xb5\x2f\xfd",
        b"",
    ] {
        assert!(!is_text(magic), "{magic:?}");
    }
}

#[test]
fn the_window_sorts_exactly_what_it_can_hold() {
    let template = entries(CONN).remove(0);
    let at = |time_ns| Entry {
        time_ns,
        ..template.clone()
    };
    let mut window = Window::new(8);
    let mut out = Vec::new();
    // Every entry is at most three places from where it belongs.
    for time_ns in (0..40).map(|place: i64| place ^ 3) {
        if window.is_full() {
            out.extend(window.release().map(|entry| entry.time_ns));
        }
        window.push(at(time_ns));
    }
    out.extend(window.finish().map(|entry| entry.time_ns));
    assert_eq!(out, (0..40).collect::<Vec<_>>());
}

/// Writes down what it is told.
#[derive(Debug, Default)]
struct Told {
    lines: Vec<String>,
    next: u32,
}

impl Sink for Told {
    fn opened(&mut self, opened: &Opened) -> u32 {
        self.lines
            .push(format!("opened {} {}", self.next, opened.endpoints.responder_port));
        self.next += 1;
        self.next - 1
    }

    fn packet(&mut self, _: u32, _: bool, _: i64, _: u32) {
        unreachable!("a log has no packets");
    }

    fn volume(&mut self, tag: u32, from_originator: bool, _: i64, volume: &Volume) {
        let way = if from_originator { "out" } else { "in" };
        self.lines
            .push(format!("{way} {tag} {} {}", volume.packets, volume.ip_bytes));
    }

    fn fact(&mut self, tag: u32, _: &Endpoints, _: i64, fact: &Fact<'_>) {
        let Fact::Name { name, .. } = fact else { return };
        self.lines.push(format!("fact {tag} {name}"));
    }

    fn burst(&mut self, tag: u32, _: &Endpoints, _: i64, payload_bytes: u32) {
        self.lines.push(format!("burst {tag} {payload_bytes}"));
    }

    fn closed(&mut self, tag: u32, closed: &Closed) {
        self.lines.push(format!("closed {tag} {}", closed.state.name()));
    }
}

fn told(logs: &[&str], limit: usize) -> (Vec<String>, ReplayCounters) {
    let mut window = Window::new(HELD_ENTRIES);
    logs.iter()
        .flat_map(|log| entries(log))
        .for_each(|entry| window.push(entry));
    let mut replay = Replay::new(limit);
    let mut sink = Told::default();
    window.finish().for_each(|entry| replay.entry(&entry, &mut sink));
    replay.flush(&mut sink);
    assert_eq!(replay.live(), 0);
    (sink.lines, replay.counters())
}

const HTTP: &str = "\
#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tmethod\thost\turi\trequest_body_len
1790000001.0\tCa1\t10.0.0.5\t50000\t203.0.113.9\t443\tGET\ta.example\t/\t0
1790000001.5\tCa1\t10.0.0.5\t50000\t203.0.113.9\t443\tGET\ta.example\t/style\t0
1790000002.5\tCa1\t10.0.0.5\t50000\t203.0.113.9\t443\tPOST\ta.example\t/\t10
1790000003.0\tCz9\t10.0.0.7\t50009\t198.51.100.1\t80\tGET\tb.example\t/\t0
";

#[test]
fn facts_are_told_inside_their_connection() {
    let (lines, counters) = told(&[HTTP, CONN], 16);
    let wanted = [
        "opened 0 443",
        "opened 1 8080",
        "fact 0 a.example",
        "burst 0 13",
        "fact 0 a.example",
        "out 1 1 60",
        "closed 1 S0",
        "fact 0 a.example",
        "burst 0 24",
        "opened 2 80",
        "fact 2 b.example",
        "burst 2 13",
        "out 0 9 880",
        "in 0 8 1900",
        "closed 0 SF",
        "closed 2 OTH",
    ];
    assert_eq!(lines, wanted);
    let counted = ReplayCounters {
        connections: 2,
        facts_joined: 3,
        facts_alone: 1,
        ..ReplayCounters::default()
    };
    assert_eq!(counters, counted);
}

#[test]
fn the_same_log_twice_counts_once() {
    let (lines, counters) = told(&[CONN, CONN], 16);
    assert_eq!(lines, told(&[CONN], 16).0);
    assert_eq!((counters.connections, counters.duplicates), (2, 2));
}

#[test]
fn too_many_open_connections_end_early_and_are_counted() {
    let (lines, counters) = told(&[HTTP, CONN], 1);
    assert_eq!(lines.iter().filter(|line| line.starts_with("opened")).count(), 4);
    assert_eq!(lines.iter().filter(|line| line.starts_with("closed")).count(), 4);
    assert_eq!(
        (counters.connections, counters.facts_alone, counters.closed_early),
        (2, 2, 3)
    );
}

proptest! {
    #[test]
    fn no_bytes_panic(lines in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..80), 0..8)) {
        let mut parser = Parser::new();
        for line in &lines {
            let _ = parser.line(line);
        }
    }

    #[test]
    fn no_damage_panics(place in 0..2000usize, byte: u8, cut in 0..2000usize, form in 0..3usize) {
        let json = r#"{"ts":1790000000.1,"uid":"Ca1","id.orig_h":"10.0.0.5","id.orig_p":5,"id.resp_h":"203.0.113.9","id.resp_p":443,"proto":"tcp","conn_state":"SF"}"#;
        let csv = "ts,src,dst,dport,proto,bytes_out,bytes_in\n1790000000.5,10.0.0.5,192.0.2.9,443,tcp,\"1\",2";
        let mut log = [CONN, json, csv][form].as_bytes().to_vec();
        let place = place % log.len();
        log[place] = byte;
        log.truncate(cut.max(1));
        let mut parser = Parser::new();
        let (mut replay, mut sink) = (Replay::new(2), Told::default());
        for line in log.split(|&byte| byte == b'\n') {
            if let Ok(Line::Entry(entry)) = parser.line(line) {
                replay.entry(&entry, &mut sink);
            }
        }
        replay.flush(&mut sink);
        let count = |what: &str| sink.lines.iter().filter(|line| line.starts_with(what)).count();
        prop_assert_eq!(count("opened"), count("closed"));
    }

    #[test]
    fn a_csv_line_reads_back(time_us in 0..4_000_000_000_000_000i64, src: u32, dst: [u8; 16], dport: u16, out in 0..1u64 << 48, back in 0..1u64 << 48) {
        let (src, dst) = (std::net::Ipv4Addr::from(src), Address::v6(dst));
        let (seconds, micros) = (time_us / 1_000_000, time_us % 1_000_000);
        let log = format!("ts,src,dst,dport,proto,bytes_out,bytes_in\n{seconds}.{micros:06},{src},{dst},{dport},udp,{out},{back}\n");
        let entry = entries(&log).remove(0);
        prop_assert_eq!(entry.time_ns, time_us * 1000);
        prop_assert_eq!((entry.endpoints.originator, entry.endpoints.responder), (Address::from(src), dst));
        prop_assert_eq!(entry.endpoints.responder_port, dport);
        prop_assert_eq!((ending(&entry).sent.ip_bytes, ending(&entry).received.ip_bytes), (out, back));
    }
}

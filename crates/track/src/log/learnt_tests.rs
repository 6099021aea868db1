//! What lines of Zeek's logs tell beside a name, in tabs and as JSON.

use proptest::prelude::*;

use super::*;
use crate::log::{Line, Parser, Replay};
use crate::{Closed, Endpoints, Opened, Sink};

const ENDS: &str = "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p";
const LINE: &str = "1790000000.0\tC1\t10.0.0.5\t50000\t203.0.113.9";

/// Writes the facts down.
#[derive(Default)]
struct Facts(Vec<String>);

impl Sink for Facts {
    fn opened(&mut self, _: &Opened) -> u32 {
        0
    }
    fn packet(&mut self, _: u32, _: bool, _: i64, _: u32) {}
    fn fact(&mut self, _: u32, _: &Endpoints, _: i64, fact: &Fact<'_>) {
        self.0.push(format!("{fact:?}"));
    }
    fn burst(&mut self, _: u32, _: &Endpoints, _: i64, _: u32) {}
    fn closed(&mut self, _: u32, _: &Closed) {}
}

fn facts_of(log: &str) -> Vec<String> {
    let (mut parser, mut replay, mut facts) = (Parser::new(), Replay::new(4), Facts::default());
    for line in log.lines() {
        if let Ok(Line::Entry(entry)) = parser.line(line.as_bytes()) {
            replay.entry(&entry, &mut facts);
        }
    }
    facts.0
}

/// Of one line in tabs, and of the same as JSON, which must tell the same.
#[track_caller]
fn told(columns: &str, values: &str, json: &str) -> Vec<String> {
    let tabs = facts_of(&format!("{ENDS}\t{columns}\n{LINE}\t{values}\n"));
    let ends = r#"{"ts":1790000000.0,"uid":"C1","id.orig_h":"10.0.0.5","id.orig_p":50000,"id.resp_h":"203.0.113.9","id.resp_p":"#;
    assert_eq!(facts_of(&format!("{ends}{json}}}")), tabs);
    tabs
}

#[test]
fn questions_have_types_and_answers_addresses() {
    let facts = told(
        "proto\tquery\tqtype\tqtype_name\trcode\tanswers\tTTLs",
        "53\tudp\tWWW.example.com\t1\tA\t0\tcdn.example.net,192.0.2.7,2001:db8::1\t60.0,30.0,31.0",
        r#"53,"proto":"udp","query":"WWW.example.com","qtype":1,"rcode":0,"answers":["cdn.example.net","192.0.2.7","2001:db8::1"],"TTLs":[60.0,30.0,31.0]"#,
    );
    assert!(facts[0].contains(r#"name: "www.example.com""#), "{facts:?}");
    assert_eq!(facts[1], "Protocol(Dns)");
    assert!(facts[2].contains("is_answer: false, query_type: 1, code: 0, name_octets: 17, labels: 3"));
    assert!(facts[3].contains("is_answer: true, query_type: 1, code: 0") && facts[3].contains("answers: 3"));
    assert!(facts[4].contains("address: 192.0.2.7, ttl_s: 30") && facts[5].contains("2001:db8::1, ttl_s: 31"));
    assert_eq!(facts.len(), 6);
    // Nobody answered: no answer is told.
    let silent = told(
        "query\tqtype\trcode",
        "53\ta.example\t16\t-",
        r#"53,"query":"a.example","qtype":16"#,
    );
    assert_eq!(silent.len(), 3);
}

#[test]
fn hellos_without_a_name_and_certificates_are_told() {
    const JA4: &str = "t13d1516h2_8daaf6152771_e5627efa2ab1";
    let facts = told(
        "version\tcipher\tserver_name\tnext_protocol\tja4\tsubject\tissuer\tvalidation_status",
        &format!("443\tTLSv12\tx\t-\th2\t{JA4}\tO=Acme,CN=c2.example\tO=Acme,CN=c2.example\tok"),
        &format!(
            r#"443,"version":"TLSv12","cipher":"x","next_protocol":"h2","ja4":"{JA4}","subject":"O=Acme,CN=c2.example","issuer":"O=Acme,CN=c2.example","validation_status":"ok""#
        ),
    );
    let hello = format!("Tls(TlsHello {{ has_server_name: false, alpn: \"h2\", version: 771, ja4: Some({JA4}) }})");
    let certificate = r#"Certificate(Certificate { subject: "c2.example", issuer: "c2.example", is_self_signed: true, validity: None })"#;
    assert_eq!(facts, ["Protocol(Tls)", &hello, certificate]);
    let named = told(
        "version\tserver_name\tvalidation_status",
        "443\tTLSv13\twww.example.org\tself signed certificate",
        r#"443,"version":"TLSv13","cipher":"y","server_name":"www.example.org","validation_status":"self signed certificate""#,
    );
    assert!(named[2].contains("has_server_name: true, alpn: \"\", version: 772, ja4: None"));
    assert!(named[3].contains("is_self_signed: true"), "{named:?}");
}

#[test]
fn requests_have_agents_and_their_answers_a_length() {
    let facts = told(
        "method\thost\turi\tuser_agent\trequest_body_len\tresponse_body_len\tstatus_code",
        "80\tPOST\t-\t/gate.php?id=A\tagent\\x1b 1.0\t42\t1234\t404",
        r#"80,"method":"POST","uri":"/gate.php?id=A","user_agent":"agent\u001b 1.0","request_body_len":42,"response_body_len":1234,"status_code":404"#,
    );
    assert_eq!(
        facts,
        [
            "Protocol(Http)",
            r#"Http(HttpRequest { method: "POST", path: "/gate.php?id=A", user_agent: Some("agent\\027 1.0"), has_host: false, is_whole: true })"#,
            "HttpStatus(404)",
            "HttpBody(HttpBody { is_response: true, content_bytes: Some(1234) })",
        ]
    );
}

#[test]
fn services_are_protocols() {
    for (service, wanted) in [
        ("ssl", Some(Protocol::Tls)),
        ("HTTP", Some(Protocol::Http)),
        ("ssl,quic", Some(Protocol::Quic)),
        ("gssapi,smtp", Some(Protocol::Smtp)),
        ("dhcp", None),
        ("", None),
    ] {
        assert_eq!(protocol(service.as_bytes()), wanted, "{service}");
    }
}

proptest! {
    #[test]
    fn no_field_panics_and_every_text_is_harmless(raw in prop::collection::vec(any::<u8>(), 0..300), which in 0..4_usize) {
        let columns = [
            "query\tqtype\trcode\tanswers\tTTLs",
            "cipher\tja4\tsubject\tissuer\tserver_name",
            "method\thost\turi\tuser_agent\tstatus_code",
            "proto\tservice\tconn_state\torig_bytes\tduration",
        ][which];
        let mut parser = Parser::new();
        let (mut replay, mut facts) = (Replay::new(2), Facts::default());
        let _ = parser.line(format!("{ENDS}\t{columns}").as_bytes());
        let line = [LINE.as_bytes(), b"\t443\t", &raw, b"\t", &raw, b"\t", &raw, b"\t", &raw, b"\t", &raw].concat();
        if let Ok(Line::Entry(entry)) = parser.line(&line) {
            replay.entry(&entry, &mut facts);
        }
        for fact in &facts.0 {
            prop_assert!(fact.len() < 900 && fact.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{}", fact);
        }
    }
}

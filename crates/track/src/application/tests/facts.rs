//! Facts other than names: of both sides, whole, in pieces and cut.

use super::super::quic_keys::{VERSION_1, VERSION_2};
use super::{CLIENT, SERVER, after_handshake, client_hello, data, dns_query, handshake};
use crate::Settings;
use crate::testing::{PA, Record, Sent, run, told};

/// Data of the server at an offset of its stream.
pub(super) fn answer(offset: usize, bytes: &[u8]) -> Sent {
    Sent::tcp(SERVER, CLIENT, PA, 6 + offset as u32).payload(bytes)
}

#[track_caller]
fn assert_facts(record: &Record, facts: &[&str]) {
    assert_eq!(record.facts, facts);
}

/// A resource record of a name in short form, pointing at the question.
fn record(kind: u16, ttl_s: u32, bytes: &[u8]) -> Vec<u8> {
    [
        &[0xc0, 12][..],
        &kind.to_be_bytes(),
        &[0, 1],
        &ttl_s.to_be_bytes(),
        &(bytes.len() as u16).to_be_bytes(),
        bytes,
    ]
    .concat()
}

fn dns_answer(labels: &[&[u8]], kind: u16, records: &[Vec<u8>]) -> Vec<u8> {
    let mut message = dns_query(labels, kind);
    message[2] = 0x81;
    message[3] = 0x80;
    message[7] = records.len() as u8;
    message.extend(records.concat());
    message
}

pub(super) fn some_dns_answer() -> Vec<u8> {
    dns_answer(
        &[b"example", b"com"],
        1,
        &[record(5, 9, b"\x01x\0"), record(1, 9, &[192, 0, 2, 9])],
    )
}

pub(super) fn some_server_flight() -> Vec<u8> {
    server_flight(&own_certificate(), 200)
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u16).to_be_bytes()[..], message].concat()
}

/// `(tag, length, value)` of DER.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let value = parts.concat();
    let length = value.len();
    let head = if length < 128 {
        vec![tag, length as u8]
    } else {
        vec![tag, 0x82, (length >> 8) as u8, length as u8]
    };
    [head, value].concat()
}

fn distinguished_name(organisation: &str, common_name: &str) -> Vec<u8> {
    let attribute = |last: u8, text: &str| {
        let object = der(6, &[&[0x55, 4, last]]);
        der(0x31, &[&der(0x30, &[&object, &der(0x0c, &[text.as_bytes()])])])
    };
    der(0x30, &[&attribute(10, organisation), &attribute(3, common_name)])
}

fn certificate(subject: &[u8], issuer: &[u8], times: [&str; 2]) -> Vec<u8> {
    let times = times.map(|time| der(if time.len() == 13 { 0x17 } else { 0x18 }, &[time.as_bytes()]));
    let body = der(
        0x30,
        &[
            &der(0xa0, &[&[2, 1, 2]]),
            &der(2, &[&[7; 16]]),
            &der(0x30, &[&der(6, &[&[0x2a, 0x86, 0x48]]), &[5, 0]]),
            issuer,
            &der(0x30, &[&times[0], &times[1]]),
            subject,
            &der(0x30, &[&[0; 300]]),
        ],
    );
    der(0x30, &[&body, &der(3, &[&[0; 256]])])
}

/// A server's first flight of TLS 1.2: hello, certificates, done, in records of at most `record_bytes`.
fn server_flight(certificate: &[u8], record_bytes: usize) -> Vec<u8> {
    let long = |length: usize| [(length >> 16) as u8, (length >> 8) as u8, length as u8];
    let message = |kind: u8, body: &[u8]| [&[kind][..], &long(body.len()), body].concat();
    let hello = [&[3, 3][..], &[9; 32], &[0, 0xc0, 0x2f, 0]].concat();
    let chain = [&long(certificate.len() + 3)[..], &long(certificate.len()), certificate].concat();
    let messages = [message(2, &hello), message(11, &chain), message(14, &[])].concat();
    let record = |part: &[u8]| [&[22, 3, 3][..], &(part.len() as u16).to_be_bytes(), part].concat();
    messages.chunks(record_bytes).flat_map(record).collect()
}

fn own_certificate() -> Vec<u8> {
    let name = distinguished_name("Acme", "c2.example");
    certificate(&name, &name, ["240101000000Z", "20340101000000Z"])
}

const CERTIFICATE: &str = r#"Certificate(Certificate { subject: "c2.example", issuer: "c2.example", is_self_signed: true, validity: Some(Validity { not_before_s: 1704067200, days: 3653 }) })"#;

#[test]
fn addresses_in_an_answer_are_told_with_the_name_asked_for() {
    let labels: &[&[u8]] = &[b"WWW", b"example", b"com"];
    let records = [
        record(5, 60, b"\x03cdn\x03net\x00"),
        record(1, 30, &[192, 0, 2, 7]),
        record(28, 31, &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
    ];
    let message = dns_answer(labels, 1, &records);
    let facts = [
        "Protocol(Dns)",
        r#"DnsMessage(DnsMessage { name: "www.example.com", is_answer: false, query_type: 1, code: 0, name_octets: 17, labels: 3, message_bytes: 33, answers: 0, answer_type: 0, answer_data_bytes: 0 })"#,
        r#"DnsMessage(DnsMessage { name: "www.example.com", is_answer: true, query_type: 1, code: 0, name_octets: 17, labels: 3, message_bytes: 98, answers: 3, answer_type: 5, answer_data_bytes: 29 })"#,
        r#"DnsAnswer { name: "www.example.com", address: 192.0.2.7, ttl_s: 30 }"#,
        r#"DnsAnswer { name: "www.example.com", address: 2001:db8::1, ttl_s: 31 }"#,
    ];
    let query = dns_query(labels, 1);
    let udp = |from, to, message: &[u8]| Sent::udp(from, to).payload(message);
    assert_facts(
        &told(&[udp(CLIENT, SERVER, &query), udp(SERVER, CLIENT, &message)]),
        &facts,
    );
    let (query, message) = (framed(&query), framed(&message));
    for cut in [0, 1, 30, 99] {
        let record = after_handshake([
            data(0, &query),
            answer(0, &message[..cut.max(1)]),
            answer(cut.max(1), &message[cut.max(1)..]),
        ]);
        assert_facts(&record, &facts);
    }
    // Cut in the first address: what is there counts.
    let record = told(&[udp((2, 53), CLIENT, &dns_answer(labels, 1, &records)).cut(67)]);
    assert!(record.facts[1].contains("answers: 3, answer_type: 5, answer_data_bytes: 10"));
    assert_eq!(record.facts.len(), 2);
}

#[test]
fn every_answer_of_a_socket_is_told_and_its_addresses_are_limited() {
    let name: &[&[u8]] = &[b"x", b"example"];
    let many = vec![record(1, 1, &[192, 0, 2, 1]); 40];
    let udp = |message: &[u8]| Sent::udp((2, 53), CLIENT).payload(message);
    let failed = {
        let mut message = dns_answer(name, 16, &[]);
        message[3] |= 3;
        message
    };
    let record = told(&[
        Sent::udp(CLIENT, (2, 53)).payload(&dns_query(name, 16)),
        udp(&dns_answer(name, 16, &many)),
        udp(&failed),
        udp(b"something else"),
        udp(&failed),
    ]);
    let count = |part: &str| record.facts.iter().filter(|fact| fact.contains(part)).count();
    assert_eq!(count("DnsAnswer"), crate::Fact::MOST_DNS_ANSWERS);
    assert_eq!((count("answers: 40"), count("code: 3"), count("Protocol")), (1, 2, 1));
}

#[test]
fn a_whole_hello_is_told_with_its_fingerprint() {
    let hello = client_hello("Example.COM", 1_200, 16_000);
    let fact = |name: &str| {
        format!("Tls(TlsHello {{ has_server_name: true, alpn: \"h2\", version: 771, ja4: Some({name}) }})")
    };
    // 62ed6f6ca7ad and 052bfcbedb83 are the hashes of `1301,1302` and `0033`, by sha256sum.
    let fact = fact("t12d0203h2_62ed6f6ca7ad_052bfcbedb83");
    for segment in [2_000, 700, 97] {
        let segments = hello
            .chunks(segment)
            .enumerate()
            .map(|(place, part)| data(place * segment, part));
        let record = after_handshake(segments);
        assert_eq!(record.facts[0], "Protocol(Tls)");
        assert_eq!(record.facts[1..], [fact.as_str()], "{segment}");
    }
    let cut = after_handshake([data(0, &hello).cut(hello.len() - 1)]);
    assert_facts(&cut, &["Protocol(Tls)"]);
    assert_eq!(cut.names().len(), 1);
}

#[test]
fn a_certificate_is_read_across_segments_and_records_and_before_a_cut() {
    let flight = server_flight(&own_certificate(), 16_000);
    for (record_bytes, segment) in [(16_000, 4_000), (16_000, 200), (300, 97), (50, 1_000)] {
        let flight = server_flight(&own_certificate(), record_bytes);
        let segments = flight
            .chunks(segment)
            .enumerate()
            .map(|(place, part)| answer(place * segment, part));
        assert_facts(&after_handshake(segments), &["Protocol(Tls)", CERTIFICATE]);
    }
    // Captures are often cut at 640 bytes; the subject stands before that.
    assert_facts(
        &after_handshake([answer(0, &flight).cut(400)]),
        &["Protocol(Tls)", CERTIFICATE],
    );
    assert_facts(&after_handshake([answer(0, &flight).cut(150)]), &["Protocol(Tls)"]);

    let issued = certificate(
        &distinguished_name("Acme", "bad\u{7}\u{202e}"),
        &distinguished_name("CA", &"y".repeat(80)),
        ["240101000000Z", "230101000000Z"],
    );
    let (record, tracker) = run(
        Settings::default(),
        10,
        &[handshake(), vec![answer(0, &server_flight(&issued, 16_000))]].concat(),
    );
    assert!(
        record.facts[1].contains(r#"subject: "bad\\007\\226\\128\\174", issuer: "yyy"#),
        "{:?}",
        record.facts
    );
    assert!(
        record.facts[1]
            .contains("is_self_signed: false, validity: Some(Validity { not_before_s: 1704067200, days: 0 })")
    );
    assert_eq!(tracker.counters().texts_truncated, 1);
}

#[test]
fn what_tls_hides_is_not_waited_for() {
    // Hello of TLS 1.3, then a change of cipher and records nobody can read; a resumed session looks the same.
    let flight = server_flight(&[], 16_000);
    let hello_end = 5 + 4 + 38;
    let mut hidden = flight[..hello_end].to_vec();
    hidden[3..5].copy_from_slice(&42_u16.to_be_bytes());
    hidden.extend([20, 3, 3, 0, 1, 1, 23, 3, 3, 0, 40]);
    let (record, tracker) = run(
        Settings {
            payload_buffers: 0,
            ..Settings::default()
        },
        10,
        &[handshake(), vec![answer(0, &hidden)]].concat(),
    );
    assert_facts(&record, &["Protocol(Tls)"]);
    assert_eq!(tracker.counters().payloads_abandoned, 0);
}

#[test]
fn the_first_request_and_its_status_are_told() {
    let request =
        b"POST /gate.php?id=\x41 HTTP/1.1\r\nUser-Agent: Mozilla/4.0 (compatible; \\)\r\nHost: example.com\r\n\r\n";
    let facts = [
        "Protocol(Http)",
        r#"Http(HttpRequest { method: "POST", path: "/gate.php?id=A", user_agent: Some("Mozilla/4.0 (compatible; \\092)"), has_host: true, is_whole: true })"#,
        "HttpStatus(404)",
    ];
    for segment in [200, 60, 7] {
        let segments = request
            .chunks(segment)
            .enumerate()
            .map(|(place, part)| data(place * segment, part))
            .chain([
                answer(0, b"HTTP/1."),
                answer(7, b"1 404 Not Found\r\n"),
                answer(24, b"HTTP/1.1 200 OK\r\n"),
                data(request.len(), request),
            ]);
        assert_facts(&after_handshake(segments), &facts);
    }
    let bare = after_handshake([data(0, b"GET / HTTP/1.0\r\nAccept: */*\r\n\r\n")]);
    assert_facts(
        &bare,
        &[
            "Protocol(Http)",
            r#"Http(HttpRequest { method: "GET", path: "/", user_agent: None, has_host: false, is_whole: true })"#,
        ],
    );
    let cut = after_handshake([data(0, request).cut(60)]);
    assert!(cut.facts[1].ends_with("user_agent: None, has_host: false, is_whole: false })"));
}

#[test]
fn the_lengths_of_bodies_are_told_at_the_end_of_their_heads() {
    let request = b"POST /a HTTP/1.1\r\nHost: example.com\r\ncontent-length: 42\r\n\r\n";
    let response = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 1234\r\n\r\nbody";
    for segment in [300, 20] {
        let sent = request
            .chunks(segment)
            .enumerate()
            .map(|(at, part)| data(at * segment, part));
        let received = response
            .chunks(segment)
            .enumerate()
            .map(|(at, part)| answer(at * segment, part));
        let record = after_handshake(sent.chain(received));
        assert_eq!(
            record.facts[2..],
            [
                "HttpBody(HttpBody { is_response: false, content_bytes: Some(42) })",
                "HttpStatus(200)",
                "HttpBody(HttpBody { is_response: true, content_bytes: Some(1234) })",
            ],
        );
    }
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n";
    let odd = b"HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\n";
    let get = b"GET / HTTP/1.0\r\n\r\n";
    let told = |head: &[u8]| after_handshake([data(0, get), answer(0, head)]).facts.last().cloned();
    assert_eq!(
        told(chunked).as_deref(),
        Some("HttpBody(HttpBody { is_response: true, content_bytes: None })")
    );
    assert_eq!(told(odd).as_deref(), Some("HttpStatus(200)"));
}

#[test]
fn in_a_tunnel_both_sides_are_read_anew() {
    let connect = b"CONNECT proxied.example:443 HTTP/1.1\r\nHost: x\r\n\r\n";
    let established = b"HTTP/1.1 200 Connection established\r\n\r\n";
    let record = after_handshake([
        data(0, connect),
        answer(0, established),
        data(connect.len(), &client_hello("inner.example", 0, 16_000)),
        answer(established.len(), &server_flight(&own_certificate(), 16_000)),
    ]);
    assert_eq!(record.facts.len(), 5, "{:?}", record.facts);
    assert!(record.facts[3].starts_with("Tls(") && record.facts[4] == CERTIFICATE);
    assert_eq!(record.facts[..1], ["Protocol(Http)"]);
}

#[test]
fn the_protocol_is_told_once_whoever_shows_it() {
    for (first, second, protocol) in [
        (answer(0, b"220 x ESMTP\r\n"), data(0, b"EHLO x\r\n"), "Smtp"),
        (data(0, b"EHLO x.example\r\n"), answer(0, b"220 x ESMTP\r\n"), "Smtp"),
        (answer(0, b"SSH-2.0-a\r\n"), data(0, b"SSH-2.0-b\r\n"), "Ssh"),
        (data(0, b"NICK x\r\n"), answer(0, b":irc NOTICE x :hi\r\n"), "Irc"),
        (
            data(0, b"\x17\x03\x03\x00\x20"),
            answer(0, b"\x17\x03\x03\x00\x20"),
            "Unknown",
        ),
        (data(0, b"Gh0st\x01\x02\x03"), answer(0, b"Gh0st"), "Unknown"),
        (
            data(0, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
            answer(0, &[0; 20]),
            "Http2",
        ),
    ] {
        let expected = format!("Protocol({protocol})");
        assert_facts(&after_handshake([first, second]), &[&expected]);
    }
    let udp = |bytes: &[u8]| told(&[Sent::udp(CLIENT, SERVER).payload(bytes)]);
    let mut ntp = [0; 48];
    ntp[0] = 0x23;
    assert_facts(&udp(&ntp), &["Protocol(Ntp)"]);
    assert_facts(&udp(b"hello"), &["Protocol(Unknown)"]);
    assert_facts(&udp(b"readable text, which is no QUIC"), &["Protocol(Unknown)"]);
    // Too little is left to judge by.
    let cut = told(&[Sent::udp(CLIENT, SERVER).payload(&[9; 40]).cut(10)]);
    assert_facts(&cut, &[]);
}

#[test]
fn of_a_beginning_not_seen_nothing_is_called_unknown() {
    let middle = |bytes: &[u8]| told(&[data(0, bytes), answer(0, bytes)]);
    assert_facts(&middle(b"\x17\x03\x03\x00\x20 some ciphertext"), &["Protocol(Tls)"]);
    assert_facts(&middle(b"\x00\x01\x02 whatever this is"), &[]);
}

/// A hello in CRYPTO frames of `piece` bytes, in the order that `order` makes of their numbers.
fn frames(hello: &[u8], piece: usize, order: impl Fn(&mut Vec<Vec<u8>>)) -> Vec<Vec<u8>> {
    let mut frames: Vec<_> = hello
        .chunks(piece)
        .enumerate()
        .map(|(place, part)| {
            let wide = |number: usize| (number as u16 | 0x4000).to_be_bytes();
            [&[6][..], &wide(place * piece), &wide(part.len()), part, &[0, 1]].concat()
        })
        .collect();
    order(&mut frames);
    frames
}

#[test]
fn a_hello_in_quic_is_put_together() {
    let hello = &client_hello("example.com", 1_200, 16_000)[5..];
    let facts = [
        "Protocol(Quic)".to_owned(),
        r#"Tls(TlsHello { has_server_name: true, alpn: "h2", version: 771, ja4: Some(q12d0203h2_62ed6f6ca7ad_052bfcbedb83) })"#
            .to_owned(),
    ];
    let datagrams_of = |version: u32, frames: &[Vec<u8>]| -> Vec<Sent> {
        let (first, second) = frames.split_at(frames.len() / 2);
        [first, second]
            .into_iter()
            .zip(0..)
            .map(|(frames, number)| {
                let packet = super::super::quic::tests::packet_of(version, number, &frames.concat());
                Sent::udp(CLIENT, (2, 443)).payload(&packet)
            })
            .collect()
    };
    type Order = fn(&mut Vec<Vec<u8>>);
    let orders: [Order; 3] = [|_| {}, |frames| frames.reverse(), |frames| frames.rotate_left(5)];
    let versions = [VERSION_1, VERSION_2];
    for (order, version) in orders
        .into_iter()
        .flat_map(|order| versions.map(|version| (order, version)))
    {
        let mut sent = datagrams_of(version, &frames(hello, 100, order));
        sent.insert(1, sent[0].clone());
        sent.push(Sent::udp((2, 443), CLIENT).payload(&[0xc0; 1_200]));
        sent.push(Sent::udp(CLIENT, (2, 443)).payload(&[0x41; 30]));
        let record = told(&sent);
        assert_eq!(record.names(), [(crate::NameKind::Sni, "example.com", 0)]);
        assert_eq!(record.facts, facts);
    }
    // The second datagram never comes; a short header says so, and what came later is not read.
    let sent = datagrams_of(VERSION_1, &frames(hello, 100, |_| {}));
    let short_header = [&[0x41][..], &[0x93; 29]].concat();
    let short = Sent::udp(CLIENT, (2, 443)).payload(&short_header);
    let record = told(&[sent[0].clone(), short, sent[1].clone()]);
    assert_facts(&record, &["Protocol(Quic)"]);
    // What may be the middle of a QUIC connection is not called unknown.
    assert_facts(&told(&[Sent::udp(CLIENT, (2, 443)).payload(&short_header)]), &[]);
}

#[test]
fn a_quic_packet_without_a_buffer_is_abandoned() {
    let packet = super::super::quic::tests::packet(0, &[6, 0, 1, 1]);
    let settings = Settings {
        payload_buffers: 0,
        ..Settings::default()
    };
    let (record, tracker) = run(settings, 10, &[Sent::udp(CLIENT, SERVER).payload(&packet)]);
    assert_facts(&record, &["Protocol(Quic)"]);
    assert_eq!(tracker.counters().payloads_abandoned, 1);
}

/// RFC 9001 appendix A.2, the first 288 of 1,200 bytes: the hello ends with the 267th.
const EXAMPLE: &str = "c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11\
    d242b123dc9bd8bab936b47d92ec356c0bab7df5976d27cd449f63300099f399\
    1c260ec4c60d17b31f8429157bb35a1282a643a8d2262cad67500cadb8e7378c\
    8eb7539ec4d4905fed1bee1fc8aafba17c750e2c7ace01e6005f80fcb7df6212\
    30c83711b39343fa028cea7f7fb5ff89eac2308249a02252155e2347b63d58c5\
    457afd84d05dfffdb20392844ae812154682e9cf012f9021a6f0be17ddd0c208\
    4dce25ff9b06cde535d0f920a2db1bf362c23e596d11a4f5a6cf3948838a3aec\
    4e15daf8500a6ef69ec4e3feb6b1d98e610ac8b7ec3faf6ad760b7bad1db4ba3\
    485e8a94dc250ae3fdb41ed15fb6a8e5eba0fc3dd60bc8e30c5c4287e53805db";

#[test]
fn the_published_quic_packet_is_read() {
    let mut packet: Vec<_> = (0..EXAMPLE.len() / 2)
        .map(|place| u8::from_str_radix(&EXAMPLE[2 * place..][..2], 16).unwrap())
        .collect();
    packet.resize(1_200, 0);
    for (captured, facts) in [(288, 2), (267, 2), (266, 1)] {
        let record = told(&[Sent::udp(CLIENT, (2, 443)).payload(&packet).cut(captured)]);
        assert_eq!(record.names(), [(crate::NameKind::Sni, "example.com", 0)]);
        let expected = [
            "Protocol(Quic)",
            "Tls(TlsHello { has_server_name: true, alpn: \"alpn\", version: 772, ja4: Some(q13d0211an_62ed6f6ca7ad_4d634acda6c0) })",
        ];
        assert_eq!(record.facts, expected[..facts], "{captured}");
    }
}

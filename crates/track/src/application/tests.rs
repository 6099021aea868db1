//! Names out of payloads: whole, in pieces, cut, in the wrong order, and out of anything at all.

use proptest::prelude::*;

use super::quic;
use crate::NameKind::{self, ConnectTarget, DnsQuery, HttpHost, Sni};
use crate::Settings;
use crate::testing::{A, PA, Record, S, SA, Sent, run, told};

const CLIENT: (u8, u16) = (1, 50_000);
const SERVER: (u8, u16) = (2, 4_444);

/// A ClientHello in records of at most `record_bytes`, with `padding` bytes of key share before the server name.
fn client_hello(name: &str, padding: usize, record_bytes: usize) -> Vec<u8> {
    let extension =
        |kind: u16, body: &[u8]| [&kind.to_be_bytes()[..], &(body.len() as u16).to_be_bytes(), body].concat();
    let host = [&[0][..], &(name.len() as u16).to_be_bytes(), name.as_bytes()].concat();
    let list = [&(host.len() as u16).to_be_bytes()[..], &host].concat();
    let extensions = [
        extension(51, &vec![7; padding]),
        extension(0, &list),
        extension(16, b"\0\x03\x02h2"),
    ]
    .concat();
    let mut body = vec![3, 3];
    body.extend([0xab; 32]);
    body.push(32);
    body.extend([0xcd; 32]);
    body.extend([0, 4, 0x13, 1, 0x13, 2, 1, 0]);
    body.extend((extensions.len() as u16).to_be_bytes());
    body.extend(extensions);
    let message = [&[1, 0][..], &(body.len() as u16).to_be_bytes(), &body].concat();
    let record = |part: &[u8]| [&[22, 3, 1][..], &(part.len() as u16).to_be_bytes(), part].concat();
    message.chunks(record_bytes).flat_map(record).collect()
}

fn dns_query(labels: &[&[u8]], kind: u16) -> Vec<u8> {
    let mut message = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in labels {
        message.push(label.len() as u8);
        message.extend(*label);
    }
    message.push(0);
    message.extend(kind.to_be_bytes());
    message.extend([0, 1]);
    message
}

fn handshake() -> Vec<Sent> {
    vec![
        Sent::tcp(CLIENT, SERVER, S, 999),
        Sent::tcp(SERVER, CLIENT, SA, 5),
        Sent::tcp(CLIENT, SERVER, A, 1_000),
    ]
}

/// Data of the client at an offset of its stream.
fn data(offset: usize, bytes: &[u8]) -> Sent {
    Sent::tcp(CLIENT, SERVER, PA, 1_000 + offset as u32).payload(bytes)
}

/// What is told of a handshake and these segments.
fn after_handshake(segments: impl IntoIterator<Item = Sent>) -> Record {
    told(&handshake().into_iter().chain(segments).collect::<Vec<_>>())
}

#[track_caller]
fn assert_names(record: &Record, names: &[(NameKind, &str, u16)]) {
    assert_eq!(record.names(), names);
}

#[test]
fn the_server_name_is_read_across_segments_and_records() {
    for (padding, record_bytes) in [(0, 16_000), (1_200, 16_000), (1_200, 300), (30, 1)] {
        let hello = client_hello("Example.COM", padding, record_bytes);
        for segment in [1_460, 700, 97] {
            let segments = hello
                .chunks(segment)
                .enumerate()
                .map(|(place, part)| data(place * segment, part));
            assert_names(&after_handshake(segments), &[(Sni, "example.com", 0)]);
        }
    }
}

#[test]
fn segments_may_come_in_any_order_and_twice() {
    let hello = client_hello("example.com", 600, 16_000);
    let part = |place: usize| data(place * 200, &hello[place * 200..hello.len().min(place * 200 + 200)]);
    let last = hello.len() / 200;
    for order in [
        vec![1, 0, 2, 3],
        vec![3, 2, 1, 0],
        vec![0, 0, 2, 2, 1, 3],
        vec![0, 1, 3, 1, 2],
    ] {
        assert!(order.contains(&last));
        assert_names(
            &after_handshake(order.into_iter().map(part)),
            &[(Sni, "example.com", 0)],
        );
    }
    // A retransmission that also brings new bytes.
    let overlapping = [data(0, &hello[..300]), data(100, &hello[100..])];
    assert_names(&after_handshake(overlapping), &[(Sni, "example.com", 0)]);
}

#[test]
fn a_cut_payload_gives_what_stands_before_the_cut() {
    let hello = client_hello("example.com", 0, 16_000);
    let name_end = hello.len() - 9;
    assert_names(
        &after_handshake([data(0, &hello).cut(name_end)]),
        &[(Sni, "example.com", 0)],
    );
    assert_names(&after_handshake([data(0, &hello).cut(name_end - 1)]), &[]);
    assert_names(&after_handshake([data(0, &hello).cut(0)]), &[]);

    let request = b"GET /path HTTP/1.1\r\nUser-Agent: x\r\nHost: example.com\r\nCookie: 123\r\n\r\n";
    assert_names(
        &after_handshake([data(0, request).cut(60)]),
        &[(HttpHost, "example.com", 0)],
    );
    assert_names(&after_handshake([data(0, request).cut(50)]), &[]);
    let request = b"GET http://example.com:8080/very/long HTTP/1.1\r\n\r\n";
    assert_names(
        &after_handshake([data(0, request).cut(30)]),
        &[(HttpHost, "example.com", 8080)],
    );
    assert_names(&after_handshake([data(0, request).cut(15)]), &[]);
}

#[test]
fn zero_filler_is_no_protocol() {
    assert_names(&after_handshake([data(0, &[0; 600])]), &[]);
    assert_names(&told(&[Sent::udp(CLIENT, (2, 53)).payload(&[0; 60])]), &[]);
    // A name, then filler where the rest of the hello was.
    let mut hello = client_hello("example.com", 0, 16_000);
    hello.truncate(hello.len() - 9);
    hello.extend([0; 500]);
    assert_names(&after_handshake([data(0, &hello)]), &[(Sni, "example.com", 0)]);
}

#[test]
fn the_host_of_a_request_is_told_once() {
    for (request, name, port) in [
        ("GET / HTTP/1.1\r\nHost: WWW.example.com\r\n\r\n", "www.example.com", 0),
        (
            "POST /x HTTP/1.1\r\nA: b\r\nhost:example.com:8080\r\n\r\nbody",
            "example.com",
            8080,
        ),
        (
            "GET http://u:p@a.example/x HTTP/1.1\r\nHost: b.example\r\n\r\n",
            "a.example",
            0,
        ),
        (
            "PROPFIND / HTTP/1.0\r\nHost: [2001:db8::1]:80\r\n\r\n",
            "2001:db8::1",
            80,
        ),
        (
            "GET / HTTP/1.1\r\nHost: evil\u{202e}\u{7}\r\n\r\n",
            "evil\\226\\128\\174\\007",
            0,
        ),
    ] {
        let twice = [data(0, request.as_bytes()), data(request.len(), request.as_bytes())];
        // A control character makes the field invalid: then nothing is told.
        let expected = [(HttpHost, name, port)];
        let expected = if name.contains("\\007") { &[][..] } else { &expected[..] };
        assert_names(&after_handshake(twice), expected);
    }
    for other in [
        "GET / HTTP/1.0\r\n\r\n",
        "NICK name\r\nUSER x\r\n",
        "EHLO example.com\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        assert_names(&after_handshake([data(0, other.as_bytes())]), &[]);
    }
    let request = b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n";
    let bytewise = request.chunks(2).enumerate().map(|(place, part)| data(place * 2, part));
    assert_names(&after_handshake(bytewise), &[(HttpHost, "example.com", 0)]);
}

#[test]
fn the_tunnel_of_a_connect_is_read_too() {
    let connect = b"CONNECT proxied.example:443 HTTP/1.1\r\nHost: other.example:443\r\n\r\n";
    let hello = client_hello("inner.example", 0, 16_000);
    let expected = [(ConnectTarget, "proxied.example", 443), (Sni, "inner.example", 0)];
    assert_names(
        &after_handshake([data(0, connect), data(connect.len(), &hello)]),
        &expected,
    );
    let (first, second) = hello.split_at(70);
    let pieces = [
        data(0, &connect[..30]),
        data(30, &connect[30..]),
        data(connect.len(), first),
        data(connect.len() + 70, second),
    ];
    assert_names(&after_handshake(pieces), &expected);
}

#[test]
fn every_query_of_a_socket_is_told() {
    let query = |labels: &[&[u8]], kind| Sent::udp(CLIENT, (2, 5_300)).payload(&dns_query(labels, kind));
    let record = told(&[
        query(&[b"A", b"Example", b"com"], 1),
        query(&[b"b\xff.", b"example", b"com"], 16),
        query(&[], 2),
        query(&[b"EKEDFEEIEKEDFEEIEKEDFEEIEKEDFEEI"], 0x20),
        query(&[b"CKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", b"scope"], 0x21),
        // A service record has the type number that NetBIOS gave its status query.
        query(&[b"_http", b"_tcp", b"example", b"com"], 0x21),
        Sent::udp(CLIENT, (2, 5_300)).payload(b"something else"),
        query(&[b"c", b"example", b"com"], 1),
    ]);
    let names = [
        "a.example.com",
        "b\\255\\046.example.com",
        "_http._tcp.example.com",
        "c.example.com",
    ];
    assert_names(&record, &names.map(|name| (DnsQuery, name, 0)));

    let framed = |labels: &[&[u8]]| {
        let message = dns_query(labels, 1);
        [&(message.len() as u16).to_be_bytes()[..], &message].concat()
    };
    let (one, other) = (framed(&[b"one", b"example"]), framed(&[b"other", b"example"]));
    let record = after_handshake([data(0, &one[..9]), data(9, &one[9..]), data(one.len(), &other)]);
    assert_names(&record, &[(DnsQuery, "one.example", 0), (DnsQuery, "other.example", 0)]);
}

#[test]
fn what_is_not_quite_a_query_is_none() {
    let good = dns_query(&[b"example", b"com"], 1);
    assert_names(
        &told(&[Sent::udp(CLIENT, SERVER).payload(&good)]),
        &[(DnsQuery, "example.com", 0)],
    );
    // Flags of an answer, no question, two questions, an answer record, compression, a strange class.
    for (place, octet) in [(2, 0x81), (5, 0), (5, 2), (7, 1), (12, 0xc0), (good.len() - 1, 9)] {
        let mut bad = good.clone();
        bad[place] = octet;
        assert_names(&told(&[Sent::udp(CLIENT, SERVER).payload(&bad)]), &[]);
    }
    // More than the message; a name longer than a name can be.
    let long = dns_query(&[&[b'a'; 63][..]; 4], 1);
    for bad in [[&good[..], b"more"].concat(), long] {
        assert_names(&told(&[Sent::udp(CLIENT, SERVER).payload(&bad)]), &[]);
    }
}

#[test]
fn buffers_are_few_and_change_hands() {
    let hello = client_hello("example.com", 600, 16_000);
    let settings = Settings {
        connections: 100,
        payload_buffers: 2,
        ..Settings::default()
    };
    let part =
        |client: u16, from: usize, to: usize| Sent::tcp((1, client), SERVER, PA, from as u32).payload(&hello[from..to]);
    let clients = [40_001, 40_002, 40_003];
    let first = clients.map(|client| part(client, 0, 100));
    let second = clients.map(|client| part(client, 100, hello.len()));
    let (record, tracker) = run(settings, 10, &[first.clone(), second.clone()].concat());
    // The first of three lost its buffer to the third.
    assert_eq!((record.names().len(), tracker.counters().buffers_taken_over), (2, 1));
    let (record, tracker) = run(
        Settings {
            payload_buffers: 0,
            ..settings
        },
        10,
        &[first, second].concat(),
    );
    assert_eq!((record.names().len(), tracker.counters().payloads_abandoned), (0, 3));
}

#[test]
fn long_and_slow_heads_are_abandoned() {
    let mut request = b"GET / HTTP/1.1\r\nX: ".to_vec();
    request.extend(vec![b'x'; 9_000]);
    let (record, tracker) = run(
        Settings::default(),
        10,
        &[
            data(0, &request[..3_000]),
            data(3_000, &request[3_000..6_000]),
            data(6_000, &request[6_000..]),
        ],
    );
    assert_eq!((record.names().len(), tracker.counters().payloads_abandoned), (0, 1));
    let drops: Vec<_> = (0..40).map(|place| data(place, &request[place..][..1])).collect();
    let (record, tracker) = run(Settings::default(), 10, &drops);
    assert_eq!((record.names().len(), tracker.counters().payloads_abandoned), (0, 1));
}

#[test]
fn a_long_name_is_capped_and_counted() {
    let request = format!("GET / HTTP/1.1\r\nHost: {}.example.com\r\n\r\n", "a".repeat(400));
    let (record, tracker) = run(Settings::default(), 10, &[data(0, request.as_bytes())]);
    assert_eq!(tracker.counters().names_truncated, 1);
    assert_eq!(record.names()[0].1.len(), 253);
}

mod facts;

proptest! {
    /// Whatever comes, in whatever order: no panic, harmless names, every buffer given back.
    #[test]
    fn no_payload_does_harm(
        seed in prop::collection::vec(any::<u8>(), 0..300),
        good in 0_usize..10,
        segments in prop::collection::vec((0_usize..400, 0_usize..200, 0_usize..200), 0..30),
        answers in prop::collection::vec((0_usize..400, 0_usize..200, 0_usize..200), 0..30),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let mut stream = match good {
            0 => client_hello("example.com", 60, 50),
            1 => b"CONNECT a.example:443 HTTP/1.1\r\nHost: b.example\r\n\r\n".to_vec(),
            2 => [&[0, 29][..], &dns_query(&[b"example", b"com"], 1)].concat(),
            3 => facts::some_server_flight(),
            4 => [&[0, 99][..], &facts::some_dns_answer()].concat(),
            5 => facts::some_dns_answer(),
            6 => b"HTTP/1.1 200 OK\r\n\r\n".to_vec(),
            8 => quic::tests::packet(0, &[6, 0, 2, 1, 0]),
            7 => b"PASS x\r\nNICK y\r\n".to_vec(),
            _ => Vec::new(),
        };
        stream.extend(seed);
        stream.push(0);
        flips.iter().for_each(|(at, with)| *at.get_mut(&mut stream) = *with);
        let mut packets = handshake();
        for (offset, length, captured) in segments {
            let offset = offset.min(stream.len());
            let end = (offset + length).min(stream.len());
            packets.push(data(offset, &stream[offset..end]).cut(captured));
            packets.push(Sent::udp(CLIENT, SERVER).payload(&stream[offset..end]).cut(captured));
        }
        packets.push(Sent::udp(CLIENT, (2, 443)).payload(&stream));
        for (offset, length, captured) in answers {
            let offset = offset.min(stream.len());
            let end = (offset + length).min(stream.len());
            packets.push(facts::answer(offset, &stream[offset..end]).cut(captured));
            packets.push(Sent::udp(SERVER, CLIENT).payload(&stream[offset..end]).cut(captured));
        }
        let (record, tracker) = run(Settings { payload_buffers: 1, ..Settings::default() }, 7, &packets);
        for (_, name, _) in record.names() {
            let is_harmless = (1..=253).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic());
            prop_assert!(is_harmless, "{}", name);
        }
        for fact in &record.facts {
            prop_assert!(fact.len() < 600 && fact.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{}", fact);
        }
        // Three connections: each says its protocol once.
        prop_assert!(record.facts.iter().filter(|fact| fact.starts_with("Protocol")).count() <= 3);
        prop_assert_eq!(tracker.counters().live, 0);
    }
}

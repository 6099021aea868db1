//! Whole conversations through the tracker: states, beginnings, timeouts, bursts. The comparison with a plain model is
//! in `model`.

mod model;

use balefire_decode::{FragmentPlace, Transport};

use crate::testing::{A, F, PA, R, RA, Record, S, SA, SECOND_NS, Sent, Told, address, run, told};
use crate::{Class, ConnState, Settings};

const CLIENT: (u8, u16) = (1, 50_000);
const SERVER: (u8, u16) = (2, 443);

/// TCP packets from a script: `>` and `<` give the side, then the flags; a millisecond apart, data is 10 bytes.
fn script(steps: &[(char, u8)]) -> Vec<Sent> {
    let mut sequence = [1_000_u32, 9_000];
    let packet = |(place, (side, flags)): (usize, &(char, u8))| {
        let from_client = *side == '>';
        let (src, dst) = if from_client {
            (CLIENT, SERVER)
        } else {
            (SERVER, CLIENT)
        };
        let next = &mut sequence[usize::from(!from_client)];
        if flags & S != 0 {
            *next = if from_client { 1_000 } else { 9_000 };
        }
        let mut sent = Sent::tcp(src, dst, *flags, *next).at(place as f64 / 1e3);
        if *flags == PA {
            sent = sent.payload(&[0xee; 10]);
            *next += 10;
        }
        *next += u32::from(flags & (S | 1) != 0);
        sent
    };
    steps.iter().enumerate().map(packet).collect()
}

#[test]
fn every_state_has_zeeks_name() {
    use ConnState as C;
    let table: &[(C, &[(char, u8)])] = &[
        (C::S0, &[('>', S), ('>', S)]),
        (C::S0, &[('>', S), ('>', A), ('>', PA)]),
        (C::S1, &[('>', S), ('<', SA)]),
        (C::S1, &[('>', S), ('<', SA), ('>', A), ('>', PA), ('<', PA)]),
        (C::S1, &[('<', SA), ('>', A), ('>', PA)]),
        (C::S1, &[('<', SA), ('>', S), ('>', A)]),
        (C::S2, &[('>', S), ('<', SA), ('>', A), ('>', F), ('<', PA)]),
        (C::S3, &[('>', S), ('<', SA), ('>', A), ('<', F), ('>', A)]),
        (
            C::Sf,
            &[('>', S), ('<', SA), ('>', A), ('>', PA), ('>', F), ('<', F), ('>', A)],
        ),
        (C::Sf, &[('>', S), ('<', SA), ('>', A), ('<', F), ('>', F), ('>', R)]),
        (C::Sf, &[('>', S), ('<', SA), ('>', A), ('>', F), ('>', R), ('<', F)]),
        (C::Rej, &[('>', S), ('<', RA)]),
        (C::Rej, &[('>', S), ('<', RA), ('>', S), ('<', RA)]),
        (C::Rsto, &[('>', S), ('<', SA), ('>', A), ('>', PA), ('>', R)]),
        (C::Rsto, &[('>', S), ('<', SA), ('>', F), ('>', R)]),
        (C::Rstr, &[('>', S), ('<', SA), ('>', A), ('>', PA), ('<', R)]),
        (C::Rstr, &[('>', S), ('<', SA), ('>', PA), ('>', R), ('<', R)]),
        (C::Rstos0, &[('>', S), ('>', R)]),
        (C::Oth, &[('>', S), ('>', A), ('>', R)]),
        (C::Rstrh, &[('<', SA), ('<', R)]),
        (C::Sh, &[('>', S), ('>', F)]),
        (C::Shr, &[('<', SA), ('<', F)]),
        (C::Oth, &[('>', PA), ('<', PA)]),
        (C::Oth, &[('>', A)]),
    ];
    for (state, steps) in table {
        let record = told(&script(steps));
        let states: Vec<_> = record.closed.iter().map(|closed| closed.state).collect();
        assert_eq!(states, [*state], "{steps:?}");
        assert_eq!(record.closed[0].endpoints.originator, address(1), "{steps:?}");
    }
}

#[test]
fn states_without_a_handshake() {
    let (there, back) = (Sent::udp(CLIENT, SERVER), Sent::udp(SERVER, CLIENT));
    let state = |packets: &[Sent]| told(packets).closed[0].state;
    assert_eq!(state(&[there.clone(), back.clone()]), ConnState::Sf);
    assert_eq!(state(std::slice::from_ref(&there)), ConnState::S0);
    assert_eq!(state(&[back]), ConnState::Shr);
    assert_eq!(state(&[Sent::icmp(1, 2, 8, 0, 7)]), ConnState::Oth);
}

#[test]
fn the_beginner_is_judged_by_flags_then_ports() {
    // (source port, destination port, flags) -> is the sender the originator, was the beginning missed
    for (ports, flags, by_sender, mid_stream) in [
        ((443, 50_000), S, true, false),
        ((50_000, 443), SA, false, true),
        ((50_000, 443), A, true, true),
        ((443, 50_000), A, false, true),
        ((8_443, 40_000), A, false, true),
        ((40_000, 8_443), A, true, true),
        ((8_443, 9_000), A, true, true),
        ((50_000, 60_000), A, true, true),
        ((20, 21), A, true, true),
    ] {
        let record = told(&[Sent::tcp((1, ports.0), (2, ports.1), flags, 5)]);
        let Told::Opened {
            endpoints,
            mid_stream: missed,
            ..
        } = &record.told[0]
        else {
            panic!("opened comes first")
        };
        assert_eq!(
            (endpoints.originator == address(1), *missed),
            (by_sender, mid_stream),
            "{ports:?}"
        );
        let port = if by_sender { ports } else { (ports.1, ports.0) };
        assert_eq!((endpoints.originator_port, endpoints.responder_port), port);
    }
}

#[test]
fn echoes_are_keyed_by_identifier_and_errors_stand_alone() {
    let packets = [
        Sent::icmp(1, 2, 8, 0, 77),
        Sent::icmp(2, 1, 0, 0, 77),
        Sent::icmp(1, 2, 8, 0, 78),
        Sent::udp((1, 5_000), (2, 9_999)),
        Sent::icmp(2, 1, 3, 3, 0).payload(&[0x45; 28]),
    ];
    let record = told(&packets);
    let ends: Vec<_> = record.closed.iter().map(|closed| closed.endpoints).collect();
    assert_eq!(ends.len(), 4);
    assert_eq!(
        (ends[0].originator, ends[0].originator_port, ends[0].responder_port),
        (address(1), 8, 0)
    );
    assert_eq!(
        (record.closed[0].sent.packets, record.closed[0].received.packets),
        (1, 1)
    );
    assert_eq!(
        (ends[3].originator, ends[3].originator_port, ends[3].responder_port),
        (address(2), 3, 3)
    );
    assert_eq!(record.bursts(), [], "an error is no check-in");
    // A host that pings itself.
    let record = told(&[Sent::icmp(1, 1, 8, 0, 7), Sent::icmp(1, 1, 0, 0, 7)]);
    assert_eq!(
        (record.closed[0].sent.packets, record.closed[0].received.packets),
        (1, 1)
    );
}

#[test]
fn silence_splits_conversations() {
    let udp = |seconds| Sent::udp(CLIENT, SERVER).at(seconds);
    assert_eq!(told(&[udp(0.0), udp(60.0), udp(120.0)]).closed.len(), 1);
    assert_eq!(told(&[udp(0.0), udp(60.1)]).closed.len(), 2);
    // A rare heartbeat keeps an established connection one.
    let mut packets = script(&[('>', S), ('<', SA), ('>', A)]);
    packets.extend((1..4).map(|beat| Sent::tcp(CLIENT, SERVER, PA, 1_001).at(f64::from(beat) * 3_500.0)));
    assert_eq!(told(&packets).closed.len(), 1);
    // Linux's repetitions of a SYN are one attempt.
    let syns: Vec<_> = [0, 1, 3, 7, 15, 31, 63]
        .map(|at| Sent::tcp(CLIENT, SERVER, S, 9).at(f64::from(at)))
        .to_vec();
    assert_eq!(told(&syns).closed.len(), 1);
}

#[test]
fn silent_connections_are_closed_by_other_packets_and_by_passing_time() {
    let packets = [
        Sent::udp(CLIENT, SERVER).at(0.0),
        Sent::udp((3, 1), (4, 2)).at(67.0),
        Sent::udp((3, 1), (4, 2)).at(68.0),
    ];
    let record = told(&packets);
    let closed = record
        .told
        .iter()
        .position(|told| matches!(told, Told::Closed { tag: 0, .. }));
    let last = record
        .told
        .iter()
        .position(|told| matches!(told, Told::Packet { time_ns, .. } if *time_ns == 68 * SECOND_NS));
    assert!(closed < last, "{:?}", record.told);

    let mut tracker = crate::Tracker::new(Settings {
        connections: 10,
        ..Settings::default()
    });
    let mut record = Record::default();
    tracker.batch(&[packets[0].arrival()], &mut record);
    tracker.advance(67 * SECOND_NS, &mut record);
    assert_eq!((record.closed.len(), tracker.counters().live), (0, 1));
    tracker.advance(68 * SECOND_NS, &mut record);
    assert_eq!(
        (
            record.closed.len(),
            tracker.counters().live,
            tracker.counters().timed_out
        ),
        (1, 0, 1)
    );
}

#[test]
fn stragglers_open_no_ghost_and_a_new_syn_opens_at_once() {
    let mut packets = script(&[('>', S), ('<', SA), ('>', A), ('>', F), ('<', F), ('>', A)]);
    packets.push(Sent::tcp(SERVER, CLIENT, R, 9_002).at(4.0));
    assert_eq!(told(&packets).closed.len(), 1);
    // The same number again is a repetition, another a new connection, on a finished one as on one whose end was missed.
    for (end, flags) in [(6, "ended"), (3, "running"), (1, "unanswered")] {
        let mut packets = script(&[('>', S), ('<', SA), ('>', A), ('>', F), ('<', F), ('>', A)]);
        packets.truncate(end);
        let repeated = Sent::tcp(CLIENT, SERVER, S, 1_000).at(1.0);
        let new = Sent::tcp(CLIENT, SERVER, S, 2_000_000_000).at(1.0);
        assert_eq!(
            told(&[packets.clone(), vec![repeated]].concat()).closed.len(),
            1,
            "{flags}"
        );
        let (record, tracker) = run(Settings::default(), 1, &[packets, vec![new]].concat());
        assert_eq!((record.closed.len(), tracker.counters().reused), (2, 1), "{flags}");
        assert_eq!(record.closed[1].first_ns, SECOND_NS);
    }
}

#[test]
fn an_end_alone_opens_nothing() {
    let ends = [F, R, RA].map(|flags| Sent::tcp(CLIENT, SERVER, flags, 1));
    let (record, tracker) = run(Settings::default(), 1, &ends);
    assert_eq!(
        (
            record.told.len(),
            tracker.counters().stragglers,
            tracker.counters().packets
        ),
        (0, 3, 3)
    );
    // With payload it is traffic.
    assert_eq!(told(&[ends[0].clone().payload(b"last words")]).closed.len(), 1);
    // A retransmitted end, long after: the old connection closes, no new one opens.
    let mut packets = script(&[('>', S), ('<', SA), ('>', F), ('<', R)]);
    packets.push(Sent::tcp(CLIENT, SERVER, F, 1_001).at(20.0));
    assert_eq!(told(&packets).closed.len(), 1);
}

#[test]
fn a_syn_overtaken_by_its_data_belongs_to_it() {
    let packets = [
        Sent::tcp(CLIENT, SERVER, PA, 1_001).payload(b"data"),
        Sent::tcp(CLIENT, SERVER, S, 1_000).at(0.001),
    ];
    assert_eq!(told(&packets).closed.len(), 1);
}

#[test]
fn bursts_are_new_client_payload_after_a_second_of_silence() {
    let data = |at: f64, sequence: u32, bytes: usize| {
        Sent::tcp(CLIENT, SERVER, PA, sequence)
            .at(at)
            .payload(&vec![0xee; bytes])
    };
    let mut packets = script(&[('>', S), ('<', SA), ('>', A)]);
    packets.extend([
        data(1.0, 1_001, 100),
        data(1.5, 1_101, 100),
        data(3.0, 1_201, 50),
        // A retransmission, a keep-alive with and one without a byte, payload of the server: no check-ins.
        data(5.0, 1_201, 50),
        data(7.0, 1_250, 1),
        data(9.0, 1_250, 0),
        Sent::tcp(SERVER, CLIENT, PA, 9_001).at(11.0).payload(b"answer"),
        data(13.0, 1_251, 60),
        // What a reset carries is no check-in either.
        Sent::tcp(CLIENT, SERVER, RA, 1_311).at(15.0).payload(b"reason"),
    ]);
    let record = told(&packets);
    assert_eq!(record.bursts(), [(1.0, 100), (3.0, 50), (13.0, 60)]);
    // Volumes are what was on the wire, repetitions included.
    assert_eq!(record.closed[0].sent.payload_bytes, 100 + 100 + 50 + 50 + 1 + 60 + 6);
    let udp: Vec<_> = [0.0, 0.5, 1.4, 2.5]
        .map(|at| Sent::udp(CLIENT, SERVER).at(at).payload(b"x"))
        .to_vec();
    assert_eq!(told(&udp).bursts(), [(0.0, 1), (2.5, 1)]);
}

#[test]
fn fragments_are_counted_and_read_no_further() {
    let mut later = Sent::tcp((1, 0), (2, 0), 0, 0).payload(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    later.packet.fragment = FragmentPlace::Later;
    let record = told(&[later.clone(), later]);
    assert_eq!(
        (record.closed.len(), record.names().len(), record.bursts().len()),
        (1, 0, 0)
    );
    assert_eq!(
        (record.closed[0].sent.packets, record.closed[0].state),
        (2, ConnState::Oth)
    );
}

#[test]
fn times_that_go_back_shorten_nothing() {
    let packets = [
        Sent::udp(CLIENT, SERVER).at(100.0).payload(b"a"),
        Sent::udp(CLIENT, SERVER).at(10.0).payload(b"b"),
        Sent::udp(CLIENT, SERVER).at(159.0).payload(b"c"),
    ];
    let (record, tracker) = run(Settings::default(), 3, &packets);
    assert_eq!((record.closed.len(), tracker.counters().late), (1, 1));
    assert_eq!(
        (record.closed[0].first_ns, record.closed[0].last_ns),
        (100 * SECOND_NS, 159 * SECOND_NS)
    );
    assert_eq!(record.bursts(), [(100.0, 1), (159.0, 1)]);
}

#[test]
fn a_wrong_clock_is_left_behind() {
    let mut packets = vec![Sent::udp((9, 9), (8, 8)).at(4e9)];
    packets.extend((0..5_000).map(|at| Sent::udp(CLIENT, SERVER).at(f64::from(at) / 10.0)));
    packets.push(Sent::udp((3, 3), (4, 4)).at(800.0));
    let (record, tracker) = run(Settings::default(), 64, &packets);
    let counters = tracker.counters();
    assert_eq!((counters.clock_resets, counters.flushed), (1, 3));
    assert_eq!((counters.timed_out, counters.closed(), record.closed.len()), (1, 4, 4));
}

#[test]
fn a_flood_evicts_the_uninteresting_first() {
    const CONNECTIONS: usize = 200;
    let settings = Settings {
        connections: CONNECTIONS,
        ..Settings::default()
    };
    let mut packets = Vec::new();
    for client in 0..20 {
        let client = (1, 1_000 + client);
        packets.push(Sent::tcp(client, SERVER, S, 0));
        packets.push(Sent::tcp(SERVER, client, SA, 0));
        packets.push(Sent::udp(client, (3, 53)));
        packets.push(Sent::udp((3, 53), client));
    }
    let flood = (0..10_000_u16).map(|port| Sent::tcp((9, port), (10, 80), S, 0).at(f64::from(port) / 1e4));
    packets.extend(flood);
    let (record, tracker) = run(settings, 100, &packets);
    let counters = tracker.counters();
    assert_eq!(counters.peak, CONNECTIONS as u64);
    assert_eq!(counters.evicted_of(Class::TcpAttempt), 10_040 - CONNECTIONS as u64);
    assert_eq!(counters.evicted(), counters.evicted_of(Class::TcpAttempt));
    assert_eq!((counters.opened, counters.closed(), counters.live), (10_040, 10_040, 0));
    assert_eq!(record.closed.len(), 10_040);
    // The oldest attempt went first, and the flood's last ones are still there at the end.
    assert_eq!(record.closed[0].endpoints.originator_port, 0);
    assert_eq!(record.closed[10_039].endpoints.originator_port, 9_999);
}

#[test]
fn the_end_comes_in_the_order_of_beginnings() {
    let packets: Vec<_> = [5, 3, 9, 1]
        .map(|host| Sent::udp((host, 1), (2, 2)).at(f64::from(10 - host)))
        .to_vec();
    let record = told(&packets);
    let firsts: Vec<_> = record.closed.iter().map(|closed| closed.first_ns / SECOND_NS).collect();
    assert_eq!(firsts, [1, 5, 7, 9]);
}

#[test]
fn other_transports_are_followed_without_ports() {
    let esp = Transport(50);
    let record = told(&[Sent::new(esp, (1, 0), (2, 0)), Sent::new(esp, (2, 0), (1, 0))]);
    assert_eq!((record.closed.len(), record.closed[0].state), (1, ConnState::Oth));
}

//! The tracker against a plain map that scans everything, over random packets; and that neither the batches nor the
//! seed show in what is told.

use std::collections::BTreeMap;

use balefire_decode::{Address, Transport};
use proptest::prelude::*;

use crate::testing::{A, F, PA, R, S, SA, SECOND_NS, Sent, Told, run};
use crate::{Settings, Volume};

/// Short timeouts, so that a few hundred packets meet them all.
fn settings(connections: usize, seed: u64) -> Settings {
    Settings {
        connections,
        seed,
        tcp_timeout_ns: 80 * SECOND_NS,
        tcp_attempt_timeout_ns: 8 * SECOND_NS,
        tcp_closing_timeout_ns: 24 * SECOND_NS,
        tcp_linger_ns: 2 * SECOND_NS,
        udp_timeout_ns: 16 * SECOND_NS,
        icmp_timeout_ns: 16 * SECOND_NS,
        payload_buffers: 3,
    }
}

/// Packets among a few hosts and ports; times mostly go on, sometimes back.
fn packets() -> impl Strategy<Value = Vec<Sent>> {
    let flags = prop::sample::select(vec![S, SA, A, PA, PA, PA, F, R]);
    let ends = (1_u8..5, 1_u8..5, 0_u16..4, 0_u16..4);
    let payload = prop_oneof![
        Just(Vec::new()),
        Just(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n".to_vec()),
        Just(b"GET / HT".to_vec()),
        prop::collection::vec(any::<u8>(), 0..20)
    ];
    let one = (0_u8..4, ends, flags, 0_u32..60, payload, -300_i64..4_000);
    prop::collection::vec(one, 1..300).prop_map(|all| {
        let mut time_ns = 1_000 * SECOND_NS;
        let mut packets = Vec::new();
        for (kind, (src, dst, sport, dport), flags, sequence, payload, step_ms) in all {
            time_ns += step_ms * 1_000_000;
            let mut sent = match kind {
                0 => Sent::udp((src, sport), (dst, dport)),
                1 => Sent::icmp(src, dst, 8 * (sport & 1), 0, 8 + u32::from(dport)),
                _ => Sent::tcp((src, 40_000 + sport), (dst, dport), flags, sequence),
            };
            sent = sent.payload(&payload);
            sent.time_ns = time_ns;
            packets.push(sent);
        }
        packets
    })
}

/// What the model keeps of a UDP or ICMP conversation.
#[derive(Clone, Debug, PartialEq)]
struct Conversation {
    originator: (Address, u16),
    first_ns: i64,
    last_ns: i64,
    sent: Volume,
    received: Volume,
}

/// UDP and ICMP by the written rules alone: a conversation is over when its next packet comes more than the timeout
/// after its last.
fn model(packets: &[Sent]) -> Vec<Conversation> {
    let mut live = BTreeMap::new();
    let mut over = Vec::new();
    for sent in packets {
        let packet = &sent.packet;
        let is_udp = packet.transport == Transport::UDP;
        let is_reply = !is_udp && packet.src_port == 0;
        // Of ICMP the identifier stands for both ports; a host that pings itself has two ends all the same.
        let identifier = (packet.sequence >> 16) as u16;
        let (mut src, mut dst) = ((packet.src, packet.src_port), (packet.dst, packet.dst_port));
        if !is_udp {
            (src.1, dst.1) = (identifier, identifier);
            if packet.src == packet.dst {
                (src.1, dst.1) = if is_reply { (identifier, 100) } else { (100, identifier) };
            }
        }
        let key = (packet.transport, src.min(dst), src.max(dst));
        let is_over = |old: &mut Conversation| sent.time_ns - old.last_ns > 16 * SECOND_NS;
        if live.get_mut(&key).is_some_and(is_over) {
            over.extend(live.remove(&key));
        }
        let conversation = live.entry(key).or_insert(Conversation {
            // The UDP ports here are all below 1024, so whoever sent first began.
            originator: if is_reply { dst } else { src },
            first_ns: sent.time_ns,
            last_ns: sent.time_ns,
            sent: Volume::default(),
            received: Volume::default(),
        });
        conversation.last_ns = conversation.last_ns.max(sent.time_ns);
        let by_originator = conversation.originator == src;
        let volume = if by_originator {
            &mut conversation.sent
        } else {
            &mut conversation.received
        };
        *volume = sum(
            *volume,
            Volume {
                packets: 1,
                payload_bytes: packet.payload_bytes.into(),
                ip_bytes: packet.ip_bytes.into(),
            },
        );
    }
    over.extend(live.into_values());
    over
}

fn sum(one: Volume, other: Volume) -> Volume {
    Volume {
        packets: one.packets + other.packets,
        payload_bytes: one.payload_bytes + other.payload_bytes,
        ip_bytes: one.ip_bytes + other.ip_bytes,
    }
}

fn sorted(mut conversations: Vec<Conversation>) -> Vec<Conversation> {
    conversations.sort_by_key(|one| {
        (
            one.first_ns,
            one.last_ns,
            one.originator,
            one.sent.ip_bytes,
            one.sent.packets,
            // Two replies to requests that nobody saw differ in nothing else.
            one.received.ip_bytes,
            one.received.packets,
        )
    });
    conversations
}

proptest! {
    #[test]
    fn the_tracker_agrees_with_the_model(packets in packets()) {
        let mut packets = packets;
        packets.retain(|sent| sent.packet.transport != Transport::TCP);
        let (record, tracker) = run(settings(1_000, 1), 7, &packets);
        let tracked = record.closed.iter().map(|closed| Conversation {
            originator: (closed.endpoints.originator, closed.endpoints.originator_port),
            first_ns: closed.first_ns,
            last_ns: closed.last_ns,
            sent: closed.sent,
            received: closed.received,
        });
        let mut modelled = model(&packets);
        // What the model calls a port is an identifier in ICMP.
        let is_icmp = |one: &Conversation| one.originator.1 >= 8;
        modelled.iter_mut().filter(|one| is_icmp(one)).for_each(|one| one.originator.1 = 8);
        prop_assert_eq!(sorted(tracked.collect()), sorted(modelled));
        prop_assert_eq!(tracker.counters().opened, u64::from(record.opened));
    }

    #[test]
    fn batches_and_seed_do_not_show(packets in packets(), batch in 1_usize..80, seed in any::<u64>(), few in 1_usize..12) {
        // With so few places everything is evicted all the time.
        for connections in [few, 1_000] {
            let (one, _) = run(settings(connections, 0), 1, &packets);
            let (other, _) = run(settings(connections, seed), batch, &packets);
            prop_assert_eq!(one.told, other.told);
        }
    }

    #[test]
    fn all_counts_add_up(packets in packets(), connections in 1_usize..40) {
        let (record, tracker) = run(settings(connections, 3), 16, &packets);
        let counters = tracker.counters();
        prop_assert!(counters.peak <= connections as u64);
        prop_assert_eq!(counters.packets, packets.len() as u64);
        prop_assert_eq!((counters.live, counters.opened), (0, counters.closed()));
        prop_assert_eq!(record.closed.len() as u64, counters.closed());
        let volume = record.closed.iter().map(|closed| sum(closed.sent, closed.received));
        let told_packets = volume.clone().map(|volume| volume.packets).sum::<u64>();
        prop_assert_eq!(told_packets + counters.stragglers, counters.packets);
        // Stragglers have no payload; here every such packet is 40 bytes.
        let ip_bytes = packets.iter().map(|sent| u64::from(sent.packet.ip_bytes)).sum::<u64>();
        prop_assert_eq!(volume.map(|volume| volume.ip_bytes).sum::<u64>() + 40 * counters.stragglers, ip_bytes);
        // Of each connection: opened, then packets and the rest in order of time, then closed.
        for tag in 0..record.opened {
            let of_it: Vec<_> = record.told.iter().filter(|told| tag_of(told) == tag).collect();
            let is_framed = matches!((of_it.first(), of_it.last()), (Some(Told::Opened { .. }), Some(Told::Closed { .. })));
            prop_assert!(is_framed, "{:?}", of_it);
            let times: Vec<_> = of_it.iter().filter_map(|told| match told {
                Told::Opened { time_ns, .. } | Told::Packet { time_ns, .. } => Some(*time_ns),
                _ => None,
            }).collect();
            prop_assert!(times.is_sorted());
        }
    }
}

fn tag_of(told: &Told) -> u32 {
    match told {
        Told::Opened { tag, .. }
        | Told::Packet { tag, .. }
        | Told::Name { tag, .. }
        | Told::Burst { tag, .. }
        | Told::Closed { tag, .. } => *tag,
    }
}

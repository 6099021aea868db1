//! The generator against independent readers: etherparse for headers and checksums, the scenario's own words for times.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use balefire_decode::Address;
use etherparse::{Icmpv4Header, NetSlice, SlicedPacket, TransportSlice};

use super::*;

fn scenario(flags: &[(&str, &str)]) -> Scenario {
    let mut scenario = Scenario::default();
    for (name, value) in flags {
        scenario.set(name, value).unwrap();
    }
    scenario
}

/// Every frame with its time, whole.
fn frames(scenario: &Scenario) -> Vec<(i64, Vec<u8>)> {
    let mut traffic = Traffic::new(scenario);
    let mut all = Vec::new();
    let mut bytes = Vec::new();
    while let Some(frame) = traffic.next_frame(&mut bytes) {
        all.push((frame.time_ns, std::mem::take(&mut bytes)));
    }
    all
}

fn addresses(packet: &SlicedPacket<'_>) -> (IpAddr, IpAddr) {
    match packet.net.as_ref().unwrap() {
        NetSlice::Ipv4(ip) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
        NetSlice::Ipv6(ip) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
        NetSlice::Arp(_) => panic!("no ARP is made"),
    }
}

/// When `address` got its first packet of a connection: TCP SYN, or any UDP.
fn starts(frames: &[(i64, Vec<u8>)], address: Address) -> Vec<i64> {
    let begins = |bytes: &[u8]| {
        let packet = SlicedPacket::from_ethernet(bytes).unwrap();
        let first = match packet.transport.as_ref().unwrap() {
            TransportSlice::Tcp(tcp) => tcp.syn() && !tcp.ack(),
            _ => true,
        };
        first && addresses(&packet).1 == address.ip()
    };
    frames
        .iter()
        .filter(|(_, bytes)| begins(bytes))
        .map(|(time, _)| *time)
        .collect()
}

#[test]
fn frames_come_in_time_order_and_are_the_same_again() {
    let scenario = scenario(&[
        ("duration", "2h"),
        ("beacon", "interval=30,country=DE"),
        ("vlan", "0.3"),
    ]);
    let first = frames(&scenario);
    assert!(first.is_sorted_by_key(|(time, _)| *time));
    assert!(first.len() > 2_000, "{}", first.len());
    assert_eq!(first, frames(&scenario));
    assert_ne!(first, frames(&Scenario { seed: 2, ..scenario }));
}

#[test]
fn every_header_and_checksum_is_right() {
    for family in ["0", "1"] {
        let scenario = scenario(&[
            ("duration", "2h"),
            ("ipv6", family),
            ("vlan", "0.3"),
            ("beacon", "interval=60,speech=udp,country=US"),
            ("beacon", "interval=60,speech=http,country=JP,name=a.example"),
        ]);
        let all = frames(&scenario);
        for (_, bytes) in &all {
            let packet = SlicedPacket::from_ethernet(bytes).unwrap();
            checksums_are_right(&packet);
        }
    }
}

fn checksums_are_right(packet: &SlicedPacket<'_>) {
    let transport = packet.transport.as_ref().unwrap();
    let (claimed, true_sum) = match packet.net.as_ref().unwrap() {
        NetSlice::Ipv4(ip) => {
            let header = ip.header().to_header();
            assert_eq!(header.header_checksum, header.calc_header_checksum());
            match transport {
                TransportSlice::Tcp(tcp) => (
                    tcp.checksum(),
                    tcp.to_header().calc_checksum_ipv4(&header, tcp.payload()).unwrap(),
                ),
                TransportSlice::Udp(udp) => (
                    udp.checksum(),
                    udp.to_header().calc_checksum_ipv4(&header, udp.payload()).unwrap(),
                ),
                TransportSlice::Icmpv4(icmp) => (
                    icmp.checksum(),
                    Icmpv4Header::with_checksum(icmp.icmp_type(), icmp.payload()).checksum,
                ),
                other => panic!("{other:?}"),
            }
        }
        NetSlice::Ipv6(ip) => {
            let header = ip.header().to_header();
            match transport {
                TransportSlice::Tcp(tcp) => (
                    tcp.checksum(),
                    tcp.to_header().calc_checksum_ipv6(&header, tcp.payload()).unwrap(),
                ),
                TransportSlice::Udp(udp) => (
                    udp.checksum(),
                    udp.to_header().calc_checksum_ipv6(&header, udp.payload()).unwrap(),
                ),
                TransportSlice::Icmpv6(icmp) => {
                    assert!(icmp.is_checksum_valid(header.source, header.destination));
                    return;
                }
                other => panic!("{other:?}"),
            }
        }
        NetSlice::Arp(_) => panic!("no ARP is made"),
    };
    assert_eq!(claimed, true_sum, "{packet:?}");
}

#[test]
fn sequence_numbers_follow_each_other() {
    let all = frames(&scenario(&[
        ("duration", "3h"),
        ("beacon", "interval=60,heartbeat=yes,country=US"),
    ]));
    let mut next: BTreeMap<_, u32> = BTreeMap::new();
    let mut connections = 0;
    for (_, bytes) in &all {
        let packet = SlicedPacket::from_ethernet(bytes).unwrap();
        let Some(TransportSlice::Tcp(tcp)) = &packet.transport else {
            continue;
        };
        let (src, dst) = addresses(&packet);
        let key = (src, tcp.source_port(), dst, tcp.destination_port());
        if tcp.syn() {
            connections += 1;
        } else {
            assert_eq!(next.get(&key), Some(&tcp.sequence_number()), "{key:?}");
        }
        // The Ethernet padding of short frames is no payload: the length comes from the IP header.
        let length = tcp.payload().len() as u32 + u32::from(tcp.syn() || tcp.fin());
        next.insert(key, tcp.sequence_number().wrapping_add(length));
    }
    assert!(connections > 100, "{connections}");
}

#[test]
fn check_ins_keep_interval_jitter_drops_and_hours() {
    let base = [
        ("duration", "24h"),
        ("hosts", "1"),
        ("browsing", "0"),
        ("services", "none"),
    ];
    let gaps = |spec: &str| -> Vec<f64> {
        let scenario = scenario(&[&base[..], &[("beacon", spec)]].concat());
        let server = scenario.planted()[0].servers[0];
        let times = starts(&frames(&scenario), server);
        times.windows(2).map(|pair| (pair[1] - pair[0]) as f64 / 1e9).collect()
    };
    let steady = gaps("interval=60,country=US");
    assert!((1_430..=1_440).contains(&steady.len()), "{}", steady.len());
    assert!(steady.iter().all(|gap| (59.7..60.3).contains(gap)));
    let jittered = gaps("interval=60,jitter=0.5,country=US");
    assert!(jittered.iter().all(|gap| (29.5..90.5).contains(gap)));
    assert!(jittered.iter().any(|gap| *gap < 33.0) && jittered.iter().any(|gap| *gap > 87.0));
    assert!(
        gaps("interval=60,jitter=0.5,law=one-sided,country=US")
            .iter()
            .all(|gap| *gap < 60.5)
    );
    let dropped = gaps("interval=60,drop=0.3,country=US").len();
    assert!((900..1_100).contains(&dropped), "{dropped}");
    let working = gaps("interval=60,hours=8-18,country=US");
    assert!((560..600).contains(&working.len()), "{}", working.len());
}

#[test]
fn a_named_beacon_is_resolved_and_says_its_name() {
    let scenario = scenario(&[
        ("duration", "1h"),
        ("hosts", "1"),
        ("browsing", "0"),
        ("services", "none"),
        ("beacon", "interval=300,country=SE,name=cdn.sample.example"),
    ]);
    let all = frames(&scenario);
    let said = all
        .iter()
        .filter(|(_, bytes)| bytes.windows(18).any(|window| window == b"cdn.sample.example"));
    assert_eq!(said.count(), starts(&all, scenario.planted()[0].servers[0]).len());
    let asked = all
        .iter()
        .filter(|(_, bytes)| bytes.windows(11).any(|window| window == b"\x03cdn\x06sample"))
        .count();
    assert!(asked >= 22, "{asked}");
}

#[test]
fn tunnels_hold_whole_packets() {
    for (tunnel, headers) in [("gre", 14 + 20 + 4), ("vxlan", 14 + 20 + 8 + 8 + 14)] {
        let scenario = scenario(&[("duration", "1h"), (tunnel, "1"), ("hosts", "3")]);
        for (_, bytes) in frames(&scenario) {
            let inner = SlicedPacket::from_ip(&bytes[headers..]).unwrap();
            checksums_are_right(&inner);
        }
    }
}

#[test]
fn innocent_hosts_visit_many_servers_at_uneven_times() {
    let all = frames(&scenario(&[
        ("duration", "8h"),
        ("services", "none"),
        ("hosts", "1"),
        ("browsing", "6"),
    ]));
    let mut syns = Vec::new();
    let mut servers = BTreeSet::new();
    for (time, bytes) in &all {
        let packet = SlicedPacket::from_ethernet(bytes).unwrap();
        if let Some(TransportSlice::Tcp(tcp)) = &packet.transport
            && tcp.syn()
            && !tcp.ack()
        {
            syns.push(*time);
            servers.insert(addresses(&packet).1);
        }
    }
    assert!(servers.len() > 40, "{}", servers.len());
    let mut gaps: Vec<i64> = syns.windows(2).map(|pair| pair[1] - pair[0]).collect();
    gaps.sort_unstable();
    assert!(
        gaps[gaps.len() / 2] * 100 < gaps[gaps.len() - 1],
        "sessions: most gaps short, some very long"
    );
}

#[test]
fn limits_end_the_traffic() {
    let cut = scenario(&[("packets", "100"), ("snaplen", "60")]);
    let mut traffic = Traffic::new(&cut);
    let mut bytes = Vec::new();
    let made: Vec<_> = std::iter::from_fn(|| traffic.next_frame(&mut bytes)).collect();
    assert_eq!(made.len(), 100);
    assert_eq!(bytes.len(), 6_000);
    assert!(
        made.iter()
            .any(|frame| frame.wire_bytes > 1_000 && frame.captured == 60)
    );
}

#[test]
fn wrong_words_are_refused_with_what_would_fit() {
    let mut scenario = Scenario::default();
    let before = scenario.clone();
    for (name, value, wanted) in [
        ("hosts", "many", "whole number"),
        ("start", "today", "2026-03-02T00:00:00Z"),
        ("ipv6", "1.5", "from 0 to 1"),
        ("ipv6", "NaN", "from 0 to 1"),
        ("services", "ntp,tea", "discovery"),
        ("beacon", "interval=60", "country=CC"),
        ("beacon", "interval=0,country=NL", "at least 0.1"),
        ("beacon", "country=ZZ", "one of AR AU"),
        ("beacon", "speed=9,country=NL", "no such key"),
        ("tea", "1", "no such setting"),
    ] {
        let error = scenario.set(name, value).unwrap_err().to_string();
        assert!(error.contains(wanted), "{error}");
    }
    assert_eq!(scenario, before);
}

#[test]
fn every_listed_flag_is_taken() {
    for (name, _) in Scenario::FLAGS {
        let error = Scenario::default().set(name, "no such value").unwrap_err();
        assert_ne!(error.wanted, "no such setting of a scenario", "{name}");
    }
}

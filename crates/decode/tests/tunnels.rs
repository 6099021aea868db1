//! Each tunnel gives its inner conversation, and the outer one where the inside is cut or nonsense.

mod support;

use balefire_decode::{Frame, LinkType, MAX_TUNNELS, Packet, Reject, Transport, decode, peek};

use support::{IPV4, IPV6, ends_4, ends_6, ethernet, inner_4, inner_6, ipv4, ipv6, llc_snap, tcp, udp, whole};

const ERSPAN_2: u16 = 0x88be;
const ERSPAN_3: u16 = 0x22eb;

fn packet(frame: &[u8]) -> Packet {
    let frame = whole(LinkType::ETHERNET, frame);
    let packet = decode(frame).unwrap_or_else(|reject| panic!("{reject:?}"));
    assert_eq!(peek(frame), Some((packet.src, packet.dst)));
    packet
}

/// The frame holds [`inner_4`] or [`inner_6`] one tunnel deep.
#[track_caller]
fn assert_inner(frame: &[u8], name: &str) {
    let packet = packet(frame);
    let ends = (packet.src, packet.dst);
    assert!(ends == ends_4(9) || ends == ends_6(9), "{name}: {packet:?}");
    assert_eq!(
        (packet.src_port, packet.dst_port, packet.transport),
        (1111, 2222, Transport::UDP),
        "{name}"
    );
    assert_eq!((packet.payload_bytes, packet.payload_captured), (5, 5), "{name}");
    let payload = &frame[packet.payload_offset as usize..][..packet.payload_captured as usize];
    assert_eq!(payload, b"hello", "{name}");
    assert_eq!(packet.tunnels, 1, "{name}");
}

fn gre(flags: u16, protocol: u16, options: &[u8], inside: &[u8]) -> Vec<u8> {
    [flags.to_be_bytes().as_slice(), &protocol.to_be_bytes(), options, inside].concat()
}

fn in_udp(port: u16, head: &[u8], inside: &[u8]) -> Vec<u8> {
    ethernet(IPV4, &ipv4(1, 17, &udp(50000, port, &[head, inside].concat())))
}

#[test]
fn ip_in_ip() {
    assert_inner(&ethernet(IPV4, &ipv4(1, 4, &inner_4())), "4in4");
    assert_inner(&ethernet(IPV4, &ipv4(1, 41, &inner_6())), "6in4");
    assert_inner(&ethernet(IPV6, &ipv6(1, 4, &inner_4())), "4in6");
    assert_inner(&ethernet(IPV6, &ipv6(1, 41, &inner_6())), "6in6");
    assert_inner(
        &ethernet(IPV4, &ipv4(1, 137, &[&[0, 0, 0x11, 0xff], &*inner_4()].concat())),
        "MPLS in IP",
    );
    let frame = ethernet(IPV4, &inner_4());
    assert_inner(
        &ethernet(IPV4, &ipv4(1, 97, &[&[0x30, 0], &*frame].concat())),
        "EtherIP",
    );
    assert_inner(&ethernet(IPV6, &ipv6(1, 143, &frame)), "Ethernet in IPv6");
}

#[test]
fn gre_and_erspan() {
    let frame = ethernet(IPV4, &inner_4());
    for (name, carried) in [
        ("plain", gre(0, IPV4, &[], &inner_4())),
        ("IPv6 inside", gre(0, IPV6, &[], &inner_6())),
        ("checksum, key, sequence", gre(0xb000, IPV4, &[0; 12], &inner_4())),
        ("Ethernet", gre(0, 0x6558, &[], &frame)),
        ("MPLS", gre(0, 0x8847, &[0, 0, 0x11, 0xff], &inner_4())),
        (
            "PPTP with acknowledgement",
            gre(0x3081, 0x880b, &[0; 12], &[&[0xff, 3, 0, 0x21], &*inner_4()].concat()),
        ),
        ("ERSPAN I", gre(0, ERSPAN_2, &[], &frame)),
        ("ERSPAN II", gre(0x1000, ERSPAN_2, &[0; 12], &frame)),
        ("ERSPAN III", gre(0x1000, ERSPAN_3, &[0; 16], &frame)),
        (
            "ERSPAN III, platform bytes",
            gre(0x1000, ERSPAN_3, &[[0; 15].as_slice(), &[1], &[0; 8]].concat(), &frame),
        ),
        ("WCCP with redirect header", gre(0, 0x883e, &[0; 4], &inner_4())),
    ] {
        assert_inner(&ethernet(IPV4, &ipv4(1, 47, &carried)), name);
    }
}

#[test]
fn tunnels_over_udp() {
    let frame = ethernet(IPV4, &inner_4());
    let tagged = ethernet(0x8100, &support::vlan(IPV4, &inner_4()));
    let length = (inner_4().len() as u16).to_be_bytes();
    assert_inner(&in_udp(4789, &[8, 0, 0, 0, 0, 0, 1, 0], &frame), "VXLAN");
    assert_inner(
        &in_udp(8472, &[8, 0, 0, 0, 0, 0, 1, 0], &tagged),
        "VXLAN, Linux' port, tagged",
    );
    assert_inner(&in_udp(4790, &[0x0c, 0, 0, 1, 0, 0, 1, 0], &inner_4()), "VXLAN-GPE");
    assert_inner(
        &in_udp(6081, &[1, 0, 0x65, 0x58, 0, 0, 1, 0, 0, 0, 0, 0], &frame),
        "Geneve with an option",
    );
    assert_inner(
        &in_udp(2152, &[0x30, 0xff, length[0], length[1], 0, 0, 0, 1], &inner_4()),
        "GTP-U",
    );
    let extended = (inner_4().len() as u16 + 8).to_be_bytes();
    let head = [
        0x34,
        0xff,
        extended[0],
        extended[1],
        0,
        0,
        0,
        1,
        0,
        0,
        0,
        0x85,
        1,
        0,
        0,
        0,
    ];
    assert_inner(&in_udp(2152, &head, &inner_4()), "GTP-U with an extension");
    assert_inner(&in_udp(3544, &[], &inner_6()), "Teredo");
    assert_inner(&in_udp(3544, &[0; 8], &inner_6()), "Teredo with an origin");
    assert_inner(&in_udp(1701, &[0, 2, 0, 1, 0, 1, 0xff, 3, 0, 0x21], &inner_4()), "L2TP");
    assert_inner(
        &in_udp(1701, &[0x40, 2, 0, 42, 0, 1, 0, 1, 0, 0x21], &inner_4()),
        "L2TP with length",
    );
    assert_inner(&in_udp(6635, &[0, 0, 0x11, 0xff], &inner_4()), "MPLS in UDP");
    assert_inner(&in_udp(4754, &gre(0, IPV4, &[], &[]), &inner_4()), "GRE in UDP");
}

#[test]
fn a_port_alone_makes_no_tunnel() {
    let frame = ethernet(IPV4, &inner_4());
    for (name, bytes) in [
        ("VXLAN without its flag", in_udp(4789, &[0; 8], &frame)),
        (
            "VXLAN around ARP",
            in_udp(4789, &[8, 0, 0, 0, 0, 0, 1, 0], &ethernet(0x0806, &[0; 28])),
        ),
        (
            "Geneve version 1",
            in_udp(6081, &[0x41, 0, 0x65, 0x58, 0, 0, 1, 0, 0, 0, 0, 0], &frame),
        ),
        (
            "GTP version 2",
            in_udp(2152, &[0x50, 0xff, 0, 33, 0, 0, 0, 1], &inner_4()),
        ),
        (
            "GTP echo request",
            in_udp(2152, &[0x32, 1, 0, 33, 0, 0, 0, 1], &inner_4()),
        ),
        ("Teredo bubble to nobody", in_udp(3544, &[0x45; 40], &[])),
        (
            "L2TP control",
            in_udp(1701, &[0xc8, 2, 0, 12, 0, 1, 0, 0, 0, 0, 0, 0], &[]),
        ),
        ("noise", in_udp(4789, &[0xff; 60], &[])),
    ] {
        let packet = packet(&bytes);
        assert_eq!((packet.src, packet.dst), ends_4(1), "{name}");
        assert_eq!(
            (packet.src_port, packet.transport, packet.tunnels),
            (50000, Transport::UDP, 0),
            "{name}"
        );
        assert_eq!(packet.payload_bytes as usize + 8 + 20 + 14, bytes.len(), "{name}");
    }
}

#[test]
fn a_cut_inside_leaves_the_conversation_around_it() {
    let bytes = ethernet(
        IPV4,
        &ipv4(1, 47, &gre(0, IPV4, &[], &ipv4(2, 4, &ipv4(9, 6, &tcp(1, 2, b"data"))))),
    );
    let all = bytes.len();
    // Innermost TCP ports, then the IP header around them, then GRE's.
    for (captured, ends, tunnels) in [
        (all, ends_4(9), 2),
        (all - 21, ends_4(2), 1),
        (14 + 20 + 4 + 10, ends_4(1), 0),
    ] {
        let frame = Frame {
            link: LinkType::ETHERNET,
            bytes: &bytes[..captured],
            wire_bytes: all as u32,
        };
        let packet = decode(frame).unwrap();
        assert_eq!(
            ((packet.src, packet.dst), packet.tunnels),
            (ends, tunnels),
            "{captured} captured"
        );
    }
}

#[test]
fn depth_has_a_limit() {
    let nested = |tunnels: u8| {
        let ip = (0..tunnels).fold(inner_4(), |inside, _| ipv4(1, 4, &inside));
        decode(whole(LinkType::ETHERNET, &ethernet(IPV4, &ip)))
    };
    assert_eq!(nested(MAX_TUNNELS).unwrap().tunnels, MAX_TUNNELS);
    assert_eq!(nested(MAX_TUNNELS + 1), Err(Reject::TunnelTooDeep));
}

#[test]
fn a_radio_frame_in_gre() {
    let radio = [&[8, 1, 0, 0], [2; 18].as_slice(), &[0, 0], &llc_snap(IPV4, &inner_4())].concat();
    assert_inner(&ethernet(IPV4, &ipv4(1, 47, &gre(0, 0x8200, &[], &radio))), "Aruba");
}

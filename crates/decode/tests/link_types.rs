//! Every link type that is read gives the conversation it carries; the others are refused by name.

mod support;

use balefire_decode::{LinkType, Reject, decode, outermost, peek};

use support::{IPV4, IPV6, ends_4, ends_6, ethernet, inner_4, inner_6, llc_snap, vlan, whole};

/// Ethernet's addresses alone.
const MACS: [u8; 12] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];

fn joined(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// The frame carries [`inner_4`] or [`inner_6`] without any tunnel.
#[track_caller]
fn assert_carries(link: u16, bytes: &[u8], name: &str) {
    let frame = whole(LinkType(link), bytes);
    let packet = decode(frame).unwrap_or_else(|reject| panic!("{name}: {reject:?}"));
    let ends = (packet.src, packet.dst);
    assert!(ends == ends_4(9) || ends == ends_6(9), "{name}: {packet:?}");
    assert_eq!(
        (packet.src_port, packet.dst_port, packet.payload_bytes, packet.tunnels),
        (1111, 2222, 5, 0),
        "{name}"
    );
    assert_eq!(&bytes[packet.payload_offset as usize..][..5], b"hello", "{name}");
    assert_eq!(peek(frame), Some(ends), "{name}");
    assert_eq!(outermost(frame).and_then(|outer| outer.pair()), Some(ends), "{name}");
}

#[test]
fn ethernet_and_its_tags() {
    let four = inner_4();
    let padded = [ethernet(IPV4, &four), vec![0; 20]].concat();
    assert_carries(1, &padded, "padding");
    assert_carries(1, &ethernet(IPV6, &inner_6()), "IPv6");
    let tags = (0..7).fold((IPV4, four.clone()), |(kind, inside), _| (0x88a8, vlan(kind, &inside)));
    assert_carries(1, &ethernet(tags.0, &tags.1), "seven tags");
    assert_carries(
        1,
        &ethernet(0x8847, &joined(&[&[0, 0, 0x10, 0xff, 0, 0, 0x11, 0xff], &four])),
        "two labels",
    );
    let frame = ethernet(IPV4, &four);
    assert_carries(
        1,
        &ethernet(0x8847, &joined(&[&[0, 0, 0x11, 0xff, 0, 0, 0, 0], &frame])),
        "pseudowire",
    );
    assert_carries(
        1,
        &ethernet(0x8847, &joined(&[&[0, 0, 0x11, 0xff], &frame])),
        "pseudowire without control word",
    );
    let session = joined(&[&[0x11, 0, 0, 1, 0, four.len() as u8 + 2, 0, 0x21], &four]);
    assert_carries(1, &ethernet(0x8864, &session), "PPPoE");
    assert_carries(1, &ethernet(0x8926, &joined(&[&[0, 0, 0, 1, 8, 0], &four])), "VN-Tag");
    assert_carries(
        1,
        &ethernet(0x893f, &joined(&[&[0, 0, 0, 1, 0, 0, 8, 0], &four])),
        "E-Tag",
    );
    assert_carries(
        1,
        &ethernet(0x88e7, &joined(&[&[0, 0, 0, 1], &frame])),
        "provider backbone",
    );
    assert_carries(1, &ethernet(0x8903, &joined(&[&[0, 1], &frame])), "FabricPath");
    assert_carries(
        1,
        &ethernet(0x894f, &joined(&[&[0x0f, 0xc2, 1, 1, 0, 0, 0, 0], &four])),
        "service header",
    );
    assert_carries(
        1,
        &ethernet(0x88e5, &joined(&[&[0, 0, 0, 0, 0, 1, 8, 0], &four, &[0; 16]])),
        "MACsec, integrity only",
    );
}

#[test]
fn lengths_instead_of_types() {
    let snap = llc_snap(IPV4, &inner_4());
    assert_carries(
        1,
        &joined(&[&MACS, &[0, snap.len() as u8], &snap, &[0; 9]]),
        "802.3, SNAP",
    );
    let sap = joined(&[&[6, 6, 3], &inner_4()]);
    assert_carries(1, &joined(&[&MACS, &[0, sap.len() as u8], &sap]), "802.3, IP's own SAP");
    let isl = [
        &[1, 0, 0x0c, 0, 0, 0, 2, 2, 2, 2, 2, 2, 0, 80],
        [0; 12].as_slice(),
        &ethernet(IPV4, &inner_4()),
    ]
    .concat();
    assert_carries(1, &isl, "ISL");
    assert_carries(10, &joined(&[&[0x50], &MACS, &snap]), "FDDI");
    assert_carries(6, &joined(&[&[0x10, 0x40], &MACS, &snap]), "Token Ring");
    let mut routed = MACS;
    routed[6] |= 0x80;
    assert_carries(
        6,
        &joined(&[&[0x10, 0x40], &routed, &[6, 0, 0, 0, 0, 0], &snap]),
        "Token Ring, source-routed",
    );
    assert_carries(123, &joined(&[&[2, 0, 0, 0], &snap]), "SunATM");
    assert_carries(100, &snap, "RFC 1483");
}

#[test]
fn point_to_point() {
    let four = inner_4();
    for link in [9, 50] {
        assert_carries(link, &joined(&[&[0xff, 3, 0, 0x21], &four]), "PPP");
        assert_carries(link, &joined(&[&[0, 0x57], &inner_6()]), "PPP without address");
        assert_carries(link, &joined(&[&[0x21], &four]), "PPP, short protocol");
        assert_carries(link, &joined(&[&[0x0f, 0, 8, 0], &four]), "PPP, in fact Cisco HDLC");
    }
    assert_carries(
        51,
        &joined(&[&[0x11, 0, 0, 1, 0, four.len() as u8 + 2, 0, 0x21], &four]),
        "PPPoE",
    );
    assert_carries(104, &joined(&[&[0x0f, 0, 8, 0], &four]), "Cisco HDLC");
    assert_carries(107, &joined(&[&[0x18, 0x41, 3, 0xcc], &four]), "frame relay");
    assert_carries(
        107,
        &joined(&[&[0x18, 0x40, 0x41, 3, 0, 0x80, 0, 0, 0, 8, 0], &four]),
        "frame relay, long address, SNAP",
    );
    assert_carries(107, &joined(&[&[0x18, 0x41, 8, 0], &four]), "frame relay, Cisco's type");
    assert_carries(
        182,
        &joined(&[&[0xc0, 1, 0x18, 0x41, 3, 0xcc], &four]),
        "multilink frame relay",
    );
    assert_carries(8, &joined(&[&[1, 0x45], &[0; 14], &four]), "SLIP");
    assert_carries(204, &joined(&[&[0, 0xff, 3, 0, 0x21], &four]), "PPP with direction");
}

#[test]
fn radio() {
    let snap = llc_snap(IPV4, &inner_4());
    let plain = joined(&[&[8, 1, 0, 0], &[2; 18], &[0, 0], &snap]);
    let quality = joined(&[&[0x88, 1, 0, 0], &[2; 18], &[0, 0], &[0, 0], &snap]);
    let bridged = joined(&[&[8, 3, 0, 0], &[2; 18], &[0, 0], &[2; 6], &snap]);
    let part = joined(&[&MACS, &[0, snap.len() as u8], &snap, &[0; 2]]);
    let aggregate = joined(&[&[0x88, 1, 0, 0], &[2; 18], &[0, 0], &[0x80, 0], &part]);
    for (name, frame) in [
        ("plain", &plain),
        ("QoS", &quality),
        ("four addresses", &bridged),
        ("aggregate", &aggregate),
    ] {
        assert_carries(105, frame, name);
        assert_carries(127, &joined(&[&[0, 0, 8, 0, 0, 0, 0, 0], frame]), name);
        assert_carries(192, &joined(&[&[0, 0, 8, 0, 105, 0, 0, 0], frame]), name);
        assert_carries(119, &joined(&[&[0, 0, 0, 0x44, 16, 0, 0, 0], &[0; 8], frame]), name);
        assert_carries(
            163,
            &joined(&[&[0x80, 0x21, 0x10, 1, 0, 0, 0, 16], &[0; 8], frame]),
            name,
        );
    }
    let padded = joined(&[&quality[..26], &[0, 0], &snap]);
    let timer_and_flags = [0, 0, 17, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x30];
    assert_carries(
        127,
        &joined(&[&timer_and_flags, &padded, &[0; 4]]),
        "padded, with its checksum",
    );
    let mut encrypted = plain.clone();
    encrypted[1] |= 0x40;
    assert_eq!(decode(whole(LinkType(105), &encrypted)), Err(Reject::LinkEncrypted));
    let beacon = joined(&[&[0x80, 0, 0, 0], &[2; 40]]);
    assert_eq!(decode(whole(LinkType(105), &beacon)), Err(Reject::NotIp));
}

#[test]
fn systems_own_headers() {
    let four = inner_4();
    let six = inner_6();
    for family in [[2, 0, 0, 0], [0, 0, 0, 2]] {
        assert_carries(0, &joined(&[&family, &four]), "loopback of either byte order");
    }
    for family in [10, 23, 24, 28, 30] {
        assert_carries(0, &joined(&[&[family, 0, 0, 0], &six]), "loopback, IPv6");
    }
    assert_carries(108, &joined(&[&[0, 0, 0, 2], &four]), "OpenBSD loopback");
    for link in [12, 14, 101, 228] {
        assert_carries(link, &four, "raw");
    }
    assert_carries(229, &six, "raw IPv6");
    assert_carries(113, &joined(&[&[0, 0, 0, 1, 0, 6], &[0; 8], &[8, 0], &four]), "cooked");
    assert_carries(
        113,
        &joined(&[&[0, 0, 0, 1, 0, 6], &[0; 8], &[0x81, 0], &vlan(IPV4, &four)]),
        "cooked, tagged",
    );
    assert_carries(
        276,
        &joined(&[&[8, 0, 0, 0, 0, 0, 0, 1, 0, 1], &[0; 10], &four]),
        "cooked 2",
    );
    assert_carries(129, &joined(&[&[1, 2, 0, 0, 0xd4, 0, 0, 1], &four]), "ARCNET, RFC 1201");
    assert_carries(129, &joined(&[&[1, 2, 0, 0, 0xf0], &four]), "ARCNET, RFC 1051");
    assert_carries(226, &joined(&[&[1, 2], &[0; 22], &four]), "IPNET");
    assert_carries(242, &joined(&[&[0; 40], &[8, 0, 0, 0], &four]), "InfiniBand");
    let payload = joined(&[&[four.len() as u8 + 4, 0, 9, 0], &four]);
    assert_carries(
        239,
        &joined(&[&[2, 0, 0, 0, 5, 0, 1, 0, 7, 0, 0, 0], &payload]),
        "netfilter log",
    );
    assert_carries(
        258,
        &joined(&[&[12, 0, 0, 0, 1, 0, 0, 0, 101, 0, 0, 0], &four]),
        "PKTAP",
    );
    assert_carries(178, &joined(&[b"MGC\0", &ethernet(IPV4, &four)]), "Juniper Ethernet");
    assert_carries(
        178,
        &joined(&[b"MGC\x82\0\x03\x01\x01\x01", &four]),
        "Juniper, extension, no link header",
    );
}

#[test]
fn switch_tags() {
    let rest = joined(&[&[8, 0], &inner_4()]);
    assert_carries(284, &joined(&[&MACS, &[0x40, 0, 0, 1], &rest]), "DSA");
    assert_carries(
        285,
        &joined(&[&MACS, &[0xda, 0xda, 0, 0, 0x40, 0, 0, 1], &rest]),
        "EtherType DSA",
    );
    assert_carries(281, &joined(&[&MACS, &[0, 0, 0, 1], &rest]), "Broadcom");
    assert_carries(282, &joined(&[&[0, 0, 0, 1], &MACS, &rest]), "Broadcom, in front");
}

#[test]
fn others_are_refused_by_name() {
    for link in [2, 147, 230, 271, 65535] {
        assert_eq!(
            decode(whole(LinkType(link), &inner_4())),
            Err(Reject::LinkUnsupported),
            "{link}"
        );
    }
    for ether_type in [0x0806, 0x88cc, 0x8863] {
        assert_eq!(
            decode(whole(LinkType::ETHERNET, &ethernet(ether_type, &[0; 46]))),
            Err(Reject::NotIp)
        );
    }
    let spanning_tree = joined(&[&MACS, &[0, 38, 0x42, 0x42, 3], &[0; 35]]);
    assert_eq!(decode(whole(LinkType::ETHERNET, &spanning_tree)), Err(Reject::NotIp));
}

//! Cut captures, lying lengths and chains without end: what is still known, what is refused, and by which name.

mod support;

use balefire_decode::{
    FragmentPlace, Frame, LinkType, MAX_EXTENSION_HEADERS, MAX_LINK_HEADERS, Packet, Reject, Transport, decode,
    outermost, tcp_flags,
};

use support::{IPV4, IPV6, ends_4, ethernet, ipv4, ipv4_fragment, ipv6, tcp, udp, vlan, whole};

fn decoded(bytes: &[u8]) -> Result<Packet, Reject> {
    decode(whole(LinkType::ETHERNET, bytes))
}

/// As if the snap length were `captured`.
fn cut(bytes: &[u8], captured: usize) -> Result<Packet, Reject> {
    decode(Frame {
        link: LinkType::ETHERNET,
        bytes: &bytes[..captured],
        wire_bytes: bytes.len() as u32,
    })
}

#[test]
fn every_field_of_a_plain_segment() {
    let frame = [ethernet(IPV4, &ipv4(1, 6, &tcp(40000, 443, b"GET /"))), vec![0; 3]].concat();
    let expected = Packet {
        src: ends_4(1).0,
        dst: ends_4(1).1,
        src_port: 40000,
        dst_port: 443,
        transport: Transport::TCP,
        tcp_flags: tcp_flags::PSH | tcp_flags::ACK,
        fragment: FragmentPlace::Whole,
        tunnels: 0,
        sequence: 0x0102_0304,
        acknowledgement: 0x0506_0708,
        window: 0x1000,
        fragment_offset: 0,
        fragment_bytes: 0,
        fragment_id: 0,
        payload_offset: 54,
        payload_captured: 5,
        payload_bytes: 5,
        ip_bytes: 45,
    };
    assert_eq!(decoded(&frame), Ok(expected));
}

#[test]
fn a_snap_length_cuts_the_capture_not_the_volume() {
    let frame = ethernet(IPV4, &ipv4(1, 6, &tcp(40000, 443, &[b'x'; 1000])));
    for captured in 38..frame.len() {
        let packet = cut(&frame, captured).unwrap();
        assert_eq!((packet.src_port, packet.dst_port), (40000, 443), "{captured}");
        assert_eq!((packet.payload_bytes, packet.ip_bytes), (1000, 1040), "{captured}");
        assert_eq!(
            packet.payload_captured as usize,
            captured.saturating_sub(54),
            "{captured}"
        );
    }
    for (captured, reject) in [
        (37, Reject::TransportCut),
        (33, Reject::IpHeaderCut),
        (13, Reject::LinkCut),
        (0, Reject::LinkCut),
    ] {
        assert_eq!(cut(&frame, captured), Err(reject), "{captured}");
    }
}

#[test]
fn offloaded_packets_without_length() {
    let mut frame = ethernet(IPV4, &ipv4(1, 6, &tcp(1, 2, &[0; 3000])));
    frame[16..18].fill(0);
    assert_eq!(decoded(&frame).unwrap().payload_bytes, 3000);
    let mut frame = ethernet(IPV6, &ipv6(1, 6, &tcp(1, 2, &[0; 3000])));
    frame[18..20].fill(0);
    assert_eq!(decoded(&frame).unwrap().payload_bytes, 3000);
    let mut datagram = ethernet(IPV4, &ipv4(1, 17, &udp(1, 2, &[0; 30])));
    datagram[38..40].fill(0);
    assert_eq!(decoded(&datagram).unwrap().payload_bytes, 30);
}

#[test]
fn lengths_that_lie() {
    let good = ethernet(IPV4, &ipv4(1, 17, &udp(1, 2, b"data")));
    let with = |at: usize, value: u16| {
        let mut frame = good.clone();
        frame[at..at + 2].copy_from_slice(&value.to_be_bytes());
        decoded(&frame)
    };
    // IP's length: beyond the wire it claims nothing more, below its header it is refused.
    assert_eq!(with(16, 60000).unwrap().ip_bytes, 32);
    assert_eq!(with(16, 19), Err(Reject::IpLength));
    assert_eq!(with(16, 27), Err(Reject::TransportMalformed));
    // UDP's.
    assert_eq!(with(38, 60000).unwrap().payload_bytes, 4);
    assert_eq!(with(38, 10).unwrap().payload_bytes, 2);
    assert_eq!(with(38, 7), Err(Reject::TransportMalformed));
    // IP's header length and version.
    assert_eq!(with(14, 0x4400), Err(Reject::IpHeaderLength));
    assert_eq!(with(14, 0x4f00), Err(Reject::IpHeaderCut));
    assert_eq!(with(14, 0x5500), Err(Reject::IpVersion));
    // TCP's data offset: too small, beyond the packet.
    for offset in [0x40, 0xf0] {
        let mut frame = ethernet(IPV4, &ipv4(1, 6, &tcp(1, 2, b"data")));
        frame[46] = offset;
        assert_eq!(decoded(&frame), Err(Reject::TransportMalformed));
    }
}

#[test]
fn tags_and_labels_have_a_limit() {
    let tagged = |tags: usize| {
        let (kind, inside) = (0..tags).fold((IPV4, ipv4(1, 17, &udp(1, 2, b""))), |(kind, inside), _| {
            (0x8100, vlan(kind, &inside))
        });
        ethernet(kind, &inside)
    };
    assert!(decoded(&tagged(20)).is_ok());
    assert_eq!(decoded(&tagged(300)), Err(Reject::LinkTooDeep));
    assert_eq!(outermost(whole(LinkType::ETHERNET, &tagged(300))), None);
    let labels = ethernet(0x8847, &[[0, 0, 0x10, 0xff]; MAX_LINK_HEADERS + 1].concat());
    assert_eq!(decoded(&labels), Err(Reject::LinkTooDeep));
}

#[test]
fn extension_headers_have_a_limit() {
    let chain = |headers: usize, kind: u8| {
        let mut inside = udp(1, 2, b"data");
        for index in 0..headers {
            let next = if index == 0 { 17 } else { kind };
            inside = [&[next, 0, 1, 4, 0, 0, 0, 0], &*inside].concat();
        }
        ethernet(IPV6, &ipv6(1, kind, &inside))
    };
    for kind in [0, 43, 60] {
        let packet = decoded(&chain(MAX_EXTENSION_HEADERS, kind)).unwrap();
        assert_eq!((packet.transport, packet.dst_port), (Transport::UDP, 2));
        assert_eq!(
            decoded(&chain(MAX_EXTENSION_HEADERS + 1, kind)),
            Err(Reject::ExtensionsTooMany)
        );
    }
    let frame = chain(2, 60);
    assert_eq!(cut(&frame, 14 + 40 + 12), Err(Reject::ExtensionCut));
    let authenticated = ethernet(
        IPV4,
        &ipv4(1, 51, &[&[6, 4], [0; 22].as_slice(), &tcp(1, 2, b"")].concat()),
    );
    assert_eq!(decoded(&authenticated).unwrap().transport, Transport::TCP);
    let malformed = ethernet(
        IPV4,
        &ipv4(1, 51, &[&[6, 0], [0; 22].as_slice(), &tcp(1, 2, b"")].concat()),
    );
    assert_eq!(decoded(&malformed), Err(Reject::ExtensionMalformed));
}

#[test]
fn fragments_say_where_they_stand() {
    let first = decoded(&ethernet(IPV4, &ipv4_fragment(1, 17, 0x2000, &udp(1, 2, &[0; 16])))).unwrap();
    assert_eq!(
        (first.fragment, first.fragment_offset, first.fragment_bytes),
        (FragmentPlace::First, 0, 24)
    );
    assert_eq!((first.src_port, first.fragment_id), (1, 7));
    let later = decoded(&ethernet(IPV4, &ipv4_fragment(1, 17, 0x2003, &[0; 16]))).unwrap();
    assert_eq!(
        (later.fragment, later.fragment_offset, later.fragment_bytes),
        (FragmentPlace::Later, 3, 16)
    );
    assert_eq!(
        (later.src_port, later.payload_bytes, later.transport),
        (0, 16, Transport::UDP)
    );
    let six = |field: u16, inside: &[u8]| {
        let head = [17, 0, (field >> 8) as u8, field as u8, 0, 0, 0, 9];
        decoded(&ethernet(IPV6, &ipv6(1, 44, &[&head, inside].concat()))).unwrap()
    };
    assert_eq!(six(1, &udp(1, 2, &[0; 8])).fragment, FragmentPlace::First);
    assert_eq!(six(8, &[0; 8]).fragment, FragmentPlace::Later);
    assert_eq!(six(8, &[0; 8]).fragment_id, 9);
    assert_eq!(
        six(0, &udp(1, 2, &[0; 8])).fragment,
        FragmentPlace::Whole,
        "an atomic fragment"
    );
    // A tiny first fragment of TCP still has its ports.
    let tiny = decoded(&ethernet(IPV4, &ipv4_fragment(1, 6, 0x2000, &tcp(1, 2, b"")[..8]))).unwrap();
    assert_eq!(
        (tiny.src_port, tiny.dst_port, tiny.tcp_flags, tiny.payload_bytes),
        (1, 2, 0, 0)
    );
}

#[test]
fn conversations_without_ports() {
    let echo = decoded(&ethernet(IPV4, &ipv4(1, 1, &[8, 0, 0, 0, 0, 1, 0, 2, b'x']))).unwrap();
    assert_eq!(
        (echo.src_port, echo.dst_port, echo.sequence, echo.payload_bytes),
        (8, 0, 0x0001_0002, 1)
    );
    let unreachable = decoded(&ethernet(IPV4, &ipv4(1, 1, &[3, 1, 0, 0, 0, 1, 0, 2]))).unwrap();
    assert_eq!(
        (unreachable.src_port, unreachable.dst_port, unreachable.sequence),
        (3, 1, 0)
    );
    let six = decoded(&ethernet(IPV6, &ipv6(1, 58, &[128, 0, 0, 0, 0, 1, 0, 2]))).unwrap();
    assert_eq!((six.transport, six.sequence), (Transport::ICMP6, 0x0001_0002));
    let encrypted = decoded(&ethernet(IPV4, &ipv4(1, 50, &[0; 24]))).unwrap();
    assert_eq!(
        (encrypted.transport, encrypted.src_port, encrypted.payload_bytes),
        (Transport(50), 0, 24)
    );
    assert_eq!(
        decoded(&ethernet(IPV4, &ipv4(1, 1, &[8, 0, 0, 0]))),
        Err(Reject::TransportMalformed)
    );
}

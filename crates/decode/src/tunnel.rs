//! What an IP packet carries if it is a tunnel: the header between the outer conversation and the inner one.
//!
//! In: the outer [`Packet`], complete, and the span of its payload. Out: the next header inside, if this looks like a
//! tunnel. Not its job: deciding that the inside is sane; `honest` goes on inside, and comes back to the outer
//! conversation if nothing sane is there. So a claim made here by a port number costs nothing when it is wrong.

use crate::link::{Layer, Next};
use crate::packet::{FragmentPlace, Packet, Transport};
use crate::span::Span;

/// UDP ports of the tunnels read here (IANA service names; 8472 is what Linux used before VXLAN had a number).
const TEREDO: u16 = 3544;
const L2TP: u16 = 1701;
const GTP_USER: u16 = 2152;
const VXLAN: u16 = 4789;
const VXLAN_LINUX: u16 = 8472;
const VXLAN_GPE: u16 = 4790;
const GENEVE: u16 = 6081;
const MPLS_IN_UDP: u16 = 6635;
const GRE_IN_UDP: u16 = 4754;

/// Whether a datagram between these ports may be a tunnel. The fast path leaves it to the honest one then.
#[inline]
pub(crate) fn is_udp_tunnel(src_port: u16, dst_port: u16) -> bool {
    let both_ways = |port| matches!(port, TEREDO | L2TP | GTP_USER);
    matches!(
        dst_port,
        VXLAN | VXLAN_LINUX | VXLAN_GPE | GENEVE | MPLS_IN_UDP | GRE_IN_UDP
    ) || both_ways(dst_port)
        || both_ways(src_port)
}

/// The header inside `packet`, or `None` if it is no tunnel. `payload` is the IP payload.
pub(crate) fn inside<'a>(packet: &Packet, payload: Span<'a>) -> Option<Next<'a>> {
    if packet.fragment == FragmentPlace::Later {
        return None;
    }
    match packet.transport {
        Transport::UDP if is_udp_tunnel(packet.src_port, packet.dst_port) => {
            let datagram = payload.limit(8 + packet.payload_bytes as usize).skip(8).ok()?;
            inside_udp(packet, datagram)
        }
        // IPv4 and IPv6 in IP (RFC 2003, 4213, 2473).
        Transport(4 | 41) => Some(Next::new(Layer::Ip, payload)),
        Transport(47) => gre(payload),
        // EtherIP (RFC 3378): version 3, then a frame.
        Transport(97) if payload.be16(0) == Ok(0x3000) => Some(Next::new(Layer::Ethernet, payload.skip(2).ok()?)),
        Transport(137) => Some(Next::new(Layer::Mpls, payload)),
        // Ethernet in IP (RFC 8986 section 10.1).
        Transport(143) => Some(Next::new(Layer::Ethernet, payload)),
        _ => None,
    }
}

fn inside_udp<'a>(packet: &Packet, datagram: Span<'a>) -> Option<Next<'a>> {
    let either = |port| packet.dst_port == port || packet.src_port == port;
    match packet.dst_port {
        VXLAN | VXLAN_LINUX => vxlan(datagram),
        VXLAN_GPE => vxlan_gpe(datagram),
        GENEVE => geneve(datagram),
        MPLS_IN_UDP => Some(Next::new(Layer::Mpls, datagram)),
        GRE_IN_UDP => gre(datagram),
        _ if either(GTP_USER) => gtp_user(datagram),
        _ if either(TEREDO) => teredo(datagram),
        _ if either(L2TP) => l2tp(datagram),
        _ => None,
    }
}

/// RFC 7348 section 5: the flag I must be set; the other flags are extensions' (group policy).
fn vxlan(span: Span<'_>) -> Option<Next<'_>> {
    let valid_network = span.byte(0).ok()? & 0x08 != 0;
    valid_network.then_some(())?;
    Some(Next::new(Layer::Ethernet, span.skip(8).ok()?))
}

/// VXLAN with the next protocol named (draft-ietf-nvo3-vxlan-gpe): version 0, flags I and P.
fn vxlan_gpe(span: Span<'_>) -> Option<Next<'_>> {
    let flags = span.byte(0).ok()?;
    (flags & 0x3c == 0x0c).then_some(())?;
    let inside = span.skip(8).ok()?;
    match span.byte(3).ok()? {
        1 | 2 => Some(Next::new(Layer::Ip, inside)),
        3 => Some(Next::new(Layer::Ethernet, inside)),
        4 => Some(Next::new(Layer::EtherType(0x894f), inside)),
        5 => Some(Next::new(Layer::Mpls, inside)),
        _ => None,
    }
}

/// RFC 8926 section 3.4: version 0, not a control packet, options counted in words.
fn geneve(span: Span<'_>) -> Option<Next<'_>> {
    let [version_options, flags] = span.array(0).ok()?;
    (version_options >> 6 == 0 && flags & 0x80 == 0).then_some(())?;
    let header_bytes = 8 + usize::from(version_options & 0x3f) * 4;
    let ether_type = span.be16(2).ok()?;
    Some(Next::new(Layer::EtherType(ether_type), span.skip(header_bytes).ok()?))
}

/// GTP version 1, message G-PDU (3GPP TS 29.281 section 5.1), extension headers skipped.
fn gtp_user(span: Span<'_>) -> Option<Next<'_>> {
    const MAX_EXTENSIONS: usize = 8;
    let [flags, message] = span.array(0).ok()?;
    // Version 1, protocol type GTP, message G-PDU.
    (flags >> 4 == 0b0011 && message == 0xff).then_some(())?;
    let message_bytes = span.be16(2).ok()?;
    let mut rest = span.limit(8 + usize::from(message_bytes)).skip(8).ok()?;
    if flags & 0x07 != 0 {
        let mut next_extension = rest.byte(3).ok()?;
        rest = rest.skip(4).ok()?;
        if flags & 0x04 != 0 {
            let mut extensions = 0;
            while next_extension != 0 {
                extensions += 1;
                let extension_bytes = usize::from(rest.byte(0).ok()?) * 4;
                if extension_bytes == 0 || extensions > MAX_EXTENSIONS {
                    return None;
                }
                next_extension = rest.byte(extension_bytes - 1).ok()?;
                rest = rest.skip(extension_bytes).ok()?;
            }
        }
    }
    Some(Next::new(Layer::Ip, rest))
}

/// RFC 4380 section 5.1.1: an authentication and an origin part may come before the IPv6 packet.
fn teredo(span: Span<'_>) -> Option<Next<'_>> {
    let mut rest = span;
    if rest.be16(0).ok()? == 0x0001 {
        let id_bytes = usize::from(rest.byte(2).ok()?);
        let value_bytes = usize::from(rest.byte(3).ok()?);
        rest = rest.skip(4 + id_bytes + value_bytes + 9).ok()?;
    }
    if rest.be16(0).ok()? == 0x0000 {
        rest = rest.skip(8).ok()?;
    }
    (rest.byte(0).ok()? >> 4 == 6).then(|| Next::new(Layer::Ip, rest))
}

/// L2TP version 2, data messages only (RFC 2661 section 3.1): length, sequence and offset are optional.
fn l2tp(span: Span<'_>) -> Option<Next<'_>> {
    let bits = span.be16(0).ok()?;
    (bits & 0x800f == 2).then_some(())?;
    let mut header_bytes = 6;
    if bits & 0x4000 != 0 {
        header_bytes += 2;
    }
    if bits & 0x0800 != 0 {
        header_bytes += 4;
    }
    if bits & 0x0200 != 0 {
        header_bytes += 2 + usize::from(span.be16(header_bytes).ok()?);
    }
    Some(Next::new(Layer::Ppp, span.skip(header_bytes).ok()?))
}

/// GRE (RFC 2784, 2890), its PPTP version (RFC 2637 section 4.1) and ERSPAN inside it.
fn gre(span: Span<'_>) -> Option<Next<'_>> {
    const CHECKSUM: u16 = 0x8000;
    const ROUTING: u16 = 0x4000;
    const KEY: u16 = 0x2000;
    const SEQUENCE: u16 = 0x1000;
    const ACKNOWLEDGEMENT: u16 = 0x0080;
    let flags = span.be16(0).ok()?;
    let protocol = span.be16(2).ok()?;
    let version = flags & 7;
    // Source routing was taken out of GRE by RFC 2784; its list would have to be walked.
    if flags & ROUTING != 0 || version > 1 || (version == 1 && protocol != 0x880b) {
        return None;
    }
    let mut header_bytes = 4;
    for option in [CHECKSUM, KEY, SEQUENCE] {
        header_bytes += if flags & option != 0 { 4 } else { 0 };
    }
    if version == 1 && flags & ACKNOWLEDGEMENT != 0 {
        header_bytes += 4;
    }
    let inside = span.skip(header_bytes).ok()?;
    match protocol {
        // ERSPAN type I has no header of its own, and no sequence number tells it from type II.
        0x88be if flags & SEQUENCE == 0 => Some(Next::new(Layer::Ethernet, inside)),
        0x88be => Some(Next::new(Layer::Ethernet, inside.skip(8).ok()?)),
        0x22eb => erspan_3(inside),
        // WCCP version 2 puts its redirect header before the IP packet, version 1 does not.
        0x883e if inside.byte(0).ok()? >> 4 != 4 => Some(Next::new(Layer::Ip, inside.skip(4).ok()?)),
        0x883e => Some(Next::new(Layer::Ip, inside)),
        // Aruba access points: the radio's frame.
        0x8200..=0x8210 | 0x8300..=0x8310 => Some(Next::new(Layer::Dot11, inside)),
        _ => Some(Next::new(Layer::EtherType(protocol), inside)),
    }
}

/// ERSPAN type III (draft-foschiano-erspan-03 section 4.3): frame type, and 8 platform bytes if the last bit says so.
fn erspan_3(span: Span<'_>) -> Option<Next<'_>> {
    let tail = span.be16(10).ok()?;
    let inside = span.skip(if tail & 1 == 1 { 20 } else { 12 }).ok()?;
    match tail >> 10 & 0x1f {
        0 => Some(Next::new(Layer::Ethernet, inside)),
        2 => Some(Next::new(Layer::Ip, inside)),
        _ => None,
    }
}

//! Link types that systems made up for their captures, and the older local networks: short headers, then IP, LLC or a type.
//!
//! In: a span at the first byte of a frame. Out: the next header. Layouts: <https://www.tcpdump.org/linktypes.html>.

use super::{Layer, Next};
use crate::span::Span;
use crate::{LinkType, Reject};

/// BSD loopback: an address family in the byte order of the machine that captured, which no one knows.
pub(super) fn null(span: Span<'_>) -> Result<Next<'_>, Reject> {
    let little = span.le32(0)?;
    let family = if little > 0xffff { little.swap_bytes() } else { little };
    address_family(family, span.skip(4)?)
}

/// OpenBSD loopback: the address family in network order.
pub(super) fn open_bsd_loop(span: Span<'_>) -> Result<Next<'_>, Reject> {
    address_family(span.be32(0)?, span.skip(4)?)
}

/// 2 is IPv4 everywhere; IPv6 is 24 (NetBSD, OpenBSD), 28 (FreeBSD), 30 (macOS), 10 (Linux), 23 (Windows).
fn address_family(family: u32, inside: Span<'_>) -> Result<Next<'_>, Reject> {
    match family {
        2 => Ok(Next::new(Layer::Ip4, inside)),
        10 | 23 | 24 | 28 | 30 => Ok(Next::new(Layer::Ip6, inside)),
        _ => Err(Reject::NotIp),
    }
}

/// Linux cooked capture: the type is the last of 16 bytes.
pub(super) fn linux_sll(span: Span<'_>) -> Result<Next<'_>, Reject> {
    cooked_protocol(span.be16(2)?, span.be16(14)?, span.skip(16)?)
}

/// Linux cooked capture 2: the type is the first of 20 bytes.
pub(super) fn linux_sll2(span: Span<'_>) -> Result<Next<'_>, Reject> {
    cooked_protocol(span.be16(8)?, span.be16(0)?, span.skip(20)?)
}

/// `ARPHRD_NETLINK` frames have a netlink family where others have a type; type 4 is an LLC frame (`ETH_P_802_2`).
fn cooked_protocol(hardware: u16, protocol: u16, inside: Span<'_>) -> Result<Next<'_>, Reject> {
    match (hardware, protocol) {
        (824, _) => Err(Reject::NotIp),
        (_, 4) => Ok(Next::new(Layer::Llc, inside)),
        (_, protocol) => Ok(Next::new(Layer::EtherType(protocol), inside)),
    }
}

/// FDDI: frame control, addresses, LLC. Only asynchronous and synchronous LLC frames carry data.
pub(super) fn fddi(span: Span<'_>) -> Result<Next<'_>, Reject> {
    if span.byte(0)? & 0x70 != 0x50 && span.byte(0)? & 0xf0 != 0x90 {
        return Err(Reject::NotIp);
    }
    Ok(Next::new(Layer::Llc, span.skip(13)?))
}

/// Token Ring: access and frame control, addresses, source routing if the source's first bit says so, LLC.
pub(super) fn token_ring(span: Span<'_>) -> Result<Next<'_>, Reject> {
    if span.byte(1)? & 0xc0 != 0x40 {
        return Err(Reject::NotIp);
    }
    let routing_bytes = if span.byte(8)? & 0x80 != 0 {
        usize::from(span.byte(14)? & 0x1f)
    } else {
        0
    };
    Ok(Next::new(Layer::Llc, span.skip(14 + routing_bytes)?))
}

/// ARCNET: the protocol lies after the two addresses (and Linux' two bytes of offset).
pub(super) fn arcnet(span: Span<'_>, type_at: usize) -> Result<Next<'_>, Reject> {
    match span.byte(type_at)? {
        // RFC 1201 adds a split flag and a sequence number; a long packet's exception frame repeats the type.
        212 => {
            let exception = span.byte(type_at + 1)? == 0xff;
            Ok(Next::new(
                Layer::Ip,
                span.skip(type_at + if exception { 8 } else { 4 })?,
            ))
        }
        // RFC 1051 has nothing more.
        240 => Ok(Next::new(Layer::Ip, span.skip(type_at + 1)?)),
        _ => Err(Reject::NotIp),
    }
}

/// SunATM: the traffic type in the first byte; 2 is LLC.
pub(super) fn sun_atm(span: Span<'_>) -> Result<Next<'_>, Reject> {
    match span.byte(0)? & 0x0f {
        2 => Ok(Next::new(Layer::Llc, span.skip(4)?)),
        _ => Err(Reject::NotIp),
    }
}

/// Solaris IPNET: 24 bytes of zones and interfaces; the family is Solaris' own (2, 26).
pub(super) fn ipnet(span: Span<'_>) -> Result<Next<'_>, Reject> {
    match span.byte(1)? {
        2 => Ok(Next::new(Layer::Ip4, span.skip(24)?)),
        26 => Ok(Next::new(Layer::Ip6, span.skip(24)?)),
        _ => Err(Reject::NotIp),
    }
}

/// IP over InfiniBand: the 40-byte global route header, the type, two reserved bytes.
pub(super) fn ip_over_infiniband(span: Span<'_>) -> Result<Next<'_>, Reject> {
    Ok(Next::new(Layer::EtherType(span.be16(40)?), span.skip(44)?))
}

/// Linux netfilter log: attributes (length, type) padded to four bytes; type 9 holds the packet.
pub(super) fn netfilter_log(span: Span<'_>) -> Result<Next<'_>, Reject> {
    const PAYLOAD: u16 = 9;
    let family = span.byte(0)?;
    let mut rest = span.skip(4)?;
    for _ in 0..super::MAX_LINK_HEADERS {
        let attribute_bytes = usize::from(rest.le16(0)?);
        let kind = rest.le16(2)? & 0x7fff;
        if attribute_bytes < 4 {
            return Err(Reject::LinkMalformed);
        }
        if kind == PAYLOAD {
            return address_family(family.into(), rest.limit(attribute_bytes).skip(4)?);
        }
        rest = rest.skip(attribute_bytes.next_multiple_of(4))?;
    }
    Err(Reject::LinkTooDeep)
}

/// Apple PKTAP: the header's length, the record's type and the link type of what follows, little-endian.
pub(super) fn pktap(span: Span<'_>) -> Result<Next<'_>, Reject> {
    let header_bytes = usize::try_from(span.le32(0)?).map_err(|_| Reject::LinkMalformed)?;
    if header_bytes < 12 {
        return Err(Reject::LinkMalformed);
    }
    if span.le32(4)? != 1 {
        return Err(Reject::NotIp);
    }
    let link = u16::try_from(span.le32(8)?).map_err(|_| Reject::LinkUnsupported)?;
    Ok(Next::new(Layer::Link(LinkType(link)), span.skip(header_bytes)?))
}

/// Juniper: the bytes `MGC`, flags, optional extensions with their length, then the link layer the number names.
pub(super) fn juniper(link: u16, span: Span<'_>) -> Result<Next<'_>, Reject> {
    const NO_LINK_HEADER: u8 = 0x02;
    const EXTENSIONS: u8 = 0x80;
    let [magic @ .., flags] = span.array::<4>(0)?;
    if magic != *b"MGC" {
        return Err(Reject::LinkMalformed);
    }
    let mut rest = span.skip(4)?;
    if flags & EXTENSIONS != 0 {
        let extension_bytes = rest.be16(0)?;
        rest = rest.skip(2 + usize::from(extension_bytes))?;
    }
    if flags & NO_LINK_HEADER != 0 {
        return Ok(Next::new(Layer::Ip, rest));
    }
    let layer = match link {
        178 => Layer::Ethernet,
        179 => Layer::Ppp,
        180 => Layer::FrameRelay,
        _ => Layer::CiscoHdlc,
    };
    Ok(Next::new(layer, rest))
}

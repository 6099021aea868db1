//! The Ethernet family: MAC header, tags, LLC and SNAP, MPLS, what an EtherType announces.
//!
//! In: a span at one of those headers. Out: the next header. Not its job: PPP inside PPPoE (`ppp`), tunnels over IP.

use etherparse::{Ethernet2HeaderSlice, SingleVlanHeaderSlice};

use super::{Layer, Next, ppp};
use crate::Reject;
use crate::span::Span;

/// From this number on the field is a type, up to [`LARGEST_LENGTH`] a length (IEEE 802.3, 3.2.6).
const SMALLEST_TYPE: u16 = 0x600;
const LARGEST_LENGTH: u16 = 1500;

/// MAC addresses and type or length.
pub(super) fn header(span: Span<'_>) -> Result<Next<'_>, Reject> {
    let header = Ethernet2HeaderSlice::from_slice(span.bytes()).map_err(|_| Reject::LinkCut)?;
    let field = header.ether_type().0;
    if field <= LARGEST_LENGTH && matches!(header.destination(), [0x01 | 0x0c, 0, 0x0c, 0, 0, _]) {
        // Cisco ISL: its own 26 bytes around the whole frame.
        return Ok(Next::new(Layer::Ethernet, span.skip(26)?));
    }
    type_or_length(field, span.skip(header.slice().len())?)
}

/// Ethernet with `tag_bytes` of a switch's own tag between the addresses and the type.
pub(super) fn tagged(span: Span<'_>, tag_bytes: usize) -> Result<Next<'_>, Reject> {
    let type_at = 12 + tag_bytes;
    type_or_length(span.be16(type_at)?, span.skip(type_at + 2)?)
}

fn type_or_length(field: u16, span: Span<'_>) -> Result<Next<'_>, Reject> {
    if field >= SMALLEST_TYPE {
        Ok(Next::new(Layer::EtherType(field), span))
    } else if field <= LARGEST_LENGTH {
        Ok(Next::new(Layer::Llc, span.limit(field.into())))
    } else {
        Err(Reject::NotIp)
    }
}

/// What an EtherType announces (<https://www.iana.org/assignments/ieee-802-numbers>).
pub(super) fn announced(ether_type: u16, span: Span<'_>) -> Result<Next<'_>, Reject> {
    match ether_type {
        0x0800 => Ok(Next::new(Layer::Ip4, span)),
        0x86dd => Ok(Next::new(Layer::Ip6, span)),
        // Customer, provider and two older provider tags.
        0x8100 | 0x88a8 | 0x9100 | 0x9200 => {
            let tag = SingleVlanHeaderSlice::from_slice(span.bytes()).map_err(|_| Reject::LinkCut)?;
            type_or_length(tag.ether_type().0, span.skip(tag.slice().len())?)
        }
        0x8847 | 0x8848 => Ok(Next::new(Layer::Mpls, span)),
        0x8864 => ppp::pppoe(span),
        0x880b => Ok(Next::new(Layer::Ppp, span)),
        0x6558 => Ok(Next::new(Layer::Ethernet, span)),
        // VN-Tag and 802.1BR E-Tag: a tag of 4 and 6 bytes, then the next type.
        0x8926 => type_or_length(span.be16(4)?, span.skip(6)?),
        0x893f => type_or_length(span.be16(6)?, span.skip(8)?),
        // 802.1ah: service tag, then the customer's whole frame.
        0x88e7 => Ok(Next::new(Layer::Ethernet, span.skip(4)?)),
        // Cisco metadata (security group tag).
        0x8909 => type_or_length(span.be16(6)?, span.skip(8)?),
        0x894f => network_service_header(span),
        0x88e5 => mac_security(span),
        // Cisco FabricPath: the forwarding tag, then the edge's whole frame.
        0x8903 => Ok(Next::new(Layer::Ethernet, span.skip(2)?)),
        _ => Err(Reject::NotIp),
    }
}

/// Network service header, RFC 8300 section 2.2.
fn network_service_header(span: Span<'_>) -> Result<Next<'_>, Reject> {
    let words = span.be16(0)? & 0x3f;
    if words < 2 {
        return Err(Reject::LinkMalformed);
    }
    let inside = span.skip(usize::from(words) * 4)?;
    match span.byte(3)? {
        1 => Ok(Next::new(Layer::Ip4, inside)),
        2 => Ok(Next::new(Layer::Ip6, inside)),
        3 => Ok(Next::new(Layer::Ethernet, inside)),
        5 => Ok(Next::new(Layer::Mpls, inside)),
        _ => Err(Reject::NotIp),
    }
}

/// MACsec (IEEE 802.1AE, 9.3): readable if the tag says that only integrity is protected; the check value is at the end.
fn mac_security(span: Span<'_>) -> Result<Next<'_>, Reject> {
    const CHANNEL: u8 = 0x20;
    const ENCRYPTED_OR_CHANGED: u8 = 0x0c;
    const CHECK_VALUE_BYTES: usize = 16;
    let control = span.byte(0)?;
    if control & ENCRYPTED_OR_CHANGED != 0 {
        return Err(Reject::LinkEncrypted);
    }
    let tag_bytes = if control & CHANNEL != 0 { 14 } else { 6 };
    let ether_type = span.be16(tag_bytes)?;
    let inside = span.skip(tag_bytes + 2)?;
    type_or_length(
        ether_type,
        inside.limit(inside.wire_bytes().saturating_sub(CHECK_VALUE_BYTES)),
    )
}

/// 802.2 and SNAP.
pub(super) fn llc(span: Span<'_>) -> Result<Next<'_>, Reject> {
    match span.array(0)? {
        [0xaa, 0xaa, 0x03] => snap(span.skip(3)?),
        // IP's own service access point (RFC 948).
        [0x06, 0x06, 0x03] => Ok(Next::new(Layer::Ip4, span.skip(3)?)),
        _ => Err(Reject::NotIp),
    }
}

/// SNAP: organisation and protocol (RFC 1042; 802.1 bridged frames RFC 2684 section 5.2).
pub(super) fn snap(span: Span<'_>) -> Result<Next<'_>, Reject> {
    let protocol = span.be16(3)?;
    let inside = span.skip(5)?;
    match span.array(0)? {
        [0, 0, 0] | [0, 0, 0xf8] => Ok(Next::new(Layer::EtherType(protocol), inside)),
        [0, 0x80, 0xc2] if matches!(protocol, 1 | 7) => Ok(Next::new(Layer::Ethernet, inside)),
        _ => Err(Reject::NotIp),
    }
}

/// A label stack (RFC 3032), then what its first nibble says (RFC 4928: 4 and 6 are IP, 0 is a pseudowire's control word).
pub(super) fn mpls(span: Span<'_>) -> Result<Next<'_>, Reject> {
    let mut rest = span;
    for _ in 0..super::MAX_LINK_HEADERS {
        let bottom = rest.byte(2)? & 1 == 1;
        rest = rest.skip(4)?;
        if bottom {
            return match rest.byte(0)? >> 4 {
                4 | 6 => Ok(Next::new(Layer::Ip, rest)),
                0 => pseudowire(rest),
                _ => Err(Reject::NotIp),
            };
        }
    }
    Err(Reject::LinkTooDeep)
}

/// An Ethernet pseudowire whose control word (RFC 4448 section 4.6) is optional: the word is there if a type follows it.
fn pseudowire(span: Span<'_>) -> Result<Next<'_>, Reject> {
    let is_known = |field: u16| matches!(field, 0x0800 | 0x86dd | 0x8100 | 0x88a8 | 0x8864 | 0x8847 | 0x0806);
    let without_word = is_known(span.be16(12)?) && !span.be16(16).is_ok_and(is_known);
    Ok(Next::new(Layer::Ethernet, span.skip(if without_word { 0 } else { 4 })?))
}

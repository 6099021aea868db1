//! The point-to-point family: PPP and PPPoE, Cisco HDLC, frame relay, SLIP.
//!
//! In: a span at one of those headers. Out: the next header. Not its job: control protocols (they are not IP), header
//! compression (a compressed header holds no addresses).

use super::{Layer, Next, ethernet};
use crate::Reject;
use crate::span::Span;

/// PPP with or without address and control, and with or without protocol field compression (RFC 1661 sections 2, 6.5; RFC 1662).
pub(super) fn frame(span: Span<'_>) -> Result<Next<'_>, Reject> {
    let span = match span.array(0) {
        Ok([0xff, 0x03]) => span.skip(2)?,
        // PPP links are captured with Cisco HDLC on them as well; its first byte is no PPP protocol.
        Ok([0x0f | 0x8f, 0x00]) => return cisco_hdlc(span),
        _ => span,
    };
    let first = span.byte(0)?;
    let (protocol, inside) = if first & 1 == 1 {
        (first.into(), span.skip(1)?)
    } else {
        (span.be16(0)?, span.skip(2)?)
    };
    match protocol {
        0x0021 => Ok(Next::new(Layer::Ip4, inside)),
        0x0057 => Ok(Next::new(Layer::Ip6, inside)),
        0x0281 | 0x0283 => Ok(Next::new(Layer::Mpls, inside)),
        _ => Err(Reject::NotIp),
    }
}

/// A PPPoE session (RFC 2516 section 4); its length ends the payload before Ethernet's padding.
pub(super) fn pppoe(span: Span<'_>) -> Result<Next<'_>, Reject> {
    let payload_bytes = span.be16(4)?;
    Ok(Next::new(Layer::Ppp, span.skip(6)?.limit(payload_bytes.into())))
}

/// Cisco HDLC: address, control, EtherType.
pub(super) fn cisco_hdlc(span: Span<'_>) -> Result<Next<'_>, Reject> {
    Ok(Next::new(Layer::EtherType(span.be16(2)?), span.skip(4)?))
}

/// Frame relay: a Q.922 address of two to four bytes, then RFC 2427 (control, protocol) or Cisco's EtherType.
pub(super) fn frame_relay(span: Span<'_>) -> Result<Next<'_>, Reject> {
    let mut address_bytes = 2;
    while span.byte(address_bytes - 1)? & 1 == 0 {
        address_bytes += 1;
        if address_bytes > 4 {
            return Err(Reject::LinkMalformed);
        }
    }
    let rest = span.skip(address_bytes)?;
    if rest.byte(0)? != 0x03 {
        return Ok(Next::new(Layer::EtherType(rest.be16(0)?), rest.skip(2)?));
    }
    // A zero byte may pad the protocol to an even offset.
    let protocol_at = if rest.byte(1)? == 0 { 2 } else { 1 };
    let inside = rest.skip(protocol_at + 1)?;
    match rest.byte(protocol_at)? {
        0xcc => Ok(Next::new(Layer::Ip4, inside)),
        0x8e => Ok(Next::new(Layer::Ip6, inside)),
        0x80 => ethernet::snap(inside),
        0xcf => Ok(Next::new(Layer::Ppp, inside)),
        _ => Err(Reject::NotIp),
    }
}

/// Multilink frame relay (FRF.16): a fragment header whose first and last bits say that the frame is whole.
pub(super) fn multilink_frame_relay(span: Span<'_>) -> Result<Next<'_>, Reject> {
    let first = span.byte(0)?;
    if first & 0xe0 == 0xc0 {
        return Ok(Next::new(Layer::FrameRelay, span.skip(2)?));
    }
    Err(Reject::NotIp)
}

/// SLIP as captured: direction, then 15 bytes of the header as it was on the line, whose first nibble is IPv4's version,
/// or says that it was compressed; then the IP packet, uncompressed.
pub(super) fn slip(span: Span<'_>) -> Result<Next<'_>, Reject> {
    let [direction, kind] = span.array(0)?;
    if direction > 1 || !matches!(kind >> 4, 4 | 7..=15) {
        return Err(Reject::LinkMalformed);
    }
    Ok(Next::new(Layer::Ip, span.skip(16)?))
}

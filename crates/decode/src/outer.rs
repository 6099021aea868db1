//! The outermost IP header of a frame, as counting tools see it: what `stats` counts.
//!
//! In: a [`Frame`]. Out: [`Outermost`]. The rule is that of tshark's dissectors: a frame counts once, by its first IP
//! header, even a damaged one; its transport is what stands right after that header (behind IPv6 extension headers), and
//! a later fragment has none. Not its job: tunnels and lengths.

use crate::Address;
use crate::link::{self, Layer, Next};
use crate::packet::{Frame, Outermost, Transport};
use crate::span::Span;

/// Extension headers looked behind for counting; more than decoding allows, because tshark knows no limit.
const MAX_COUNTED_HEADERS: usize = 64;

/// The outermost IP header, or `None` if the frame has none. A header announced as IPv4 counts as one, whatever it holds;
/// one announced as IPv6 must be. Addresses that were not captured, or stand in a header that contradicts itself, are [`Address::UNSPECIFIED`].
pub fn outermost(frame: Frame<'_>) -> Option<Outermost> {
    let found = link::walk_to_ip(Next::new(Layer::Link(frame.link), Span::new(frame))).ok()?;
    let span = found.span;
    let version = span.byte(0).map(|first| first >> 4);
    match (found.layer, version) {
        (Layer::Ip | Layer::Ip4, Ok(4)) => Some(version_4(span)),
        (Layer::Ip | Layer::Ip6, Ok(6)) => Some(version_6(span)),
        (Layer::Ip4, _) => Some(without_addresses(4)),
        (Layer::Ip6, Err(_)) => Some(without_addresses(6)),
        _ => None,
    }
}

fn without_addresses(version: u8) -> Outermost {
    Outermost {
        version,
        transport: None,
        src: Address::UNSPECIFIED,
        dst: Address::UNSPECIFIED,
    }
}

fn version_4(span: Span<'_>) -> Outermost {
    const LEAST_BYTES: usize = 20;
    let header_bytes = usize::from(span.byte(0).unwrap_or(0) & 0x0f) * 4;
    let ip_bytes = match span.be16(2).map(usize::from) {
        Ok(total) if total != 0 => total,
        _ => span.wire_bytes(),
    };
    if header_bytes < LEAST_BYTES || ip_bytes < header_bytes {
        return without_addresses(4);
    }
    let address = |at| span.array(at).map_or(Address::UNSPECIFIED, Address::v4);
    let has_payload = ip_bytes > header_bytes && span.bytes().len() >= LEAST_BYTES;
    let transport = if has_payload { transport_4(span) } else { None };
    Outermost {
        version: 4,
        transport,
        src: address(12),
        dst: address(16),
    }
}

fn transport_4(span: Span<'_>) -> Option<Transport> {
    let fragment_offset = span.be16(6).ok()? & 0x1fff;
    let protocol = span.byte(9).ok()?;
    (fragment_offset == 0).then_some(Transport(protocol))
}

fn version_6(span: Span<'_>) -> Outermost {
    let address = |at| span.array(at).map_or(Address::UNSPECIFIED, Address::v6);
    Outermost {
        version: 6,
        transport: transport_6(span),
        src: address(8),
        dst: address(24),
    }
}

/// Behind hop-by-hop, routing, destination options, fragment and authentication headers.
fn transport_6(span: Span<'_>) -> Option<Transport> {
    let mut number = span.byte(6).ok()?;
    let mut rest = span.skip(40).ok()?;
    for _ in 0..=MAX_COUNTED_HEADERS {
        let header_bytes = match number {
            0 | 43 | 60 => 8 + 8 * usize::from(rest.byte(1).ok()?),
            51 => 8 + 4 * usize::from(rest.byte(1).ok()?),
            44 if rest.be16(2).ok()? >> 3 != 0 => return None,
            44 => 8,
            _ => return Some(Transport(number)),
        };
        number = rest.byte(0).ok()?;
        rest = rest.skip(header_bytes).ok()?;
    }
    None
}

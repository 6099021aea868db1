//! The outermost IP header of a frame, as counting tools see it: what `stats` counts.
//!
//! In: a [`Frame`]. Out: [`Outermost`]. The rule is that of tshark's dissectors: a frame counts once, by its first IP
//! header, even a damaged one; its transport is what stands right after that header (behind IPv6 extension headers), and
//! a later fragment has none. Not its job: tunnels and lengths.

use crate::Address;
use crate::ip::MAX_EXTENSION_HEADERS;
use crate::link::{self, Layer, Next};
use crate::packet::{Frame, Outermost, Transport};
use crate::span::Span;

/// The outermost IP header, or `None` if the frame has none. Addresses that were not captured are
/// [`Address::UNSPECIFIED`].
pub fn outermost(frame: Frame<'_>) -> Option<Outermost> {
    let span = link::walk_to_ip(Next::new(Layer::Link(frame.link), Span::new(frame))).ok()?;
    match span.byte(0).ok()? >> 4 {
        4 => Some(version_4(span)),
        6 => Some(version_6(span)),
        _ => None,
    }
}

fn version_4(span: Span<'_>) -> Outermost {
    let address = |at| span.array(at).map_or(Address::UNSPECIFIED, Address::v4);
    Outermost {
        version: 4,
        transport: transport_4(span),
        src: address(12),
        dst: address(16),
    }
}

fn transport_4(span: Span<'_>) -> Option<Transport> {
    let header_bytes = usize::from(span.byte(0).ok()? & 0x0f) * 4;
    let total_bytes = usize::from(span.be16(2).ok()?);
    let fragment_offset = span.be16(6).ok()? & 0x1fff;
    let protocol = span.byte(9).ok()?;
    let honest_lengths = header_bytes >= 20 && (total_bytes == 0 || total_bytes >= header_bytes);
    (honest_lengths && fragment_offset == 0).then_some(Transport(protocol))
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

/// Behind extension headers: hop-by-hop, routing, destination options, fragment, authentication, mobility, host identity, shim6.
fn transport_6(span: Span<'_>) -> Option<Transport> {
    let mut number = span.byte(6).ok()?;
    let mut rest = span.skip(40).ok()?;
    for _ in 0..=MAX_EXTENSION_HEADERS {
        let header_bytes = match number {
            0 | 43 | 60 | 135 | 139 | 140 => 8 + 8 * usize::from(rest.byte(1).ok()?),
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

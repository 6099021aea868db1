//! The general path: every link type, every tunnel, cut captures; slower, and the measure of the fast path.
//!
//! In: a [`Frame`]. Out: the innermost conversation, or why there is none. Header fields are read through etherparse,
//! so that the hand-written fast path is held against somebody else's reading of the same bytes.

use crate::link::{self, Layer, Next};
use crate::packet::{Frame, Packet};
use crate::span::Span;
use crate::{Reject, ip, transport, tunnel};

/// The most tunnels inside one another. Measured networks nest two or three (GTP in VXLAN, 6in4 in GRE).
pub const MAX_TUNNELS: u8 = 8;

/// Decodes any frame: the innermost conversation. If the inside of a tunnel is cut, encrypted, not IP or nonsense, the
/// conversation around it is the packet.
///
/// # Errors
/// The reason why not even an outermost conversation is known, or [`Reject::TunnelTooDeep`].
// Never inlined: the fast path around a call of it stays small.
#[inline(never)]
pub fn decode_honest(frame: Frame<'_>) -> Result<Packet, Reject> {
    let mut next = Next::new(Layer::Link(frame.link), Span::new(frame));
    let mut known = None;
    for tunnels in 0..=MAX_TUNNELS {
        let (mut packet, payload) = match conversation(next) {
            Ok(found) => found,
            Err(reject) => return known.ok_or(reject),
        };
        packet.tunnels = tunnels;
        match tunnel::inside(&packet, payload) {
            Some(inside) => next = inside,
            None => return Ok(packet),
        }
        known = Some(packet);
    }
    Err(Reject::TunnelTooDeep)
}

/// The conversation of the next IP header, and that IP packet's payload.
fn conversation(next: Next<'_>) -> Result<(Packet, Span<'_>), Reject> {
    let mut ip = ip::header(link::walk_to_ip(next)?.span)?;
    transport::header(&mut ip.packet, ip.payload)?;
    Ok((ip.packet, ip.payload))
}

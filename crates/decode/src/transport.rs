//! The transport header: ports, flags, sequence numbers, where the payload lies.
//!
//! In: a [`Packet`] filled by `ip` and the payload's [`Span`]. Out: the packet, complete. A header that the snap length
//! cuts is read as far as it goes, from the ports on; one that the packet itself is too short for is refused. Not its
//! job: tunnels, and what the payload means.

use etherparse::{TcpHeaderSlice, UdpHeaderSlice};

use crate::Reject;
use crate::packet::{FragmentPlace, Packet, Transport};
use crate::span::{Body, Span};

/// SCTP's common header (RFC 9260 section 3.1) and UDP-Lite's (RFC 3828) begin with ports as well.
const SCTP: Transport = Transport(132);
const UDP_LITE: Transport = Transport(136);

/// Both ports, which every transport header read here begins with.
const PORTS_BYTES: usize = 4;

/// Reads the header at `span` into `packet`; a later fragment has none.
pub(crate) fn header(packet: &mut Packet, span: Span<'_>) -> Result<(), Reject> {
    if packet.fragment == FragmentPlace::Later {
        return Ok(());
    }
    let body = match packet.transport {
        Transport::TCP => tcp(packet, span)?,
        Transport::UDP => udp(packet, span)?,
        Transport::ICMP | Transport::ICMP6 => icmp(packet, span)?,
        SCTP => ports_only(packet, span, 12)?,
        UDP_LITE => ports_only(packet, span, 8)?,
        _ => span.skip_cut(0),
    };
    packet.set_body(body);
    Ok(())
}

fn tcp(packet: &mut Packet, span: Span<'_>) -> Result<Body, Reject> {
    const LEAST_BYTES: usize = 20;
    const OFFSET_AT: usize = 12;
    let (mut head, captured) = cut_header::<60>(packet, span, LEAST_BYTES, PORTS_BYTES)?;
    if captured <= OFFSET_AT {
        head[OFFSET_AT] = 5 << 4;
    }
    let header = TcpHeaderSlice::from_slice(&head).map_err(|_| Reject::TransportMalformed)?;
    let header_bytes = header.slice().len();
    if header_bytes > span.wire_bytes() && packet.fragment == FragmentPlace::Whole {
        return Err(Reject::TransportMalformed);
    }
    packet.src_port = header.source_port();
    packet.dst_port = header.destination_port();
    packet.sequence = header.sequence_number();
    packet.acknowledgement = header.acknowledgment_number();
    packet.window = header.window_size();
    packet.tcp_flags = head[13];
    Ok(span.skip_cut(header_bytes))
}

fn udp(packet: &mut Packet, span: Span<'_>) -> Result<Body, Reject> {
    const HEADER_BYTES: usize = 8;
    let (head, _) = cut_header::<HEADER_BYTES>(packet, span, HEADER_BYTES, PORTS_BYTES)?;
    let header = UdpHeaderSlice::from_slice(&head).map_err(|_| Reject::TransportMalformed)?;
    packet.src_port = header.source_port();
    packet.dst_port = header.destination_port();
    match usize::from(header.length()) {
        // Not captured, a jumbogram (RFC 2675 section 4), or offloaded: the IP packet's end is the datagram's.
        0 => Ok(span.skip_cut(HEADER_BYTES)),
        length if length < HEADER_BYTES => Err(Reject::TransportMalformed),
        length => Ok(span.limit(length).skip_cut(HEADER_BYTES)),
    }
}

/// Type and code stand for the ports; echo's identifier and sequence number tell one ping from the next.
fn icmp(packet: &mut Packet, span: Span<'_>) -> Result<Body, Reject> {
    const HEADER_BYTES: usize = 8;
    let (head, _) = cut_header::<HEADER_BYTES>(packet, span, HEADER_BYTES, 2)?;
    let [kind, code, _, _, rest @ ..] = head;
    packet.src_port = kind.into();
    packet.dst_port = code.into();
    let echo = match packet.transport {
        Transport::ICMP => matches!(kind, 0 | 8),
        _ => matches!(kind, 128 | 129),
    };
    if echo {
        packet.sequence = u32::from_be_bytes(rest);
    }
    Ok(span.skip_cut(HEADER_BYTES))
}

fn ports_only(packet: &mut Packet, span: Span<'_>, header_bytes: usize) -> Result<Body, Reject> {
    let (head, _) = cut_header::<PORTS_BYTES>(packet, span, header_bytes, PORTS_BYTES)?;
    let [src_high, src_low, dst_high, dst_low] = head;
    packet.src_port = u16::from_be_bytes([src_high, src_low]);
    packet.dst_port = u16::from_be_bytes([dst_high, dst_low]);
    Ok(span.skip_cut(header_bytes))
}

/// The first `N` bytes, zeros where the capture is cut, and how many of them were captured. A whole packet must have
/// `least_bytes` on the wire; a tiny first fragment may have fewer. `needed_bytes` must have been captured.
fn cut_header<const N: usize>(
    packet: &Packet,
    span: Span<'_>,
    least_bytes: usize,
    needed_bytes: usize,
) -> Result<([u8; N], usize), Reject> {
    let least_bytes = if packet.fragment == FragmentPlace::Whole {
        least_bytes
    } else {
        needed_bytes
    };
    if span.wire_bytes() < least_bytes {
        return Err(Reject::TransportMalformed);
    }
    let bytes = span.bytes();
    if bytes.len() < needed_bytes {
        return Err(Reject::TransportCut);
    }
    let mut head = [0; N];
    let captured = bytes.len().min(N);
    head[..captured].copy_from_slice(&bytes[..captured]);
    Ok((head, captured))
}

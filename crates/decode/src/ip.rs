//! One IP header and its extension headers: addresses, lengths, fragment, what the payload is.
//!
//! In: a [`Span`] at an IP header. Out: a [`Packet`] filled as far as IP knows, and the payload's span. Not its job:
//! the transport header (`transport`), what a tunnel carries (`tunnel`).

use etherparse::{
    IpAuthHeaderSlice, IpNumber, Ipv4HeaderSlice, Ipv6FragmentHeaderSlice, Ipv6HeaderSlice, Ipv6RawExtHeaderSlice, err,
    ip_number,
};

use crate::packet::{FragmentPlace, Packet, Transport};
use crate::span::Span;
use crate::{Address, Reject};

/// The most extension headers (authentication headers included) of one IP header. RFC 8200 section 4.1 knows seven
/// places for them; more only serves to hide the transport header.
pub const MAX_EXTENSION_HEADERS: usize = 16;

/// An IP header, read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ip<'a> {
    /// Everything but the transport header's facts; [`Packet::transport`] is that of the payload.
    pub(crate) packet: Packet,
    /// The bytes after all extension headers, to the end of the IP packet.
    pub(crate) payload: Span<'a>,
}

/// Reads the header at `span`; the version nibble decides, not what announced it.
pub(crate) fn header(span: Span<'_>) -> Result<Ip<'_>, Reject> {
    match span.bytes().first().map(|first| first >> 4) {
        Some(4) => version_4(span),
        Some(6) => version_6(span),
        Some(_) => Err(Reject::IpVersion),
        None => Err(Reject::IpHeaderCut),
    }
}

fn version_4(span: Span<'_>) -> Result<Ip<'_>, Reject> {
    let header = Ipv4HeaderSlice::from_slice(span.bytes()).map_err(|error| match error {
        err::ipv4::HeaderSliceError::Len(_) => Reject::IpHeaderCut,
        err::ipv4::HeaderSliceError::Content(_) => Reject::IpHeaderLength,
    })?;
    let header_bytes = header.slice().len();
    let ip_bytes = match usize::from(header.total_len()) {
        // Segmentation offload hands the capture packets whose length is not yet set.
        0 => span.wire_bytes(),
        total if total < header_bytes => return Err(Reject::IpLength),
        total => total.min(span.wire_bytes()),
    };
    let src = Address::v4(header.source());
    let dst = Address::v4(header.destination());
    let mut ip = Ip {
        packet: blank(src, dst, ip_bytes),
        payload: span.limit(ip_bytes).skip(header_bytes)?,
    };
    if header.is_fragmenting_payload() {
        ip.set_fragment(header.fragments_offset().value(), header.identification().into());
    }
    ip.extensions(header.protocol().0, false)?;
    Ok(ip)
}

fn version_6(span: Span<'_>) -> Result<Ip<'_>, Reject> {
    let header = Ipv6HeaderSlice::from_slice(span.bytes()).map_err(|_| Reject::IpHeaderCut)?;
    let header_bytes = header.slice().len();
    let ip_bytes = match usize::from(header.payload_length()) {
        // Segmentation offload again, or a jumbogram: its option says no more than the wire does.
        0 => span.wire_bytes(),
        payload => (header_bytes + payload).min(span.wire_bytes()),
    };
    let src = Address::v6(header.source());
    let dst = Address::v6(header.destination());
    let mut ip = Ip {
        packet: blank(src, dst, ip_bytes),
        payload: span.limit(ip_bytes).skip(header_bytes)?,
    };
    ip.extensions(header.next_header().0, true)?;
    Ok(ip)
}

impl Ip<'_> {
    /// Skips extension headers up to the transport header, or to the data of a later fragment.
    fn extensions(&mut self, first: u8, version_6: bool) -> Result<(), Reject> {
        let mut number = first;
        for _ in 0..=MAX_EXTENSION_HEADERS {
            self.packet.transport = Transport(number);
            let next = if self.packet.fragment == FragmentPlace::Later {
                None
            } else {
                self.extension(IpNumber(number), version_6)?
            };
            match next {
                Some(next) => number = next,
                None => {
                    self.packet.set_body(self.payload.skip_cut(0));
                    return Ok(());
                }
            }
        }
        Err(Reject::ExtensionsTooMany)
    }

    /// Skips the header `number` names and says which one follows; `None` if it names no extension header.
    fn extension(&mut self, number: IpNumber, version_6: bool) -> Result<Option<u8>, Reject> {
        let bytes = self.payload.bytes();
        let (next, header_bytes) = match number {
            ip_number::AUTH => {
                let header = IpAuthHeaderSlice::from_slice(bytes).map_err(|error| match error {
                    err::ip_auth::HeaderSliceError::Len(_) => Reject::ExtensionCut,
                    err::ip_auth::HeaderSliceError::Content(_) => Reject::ExtensionMalformed,
                })?;
                (header.next_header(), header.slice().len())
            }
            ip_number::IPV6_HEADER_HOP_BY_HOP
            | ip_number::IPV6_ROUTE_HEADER
            | ip_number::IPV6_DESTINATION_OPTIONS
            | ip_number::SHIM6
                if version_6 =>
            {
                let header = Ipv6RawExtHeaderSlice::from_slice(bytes).map_err(|_| Reject::ExtensionCut)?;
                (header.next_header(), header.slice().len())
            }
            ip_number::IPV6_FRAGMENTATION_HEADER if version_6 => {
                let header = Ipv6FragmentHeaderSlice::from_slice(bytes).map_err(|_| Reject::ExtensionCut)?;
                self.payload = self.payload.skip(header.slice().len())?;
                // An atomic fragment (RFC 6946) is a whole packet.
                if header.is_fragmenting_payload() {
                    self.set_fragment(header.fragment_offset().value(), header.identification());
                }
                return Ok(Some(header.next_header().0));
            }
            _ => return Ok(None),
        };
        self.payload = self.payload.skip(header_bytes)?;
        Ok(Some(next.0))
    }

    /// Marks a fragment whose part of the datagram begins at the payload as it stands now.
    fn set_fragment(&mut self, offset: u16, id: u32) {
        let packet = &mut self.packet;
        packet.fragment = if offset == 0 {
            FragmentPlace::First
        } else {
            FragmentPlace::Later
        };
        packet.fragment_offset = offset;
        packet.fragment_id = id;
        packet.fragment_bytes = u16::try_from(self.payload.wire_bytes()).unwrap_or(u16::MAX);
    }
}

impl Packet {
    /// Notes where the transport payload lies. Frames are at most 256 KiB and lengths at most 32 bits, so nothing is lost.
    pub(crate) fn set_body(&mut self, body: crate::span::Body) {
        self.payload_offset = saturated(body.offset);
        self.payload_captured = saturated(body.captured);
        self.payload_bytes = saturated(body.wire_bytes);
    }
}

/// A packet of which only the addresses and the length are known.
fn blank(src: Address, dst: Address, ip_bytes: usize) -> Packet {
    Packet {
        src,
        dst,
        ip_bytes: saturated(ip_bytes),
        ..Packet::BLANK
    }
}

fn saturated(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LinkType;

    /// UDP ports, length, and four bytes.
    const DATAGRAM: [u8; 12] = [3, 232, 7, 208, 0, 12, 0, 0, 1, 2, 3, 4];
    const SRC: [u8; 4] = [10, 0, 0, 1];
    const DST: [u8; 4] = [10, 0, 0, 2];

    fn ethernet(ether_type: u16, ip: &[u8]) -> Option<Outermost> {
        let bytes = [&[2; 12], ether_type.to_be_bytes().as_slice(), ip].concat();
        outermost(Frame {
            link: LinkType::ETHERNET,
            bytes: &bytes,
            wire_bytes: bytes.len() as u32,
        })
    }

    fn ip_4(first: u8, total: u16, fragment: u16, protocol: u8, inside: &[u8]) -> Vec<u8> {
        let [total, fragment] = [total.to_be_bytes(), fragment.to_be_bytes()];
        let head = [
            first,
            0,
            total[0],
            total[1],
            0,
            7,
            fragment[0],
            fragment[1],
            64,
            protocol,
            0,
            0,
        ];
        [head.as_slice(), &SRC, &DST, inside].concat()
    }

    fn ip_6(next: u8, inside: &[u8]) -> Vec<u8> {
        [
            &[0x60, 0, 0, 0, 0, inside.len() as u8, next, 64],
            [1; 16].as_slice(),
            &[2; 16],
            inside,
        ]
        .concat()
    }

    fn transport(found: Option<Outermost>) -> Option<u8> {
        found.unwrap().transport.map(|transport| transport.0)
    }

    #[test]
    fn the_first_header_counts() {
        let inner = ip_4(0x45, 32, 0, 17, &DATAGRAM);
        let found = ethernet(0x0800, &ip_4(0x45, 52, 0, 4, &inner)).unwrap();
        assert_eq!((found.version, found.transport), (4, Some(Transport(4))));
        assert_eq!(found.pair(), Some((Address::v4(SRC), Address::v4(DST))));
        assert_eq!(transport(ethernet(0x86dd, &ip_6(41, &ip_6(17, &DATAGRAM)))), Some(41));
        assert_eq!(ethernet(0x0806, &inner), None);
    }

    #[test]
    fn transport_right_after_the_header() {
        let four = |fragment| transport(ethernet(0x0800, &ip_4(0x45, 32, fragment, 17, &DATAGRAM)));
        assert_eq!(
            (four(0), four(0x2000), four(0x2001), four(1)),
            (Some(17), Some(17), None, None)
        );
        assert_eq!(
            transport(ethernet(0x0800, &ip_4(0x45, 20, 0, 17, &[]))),
            None,
            "no payload"
        );
        let six = |head: [u8; 8]| transport(ethernet(0x86dd, &ip_6(44, &[head.as_slice(), &DATAGRAM].concat())));
        assert_eq!(
            (six([17, 0, 0, 1, 0, 0, 0, 0]), six([17, 0, 0, 8, 0, 0, 0, 0])),
            (Some(17), None)
        );
        let chain = [&[60, 0, 1, 4, 0, 0, 0, 0, 17, 0, 1, 4, 0, 0, 0, 0], DATAGRAM.as_slice()].concat();
        assert_eq!(transport(ethernet(0x86dd, &ip_6(0, &chain))), Some(17));
        let authenticated = [&[17, 4], [0; 22].as_slice(), &DATAGRAM].concat();
        assert_eq!(transport(ethernet(0x86dd, &ip_6(51, &authenticated))), Some(17));
        assert_eq!(
            transport(ethernet(0x0800, &ip_4(0x45, 56, 0, 51, &authenticated))),
            Some(51),
            "IPv4 knows no extensions"
        );
    }

    #[test]
    fn a_damaged_header_counts_without_addresses() {
        for damaged in [
            ip_4(0x44, 32, 0, 17, &DATAGRAM),
            ip_4(0x95, 32, 0, 17, &DATAGRAM),
            ip_4(0x65, 32, 0, 17, &DATAGRAM),
            ip_4(0x45, 10, 0, 17, &DATAGRAM),
            Vec::new(),
        ] {
            let found = ethernet(0x0800, &damaged).unwrap();
            assert_eq!(
                (found.version, found.transport, found.pair()),
                (4, None, None),
                "{damaged:02x?}"
            );
        }
        assert_eq!(
            ethernet(0x86dd, &ip_4(0x45, 32, 0, 17, &DATAGRAM)),
            None,
            "IPv6 must be IPv6"
        );
        let cut = ethernet(0x0800, &ip_4(0x45, 32, 0, 17, &DATAGRAM)[..18]).unwrap();
        assert_eq!(
            (cut.src, cut.dst, cut.transport),
            (Address::v4(SRC), Address::UNSPECIFIED, None)
        );
    }
}

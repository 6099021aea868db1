//! Community ID, version 1: the text under which other tools' records of the same flow are found.
//!
//! In: both ends of a flow. Out: `1:` and the SHA-1 over seed 0, addresses, protocol and ports in base64, the same for both directions.
//! The form is Corelight's published specification (github.com/corelight/community-id-spec). Not its job: which flow.

use std::net::IpAddr;

use balefire_detect::{Address, Transport};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

/// Requests and their replies, of ICMP (RFC 792, 950, 1256) and of ICMPv6 (RFC 4443, 2710, 4861, 4620, 6275): two types that stand for one
/// flow's two ports.
const REPLIES: [(u16, u16); 5] = [(8, 0), (13, 14), (15, 16), (17, 18), (10, 9)];
const REPLIES_V6: [(u16, u16); 6] = [(128, 129), (133, 134), (135, 136), (130, 131), (144, 145), (139, 140)];

/// `from` and `to` with their ports; of ICMP the type of the message and its code.
pub(super) fn community_id(from: (Address, u16), to: (Address, u16), transport: Transport) -> String {
    let (ports, is_one_way) = match transport.0 {
        1 => icmp_ports(from.1, to.1, &REPLIES),
        58 => icmp_ports(from.1, to.1, &REPLIES_V6),
        _ => ((from.1, to.1), false),
    };
    let (one, two) = ((octets(from.0), ports.0), (octets(to.0), ports.1));
    let (low, high) = if is_one_way || one <= two {
        (one, two)
    } else {
        (two, one)
    };
    let mut hash = Sha1::new();
    hash.update([0, 0]);
    hash.update(&low.0);
    hash.update(&high.0);
    hash.update([transport.0, 0]);
    hash.update(low.1.to_be_bytes());
    hash.update(high.1.to_be_bytes());
    format!("1:{}", STANDARD.encode(hash.finalize()))
}

/// A message with a reply gets that as its other port; of one without there is one direction only, and its code is the port.
fn icmp_ports(kind: u16, code: u16, replies: &[(u16, u16)]) -> ((u16, u16), bool) {
    let other = replies.iter().find_map(|&(request, reply)| {
        let of_request = (kind == request).then_some(reply);
        of_request.or((kind == reply).then_some(request))
    });
    ((kind, other.unwrap_or(code)), other.is_none())
}

fn octets(address: Address) -> Vec<u8> {
    match address.ip() {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Published with the specification and with its reference implementation.
    #[test]
    fn published_vectors() {
        for (transport, from, from_port, to, to_port, id) in [
            (
                6,
                "128.232.110.120",
                34_855,
                "66.35.250.204",
                80,
                "1:LQU9qZlK+B5F3KDmev6m5PMibrg=",
            ),
            (
                17,
                "192.168.1.52",
                54_585,
                "8.8.8.8",
                53,
                "1:d/FP5EW3wiY1vCndhwleRRKHowQ=",
            ),
            (
                132,
                "192.168.170.8",
                7,
                "192.168.170.56",
                7,
                "1:MP2EtRCAUIZvTw6MxJHLV7N7JDs=",
            ),
            (1, "192.168.0.89", 8, "192.168.0.1", 0, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="),
            (
                1,
                "192.168.0.89",
                20,
                "192.168.0.1",
                0,
                "1:3o2RFccXzUgjl7zDpqmY7yJi8rI=",
            ),
            (
                58,
                "fe80::200:86ff:fe05:80da",
                135,
                "fe80::260:97ff:fe07:69ea",
                0,
                "1:dGHyGvjMfljg6Bppwm3bg0LO8TY=",
            ),
            (
                58,
                "fe80::260:97ff:fe07:69ea",
                134,
                "ff02::1",
                0,
                "1:pkvHqCL88/tg1k4cPigmZXUtL00=",
            ),
            (
                6,
                "2001:db8::1",
                443,
                "2001:db8::2",
                51_000,
                "1:2TiKiiiSIuDma9IxOEOpx4wCXWM=",
            ),
        ] {
            let address = |text: &str| text.parse::<IpAddr>().unwrap().into();
            let (from, to) = ((address(from), from_port), (address(to), to_port));
            assert_eq!(community_id(from, to, Transport(transport)), id);
            if transport == 6 || transport == 17 {
                assert_eq!(
                    community_id(to, from, Transport(transport)),
                    id,
                    "both directions alike"
                );
            }
        }
        let reply = |kind| {
            let (host, server) = (
                "192.168.0.1".parse::<IpAddr>().unwrap(),
                "192.168.0.89".parse::<IpAddr>().unwrap(),
            );
            community_id((host.into(), kind), (server.into(), 0), Transport(1))
        };
        assert_eq!(reply(0), "1:X0snYXpgwiv9TZtqg64sgzUn6Dk=");
    }
}

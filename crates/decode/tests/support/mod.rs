//! Frames for the tests, built layer by layer from the inside out, with true lengths.
//!
//! In: the layer's own fields and the bytes it carries. Out: bytes. Not its job: checksums, which nothing here reads.

// Every test file is its own crate and uses some of this.
#![allow(dead_code, reason = "each test crate uses a part of the builders")]

pub(crate) mod check;

use balefire_decode::{Address, Frame, LinkType};

pub(crate) const IPV4: u16 = 0x0800;
pub(crate) const IPV6: u16 = 0x86dd;

/// A frame captured whole.
pub(crate) fn whole(link: LinkType, bytes: &[u8]) -> Frame<'_> {
    Frame {
        link,
        bytes,
        wire_bytes: bytes.len() as u32,
    }
}

pub(crate) fn ethernet(ether_type: u16, inside: &[u8]) -> Vec<u8> {
    [
        &[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2],
        ether_type.to_be_bytes().as_slice(),
        inside,
    ]
    .concat()
}

pub(crate) fn vlan(ether_type: u16, inside: &[u8]) -> Vec<u8> {
    [&[0, 100], ether_type.to_be_bytes().as_slice(), inside].concat()
}

pub(crate) fn llc_snap(ether_type: u16, inside: &[u8]) -> Vec<u8> {
    [&[0xaa, 0xaa, 3, 0, 0, 0], ether_type.to_be_bytes().as_slice(), inside].concat()
}

/// The two ends all IPv4 frames here have, told apart by `tag`.
pub(crate) fn ends_4(tag: u8) -> (Address, Address) {
    (Address::v4([10, 0, tag, 1]), Address::v4([10, 0, tag, 2]))
}

/// The two ends all IPv6 frames here have, told apart by `tag`.
pub(crate) fn ends_6(tag: u8) -> (Address, Address) {
    let end = |last| Address::v6([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, tag, last]);
    (end(1), end(2))
}

pub(crate) fn ipv4(tag: u8, protocol: u8, inside: &[u8]) -> Vec<u8> {
    ipv4_fragment(tag, protocol, 0, inside)
}

/// `flags_offset` is the field as it stands in the header.
pub(crate) fn ipv4_fragment(tag: u8, protocol: u8, flags_offset: u16, inside: &[u8]) -> Vec<u8> {
    let total = (20 + inside.len() as u16).to_be_bytes();
    let offset = flags_offset.to_be_bytes();
    let head = [
        0x45, 0, total[0], total[1], 0, 7, offset[0], offset[1], 64, protocol, 0, 0,
    ];
    [head.as_slice(), &[10, 0, tag, 1], &[10, 0, tag, 2], inside].concat()
}

pub(crate) fn ipv6(tag: u8, next: u8, inside: &[u8]) -> Vec<u8> {
    let length = (inside.len() as u16).to_be_bytes();
    let (src, dst) = ends_6(tag);
    [
        &[0x60, 0, 0, 0, length[0], length[1], next, 64][..],
        &src.octets(),
        &dst.octets(),
        inside,
    ]
    .concat()
}

pub(crate) fn udp(src_port: u16, dst_port: u16, inside: &[u8]) -> Vec<u8> {
    let length = 8 + inside.len() as u16;
    let mut bytes = Vec::new();
    for field in [src_port, dst_port, length, 0] {
        bytes.extend(field.to_be_bytes());
    }
    bytes.extend(inside);
    bytes
}

/// A segment with sequence 0x01020304, acknowledgement 0x05060708, flags PSH and ACK, window 0x1000.
pub(crate) fn tcp(src_port: u16, dst_port: u16, inside: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(src_port.to_be_bytes());
    bytes.extend(dst_port.to_be_bytes());
    bytes.extend([1, 2, 3, 4, 5, 6, 7, 8, 0x50, 0x18, 0x10, 0, 0, 0, 0, 0]);
    bytes.extend(inside);
    bytes
}

/// The innermost conversation of the tunnel tests: UDP between [`ends_4`] of 9, ports 1111 and 2222, 5 bytes.
pub(crate) fn inner_4() -> Vec<u8> {
    ipv4(9, 17, &udp(1111, 2222, b"hello"))
}

/// The same over IPv6.
pub(crate) fn inner_6() -> Vec<u8> {
    ipv6(9, 17, &udp(1111, 2222, b"hello"))
}

//! One planned packet -> the bytes of its Ethernet frame, with true lengths and checksums.
//!
//! In: a [`Segment`]. Out: bytes appended to a buffer. Not its job: when, and what is said.

use balefire_decode::{Address, Transport};

/// Headers that a host's packets carry around IP on this tap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrap {
    /// Ethernet and IP.
    Plain,
    /// An 802.1Q tag with this VLAN.
    Vlan(u16),
    /// GRE between two routers of the site (RFC 2784).
    Gre,
    /// VXLAN with this network identifier (RFC 7348).
    Vxlan(u32),
}

/// The two ends of a conversation; `inside` is the host behind the tap.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flow {
    pub(super) inside: Address,
    pub(super) outside: Address,
    pub(super) inside_port: u16,
    pub(super) outside_port: u16,
    pub(super) transport: Transport,
    pub(super) wrap: Wrap,
}

/// The TCP fields that change from segment to segment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TcpFields {
    pub(super) flags: u8,
    pub(super) sequence: u32,
    pub(super) acknowledgement: u32,
}

/// Bytes of a payload: what matters first, then filler drawn from `salt` when the frame is written.
#[derive(Clone, Debug, Default)]
pub(super) struct Payload {
    pub(super) head: Vec<u8>,
    pub(super) filler_bytes: u32,
    pub(super) salt: u32,
}

impl Payload {
    pub(super) fn len(&self) -> usize {
        self.head.len() + self.filler_bytes as usize
    }
}

impl From<Vec<u8>> for Payload {
    fn from(head: Vec<u8>) -> Self {
        Self {
            head,
            filler_bytes: 0,
            salt: 0,
        }
    }
}

/// One packet to come.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) flow: Flow,
    /// From the host inside to the outside.
    pub(super) outbound: bool,
    /// TCP fields; for ICMP echo `sequence` holds identifier and sequence number.
    pub(super) tcp: TcpFields,
    pub(super) payload: Payload,
}

const ETHERNET_BYTES: usize = 14;
const UDP_BYTES: usize = 8;
const ICMP_BYTES: usize = 8;
const GRE_BYTES: usize = 4;
const VXLAN_BYTES: usize = 8;

/// The shortest Ethernet frame without its checksum (IEEE 802.3, 3.2.7): a tap sees the padding.
const SHORTEST_FRAME_BYTES: usize = 60;

/// MSS 1460, SACK permitted, window scale 7 with padding: what a common system sends with SYN.
const SYN_OPTIONS: [u8; 12] = [2, 4, 0x05, 0xb4, 4, 2, 1, 3, 3, 7, 1, 1];

/// The routers at both ends of the site's tunnels.
const TUNNEL_ENDS: [Address; 2] = [Address::v4([10, 255, 0, 1]), Address::v4([10, 255, 0, 2])];

const SYN: u8 = 0x02;

/// Appends the frame of `segment` to `out` and returns its length.
pub(super) fn write(segment: &Segment, out: &mut Vec<u8>) -> usize {
    let start = out.len();
    let flow = &segment.flow;
    let inner = ip_bytes(segment);
    let ends = if segment.outbound {
        TUNNEL_ENDS
    } else {
        [TUNNEL_ENDS[1], TUNNEL_ENDS[0]]
    };
    match flow.wrap {
        Wrap::Plain => ethernet(out, segment, None),
        Wrap::Vlan(tag) => ethernet(out, segment, Some(tag)),
        Wrap::Gre => {
            router_ethernet(out);
            ipv4(out, ends, 47, GRE_BYTES + inner, 64);
            out.extend_from_slice(&[0, 0]);
            out.extend_from_slice(&ether_type(flow).to_be_bytes());
        }
        Wrap::Vxlan(network) => {
            router_ethernet(out);
            let datagram = UDP_BYTES + VXLAN_BYTES + ETHERNET_BYTES + inner;
            ipv4(out, ends, Transport::UDP.0, datagram, 64);
            // The source port carries the flow's entropy; checksum 0 as RFC 7348 section 5 asks.
            out.extend_from_slice(&(49_152 + flow.inside_port % 16_384).to_be_bytes());
            out.extend_from_slice(&4789u16.to_be_bytes());
            out.extend_from_slice(&(datagram as u16).to_be_bytes());
            out.extend_from_slice(&[0, 0, 0x08, 0, 0, 0]);
            out.extend_from_slice(&(network << 8).to_be_bytes());
            ethernet(out, segment, None);
        }
    }
    ip(out, segment);
    if out.len() - start < SHORTEST_FRAME_BYTES {
        out.resize(start + SHORTEST_FRAME_BYTES, 0);
    }
    out.len() - start
}

fn ether_type(flow: &Flow) -> u16 {
    if flow.inside.is_v4() { 0x0800 } else { 0x86dd }
}

fn ethernet(out: &mut Vec<u8>, segment: &Segment, tag: Option<u16>) {
    let flow = &segment.flow;
    let octets = flow.inside.octets();
    // Locally administered addresses: the host's from its IP address, the gateway's fixed.
    let host = [0x02, 0x10, octets[12], octets[13], octets[14], octets[15]];
    let gateway = match flow.outside.octets() {
        // RFC 1112 section 6.4: the low 23 bits of a multicast group.
        [.., 224..=239, b, c, d] if flow.outside.is_v4() => [0x01, 0x00, 0x5e, b & 0x7f, c, d],
        _ => [0x02, 0, 0, 0, 0, 0x01],
    };
    let (to, from) = if segment.outbound {
        (gateway, host)
    } else {
        (host, gateway)
    };
    out.extend_from_slice(&to);
    out.extend_from_slice(&from);
    if let Some(tag) = tag {
        out.extend_from_slice(&0x8100u16.to_be_bytes());
        out.extend_from_slice(&(tag & 0x0fff).to_be_bytes());
    }
    out.extend_from_slice(&ether_type(flow).to_be_bytes());
}

/// Ethernet between the two routers that end the tunnels.
fn router_ethernet(out: &mut Vec<u8>) {
    out.extend_from_slice(&[0x02, 0, 0, 0, 0, 0x02, 0x02, 0, 0, 0, 0, 0x01, 0x08, 0x00]);
}

fn transport_bytes(segment: &Segment) -> usize {
    let header = match segment.flow.transport {
        Transport::TCP if segment.tcp.flags & SYN != 0 => 20 + SYN_OPTIONS.len(),
        Transport::TCP => 20,
        Transport::UDP => UDP_BYTES,
        _ => ICMP_BYTES,
    };
    header + segment.payload.len()
}

fn ip_bytes(segment: &Segment) -> usize {
    let header = if segment.flow.inside.is_v4() { 20 } else { 40 };
    header + transport_bytes(segment)
}

fn ip(out: &mut Vec<u8>, segment: &Segment) {
    let flow = &segment.flow;
    let length = transport_bytes(segment);
    let hops = if segment.outbound { 64 } else { 52 };
    let (src, dst) = if segment.outbound {
        (flow.inside, flow.outside)
    } else {
        (flow.outside, flow.inside)
    };
    if flow.inside.is_v4() {
        ipv4(out, [src, dst], flow.transport.0, length, hops);
    } else {
        out.extend_from_slice(&[0x60, 0, 0, 0]);
        out.extend_from_slice(&(length as u16).to_be_bytes());
        out.extend_from_slice(&[flow.transport.0, hops]);
        out.extend_from_slice(&src.octets());
        out.extend_from_slice(&dst.octets());
    }
    let start = out.len();
    let checksum_at = match flow.transport {
        Transport::TCP => tcp(out, segment),
        Transport::UDP => udp(out, segment, length),
        _ => icmp(out, segment),
    };
    payload(out, &segment.payload);
    let pseudo = pseudo_header_sum(flow, length);
    let mut sum = checksum(pseudo, &out[start..]);
    if flow.transport == Transport::UDP && sum == 0 {
        sum = 0xffff;
    }
    out[start + checksum_at..start + checksum_at + 2].copy_from_slice(&sum.to_be_bytes());
}

fn ipv4(out: &mut Vec<u8>, [src, dst]: [Address; 2], protocol: u8, payload_bytes: usize, hops: u8) {
    let start = out.len();
    out.extend_from_slice(&[0x45, 0]);
    out.extend_from_slice(&((20 + payload_bytes) as u16).to_be_bytes());
    // Identification 0 with "do not fragment", as RFC 6864 allows for atomic datagrams.
    out.extend_from_slice(&[0, 0, 0x40, 0, hops, protocol, 0, 0]);
    out.extend_from_slice(&src.octets()[12..]);
    out.extend_from_slice(&dst.octets()[12..]);
    let sum = checksum(0, &out[start..]);
    out[start + 10..start + 12].copy_from_slice(&sum.to_be_bytes());
}

/// Each header writer leaves its checksum 0 and returns where it is.
fn tcp(out: &mut Vec<u8>, segment: &Segment) -> usize {
    ports(out, segment);
    let fields = &segment.tcp;
    let options: &[u8] = if fields.flags & SYN != 0 { &SYN_OPTIONS } else { &[] };
    out.extend_from_slice(&fields.sequence.to_be_bytes());
    out.extend_from_slice(&fields.acknowledgement.to_be_bytes());
    out.extend_from_slice(&[(((20 + options.len()) / 4) << 4) as u8, fields.flags]);
    out.extend_from_slice(&0xfaf0u16.to_be_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(options);
    16
}

fn udp(out: &mut Vec<u8>, segment: &Segment, length: usize) -> usize {
    ports(out, segment);
    out.extend_from_slice(&(length as u16).to_be_bytes());
    out.extend_from_slice(&[0; 2]);
    6
}

fn icmp(out: &mut Vec<u8>, segment: &Segment) -> usize {
    let kind = match (segment.flow.transport, segment.outbound) {
        (Transport::ICMP6, true) => 128,
        (Transport::ICMP6, false) => 129,
        (_, true) => 8,
        (_, false) => 0,
    };
    out.extend_from_slice(&[kind, 0, 0, 0]);
    out.extend_from_slice(&segment.tcp.sequence.to_be_bytes());
    2
}

fn ports(out: &mut Vec<u8>, segment: &Segment) {
    let flow = &segment.flow;
    let (src, dst) = if segment.outbound {
        (flow.inside_port, flow.outside_port)
    } else {
        (flow.outside_port, flow.inside_port)
    };
    out.extend_from_slice(&src.to_be_bytes());
    out.extend_from_slice(&dst.to_be_bytes());
}

fn payload(out: &mut Vec<u8>, payload: &Payload) {
    out.extend_from_slice(&payload.head);
    let mut left = payload.filler_bytes as usize;
    let mut state = (u64::from(payload.salt) << 1) | 1;
    while left > 0 {
        // Xorshift64 (Marsaglia, 2003): ciphertext only has to look like noise.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let take = left.min(8);
        out.extend_from_slice(&state.to_le_bytes()[..take]);
        left -= take;
    }
}

/// The sum over the pseudo-header of RFC 9293 section 3.1 and RFC 8200 section 8.1; ICMP for IPv4 has none.
fn pseudo_header_sum(flow: &Flow, length: usize) -> u64 {
    if flow.transport == Transport::ICMP {
        return 0;
    }
    let used = if flow.inside.is_v4() { 12 } else { 0 };
    let addresses = word_sum(&flow.inside.octets()[used..]) + word_sum(&flow.outside.octets()[used..]);
    addresses + u64::from(flow.transport.0) + length as u64
}

/// The Internet checksum (RFC 1071) of `bytes`, starting from `sum`.
fn checksum(sum: u64, bytes: &[u8]) -> u16 {
    let mut sum = sum + word_sum(bytes);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// Sum of big-endian 16-bit words; taken four bytes at a time, which RFC 1071 section 2 (B) permits.
fn word_sum(bytes: &[u8]) -> u64 {
    let mut chunks = bytes.chunks_exact(4);
    let mut sum = 0;
    for chunk in &mut chunks {
        sum += u64::from(u32::from_be_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]));
    }
    let mut last = [0; 4];
    let rest = chunks.remainder();
    last[..rest.len()].copy_from_slice(rest);
    sum += u64::from(u32::from_be_bytes(last));
    (sum & 0xffff) + ((sum >> 16) & 0xffff) + (sum >> 32)
}

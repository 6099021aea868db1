//! The nouns of this crate: what goes in ([`Frame`]), what comes out ([`Packet`], [`Outermost`]).
//!
//! Why not is [`crate::Reject`]. Not its job: reading any byte.

use crate::Address;

/// The link type of a frame, as capture files number them (LINKTYPE_ values, <https://www.tcpdump.org/linktypes.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkType(pub u16);

impl LinkType {
    /// BSD loopback: the address family in the capturing host's byte order, then IP.
    pub const NULL: Self = Self(0);
    /// Ethernet.
    pub const ETHERNET: Self = Self(1);
    /// IP without a link header, the version decides.
    pub const RAW: Self = Self(101);
    /// Linux cooked capture.
    pub const LINUX_SLL: Self = Self(113);
    /// Linux cooked capture, version 2.
    pub const LINUX_SLL2: Self = Self(276);
}

/// One captured frame, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// How to read the first byte.
    pub link: LinkType,
    /// What was captured; may be cut by the snap length.
    pub bytes: &'a [u8],
    /// The frame's length on the wire, in bytes.
    pub wire_bytes: u32,
}

/// The transport protocol: the IP protocol number of the header after all extension headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Transport(pub u8);

impl Transport {
    /// ICMP for IPv4.
    pub const ICMP: Self = Self(1);
    /// TCP.
    pub const TCP: Self = Self(6);
    /// UDP.
    pub const UDP: Self = Self(17);
    /// ICMP for IPv6.
    pub const ICMP6: Self = Self(58);

    /// `tcp`, `udp`, `icmp`, `icmp6`, or `ip` for any other number.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TCP => "tcp",
            Self::UDP => "udp",
            Self::ICMP => "icmp",
            Self::ICMP6 => "icmp6",
            _ => "ip",
        }
    }
}

/// Bits of [`Packet::tcp_flags`], as in the TCP header.
pub mod tcp_flags {
    /// No more data from the sender.
    pub const FIN: u8 = 0x01;
    /// Synchronise sequence numbers.
    pub const SYN: u8 = 0x02;
    /// Reset.
    pub const RST: u8 = 0x04;
    /// Push.
    pub const PSH: u8 = 0x08;
    /// The acknowledgement field counts.
    pub const ACK: u8 = 0x10;
}

/// Where a packet stands in a fragmented datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FragmentPlace {
    /// Not a fragment.
    Whole,
    /// The first fragment: it has the transport header, so ports are known.
    First,
    /// A later fragment: ports are 0 until the [`crate::FragmentTable`] finds the first one.
    Later,
}

/// What the later stages know of one packet: the innermost conversation's facts. Plain data, no borrow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Source address of the innermost IP header.
    pub src: Address,
    /// Destination address of the innermost IP header.
    pub dst: Address,
    /// Source port; for ICMP the type.
    pub src_port: u16,
    /// Destination port; for ICMP the code.
    pub dst_port: u16,
    /// Transport protocol.
    pub transport: Transport,
    /// TCP flags, see [`tcp_flags`]; 0 for others.
    pub tcp_flags: u8,
    /// Whether this is a fragment.
    pub fragment: FragmentPlace,
    /// Tunnel headers crossed on the way in; 0 for a plain packet.
    pub tunnels: u8,
    /// TCP sequence number; for ICMP echo `identifier << 16 | sequence`.
    pub sequence: u32,
    /// TCP acknowledgement number.
    pub acknowledgement: u32,
    /// TCP window, unscaled.
    pub window: u16,
    /// Offset of the fragment in its datagram, in units of 8 bytes.
    pub fragment_offset: u16,
    /// IP payload bytes of the fragment on the wire, transport header included; 0 for a whole packet.
    pub fragment_bytes: u16,
    /// Identification of the fragmented datagram; 0 for a whole packet.
    pub fragment_id: u32,
    /// Where the transport payload begins in the frame's captured bytes.
    pub payload_offset: u32,
    /// Payload bytes that were captured, from `payload_offset` on; trailing link-layer padding is not payload.
    pub payload_captured: u32,
    /// Payload bytes on the wire, from the length fields; what connection byte counts use.
    pub payload_bytes: u32,
    /// Bytes of the innermost IP packet on the wire, header included.
    pub ip_bytes: u32,
}

impl Packet {
    /// A packet of which nothing is known: where one is filled in step by step, and for arrays before their first use.
    pub const BLANK: Self = Self {
        src: Address::UNSPECIFIED,
        dst: Address::UNSPECIFIED,
        src_port: 0,
        dst_port: 0,
        transport: Transport(0),
        tcp_flags: 0,
        fragment: FragmentPlace::Whole,
        tunnels: 0,
        sequence: 0,
        acknowledgement: 0,
        window: 0,
        fragment_offset: 0,
        fragment_bytes: 0,
        fragment_id: 0,
        payload_offset: 0,
        payload_captured: 0,
        payload_bytes: 0,
        ip_bytes: 0,
    };
}

/// The outermost IP header of a frame, which is what counting tools count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outermost {
    /// 4 or 6.
    pub version: u8,
    /// The protocol after extension headers; `None` for a later fragment or where the header is not reached.
    pub transport: Option<Transport>,
    /// Source address; [`Address::UNSPECIFIED`] if the header does not hold it.
    pub src: Address,
    /// Destination address; [`Address::UNSPECIFIED`] if the header does not hold it.
    pub dst: Address,
}

impl Outermost {
    /// The address pair, lesser first, so that both directions are one pair; `None` where the header holds no source.
    pub fn pair(&self) -> Option<(Address, Address)> {
        if self.src == Address::UNSPECIFIED && self.dst == Address::UNSPECIFIED {
            return None;
        }
        Some(if self.src <= self.dst {
            (self.src, self.dst)
        } else {
            (self.dst, self.src)
        })
    }
}

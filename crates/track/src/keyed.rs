//! What the tracker needs of one packet, and nothing else: 80 bytes that cross threads where 24 of a record and two lines of
//! the frame's headers would.
//!
//! In: a decoded [`Packet`]. Out: [`KeyedPacket`]: its conversation's key and that key's hash, its times and lengths, and where its
//! payload lies. Whoever decodes, on whatever thread, makes them with the [`KeyHasher`] of the tracker that takes them. Not
//! its job: reading bytes.

use balefire_decode::{Address, FragmentPlace, Packet, Transport};

use crate::key::{KeyHasher, Keyed, address_of};

/// One packet as a [`crate::Tracker`] takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyedPacket {
    /// Packet time, nanoseconds since 1970-01-01 UTC.
    pub time_ns: i64,
    /// Of the key, by the hasher of its tracker.
    pub(crate) hash: u64,
    /// See `Key::addresses`.
    pub(crate) addresses: [u64; 4],
    /// See `Key::ports`.
    pub(crate) ports: u32,
    /// TCP sequence number; for ICMP echo `identifier << 16 | sequence`.
    pub(crate) sequence: u32,
    /// Bytes of the IP packet on the wire.
    pub(crate) ip_bytes: u32,
    /// Payload bytes on the wire.
    pub(crate) payload_bytes: u32,
    /// Payload bytes that were captured.
    pub(crate) payload_captured: u32,
    /// Where they begin in the bytes that go with the packet.
    pub(crate) payload_offset: u32,
    pub(crate) src_port: u16,
    pub(crate) dst_port: u16,
    pub(crate) transport: Transport,
    pub(crate) tcp_flags: u8,
    pub(crate) fragment: FragmentPlace,
    /// The sender is the key's higher end.
    pub(crate) from_high: bool,
}

const _: () = assert!(size_of::<KeyedPacket>() == 80 && size_of::<Option<KeyedPacket>>() == 80);

impl KeyedPacket {
    /// A packet of which nothing is known, for arrays before their first use.
    pub const BLANK: Self = Self {
        time_ns: 0,
        hash: 0,
        addresses: [0; 4],
        ports: 0,
        sequence: 0,
        ip_bytes: 0,
        payload_bytes: 0,
        payload_captured: 0,
        payload_offset: 0,
        src_port: 0,
        dst_port: 0,
        transport: Transport(0),
        tcp_flags: 0,
        fragment: FragmentPlace::Whole,
        from_high: false,
    };

    /// The packet of a frame that begins at `frame_offset` of the bytes that go with it.
    #[inline(always)]
    pub fn new(packet: &Packet, time_ns: i64, frame_offset: u32, hasher: &KeyHasher) -> Self {
        let Keyed { key, from_high } = Keyed::of(packet);
        Self {
            time_ns,
            hash: hasher.hash(&key),
            addresses: key.addresses,
            ports: key.ports,
            sequence: packet.sequence,
            ip_bytes: packet.ip_bytes,
            payload_bytes: packet.payload_bytes,
            payload_captured: packet.payload_captured,
            payload_offset: packet.payload_offset.saturating_add(frame_offset),
            src_port: packet.src_port,
            dst_port: packet.dst_port,
            transport: packet.transport,
            tcp_flags: packet.tcp_flags,
            fragment: packet.fragment,
            from_high,
        }
    }

    /// The addresses of both ends, the lower one first.
    #[inline]
    pub fn ends(&self) -> (Address, Address) {
        let [a, b, c, d] = self.addresses;
        (address_of(a, b), address_of(c, d))
    }
}

/// A packet with the bytes it is of: what [`crate::Tracker::take`] takes.
#[derive(Clone, Copy, Debug)]
pub struct Ready<'a> {
    /// The packet.
    pub packet: &'a KeyedPacket,
    /// Bytes that its payload lies in.
    pub bytes: &'a [u8],
}

impl<'a> Ready<'a> {
    /// A packet of which nothing is known, for arrays before their first use.
    pub const BLANK: Self = Self {
        packet: &KeyedPacket::BLANK,
        bytes: &[],
    };

    /// What was captured of its payload.
    #[inline]
    pub fn payload(&self) -> &'a [u8] {
        let start = self.packet.payload_offset as usize;
        let end = start
            .saturating_add(self.packet.payload_captured as usize)
            .min(self.bytes.len());
        self.bytes.get(start..end).unwrap_or_default()
    }
}

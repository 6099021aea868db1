//! Which conversation a packet belongs to: one key for both directions, and its seeded hash.
//!
//! In: a packet. Out: [`Keyed`]: the key, and from which of its two ends the packet came. ICMP messages that ask and
//! answer (RFC 792, RFC 4443) share a key, echoes by their identifier; an error is a conversation of its own, not one
//! of the packet it quotes.

use balefire_decode::{Address, Packet, Transport};

/// Both ends, ordered, and the transport. Equal keys are the same conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// The lower end's address, then the higher one's, as big-endian halves.
    pub(crate) addresses: [u64; 4],
    /// The lower end's port and, in the upper half, the higher one's; for ICMP the request's type and, in the upper
    /// half, the identifier (echo) or the code.
    pub(crate) ports: u32,
    /// Transport number.
    pub(crate) transport: u8,
}

/// A packet's key and where in it the packet's sender stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keyed {
    pub(crate) key: Key,
    /// The sender is the key's higher end.
    pub(crate) from_high: bool,
}

impl Keyed {
    #[inline]
    pub(crate) fn of(packet: &Packet) -> Self {
        if matches!(packet.transport, Transport::ICMP | Transport::ICMP6) {
            return Self::of_icmp(packet);
        }
        let (src, dst) = (packet.src.bits(), packet.dst.bits());
        let from_high = (src, packet.src_port) > (dst, packet.dst_port);
        let (low, high) = if from_high { (dst, src) } else { (src, dst) };
        let (low_port, high_port) = if from_high {
            (packet.dst_port, packet.src_port)
        } else {
            (packet.src_port, packet.dst_port)
        };
        let ports = u32::from(low_port) | u32::from(high_port) << 16;
        Self {
            key: Key::new(low, high, ports, packet.transport),
            from_high,
        }
    }

    fn of_icmp(packet: &Packet) -> Self {
        let message = IcmpMessage::of(packet.transport, packet.src_port);
        let (src, dst) = (packet.src.bits(), packet.dst.bits());
        // A host that pings itself: only the message tells the two ends apart.
        let from_high = src > dst || (src == dst && message.is_reply);
        let (low, high) = if src > dst { (dst, src) } else { (src, dst) };
        let distinction = if message.is_echo {
            packet.sequence >> 16
        } else {
            u32::from(packet.dst_port)
        };
        let ports = u32::from(message.request_type) | (distinction & 0xffff) << 16;
        Self {
            key: Key::new(low, high, ports, packet.transport),
            from_high,
        }
    }
}

impl Key {
    fn new(low: u128, high: u128, ports: u32, transport: Transport) -> Self {
        let halves = |bits: u128| [(bits >> 64) as u64, bits as u64];
        let ([a, b], [c, d]) = (halves(low), halves(high));
        Self {
            addresses: [a, b, c, d],
            ports,
            transport: transport.0,
        }
    }

    /// The address and port of one end, as packets carry them.
    pub(crate) fn end(&self, high: bool) -> (Address, u16) {
        let [a, b, c, d] = self.addresses;
        let (first, second, port) = if high {
            (c, d, self.ports >> 16)
        } else {
            (a, b, self.ports & 0xffff)
        };
        (address_of(first, second), port as u16)
    }
}

/// The address whose halves these are.
#[inline]
pub(crate) fn address_of(upper: u64, lower: u64) -> Address {
    Address::of_bits(u128::from(upper) << 64 | u128::from(lower))
}

/// What an ICMP message is in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IcmpMessage {
    /// The type of the question; its own type for all that are not answers.
    pub(crate) request_type: u16,
    /// It answers.
    pub(crate) is_reply: bool,
    /// Echo or echo reply: it carries an identifier.
    pub(crate) is_echo: bool,
    /// It reports an error and quotes a packet.
    pub(crate) is_error: bool,
}

impl IcmpMessage {
    pub(crate) const fn of(transport: Transport, message_type: u16) -> Self {
        let (request_type, is_reply) = if transport.0 == Transport::ICMP.0 {
            match message_type {
                // Echo, timestamp, information, mask (RFC 792, RFC 950), router discovery (RFC 1256).
                0 => (8, true),
                14 => (13, true),
                16 => (15, true),
                18 => (17, true),
                9 => (10, true),
                other => (other, false),
            }
        } else {
            match message_type {
                // Echo (RFC 4443), listener report (RFC 2710), router and neighbour advertisement (RFC 4861).
                129 => (128, true),
                131 => (130, true),
                134 => (133, true),
                136 => (135, true),
                other => (other, false),
            }
        };
        let v4 = transport.0 == Transport::ICMP.0;
        let is_echo = request_type == if v4 { 8 } else { 128 };
        // ICMPv6 errors are the types below 128 (RFC 4443 section 2.1).
        let is_error = if v4 {
            matches!(message_type, 3 | 4 | 5 | 11 | 12)
        } else {
            message_type < 128
        };
        Self {
            request_type,
            is_reply,
            is_echo,
            is_error,
        }
    }
}

/// Hashes the keys of conversations for one tracker: seeded multiply-and-fold (the construction of wyhash and foldhash);
/// without the seeds, colliding keys cannot be chosen.
#[derive(Clone, Copy, Debug)]
pub struct KeyHasher {
    seeds: [u64; 6],
}

impl KeyHasher {
    /// For the trackers with this [`crate::Settings::seed`].
    pub fn new(seed: u64) -> Self {
        // SplitMix64 spreads one seed over six (Steele, Lea, Flood, OOPSLA 2014).
        let mut state = seed;
        let seeds = std::array::from_fn(|_| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        });
        Self { seeds }
    }

    #[inline]
    pub(crate) fn hash(&self, key: &Key) -> u64 {
        let [a, b, c, d] = key.addresses;
        let [s0, s1, s2, s3, s4, s5] = self.seeds;
        let rest = u64::from(key.ports) | u64::from(key.transport) << 32;
        let ends = fold(a ^ s0, b ^ s1) ^ fold(c ^ s2, d ^ s3).rotate_left(29);
        fold(ends ^ s4, rest ^ s5)
    }
}

#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

//! ICMP echo requests and replies: how much they carry, and whether it is the same again.
//!
//! In: one message's header fields and its captured data. Out: an [`Echo`]. Not its job: matching replies with requests.
//!
//! The data itself is not told: two digests of its beginning tell whether a reply returns what was sent, and whether the next
//! request repeats the last one.

use balefire_decode::Transport;

use crate::{Echo, KeyedPacket};

/// The message in `packet`, with this data; none if it is no echo, or carries nothing.
pub(crate) fn read(packet: &KeyedPacket, data: &[u8]) -> Option<Echo> {
    let is_reply = match (packet.transport, packet.src_port) {
        (Transport::ICMP, 8) | (Transport::ICMP6, 128) => false,
        (Transport::ICMP, 0) | (Transport::ICMP6, 129) => true,
        _ => return None,
    };
    let sample = &data[..data.len().min(Echo::SAMPLE_BYTES)];
    Some(Echo {
        is_reply,
        identifier: (packet.sequence >> 16) as u16,
        sequence: packet.sequence as u16,
        payload_bytes: packet.payload_bytes,
        head: digest(sample),
        pattern: digest(sample.get(Echo::STAMP_BYTES..).unwrap_or_default()),
    })
}

/// FNV-1a, folded to 32 bits; 0 for nothing only. Not seeded: who makes two of his own messages collide hides nothing else.
fn digest(data: &[u8]) -> u32 {
    if data.is_empty() {
        return 0;
    }
    let hash = data.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    ((hash ^ (hash >> 32)) as u32).max(1)
}

#[cfg(test)]
mod tests {
    use balefire_decode::Packet;

    use super::*;
    use crate::KeyHasher;

    fn read(packet: &Packet, data: &[u8]) -> Option<Echo> {
        super::read(&KeyedPacket::new(packet, 0, 0, &KeyHasher::new(0)), data)
    }

    fn request(data: &[u8]) -> Option<Echo> {
        let packet = Packet {
            transport: Transport::ICMP,
            src_port: 8,
            sequence: 0x1234_0007,
            payload_bytes: data.len() as u32,
            ..Packet::BLANK
        };
        read(&packet, data)
    }

    #[test]
    fn a_time_stamp_changes_the_head_and_not_the_pattern() {
        let mut data: Vec<u8> = (0..56).collect();
        let one = request(&data).unwrap();
        data[3] ^= 0xff;
        let two = request(&data).unwrap();
        assert_eq!((one.identifier, one.sequence, one.payload_bytes), (0x1234, 7, 56));
        assert!(one.head != two.head && one.pattern == two.pattern);
        data[40] ^= 0xff;
        assert_ne!(request(&data).unwrap().pattern, one.pattern);
    }

    #[test]
    fn other_messages_and_short_data() {
        let unreachable = Packet {
            transport: Transport::ICMP,
            src_port: 3,
            ..Packet::BLANK
        };
        assert_eq!(read(&unreachable, &[1; 40]), None);
        let short = request(&[1, 2, 3]).unwrap();
        assert!(short.head != 0 && short.pattern == 0);
        assert_eq!(request(&[]).unwrap().head, 0);
    }
}

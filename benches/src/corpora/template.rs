//! The shortest TCP frame, with the fields that change written into it.
//!
//! In: addresses, ports, flags. Out: 60 bytes (64 with the checksum a network card takes off). Not its job: anything else.

/// Bytes of such a frame as captured.
pub(super) const FRAME_BYTES: usize = 60;

/// Payload that fills it: 60 less Ethernet, IPv4 and TCP.
const PAYLOAD_BYTES: u16 = 6;

pub(super) const SYN: u8 = 0x02;
pub(super) const ACK: u8 = 0x10;

/// The fields of one segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields {
    pub(super) src: [u8; 4],
    pub(super) dst: [u8; 4],
    pub(super) src_port: u16,
    pub(super) dst_port: u16,
    pub(super) flags: u8,
    pub(super) sequence: u32,
}

/// The frame of `fields`, checksums right. A SYN has no payload, only padding.
pub(super) fn frame(fields: &Fields) -> [u8; FRAME_BYTES] {
    let payload = if fields.flags & SYN == 0 { PAYLOAD_BYTES } else { 0 };
    let mut out = [0u8; FRAME_BYTES];
    out[..14].copy_from_slice(&[2, 0, 0, 0, 0, 1, 2, 0x10, 0, 0, 0, 2, 0x08, 0]);
    let ip = &mut out[14..34];
    ip[..2].copy_from_slice(&[0x45, 0]);
    ip[2..4].copy_from_slice(&(40 + payload).to_be_bytes());
    ip[6..10].copy_from_slice(&[0x40, 0, 64, 6]);
    ip[12..16].copy_from_slice(&fields.src);
    ip[16..20].copy_from_slice(&fields.dst);
    let sum = checksum(0, ip);
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    let tcp = &mut out[34..54 + usize::from(payload)];
    tcp[..2].copy_from_slice(&fields.src_port.to_be_bytes());
    tcp[2..4].copy_from_slice(&fields.dst_port.to_be_bytes());
    tcp[4..8].copy_from_slice(&fields.sequence.to_be_bytes());
    tcp[12..16].copy_from_slice(&[0x50, fields.flags, 0xfa, 0xf0]);
    let pseudo = words(&fields.src) + words(&fields.dst) + 6 + u32::from(20 + payload);
    let sum = checksum(pseudo, tcp);
    tcp[16..18].copy_from_slice(&sum.to_be_bytes());
    out
}

fn words(bytes: &[u8]) -> u32 {
    bytes
        .chunks_exact(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
        .sum()
}

/// The Internet checksum (RFC 1071) over an even number of bytes.
fn checksum(start: u32, bytes: &[u8]) -> u16 {
    let sum = start + words(bytes);
    let sum = (sum & 0xffff) + (sum >> 16);
    !((sum & 0xffff) + (sum >> 16)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checked_sum_over_a_right_frame_is_zero() {
        for flags in [SYN, ACK] {
            let (src, dst) = ([10, 1, 2, 3], [198, 18, 255, 254]);
            let frame = frame(&Fields {
                src,
                dst,
                src_port: 65_000,
                dst_port: 443,
                flags,
                sequence: u32::MAX,
            });
            assert_eq!(checksum(0, &frame[14..34]), 0);
            let length = u16::from_be_bytes([frame[16], frame[17]]) - 20;
            let pseudo = words(&src) + words(&dst) + 6 + u32::from(length);
            assert_eq!(checksum(pseudo, &frame[34..34 + usize::from(length)]), 0);
        }
    }
}

//! QUIC's Initial packets (RFC 9000 section 17.2.2, RFC 9369 section 3.2): the client's hello inside them.
//!
//! In: the originator's datagrams. Out: the pieces of the hello with their places. A hello with post-quantum keys takes
//! two packets, and some clients scatter it over many frames in any order; putting it together is the buffer's job,
//! reading it `client_hello`'s.

use super::quic_keys::{DRAFTS, Keys, VERSION_1, VERSION_2};

/// A client pads every datagram with an Initial packet to at least this (RFC 9000 section 14.1).
const LEAST_DATAGRAM_BYTES: u32 = 1200;
/// Bytes of a packet that are deciphered; datagrams are seldom larger than what Ethernet carries.
pub(super) const PAYLOAD_BYTES: usize = 1536;
/// Longest connection identifier (RFC 9000 section 17.2).
const IDENTIFIER_BYTES: usize = 20;
/// Length of the tag at the end of a packet.
const TAG_BYTES: u64 = 16;
const SAMPLE_BYTES: usize = 16;
/// A packet number is taken to be this long when the sample is chosen (RFC 9001 section 5.4.2).
const NUMBER_BYTES: usize = 4;

/// First byte: a long header.
const LONG: u8 = 0x80;
/// First byte: the bit that is always set.
const FIXED: u8 = 0x40;

const FRAME_PADDING: u64 = 0x00;
const FRAME_PING: u64 = 0x01;
const FRAME_ACK: u64 = 0x02;
const FRAME_ACK_ECN: u64 = 0x03;
const FRAME_CRYPTO: u64 = 0x06;
const FRAME_CLOSE: u64 = 0x1c;

/// Whether a datagram may be of the middle of a connection: a short header, of which nothing can be known but two bits,
/// and ciphertext. What begins with readable text is none, but for one in a thousand.
pub(super) fn may_continue(bytes: &[u8], wire_bytes: u32) -> bool {
    /// A first byte, a packet number and what its sample needs (RFC 9001 section 5.4.2).
    const LEAST_BYTES: u32 = 21;
    let is_text = bytes
        .iter()
        .take(8)
        .all(|byte| matches!(byte, b' '..=b'~' | b'\r' | b'\n' | b'\t'));
    wire_bytes >= LEAST_BYTES && !is_text && bytes.first().is_some_and(|first| first & (LONG | FIXED) == FIXED)
}

/// Whether it has a long header: so have all packets before the handshake is complete.
pub(super) const fn has_long_header(bytes: &[u8]) -> bool {
    matches!(bytes, [first, ..] if *first & LONG != 0)
}

/// An Initial packet at the beginning of a datagram.
pub(super) struct Initial<'a> {
    bytes: &'a [u8],
    version: u32,
    destination: &'a [u8],
    number_place: usize,
    /// Number and ciphertext, without the tag, as far as they were captured.
    captured_bytes: usize,
}

impl<'a> Initial<'a> {
    /// `None` if it begins with something else.
    pub(super) fn of(bytes: &'a [u8], wire_bytes: u32) -> Option<Self> {
        if wire_bytes < LEAST_DATAGRAM_BYTES {
            return None;
        }
        let mut rest = Rest(bytes);
        let first = rest.u8()?;
        let version = u32::from_be_bytes(*rest.take(4)?.first_chunk()?);
        let packet_type = first >> 4 & 3;
        let is_initial = match packet_type {
            0 => version == VERSION_1 || DRAFTS.contains(&version),
            1 => version == VERSION_2,
            _ => false,
        };
        if first & (LONG | FIXED) != LONG | FIXED || !is_initial {
            return None;
        }
        let destination = rest.identifier()?;
        rest.identifier()?;
        let token_bytes = rest.number()?;
        rest.take(usize::try_from(token_bytes).ok()?)?;
        let length = rest.number()?;
        let number_place = bytes.len() - rest.0.len();
        let fits = length <= u64::from(wire_bytes).saturating_sub(number_place as u64);
        let payload = length.checked_sub(TAG_BYTES).filter(|_| fits)?;
        Some(Self {
            bytes,
            version,
            destination,
            number_place,
            captured_bytes: rest.0.len().min(usize::try_from(payload).ok()?),
        })
    }

    /// Deciphers the packet and gives the pieces of the hello to `each`, with their offsets. Nothing is given of what
    /// deciphers to no frames: another connection identifier's key was in force by then.
    pub(super) fn pieces(&self, mut each: impl FnMut(usize, &[u8])) -> Option<()> {
        let keys = Keys::of(self.version, self.destination)?;
        let sample_place = self.number_place + NUMBER_BYTES;
        let sample = self
            .bytes
            .get(sample_place..sample_place + SAMPLE_BYTES)?
            .first_chunk()?;
        let mask = keys.header_mask(sample);
        let number_bytes = usize::from((self.bytes[0] ^ mask[0]) & 3) + 1;
        let protected = self
            .bytes
            .get(self.number_place..self.number_place + self.captured_bytes)?;
        let (number, ciphertext) = protected.split_at_checked(number_bytes)?;
        // The first packets of a connection: what was left out of their numbers is zero.
        let number = number
            .iter()
            .zip(&mask[1..])
            .fold(0_u32, |number, (octet, mask)| number << 8 | u32::from(octet ^ mask));
        let mut payload = [0; PAYLOAD_BYTES];
        let payload = &mut payload[..ciphertext.len().min(PAYLOAD_BYTES)];
        payload.copy_from_slice(&ciphertext[..payload.len()]);
        keys.decipher(number, payload);
        walk(payload, |_, _| {})?;
        walk(payload, &mut each)
    }
}

/// Goes through frames, which may be cut. `None` if there is one that an Initial packet may not have.
fn walk(payload: &[u8], mut each: impl FnMut(usize, &[u8])) -> Option<()> {
    let mut rest = Rest(payload);
    while !rest.0.is_empty() {
        let Some(frame) = rest.number() else { break };
        match frame {
            FRAME_PADDING | FRAME_PING => {}
            FRAME_ACK | FRAME_ACK_ECN => {
                if rest.skip_acknowledgement(frame == FRAME_ACK_ECN).is_none() {
                    break;
                }
            }
            FRAME_CRYPTO => {
                let (Some(offset), Some(length)) = (rest.number(), rest.number()) else {
                    break;
                };
                let offset = usize::try_from(offset).ok()?;
                let length = usize::try_from(length).ok()?.min(rest.0.len());
                each(offset, rest.take(length)?);
            }
            FRAME_CLOSE => break,
            _ => return None,
        }
    }
    Some(())
}

/// What is left to read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn u8(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(taken)
    }

    fn identifier(&mut self) -> Option<&'a [u8]> {
        let length = usize::from(self.u8()?);
        self.take(length).filter(|_| length <= IDENTIFIER_BYTES)
    }

    /// An integer of variable length (RFC 9000 section 16).
    fn number(&mut self) -> Option<u64> {
        let first = self.u8()?;
        let more = self.take((1 << (first >> 6)) - 1)?;
        let high = u64::from(first & 0x3f);
        Some(more.iter().fold(high, |number, octet| number << 8 | u64::from(*octet)))
    }

    fn skip_acknowledgement(&mut self, with_ecn: bool) -> Option<()> {
        self.number()?;
        self.number()?;
        let ranges = self.number()?;
        // Each takes at least two bytes: more than there are bytes end in `None` soon.
        for _ in 0..=ranges.saturating_mul(2) {
            self.number()?;
        }
        if with_ecn {
            self.number()?;
            self.number()?;
            self.number()?;
        }
        Some(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same of version 1.
    pub(in super::super) fn packet(number: u16, frames: &[u8]) -> Vec<u8> {
        packet_of(VERSION_1, number, frames)
    }

    /// An Initial packet of a version with these frames, padded to 1,200 bytes; its tag is zeros.
    pub(in super::super) fn packet_of(version: u32, number: u16, frames: &[u8]) -> Vec<u8> {
        let destination = [1, 2, 3, 4, 5, 6, 7, 8];
        // Version 2 numbers the types of packets anew (RFC 9369 section 3.2).
        let mut bytes = vec![if version == VERSION_2 { 0xd1 } else { 0xc1 }];
        bytes.extend(version.to_be_bytes());
        bytes.push(8);
        bytes.extend(destination);
        bytes.extend([0, 0, 0x44, 0x9e]);
        let keys = Keys::of(version, &destination).unwrap();
        let mut payload = frames.to_vec();
        payload.resize(0x49e - 2 - TAG_BYTES as usize, 0);
        // Enciphering and deciphering are the same.
        keys.decipher(u32::from(number), &mut payload);
        let mask = keys.header_mask(payload[2..2 + SAMPLE_BYTES].try_into().unwrap());
        bytes[0] ^= mask[0] & 0xf;
        bytes.extend([(number >> 8) as u8 ^ mask[1], number as u8 ^ mask[2]]);
        bytes.extend(payload);
        bytes.extend([0; TAG_BYTES as usize]);
        bytes
    }

    fn pieces(bytes: &[u8], wire_bytes: u32) -> Option<Vec<(usize, Vec<u8>)>> {
        let mut pieces = Vec::new();
        let initial = Initial::of(bytes, wire_bytes)?;
        initial.pieces(|offset, bytes| pieces.push((offset, bytes.to_vec())))?;
        Some(pieces)
    }

    #[test]
    fn frames_come_out_as_they_went_in() {
        let frames = [
            &[1, 0, 0][..],
            &[2, 5, 0, 1, 0, 0, 0],
            &[6, 3, 20],
            &[8; 20],
            &[3, 5, 0, 0, 0, 1, 2, 3],
            &[6, 0x40, 0, 1, 7],
        ]
        .concat();
        for number in [0, 7, 0x1234] {
            let packet = packet(number, &frames);
            assert_eq!(packet.len(), 1_200);
            let expected = vec![(3, vec![8; 20]), (0, vec![7])];
            assert_eq!(pieces(&packet, 1_200), Some(expected.clone()));
            assert_eq!(pieces(&packet[..700], 1_200), Some(expected));
            // Cut in a frame: what is there of it.
            assert_eq!(pieces(&packet[..40], 1_200), Some(vec![(3, vec![8; 7])]));
            assert_eq!(pieces(&packet, 1_199), None);
        }
        // A frame of later packets: everything of this one is doubtful.
        assert_eq!(pieces(&packet(0, &[6, 0, 1, 7, 8, 0]), 1_200), None);
    }

    #[test]
    fn headers_that_are_no_initial_are_refused() {
        let good = packet(0, &[6, 0, 1, 7]);
        assert!(Initial::of(&good, 1_200).is_some());
        // Short header, no fixed bit, another type, another version, identifiers too long, more than there is.
        for (place, octet) in [(0, 0x40), (0, 0x80), (0, 0xd0), (4, 2), (5, 21), (14, 200), (16, 0x7f)] {
            let mut bad = good.clone();
            bad[place] = octet;
            assert!(Initial::of(&bad, 1_200).is_none(), "{place} {octet}");
        }
        assert!((0..17).all(|end| Initial::of(&good[..end], 1_200).is_none()));
    }

    proptest! {
        #[test]
        fn no_packet_does_harm(
            frames in prop::collection::vec(any::<u8>(), 0..400),
            flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
            cut in 0_usize..1_300,
        ) {
            let mut packet = packet(0, &frames);
            flips.iter().for_each(|(at, with)| *at.get_mut(&mut packet) = *with);
            packet.truncate(cut);
            let _ = pieces(&packet, 1_200);
            let _ = walk(&frames, |_, bytes| assert!(bytes.len() <= frames.len()));
        }
    }
}

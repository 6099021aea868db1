//! The keys of a QUIC client's first packets (RFC 9001 section 5.2, RFC 9369 section 3.3), and what is done with them.
//!
//! In: a version and the connection identifier the client chose. Out: keys, a header's mask, deciphered bytes. These keys
//! are no secret: who sees the packet can derive them. Not its job: whether a packet is genuine; its tag is not checked,
//! because anyone who could forge the packet could forge the tag.

use aes::Aes128;
use aes::cipher::{Array, BlockCipherEncrypt, KeyInit};
use sha2::{Digest, Sha256};

pub(super) const VERSION_1: u32 = 1;
pub(super) const VERSION_2: u32 = 0x6b33_43cf;
/// Drafts 29 to 32 (draft-ietf-quic-tls-29 section 5.2), which clients spoke for years; but for the salt they are version 1.
pub(super) const DRAFTS: std::ops::RangeInclusive<u32> = 0xff00_001d..=0xff00_0020;

const SALT_1: [u8; 20] = [
    0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f,
    0x0a,
];
const SALT_2: [u8; 20] = [
    0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9, 0xbd, 0x2e,
    0xd9,
];
const SALT_DRAFTS: [u8; 20] = [
    0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97, 0x86, 0xf1, 0x9c, 0x61, 0x11, 0xe0, 0x43, 0x90, 0xa8,
    0x99,
];
/// Of key, initialisation vector, header protection key.
const LABELS_1: [&[u8]; 3] = [b"tls13 quic key", b"tls13 quic iv", b"tls13 quic hp"];
const LABELS_2: [&[u8]; 3] = [b"tls13 quicv2 key", b"tls13 quicv2 iv", b"tls13 quicv2 hp"];
const LABEL_SECRET: &[u8] = b"tls13 client in";

/// A block of the cipher; also a key, and what of a packet decides its header's mask.
const BLOCK_BYTES: usize = 16;
const VECTOR_BYTES: usize = 12;
/// Blocks enciphered together: what processors with AES instructions keep under way at once.
const BLOCKS: usize = 8;

/// Keys of the client's side.
pub(super) struct Keys {
    payload: Aes128,
    header: Aes128,
    vector: [u8; VECTOR_BYTES],
}

impl Keys {
    /// `None` for versions whose salt is not known.
    pub(super) fn of(version: u32, destination: &[u8]) -> Option<Self> {
        let (salt, labels) = match version {
            VERSION_1 => (&SALT_1, LABELS_1),
            VERSION_2 => (&SALT_2, LABELS_2),
            version if DRAFTS.contains(&version) => (&SALT_DRAFTS, LABELS_1),
            _ => return None,
        };
        let [key, vector, header] = derive(salt, labels, destination);
        let [key, header] = [key, header].map(|key| Aes128::new(&Array::from(first::<BLOCK_BYTES>(&key))));
        Some(Self {
            payload: key,
            header,
            vector: first(&vector),
        })
    }

    /// What hides the first byte's lower bits and the packet number.
    pub(super) fn header_mask(&self, sample: &[u8; BLOCK_BYTES]) -> [u8; 5] {
        let mut block = Array::from(*sample);
        self.header.encrypt_block(&mut block);
        first(&block.0)
    }

    /// Deciphers the beginning of a payload in place (AES-GCM's counter mode, NIST SP 800-38D section 7.2).
    pub(super) fn decipher(&self, packet_number: u32, payload: &mut [u8]) {
        let mut counter_block = [0; BLOCK_BYTES];
        counter_block[..VECTOR_BYTES].copy_from_slice(&self.vector);
        for (octet, number) in counter_block[VECTOR_BYTES - 4..]
            .iter_mut()
            .zip(packet_number.to_be_bytes())
        {
            *octet ^= number;
        }
        // 1 is the tag's.
        let mut counter = 2_u32;
        for part in payload.chunks_mut(BLOCKS * BLOCK_BYTES) {
            let mut blocks = [Array::from(counter_block); BLOCKS];
            for block in &mut blocks {
                block[VECTOR_BYTES..].copy_from_slice(&counter.to_be_bytes());
                counter = counter.wrapping_add(1);
            }
            self.payload.encrypt_blocks(&mut blocks);
            for (octets, stream) in part.chunks_mut(BLOCK_BYTES).zip(&blocks) {
                octets.iter_mut().zip(stream).for_each(|(octet, with)| *octet ^= with);
            }
        }
    }
}

/// Key, vector and header key, each at the beginning of what is given.
fn derive(salt: &[u8], labels: [&[u8]; 3], destination: &[u8]) -> [[u8; 32]; 3] {
    let initial = Hmac::new(salt).digest(&[destination]);
    let client = Hmac::new(&initial).expand(LABEL_SECRET, 32);
    let client = Hmac::new(&client);
    [
        client.expand(labels[0], BLOCK_BYTES as u8),
        client.expand(labels[1], VECTOR_BYTES as u8),
        client.expand(labels[2], BLOCK_BYTES as u8),
    ]
}

fn first<const BYTES: usize>(bytes: &[u8]) -> [u8; BYTES] {
    let mut first = [0; BYTES];
    first.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    first
}

/// HMAC-SHA-256 (RFC 2104) with a key of at most 64 bytes, ready for several messages.
struct Hmac {
    inner: Sha256,
    outer: Sha256,
}

impl Hmac {
    fn new(key: &[u8]) -> Self {
        let key = first::<64>(key);
        Self {
            inner: Sha256::new_with_prefix(key.map(|octet| octet ^ 0x36)),
            outer: Sha256::new_with_prefix(key.map(|octet| octet ^ 0x5c)),
        }
    }

    fn digest(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut inner = self.inner.clone();
        parts.iter().for_each(|part| inner.update(part));
        self.outer.clone().chain_update(inner.finalize()).finalize().into()
    }

    /// HKDF-Expand-Label without context (RFC 8446 section 7.1), of at most 32 bytes: the first are the wanted ones.
    fn expand(&self, label: &[u8], bytes: u8) -> [u8; 32] {
        self.digest(&[&[0, bytes, label.len() as u8], label, &[0, 1]])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// RFC 9001 appendix A.1 and RFC 9369 appendix A.1.
    #[test]
    fn keys_are_those_of_the_examples() {
        let destination = [0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08];
        for (salt, labels, expected) in [
            (
                &SALT_1,
                LABELS_1,
                [
                    "1f369613dd76d5467730efcbe3b1a22d",
                    "fa044b2f42a3fd3b46fb255c",
                    "9f50449e04a0e810283a1e9933adedd2",
                ],
            ),
            (
                &SALT_2,
                LABELS_2,
                [
                    "8b1a0bc121284290a29e0971b5cd045d",
                    "91f73e2351d8fa91660e909f",
                    "45b95e15235d6f45a6b19cbcb0294ba9",
                ],
            ),
        ] {
            let derived = derive(salt, labels, &destination).map(|bytes| hex(&bytes));
            for (derived, expected) in derived.iter().zip(expected) {
                assert_eq!(&derived[..expected.len()], expected);
            }
        }
        let keys = Keys::of(VERSION_1, &destination).unwrap();
        let sample = 0xd1b1_c98d_d768_9fb8_ec11_d242_b123_dc9b_u128.to_be_bytes();
        assert_eq!(hex(&keys.header_mask(&sample)), "437b9aec36");
        assert!(Keys::of(0xff00_001c, &destination).is_none());
    }
}

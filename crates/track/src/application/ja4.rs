//! JA4: a TLS client's fingerprint from what its hello offers.
//!
//! In: versions, cipher suites, extensions, signature algorithms and the first application protocol of a hello. Out: the
//! fingerprint, by the public description of JA4
//! (<https://github.com/FoxIO-LLC/ja4/blob/main/technical_details/JA4.md>, JA4 itself is BSD 3-Clause). Nothing of the
//! other methods of that family is here: their licence is another.

use sha2::{Digest, Sha256};

use super::records::{Records, Stop};
use crate::Ja4;

/// What JA4 leaves out of the list of extensions, because it says it elsewhere: server name and ALPN.
const SAID_ELSEWHERE: [u16; 2] = [0, 16];
/// Characters of a hash that are kept.
const HASH_CHARACTERS: usize = 12;
/// Characters of a value in a list, with its comma or underscore.
const ITEM_CHARACTERS: usize = 5;
const MOST_EXTENSIONS: usize = 128;
const MOST_ALGORITHMS: usize = 64;
const MOST_CIPHERS: usize = 256;
/// Characters of the longest list that is hashed.
const LIST_CHARACTERS: usize = ITEM_CHARACTERS * MOST_CIPHERS;
const _: () = assert!(LIST_CHARACTERS >= ITEM_CHARACTERS * (MOST_EXTENSIONS + MOST_ALGORITHMS));

/// What a hello offers.
pub(super) struct Offer {
    transport: u8,
    pub(super) legacy_version: u16,
    pub(super) versions: List<32>,
    pub(super) ciphers: List<MOST_CIPHERS>,
    pub(super) extensions: List<MOST_EXTENSIONS>,
    pub(super) algorithms: List<MOST_ALGORITHMS>,
    pub(super) has_server_name: bool,
    alpn: [u8; u8::MAX as usize],
    alpn_bytes: usize,
}

impl Offer {
    /// Of a hello over `b't'` TCP or `b'q'` QUIC.
    pub(super) const fn new(transport: u8) -> Self {
        Self {
            transport,
            legacy_version: 0,
            versions: List::EMPTY,
            ciphers: List::EMPTY,
            extensions: List::EMPTY,
            algorithms: List::EMPTY,
            has_server_name: false,
            alpn: [0; u8::MAX as usize],
            alpn_bytes: 0,
        }
    }

    /// Room for the first application protocol, of at most 255 bytes.
    pub(super) fn alpn_mut(&mut self, bytes: usize) -> &mut [u8] {
        self.alpn_bytes = bytes.min(self.alpn.len());
        &mut self.alpn[..self.alpn_bytes]
    }

    pub(super) fn alpn(&self) -> &[u8] {
        &self.alpn[..self.alpn_bytes]
    }

    /// The highest version offered.
    pub(super) fn version(&self) -> u16 {
        self.versions
            .values()
            .iter()
            .copied()
            .max()
            .unwrap_or(self.legacy_version)
    }

    /// The fingerprint. It sorts the lists. None if they are longer than is kept.
    pub(super) fn fingerprint(&mut self) -> Option<Ja4> {
        let lists_overflow = self.ciphers.overflows || self.extensions.overflows || self.algorithms.overflows;
        if lists_overflow || self.versions.overflows {
            return None;
        }
        let mut text = [b'_'; Ja4::BYTES];
        text[0] = self.transport;
        text[1..3].copy_from_slice(version_characters(self.version()));
        text[3] = if self.has_server_name { b'd' } else { b'i' };
        text[4..6].copy_from_slice(&two_digits(self.ciphers.length));
        text[6..8].copy_from_slice(&two_digits(self.extensions.length));
        text[8..10].copy_from_slice(&alpn_characters(self.alpn()));

        self.ciphers.sort();
        text[11..23].copy_from_slice(&hash(self.ciphers.values(), &[]));
        self.extensions.remove(SAID_ELSEWHERE);
        self.extensions.sort();
        text[24..36].copy_from_slice(&hash(self.extensions.values(), self.algorithms.values()));
        Ja4::new(text)
    }
}

/// Numbers as they come, but for those that mean nothing.
pub(super) struct List<const MOST: usize> {
    values: [u16; MOST],
    length: usize,
    overflows: bool,
}

impl<const MOST: usize> List<MOST> {
    const EMPTY: Self = Self {
        values: [0; MOST],
        length: 0,
        overflows: false,
    };

    pub(super) fn push(&mut self, value: u16) {
        if is_grease(value) {
            return;
        }
        match self.values.get_mut(self.length) {
            Some(room) => {
                *room = value;
                self.length += 1;
            }
            None => self.overflows = true,
        }
    }

    /// Takes all numbers that are left in a part of a hello; a list that stands there twice is the last one.
    pub(super) fn fill(&mut self, hello: &mut Records<'_>) -> Result<(), Stop> {
        self.length = 0;
        let mut octets = [0; 64];
        while hello.left() > 1 {
            let bytes = hello.left().min(octets.len()) & !1;
            hello.copy(&mut octets[..bytes])?;
            for two in octets[..bytes].chunks_exact(2) {
                self.push(u16::from_be_bytes([two[0], two[1]]));
            }
        }
        Ok(())
    }

    fn values(&self) -> &[u16] {
        &self.values[..self.length]
    }

    fn sort(&mut self) {
        self.values[..self.length].sort_unstable();
    }

    fn remove(&mut self, unwanted: [u16; 2]) {
        let mut kept = 0;
        for place in 0..self.length {
            let value = self.values[place];
            self.values[kept] = value;
            kept += usize::from(!unwanted.contains(&value));
        }
        self.length = kept;
    }
}

/// Values reserved to be ignored (RFC 8701 section 2).
const fn is_grease(value: u16) -> bool {
    value & 0x0f0f == 0x0a0a && value >> 8 == value & 0xff
}

const fn version_characters(version: u16) -> &'static [u8; 2] {
    match version {
        0x0304 => b"13",
        0x0303 => b"12",
        0x0302 => b"11",
        0x0301 => b"10",
        0x0300 => b"s3",
        _ => b"00",
    }
}

fn two_digits(number: usize) -> [u8; 2] {
    let number = number.min(99) as u8;
    [b'0' + number / 10, b'0' + number % 10]
}

fn alpn_characters(alpn: &[u8]) -> [u8; 2] {
    match (alpn.first(), alpn.last()) {
        (Some(first), Some(last)) if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() => [*first, *last],
        (Some(first), Some(last)) => [hex(first >> 4), hex(last & 0xf)],
        _ => *b"00",
    }
}

/// The first characters of the hash of a list, or of two; zeros if the first is empty.
fn hash(values: &[u16], more: &[u16]) -> [u8; HASH_CHARACTERS] {
    if values.is_empty() {
        return [b'0'; HASH_CHARACTERS];
    }
    let mut text = [b','; LIST_CHARACTERS];
    for (value, room) in values.iter().chain(more).zip(text.chunks_exact_mut(ITEM_CHARACTERS)) {
        for (place, character) in room[..4].iter_mut().enumerate() {
            *character = hex((value >> (12 - 4 * place)) as u8 & 0xf);
        }
    }
    if !more.is_empty() {
        text[values.len() * ITEM_CHARACTERS - 1] = b'_';
    }
    let digest = Sha256::digest(&text[..(values.len() + more.len()) * ITEM_CHARACTERS - 1]);
    let mut characters = [0; HASH_CHARACTERS];
    for (two, octet) in characters.chunks_exact_mut(2).zip(digest) {
        two.copy_from_slice(&[hex(octet >> 4), hex(octet & 0xf)]);
    }
    characters
}

const fn hex(value: u8) -> u8 {
    match value {
        0..=9 => b'0' + value,
        _ => b'a' + value - 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list<const MOST: usize>(text: &str) -> List<MOST> {
        let mut list = List::EMPTY;
        text.split(',')
            .for_each(|value| list.push(u16::from_str_radix(value, 16).unwrap()));
        list
    }

    /// The worked example of the description, with and without signature algorithms.
    #[test]
    fn the_published_example_is_met() {
        let mut offer = Offer::new(b't');
        offer.legacy_version = 0x0303;
        offer.versions = list("0304,9a9a,0303");
        offer.has_server_name = true;
        offer.alpn_mut(2).copy_from_slice(b"h2");
        offer.ciphers = list("3a3a,1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035");
        offer.extensions =
            list("fafa,001b,0000,0033,0010,4469,0017,002d,000d,0005,0023,0012,002b,ff01,000b,000a,0015,0a0a");
        offer.algorithms = list("0403,0804,0401,0503,0805,0501,0806,0601");
        let fingerprint = offer.fingerprint().unwrap();
        assert_eq!(fingerprint.text(), "t13d1516h2_8daaf6152771_e5627efa2ab1");
        assert_eq!(&hash(offer.extensions.values(), &[]), b"6d807ffa2a79");
    }

    #[test]
    fn the_edges_of_the_description_are_met() {
        for (alpn, characters) in [
            (&b""[..], b"00"),
            (b"h", b"hh"),
            (b"http/1.1", b"h1"),
            (b"\xab", b"ab"),
            (b"\xab\xcd", b"ad"),
            (b"\x30\xab", b"3b"),
            (b"\x30\x31\xab\xcd", b"3d"),
            (b"\x30\xab\xcd\x31", b"01"),
        ] {
            assert_eq!(&alpn_characters(alpn), characters, "{alpn:?}");
        }
        let mut nothing = Offer::new(b'q');
        let fingerprint = nothing.fingerprint().unwrap();
        assert_eq!(fingerprint.text(), "q00i000000_000000000000_000000000000");
        (0..100).for_each(|cipher| nothing.ciphers.push(cipher));
        assert!(nothing.fingerprint().unwrap().text().starts_with("q00i9900"));
        (0..200).for_each(|cipher| nothing.ciphers.push(cipher));
        assert_eq!(nothing.fingerprint(), None);
    }
}

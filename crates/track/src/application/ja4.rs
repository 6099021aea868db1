//! JA4: a TLS client's fingerprint from what its hello offers.
//!
//! In: versions, cipher suites, extensions, signature algorithms and the first application protocol of a hello. Out: the
//! fingerprint, by the public description of JA4
//! (<https://github.com/FoxIO-LLC/ja4/blob/main/technical_details/JA4.md>, JA4 itself is BSD 3-Clause). Nothing of the
//! other methods of that family is here: their licence is another.

use sha2::{Digest, Sha256};

use super::records::{Part, Stop};
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

/// Lists whose hashes are remembered, see [`Hashes`].
const REMEMBERED: usize = 128;
/// Values of a list that is remembered. Browsers offer some 16 cipher suites, and as many extensions and algorithms each.
const REMEMBERED_VALUES: usize = 60;

/// Hashes of lists. A network's clients are of few makes, so nearly every hello has lists that were hashed before.
/// Each list has one place, where the newest stays; whether it is the one is known by comparing it whole.
#[derive(Debug)]
pub(super) struct Hashes {
    known: Box<[Known]>,
}

/// A list, or two one after the other, and their hash.
#[derive(Clone, Copy, Debug)]
struct Known {
    values: [u16; REMEMBERED_VALUES],
    /// Values of the first list, and of both.
    lengths: (u8, u8),
    characters: [u8; HASH_CHARACTERS],
}

impl Hashes {
    pub(super) fn new() -> Self {
        let nothing = Known {
            values: [0; REMEMBERED_VALUES],
            lengths: (0, 0),
            characters: [b'0'; HASH_CHARACTERS],
        };
        Self {
            known: vec![nothing; REMEMBERED].into_boxed_slice(),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.known)
    }

    /// The first characters of the hash of a list, or of two; zeros if the first is empty.
    fn of(&mut self, values: &[u16], more: &[u16]) -> [u8; HASH_CHARACTERS] {
        let (first, both) = (values.len(), values.len() + more.len());
        if both > REMEMBERED_VALUES {
            return hash(values, more);
        }
        let mix = |sum: u64, value: &u16| (sum ^ u64::from(*value)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let place = values.iter().chain(more).fold(first as u64, mix) >> (u64::BITS - REMEMBERED.ilog2());
        let known = &mut self.known[place as usize];
        let lengths = (first as u8, both as u8);
        let is_it = known.lengths == lengths && known.values[..first] == *values && known.values[first..both] == *more;
        if !is_it {
            known.values[..first].copy_from_slice(values);
            known.values[first..both].copy_from_slice(more);
            known.lengths = lengths;
            known.characters = hash(values, more);
        }
        known.characters
    }
}

/// What a hello offers. It is large, so there is one, used again for every hello.
#[derive(Debug)]
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
    /// Of no hello yet.
    pub(super) const fn new() -> Self {
        Self {
            transport: b't',
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

    /// Forgets everything: a hello over `b't'` TCP or `b'q'` QUIC begins.
    pub(super) const fn begin(&mut self, transport: u8) {
        self.transport = transport;
        self.legacy_version = 0;
        self.versions.clear();
        self.ciphers.clear();
        self.extensions.clear();
        self.algorithms.clear();
        self.has_server_name = false;
        self.alpn_bytes = 0;
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
    pub(super) fn fingerprint(&mut self, hashes: &mut Hashes) -> Option<Ja4> {
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
        text[11..23].copy_from_slice(&hashes.of(self.ciphers.values(), &[]));
        self.extensions.remove(SAID_ELSEWHERE);
        self.extensions.sort();
        text[24..36].copy_from_slice(&hashes.of(self.extensions.values(), self.algorithms.values()));
        Ja4::new(text)
    }
}

/// Numbers as they come, but for those that mean nothing.
#[derive(Debug)]
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

    const fn clear(&mut self) {
        self.length = 0;
        self.overflows = false;
    }

    #[inline]
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
    #[inline]
    pub(super) fn fill<'a>(&mut self, hello: &mut impl Part<'a>) -> Result<(), Stop> {
        self.length = 0;
        if let Some(octets) = hello.whole(hello.left() & !1) {
            let (twos, _) = octets.as_chunks::<2>();
            twos.iter().for_each(|two| self.push(u16::from_be_bytes(*two)));
            return Ok(());
        }
        while hello.left() > 1 {
            let value = hello.u16()?;
            self.push(value);
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
        let (mut offer, mut hashes) = (Offer::new(), Hashes::new());
        offer.legacy_version = 0x0303;
        offer.versions = list("0304,9a9a,0303");
        offer.has_server_name = true;
        offer.alpn_mut(2).copy_from_slice(b"h2");
        offer.ciphers = list("3a3a,1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035");
        offer.extensions =
            list("fafa,001b,0000,0033,0010,4469,0017,002d,000d,0005,0023,0012,002b,ff01,000b,000a,0015,0a0a");
        offer.algorithms = list("0403,0804,0401,0503,0805,0501,0806,0601");
        let fingerprint = offer.fingerprint(&mut hashes).unwrap();
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
        let (mut nothing, mut hashes) = (Offer::new(), Hashes::new());
        nothing.begin(b'q');
        let fingerprint = nothing.fingerprint(&mut hashes).unwrap();
        assert_eq!(fingerprint.text(), "q00i000000_000000000000_000000000000");
        (0..100).for_each(|cipher| nothing.ciphers.push(cipher));
        assert!(nothing.fingerprint(&mut hashes).unwrap().text().starts_with("q00i9900"));
        (0..200).for_each(|cipher| nothing.ciphers.push(cipher));
        assert_eq!(nothing.fingerprint(&mut hashes), None);
    }

    /// Every list again and again, so many that they take each other's places, and lists that differ only in where the
    /// first ends.
    #[test]
    fn a_remembered_hash_is_that_of_the_list() {
        let mut hashes = Hashes::new();
        let values: Vec<u16> = (0..400).collect();
        for _ in 0..2 {
            for place in 0..300 {
                for (first, both) in [
                    (1, 1),
                    (1, 3),
                    (2, 3),
                    (3, 3),
                    (40, 59),
                    (41, 59),
                    (40, 60),
                    (41, 61),
                    (0, 2),
                ] {
                    let (list, more) = (&values[place..place + first], &values[place + first..place + both]);
                    assert_eq!(hashes.of(list, more), hash(list, more));
                }
            }
        }
    }
}

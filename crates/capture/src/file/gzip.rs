//! Reads gzip, members one after the other, and gives every byte that precedes a damaged one.
//!
//! In: compressed bytes. Out: plain ones, then the end or what is wrong. Inflating is flate2's; its own reader forgets what a
//! call brought when that call meets a damaged place, which is all there is in a small capture. Format: RFC 1952.

use std::io::{self, BufRead, Read};

use flate2::{Crc, Decompress, FlushDecompress, Status};

/// A gzip file that is being read.
#[derive(Debug)]
pub(super) struct Gzip<R> {
    input: R,
    inflate: Decompress,
    crc: Crc,
    place: Place,
    /// Whether a member was read to its end: what follows may be nothing.
    one_is_whole: bool,
}

/// Where in a member the input stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Header(Header),
    Body,
    /// The checksum and length after the body: how many of the 8 bytes are there.
    Trailer(usize, [u8; 8]),
    /// Zeros to the end, as tapes and block devices leave them.
    Padding,
    /// A damaged place, told at every call.
    Damaged,
}

/// What the next byte of a header belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Header {
    /// So many of the first ten bytes are there; the flags once they are.
    Fixed(u8, Flags),
    /// Length of the extra field: which byte, what is known of it.
    ExtraLength(u8, u16, Flags),
    Extra(u16, Flags),
    Name(Flags),
    Comment(Flags),
    Checksum(u8),
    Whole,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Flags(u8);

impl Flags {
    const CHECKSUM: u8 = 2;
    const EXTRA: u8 = 4;
    const NAME: u8 = 8;
    const COMMENT: u8 = 16;

    /// The part that follows, of those in `left`.
    fn next(self, left: u8) -> Header {
        let here = self.0 & left;
        if here & Self::EXTRA != 0 {
            Header::ExtraLength(0, 0, self)
        } else if here & Self::NAME != 0 {
            Header::Name(self)
        } else if here & Self::COMMENT != 0 {
            Header::Comment(self)
        } else if here & Self::CHECKSUM != 0 {
            Header::Checksum(0)
        } else {
            Header::Whole
        }
    }
}

const START: Place = Place::Header(Header::Fixed(0, Flags(0)));

impl Header {
    /// The state after one more byte.
    fn step(self, byte: u8) -> io::Result<Self> {
        Ok(match self {
            Self::Fixed(at, flags) => match (at, byte) {
                (0, 0x1f) | (1, 0x8b) | (2, 8) | (4..9, _) => Self::Fixed(at + 1, flags),
                (3, bits) if bits & 0xe0 == 0 => Self::Fixed(4, Flags(bits)),
                (9.., _) => flags.next(u8::MAX),
                _ => return Err(damaged("what follows is no gzip member")),
            },
            Self::ExtraLength(0, _, flags) => Self::ExtraLength(1, byte.into(), flags),
            Self::ExtraLength(_, low, flags) => match low | u16::from(byte) << 8 {
                0 => flags.next(!Flags::EXTRA),
                length => Self::Extra(length, flags),
            },
            Self::Extra(1, flags) => flags.next(!Flags::EXTRA),
            Self::Extra(left, flags) => Self::Extra(left - 1, flags),
            Self::Name(flags) if byte == 0 => flags.next(Flags::COMMENT | Flags::CHECKSUM),
            Self::Comment(flags) if byte == 0 => flags.next(Flags::CHECKSUM),
            Self::Checksum(1) => Self::Whole,
            Self::Checksum(_) => Self::Checksum(1),
            Self::Name(_) | Self::Comment(_) | Self::Whole => self,
        })
    }
}

impl<R: BufRead> Gzip<R> {
    /// Reads `input` from the start of a member on.
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            inflate: Decompress::new(false),
            crc: Crc::new(),
            place: START,
            one_is_whole: false,
        }
    }

    /// What is read from.
    pub(super) fn input(&self) -> &R {
        &self.input
    }

    fn header(&mut self, mut header: Header) -> io::Result<()> {
        let input = self.input.fill_buf()?;
        if input.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if self.one_is_whole && header == Header::Fixed(0, Flags(0)) && input[0] == 0 {
            self.place = Place::Padding;
            return Ok(());
        }
        let mut used = 0;
        let mut result = Ok(());
        for byte in input {
            match header.step(*byte) {
                Ok(next) => header = next,
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
            used += 1;
            if header == Header::Whole {
                break;
            }
        }
        self.input.consume(used);
        self.place = if header == Header::Whole {
            Place::Body
        } else {
            Place::Header(header)
        };
        result
    }

    fn body(&mut self, output: &mut [u8]) -> io::Result<usize> {
        let input = self.input.fill_buf()?;
        let nothing_left = input.is_empty();
        let before = (self.inflate.total_in(), self.inflate.total_out());
        let result = self.inflate.decompress(input, output, FlushDecompress::None);
        // Both are at most what was handed in.
        let used = (self.inflate.total_in() - before.0) as usize;
        let written = (self.inflate.total_out() - before.1) as usize;
        self.input.consume(used);
        self.crc.update(&output[..written]);
        match result {
            Ok(Status::StreamEnd) => self.place = Place::Trailer(0, [0; 8]),
            Ok(_) if written > 0 || used > 0 => {}
            Ok(_) if nothing_left => return Err(io::ErrorKind::UnexpectedEof.into()),
            // Told at the next call: what was written before it comes first.
            Ok(_) | Err(_) => self.place = Place::Damaged,
        }
        Ok(written)
    }

    fn trailer(&mut self, mut filled: usize, mut trailer: [u8; 8]) -> io::Result<()> {
        let input = self.input.fill_buf()?;
        if input.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let take = input.len().min(trailer.len() - filled);
        trailer[filled..filled + take].copy_from_slice(&input[..take]);
        self.input.consume(take);
        filled += take;
        if filled < trailer.len() {
            self.place = Place::Trailer(filled, trailer);
            return Ok(());
        }
        let [a, b, c, d, e, f, g, h] = trailer;
        let (crc, length) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
        // The length is that of the data modulo 2^32, and so is the count.
        if (crc, length) != (self.crc.sum(), self.crc.amount()) {
            return Err(damaged("the checksum over the gzip member does not match"));
        }
        self.inflate.reset(false);
        self.crc.reset();
        self.one_is_whole = true;
        self.place = START;
        Ok(())
    }

    /// Whether nothing but zeros is left of the input.
    fn padding(&mut self) -> io::Result<bool> {
        let input = self.input.fill_buf()?;
        let length = input.len();
        if input.iter().any(|byte| *byte != 0) {
            return Err(damaged("what follows the gzip data is not gzip"));
        }
        self.input.consume(length);
        Ok(length == 0)
    }

    /// Whether the input ends here, between members.
    fn is_end(&mut self) -> io::Result<bool> {
        Ok(self.one_is_whole && self.place == START && self.input.fill_buf()?.is_empty())
    }
}

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, output: &mut [u8]) -> io::Result<usize> {
        while !output.is_empty() {
            let place = self.place;
            match place {
                Place::Body => {
                    let written = self.body(output)?;
                    if written > 0 {
                        return Ok(written);
                    }
                }
                Place::Header(_) if self.is_end()? => return Ok(0),
                Place::Header(header) => self.header(header)?,
                Place::Trailer(filled, trailer) => self.trailer(filled, trailer)?,
                Place::Padding if self.padding()? => return Ok(0),
                Place::Padding => {}
                Place::Damaged => return Err(damaged("the gzip data is damaged here")),
            }
        }
        Ok(0)
    }
}

fn damaged(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Write};

    use flate2::{Compression, GzBuilder};

    use super::*;

    /// Reads to the end or the error, with buffers of the given size on both sides.
    fn unpack(packed: &[u8], size: usize) -> (Vec<u8>, Option<io::Error>) {
        let mut reader = Gzip::new(BufReader::with_capacity(size, packed));
        let (mut plain, mut buffer) = (Vec::new(), vec![0; size]);
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return (plain, None),
                Ok(read) => plain.extend(&buffer[..read]),
                Err(error) => return (plain, Some(error)),
            }
        }
    }

    fn pack(plain: &[u8]) -> Vec<u8> {
        // Every optional part of a header.
        let builder = GzBuilder::new()
            .filename("name")
            .comment("comment")
            .extra(vec![1, 2, 3])
            .mtime(7);
        let mut encoder = builder.write(Vec::new(), Compression::default());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    /// Letters that compress evenly: six bits of each are chance.
    fn text() -> Vec<u8> {
        let mut state = 1u32;
        let mut letter = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            b' ' + (state >> 26) as u8
        };
        (0..160_000).map(|_| letter()).collect()
    }

    #[test]
    fn members_and_padding_are_read_in_pieces_of_any_size() {
        let packed = [pack(&text()), pack(b""), pack(b"end"), vec![0; 700]].concat();
        for size in [1, 7, 1_000, 1 << 20] {
            let (plain, error) = unpack(&packed, size);
            assert!(error.is_none(), "{error:?}");
            assert!(plain == [text(), b"end".to_vec()].concat());
        }
    }

    #[test]
    fn what_precedes_a_damaged_place_is_kept() {
        let packed = pack(&text());
        for quarter in [1, 2, 3] {
            let mut packed = packed.clone();
            let at = packed.len() / 4 * quarter;
            packed[at..at + 200].fill(0xff);
            let (in_one, error) = unpack(&packed, 1 << 20);
            assert_eq!(error.unwrap().kind(), io::ErrorKind::InvalidData);
            // What precedes the place is there, up to a few symbols; what a damaged place itself says is not text.
            let sound = text().len() / 4 * quarter * 99 / 100;
            assert!(in_one[..sound] == text()[..sound]);
            assert!(unpack(&packed, 1).0 == in_one);
        }
    }

    #[test]
    fn a_wrong_checksum_a_cut_and_trailing_text_are_told() {
        let packed = pack(&text());
        let mut wrong = packed.clone();
        let at = wrong.len() - 8;
        wrong[at] ^= 1;
        let (plain, error) = unpack(&wrong, 4_096);
        assert_eq!(
            (plain.len(), error.unwrap().kind()),
            (text().len(), io::ErrorKind::InvalidData)
        );
        for cut in [5, 30, packed.len() / 2, packed.len() - 1] {
            let (plain, error) = unpack(&packed[..cut], 4_096);
            assert!(text().starts_with(&plain));
            assert_eq!(error.unwrap().kind(), io::ErrorKind::UnexpectedEof, "cut at {cut}");
        }
        let (plain, error) = unpack(&[&packed[..], b"text"].concat(), 4_096);
        assert_eq!(plain.len(), text().len());
        assert_eq!(error.unwrap().to_string(), "what follows is no gzip member");
    }
}

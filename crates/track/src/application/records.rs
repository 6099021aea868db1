//! TLS records and the handshake messages in them (RFC 8446 sections 4 and 5.1).
//!
//! In: a stream that begins with a handshake record, or with a bare handshake message. Out: the bytes of one message
//! after the other, whatever records they are spread over. The stream may be cut anywhere.

/// Content type of a handshake record.
pub(super) const HANDSHAKE: u8 = 22;

/// Content types of the others: change cipher spec 20 to application data 23.
const CONTENT_TYPES: std::ops::RangeInclusive<u8> = 20..=23;
/// Longest record (RFC 8446 section 5.1).
const RECORD_BYTES: usize = 1 << 14;
/// Bytes by which encryption may lengthen a record (RFC 5246 section 6.2.3).
const EXPANSION_BYTES: usize = 2048;
const HEAD_BYTES: usize = 5;

/// Whether bytes in the middle of a connection may be the beginning of a TLS record.
pub(super) fn may_continue(bytes: &[u8]) -> bool {
    let Some([content, 3, minor, high, low]) = bytes.first_chunk::<HEAD_BYTES>() else {
        return false;
    };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    CONTENT_TYPES.contains(content) && *minor <= 4 && (1..=RECORD_BYTES + EXPANSION_BYTES).contains(&length)
}

/// Why reading stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The bytes ended.
    Short,
    /// It is not what was expected, or broken.
    NotOne,
}

/// Reading a handshake message, wherever its bytes lie.
pub(super) trait Part<'a>: Sized {
    /// Bytes still to come.
    fn left(&self) -> usize;

    fn u8(&mut self) -> Result<u8, Stop>;

    fn u16(&mut self) -> Result<u16, Stop>;

    fn skip(&mut self, bytes: usize) -> Result<(), Stop>;

    fn copy(&mut self, to: &mut [u8]) -> Result<(), Stop>;

    /// The next `length` bytes in place, taken, where they are of this message, of one record, and there; else nothing is
    /// taken, and reading them the long way says what is wrong or puts them together.
    fn whole(&mut self, length: usize) -> Option<&'a [u8]>;

    /// Reads the next `length` bytes as something that must not end beyond them; what is not read of them is skipped.
    fn within<T>(&mut self, length: usize, read: impl FnOnce(&mut Self) -> Result<T, Stop>) -> Result<T, Stop>;
}

/// A message, or a part of one, that lies whole in one record, as nearly all do.
pub(super) struct InPlace<'a>(&'a [u8]);

impl<'a> Part<'a> for InPlace<'a> {
    #[inline]
    fn left(&self) -> usize {
        self.0.len()
    }

    #[inline]
    fn u8(&mut self) -> Result<u8, Stop> {
        let (byte, rest) = self.0.split_first().ok_or(Stop::NotOne)?;
        self.0 = rest;
        Ok(*byte)
    }

    #[inline]
    fn u16(&mut self) -> Result<u16, Stop> {
        let (two, rest) = self.0.split_first_chunk().ok_or(Stop::NotOne)?;
        self.0 = rest;
        Ok(u16::from_be_bytes(*two))
    }

    #[inline]
    fn skip(&mut self, bytes: usize) -> Result<(), Stop> {
        self.whole(bytes).map(|_| ()).ok_or(Stop::NotOne)
    }

    #[inline]
    fn copy(&mut self, to: &mut [u8]) -> Result<(), Stop> {
        to.copy_from_slice(self.whole(to.len()).ok_or(Stop::NotOne)?);
        Ok(())
    }

    #[inline]
    fn whole(&mut self, length: usize) -> Option<&'a [u8]> {
        let (part, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(part)
    }

    #[inline]
    fn within<T>(&mut self, length: usize, read: impl FnOnce(&mut Self) -> Result<T, Stop>) -> Result<T, Stop> {
        let part = self.whole(length).ok_or(Stop::NotOne)?;
        read(&mut Self(part))
    }
}

/// Handshake messages over the records that carry them.
pub(super) struct Records<'a> {
    bytes: &'a [u8],
    record_left: usize,
    message_left: usize,
}

impl<'a> Records<'a> {
    /// A stream of records.
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            record_left: 0,
            message_left: 0,
        }
    }

    /// A stream of messages without records, as QUIC carries them (RFC 9001 section 4).
    pub(super) const fn bare(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            record_left: usize::MAX,
            message_left: 0,
        }
    }

    /// Goes to the next message and gives its type.
    pub(super) fn message(&mut self) -> Result<u8, Stop> {
        self.skip(self.message_left)?;
        self.message_left = 4;
        let kind = self.u8()?;
        self.message_left = self.u24()?;
        Ok(kind)
    }

    /// The rest of the message, if it lies whole in this record.
    pub(super) fn in_place(&mut self) -> Option<InPlace<'a>> {
        self.whole(self.message_left).map(InPlace)
    }

    #[inline]
    fn array<const BYTES: usize>(&mut self) -> Result<[u8; BYTES], Stop> {
        if let Some(Ok(array)) = self.whole(BYTES).map(TryInto::try_into) {
            return Ok(array);
        }
        let mut array = [0; BYTES];
        self.copy(&mut array)?;
        Ok(array)
    }

    pub(super) fn u24(&mut self) -> Result<usize, Stop> {
        Ok(usize::from(self.u8()?) << 16 | usize::from(self.u16()?))
    }

    /// Copies as much as there is; how much that was, and why it was not all.
    pub(super) fn copy_some(&mut self, to: &mut [u8]) -> (usize, Option<Stop>) {
        let mut copied = 0;
        while copied < to.len() {
            match self.part(to.len() - copied) {
                Ok(part) => {
                    to[copied..copied + part.len()].copy_from_slice(part);
                    copied += part.len();
                }
                Err(stop) => return (copied, Some(stop)),
            }
        }
        (copied, None)
    }

    /// The next bytes of the message, at least one and at most `wanted`.
    fn part(&mut self, wanted: usize) -> Result<&'a [u8], Stop> {
        if wanted > self.message_left {
            return Err(Stop::NotOne);
        }
        while self.record_left == 0 {
            self.next_record()?;
        }
        let part = &self.bytes[..wanted.min(self.record_left).min(self.bytes.len())];
        if part.is_empty() {
            return Err(Stop::Short);
        }
        self.bytes = &self.bytes[part.len()..];
        self.record_left -= part.len();
        self.message_left -= part.len();
        Ok(part)
    }

    fn next_record(&mut self) -> Result<(), Stop> {
        if self.bytes.first().is_some_and(|content| *content != HANDSHAKE)
            || self.bytes.get(1).is_some_and(|major| *major != 3)
        {
            return Err(Stop::NotOne);
        }
        let Some(([_, _, _, high, low], rest)) = self.bytes.split_first_chunk::<HEAD_BYTES>() else {
            return Err(Stop::Short);
        };
        self.record_left = usize::from(u16::from_be_bytes([*high, *low]));
        // Empty handshake records are forbidden, and would let a few bytes pose as a long message.
        if self.record_left == 0 || self.record_left > RECORD_BYTES {
            return Err(Stop::NotOne);
        }
        self.bytes = rest;
        Ok(())
    }
}

impl<'a> Part<'a> for Records<'a> {
    #[inline]
    fn left(&self) -> usize {
        self.message_left
    }

    #[inline]
    fn u8(&mut self) -> Result<u8, Stop> {
        Ok(self.array::<1>()?[0])
    }

    #[inline]
    fn u16(&mut self) -> Result<u16, Stop> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    #[inline]
    fn skip(&mut self, mut bytes: usize) -> Result<(), Stop> {
        if self.whole(bytes).is_some() {
            return Ok(());
        }
        while bytes > 0 {
            bytes -= self.part(bytes)?.len();
        }
        Ok(())
    }

    fn copy(&mut self, to: &mut [u8]) -> Result<(), Stop> {
        match self.copy_some(to) {
            (_, Some(stop)) => Err(stop),
            _ => Ok(()),
        }
    }

    #[inline]
    fn whole(&mut self, length: usize) -> Option<&'a [u8]> {
        if length > self.message_left || length > self.record_left {
            return None;
        }
        let (part, rest) = self.bytes.split_at_checked(length)?;
        self.bytes = rest;
        self.record_left -= length;
        self.message_left -= length;
        Some(part)
    }

    fn within<T>(&mut self, length: usize, read: impl FnOnce(&mut Self) -> Result<T, Stop>) -> Result<T, Stop> {
        let after = self.message_left.checked_sub(length).ok_or(Stop::NotOne)?;
        self.message_left = length;
        let result = read(self)?;
        self.skip(self.message_left)?;
        self.message_left = after;
        Ok(result)
    }
}

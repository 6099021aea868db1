//! The TLS ClientHello (RFC 8446 section 4.1.2, RFC 6066 section 3): the server name the client asks for.
//!
//! In: a stream that begins with a handshake record. Out: the name. The hello may span records and segments and may be
//! cut anywhere: the name often stands before the cut.

use super::name::Name;
use super::{Reading, Teller};
use crate::NameKind;

/// Content type of a handshake record.
pub(super) const RECORD_HANDSHAKE: u8 = 22;

const MESSAGE_CLIENT_HELLO: u8 = 1;
const EXTENSION_SERVER_NAME: u16 = 0;
const NAME_TYPE_HOST: u8 = 0;
/// Longest record (RFC 8446 section 5.1).
const RECORD_BYTES: usize = 1 << 14;
/// Longest host name looked at; DNS allows 253 characters, what is longer is truncated anyway.
const HOST_BYTES: usize = 512;

/// Reads the hello.
pub(super) fn read(bytes: &[u8], last: bool, teller: &mut Teller<'_>) -> Reading {
    match read_hello(bytes, teller) {
        Err(Stop::Short) if !last => Reading::More,
        Err(Stop::Short | Stop::NotOne) | Ok(()) => Reading::Done,
    }
}

fn read_hello(bytes: &[u8], teller: &mut Teller<'_>) -> Result<(), Stop> {
    let mut hello = Records {
        bytes,
        record_left: 0,
        message_left: usize::MAX,
    };
    if hello.u8()? != MESSAGE_CLIENT_HELLO {
        return Err(Stop::NotOne);
    }
    let length = usize::from(hello.u8()?) << 16 | usize::from(hello.u16()?);
    hello.message_left = length;
    // legacy_version is 3.x in all that is called SSL 3 or TLS.
    if hello.u16()? >> 8 != 3 {
        return Err(Stop::NotOne);
    }
    hello.skip(32)?; // random
    let session_id = hello.u8()?;
    hello.skip(usize::from(session_id))?;
    let cipher_suites = hello.u16()?;
    hello.skip(usize::from(cipher_suites))?;
    let compression_methods = hello.u8()?;
    hello.skip(usize::from(compression_methods))?;
    if hello.message_left == 0 {
        return Ok(()); // SSL 3 and TLS 1.0 had no extensions.
    }
    hello.message_left = usize::from(hello.u16()?).min(hello.message_left);
    while hello.message_left > 0 {
        let (extension, length) = (hello.u16()?, hello.u16()?);
        if extension == EXTENSION_SERVER_NAME {
            return read_server_name(&mut hello, teller);
        }
        hello.skip(usize::from(length))?;
    }
    Ok(())
}

fn read_server_name(hello: &mut Records<'_>, teller: &mut Teller<'_>) -> Result<(), Stop> {
    let _list_length = hello.u16()?;
    if hello.u8()? != NAME_TYPE_HOST {
        return Ok(());
    }
    let length = usize::from(hello.u16()?);
    let mut host = [0; HOST_BYTES];
    let kept = length.min(HOST_BYTES);
    // Of a longer name the right end counts.
    hello.skip(length - kept)?;
    hello.copy(&mut host[..kept])?;
    teller.name(NameKind::Sni, &Name::of_host(&host[..kept]), 0);
    Ok(())
}

/// Why reading stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// The bytes ended.
    Short,
    /// It is no ClientHello, or a broken one.
    NotOne,
}

/// A handshake message over the records that carry it.
struct Records<'a> {
    bytes: &'a [u8],
    record_left: usize,
    message_left: usize,
}

impl<'a> Records<'a> {
    fn u8(&mut self) -> Result<u8, Stop> {
        let mut bytes = [0];
        self.copy(&mut bytes)?;
        Ok(bytes[0])
    }

    fn u16(&mut self) -> Result<u16, Stop> {
        let mut bytes = [0; 2];
        self.copy(&mut bytes)?;
        Ok(u16::from_be_bytes(bytes))
    }

    fn copy(&mut self, mut to: &mut [u8]) -> Result<(), Stop> {
        while !to.is_empty() {
            let part = self.part(to.len())?;
            let (filled, rest) = to.split_at_mut(part.len());
            filled.copy_from_slice(part);
            to = rest;
        }
        Ok(())
    }

    fn skip(&mut self, mut bytes: usize) -> Result<(), Stop> {
        while bytes > 0 {
            bytes -= self.part(bytes)?.len();
        }
        Ok(())
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
        if self.bytes.first().is_some_and(|content| *content != RECORD_HANDSHAKE)
            || self.bytes.get(1).is_some_and(|major| *major != 3)
        {
            return Err(Stop::NotOne);
        }
        let Some(([_, _, _, high, low], rest)) = self.bytes.split_first_chunk::<5>() else {
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

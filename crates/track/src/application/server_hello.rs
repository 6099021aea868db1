//! What a TLS server answers to a hello: up to TLS 1.2 its certificate (RFC 5246 section 7.4.2).
//!
//! In: the responder's stream, beginning with a handshake record. Out: the first certificate of the list, the server's
//! own. TLS 1.3 encrypts it: then the records after the first message are no handshake, and there is nothing to tell.

use super::certificate::{self, Parsed};
use super::records::{Part, Records, Stop};
use super::{Reading, Teller};
use crate::Protocol;

const MESSAGE_SERVER_HELLO: u8 = 2;
const MESSAGE_CERTIFICATE: u8 = 11;
const MESSAGE_HELLO_DONE: u8 = 14;
/// Messages until the certificate: the hello, and some day another.
const MOST_MESSAGES: usize = 4;
/// Bytes of a certificate looked at. Subject and validity stand before the key; names take 100 to 400 bytes.
const CERTIFICATE_BYTES: usize = 1536;

/// Reads the server's first messages.
pub(super) fn read(bytes: &[u8], last: bool, teller: &mut Teller<'_>) -> Reading {
    match read_messages(Records::new(bytes), teller) {
        Err(Stop::Short) if !last => Reading::More,
        Err(Stop::Short | Stop::NotOne) | Ok(()) => Reading::Done,
    }
}

fn read_messages(mut records: Records<'_>, teller: &mut Teller<'_>) -> Result<(), Stop> {
    if records.message()? != MESSAGE_SERVER_HELLO {
        return Err(Stop::NotOne);
    }
    if records.u16()? >> 8 != 3 {
        return Err(Stop::NotOne);
    }
    teller.protocol(Protocol::Tls);
    for _ in 0..MOST_MESSAGES {
        match records.message()? {
            MESSAGE_CERTIFICATE => return read_certificate(&mut records, teller),
            MESSAGE_HELLO_DONE => break,
            _ => {}
        }
    }
    Ok(())
}

fn read_certificate(records: &mut Records<'_>, teller: &mut Teller<'_>) -> Result<(), Stop> {
    let _list_bytes = records.u24()?;
    let length = records.u24()?;
    let mut bytes = [0; CERTIFICATE_BYTES];
    let wanted = length.min(CERTIFICATE_BYTES);
    let (copied, stop) = records.copy_some(&mut bytes[..wanted]);
    match Parsed::of(&bytes[..copied]) {
        Some(parsed) => {
            certificate::tell(&parsed, teller);
            Ok(())
        }
        // Broken, or too long before its subject, or cut in it.
        None => stop.map_or(Ok(()), Err),
    }
}

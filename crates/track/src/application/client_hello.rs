//! The TLS ClientHello (RFC 8446 section 4.1.2): the server it names, what it offers, its fingerprint.
//!
//! In: a stream that begins with a handshake record. Out: the server name as soon as it is seen (RFC 6066 section 3),
//! and the rest when the hello is whole. It may span records and segments and may be cut anywhere: the name often
//! stands before the cut.

use super::ja4::{Hashes, Offer};
use super::name::Name;
use super::records::{Part, Records, Stop};
use super::text::Text;
use super::{Reading, Teller};
use crate::{Fact, NameKind, Protocol, TlsHello};

const MESSAGE_CLIENT_HELLO: u8 = 1;
const EXTENSION_SERVER_NAME: u16 = 0;
const EXTENSION_SIGNATURE_ALGORITHMS: u16 = 13;
const EXTENSION_ALPN: u16 = 16;
const EXTENSION_SUPPORTED_VERSIONS: u16 = 43;
const NAME_TYPE_HOST: u8 = 0;
/// Longest host name looked at; DNS allows 253 characters, what is longer is truncated anyway.
const HOST_BYTES: usize = 512;

/// What reading hellos needs room for, kept from one to the next.
#[derive(Debug)]
pub(super) struct Desk {
    offer: Offer,
    hashes: Hashes,
}

impl Desk {
    pub(super) fn new() -> Self {
        Self {
            offer: Offer::new(),
            hashes: Hashes::new(),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.hashes.bytes()
    }
}

/// Reads the hello.
pub(super) fn read(bytes: &[u8], last: bool, teller: &mut Teller<'_>, desk: &mut Desk) -> Reading {
    desk.offer.begin(b't');
    read_offer(Records::new(bytes), last, teller, desk)
}

/// Reads a hello without records around it, as QUIC carries it.
pub(super) fn read_bare(bytes: &[u8], last: bool, teller: &mut Teller<'_>, desk: &mut Desk) -> Reading {
    desk.offer.begin(b'q');
    read_offer(Records::bare(bytes), last, teller, desk)
}

fn read_offer(hello: Records<'_>, last: bool, teller: &mut Teller<'_>, desk: &mut Desk) -> Reading {
    match read_hello(hello, &mut desk.offer, teller) {
        Err(Stop::Short) if !last => return Reading::More,
        Err(Stop::Short | Stop::NotOne) => {}
        Ok(()) => tell(desk, teller),
    }
    Reading::Done
}

fn tell(desk: &mut Desk, teller: &mut Teller<'_>) {
    let Desk { offer, hashes } = desk;
    let alpn = Text::<32>::of(offer.alpn());
    let ja4 = offer.fingerprint(hashes);
    let hello = TlsHello {
        has_server_name: offer.has_server_name,
        alpn: teller.counted(&alpn),
        version: offer.version(),
        ja4,
    };
    teller.fact(&Fact::Tls(hello));
}

fn read_hello(mut hello: Records<'_>, offer: &mut Offer, teller: &mut Teller<'_>) -> Result<(), Stop> {
    if hello.message()? != MESSAGE_CLIENT_HELLO {
        return Err(Stop::NotOne);
    }
    match hello.in_place() {
        Some(mut body) => read_body(&mut body, offer, teller),
        None => read_body(&mut hello, offer, teller),
    }
}

fn read_body<'a>(hello: &mut impl Part<'a>, offer: &mut Offer, teller: &mut Teller<'_>) -> Result<(), Stop> {
    offer.legacy_version = hello.u16()?;
    // It is 3.x in all that is called SSL 3 or TLS.
    if offer.legacy_version >> 8 != 3 {
        return Err(Stop::NotOne);
    }
    teller.protocol(Protocol::Tls);
    hello.skip(32)?; // random
    let session_id = hello.u8()?;
    hello.skip(usize::from(session_id))?;
    let cipher_suites = usize::from(hello.u16()?);
    hello.within(cipher_suites, |hello| offer.ciphers.fill(hello))?;
    let compression_methods = hello.u8()?;
    hello.skip(usize::from(compression_methods))?;
    if hello.left() == 0 {
        return Ok(()); // SSL 3 and TLS 1.0 had no extensions.
    }
    let extensions = usize::from(hello.u16()?).min(hello.left());
    hello.within(extensions, |hello| {
        while hello.left() > 0 {
            let (extension, length) = (hello.u16()?, usize::from(hello.u16()?));
            offer.extensions.push(extension);
            hello.within(length, |hello| read_extension(extension, hello, offer, teller))?;
        }
        Ok(())
    })
}

#[inline]
fn read_extension<'a>(
    extension: u16,
    hello: &mut impl Part<'a>,
    offer: &mut Offer,
    teller: &mut Teller<'_>,
) -> Result<(), Stop> {
    match extension {
        EXTENSION_SERVER_NAME => {
            offer.has_server_name = true;
            // An empty one is what a server sends, but some clients do too.
            if hello.left() > 0 {
                read_server_name(hello, teller)?;
            }
        }
        EXTENSION_ALPN if hello.left() > 2 => {
            let _list_length = hello.u16()?;
            let length = usize::from(hello.u8()?);
            hello.copy(offer.alpn_mut(length))?;
        }
        EXTENSION_SUPPORTED_VERSIONS => {
            let length = usize::from(hello.u8()?);
            hello.within(length, |hello| offer.versions.fill(hello))?;
        }
        EXTENSION_SIGNATURE_ALGORITHMS => {
            let length = usize::from(hello.u16()?);
            hello.within(length, |hello| offer.algorithms.fill(hello))?;
        }
        _ => {}
    }
    Ok(())
}

fn read_server_name<'a>(hello: &mut impl Part<'a>, teller: &mut Teller<'_>) -> Result<(), Stop> {
    let _list_length = hello.u16()?;
    if hello.u8()? != NAME_TYPE_HOST {
        return Ok(());
    }
    let length = usize::from(hello.u16()?);
    if let Some(host) = hello.whole(length).filter(|host| host.len() <= HOST_BYTES) {
        teller.name(NameKind::Sni, &Name::of_host(host), 0);
        return Ok(());
    }
    let mut host = [0; HOST_BYTES];
    let kept = length.min(HOST_BYTES);
    // Of a longer name the right end counts.
    hello.skip(length - kept)?;
    hello.copy(&mut host[..kept])?;
    teller.name(NameKind::Sni, &Name::of_host(&host[..kept]), 0);
    Ok(())
}

//! TLS 1.3 as a tap sees it: a hello of one of several client kinds, the server's flight, then records of noise.
//!
//! In: a server name and a client kind. Out: what both sides say. Not its job: cryptography: nothing here is encrypted,
//! it only has the shape. All connections agree on TLS 1.3, so no certificate is visible.

use super::frame::Payload;
use super::random::Random;

/// Which client library a host or a beacon uses: other ciphers, extensions and length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Client {
    /// A browser with GREASE (RFC 8701) and a hybrid post-quantum key share: its hello needs two segments.
    BrowserHybrid,
    /// A browser without; the server name is its first extension.
    Browser,
    /// A system service.
    System,
    /// A small library, as scripts and implants use.
    Library,
}

impl Client {
    fn ciphers(self) -> &'static [u16] {
        match self {
            Self::BrowserHybrid => &[
                0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d,
                0x002f, 0x0035,
            ],
            Self::Browser => &[
                0x1301, 0x1303, 0x1302, 0xc02b, 0xc02f, 0xcca9, 0xcca8, 0xc02c, 0xc030, 0xc00a, 0xc009, 0xc013, 0xc014,
            ],
            Self::System => &[
                0x1302, 0x1301, 0xc02c, 0xc02b, 0xc030, 0xc02f, 0xc024, 0xc023, 0xc028, 0xc027,
            ],
            Self::Library => &[0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0x1301, 0x1302, 0x1303],
        }
    }

    fn groups(self) -> &'static [u16] {
        match self {
            Self::BrowserHybrid => &[0x11ec, 0x001d, 0x0017, 0x0018],
            Self::Browser => &[0x001d, 0x0017, 0x0018, 0x0019],
            _ => &[0x001d, 0x0017],
        }
    }

    fn protocols(self) -> &'static [&'static [u8]] {
        match self {
            Self::BrowserHybrid | Self::Browser => &[b"h2", b"http/1.1"],
            Self::System => &[b"http/1.1"],
            Self::Library => &[],
        }
    }
}

/// A ClientHello in its record (RFC 8446 section 4.1.2).
pub(super) fn client_hello(random: &mut Random, name: Option<&str>, client: Client) -> Vec<u8> {
    let mut body = Vec::with_capacity(1_800);
    body.extend_from_slice(&[0x03, 0x03]);
    noise(&mut body, 32, random);
    body.push(32);
    noise(&mut body, 32, random);
    let grease = 0x0a0a + 0x1010 * random.below(16) as u16;
    let greases = client == Client::BrowserHybrid;
    let mut ciphers: Vec<u16> = client.ciphers().to_vec();
    if greases {
        ciphers.insert(0, grease);
    }
    sized_u16(&mut body, |out| {
        ciphers
            .iter()
            .for_each(|cipher| out.extend_from_slice(&cipher.to_be_bytes()))
    });
    body.extend_from_slice(&[1, 0]);
    let mut extensions = extensions(random, name, client);
    if greases {
        // Such browsers send their extensions in an order drawn anew for every hello, between two greased ones.
        for last in (1..extensions.len()).rev() {
            extensions.swap(last, random.below(last as u64 + 1) as usize);
        }
        extensions.insert(0, (grease, Vec::new()));
    }
    sized_u16(&mut body, |out| {
        for (number, data) in &extensions {
            out.extend_from_slice(&number.to_be_bytes());
            sized_u16(out, |out| out.extend_from_slice(data));
        }
    });
    record(22, &handshake(1, &body))
}

fn extensions(random: &mut Random, name: Option<&str>, client: Client) -> Vec<(u16, Vec<u8>)> {
    let mut list = Vec::with_capacity(16);
    if let Some(name) = name {
        let mut data = Vec::new();
        sized_u16(&mut data, |out| {
            out.push(0);
            sized_u16(out, |out| out.extend_from_slice(name.as_bytes()));
        });
        list.push((0, data));
    }
    list.push((23, Vec::new()));
    list.push((0xff01, vec![0]));
    list.push((10, words(client.groups())));
    list.push((11, vec![1, 0]));
    list.push((35, Vec::new()));
    if !client.protocols().is_empty() {
        let mut data = Vec::new();
        sized_u16(&mut data, |out| {
            for protocol in client.protocols() {
                out.push(protocol.len() as u8);
                out.extend_from_slice(protocol);
            }
        });
        list.push((16, data));
    }
    if client != Client::Library {
        list.push((5, vec![1, 0, 0, 0, 0]));
    }
    list.push((
        13,
        words(&[0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601]),
    ));
    if matches!(client, Client::Browser | Client::BrowserHybrid) {
        list.push((18, Vec::new()));
        list.push((27, vec![2, 0, 2]));
    }
    list.push((51, key_shares(random, client)));
    list.push((45, vec![1, 1]));
    list.push((43, vec![4, 0x03, 0x04, 0x03, 0x03]));
    list
}

/// One key share, or the hybrid one of 1,216 bytes (X25519MLKEM768) before it.
fn key_shares(random: &mut Random, client: Client) -> Vec<u8> {
    let mut data = Vec::new();
    sized_u16(&mut data, |out| {
        if client == Client::BrowserHybrid {
            out.extend_from_slice(&0x11ecu16.to_be_bytes());
            sized_u16(out, |out| noise(out, 1_216, random));
        }
        out.extend_from_slice(&0x001du16.to_be_bytes());
        sized_u16(out, |out| noise(out, 32, random));
    });
    data
}

/// ServerHello, change of cipher, and one record with the encrypted rest of the flight.
pub(super) fn server_flight(random: &mut Random, encrypted_bytes: u32) -> Payload {
    let mut body = vec![0x03, 0x03];
    noise(&mut body, 32, random);
    body.push(32);
    noise(&mut body, 32, random);
    body.extend_from_slice(&[0x13, 0x01, 0]);
    sized_u16(&mut body, |out| {
        out.extend_from_slice(&[0, 43, 0, 2, 0x03, 0x04, 0, 51, 0, 36, 0, 0x1d, 0, 32]);
        noise(out, 32, random);
    });
    let mut head = record(22, &handshake(2, &body));
    head.extend_from_slice(&CHANGE_OF_CIPHER);
    head.extend_from_slice(&record_header(23, encrypted_bytes));
    Payload {
        head,
        filler_bytes: encrypted_bytes.min(LARGEST_RECORD_BYTES),
        salt: random.bits() as u32,
    }
}

/// The client's change of cipher and Finished.
pub(super) fn client_finished(random: &mut Random) -> Payload {
    let mut head = CHANGE_OF_CIPHER.to_vec();
    head.extend_from_slice(&record_header(23, 53));
    Payload {
        head,
        filler_bytes: 53,
        salt: random.bits() as u32,
    }
}

/// Application data of this many bytes, as records of at most 2^14.
pub(super) fn application_data(random: &mut Random, bytes: u32) -> impl Iterator<Item = Payload> {
    let mut left = bytes;
    std::iter::from_fn(move || {
        let plain = left.min(1 << 14);
        left -= plain;
        // 17 more than the plaintext: content type and authentication tag.
        let head = record_header(23, plain + 17).to_vec();
        (plain > 0).then(|| Payload {
            head,
            filler_bytes: plain + 17,
            salt: random.bits() as u32,
        })
    })
}

const CHANGE_OF_CIPHER: [u8; 6] = [20, 3, 3, 0, 1, 1];

/// 2^14 plus the expansion RFC 8446 section 5.2 allows.
const LARGEST_RECORD_BYTES: u32 = 16_384 + 256;

fn record_header(kind: u8, bytes: u32) -> [u8; 5] {
    let [high, low] = (bytes.min(LARGEST_RECORD_BYTES) as u16).to_be_bytes();
    [kind, 3, 3, high, low]
}

fn record(kind: u8, content: &[u8]) -> Vec<u8> {
    let mut out = record_header(kind, content.len() as u32).to_vec();
    // RFC 8446 section 5.1: the first hello's record says 0x0301.
    out[2] = if content[0] == 1 { 1 } else { 3 };
    out.extend_from_slice(content);
    out
}

fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
    let [_, high, middle, low] = (body.len() as u32).to_be_bytes();
    let mut out = vec![kind, high, middle, low];
    out.extend_from_slice(body);
    out
}

fn words(list: &[u16]) -> Vec<u8> {
    let mut data = Vec::new();
    sized_u16(&mut data, |out| {
        list.iter().for_each(|word| out.extend_from_slice(&word.to_be_bytes()))
    });
    data
}

/// Writes what `content` writes, behind its length in two bytes.
fn sized_u16(out: &mut Vec<u8>, content: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend_from_slice(&[0, 0]);
    content(out);
    let length = (out.len() - at - 2) as u16;
    out[at..at + 2].copy_from_slice(&length.to_be_bytes());
}

fn noise(out: &mut Vec<u8>, bytes: usize, random: &mut Random) {
    let at = out.len();
    out.resize(at + bytes, 0);
    random.fill(&mut out[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hellos_have_the_lengths_their_kinds_have() {
        let mut random = Random::new(1, 1);
        let hello = |client, random: &mut Random| client_hello(random, Some("www.site1.example"), client);
        assert!(hello(Client::BrowserHybrid, &mut random).len() > 1_460);
        assert!((150..400).contains(&hello(Client::Library, &mut random).len()));
    }

    #[test]
    fn every_length_field_spans_exactly_its_content() {
        let mut random = Random::new(2, 1);
        for client in [Client::BrowserHybrid, Client::Browser, Client::System, Client::Library] {
            let hello = client_hello(&mut random, Some("a.example"), client);
            let at = |i: usize| usize::from(u16::from_be_bytes([hello[i], hello[i + 1]]));
            assert_eq!(at(3), hello.len() - 5);
            assert_eq!(at(7), hello.len() - 9);
            let ciphers = 5 + 4 + 2 + 32 + 33;
            let extensions = ciphers + 2 + at(ciphers) + 2;
            assert_eq!(at(extensions), hello.len() - extensions - 2);
            let mut next = extensions + 2;
            let mut numbers = Vec::new();
            while next < hello.len() {
                numbers.push(at(next));
                next += 4 + at(next + 2);
            }
            assert_eq!(next, hello.len());
            assert!(numbers.contains(&0) && numbers.contains(&43), "{numbers:?}");
        }
    }
}

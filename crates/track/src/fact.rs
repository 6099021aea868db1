//! What is learnt from payloads: [`Fact`] and its parts, small values that borrow the packet they were read from.
//!
//! Every string in them is printable ASCII: another byte is written as its decimal escape `\ddd`. Names are lower case
//! and at most 253 bytes, of which the right end is kept; texts keep their case and their left end.

use std::fmt;

use balefire_decode::{Address, Transport};

/// Where a name of the server came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NameKind {
    /// TLS server name indication, of a QUIC connection too.
    Sni,
    /// HTTP Host header or absolute URI.
    HttpHost,
    /// Target of an HTTP CONNECT: the server behind a proxy.
    ConnectTarget,
    /// Name asked for in a DNS query.
    DnsQuery,
}

/// Something learnt from a connection's payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fact<'a> {
    /// A name the client gave for the server; for [`NameKind::ConnectTarget`] with the target's port. Told as soon as
    /// it is seen: once of a connection and kind, but [`NameKind::DnsQuery`] with every query.
    Name {
        /// Where it was seen.
        kind: NameKind,
        /// The name, at most 253 bytes.
        name: &'a str,
        /// The port named with it, 0 if none.
        port: u16,
    },
    /// One DNS message over UDP or TCP: every query, after its [`Fact::Name`], and every answer to one question, before
    /// its [`Fact::DnsAnswer`]s. The client is the originator of the connection.
    DnsMessage(DnsMessage<'a>),
    /// One address in a DNS answer: what the originator asked for has this address. Told of the first
    /// [`Fact::MOST_DNS_ANSWERS`] address records of every answer.
    DnsAnswer {
        /// The name asked for, not the alias that has the address.
        name: &'a str,
        /// Its address.
        address: Address,
        /// How long the answer holds, seconds.
        ttl_s: u32,
    },
    /// What protocol the payload is, by its content. Told once of a connection, with the first payload that decides:
    /// it may come from either side. Not told if nothing decides: no payload, too little captured of it, a TCP
    /// connection whose beginning was not seen and which is none of the known ones, or a first datagram that may as
    /// well be from the middle of a QUIC connection.
    Protocol(Protocol),
    /// A client's TLS hello. Told once of a connection, when all of the hello was seen; of one that is cut only
    /// [`Fact::Name`] may be told.
    Tls(TlsHello<'a>),
    /// The server's own certificate, where TLS 1.2 and older show it. Told once of a connection, when its subject was
    /// seen; not of resumed sessions.
    Certificate(Certificate<'a>),
    /// The first HTTP/1 request. Told once of a connection, at the end of its head.
    Http(HttpRequest<'a>),
    /// The status of the first HTTP/1 response. Told once of a connection.
    HttpStatus(u16),
    /// How long the body of the first HTTP/1 request or response is said to be. Told once of each side, at the end of its
    /// head, after [`Fact::Http`] or [`Fact::HttpStatus`]; not of a head that is cut or says nothing of a body.
    HttpBody(HttpBody),
    /// One ICMP echo request or reply that carries data. Told of every one.
    Echo(Echo),
}

impl Fact<'_> {
    /// Most addresses told of one DNS answer.
    pub const MOST_DNS_ANSWERS: usize = 16;
}

/// The measures of a DNS query or answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DnsMessage<'a> {
    /// The name asked for.
    pub name: &'a str,
    /// From the responder.
    pub is_answer: bool,
    /// What was asked for: the type's number (IANA DNS parameters), such as 1 A, 5 CNAME, 10 NULL, 16 TXT, 28 AAAA.
    pub query_type: u16,
    /// The answer's code (RCODE); 0 no error, 3 no such name. 0 in a query.
    pub code: u8,
    /// Octets of the name on the wire, length octets and root included.
    pub name_octets: u8,
    /// Labels of the name.
    pub labels: u8,
    /// Octets of the whole message.
    pub message_bytes: u16,
    /// Answer records it claims to have.
    pub answers: u16,
    /// Type of the first answer record; 0 if there is none.
    pub answer_type: u16,
    /// Data octets of the answer records, without their headers; as far as captured.
    pub answer_data_bytes: u16,
}

/// The length that an HTTP head gives for its body (RFC 9112 section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpBody {
    /// Of the response.
    pub is_response: bool,
    /// Content-Length; none where the body comes in chunks, so that its length is not known before its end.
    pub content_bytes: Option<u64>,
}

/// An ICMP echo message (RFC 792, RFC 4443 section 4). What a reply carries should be what its request carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Echo {
    /// From the one who was asked.
    pub is_reply: bool,
    /// Tells one asking program from the next.
    pub identifier: u16,
    /// Tells one request from the next.
    pub sequence: u16,
    /// Octets it carries.
    pub payload_bytes: u32,
    /// Digest of the first [`Echo::SAMPLE_BYTES`] of them that were captured; 0 where none was.
    pub head: u32,
    /// Digest of those from [`Echo::STAMP_BYTES`] on, where programs that ping repeat themselves; 0 where there is none.
    pub pattern: u32,
}

impl Echo {
    /// Octets of the data that are looked at: what the shortest of the usual pings carries, and what resolvers that
    /// shorten their replies still return.
    pub const SAMPLE_BYTES: usize = 56;
    /// Octets at the beginning that may differ from ping to ping without meaning anything: programs keep a time stamp of 8
    /// or 16 there (`ping` of iputils and of BSD, fping).
    pub const STAMP_BYTES: usize = 16;
}

/// An application protocol as its first payload shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Protocol {
    /// TLS and SSL 3.
    Tls,
    /// HTTP/1.
    Http,
    /// HTTP/2 without TLS, by prior knowledge.
    Http2,
    /// DNS over UDP or TCP; multicast DNS and LLMNR look the same.
    Dns,
    /// SSH.
    Ssh,
    /// SMTP.
    Smtp,
    /// IRC.
    Irc,
    /// QUIC version 1 or 2, or one of the last drafts.
    Quic,
    /// NTP.
    Ntp,
    /// The originator's first payload was seen and begins none of these.
    Unknown,
}

impl Protocol {
    /// Its name in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::Http => "http",
            Self::Http2 => "http2",
            Self::Dns => "dns",
            Self::Ssh => "ssh",
            Self::Smtp => "smtp",
            Self::Irc => "irc",
            Self::Quic => "quic",
            Self::Ntp => "ntp",
            Self::Unknown => "unknown",
        }
    }

    /// What is spoken at a port by convention (IANA, Service Name and Transport Protocol Port Number Registry), as far as it is one
    /// of these; empty where it is none. Where the payload shows something else ([`Fact::Protocol`]), port and protocol do not match.
    pub const fn usual_at(transport: Transport, port: u16) -> &'static [Self] {
        match (transport, port) {
            (Transport::TCP, 22) => &[Self::Ssh],
            (Transport::TCP, 25 | 587) => &[Self::Smtp],
            (Transport::TCP | Transport::UDP, 53) => &[Self::Dns],
            // An upgrade to anything else begins as HTTP.
            (Transport::TCP, 80) => &[Self::Http, Self::Http2],
            (Transport::TCP, 443 | 465 | 636 | 853 | 990 | 993 | 995 | 5061) => &[Self::Tls],
            (Transport::UDP, 123) => &[Self::Ntp],
            (Transport::UDP, 443) => &[Self::Quic],
            _ => &[],
        }
    }
}

/// What a TLS client says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsHello<'a> {
    /// It names the server; the name is told as [`Fact::Name`].
    pub has_server_name: bool,
    /// The application protocol it would like best, as text of at most 32 bytes; empty if it names none.
    pub alpn: &'a str,
    /// The highest version it offers, 0x0304 for TLS 1.3.
    pub version: u16,
    /// Its fingerprint; none if it offers more of something than is kept.
    pub ja4: Option<Ja4>,
}

/// A JA4 fingerprint of a TLS client, such as `t13d1516h2_8daaf6152771_e5627efa2ab1`
/// (<https://github.com/FoxIO-LLC/ja4/blob/main/technical_details/JA4.md>; JA4 itself is under the BSD 3-Clause licence).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ja4([u8; Self::BYTES]);

impl Ja4 {
    /// Its length: ten characters, and twice an underscore with twelve.
    pub const BYTES: usize = 36;

    /// From its characters; `None` if one is no printable ASCII.
    pub fn new(text: [u8; Self::BYTES]) -> Option<Self> {
        text.iter().all(u8::is_ascii_graphic).then_some(Self(text))
    }

    /// The fingerprint as it is written.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Ja4 {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.text())
    }
}

impl fmt::Debug for Ja4 {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.text())
    }
}

/// What stands in a server's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Certificate<'a> {
    /// The subject's common name, at most 64 bytes; empty if it has none.
    pub subject: &'a str,
    /// The issuer's common name, at most 64 bytes; empty if it has none.
    pub issuer: &'a str,
    /// Subject and issuer are the same, byte for byte.
    pub is_self_signed: bool,
    /// When it is valid; none where that is not told, as in logs.
    pub validity: Option<Validity>,
}

/// When a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// Seconds since 1970-01-01 UTC from which on.
    pub not_before_s: i64,
    /// Days between its beginning and its end, rounded down; 0 if it ends before it begins.
    pub days: u32,
}

/// The head of an HTTP request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpRequest<'a> {
    /// Its method.
    pub method: &'a str,
    /// The request's target as it was sent, at most 128 bytes.
    pub path: &'a str,
    /// The User-Agent field, at most 128 bytes; none if there is no such field.
    pub user_agent: Option<&'a str>,
    /// It has a Host field.
    pub has_host: bool,
    /// All of the head was seen and is well formed; if not, what is absent may only not have been seen.
    pub is_whole: bool,
}

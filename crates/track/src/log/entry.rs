//! What a usable line says: a whole connection, or something learnt inside one.

use balefire_decode::Address;

use crate::{ConnState, Endpoints, Ja4, NameKind, Protocol, Volume};

/// One usable line. At most 152 bytes, texts apart, so that a [`Window`](super::Window) full of them has a stated size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When the connection began, or when the fact was seen; nanoseconds since 1970-01-01 UTC.
    pub time_ns: i64,
    /// Who talked to whom. In logs that do not tell the transport it is the one their protocol runs on.
    pub endpoints: Endpoints,
    /// What the lines of one connection have in common.
    pub join: JoinKey,
    /// What the line is.
    pub kind: EntryKind,
    /// The server's name, if the line has one.
    pub name: Option<Name>,
    /// What the log's writer took the payload for, if the line says it.
    pub protocol: Option<Protocol>,
    /// What else was learnt from the payload.
    pub learnt: Option<Box<Learnt>>,
}

/// What a line of Zeek's `dns`, `ssl` or `http` log tells beside the name. Texts are harmless and capped, as those from packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Learnt {
    /// A question and its answer.
    Dns {
        /// Type of the question, 0 if it is not told.
        query_type: u16,
        /// The answer's code; none where no answer was seen.
        code: Option<u8>,
        /// Records of the answer.
        answers: u16,
        /// Its addresses, each with how long it holds, seconds; at most [`crate::Fact::MOST_DNS_ANSWERS`].
        addresses: Vec<(Address, u32)>,
    },
    /// A client's hello, and what is known of the server's certificate.
    Tls {
        /// Version that was agreed on, 0x0304 for TLS 1.3; 0 if it is not told.
        version: u16,
        /// Application protocol that was agreed on.
        alpn: Box<str>,
        /// The client's fingerprint.
        ja4: Option<Ja4>,
        /// Common names of subject and issuer, and whether both are the same as a whole.
        certificate: Option<(Box<str>, Box<str>, bool)>,
    },
    /// A request and its response.
    Http {
        /// Its method.
        method: Box<str>,
        /// Its target.
        path: Box<str>,
        /// Its user agent.
        user_agent: Option<Box<str>>,
        /// It names its host.
        has_host: bool,
        /// Status of the response.
        status: Option<u16>,
        /// Length of the response's body.
        response_bytes: Option<u64>,
    },
}

/// Joins lines of one connection: a hash of the log's identifier for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct JoinKey(pub u64);

impl JoinKey {
    /// The line stands alone.
    pub const NONE: Self = Self(0);
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A connection from begin to end.
    Connection(Ending),
    /// A name inside a connection that another line describes.
    Fact,
    /// One request inside it, with its payload: a check-in of its own.
    Request {
        /// Its method, address and body, as far as the log has them.
        payload_bytes: u32,
    },
}

/// The second half of a connection's line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// From the first packet to the last.
    pub duration_ns: i64,
    /// How it ended.
    pub state: ConnState,
    /// Sent by the originator; packets are 0 where the log does not count them.
    pub sent: Volume,
    /// Sent by the responder.
    pub received: Volume,
}

/// The server's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// Lower case, capped, no control characters.
    pub text: Box<str>,
    /// Where it was seen.
    pub kind: NameKind,
    /// The port named with it, 0 if none.
    pub port: u16,
}

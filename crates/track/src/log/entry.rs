//! What a usable line says: a whole connection, or something learnt inside one.

use crate::{ConnState, Endpoints, NameKind, Volume};

/// One usable line. At most 144 bytes, names apart, so that a [`Window`](super::Window) full of them has a stated size.
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

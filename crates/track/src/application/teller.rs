//! Telling facts once, counting what is lost in telling.
//!
//! In: what the protocols' readers found. Out: [`Fact`]s. A reader sees its stream again with every segment; what must be
//! told before it is done is remembered in the connection's marks.

use super::name::Name;
use super::text::Text;
use crate::{Fact, NameKind, Protocol};

/// Mark: the protocol was told.
const PROTOCOL: u8 = 0x01;
/// Mark: nothing more is wanted of the responder's payload.
pub(crate) const RESPONDER_DONE: u8 = 0x02;
/// Mark: the beginning of the connection was not seen.
pub(crate) const MID_STREAM: u8 = 0x04;
/// Mark: the originator asked a proxy for a tunnel.
pub(super) const CONNECT: u8 = 0x08;
/// Mark: the host of an HTTP request was told.
const HTTP_HOST: u8 = 0x10;
/// Mark: the name in a TLS hello was told.
const SERVER_NAME: u8 = 0x20;
/// Mark: the status of an HTTP response was told.
const HTTP_STATUS: u8 = 0x40;

/// What was lost, in a tracker's life.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) names_truncated: u64,
    pub(crate) texts_truncated: u64,
    pub(crate) abandoned: u64,
    pub(crate) buffers_taken_over: u64,
}

/// Tells facts of one connection.
pub(super) struct Teller<'a> {
    pub(super) tell: &'a mut dyn FnMut(&Fact<'_>),
    pub(super) counts: &'a mut Counts,
    pub(super) marks: &'a mut u8,
}

impl Teller<'_> {
    pub(super) fn fact(&mut self, fact: &Fact<'_>) {
        (self.tell)(fact);
    }

    /// Tells a name; an empty one is none. Of a kind that a connection has only one of, the first is told.
    pub(super) fn name(&mut self, kind: NameKind, name: &Name, port: u16) {
        let mark = match kind {
            NameKind::Sni => SERVER_NAME,
            NameKind::HttpHost => HTTP_HOST,
            NameKind::ConnectTarget | NameKind::DnsQuery => 0,
        };
        if *self.marks & mark != 0 || name.is_empty() {
            return;
        }
        *self.marks |= mark;
        self.counts.names_truncated += u64::from(name.is_truncated());
        let name = name.text();
        self.fact(&Fact::Name { kind, name, port });
    }

    /// Tells what the connection speaks, if that was not told yet.
    pub(super) fn protocol(&mut self, protocol: Protocol) {
        if *self.marks & PROTOCOL == 0 {
            *self.marks |= PROTOCOL;
            self.fact(&Fact::Protocol(protocol));
        }
    }

    /// Tells the status of the first response.
    pub(super) fn status(&mut self, status: u16) {
        if *self.marks & HTTP_STATUS == 0 {
            *self.marks |= HTTP_STATUS;
            self.fact(&Fact::HttpStatus(status));
        }
    }

    pub(super) const fn has(&self, mark: u8) -> bool {
        *self.marks & mark != 0
    }

    pub(super) const fn mark(&mut self, mark: u8) {
        *self.marks |= mark;
    }

    /// Counts a text that will be told.
    pub(super) fn counted<'t, const BYTES: usize>(&mut self, text: &'t Text<BYTES>) -> &'t str {
        self.counts.texts_truncated += u64::from(text.is_truncated());
        text.text()
    }
}

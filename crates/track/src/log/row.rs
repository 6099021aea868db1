//! One line by meaning, to an [`Entry`].
//!
//! In: every field that matters in its place; how the line was written (CSV, tab-separated, JSON) is forgotten by then. Out:
//! the entry, or the column that is at fault.

use std::hash::BuildHasher;

use balefire_decode::Transport;
use foldhash::fast::FixedState;

use crate::{ConnState, Endpoints, NameKind, Protocol, Volume};

use super::columns::{Kind, PerRole, ROLES, Role, Roles};
use super::entry::{Ending, Entry, EntryKind, JoinKey, Name};
use super::fault::{LineFault, Reason};
use super::{learnt, name, value};

/// One line by meaning; a field that is absent or unset is empty.
#[derive(Debug)]
pub(super) struct Row<'a> {
    fields: PerRole<&'a [u8]>,
}

impl<'a> Row<'a> {
    pub(super) const fn new() -> Self {
        Self { fields: [&[]; ROLES] }
    }

    pub(super) fn set(&mut self, role: Role, field: &'a [u8]) {
        self.fields[role as usize] = field;
    }

    /// From one value per role, in the order of [`Role`].
    pub(super) const fn from_fields(fields: PerRole<&'a [u8]>) -> Self {
        Self { fields }
    }

    /// The roles that have a value.
    pub(super) fn roles(&self) -> Roles {
        let set = self.fields.iter().enumerate().filter(|(_, field)| !field.is_empty());
        Roles::from_bits(set.fold(0, |bits, (role, _)| bits | 1_u64 << role))
    }

    #[inline]
    pub(super) fn field(&self, role: Role) -> &'a [u8] {
        self.fields[role as usize]
    }

    /// What the line says; `None` if it has nothing to tell (a DNS line without a query).
    pub(super) fn entry(&self, kind: Kind) -> Result<Option<Entry>, LineFault> {
        let zeek = kind != Kind::Csv;
        let fault = |reason, role: Role| LineFault::new(reason, role.column(zeek));
        let time_ns = self.required(Role::Time, Reason::Time, zeek, value::time_ns)?;
        let originator = self.required(Role::Source, Reason::Address, zeek, value::address)?;
        let responder = self.required(Role::Destination, Reason::Address, zeek, value::address)?;
        let transport = match kind {
            Kind::Csv | Kind::Connections => {
                let transport = |text: &[u8]| value::transport(text, originator.is_v4());
                self.required(Role::Protocol, Reason::Protocol, zeek, transport)?
            }
            Kind::Quic => Transport::UDP,
            Kind::Dns if self.field(Role::Protocol) != b"tcp" => Transport::UDP,
            _ => Transport::TCP,
        };
        let responder_port = self.optional(Role::DestinationPort, Reason::Port, zeek, value::port)?;
        if responder_port.is_none() && matches!(transport, Transport::TCP | Transport::UDP) {
            return Err(fault(Reason::Missing, Role::DestinationPort));
        }
        let originator_port = self
            .optional(Role::SourcePort, Reason::Port, zeek, value::port)?
            .unwrap_or(0);
        let endpoints = Endpoints {
            originator,
            responder,
            originator_port,
            responder_port: responder_port.unwrap_or(0),
            transport,
        };
        let learnt = learnt::of(self, kind);
        let protocol = match kind {
            Kind::Csv | Kind::Connections => learnt::protocol(self.field(Role::Service)),
            Kind::Dns => Some(Protocol::Dns),
            Kind::Tls => Some(Protocol::Tls),
            Kind::Quic => Some(Protocol::Quic),
            Kind::Http => Some(Protocol::Http),
            Kind::Other => None,
        };
        let (kind, name) = match kind {
            Kind::Csv | Kind::Connections => (EntryKind::Connection(self.ending(zeek)?), self.csv_name()),
            Kind::Http => (self.request()?, self.http_name()),
            Kind::Dns => (
                EntryKind::Fact,
                name::plain(NameKind::DnsQuery, self.field(Role::Query)),
            ),
            Kind::Tls | Kind::Quic => (
                EntryKind::Fact,
                name::plain(NameKind::Sni, self.field(Role::ServerName)),
            ),
            Kind::Other => return Ok(None),
        };
        if name.is_none() && !learnt::stands_alone(kind, learnt.as_deref()) {
            return Ok(None);
        }
        Ok(Some(Entry {
            time_ns,
            endpoints,
            join: self.join(),
            kind,
            name,
            protocol,
            learnt,
        }))
    }

    fn required<T>(
        &self,
        role: Role,
        reason: Reason,
        zeek: bool,
        parse: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<T, LineFault> {
        let field = self.field(role);
        if field.is_empty() {
            return Err(LineFault::new(Reason::Missing, role.column(zeek)));
        }
        parse(field).ok_or_else(|| LineFault::new(reason, role.column(zeek)))
    }

    fn optional<T>(
        &self,
        role: Role,
        reason: Reason,
        zeek: bool,
        parse: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<Option<T>, LineFault> {
        if self.field(role).is_empty() {
            return Ok(None);
        }
        self.required(role, reason, zeek, parse).map(Some)
    }

    fn ending(&self, zeek: bool) -> Result<Ending, LineFault> {
        let count = |role| self.optional(role, Reason::Number, zeek, value::count);
        let volume = |payload, ip, packets| -> Result<Volume, LineFault> {
            let (payload_bytes, ip_bytes) = (count(payload)?, count(ip)?);
            Ok(Volume {
                packets: count(packets)?.unwrap_or(0),
                payload_bytes: payload_bytes.or(ip_bytes).unwrap_or(0),
                ip_bytes: ip_bytes.or(payload_bytes).unwrap_or(0),
            })
        };
        let sent = volume(Role::BytesOut, Role::IpBytesOut, Role::PacketsOut)?;
        let received = volume(Role::BytesIn, Role::IpBytesIn, Role::PacketsIn)?;
        let duration_ns = self
            .optional(Role::Duration, Reason::Number, zeek, value::duration_ns)?
            .unwrap_or(0);
        let state = self.optional(Role::State, Reason::State, zeek, value::state)?;
        // Without a state an answer shows that there was a connection; no answer shows nothing, so no failure is claimed.
        let answered = if received.ip_bytes > 0 {
            ConnState::Sf
        } else {
            ConnState::Oth
        };
        Ok(Ending {
            duration_ns,
            state: state.unwrap_or(answered),
            sent,
            received,
        })
    }

    /// The request's size as far as the log tells it: what varies of its first line, and its body.
    fn request(&self) -> Result<EntryKind, LineFault> {
        let body = self
            .optional(Role::RequestBytes, Reason::Number, true, value::count)?
            .unwrap_or(0);
        let head = self.field(Role::Method).len() + self.field(Role::Uri).len() + self.field(Role::Host).len();
        let bytes = body.saturating_add(head as u64);
        Ok(EntryKind::Request {
            payload_bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
        })
    }

    /// The CSV's one name column; its service says what kind of name it is, and TLS is by far the most common.
    fn csv_name(&self) -> Option<Name> {
        let text = self.field(Role::Name);
        if text.is_empty() {
            return None;
        }
        match self.field(Role::Service) {
            service if service.eq_ignore_ascii_case(b"dns") => name::plain(NameKind::DnsQuery, text),
            service if service.eq_ignore_ascii_case(b"http") => name::with_port(NameKind::HttpHost, text),
            _ => name::plain(NameKind::Sni, text),
        }
    }

    fn http_name(&self) -> Option<Name> {
        let (host, uri) = (self.field(Role::Host), self.field(Role::Uri));
        if self.field(Role::Method).eq_ignore_ascii_case(b"CONNECT") {
            let target = if uri.is_empty() {
                host
            } else {
                name::authority(uri).unwrap_or(uri)
            };
            return name::with_port(NameKind::ConnectTarget, target);
        }
        let host = if host.is_empty() { name::authority(uri)? } else { host };
        name::with_port(NameKind::HttpHost, host)
    }

    fn join(&self) -> JoinKey {
        match self.field(Role::Uid) {
            [] => JoinKey::NONE,
            // The seed is fixed: identifiers are chosen by the log's writer, and the hash only has to spread them.
            uid => JoinKey(FixedState::default().hash_one(uid).max(1)),
        }
    }
}

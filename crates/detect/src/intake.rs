//! The way in: a worker's events become check-ins, which wait in a short queue.
//!
//! In: calls of [`Sink`]. Out: [`Item`]s, and what a connection is known for until it ends. Not its job: working check-ins
//! off ([`crate::check_in`]), what DNS brought ([`crate::questions`]), judging, parts.

use balefire_decode::{Address, Transport};
use balefire_track::{Certificate, Closed, ConnState, Endpoints, Fact, NameKind, Opened, Protocol, Sink, Volume};

use crate::detector::Detector;
use crate::home::Role;
use crate::key::{Destination, Scope, is_directed_broadcast, is_group};
use crate::lasting;
use crate::names::{NO_NAME, address_written};
use crate::summary::{Country, EvidenceKind};
use crate::traffic::{TrafficCounters, UNFOLLOWED};

/// Check-ins that wait. More gain nothing: a core has 10 to 16 outstanding misses.
pub(crate) const QUEUE: usize = 32;

/// No timeline.
const NO_RECORD: u32 = u32::MAX;

/// A live connection of a host to something that is scored.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Identity of its (host, service) pair.
    pub(crate) pair: u64,
    pub(crate) role: Role,
    /// Times of the first two bursts; from the third on it is a long-lived connection and all are check-ins.
    pub(crate) bursts_ns: [i64; 2],
    /// Timelines it belongs to.
    pub(crate) record: u32,
    pub(crate) named_record: u32,
    pub(crate) beat_record: u32,
    /// The last name given in it, and that name's hash: the slot may belong to another name by the time it is used.
    pub(crate) name: u32,
    pub(crate) name_hash: u64,
    pub(crate) bursts: u8,
    pub(crate) relayed: bool,
    /// Its TLS hello names no server; its certificate is of no public authority.
    pub(crate) bare_hello: bool,
    pub(crate) odd_certificate: bool,
    /// It begins with an HTTP request, that posts.
    pub(crate) request: bool,
    pub(crate) post: bool,
    /// It feeds a group's timeline.
    pub(crate) grouped: bool,
    pub(crate) protocol: Option<Protocol>,
    /// Seeded hash of its client's fingerprint, 0 if it showed none; length of the first HTTP answer's body, if it was told.
    pub(crate) client: u64,
    pub(crate) body_bytes: Option<u32>,
}

/// A certificate that no public authority would issue, or no program of a platform would accept at this time: signed by itself, out
/// of its time, good for longer than ten years or less than a day (the CA/Browser Forum's baseline requirements, section 6.3.2,
/// never allowed more; 39 months since 2015, 398 days since 2020), or for a subject that is no host's name (section 7.1.2.7.6: the
/// common name is one of the names it is for), as the defaults of tools are.
fn is_odd(certificate: &Certificate<'_>, time_ns: i64) -> bool {
    let is_out_of_time = certificate.validity.is_some_and(|validity| {
        let lasts_s = i64::from(validity.days).saturating_add(1) * 86_400;
        let age_s = (time_ns / 1_000_000_000).saturating_sub(validity.not_before_s);
        !(1..=3_660).contains(&validity.days) || !(0..=lasts_s).contains(&age_s)
    });
    let subject = certificate.subject;
    certificate.is_self_signed
        || is_out_of_time
        || !subject.is_empty() && (subject == certificate.issuer || !subject.contains('.'))
}

/// What waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A connection began.
    Start,
    /// A name was used: in a connection, to a proxy, or to a resolver.
    Named,
    /// One burst of a long-lived connection.
    Beat,
    /// A connection ended.
    Ended {
        failed: bool,
        sent_bytes: u32,
        received_bytes: u64,
    },
}

/// One waiting check-in or end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item {
    pub(crate) event: Event,
    pub(crate) role: Role,
    pub(crate) kind: EvidenceKind,
    pub(crate) host: Address,
    pub(crate) server: Address,
    pub(crate) port: u16,
    pub(crate) transport: Transport,
    pub(crate) client_port: u16,
    pub(crate) key: Destination,
    /// Hashes of host, destination and pair.
    pub(crate) hashes: [u64; 3],
    pub(crate) time_ns: i64,
    pub(crate) bytes: u32,
    pub(crate) name: u32,
    pub(crate) connection: u32,
}

/// Who is who, of a connection that may be scored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    pub(crate) role: Role,
    pub(crate) host: Address,
    pub(crate) server: Address,
    pub(crate) port: u16,
    pub(crate) transport: Transport,
    /// The host's own port; for ICMP the type of the request.
    pub(crate) client_port: u16,
}

impl Item {
    pub(crate) fn ends(&self) -> Ends {
        Ends {
            role: self.role,
            host: self.host,
            server: self.server,
            port: self.port,
            transport: self.transport,
            client_port: self.client_port,
        }
    }
}

impl Ends {
    #[inline]
    fn of(endpoints: &Endpoints, role: Role) -> Self {
        Self {
            role,
            host: endpoints.originator,
            server: endpoints.responder,
            port: endpoints.responder_port,
            transport: endpoints.transport,
            client_port: endpoints.originator_port,
        }
    }
}

impl Sink for Detector {
    fn opened(&mut self, opened: &Opened) -> u32 {
        let ends = self.ends(&opened.endpoints);
        let Some(ends) = ends else {
            return self.unscored(&opened.endpoints);
        };
        if ends.role == Role::Internal && !self.settings.score_internal {
            return self.traffic.tag(None, false, UNFOLLOWED);
        }
        let country = match ends.role {
            Role::Internal => None,
            _ => Some(self.country_of(ends.server)),
        };
        let key = Destination::service(ends.server, ends.port, ends.transport);
        let item = self.item(Event::Start, EvidenceKind::ConnectionBeacon, &ends, key, opened.time_ns);
        let connection = self.follow(item.hashes[2], ends.role);
        self.push(Item { connection, ..item });
        self.traffic.tag(country, false, connection)
    }

    #[inline]
    fn ahead(&self, tag: u32) {
        if let Some(connection) = self.connections.get(TrafficCounters::connection(tag)) {
            balefire_track::prefetch::fetch(connection);
        }
    }

    #[inline]
    fn packet(&mut self, tag: u32, from_originator: bool, time_ns: i64, ip_bytes: u32) {
        self.traffic.packet(tag, from_originator, time_ns, ip_bytes);
    }

    fn volume(&mut self, tag: u32, from_originator: bool, time_ns: i64, volume: &Volume) {
        self.traffic
            .volume(tag, from_originator, time_ns, volume.ip_bytes, volume.packets);
    }

    fn fact(&mut self, tag: u32, endpoints: &Endpoints, time_ns: i64, fact: &Fact<'_>) {
        let number = TrafficCounters::connection(tag);
        let role = match self.connections.get(number) {
            Some(connection) => Some(connection.role),
            None => self.role_again(endpoints),
        };
        let Some(role) = role else { return };
        let ends = Ends::of(endpoints, role);
        self.fact_used(&ends, time_ns, fact);
        match fact {
            Fact::Name { kind, name, port } => self.name_given(number, &ends, *kind, name, *port, time_ns),
            Fact::DnsMessage(message) if !message.is_answer => {
                self.asked_for(&ends, message.name, message.query_type, time_ns);
            }
            Fact::DnsAnswer { name, address, .. } => self.answered(&ends, name, *address, time_ns),
            Fact::Tls(hello) => {
                if let Some(connection) = self.connections.get_mut(number) {
                    connection.bare_hello = !hello.has_server_name;
                    if let Some(ja4) = &hello.ja4 {
                        let ja4 = ja4.text();
                        connection.client = self.seed.text(ja4);
                        self.clients.shown(connection.client, ends.host, ja4);
                    }
                }
            }
            Fact::Certificate(certificate) => {
                if let Some(connection) = self.connections.get_mut(number) {
                    connection.odd_certificate = is_odd(certificate, time_ns);
                    if connection.odd_certificate {
                        self.shown.certificate(connection.pair, certificate);
                    }
                }
            }
            Fact::Http(request) => {
                if let Some(connection) = self.connections.get_mut(number) {
                    (connection.request, connection.post) = (true, request.method == "POST");
                    // Of every connection or of none: whether it has a timeline yet depends on the queue.
                    if connection.post || connection.name == NO_NAME {
                        self.shown.request(connection.pair, request.method, request.path);
                    }
                    if let Some(agent) = request.user_agent {
                        connection.client = self.seed.text(agent);
                        self.clients.shown(connection.client, ends.host, agent);
                    }
                }
            }
            Fact::HttpBody(body) if body.is_response => {
                if let Some(connection) = self.connections.get_mut(number) {
                    connection.body_bytes = body.content_bytes.and_then(|bytes| u32::try_from(bytes).ok());
                }
            }
            Fact::Protocol(protocol) => {
                if let Some(connection) = self.connections.get_mut(number) {
                    connection.protocol = Some(*protocol);
                }
            }
            Fact::Echo(echo) => self.echo(&ends, echo, time_ns),
            _ => {}
        }
    }

    fn burst(&mut self, tag: u32, endpoints: &Endpoints, time_ns: i64, payload_bytes: u32) {
        let number = TrafficCounters::connection(tag);
        let Some(connection) = self.connections.get_mut(number) else {
            return;
        };
        let bursts = usize::from(connection.bursts);
        connection.bursts = connection.bursts.saturating_add(1);
        if let Some(time) = connection.bursts_ns.get_mut(bursts) {
            *time = time_ns;
            return;
        }
        let first_ns = connection.bursts_ns[0];
        let earlier = (bursts == connection.bursts_ns.len()).then_some(connection.bursts_ns);
        let (name, name_hash, role) = (connection.name, connection.name_hash, connection.role);
        let name = if self.names.hash(name) == name_hash {
            name
        } else {
            NO_NAME
        };
        let ends = Ends::of(endpoints, role);
        let key = Destination::service(ends.server, ends.port, ends.transport);
        for time_ns in earlier.into_iter().flatten().chain([time_ns]) {
            let item = self.item(Event::Beat, EvidenceKind::Heartbeat, &ends, key, time_ns);
            self.push(Item {
                name,
                bytes: payload_bytes,
                connection: number,
                ..item
            });
        }
        if ends.transport == Transport::TCP && time_ns.saturating_sub(first_ns) >= lasting::LEAST_NS {
            self.lasted(&ends, number, first_ns, time_ns, None);
        }
    }

    fn closed(&mut self, tag: u32, closed: &Closed) {
        let number = TrafficCounters::connection(tag);
        let Some(connection) = self.connections.get(number) else {
            return;
        };
        let ends = Ends::of(&closed.endpoints, connection.role);
        if ends.transport == Transport::TCP && closed.last_ns.saturating_sub(closed.first_ns) >= lasting::LEAST_NS {
            let payload_bytes = closed.sent.payload_bytes.saturating_add(closed.received.payload_bytes);
            self.lasted(&ends, number, closed.first_ns, closed.last_ns, Some(payload_bytes));
        }
        let event = Event::Ended {
            failed: matches!(
                closed.state,
                ConnState::S0 | ConnState::Rej | ConnState::Rstos0 | ConnState::Sh
            ),
            sent_bytes: u32::try_from(closed.sent.payload_bytes).unwrap_or(u32::MAX),
            received_bytes: closed.received.payload_bytes,
        };
        // An end looks up nothing: its connection knows its timelines.
        self.push(Item {
            event,
            role: ends.role,
            kind: EvidenceKind::ConnectionBeacon,
            host: ends.host,
            server: ends.server,
            port: ends.port,
            transport: ends.transport,
            client_port: ends.client_port,
            key: Destination::service(ends.server, ends.port, ends.transport),
            hashes: [0; 3],
            time_ns: closed.last_ns,
            bytes: 0,
            name: NO_NAME,
            connection: number,
        });
    }
}

/// Events to items.
impl Detector {
    fn name_given(&mut self, number: u32, ends: &Ends, kind: NameKind, name: &str, port: u16, time_ns: i64) {
        match kind {
            NameKind::Sni | NameKind::HttpHost => {
                // A Host header that repeats the address is no name.
                if number != UNFOLLOWED && address_written(name).is_none() {
                    self.named(number, ends, name, time_ns);
                }
            }
            NameKind::ConnectTarget => self.connect_target(number, ends, name, port, time_ns),
            NameKind::DnsQuery => self.asked(ends, name, time_ns),
        }
    }

    /// Who is who; `None` where nobody can be controlled: a conversation begun from outside, or with a group.
    fn ends(&self, endpoints: &Endpoints) -> Option<Ends> {
        let (host, server) = (endpoints.originator, endpoints.responder);
        let role = self.settings.home.role(host, server);
        if role == Role::Inbound || is_group(server) || is_group(host) {
            return None;
        }
        if role == Role::Internal && is_directed_broadcast(server, endpoints.transport) {
            return None;
        }
        Some(Ends::of(endpoints, role))
    }

    /// Of a connection that is not followed, of which several facts may be told one after the other: so the last answer is
    /// kept.
    fn role_again(&mut self, endpoints: &Endpoints) -> Option<Role> {
        if self.last_ends.0 != Some(*endpoints) {
            self.last_ends = (Some(*endpoints), self.ends(endpoints).map(|ends| ends.role));
        }
        self.last_ends.1
    }

    /// Counts a connection that is never scored.
    fn unscored(&mut self, endpoints: &Endpoints) -> u32 {
        let role = self.settings.home.role(endpoints.originator, endpoints.responder);
        if role == Role::Inbound && !is_group(endpoints.responder) {
            let country = self.country_of(endpoints.originator);
            return self.traffic.tag(Some(country), true, UNFOLLOWED);
        }
        self.traffic.tag(None, false, UNFOLLOWED)
    }

    fn country_of(&mut self, address: Address) -> Country {
        self.countries.country(address)
    }

    #[inline]
    pub(crate) fn item(&self, event: Event, kind: EvidenceKind, ends: &Ends, key: Destination, time_ns: i64) -> Item {
        let host = self.seed.address(ends.host);
        let destination = self.seed.destination(&key);
        Item {
            event,
            role: ends.role,
            kind,
            host: ends.host,
            server: ends.server,
            port: ends.port,
            transport: ends.transport,
            client_port: ends.client_port,
            key,
            hashes: [host, destination, self.seed.pair(host, destination, kind)],
            time_ns,
            bytes: 0,
            name: NO_NAME,
            connection: UNFOLLOWED,
        }
    }

    /// A place for a new connection; none where all are taken.
    fn follow(&mut self, pair: u64, role: Role) -> u32 {
        let fresh = Connection {
            pair,
            role,
            bursts_ns: [0; 2],
            record: NO_RECORD,
            named_record: NO_RECORD,
            beat_record: NO_RECORD,
            name: NO_NAME,
            name_hash: 0,
            bursts: 0,
            relayed: false,
            bare_hello: false,
            odd_certificate: false,
            request: false,
            post: false,
            grouped: false,
            protocol: None,
            client: 0,
            body_bytes: None,
        };
        if let Some(number) = self.connections_free.pop() {
            if let Some(place) = self.connections.get_mut(number) {
                *place = fresh;
            }
            return number;
        }
        if self.connections.len() >= UNFOLLOWED as usize {
            self.connections_unfollowed += 1;
            return UNFOLLOWED;
        }
        self.connections.push(fresh)
    }

    fn named(&mut self, number: u32, ends: &Ends, name: &str, time_ns: i64) {
        let (slot, hash) = self.names.intern(name, &self.seed);
        let Some(connection) = self.connections.get_mut(number) else {
            return;
        };
        // Inside a tunnel the target was already named; the same name twice in a connection is one check-in.
        if connection.relayed || connection.name == slot {
            return;
        }
        (connection.name, connection.name_hash) = (slot, hash);
        let relay = (ends.role != Role::Outbound).then_some(ends.server);
        let key = self.seed.named(hash, Scope::Name, relay, 0);
        let item = self.item(Event::Named, EvidenceKind::ConnectionBeacon, ends, key, time_ns);
        self.push(Item {
            name: slot,
            connection: number,
            ..item
        });
    }

    /// The server behind a proxy is outside even where the proxy is not, so it is scored in any case.
    fn connect_target(&mut self, number: u32, ends: &Ends, name: &str, port: u16, time_ns: i64) {
        let inside = address_written(name).is_some_and(|ip| self.settings.home.contains(ip.into()));
        if inside && !self.settings.score_internal {
            return;
        }
        let (slot, hash) = self.names.intern(name, &self.seed);
        if let Some(connection) = self.connections.get_mut(number) {
            (connection.relayed, connection.name, connection.name_hash) = (true, slot, hash);
        }
        let relay = (ends.role != Role::Outbound).then_some(ends.server);
        let key = self.seed.named(hash, Scope::ConnectTarget, relay, port);
        let item = self.item(Event::Named, EvidenceKind::ConnectionBeacon, ends, key, time_ns);
        self.push(Item {
            name: slot,
            connection: number,
            ..item
        });
    }

    #[inline]
    fn push(&mut self, item: Item) {
        match item.event {
            Event::Ended { .. } => {}
            _ => self.prefetch_indexes(&item),
        }
        self.pending.push(item);
        if self.pending.len() >= QUEUE {
            self.drain();
        }
    }
}

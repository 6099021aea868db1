//! What the detector says of a period: the finished, ranked, printable numbers of an hour or a run.
//!
//! In: nothing; these are the nouns that [`crate::Part`] concludes into and `report` prints. Every count is of distinct
//! things in the period, never a sum of smaller periods.

use balefire_decode::{Address, Reject, Transport};

use crate::allow::Allowed;
use crate::intel::{IndicatorMatch, IntelList};
use crate::traits::Traits;

/// An ISO 3166-1 alpha-2 code, or unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Country(pub [u8; 2]);

impl Country {
    /// No database entry; printed as `--`.
    pub const UNKNOWN: Self = Self(*b"--");

    /// The two letters.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("--")
    }
}

/// Where countries come from; printed with every table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountrySource {
    /// Database and version.
    pub name: String,
    /// Its date, as it states it.
    pub date: String,
    /// What the country of an address means there: `country of registration` or `country of location`.
    pub meaning: &'static str,
}

/// How sure we are that a server controls hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// Score at or above the first threshold.
    Suspected,
    /// Score at or above the second.
    Probable,
    /// Named by threat intelligence the operator gave.
    Confirmed,
}

impl Class {
    /// As printed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Suspected => "suspected",
            Self::Probable => "probable",
            Self::Confirmed => "confirmed",
        }
    }
}

/// One kind of sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum EvidenceKind {
    /// Connection starts repeat.
    ConnectionBeacon,
    /// Small client bursts repeat inside a long connection.
    Heartbeat,
    /// One DNS name is asked for again and again.
    DnsBeacon,
    /// Queries below one domain carry data.
    DnsTunnel,
    /// ICMP echoes carry data.
    IcmpTunnel,
    /// A connection stays open for very long and carries little.
    LongConnection,
    /// Connections to a server without a name come again, alike, if not regularly.
    RepeatedSessions,
    /// A server that does not answer, or refuses, is tried again and again.
    DeadServer,
    /// A list the operator gave names what the host had contact with. It has no score and no timing: both are 0.
    ThreatIntel,
}

impl EvidenceKind {
    /// As exported.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConnectionBeacon => "connection_beacon",
            Self::Heartbeat => "heartbeat",
            Self::DnsBeacon => "dns_beacon",
            Self::DnsTunnel => "dns_tunnel",
            Self::IcmpTunnel => "icmp_tunnel",
            Self::LongConnection => "long_connection",
            Self::RepeatedSessions => "repeated_sessions",
            Self::DeadServer => "dead_server",
            Self::ThreatIntel => "threat_intel",
        }
    }
}

impl EvidenceKind {
    /// The same for signs that are readings of the same connections: they are listed once.
    pub(crate) const fn of_connections(self) -> &'static str {
        match self {
            Self::ConnectionBeacon | Self::RepeatedSessions | Self::DeadServer => "connections",
            _ => self.name(),
        }
    }
}

/// One named part of a score: log-odds added to the prior, and the measured value behind it.
#[derive(Clone, Debug, PartialEq)]
pub struct ScorePart {
    /// Short stable name, as `timing`, `bare_address`, `prevalence`.
    pub name: &'static str,
    /// What was measured, in the unit the text names.
    pub value: f64,
    /// What it adds to the log-odds (natural logarithm).
    pub log_odds: f64,
    /// For people: `bare address, never resolved by this host`.
    pub text: String,
}

/// The last connection of a sign whose both ends are known: where other tools' records of it are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Whom the host talked to: the server, or the proxy or resolver that it is behind.
    pub server: Address,
    /// The port there; for ICMP the code.
    pub port: u16,
    /// The host's own port; for ICMP the type of the request.
    pub client_port: u16,
    /// The protocol.
    pub transport: Transport,
}

impl Flow {
    pub(crate) fn of(place: (Address, u16, Transport), client_port: u16) -> Option<Self> {
        let (server, port, transport) = place;
        (client_port > 0).then_some(Self {
            server,
            port,
            client_port,
            transport,
        })
    }
}

/// Why one host is believed to be controlled by one server.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// The kind of sign.
    pub kind: EvidenceKind,
    /// The host inside.
    pub host: Address,
    /// Its last connection; `None` where it was not seen in this run.
    pub flow: Option<Flow>,
    /// The name it used for the server, if any.
    pub name: Option<String>,
    /// The addresses it went to, where the sign is of several, or the same sign is there by address and by name; in address order.
    /// Else that of the server.
    pub addresses: Vec<Address>,
    /// The ports it went to, in order; several where the sign is of several.
    pub ports: Vec<u16>,
    /// What the check-ins have in common: `address` (with port), `name`, `connect_target`, `domain`, `network` (several ports of an
    /// address, or neighbouring addresses). Two where the same sign is there both ways.
    pub keyed_by: Vec<&'static str>,
    /// Typical interval between check-ins, seconds.
    pub interval_s: f64,
    /// Half-width of the central 80 % of intervals over the typical one: 0 is a clock, 0.2 is +-20 %.
    pub jitter: f64,
    /// Check-ins.
    pub check_ins: u64,
    /// First check-in, nanoseconds since 1970.
    pub first_ns: i64,
    /// Last check-in.
    pub last_ns: i64,
    /// Probability from timing alone, 0 to 1.
    pub timing: f64,
    /// Payload that the host had sent in connections that have ended; `None` where none has, or the sign is not of connections.
    pub sent_bytes: Option<u64>,
    /// Payload that it had received in them.
    pub received_bytes: Option<u64>,
    /// Probability with context, 0 to 1.
    pub score: f64,
    /// What the score is made of, largest magnitude first; the log-odds add up to those of `score`.
    pub parts: Vec<ScorePart>,
    /// Innocent explanations still open, for people.
    pub innocent: Vec<String>,
    /// What could not be seen and would have helped, for people.
    pub missing: Vec<String>,
    /// Intervals by length: bin `i` begins at [`crate::Timeline::bin_start_s`]`(i)`.
    pub histogram: Box<[u16; crate::INTERVAL_BINS]>,
    /// Check-ins by UTC hour of day.
    pub hours: [u16; 24],
    /// The last check-in times, oldest first.
    pub recent_ns: Vec<i64>,
    /// What the payload showed of the two.
    pub traits: Traits,
    /// What lists say, for [`EvidenceKind::ThreatIntel`] and no other kind.
    pub intel: Option<IntelSign>,
}

/// By what a listed server was recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Contact {
    /// A connection to a listed address.
    Address,
    /// A connection in which the client named a listed domain (TLS, HTTP).
    Name,
    /// A request to a proxy.
    ProxyTarget,
    /// A question to a resolver, whether or not a connection followed.
    DnsQuestion,
    /// A TLS client with a listed fingerprint.
    Ja4,
}

impl Contact {
    /// As exported.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Name => "name",
            Self::ProxyTarget => "proxy_target",
            Self::DnsQuestion => "dns_question",
            Self::Ja4 => "ja4",
        }
    }
}

/// A contact with something listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntelSign {
    /// By what it was recognised.
    pub contact: Contact,
    /// The entries of lists that name it, at most 16.
    pub matches: Vec<IndicatorMatch>,
}

/// A suspected control server with its hosts.
#[derive(Clone, Debug, PartialEq)]
pub struct ControlServer {
    /// 1 for the first.
    pub rank: u32,
    /// Its address (of several behind one name: the one with most check-ins).
    pub address: Address,
    /// Its port.
    pub port: u16,
    /// TCP, UDP, ICMP.
    pub transport: Transport,
    /// Names used for it, most used first.
    pub names: Vec<String>,
    /// Hosting country; unknown where the address is a relay.
    pub country: Country,
    /// Class by the highest score.
    pub class: Class,
    /// Highest score of its evidence; 0 where only lists know it.
    pub score: f64,
    /// Controlled hosts, in address order.
    pub hosts: Vec<Address>,
    /// First check-in, nanoseconds since 1970.
    pub first_ns: i64,
    /// Last check-in.
    pub last_ns: i64,
    /// Check-ins: of each host those of its longest evidence, added up.
    pub check_ins: u64,
    /// The address is a relay (a proxy, a resolver) and the control server is known by name only, so its hosting country is unknown.
    pub behind_relay: bool,
    /// Why, best first.
    pub evidence: Vec<Evidence>,
}

/// Counters of one hosting country.
#[derive(Clone, Debug, PartialEq)]
pub struct CountryRow {
    /// The country.
    pub country: Country,
    /// Distinct control servers hosted there.
    pub servers: u64,
    /// Distinct hosts controlled from there.
    pub hosts: u64,
    /// Rank by servers, 1 for the first; equal counts share a rank; 0 where there are none.
    pub rank_by_servers: u32,
    /// Rank by hosts.
    pub rank_by_hosts: u32,
    /// Share of all control servers, 0 to 1; shares add up to 1.
    pub share_of_servers: f64,
    /// Share of all controlled hosts; shares may add up to more than 1.
    pub share_of_hosts: f64,
    /// All connections between hosts and addresses of this country, innocent ones too.
    pub connections: u64,
    /// IP bytes from hosts, of all traffic with this country.
    pub bytes_out: u64,
    /// IP bytes to hosts.
    pub bytes_in: u64,
    /// Packets both ways.
    pub packets: u64,
}

/// What a summary covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeriodKind {
    /// One UTC hour.
    Hour,
    /// Everything since the start.
    Run,
}

/// The period of a summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// Hour or run.
    pub kind: PeriodKind,
    /// Begin: of the hour, or the first packet. Nanoseconds since 1970.
    pub start_ns: i64,
    /// End, exclusive: of the hour, or the last packet.
    pub end_ns: i64,
    /// Not all of the hour was watched.
    pub partial: bool,
}

/// Distinct things in the period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Distinct inside hosts seen talking to a scored destination.
    pub hosts: u64,
    /// Distinct destinations (address, port, protocol) hosts talked to.
    pub destinations: u64,
    /// Connections opened.
    pub connections: u64,
    /// Timelines with enough check-ins to be scored.
    pub timelines: u64,
    /// Distinct control servers, all classes.
    pub servers: u64,
    /// Those of class suspected, probable, confirmed.
    pub servers_by_class: [u64; 3],
    /// Distinct controlled hosts.
    pub controlled_hosts: u64,
    /// Control servers abroad; `None` unless a home country is set.
    pub servers_abroad: Option<u64>,
    /// Hosts controlled from abroad.
    pub hosts_abroad: Option<u64>,
}

/// Frames dropped because one worker's queue was full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueDrops {
    /// The worker, from 0.
    pub worker: u32,
    /// Frames.
    pub frames: u64,
}

/// Where every packet went. Filled by the pipeline, one writer per number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accounting {
    /// Frames that the source delivered.
    pub received: u64,
    /// Their bytes on the wire.
    pub wire_bytes: u64,
    /// Frames decoded down to an IP conversation.
    pub decoded: u64,
    /// Frames that were not, by reason.
    pub rejects: Vec<(Reject, u64)>,
    /// Frames dropped at full queues, by queue; live only.
    pub queue_drops: Vec<QueueDrops>,
    /// Frames on which the decoder failed by a bug: caught, counted, kept nowhere else.
    pub decode_panics: u64,
    /// Packets with a time of an hour already closed; counted in the open hour.
    pub late: u64,
    /// Times that packet time fell back by more than a second: a clock that was set, or captures put together out of order.
    pub clock_steps: u64,
    /// Table entries that had to go for lack of room: connections, hosts, destinations, pairs, timelines, names.
    pub evictions: u64,
    /// Dropped by the kernel before we saw them (not part of `received`); live only.
    pub kernel_drops: Option<u64>,
    /// Dropped by the interface (not part of `received`); live only.
    pub interface_drops: Option<u64>,
    /// Times in which an interface was down or gone; live only.
    pub gaps: Vec<Gap>,
}

/// A time in which an interface of the tap delivered nothing because it was down or gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Its name.
    pub interface: String,
    /// Since when, nanoseconds since 1970 (wall clock).
    pub from_ns: i64,
    /// Until when, or the end of the hour.
    pub until_ns: i64,
    /// The system's reason.
    pub reason: String,
}

impl Accounting {
    /// Frames accounted for after `received`; equal to it, or a counter is missing.
    pub fn accounted(&self) -> u64 {
        let rejects: u64 = self.rejects.iter().map(|(_, frames)| frames).sum();
        let drops: u64 = self.queue_drops.iter().map(|queue| queue.frames).sum();
        self.decoded + rejects + drops + self.decode_panics
    }
}

/// One timeline with its scores, for `--scores`.
#[derive(Clone, Debug, PartialEq)]
pub struct TimelineRow {
    /// The host.
    pub host: Address,
    /// The server's address.
    pub server: Address,
    /// Its port.
    pub port: u16,
    /// The name it is keyed by, if it is a timeline by name.
    pub name: Option<String>,
    /// The kind of sign the timeline feeds.
    pub kind: EvidenceKind,
    /// Check-ins.
    pub check_ins: u64,
    /// Typical interval, seconds; 0 where there are too few.
    pub interval_s: f64,
    /// Jitter, see [`Evidence::jitter`].
    pub jitter: f64,
    /// Probability from timing alone.
    pub timing: f64,
    /// Probability with context.
    pub score: f64,
}

/// An hour or a run, finished.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// What it covers.
    pub period: Period,
    /// Time of the first packet in it, `None` if there was none.
    pub first_packet_ns: Option<i64>,
    /// Time of the last packet.
    pub last_packet_ns: Option<i64>,
    /// Where every packet of the period went.
    pub accounting: Accounting,
    /// Distinct counts.
    pub totals: Totals,
    /// Control servers, ranked.
    pub servers: Vec<ControlServer>,
    /// Hosting countries, in order of rank by servers, then hosts, then code; those with traffic only come last.
    pub countries: Vec<CountryRow>,
    /// Where the countries come from.
    pub country_source: CountrySource,
    /// Distinct outside addresses that hosts opened connections to in the period, by country: what shares of controlled
    /// addresses are shares of. In order; printed by nobody. Of hours only: a run's are no row of anything.
    pub peers: Vec<(Country, Address)>,
    /// Lists of threat intelligence in force when it was concluded.
    pub intel: Vec<IntelList>,
    /// What the allowlist hid, rule by rule; it is in none of the other numbers.
    pub allowed: Allowed,
}

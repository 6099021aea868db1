//! The nouns of this crate: what goes in ([`Arrival`]) and what is told to a [`Sink`].

use balefire_decode::{Address, Packet, Transport};

use crate::Fact;

/// One decoded packet with its time and its frame's bytes (for the payload).
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// Packet time, nanoseconds since 1970-01-01 UTC.
    pub time_ns: i64,
    /// The frame's length on the wire.
    pub wire_bytes: u32,
    /// The innermost conversation's facts.
    pub packet: Packet,
    /// The whole captured frame; [`Packet::payload_offset`] points into it.
    pub frame: &'a [u8],
}

/// Who talks to whom. The originator sent the first packet, or is judged to have (a SYN-ACK seen first, a capture
/// that begins mid-stream).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Endpoints {
    /// Who began.
    pub originator: Address,
    /// Who answered or should have.
    pub responder: Address,
    /// The originator's port; for ICMP the type of the request.
    pub originator_port: u16,
    /// The responder's port; for ICMP the code.
    pub responder_port: u16,
    /// Transport protocol.
    pub transport: Transport,
}

/// A connection began.
#[derive(Clone, Copy, Debug)]
pub struct Opened {
    /// Its ends.
    pub endpoints: Endpoints,
    /// Time of the first packet.
    pub time_ns: i64,
    /// The beginning was not seen: the capture started in the middle of it.
    pub mid_stream: bool,
}

/// Packets and bytes of one direction, from original lengths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Volume {
    /// Packets.
    pub packets: u64,
    /// Transport payload bytes.
    pub payload_bytes: u64,
    /// IP bytes, headers included.
    pub ip_bytes: u64,
}

/// How a connection stands or ended, as Zeek's conn.log names it
/// (<https://docs.zeek.org/en/master/scripts/base/protocols/conn/main.zeek.html>, `conn_state`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ConnState {
    /// Attempt seen, no reply.
    S0,
    /// Established, not ended.
    S1,
    /// Established, originator tried to close, no reply.
    S2,
    /// Established, responder tried to close, no reply.
    S3,
    /// Normal establishment and end.
    Sf,
    /// Attempt rejected.
    Rej,
    /// Established, originator aborted.
    Rsto,
    /// Established, responder aborted.
    Rstr,
    /// Originator sent SYN then RST, no SYN-ACK seen.
    Rstos0,
    /// Responder sent SYN-ACK then RST, no SYN seen.
    Rstrh,
    /// Originator sent SYN then FIN, no SYN-ACK seen.
    Sh,
    /// Responder sent SYN-ACK then FIN, no SYN seen.
    Shr,
    /// No SYN seen: midstream traffic.
    Oth,
}

impl ConnState {
    /// Zeek's spelling.
    pub const fn name(self) -> &'static str {
        match self {
            Self::S0 => "S0",
            Self::S1 => "S1",
            Self::S2 => "S2",
            Self::S3 => "S3",
            Self::Sf => "SF",
            Self::Rej => "REJ",
            Self::Rsto => "RSTO",
            Self::Rstr => "RSTR",
            Self::Rstos0 => "RSTOS0",
            Self::Rstrh => "RSTRH",
            Self::Sh => "SH",
            Self::Shr => "SHR",
            Self::Oth => "OTH",
        }
    }
}

/// A connection ended, timed out, was evicted, or the run ended.
#[derive(Clone, Copy, Debug)]
pub struct Closed {
    /// Its ends.
    pub endpoints: Endpoints,
    /// Time of its first packet.
    pub first_ns: i64,
    /// Time of its last packet.
    pub last_ns: i64,
    /// How it ended.
    pub state: ConnState,
    /// Sent by the originator.
    pub sent: Volume,
    /// Sent by the responder.
    pub received: Volume,
}

/// What is told of connections. The tag that [`Sink::opened`] returns is kept with the connection and given back with
/// every later event of it, so the sink needs no table of its own keyed by endpoints.
///
/// Of one packet: closed (those that fell silent before it, or made room for it), opened, packet, facts, burst. The times
/// told of one connection never go back: a packet out of order is told at the time of the newest before it.
pub trait Sink {
    /// A connection began; called before anything else of it.
    fn opened(&mut self, opened: &Opened) -> u32;

    /// Something may soon be told of it: a chance to fetch what belongs to the tag. No event: nothing may follow, and the tag
    /// may be that of a connection that is closed by then.
    fn ahead(&self, tag: u32) {
        let _ = tag;
    }

    /// A packet of it (the first one too). The hot call: once per packet, but for [`crate::Counters::stragglers`].
    fn packet(&mut self, tag: u32, from_originator: bool, time_ns: i64, ip_bytes: u32);

    /// Packets and bytes of one direction all at once, where only their sum is known: connection logs. Not called for
    /// packets. By default it is one [`Sink::packet`] of as many bytes as fit.
    fn volume(&mut self, tag: u32, from_originator: bool, time_ns: i64, volume: &Volume) {
        let ip_bytes = u32::try_from(volume.ip_bytes).unwrap_or(u32::MAX);
        self.packet(tag, from_originator, time_ns, ip_bytes);
    }

    /// The tracker begins to read a payload, or has read it: what comes between is told of that payload. For taking time.
    fn reading(&mut self, begins: bool) {
        let _ = begins;
    }

    /// Something was learnt from its payload.
    fn fact(&mut self, tag: u32, endpoints: &Endpoints, time_ns: i64, fact: &Fact<'_>);

    /// The originator sent payload after at least [`crate::BURST_GAP_NS`] without any from it: one check-in inside a connection.
    /// The first client payload is the first burst. `payload_bytes` is of the packet that begins it; TCP keep-alive
    /// probes and retransmissions begin none.
    fn burst(&mut self, tag: u32, endpoints: &Endpoints, time_ns: i64, payload_bytes: u32);

    /// It ended; nothing follows.
    fn closed(&mut self, tag: u32, closed: &Closed);
}

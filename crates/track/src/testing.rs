//! For tests: packets in a line each, and a sink that writes down what it is told.

use balefire_decode::{Address, FragmentPlace, Packet, Transport, tcp_flags};

use crate::{Arrival, Closed, Endpoints, Fact, NameKind, Opened, Settings, Sink, Tracker};

pub(crate) const SECOND_NS: i64 = 1_000_000_000;

pub(crate) const S: u8 = tcp_flags::SYN;
pub(crate) const SA: u8 = tcp_flags::SYN | tcp_flags::ACK;
pub(crate) const A: u8 = tcp_flags::ACK;
pub(crate) const PA: u8 = tcp_flags::PSH | tcp_flags::ACK;
pub(crate) const F: u8 = tcp_flags::FIN | tcp_flags::ACK;
pub(crate) const R: u8 = tcp_flags::RST;
pub(crate) const RA: u8 = tcp_flags::RST | tcp_flags::ACK;

/// Host number `host` of a test network.
pub(crate) fn address(host: u8) -> Address {
    Address::v4([192, 0, 2, host])
}

/// A packet and its payload; the payload is also the whole frame.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) time_ns: i64,
    pub(crate) packet: Packet,
    pub(crate) frame: Vec<u8>,
}

impl Sent {
    pub(crate) fn new(transport: Transport, src: (u8, u16), dst: (u8, u16)) -> Self {
        let packet = Packet {
            src: address(src.0),
            dst: address(dst.0),
            src_port: src.1,
            dst_port: dst.1,
            transport,
            tcp_flags: 0,
            fragment: FragmentPlace::Whole,
            tunnels: 0,
            sequence: 0,
            acknowledgement: 0,
            window: 0,
            fragment_offset: 0,
            fragment_id: 0,
            fragment_bytes: 0,
            payload_offset: 0,
            payload_captured: 0,
            payload_bytes: 0,
            ip_bytes: 40,
        };
        Self {
            time_ns: 0,
            packet,
            frame: Vec::new(),
        }
    }

    pub(crate) fn tcp(src: (u8, u16), dst: (u8, u16), flags: u8, sequence: u32) -> Self {
        let mut sent = Self::new(Transport::TCP, src, dst);
        sent.packet.tcp_flags = flags;
        sent.packet.sequence = sequence;
        sent
    }

    pub(crate) fn udp(src: (u8, u16), dst: (u8, u16)) -> Self {
        Self::new(Transport::UDP, src, dst)
    }

    pub(crate) fn icmp(src: u8, dst: u8, message_type: u16, code: u16, identifier: u32) -> Self {
        let mut sent = Self::new(Transport::ICMP, (src, message_type), (dst, code));
        sent.packet.sequence = identifier << 16;
        sent
    }

    pub(crate) fn at(mut self, seconds: f64) -> Self {
        self.time_ns = (seconds * SECOND_NS as f64) as i64;
        self
    }

    pub(crate) fn payload(mut self, payload: &[u8]) -> Self {
        self.frame = payload.to_vec();
        self.packet.payload_captured = payload.len() as u32;
        self.packet.payload_bytes = payload.len() as u32;
        self.packet.ip_bytes = 40 + payload.len() as u32;
        self
    }

    /// As a snap length would cut it: `captured` bytes of the payload are left.
    pub(crate) fn cut(mut self, captured: usize) -> Self {
        self.frame.truncate(captured);
        self.packet.payload_captured = self.frame.len() as u32;
        self
    }

    pub(crate) fn arrival(&self) -> Arrival<'_> {
        let wire_bytes = self.packet.ip_bytes + 14;
        Arrival {
            time_ns: self.time_ns,
            wire_bytes,
            packet: self.packet,
            frame: &self.frame,
        }
    }
}

/// What a sink was told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Told {
    Opened {
        tag: u32,
        endpoints: Endpoints,
        time_ns: i64,
        mid_stream: bool,
    },
    Packet {
        tag: u32,
        from_originator: bool,
        time_ns: i64,
        ip_bytes: u32,
    },
    Name {
        tag: u32,
        kind: NameKind,
        name: String,
        port: u16,
    },
    Burst {
        tag: u32,
        time_ns: i64,
        payload_bytes: u32,
    },
    Closed {
        tag: u32,
        closed: String,
    },
}

/// Writes down everything; tags are counted up.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) told: Vec<Told>,
    pub(crate) closed: Vec<Closed>,
    pub(crate) opened: u32,
    /// Every fact that is no name, in its debug form.
    pub(crate) facts: Vec<String>,
}

impl Record {
    pub(crate) fn names(&self) -> Vec<(NameKind, &str, u16)> {
        self.told
            .iter()
            .filter_map(|told| match told {
                Told::Name { kind, name, port, .. } => Some((*kind, name.as_str(), *port)),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn bursts(&self) -> Vec<(f64, u32)> {
        self.told
            .iter()
            .filter_map(|told| match told {
                Told::Burst {
                    time_ns, payload_bytes, ..
                } => Some((*time_ns as f64 / SECOND_NS as f64, *payload_bytes)),
                _ => None,
            })
            .collect()
    }
}

impl Sink for Record {
    fn opened(&mut self, opened: &Opened) -> u32 {
        let &Opened {
            endpoints,
            time_ns,
            mid_stream,
        } = opened;
        self.told.push(Told::Opened {
            tag: self.opened,
            endpoints,
            time_ns,
            mid_stream,
        });
        self.opened += 1;
        self.opened - 1
    }

    fn packet(&mut self, tag: u32, from_originator: bool, time_ns: i64, ip_bytes: u32) {
        self.told.push(Told::Packet {
            tag,
            from_originator,
            time_ns,
            ip_bytes,
        });
    }

    fn fact(&mut self, tag: u32, _endpoints: &Endpoints, _time_ns: i64, fact: &Fact<'_>) {
        let Fact::Name { kind, name, port } = *fact else {
            return self.facts.push(format!("{fact:?}"));
        };
        self.told.push(Told::Name {
            tag,
            kind,
            name: name.to_owned(),
            port,
        });
    }

    fn burst(&mut self, tag: u32, _endpoints: &Endpoints, time_ns: i64, payload_bytes: u32) {
        self.told.push(Told::Burst {
            tag,
            time_ns,
            payload_bytes,
        });
    }

    fn closed(&mut self, tag: u32, closed: &Closed) {
        self.told.push(Told::Closed {
            tag,
            closed: format!("{closed:?}"),
        });
        self.closed.push(*closed);
    }
}

/// Runs packets through a tracker in batches of a size, and ends it.
pub(crate) fn run(settings: Settings, batch: usize, packets: &[Sent]) -> (Record, Tracker) {
    let mut tracker = Tracker::new(settings);
    let mut record = Record::default();
    let arrivals: Vec<_> = packets.iter().map(Sent::arrival).collect();
    arrivals
        .chunks(batch)
        .for_each(|batch| tracker.batch(batch, &mut record));
    tracker.flush(&mut record);
    (record, tracker)
}

/// The same with small settings, one batch.
pub(crate) fn told(packets: &[Sent]) -> Record {
    run(
        Settings {
            connections: 100,
            ..Settings::default()
        },
        100,
        packets,
    )
    .0
}

//! Where connections live: two lines of cache for what every packet needs, and a colder part beside it.
//!
//! In: connections. Out: slot numbers. The room for all is reserved at the start and taken from the operating system
//! as it is written; a slot that becomes free is the next one used.

use crate::KeyedPacket;
use crate::application::{self, Owner, Progress, Side};
use crate::event::{Closed, Endpoints, Opened, Volume};
use crate::key::{IcmpMessage, Key};
use crate::prefetch;
use crate::tcp::Ends;
use crate::{Class, ConnState};
use balefire_decode::Transport;

/// No slot.
pub(crate) const NONE: u32 = u32::MAX;

/// [`Connection::flags`]: the originator is the higher end of the key.
pub(crate) const ORIGINATOR_HIGH: u8 = 0x01;
/// [`Connection::flags`]: this slot is free.
pub(crate) const FREE: u8 = 0x02;
/// [`Connection::flags`]: the originator has acknowledged something or closed, so that a reset of it ends no mere attempt.
pub(crate) const ORIGINATOR_ACKED: u8 = 0x04;
/// [`Connection::flags`]: [`Place::originator_isn`] is known.
pub(crate) const ISN_KNOWN: u8 = 0x08;
/// [`Connection::flags`]: [`Connection::next_sequence`] of the originator is known; shifted left by one, the responder's.
pub(crate) const SEQUENCE_KNOWN: u8 = 0x10;

/// What every packet of a connection reads or writes: 128 bytes. Index 0 of a pair is the originator's.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(crate) struct Connection {
    pub(crate) addresses: [u64; 4],
    pub(crate) ports: u32,
    /// What the sink gave.
    pub(crate) tag: u32,
    /// TCP sequence number after the highest byte seen.
    pub(crate) next_sequence: [u32; 2],
    /// Time of the newest packet.
    pub(crate) last_ns: i64,
    /// Stage of the originator's payload, see `application`.
    pub(crate) application: u16,
    pub(crate) ends: Ends,
    pub(crate) transport: u8,
    pub(crate) class: Class,
    pub(crate) flags: u8,
    /// What the application layer has done with it, see `application::teller`.
    pub(crate) marks: u8,
    /// Time of the originator's newest payload; `i64::MIN` before the first.
    pub(crate) burst_ns: i64,
    /// When it took its place in its class's queue.
    pub(crate) queued_ns: i64,
    /// At their highest (an hour and a half of 1,500 B packets at 10 Gbit/s) they stay.
    pub(crate) packets: [u32; 2],
    /// Stage of the responder's payload; `marks` has whether it is wanted.
    pub(crate) responder_application: u16,
    pub(crate) payload_bytes: [u64; 2],
    pub(crate) ip_bytes: [u64; 2],
}

const _: () = assert!(size_of::<Connection>() == 128);
const _: () = assert!(size_of::<Place>() == 24);

/// What only beginnings, ends and moves in the queue need.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) first_ns: i64,
    /// Neighbours in the class's queue; of a free slot `next` is the next free one.
    pub(crate) previous: u32,
    pub(crate) next: u32,
    /// Initial sequence number of the originator.
    pub(crate) originator_isn: u32,
}

impl Connection {
    /// A connection whose first packet has this key; nothing is counted yet.
    pub(crate) fn new(packet: &KeyedPacket, from_originator: bool) -> Self {
        let time_ns = packet.time_ns;
        let originator_high = packet.from_high == from_originator;
        Self {
            addresses: packet.addresses,
            ports: packet.ports,
            tag: 0,
            next_sequence: [0; 2],
            last_ns: time_ns,
            application: 0,
            ends: Ends::default(),
            transport: packet.transport.0,
            class: Class::Ended,
            flags: if originator_high { ORIGINATOR_HIGH } else { 0 },
            marks: 0,
            burst_ns: i64::MIN,
            queued_ns: time_ns,
            packets: [0; 2],
            responder_application: 0,
            payload_bytes: [0; 2],
            ip_bytes: [0; 2],
        }
    }

    /// Whether it is in use and this is its key.
    #[inline]
    pub(crate) fn is_of(&self, packet: &KeyedPacket) -> bool {
        // All differences at once: they nearly always are none, and five branches cost more than five operations.
        let [a, b, c, d] = self.addresses;
        let [e, f, g, h] = packet.addresses;
        let addresses = (a ^ e) | (b ^ f) | (c ^ g) | (d ^ h);
        let rest =
            (self.ports ^ packet.ports) | u32::from(self.transport ^ packet.transport.0) | u32::from(self.flags & FREE);
        addresses | u64::from(rest) == 0
    }

    #[inline]
    pub(crate) const fn key(&self) -> Key {
        Key {
            addresses: self.addresses,
            ports: self.ports,
            transport: self.transport,
        }
    }

    /// Whether a packet from that end of the key is the originator's.
    #[inline]
    pub(crate) const fn is_originator(&self, from_high: bool) -> bool {
        from_high == (self.flags & ORIGINATOR_HIGH != 0)
    }

    pub(crate) fn endpoints(&self) -> Endpoints {
        let high = self.flags & ORIGINATOR_HIGH != 0;
        let key = self.key();
        let transport = Transport(self.transport);
        let (mut originator, mut responder) = (key.end(high), key.end(!high));
        if matches!(transport, Transport::ICMP | Transport::ICMP6) {
            originator.1 = self.ports as u16;
            let is_echo = IcmpMessage::of(transport, originator.1).is_echo;
            // In place of an echo's code, which is 0, the key has its identifier.
            responder.1 = if is_echo { 0 } else { (self.ports >> 16) as u16 };
        }
        Endpoints {
            originator: originator.0,
            responder: responder.0,
            originator_port: originator.1,
            responder_port: responder.1,
            transport,
        }
    }

    pub(crate) fn opened(&self, time_ns: i64, mid_stream: bool) -> Opened {
        Opened {
            endpoints: self.endpoints(),
            time_ns,
            mid_stream,
        }
    }

    pub(crate) fn closed(&self, first_ns: i64) -> Closed {
        let volume = |side: usize| Volume {
            packets: u64::from(self.packets[side]),
            payload_bytes: self.payload_bytes[side],
            ip_bytes: self.ip_bytes[side],
        };
        Closed {
            endpoints: self.endpoints(),
            first_ns,
            last_ns: self.last_ns,
            state: self.state(),
            sent: volume(0),
            received: volume(1),
        }
    }

    fn state(&self) -> ConnState {
        match Transport(self.transport) {
            Transport::TCP => self
                .ends
                .state(self.payload_bytes == [0; 2], self.flags & ORIGINATOR_ACKED == 0),
            Transport::UDP => match self.packets.map(|packets| packets > 0) {
                [true, true] => ConnState::Sf,
                [true, false] => ConnState::S0,
                [false, true] => ConnState::Shr,
                [false, false] => ConnState::Oth,
            },
            _ => ConnState::Oth,
        }
    }
}

/// All connections of a tracker.
#[derive(Debug)]
pub(crate) struct Slab {
    connections: Vec<Connection>,
    places: Vec<Place>,
    free: u32,
}

impl Slab {
    pub(crate) fn new(slots: usize) -> Self {
        let (connections, places) = (Vec::with_capacity(slots), Vec::with_capacity(slots));
        prefetch::huge_pages(&connections);
        prefetch::huge_pages(&places);
        Self {
            connections,
            places,
            free: NONE,
        }
    }

    /// Takes a slot; the caller keeps their number at or under the one given to [`Slab::new`].
    pub(crate) fn insert(&mut self, connection: Connection, first_ns: i64, originator_isn: u32) -> u32 {
        let place = Place {
            first_ns,
            previous: NONE,
            next: NONE,
            originator_isn,
        };
        if self.free == NONE {
            self.connections.push(connection);
            self.places.push(place);
            return (self.connections.len() - 1) as u32;
        }
        let slot = self.free;
        self.free = self.place(slot).next;
        self.connections[slot as usize] = connection;
        self.places[slot as usize] = place;
        slot
    }

    /// Gives a slot back.
    pub(crate) fn remove(&mut self, slot: u32) {
        self.connection_mut(slot).flags = FREE;
        self.place_mut(slot).next = self.free;
        self.free = slot;
    }

    #[inline]
    pub(crate) fn connection(&self, slot: u32) -> &Connection {
        &self.connections[slot as usize]
    }

    #[inline]
    pub(crate) fn connection_mut(&mut self, slot: u32) -> &mut Connection {
        &mut self.connections[slot as usize]
    }

    #[inline]
    pub(crate) fn place(&self, slot: u32) -> &Place {
        &self.places[slot as usize]
    }

    #[inline]
    pub(crate) fn place_mut(&mut self, slot: u32) -> &mut Place {
        &mut self.places[slot as usize]
    }

    /// How far the application layer is with one side.
    pub(crate) fn progress(&self, owner: Owner) -> Progress {
        let connection = self.connection(owner.slot);
        Progress {
            stage: match owner.side {
                Side::Originator => connection.application,
                Side::Responder => connection.responder_application,
            },
            marks: connection.marks,
        }
    }

    /// Keeps how far it is.
    pub(crate) fn keep_progress(&mut self, owner: Owner, progress: Progress) {
        let connection = self.connection_mut(owner.slot);
        connection.marks = progress.marks;
        match owner.side {
            Side::Originator => connection.application = progress.stage,
            Side::Responder => {
                if progress.stage == application::DONE {
                    connection.marks |= application::RESPONDER_DONE;
                }
                connection.responder_application = progress.stage;
            }
        }
    }

    /// Asks for a connection's lines.
    #[inline]
    pub(crate) fn prefetch(&self, slot: u32) {
        if let Some(connection) = self.connections.get(slot as usize) {
            prefetch::fetch(connection);
        }
    }

    /// Asks for all of a connection that will soon be closed.
    pub(crate) fn prefetch_whole(&self, slot: u32) {
        self.prefetch(slot);
        if let Some(place) = self.places.get(slot as usize) {
            prefetch::fetch(place);
        }
    }

    /// Every slot in use, with its first time.
    pub(crate) fn live(&self) -> impl Iterator<Item = (i64, u32)> {
        let used = self.connections.iter().zip(&self.places).zip(0_u32..);
        used.filter(|((connection, _), _)| connection.flags & FREE == 0)
            .map(|((_, place), slot)| (place.first_ns, slot))
    }

    /// Bytes reserved, used or not.
    pub(crate) fn bytes(&self) -> usize {
        self.connections.capacity() * size_of::<Connection>() + self.places.capacity() * size_of::<Place>()
    }
}

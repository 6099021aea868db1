//! The connection table of one worker: finds each packet's connection, opens, updates, times out, evicts, closes.
//!
//! In: batches of [`Arrival`]s in packet order, and times that have passed. Out: calls on a [`Sink`]. Neither the size of
//! the batches nor the seed of the index changes what is told.

use balefire_decode::{FragmentPlace, Transport, tcp_flags};

use crate::application::{self, Application, Owner, Payload, Progress, Side};
use crate::index::Index;
use crate::key::IcmpMessage;
use crate::originator::Beginning;
use crate::prefetch;
use crate::queues::Queues;
use crate::slab::{Connection, ISN_KNOWN, NONE, ORIGINATOR_ACKED, SEQUENCE_KNOWN, Slab};
use crate::tcp::{End, Segment};
use crate::{Arrival, BURST_GAP_NS, Class, Counters, Fact, KeyHasher, KeyedPacket, Ready, Settings, Sink};

/// Packets that are looked up together: enough to have several cache misses under way (a core has 10 to 24 at a time),
/// few enough that what was fetched for the first is still there for the last.
const CHUNK: usize = 64;

/// Connections between asking for what ending one will need, and ending it, where all are ended.
const FLUSHED_AHEAD: usize = 8;

/// Packets this much older than the newest one are not merely out of order.
const FAR_BEHIND_NS: i64 = 3_600_000_000_000;
/// So many of those in a row, and the newest time was the wrong one (a broken timestamp, a clock set back).
const FAR_BEHIND_PACKETS: u32 = 4_096;

/// Follows all conversations of one worker.
///
/// ```
/// use balefire_track::{Settings, Tracker};
/// let tracker = Tracker::new(Settings { connections: 1_000, ..Settings::default() });
/// assert_eq!(tracker.counters().live, 0);
/// ```
#[derive(Debug)]
pub struct Tracker {
    settings: Settings,
    hasher: KeyHasher,
    index: Index,
    slab: Slab,
    queues: Queues,
    /// Of each [`Class`], in their order.
    timeouts_ns: [i64; Class::ALL.len()],
    application: Application,
    counters: Counters,
    /// The newest packet time, or what was told to [`Tracker::advance`].
    now_ns: i64,
    far_behind_packets: u32,
}

/// Why a connection closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    /// Silent for its class's timeout; of a finished one this is the normal end.
    Silent,
    Evicted,
    Reused,
    Flushed,
}

impl Tracker {
    /// A tracker with no connection. It reserves address space for all it may hold and uses memory as they come.
    pub fn new(settings: Settings) -> Self {
        let settings = settings.bounded();
        Self {
            hasher: KeyHasher::new(settings.seed),
            index: Index::new(settings.connections),
            slab: Slab::new(settings.connections),
            queues: Queues::new(&settings),
            timeouts_ns: Class::ALL.map(|class| class.timeout_ns(&settings)),
            application: Application::new(settings.payload_buffers),
            counters: Counters::default(),
            now_ns: i64::MIN,
            far_behind_packets: 0,
            settings,
        }
    }

    /// Makes packets of its kind.
    pub fn hasher(&self) -> KeyHasher {
        self.hasher
    }

    /// Takes packets, in order, and tells the sink all that follows from them.
    pub fn batch(&mut self, arrivals: &[Arrival<'_>], sink: &mut impl Sink) {
        let mut packets = [KeyedPacket::BLANK; CHUNK];
        for chunk in arrivals.chunks(CHUNK) {
            for (packet, arrival) in packets.iter_mut().zip(chunk) {
                *packet = KeyedPacket::new(&arrival.packet, arrival.time_ns, 0, &self.hasher);
                self.ahead(packet);
            }
            let mut ready = [Ready::BLANK; CHUNK];
            for ((ready, packet), arrival) in ready.iter_mut().zip(&packets).zip(chunk) {
                let bytes = arrival.frame;
                *ready = Ready { packet, bytes };
            }
            self.take(&ready[..chunk.len()], sink);
        }
    }

    /// Asks for the line where a packet's connection will be searched for. Some dozens of packets before its turn it has come.
    #[inline]
    pub fn ahead(&self, packet: &KeyedPacket) {
        self.index.prefetch(packet.hash);
    }

    /// The same as [`Tracker::batch`] for packets made with this tracker's [`Tracker::hasher`], each already announced to
    /// [`Tracker::ahead`].
    pub fn take(&mut self, arrivals: &[Ready<'_>], sink: &mut impl Sink) {
        // A slot each that may be the one; the key says.
        let mut hints = [None; CHUNK];
        for chunk in arrivals.chunks(CHUNK) {
            for (hint, arrival) in hints.iter_mut().zip(chunk) {
                *hint = self.index.candidate(arrival.packet.hash);
                if let Some(slot) = *hint {
                    self.slab.prefetch(slot);
                }
            }
            for (hint, arrival) in hints.iter().zip(chunk) {
                self.announce(arrival, *hint, sink);
            }
            for (hint, arrival) in hints.iter().zip(chunk) {
                self.packet(arrival, *hint, sink);
            }
        }
    }

    /// Says that packet time has come to `time_ns` without a packet here: closes what has been silent too long.
    pub fn advance(&mut self, time_ns: i64, sink: &mut impl Sink) {
        self.now_ns = self.now_ns.max(time_ns);
        self.close_silent(sink);
    }

    /// Closes every connection, in the order of their beginnings.
    pub fn flush(&mut self, sink: &mut impl Sink) {
        let mut live: Vec<_> = self.slab.live().collect();
        live.sort_unstable();
        for (at, (_, slot)) in live.iter().enumerate() {
            // In this order they lie anywhere in cold memory: first the connection is asked for, then what its tag leads to.
            if let Some((_, far)) = live.get(at + 2 * FLUSHED_AHEAD) {
                self.slab.prefetch_whole(*far);
            }
            if let Some((_, near)) = live.get(at + FLUSHED_AHEAD) {
                sink.ahead(self.slab.connection(*near).tag);
            }
            self.tell_end(*slot, Reason::Flushed, sink);
            self.slab.remove(*slot);
        }
        // New ones cost less than taking a million out one by one.
        self.index = Index::new(self.settings.connections);
        self.queues = Queues::new(&self.settings);
    }

    /// What has been counted so far.
    pub fn counters(&self) -> Counters {
        let counts = self.application.counts;
        Counters {
            names_truncated: counts.names_truncated,
            texts_truncated: counts.texts_truncated,
            payloads_abandoned: counts.abandoned,
            buffers_taken_over: counts.buffers_taken_over,
            ..self.counters
        }
    }

    /// Bytes of address space it has reserved; it uses what its peak of connections needed.
    pub fn reserved_bytes(&self) -> usize {
        self.slab.bytes() + self.index.bytes() + self.application.bytes()
    }

    /// Asks for the payload that will probably be read, and lets the sink fetch what it has of a connection that will
    /// probably be told of with more than a packet: the originator breaks a silence, or its payload is still being read.
    #[inline]
    fn announce(&self, arrival: &Ready<'_>, hint: Option<u32>, sink: &impl Sink) {
        if arrival.packet.payload_bytes == 0 {
            return;
        }
        let Some(slot) = hint else {
            return prefetch::fetch_head(arrival.payload());
        };
        let connection = self.slab.connection(slot);
        let breaks_silence = arrival.packet.time_ns.saturating_sub(connection.burst_ns) >= BURST_GAP_NS;
        let is_read = connection.application != application::DONE;
        if is_read || connection.marks & application::RESPONDER_DONE == 0 {
            prefetch::fetch_head(arrival.payload());
        }
        if breaks_silence || is_read {
            sink.ahead(connection.tag);
        }
    }

    fn packet(&mut self, arrival: &Ready<'_>, hint: Option<u32>, sink: &mut impl Sink) {
        let packet = arrival.packet;
        self.counters.packets += 1;
        self.tell_time(packet.time_ns, sink);
        let found = self.find(packet, hint);
        let known = found.filter(|slot| self.continues(*slot, packet));
        let slot = match (known, found) {
            (Some(slot), _) => slot,
            (None, stale) => {
                if let Some(stale) = stale {
                    let silent = self.is_silent(stale, packet.time_ns);
                    self.close(stale, if silent { Reason::Silent } else { Reason::Reused }, sink);
                }
                if is_straggler(packet) {
                    self.counters.stragglers += 1;
                    return;
                }
                self.open(packet, sink)
            }
        };
        self.update(slot, arrival, sink);
    }

    /// Moves the clock and closes what it leaves behind.
    #[inline]
    fn tell_time(&mut self, time_ns: i64, sink: &mut impl Sink) {
        if time_ns >= self.now_ns {
            self.now_ns = time_ns;
            self.far_behind_packets = 0;
            if self.queues.is_due(time_ns) {
                self.close_silent(sink);
            }
            return;
        }
        self.counters.late += 1;
        if self.now_ns.saturating_sub(time_ns) <= FAR_BEHIND_NS {
            self.far_behind_packets = 0;
            return;
        }
        self.far_behind_packets += 1;
        if self.far_behind_packets >= FAR_BEHIND_PACKETS {
            self.flush(sink);
            self.counters.clock_resets += 1;
            self.far_behind_packets = 0;
            self.now_ns = time_ns;
        }
    }

    fn close_silent(&mut self, sink: &mut impl Sink) {
        while let Some(slot) = self.queues.silent(&self.slab, self.now_ns) {
            self.close(slot, Reason::Silent, sink);
        }
    }

    #[inline(always)]
    fn find(&self, packet: &KeyedPacket, hint: Option<u32>) -> Option<u32> {
        let is_it = |slot: u32| self.slab.connection(slot).is_of(packet);
        match hint {
            // The slot may have changed hands since it was looked up.
            Some(slot) if is_it(slot) => Some(slot),
            _ => self.index.find(packet.hash, is_it),
        }
    }

    /// Whether the packet belongs to the connection with its key, not to a later one with the same.
    #[inline]
    fn continues(&self, slot: u32, packet: &KeyedPacket) -> bool {
        if self.is_silent(slot, packet.time_ns) {
            return false;
        }
        let bare_syn = packet.tcp_flags & (tcp_flags::SYN | tcp_flags::ACK) == tcp_flags::SYN;
        !bare_syn || !has_control(packet) || self.syn_continues(slot, packet)
    }

    /// Measured on the connection's own times, so that other conversations' packets have no say.
    #[inline]
    fn is_silent(&self, slot: u32, time_ns: i64) -> bool {
        let connection = self.slab.connection(slot);
        time_ns.saturating_sub(connection.last_ns) > self.timeouts_ns[connection.class as usize]
    }

    /// Whether a SYN is a repetition, a belated one or one half of a simultaneous opening. Any other is a new
    /// connection: no living one sends a second SYN with another number, so the end of the old one was missed.
    #[cold]
    fn syn_continues(&self, slot: u32, packet: &KeyedPacket) -> bool {
        /// Bytes by which a SYN may have been overtaken: more than any initial window.
        const OVERTAKEN_BYTES: u32 = 1 << 20;
        let connection = self.slab.connection(slot);
        let from_originator = connection.is_originator(packet.from_high);
        if from_originator && connection.flags & ISN_KNOWN != 0 {
            return self.slab.place(slot).originator_isn == packet.sequence;
        }
        if connection.class == Class::Ended {
            return false;
        }
        let side = usize::from(!from_originator);
        if connection.flags & (SEQUENCE_KNOWN << side) == 0 {
            return true;
        }
        connection.next_sequence[side].wrapping_sub(packet.sequence.wrapping_add(1)) <= OVERTAKEN_BYTES
    }

    fn open(&mut self, packet: &KeyedPacket, sink: &mut impl Sink) -> u32 {
        if self.counters.live >= self.settings.connections as u64 {
            self.evict(sink);
        }
        let beginning = Beginning::of(packet);
        let connection = Connection::new(packet, beginning.by_sender);
        let slot = self.slab.insert(connection, packet.time_ns, packet.sequence);
        let (slab, hasher) = (&self.slab, &self.hasher);
        self.index
            .insert(packet.hash, slot, |slot| hasher.hash(&slab.connection(slot).key()));
        self.queues.push(&mut self.slab, slot, self.now_ns);

        let connection = self.slab.connection_mut(slot);
        if beginning.mid_stream {
            connection.marks |= application::MID_STREAM;
        } else if has_control(packet) {
            connection.flags |= ISN_KNOWN;
        }
        connection.tag = sink.opened(&connection.opened(packet.time_ns, beginning.mid_stream));
        self.counters.opened += 1;
        self.counters.mid_stream += u64::from(beginning.mid_stream);
        self.counters.live += 1;
        self.counters.peak = self.counters.peak.max(self.counters.live);
        slot
    }

    /// Counts the packet, and tells it and what it brought.
    #[inline]
    fn update(&mut self, slot: u32, arrival: &Ready<'_>, sink: &mut impl Sink) {
        let packet = arrival.packet;
        let connection = self.slab.connection_mut(slot);
        let ends_before = connection.ends;
        let from_originator = connection.is_originator(packet.from_high);
        let side = usize::from(!from_originator);
        // Out of order by less than a timeout: it happened, for this connection, no earlier than the packet before.
        let time_ns = packet.time_ns.max(connection.last_ns);
        connection.last_ns = time_ns;
        connection.packets[side] = connection.packets[side].saturating_add(1);
        connection.payload_bytes[side] += u64::from(packet.payload_bytes);
        connection.ip_bytes[side] += u64::from(packet.ip_bytes);
        sink.packet(connection.tag, from_originator, time_ns, packet.ip_bytes);
        let is_overdue = self.queues.is_overdue(connection, self.now_ns);

        let control = has_control(packet);
        let (is_new, offset) = if control {
            let segment = advance(connection, packet, from_originator);
            (segment.is_new, segment.offset)
        } else {
            (packet.payload_bytes > 0, 0)
        };
        // Once answered it stays what it is while its ends do.
        let is_settled =
            matches!(connection.class, Class::Tcp | Class::Udp | Class::Icmp) && connection.ends == ends_before;
        if packet.payload_bytes > 0 && packet.fragment != FragmentPlace::Later {
            let is_wanted = if from_originator {
                connection.application != application::DONE
            } else {
                connection.marks & application::RESPONDER_DONE == 0
            };
            if is_wanted {
                let payload = Payload {
                    sequence: packet.sequence,
                    offset,
                    is_new,
                    bytes: arrival.payload(),
                    wire_bytes: packet.payload_bytes,
                };
                let side = if from_originator {
                    Side::Originator
                } else {
                    Side::Responder
                };
                self.read(Owner { slot, side }, &payload, packet, time_ns, sink);
            }
            if from_originator && is_new && !is_icmp_error(packet) {
                self.burst(slot, packet.payload_bytes, time_ns, sink);
            }
        }
        if is_overdue || !is_settled {
            let class = Class::of(self.slab.connection(slot));
            self.queues.touch(&mut self.slab, slot, class, self.now_ns);
        }
    }

    /// Lets the application layer see a payload.
    fn read(&mut self, owner: Owner, payload: &Payload<'_>, packet: &KeyedPacket, time_ns: i64, sink: &mut impl Sink) {
        let connection = self.slab.connection(owner.slot);
        let (tag, endpoints) = (connection.tag, connection.endpoints());
        let mut progress = self.slab.progress(owner);
        sink.reading(true);
        let tell = |fact: &Fact<'_>| sink.fact(tag, &endpoints, time_ns, fact);
        let loser = match packet.transport {
            Transport::TCP => self.application.segment(&mut progress, owner, payload, tell),
            Transport::UDP => self.application.datagram(&mut progress, owner, payload, tell),
            _ => {
                match application::echo::read(packet, payload.bytes) {
                    Some(echo) => sink.fact(tag, &endpoints, time_ns, &Fact::Echo(echo)),
                    None => progress.stage = application::DONE,
                }
                None
            }
        };
        sink.reading(false);
        self.slab.keep_progress(owner, progress);
        if let Some(loser) = loser {
            let stage = application::DONE;
            let marks = self.slab.progress(loser).marks;
            self.slab.keep_progress(loser, Progress { stage, marks });
        }
    }

    #[inline]
    fn burst(&mut self, slot: u32, payload_bytes: u32, time_ns: i64, sink: &mut impl Sink) {
        let connection = self.slab.connection_mut(slot);
        let silence_ns = time_ns.saturating_sub(connection.burst_ns);
        connection.burst_ns = time_ns;
        if silence_ns >= BURST_GAP_NS {
            sink.burst(connection.tag, &connection.endpoints(), time_ns, payload_bytes);
        }
    }

    /// Makes room for one. A connection whose place is older than its newest packet gets a second chance, a few at a
    /// time so that the work stays bounded.
    #[cold]
    fn evict(&mut self, sink: &mut impl Sink) {
        const SECOND_CHANCES: usize = 4;
        for _ in 0..SECOND_CHANCES {
            let Some(slot) = self.queues.dispensable(&self.slab) else {
                return;
            };
            let connection = self.slab.connection(slot);
            if connection.last_ns <= connection.queued_ns || connection.class == Class::Ended {
                break;
            }
            self.queues.unlink(&mut self.slab, slot);
            self.queues.push(&mut self.slab, slot, self.now_ns);
        }
        if let Some(slot) = self.queues.dispensable(&self.slab) {
            self.close(slot, Reason::Evicted, sink);
        }
    }

    /// Asks for what closing the next one in the queue will need, the sink's part of it included: it comes soon, and lies in cold
    /// memory. Of the one after that, whose bucket cannot be known yet, the connection.
    #[inline]
    fn prefetch_after(&self, slot: u32, sink: &impl Sink) {
        let next = self.slab.place(slot).next;
        if next == NONE {
            return;
        }
        let connection = self.slab.connection(next);
        self.index.prefetch(self.hasher.hash(&connection.key()));
        sink.ahead(connection.tag);
        self.slab.prefetch_whole(self.slab.place(next).next);
    }

    fn close(&mut self, slot: u32, reason: Reason, sink: &mut impl Sink) {
        self.prefetch_after(slot, sink);
        self.tell_end(slot, reason, sink);
        let key = self.slab.connection(slot).key();
        self.index.remove(self.hasher.hash(&key), slot);
        self.queues.unlink(&mut self.slab, slot);
        self.slab.remove(slot);
    }

    /// Counts and tells the end of a connection, which stays where it is.
    #[inline(always)]
    fn tell_end(&mut self, slot: u32, reason: Reason, sink: &mut impl Sink) {
        let connection = self.slab.connection(slot);
        let class = connection.class;
        match reason {
            Reason::Silent | Reason::Evicted if class == Class::Ended => self.counters.ended += 1,
            Reason::Silent => self.counters.timed_out += 1,
            Reason::Evicted => self.counters.evicted_by_class[class as usize] += 1,
            Reason::Reused => self.counters.reused += 1,
            Reason::Flushed => self.counters.flushed += 1,
        }
        self.counters.live -= 1;
        sink.closed(connection.tag, &connection.closed(self.slab.place(slot).first_ns));
        for side in [Side::Originator, Side::Responder] {
            self.application.release(self.slab.progress(Owner { slot, side }).stage);
        }
    }
}

/// Whether the packet has a TCP header: flags and sequence numbers count.
#[inline]
fn has_control(packet: &KeyedPacket) -> bool {
    packet.transport == Transport::TCP && packet.fragment != FragmentPlace::Later
}

/// Whether the packet only ends what is no longer known: a FIN or RST, repeated for up to a minute after the last
/// answer, begins nothing. Floods of them (backscatter) cost no room.
fn is_straggler(packet: &KeyedPacket) -> bool {
    let ends = packet.tcp_flags & (tcp_flags::FIN | tcp_flags::RST) != 0;
    has_control(packet) && ends && packet.tcp_flags & tcp_flags::SYN == 0 && packet.payload_bytes == 0
}

fn is_icmp_error(packet: &KeyedPacket) -> bool {
    matches!(packet.transport, Transport::ICMP | Transport::ICMP6)
        && IcmpMessage::of(packet.transport, packet.src_port).is_error
}

/// Brings a connection's TCP states and sequence numbers up to this packet.
#[inline]
fn advance(connection: &mut Connection, packet: &KeyedPacket, from_originator: bool) -> Segment {
    let flags = packet.tcp_flags;
    let side = usize::from(!from_originator);
    connection.ends = connection.ends.after(from_originator, flags, packet.payload_bytes);
    if from_originator && flags & (tcp_flags::ACK | tcp_flags::FIN) != 0 && connection.ends.originator != End::Reset {
        connection.flags |= ORIGINATOR_ACKED;
    }
    let known = SEQUENCE_KNOWN << side;
    let expected = (connection.flags & known != 0).then(|| connection.next_sequence[side]);
    let segment = Segment::of(expected, packet.sequence, flags, packet.payload_bytes);
    connection.next_sequence[side] = segment.next;
    connection.flags |= known;
    segment
}

#[cfg(test)]
mod tests;

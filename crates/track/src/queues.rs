//! Who is next to time out or to be evicted: one queue per [`Class`], oldest first, linked through the slab.
//!
//! In: slots as they are used. Out: the oldest of a class. A connection moves to the end of its queue not with every
//! packet, which would touch two neighbours in cold memory each time, but when its place is older than an eighth of its
//! timeout ([`MOVE_SHARE`]); so places are true to an eighth, and leaving by silence waits that much longer.

use crate::slab::{Connection, NONE, Slab};
use crate::{Class, Settings};

/// A connection's place may be older than its newest packet by this part of its timeout.
const MOVE_SHARE: i64 = 8;

#[derive(Clone, Copy, Debug)]
struct Queue {
    head: u32,
    tail: u32,
    /// A place older than this is renewed by a packet.
    move_ns: i64,
    /// A place older than this is that of a connection silent for its whole timeout.
    hold_ns: i64,
}

#[derive(Debug)]
pub(crate) struct Queues {
    queues: [Queue; Class::ALL.len()],
    /// No connection times out before this.
    due_ns: i64,
}

impl Queues {
    pub(crate) fn new(settings: &Settings) -> Self {
        let queues = Class::ALL.map(|class| {
            let timeout_ns = class.timeout_ns(settings);
            let move_ns = timeout_ns / MOVE_SHARE;
            Queue {
                head: NONE,
                tail: NONE,
                move_ns,
                hold_ns: timeout_ns + move_ns,
            }
        });
        Self {
            queues,
            due_ns: i64::MAX,
        }
    }

    /// Puts a slot at the end of its connection's class.
    pub(crate) fn push(&mut self, slab: &mut Slab, slot: u32, now_ns: i64) {
        let connection = slab.connection_mut(slot);
        connection.queued_ns = now_ns;
        let queue = &mut self.queues[connection.class as usize];
        let place = slab.place_mut(slot);
        (place.previous, place.next) = (queue.tail, NONE);
        match queue.tail {
            NONE => queue.head = slot,
            tail => slab.place_mut(tail).next = slot,
        }
        queue.tail = slot;
        self.due_ns = self.due_ns.min(now_ns.saturating_add(queue.hold_ns));
    }

    /// Takes a slot out of its connection's class.
    pub(crate) fn unlink(&mut self, slab: &mut Slab, slot: u32) {
        let queue = &mut self.queues[slab.connection(slot).class as usize];
        let place = *slab.place(slot);
        match place.previous {
            NONE => queue.head = place.next,
            previous => slab.place_mut(previous).next = place.next,
        }
        match place.next {
            NONE => queue.tail = place.previous,
            next => slab.place_mut(next).previous = place.previous,
        }
    }

    /// Whether a packet now must renew the place of this connection, if its class stays.
    #[inline]
    pub(crate) fn is_overdue(&self, connection: &Connection, now_ns: i64) -> bool {
        now_ns.saturating_sub(connection.queued_ns) > self.queues[connection.class as usize].move_ns
    }

    /// After a packet: the place of a connection that is now of this class.
    #[inline]
    pub(crate) fn touch(&mut self, slab: &mut Slab, slot: u32, class: Class, now_ns: i64) {
        let connection = slab.connection(slot);
        if class != connection.class || self.is_overdue(connection, now_ns) {
            self.unlink(slab, slot);
            slab.connection_mut(slot).class = class;
            self.push(slab, slot, now_ns);
        }
    }

    /// Whether [`Queues::silent`] may have something.
    #[inline]
    pub(crate) const fn is_due(&self, now_ns: i64) -> bool {
        now_ns > self.due_ns
    }

    /// A slot that has been silent for its whole timeout, the most dispensable class first.
    pub(crate) fn silent(&mut self, slab: &Slab, now_ns: i64) -> Option<u32> {
        let mut due_ns = i64::MAX;
        for queue in &self.queues {
            if queue.head == NONE {
                continue;
            }
            let end_ns = slab.connection(queue.head).queued_ns.saturating_add(queue.hold_ns);
            if now_ns > end_ns {
                return Some(queue.head);
            }
            due_ns = due_ns.min(end_ns);
        }
        self.due_ns = due_ns;
        None
    }

    /// The slot that is missed least.
    pub(crate) fn dispensable(&self, slab: &Slab) -> Option<u32> {
        Class::EVICTION.iter().find_map(|group| {
            let heads = group
                .iter()
                .map(|class| self.queues[*class as usize].head)
                .filter(|head| *head != NONE);
            heads.min_by_key(|head| slab.connection(*head).queued_ns)
        })
    }
}

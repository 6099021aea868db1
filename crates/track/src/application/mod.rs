//! What a connection's first payload says: names now; the place for every later fact of an application protocol.
//!
//! In: the originator's payload, segment by segment or datagram by datagram, possibly cut by the snap length. Out:
//! [`Fact`]s. A protocol is known by its content, never by its port. Not its job: who is talking (`tracker`) and
//! whole streams: it stops looking as soon as it has what it wants, and gives up at [`BUFFER_BYTES`].
//!
//! One protocol, one file, one function `read(bytes, last, tell) -> Reading`: it is given the stream from its first
//! byte on, again with every segment, until it says that it is done. `last` says that no more will come.

mod buffer;
mod client_hello;
mod dns;
mod http;
pub(crate) mod name;

use crate::Fact;
use buffer::{Buffer, Pool};
use name::Name;

pub use buffer::BUFFER_BYTES;

/// A connection's stage: nothing of it seen yet.
const FRESH: u16 = 0;
/// Stage: nothing more is wanted.
pub(crate) const DONE: u16 = 1;
/// Stage: an HTTP CONNECT was read; what follows is a stream of its own.
const TUNNEL: u16 = 2;
/// Stage: DNS, every message is read.
const DNS: u16 = 3;
/// Stage: this one and higher ones name a buffer.
const FIRST_BUFFER: u16 = 16;

/// Segments a stream may need for what is wanted of it; a hello of 4 KiB takes three or four.
const MOST_PIECES: u8 = 32;

/// How far a protocol's reader has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// It has what it wants, or will not get it.
    Done,
    /// It wants the bytes that follow.
    More,
    /// It is done, and a stream of another protocol follows in the next segment.
    Tunnel,
    /// It is done with this message and wants the next.
    Messages,
}

/// Payload of one packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Payload<'a> {
    /// TCP sequence number of the segment.
    pub(crate) sequence: u32,
    /// Its first byte, counted from the byte expected next; below 0 if some of it was seen before.
    pub(crate) offset: i32,
    /// Some of it was not seen before.
    pub(crate) is_new: bool,
    /// What was captured of it.
    pub(crate) bytes: &'a [u8],
}

/// The application layer of one tracker: its buffers and counts.
#[derive(Debug)]
pub(crate) struct Application {
    pool: Pool,
    pub(crate) names_truncated: u64,
    pub(crate) abandoned: u64,
    pub(crate) buffers_taken_over: u64,
}

impl Application {
    pub(crate) fn new(buffers: usize) -> Self {
        Self {
            pool: Pool::new(buffers),
            names_truncated: 0,
            abandoned: 0,
            buffers_taken_over: 0,
        }
    }

    /// Bytes its buffers use.
    pub(crate) fn bytes(&self) -> usize {
        self.pool.bytes()
    }

    /// The connection at this stage is closed.
    pub(crate) fn release(&mut self, stage: u16) {
        if let Some(buffer) = stage.checked_sub(FIRST_BUFFER) {
            self.pool.release(buffer);
        }
    }

    /// Reads a TCP segment with payload from the originator; `cut` if not all of it was captured. If that took a
    /// buffer from another connection, returns its slot: that connection is done.
    pub(crate) fn segment(
        &mut self,
        stage: &mut u16,
        owner: u32,
        payload: &Payload<'_>,
        cut: bool,
        tell: impl FnMut(&Fact<'_>),
    ) -> Option<u32> {
        match *stage {
            DONE => None,
            FRESH | TUNNEL | DNS => self.unbuffered(stage, owner, payload, cut, tell),
            _ => {
                self.buffered(stage, payload, cut, tell);
                None
            }
        }
    }

    /// Reads a UDP datagram from the originator.
    pub(crate) fn datagram(&mut self, stage: &mut u16, bytes: &[u8], mut tell: impl FnMut(&Fact<'_>)) {
        let mut teller = Teller {
            tell: &mut tell,
            names_truncated: &mut self.names_truncated,
        };
        let is_dns = dns::read_datagram(bytes, &mut teller);
        if *stage == FRESH {
            *stage = if is_dns { DNS } else { DONE };
        }
    }

    /// The usual case: what is wanted is in the first segment.
    fn unbuffered(
        &mut self,
        stage: &mut u16,
        owner: u32,
        payload: &Payload<'_>,
        cut: bool,
        mut tell: impl FnMut(&Fact<'_>),
    ) -> Option<u32> {
        if !payload.is_new {
            return None;
        }
        let seen_before = payload.offset.min(0).unsigned_abs() as usize;
        let bytes = payload.bytes.get(seen_before..).unwrap_or_default();
        let reading = if payload.offset > 0 {
            // Overtaken by this segment, the beginning is still to come.
            if *stage == DNS {
                Reading::Messages
            } else {
                Reading::More
            }
        } else {
            let mut teller = Teller {
                tell: &mut tell,
                names_truncated: &mut self.names_truncated,
            };
            read(*stage, bytes, cut, &mut teller)
        };
        let offset = payload.offset.max(0) as usize;
        if reading != Reading::More {
            *stage = stage_after(reading, *stage == TUNNEL);
            return None;
        }
        if cut || offset >= BUFFER_BYTES || self.pool.is_closed() {
            self.abandon(stage);
            return None;
        }
        let base = payload.sequence.wrapping_sub(payload.offset as u32);
        let buffer = Buffer::beginning(
            owner,
            base.wrapping_add(if payload.offset < 0 { seen_before as u32 } else { 0 }),
        );
        let (number, loser) = self.pool.take(buffer, *stage);
        self.pool.buffer_mut(number).write(offset, bytes);
        self.buffers_taken_over += u64::from(loser.is_some());
        *stage = FIRST_BUFFER + number;
        loser
    }

    /// One more segment of a stream that began in a buffer.
    fn buffered(&mut self, stage: &mut u16, payload: &Payload<'_>, cut: bool, mut tell: impl FnMut(&Fact<'_>)) {
        let number = *stage - FIRST_BUFFER;
        let buffer = self.pool.buffer_mut(number);
        let offset = payload.sequence.wrapping_sub(buffer.base) as i32;
        let seen_before = offset.min(0).unsigned_abs() as usize;
        let had = buffer.stream().len();
        buffer.write(
            offset.max(0) as usize,
            payload.bytes.get(seen_before..).unwrap_or_default(),
        );
        let is_exhausted = buffer.is_full() || buffer.pieces >= MOST_PIECES;
        let is_cut = cut && buffer.stream().len() > had;
        if buffer.stream().len() == had && !is_exhausted {
            return;
        }
        let began_as = buffer.began_as;
        let mut teller = Teller {
            tell: &mut tell,
            names_truncated: &mut self.names_truncated,
        };
        let mut reading = read(began_as, buffer.stream(), is_cut, &mut teller);
        if reading == Reading::More && is_exhausted {
            self.abandoned += 1;
            reading = read(began_as, buffer.stream(), true, &mut teller);
        }
        if reading == Reading::More {
            return;
        }
        *stage = stage_after(reading, began_as == TUNNEL);
        self.pool.release(number);
    }

    fn abandon(&mut self, stage: &mut u16) {
        self.abandoned += 1;
        *stage = DONE;
    }
}

/// The stage after a reader has finished.
const fn stage_after(reading: Reading, in_tunnel: bool) -> u16 {
    match reading {
        // A tunnel in a tunnel is not followed: one proxy is the usual, and the outermost name is known.
        Reading::Tunnel if !in_tunnel => TUNNEL,
        Reading::Messages => DNS,
        _ => DONE,
    }
}

/// Recognises a stream by its first bytes and reads it.
fn read(stage: u16, bytes: &[u8], last: bool, teller: &mut Teller<'_>) -> Reading {
    match bytes.first() {
        None => Reading::More,
        _ if stage == DNS => dns::read(bytes, last, teller),
        Some(&client_hello::RECORD_HANDSHAKE) => client_hello::read(bytes, last, teller),
        Some(b'A'..=b'Z') if http::may_begin(bytes) => http::read(bytes, last, teller),
        Some(_) => dns::read(bytes, last, teller),
    }
}

/// Tells facts and counts what was lost in telling.
struct Teller<'a> {
    tell: &'a mut dyn FnMut(&Fact<'_>),
    names_truncated: &'a mut u64,
}

impl Teller<'_> {
    /// Tells a name; an empty one is none.
    fn name(&mut self, kind: crate::NameKind, name: &Name, port: u16) {
        *self.names_truncated += u64::from(name.is_truncated());
        let name = name.text();
        if !name.is_empty() {
            (self.tell)(&Fact::Name { kind, name, port });
        }
    }
}

#[cfg(test)]
mod tests;

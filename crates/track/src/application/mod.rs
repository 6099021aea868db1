//! What a connection's first payload says: names, fingerprints, the protocol itself.
//!
//! In: the payload of both sides, segment by segment or datagram by datagram, possibly cut by the snap length. Out:
//! [`Fact`]s. A protocol is known by its content, never by its port. Not its job: who is talking (`tracker`) and
//! whole streams: it stops looking as soon as it has what it wants, and gives up at [`BUFFER_BYTES`].
//!
//! One protocol, one file, with functions `read(bytes, last, teller) -> Reading`: each is given the stream from its first
//! byte on, again with every segment, until it says that it is done. `last` says that no more will come.

mod buffer;
mod certificate;
mod client_hello;
mod datagrams;
mod dns;
mod dns_answer;
pub(crate) mod echo;
mod http;
mod ja4;
mod lines;
pub(crate) mod name;
mod ntp;
mod quic;
mod quic_keys;
mod records;
mod server_hello;
mod teller;
pub(crate) mod text;

use crate::{Fact, Protocol};
use buffer::{Buffer, Pool};
use client_hello::Desk;
use teller::{CONNECT, Counts, Teller};

pub use buffer::BUFFER_BYTES;
pub(crate) use teller::{MID_STREAM, RESPONDER_DONE};

/// A side's stage: nothing of it seen yet.
const FRESH: u16 = 0;
/// Stage: nothing more is wanted.
pub(crate) const DONE: u16 = 1;
/// Stage: an HTTP CONNECT, or its answer, was read; what follows is a stream of its own.
const TUNNEL: u16 = 2;
/// Stage: DNS, every message is read.
const DNS: u16 = 3;
/// Stage: this one and higher ones name a buffer.
const FIRST_BUFFER: u16 = 16;

/// Segments a stream may need for what is wanted of it; a hello of 4 KiB takes three or four.
const MOST_PIECES: u8 = 32;

/// Bytes of a cut payload without which it is not called unknown.
const TELLING_BYTES: usize = 16;

/// Which side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Originator,
    Responder,
}

/// A side of the connection in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) slot: u32,
    pub(crate) side: Side,
}

/// What a connection keeps for this layer: the stage of one side, the marks of both.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    pub(crate) stage: u16,
    pub(crate) marks: u8,
}

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
    /// Bytes it had on the wire.
    pub(crate) wire_bytes: u32,
}

impl Payload<'_> {
    const fn is_cut(&self) -> bool {
        self.bytes.len() < self.wire_bytes as usize
    }
}

/// The application layer of one tracker: its buffers and counts.
#[derive(Debug)]
pub(crate) struct Application {
    pool: Pool,
    desk: Desk,
    pub(crate) counts: Counts,
}

impl Application {
    pub(crate) fn new(buffers: usize) -> Self {
        Self {
            pool: Pool::new(buffers),
            desk: Desk::new(),
            counts: Counts::default(),
        }
    }

    /// Bytes its buffers use.
    pub(crate) fn bytes(&self) -> usize {
        self.pool.bytes() + self.desk.bytes()
    }

    /// The connection with a side at this stage is closed.
    pub(crate) fn release(&mut self, stage: u16) {
        if let Some(buffer) = stage.checked_sub(FIRST_BUFFER) {
            self.pool.release(buffer);
        }
    }

    /// Reads a TCP segment with payload. If that took a buffer from another owner, returns that: it is done.
    pub(crate) fn segment(
        &mut self,
        progress: &mut Progress,
        owner: Owner,
        payload: &Payload<'_>,
        mut tell: impl FnMut(&Fact<'_>),
    ) -> Option<Owner> {
        match progress.stage {
            DONE => None,
            FRESH | TUNNEL | DNS => self.unbuffered(progress, owner, payload, &mut tell),
            _ => {
                self.buffered(progress, owner.side, payload, &mut tell);
                None
            }
        }
    }

    /// The usual case: what is wanted is in the first segment.
    fn unbuffered(
        &mut self,
        progress: &mut Progress,
        owner: Owner,
        payload: &Payload<'_>,
        tell: &mut dyn FnMut(&Fact<'_>),
    ) -> Option<Owner> {
        if !payload.is_new {
            return None;
        }
        let seen_before = payload.offset.min(0).unsigned_abs() as usize;
        let bytes = payload.bytes.get(seen_before..).unwrap_or_default();
        let stage = progress.stage;
        let reading = if payload.offset > 0 {
            // Overtaken by this segment, the beginning is still to come.
            if stage == DNS { Reading::Messages } else { Reading::More }
        } else {
            let mut teller = Teller {
                tell,
                counts: &mut self.counts,
                marks: &mut progress.marks,
            };
            read(owner.side, stage, bytes, payload.is_cut(), &mut teller, &mut self.desk)
        };
        let offset = payload.offset.max(0) as usize;
        if reading != Reading::More {
            progress.stage = stage_after(reading, stage == TUNNEL);
            return None;
        }
        if payload.is_cut() || offset >= BUFFER_BYTES || self.pool.is_closed() {
            self.counts.abandoned += 1;
            progress.stage = DONE;
            return None;
        }
        let base = payload.sequence.wrapping_sub(payload.offset as u32);
        let buffer = Buffer::beginning(
            owner,
            base.wrapping_add(if payload.offset < 0 { seen_before as u32 } else { 0 }),
        );
        let (number, loser) = self.pool.take(buffer, stage);
        self.pool.buffer_mut(number).write(offset, bytes);
        self.counts.buffers_taken_over += u64::from(loser.is_some());
        progress.stage = FIRST_BUFFER + number;
        loser
    }

    /// One more segment of a stream that began in a buffer.
    fn buffered(
        &mut self,
        progress: &mut Progress,
        side: Side,
        payload: &Payload<'_>,
        tell: &mut dyn FnMut(&Fact<'_>),
    ) {
        let number = progress.stage - FIRST_BUFFER;
        let buffer = self.pool.buffer_mut(number);
        let offset = payload.sequence.wrapping_sub(buffer.base) as i32;
        let seen_before = offset.min(0).unsigned_abs() as usize;
        let had = buffer.stream().len();
        buffer.write(
            offset.max(0) as usize,
            payload.bytes.get(seen_before..).unwrap_or_default(),
        );
        let is_exhausted = buffer.is_full() || buffer.pieces >= MOST_PIECES;
        let is_cut = payload.is_cut() && buffer.stream().len() > had;
        if buffer.stream().len() == had && !is_exhausted {
            return;
        }
        let began_as = buffer.began_as;
        let mut teller = Teller {
            tell,
            counts: &mut self.counts,
            marks: &mut progress.marks,
        };
        let mut reading = read(side, began_as, buffer.stream(), is_cut, &mut teller, &mut self.desk);
        if reading == Reading::More && is_exhausted {
            teller.counts.abandoned += 1;
            reading = read(side, began_as, buffer.stream(), true, &mut teller, &mut self.desk);
        }
        if reading == Reading::More {
            return;
        }
        progress.stage = stage_after(reading, began_as == TUNNEL);
        self.pool.release(number);
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
fn read(side: Side, stage: u16, bytes: &[u8], last: bool, teller: &mut Teller<'_>, desk: &mut Desk) -> Reading {
    let reading = match side {
        _ if bytes.is_empty() => Reading::More,
        Side::Originator => read_originator(stage, bytes, last, teller, desk),
        Side::Responder => read_responder(stage, bytes, last, teller),
    };
    if reading == Reading::Done && stage == FRESH && side == Side::Originator {
        tell_unknown(bytes, last, teller);
    }
    reading
}

fn read_originator(stage: u16, bytes: &[u8], last: bool, teller: &mut Teller<'_>, desk: &mut Desk) -> Reading {
    match bytes[0] {
        _ if stage == DNS => dns::read(bytes, last, teller),
        records::HANDSHAKE => client_hello::read(bytes, last, teller, desk),
        first if first.is_ascii_alphabetic() || first == b':' => {
            if let Some(protocol) = lines::of_client(bytes) {
                teller.protocol(protocol);
                return Reading::Done;
            }
            if http::may_begin(bytes) {
                return http::read(bytes, last, teller);
            }
            Reading::Done
        }
        _ => {
            if teller.has(MID_STREAM) && records::may_continue(bytes) {
                teller.protocol(Protocol::Tls);
                return Reading::Done;
            }
            dns::read(bytes, last, teller)
        }
    }
}

fn read_responder(stage: u16, bytes: &[u8], last: bool, teller: &mut Teller<'_>) -> Reading {
    if stage == DNS {
        return dns_answer::read(bytes, last, teller);
    }
    if bytes[0] == records::HANDSHAKE {
        return server_hello::read(bytes, last, teller);
    }
    if let Some(reading) = http::read_response(bytes, last, teller) {
        return reading;
    }
    if let Some(protocol) = lines::of_server(bytes) {
        teller.protocol(protocol);
        return Reading::Done;
    }
    if teller.has(MID_STREAM) && records::may_continue(bytes) {
        teller.protocol(Protocol::Tls);
        return Reading::Done;
    }
    dns_answer::read(bytes, last, teller)
}

/// The originator's first payload has been read; if it was nothing known, that is a fact too.
fn tell_unknown(bytes: &[u8], last: bool, teller: &mut Teller<'_>) {
    if !(teller.has(MID_STREAM) || last && bytes.len() < TELLING_BYTES) {
        teller.protocol(Protocol::Unknown);
    }
}

#[cfg(test)]
mod tests;

//! UDP's part of the application layer: DNS, the beginning of QUIC, and what one datagram shows.
//!
//! In: datagrams of both sides. Out: [`Fact`]s, through the readers of the protocols. Every DNS message is read, of QUIC
//! the client's hello, of all others the first datagram of each side.

use super::buffer::Buffer;
use super::teller::Teller;
use super::{Application, DNS, DONE, FIRST_BUFFER, FRESH, Owner, Payload, Progress, Reading, Side, TUNNEL};
use super::{client_hello, dns, dns_answer, ntp, quic, tell_unknown};
use crate::{Fact, Protocol};

/// Datagrams a QUIC client's hello may need: two with post-quantum keys, and their repetitions.
const MOST_DATAGRAMS: u8 = 8;

impl Application {
    /// Reads a UDP datagram with payload: DNS or the beginning of QUIC, or nothing that is read any further. If that took a buffer from another owner, returns that: it is done.
    pub(crate) fn datagram(
        &mut self,
        progress: &mut Progress,
        owner: Owner,
        payload: &Payload<'_>,
        mut tell: impl FnMut(&Fact<'_>),
    ) -> Option<Owner> {
        let is_originator = owner.side == Side::Originator;
        match progress.stage {
            FRESH if is_originator && quic::Initial::of(payload.bytes, payload.wire_bytes).is_some() => {
                return self.quic_begins(progress, owner, payload, &mut tell);
            }
            FRESH | DNS => self.message(progress, is_originator, payload, &mut tell),
            DONE | TUNNEL => {}
            _ => self.quic_goes_on(progress, payload, &mut tell),
        }
        None
    }

    /// Reads a datagram as DNS, and the first one of a connection as what can be known by one.
    fn message(
        &mut self,
        progress: &mut Progress,
        is_originator: bool,
        payload: &Payload<'_>,
        tell: &mut dyn FnMut(&Fact<'_>),
    ) {
        let mut teller = Teller {
            tell,
            counts: &mut self.counts,
            marks: &mut progress.marks,
        };
        let is_dns = if is_originator {
            dns::read_datagram(payload.bytes, payload.wire_bytes, &mut teller)
        } else {
            dns_answer::read_datagram(payload.bytes, payload.wire_bytes, &mut teller)
        };
        if progress.stage != FRESH {
            return;
        }
        progress.stage = if is_dns { DNS } else { DONE };
        if !is_originator {
            return;
        }
        if ntp::is_request(payload.bytes) {
            teller.protocol(Protocol::Ntp);
        }
        // A datagram does not say whether others went before it.
        if is_dns || !quic::may_continue(payload.bytes, payload.wire_bytes) {
            tell_unknown(payload.bytes, payload.is_cut(), &mut teller);
        }
    }

    /// The first datagram of a QUIC client. Its hello is put together in a buffer.
    fn quic_begins(
        &mut self,
        progress: &mut Progress,
        owner: Owner,
        payload: &Payload<'_>,
        tell: &mut dyn FnMut(&Fact<'_>),
    ) -> Option<Owner> {
        Teller {
            tell: &mut *tell,
            counts: &mut self.counts,
            marks: &mut progress.marks,
        }
        .protocol(Protocol::Quic);
        if self.pool.is_closed() {
            self.counts.abandoned += 1;
            progress.stage = DONE;
            return None;
        }
        let (number, loser) = self.pool.take(Buffer::beginning(owner, 0), FRESH);
        self.counts.buffers_taken_over += u64::from(loser.is_some());
        progress.stage = FIRST_BUFFER + number;
        self.quic_goes_on(progress, payload, tell);
        loser
    }

    /// A datagram of a QUIC client whose hello is not complete.
    fn quic_goes_on(&mut self, progress: &mut Progress, payload: &Payload<'_>, tell: &mut dyn FnMut(&Fact<'_>)) {
        let number = progress.stage - FIRST_BUFFER;
        let buffer = self.pool.buffer_mut(number);
        let initial = quic::Initial::of(payload.bytes, payload.wire_bytes);
        if let Some(initial) = &initial {
            // What deciphers to nothing is of a later stage of the connection.
            let _ = initial.pieces(|offset, bytes| buffer.write(offset, bytes));
        }
        buffer.datagrams += 1;
        // Once the client uses a short header its hello has been answered: what is missing was not captured.
        let is_exhausted = buffer.is_full()
            || buffer.datagrams >= MOST_DATAGRAMS
            || initial.is_none() && !quic::has_long_header(payload.bytes);
        let mut teller = Teller {
            tell,
            counts: &mut self.counts,
            marks: &mut progress.marks,
        };
        let reading = client_hello::read_bare(buffer.stream(), is_exhausted, &mut teller, &mut self.desk);
        if reading != Reading::More {
            progress.stage = DONE;
            self.pool.release(number);
        }
    }
}

//! TCP's two endpoint states and what they say of a connection, in Zeek's terms.
//!
//! In: flags and sides of packets. Out: [`ConnState`], whether the connection has ended, and what is new in the
//! sequence space. The states and the table from states to names are those of Zeek
//! (<https://docs.zeek.org/en/master/scripts/base/protocols/conn/main.zeek.html>, `conn_state`; endpoint states
//! `TCP_INACTIVE` to `TCP_RESET`), so that its users read ours alike.

use balefire_decode::tcp_flags::{ACK, FIN, RST, SYN};

use crate::ConnState;

/// The state of one side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum End {
    /// Nothing seen from it.
    #[default]
    Inactive,
    /// It sent a SYN.
    SynSent,
    /// Seen first in the middle.
    Partial,
    /// The handshake was seen.
    Established,
    /// It sent a FIN.
    Closed,
    /// It sent a RST.
    Reset,
    /// It sent a FIN, then a RST: a normal end if the other side closes too.
    ClosedThenReset,
}

impl End {
    const fn is_reset(self) -> bool {
        matches!(self, Self::Reset | Self::ClosedThenReset)
    }

    /// Nothing of the handshake was seen from it.
    const fn is_silent(self) -> bool {
        matches!(self, Self::Inactive | Self::Partial)
    }
}

/// The states of both sides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) originator: End,
    pub(crate) responder: End,
}

impl Ends {
    /// Whether the connection is over.
    pub(crate) const fn ended(self) -> bool {
        let Self { originator, responder } = self;
        originator.is_reset() || responder.is_reset() || (self.both_closed()) || self.closed_unanswered()
    }

    /// Whether one side has closed and the other may still send.
    pub(crate) const fn closing(self) -> bool {
        matches!(self.originator, End::Closed) || matches!(self.responder, End::Closed)
    }

    const fn both_closed(self) -> bool {
        matches!((self.originator, self.responder), (End::Closed, End::Closed))
    }

    /// A FIN to or from a side that was never seen.
    const fn closed_unanswered(self) -> bool {
        matches!(
            (self.originator, self.responder),
            (End::Closed, End::Inactive) | (End::Inactive, End::Closed)
        )
    }

    /// The states after a packet with these flags from one side.
    #[inline]
    pub(crate) fn after(self, from_originator: bool, flags: u8, payload_bytes: u32) -> Self {
        let own = if from_originator {
            self.originator
        } else {
            self.responder
        };
        // Nearly all packets: without a control flag only the first one of a side changes something.
        if flags & (SYN | FIN | RST) == 0 && own != End::Inactive {
            return self;
        }
        self.after_control(from_originator, flags, payload_bytes)
    }

    fn after_control(mut self, from_originator: bool, flags: u8, payload_bytes: u32) -> Self {
        let (own, peer) = if from_originator {
            (&mut self.originator, &mut self.responder)
        } else {
            (&mut self.responder, &mut self.originator)
        };
        match *own {
            End::Inactive => first_packet(own, peer, from_originator, flags, payload_bytes),
            End::SynSent => {
                if flags & FIN != 0 {
                    *own = End::Closed;
                }
                if flags & RST != 0 {
                    *own = End::Reset;
                }
            }
            End::Established | End::Partial => running(own, peer, flags),
            // After both have closed, a reset is only an impolite farewell.
            End::Closed if flags & RST != 0 && *peer != End::Closed => *own = End::ClosedThenReset,
            End::Closed | End::Reset | End::ClosedThenReset => {}
        }
        self
    }

    /// Zeek's name for a TCP connection. `without_payload`: neither side sent any; `bare_attempt`: the originator
    /// neither acknowledged nor closed, it sent a SYN at the most.
    pub(crate) const fn state(self, without_payload: bool, bare_attempt: bool) -> ConnState {
        let Self { originator, responder } = self;
        if responder.is_reset() {
            return match originator {
                End::SynSent => ConnState::Rej,
                End::Reset | End::ClosedThenReset if without_payload => ConnState::Rej,
                End::Inactive | End::Partial => ConnState::Rstrh,
                _ => ConnState::Rstr,
            };
        }
        match (originator, responder) {
            (End::Reset | End::ClosedThenReset, _) if !responder.is_silent() => ConnState::Rsto,
            (End::Reset, _) if bare_attempt => ConnState::Rstos0,
            (End::Reset | End::ClosedThenReset, _) => ConnState::Oth,
            (End::Closed, End::Closed) => ConnState::Sf,
            (End::Closed, _) if responder.is_silent() => ConnState::Sh,
            (End::Closed, _) => ConnState::S2,
            (_, End::Closed) if originator.is_silent() => ConnState::Shr,
            (_, End::Closed) => ConnState::S3,
            (End::SynSent, End::Inactive) => ConnState::S0,
            (End::Established, End::Established) => ConnState::S1,
            _ => ConnState::Oth,
        }
    }
}

/// The first packet of a side.
fn first_packet(own: &mut End, peer: &mut End, from_originator: bool, flags: u8, payload_bytes: u32) {
    if flags & SYN != 0 {
        match (from_originator, *peer) {
            // The answer to a SYN establishes both; so does a SYN that was captured after its answer.
            (false, End::SynSent) => (*own, *peer) = (End::Established, End::Established),
            (false, _) => *own = End::Established,
            (true, End::Established) => *own = End::Established,
            (true, _) => *own = End::SynSent,
        }
    }
    if flags & FIN != 0 {
        *own = End::Closed;
    }
    if flags & RST != 0 {
        *own = End::Reset;
    }
    if *own != End::Inactive {
        return;
    }
    // Some systems acknowledge a SYN before they answer it.
    let early_acknowledgement = !from_originator && payload_bytes == 0 && *peer == End::SynSent;
    if flags & ACK != 0 && *peer == End::Established {
        // Only the SYN was missed.
        *own = End::Established;
    } else if !early_acknowledgement {
        *own = End::Partial;
    }
}

/// A packet of a side that is in the middle.
fn running(own: &mut End, peer: &mut End, flags: u8) {
    let bare_syn = flags & (SYN | ACK) == SYN;
    if bare_syn && *own == End::Partial && *peer == End::Inactive {
        *own = End::SynSent;
    }
    if flags & RST != 0 {
        *own = End::Reset;
    } else if flags & FIN != 0 {
        *own = End::Closed;
        if *peer == End::ClosedThenReset {
            *peer = End::Closed;
        }
    }
}

/// What a segment brings to one direction's sequence space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// The next sequence number expected after it.
    pub(crate) next: u32,
    /// It has payload that was not seen before.
    pub(crate) is_new: bool,
    /// Where its payload begins, counted from the byte that was expected before it.
    pub(crate) offset: i32,
}

impl Segment {
    /// `expected` is the number after the highest byte seen of this direction, `None` at its first packet. Keep-alive
    /// probes repeat the last byte (RFC 9293 section 3.8.4), retransmissions others: neither is new.
    #[inline]
    pub(crate) fn of(expected: Option<u32>, sequence: u32, flags: u8, payload_bytes: u32) -> Self {
        // A SYN takes the number before the first byte, a FIN the one after the last; what a reset carries is no data.
        let payload_bytes = if flags & RST != 0 { 0 } else { payload_bytes };
        let begin = sequence.wrapping_add(u32::from(flags & SYN != 0));
        let end = begin.wrapping_add(payload_bytes);
        let after = end.wrapping_add(u32::from(flags & FIN != 0));
        let expected = match expected {
            Some(expected) if flags & SYN == 0 => expected,
            _ => {
                return Self {
                    next: after,
                    is_new: payload_bytes > 0,
                    offset: 0,
                };
            }
        };
        let distance = |to: u32| to.wrapping_sub(expected) as i32;
        let next = if distance(after) > 0 && flags & RST == 0 {
            after
        } else {
            expected
        };
        Self {
            next,
            is_new: payload_bytes > 0 && distance(end) > 0,
            offset: distance(begin),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(expected: u32, sequence: u32, flags: u8, payload_bytes: u32) -> Segment {
        Segment::of(Some(expected), sequence, flags, payload_bytes)
    }

    #[test]
    fn repeated_bytes_are_not_new() {
        assert_eq!(
            segment(100, 100, ACK, 10),
            Segment {
                next: 110,
                is_new: true,
                offset: 0
            }
        );
        assert_eq!(
            segment(110, 100, ACK, 10),
            Segment {
                next: 110,
                is_new: false,
                offset: -10
            }
        );
        assert_eq!(
            segment(110, 105, ACK, 10),
            Segment {
                next: 115,
                is_new: true,
                offset: -5
            }
        );
        // Keep-alive probes, with and without a byte.
        assert!(!segment(110, 109, ACK, 1).is_new);
        assert!(!segment(110, 109, ACK, 0).is_new);
    }

    #[test]
    fn numbers_wrap() {
        assert_eq!(
            segment(u32::MAX - 4, u32::MAX - 4, ACK, 10),
            Segment {
                next: 5,
                is_new: true,
                offset: 0
            }
        );
        assert!(!segment(5, u32::MAX - 4, ACK, 10).is_new);
    }

    #[test]
    fn control_flags_take_numbers_and_resets_none() {
        assert_eq!(Segment::of(None, 7, SYN, 0).next, 8);
        assert_eq!(segment(8, 8, FIN | ACK, 4).next, 13);
        assert_eq!(
            segment(8, 9999, RST, 4),
            Segment {
                next: 8,
                is_new: false,
                offset: 9991
            }
        );
    }
}

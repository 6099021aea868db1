//! Conversations: a TCP connection from handshake to teardown, a datagram and its answer, an echo.
//!
//! In: what both ends say, in turn. Out: segments planned with sequence numbers, acknowledgements and round trips. Not
//! its job: what the words mean.

use balefire_decode::{Transport, tcp_flags};

use super::frame::{Flow, Payload, Segment, TcpFields};
use super::plan::Plan;

pub(super) const NS_PER_MS: i64 = 1_000_000;
pub(super) const NS_PER_S: i64 = 1_000_000_000;

/// Payload of a full TCP segment on Ethernet: 1,500 bytes without two headers of 20.
const SEGMENT_BYTES: usize = 1_460;

/// Gap between segments sent back to back, about 100 Mbit/s.
const SEGMENT_GAP_NS: i64 = 120_000;

/// A TCP connection, seen from the host's side: its packets pass the tap at once, the server's a round trip later.
#[derive(Clone, Debug)]
pub(super) struct Talk {
    flow: Flow,
    /// When the next packet of this connection passes.
    pub(super) now_ns: i64,
    round_trip_ns: i64,
    client: u32,
    server: u32,
    last_outbound: bool,
}

impl Talk {
    /// A connection that will begin at `now_ns`; sequence numbers come from `salt`.
    pub(super) fn new(flow: Flow, now_ns: i64, round_trip_ns: i64, salt: u64) -> Self {
        Self {
            flow,
            now_ns,
            round_trip_ns,
            client: salt as u32,
            server: (salt >> 32) as u32,
            last_outbound: true,
        }
    }

    /// The three-way handshake.
    pub(super) fn open(&mut self, plan: &mut Plan) {
        self.send(plan, true, tcp_flags::SYN, Payload::default());
        self.send(plan, false, tcp_flags::SYN | tcp_flags::ACK, Payload::default());
        self.send(plan, true, tcp_flags::ACK, Payload::default());
    }

    /// One end sends `message`; the other acknowledges every second segment and the last.
    pub(super) fn say(&mut self, plan: &mut Plan, outbound: bool, message: Payload) {
        let mut head = message.head.as_slice();
        let mut filler = message.filler_bytes as usize;
        let mut sent = 0u32;
        while !head.is_empty() || filler > 0 {
            let (now, later) = head.split_at(head.len().min(SEGMENT_BYTES));
            let take = filler.min(SEGMENT_BYTES - now.len());
            head = later;
            filler -= take;
            let last = head.is_empty() && filler == 0;
            let flags = if last {
                tcp_flags::PSH | tcp_flags::ACK
            } else {
                tcp_flags::ACK
            };
            let salt = message.salt.wrapping_add(sent.wrapping_mul(0x9e37_79b9));
            let part = Payload {
                head: now.to_vec(),
                filler_bytes: take as u32,
                salt,
            };
            self.send(plan, outbound, flags, part);
            sent += 1;
            if last || sent.is_multiple_of(2) {
                self.acknowledge(plan, !outbound);
            }
        }
    }

    /// Nobody speaks for this long.
    pub(super) fn wait(&mut self, time_ns: i64) {
        self.now_ns += time_ns;
    }

    /// The orderly end, begun by one side.
    pub(super) fn close(&mut self, plan: &mut Plan, outbound: bool) {
        self.send(plan, outbound, tcp_flags::FIN | tcp_flags::ACK, Payload::default());
        self.send(plan, !outbound, tcp_flags::FIN | tcp_flags::ACK, Payload::default());
        self.send(plan, outbound, tcp_flags::ACK, Payload::default());
    }

    /// The hasty end.
    pub(super) fn reset(&mut self, plan: &mut Plan, outbound: bool) {
        self.send(plan, outbound, tcp_flags::RST | tcp_flags::ACK, Payload::default());
    }

    /// A server that is not there: SYN, and twice again after 1 and 3 seconds (RFC 6298 section 2).
    pub(super) fn unanswered(&mut self, plan: &mut Plan) {
        for wait_s in [0, 1, 2] {
            self.now_ns += wait_s * NS_PER_S;
            self.client = self.client.wrapping_sub(u32::from(wait_s > 0));
            self.send(plan, true, tcp_flags::SYN, Payload::default());
        }
    }

    /// A server whose port is closed.
    pub(super) fn refused(&mut self, plan: &mut Plan) {
        self.send(plan, true, tcp_flags::SYN, Payload::default());
        self.reset(plan, false);
    }

    fn acknowledge(&mut self, plan: &mut Plan, outbound: bool) {
        self.send(plan, outbound, tcp_flags::ACK, Payload::default());
    }

    fn send(&mut self, plan: &mut Plan, outbound: bool, flags: u8, payload: Payload) {
        // A turn from host to server and back costs the round trip beyond the tap; the host itself answers at once.
        if outbound != self.last_outbound {
            self.now_ns += if outbound { NS_PER_MS / 5 } else { self.round_trip_ns };
            self.last_outbound = outbound;
        } else {
            self.now_ns += SEGMENT_GAP_NS;
        }
        let (mine, other) = if outbound {
            (&mut self.client, self.server)
        } else {
            (&mut self.server, self.client)
        };
        let acknowledgement = if flags & tcp_flags::ACK != 0 { other } else { 0 };
        let tcp = TcpFields {
            flags,
            sequence: *mine,
            acknowledgement,
        };
        let counted = u32::from(flags & (tcp_flags::SYN | tcp_flags::FIN) != 0);
        *mine = mine.wrapping_add(payload.len() as u32).wrapping_add(counted);
        plan.push(
            self.now_ns,
            Segment {
                flow: self.flow,
                outbound,
                tcp,
                payload,
            },
        );
    }
}

/// A datagram out and, if there is one, its answer a round trip later; returns when it is over.
pub(super) fn datagrams(
    plan: &mut Plan,
    flow: Flow,
    now_ns: i64,
    round_trip_ns: i64,
    question: Payload,
    answer: Option<Payload>,
) -> i64 {
    debug_assert_ne!(flow.transport, Transport::TCP);
    let tcp = TcpFields::default();
    plan.push(
        now_ns,
        Segment {
            flow,
            outbound: true,
            tcp,
            payload: question,
        },
    );
    if let Some(payload) = answer {
        plan.push(
            now_ns + round_trip_ns,
            Segment {
                flow,
                outbound: false,
                tcp,
                payload,
            },
        );
    }
    now_ns + round_trip_ns
}

/// An echo request and, a round trip later, its reply.
pub(super) fn echo(plan: &mut Plan, flow: Flow, times_ns: [i64; 2], number: u32, [sent, returned]: [Payload; 2]) {
    let tcp = TcpFields {
        flags: 0,
        sequence: number,
        acknowledgement: 0,
    };
    for (outbound, time_ns, payload) in [(true, times_ns[0], sent), (false, times_ns[1], returned)] {
        plan.push(
            time_ns,
            Segment {
                flow,
                outbound,
                tcp,
                payload,
            },
        );
    }
}

/// What `ping` sends: 16 octets of time, then 0x10 to 0x37, and gets back.
pub(super) fn ping(plan: &mut Plan, flow: Flow, now_ns: i64, round_trip_ns: i64, number: u32) {
    let seconds = now_ns / NS_PER_S;
    let micros = now_ns % NS_PER_S / 1_000;
    let stamp = [seconds.to_le_bytes(), micros.to_le_bytes()].concat();
    let payload = Payload::from(stamp.into_iter().chain(0x10..0x38).collect::<Vec<u8>>());
    let times_ns = [now_ns, now_ns + round_trip_ns];
    echo(plan, flow, times_ns, number, [payload.clone(), payload]);
}

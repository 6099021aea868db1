//! Who began a conversation, judged from the first packet seen of it.

use balefire_decode::{FragmentPlace, Transport, tcp_flags};

use crate::KeyedPacket;
use crate::key::IcmpMessage;

/// The judgement on a first packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Beginning {
    /// The packet's sender is the originator.
    pub(crate) by_sender: bool,
    /// The true beginning was not seen.
    pub(crate) mid_stream: bool,
}

/// Ports below this are assigned to services by IANA and need privilege to bind on most systems (RFC 6335).
const FIRST_USER_PORT: u16 = 1024;
/// Client ports begin here on Linux (`ip_local_port_range`); IANA's dynamic range begins higher, at 49152.
const FIRST_EPHEMERAL_PORT: u16 = 32_768;

impl Beginning {
    pub(crate) fn of(packet: &KeyedPacket) -> Self {
        if packet.fragment == FragmentPlace::Later {
            return Self {
                by_sender: true,
                mid_stream: true,
            };
        }
        match packet.transport {
            Transport::TCP => Self::of_tcp(packet),
            Transport::UDP => Self::of_udp(packet),
            Transport::ICMP | Transport::ICMP6 => {
                let is_reply = IcmpMessage::of(packet.transport, packet.src_port).is_reply;
                Self {
                    by_sender: !is_reply,
                    mid_stream: is_reply,
                }
            }
            _ => Self {
                by_sender: true,
                mid_stream: false,
            },
        }
    }

    fn of_tcp(packet: &KeyedPacket) -> Self {
        let syn = packet.tcp_flags & tcp_flags::SYN != 0;
        let ack = packet.tcp_flags & tcp_flags::ACK != 0;
        match (syn, ack) {
            (true, false) => Self {
                by_sender: true,
                mid_stream: false,
            },
            (true, true) => Self {
                by_sender: false,
                mid_stream: true,
            },
            _ => Self {
                by_sender: !sender_serves(packet.src_port, packet.dst_port),
                mid_stream: true,
            },
        }
    }

    /// A datagram has no beginning to see; only one that comes from a service's port to a client's is taken for a late
    /// answer, as Zeek does with its `likely_server_ports`.
    fn of_udp(packet: &KeyedPacket) -> Self {
        let answer = packet.src_port < FIRST_USER_PORT && packet.dst_port >= FIRST_USER_PORT;
        Self {
            by_sender: !answer,
            mid_stream: answer,
        }
    }
}

/// Whether the sender's port is that of the service: the only assigned one, else the only one below the client range.
/// Two of a kind tell nothing: then the first packet seen is taken for a request.
fn sender_serves(src_port: u16, dst_port: u16) -> bool {
    let below = |limit: u16| (src_port < limit, dst_port < limit);
    match below(FIRST_USER_PORT) {
        (false, false) => below(FIRST_EPHEMERAL_PORT) == (true, false),
        assigned => assigned == (true, false),
    }
}

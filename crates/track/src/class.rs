//! How interesting a connection is to keep, which is also how long it may be silent.
//!
//! In: the facts of a connection. Out: its [`Class`]. Every class has one queue (`queues`), one timeout and one place
//! in the order of eviction.

use balefire_decode::Transport;

use crate::Settings;
use crate::slab::Connection;
use crate::tcp::Ends;

/// What a connection is as long as it lives; the order is that of eviction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Class {
    /// TCP that both sides ended or one reset; kept a few seconds for stragglers.
    Ended,
    /// TCP without an answer and without payload: scans, floods, dead servers.
    TcpAttempt,
    /// UDP and others without an answer.
    UdpUnanswered,
    /// ICMP without an answer.
    IcmpUnanswered,
    /// TCP with payload of one side only: a tap that sees one direction, or forged packets.
    TcpOneWay,
    /// ICMP with an answer.
    Icmp,
    /// UDP and others with an answer.
    Udp,
    /// TCP that one side has closed.
    TcpClosing,
    /// TCP in use.
    Tcp,
}

impl Class {
    /// Every class, in the order of eviction.
    pub const ALL: [Self; 9] = [
        Self::Ended,
        Self::TcpAttempt,
        Self::UdpUnanswered,
        Self::IcmpUnanswered,
        Self::TcpOneWay,
        Self::Icmp,
        Self::Udp,
        Self::TcpClosing,
        Self::Tcp,
    ];

    /// Classes that are equally dispensable: of each group the oldest goes first, the groups in this order.
    pub(crate) const EVICTION: [&'static [Self]; 6] = [
        &[Self::Ended],
        &[Self::TcpAttempt, Self::UdpUnanswered, Self::IcmpUnanswered],
        &[Self::TcpOneWay],
        &[Self::Icmp, Self::Udp],
        &[Self::TcpClosing],
        &[Self::Tcp],
    ];

    /// The counter's name in exports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::TcpAttempt => "tcp_attempt",
            Self::UdpUnanswered => "udp_unanswered",
            Self::IcmpUnanswered => "icmp_unanswered",
            Self::TcpOneWay => "tcp_one_way",
            Self::Icmp => "icmp",
            Self::Udp => "udp",
            Self::TcpClosing => "tcp_closing",
            Self::Tcp => "tcp",
        }
    }

    /// Silence after which a connection of this class is over.
    pub(crate) const fn timeout_ns(self, settings: &Settings) -> i64 {
        match self {
            Self::Ended => settings.tcp_linger_ns,
            Self::TcpAttempt => settings.tcp_attempt_timeout_ns,
            Self::UdpUnanswered | Self::Udp => settings.udp_timeout_ns,
            Self::IcmpUnanswered | Self::Icmp => settings.icmp_timeout_ns,
            Self::TcpClosing => settings.tcp_closing_timeout_ns,
            Self::TcpOneWay | Self::Tcp => settings.tcp_timeout_ns,
        }
    }

    /// The class that fits what has been seen.
    #[inline]
    pub(crate) fn of(connection: &Connection) -> Self {
        let answered = connection.packets.iter().all(|&packets| packets > 0);
        match Transport(connection.transport) {
            Transport::TCP => Self::of_tcp(connection, answered),
            Transport::ICMP | Transport::ICMP6 if answered => Self::Icmp,
            Transport::ICMP | Transport::ICMP6 => Self::IcmpUnanswered,
            _ if answered => Self::Udp,
            _ => Self::UdpUnanswered,
        }
    }

    fn of_tcp(connection: &Connection, answered: bool) -> Self {
        let ends: Ends = connection.ends;
        if ends.ended() {
            Self::Ended
        } else if ends.closing() {
            Self::TcpClosing
        } else if answered {
            Self::Tcp
        } else if connection.payload_bytes != [0; 2] {
            Self::TcpOneWay
        } else {
            Self::TcpAttempt
        }
    }
}

//! Capture files of any size from a seed, written as a stream: memory does not grow with the length.
//!
//! In: which kind, how many packets. Out: a pcap. Not its job: keeping them; they go to a folder of the user's.

mod flood;
pub mod mix;
mod small;
mod template;

use std::io::{self, Write};

/// Which corpus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Application traffic: TLS, HTTP, DNS, many hosts, IPv6, tunnels, planted beacons.
    Mix,
    /// Frames of 64 bytes (with their checksum) of very many connections in random order.
    Small,
    /// Distinct pairs that come once, a hundred for each packet of one beacon.
    PairsFlood,
}

impl Kind {
    /// All of them, with the names they go by.
    pub const ALL: [(&'static str, Self); 3] = [
        ("mix", Self::Mix),
        ("small", Self::Small),
        ("pairs-flood", Self::PairsFlood),
    ];

    /// Packets where nothing else is asked for.
    pub const fn default_packets(self) -> u64 {
        match self {
            Self::Mix => 3_700_000,
            Self::Small => 10_000_000,
            Self::PairsFlood => 10_100_000,
        }
    }
}

/// Sizes of a corpus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Draws everything.
    pub seed: u64,
    /// Packets to write.
    pub packets: u64,
    /// Connections of [`Kind::Small`].
    pub connections: u64,
    /// Hosts of [`Kind::Mix`]; 0 for one to every 34 packets.
    pub hosts: u32,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Packets.
    pub packets: u64,
    /// Their bytes on the wire.
    pub wire_bytes: u64,
    /// Nanoseconds of packet time from the first to the last.
    pub span_ns: i64,
}

impl Written {
    fn count(&mut self, first_ns: i64, time_ns: i64, wire_bytes: u32) {
        self.packets += 1;
        self.wire_bytes += u64::from(wire_bytes);
        self.span_ns = time_ns - first_ns;
    }
}

/// Writes a corpus to `out`.
///
/// # Errors
/// The system's, from writing.
pub fn write<W: Write>(kind: Kind, size: &Size, out: W) -> io::Result<Written> {
    match kind {
        Kind::Mix => mix::write(size, out),
        Kind::Small => small::write(size, out),
        Kind::PairsFlood => flood::write(size, out),
    }
}

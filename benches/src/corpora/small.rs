//! The worst case for memory: the smallest frames, and no two packets of a connection near each other.
//!
//! In: packets and connections. Out: a pcap of 60-byte frames in which every packet's connection is drawn anew. A
//! connection's first packet is its SYN.

use std::io::{self, Write};

use balefire_capture::PcapWriter;
use balefire_capture::synthetic::{Random, Scenario};
use balefire_decode::LinkType;

use super::template::{ACK, FRAME_BYTES, Fields, SYN, frame};
use super::{Size, Written};

/// A packet each microsecond: a million packets a second.
const GAP_NS: i64 = 1_000;

/// 198.18.0.0/15, the benchmarking range of RFC 2544.
const SERVERS: u64 = 1 << 17;

const HOSTS: u64 = 1 << 16;

pub(super) fn write<W: Write>(size: &Size, out: W) -> io::Result<Written> {
    let connections = size.connections.clamp(1, 1 << 32);
    let mut begun = vec![0u64; connections.div_ceil(64) as usize];
    let mut random = Random::new(size.seed, 0x736d_616c);
    let mut writer = PcapWriter::new(out, LinkType(1))?;
    let mut written = Written::default();
    let first_ns = Scenario::default().start_ns;
    for packet in 0..size.packets {
        let connection = random.below(connections);
        let (word, bit) = ((connection / 64) as usize, 1 << (connection % 64));
        let first = begun[word] & bit == 0;
        begun[word] |= bit;
        let fields = fields(connection, first, random.bits());
        let time_ns = first_ns + packet as i64 * GAP_NS;
        writer.write(time_ns, FRAME_BYTES as u32, &frame(&fields))?;
        written.count(first_ns, time_ns, FRAME_BYTES as u32);
    }
    writer.finish()?;
    Ok(written)
}

/// The ends of a connection follow from its number; later packets go either way.
fn fields(connection: u64, first: bool, drawn: u64) -> Fields {
    let mixed = connection.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let [_, a, b, c] = ((connection % HOSTS) as u32).to_be_bytes();
    let host = [10, 1 + a, b, c];
    let [_, high, middle, low] = (((mixed >> 40) % SERVERS) as u32).to_be_bytes();
    let server = [198, 18 + high, middle, low];
    // With 65,536 hosts the rest of the number is the source port: every connection has its own five-tuple.
    let host_port = 1_024 + ((connection / HOSTS) % 64_000) as u16;
    let outbound = first || drawn & 1 == 0;
    let flags = if first { SYN } else { ACK };
    let sequence = (drawn >> 32) as u32;
    if outbound {
        Fields {
            src: host,
            dst: server,
            src_port: host_port,
            dst_port: 443,
            flags,
            sequence,
        }
    } else {
        Fields {
            src: server,
            dst: host,
            src_port: 443,
            dst_port: host_port,
            flags,
            sequence,
        }
    }
}

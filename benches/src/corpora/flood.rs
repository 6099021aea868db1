//! A flood of pairs that never come again, to push a beacon out of the tables.
//!
//! In: packets. Out: a pcap in which a hundred SYNs of distinct (host, server) pairs stand between any two packets of
//! one beacon: 10.1.0.2 to a bare address every ten seconds, jitter 0.2.

use std::io::{self, Write};

use balefire_capture::PcapWriter;
use balefire_capture::synthetic::{Scenario, Traffic};
use balefire_decode::LinkType;

use super::template::{FRAME_BYTES, Fields, SYN, frame};
use super::{Size, Written};

const FLOOD_PER_BEACON_PACKET: i64 = 100;

/// Pairs are numbered in 27 bits: 1,024 hosts times the 2^17 servers of 198.18.0.0/15 (RFC 2544).
const PAIRS: u64 = 1 << 27;

/// The beacon, alone on its host.
pub(super) fn scenario(size: &Size) -> Scenario {
    let mut scenario = Scenario {
        seed: size.seed,
        hosts: 1,
        browsing: 0.0,
        services: Vec::new(),
        // A check-in of ten packets every ten seconds: this many seconds hold more than are needed.
        duration_s: size.packets / 50 + 60,
        ..Scenario::default()
    };
    scenario.beacons = "interval=10,jitter=0.2,speech=tcp,country=NL,port=443"
        .parse()
        .into_iter()
        .collect();
    scenario
}

pub(super) fn write<W: Write>(size: &Size, out: W) -> io::Result<Written> {
    let scenario = scenario(size);
    let mut traffic = Traffic::new(&scenario);
    let mut writer = PcapWriter::new(out, LinkType(1))?;
    let mut written = Written::default();
    let mut last_ns = scenario.start_ns;
    let mut pair = 0;
    let mut bytes = Vec::with_capacity(2_048);
    while let Some(beacon) = traffic.next_frame(&mut bytes) {
        let step = (beacon.time_ns - last_ns) / (FLOOD_PER_BEACON_PACKET + 1);
        for number in 1..=FLOOD_PER_BEACON_PACKET {
            if written.packets == size.packets {
                break;
            }
            let time_ns = last_ns + number * step;
            writer.write(time_ns, FRAME_BYTES as u32, &frame(&fields(pair)))?;
            written.count(scenario.start_ns, time_ns, FRAME_BYTES as u32);
            pair += 1;
        }
        if written.packets == size.packets {
            break;
        }
        writer.write(beacon.time_ns, beacon.wire_bytes, &bytes)?;
        written.count(scenario.start_ns, beacon.time_ns, beacon.wire_bytes);
        last_ns = beacon.time_ns;
        bytes.clear();
    }
    writer.finish()?;
    Ok(written)
}

/// The SYN of a pair; an odd multiplier permutes the numbers, so neighbours in time share neither host nor server.
fn fields(pair: u64) -> Fields {
    let mixed = pair.wrapping_mul(0x5851_f42d) % PAIRS;
    let [.., host_high, host_low] = ((mixed >> 17) as u32).to_be_bytes();
    let [_, high, middle, low] = ((mixed % (1 << 17)) as u32).to_be_bytes();
    Fields {
        src: [10, 2, host_high, host_low],
        dst: [198, 18 + high, middle, low],
        src_port: 40_000 + (pair % 20_000) as u16,
        dst_port: 80,
        flags: SYN,
        sequence: pair as u32,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn pairs_never_come_again() {
        let mut seen = HashSet::new();
        for pair in 0..200_000 {
            let fields = fields(pair * 53);
            assert!(seen.insert((fields.src, fields.dst)));
        }
    }

    #[test]
    fn one_packet_in_a_hundred_and_one_is_the_beacon_s() {
        let size = Size {
            seed: 1,
            packets: 50_500,
            connections: 0,
            hosts: 0,
        };
        let mut out = Vec::new();
        let written = write(&size, &mut out).unwrap();
        assert_eq!(written.packets, size.packets);
        let server = scenario(&size).planted()[0].servers[0].octets()[12..].to_vec();
        let beacon = out.windows(4).filter(|window| *window == server).count();
        assert!((450..=510).contains(&beacon), "{beacon}");
    }
}

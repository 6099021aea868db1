//! Application traffic of a large site: what people and machines do, and twenty-four beacons among it.
//!
//! In: packets and hosts. Out: a pcap of about 326 bytes a packet in which about 7 of 100 packets begin a connection.
//! The two figures are those of a mixed university and enterprise trace; a test holds the corpus to them.

use std::io::{self, Write};

use balefire_capture::PcapWriter;
use balefire_capture::synthetic::{Scenario, Service, Traffic};
use balefire_decode::LinkType;

use super::{Size, Written};

/// Packets to one host in the corpus's hour: 3,700,000 to 110,000 hosts.
const PACKETS_PER_HOST: u64 = 34;

/// Beacons as `--beacon` takes them; the host numbers spread them over the site.
const BEACONS: [&str; 6] = [
    "interval=30,jitter=0.1,country=NL,hosts=4,first-host=10",
    "interval=60,jitter=0.3,country=US,name=api.metrics-hub.example,hosts=6,first-host=100",
    "interval=20,jitter=0.2,speech=http,country=HK,hosts=4,first-host=200",
    "interval=45,speech=tcp,country=DE,port=8443,hosts=4,first-host=300",
    "interval=15,jitter=0.2,speech=dns,country=RU,name=cdn-check.example,request=8,hosts=2,first-host=400",
    "interval=40,jitter=0.1,speech=tcp,heartbeat=yes,country=SG,hosts=4,first-host=500",
];

/// The scenario behind the mix.
pub fn scenario(size: &Size) -> Scenario {
    let hosts = if size.hosts == 0 {
        (size.packets / PACKETS_PER_HOST).clamp(1_000, 10_000_000) as u32
    } else {
        size.hosts
    };
    let mut scenario = Scenario {
        seed: size.seed,
        packets: Some(size.packets),
        hosts,
        duration_s: 24 * 3600,
        browsing: 0.3,
        sites: 20_000,
        services: vec![Service::Updates, Service::Ocsp],
        response_bytes: 400_000,
        ipv6: 0.15,
        vlan: 0.2,
        gre: 0.02,
        vxlan: 0.03,
        ..Scenario::default()
    };
    scenario.beacons = BEACONS.iter().filter_map(|text| text.parse().ok()).collect();
    scenario
}

pub(super) fn write<W: Write>(size: &Size, out: W) -> io::Result<Written> {
    let mut traffic = Traffic::new(&scenario(size));
    let mut writer = PcapWriter::new(out, LinkType(1))?;
    let mut written = Written::default();
    let mut first_ns = None;
    let mut bytes = Vec::with_capacity(2_048);
    while let Some(frame) = traffic.next_frame(&mut bytes) {
        writer.write(frame.time_ns, frame.wire_bytes, &bytes)?;
        written.count(*first_ns.get_or_insert(frame.time_ns), frame.time_ns, frame.wire_bytes);
        bytes.clear();
    }
    writer.finish()?;
    Ok(written)
}

#[cfg(test)]
mod tests {
    use balefire_capture::synthetic::Traffic;

    use super::*;

    #[test]
    fn the_mix_has_the_packet_size_and_the_new_connections_it_claims() {
        let size = Size {
            seed: 1,
            packets: 300_000,
            connections: 0,
            hosts: 0,
        };
        let scenario = scenario(&size);
        assert_eq!(scenario.beacons.len(), BEACONS.len());
        let mut traffic = Traffic::new(&scenario);
        let mut bytes = Vec::new();
        let (mut packets, mut wire, mut begun) = (0u64, 0u64, 0u64);
        while let Some(frame) = traffic.next_frame(&mut bytes) {
            packets += 1;
            wire += u64::from(frame.wire_bytes);
            begun += u64::from(begins(&bytes));
            bytes.clear();
        }
        assert_eq!(packets, size.packets);
        let average = wire / packets;
        assert!((300..360).contains(&average), "{average} bytes a packet");
        let per_100 = 100.0 * begun as f64 / packets as f64;
        assert!(
            (6.0..8.5).contains(&per_100),
            "{per_100} of 100 packets begin a connection"
        );
    }

    /// A SYN, or a question to a resolver. Only plain and tagged frames are looked at: 95 of 100.
    fn begins(frame: &[u8]) -> bool {
        let tag = if frame[12..14] == [0x81, 0] { 4 } else { 0 };
        let (protocol, transport) = match frame[12 + tag..14 + tag] {
            [0x08, 0] => (frame[23 + tag], 34 + tag),
            _ => (frame[20 + tag], 54 + tag),
        };
        match protocol {
            6 => frame[transport + 13] & 0x12 == 2,
            17 => frame[transport + 2..transport + 4] == [0, 53],
            _ => false,
        }
    }
}

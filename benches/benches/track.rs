//! What a packet costs in the connection table: known connections in random order, and new ones.
//!
//! In: packets made here, already decoded. Out: nanoseconds per packet, from `cargo bench -p balefire-benches --bench
//! track`. The sink counts and does nothing else, so this is the share of `track` alone.

use std::hint::black_box;
use std::time::Duration;

use balefire_decode::{Address, FragmentPlace, Packet, Transport, tcp_flags};
use balefire_track::{Arrival, Closed, Endpoints, Fact, Opened, Settings, Sink, Tracker};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Packets the worker hands over at once.
const BATCH: usize = 256;
/// Packets measured in one go.
const PACKETS: usize = 1 << 20;

/// Counts what it is told.
#[derive(Default)]
struct Count {
    told: u64,
    ip_bytes: u64,
}

impl Sink for Count {
    fn opened(&mut self, _opened: &Opened) -> u32 {
        self.told += 1;
        0
    }

    fn packet(&mut self, _tag: u32, _from_originator: bool, _time_ns: i64, ip_bytes: u32) {
        self.ip_bytes += u64::from(ip_bytes);
    }

    fn fact(&mut self, _tag: u32, _endpoints: &Endpoints, _time_ns: i64, _fact: &Fact<'_>) {
        self.told += 1;
    }

    fn burst(&mut self, _tag: u32, _endpoints: &Endpoints, _time_ns: i64, _payload_bytes: u32) {
        self.told += 1;
    }

    fn closed(&mut self, _tag: u32, closed: &Closed) {
        self.told += closed.sent.packets.min(1);
    }
}

/// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): the same packets in every run.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// A packet of connection number `number`, from its client or its server.
fn packet(number: u32, from_client: bool, flags: u8, payload_bytes: u32) -> Packet {
    let [_, a, b, c] = (number / 8).to_be_bytes();
    let (client, server) = (Address::v4([10, a, b, c]), Address::v4([198, 51, 100, c]));
    let client_port = 40_000 + (number % 8) as u16;
    let (src, dst) = if from_client {
        (client, server)
    } else {
        (server, client)
    };
    let (src_port, dst_port) = if from_client {
        (client_port, 443)
    } else {
        (443, client_port)
    };
    Packet {
        src,
        dst,
        src_port,
        dst_port,
        transport: Transport::TCP,
        tcp_flags: flags,
        fragment: FragmentPlace::Whole,
        tunnels: 0,
        sequence: 1,
        acknowledgement: 1,
        window: 1_000,
        fragment_offset: 0,
        fragment_id: 0,
        fragment_bytes: 0,
        payload_offset: 0,
        payload_captured: 0,
        payload_bytes,
        ip_bytes: 40 + payload_bytes,
    }
}

fn arrival(time_ns: i64, packet: Packet) -> Arrival<'static> {
    Arrival {
        time_ns,
        wire_bytes: packet.ip_bytes + 14,
        packet,
        frame: &[],
    }
}

/// Takes packets in batches, each `step_ns` after the one before.
fn take(tracker: &mut Tracker, arrivals: &mut [Arrival<'_>], time_ns: &mut i64, step_ns: i64, sink: &mut Count) {
    for batch in arrivals.chunks_mut(BATCH) {
        for arrival in &mut *batch {
            *time_ns += step_ns;
            arrival.time_ns = *time_ns;
        }
        tracker.batch(batch, sink);
    }
}

/// Packets of so many established connections in random order, both ways.
fn known(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("track_known");
    group.throughput(Throughput::Elements(PACKETS as u64));
    for connections in [10_000_u32, 100_000, 1_000_000] {
        let settings = Settings {
            connections: 1 << 20,
            seed: 7,
            ..Settings::default()
        };
        let mut tracker = Tracker::new(settings);
        let (mut sink, mut time_ns) = (Count::default(), 0);
        for (flags, from_client) in [(tcp_flags::SYN, true), (tcp_flags::SYN | tcp_flags::ACK, false)] {
            let mut opening: Vec<_> = (0..connections)
                .map(|number| arrival(0, packet(number, from_client, flags, 0)))
                .collect();
            take(&mut tracker, &mut opening, &mut time_ns, 100, &mut sink);
        }
        let mut state = 1;
        let mut packets: Vec<_> = (0..PACKETS)
            .map(|_| {
                let number = (random(&mut state) >> 20) % u64::from(connections);
                arrival(0, packet(number as u32, state & 1 << 40 == 0, tcp_flags::ACK, 100))
            })
            .collect();
        group.bench_function(connections.to_string(), |bencher| {
            bencher.iter(|| take(&mut tracker, &mut packets, &mut time_ns, 100, &mut sink));
        });
        assert_eq!(tracker.counters().live, u64::from(connections));
        black_box((sink.told, sink.ip_bytes));
    }
    group.finish();
}

/// A new connection with every packet, while as many old ones time out: the table stays at about so many.
fn new(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("track_new");
    group.throughput(Throughput::Elements(PACKETS as u64));
    for connections in [10_000_i64, 100_000, 1_000_000] {
        let settings = Settings {
            connections: 1 << 21,
            seed: 7,
            ..Settings::default()
        };
        // An attempt is forgotten after its timeout and an eighth of it.
        let step_ns = settings.tcp_attempt_timeout_ns * 9 / 8 / connections;
        let mut tracker = Tracker::new(settings);
        let (mut sink, mut time_ns, mut number) = (Count::default(), 0, 0_u32);
        let mut packets = vec![arrival(0, packet(0, true, tcp_flags::SYN, 0)); BATCH];
        let mut open = |packets_to_open: usize| {
            for _ in 0..packets_to_open / BATCH {
                for arrival in &mut packets {
                    arrival.packet = packet(number, true, tcp_flags::SYN, 0);
                    number = (number + 1) % (1 << 27);
                }
                take(&mut tracker, &mut packets, &mut time_ns, step_ns, &mut sink);
            }
            tracker.counters().live
        };
        open(2 * connections as usize);
        group.bench_function(connections.to_string(), |bencher| bencher.iter(|| open(PACKETS)));
        assert!(open(BATCH).abs_diff(connections as u64) <= 2 * BATCH as u64);
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_secs(1));
    targets = known, new
}
criterion_main!(benches);

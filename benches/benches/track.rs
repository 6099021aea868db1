//! What a packet costs in the connection table: known connections in random order, and new ones.
//!
//! In: packets made here, already decoded. Out: nanoseconds per packet, from `cargo bench -p balefire-benches --bench
//! track`. The sink counts and does nothing else, so this is the share of `track` alone.

use std::hint::black_box;
use std::time::{Duration, Instant};

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

/// A tracker and what goes on around it.
struct Bench {
    tracker: Tracker,
    sink: Count,
    time_ns: i64,
    /// From one packet to the next.
    step_ns: i64,
    batch: Vec<Arrival<'static>>,
}

impl Bench {
    fn new(settings: Settings, step_ns: i64) -> Self {
        let batch = Vec::with_capacity(BATCH);
        Self {
            tracker: Tracker::new(settings),
            sink: Count::default(),
            time_ns: 0,
            step_ns,
            batch,
        }
    }

    /// Takes packets in batches; the time is that of the tracker alone, not of making the packets.
    fn take(&mut self, packets: impl IntoIterator<Item = Packet>) -> Duration {
        let mut packets = packets.into_iter().fuse();
        let mut spent = Duration::ZERO;
        loop {
            self.batch.clear();
            for packet in packets.by_ref().take(BATCH) {
                self.time_ns += self.step_ns;
                let wire_bytes = packet.ip_bytes + 14;
                self.batch.push(Arrival {
                    time_ns: self.time_ns,
                    wire_bytes,
                    packet,
                    frame: &[],
                });
            }
            if self.batch.is_empty() {
                black_box((self.sink.told, self.sink.ip_bytes));
                return spent;
            }
            let begin = Instant::now();
            self.tracker.batch(&self.batch, &mut self.sink);
            spent += begin.elapsed();
        }
    }
}

/// Packets of so many established connections in random order, both ways.
fn known(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("track_known");
    group.throughput(Throughput::Elements(PACKETS as u64));
    for connections in [10_000_u32, 100_000, 1_000_000] {
        let mut bench = Bench::new(
            Settings {
                connections: 1 << 20,
                seed: 7,
                ..Settings::default()
            },
            100,
        );
        bench.take((0..connections).map(|number| packet(number, true, tcp_flags::SYN, 0)));
        bench.take((0..connections).map(|number| packet(number, false, tcp_flags::SYN | tcp_flags::ACK, 0)));
        let mut state = 1;
        group.bench_function(connections.to_string(), |bencher| {
            bencher.iter_custom(|rounds| {
                let packets = (0..PACKETS as u64 * rounds).map(|_| {
                    let chance = random(&mut state);
                    let number = (chance >> 20) % u64::from(connections);
                    packet(number as u32, chance & 1 == 0, tcp_flags::ACK, 100)
                });
                bench.take(packets)
            });
        });
        assert_eq!(bench.tracker.counters().live, u64::from(connections));
    }
    group.finish();
}

/// A new connection with every packet, while as many old ones time out: the table stays at about so many.
fn new(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("track_new");
    group.throughput(Throughput::Elements(PACKETS as u64));
    for connections in [10_000_u64, 100_000, 1_000_000] {
        let settings = Settings {
            connections: 1 << 21,
            seed: 7,
            ..Settings::default()
        };
        // An attempt is forgotten after its timeout and an eighth of it.
        let step_ns = settings.tcp_attempt_timeout_ns * 9 / 8 / connections as i64;
        let mut bench = Bench::new(settings, step_ns);
        let mut number = 0;
        let mut open = |packets: u64| {
            let spent = bench.take((0..packets).map(|_| {
                number = (number + 1) % (1 << 27);
                packet(number, true, tcp_flags::SYN, 0)
            }));
            (spent, bench.tracker.counters().live)
        };
        open(2 * connections);
        group.bench_function(connections.to_string(), |bencher| {
            bencher.iter_custom(|rounds| open(PACKETS as u64 * rounds).0);
        });
        assert!(open(1).1.abs_diff(connections) <= 2);
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_secs(1));
    targets = known, new
}
criterion_main!(benches);

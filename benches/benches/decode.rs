//! Decoding, from frames held in memory: each path on the plain mix, then the costly cases.
//!
//! Out: time and frames per second for 1,024 frames an iteration. The mix is plain traffic (seven of ten frames TCP over
//! IPv4, two UDP, one IPv6, an eighth tagged) of 60 to 1,500 bytes; order and lengths repeat, so branch prediction is kinder
//! than on a tap.

use std::hint::black_box;

use balefire_decode::{FragmentTable, Frame, LinkType, decode, decode_fast, decode_honest, outermost, peek};
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime};

#[path = "../../crates/decode/tests/support/mod.rs"]
mod support;

use support::{IPV4, IPV6, ethernet, ipv4, ipv4_fragment, ipv6, tcp, udp, vlan};

const FRAMES: usize = 1024;

/// Frames side by side, as a capture block holds them.
struct Frames {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Frames {
    fn new(build: impl Fn(usize) -> Vec<u8>) -> Self {
        let mut frames = Self {
            bytes: Vec::new(),
            ends: Vec::new(),
        };
        for index in 0..FRAMES {
            frames.bytes.extend(build(index));
            frames.ends.push(frames.bytes.len());
        }
        frames
    }

    fn each(&self, mut work: impl FnMut(Frame<'_>)) {
        let mut start = 0;
        for &end in &self.ends {
            let bytes = &self.bytes[start..end];
            work(Frame {
                link: LinkType::ETHERNET,
                bytes,
                wire_bytes: bytes.len() as u32,
            });
            start = end;
        }
    }
}

fn plain(index: usize) -> Vec<u8> {
    // A stride without a common factor with 1,024 visits all lengths.
    let payload = vec![0; index * 379 % 1440];
    let port = 1024 + index as u16;
    let (ether_type, ip) = match index % 10 {
        0..7 => (IPV4, ipv4(1, 6, &tcp(port, 443, &payload))),
        7 | 8 => (IPV4, ipv4(1, 17, &udp(port, 53, &payload))),
        _ => (IPV6, ipv6(1, 6, &tcp(port, 443, &payload))),
    };
    if index.is_multiple_of(8) {
        ethernet(0x8100, &vlan(ether_type, &ip))
    } else {
        ethernet(ether_type, &ip)
    }
}

fn vxlan(index: usize) -> Vec<u8> {
    let carried = [&[8, 0, 0, 0, 0, 0, 1, 0], plain(index).as_slice()].concat();
    ethernet(IPV4, &ipv4(1, 17, &udp(50000, 4789, &carried)))
}

fn fragment(index: usize) -> Vec<u8> {
    let field = if index.is_multiple_of(4) {
        0x2000
    } else {
        0x2000 | (index % 4 * 64) as u16
    };
    let mut frame = ethernet(IPV4, &ipv4_fragment(1, 17, field, &udp(1000, 2000, &[0; 504])));
    frame[18..20].copy_from_slice(&((index / 4) as u16).to_be_bytes());
    frame
}

fn deep(_: usize) -> Vec<u8> {
    let ip = (0..40).fold(ipv4(1, 6, &tcp(1, 2, &[])), |inside, _| {
        ipv4(1, 47, &[&[0, 0, 8, 0], &*inside].concat())
    });
    ethernet(IPV4, &ip)
}

fn measure<T>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    frames: &Frames,
    mut work: impl FnMut(Frame<'_>) -> T,
) {
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            frames.each(|frame| {
                black_box(work(frame));
            });
        });
    });
}

fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(FRAMES as u64));
    let mix = Frames::new(plain);
    measure(&mut group, "plain/fast", &mix, decode_fast);
    measure(&mut group, "plain/decode", &mix, decode);
    measure(&mut group, "plain/honest", &mix, decode_honest);
    measure(&mut group, "plain/peek", &mix, peek);
    measure(&mut group, "plain/outermost", &mix, outermost);
    let tunnels = Frames::new(vxlan);
    measure(&mut group, "vxlan/decode", &tunnels, decode);
    measure(&mut group, "vxlan/peek", &tunnels, peek);
    measure(&mut group, "too_deep/decode", &Frames::new(deep), decode);
    let fragments = Frames::new(fragment);
    measure(&mut group, "fragments/decode", &fragments, decode);
    let mut table = FragmentTable::new(4096, 1);
    measure(&mut group, "fragments/decode_and_resolve", &fragments, |frame| {
        let mut packet = decode(frame).ok()?;
        table.resolve(&mut packet, 0);
        Some(packet)
    });
    group.finish();
}

criterion_group!(decoding, benches);
criterion_main!(decoding);

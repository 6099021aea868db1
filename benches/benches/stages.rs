//! What each of the worker's stages adds per packet of the mix: decode, then track, then detect.
//!
//! In: the mix in memory. Out: nanoseconds per packet, `cargo bench -p balefire-benches --bench stages`. Every pass is
//! over fresh tables, so the cost of new connections, names and timelines is in it: subtract neighbours for a stage.

use std::hint::black_box;
use std::time::Duration;

use balefire_benches::stages::{Deaf, Worker, decode_only, detector, hold_mix};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

const PACKETS: u64 = 500_000;

fn stages(criterion: &mut Criterion) {
    let held = match hold_mix(1, PACKETS, 0) {
        Ok(held) => held,
        Err(error) => panic!("{error}"),
    };
    let mut group = criterion.benchmark_group("stages");
    group.throughput(Throughput::Elements(held.packets));
    group.bench_function("decode", |bencher| bencher.iter(|| black_box(decode_only(&held))));
    group.bench_function("decode+track", |bencher| {
        bencher.iter_batched_ref(
            Worker::default,
            |worker| black_box(worker.pass(&held, &mut Deaf::default())),
            BatchSize::PerIteration,
        );
    });
    group.bench_function("decode+track+detect", |bencher| {
        bencher.iter_batched_ref(
            || (Worker::default(), detector()),
            |(worker, detector)| black_box(worker.pass(&held, detector)),
            BatchSize::PerIteration,
        );
    });
    group.finish();
    let mut deaf = Deaf::default();
    let packets = Worker::default().pass(&held, &mut deaf);
    println!(
        "{} of {packets} packets begin a connection: ns per packet x {:.1} is ns per new connection",
        deaf.opened,
        packets as f64 / deaf.opened.max(1) as f64
    );
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).measurement_time(Duration::from_secs(5)).warm_up_time(Duration::from_secs(1));
    targets = stages
}
criterion_main!(benches);

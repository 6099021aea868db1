//! Why blocks cross threads and not packets: one item at a time through an `ArrayQueue`, against lists of 256.
//!
//! In: descriptors of 32 bytes. Out: nanoseconds per descriptor from one thread to another, `cargo bench -p
//! balefire-benches --bench queue`.

use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use crossbeam::queue::ArrayQueue;
use crossbeam::utils::Backoff;

const ITEMS: usize = 1 << 20;
const BATCH: usize = 256;

/// As large as a frame's record.
type Item = [u64; 4];

fn queue(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("queue");
    group.throughput(Throughput::Elements(ITEMS as u64));
    group.bench_function("one at a time", |bencher| {
        bencher.iter_custom(|rounds| (0..rounds).map(|_| singly()).sum())
    });
    group.bench_function("lists of 256", |bencher| {
        bencher.iter_custom(|rounds| (0..rounds).map(|_| in_lists()).sum())
    });
    group.finish();
}

fn singly() -> Duration {
    let queue = ArrayQueue::<Item>::new(4_096);
    let begun = Instant::now();
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..ITEMS as u64 {
                push(&queue, [number; 4]);
            }
        });
        for _ in 0..ITEMS {
            black_box(pop(&queue));
        }
    });
    begun.elapsed()
}

/// Full lists go one way, empty ones come back, so nothing is allocated on the way.
fn in_lists() -> Duration {
    let there = ArrayQueue::<Vec<Item>>::new(16);
    let back = ArrayQueue::<Vec<Item>>::new(16);
    for _ in 0..16 {
        push(&back, Vec::with_capacity(BATCH));
    }
    let begun = Instant::now();
    thread::scope(|scope| {
        scope.spawn(|| {
            for first in (0..ITEMS as u64).step_by(BATCH) {
                let mut list = pop(&back);
                list.extend((first..first + BATCH as u64).map(|number| [number; 4]));
                push(&there, list);
            }
        });
        for _ in 0..ITEMS / BATCH {
            let mut list = pop(&there);
            list.drain(..).for_each(|item| {
                black_box(item);
            });
            push(&back, list);
        }
    });
    begun.elapsed()
}

fn push<T>(queue: &ArrayQueue<T>, mut item: T) {
    let backoff = Backoff::new();
    while let Err(refused) = queue.push(item) {
        item = refused;
        backoff.snooze();
    }
}

fn pop<T>(queue: &ArrayQueue<T>) -> T {
    let backoff = Backoff::new();
    loop {
        match queue.pop() {
            Some(item) => return item,
            None => backoff.snooze(),
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_secs(1));
    targets = queue
}
criterion_main!(benches);

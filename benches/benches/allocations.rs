//! Allocations per million packets, through decode, track and detect: `cargo bench -p balefire-benches --bench allocations`.
//!
//! In: the mix in memory, hour after hour. Out: a table by stage and hour. The first hours grow tables to their size; the
//! budget, 0, is for those after. Every hour has other connections; hosts and most servers come again.

use std::alloc::System;

use balefire_benches::stages::{Deaf, Held, Worker, detector, hold_mix};
use balefire_track::Sink;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const PACKETS: u64 = 300_000;
const HOURS: i64 = 4;

fn main() {
    println!("allocations (and bytes) per million packets, by hour of packet time; {PACKETS} packets each");
    let mut deaf = Deaf::default();
    hours("decode+track", &mut deaf);
    let mut detector = detector();
    hours("decode+track+detect", &mut detector);
}

fn hours(stage: &str, sink: &mut impl Sink) {
    let mut worker = Worker::default();
    for hour in 0..HOURS {
        let held = match hold_mix(1 + hour as u64, PACKETS, hour) {
            Ok(held) => held,
            Err(error) => panic!("{error}"),
        };
        let (count, bytes) = counted(&mut worker, &held, sink);
        let per_million = 1e6 / held.packets as f64;
        println!(
            "  {stage:<20} hour {hour}  {:>10.0} allocations  {:>14.0} B",
            count as f64 * per_million,
            bytes as f64 * per_million
        );
    }
}

/// Allocations and reallocations of one pass, without the bench's own.
fn counted(worker: &mut Worker, held: &Held, sink: &mut impl Sink) -> (usize, usize) {
    let region = Region::new(ALLOCATOR);
    worker.pass(held, sink);
    let change = region.change();
    let count = change.allocations + change.reallocations;
    (count.saturating_sub(held.list_allocations()), change.bytes_allocated)
}

//! All that a new connection costs: `cargo bench -p balefire-benches --bench new_connection`.
//!
//! In: the mix in memory, two hours of it. Out: by stage CPU nanoseconds and, where valgrind is installed, instructions, per
//! packet and per new connection. The first hour fills the tables and is not counted; the second has other connections of
//! the same hosts to the same sites. A stage's share is what it adds to the one before. Not its job: threads, files.
//!
//! `-- --once STAGE` runs one stage once, for a profiler. A profiler that emulates the processor may lack its SHA
//! instructions: JA4 then counts several times what it takes.

use std::hint::black_box;
use std::process::Command;

use balefire_benches::runs::median;
use balefire_benches::stages::{Deaf, Held, Worker, decode_only, detector, hold_mix};
use balefire_detect::Detector;

const PACKETS: u64 = 500_000;
const ROUNDS: usize = 7;
/// What a stage adds, in the order of the packet's way.
const STAGES: [(&str, &str); 5] = [
    ("hold", "nothing: the frames are made"),
    ("decode", "decode"),
    ("track", "connections, without payload"),
    ("application", "application layer"),
    ("detect", "timelines, names, scoring"),
];
/// Functions whose instructions are shown by themselves, as callgrind's patterns.
const SHARES: [(&str, &str); 2] = [
    ("*score_timing*", "of it scoring by time"),
    ("*Detector*rescore*", "of it all judging"),
];

/// Frames and the tables a stage works on.
struct Bench {
    first: Held,
    second: Held,
}

impl Bench {
    fn new() -> Self {
        let hold = |hour: i64| match hold_mix(1 + hour as u64, PACKETS, hour) {
            Ok(held) => held,
            Err(error) => panic!("{error}"),
        };
        Self {
            first: hold(0),
            second: hold(1),
        }
    }

    /// The second hour through a stage; `measured` is called around it alone.
    fn run(&self, stage: &str, measured: impl FnOnce(&mut dyn FnMut())) {
        let mut worker = Worker::default();
        match stage {
            "hold" => measured(&mut || {}),
            "decode" => measured(&mut || {
                black_box(decode_only(&self.second));
            }),
            "track" => {
                worker.pass_headers(&self.first, &mut Deaf::default());
                measured(&mut || {
                    black_box(worker.pass_headers(&self.second, &mut Deaf::default()));
                });
            }
            "application" => {
                worker.pass(&self.first, &mut Deaf::default());
                measured(&mut || {
                    black_box(worker.pass(&self.second, &mut Deaf::default()));
                });
            }
            _ => {
                let mut detector: Detector = detector();
                worker.pass(&self.first, &mut detector);
                measured(&mut || {
                    black_box(measured_pass(&mut worker, &self.second, &mut detector));
                });
            }
        }
    }
}

/// Its name is what a profiler collects in.
#[inline(never)]
fn measured_pass(worker: &mut Worker, held: &Held, detector: &mut Detector) -> u64 {
    worker.pass(held, detector)
}

/// CPU time of this thread so far, as the kernel accounts it: other work on the machine does not count.
fn cpu_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|field| field.parse().ok()).unwrap_or(0)
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let bench = Bench::new();
    if let Some(at) = arguments.iter().position(|argument| argument == "--once") {
        let stage = arguments.get(at + 1).map_or("detect", String::as_str);
        bench.run(stage, |pass| pass());
        return;
    }
    let mut deaf = Deaf::default();
    Worker::default().pass(&bench.second, &mut deaf);
    let packets = bench.second.packets as f64;
    let connections = deaf.opened as f64;
    println!("{packets} packets, {connections} of them begin a connection; what each stage adds:");
    println!(
        "  {:<34}{:>10}{:>15}{:>15}{:>19}",
        "", "ns/packet", "ns/connection", "instr./packet", "instr./connection"
    );
    let times = times(&bench);
    let counts: Vec<Option<f64>> = STAGES.iter().map(|(stage, _)| instructions(stage, None)).collect();
    for at in 1..STAGES.len() {
        let added = counts[at].zip(counts[at - 1]).map(|(this, before)| this - before);
        row(
            STAGES[at].1,
            Some(times[at] - times[at - 1]),
            // The frames of the first hour went through the stage as well.
            added.map(|both| if at == 1 { both } else { both / 2.0 }),
            packets,
            connections,
        );
    }
    for (function, words) in SHARES {
        let count = instructions("detect", Some(function)).map(|both| both / 2.0);
        row(words, None, count, packets, connections);
    }
}

fn row(words: &str, ns: Option<f64>, instructions: Option<f64>, packets: f64, connections: f64) {
    let show = |value: Option<f64>, by: f64| value.map_or("-".to_owned(), |value| format!("{:.1}", value / by));
    println!(
        "  {words:<34}{:>10}{:>15}{:>15}{:>19}",
        show(ns, packets),
        show(ns, connections),
        show(instructions, packets),
        show(instructions, connections)
    );
}

/// Median CPU nanoseconds of each stage; the stages take turns.
fn times(bench: &Bench) -> Vec<f64> {
    let mut times = vec![Vec::new(); STAGES.len()];
    for _ in 0..ROUNDS {
        for (at, (stage, _)) in STAGES.iter().enumerate() {
            bench.run(stage, |pass| {
                let before = cpu_ns();
                pass();
                times[at].push((cpu_ns() - before) as f64);
            });
        }
    }
    times.iter().map(|times| median(times)).collect()
}

/// Instructions of a process that runs a stage once, or of one function in it; none without valgrind.
fn instructions(stage: &str, function: Option<&str>) -> Option<f64> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    if let Some(function) = function {
        valgrind.arg(format!("--toggle-collect={function}"));
    }
    let output = valgrind
        .arg(std::env::current_exe().ok()?)
        .args(["--once", stage])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let collected = text.lines().find_map(|line| line.split_once("Collected :"))?.1;
    collected.trim().parse().ok()
}

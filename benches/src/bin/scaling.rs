//! How the cost of a packet grows: `cargo run --release -p balefire-benches --bin scaling`.
//!
//! In: the program; captures are made in a temporary folder and go away. Out: one table, and `scaling.json` among the runs.
//! One thing grows at a time: connections, hosts (and with them timelines), workers, bytes of a packet, length of the input.
//! More workers than processors are workers that mostly wait: they show what queues and hand-over cost. Not its job: comparing
//! with others (`end_to_end` does).

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use balefire_benches::child::{self, Used};
use balefire_benches::corpora::{Kind, Size, write};
use balefire_benches::runs::{self, Machine, median};
use clap::Parser;
use serde_json::{Value, json};

/// Measures `balefire read` while one thing grows.
#[derive(Parser, Debug)]
struct Flags {
    /// The program; by default `balefire` beside this one.
    #[arg(long)]
    balefire: Option<PathBuf>,
    /// Packets of a capture; those of ten million connections have as many more as that takes.
    #[arg(long, default_value_t = 2_000_000)]
    packets: u64,
    /// Most connections.
    #[arg(long, default_value_t = 10_000_000)]
    most_connections: u64,
    /// Runs of each case.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Processors to pin the program to, as `taskset -c` takes them.
    #[arg(long)]
    pin: Option<String>,
    /// Folder for the result; by default `benches/runs/DATE-MACHINE`.
    #[arg(long)]
    out: Option<PathBuf>,
}

/// One line of the table.
struct Case {
    grows: &'static str,
    to: u64,
    kind: Kind,
    size: Size,
    workers: usize,
    /// Captured bytes that every frame is filled up to; 0 leaves it.
    frame_bytes: usize,
}

fn main() -> io::Result<()> {
    let flags = Flags::parse();
    let machine = Machine::this();
    let folder = tempfile::tempdir()?;
    println!(
        "{:<12} {:>10} {:>10} {:>11} {:>12} {:>10} {:>10} {:>10}",
        "grows", "to", "packets", "CPU ns/pkt", "wall ns/pkt", "x the first", "peak MB", "timelines"
    );
    let mut rows: Vec<Value> = Vec::new();
    for case in cases(&flags) {
        let path = folder.path().join("case.pcap");
        let packets = make(&case, &path)?;
        let row = measure(&flags, &case, &path, packets, &rows)?;
        rows.push(row);
    }
    println!(
        "x the first: CPU time over that of the first line of its kind; for `length` of the line before, at most 2.1"
    );
    let result = json!({ "bench": "scaling", "machine": machine.notes(), "rounds": flags.rounds, "cases": rows });
    let out = flags.out.clone().unwrap_or_else(|| runs::folder(&machine));
    println!("kept in {}", runs::keep(&out, "scaling", &result)?.display());
    Ok(())
}

fn cases(flags: &Flags) -> Vec<Case> {
    let size = |packets, connections, hosts| Size {
        seed: 1,
        packets,
        connections,
        hosts,
    };
    let case = |grows, to, kind, size, workers, frame_bytes| Case {
        grows,
        to,
        kind,
        size,
        workers,
        frame_bytes,
    };
    let packets = flags.packets;
    let mut cases = Vec::new();
    for connections in [10_000, 100_000, 1_000_000, 10_000_000] {
        if connections <= flags.most_connections {
            let size = size(packets.max(connections), connections, 0);
            cases.push(case("connections", connections, Kind::Small, size, 1, 0));
        }
    }
    for hosts in [1_000, 10_000, 100_000] {
        cases.push(case(
            "hosts",
            u64::from(hosts),
            Kind::Mix,
            size(packets, 0, hosts),
            1,
            0,
        ));
    }
    for workers in [1, 2, 4, 8] {
        cases.push(case(
            "workers",
            workers as u64,
            Kind::Mix,
            size(packets, 0, 0),
            workers,
            0,
        ));
    }
    for frame_bytes in [60, 326, 800, 1_500] {
        let size = size(packets, 100_000, 0);
        cases.push(case(
            "frame bytes",
            frame_bytes as u64,
            Kind::Small,
            size,
            1,
            frame_bytes,
        ));
    }
    for times in [1, 2, 4] {
        let size = size(packets / 2 * times, 0, 0);
        cases.push(case("length", packets / 2 * times, Kind::Mix, size, 1, 0));
    }
    cases
}

/// Writes the capture of a case; its packets.
fn make(case: &Case, path: &Path) -> io::Result<u64> {
    if case.frame_bytes == 0 {
        return Ok(write(case.kind, &case.size, BufWriter::new(File::create(path)?))?.packets);
    }
    let plain = path.with_extension("plain");
    let written = write(case.kind, &case.size, BufWriter::new(File::create(&plain)?))?;
    fill_up(&plain, path, case.frame_bytes)?;
    Ok(written.packets)
}

/// The same capture with every frame filled up behind its packet, which decoders take for the padding of the link.
fn fill_up(from: &Path, to: &Path, frame_bytes: usize) -> io::Result<()> {
    let (mut input, mut output) = (BufReader::new(File::open(from)?), BufWriter::new(File::create(to)?));
    let mut header = [0; 24];
    input.read_exact(&mut header)?;
    output.write_all(&header)?;
    let mut record = [0; 16];
    let mut frame = Vec::new();
    while input.read_exact(&mut record).is_ok() {
        let captured = u32::from_le_bytes([record[8], record[9], record[10], record[11]]) as usize;
        frame.clear();
        frame.resize(captured, 0);
        input.read_exact(&mut frame)?;
        frame.resize(captured.max(frame_bytes), 0);
        let length = (frame.len() as u32).to_le_bytes();
        record[8..12].copy_from_slice(&length);
        record[12..16].copy_from_slice(&length);
        output.write_all(&record)?;
        output.write_all(&frame)?;
    }
    output.flush()
}

fn measure(flags: &Flags, case: &Case, path: &Path, packets: u64, before: &[Value]) -> io::Result<Value> {
    let program = match &flags.balefire {
        Some(path) => path.clone(),
        None => std::env::current_exe()?.with_file_name("balefire"),
    };
    let mut words = child::pinned(flags.pin.as_deref());
    // So much room that no table is full: what is measured is its size, not its eviction.
    for word in [
        &program.display().to_string(),
        "read",
        "--quiet",
        "--format",
        "json",
        "--memory",
        "16GiB",
        "--workers",
    ] {
        words.push(word.to_owned());
    }
    words.push(case.workers.to_string());
    words.push(path.display().to_string());
    let mut kept: Vec<Used> = Vec::new();
    let mut timelines = 0;
    for _ in 0..flags.rounds.max(1) {
        let (used, said) = child::run(&words, false)?;
        let document: Value = serde_json::from_slice(&said)?;
        if document["accounting"]["received"] != packets {
            return Err(io::Error::other(format!(
                "{} did not see {packets} packets",
                words.join(" ")
            )));
        }
        timelines = document["totals"]["timelines"].as_u64().unwrap_or_default();
        kept.push(used);
    }
    let middle = |figure: fn(&Used) -> f64| median(&kept.iter().map(figure).collect::<Vec<_>>());
    let (cpu_s, wall_s) = (middle(Used::cpu_s), middle(|used| used.wall_s));
    let cpu_ns = cpu_s * 1e9 / packets as f64;
    let same = |row: &&Value| row["grows"] == case.grows;
    let ratio = if case.grows == "length" {
        let last = before.iter().rev().find(same).and_then(|row| row["cpu_s"].as_f64());
        cpu_s / last.unwrap_or(cpu_s)
    } else {
        let first = before
            .iter()
            .find(same)
            .and_then(|row| row["cpu_ns_per_packet"].as_f64());
        cpu_ns / first.unwrap_or(cpu_ns)
    };
    let peak = middle(|used| used.peak_bytes as f64);
    println!(
        "{:<12} {:>10} {packets:>10} {cpu_ns:>11.1} {:>12.1} {ratio:>10.2} {:>10.1} {timelines:>10}",
        case.grows,
        case.to,
        wall_s * 1e9 / packets as f64,
        peak / 1e6
    );
    Ok(json!({
        "grows": case.grows,
        "to": case.to,
        "packets": packets,
        "cpu_s": cpu_s,
        "cpu_ns_per_packet": cpu_ns,
        "wall_ns_per_packet": wall_s * 1e9 / packets as f64,
        "ratio": ratio,
        "peak_bytes": peak,
        "timelines": timelines,
    }))
}

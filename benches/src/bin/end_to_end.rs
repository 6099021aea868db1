//! The whole detector beside loops that only count: `cargo run --release -p balefire-benches --bin end_to_end -- FILE`.
//!
//! In: capture files and the program. Out: a table, and `end_to_end.json` among the runs. Not its job: making the files
//! (`corpus` does).
//!
//! Every contestant is its own process, so that CPU time and peak memory are its own; they take turns, round by round,
//! so that whatever else the machine does meets all alike. Ratios are medians of the ratios within a round.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use balefire_benches::child::{self, Used};
use balefire_benches::loops::{self, Counted};
use balefire_benches::runs::{self, Machine, median};
use clap::{Parser, ValueEnum};
use serde_json::{Value, json};

/// Measures `balefire read` beside a libpcap loop and a loop of large reads on the same files.
#[derive(Parser, Debug)]
struct Flags {
    /// Capture files (pcap).
    #[arg(required_unless_present = "count")]
    files: Vec<PathBuf>,
    /// The program; by default `balefire` beside this one.
    #[arg(long)]
    balefire: Option<PathBuf>,
    /// Rounds; every contestant runs once in each.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Worker threads of the program.
    #[arg(long, default_value_t = 1)]
    workers: usize,
    /// Processors to pin every contestant to, as `taskset -c` takes them; by default none is pinned.
    #[arg(long)]
    pin: Option<String>,
    /// Folder for the result; by default `benches/runs/DATE-MACHINE`.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Only count FILE with this loop, and print the count: what the bench starts for a contestant.
    #[arg(long, hide = true, num_args = 2, value_names = ["LOOP", "FILE"])]
    count: Option<Vec<String>>,
}

/// Who runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Contestant {
    LibpcapCallback,
    LibpcapNext,
    Reads,
    Balefire,
}

impl Contestant {
    const ALL: [Self; 4] = [Self::LibpcapCallback, Self::LibpcapNext, Self::Reads, Self::Balefire];

    const fn name(self) -> &'static str {
        match self {
            Self::LibpcapCallback => "libpcap-callback",
            Self::LibpcapNext => "libpcap-next",
            Self::Reads => "reads",
            Self::Balefire => "balefire",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::LibpcapCallback => "libpcap, callback, count",
            Self::LibpcapNext => "libpcap, next, count",
            Self::Reads => "256 KiB reads, count",
            Self::Balefire => "balefire read",
        }
    }
}

fn main() -> io::Result<()> {
    let flags = Flags::parse();
    if let Some(count) = &flags.count {
        return count_only(&count[0], Path::new(&count[1]));
    }
    let machine = Machine::this();
    let mut results = Vec::new();
    for file in &flags.files {
        results.push(measure(&flags, file)?);
    }
    let result = json!({
        "bench": "end_to_end",
        "machine": machine.notes(),
        "balefire": version(&program(&flags)?),
        "rounds": flags.rounds,
        "workers": flags.workers,
        "pin": flags.pin,
        "files": results,
    });
    let folder = flags.out.clone().unwrap_or_else(|| runs::folder(&machine));
    println!("kept in {}", runs::keep(&folder, "end_to_end", &result)?.display());
    Ok(())
}

fn count_only(which: &str, file: &Path) -> io::Result<()> {
    let Counted { packets, wire_bytes } = match which {
        "libpcap-callback" => loops::libpcap_callback(file)?,
        "libpcap-next" => loops::libpcap_next(file)?,
        "reads" => loops::reads(file)?,
        _ => return Err(io::Error::other(format!("no loop is called {which}"))),
    };
    println!("{packets} {wire_bytes}");
    Ok(())
}

/// All rounds over one file; prints its table.
fn measure(flags: &Flags, file: &Path) -> io::Result<Value> {
    // Once through: the file is in the page cache, and its packets are known.
    let Counted { packets, wire_bytes } = loops::reads(file)?;
    let mut all: Vec<Vec<Used>> = vec![Vec::new(); Contestant::ALL.len()];
    for _ in 0..flags.rounds {
        for (contestant, kept) in Contestant::ALL.iter().zip(&mut all) {
            kept.push(run(flags, *contestant, file, packets)?);
        }
    }
    let baseline = if middle(&all[0], |run| run.wall_s) <= middle(&all[1], |run| run.wall_s) {
        0
    } else {
        1
    };
    println!(
        "{}: {packets} packets of {:.0} B on average, {} rounds, medians",
        file.display(),
        wire_bytes as f64 / packets.max(1) as f64,
        flags.rounds
    );
    println!(
        "  {:<26} {:>8} {:>10} {:>11} {:>9} {:>12} {:>10}",
        "", "wall s", "Mpackets/s", "x libpcap", "x reads", "CPU ns/pkt", "peak MB"
    );
    let mut rows = Vec::new();
    for (contestant, kept) in Contestant::ALL.iter().zip(&all) {
        rows.push(row(*contestant, kept, [&all[baseline], &all[2]], packets));
    }
    println!("  x libpcap: packet rate over that of the faster libpcap loop, median of the ratios within a round");
    println!("  x reads: the same over that of the loop of large reads");
    let threads = threads(flags, file, packets)?;
    Ok(json!({
        "file": file.file_name().map(|name| name.to_string_lossy()),
        "packets": packets,
        "wire_bytes": wire_bytes,
        "baseline": Contestant::ALL[baseline].name(),
        "contestants": rows,
        "cpu_ns_per_packet_by_thread": threads,
    }))
}

fn row(contestant: Contestant, kept: &[Used], others: [&[Used]; 2], packets: u64) -> Value {
    let packets = packets.max(1) as f64;
    let wall_s = middle(kept, |run| run.wall_s);
    let [over_libpcap, over_reads] = others.map(|base| {
        let ratios = base.iter().zip(kept).map(|(base, run)| base.wall_s / run.wall_s);
        median(&ratios.collect::<Vec<_>>())
    });
    let cpu_ns = middle(kept, Used::cpu_s) * 1e9 / packets;
    let peak = middle(kept, |run| run.peak_bytes as f64);
    let rate = packets / wall_s / 1e6;
    println!(
        "  {:<26} {wall_s:>8.3} {rate:>10.2} {over_libpcap:>11.2} {over_reads:>9.2} {cpu_ns:>12.1} {:>10.1}",
        contestant.title(),
        peak / 1e6
    );
    let runs: Vec<Value> = kept
        .iter()
        .map(|run| json!({ "wall_s": run.wall_s, "user_s": run.user_s, "system_s": run.system_s, "peak_bytes": run.peak_bytes }))
        .collect();
    json!({
        "name": contestant.name(),
        "wall_s": wall_s,
        "packets_per_s": packets / wall_s,
        "rate_over_libpcap": over_libpcap,
        "rate_over_reads": over_reads,
        "cpu_ns_per_packet": cpu_ns,
        "peak_bytes": peak,
        "runs": runs,
    })
}

fn middle(runs: &[Used], figure: impl Fn(&Used) -> f64) -> f64 {
    median(&runs.iter().map(figure).collect::<Vec<_>>())
}

/// Runs a contestant over `file` and checks that it saw every packet.
fn run(flags: &Flags, contestant: Contestant, file: &Path, packets: u64) -> io::Result<Used> {
    let mut words = child::pinned(flags.pin.as_deref());
    if contestant == Contestant::Balefire {
        words.extend(balefire_words(flags, file)?);
    } else {
        words.push(std::env::current_exe()?.display().to_string());
        words.extend(["--count".to_owned(), contestant.name().to_owned()]);
        words.push(file.display().to_string());
    }
    let (used, said) = child::run(&words, false)?;
    let seen = packets_said(contestant, &said);
    if seen != Some(packets) {
        return Err(io::Error::other(format!(
            "{} saw {seen:?} of {packets} packets",
            words.join(" ")
        )));
    }
    Ok(used)
}

fn balefire_words(flags: &Flags, file: &Path) -> io::Result<Vec<String>> {
    let mut words = vec![program(flags)?.display().to_string()];
    words.extend(["read", "--quiet", "--format", "json", "--workers"].map(str::to_owned));
    words.push(flags.workers.to_string());
    words.push(file.display().to_string());
    Ok(words)
}

/// Processor time of each thread of the program, ns per packet, median of three profiled runs; these run apart, as taking
/// the time of stages costs some itself.
fn threads(flags: &Flags, file: &Path, packets: u64) -> io::Result<BTreeMap<String, f64>> {
    let mut kept: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for _ in 0..3 {
        let mut words = child::pinned(flags.pin.as_deref());
        words.extend(balefire_words(flags, file)?);
        words.push("--profile".to_owned());
        let (_, said) = child::run(&words, true)?;
        let document: Value = serde_json::from_slice(&said)?;
        for thread in document["profile"].as_array().into_iter().flatten() {
            let name = thread["thread"].as_str().unwrap_or_default().to_owned();
            let cpu_ns = thread["cpu_ns"].as_f64().unwrap_or_default();
            kept.entry(name).or_default().push(cpu_ns / packets.max(1) as f64);
        }
    }
    let medians: BTreeMap<_, _> = kept.into_iter().map(|(name, runs)| (name, median(&runs))).collect();
    let shown: Vec<String> = medians.iter().map(|(name, ns)| format!("{name} {ns:.1}")).collect();
    println!("  CPU ns/pkt by thread (profiled runs): {}", shown.join(", "));
    Ok(medians)
}

/// A loop prints its count first; the program's JSON has it under `accounting`.
fn packets_said(contestant: Contestant, said: &[u8]) -> Option<u64> {
    if contestant == Contestant::Balefire {
        let value: Value = serde_json::from_slice(said).ok()?;
        return value["accounting"]["received"].as_u64();
    }
    std::str::from_utf8(said).ok()?.split(' ').next()?.parse().ok()
}

fn program(flags: &Flags) -> io::Result<PathBuf> {
    let path = match &flags.balefire {
        Some(path) => path.clone(),
        None => std::env::current_exe()?.with_file_name("balefire"),
    };
    File::open(&path).map_err(|error| {
        io::Error::other(format!(
            "{}: {error}; build it with `cargo build --release -p balefire`",
            path.display()
        ))
    })?;
    Ok(path)
}

/// What the program says of itself.
fn version(program: &Path) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

//! Writes a corpus: `cargo run --release -p balefire-benches --bin corpus -- mix --out FOLDER`.
//!
//! In: which one, how large. Out: `FOLDER/KIND-PACKETS.pcap` and a line about it. Not its job: measuring.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::Instant;

use balefire_benches::corpora::{self, Kind, Size};
use clap::Parser;

/// Writes a reproducible capture of any size.
#[derive(Parser, Debug)]
struct Flags {
    /// mix (application traffic), small (64 B frames), or pairs-flood.
    #[arg(value_parser = kind)]
    kind: Kind,
    /// Folder to write to; made if it is not there.
    #[arg(long)]
    out: PathBuf,
    /// Packets; by default 3.7 million for mix, 10 million for small, 10.1 million for pairs-flood.
    #[arg(long)]
    packets: Option<u64>,
    /// Connections of small.
    #[arg(long, default_value_t = 1_000_000)]
    connections: u64,
    /// Hosts of mix; by default one to every 34 packets.
    #[arg(long, default_value_t = 0)]
    hosts: u32,
    /// The same seed gives the same bytes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn kind(name: &str) -> Result<Kind, String> {
    let known = Kind::ALL.iter().find(|(known, _)| *known == name);
    known
        .map(|(_, kind)| *kind)
        .ok_or_else(|| "one of mix, small, pairs-flood".to_owned())
}

fn main() -> std::io::Result<()> {
    let flags = Flags::parse();
    let packets = flags.packets.unwrap_or(flags.kind.default_packets());
    let name = Kind::ALL
        .iter()
        .find(|(_, kind)| *kind == flags.kind)
        .map_or("corpus", |(name, _)| name);
    fs::create_dir_all(&flags.out)?;
    let path = flags.out.join(format!("{name}-{packets}.pcap"));
    let size = Size {
        seed: flags.seed,
        packets,
        connections: flags.connections,
        hosts: flags.hosts,
    };
    let begun = Instant::now();
    let written = corpora::write(flags.kind, &size, File::create(&path)?)?;
    println!(
        "{}: {} packets, {:.1} B average, {:.1} s of packet time, written in {:.1} s",
        path.display(),
        written.packets,
        written.wire_bytes as f64 / written.packets.max(1) as f64,
        written.span_ns as f64 / 1e9,
        begun.elapsed().as_secs_f64(),
    );
    Ok(())
}

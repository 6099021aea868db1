//! Counts packets and wire bytes of capture files: `cargo run --release -p balefire-capture --example count -- FILE...`
//!
//! Prints one JSON object; damage goes to standard error. Exit codes: 0 read, 1 not read, 3 damaged.

use std::path::PathBuf;
use std::process::ExitCode;

use balefire_capture::{Block, CaptureError, FileOptions, FileSource, Fill, Source};

fn main() -> ExitCode {
    let inputs: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    match count(&inputs) {
        Ok(whole) => ExitCode::from(if whole { 0 } else { 3 }),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(1)
        }
    }
}

fn count(inputs: &[PathBuf]) -> Result<bool, CaptureError> {
    let mut source = FileSource::open(inputs, &FileOptions::default())?;
    let mut block = Block::new();
    let mut bytes = 0;
    while source.fill(&mut block)? != Fill::End {
        bytes += block
            .frames
            .iter()
            .map(|frame| u64::from(frame.wire_bytes))
            .sum::<u64>();
        block.clear();
    }
    for damage in source.damage() {
        eprintln!("{damage}");
    }
    println!("{{\"packets\":{},\"bytes\":{bytes}}}", source.counters().frames);
    Ok(source.damage().is_empty())
}

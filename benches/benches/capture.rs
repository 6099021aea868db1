//! Reading a capture file, counting only: the file source against a libpcap loop, same file, in turns.
//!
//! Prints medians of CPU time and their ratio for frames of 326 bytes on average and of 64 bytes. In turns, because a
//! machine's speed wanders by more than the two differ. `cargo bench -p balefire-benches --bench capture`

use std::hint::black_box;
use std::path::{Path, PathBuf};

use balefire_capture::{Block, FileOptions, FileSource, Fill, PcapWriter, Source};
use balefire_decode::LinkType;

/// Measured turns; the first of each is thrown away (the file comes into the page cache).
const TURNS: usize = 15;

/// Bytes of a generated file: many blocks, and small enough for the page cache of any machine.
const FILE_BYTES: usize = 128 << 20;

/// A mix of frame sizes with a mean of 326: acknowledgements, small requests, a few full frames.
const MIXED: &[usize] = &[60, 66, 66, 78, 90, 150, 240, 66, 66, 1_514, 66, 1_450];

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let dir = tempfile::tempdir()?;
    for (name, sizes) in [("mixed", MIXED), ("small", &[64][..])] {
        let path = dir.path().join(name);
        let packets = generate(&path, sizes)?;
        let mean = sizes.iter().sum::<usize>() / sizes.len();
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for turn in 0..=TURNS {
            let own = timed(packets, || with_source(&path))?;
            let their = timed(packets, || with_libpcap(&path))?;
            if turn > 0 {
                ours.push(own);
                theirs.push(their);
            }
        }
        let (ours, theirs) = (median(&mut ours), median(&mut theirs));
        println!(
            "capture/{name}: {packets} packets of {mean} B: file source {ours:.1} ns/packet ({:.2} GB/s), \
             libpcap {theirs:.1} ns/packet, {:.2} x",
            mean as f64 / ours,
            theirs / ours,
        );
    }
    Ok(())
}

fn generate(path: &Path, sizes: &[usize]) -> Outcome<u64> {
    let mut writer = PcapWriter::create(path, LinkType(1))?;
    let frame = vec![0x5a; 2_048];
    let mut bytes = 0;
    for turn in 0.. {
        let size = sizes[turn % sizes.len()];
        writer.write(
            1_700_000_000_000_000_000 + turn as i64 * 1_000,
            size as u32,
            &frame[..size],
        )?;
        bytes += 16 + size;
        if bytes >= FILE_BYTES {
            break;
        }
    }
    let packets = writer.frames();
    writer.finish()?;
    Ok(packets)
}

/// Nanoseconds per packet of a count, which must be right.
fn timed(packets: u64, count: impl FnOnce() -> Outcome<(u64, u64)>) -> Outcome<f64> {
    let start = cpu_ns()?;
    let (counted, bytes) = black_box(count()?);
    let elapsed = cpu_ns()? - start;
    assert!(counted == packets && bytes > 0, "{counted} of {packets} packets");
    Ok(elapsed as f64 / packets as f64)
}

/// Time this thread was on a CPU, in user code and in the kernel: other work on the machine does not count.
fn cpu_ns() -> Outcome<u64> {
    let fields = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(fields.split(' ').next().unwrap_or_default().parse()?)
}

fn with_source(path: &Path) -> Outcome<(u64, u64)> {
    let mut source = FileSource::open(&[PathBuf::from(path)], &FileOptions::default())?;
    let mut block = Block::new();
    let (mut packets, mut bytes) = (0, 0);
    while source.fill(&mut block)? != Fill::End {
        packets += block.frames.len() as u64;
        bytes += block
            .frames
            .iter()
            .map(|frame| u64::from(frame.wire_bytes))
            .sum::<u64>();
        block.clear();
    }
    Ok((packets, bytes))
}

fn with_libpcap(path: &Path) -> Outcome<(u64, u64)> {
    let mut capture = pcap::Capture::from_file(path)?;
    let (mut packets, mut bytes) = (0, 0);
    capture.for_each(None, |packet| {
        packets += 1;
        bytes += u64::from(packet.header.len);
    })?;
    Ok((packets, bytes))
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

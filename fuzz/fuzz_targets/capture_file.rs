//! Arbitrary bytes as a capture file, in arbitrary pieces: it ends, within its memory, and every frame lies in its block.
#![no_main]

use std::io::{self, Read};

use balefire_capture::{BLOCK_BYTES, Block, Fill, FileOptions, FileSource, MAX_FRAME_BYTES, Source};
use libfuzzer_sys::fuzz_target;

/// The largest output that is read of a packed input: several blocks, and a bomb still ends in time.
const MOST_BYTES: u64 = 8 << 20;

/// Gives at most `step` bytes at a time.
struct Pieces {
    bytes: io::Cursor<Vec<u8>>,
    step: usize,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let step = self.step.min(buffer.len());
        self.bytes.read(&mut buffer[..step])
    }
}

fuzz_target!(|data: &[u8]| {
    // The first byte is the size of the pieces: all at once, or as a slow pipe brings them.
    let Some((first, file)) = data.split_first() else { return };
    let step = if *first == 0 { usize::MAX } else { usize::from(*first) };
    let whole = read(file, usize::MAX);
    // zstd gives nothing of a call that meets a damaged place, so there the pieces decide how much is kept.
    let zstd = file.starts_with(&[0x28, 0xb5]) || file.get(1..).is_some_and(|rest| rest.starts_with(b"\x2a\x4d\x18"));
    if step != usize::MAX && !zstd {
        assert_eq!(whole, read(file, step), "pieces of {step}");
    }
});

/// Frames, wire bytes and damage of a file; `None` where it is no capture.
fn read(file: &[u8], step: usize) -> Option<(u64, u64, usize)> {
    let pieces = Pieces { bytes: io::Cursor::new(file.to_vec()), step };
    let mut source = FileSource::from_reader("fuzz".into(), pieces, &FileOptions::default()).ok()?;
    let mut block = Block::new();
    let (mut frames, mut wire_bytes, mut read) = (0, 0u64, 0);
    while read < MOST_BYTES {
        let fill = source.fill(&mut block).expect("files end in damage, not in errors");
        assert!(block.bytes.len() <= BLOCK_BYTES && block.bytes.capacity() <= 2 * BLOCK_BYTES);
        for record in &block.frames {
            // Panics when the range is out of bounds.
            assert!(block.frame(record).bytes.len() <= MAX_FRAME_BYTES);
            wire_bytes += u64::from(record.wire_bytes);
        }
        frames += block.frames.len() as u64;
        read += block.bytes.len() as u64;
        if fill == Fill::End {
            break;
        }
    }
    for damage in source.damage() {
        assert!(!damage.reason.is_empty() && damage.packets_kept == frames);
    }
    // A bomb is left in the middle, at a place that depends on the pieces.
    (read < MOST_BYTES).then(|| (frames, wire_bytes, source.damage().len()))
}

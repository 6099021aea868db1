//! What a damaged file still gives: everything before the damage, and a word on where and why.

use std::io::Cursor;

use proptest::prelude::*;

use crate::forge::{Blocks, Frame, PcapVariant, drain, frame, open, read};
use crate::formats::{gzip, zstd};

const PCAP: PcapVariant = PcapVariant {
    big: false,
    magic: PcapVariant::NANOSECONDS,
};

/// A file and the offset of the end of each of its records.
fn records(sizes: &[usize], modern: bool) -> (Vec<u8>, Vec<usize>, Vec<Frame>) {
    let blocks = Blocks { big: true };
    let mut file = if modern {
        [blocks.section(), blocks.interface(1, 0, 9, 0)].concat()
    } else {
        PCAP.header(1)
    };
    let mut ends = vec![file.len()];
    let mut frames = Vec::new();
    for (turn, size) in sizes.iter().enumerate() {
        let frame = frame(turn as i64, *size);
        if modern {
            file.extend(blocks.enhanced(0, turn as u64, frame.wire_bytes, &frame.bytes));
        } else {
            file.extend(PCAP.record(&frame));
        }
        ends.push(file.len());
        frames.push(frame);
    }
    (file, ends, frames)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_cut_file_gives_every_whole_record(
        sizes in proptest::collection::vec(prop_oneof![9 => 0usize..300, 1 => 100_000usize..262_144], 1..40),
        cut in any::<prop::sample::Index>(),
        modern in any::<bool>(),
    ) {
        let (file, ends, frames) = records(&sizes, modern);
        let cut = ends[0] + cut.index(file.len() - ends[0] + 1);
        let kept = ends.iter().filter(|end| **end <= cut).count() - 1;
        let outcome = read(&file[..cut]);
        prop_assert_eq!(&outcome.frames, &frames[..kept]);
        if ends.contains(&cut) {
            prop_assert!(outcome.damage.is_empty());
        } else {
            prop_assert_eq!(outcome.damage.len(), 1);
            prop_assert_eq!(outcome.damage[0].offset, ends[kept] as u64);
            prop_assert_eq!(outcome.damage[0].packets_kept, kept as u64);
        }
    }

    #[test]
    fn a_cut_packed_file_gives_a_prefix_and_says_so(
        sizes in proptest::collection::vec(0usize..2_000, 1..60),
        cut in any::<prop::sample::Index>(),
        with_zstd in any::<bool>(),
    ) {
        let (file, _, frames) = records(&sizes, false);
        let packed = if with_zstd { zstd(&file) } else { gzip(&file) };
        let cut = 1 + cut.index(packed.len() - 1);
        // Cut in the header it is no capture at all, and said before anything runs.
        if let Ok(mut source) = open(Cursor::new(packed[..cut].to_vec())) {
            let outcome = drain(&mut source);
            prop_assert!(frames.starts_with(&outcome.frames));
            prop_assert_eq!(outcome.damage.len(), 1);
            prop_assert_eq!(outcome.damage[0].packets_kept, outcome.frames.len() as u64);
        }
    }

    #[test]
    fn any_bytes_end(
        start in prop_oneof![Just(0u8), Just(1), Just(2)],
        noise in proptest::collection::vec(any::<u8>(), 0..3_000),
    ) {
        let blocks = Blocks { big: false };
        let mut file = match start {
            0 => PCAP.header(1),
            1 => [blocks.section(), blocks.interface(1, 0, 6, 0)].concat(),
            _ => Vec::new(),
        };
        file.extend(noise);
        if let Ok(mut source) = open(Cursor::new(file)) {
            drain(&mut source);
        }
    }

    #[test]
    fn changed_bytes_keep_the_frames_before_them(
        sizes in proptest::collection::vec(0usize..300, 1..40),
        change in any::<prop::sample::Index>(),
        bits in 1u8..=255,
        modern in any::<bool>(),
    ) {
        let (mut file, ends, frames) = records(&sizes, modern);
        let at = ends[0] + change.index(file.len() - ends[0]);
        file[at] ^= bits;
        let before = ends.iter().filter(|end| **end <= at).count() - 1;
        let outcome = read(&file);
        prop_assert!(outcome.frames.len() >= before);
        prop_assert_eq!(&outcome.frames[..before], &frames[..before]);
    }
}

#[test]
fn a_packet_of_no_interface_ends_the_file_and_says_so() {
    let blocks = Blocks { big: false };
    let start = [
        blocks.section(),
        blocks.interface(1, 0, 9, 0),
        blocks.enhanced(0, 1, 3, &[1; 3]),
    ]
    .concat();
    let file = [
        start.clone(),
        blocks.enhanced(4, 2, 3, &[1; 3]),
        blocks.enhanced(0, 3, 3, &[1; 3]),
    ]
    .concat();
    let outcome = read(&file);
    assert_eq!(outcome.frames.len(), 1);
    assert_eq!(
        outcome.damage[0].to_string(),
        format!(
            "test: damaged at byte {}: packet of interface 4, the section describes 1; kept the 1 packets before it",
            start.len()
        )
    );
}

#[test]
fn a_record_above_the_limit_ends_the_file_and_says_so() {
    let mut file = PCAP.file(1, &[frame(1, 60)]);
    let at = file.len();
    file.extend([0; 8]);
    file.extend(300_000u32.to_le_bytes());
    file.extend(300_000u32.to_le_bytes());
    file.extend(vec![0; 300_000]);
    let outcome = read(&file);
    assert_eq!((outcome.frames.len(), outcome.damage[0].offset), (1, at as u64));
    assert_eq!(
        outcome.damage[0].reason,
        "record of 300000 captured bytes, the limit is 262144"
    );
}

#[test]
fn a_block_that_contradicts_itself_ends_the_file() {
    let blocks = Blocks { big: false };
    let start = [
        blocks.section(),
        blocks.interface(1, 0, 9, 0),
        blocks.enhanced(0, 1, 3, &[1; 3]),
    ]
    .concat();
    let reasons = |bad: Vec<u8>| read(&[start.clone(), bad].concat()).damage.remove(0).reason;
    let mut other_end = blocks.block(0x77, &[0; 8]);
    other_end[16..20].copy_from_slice(&99u32.to_le_bytes());
    assert_eq!(
        reasons(other_end),
        "block of type 0x77 is 20 bytes long at its start and 99 at its end"
    );
    assert_eq!(reasons(vec![0; 32]), "block of type 0x0 says it is 0 bytes long");
    let mut long = blocks.block(6, &[0; 32]);
    long[4..8].copy_from_slice(&0x4000_0000u32.to_le_bytes());
    assert_eq!(
        reasons(long),
        "block of type 0x6 of 1073741824 bytes, the limit is 524288"
    );
    // An unknown block may be of any length: what is missing of it is a cut.
    let mut unknown = blocks.block(0x77, &[0; 8]);
    unknown[4..8].copy_from_slice(&0xffff_fff0u32.to_le_bytes());
    assert_eq!(reasons(unknown), "cut short in the middle of a block");
}

#[test]
fn what_is_no_capture_says_what_it_is() {
    let blocks = Blocks { big: false };
    let reason = |file: &[u8]| open(Cursor::new(file.to_vec())).unwrap_err().to_string();
    assert_eq!(
        reason(b"<html>"),
        "test: no capture file: begins with 3c 68 74 6d; pcap and pcapng are read, also gzip or zstd"
    );
    assert!(reason(&[0x04, 0x22, 0x4d, 0x18, 1]).contains("compressed with lz4: decompress it first"));
    assert_eq!(
        reason(&PCAP.header(1)[..20]),
        "test: cut short in its header, after 20 bytes"
    );
    assert_eq!(
        reason(&blocks.section()[..20]),
        "test: cut short in its header, after 20 bytes"
    );
    let mut version = blocks.section();
    version[12] = 9;
    assert_eq!(reason(&version), "test: pcapng version 9.0; 1.0 and 1.2 are read");
    assert_eq!(
        read(&blocks.section()).damage[0].reason,
        "pcapng without an interface description"
    );
    assert!(reason(&gzip(b"text")).contains("begins with 74 65 78 74"));
}

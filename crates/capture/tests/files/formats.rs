//! What is written is what is read: formats, packings, pieces.

use std::io::{Cursor, Write};

use proptest::prelude::*;

use crate::forge::{Blocks, Dribble, Frame, Outcome, PcapVariant, drain, frame, open, read};

/// Frames of mixed sizes, now and then of the largest, so that records straddle blocks in every way.
fn frames() -> impl Strategy<Value = Vec<Frame>> {
    let size = prop_oneof![8 => 0usize..200, 4 => 200usize..2_000, 1 => 60_000usize..=262_144];
    let one = (0i64..4_294_967_295_000, size, 0u32..3).prop_map(|(time_ms, size, longer)| {
        let mut frame = frame(time_ms * 1_000_000, size);
        frame.wire_bytes += longer * 1_000;
        frame
    });
    proptest::collection::vec(one, 0..120)
}

fn variants() -> impl Strategy<Value = PcapVariant> {
    let magic = prop_oneof![
        Just(PcapVariant::MICROSECONDS),
        Just(PcapVariant::NANOSECONDS),
        Just(PcapVariant::MODIFIED)
    ];
    (any::<bool>(), magic).prop_map(|(big, magic)| PcapVariant { big, magic })
}

fn whole(frames: &[Frame]) -> Outcome {
    Outcome {
        frames: frames.to_vec(),
        damage: Vec::new(),
    }
}

/// A pcapng file of several sections with interfaces of every clock; the frames come back with the times of that clock.
fn pcapng(sections: &[(bool, Vec<Frame>)], filler_bytes: usize) -> (Vec<u8>, Vec<Frame>) {
    // Link type, if_tsresol, ticks in a second, if_tsoffset.
    let interfaces = [
        (1u16, 6u8, 1_000_000u64, 0i64),
        (113, 9, 1_000_000_000, 0),
        (101, 0x80 | 20, 1 << 20, 0),
        (1, 3, 1_000, 86_400),
        (1, 12, 1_000_000_000_000, -3_600),
    ];
    let (mut file, mut expected) = (Vec::new(), Vec::new());
    for (big, frames) in sections {
        let blocks = Blocks { big: *big };
        file.extend(blocks.section());
        for (link, resolution, _, offset_s) in interfaces {
            file.extend(blocks.interface(link, 0, resolution, offset_s));
        }
        for (turn, frame) in frames.iter().enumerate() {
            let number = turn % interfaces.len();
            let (link, _, per_second, offset_s) = interfaces[number];
            let seconds = (frame.time_ns / 1_000_000_000) as u64 % 1_000_000;
            let ticks = seconds * per_second;
            if turn % 3 == 0 {
                file.extend(blocks.obsolete(number as u16, ticks, frame.wire_bytes, &frame.bytes));
            } else {
                file.extend(blocks.enhanced(number as u32, ticks, frame.wire_bytes, &frame.bytes));
            }
            if turn == 1 {
                // An unknown block, longer than what a reader may keep.
                file.extend(blocks.block(0x0bad, &vec![0x5a; filler_bytes]));
            }
            expected.push(Frame {
                time_ns: (seconds as i64 + offset_s) * 1_000_000_000,
                link,
                interface: number as u16,
                ..frame.clone()
            });
        }
    }
    (file, expected)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn pcap_is_read_as_it_was_written(variant in variants(), frames in frames()) {
        prop_assert_eq!(read(&variant.file(1, &frames)), whole(&frames));
    }

    #[test]
    fn pcapng_is_read_as_it_was_written(
        sections in proptest::collection::vec((any::<bool>(), frames()), 1..4),
        filler_bytes in prop_oneof![0usize..64, Just(3_000_000usize)],
    ) {
        let (file, expected) = pcapng(&sections, filler_bytes);
        prop_assert_eq!(read(&file), whole(&expected));
    }

    #[test]
    fn the_pieces_it_comes_in_do_not_matter(
        frames in frames(),
        sizes in proptest::collection::vec(prop_oneof![1usize..40, 1_000usize..300_000], 1..6),
        modern in any::<bool>(),
    ) {
        let file = if modern {
            pcapng(&[(false, frames)], 700_000).0
        } else {
            PcapVariant { big: false, magic: PcapVariant::NANOSECONDS }.file(1, &frames)
        };
        let dribble = Dribble { bytes: file.clone(), at: 0, sizes, turn: 0 };
        prop_assert_eq!(drain(&mut open(dribble).unwrap()), read(&file));
    }

    #[test]
    fn packing_does_not_matter(frames in frames(), cut in 0usize..1_000_000) {
        let file = PcapVariant { big: true, magic: PcapVariant::NANOSECONDS }.file(1, &frames);
        let cut = cut % file.len();
        for packed in [gzip(&file), zstd(&file)] {
            prop_assert_eq!(read(&packed), whole(&frames));
        }
        // Two members, as appending writers and parallel compressors leave them.
        let (head, tail) = file.split_at(cut);
        for packed in [[gzip(head), gzip(tail)].concat(), [zstd(head), zstd(tail)].concat()] {
            prop_assert_eq!(read(&packed), whole(&frames));
        }
        // A skippable frame in front.
        let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3][..], &zstd(&file)].concat();
        prop_assert_eq!(read(&skippable), whole(&frames));
    }
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(Cursor::new(bytes), 1).unwrap()
}

#[test]
fn simple_packets_are_cut_by_the_snap_length_and_take_the_time_before() {
    let blocks = Blocks { big: false };
    let mut file = [blocks.section(), blocks.interface(1, 60, 9, 0)].concat();
    file.extend(blocks.simple(9, &[1; 9]));
    file.extend(blocks.enhanced(0, 77, 5, &[2; 5]));
    file.extend(blocks.simple(1_514, &[3; 60]));
    let frames = read(&file).frames;
    let seen: Vec<_> = frames
        .iter()
        .map(|frame| (frame.time_ns, frame.wire_bytes, frame.bytes.len()))
        .collect();
    assert_eq!(seen, [(0, 9, 9), (77, 5, 5), (77, 1_514, 60)]);
}

#[test]
fn a_section_forgets_the_interfaces_of_the_one_before() {
    let (little, big) = (Blocks { big: false }, Blocks { big: true });
    let mut file = [
        little.section(),
        little.interface(113, 0, 6, 0),
        little.enhanced(0, 1, 3, &[1; 3]),
    ]
    .concat();
    file.extend([big.section(), big.interface(1, 0, 9, 0), big.enhanced(0, 1, 3, &[2; 3])].concat());
    let frames = read(&file).frames;
    assert_eq!((frames[0].link, frames[0].time_ns), (113, 1_000));
    assert_eq!((frames[1].link, frames[1].time_ns), (1, 1));
}

#[test]
fn notes_of_the_capturing_host_do_not_count_as_wire_bytes() {
    let variant = PcapVariant {
        big: false,
        magic: PcapVariant::MICROSECONDS,
    };
    let mut sun_atm = frame(0, 60);
    sun_atm.wire_bytes = 100;
    let read = read(&variant.file(123, &[sun_atm])).frames;
    assert_eq!((read[0].wire_bytes, read[0].bytes.len()), (96, 60));
}

#[test]
fn files_without_a_packet_are_fine() {
    let variant = PcapVariant {
        big: false,
        magic: PcapVariant::NANOSECONDS,
    };
    let blocks = Blocks { big: true };
    let no_packet = [blocks.section(), blocks.interface(1, 0, 6, 0)].concat();
    for file in [Vec::new(), variant.header(1), no_packet] {
        assert_eq!(read(&file), whole(&[]));
    }
}

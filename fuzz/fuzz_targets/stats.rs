//! Arbitrary bytes as a capture file, the whole way: counted, decoded, tracked and detected, and every sum holds.
#![no_main]

use std::io::Cursor;
use std::sync::{Arc, OnceLock};

use balefire_capture::{Block, Fill, FileOptions, FileSource, Source};
use balefire_decode::{FragmentPlace, FragmentTable, decode, outermost, peek};
use balefire_detect::{Countries, Detector, Settings, Shared};
use balefire_pipeline::Census;
use balefire_track::{Arrival, Tracker};
use libfuzzer_sys::fuzz_target;

/// Blocks read of one input: a compressed bomb still ends in time.
const MOST_BLOCKS: usize = 8;

fn detection() -> &'static (Arc<Settings>, Arc<Shared>) {
    static DETECTION: OnceLock<(Arc<Settings>, Arc<Shared>)> = OnceLock::new();
    DETECTION.get_or_init(|| {
        let settings = Settings { score_internal: true, ..Settings::default() };
        let shared = Shared::new(Countries::embedded(), &settings);
        (Arc::new(settings), Arc::new(shared))
    })
}

fuzz_target!(|data: &[u8]| {
    let Ok(mut source) = FileSource::from_reader("fuzz".into(), Cursor::new(data.to_vec()), &FileOptions::default()) else {
        return;
    };
    let (settings, shared) = detection();
    let mut tracker = Tracker::new(balefire_track::Settings { connections: 64, ..balefire_track::Settings::default() });
    let mut detector = Detector::new(Arc::clone(settings), Arc::clone(shared), 0);
    let mut fragments = FragmentTable::new(16, 0);
    let mut census = Census::default();
    let mut block = Block::new();
    for _ in 0..MOST_BLOCKS {
        block.clear();
        let fill = source.fill(&mut block).expect("files end in damage, not in errors");
        for record in &block.frames {
            let frame = block.frame(record);
            census.add(frame);
            let _ = outermost(frame);
            let Ok(mut packet) = decode(frame) else { continue };
            assert_eq!(peek(frame), Some((packet.src, packet.dst)), "the dispatcher sees what the worker sees");
            if packet.fragment != FragmentPlace::Whole {
                fragments.resolve(&mut packet, record.time_ns);
            }
            let (time_ns, wire_bytes) = (record.time_ns, record.wire_bytes);
            tracker.batch(&[Arrival { time_ns, wire_bytes, packet, frame: frame.bytes }], &mut detector);
        }
        if fill == Fill::End {
            break;
        }
    }
    tracker.flush(&mut detector);
    let tracked = tracker.counters();
    assert_eq!(tracked.opened, tracked.closed(), "every connection that was opened is closed");
    let counts = census.counts();
    assert_eq!(counts.packets, counts.decoded + counts.rejects.values().sum::<u64>());
    let part = detector.close_hour();
    drop(part);
    let _ = detector.finish();
});

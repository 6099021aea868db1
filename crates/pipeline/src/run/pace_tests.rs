//! The same frames, as fast as they are read and with pauses in which every worker sleeps: nothing may depend on it.

use std::path::Path;
use std::time::Duration;

use balefire_capture::{Block, FileOptions, FileSource, Fill, FrameRecord};
use balefire_detect::{Countries, Limits};

use super::*;

/// Frames of a capture, a few to a block.
struct Paced {
    frames: std::vec::IntoIter<(FrameRecord, Vec<u8>)>,
    pause: Duration,
}

impl Paced {
    fn of(capture: &Path, pause: Duration) -> Self {
        let mut file = FileSource::open(&[capture.to_owned()], &FileOptions::default()).unwrap();
        let (mut block, mut frames) = (Block::new(), Vec::new());
        while file.fill(&mut block).unwrap() != Fill::End {
            let each = block.frames.iter();
            frames.extend(each.map(|record| (*record, block.frame(record).bytes.to_vec())));
            block.clear();
        }
        Self {
            frames: frames.into_iter(),
            pause,
        }
    }
}

impl Source for Paced {
    fn fill(&mut self, block: &mut Block) -> Result<Fill, CaptureError> {
        std::thread::sleep(self.pause);
        for (mut record, bytes) in self.frames.by_ref().take(20) {
            record.offset = block.bytes.len() as u32;
            block.bytes.extend_from_slice(&bytes);
            block.frames.push(record);
        }
        Ok(if block.frames.is_empty() {
            Fill::End
        } else {
            Fill::Frames
        })
    }

    fn counters(&self) -> SourceCounters {
        SourceCounters::default()
    }
}

struct Deaf;

impl Observer for Deaf {
    fn hour(&mut self, _hour: &Summary) -> Result<(), PipelineError> {
        Ok(())
    }

    fn tick(&mut self, _snapshot: &Snapshot) {}
}

/// With tables so small that what is worked off earlier or later evicts another entry.
fn read(pause: Duration, hash_seed: u64) -> Summary {
    let capture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../captures/office_day.pcap");
    let detect = Arc::new(balefire_detect::Settings {
        limits: Limits {
            hosts: 8,
            addresses: 8,
            pairs: 8,
            timelines: 8,
            names: 8,
        },
        hash_seed,
        ..balefire_detect::Settings::default()
    });
    let shared = Arc::new(Shared::new(Countries::embedded(), &detect));
    let settings = Settings {
        workers: 2,
        ..Settings::default()
    };
    let source = Box::new(Paced::of(&capture, pause));
    let outcome = run(source, &settings, &detect, &shared, &mut Deaf, &AtomicBool::new(false));
    outcome.unwrap().summary
}

#[test]
fn neither_pauses_nor_seeds_change_anything() {
    let fast = read(Duration::ZERO, 1);
    assert!(fast.accounting.evictions > 100, "{}", fast.accounting.evictions);
    assert_eq!(read(Duration::from_millis(2), 1), fast);
    assert_eq!(read(Duration::ZERO, 2), fast, "nor does the seed of the hashes");
}

//! Lists that are replaced while a run goes on: at a point of the input that is the same every time.

use std::net::Ipv4Addr;
use std::time::Duration;

use balefire_capture::{Block, Fill, FrameRecord};
use balefire_decode::LinkType;
use balefire_detect::{Class, Countries, IntelBuilder, Lists};

use super::*;
use crate::hours::HOUR_NS;

const T0: i64 = 1_700_000_000_000_000_000 / HOUR_NS * HOUR_NS;
const SERVER: [u8; 4] = [198, 51, 100, 7];

/// A SYN over Ethernet.
fn syn(from: [u8; 4], to: [u8; 4]) -> Vec<u8> {
    let mut frame = vec![0; 12];
    frame.extend([0x08, 0x00]);
    frame.extend([0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0]);
    frame.extend(from);
    frame.extend(to);
    frame.extend([
        0x9c, 0x40, 0x01, 0xbb, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x02, 0xff, 0xff, 0, 0, 0, 0,
    ]);
    frame
}

fn intel(text: &str) -> Lists {
    let mut builder = IntelBuilder::default();
    builder.add("list", text.as_bytes()).unwrap();
    Lists {
        intel: builder.build(),
        ..Lists::default()
    }
}

/// Time in nanoseconds, from, to.
type Contact = (i64, [u8; 4], [u8; 4]);

/// Blocks of contacts; before the block `at`, once an hour was reported, the list comes in force.
struct Swapping {
    blocks: Vec<Vec<Contact>>,
    next: usize,
    at: usize,
    shared: Arc<Shared>,
    hours: Arc<std::sync::atomic::AtomicU64>,
}

impl Source for Swapping {
    fn fill(&mut self, block: &mut Block) -> Result<Fill, CaptureError> {
        if self.next == self.at {
            while self.hours.load(Relaxed) == 0 {
                std::thread::sleep(Duration::from_millis(1));
            }
            self.shared.replace_lists(intel("198.51.100.0/24"));
        }
        let Some(frames) = self.blocks.get(self.next) else {
            return Ok(Fill::End);
        };
        self.next += 1;
        for (time_ns, from, to) in frames {
            let frame = syn(*from, *to);
            block.frames.push(FrameRecord {
                time_ns: *time_ns,
                offset: block.bytes.len() as u32,
                captured: frame.len() as u32,
                wire_bytes: frame.len() as u32,
                link: LinkType::ETHERNET,
                interface: 0,
            });
            block.bytes.extend_from_slice(&frame);
        }
        Ok(Fill::Frames)
    }

    fn counters(&self) -> SourceCounters {
        SourceCounters::default()
    }

    fn kernel_counters(&mut self) -> Option<KernelCounters> {
        None
    }

    fn is_live(&self) -> bool {
        false
    }
}

#[derive(Default)]
struct Hours(Vec<Summary>, Arc<std::sync::atomic::AtomicU64>, Snapshot);

impl Observer for Hours {
    fn hour(&mut self, hour: &Summary) -> Result<(), PipelineError> {
        self.0.push(hour.clone());
        self.1.fetch_add(1, Relaxed);
        Ok(())
    }

    fn tick(&mut self, snapshot: &Snapshot) {
        self.2 = snapshot.clone();
    }
}

fn swapped(workers: usize) -> (Vec<Summary>, Summary) {
    let detect = Arc::new(balefire_detect::Settings::default());
    let shared = Arc::new(Shared::new(Countries::embedded(), &detect));
    let mut hours = Hours::default();
    let other = [192, 0, 2, 1];
    let source = Swapping {
        blocks: vec![
            (1..9).map(|last| (T0 + 1, [10, 0, 0, last], SERVER)).collect(),
            // The first hour ends with these, which are not listed.
            (1..9).map(|last| (T0 + HOUR_NS + 1, [10, 0, 0, last], other)).collect(),
            vec![(T0 + HOUR_NS + 2, [10, 0, 0, 20], SERVER)],
        ],
        next: 0,
        at: 2,
        shared: Arc::clone(&shared),
        hours: Arc::clone(&hours.1),
    };
    let settings = Settings {
        workers,
        ..Settings::default()
    };
    let outcome = run(
        Box::new(source),
        &settings,
        &detect,
        &shared,
        &mut hours,
        &AtomicBool::new(false),
    )
    .unwrap();
    // The last snapshot knows the bytes of all hours, as rates are made of them.
    let wire_bytes = outcome.summary.accounting.wire_bytes;
    assert!(wire_bytes > 0);
    assert_eq!(hours.2.accounting.wire_bytes, wire_bytes);
    (hours.0, outcome.summary)
}

#[test]
fn what_was_seen_before_a_list_came_is_judged_by_it() {
    let (hours, whole) = swapped(1);
    assert_eq!(hours.len(), 2);
    assert!(
        hours[0].servers.is_empty(),
        "the list was not there yet: {:?}",
        hours[0].servers
    );
    let second = &hours[1].servers;
    assert_eq!((second.len(), second[0].class), (1, Class::Confirmed));
    assert_eq!(
        second[0].hosts,
        [Ipv4Addr::new(10, 0, 0, 20).into()].map(|ip: std::net::IpAddr| ip.into())
    );
    let servers = &whole.servers;
    assert_eq!(
        (servers.len(), servers[0].hosts.len()),
        (1, 9),
        "eight went there before"
    );
    let (again, all) = swapped(3);
    assert_eq!((again, all), (hours, whole), "for any number of workers");
}

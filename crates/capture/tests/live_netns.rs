//! A live source on one end of a virtual cable, in a network of the test's own.
//!
//! Needs root: the test runs itself again under `unshare --net`, so that the cable lives in a namespace that is gone with
//! the process. Without root it says SKIPPED and passes.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by its panic; helpers outside test functions too"
)]

use std::process::Command;
use std::time::{Duration, Instant};

use balefire_capture::{Block, CaptureError, Fill, LiveOptions, LiveSource, Source};
use pcap::{Active, Capture};

/// Set where the test runs inside its namespace: the name of the case.
const INSIDE: &str = "BALEFIRE_TEST_NAMESPACE";

/// Longer than any step takes, shorter than anybody's patience.
const DEADLINE: Duration = Duration::from_secs(20);

#[test]
fn everything_sent_is_received_in_order() {
    in_namespace("everything_sent_is_received_in_order", || {
        let mut source = open(&LiveOptions::default());
        let mut sender = sender();
        // More than several blocks, small ones and large ones.
        let sizes: Vec<usize> = (0..12_000).map(|turn| 60 + turn * 7 % 1_400).collect();
        let sent = sizes.len() as u64;
        let sending = {
            let sizes = sizes.clone();
            std::thread::spawn(move || {
                for (turn, size) in sizes.into_iter().enumerate() {
                    sender.sendpacket(frame(turn as u32, size)).unwrap();
                }
            })
        };
        let before = now_ns();
        let mut seen = Vec::new();
        let mut block = Block::new();
        let start = Instant::now();
        while seen.len() < sizes.len() && start.elapsed() < DEADLINE {
            source.fill(&mut block).unwrap();
            for record in &block.frames {
                let bytes = block.frame(record).bytes;
                let turn = u32::from_be_bytes(bytes[14..18].try_into().unwrap());
                assert_eq!(bytes, frame(turn, record.wire_bytes as usize));
                assert!((before - 1_000_000_000..now_ns() + 1_000_000_000).contains(&record.time_ns));
                seen.push((turn, record.wire_bytes as usize));
            }
        }
        sending.join().unwrap();
        let expected: Vec<_> = (0..).zip(sizes).collect();
        assert!(seen == expected, "{} of {sent} frames", seen.len());
        let kernel = source.kernel_counters().unwrap();
        assert_eq!(
            (kernel.received, kernel.dropped_kernel, kernel.dropped_interface),
            (sent, 0, 0)
        );
        assert_eq!(source.counters().frames, sent);
    });
}

#[test]
fn a_silent_interface_idles_and_stops() {
    in_namespace("a_silent_interface_idles_and_stops", || {
        let mut source = open(&LiveOptions::default());
        let mut block = Block::new();
        let start = Instant::now();
        assert_eq!(source.fill(&mut block).unwrap(), Fill::Idle);
        assert!(
            (90..1_000).contains(&start.elapsed().as_millis()),
            "{:?}",
            start.elapsed()
        );
        let stopper = source.stopper();
        let stopping = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(250));
            stopper.stop();
        });
        let start = Instant::now();
        while source.fill(&mut block).unwrap() != Fill::End {
            assert!(start.elapsed() < DEADLINE);
        }
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
        stopping.join().unwrap();
    });
}

#[test]
fn what_the_kernel_holds_at_the_stop_is_delivered() {
    in_namespace("what_the_kernel_holds_at_the_stop_is_delivered", || {
        let mut source = open(&LiveOptions::default());
        let mut sender = sender();
        for turn in 0..1_000 {
            sender.sendpacket(frame(turn, 100)).unwrap();
        }
        source.stopper().stop();
        let mut block = Block::new();
        let mut received = 0;
        loop {
            let fill = source.fill(&mut block).unwrap();
            received += block.frames.len();
            if fill == Fill::End {
                break;
            }
        }
        assert_eq!(received, 1_000);
    });
}

#[test]
fn filter_and_snap_length_work_in_the_kernel() {
    in_namespace("filter_and_snap_length_work_in_the_kernel", || {
        let options = LiveOptions {
            filter: Some("greater 500".to_owned()),
            snaplen_bytes: 96,
            ..LiveOptions::default()
        };
        let mut source = open(&options);
        let mut sender = sender();
        for size in [100, 600, 200, 700] {
            sender.sendpacket(frame(1, size)).unwrap();
        }
        source.stopper().stop();
        let mut block = Block::new();
        let mut sizes = Vec::new();
        while source.fill(&mut block).unwrap() != Fill::End {
            sizes.extend(block.frames.iter().map(|frame| (frame.captured, frame.wire_bytes)));
        }
        assert_eq!(sizes, [(96, 600), (96, 700)]);
        let wrong = LiveOptions {
            filter: Some("port port".to_owned()),
            ..LiveOptions::default()
        };
        assert!(matches!(
            LiveSource::open("tap0", &wrong),
            Err(CaptureError::Filter { .. })
        ));
    });
}

#[test]
fn an_interface_that_goes_away_is_an_error_after_its_last_frames() {
    in_namespace("an_interface_that_goes_away_is_an_error_after_its_last_frames", || {
        let mut source = open(&LiveOptions::default());
        run(&["ip", "link", "del", "tap0"]);
        let mut block = Block::new();
        let start = Instant::now();
        let error = loop {
            match source.fill(&mut block) {
                Ok(_) => assert!(start.elapsed() < DEADLINE),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, CaptureError::Interface { .. }));
        assert!(error.to_string().starts_with("tap0: "), "{error}");
    });
}

/// An Ethernet frame of a local experimental type (IEEE 802, 0x88b5) that carries its number.
fn frame(turn: u32, size: usize) -> Vec<u8> {
    let mut frame = vec![turn as u8; size];
    frame[..14].copy_from_slice(&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5]);
    frame[14..18].copy_from_slice(&turn.to_be_bytes());
    frame
}

fn open(options: &LiveOptions) -> LiveSource {
    LiveSource::open("tap0", options).unwrap()
}

fn sender() -> Capture<Active> {
    Capture::from_device("tap1").unwrap().open().unwrap()
}

fn now_ns() -> i64 {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    since.as_nanos() as i64
}

fn run(command: &[&str]) {
    let status = Command::new(command[0]).args(&command[1..]).status().unwrap();
    assert!(status.success(), "{command:?}");
}

/// Runs `case` in a namespace with a cable from `tap0` to `tap1`: this process if it is there, else a child.
fn in_namespace(name: &str, case: impl FnOnce()) {
    if std::env::var(INSIDE).is_ok_and(|inside| inside == name) {
        // The neighbour discovery of IPv6 would send frames of its own.
        for scope in ["all", "default"] {
            let _ = std::fs::write(format!("/proc/sys/net/ipv6/conf/{scope}/disable_ipv6"), "1");
        }
        run(&["ip", "link", "add", "tap0", "type", "veth", "peer", "name", "tap1"]);
        run(&["ip", "link", "set", "tap0", "up"]);
        run(&["ip", "link", "set", "tap1", "up"]);
        return case();
    }
    let probe = Command::new("unshare")
        .args(["--net", "ip", "link", "add", "tap0", "type", "veth"])
        .output();
    if !probe.is_ok_and(|probe| probe.status.success()) {
        eprintln!("SKIPPED {name}: needs root, unshare, ip and virtual cables");
        return;
    }
    let test = std::env::current_exe().unwrap();
    let status = Command::new("unshare")
        .arg("--net")
        .arg(test)
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, name)
        .status()
        .unwrap();
    assert!(status.success(), "{name} inside its namespace");
}

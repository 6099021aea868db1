//! Several inputs: their order, their counters, pipes, the filter.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use balefire_capture::{CaptureError, FileOptions, FileSource, Source};

use crate::forge::{Frame, PcapVariant, drain, frame};
use crate::formats::gzip;

const PCAP: PcapVariant = PcapVariant {
    big: false,
    magic: PcapVariant::NANOSECONDS,
};

fn open(inputs: &[PathBuf]) -> Result<FileSource, CaptureError> {
    FileSource::open(inputs, &FileOptions::default())
}

fn put(dir: &Path, name: &str, file: &[u8]) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, file).unwrap();
    path
}

fn times(frames: &[Frame]) -> Vec<i64> {
    frames.iter().map(|frame| frame.time_ns).collect()
}

#[test]
fn files_are_read_in_the_order_of_their_first_packets() {
    let dir = tempfile::tempdir().unwrap();
    let inputs = [
        put(dir.path(), "a.pcap", &PCAP.file(1, &[frame(30, 60), frame(31, 60)])),
        put(
            dir.path(),
            "b.pcap.gz",
            &gzip(&PCAP.file(1, &[frame(10, 60), frame(40, 60)])),
        ),
        put(dir.path(), "c.pcap", &PCAP.header(1)),
        put(dir.path(), "d.pcap", &PCAP.file(1, &[frame(20, 60)])),
    ];
    let mut source = open(&inputs).unwrap();
    let sizes: u64 = inputs.iter().map(|path| path.metadata().unwrap().len()).sum();
    assert_eq!(source.counters().input_bytes_total, sizes);
    let outcome = drain(&mut source);
    assert_eq!(times(&outcome.frames), [10, 40, 20, 30, 31]);
    assert_eq!(outcome.damage, []);
    assert_eq!(source.counters().input_bytes, sizes);

    // The folder they are in gives the same.
    assert_eq!(drain(&mut open(&[dir.path().to_path_buf()]).unwrap()), outcome);
}

#[test]
fn one_bad_input_of_several_is_damage_and_a_bad_input_alone_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let good = put(dir.path(), "good.pcap", &PCAP.file(1, &[frame(1, 60)]));
    let cut = put(
        dir.path(),
        "cut.pcap",
        &PCAP.file(1, &[frame(2, 60), frame(3, 60)])[..130],
    );
    let text = put(dir.path(), "text.pcap", b"hello");
    let outcome = drain(&mut open(&[text.clone(), cut.clone(), good]).unwrap());
    assert_eq!(times(&outcome.frames), [1, 2]);
    let seen: Vec<_> = outcome
        .damage
        .iter()
        .map(|damage| (&damage.path, damage.offset, damage.packets_kept))
        .collect();
    assert_eq!(seen, [(&text, 0, 0), (&cut, 100, 1)]);

    assert!(matches!(
        open(std::slice::from_ref(&text)),
        Err(CaptureError::NotACapture { .. })
    ));
    assert!(matches!(
        open(&[text.clone(), text]),
        Err(CaptureError::NotACapture { .. })
    ));
    assert!(matches!(
        open(&[dir.path().join("none.pcap")]),
        Err(CaptureError::Io { .. })
    ));
    assert!(matches!(
        open(&[cut, dir.path().join("none.pcap")]),
        Err(CaptureError::Io { .. })
    ));
}

#[test]
fn the_filter_leaves_out_and_counts() {
    let mut udp = frame(1, 60);
    udp.bytes[12..14].copy_from_slice(&[8, 0]);
    udp.bytes[14] = 0x45;
    udp.bytes[20..24].copy_from_slice(&[0, 0, 64, 17]);
    let mut raw = udp.clone();
    raw.bytes.drain(..14);
    let dir = tempfile::tempdir().unwrap();
    let inputs = [
        put(
            dir.path(),
            "ethernet.pcap",
            &PCAP.file(1, &[frame(0, 60), udp.clone(), frame(2, 60)]),
        ),
        put(dir.path(), "raw.pcap", &PCAP.file(101, &[raw])),
    ];
    let with = |expression: &str| {
        FileSource::open(
            &inputs,
            &FileOptions {
                filter: Some(expression.to_owned()),
            },
        )
    };
    let mut source = with("udp").unwrap();
    assert_eq!(drain(&mut source).frames.len(), 2);
    assert_eq!(source.counters().filtered, 2);
    // An expression that means nothing on a link type lets none of its frames through.
    let mut source = with("not ether host 1:2:3:4:5:6").unwrap();
    assert_eq!(drain(&mut source).frames.len(), 3);
    assert_eq!(source.counters().filtered, 1);
    let error = with("udp and and").unwrap_err().to_string();
    assert!(error.starts_with("filter \"udp and and\": "), "{error}");
}

#[test]
fn a_fifo_is_read_like_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let frames: Vec<_> = (0..5_000).map(|turn| frame(turn, 300)).collect();
    let file = PCAP.file(1, &frames);
    let writer = {
        let path = path.clone();
        std::thread::spawn(move || fs::write(path, file).unwrap())
    };
    let mut source = open(&[path]).unwrap();
    assert_eq!(source.counters().input_bytes_total, 0);
    let outcome = drain(&mut source);
    writer.join().unwrap();
    assert!(outcome.frames == frames);
    assert_eq!(outcome.damage, []);
}

/// The test binary runs itself with a file on its standard input: see [`standard_input_is_read_like_a_file`].
const INNER: &str = "BALEFIRE_TEST_STDIN_FRAMES";

#[test]
fn standard_input_is_read_like_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let frames: Vec<_> = (0..5_000).map(|turn| frame(turn, 300)).collect();
    let plain = put(dir.path(), "plain.pcap", &PCAP.file(1, &frames));
    let packed = put(dir.path(), "packed.pcap.gz", &gzip(&PCAP.file(1, &frames)));
    let inner = || {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "inputs::standard_input_inner"])
            .env(INNER, "5000")
            .stdout(Stdio::null());
        command
    };
    for path in [plain, packed] {
        // Redirected, then through a pipe.
        assert!(
            inner()
                .stdin(fs::File::open(&path).unwrap())
                .status()
                .unwrap()
                .success()
        );
        let mut child = inner().stdin(Stdio::piped()).spawn().unwrap();
        let mut pipe = child.stdin.take().unwrap();
        std::io::copy(&mut fs::File::open(&path).unwrap(), &mut pipe).unwrap();
        drop(pipe);
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn standard_input_inner() {
    let Ok(expected) = std::env::var(INNER) else { return };
    let outcome = drain(&mut open(&["-".into()]).unwrap());
    assert_eq!(outcome.frames.len().to_string(), expected);
    assert_eq!(outcome.damage, []);
}

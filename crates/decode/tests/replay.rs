//! Replays every stored fuzz input without a fuzzer: seeds by what they hold, and each frame that once broke something.

mod support;

use std::path::Path;

use balefire_decode::decode;
use support::check::{check, frame_of};

/// Names that a fuzzer gives (40 hex digits) say nothing of what the input holds; ours do.
fn is_named_by_content(name: &str) -> bool {
    name.len() != 40 || !name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[test]
fn seeds_hold() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/decode");
    let mut seeds = 0;
    for file in std::fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        let input = std::fs::read(&path).unwrap();
        let Some(frame) = frame_of(&input) else { continue };
        check(frame);
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if is_named_by_content(&name) {
            let decoded = decode(frame);
            assert_eq!(decoded.is_ok(), name != "ethernet_arp", "{name}: {decoded:?}");
            seeds += 1;
        }
    }
    assert!(seeds > 60, "only {seeds} seeds in {}", folder.display());
}

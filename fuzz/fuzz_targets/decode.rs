//! Any frame of any link type: no panic, fast path = honest path, peek = decode, lengths inside the frame.
#![no_main]

#[path = "../../crates/decode/tests/support/check.rs"]
mod check;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Some(frame) = check::frame_of(input) {
        check::check(frame);
    }
});

//! Arbitrary bytes as a connection log, line by line: every line is an entry, unused, a header or a fault that says why.
#![no_main]

use balefire_track::log::{Line, Parser, is_text};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = is_text(data);
    let mut parser = Parser::new();
    for line in data.split_inclusive(|&byte| byte == b'\n') {
        match parser.line(line) {
            // The header is none: nobody reads on.
            Err(fault) => {
                assert!(!fault.to_string().is_empty());
                return;
            }
            Ok(Line::Fault(fault)) => assert!(!fault.to_string().is_empty()),
            Ok(Line::Entry(_) | Line::Unused | Line::Header) => {}
        }
    }
    let _ = parser.is_known();
});

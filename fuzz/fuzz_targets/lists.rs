//! Arbitrary bytes as a list of threat intelligence: it ends, what is counted is there, and no line is lost without a word.
#![no_main]

use balefire_detect::IntelBuilder;
use libfuzzer_sys::fuzz_target;

/// Few, so that the limit is met too.
const LIMIT: usize = 64;

fuzz_target!(|data: &[u8]| {
    let mut builder = IntelBuilder::new(LIMIT);
    let Ok(report) = builder.add("fuzz", data) else {
        assert_eq!(builder.build().lists().len(), 0, "a list without anything is none");
        return;
    };
    assert!(report.first_faults.len() as u64 <= report.faults);
    for fault in &report.first_faults {
        assert!(fault.place > 0 && fault.text.chars().count() <= 60 && !fault.to_string().is_empty());
    }
    let intel = builder.build();
    assert!(report.indicators > 0 && report.indicators <= LIMIT as u64);
    assert_eq!(intel.indicators(), report.indicators);
    assert_eq!(intel.lists()[0].indicators, report.indicators);
});

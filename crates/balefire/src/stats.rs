//! `balefire stats`: only counts, nothing is tracked or scored.
//!
//! In: capture files. Out: one JSON object, the last line of standard output, as README.md describes it. Not its job: counting (`pipeline::Census`).

use std::collections::BTreeMap;

use balefire_capture::{Block, Fill, Source};
use balefire_pipeline::{Census, Counts};
use balefire_report::clean;
use serde::Serialize;

use crate::exit::{Exit, Failure};
use crate::flags::StatsFlags;
use crate::{output, read};

pub(crate) fn run(flags: &StatsFlags) -> Result<Exit, Failure> {
    let mut source = read::open(&flags.captures, flags.filter.as_deref().unwrap_or_default())?;
    let mut census = Census::default();
    let mut block = Block::new();
    loop {
        block.clear();
        let fill = source
            .fill(&mut block)
            .map_err(|error| Failure::failed(error.to_string()))?;
        for record in &block.frames {
            census.add(block.frame(record));
        }
        if fill == Fill::End {
            break;
        }
    }
    let text = serde_json::to_string(&Document::new(&census.counts(), source.counters().filtered));
    output::print(&(text.map_err(|error| Failure::failed(error.to_string()))? + "\n"))?;
    for damage in source.damage() {
        output::complain(&clean(&damage.to_string()));
    }
    Ok(if source.damage().is_empty() {
        Exit::Done
    } else {
        Exit::Damaged
    })
}

/// The object that is printed.
#[derive(Debug, Serialize)]
struct Document<'a> {
    packets: u64,
    bytes: u64,
    ipv4: u64,
    ipv6: u64,
    tcp: u64,
    udp: u64,
    pairs_ipv4: u64,
    pairs_ipv6: u64,
    pairs_complete: bool,
    filtered: u64,
    decoded: u64,
    rejects: &'a BTreeMap<&'static str, u64>,
}

impl<'a> Document<'a> {
    fn new(counts: &'a Counts, filtered: u64) -> Self {
        let Counts {
            packets,
            bytes,
            ipv4,
            ipv6,
            tcp,
            udp,
            pairs_ipv4,
            pairs_ipv6,
            pairs_complete,
            decoded,
            ref rejects,
        } = *counts;
        Self {
            packets,
            bytes,
            ipv4,
            ipv6,
            tcp,
            udp,
            pairs_ipv4,
            pairs_ipv6,
            pairs_complete,
            filtered,
            decoded,
            rejects,
        }
    }
}

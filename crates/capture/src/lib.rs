//! Frames in: fills [`Block`]s with frames from a live interface, capture files or a seeded generator.
//!
//! In: an interface name, paths, standard input, or a seed. Out: blocks of up to [`BLOCK_BYTES`] with one [`FrameRecord`]
//! per frame, damage reports, and the kernel's own loss counters. Not its job: reading the frames' bytes (that is
//! `decode`'s), threads and queues (that is `pipeline`'s).

mod block;
mod fanout;
mod file;
mod interfaces;
mod link;
mod live;
mod source;
pub mod synthetic;
mod writer;

pub use block::{BLOCK_BYTES, Block, FrameRecord, MAX_FRAME_BYTES};
pub use file::{FileOptions, FileSource, Input, expand};
pub use interfaces::{InterfaceAddress, InterfaceReport, interface_addresses, interfaces};
pub use live::{LiveOptions, LiveSource, LiveStopper};
pub use source::{CaptureError, Damage, Fill, Gap, KernelCounters, Source, SourceCounters};
pub use writer::PcapWriter;

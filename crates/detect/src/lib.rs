//! Events to evidence to findings: keeps timelines of (host, server) pairs, scores them, names control servers and counts
//! by hosting country.
//!
//! In: a worker's connection events (as `track`'s `Sink`). Out: a mergeable [`Part`] per hour and per run, which
//! concludes into a [`Summary`]. Not its job: packets, threads, files, clocks, text: `track` makes the events, `pipeline`
//! calls and merges, `report` prints.

mod home;
mod settings;
mod summary;
mod timeline;
mod timing;

pub use balefire_decode::{Address, Reject, Transport};
pub use home::{Home, NetworkError, Role};
pub use settings::{Limits, Settings, Thresholds};
pub use summary::{
    Accounting, Class, ControlServer, Country, CountryRow, CountrySource, Evidence, EvidenceKind, Period, PeriodKind,
    QueueDrops, ScorePart, Summary, TimelineRow, Totals,
};
pub use timeline::{BINS_PER_OCTAVE, COLLAPSE_NS, INTERVAL_BINS, Timeline};
pub use timing::{
    BASE_RATE, LEAST_CHECK_INS, MEASURES, PARTS, Shape, TIMING_PARTS, Timing, TimingPart, score_timing, shape,
};

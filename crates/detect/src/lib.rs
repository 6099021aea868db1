//! Events to evidence to findings: keeps timelines of (host, server) pairs, scores them, names control servers and counts
//! by hosting country.
//!
//! In: a worker's connection events (as `track`'s `Sink`). Out: a mergeable [`Part`] per hour and per run, which
//! concludes into a [`Summary`]. Not its job: packets, threads, files, clocks, text: `track` makes the events, `pipeline`
//! calls and merges, `report` prints.

mod allow;
mod around;
mod asked;
mod beside;
mod candidate;
mod channels;
mod check_in;
mod clients;
mod conclude;
mod confirm;
mod context;
mod countries;
mod detector;
mod dns;
mod echo;
mod explain;
mod group;
mod hash;
mod home;
mod innocent;
mod intake;
mod intel;
mod joined;
mod key;
mod lasting;
mod ledger;
mod lists;
mod look_back;
mod names;
mod part;
mod questions;
mod readings;
mod resolved;
mod score;
mod seen;
mod settings;
mod shared;
mod sighted;
mod sketched;
mod slab;
mod standing;
mod state;
mod summary;
mod table;
mod texts;
mod timeline;
mod timing;
mod traffic;
mod traits;
mod tunnel;

pub use allow::{AllowError, AllowFields, AllowRule, Allowed, AllowedRule, Allowlist};
pub use asked::{Asked, MOST_ASKED};
pub use balefire_decode::{Address, Reject, Transport};
pub use balefire_track::Protocol;
pub use countries::{Countries, CountriesError, EMBEDDED_NOTICE};
pub use detector::{Detector, Gauges};
pub use home::{Home, NetworkError, Role};
pub use intel::{
    IndicatorMatch, Intel, IntelBuilder, IntelList, ListError, ListFault, ListFormat, ListReport, MOST_INDICATORS,
    Refusal,
};
pub use lists::Lists;
pub use part::Part;
pub use settings::{Limits, Settings, Thresholds};
pub use shared::Shared;
pub use state::{Section, State, StateError};
pub use summary::{
    Accounting, Class, Contact, ControlServer, Country, CountryRow, CountrySource, Evidence, EvidenceKind, Flow, Gap,
    IntelSign, Period, PeriodKind, QueueDrops, ScorePart, Summary, TimelineRow, Totals,
};
pub use timeline::{BINS_PER_OCTAVE, COLLAPSE_NS, INTERVAL_BINS, Timeline};
pub use timing::{
    BASE_RATE, CHEAP_MEASURES, LEAST_CHECK_INS, MEASURES, PARTS, Shape, TIMING_PARTS, Timing, TimingPart, score_timing,
    shape,
};
pub use traits::{ServerCertificate, Traits};

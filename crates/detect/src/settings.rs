//! What the detector can be told. Plain values; files and flags are the program's business.

use crate::Home;

/// Everything the detector can be told.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Networks behind the tap.
    pub home: Home,
    /// ISO 3166 code of the country that counts as home; servers elsewhere are abroad.
    pub home_country: Option<[u8; 2]>,
    /// Score conversations between two inside addresses as well.
    pub score_internal: bool,
    /// Scores at which a server gets its class.
    pub thresholds: Thresholds,
    /// Table sizes.
    pub limits: Limits,
    /// Seed of the hash tables: keys are chosen by attackers, so it is drawn anew for every run. It changes no result.
    pub hash_seed: u64,
}

impl Settings {
    /// The same, with other thresholds.
    pub(crate) fn with_thresholds(&self, thresholds: Thresholds) -> Self {
        Self {
            thresholds,
            ..self.clone()
        }
    }
}

/// Scores (0 to 1) at which a server gets its class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    /// At least this: suspected.
    pub suspected: f64,
    /// At least this: probable.
    pub probable: f64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            suspected: 0.5,
            probable: 0.9,
        }
    }
}

/// Largest table sizes per worker; reaching one evicts the coldest entry and counts it ([`crate::Gauges`]).
///
/// Memory with its place in the index, when the table is full: 48 bytes per host, 32 per destination, 32 per pair, 710 per
/// timeline, about 90 per name (at most 310), and beside them 72 for a quarter as many addresses given by DNS as names, 90 for an
/// eighth as many networks as pairs, 1,200 for each of the long connections, groups and domains asked below of, of which there
/// may be a sixteenth as many as timelines, and for a quarter of that of pinged addresses. With the defaults 0.5 GB per worker, taken
/// only as the tables fill; indexes have their full size, 50 MB, once some ten thousand entries are in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Inside hosts.
    pub hosts: usize,
    /// Destinations: outside addresses with port and transport, and names.
    pub addresses: usize,
    /// Pairs of (host, server) seen once or twice.
    pub pairs: usize,
    /// Timelines of repeating pairs.
    pub timelines: usize,
    /// Distinct names.
    pub names: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            hosts: 1 << 20,
            addresses: 1 << 20,
            pairs: 1 << 21,
            timelines: 1 << 18,
            names: 1 << 18,
        }
    }
}

//! One number for the memory of a run, divided among the tables of its workers.
//!
//! In: the cap in bytes, how many workers, how long their queues. Out: [`TableLimits`], or how much is needed at least. Not
//! its job: keeping to them: each table evicts at its own limit and counts it.
//!
//! The split: first what does not depend on traffic ([`PROGRAM_BYTES`], and the blocks that wait for workers), then the rest
//! in equal parts to the workers. Of a worker's part a quarter ([`PARTS_SHARE`]) stays free for what is taken out of the
//! tables when an hour or the run ends (candidates, names, countries), and three quarters are tables, by [`SHARES`].

use balefire_capture::BLOCK_BYTES;
use balefire_detect::Limits;

/// The program with its built-in countries, its threads' stacks and the console: an empty run was measured at 22 MB.
const PROGRAM_BYTES: u64 = 32 << 20;
/// A block with its list of frames and the workers' lists of them: of 64 B frames a block holds 13,000, at 24 B and 80 B.
const BLOCK_COST_BYTES: u64 = BLOCK_BYTES as u64 + (1_536 << 10);
/// Buffers for hellos that span segments, 4 KiB each and some more.
const PAYLOAD_BUFFER_BYTES: u64 = 4_300;
/// Part of a worker's share that stays free for the ends of hours, in hundredths.
const PARTS_SHARE: u64 = 25;

/// What an entry costs at the most, with its part of an index, and its part of a worker's tables in hundredths. A connection
/// is 152 B in the connection table, up to 13 B in its index, and about 72 B in the detector where it is followed. The
/// detector's own figures are those of [`Limits`]; a timeline's has a sixteenth of a domain asked below of with it, a
/// name's a quarter of an address given by DNS.
const SHARES: [Share; 7] = [
    Share::of(Table::Connections, 240, 34),
    Share::of(Table::PayloadBuffers, PAYLOAD_BUFFER_BYTES, 2),
    Share::of(Table::Hosts, 58, 8),
    Share::of(Table::Addresses, 74, 10),
    Share::of(Table::Pairs, 58, 13),
    Share::of(Table::Timelines, 730 + 860 / 16, 26),
    Share::of(Table::Names, 120 + 90 / 4, 7),
];

/// Fewer entries than this make no detector: beacons would go before their third check-in.
const FEWEST_ENTRIES: u64 = 1_024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Table {
    Connections,
    PayloadBuffers,
    Hosts,
    Addresses,
    Pairs,
    Timelines,
    Names,
}

#[derive(Clone, Copy, Debug)]
struct Share {
    table: Table,
    entry_bytes: u64,
    hundredths: u64,
}

impl Share {
    const fn of(table: Table, entry_bytes: u64, hundredths: u64) -> Self {
        Self {
            table,
            entry_bytes,
            hundredths,
        }
    }
}

/// The limits of one worker's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableLimits {
    /// Live connections.
    pub connections: usize,
    /// Buffers for application data that spans segments.
    pub payload_buffers: usize,
    /// The detector's tables.
    pub detect: Limits,
}

impl TableLimits {
    /// The cap where the operator names none, for each worker: with one, a million connections, hosts and destinations and
    /// a quarter of a million timelines. It is what a table may grow to, not what is taken.
    pub const DEFAULT_BYTES_PER_WORKER: u64 = 1 << 30;

    /// The limits with which a run of so many workers, with so many blocks waiting for each, stays within `bytes`.
    ///
    /// # Errors
    /// The fewest bytes that are enough.
    pub fn within(bytes: u64, workers: usize, queue_blocks: usize) -> Result<Self, u64> {
        let workers = workers.max(1) as u64;
        // As many blocks as the pool has, see `pool::BlockPool`.
        let blocks = workers * (queue_blocks.max(1) as u64 + 1) + 1;
        let fixed = PROGRAM_BYTES + blocks * BLOCK_COST_BYTES;
        let fewest = fixed + workers * Self::fewest_bytes();
        if bytes < fewest {
            return Err(fewest);
        }
        let tables = (bytes - fixed) / workers / 100 * (100 - PARTS_SHARE);
        let entries = |table: Table| {
            let share = SHARES.iter().find(|share| share.table == table);
            share.map_or(0, |share| {
                (tables / 100 * share.hundredths / share.entry_bytes) as usize
            })
        };
        Ok(Self {
            connections: entries(Table::Connections).min(balefire_track::Settings::MOST_CONNECTIONS),
            payload_buffers: entries(Table::PayloadBuffers).min(balefire_track::Settings::default().payload_buffers),
            detect: Limits {
                hosts: entries(Table::Hosts),
                addresses: entries(Table::Addresses),
                pairs: entries(Table::Pairs),
                timelines: entries(Table::Timelines),
                names: entries(Table::Names),
            },
        })
    }

    /// What a worker needs for [`FEWEST_ENTRIES`] in its scarcest table of the detector.
    fn fewest_bytes() -> u64 {
        let needs = SHARES.iter().filter(|share| share.table != Table::PayloadBuffers);
        let needs = needs.map(|share| FEWEST_ENTRIES * share.entry_bytes * 100 / share.hundredths);
        // Rounding in the shares, twice by a hundredth, must not take the last entry.
        needs.max().unwrap_or(0) * 100 / (100 - PARTS_SHARE) + (64 << 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_are_a_whole() {
        assert_eq!(SHARES.iter().map(|share| share.hundredths).sum::<u64>(), 100);
    }

    #[test]
    fn the_tables_fit_into_what_they_are_derived_from() {
        for (bytes, workers, queue_blocks) in [
            (128 << 20, 1, 16),
            (1 << 30, 1, 16),
            (4 << 30, 7, 64),
            (64 << 30, 32, 16),
        ] {
            let limits = TableLimits::within(bytes, workers, queue_blocks).unwrap();
            let detect = limits.detect;
            let tables = limits.connections * 240
                + limits.payload_buffers * 4_300
                + detect.hosts * 58
                + detect.addresses * 74
                + detect.pairs * 58
                + detect.timelines * 784
                + detect.names * 143;
            let all = tables * workers + (workers * (queue_blocks + 1) + 1) * BLOCK_COST_BYTES as usize;
            assert!((all as u64) < bytes, "{all} of {bytes}: {limits:?}");
            // And most of it is given out, but for what no index can number.
            assert!(all as u64 > bytes / 2 || limits.connections == balefire_track::Settings::MOST_CONNECTIONS);
        }
    }

    #[test]
    fn too_little_says_how_much_is_enough() {
        let fewest = TableLimits::within(1, 2, 16).unwrap_err();
        let limits = TableLimits::within(fewest, 2, 16).unwrap();
        let detect = limits.detect;
        let counts = [
            limits.connections,
            detect.hosts,
            detect.addresses,
            detect.pairs,
            detect.timelines,
            detect.names,
        ];
        assert!(counts.iter().all(|entries| *entries >= 1_024), "{limits:?}");
        assert_eq!(TableLimits::within(fewest - 1, 2, 16), Err(fewest));
    }
}

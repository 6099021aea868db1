//! What the tracker counts: every connection's end and every limit it met, one name and one writer each.

use crate::Class;

/// Running totals of one [`crate::Tracker`]. `opened = live + closed()` at every moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets given to the tracker.
    pub packets: u64,
    /// Connections now in the table, finished ones that linger included.
    pub live: u64,
    /// Most connections there were at once.
    pub peak: u64,
    /// Connections begun.
    pub opened: u64,
    /// Of those, begun in the middle: the first packet was not seen.
    pub mid_stream: u64,
    /// Closed after TCP's own end.
    pub ended: u64,
    /// Closed by silence.
    pub timed_out: u64,
    /// Closed because a new connection came with the same addresses and ports.
    pub reused: u64,
    /// Closed by the end of the run.
    pub flushed: u64,
    /// Closed to make room, by [`Class`] in the order of [`Class::ALL`]. `Class::Ended` stays 0: those count as `ended`.
    pub evicted_by_class: [u64; Class::ALL.len()],
    /// Payload buffers taken over from an older connection because all were in use; its later facts are lost.
    pub buffers_taken_over: u64,
    /// Connections whose application data was not looked at to the end: larger than a buffer or in too many pieces.
    pub payloads_abandoned: u64,
    /// Names longer than 253 characters, of which the right end was kept.
    pub names_truncated: u64,
    /// Other texts longer than is kept of their kind (paths, user agents, names in certificates), cut at the right end.
    pub texts_truncated: u64,
    /// Packets older than the newest before them; taken at the time of their connection's newest packet.
    pub late: u64,
    /// TCP packets without payload that only end a connection no longer known: they open none and are told to nobody.
    pub stragglers: u64,
    /// Times the newest packet time proved wrong, by too many packets far behind it, and all began anew.
    pub clock_resets: u64,
}

impl Counters {
    /// Connections closed, for whatever reason.
    pub fn closed(&self) -> u64 {
        self.ended + self.timed_out + self.reused + self.flushed + self.evicted()
    }

    /// Connections closed to make room.
    pub fn evicted(&self) -> u64 {
        self.evicted_by_class.iter().sum()
    }

    /// Connections of `class` closed to make room.
    pub const fn evicted_of(&self, class: Class) -> u64 {
        self.evicted_by_class[class as usize]
    }
}

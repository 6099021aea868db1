//! Puts entries in order of time with bounded memory: logs are written as connections end, and are wanted as they begin.

use super::entry::{Entry, EntryKind};

/// Entries held for sorting. A log of at most this many lines is put in order exactly; of a longer one, a line that comes
/// up to half as many lines too late. At 152 bytes each (texts apart) and half as much again while sorting that is 228 MiB
/// at most: a network of 300 connections a second is then sorted over half an hour.
pub const HELD_ENTRIES: usize = 1 << 20;

/// The sorting window.
#[derive(Debug)]
pub struct Window {
    held: Vec<Entry>,
    limit: usize,
}

impl Window {
    /// A window of at most `limit` entries, at least 2.
    pub fn new(limit: usize) -> Self {
        Self {
            held: Vec::new(),
            limit: limit.max(2),
        }
    }

    /// Takes an entry. Of the same time connections come first, then the order of arrival decides.
    #[inline]
    pub fn push(&mut self, entry: Entry) {
        self.held.push(entry);
    }

    /// Whether [`Window::release`] must be called before the next entry.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.held.len() >= self.limit
    }

    /// Gives out the older half, in order.
    pub fn release(&mut self) -> impl Iterator<Item = Entry> + '_ {
        self.sort();
        self.held.drain(..self.limit / 2)
    }

    /// Gives out all that is left, in order.
    pub fn finish(mut self) -> impl Iterator<Item = Entry> {
        self.sort();
        self.held.into_iter()
    }

    fn sort(&mut self) {
        // Stable, and linear for what is in order already, as the half kept from the last time is. A DNS query has the
        // time of its connection: the connection comes first.
        let inside = |entry: &Entry| !matches!(entry.kind, EntryKind::Connection(_));
        self.held.sort_by_key(|entry| (entry.time_ns, inside(entry)));
    }
}

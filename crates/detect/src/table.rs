//! A table with a limit: entries in a ring, `track`'s [`Index`] in front, the oldest evicted first.
//!
//! In: entries with their hash. Out: slots, and what had to go. Not its job: what the entries mean.
//!
//! Slots are stable while an entry lives. Eviction is O(1): a hand goes round the ring, passes over at most
//! [`LOOKED_AT`] entries that ask for a second chance, and takes the next.

use balefire_track::index::Index;
use balefire_track::prefetch::fetch;

use crate::slab::Slab;

/// Entries the hand may pass over before it takes one all the same.
const LOOKED_AT: usize = 8;

/// What a table holds.
pub(crate) trait Entry {
    /// Its hash, kept in the entry.
    fn hash(&self) -> u64;

    /// Asked when it is about to be evicted: true if it deserves to stay for one more round. Must turn false by itself,
    /// so that a cold entry goes in the round after.
    fn second_chance(&mut self) -> bool {
        false
    }

    /// Whether entries can be held: the table then has room for twice its limit.
    const HOLDS: bool = false;

    /// Somebody holds its slot: it cannot go. The table may grow to twice its limit around held entries.
    fn is_held(&self) -> bool {
        false
    }
}

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct Table<E> {
    index: Index,
    entries: Slab<Option<E>>,
    limit: usize,
    hand: u32,
    live: usize,
    evicted: u64,
}

impl<E: Entry> Table<E> {
    pub(crate) fn new(limit: usize) -> Self {
        let limit = limit.max(1);
        Self {
            index: Index::new(limit * (1 + usize::from(E::HOLDS))),
            entries: Slab::new(),
            limit,
            hand: 0,
            live: 0,
            evicted: 0,
        }
    }

    #[inline]
    pub(crate) fn find(&self, hash: u64, mut is: impl FnMut(&E) -> bool) -> Option<u32> {
        self.index.find(hash, |slot| self.at(slot).is_some_and(&mut is))
    }

    #[inline]
    pub(crate) fn at(&self, slot: u32) -> Option<&E> {
        self.entries.get(slot).and_then(Option::as_ref)
    }

    #[inline]
    pub(crate) fn at_mut(&mut self, slot: u32) -> Option<&mut E> {
        self.entries.get_mut(slot).and_then(Option::as_mut)
    }

    /// First of two steps that bring an entry into the cache before it is needed: asks for its line of the index.
    #[inline]
    pub(crate) fn prefetch_index(&self, hash: u64) {
        self.index.prefetch(hash);
    }

    /// Second step, when that line has come: asks for the entry it names first.
    #[inline]
    pub(crate) fn prefetch_entry(&self, hash: u64) {
        let entry = self.index.candidate(hash).and_then(|slot| self.entries.get(slot));
        entry.map(fetch);
    }

    /// Asks for the entry in a slot that is known.
    #[inline]
    pub(crate) fn prefetch_slot(&self, slot: u32) {
        self.entries.get(slot).map(fetch);
    }

    /// Adds an entry that is not in yet; evicts one if the table is full, and gives it back.
    #[inline]
    pub(crate) fn insert(&mut self, entry: E) -> (u32, Option<E>) {
        let hash = entry.hash();
        let (free, evicted) = self.free();
        let slot = match free {
            Some(slot) => {
                if let Some(place) = self.entries.get_mut(slot) {
                    *place = Some(entry);
                }
                slot
            }
            None => self.entries.push(Some(entry)),
        };
        let entries = &self.entries;
        self.index.insert(hash, slot, |slot| {
            entries.get(slot).and_then(Option::as_ref).map_or(0, Entry::hash)
        });
        self.live += 1;
        (slot, evicted)
    }

    /// Takes an entry out.
    #[inline]
    pub(crate) fn remove(&mut self, slot: u32) -> Option<E> {
        let entry = self.entries.get_mut(slot).and_then(Option::take)?;
        self.index.remove(entry.hash(), slot);
        self.live -= 1;
        Some(entry)
    }

    /// All entries, in the order of slots.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &E> {
        self.entries.iter().flatten()
    }

    pub(crate) fn len(&self) -> usize {
        self.live
    }

    /// Every slot is below this.
    pub(crate) fn slots(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Memory of index and entries, without what entries own on the heap.
    pub(crate) fn bytes(&self) -> usize {
        self.index.bytes() + self.entries.bytes()
    }

    /// A slot to be filled, and what was in it; none if the ring may still grow.
    #[inline]
    fn free(&mut self) -> (Option<u32>, Option<E>) {
        if self.entries.len() < self.limit {
            return (None, None);
        }
        let mut passed = 0;
        loop {
            let slot = self.hand;
            self.hand = if self.hand as usize + 1 >= self.entries.len() {
                0
            } else {
                self.hand + 1
            };
            let Some(entry) = self.at_mut(slot) else {
                return (Some(slot), None);
            };
            passed += 1;
            let last = passed > LOOKED_AT;
            if entry.is_held() {
                // Fewer entries are held than the limit, so at twice the limit half of them can go.
                if last && self.entries.len() < 2 * self.limit {
                    return (None, None);
                }
            } else if last || !entry.second_chance() {
                self.evicted += 1;
                return (Some(slot), self.remove(slot));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Thing {
        hash: u64,
        again: bool,
        held: bool,
    }

    impl Entry for Thing {
        const HOLDS: bool = true;

        fn hash(&self) -> u64 {
            self.hash
        }
        fn second_chance(&mut self) -> bool {
            std::mem::take(&mut self.again)
        }
        fn is_held(&self) -> bool {
            self.held
        }
    }

    fn thing(number: u64) -> Thing {
        Thing {
            hash: number << 32 | number,
            again: false,
            held: false,
        }
    }

    fn holds(table: &Table<Thing>, number: u64) -> bool {
        table
            .find(thing(number).hash, |found| found.hash == thing(number).hash)
            .is_some()
    }

    #[test]
    fn the_oldest_goes_first_and_is_counted() {
        let mut table = Table::new(4);
        let gone: Vec<_> = (1..=6).map(|number| table.insert(thing(number)).1).collect();
        assert_eq!(gone[3..], [None, Some(thing(1)), Some(thing(2))]);
        assert_eq!((table.len(), table.evicted()), (4, 2));
        assert!(!holds(&table, 1) && !holds(&table, 2) && holds(&table, 3) && holds(&table, 6));
    }

    #[test]
    fn a_second_chance_is_one_round() {
        let mut table = Table::new(3);
        table.insert(Thing {
            again: true,
            ..thing(1)
        });
        table.insert(thing(2));
        table.insert(thing(3));
        table.insert(thing(4));
        assert!(holds(&table, 1) && !holds(&table, 2));
        table.insert(thing(5));
        table.insert(thing(6));
        assert!(!holds(&table, 1), "kept for one round only");
    }

    #[test]
    fn held_entries_stay_and_the_table_grows_by_them_only() {
        let mut table = Table::new(16);
        for number in 0..16 {
            table.insert(Thing {
                held: true,
                ..thing(number)
            });
        }
        for number in 100..200 {
            table.insert(thing(number));
        }
        for number in 200..10_000 {
            table.insert(thing(number));
        }
        assert!((0..16).all(|number| holds(&table, number)));
        assert_eq!(table.len(), 32);
    }

    #[test]
    fn removed_slots_are_used_again() {
        let mut table = Table::new(2);
        let (slot, _) = table.insert(thing(1));
        table.insert(thing(2));
        assert_eq!(table.remove(slot), Some(thing(1)));
        table.insert(thing(3));
        assert_eq!((table.len(), table.evicted()), (2, 0));
    }
}

//! Hash to slot: the open-addressed index in front of every table.
//!
//! In: 64-bit hashes, slots of a vector kept elsewhere. Out: the slots that may be meant. Not its job: keys, entries,
//! limits, eviction: [`crate::table::Table`] and the ledger.

/// Linear probing over 8-byte cells: the upper half of the hash, and the slot plus one (0 is an empty cell). Half of a
/// hash is enough to place a cell, so growing and closing gaps never look at entries.
#[derive(Debug)]
pub(crate) struct Index {
    cells: Vec<u64>,
    used: usize,
}

/// Cells of a new index.
const SMALLEST: usize = 64;

impl Index {
    pub(crate) fn new() -> Self {
        Self {
            cells: vec![0; SMALLEST],
            used: 0,
        }
    }

    /// The slot with this hash that `is` accepts.
    #[inline]
    pub(crate) fn find(&self, hash: u64, mut is: impl FnMut(u32) -> bool) -> Option<u32> {
        let mask = self.cells.len() - 1;
        let mut at = home(hash, mask);
        loop {
            let cell = self.cells[at];
            if cell == 0 {
                return None;
            }
            if (cell ^ hash) >> 32 == 0 && is(slot_of(cell)) {
                return Some(slot_of(cell));
            }
            at = (at + 1) & mask;
        }
    }

    /// Reads the cell where a search for this hash begins. Reading the cells of several hashes one after the other, before
    /// using any, lets the processor wait for all of them at once.
    #[inline]
    pub(crate) fn touch(&self, hash: u64) -> u64 {
        self.cells[home(hash, self.cells.len() - 1)]
    }

    /// The slot a search would most probably end at, unverified.
    #[inline]
    pub(crate) fn guess(&self, hash: u64) -> Option<u32> {
        self.find(hash, |_| true)
    }

    /// Adds a slot. The same slot must not be in already.
    #[inline]
    pub(crate) fn insert(&mut self, hash: u64, slot: u32) {
        if (self.used + 1) * 8 > self.cells.len() * 5 {
            self.grow();
        }
        place(&mut self.cells, (hash & UPPER) | (u64::from(slot) + 1));
        self.used += 1;
    }

    /// Takes a slot out and closes the gap, so that searches stay short whatever was removed.
    pub(crate) fn remove(&mut self, hash: u64, slot: u32) {
        let mask = self.cells.len() - 1;
        let wanted = (hash & UPPER) | (u64::from(slot) + 1);
        let mut gap = home(hash, mask);
        while self.cells[gap] != wanted {
            if self.cells[gap] == 0 {
                return;
            }
            gap = (gap + 1) & mask;
        }
        let mut at = gap;
        loop {
            at = (at + 1) & mask;
            let cell = self.cells[at];
            if cell == 0 {
                break;
            }
            // A cell may move back into the gap only if its home is not behind the gap (cyclically).
            let from_home = at.wrapping_sub(home(cell, mask)) & mask;
            let from_gap = at.wrapping_sub(gap) & mask;
            if from_home >= from_gap {
                self.cells[gap] = cell;
                gap = at;
            }
        }
        self.cells[gap] = 0;
        self.used -= 1;
    }

    pub(crate) fn bytes(&self) -> usize {
        self.cells.len() * size_of::<u64>()
    }

    fn grow(&mut self) {
        let mut cells = vec![0; self.cells.len() * 2];
        for &cell in self.cells.iter().filter(|&&cell| cell != 0) {
            place(&mut cells, cell);
        }
        self.cells = cells;
    }
}

const UPPER: u64 = 0xffff_ffff_0000_0000;

#[inline]
fn home(hash: u64, mask: usize) -> usize {
    (hash >> 32) as usize & mask
}

#[inline]
fn slot_of(cell: u64) -> u32 {
    (cell as u32).wrapping_sub(1)
}

#[inline]
fn place(cells: &mut [u64], cell: u64) {
    let mask = cells.len() - 1;
    let mut at = home(cell, mask);
    while cells[at] != 0 {
        at = (at + 1) & mask;
    }
    cells[at] = cell;
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Few distinct hashes, so that probe chains are long, wrap around and are cut in the middle.
        #[test]
        fn behaves_like_a_map(steps in prop::collection::vec((0_u64..40, 0_u8..3), 1..400)) {
            let mut index = Index::new();
            let mut model = HashMap::new();
            for (number, (key, what)) in steps.into_iter().enumerate() {
                let hash = (key / 4) << 58 | (key / 4) << 32;
                let is = |slot: u32, model: &HashMap<u64, u32>| model.get(&key) == Some(&slot);
                match what {
                    0 if !model.contains_key(&key) => {
                        index.insert(hash, number as u32);
                        model.insert(key, number as u32);
                    }
                    1 => if let Some(slot) = model.remove(&key) {
                        index.remove(hash, slot);
                        prop_assert_eq!(index.find(hash, |found| found == slot), None);
                    }
                    _ => prop_assert_eq!(index.find(hash, |slot| is(slot, &model)), model.get(&key).copied()),
                }
            }
            for (&key, &slot) in &model {
                prop_assert_eq!(index.find((key / 4) << 58 | (key / 4) << 32, |found| found == slot), Some(slot));
            }
            prop_assert_eq!(index.used, model.len());
        }
    }
}

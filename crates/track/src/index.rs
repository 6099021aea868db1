//! From hash to slot: buckets of one cache line, open addressing over neighbouring buckets, as many as the entries need.
//!
//! In: a hash and a slot number. Out: slots whose keys may be equal; comparing them is the caller's job. Public, because
//! the tables of the stage behind this one are as large and as random.
//!
//! Memory for the largest size is reserved at the start, zero pages that the operating system gives when first written, and a
//! prefix of it is in use: it grows by one bucket at a time (linear hashing: Litwin, "Linear hashing: a new tool for file
//! and table addressing", VLDB 1980), so that no growth ever pauses the worker, and a table that is far from its limit
//! stays in the caches.
//!
//! A bucket begins with one byte of each entry's hash: which of them may be meant is told by arithmetic on eight at a time.

use crate::prefetch;

/// 32-bit words in a bucket: a cache line of 64 bytes.
const BUCKET_WORDS: usize = 16;
/// A bucket has twelve bytes of hashes, and twelve entries from [`FIRST_ENTRY`] on. The word between counts, in its lower bits,
/// the entries that belong here or earlier but found room only later, and marks those here that belong to an earlier bucket.
const OVERFLOW: usize = 3;
const FIRST_ENTRY: usize = 4;
const ENTRIES: usize = BUCKET_WORDS - FIRST_ENTRY;
const COUNT_BITS: usize = 20;
const COUNT: u32 = (1 << COUNT_BITS) - 1;
/// Entries planned per bucket at the most: at two thirds of its room, few overflow (Poisson with mean 8: 1 in 16).
const PLANNED_ENTRIES: usize = 8;
/// Entries per bucket at which it grows. Buckets not yet split hold up to a third more than the mean.
const GROWN_ENTRIES: usize = 6;
/// Buckets of the smallest size, as a power of two: two pages.
const LEAST_LEVEL: u32 = 7;

type Bucket = [u32; BUCKET_WORDS];

/// See the head of this file.
#[derive(Debug)]
pub struct Index {
    /// Buckets from `start` on, so that each is one cache line. An entry is bits of the hash over the slot number plus one; 0
    /// is free.
    words: Vec<u32>,
    start: usize,
    /// All buckets there may be, less one. Entries may overflow into buckets that are not in use yet.
    last: usize,
    /// Buckets in use, at least `1 << level`, less than twice as many: those below the difference are split already.
    used: usize,
    level: u32,
    /// The level it began with. Entries hold the bits of the hash from here on, which are what splitting asks for.
    first_level: u32,
    entries: usize,
    /// Bits of an entry that hold the slot.
    slot_mask: u32,
    /// What a split with overflowed entries takes out before it puts it back.
    moving: Vec<(u64, u32)>,
}

/// Finds the entries of a bucket that may have a hash.
#[derive(Clone, Copy)]
struct Tag {
    /// The byte, in all eight places.
    bytes: u64,
    /// What stands above the slot in the entry.
    upper: u32,
}

impl Index {
    /// For at most `slots` slots, numbered below that.
    pub fn new(slots: usize) -> Self {
        let buckets = slots.div_ceil(PLANNED_ENTRIES).next_power_of_two();
        let slot_bits = usize::BITS - slots.leading_zeros();
        // Between the first and the last level there are as many as an entry has bits for.
        let last_level = buckets.ilog2();
        let first_level = last_level
            .saturating_sub(u32::BITS - slot_bits)
            .max(LEAST_LEVEL.min(last_level));
        let words = vec![0_u32; (buckets + 1) * BUCKET_WORDS];
        prefetch::huge_pages(&words);
        let start = words
            .as_ptr()
            .align_offset(BUCKET_WORDS * size_of::<u32>())
            .min(BUCKET_WORDS);
        Self {
            words,
            start,
            last: buckets - 1,
            used: 1 << first_level,
            level: first_level,
            first_level,
            entries: 0,
            slot_mask: (1 << slot_bits) - 1,
            moving: Vec::new(),
        }
    }

    /// Asks for the bucket of `hash`.
    #[inline]
    pub fn prefetch(&self, hash: u64) {
        prefetch::fetch(&self.words[self.word_of(self.home(hash))]);
    }

    /// The first slot in the home bucket of `hash` that may be the one, to prefetch it; it proves nothing.
    // Always, as is `Tracker::find`: with two kinds of sink (one takes time) each has two callers, which the compiler takes
    // for a reason not to; called, the two cost some 60 instructions a packet more.
    #[inline(always)]
    pub fn candidate(&self, hash: u64) -> Option<u32> {
        self.first_match(self.bucket(self.home(hash)), self.tag(hash), |_| true)
    }

    /// The slot with this hash for which `is_it` says yes.
    #[inline(always)]
    pub fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let tag = self.tag(hash);
        let mut at = self.home(hash);
        for _ in 0..=self.last {
            let bucket = self.bucket(at);
            let found = self.first_match(bucket, tag, &mut is_it);
            if found.is_some() || bucket[OVERFLOW] & COUNT == 0 {
                return found;
            }
            at = self.after(at);
        }
        None
    }

    /// Enters a slot, which must be below the number given to [`Index::new`] and not entered yet. `hash_of` gives the hash that
    /// any slot was entered with.
    #[inline]
    pub fn insert(&mut self, hash: u64, slot: u32, hash_of: impl Fn(u32) -> u64) {
        if self.entries >= self.used * GROWN_ENTRIES && self.used <= self.last {
            self.grow(hash_of);
        }
        self.entries += 1;
        self.enter(hash, slot);
    }

    /// Takes out a slot that was entered with this hash.
    pub fn remove(&mut self, hash: u64, slot: u32) {
        let entry = self.tag(hash).upper | (slot + 1);
        let mut at = self.home(hash);
        for _ in 0..=self.last {
            let bucket = self.bucket_mut(at);
            if let Some(found) = bucket[FIRST_ENTRY..].iter().position(|&other| other == entry) {
                clear(bucket, found);
                self.entries -= 1;
                return;
            }
            bucket[OVERFLOW] -= u32::from(bucket[OVERFLOW] & COUNT != 0);
            at = self.after(at);
        }
    }

    /// Bytes in use; what is reserved beside them is address space only.
    pub fn bytes(&self) -> usize {
        self.used * size_of::<Bucket>()
    }

    fn enter(&mut self, hash: u64, slot: u32) {
        let tag = self.tag(hash);
        self.place(self.home(hash), tag.bytes as u8, tag.upper | (slot + 1));
    }

    /// Into the first bucket from `home` on that has room.
    #[inline]
    fn place(&mut self, home: usize, byte: u8, entry: u32) {
        let mut at = home;
        // There is always room: a bucket has more entries than are planned for it.
        for _ in 0..=self.last {
            let bucket = self.bucket_mut(at);
            if let Some(free) = bucket[FIRST_ENTRY..].iter().position(|&entry| entry == 0) {
                bucket[FIRST_ENTRY + free] = entry;
                set_byte(bucket, free, byte);
                bucket[OVERFLOW] |= u32::from(at != home) << (COUNT_BITS + free);
                return;
            }
            // Seeded hashes do not collide a million times; if they did, it would be looked for further than needed.
            bucket[OVERFLOW] += u32::from(bucket[OVERFLOW] & COUNT != COUNT);
            at = self.after(at);
        }
    }

    /// One more bucket: it gets its share of the one whose turn it is.
    #[inline(never)]
    fn grow(&mut self, hash_of: impl Fn(u32) -> u64) {
        let (old, new) = (self.used - (1 << self.level), self.used);
        let moves = 1_u32 << (self.level - self.first_level) << self.slot_bits();
        let mut moving = std::mem::take(&mut self.moving);
        self.take_overflowed(old, hash_of, &mut moving);
        self.one_more();
        for at in 0..ENTRIES {
            let bucket = self.bucket_mut(old);
            let entry = bucket[FIRST_ENTRY + at];
            if entry & moves != 0 && !is_displaced(bucket, at) {
                let byte = clear(bucket, at);
                self.place(new, byte, entry);
            }
        }
        for (hash, slot) in moving.drain(..) {
            self.enter(hash, slot);
        }
        self.moving = moving;
    }

    /// Takes out what belongs to a bucket but found room only later.
    fn take_overflowed(&mut self, home: usize, hash_of: impl Fn(u32) -> u64, taken: &mut Vec<(u64, u32)>) {
        let mut at = home;
        for _ in 0..self.last {
            if self.bucket(at)[OVERFLOW] & COUNT == 0 {
                return;
            }
            at = self.after(at);
            for place in 0..ENTRIES {
                let bucket = self.bucket(at);
                if !is_displaced(bucket, place) {
                    continue;
                }
                let slot = (bucket[FIRST_ENTRY + place] & self.slot_mask) - 1;
                let hash = hash_of(slot);
                if self.home(hash) != home {
                    continue;
                }
                clear(self.bucket_mut(at), place);
                let mut passed = home;
                while passed != at {
                    self.bucket_mut(passed)[OVERFLOW] -= 1;
                    passed = self.after(passed);
                }
                taken.push((hash, slot));
            }
        }
    }

    fn one_more(&mut self) {
        self.used += 1;
        if self.used == 2 << self.level {
            self.level += 1;
        }
    }

    #[inline]
    fn home(&self, hash: u64) -> usize {
        let wide = hash as usize & ((2 << self.level) - 1);
        let narrow = hash as usize & ((1 << self.level) - 1);
        if wide < self.used { wide } else { narrow }
    }

    #[inline]
    fn after(&self, at: usize) -> usize {
        (at + 1) & self.last
    }

    #[inline]
    fn slot_bits(&self) -> u32 {
        self.slot_mask.trailing_ones()
    }

    #[inline]
    fn tag(&self, hash: u64) -> Tag {
        Tag {
            bytes: (hash >> 56) * LOW_BITS,
            upper: ((hash >> self.first_level) as u32) << self.slot_bits(),
        }
    }

    #[inline]
    fn word_of(&self, at: usize) -> usize {
        self.start + at * BUCKET_WORDS
    }

    #[inline]
    fn bucket(&self, at: usize) -> &Bucket {
        let first = self.word_of(at);
        self.words[first..].first_chunk().unwrap_or(&[0; BUCKET_WORDS])
    }

    #[inline]
    fn bucket_mut(&mut self, at: usize) -> &mut Bucket {
        let first = self.word_of(at);
        #[allow(
            clippy::expect_used,
            reason = "there is one bucket more than `at` can name, for the alignment"
        )]
        self.words[first..].first_chunk_mut().expect("bucket inside the index")
    }

    /// The first slot in a bucket with this tag for which `is_it` says yes.
    #[inline]
    fn first_match(&self, bucket: &Bucket, tag: Tag, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let low = u64::from(bucket[0]) | u64::from(bucket[1]) << 32;
        // The upper half stays without a match, a borrow from the lower one included: it differs in every bit.
        let high = u64::from(bucket[2]) | !tag.bytes << 32;
        for (first, bytes) in [(0, low), (8, high)] {
            let mut matches = equal_bytes(bytes, tag.bytes);
            while matches != 0 {
                let place = first + matches.trailing_zeros() as usize / 8;
                // With the tag taken out a slot (plus one) is left, or the bytes were equal by chance, or it is free.
                let slot = (bucket[FIRST_ENTRY + place] ^ tag.upper).wrapping_sub(1);
                if slot < self.slot_mask && is_it(slot) {
                    return Some(slot);
                }
                matches &= matches - 1;
            }
        }
        None
    }
}

const LOW_BITS: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// The highest bit of each byte that is equal in both. A byte above an equal one may be marked too: a byte is no proof anyway
/// (Warren, Hacker's Delight, second edition, section 6-1, "Find First 0-Byte").
#[inline]
fn equal_bytes(bytes: u64, wanted: u64) -> u64 {
    let differences = bytes ^ wanted;
    differences.wrapping_sub(LOW_BITS) & !differences & HIGH_BITS
}

/// Of entry `place` the byte of its hash: byte 0 is the lowest of the first word.
#[inline]
fn set_byte(bucket: &mut Bucket, place: usize, byte: u8) {
    let shift = place % 4 * 8;
    let word = &mut bucket[place / 4];
    *word = *word & !(0xff << shift) | u32::from(byte) << shift;
}

#[inline]
fn is_displaced(bucket: &Bucket, place: usize) -> bool {
    bucket[OVERFLOW] & 1 << (COUNT_BITS + place) != 0
}

/// Frees a place; the byte that was there.
#[inline]
fn clear(bucket: &mut Bucket, place: usize) -> u8 {
    bucket[FIRST_ENTRY + place] = 0;
    bucket[OVERFLOW] &= !(1 << (COUNT_BITS + place));
    let byte = (bucket[place / 4] >> (place % 4 * 8)) as u8;
    set_byte(bucket, place, 0);
    byte
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hash for every slot, spread like the tables'.
    fn hash_of(slot: u32) -> u64 {
        let mixed = (u64::from(slot) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed ^ (mixed >> 29))
            .wrapping_mul(0xbf58_476d_1ce4_e5b9)
            .rotate_left(31)
    }

    #[test]
    fn a_bucket_is_one_cache_line() {
        let index = Index::new(1000);
        assert_eq!(std::ptr::from_ref(index.bucket(3)).addr() % 64, 0);
    }

    #[test]
    fn entries_are_found_until_removed_even_when_all_collide() {
        let slots = 120_u32;
        let mut index = Index::new(slots as usize);
        // One home bucket and one tag for all: everything overflows.
        let hash = 0xdead_beef_0000_0005;
        (0..slots).for_each(|slot| index.insert(hash, slot, |_| hash));
        for slot in (0..slots).step_by(2) {
            assert_eq!(index.find(hash, |other| other == slot), Some(slot));
            index.remove(hash, slot);
            assert_eq!(index.find(hash, |other| other == slot), None);
            assert_eq!(index.find(hash, |other| other == slot + 1), Some(slot + 1));
        }
        (1..slots).step_by(2).for_each(|slot| index.remove(hash, slot));
        assert!(
            index.words.iter().all(|word| *word == 0),
            "nothing is left, overflow counts included"
        );
    }

    #[test]
    fn it_grows_with_its_entries_and_loses_none() {
        // The second kind of hash has eight homes only at any level: long chains, over buckets that are not in use yet.
        let few_homes = |slot| hash_of(slot) & !0x7_fff8;
        for (slots, hash) in [(100_000, &hash_of as &dyn Fn(u32) -> u64), (3_000, &few_homes)] {
            let mut index = Index::new(slots as usize);
            let (smallest, largest) = (index.bytes(), (index.last + 1) * 64);
            for slot in 0..slots {
                index.insert(hash(slot), slot, hash);
                if slot % 1_009 == 0 {
                    assert!((0..=slot).all(|slot| index.find(hash(slot), |other| other == slot) == Some(slot)));
                }
                if slot % 3 == 1 {
                    index.remove(hash(slot - 1), slot - 1);
                    assert_eq!(index.find(hash(slot - 1), |other| other == slot - 1), None);
                    index.insert(hash(slot - 1), slot - 1, hash);
                }
            }
            assert!(smallest < index.bytes() && index.bytes() <= largest);
            for slot in 0..slots {
                assert_eq!(index.find(hash(slot), |other| other == slot), Some(slot));
                index.remove(hash(slot), slot);
            }
            assert!(index.words.iter().all(|word| *word == 0));
        }
    }

    #[test]
    fn memory_follows_the_entries() {
        let mut index = Index::new(1 << 22);
        (0..10_000).for_each(|slot| index.insert(hash_of(slot), slot, hash_of));
        assert_eq!(index.bytes(), 10_000_usize.div_ceil(GROWN_ENTRIES) * 64);
        let (split, all) = (index.used - (1 << index.level), index.used);
        assert!(split > 0 && all < index.last, "the test means a size in between");
    }

    #[test]
    fn the_highest_slot_fits_beside_the_tag() {
        for slots in [1, 2, 3, 4, 255, 256, 257, 1 << 20] {
            let mut index = Index::new(slots);
            let last = slots as u32 - 1;
            index.insert(u64::MAX, last, |_| u64::MAX);
            assert_eq!(index.candidate(u64::MAX), Some(last));
            index.insert(0, 0, |_| 0);
            assert_eq!(index.find(0, |slot| slot == 0), Some(0));
        }
    }
}

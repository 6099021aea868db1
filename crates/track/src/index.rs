//! From hash to slot: buckets of one cache line, open addressing over neighbouring buckets.
//!
//! In: a hash and a slot number. Out: slots whose keys may be equal; comparing them is the caller's job. The index has
//! its full size from the start, but its memory is zero pages that the operating system gives when first written, so an
//! idle one is small and no growth ever pauses the worker. Public, because the tables of the stage behind this one are as
//! large and as random.
//!
//! A bucket begins with one byte of each entry's hash: which of them may be meant is told by arithmetic on eight at a time.

use crate::prefetch;

/// 32-bit words in a bucket: a cache line of 64 bytes.
const BUCKET_WORDS: usize = 16;
/// A bucket has twelve bytes of hashes, and twelve entries from [`FIRST_ENTRY`] on. The word between counts the entries that
/// belong here or earlier but found room only later.
const OVERFLOW: usize = 3;
const FIRST_ENTRY: usize = 4;
/// Entries planned per bucket at the most: at two thirds of its room, few overflow (Poisson with mean 8: 1 in 16).
const PLANNED_ENTRIES: usize = 8;

type Bucket = [u32; BUCKET_WORDS];

/// See the head of this file.
#[derive(Debug)]
pub struct Index {
    /// Buckets from `start` on, so that each is one cache line. An entry is bits of the hash over the slot number plus one; 0
    /// is free.
    words: Vec<u32>,
    start: usize,
    bucket_mask: usize,
    /// Bits of an entry that hold the slot.
    slot_mask: u32,
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
        let words = vec![0_u32; (buckets + 1) * BUCKET_WORDS];
        prefetch::huge_pages(&words);
        let start = words
            .as_ptr()
            .align_offset(BUCKET_WORDS * size_of::<u32>())
            .min(BUCKET_WORDS);
        let slot_bits = usize::BITS - slots.leading_zeros();
        Self {
            words,
            start,
            bucket_mask: buckets - 1,
            slot_mask: (1 << slot_bits) - 1,
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
        for _ in 0..=self.bucket_mask {
            let bucket = self.bucket(at);
            let found = self.first_match(bucket, tag, &mut is_it);
            if found.is_some() || bucket[OVERFLOW] == 0 {
                return found;
            }
            at = (at + 1) & self.bucket_mask;
        }
        None
    }

    /// Enters a slot, which must be below the number given to [`Index::new`] and not entered yet.
    pub fn insert(&mut self, hash: u64, slot: u32) {
        let tag = self.tag(hash);
        let mut at = self.home(hash);
        // There is always room: a bucket has more entries than are planned for it.
        for _ in 0..=self.bucket_mask {
            let bucket = self.bucket_mut(at);
            if let Some(free) = bucket[FIRST_ENTRY..].iter().position(|&entry| entry == 0) {
                bucket[FIRST_ENTRY + free] = tag.upper | (slot + 1);
                set_byte(bucket, free, tag.bytes as u8);
                return;
            }
            bucket[OVERFLOW] += 1;
            at = (at + 1) & self.bucket_mask;
        }
    }

    /// Takes out a slot that was entered with this hash.
    pub fn remove(&mut self, hash: u64, slot: u32) {
        let entry = self.tag(hash).upper | (slot + 1);
        let mut at = self.home(hash);
        for _ in 0..=self.bucket_mask {
            let bucket = self.bucket_mut(at);
            if let Some(found) = bucket[FIRST_ENTRY..].iter().position(|&other| other == entry) {
                bucket[FIRST_ENTRY + found] = 0;
                set_byte(bucket, found, 0);
                return;
            }
            bucket[OVERFLOW] = bucket[OVERFLOW].saturating_sub(1);
            at = (at + 1) & self.bucket_mask;
        }
    }

    /// Bytes reserved, used or not.
    pub fn bytes(&self) -> usize {
        self.words.len() * size_of::<u32>()
    }

    #[inline]
    fn home(&self, hash: u64) -> usize {
        hash as usize & self.bucket_mask
    }

    #[inline]
    fn tag(&self, hash: u64) -> Tag {
        Tag {
            bytes: (hash >> 56) * LOW_BITS,
            upper: (hash >> 24) as u32 & !self.slot_mask,
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

#[cfg(test)]
mod tests {
    use super::*;

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
        (0..slots).for_each(|slot| index.insert(hash, slot));
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
    fn the_highest_slot_fits_beside_the_tag() {
        for slots in [1, 2, 3, 4, 255, 256, 257] {
            let mut index = Index::new(slots);
            let last = slots as u32 - 1;
            index.insert(u64::MAX, last);
            assert_eq!(index.candidate(u64::MAX), Some(last));
            index.insert(0, 0);
            assert_eq!(index.find(0, |slot| slot == 0), Some(0));
        }
    }
}

//! A vector that grows without moving: segments of fixed size.
//!
//! In: entries. Out: entries by slot. Not its job: which slots are free.
//!
//! A plain vector of 100 MB copies itself when it doubles, which stalls the worker for tens of milliseconds, longer than
//! the queue in front of it lasts on a fast tap.

/// Entries of a segment.
const SEGMENT: usize = 1 << SHIFT;
const SHIFT: u32 = 12;

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    segments: Vec<Vec<T>>,
    len: usize,
}

impl<T> Slab<T> {
    pub(crate) fn new() -> Self {
        Self {
            segments: Vec::new(),
            len: 0,
        }
    }

    #[inline]
    pub(crate) fn get(&self, slot: u32) -> Option<&T> {
        self.segments
            .get((slot >> SHIFT) as usize)?
            .get(slot as usize & (SEGMENT - 1))
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        self.segments
            .get_mut((slot >> SHIFT) as usize)?
            .get_mut(slot as usize & (SEGMENT - 1))
    }

    /// Appends; the new slot.
    pub(crate) fn push(&mut self, entry: T) -> u32 {
        let slot = self.len;
        if slot >> SHIFT == self.segments.len() {
            // The first segment starts small, so that an idle worker is small.
            let capacity = if slot == 0 { 64 } else { SEGMENT };
            self.segments.push(Vec::with_capacity(capacity));
        }
        self.segments[slot >> SHIFT].push(entry);
        self.len += 1;
        slot as u32
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.segments.iter().flatten()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.segments
            .iter()
            .map(|segment| segment.capacity() * size_of::<T>())
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_stay_good_over_segments() {
        let mut slab = Slab::new();
        for number in 0..3 * SEGMENT + 5 {
            assert_eq!(slab.push(number), number as u32);
        }
        assert_eq!(slab.len(), 3 * SEGMENT + 5);
        assert_eq!(slab.get(SEGMENT as u32), Some(&SEGMENT));
        assert_eq!(slab.get(slab.len() as u32), None);
        assert_eq!(slab.get(u32::MAX), None);
        assert!(slab.iter().copied().eq(0..slab.len()));
        if let Some(entry) = slab.get_mut(7) {
            *entry = 0;
        }
        assert_eq!(slab.get(7), Some(&0));
    }
}

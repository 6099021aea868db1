//! A vector that grows without moving: segments, each as large as all before it together.
//!
//! In: entries. Out: entries by slot. Not its job: which slots are free.
//!
//! A plain vector of 100 MB copies itself when it doubles, which stalls the worker for tens of milliseconds, longer than
//! the queue in front of it lasts on a fast tap. Here nothing moves, two dozen allocations serve any size, and the
//! operating system gives pages of a new segment only as they are written.

/// Entries of the first segment, so that an idle worker is small.
const FIRST: usize = 1 << FIRST_SHIFT;
const FIRST_SHIFT: u32 = 6;

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    segments: Vec<Vec<T>>,
    len: usize,
}

/// Segment, and place in it.
#[inline]
fn locate(slot: u32) -> (usize, usize) {
    let number = slot as usize + FIRST;
    let segment = number.ilog2() - FIRST_SHIFT;
    (segment as usize, number - (FIRST << segment))
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
        let (segment, at) = locate(slot);
        self.segments.get(segment)?.get(at)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        let (segment, at) = locate(slot);
        self.segments.get_mut(segment)?.get_mut(at)
    }

    /// Appends; the new slot.
    pub(crate) fn push(&mut self, entry: T) -> u32 {
        let slot = self.len as u32;
        let (segment, _) = locate(slot);
        if segment == self.segments.len() {
            self.segments.push(Vec::with_capacity(FIRST << segment));
        }
        self.segments[segment].push(entry);
        self.len += 1;
        slot
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.segments.iter().flatten()
    }

    /// Memory that was ever written; the rest of the last segment is address space only.
    pub(crate) fn bytes(&self) -> usize {
        self.len * size_of::<T>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_stay_good_over_segments() {
        let mut slab = Slab::new();
        for number in 0..9 * FIRST + 5 {
            assert_eq!(slab.push(number), number as u32);
        }
        assert_eq!(slab.len(), 9 * FIRST + 5);
        assert_eq!(slab.get(FIRST as u32), Some(&FIRST));
        assert_eq!(slab.get(slab.len() as u32), None);
        assert_eq!(slab.get(u32::MAX), None);
        assert!(slab.iter().copied().eq(0..slab.len()));
        if let Some(entry) = slab.get_mut(7) {
            *entry = 0;
        }
        assert_eq!(slab.get(7), Some(&0));
    }
}

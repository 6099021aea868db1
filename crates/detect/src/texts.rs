//! Memory for short texts that come and go by the thousand a second: cells of a few sizes in chunks, without the allocator.
//!
//! In: texts of at most [`MOST_BYTES`]. Out: numbers of cells, texts by number. Not its job: which texts are kept, how many.
//!
//! A chunk has cells of one size; an emptied chunk serves any size again. Texts that came together mostly go together,
//! so a wave of long names does not keep room from the short ones after it.

use crate::slab::Slab;

/// The longest text a cell can hold.
pub(crate) const MOST_BYTES: usize = 255;

const CHUNK_BYTES: usize = 4096;
/// Sizes of cells, so that most of a cell is used: names have 10 to 30 octets, those that carry data up to 253.
const SIZES: [usize; 7] = [16, 24, 32, 48, 64, 128, 256];
/// End of a list.
const NONE: u32 = u32::MAX;
/// The lower bits of a cell's number are its place in the chunk: there are at most 4096 / 16 of them.
const PLACE_BITS: u32 = 8;
/// "No free cell" in a chunk.
const NO_CELL: u16 = u16::MAX;

/// What is known of a chunk.
#[derive(Clone, Copy, Debug)]
struct Chunk {
    size_class: u8,
    live: u16,
    /// Cells from this one on were never used since the chunk was empty.
    fresh: u16,
    /// First of the cells that were freed; each begins with the number of the next.
    freed: u16,
    /// Neighbours in the list of the chunks of this size with room; or `next` in the list of empty ones.
    previous: u32,
    next: u32,
}

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct Texts {
    bytes: Slab<[u8; CHUNK_BYTES]>,
    chunks: Slab<Chunk>,
    with_room: [u32; SIZES.len()],
    empty: u32,
}

impl Texts {
    pub(crate) fn new() -> Self {
        Self {
            bytes: Slab::new(),
            chunks: Slab::new(),
            with_room: [NONE; SIZES.len()],
            empty: NONE,
        }
    }

    /// Keeps a text, of which at most the first [`MOST_BYTES`] are taken; returns its cell.
    pub(crate) fn add(&mut self, text: &[u8]) -> u32 {
        let text = &text[..text.len().min(MOST_BYTES)];
        let size_class = size_class(text.len());
        let number = match self.with_room[size_class] {
            NONE => self.open(size_class),
            number => number,
        };
        let place = self.take_cell(number);
        let size = SIZES[size_class];
        if let Some(bytes) = self.bytes.get_mut(number) {
            bytes[usize::from(place) * size..][..text.len()].copy_from_slice(text);
        }
        number << PLACE_BITS | u32::from(place)
    }

    /// The text of this length in a cell.
    #[inline]
    pub(crate) fn at(&self, cell: u32, len: usize) -> &[u8] {
        let start = (cell & ((1 << PLACE_BITS) - 1)) as usize * SIZES[size_class(len)];
        let bytes = self.bytes.get(cell >> PLACE_BITS);
        bytes.and_then(|bytes| bytes.get(start..start + len)).unwrap_or(&[])
    }

    /// Gives back the cell of a text of this length.
    pub(crate) fn remove(&mut self, cell: u32, len: usize) {
        let number = cell >> PLACE_BITS;
        let place = (cell & ((1 << PLACE_BITS) - 1)) as u16;
        let Some(chunk) = self.chunks.get_mut(number) else {
            return;
        };
        let size_class = usize::from(chunk.size_class);
        debug_assert_eq!(size_class, self::size_class(len));
        let next_freed = std::mem::replace(&mut chunk.freed, place);
        let was_full = usize::from(chunk.live) == CHUNK_BYTES / SIZES[size_class];
        chunk.live -= 1;
        let is_empty = chunk.live == 0;
        if let Some(bytes) = self.bytes.get_mut(number) {
            bytes[usize::from(place) * SIZES[size_class]..][..2].copy_from_slice(&next_freed.to_le_bytes());
        }
        if was_full {
            self.link(number, size_class);
        }
        if is_empty {
            self.unlink(number, size_class);
            let empty = std::mem::replace(&mut self.empty, number);
            if let Some(chunk) = self.chunks.get_mut(number) {
                chunk.next = empty;
            }
        }
    }

    /// Memory of all chunks.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.bytes() + self.chunks.bytes()
    }

    /// An empty chunk for cells of this size.
    fn open(&mut self, size_class: usize) -> u32 {
        let chunk = Chunk {
            size_class: size_class as u8,
            live: 0,
            fresh: 0,
            freed: NO_CELL,
            previous: NONE,
            next: NONE,
        };
        let number = match self.empty {
            NONE => {
                self.bytes.push([0; CHUNK_BYTES]);
                self.chunks.push(chunk)
            }
            number => {
                if let Some(reused) = self.chunks.get_mut(number) {
                    self.empty = reused.next;
                    *reused = chunk;
                }
                number
            }
        };
        self.link(number, size_class);
        number
    }

    /// A free cell of a chunk that has one.
    fn take_cell(&mut self, number: u32) -> u16 {
        let Some(chunk) = self.chunks.get_mut(number) else {
            return 0;
        };
        let size_class = usize::from(chunk.size_class);
        let size = SIZES[size_class];
        let place = match chunk.freed {
            NO_CELL => {
                chunk.fresh += 1;
                chunk.fresh - 1
            }
            place => {
                let bytes = self.bytes.get(number);
                let next = bytes.and_then(|bytes| bytes[usize::from(place) * size..].first_chunk());
                chunk.freed = next.map_or(NO_CELL, |next| u16::from_le_bytes(*next));
                place
            }
        };
        chunk.live += 1;
        if usize::from(chunk.live) == CHUNK_BYTES / size {
            self.unlink(number, size_class);
        }
        place
    }

    /// Into the list of those with room.
    fn link(&mut self, number: u32, size_class: usize) {
        let next = std::mem::replace(&mut self.with_room[size_class], number);
        if let Some(chunk) = self.chunks.get_mut(number) {
            (chunk.previous, chunk.next) = (NONE, next);
        }
        if let Some(behind) = self.chunks.get_mut(next) {
            behind.previous = number;
        }
    }

    /// Out of it.
    fn unlink(&mut self, number: u32, size_class: usize) {
        let Some(&Chunk { previous, next, .. }) = self.chunks.get(number) else {
            return;
        };
        match self.chunks.get_mut(previous) {
            Some(before) => before.next = next,
            None => self.with_room[size_class] = next,
        }
        if let Some(behind) = self.chunks.get_mut(next) {
            behind.previous = previous;
        }
    }
}

#[inline]
fn size_class(len: usize) -> usize {
    SIZES.iter().position(|&size| len <= size).unwrap_or(SIZES.len() - 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Any order of adding and removing leaves every text that is kept as it was.
        #[test]
        fn texts_do_not_disturb_each_other(steps in prop::collection::vec((0_usize..300, any::<bool>(), any::<u8>()), 1..600)) {
            let mut texts = Texts::new();
            let mut model: Vec<(u32, Vec<u8>)> = Vec::new();
            for (len, remove, fill) in steps {
                if remove && !model.is_empty() {
                    let (cell, text) = model.swap_remove(len % model.len());
                    prop_assert_eq!(texts.at(cell, text.len()), &text[..]);
                    texts.remove(cell, text.len());
                } else {
                    let mut text = vec![fill; len];
                    let cell = texts.add(&text);
                    text.truncate(MOST_BYTES);
                    model.push((cell, text));
                }
            }
            for (cell, text) in &model {
                prop_assert_eq!(texts.at(*cell, text.len()), &text[..]);
            }
        }
    }

    #[test]
    fn waves_of_other_lengths_use_the_same_memory() {
        let mut texts = Texts::new();
        let mut most = 0;
        for wave in 0..14 {
            let text = vec![b'x'; SIZES[wave % SIZES.len()].min(MOST_BYTES)];
            let cells: Vec<u32> = (0..65_536 / text.len()).map(|_| texts.add(&text)).collect();
            cells.iter().for_each(|&cell| texts.remove(cell, text.len()));
            if wave == 0 {
                most = texts.bytes();
            }
            assert!(
                texts.bytes() <= most + most / 8,
                "wave {wave}: {} of {most}",
                texts.bytes()
            );
        }
    }
}

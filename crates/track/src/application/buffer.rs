//! The few buffers for application data that spans segments: a pool with a limit, and a stream put together in each.
//!
//! In: segments at offsets. Out: the stream from its first byte as far as it is complete. When the pool is empty the
//! buffer that has been in use longest changes its owner, so that hellos begun and never finished cannot keep it shut.

use super::Owner;

/// Bytes a buffer holds. A client hello with post-quantum keys is about 1.8 KB and an HTTP request's head seldom more
/// than 2 KB, cookies included; what is wanted of a longer one mostly stands in its first 4 KiB.
pub const BUFFER_BYTES: usize = 4096;

/// Pieces beyond a hole that are remembered. Segments are seldom overtaken by more than two or three; some QUIC clients
/// scatter a hello over a dozen frames.
const MOST_PENDING: usize = 16;
const _: () = assert!(BUFFER_BYTES <= u16::MAX as usize);

/// One stream's beginning.
#[derive(Debug)]
pub(super) struct Buffer {
    owner: Owner,
    /// Sequence number of the first byte.
    pub(super) base: u32,
    /// The stage the connection was in.
    pub(super) began_as: u16,
    /// Segments so far.
    pub(super) pieces: u8,
    /// Datagrams so far, if it is not for segments.
    pub(super) datagrams: u8,
    in_use: bool,
    /// Bytes from the first on without a hole.
    complete: usize,
    /// Whether any of `pending` is used.
    has_pending: bool,
    /// Ranges beyond the first hole; empty ones are free.
    pending: [(u16, u16); MOST_PENDING],
    data: Option<Box<[u8; BUFFER_BYTES]>>,
}

impl Buffer {
    /// An empty stream of one side, whose first byte has the sequence number `base`.
    pub(super) const fn beginning(owner: Owner, base: u32) -> Self {
        Self {
            owner,
            base,
            began_as: 0,
            pieces: 0,
            datagrams: 0,
            in_use: true,
            complete: 0,
            has_pending: false,
            pending: [(0, 0); MOST_PENDING],
            data: None,
        }
    }

    /// The stream up to its first hole.
    pub(super) fn stream(&self) -> &[u8] {
        self.data.as_ref().map_or(&[], |data| &data[..self.complete])
    }

    pub(super) const fn is_full(&self) -> bool {
        self.complete == BUFFER_BYTES
    }

    /// Adds bytes at an offset. What was complete stays as it was; what does not fit is left out.
    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) {
        self.pieces = self.pieces.saturating_add(1);
        let begin = offset.max(self.complete);
        let end = offset.saturating_add(bytes.len()).min(BUFFER_BYTES);
        let Some(data) = self.data.as_mut() else { return };
        if begin >= end {
            return;
        }
        if begin > self.complete {
            let range = (begin as u16, end as u16);
            if self.pending.contains(&range) {
                return;
            }
            let Some(free) = self.pending.iter_mut().find(|(begin, end)| begin == end) else {
                return;
            };
            *free = range;
            self.has_pending = true;
        }
        data[begin..end].copy_from_slice(&bytes[begin - offset..end - offset]);
        if begin == self.complete {
            self.complete = end;
            if self.has_pending {
                self.close_holes();
            }
        }
    }

    fn close_holes(&mut self) {
        for _ in 0..MOST_PENDING {
            for (begin, end) in &mut self.pending {
                if usize::from(*begin) <= self.complete {
                    self.complete = self.complete.max(usize::from(*end));
                    (*begin, *end) = (0, 0);
                }
            }
        }
    }
}

/// All buffers of a tracker; memory is taken with first use and kept.
#[derive(Debug)]
pub(super) struct Pool {
    buffers: Vec<Buffer>,
    free: Vec<u16>,
    limit: usize,
    /// Where the next owner loses its buffer when all are in use: round and round is oldest first, nearly.
    next_loser: usize,
}

impl Pool {
    pub(super) const fn new(limit: usize) -> Self {
        Self {
            buffers: Vec::new(),
            free: Vec::new(),
            limit,
            next_loser: 0,
        }
    }

    /// Whether it may have no buffer at all.
    pub(super) const fn is_closed(&self) -> bool {
        self.limit == 0
    }

    /// Takes a buffer; if it was another's, says whose.
    pub(super) fn take(&mut self, beginning: Buffer, began_as: u16) -> (u16, Option<Owner>) {
        let mut loser = None;
        let number = if let Some(free) = self.free.pop() {
            free
        } else if self.buffers.len() < self.limit {
            self.buffers.push(Buffer {
                data: Some(Box::new([0; BUFFER_BYTES])),
                ..Buffer::beginning(beginning.owner, 0)
            });
            (self.buffers.len() - 1) as u16
        } else {
            let number = self.next_loser;
            self.next_loser = (number + 1) % self.limit;
            loser = Some(self.buffers[number].owner);
            number as u16
        };
        let buffer = self.buffer_mut(number);
        let data = buffer.data.take();
        *buffer = Buffer {
            data,
            began_as,
            ..beginning
        };
        (number, loser)
    }

    pub(super) fn buffer_mut(&mut self, number: u16) -> &mut Buffer {
        &mut self.buffers[usize::from(number)]
    }

    /// Gives a buffer back.
    pub(super) fn release(&mut self, number: u16) {
        let buffer = self.buffer_mut(number);
        if std::mem::take(&mut buffer.in_use) {
            self.free.push(number);
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.buffers.len() * (size_of::<Buffer>() + BUFFER_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::application::Side;

    const fn owner(slot: u32) -> Owner {
        let side = Side::Originator;
        Owner { slot, side }
    }

    fn buffer() -> Buffer {
        Buffer {
            data: Some(Box::new([0; BUFFER_BYTES])),
            ..Buffer::beginning(owner(7), 100)
        }
    }

    #[test]
    fn segments_in_any_order_make_the_same_stream() {
        let text = b"abcdefghijkl";
        for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1], [1, 1, 3, 2]] {
            let mut buffer = buffer();
            order
                .iter()
                .for_each(|piece| buffer.write(piece * 3, &text[piece * 3..][..3]));
            let expected: &[u8] = if order.contains(&0) { text } else { b"" };
            assert_eq!(buffer.stream(), expected);
        }
    }

    #[test]
    fn what_is_complete_is_not_changed_and_what_does_not_fit_left_out() {
        let mut buffer = buffer();
        buffer.write(0, b"abc");
        buffer.write(1, b"XXd");
        assert_eq!(buffer.stream(), b"abcd");
        buffer.write(4, &[b'z'; BUFFER_BYTES]);
        assert!(buffer.is_full());
        buffer.write(usize::MAX, b"far");
        assert_eq!(buffer.stream().len(), BUFFER_BYTES);
    }

    #[test]
    fn the_oldest_owner_loses_its_buffer() {
        let mut pool = Pool::new(2);
        assert_eq!(pool.take(Buffer::beginning(owner(10), 0), 0), (0, None));
        assert_eq!(pool.take(Buffer::beginning(owner(11), 0), 0), (1, None));
        assert_eq!(pool.take(Buffer::beginning(owner(12), 0), 0), (0, Some(owner(10))));
        assert_eq!(pool.take(Buffer::beginning(owner(13), 0), 0), (1, Some(owner(11))));
        pool.release(0);
        assert_eq!(pool.take(Buffer::beginning(owner(14), 0), 0), (0, None));
    }
}

//! Memory that goes round between the capture thread and the workers: blocks of frames, and lists of what is in them.
//!
//! In: what workers are done with. Out: a block or list nobody else holds, the one used last first, as it is the one most likely still in
//! a cache. A file's are made when needed, so a short run stays small. A tap's first [`READY`] for each worker are in memory from
//! the start, and what a stall needed beyond is given back once a whole period went by without it: its memory stands still over
//! months. Not its job: queues (`queue`).

use std::sync::Arc;

use balefire_capture::Block;
use crossbeam::queue::ArrayQueue;

use crate::queue::Handed;

/// Blocks for each worker that a tap has from the start: at a tenth of a second each, as long as the source waits, most of a second of a worker
/// that was kept from running.
pub(crate) const READY: usize = 8;

/// Places that a tap's lists have from the start: as many as a block of frames of 256 bytes.
const LIST_FRAMES: usize = 4096;

/// The capture thread's blocks. Sized so that a tap always finds a free one: every worker can hold its whole queue and
/// one batch in work, each of another block, and one block is left.
#[derive(Debug)]
pub(crate) struct BlockPool {
    blocks: Vec<Arc<Block>>,
    most: usize,
    /// Blocks that a tap keeps; 0 for a file.
    ready: usize,
    /// Blocks used at once since [`BlockPool::give_back`].
    reached: usize,
}

impl BlockPool {
    pub(crate) fn new(workers: usize, queue_blocks: usize, is_live: bool) -> Self {
        let most = workers * (queue_blocks.max(1) + 1) + 1;
        let ready = if is_live { most.min(workers * READY) } else { 0 };
        let mut blocks = Vec::with_capacity(most);
        blocks.extend((0..ready).map(|_| Arc::new(Block::touched())));
        Self {
            blocks,
            most,
            ready,
            reached: 0,
        }
    }

    /// A block nobody else holds, empty.
    pub(crate) fn take(&mut self) -> Option<usize> {
        let free = self.blocks.iter_mut().position(|block| Arc::get_mut(block).is_some());
        let taken = match free {
            None if self.blocks.len() < self.most => {
                let new = if self.ready > 0 { Block::touched() } else { Block::new() };
                self.blocks.push(Arc::new(new));
                Some(self.blocks.len() - 1)
            }
            found => found,
        };
        self.reached = self.reached.max(taken.map_or(0, |index| index + 1));
        taken
    }

    /// The block of a number that [`BlockPool::take`] gave, to be filled.
    pub(crate) fn fill(&mut self, index: usize) -> Option<&mut Block> {
        Arc::get_mut(&mut self.blocks[index])
    }

    /// The block of a number, to be shared.
    pub(crate) fn share(&self, index: usize) -> &Arc<Block> {
        &self.blocks[index]
    }

    /// Frees what was not used since the last call.
    pub(crate) fn give_back(&mut self) {
        let kept = self.reached.max(self.ready);
        while self.blocks.len() > kept && self.blocks.last().is_some_and(|block| Arc::strong_count(block) == 1) {
            self.blocks.pop();
        }
        self.reached = 0;
    }
}

/// Empty lists.
#[derive(Debug)]
pub(crate) struct Lists {
    /// Where workers put them.
    spare: Arc<ArrayQueue<Vec<Handed>>>,
    /// Those that came back, the last one on top.
    empty: Vec<Vec<Handed>>,
    /// Lists that a tap keeps; 0 for a file.
    ready: usize,
    /// The fewest that lay here since [`Lists::give_back`].
    fewest: usize,
}

impl Lists {
    pub(crate) fn new(spare: Arc<ArrayQueue<Vec<Handed>>>, workers: usize, is_live: bool) -> Self {
        let ready = if is_live { workers * READY } else { 0 };
        Self {
            spare,
            empty: (0..ready).map(|_| touched()).collect(),
            ready,
            fewest: ready,
        }
    }

    /// The last one back: lists grow to the largest block they ever held, and in turns all would.
    pub(crate) fn take(&mut self) -> Vec<Handed> {
        self.empty.extend(std::iter::from_fn(|| self.spare.pop()));
        let list = self.empty.pop();
        self.fewest = self.fewest.min(self.empty.len());
        list.unwrap_or_else(|| if self.ready > 0 { touched() } else { Vec::new() })
    }

    /// One that was not handed over after all.
    pub(crate) fn back(&mut self, mut list: Vec<Handed>) {
        list.clear();
        self.empty.push(list);
    }

    /// Frees what was not used since the last call.
    pub(crate) fn give_back(&mut self) {
        self.empty.drain(..self.fewest.saturating_sub(self.ready));
        self.fewest = self.empty.len();
    }
}

/// A list with every page of it in memory.
fn touched() -> Vec<Handed> {
    let mut list = vec![Handed::Done; LIST_FRAMES];
    list.clear();
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_free_when_its_last_batch_is_gone() {
        let mut pool = BlockPool::new(1, 1, false);
        let first = pool.take().unwrap();
        let held = Arc::clone(pool.share(first));
        let also_held = Arc::clone(pool.share(first));
        assert!(pool.fill(first).is_none());
        assert_ne!(pool.take(), Some(first));
        drop(held);
        assert_ne!(pool.take(), Some(first));
        drop(also_held);
        assert_eq!(pool.take(), Some(first));
    }

    fn hold(pool: &mut BlockPool, blocks: usize) -> Vec<Arc<Block>> {
        let held = (0..blocks).map(|_| {
            let index = pool.take().unwrap();
            Arc::clone(pool.share(index))
        });
        held.collect()
    }

    #[test]
    fn the_pool_has_an_end() {
        for is_live in [false, true] {
            let mut pool = BlockPool::new(2, 1, is_live);
            let held = hold(&mut pool, 5);
            assert_eq!(pool.take(), None);
            drop(held);
            assert!(pool.take().is_some());
        }
    }

    #[test]
    fn what_a_stall_needed_is_given_back_after_a_period_without() {
        let mut pool = BlockPool::new(1, 64, true);
        assert_eq!(pool.blocks.len(), READY);
        let held = hold(&mut pool, 30);
        pool.give_back();
        assert_eq!(pool.blocks.len(), 30, "all are in use");
        drop(held);
        pool.give_back();
        assert_eq!(pool.blocks.len(), READY);
        drop(hold(&mut pool, 12));
        pool.give_back();
        assert_eq!(pool.blocks.len(), 12, "used in the period");
        pool.take();
        pool.give_back();
        assert_eq!(pool.blocks.len(), READY);
    }

    #[test]
    fn lists_of_a_stall_go_too() {
        let spare = Arc::new(ArrayQueue::new(64));
        let mut lists = Lists::new(Arc::clone(&spare), 1, true);
        let taken: Vec<_> = (0..30).map(|_| lists.take()).collect();
        assert!(
            taken
                .iter()
                .all(|list| list.capacity() >= LIST_FRAMES && list.is_empty())
        );
        for list in taken {
            spare.push(list).unwrap();
        }
        lists.give_back();
        let list = lists.take();
        assert_eq!(lists.empty.len(), 29, "used in the period");
        lists.back(list);
        lists.give_back();
        let list = lists.take();
        lists.back(list);
        lists.give_back();
        assert!(lists.empty.len() <= READY + 1, "{}", lists.empty.len());
    }
}

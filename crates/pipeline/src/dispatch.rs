//! Which worker gets a frame.
//!
//! In: a frame (its addresses peeked through tunnels) and the home networks. Out: a worker number, the same for every
//! packet of a conversation in both directions. The inside host decides, so a host's whole outside life is in one
//! worker's tables, in order, without locks. Between two inside or two outside addresses the unordered pair decides.
//! Not its job: what the packet means.

use std::hash::{BuildHasher, Hasher};

use balefire_decode::{Address, Frame, peek};
use balefire_detect::Home;

/// The seed for files and logs. Who chooses his addresses may overload one worker of a tap, so nobody knows the seed there. A file only takes
/// longer then, and with the same workers for its hosts it has the same answer even where their tables are full.
pub(crate) const SEED_OF_FILES: u64 = 0;

/// Chooses workers.
#[derive(Debug)]
pub(crate) struct Dispatcher {
    home: Home,
    hasher: foldhash::fast::FixedState,
    workers: u64,
    next_unaddressed: usize,
}

impl Dispatcher {
    pub(crate) fn new(home: Home, workers: usize, seed: u64) -> Self {
        let hasher = foldhash::fast::FixedState::with_seed(seed);
        Self {
            home,
            hasher,
            workers: workers as u64,
            next_unaddressed: 0,
        }
    }

    /// The worker for a frame that was not decoded. A frame without addresses may go anywhere, as it only ends in a counter: they go round.
    #[inline]
    pub(crate) fn worker(&mut self, frame: Frame<'_>) -> usize {
        match peek(frame) {
            Some((src, dst)) => self.worker_of(src, dst),
            None => {
                self.next_unaddressed = (self.next_unaddressed + 1) % self.workers as usize;
                self.next_unaddressed
            }
        }
    }

    /// The worker for a conversation between two addresses, in either order.
    #[inline]
    pub(crate) fn worker_of(&self, src: Address, dst: Address) -> usize {
        let key = match (self.home.contains(src), self.home.contains(dst)) {
            (true, false) => src.bits(),
            (false, true) => dst.bits(),
            // Multiplying one end keeps the pair's two halves from cancelling out; the order of the ends must not matter.
            _ => src
                .bits()
                .min(dst.bits())
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .wrapping_add(src.bits().max(dst.bits())),
        };
        let mut hasher = self.hasher.build_hasher();
        hasher.write_u128(key);
        // Multiply-shift instead of a remainder: maps a 64-bit hash onto 0..workers without a division.
        ((u128::from(hasher.finish()) * u128::from(self.workers)) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn address() -> impl Strategy<Value = Address> {
        prop_oneof![
            any::<[u8; 2]>().prop_map(|[a, b]| Address::v4([10, 0, a, b])),
            any::<[u8; 4]>().prop_map(Address::v4),
            any::<[u8; 16]>().prop_map(Address::v6),
        ]
    }

    proptest! {
        #[test]
        fn both_directions_go_to_one_worker(a in address(), b in address(), workers in 1usize..9, seed: u64) {
            let dispatcher = Dispatcher::new(Home::default(), workers, seed);
            prop_assert_eq!(dispatcher.worker_of(a, b), dispatcher.worker_of(b, a));
            prop_assert!(dispatcher.worker_of(a, b) < workers);
        }

        #[test]
        fn a_host_has_one_worker_whatever_it_talks_to(host: [u8; 2], outside: [u8; 3], other: [u8; 3], seed: u64) {
            let dispatcher = Dispatcher::new(Home::default(), 8, seed);
            let host = Address::v4([10, 0, host[0], host[1]]);
            let server = |[a, b, c]: [u8; 3]| Address::v4([203, a, b, c]);
            prop_assert_eq!(dispatcher.worker_of(host, server(outside)), dispatcher.worker_of(server(other), host));
        }
    }

    #[test]
    fn hosts_spread_over_workers() {
        let dispatcher = Dispatcher::new(Home::default(), 4, 7);
        let mut loads = [0u32; 4];
        for host in 0..4096u32 {
            let [_, _, high, low] = host.to_be_bytes();
            loads[dispatcher.worker_of(Address::v4([10, 0, high, low]), Address::v4([192, 0, 2, 1]))] += 1;
        }
        assert!(loads.iter().all(|load| (900..1150).contains(load)), "{loads:?}");
    }
}

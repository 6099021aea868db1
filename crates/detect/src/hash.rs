//! Seeded hashing of everything the tables are keyed by.
//!
//! In: addresses, destinations, names. Out: 64-bit hashes that serve both as table position and, for pairs, as identity.
//! Not its job: the tables.
//!
//! A pair is known by its 64-bit hash alone: with 2^22 live pairs two of them collide with probability 2^-21, and the
//! seed is drawn anew for every run, so nobody can aim for it. In return the two tables of pairs need no look-up of host
//! and destination first: all memory accesses of a check-in are independent of each other.

use std::hash::{BuildHasher, Hasher};

use balefire_decode::Address;
use foldhash::quality::FixedState;

use crate::key::{Destination, Scope};
use crate::summary::EvidenceKind;

/// The run's seed, the same in all workers.
#[derive(Clone, Debug)]
pub(crate) struct Seed(FixedState);

impl Seed {
    pub(crate) fn new(seed: u64) -> Self {
        Self(FixedState::with_seed(seed))
    }

    #[inline]
    pub(crate) fn address(&self, address: Address) -> u64 {
        let mut hasher = self.0.build_hasher();
        hasher.write_u128(address.bits());
        hasher.finish()
    }

    #[inline]
    pub(crate) fn destination(&self, key: &Destination) -> u64 {
        let mut hasher = self.0.build_hasher();
        hasher.write_u128(key.bits);
        hasher.write_u32(key.tail());
        hasher.finish()
    }

    /// Of a timeline: who, to what, by which kind of sign.
    #[inline]
    pub(crate) fn pair(&self, host: u64, destination: u64, kind: EvidenceKind) -> u64 {
        let mut hasher = self.0.build_hasher();
        hasher.write_u64(host);
        hasher.write_u64(destination ^ kind as u64);
        hasher.finish()
    }

    #[inline]
    pub(crate) fn text(&self, text: &str) -> u64 {
        let mut hasher = self.0.build_hasher();
        hasher.write(text.as_bytes());
        hasher.finish()
    }

    /// The destination that a name is, reached through `relay` or, where one worker sees them all, through any address.
    #[inline]
    pub(crate) fn named(&self, name: u64, scope: Scope, relay: Option<Address>, port: u16) -> Destination {
        let through = relay.map_or(0, |address| self.address(address));
        Destination {
            bits: (u128::from(name) << 64) | u128::from(through),
            port,
            transport: 0,
            scope,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_and_every_field_count() {
        let one = Seed::new(1);
        let address = Address::v4([192, 0, 2, 1]);
        let key = Destination::service(address, 80, balefire_decode::Transport::TCP);
        let hash = one.destination(&key);
        assert_ne!(hash, Seed::new(2).destination(&key));
        assert_ne!(hash, one.destination(&Destination { port: 81, ..key }));
        assert_ne!(hash, one.destination(&Destination { transport: 17, ..key }));
        assert_ne!(
            hash,
            one.destination(&Destination {
                scope: Scope::Name,
                ..key
            })
        );
        let host = one.address(address);
        assert_ne!(
            one.pair(host, hash, EvidenceKind::ConnectionBeacon),
            one.pair(host, hash, EvidenceKind::Heartbeat)
        );
    }
}

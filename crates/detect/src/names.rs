//! Names from the wire, each kept once.
//!
//! In: names that `track` has lowered, capped and cleaned. Out: slots that stay good while a timeline holds them, a seeded
//! hash, and the registered domain, worked out once per name. Not its job: what a name means.

use crate::hash::Seed;
use crate::table::{Entry, Table};

/// "No name": of connections and timelines that never gave one.
pub(crate) const NO_NAME: u32 = u32::MAX;

/// One name.
#[derive(Debug)]
pub(crate) struct Name {
    hash: u64,
    text: Box<str>,
    /// Timelines that refer to it.
    holders: u32,
    /// Where the registered domain begins in the text; 0 where the name is one, or has none.
    domain_at: u8,
    again: bool,
}

impl Entry for Name {
    fn hash(&self) -> u64 {
        self.hash
    }

    fn second_chance(&mut self) -> bool {
        std::mem::take(&mut self.again)
    }

    fn is_held(&self) -> bool {
        self.holders > 0
    }
}

/// The names of one worker.
#[derive(Debug)]
pub(crate) struct Names {
    table: Table<Name>,
}

impl Names {
    /// `limit` names; up to as many again where timelines hold them all.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            table: Table::new(limit),
        }
    }

    /// The slot of a name, new or known, and its hash.
    pub(crate) fn intern(&mut self, text: &str, seed: &Seed) -> (u32, u64) {
        let hash = seed.text(text);
        if let Some(slot) = self.table.find(hash, |name| &*name.text == text) {
            if let Some(name) = self.table.at_mut(slot) {
                name.again = true;
            }
            return (slot, hash);
        }
        let name = Name {
            hash,
            text: text.into(),
            holders: 0,
            domain_at: domain_at(text),
            again: false,
        };
        (self.table.insert(name), hash)
    }

    /// The registered domain of the name in this slot, as its own name.
    pub(crate) fn intern_domain(&mut self, slot: u32, seed: &Seed) -> (u32, u64) {
        let Some(name) = self.table.at(slot) else {
            return (slot, 0);
        };
        if name.domain_at == 0 {
            return (slot, name.hash);
        }
        let domain = &name.text[usize::from(name.domain_at)..];
        let hash = seed.text(domain);
        if let Some(slot) = self.table.find(hash, |name| &*name.text == domain) {
            if let Some(name) = self.table.at_mut(slot) {
                name.again = true;
            }
            return (slot, hash);
        }
        let domain: Box<str> = domain.into();
        (
            self.table.insert(Name {
                hash,
                text: domain,
                holders: 0,
                domain_at: 0,
                again: false,
            }),
            hash,
        )
    }

    /// The text, if the slot is of a name.
    pub(crate) fn text(&self, slot: u32) -> Option<&str> {
        self.table.at(slot).map(|name| &*name.text)
    }

    /// The hash, 0 if the slot is of none.
    pub(crate) fn hash(&self, slot: u32) -> u64 {
        self.table.at(slot).map_or(0, |name| name.hash)
    }

    /// One more timeline refers to it.
    pub(crate) fn hold(&mut self, slot: u32) {
        if let Some(name) = self.table.at_mut(slot) {
            name.holders += 1;
        }
    }

    /// One less.
    pub(crate) fn release(&mut self, slot: u32) {
        if let Some(name) = self.table.at_mut(slot) {
            name.holders = name.holders.saturating_sub(1);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    pub(crate) fn evicted(&self) -> u64 {
        self.table.evicted()
    }
}

/// Where the registered domain begins: public suffix plus one label, by the Mozilla Public Suffix List. 0 for names that
/// have none: single labels, bare suffixes, addresses.
fn domain_at(name: &str) -> u8 {
    if name.parse::<std::net::IpAddr>().is_ok() {
        return 0;
    }
    let domain = psl::domain_str(name).map_or(name, |domain| domain);
    u8::try_from(name.len().saturating_sub(domain.len())).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_once_and_knows_its_domain() {
        let seed = Seed::new(7);
        let mut names = Names::new(64);
        let (one, hash) = names.intern("www.a.example.co.uk", &seed);
        assert_eq!(names.intern("www.a.example.co.uk", &seed), (one, hash));
        let (domain, domain_hash) = names.intern_domain(one, &seed);
        assert_eq!(names.text(domain), Some("example.co.uk"));
        assert_eq!(names.intern("example.co.uk", &seed), (domain, domain_hash));
        assert_eq!(names.intern_domain(domain, &seed), (domain, domain_hash));
        assert_eq!(names.len(), 2);
    }

    #[test]
    fn odd_names_are_their_own_domain() {
        let seed = Seed::new(7);
        let mut names = Names::new(64);
        for odd in ["localhost", "co.uk", "192.0.2.1", "2001:db8::1", "", ".", "com"] {
            let (slot, hash) = names.intern(odd, &seed);
            assert_eq!(names.intern_domain(slot, &seed), (slot, hash), "{odd}");
        }
    }

    #[test]
    fn a_flood_of_names_stays_in_bounds_and_leaves_held_ones() {
        let seed = Seed::new(7);
        let mut names = Names::new(32);
        let (held, _) = names.intern("kept.example", &seed);
        names.hold(held);
        for number in 0..1000 {
            names.intern(&format!("x{number}.example"), &seed);
        }
        assert_eq!(names.text(held), Some("kept.example"));
        assert!(names.len() <= 64 && names.evicted() >= 900);
        names.release(held);
        for number in 0..100 {
            names.intern(&format!("y{number}.example"), &seed);
        }
        assert_ne!(names.text(held), Some("kept.example"));
    }
}

//! Names from the wire, each kept once.
//!
//! In: names that `track` has lowered, capped and cleaned. Out: slots that stay good while a timeline holds them, a seeded
//! hash, and what is worked out once per name: its registered domain, whether it is the site's own. Not its job: what a
//! name means.
//!
//! A name is known by its 64-bit seeded hash, as pairs are: with 2^18 names two of them collide with probability 2^-29 in
//! a run, and nobody outside can aim for it. So a known name costs one line of memory, and its text is not read.

use crate::hash::Seed;
use crate::innocent::is_site_local_name;
use crate::table::{Entry, Table};
use crate::texts::{MOST_BYTES, Texts};
use crate::tunnel;

/// "No name": of connections and timelines that never gave one.
pub(crate) const NO_NAME: u32 = u32::MAX;

/// One name.
#[derive(Debug)]
pub(crate) struct Name {
    hash: u64,
    /// Hash and slot of its registered domain; the slot may belong to another name by now.
    domain_hash: u64,
    domain: u32,
    /// The cell of its text.
    text: u32,
    /// Timelines that refer to it.
    holders: u32,
    bytes: u8,
    /// Where the registered domain begins in the text; 0 where the name is one, or has none.
    domain_at: u8,
    kind: NameClass,
    again: bool,
}

/// What a name says of where it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NameClass {
    /// It is, or may be, below a domain that a registry knows.
    Public,
    /// The site's own, see [`is_site_local_name`].
    SiteLocal,
    /// Below no domain at all, see [`tunnel::split`].
    Undomained,
}

impl Entry for Name {
    const HOLDS: bool = true;

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
    texts: Texts,
}

impl Names {
    /// `limit` names; up to as many again where timelines hold them all.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            table: Table::new(limit),
            texts: Texts::new(),
        }
    }

    /// The slot of a name, new or known, and its hash.
    pub(crate) fn intern(&mut self, text: &str, seed: &Seed) -> (u32, u64) {
        let hash = seed.text(text);
        (self.intern_hashed(text, hash), hash)
    }

    /// The same where the hash is known.
    #[inline]
    pub(crate) fn intern_hashed(&mut self, text: &str, hash: u64) -> u32 {
        self.find(hash).unwrap_or_else(|| self.add(text, hash))
    }

    /// The slot of a known name.
    #[inline]
    pub(crate) fn find(&mut self, hash: u64) -> Option<u32> {
        let slot = self.table.find(hash, |name| name.hash == hash)?;
        if let Some(name) = self.table.at_mut(slot) {
            name.again = true;
        }
        Some(slot)
    }

    /// The registered domain of the name in this slot, as its own name.
    pub(crate) fn intern_domain(&mut self, slot: u32, seed: &Seed) -> (u32, u64) {
        let Some(name) = self.table.at(slot) else {
            return (slot, 0);
        };
        let (cell, bytes, domain_at) = (name.text, usize::from(name.bytes), usize::from(name.domain_at));
        if domain_at == 0 {
            return (slot, name.hash);
        }
        let (known, hash) = (name.domain, name.domain_hash);
        if let Some(domain) = self.table.at_mut(known).filter(|domain| domain.hash == hash) {
            domain.again = true;
            return (known, hash);
        }
        // Copied, because adding it may move what the name is read from.
        let mut copy = [0; MOST_BYTES];
        copy[domain_at..bytes].copy_from_slice(&self.texts.at(cell, bytes)[domain_at..]);
        let text = std::str::from_utf8(&copy[domain_at..bytes]).unwrap_or_default();
        let (domain, hash) = self.intern(text, seed);
        if let Some(name) = self.table.at_mut(slot) {
            (name.domain, name.domain_hash) = (domain, hash);
        }
        (domain, hash)
    }

    /// How many octets of the name stand before its registered domain, the dot between them included.
    pub(crate) fn domain_at(&self, slot: u32) -> usize {
        self.table.at(slot).map_or(0, |name| usize::from(name.domain_at))
    }

    /// What it says of where it is known.
    pub(crate) fn class(&self, slot: u32) -> NameClass {
        self.table.at(slot).map_or(NameClass::Public, |name| name.kind)
    }

    /// The text, if the slot is of a name.
    pub(crate) fn text(&self, slot: u32) -> Option<&str> {
        std::str::from_utf8(self.bytes_of(slot)?).ok()
    }

    /// The same, unread: where many are only copied.
    pub(crate) fn bytes_of(&self, slot: u32) -> Option<&[u8]> {
        let name = self.table.at(slot)?;
        Some(self.texts.at(name.text, usize::from(name.bytes)))
    }

    /// The hash, 0 if the slot is of none.
    #[inline]
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

    /// Asks for the line where a name of this hash will be searched for.
    #[inline]
    pub(crate) fn prefetch_index(&self, hash: u64) {
        self.table.prefetch_index(hash);
    }

    /// Asks for the name in this slot.
    #[inline]
    pub(crate) fn prefetch_slot(&self, slot: u32) {
        self.table.prefetch_slot(slot);
    }

    /// Asks for the name itself.
    #[inline]
    pub(crate) fn prefetch_entry(&self, hash: u64) {
        self.table.prefetch_entry(hash);
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// Every slot is below this.
    pub(crate) fn slots(&self) -> usize {
        self.table.slots()
    }

    pub(crate) fn evicted(&self) -> u64 {
        self.table.evicted()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.table.bytes() + self.texts.bytes()
    }

    #[cold]
    fn add(&mut self, text: &str, hash: u64) -> u32 {
        // Longer ones do not come from `track`; of one that did the left end would be kept.
        let mut end = text.len().min(MOST_BYTES);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let text = &text[..end];
        let name = Name {
            hash,
            domain_hash: 0,
            domain: NO_NAME,
            text: self.texts.add(text.as_bytes()),
            holders: 0,
            bytes: text.len() as u8,
            domain_at: domain_at(text),
            kind: class_of(text),
            again: false,
        };
        let (slot, evicted) = self.table.insert(name);
        if let Some(evicted) = evicted {
            self.texts.remove(evicted.text, usize::from(evicted.bytes));
        }
        slot
    }
}

/// Text and circumstances of a name stay below the room that [`crate::Limits`] states.
const _: () = assert!(size_of::<Option<Name>>() <= 40);

/// The address that a name is, if it is no name at all.
pub(crate) fn address_written(name: &str) -> Option<std::net::IpAddr> {
    // All but a few names end in a letter that no address has, and need no reading.
    let may_be = name.ends_with(|last: char| last.is_ascii_hexdigit() || last == ':');
    may_be.then(|| name.parse().ok()).flatten()
}

fn class_of(name: &str) -> NameClass {
    if is_site_local_name(name) {
        NameClass::SiteLocal
    } else if tunnel::split(name).1.is_none() {
        NameClass::Undomained
    } else {
        NameClass::Public
    }
}

/// Where the registered domain begins: public suffix plus one label, by the Mozilla Public Suffix List. 0 for names that
/// have none: single labels, bare suffixes, addresses.
fn domain_at(name: &str) -> u8 {
    if address_written(name).is_some() {
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

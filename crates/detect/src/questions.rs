//! What DNS brought waits here, like check-ins, and is worked off together: half of all connections are questions.
//!
//! In: questions and answers as [`balefire_track::Sink::fact`] tells them. Out: calls of what handles each, in the order
//! they came. Not its job: what a question means ([`crate::dns`]), other check-ins ([`crate::intake`]).
//!
//! A question touches its name, the name's registered domain, and the tables keyed by host and domain, each somewhere
//! else in memory, and only the name says which domain it is. So there are steps, all of them taken for all that wait before
//! the next: the index of names was asked for when the question came; then the names; then, with the domains known, the
//! indexes of the other tables; then their entries; only then is anything changed.

use balefire_decode::Address;

use crate::detector::Detector;
use crate::home::Role;
use crate::innocent::is_site_local_name;
use crate::intake::{Ends, Event, Item, QUEUE};
use crate::key::Scope;
use crate::names::{NO_NAME, NameClass};
use crate::summary::EvidenceKind;
use crate::tunnel::NO_DOMAIN;

/// What waits.
#[derive(Clone, Copy, Debug)]
enum What {
    /// A question; the type that was asked for is told behind it.
    Question { query_type: Option<u16> },
    /// The type of a question that is no longer here.
    Type(u16),
    /// An address for the name.
    Answer(Address),
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    what: What,
    ends: Ends,
    time_ns: i64,
    /// The name's hash, its text in [`Questions::texts`], and its slot once that is known.
    hash: u64,
    text: (u32, u32),
    slot: u32,
    /// Of the host; of host and answered address.
    host: u64,
    given: u64,
    /// The domain asked below, of a question that carries data in its name.
    below: Option<Below>,
    /// The check-in that a question is.
    item: Option<Item>,
}

/// The domain below which a name carries data.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Below {
    /// Slot and hash of the domain's name.
    pub(crate) slot: u32,
    pub(crate) name_hash: u64,
    /// Identity of host and domain.
    pub(crate) hash: u64,
    /// Octets of the name that are data.
    pub(crate) data_bytes: usize,
}

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct Questions {
    waiting: Vec<Waiting>,
    texts: String,
}

impl Questions {
    pub(crate) fn new() -> Self {
        Self {
            waiting: Vec::with_capacity(QUEUE),
            // Names are told with at most 253 octets.
            texts: String::with_capacity(QUEUE * 256),
        }
    }
}

impl Detector {
    /// A host asked for a name.
    pub(crate) fn asked(&mut self, ends: &Ends, name: &str, time_ns: i64) {
        self.wait(What::Question { query_type: None }, ends, name, time_ns);
    }

    /// The type of the question just told.
    pub(crate) fn asked_for(&mut self, ends: &Ends, name: &str, query_type: u16, time_ns: i64) {
        if let Some(last) = self.questions.waiting.last_mut()
            && let What::Question { query_type: asked } = &mut last.what
            && asked.is_none()
            && (last.ends.host, last.ends.server) == (ends.host, ends.server)
            && &self.questions.texts[last.text.0 as usize..last.text.1 as usize] == name
        {
            *asked = Some(query_type);
            return;
        }
        self.wait(What::Type(query_type), ends, name, time_ns);
    }

    /// A host was given an address for a name.
    pub(crate) fn answered(&mut self, ends: &Ends, name: &str, address: Address, time_ns: i64) {
        self.wait(What::Answer(address), ends, name, time_ns);
    }

    /// Works off everything that waits here.
    pub(crate) fn drain_questions(&mut self) {
        if self.questions.waiting.is_empty() {
            return;
        }
        let mut waiting = std::mem::take(&mut self.questions.waiting);
        let texts = std::mem::take(&mut self.questions.texts);
        for one in &waiting {
            self.names.prefetch_entry(one.hash);
            self.seen.hosts.prefetch_entry(one.host);
            if matches!(one.what, What::Answer(_)) {
                self.resolved.prefetch_entry(one.given);
            }
        }
        for one in &mut waiting {
            self.resolve(one, &texts[one.text.0 as usize..one.text.1 as usize]);
        }
        for one in &waiting {
            if let Some(item) = &one.item {
                self.prefetch_entries(item);
            }
            if let Some(below) = &one.below {
                self.sketched.names.prefetch_entry(below.hash);
            }
        }
        for one in &waiting {
            self.work_off(one, &texts[one.text.0 as usize..one.text.1 as usize]);
        }
        (self.questions.waiting, self.questions.texts) = (waiting, texts);
        self.questions.waiting.clear();
        self.questions.texts.clear();
    }

    fn wait(&mut self, what: What, ends: &Ends, name: &str, time_ns: i64) {
        let hash = self.seed.text(name);
        let host = self.seed.address(ends.host);
        self.names.prefetch_index(hash);
        self.seen.hosts.prefetch_index(host);
        let given = match what {
            What::Answer(address) => self.seed.ends(ends.host, address),
            _ => 0,
        };
        if matches!(what, What::Answer(_)) {
            self.resolved.prefetch_index(given);
        }
        let texts = &mut self.questions.texts;
        let start = texts.len() as u32;
        texts.push_str(name);
        let text = (start, texts.len() as u32);
        self.questions.waiting.push(Waiting {
            what,
            ends: *ends,
            time_ns,
            hash,
            text,
            slot: NO_NAME,
            host,
            given,
            below: None,
            item: None,
        });
        if self.questions.waiting.len() >= QUEUE {
            self.drain();
        }
    }

    /// Finds the name and, of a question, the domain; asks for the lines where the tables will be searched.
    fn resolve(&mut self, one: &mut Waiting, name: &str) {
        if matches!(one.what, What::Answer(_)) {
            one.slot = self.names.intern_hashed(name, one.hash);
            return;
        }
        // The names of a site's own machines are not kept for being asked for.
        one.slot = match self.names.find(one.hash) {
            Some(slot) => slot,
            None if is_site_local_name(name) => return,
            None => self.names.intern_hashed(name, one.hash),
        };
        let class = self.names.class(one.slot);
        if class == NameClass::SiteLocal {
            return;
        }
        let (slot, hash) = self.names.intern_domain(one.slot, &self.seed);
        let relay = (one.ends.role != Role::Outbound).then_some(one.ends.server);
        if matches!(one.what, What::Question { .. }) {
            // A resolver inside passes the question on, so the domain is scored in any case.
            let key = self.seed.named(hash, Scope::Domain, relay, 0);
            let mut item = self.item(Event::Named, EvidenceKind::DnsBeacon, &one.ends, key, one.time_ns);
            item.name = slot;
            self.prefetch_indexes(&item);
            one.item = Some(item);
        }
        let domain_at = self.names.domain_at(one.slot);
        let (slot, name_hash, relay, data_bytes) = match class {
            NameClass::Undomained => {
                let (slot, hash) = self.names.intern(NO_DOMAIN, &self.seed);
                (slot, hash, Some(one.ends.server), name.len())
            }
            _ if domain_at == 0 => return,
            _ => (slot, hash, relay, domain_at - 1),
        };
        let key = self.seed.named(name_hash, Scope::Domain, relay, 0);
        let hash = self
            .seed
            .pair(one.host, self.seed.destination(&key), EvidenceKind::DnsTunnel);
        self.sketched.names.prefetch_index(hash);
        one.below = Some(Below {
            slot,
            name_hash,
            hash,
            data_bytes,
        });
    }

    fn work_off(&mut self, one: &Waiting, name: &str) {
        match one.what {
            What::Answer(address) => {
                let given = (one.host, one.given);
                self.resolved_to(&one.ends, (one.slot, one.hash), address, given, one.time_ns);
            }
            What::Question { query_type } => {
                if let Some(item) = &one.item {
                    self.check_in(item);
                }
                if let Some(below) = &one.below {
                    self.asked_below(&one.ends, &name[..below.data_bytes], below, one.time_ns);
                    if let Some(query_type) = query_type {
                        self.asked_below_for(below, query_type);
                    }
                }
            }
            What::Type(query_type) => {
                if let Some(below) = &one.below {
                    self.asked_below_for(below, query_type);
                }
            }
        }
    }
}

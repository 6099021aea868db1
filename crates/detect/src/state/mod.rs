//! What a detector knows, over restarts: timelines, hosts, destinations, pairs, names given by DNS, clients, sketches.
//!
//! In: the tables of every worker at an hour's end. Out: one [`State`] as bytes, and tables again. Not its job: files (the program).
//!
//! The form: [`MAGIC`], a version, a header, one section for each worker, something of the program's own, and the SHA-256 of all
//! before it. A section is entries, each behind a tag that says of which table; they are written in the order of what would be missed
//! most, up to [`MOST_SECTION_BYTES`]; what has no room is counted. The same tables give the same bytes. Pairs and destinations are
//! known by seeded hashes, so the seed is part of a state, and the file is nobody else's to read.
//!
//! What is not kept: connections under way (they are taken up as they go on), traffic of the open hour, contacts with what is
//! listed (they are found again in the timelines and pairs by looking back).

mod codec;

use balefire_decode::{Address, Transport};
use sha2::{Digest, Sha256};

pub(crate) use self::codec::{Input, Kept, kept, kept_choice};
use self::codec::{put_text, take_text};
use crate::clients::Client;
use crate::detector::Detector;
use crate::home::Role;
use crate::key::{Destination, Scope};
use crate::ledger::Record;
use crate::names::NO_NAME;
use crate::seen::Host;
use crate::settings::Settings;
use crate::sketched::{Sketch, Sketched};
use crate::summary::EvidenceKind;
use crate::timing::score_timing;

/// The hour in which something was active that was restored, and not seen since.
pub(crate) const NOT_IN_THIS_RUN: u32 = u32::MAX;

/// How a state begins.
const MAGIC: &[u8; 16] = b"balefire-state\n\0";

/// Of the form. It grows when what is kept changes, or how it is hashed; a test says when that is.
const VERSION: u16 = 2;

/// Of the checksum at the end.
const CHECKSUM_BYTES: usize = 32;

/// Of one worker. A timeline takes some 300 bytes, a pair 25: at the default limits that is nearly everything.
const MOST_SECTION_BYTES: usize = 64 << 20;

/// A state: see the head of this file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    seed: u64,
    home: u64,
    taken_ns: i64,
    sections: Vec<Vec<u8>>,
    /// Whatever the program keeps beside.
    pub beside: Vec<u8>,
    /// Entries that had no room; not part of the bytes.
    pub left_out: u64,
}

/// One worker's share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Section {
    bytes: Vec<u8>,
    left_out: u64,
}

/// Why bytes are no state that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// They do not begin as one.
    #[error("this is no state of balefire")]
    NoState,
    /// Of another form.
    #[error("its form is {found}, and this program knows form {VERSION}; it was written by another version")]
    Version {
        /// As it says.
        found: u16,
    },
    /// The checksum is not that of the bytes, or they end too early.
    #[error("it is damaged or cut short: its checksum does not hold")]
    Damaged,
    /// What inside and outside are has changed, so hosts and servers may be other ones.
    #[error("it was made with other home networks, or another score_internal")]
    OtherHome,
}

kept_choice!(Role {
    Outbound,
    Inbound,
    Internal,
    Transit
});
kept_choice!(Scope {
    Service,
    Name,
    ConnectTarget,
    Domain
});
kept_choice!(EvidenceKind {
    ConnectionBeacon,
    Heartbeat,
    DnsBeacon,
    DnsTunnel,
    IcmpTunnel,
    LongConnection,
    RepeatedSessions,
    DeadServer,
    ThreatIntel,
});

impl State {
    /// The sections of all workers, in their order, at an hour that ended at `taken_ns`.
    pub fn new(settings: &Settings, taken_ns: i64, sections: Vec<Section>) -> Self {
        Self {
            seed: settings.hash_seed,
            home: home_of(settings),
            taken_ns,
            left_out: sections.iter().map(|section| section.left_out).sum(),
            sections: sections.into_iter().map(|section| section.bytes).collect(),
            beside: Vec::new(),
        }
    }

    /// As bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let content: usize = self.sections.iter().map(Vec::len).sum();
        let mut out = Vec::with_capacity(content + self.beside.len() + 256);
        out.extend(MAGIC);
        out.extend(VERSION.to_le_bytes());
        self.seed.put(&mut out);
        self.home.put(&mut out);
        self.taken_ns.put(&mut out);
        (self.sections.len() as u32).put(&mut out);
        for part in self.sections.iter().chain([&self.beside]) {
            (part.len() as u64).put(&mut out);
            out.extend(part);
        }
        let checksum = Sha256::digest(&out);
        out.extend(checksum.as_slice());
        out
    }

    /// Reads bytes; their content only when it is restored.
    ///
    /// # Errors
    /// See [`StateError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StateError> {
        let Some(rest) = bytes.strip_prefix(MAGIC) else {
            return Err(StateError::NoState);
        };
        let version = rest.first_chunk().ok_or(StateError::Damaged)?;
        let found = u16::from_le_bytes(*version);
        if found != VERSION {
            return Err(StateError::Version { found });
        }
        let whole = bytes.len().checked_sub(CHECKSUM_BYTES).ok_or(StateError::Damaged)?;
        let (content, checksum) = bytes.split_at(whole);
        if Sha256::digest(content).as_slice() != checksum {
            return Err(StateError::Damaged);
        }
        let content = content.get(MAGIC.len() + version.len()..).ok_or(StateError::Damaged)?;
        Self::content(&mut Input::new(content)).ok_or(StateError::Damaged)
    }

    fn content(from: &mut Input<'_>) -> Option<Self> {
        let (seed, home, taken_ns) = (u64::take(from)?, u64::take(from)?, i64::take(from)?);
        let workers = u32::take(from)?;
        let part = |from: &mut Input<'_>| {
            let len = usize::try_from(u64::take(from)?).ok()?;
            from.bytes(len).map(<[u8]>::to_vec)
        };
        let mut sections = Vec::new();
        for _ in 0..workers {
            sections.push(part(from)?);
        }
        let beside = part(from)?;
        from.is_empty().then_some(Self {
            seed,
            home,
            taken_ns,
            sections,
            beside,
            left_out: 0,
        })
    }

    /// Whether a run with these settings can use it; otherwise hosts and servers would be others.
    ///
    /// # Errors
    /// [`StateError::OtherHome`].
    pub fn fits(&self, settings: &Settings) -> Result<(), StateError> {
        if self.home == home_of(settings) {
            Ok(())
        } else {
            Err(StateError::OtherHome)
        }
    }

    /// The seed that a run which restores it must have.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// End of the hour it was taken at, nanoseconds since 1970.
    pub fn taken_ns(&self) -> i64 {
        self.taken_ns
    }

    /// Workers it was taken of.
    pub fn workers(&self) -> usize {
        self.sections.len()
    }
}

fn home_of(settings: &Settings) -> u64 {
    let text = format!("{} {}", settings.home, settings.score_internal);
    let digest = Sha256::digest(text.as_bytes());
    digest.first_chunk().map_or(0, |head| u64::from_le_bytes(*head))
}

/// Of which table an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tag {
    Record,
    Host,
    Destination,
    Client,
    Resolved,
    Network,
    Sketched,
    Pair,
}

kept_choice!(Tag {
    Record,
    Host,
    Destination,
    Client,
    Resolved,
    Network,
    Sketched,
    Pair
});

impl Section {
    /// One entry, if there is room for it.
    fn entry(&mut self, tag: Tag, put: impl FnOnce(&mut Vec<u8>)) {
        let before = self.bytes.len();
        if before >= MOST_SECTION_BYTES {
            self.left_out += 1;
            return;
        }
        tag.put(&mut self.bytes);
        put(&mut self.bytes);
    }
}

impl Detector {
    /// What this worker knows. To be called at an hour's end, when nothing waits.
    pub fn save(&mut self) -> Section {
        self.drain();
        let mut section = Section::default();
        let telling = |record: &Record| record.class > 0 || record.timing_log_odds > 0.0;
        self.save_records(&mut section, telling);
        for host in self.seen.hosts.iter() {
            section.entry(Tag::Host, |out| host.put(out));
        }
        self.save_destinations(&mut section, |hosts| hosts > 1);
        for client in self.clients.all() {
            section.entry(Tag::Client, |out| client.put(out));
        }
        for (host, address, time_ns, name) in self.resolved.each(&self.names) {
            section.entry(Tag::Resolved, |out| {
                (host, address, time_ns).put(out);
                put_text(name, out);
            });
        }
        self.networks
            .put_each(|put| section.entry(Tag::Network, |out| put(out)));
        for sketched in self.sketched.kept(&self.names) {
            section.entry(Tag::Sketched, |out| {
                sketched.record.put(out);
                sketched.sketch.put(out);
                (sketched.name_hash != 0).put(out);
                put_text(self.names.text(sketched.record.name).unwrap_or_default(), out);
            });
        }
        self.save_records(&mut section, |record| !telling(record));
        for again in [true, false] {
            for (identity, first_ns, second_ns) in self.seen.pairs().filter(|pair| (pair.1 != pair.2) == again) {
                section.entry(Tag::Pair, |out| {
                    (identity, first_ns, again.then_some(second_ns)).put(out);
                });
            }
        }
        self.save_destinations(&mut section, |hosts| hosts == 1);
        section
    }

    fn save_records(&self, section: &mut Section, wanted: impl Fn(&Record) -> bool) {
        for record in self.ledger.iter().filter(|record| wanted(record)) {
            section.entry(Tag::Record, |out| {
                record.put(out);
                put_text(self.names.text(record.name).unwrap_or_default(), out);
            });
        }
    }

    fn save_destinations(&self, section: &mut Section, wanted: impl Fn(u32) -> bool) {
        for reached in self.seen.destinations.iter().filter(|reached| wanted(reached.hosts())) {
            let service = self.seen.service(reached);
            let service = service.map(|key| {
                let address = Address::of_bits(key.bits);
                (address, key.port, Transport(key.transport))
            });
            section.entry(Tag::Destination, |out| {
                (reached.hash, reached.hosts(), service).put(out);
                reached.first_day().put(out);
            });
        }
    }

    /// Puts back what this worker is to know; `owner` says which worker has the conversations of a host and a server. Of a state of as
    /// many workers each takes its own section; otherwise timelines and hosts go to their new owners, what is known by a hash alone
    /// to all or to the first. Returns the entries put back, and whether the content could be read to its end.
    pub fn restore(&mut self, state: &State, workers: usize, owner: &dyn Fn(Address, Address) -> usize) -> (u64, bool) {
        let number = self.worker;
        let dealt_anew = state.sections.len() != workers;
        let mine = |host: Address, server: Address| !dealt_anew || owner(host, server) == number;
        let (mut restored, mut is_whole) = (0, true);
        let mut suspects = Vec::new();
        for (at, section) in state.sections.iter().enumerate() {
            if !dealt_anew && at != number {
                continue;
            }
            let from = &mut Input::new(section);
            while !from.is_empty() {
                if self
                    .restore_one(from, &mine, number == 0 || !dealt_anew, &mut suspects)
                    .is_none()
                {
                    // Whole by its checksum, and still not to be read: what came before it is good.
                    is_whole = false;
                    break;
                }
                restored += 1;
            }
        }
        suspects.into_iter().for_each(|suspect| self.suspect_again(suspect));
        self.look_back();
        (restored, is_whole)
    }

    fn restore_one(
        &mut self,
        from: &mut Input<'_>,
        mine: &dyn Fn(Address, Address) -> bool,
        of_all: bool,
        suspects: &mut Vec<Suspect>,
    ) -> Option<()> {
        match Tag::take(from)? {
            Tag::Record => {
                let (record, name) = (Record::take(from)?, take_text(from)?);
                if mine(record.host, record.server) {
                    self.restore_record(record, name, suspects);
                }
            }
            Tag::Host => {
                let host = Host::take(from)?;
                if mine(host.address, Address::UNSPECIFIED) {
                    self.seen.restore_host(self.seed.address(host.address), host);
                }
            }
            Tag::Destination => {
                let (hash, hosts, service) = <(u64, u32, Option<(Address, u16, Transport)>)>::take(from)?;
                let first_day = u16::take(from)?;
                if of_all && hosts > 0 {
                    let service =
                        service.map(|(address, port, transport)| Destination::service(address, port, transport));
                    self.seen.restore_destination(hash, hosts, service, first_day);
                }
            }
            Tag::Client => {
                let client = Client::take(from)?;
                if of_all {
                    self.clients.restore(client);
                }
            }
            Tag::Resolved => {
                let (host, address, time_ns) = Kept::take(from)?;
                let name = take_text(from)?;
                if mine(host, address) {
                    let name = self.names.intern(name, &self.seed);
                    let hash = self.seed.ends(host, address);
                    self.resolved.given(hash, (host, address), time_ns, name, &self.names);
                }
            }
            Tag::Network => self.networks.restore(from).then_some(())?,
            Tag::Sketched => {
                let (mut record, sketch) = (Record::take(from)?, Sketch::take(from)?);
                let (named, name) = (bool::take(from)?, take_text(from)?);
                if mine(record.host, record.server) {
                    let (slot, hash) = if named {
                        self.names.intern(name, &self.seed)
                    } else {
                        (NO_NAME, 0)
                    };
                    record.name = slot;
                    if record.class > 0 {
                        suspects.push(Suspect::Sketched(record.hash));
                    }
                    self.sketched.restore(Sketched::new(record, sketch, hash));
                }
            }
            Tag::Pair => {
                let (identity, first_ns, second_ns) = <(u64, i64, Option<i64>)>::take(from)?;
                self.seen
                    .restore_pair(identity, first_ns, second_ns.unwrap_or(first_ns));
            }
        }
        Some(())
    }

    fn restore_record(&mut self, mut record: Record, name: &str, suspects: &mut Vec<Suspect>) {
        if self.ledger.find(record.hash).is_some() {
            return;
        }
        if !name.is_empty() {
            record.name = self.names.intern(name, &self.seed).0;
            self.names.hold(record.name);
        }
        let (hash, class) = (record.hash, record.class);
        let (slot, evicted) = self.ledger.insert(record);
        self.ledger.checked_in(slot);
        if let Some(evicted) = evicted {
            self.names.release(evicted.name);
        }
        if class > 0 {
            suspects.push(Suspect::Record(hash));
        }
    }

    /// The registry is told again of what was suspected, judged by what this program thinks of it.
    fn suspect_again(&mut self, suspect: Suspect) {
        match suspect {
            Suspect::Record(hash) => {
                let Some(slot) = self.ledger.find(hash) else { return };
                let Some(record) = self.ledger.at(slot) else { return };
                let class = self.verdict(record, &score_timing(&record.timeline), None);
                if let Some(record) = self.ledger.at_mut(slot) {
                    record.class = class;
                }
            }
            Suspect::Sketched(hash) => {
                let Some(sketched) = self.sketched.at(hash) else { return };
                let timing = score_timing(&sketched.record.timeline);
                let class = self.verdict(&sketched.record, &timing, Some(&sketched.sketch));
                if let Some(sketched) = self.sketched.find(hash) {
                    sketched.record.class = class;
                }
            }
        }
    }
}

/// What was suspected when the state was taken.
enum Suspect {
    Record(u64),
    Sketched(u64),
}

#[cfg(test)]
mod tests;

//! Records that are judged by a sketch of something else beside their times: names asked for, echoes, long connections,
//! groups of servers.
//!
//! In: events of one worker's hosts. Out: [`Sketched`] records by hash, and those worth judging. Not its job: what is in a
//! sketch, weights.

use crate::echo::EchoSketch;
use crate::group::GroupSketch;
use crate::lasting::LastingSketch;
use crate::ledger::Record;
use crate::names::Names;
use crate::state::{Input, Kept};
use crate::table::{Entry, Table};
use crate::tunnel::NameSketch;

/// Events from which names and echoes are judged.
pub(crate) const FEWEST_EVENTS: u32 = 8;

/// Whether names and echoes are judged at this many events: each time they have doubled.
pub(crate) const fn is_judged_at(events: u32) -> bool {
    events >= FEWEST_EVENTS && events.is_power_of_two()
}

/// What is kept beside the times.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "a record beside it is larger, and a box is an allocation per group"
)]
pub(crate) enum Sketch {
    /// Names asked for below one domain.
    Names(NameSketch),
    /// ICMP echoes.
    Echoes(EchoSketch),
    /// Connections that last.
    Lasting(LastingSketch),
    /// Several ports or neighbouring addresses taken together.
    Group(GroupSketch),
}

impl Sketch {
    /// What it is made of so far: queries, messages, connections; of a group what its timeline counts.
    pub(crate) fn events(&self) -> Option<u32> {
        match self {
            Self::Names(names) => Some(names.queries()),
            Self::Echoes(echoes) => Some(echoes.messages()),
            Self::Lasting(lasting) => Some(lasting.connections()),
            Self::Group(_) => None,
        }
    }

    fn is_worth_judging(&self) -> bool {
        match self {
            Self::Names(_) | Self::Echoes(_) => self.events().is_some_and(|events| events >= FEWEST_EVENTS),
            Self::Lasting(_) | Self::Group(_) => true,
        }
    }
}

/// A record with its sketch.
#[derive(Debug)]
pub(crate) struct Sketched {
    pub(crate) record: Record,
    pub(crate) sketch: Sketch,
    /// Of the record's name: nobody holds its slot, so it may belong to another name by now.
    pub(crate) name_hash: u64,
    again: bool,
}

impl Sketched {
    pub(crate) fn new(record: Record, sketch: Sketch, name_hash: u64) -> Self {
        Self {
            record,
            sketch,
            name_hash,
            again: false,
        }
    }

    /// The record's name is still the one it was made with.
    pub(crate) fn knows_its_name(&self, names: &Names) -> bool {
        names.hash(self.record.name) == self.name_hash
    }
}

impl Entry for Sketched {
    fn hash(&self) -> u64 {
        self.record.hash
    }

    fn second_chance(&mut self) -> bool {
        std::mem::take(&mut self.again)
    }
}

/// One worker's records of one kind of sketch.
#[derive(Debug)]
pub(crate) struct SketchedTable(Table<Sketched>);

impl SketchedTable {
    pub(crate) fn new(limit: usize) -> Self {
        Self(Table::new(limit))
    }

    pub(crate) fn find(&mut self, hash: u64) -> Option<&mut Sketched> {
        let slot = self.slot(hash)?;
        self.in_slot(slot)
    }

    /// The slot of this hash: good until the next insertion.
    pub(crate) fn slot(&self, hash: u64) -> Option<u32> {
        self.0.find(hash, |sketched| sketched.record.hash == hash)
    }

    /// What is in a slot.
    pub(crate) fn in_slot(&mut self, slot: u32) -> Option<&mut Sketched> {
        let sketched = self.0.at_mut(slot)?;
        // Found again, so not the coldest.
        sketched.again = true;
        Some(sketched)
    }

    pub(crate) fn at(&self, hash: u64) -> Option<&Sketched> {
        let slot = self.0.find(hash, |sketched| sketched.record.hash == hash)?;
        self.0.at(slot)
    }

    /// Adds one; its slot.
    pub(crate) fn insert(&mut self, sketched: Sketched) -> u32 {
        self.0.insert(sketched).0
    }

    /// Asks for the line where this hash will be searched for.
    #[inline]
    pub(crate) fn prefetch_index(&self, hash: u64) {
        self.0.prefetch_index(hash);
    }

    /// Asks for the entry itself.
    #[inline]
    pub(crate) fn prefetch_entry(&self, hash: u64) {
        self.0.prefetch_entry(hash);
    }

    /// Those worth judging.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Sketched> {
        self.0.iter().filter(|sketched| sketched.sketch.is_worth_judging())
    }

    pub(crate) fn evicted(&self) -> u64 {
        self.0.evicted()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.0.bytes()
    }
}

/// The tables of one worker, one for each kind, so that a flood of one cannot evict another.
#[derive(Debug)]
pub(crate) struct SketchedTables {
    pub(crate) names: SketchedTable,
    pub(crate) echoes: SketchedTable,
    pub(crate) lasting: SketchedTable,
    pub(crate) groups: SketchedTable,
}

impl SketchedTables {
    /// A sixteenth as many domains, long connections and groups as there may be timelines, a sixty-fourth as many pinged addresses.
    pub(crate) fn new(limits: &crate::Limits) -> Self {
        let sixteenth = limits.timelines / 16;
        Self {
            names: SketchedTable::new(sixteenth),
            echoes: SketchedTable::new(sixteenth / 4),
            lasting: SketchedTable::new(sixteenth),
            groups: SketchedTable::new(sixteenth),
        }
    }

    pub(crate) fn all(&self) -> [&SketchedTable; 4] {
        [&self.names, &self.echoes, &self.lasting, &self.groups]
    }

    /// The record with this hash, in whichever table.
    pub(crate) fn find(&mut self, hash: u64) -> Option<&mut Sketched> {
        [&mut self.names, &mut self.echoes, &mut self.lasting, &mut self.groups]
            .into_iter()
            .find_map(|table| table.find(hash))
    }

    /// The same, only to look at it.
    pub(crate) fn at(&self, hash: u64) -> Option<&Sketched> {
        self.all().into_iter().find_map(|table| table.at(hash))
    }

    /// Those worth judging, of all tables. A domain whose name is forgotten is none.
    pub(crate) fn iter<'a>(&'a self, names: &'a Names) -> impl Iterator<Item = &'a Sketched> {
        self.all()
            .into_iter()
            .flat_map(SketchedTable::iter)
            .filter(|sketched| !matches!(sketched.sketch, Sketch::Names(_)) || sketched.knows_its_name(names))
    }

    pub(crate) fn evicted(&self) -> u64 {
        self.all().iter().map(|table| table.evicted()).sum()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.all().iter().map(|table| table.bytes()).sum()
    }
}

impl SketchedTables {
    /// Every one that is worth keeping, whose name is still known.
    pub(crate) fn kept<'a>(&'a self, names: &'a Names) -> impl Iterator<Item = &'a Sketched> {
        self.all()
            .into_iter()
            .flat_map(|table| table.0.iter())
            .filter(|sketched| sketched.name_hash == 0 || sketched.knows_its_name(names))
    }

    /// Puts one back.
    pub(crate) fn restore(&mut self, sketched: Sketched) {
        let table = match sketched.sketch {
            Sketch::Names(_) => &mut self.names,
            Sketch::Echoes(_) => &mut self.echoes,
            Sketch::Lasting(_) => &mut self.lasting,
            Sketch::Group(_) => &mut self.groups,
        };
        if table.at(sketched.record.hash).is_none() {
            table.insert(sketched);
        }
    }
}

impl Kept for Sketch {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Names(names) => {
                out.push(0);
                names.put(out);
            }
            Self::Echoes(echoes) => {
                out.push(1);
                echoes.put(out);
            }
            Self::Lasting(lasting) => {
                out.push(2);
                lasting.put(out);
            }
            Self::Group(group) => {
                out.push(3);
                group.put(out);
            }
        }
    }

    fn take(from: &mut Input<'_>) -> Option<Self> {
        Some(match u8::take(from)? {
            0 => Self::Names(Kept::take(from)?),
            1 => Self::Echoes(Kept::take(from)?),
            2 => Self::Lasting(Kept::take(from)?),
            3 => Self::Group(Kept::take(from)?),
            _ => return None,
        })
    }
}

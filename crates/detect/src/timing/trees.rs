//! The fitted table, walked.
//!
//! In: the measures of a timeline. Out: what the trees add to each part of the score, thousandths of a natural logarithm. Not its
//! job: measuring, fitting, or what becomes of the sums.
//!
//! What a question moves is known before any timeline is: so each leaf keeps what the way to it adds to every part, summed when
//! this is compiled, and walking a tree is comparing and stepping only.

use super::first::FIRST_MEASURES;
use super::shape::{MEASURES, PART_OF, PARTS};
use super::table::{BASE, CHEAP_TREES, HOPELESS, NODES, ROOTS};

/// A question of a tree, or a leaf, as the table is written. Every node knows the estimate if the way ended there, so a step is
/// worth the difference to the node before it, and that is what the measure asked adds to its part.
#[derive(Clone, Copy)]
pub(super) struct Node {
    /// Above it the way goes to the second child; infinite in a leaf.
    pub(super) cut: f32,
    /// The second follows it; a leaf's is itself.
    pub(super) first_child: u16,
    /// Thousandths of a natural logarithm.
    pub(super) value: i16,
    /// The measure asked.
    pub(super) measure: u8,
}

/// What the trees add to each part.
pub(super) type Thousandths = [i32; PARTS.len()];

/// Parts of a leaf, padded to what is added at a time.
const LANES: usize = 8;
const _: () = assert!(PARTS.len() <= LANES);
/// Measures, padded to a power of two: then no place needs a check.
const PADDED: usize = MEASURES.next_power_of_two();
/// Trees walked side by side: each waits for its own loads, together they wait once. More do not fit the registers.
const AT_A_TIME: usize = 4;

/// A node as it is walked: eight to a cache line.
#[derive(Clone, Copy)]
struct Step {
    /// As [`ordered`].
    cut: i32,
    /// From here to the first child; 0 in a leaf, whose cut is infinite: it stays.
    ahead: u8,
    measure: u8,
    /// Leaves before this node; in a leaf, its place in [`LEAVES`].
    leaf: u16,
}

/// A number as an integer of the same order (IEEE 754 is sign and magnitude): integers are compared sooner. Zeros of either sign
/// differ, but no cut is zero.
const fn ordered(number: f32) -> i32 {
    let bits = number.to_bits() as i32;
    bits ^ ((bits >> 31) & i32::MAX)
}

// The first trees ask only what is known then,.
const _: () = {
    let mut at = 0;
    while at < NODES.len() && (CHEAP_TREES == ROOTS.len() || at < ROOTS[CHEAP_TREES] as usize) {
        assert!((NODES[at].measure as usize) < FIRST_MEASURES);
        at += 1;
    }
};

static STEPS: [Step; NODES.len()] = {
    let mut steps = [Step {
        cut: 0,
        ahead: 0,
        measure: 0,
        leaf: 0,
    }; NODES.len()];
    let (mut at, mut leaves) = (0, 0);
    while at < NODES.len() {
        let node = &NODES[at];
        let ahead = node.first_child as usize - at;
        assert!(ahead < 256 && (node.measure as usize) < MEASURES && node.cut != 0.0);
        steps[at] = Step {
            cut: ordered(node.cut),
            ahead: ahead as u8,
            measure: node.measure,
            leaf: leaves,
        };
        leaves += (ahead == 0) as u16;
        at += 1;
    }
    steps
};

/// What the way to each node adds, by part.
static WAYS: [[i16; LANES]; NODES.len()] = {
    let mut ways = [[0; LANES]; NODES.len()];
    let mut root = 0;
    while root < ROOTS.len() {
        // A root's own estimate belongs to no measure: it goes to the first part, the number of check-ins.
        ways[ROOTS[root] as usize][0] = NODES[ROOTS[root] as usize].value;
        root += 1;
    }
    let mut at = 0;
    // Children stand behind their parents.
    while at < NODES.len() {
        let node = &NODES[at];
        let mut child = node.first_child as usize;
        let last = if child == at { child } else { child + 2 };
        while child < last {
            ways[child] = ways[at];
            ways[child][PART_OF[node.measure as usize] as usize] += NODES[child].value - node.value;
            child += 1;
        }
        at += 1;
    }
    ways
};

const LEAF_COUNT: usize = {
    let (mut at, mut leaves) = (0, 0);
    while at < NODES.len() {
        leaves += (NODES[at].first_child as usize == at) as usize;
        at += 1;
    }
    leaves
};

static LEAVES: [[i16; LANES]; LEAF_COUNT] = {
    let mut leaves = [[0; LANES]; LEAF_COUNT];
    let (mut at, mut leaf) = (0, 0);
    while at < NODES.len() {
        if NODES[at].first_child as usize == at {
            leaves[leaf] = WAYS[at];
            leaf += 1;
        }
        at += 1;
    }
    leaves
};

/// Steps of the longest way from a root to a leaf.
const DEPTH: usize = {
    let mut depths = [0; NODES.len()];
    let (mut at, mut most) = (0, 0);
    while at < NODES.len() {
        let child = NODES[at].first_child as usize;
        if child != at {
            depths[child] = depths[at] + 1;
            depths[child + 1] = depths[at] + 1;
        }
        if depths[at] > most {
            most = depths[at];
        }
        at += 1;
    }
    most
};

/// The trees being asked. They are in the order of their worth, and most timelines are plainly people: one whose log-odds so far
/// are below what [`HOPELESS`] says is not asked further, and keeps what was said so far.
pub(super) struct Asking {
    measures: [i32; PADDED],
    sums: [i32; LANES],
    asked: usize,
    over: bool,
}

impl Asking {
    /// No tree is asked.
    pub(super) fn nothing() -> Self {
        Self {
            measures: [0; PADDED],
            sums: [0; LANES],
            asked: 0,
            over: true,
        }
    }

    /// Asks the trees that ask only the first measures.
    pub(super) fn first(values: &[f32; FIRST_MEASURES]) -> Self {
        let mut asking = Self {
            over: false,
            ..Self::nothing()
        };
        asking.learn(0, values);
        asking.ask(CHEAP_TREES);
        asking
    }

    /// Asks the other trees.
    pub(super) fn rest(&mut self, values: &[f32; MEASURES]) {
        self.learn(FIRST_MEASURES, &values[FIRST_MEASURES..]);
        self.ask(ROOTS.len());
        self.over = true;
    }

    /// Whether no tree needs to be asked any more.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// What was said.
    pub(super) fn thousandths(&self) -> Thousandths {
        std::array::from_fn(|part| self.sums[part])
    }

    fn learn(&mut self, from: usize, values: &[f32]) {
        for (measure, value) in self.measures[from..].iter_mut().zip(values) {
            *measure = ordered(*value);
        }
    }

    fn ask(&mut self, last: usize) {
        for (upto, hopeless) in HOPELESS {
            if upto <= self.asked || upto > last {
                continue;
            }
            add(&ROOTS[self.asked..upto], &self.measures, &mut self.sums);
            self.asked = upto;
            if BASE + self.sums.iter().sum::<i32>() < hopeless {
                self.over = true;
                return;
            }
        }
        add(&ROOTS[self.asked..last], &self.measures, &mut self.sums);
        self.asked = last;
    }
}

/// Adds what some trees say.
fn add(roots: &[u16], measures: &[i32; PADDED], sums: &mut [i32; LANES]) {
    let (groups, others) = roots.as_chunks::<AT_A_TIME>();
    for group in groups {
        walk(*group, measures, sums);
    }
    for root in others {
        walk([*root], measures, sums);
    }
}

/// Walks some trees side by side from root to leaf.
#[inline]
fn walk<const N: usize>(roots: [u16; N], measures: &[i32; PADDED], sums: &mut [i32; LANES]) {
    let mut places = roots.map(u32::from);
    for _ in 0..DEPTH {
        for place in &mut places {
            let step = &STEPS[*place as usize];
            let above = measures[usize::from(step.measure) % PADDED] > step.cut;
            *place += u32::from(step.ahead) + u32::from(above);
        }
    }
    for place in places {
        let leaf = &LEAVES[usize::from(STEPS[place as usize].leaf)];
        for (sum, value) in sums.iter_mut().zip(leaf) {
            *sum += i32::from(*value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One tree after the other, question by question, as the table says.
    fn plainly(measures: &[f32; MEASURES]) -> Thousandths {
        let mut sums = Thousandths::default();
        for (asked, root) in ROOTS.iter().enumerate() {
            let so_far = BASE + sums.iter().sum::<i32>();
            if HOPELESS
                .iter()
                .any(|&(upto, hopeless)| upto == asked && so_far < hopeless)
            {
                break;
            }
            let (mut at, mut part) = (usize::from(*root), 0);
            let mut before = 0;
            loop {
                let node = &NODES[at];
                sums[part] += i32::from(node.value - before);
                if usize::from(node.first_child) == at {
                    break;
                }
                let measure = usize::from(node.measure);
                (part, before) = (usize::from(PART_OF[measure]), node.value);
                at = usize::from(node.first_child) + usize::from(measures[measure] > node.cut);
            }
        }
        sums
    }

    #[test]
    fn walking_is_asking_one_question_after_the_other() {
        let mut state = 3_u64;
        let mut unit = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1 << 24) as f32
        };
        let anything = std::iter::repeat_with(|| std::array::from_fn(|_| (unit() - 0.3) * 4.0));
        let mut rows: Vec<[f32; MEASURES]> = anything.take(300).collect();
        // Page loads, which the first trees rule out.
        for _ in 0..20 {
            let mut timeline = crate::Timeline::new(0, 480);
            let mut time_s = 0.0;
            for step in 0..200 {
                time_s += if step % 20 == 0 { 3600.0 } else { 1.0 } * (4.0 * unit() - 2.0).exp();
                timeline.check_in((f64::from(time_s) * 1e9) as i64, 480);
            }
            rows.push(super::super::shape(&timeline).measures);
        }
        let (mut ended, mut early) = (0, 0);
        for measures in rows {
            let mut asking = Asking::first(measures.first_chunk().unwrap());
            if asking.is_over() {
                early += 1;
            } else {
                asking.rest(&measures);
                ended += 1;
            }
            assert_eq!(asking.thousandths(), plainly(&measures));
        }
        assert!(ended > 0 && early > 0, "both ways are walked: {ended} {early}");
    }

    #[test]
    fn order_is_kept() {
        for pair in [f32::MIN, -1.5, -1e-30, 0.0, 1e-30, 2.0, f32::MAX, f32::INFINITY].windows(2) {
            assert!(ordered(pair[0]) < ordered(pair[1]));
        }
    }
}

//! Gradient boosting of small trees for the logistic loss, in as little code as serves a table of a few thousand nodes.
//!
//! In: rows of measures with labels and weights. Out: trees. Not its job: reading rows, calibration, writing source.
//!
//! Newton boosting (Friedman 2001; Chen and Guestrin 2016), trees grown at the leaf that gains most, measures cut at quantiles,
//! rows that are told well already sampled thinly. Deterministic.

use crate::variants::Random;

/// How trees are grown.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Trees of the table.
    pub trees: usize,
    /// The first of them, which ask nothing but the first measures.
    pub cheap_trees: usize,
    /// Measures that those may ask.
    pub cheap_measures: usize,
    /// Leaves of a tree.
    pub leaves: usize,
    /// Longest way to a leaf.
    pub depth: usize,
    /// Share of a tree's own estimate that is kept.
    pub rate: f64,
    /// Weight of doubt in a leaf, in rows at even odds times a quarter.
    pub doubt: f64,
    /// Sampled rows a leaf has at least.
    pub least_rows: usize,
    /// Share of the measures that a tree may ask.
    pub asked: f64,
}
/// Quantiles a measure is cut at, at most; bins fit a cache line's worth.
const CUTS: usize = 63;
const BINS: usize = CUTS + 1;

/// Rows to learn from.
#[derive(Debug, Default)]
pub struct Rows {
    /// Whether the row is a beacon.
    pub label: Vec<bool>,
    /// Its weight.
    pub weight: Vec<f64>,
    /// The variant it is.
    pub variant: Vec<u8>,
    /// Measures, by column.
    pub columns: Vec<Vec<f32>>,
}

/// A question or an answer of a tree.
#[derive(Clone, Debug)]
pub struct Node {
    /// The measure asked, and its cut: above it goes to the second child. `None` is a leaf.
    pub question: Option<(usize, f32)>,
    /// The first child; the second follows it.
    pub first_child: usize,
    /// The estimate if the way ended here.
    pub value: f64,
    bin: u8,
}

/// Rows of one tree, with first and second derivative of the loss.
struct Sample {
    rows: Vec<u32>,
    gradient: Vec<f32>,
    curvature: Vec<f32>,
}

/// Bins of all measures of a row side by side.
struct Binned {
    measures: usize,
    bins: Vec<u8>,
    cuts: Vec<Vec<f32>>,
}

type Histogram = Vec<[f64; 2]>;

/// A leaf that may grow.
struct Leaf {
    node: usize,
    depth: usize,
    members: Vec<u32>,
    histogram: Histogram,
    /// Gain, measure, bin.
    best: Option<(f64, usize, usize)>,
}

/// Fits trees.
pub fn boost(rows: &Rows, plan: &Plan) -> Vec<Vec<Node>> {
    let binned = bin(rows);
    let mut random = Random::new(1);
    let mut score = vec![0.0_f64; rows.label.len()];
    let mut trees = Vec::new();
    for round in 0..plan.trees {
        let sample = sample(rows, &score, &mut random);
        // Some of the measures each time: trees that differ mend each other.
        let most = if round < plan.cheap_trees {
            plan.cheap_measures
        } else {
            binned.measures
        };
        let asked = (0..binned.measures).map(|measure| random.unit() < plan.asked && measure < most);
        let tree = grow(&binned, &sample, &asked.collect::<Vec<_>>(), plan);
        for (row, score) in score.iter_mut().enumerate() {
            *score += binned.value(&tree, row);
        }
        if round.is_multiple_of(20) {
            eprintln!("tree {round}, {} rows sampled", sample.rows.len());
        }
        trees.push(tree);
    }
    trees
}

/// What a tree says of a row of measures.
pub fn value(tree: &[Node], rows: &Rows, row: usize) -> f64 {
    let mut node = &tree[0];
    while let Some((measure, cut)) = node.question {
        node = &tree[node.first_child + usize::from(rows.columns[measure][row] > cut)];
    }
    node.value
}

impl Binned {
    fn of(&self, row: usize) -> &[u8] {
        &self.bins[row * self.measures..(row + 1) * self.measures]
    }

    fn value(&self, tree: &[Node], row: usize) -> f64 {
        let bins = self.of(row);
        let mut node = &tree[0];
        while let Some((measure, _)) = node.question {
            node = &tree[node.first_child + usize::from(bins[measure] > node.bin)];
        }
        node.value
    }
}

fn bin(rows: &Rows) -> Binned {
    let cuts: Vec<Vec<f32>> = rows.columns.iter().map(|column| quantiles(column)).collect();
    let measures = rows.columns.len();
    let mut bins = vec![0; measures * rows.label.len()];
    for (measure, (column, cuts)) in rows.columns.iter().zip(&cuts).enumerate() {
        for (row, value) in column.iter().enumerate() {
            bins[row * measures + measure] = cuts.partition_point(|cut| cut < value) as u8;
        }
    }
    Binned { measures, bins, cuts }
}

/// Quantiles of a column without repeats, each a little above a value that occurs: so that rounding in a measure that can only take
/// a few values never changes sides.
fn quantiles(column: &[f32]) -> Vec<f32> {
    let mut sample: Vec<f32> = column.iter().step_by(1 + column.len() / 200_000).copied().collect();
    sample.sort_unstable_by(f32::total_cmp);
    let mut cuts: Vec<f32> = (1..=CUTS)
        .map(|cut| sample[(sample.len() - 1) * cut / (CUTS + 1)])
        .collect();
    cuts.dedup();
    cuts.iter().map(|cut| cut + cut.abs() * 1e-4 + 1e-6).collect()
}

/// Rows that are badly told, and a share of the others with their weight raised.
fn sample(rows: &Rows, score: &[f64], random: &mut Random) -> Sample {
    let mut sample = Sample {
        rows: Vec::new(),
        gradient: Vec::new(),
        curvature: Vec::new(),
    };
    for (row, score) in score.iter().enumerate() {
        let probability = 1.0 / (1.0 + (-score).exp());
        let gradient = f64::from(u8::from(rows.label[row])) - probability;
        let keep = (gradient.abs() * 20.0).clamp(0.08, 0.85);
        if random.unit() < keep {
            let weight = rows.weight[row] / keep;
            sample.rows.push(row as u32);
            sample.gradient.push((weight * gradient) as f32);
            sample
                .curvature
                .push((weight * probability * (1.0 - probability)) as f32);
        }
    }
    sample
}

/// One tree, at each step the leaf that gains most is asked one more question.
fn grow(binned: &Binned, sample: &Sample, asked: &[bool], plan: &Plan) -> Vec<Node> {
    let all: Vec<u32> = (0..sample.rows.len() as u32).collect();
    let mut nodes = vec![Node {
        question: None,
        first_child: 0,
        value: 0.0,
        bin: 0,
    }];
    let histogram = histogram(binned, sample, &all);
    nodes[0].value = plan.estimate(total(&histogram));
    let mut leaves = vec![plan.leaf(0, 0, all, histogram, binned, asked)];
    while leaves.len() < plan.leaves {
        let best = (0..leaves.len())
            .filter(|&at| leaves[at].best.is_some())
            .max_by(|&one, &two| gain(&leaves[one]).total_cmp(&gain(&leaves[two])));
        let Some(parent) = best.map(|at| leaves.swap_remove(at)) else {
            break;
        };
        let Some((_, measure, bin)) = parent.best else { break };
        let (below, above): (Vec<u32>, Vec<u32>) = parent
            .members
            .iter()
            .partition(|&&member| usize::from(binned.of(sample.rows[member as usize] as usize)[measure]) <= bin);
        // The smaller child is counted, the larger is what is left.
        let count_below = below.len() <= above.len();
        let counted = self::histogram(binned, sample, if count_below { &below } else { &above });
        let rest: Histogram = parent
            .histogram
            .iter()
            .zip(&counted)
            .map(|(all, part)| [all[0] - part[0], all[1] - part[1]])
            .collect();
        let (first, second) = if count_below { (counted, rest) } else { (rest, counted) };
        let child = nodes.len();
        nodes[parent.node].question = Some((measure, binned.cuts[measure][bin]));
        nodes[parent.node].first_child = child;
        nodes[parent.node].bin = bin as u8;
        for (at, (members, histogram)) in [(below, first), (above, second)].into_iter().enumerate() {
            nodes.push(Node {
                question: None,
                first_child: 0,
                value: plan.estimate(total(&histogram)),
                bin: 0,
            });
            leaves.push(plan.leaf(child + at, parent.depth + 1, members, histogram, binned, asked));
        }
    }
    nodes
}

fn gain(leaf: &Leaf) -> f64 {
    leaf.best.map_or(f64::MIN, |best| best.0)
}

/// Every row is in one bin of the first measure.
fn total(histogram: &Histogram) -> [f64; 2] {
    histogram[..BINS]
        .iter()
        .fold([0.0; 2], |sum, bin| [sum[0] + bin[0], sum[1] + bin[1]])
}

fn histogram(binned: &Binned, sample: &Sample, members: &[u32]) -> Histogram {
    let mut histogram = vec![[0.0; 2]; binned.measures * BINS];
    for &member in members {
        let (gradient, curvature) = (
            f64::from(sample.gradient[member as usize]),
            f64::from(sample.curvature[member as usize]),
        );
        for (measure, &bin) in binned.of(sample.rows[member as usize] as usize).iter().enumerate() {
            let sum = &mut histogram[measure * BINS + usize::from(bin)];
            sum[0] += gradient;
            sum[1] += curvature;
        }
    }
    histogram
}

impl Plan {
    fn estimate(&self, sum: [f64; 2]) -> f64 {
        (self.rate * sum[0] / (sum[1] + self.doubt)).clamp(-1.0, 1.0)
    }

    fn leaf(
        &self,
        node: usize,
        depth: usize,
        members: Vec<u32>,
        histogram: Histogram,
        binned: &Binned,
        asked: &[bool],
    ) -> Leaf {
        let mut leaf = Leaf {
            node,
            depth,
            members,
            histogram,
            best: None,
        };
        if depth < self.depth && leaf.members.len() >= 2 * self.least_rows {
            leaf.best = self.split(&leaf.histogram, binned, asked);
        }
        leaf
    }

    /// The question that takes away most loss.
    fn split(&self, histogram: &Histogram, binned: &Binned, asked: &[bool]) -> Option<(f64, usize, usize)> {
        /// Curvature that a side has at least: some rows near even odds.
        const LEAST_CURVATURE: f64 = 0.5;
        let worth = |sum: [f64; 2]| sum[0] * sum[0] / (sum[1] + self.doubt);
        let all = total(histogram);
        let mut best: Option<(f64, usize, usize)> = None;
        for measure in (0..binned.measures).filter(|&measure| asked[measure]) {
            let mut below = [0.0; 2];
            for cut in 0..binned.cuts[measure].len() {
                let bin = histogram[measure * BINS + cut];
                below = [below[0] + bin[0], below[1] + bin[1]];
                let above = [all[0] - below[0], all[1] - below[1]];
                if below[1] < LEAST_CURVATURE || above[1] < LEAST_CURVATURE {
                    continue;
                }
                let gain = worth(below) + worth(above) - worth(all);
                if gain > 1e-6 && best.is_none_or(|best| gain > best.0) {
                    best = Some((gain, measure, cut));
                }
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_measures_that_only_tell_together_are_learned() {
        let mut random = Random::new(9);
        let mut rows = Rows {
            columns: vec![Vec::new(), Vec::new()],
            ..Rows::default()
        };
        for _ in 0..4000 {
            let (one, two) = (random.unit() as f32, random.unit() as f32);
            rows.columns[0].push(one);
            rows.columns[1].push(two);
            rows.label.push((one > 0.5) != (two > 0.5) && one > 0.2);
            rows.weight.push(1.0);
            rows.variant.push(0);
        }
        let plan = Plan {
            trees: 60,
            cheap_trees: 10,
            cheap_measures: 1,
            leaves: 12,
            depth: 6,
            rate: 0.2,
            doubt: 5.0,
            least_rows: 50,
            asked: 0.6,
        };
        let trees = boost(&rows, &plan);
        let asks = |tree: &[Node]| {
            tree.iter()
                .any(|node| node.question.is_some_and(|(measure, _)| measure > 0))
        };
        assert!(!trees[..10].iter().any(|tree| asks(tree)) && trees[10..].iter().any(|tree| asks(tree)));
        let wrong = (0..4000)
            .filter(|&row| {
                let score: f64 = trees.iter().map(|tree| value(tree, &rows, row)).sum();
                (score > 0.0) != rows.label[row]
            })
            .count();
        assert!(wrong < 400, "{wrong}");
    }
}

//! Fits the table of the timing score: boosted trees, one named part of the score each, and their calibration.
//!
//! In: rows of measures, as `timelines --measures` writes them, some to learn from and some to check on. Out: the Rust
//! source of `crates/detect/src/timing/table.rs`, the calibration and the reliability curve on the checked rows. Not its job:
//! measures, that is `balefire_detect`'s; the recall of a finished score, `evaluate.py` of the timeline bench measures it.
//!
//! `fit_timing TABLE.rs --learn ROWS... --check ROWS...`, deterministic: the same rows give the same table.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use balefire_benches::variants::Random;
use balefire_detect::{BASE_RATE, DEPTH, MEASURES, PARTS, part_measures};

/// Every level of a tree asks one question of all rows, so a leaf is the answers as a number.
const LEAVES: usize = 1 << DEPTH;
/// Trees of the table.
const TREES: usize = 360;
/// Share of a tree's own estimate that is kept.
const RATE: f64 = 0.12;
/// Weight of doubt in a leaf, in rows at even odds.
const DOUBT: f64 = 4.0;
/// Quantiles a measure is cut at.
const CUTS: usize = 62;
/// Weight of rows by variant: as seen, cut to a window, with tasking, fast, scaled, over days.
const WEIGHTS: [f64; 6] = [1.0, 0.05, 0.06, 0.06, 0.03, 0.1];

/// Rows of measures, by column.
struct Rows {
    label: Vec<bool>,
    weight: Vec<f64>,
    variant: Vec<u8>,
    columns: Vec<Vec<f32>>,
}

/// One tree.
struct Tree {
    part: usize,
    measures: [usize; DEPTH],
    cuts: [f32; DEPTH],
    leaves: [f64; LEAVES],
}

fn main() -> anyhow::Result<()> {
    let (table, learn, check) = arguments()?;
    let rows = read(&learn)?;
    let check = read(&check)?;
    eprintln!(
        "{} rows to learn from, {} to check on",
        rows.label.len(),
        check.label.len()
    );
    let trees = boost(&rows);
    let raw: Vec<f64> = (0..check.label.len()).map(|row| predict(&trees, &check, row)).collect();
    let (slope, base) = calibrate(&raw, &check);
    let scores: Vec<f64> = raw.iter().map(|score| base + slope * score).collect();
    print!("{}", reliability(&scores, &check));
    std::fs::write(&table, source(&trees, slope, base)).with_context(|| format!("writing {}", table.display()))?;
    Ok(())
}

fn arguments() -> anyhow::Result<(PathBuf, Vec<PathBuf>, Vec<PathBuf>)> {
    let mut arguments = std::env::args().skip(1);
    let table = arguments
        .next()
        .context("usage: fit_timing TABLE.rs --learn ROWS... --check ROWS...")?;
    let (mut learn, mut check, mut checking) = (Vec::new(), Vec::new(), false);
    for argument in arguments {
        match argument.as_str() {
            "--learn" => checking = false,
            "--check" => checking = true,
            _ if checking => check.push(argument.into()),
            _ => learn.push(argument.into()),
        }
    }
    if learn.is_empty() || check.is_empty() {
        bail!("rows to learn from and rows to check on are both needed");
    }
    Ok((table.into(), learn, check))
}

fn read(paths: &[PathBuf]) -> anyhow::Result<Rows> {
    let mut rows = Rows {
        label: Vec::new(),
        weight: Vec::new(),
        variant: Vec::new(),
        columns: vec![Vec::new(); MEASURES],
    };
    for path in paths {
        read_file(path, &mut rows).with_context(|| format!("reading {}", path.display()))?;
    }
    Ok(rows)
}

fn read_file(path: &Path, rows: &mut Rows) -> anyhow::Result<()> {
    let bytes = std::fs::read(path)?;
    if bytes.len() % ((MEASURES + 2) * 4) != 0 {
        bail!("not whole rows of {MEASURES} measures: write them anew with `timelines --measures`");
    }
    for row in bytes.chunks_exact((MEASURES + 2) * 4) {
        let mut values = row
            .chunks_exact(4)
            .map(|value| f32::from_le_bytes([value[0], value[1], value[2], value[3]]));
        let (label, variant) = (values.next().unwrap_or(0.0), values.next().unwrap_or(0.0));
        rows.label.push(label == 1.0);
        rows.variant.push(variant as u8);
        rows.weight.push(WEIGHTS.get(variant as usize).copied().unwrap_or(0.0));
        rows.columns
            .iter_mut()
            .zip(values)
            .for_each(|(column, value)| column.push(value));
    }
    Ok(())
}

/// Quantiles of a column, without repeats.
fn quantiles(column: &[f32]) -> Vec<f32> {
    let mut sample: Vec<f32> = column.iter().step_by(1 + column.len() / 200_000).copied().collect();
    sample.sort_unstable_by(f32::total_cmp);
    let mut cuts: Vec<f32> = (1..=CUTS)
        .map(|cut| sample[(sample.len() - 1) * cut / (CUTS + 1)])
        .collect();
    cuts.dedup();
    // A little above the value, so that rounding in a measure that can only take a few values never changes sides.
    cuts.iter().map(|cut| cut + cut.abs() * 1e-4 + 1e-6).collect()
}

/// Gradient boosting of the logistic loss with Newton leaves (Friedman 2001), trees that ask one question per level.
fn boost(rows: &Rows) -> Vec<Tree> {
    let cuts: Vec<Vec<f32>> = rows.columns.iter().map(|column| quantiles(column)).collect();
    let binned: Vec<Vec<u8>> = rows
        .columns
        .iter()
        .zip(&cuts)
        .map(|(column, cuts)| {
            column
                .iter()
                .map(|value| cuts.partition_point(|cut| cut < value) as u8)
                .collect()
        })
        .collect();
    let mut random = Random::new(1);
    let mut score = vec![0.0_f64; rows.label.len()];
    let mut trees: Vec<Tree> = Vec::new();
    while trees.len() < TREES {
        let mut sample = sample(rows, &score, &mut random);
        // Parts take turns, so each says what it can, and none is starved by the first.
        let part = trees.len() % PARTS.len();
        let Some((tree, gain)) = grow(part, &binned, &cuts, &mut sample, &mut random) else {
            break;
        };
        for (row, score) in score.iter_mut().enumerate() {
            *score += tree.leaves[leaf(&tree, rows, row)];
        }
        if trees.len() % 20 == 0 {
            eprintln!("tree {} part {} gain {gain:.1}", trees.len(), PARTS[tree.part]);
        }
        trees.push(tree);
    }
    trees
}

/// Rows of one tree with their first and second derivative.
struct Sample {
    rows: Vec<u32>,
    gradient: Vec<f64>,
    curvature: Vec<f64>,
    leaf: Vec<u8>,
}

/// All rows that are still badly told, a share of the others with their weight raised.
fn sample(rows: &Rows, score: &[f64], random: &mut Random) -> Sample {
    let mut sample = Sample {
        rows: Vec::new(),
        gradient: Vec::new(),
        curvature: Vec::new(),
        leaf: Vec::new(),
    };
    for (row, score) in score.iter().enumerate() {
        let probability = 1.0 / (1.0 + (-score).exp());
        let gradient = f64::from(u8::from(rows.label[row])) - probability;
        let keep = (gradient.abs() * 20.0).clamp(0.08, 1.0);
        if random.unit() < keep {
            let weight = rows.weight[row] / keep;
            sample.rows.push(row as u32);
            sample.gradient.push(weight * gradient);
            sample.curvature.push(weight * probability * (1.0 - probability));
        }
    }
    sample.leaf = vec![0; sample.rows.len()];
    sample
}

/// The best tree of a part and the loss it takes away.
fn grow(
    part: usize,
    binned: &[Vec<u8>],
    cuts: &[Vec<f32>],
    sample: &mut Sample,
    random: &mut Random,
) -> Option<(Tree, f64)> {
    sample.leaf.fill(0);
    let (mut measures, mut thresholds) = ([0; DEPTH], [0.0; DEPTH]);
    let mut gain = 0.0;
    for level in 0..DEPTH {
        let mut best = (f64::MIN, 0, 0);
        for &measure in part_measures(part) {
            if random.unit() < 0.3 && best.0 > f64::MIN {
                continue;
            }
            let (candidate, cut) = split(&binned[measure], cuts[measure].len(), sample, level);
            if candidate > best.0 {
                best = (candidate, measure, cut);
            }
        }
        gain = best.0;
        measures[level] = best.1;
        thresholds[level] = *cuts[best.1].get(best.2)?;
        for (at, row) in sample.rows.iter().enumerate() {
            sample.leaf[at] |= u8::from(usize::from(binned[best.1][*row as usize]) > best.2) << level;
        }
    }
    let mut sums = [(0.0, 0.0); LEAVES];
    for at in 0..sample.rows.len() {
        let sum = &mut sums[usize::from(sample.leaf[at])];
        sum.0 += sample.gradient[at];
        sum.1 += sample.curvature[at];
    }
    let leaves = sums.map(|(gradient, curvature)| (RATE * gradient / (curvature + DOUBT)).clamp(-1.0, 1.0));
    Some((
        Tree {
            part,
            measures,
            cuts: thresholds,
            leaves,
        },
        gain,
    ))
}

/// The cut of a measure that takes away most loss over all leaves of a level.
fn split(column: &[u8], cuts: usize, sample: &Sample, level: usize) -> (f64, usize) {
    const BINS: usize = 64;
    let mut sums = vec![(0.0_f64, 0.0_f64); BINS << level];
    for (at, row) in sample.rows.iter().enumerate() {
        let sum = &mut sums[usize::from(sample.leaf[at]) * BINS + usize::from(column[*row as usize])];
        sum.0 += sample.gradient[at];
        sum.1 += sample.curvature[at];
    }
    let worth = |(gradient, curvature): (f64, f64)| gradient * gradient / (curvature + DOUBT);
    let mut gains = vec![0.0; cuts];
    for leaf in sums.chunks_exact(BINS) {
        let total = leaf.iter().fold((0.0, 0.0), |sum, bin| (sum.0 + bin.0, sum.1 + bin.1));
        let mut below = (0.0, 0.0);
        for (gain, bin) in gains.iter_mut().zip(leaf) {
            below = (below.0 + bin.0, below.1 + bin.1);
            *gain += worth(below) + worth((total.0 - below.0, total.1 - below.1));
        }
    }
    gains.iter().enumerate().fold(
        (f64::MIN, 0),
        |best, (cut, &gain)| if gain > best.0 { (gain, cut) } else { best },
    )
}

fn leaf(tree: &Tree, rows: &Rows, row: usize) -> usize {
    (0..DEPTH)
        .map(|level| usize::from(rows.columns[tree.measures[level]][row] > tree.cuts[level]) << level)
        .sum()
}

fn predict(trees: &[Tree], rows: &Rows, row: usize) -> f64 {
    trees.iter().map(|tree| tree.leaves[leaf(tree, rows, row)]).sum()
}

/// Weight of a checked row: as rows of the stated base rate.
fn prior_weights(check: &Rows) -> [f64; 2] {
    let mass = |label: bool| -> f64 {
        check
            .weight
            .iter()
            .zip(&check.label)
            .filter(|(_, l)| **l == label)
            .map(|(weight, _)| weight)
            .sum()
    };
    [1.0, BASE_RATE * mass(false) / mass(true).max(1.0)]
}

/// Logistic regression of the label on the score (Platt 1999) by Newton's method, at the stated base rate.
fn calibrate(scores: &[f64], check: &Rows) -> (f64, f64) {
    let prior = prior_weights(check);
    let (mut slope, mut base) = (1.0, -5.0);
    for _ in 0..40 {
        let (mut gs, mut gb, mut hss, mut hsb, mut hbb) = (0.0, 0.0, 1e-6, 0.0, 1e-6);
        for (row, score) in scores.iter().enumerate() {
            let label = check.label[row];
            let weight = check.weight[row] * prior[usize::from(label)];
            let probability = 1.0 / (1.0 + (-(base + slope * score)).exp());
            let error = weight * (f64::from(u8::from(label)) - probability);
            let curvature = weight * probability * (1.0 - probability);
            gs += error * score;
            gb += error;
            hss += curvature * score * score;
            hsb += curvature * score;
            hbb += curvature;
        }
        let determinant = hss * hbb - hsb * hsb;
        if determinant.abs() < 1e-12 {
            break;
        }
        slope += ((hbb * gs - hsb * gb) / determinant).clamp(-0.5, 0.5);
        base += ((hss * gb - hsb * gs) / determinant).clamp(-2.0, 2.0);
    }
    (slope, base)
}

/// Predicted against found, at the stated base rate, and the recall at fixed false-alarm rates.
fn reliability(scores: &[f64], check: &Rows) -> String {
    let prior = prior_weights(check);
    let edges = [
        0.0, 0.001, 0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99, 1.01,
    ];
    let mut text = String::from("predicted   mean    found   rows\n");
    for pair in edges.windows(2) {
        let (mut mass, mut sum, mut beacons, mut rows) = (0.0, 0.0, 0.0, 0);
        for (row, score) in scores.iter().enumerate() {
            let probability = 1.0 / (1.0 + (-score).exp());
            if probability >= pair[0] && probability < pair[1] {
                let weight = check.weight[row] * prior[usize::from(check.label[row])];
                mass += weight;
                sum += weight * probability;
                beacons += weight * f64::from(u8::from(check.label[row]));
                rows += 1;
            }
        }
        if mass > 0.0 {
            let _ = writeln!(
                text,
                "{:>5.3}-{:<5.3} {:.4}  {:.4}  {rows}",
                pair[0],
                pair[1].min(1.0),
                sum / mass,
                beacons / mass
            );
        }
    }
    for variant in 0..WEIGHTS.len() as u8 {
        let of = |label: bool| -> Vec<f64> {
            (0..scores.len())
                .filter(|&row| check.label[row] == label && check.variant[row] == variant)
                .map(|row| scores[row])
                .collect()
        };
        let (mut innocent, beacons) = (of(false), of(true));
        if innocent.len() < 1000 || beacons.is_empty() {
            continue;
        }
        innocent.sort_unstable_by(|one, two| two.total_cmp(one));
        for rate in [1e-3, 1e-4] {
            let threshold = innocent[(innocent.len() as f64 * rate) as usize];
            let recall = beacons.iter().filter(|&&score| score > threshold).count() as f64 / beacons.len() as f64;
            let _ = writeln!(
                text,
                "variant {variant}: recall {recall:.3} at {rate} false alarms (log-odds {threshold:.2})"
            );
        }
    }
    text
}

/// The table as Rust source; slope and base are folded in.
fn source(trees: &[Tree], slope: f64, base: f64) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "//! The fitted table of the timing score. Written by `fit_timing`: do not edit, fit anew.\n//!"
    );
    let _ = writeln!(
        text,
        "//! In: nothing. Out: trees of {DEPTH} questions over the measures of `shape`, leaves in thousandths of a natural"
    );
    let _ = writeln!(
        text,
        "//! logarithm, calibrated at one beacon in a thousand timelines. Not its job: asking them, that is `score_timing`'s.\n"
    );
    let _ = writeln!(text, "use super::Tree;\n");
    let _ = writeln!(
        text,
        "/// Log-odds before anything is measured, thousandths.\npub(super) const BASE: i32 = {};\n",
        (base * 1000.0).round()
    );
    let _ = writeln!(
        text,
        "/// In the order they were fitted: each mends what those before it left wrong.\n#[rustfmt::skip]\n#[allow(clippy::approx_constant, reason = \"cuts are measured, not meant\")]\npub(super) static TREES: [Tree; {}] = [",
        trees.len()
    );
    for tree in trees {
        let leaves = tree.leaves.map(|leaf| (leaf * slope * 1000.0).round() as i16);
        let _ = writeln!(
            text,
            "    Tree {{ part: {}, measures: {:?}, cuts: {:?}, leaves: {leaves:?} }},",
            tree.part, tree.measures, tree.cuts
        );
    }
    let _ = writeln!(text, "];");
    text
}

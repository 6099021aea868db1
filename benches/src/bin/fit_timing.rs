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
use balefire_benches::boost::{Node, Plan, Rows, boost, value};
use balefire_benches::variants::AS_SEEN_WIDE;
use balefire_detect::{BASE_RATE, CHEAP_MEASURES, MEASURES};

/// Weight of rows by variant: as seen, cut to a window, with tasking, fast, scaled, over days, as seen with wide jitter.
type Weights = [f64; 7];
/// To learn from: where innocent and beacon overlap, at few check-ins and wide jitter, the beacons of fewest check-ins would win all
/// of the few false alarms that there may be; so wide jitter weighs more. The other variants keep their share against that: a capture
/// is an hour more often than a day.
const LEARNED: Weights = [1.0, 0.05, 0.13, 0.2, 0.03, 0.13, 6.0];
/// To state probabilities by: as the generator mixes them.
const STATED: Weights = [1.0, 0.03, 0.08, 0.08, 0.02, 0.08, 1.0];
/// How the trees are grown.
const PLAN: Plan = Plan {
    trees: 240,
    cheap_trees: 32,
    cheap_measures: CHEAP_MEASURES,
    leaves: 24,
    depth: 8,
    rate: 0.15,
    doubt: 15.0,
    least_rows: 80,
    asked: 0.6,
};

fn main() -> anyhow::Result<()> {
    let (table, learn, check) = arguments()?;
    let rows = read(&learn, &LEARNED)?;
    let check = read(&check, &STATED)?;
    eprintln!(
        "{} rows to learn from, {} to check on",
        rows.label.len(),
        check.label.len()
    );
    let trees = boost(&rows, &PLAN);
    let raw: Vec<f64> = (0..check.label.len()).map(|row| predict(&trees, &check, row)).collect();
    let (slope, base) = calibrate(&raw, &check);
    let scores: Vec<f64> = raw.iter().map(|score| base + slope * score).collect();
    print!("{}", reliability(&scores, &check));
    let hopeless = hopeless(&trees, slope, base, &check);
    std::fs::write(&table, source(&trees, slope, base, &hopeless))
        .with_context(|| format!("writing {}", table.display()))?;
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

fn read(paths: &[PathBuf], weights: &Weights) -> anyhow::Result<Rows> {
    let mut rows = Rows {
        label: Vec::new(),
        weight: Vec::new(),
        variant: Vec::new(),
        columns: vec![Vec::new(); MEASURES],
    };
    for path in paths {
        read_file(path, weights, &mut rows).with_context(|| format!("reading {}", path.display()))?;
    }
    Ok(rows)
}

fn read_file(path: &Path, weights: &Weights, rows: &mut Rows) -> anyhow::Result<()> {
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
        rows.weight.push(weights.get(variant as usize).copied().unwrap_or(0.0));
        rows.columns
            .iter_mut()
            .zip(values)
            .for_each(|(column, value)| column.push(value));
    }
    Ok(())
}

fn predict(trees: &[Vec<Node>], rows: &Rows, row: usize) -> f64 {
    trees.iter().map(|tree| value(tree, rows, row)).sum()
}

/// After so many trees, the log-odds below which no further tree is asked, thousandths.
fn hopeless(trees: &[Vec<Node>], slope: f64, base: f64, check: &Rows) -> Vec<(usize, i32)> {
    /// Trees after which it is asked whether to go on: whole groups of those walked together.
    const STOPS: [usize; 8] = [8, 16, 24, 32, 48, 72, 104, 152];
    /// Beacons that end above this log-odds are those that matter: below, nothing suspects them whatever the context says.
    const MATTERS: f64 = -4.0;
    /// Share of those that may be given up at one stop.
    const GIVEN_UP: f64 = 2e-4;
    let mut beacons: Vec<(usize, f64)> = (0..check.label.len())
        .filter(|&row| check.label[row])
        .map(|row| (row, base + slope * predict(trees, check, row)))
        .filter(|(_, score)| *score > MATTERS)
        .collect();
    let at_a_stop = (beacons.len() as f64 * GIVEN_UP) as usize;
    let mut hopeless = Vec::new();
    for stop in STOPS.into_iter().filter(|&stop| stop < trees.len()) {
        let mut so_far: Vec<(f64, usize)> = beacons
            .iter()
            .enumerate()
            .map(|(at, (row, _))| (base + slope * predict(&trees[..stop], check, *row), at))
            .collect();
        so_far.sort_unstable_by(|one, two| one.0.total_cmp(&two.0));
        let Some(&(limit, _)) = so_far.get(at_a_stop) else {
            break;
        };
        hopeless.push((stop, (limit * 1000.0).floor() as i32));
        let kept: Vec<(usize, f64)> = so_far[at_a_stop..].iter().map(|&(_, at)| beacons[at]).collect();
        beacons = kept;
    }
    hopeless
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
        0.0, 0.001, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.01,
    ];
    let mut text = String::from("predicted   mean    found   rows\n");
    let (mut error, mut plain, mut all) = (0.0, 0.0, 0.0);
    for (row, score) in scores.iter().enumerate() {
        let weight = check.weight[row] * prior[usize::from(check.label[row])];
        let found = f64::from(u8::from(check.label[row]));
        error += weight * (found - 1.0 / (1.0 + (-score).exp())).powi(2);
        plain += weight * (found - BASE_RATE).powi(2);
        all += weight;
    }
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
    let _ = writeln!(
        text,
        "Brier score {:.2e}, of the base rate alone {:.2e}",
        error / all,
        plain / all
    );
    for variant in 0..AS_SEEN_WIDE {
        // Beacons of wide jitter as seen are as seen.
        let as_seen = |row: usize| variant == 0 && check.variant[row] == AS_SEEN_WIDE;
        let of = |label: bool| -> Vec<f64> {
            (0..scores.len())
                .filter(|&row| check.label[row] == label && (check.variant[row] == variant || as_seen(row)))
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

/// The table as Rust source; the slope is folded in.
fn source(trees: &[Vec<Node>], slope: f64, base: f64, hopeless: &[(usize, i32)]) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "//! The fitted table of the timing score. Written by `fit_timing`: do not edit, fit anew.\n//!"
    );
    let _ = writeln!(
        text,
        "//! In: nothing. Out: trees over the measures of `shape`, estimates in thousandths of a natural logarithm, calibrated at"
    );
    let _ = writeln!(
        text,
        "//! one beacon in a thousand timelines. Not its job: asking them, that is `score_timing`'s.\n"
    );
    let _ = writeln!(text, "use super::trees::Node;\n");
    let _ = writeln!(
        text,
        "/// Log-odds before anything is measured, thousandths.\npub(super) const BASE: i32 = {};\n",
        (base * 1000.0).round()
    );
    let _ = writeln!(
        text,
        "/// After so many trees, those below these log-odds (thousandths) are not asked further. Of the checked beacons that end above\n\
         /// -4, two in ten thousand are below at each.\n#[rustfmt::skip]\n\
         pub(super) const HOPELESS: [(usize, i32); {}] = {hopeless:?};\n",
        hopeless.len()
    );
    let _ = writeln!(
        text,
        "/// The first trees, which ask only the measures that are had first.\npub(super) const CHEAP_TREES: usize = {};\n",
        PLAN.cheap_trees
    );
    let mut start = 0;
    let roots: Vec<String> = trees
        .iter()
        .map(|tree| {
            start += tree.len();
            (start - tree.len()).to_string()
        })
        .collect();
    let _ = writeln!(
        text,
        "/// Where the trees begin, in the order they were fitted: each mends what those before it left wrong."
    );
    let _ = writeln!(
        text,
        "#[rustfmt::skip]\npub(super) static ROOTS: [u16; {}] = [{}];\n",
        roots.len(),
        roots.join(", ")
    );
    let _ = writeln!(
        text,
        "const fn n(measure: u8, cut: f32, first_child: u16, value: i16) -> Node {{\n    Node {{ cut, first_child, value, measure }}\n}}\n\nconst fn l(own: u16, value: i16) -> Node {{\n    Node {{ cut: f32::INFINITY, first_child: own, value, measure: 0 }}\n}}\n"
    );
    let _ = writeln!(
        text,
        "/// A tree a line. Questions: measure, cut, first child, estimate; leaves: own place, estimate."
    );
    let _ = writeln!(
        text,
        "#[rustfmt::skip]\n#[allow(clippy::approx_constant, reason = \"cuts are measured, not meant\")]"
    );
    let _ = writeln!(text, "pub(super) static NODES: [Node; {start}] = [");
    start = 0;
    for tree in trees {
        text.push_str("   ");
        for (at, node) in tree.iter().enumerate() {
            let estimate = (node.value * slope * 1000.0).round() as i16;
            let _ = match node.question {
                Some((measure, cut)) => write!(
                    text,
                    " n({measure}, {cut:?}, {}, {estimate}),",
                    start + node.first_child
                ),
                None => write!(text, " l({}, {estimate}),", start + at),
            };
        }
        text.push('\n');
        start += tree.len();
    }
    let _ = writeln!(text, "];");
    text
}

//! Every part of context against generated traffic: how often it is there of planted and of innocent timelines, what that is
//! worth, and the weight in use.
//!
//! In: `context_weights [SEEDS]` (30). Out: a table as Markdown. Not its job: changing a weight: what no generator has (odd
//! certificates, proxies, published base rates) is judgement, and stays so.
//!
//! A part is there where it raises or lowers; both are rows of their own. `worth` is the natural logarithm of the ratio of both
//! rates, half a timeline added to each count. A row where worth and weight have different signs, or differ by more than
//! [`TOLERATED`], is marked, if both rates are known from [`ENOUGH`] timelines.

use std::collections::BTreeMap;

use balefire_benches::offices::{infected, innocent, watch};
use balefire_detect::{Evidence, TimelineRow};

/// Weights are rounded down on purpose: parts are not independent, and a generator is not the world.
const TOLERATED: f64 = 2.0;
const ENOUGH: f64 = 20.0;
/// Timelines from this timing score on are compared apart: what else is regular is what context must tell from beacons.
const REGULAR: f64 = 0.5;

/// Counts of one part, raising or lowering: of planted, innocent, regular innocent timelines; and its weights.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    there: [f64; 3],
    weight: f64,
    times: f64,
}

fn main() -> anyhow::Result<()> {
    let seeds: u64 = std::env::args().nth(1).map_or(Ok(30), |text| text.parse())?;
    let mut counts: BTreeMap<(&'static str, bool), Count> = BTreeMap::new();
    let (mut all, mut found) = ([0.0; 3], BTreeMap::<&'static str, [u64; 4]>::new());
    for seed in 1_000..1_000 + seeds {
        let office = watch(&infected(seed))?;
        for (row, evidence) in &office.timelines {
            let planted = office.is_planted(row);
            add(row, evidence, planted, &mut counts, &mut all);
            if planted {
                let scores = found.entry(evidence.kind.name()).or_default();
                let class = [0.5, 0.9].iter().filter(|&&least| evidence.score >= least).count();
                scores[class] += 1;
                scores[3] += 1;
            }
        }
        let office = watch(&innocent(seed, 12, seed % 2 == 0))?;
        for (row, evidence) in &office.timelines {
            add(row, evidence, false, &mut counts, &mut all);
        }
    }
    println!(
        "`context_weights {seeds}`: {} planted, {} innocent timelines, {} of them regular (timing {REGULAR} or more).\n",
        all[0], all[1], all[2]
    );
    println!("| part | | planted | innocent | regular innocent | worth | worth, regular | weight in use | |");
    println!("|---|---|---|---|---|---|---|---|---|");
    for ((name, raises), count) in &counts {
        print_row(name, *raises, count, &all);
    }
    println!(
        "\n| planted, by the sign that counts | timelines | below suspected | suspected | probable |\n|---|---|---|---|---|"
    );
    for (kind, [none, suspected, probable, timelines]) in found {
        println!("| {kind} | {timelines} | {none} | {suspected} | {probable} |");
    }
    Ok(())
}

fn add(
    row: &TimelineRow,
    evidence: &Evidence,
    planted: bool,
    counts: &mut BTreeMap<(&'static str, bool), Count>,
    all: &mut [f64; 3],
) {
    if row.check_ins < 4 {
        return;
    }
    let regular = !planted && evidence.timing >= REGULAR;
    let is_of = [planted, !planted, regular];
    for (sum, is) in all.iter_mut().zip(is_of) {
        *sum += f64::from(u8::from(is));
    }
    // What the odds begin with is no context.
    let begins = ["timing", "base_rate", "periodic_too"];
    for part in evidence.parts.iter().filter(|part| !begins.contains(&part.name)) {
        let count = counts.entry((part.name, part.log_odds > 0.0)).or_default();
        for (sum, is) in count.there.iter_mut().zip(is_of) {
            *sum += f64::from(u8::from(is));
        }
        count.weight += part.log_odds;
        count.times += 1.0;
    }
}

fn print_row(name: &str, raises: bool, count: &Count, all: &[f64; 3]) {
    let rate = |which: usize| (count.there[which] + 0.5) / (all[which] + 1.0);
    let weight = count.weight / count.times;
    let worth = (rate(0) / rate(1)).ln();
    let regular = (rate(0) / rate(2)).ln();
    let known = count.there[0] + count.there[1] >= ENOUGH;
    // Between the two: of all timelines, and of those that are as regular.
    let (low, high) = (worth.min(regular), worth.max(regular));
    let off = (low - weight).max(weight - high).max(0.0);
    let wrong = low * weight < 0.0 && high * weight < 0.0;
    let mark = if known && (wrong || off > TOLERATED) {
        "disagrees"
    } else {
        ""
    };
    println!(
        "| {name} | {} | {:.3} | {:.3} | {:.3} | {worth:+.2} | {regular:+.2} | {weight:+.2} | {mark} |",
        if raises { "raises" } else { "lowers" },
        rate(0),
        rate(1),
        rate(2),
    );
}

//! Connection log in, a timing score per pair out; or the measures behind the scores, to fit them.
//!
//! In: a connection log, CSV with the header `ts,src,dst,dport,proto,bytes_out,bytes_in`, in time order. Out: with
//! `timelines LOG.csv SCORES.csv` a CSV `src,dst,check_ins,interval_s,jitter,missed,modes,timing`; with
//! `timelines LOG.csv ROWS --measures SEED` rows for `fit_timing`, of the pairs of `LOG.truth.csv` (`src,dst,label,cell`) as they
//! are and in the variants of a network that is not a generator. With `--speed` the cost of scoring. Not its job: fitting.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use balefire_benches::variants::{AS_SEEN_WIDE, Random, Variants, WIDE};
use balefire_detect::{LEAST_CHECK_INS, Timeline, score_timing, shape};

/// Start times of a pair, nanoseconds, with the sizes.
struct Pair {
    key: String,
    starts: Vec<(i64, u32)>,
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let usage = "usage: timelines LOG.csv OUT [--measures SEED] | timelines LOG.csv --speed";
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [log, "--speed"] => speed(&read(Path::new(log))?),
        [log, out] => write_scores(&read(Path::new(log))?, Path::new(out)),
        [log, out, "--measures", seed] => {
            let truth = truth(&PathBuf::from(log).with_extension("truth.csv"))?;
            write_measures(
                &read(Path::new(log))?,
                &truth,
                Path::new(out),
                seed.parse().context(usage)?,
            )
        }
        _ => bail!(usage),
    }
}

fn read(log: &Path) -> anyhow::Result<Vec<Pair>> {
    let mut reader = BufReader::with_capacity(
        1 << 20,
        File::open(log).with_context(|| format!("opening {}", log.display()))?,
    );
    let (mut places, mut pairs, mut line) = (HashMap::<String, usize>::new(), Vec::<Pair>::new(), String::new());
    let mut number = 0;
    while reader.read_line(&mut line)? > 0 {
        number += 1;
        if number > 1 {
            let (key, start) = parse(line.trim_end()).with_context(|| format!("{}, line {number}", log.display()))?;
            match places.get(key) {
                Some(&place) => pairs[place].starts.push(start),
                None => {
                    places.insert(key.to_owned(), pairs.len());
                    pairs.push(Pair {
                        key: key.to_owned(),
                        starts: vec![start],
                    });
                }
            }
        }
        line.clear();
    }
    Ok(pairs)
}

/// `src,dst` and time and size of a line.
fn parse(line: &str) -> anyhow::Result<(&str, (i64, u32))> {
    let (ts, rest) = line
        .split_once(',')
        .context("no comma: ts,src,dst,dport,proto,bytes_out,bytes_in expected")?;
    let end = rest.match_indices(',').nth(1).context("fewer than three fields")?.0;
    let bytes = rest
        .rsplit(',')
        .nth(1)
        .and_then(|bytes| bytes.parse().ok())
        .unwrap_or(0);
    Ok((
        &rest[..end],
        (nanoseconds(ts).context("ts is no time in seconds")?, bytes),
    ))
}

/// Seconds with a fraction, exactly.
fn nanoseconds(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = fraction.get(..fraction.len().min(9))?;
    let scale = 10_i64.checked_pow(9 - digits.len() as u32)?;
    let fraction = if digits.is_empty() {
        0
    } else {
        digits.parse::<i64>().ok()? * scale
    };
    whole
        .parse::<i64>()
        .ok()?
        .checked_mul(1_000_000_000)?
        .checked_add(fraction)
}

fn timeline(starts: &[(i64, u32)]) -> Option<Timeline> {
    let (first, others) = starts.split_first()?;
    let mut timeline = Timeline::new(first.0, first.1);
    others.iter().for_each(|&(time, bytes)| timeline.check_in(time, bytes));
    Some(timeline)
}

fn write_scores(pairs: &[Pair], out: &Path) -> anyhow::Result<()> {
    let mut out = BufWriter::new(File::create(out).with_context(|| format!("creating {}", out.display()))?);
    writeln!(out, "src,dst,check_ins,interval_s,jitter,missed,modes,timing")?;
    for pair in pairs {
        let Some(timeline) = timeline(&pair.starts) else {
            continue;
        };
        let timing = score_timing(&timeline);
        let (interval_s, jitter, missed, modes) = (timing.interval_s, timing.jitter, timing.missed, timing.modes);
        let check_ins = timeline.check_ins();
        writeln!(
            out,
            "{},{check_ins},{interval_s:.3},{jitter:.3},{missed:.3},{modes},{:.9}",
            pair.key, timing.probability
        )?;
    }
    out.flush().context("writing scores")
}

/// `src,dst` to label and cell.
fn truth(path: &Path) -> anyhow::Result<HashMap<String, (String, String)>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let mut truth = HashMap::new();
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let [src, dst, label, cell] = fields[..] else {
            bail!("{}: src,dst,label,cell expected: {line}", path.display())
        };
        truth.insert(format!("{src},{dst}"), (label.to_owned(), cell.to_owned()));
    }
    Ok(truth)
}

/// Rows of little-endian floats: 1 for a beacon, the variant, the measures. Periodic but innocent pairs are left out: timing cannot
/// tell them from beacons and must not learn to.
fn write_measures(
    pairs: &[Pair],
    truth: &HashMap<String, (String, String)>,
    out: &Path,
    seed: u64,
) -> anyhow::Result<()> {
    let mut cells: HashMap<&str, Vec<&[(i64, u32)]>> = HashMap::new();
    for pair in pairs {
        let (_, cell) = truth
            .get(&pair.key)
            .with_context(|| format!("no truth for {}", pair.key))?;
        cells.entry(cell).or_default().push(&pair.starts);
    }
    let mut out = BufWriter::new(File::create(out).with_context(|| format!("creating {}", out.display()))?);
    let mut random = Random::new(seed);
    for pair in pairs {
        let (label, cell) = &truth[&pair.key];
        if label == "periodic" {
            continue;
        }
        let beacon = label == "beacon";
        // A cut through a person's polling session is nothing but polling: that would teach the fit that clocks are innocent.
        let variants = Variants {
            beacon,
            whole_only: cell == "sesspoll",
            alike: &cells[cell.as_str()],
        };
        for (variant, starts) in variants.of(&pair.starts, &mut random) {
            let Some(timeline) = timeline(&starts).filter(|timeline| timeline.check_ins() >= LEAST_CHECK_INS) else {
                continue;
            };
            let variant = if variant == 0 && beacon && jitter(cell) >= WIDE {
                AS_SEEN_WIDE
            } else {
                variant
            };
            let head = [f32::from(u8::from(beacon)), f32::from(variant)];
            for value in head.iter().chain(&shape(&timeline).measures) {
                out.write_all(&value.to_le_bytes())?;
            }
        }
    }
    out.flush().context("writing measures")
}

/// The jitter that the truth says of a beacon: `J=` in its cell.
fn jitter(cell: &str) -> f64 {
    let text = cell.split(" J=").nth(1).unwrap_or("");
    text.parse().unwrap_or(0.0)
}

/// Nanoseconds of this thread per scored timeline by the kernel's account, over all and in the fastest tenth: on a busy machine
/// neighbours share the processor's parts and the time is theirs too. The account may move in ticks of some milliseconds: so tens of them
/// at a time.
fn speed(pairs: &[Pair]) -> anyhow::Result<()> {
    /// Timelines scored in all.
    const SCORES: usize = 2_000_000;
    const TENTHS: usize = 10;
    let timelines: Vec<Timeline> = pairs.iter().filter_map(|pair| timeline(&pair.starts)).collect();
    let spent = || -> anyhow::Result<f64> {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
        text.split(' ')
            .next()
            .context("empty schedstat")?
            .parse()
            .context("schedstat")
    };
    let mut all = timelines.iter().cycle();
    let (mut sum, mut fastest) = (0.0, f64::MAX);
    let before = spent()?;
    for _ in 0..TENTHS {
        let begun = spent()?;
        let tenth = all.by_ref().take(SCORES / TENTHS);
        sum += tenth.map(|timeline| score_timing(timeline).log_odds).sum::<f64>();
        fastest = fastest.min((spent()? - begun) / (SCORES / TENTHS) as f64);
    }
    println!(
        "{:.0} ns per timeline, {fastest:.0} in the fastest tenth, {} timelines, mean log-odds {:.2}",
        (spent()? - before) / SCORES as f64,
        timelines.len(),
        sum / SCORES as f64
    );
    Ok(())
}

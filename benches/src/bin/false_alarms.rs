//! What a threshold costs: innocent servers above it, per host and day, in generated offices without any beacon.
//!
//! In: `false_alarms [SEEDS] [HOSTS]` (20 offices of 40). Out: a table as Markdown, and what the alarms were. Not its job: the rate of a
//! real network, which has programs that no generator has: the columns with agents have some, named so that no list knows them,
//! one on six of ten hosts.

use std::collections::BTreeMap;

use balefire_benches::offices::{infected, innocent, watch};

const THRESHOLDS: [f64; 6] = [0.5, 0.6, 0.7, 0.8, 0.9, 0.95];

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let seeds: u64 = arguments.next().map_or(Ok(20), |text| text.parse())?;
    let hosts: u32 = arguments.next().map_or(Ok(40), |text| text.parse())?;
    let mut alarms = [[[0_u64; 2]; THRESHOLDS.len()]; 2];
    let mut packets = 0;
    let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
    for seed in 2_000..2_000 + seeds {
        for (agents, alarms) in [false, true].into_iter().zip(&mut alarms) {
            let office = watch(&innocent(seed, hosts, agents))?;
            packets += office.packets;
            for server in &office.summary.servers {
                let of = |host| server.evidence.iter().filter(move |sign| sign.host == host);
                for (count, threshold) in alarms.iter_mut().zip(THRESHOLDS) {
                    let hosts = server
                        .hosts
                        .iter()
                        .filter(|host| of(**host).any(|sign| sign.score >= threshold));
                    count[0] += hosts.count() as u64;
                    count[1] += u64::from(server.score >= threshold);
                }
                let what = if agents { "with agents" } else { "without agents" };
                for kind in server.kinds() {
                    *kinds.entry(format!("{} {what}", kind.name())).or_default() += 1;
                }
            }
        }
    }
    let mut beacons = [0_u64; THRESHOLDS.len()];
    let mut planted = 0;
    for seed in 3_000..3_000 + seeds {
        let office = watch(&infected(seed))?;
        planted += office.planted.len() as u64;
        for beacon in &office.planted {
            let of_it = office.timelines.iter().filter(|(row, _)| {
                let name = beacon.name.as_deref().zip(row.name.as_deref());
                row.host == beacon.host
                    && (beacon.servers.contains(&row.server) || name.is_some_and(|(name, seen)| name.ends_with(seen)))
            });
            let score = of_it.map(|(_, evidence)| evidence.score).fold(0.0, f64::max);
            for (count, threshold) in beacons.iter_mut().zip(THRESHOLDS) {
                *count += u64::from(score >= threshold);
            }
        }
    }
    let days = (seeds * u64::from(hosts)) as f64;
    println!(
        "`false_alarms {seeds} {hosts}`: twice {days} innocent days of a host, {packets} packets; {planted} planted beacons of 8 hours.\n"
    );
    println!(
        "| threshold | false alarms per host and day | with agents that no list knows | those as servers per office and day | planted beacons found |"
    );
    println!("|---|---|---|---|---|");
    for (at, threshold) in THRESHOLDS.iter().enumerate() {
        println!(
            "| {threshold} | {} | {} | {} | {:.0} % |",
            rate(alarms[0][at][0], days),
            rate(alarms[1][at][0], days),
            rate(alarms[1][at][1], seeds as f64),
            100.0 * beacons[at] as f64 / planted.max(1) as f64,
        );
    }
    println!("\nServers reported, by their signs: {kinds:?}");
    Ok(())
}

/// None seen is no rate: then less than three in all those days, with 95 % confidence (the rule of three).
fn rate(alarms: u64, days: f64) -> String {
    match alarms {
        0 => format!("< {:.4}", 3.0 / days),
        _ => format!("{:.4}", alarms as f64 / days),
    }
}

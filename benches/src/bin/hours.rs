//! Writes made-up hours whose totals are known into an archive: `hours small DIR`, `hours golden DIR`.
//!
//! In: the name of a plan, a folder. Out: DIR/archive. The small one goes the way of every hour, Parquet and all. The golden one has
//! twenty million rows of pairs: it is put into SQLite directly, in the order of its keys, with the columns that reports read and
//! without the details of pairs, and into one Parquet-ready CSV a table (DIR/csv) that ClickHouse can load. Not its job: asking.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, bail};
use balefire_archive::{Archive, FOLDER, HOUR_S, Retention, Store};
use balefire_benches::hours::{
    HOME, Plan, START_S, ServerName, Sighting, class, country_of, host_address, hours, server_name, server_port,
    sightings,
};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [plan, folder] = arguments.as_slice() else {
        bail!("usage: hours small|golden DIR");
    };
    let folder = Path::new(folder).join(FOLDER);
    match plan.as_str() {
        "small" => small(&folder),
        "golden" => golden(&folder),
        other => bail!("no plan is called {other:?}: small or golden"),
    }
}

fn small(folder: &Path) -> anyhow::Result<()> {
    let sightings = sightings(&Plan::SMALL);
    let mut archive = Archive::open(folder, Retention::default())?;
    for (at, hour) in hours(&Plan::SMALL, &sightings).enumerate() {
        // Every third hour has a first word that says less, which must count nowhere.
        if at % 3 == 0 {
            let mut less = hour.clone();
            less.pairs.truncate(hour.pairs.len() / 3);
            less.servers
                .retain(|server| less.pairs.iter().any(|pair| pair.server == server.server));
            less.countries.clear();
            less.arrange();
            archive.add(less)?;
        }
        archive.add(hour)?;
    }
    Ok(())
}

fn golden(folder: &Path) -> anyhow::Result<()> {
    let plan = Plan::GOLDEN;
    let sightings = sightings(&plan);
    println!("{} rows of pairs", sightings.len());
    let archive = Archive::open(folder, Retention::default())?;
    fill(archive.store(), &plan, &sightings).context("SQLite")?;
    drop(archive);
    let csv = folder.join("../csv");
    fs::create_dir_all(&csv)?;
    write_csv(&csv, &plan, &sightings).context("CSV")
}

fn fill(store: &Store, plan: &Plan, sightings: &[Sighting]) -> anyhow::Result<()> {
    let sqlite = store.connection();
    let index: String = sqlite.query_row("SELECT sql FROM sqlite_schema WHERE name = 'pair_by_host'", (), |row| {
        row.get(0)
    })?;
    // One load, made anew if it fails: no journal, and the index at the end.
    sqlite.execute_batch(
        "PRAGMA synchronous = OFF; PRAGMA cache_size = -400000; PRAGMA wal_autocheckpoint = 100000; DROP INDEX pair_by_host; BEGIN",
    )?;
    for sensor in 0..plan.sensors {
        sqlite.execute("INSERT INTO sensor VALUES (?1, ?2)", (sensor, format!("tap{sensor}")))?;
    }
    let mut service = sqlite.prepare("INSERT INTO service VALUES (?1, ?2, ?3, ?4, 'tcp', 0)")?;
    for server in 0..plan.servers() as u16 {
        let name = server_name(plan, server);
        service.execute((server, name.server, name.address, server_port(server)))?;
    }
    let mut hour = sqlite.prepare(
        "INSERT INTO hour_row (hour_s, sensor_no, revision, digest, schema_version, partial, settled, parts, received, wire_bytes, decoded,
         not_ip, rejected, decode_panics, queue_drops, late, kernel_drops, interface_drops, sampling, hosts, destinations, connections,
         timelines, servers, controlled_hosts, country_source, country_date, country_meaning, home_country, settings_hash, version)
         VALUES (?1, ?2, 1, x'00', 2, 0, 0, 1, 1000000, 500000000, 1000000, 0, 0, 0, 0, 0, 20, 0, 1.0, 70000, 400000, 900000, 50000, 0, 0,
         'made up', '2026-01-01', 'country of registration', ?3, '0123456789abcdef', '0.1.0')",
    )?;
    for number in 0..plan.hours {
        for sensor in 0..plan.sensors {
            hour.execute((START_S + i64::from(number) * HOUR_S, sensor, HOME))?;
        }
    }
    let countries = country_of(plan);
    let mut pair = sqlite.prepare("INSERT INTO pair_row VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    for row in sightings {
        let country = countries[usize::from(row.server)];
        let hour_s = START_S + i64::from(row.hour) * HOUR_S;
        pair.execute((hour_s, row.sensor, row.server, row.host, country, class(row.server)))?;
    }
    sqlite.execute_batch("COMMIT")?;
    sqlite.execute_batch(&index)?;
    Ok(())
}

/// The columns of `pair` and `sensor_hour` that a report reads.
fn write_csv(folder: &Path, plan: &Plan, sightings: &[Sighting]) -> anyhow::Result<()> {
    let countries = country_of(plan);
    let servers: Vec<ServerName> = (0..plan.servers() as u16)
        .map(|server| server_name(plan, server))
        .collect();
    let mut pairs = BufWriter::new(fs::File::create(folder.join("pair.csv"))?);
    writeln!(
        pairs,
        "hour_s,sensor_id,revision,host,host_network,server,port,protocol,country,class"
    )?;
    for row in sightings {
        let (host, network) = host_address(plan, row.host);
        let (server, port) = (&servers[usize::from(row.server)].server, server_port(row.server));
        writeln!(
            pairs,
            "{},tap{},1,{host},{network},{server},{port},tcp,{},{}",
            START_S + i64::from(row.hour) * HOUR_S,
            row.sensor,
            countries[usize::from(row.server)],
            class(row.server),
        )?;
    }
    pairs.flush()?;
    let mut hours = BufWriter::new(fs::File::create(folder.join("sensor_hour.csv"))?);
    writeln!(
        hours,
        "hour_s,sensor_id,revision,partial,received,queue_drops,kernel_drops,interface_drops,gaps,evictions,clock_steps,sampling,hosts,country_source,country_date,\
         country_meaning,home_country"
    )?;
    for number in 0..plan.hours {
        for sensor in 0..plan.sensors {
            let hour_s = START_S + i64::from(number) * HOUR_S;
            writeln!(
                hours,
                "{hour_s},tap{sensor},1,0,1000000,0,20,0,0,0,0,1.0,70000,made up,2026-01-01,country of registration,{HOME}"
            )?;
        }
    }
    Ok(hours.flush()?)
}

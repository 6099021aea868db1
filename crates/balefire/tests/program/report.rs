//! `balefire report`: its figures against what was put into the archive, in every format.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::LazyLock;

use assert_cmd::Command;
use balefire_archive::{Added, Archive, FOLDER, HOUR_S, Hour, Retention};
use serde_json::Value;

/// The generator of the benches: the same kind of hours, with totals that are known beforehand.
#[path = "../../../../benches/src/hours.rs"]
#[allow(dead_code, unreachable_pub, reason = "the benches use the rest of it")]
mod hours;

use hours::{Plan, START_S, Sighting};

const PLAN: Plan = Plan::SMALL;

/// An archive of these hours under a new folder, as `--output` would have made it.
fn archive_of(hours: impl IntoIterator<Item = Hour>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), hours);
    folder
}

fn fill(folder: &Path, hours: impl IntoIterator<Item = Hour>) {
    let mut archive = Archive::open(&folder.join(FOLDER), Retention::default()).unwrap();
    for hour in hours {
        assert_eq!(archive.add(hour).unwrap(), Added::New);
    }
}

/// The whole plan's archive, made once for all tests that only read it.
pub(crate) fn golden() -> &'static Path {
    static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("golden");
        let _ = std::fs::remove_dir_all(&folder);
        fill(&folder, hours::hours(&PLAN, &hours::sightings(&PLAN)));
        folder
    });
    &FOLDER
}

fn report(folder: &Path, flags: &[&str]) -> Output {
    let mut command = Command::cargo_bin("balefire").unwrap();
    command
        .args(["report", "--archive"])
        .arg(folder)
        .args(flags)
        .output()
        .unwrap()
}

pub(crate) fn text(folder: &Path, flags: &[&str]) -> String {
    let output = report(folder, flags);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn json(folder: &Path, flags: &[&str]) -> Value {
    serde_json::from_str(&text(folder, &[flags, &["--format", "json"]].concat())).unwrap()
}

/// Rows of a table by the text of one of their columns.
fn by<'a>(document: &'a Value, table: &str, column: &str) -> BTreeMap<String, &'a Value> {
    let rows = document["tables"][table].as_array().unwrap();
    rows.iter()
        .map(|row| (row[column].to_string().trim_matches('"').to_owned(), row))
        .collect()
}

#[test]
fn the_golden_case_is_told_exactly_and_countries_add_up_to_more_than_all() {
    let folder = golden();
    let document = json(folder, &[]);
    assert_eq!(document["home_country"], hours::HOME);
    let totals = by(&document, "totals", "place");
    assert_eq!(totals["abroad"]["servers"], PLAN.servers_abroad);
    assert_eq!(totals["abroad"]["hosts"], PLAN.hosts_abroad);
    assert_eq!(totals["home"]["servers"], PLAN.servers_home);
    assert_eq!(
        (&totals["all"]["hosts"], &totals["not_located"]["servers"]),
        (&PLAN.hosts.into(), &0.into())
    );
    for (table, share, of) in [
        (
            "countries_by_servers",
            "share_of_servers_abroad",
            f64::from(PLAN.servers_first) / f64::from(PLAN.servers_abroad),
        ),
        (
            "countries_by_hosts",
            "share_of_hosts_abroad",
            f64::from(PLAN.hosts_first) / f64::from(PLAN.hosts_abroad),
        ),
    ] {
        let rows = document["tables"][table].as_array().unwrap();
        let first = &rows[0];
        assert_eq!((&first["rank"], &first["country"]), (&1.into(), &"US".into()));
        assert_eq!(
            (&first["servers"], &first["hosts"]),
            (&PLAN.servers_first.into(), &PLAN.hosts_first.into())
        );
        assert!((first[share].as_f64().unwrap() - of).abs() < 1e-8);
        let sum = |column: &str| rows.iter().map(|row| row[column].as_u64().unwrap()).sum::<u64>();
        assert_eq!(sum("servers"), u64::from(PLAN.servers_abroad));
        assert!(sum("hosts") > u64::from(PLAN.hosts_abroad), "{}", sum("hosts"));
    }
    let page = text(folder, &[]);
    assert!(page.contains("134 control servers abroad controlled 5,630 hosts; first by servers: US United States (40 servers, 2,910 hosts)"), "{page}");
    assert!(page.contains("it does not say who acts"), "{page}");
    assert!(page.contains("Watched 36 of 36 hours (0 in part, 0 missing)"), "{page}");
}

/// The tables against plain counting over the sightings.
#[test]
fn every_table_is_what_counting_by_hand_says() {
    let sightings = hours::sightings(&PLAN);
    let folder = golden();
    let country_of = hours::country_of(&PLAN);
    let (from, to) = (5_u16, 29_u16);
    let time = |hour: u16| format!("2026-01-{:02}T{:02}:00:00Z", 1 + hour / 24, hour % 24);
    let before = format!("{}..{}", time(0), time(from));
    let flags = [
        "--from",
        &time(from),
        "--to",
        &time(to),
        "--by",
        "day",
        "--compare",
        &before,
        "--class",
        "probable",
        "--sensor",
        "tap0,tap2",
    ];
    let document = json(folder, &flags);
    let counts = |row: &Sighting| {
        let server = row.server;
        row.sensor != 1 && hours::class(server) >= 2 && country_of[usize::from(server)] != hours::HOME
    };
    let within = |from: u16, to: u16| -> Vec<&Sighting> {
        sightings
            .iter()
            .filter(|row| counts(row) && (from..to).contains(&row.hour))
            .collect()
    };
    let now = within(from, to);
    let distinct = |rows: &[&Sighting]| -> (usize, usize) {
        let servers: BTreeSet<u16> = rows.iter().map(|row| row.server).collect();
        let hosts: BTreeSet<u32> = rows.iter().map(|row| row.host).collect();
        (servers.len(), hosts.len())
    };
    let pick = |row: &Value| {
        (
            row["servers"].as_u64().unwrap() as usize,
            row["hosts"].as_u64().unwrap() as usize,
        )
    };

    let abroad = by(&document, "totals", "place")["abroad"];
    assert_eq!(pick(abroad), distinct(&now));
    let networks: BTreeSet<String> = now.iter().map(|row| hours::host_address(&PLAN, row.host).1).collect();
    assert!(networks.iter().any(|network| network.ends_with("::/64")) && networks.len() < distinct(&now).1);
    assert_eq!(abroad["host_networks"], networks.len());
    let by_country = by(&document, "countries_by_hosts", "country");
    let countries: BTreeSet<&str> = now.iter().map(|row| country_of[usize::from(row.server)]).collect();
    assert_eq!(by_country.len(), countries.len());
    for country in countries {
        let rows: Vec<&Sighting> = now
            .iter()
            .copied()
            .filter(|row| country_of[usize::from(row.server)] == country)
            .collect();
        assert_eq!(pick(by_country[country]), distinct(&rows), "{country}");
    }
    let days = [within(from, 24), within(24, to)];
    for (row, rows) in document["tables"]["periods"].as_array().unwrap().iter().zip(&days) {
        assert_eq!(pick(row), distinct(rows));
    }
    let hosts_of_days = days.map(|rows| distinct(&rows).1);
    let ways = &document["tables"]["days"][0];
    assert_eq!(ways["hosts_in_the_period"], distinct(&now).1);
    assert_eq!(ways["hosts_on_highest_day"], hosts_of_days[0].max(hosts_of_days[1]));
    assert_eq!(
        ways["hosts_on_mean_day"].as_f64().unwrap(),
        (hosts_of_days[0] + hosts_of_days[1]) as f64 / 2.0
    );
    for (port, row) in by(&document, "services", "port") {
        let rows: Vec<&Sighting> = now
            .iter()
            .copied()
            .filter(|row| hours::server_port(row.server).to_string() == port)
            .collect();
        assert_eq!(pick(row), distinct(&rows), "{port}");
    }
    let mut sizes: BTreeMap<u16, BTreeSet<u32>> = BTreeMap::new();
    now.iter()
        .for_each(|row| sizes.entry(row.server).or_default().extend([row.host]));
    for row in document["tables"]["set_sizes"].as_array().unwrap() {
        let range = row["hosts_from"].as_u64().unwrap()..=row["hosts_to"].as_u64().unwrap_or(u64::MAX);
        let servers = sizes
            .values()
            .filter(|hosts| range.contains(&(hosts.len() as u64)))
            .count();
        assert_eq!(row["servers"], servers, "{row}");
    }
    let servers = |rows: &[&Sighting]| rows.iter().map(|row| row.server).collect::<BTreeSet<u16>>();
    let (servers_now, servers_before) = (servers(&now), servers(&within(0, from)));
    let turnover = by(&document, "turnover", "servers_are");
    assert_eq!(
        turnover["new"]["servers"],
        servers_now.difference(&servers_before).count()
    );
    assert_eq!(
        turnover["gone"]["servers"],
        servers_before.difference(&servers_now).count()
    );
    assert_eq!(
        turnover["persistent"]["servers"],
        servers_now.intersection(&servers_before).count()
    );
    let hosts_before: BTreeSet<u32> = within(0, from)
        .iter()
        .filter(|row| servers_now.contains(&row.server))
        .map(|row| row.host)
        .collect();
    assert_eq!(turnover["persistent"]["hosts_before"], hosts_before.len());
    assert_eq!(document["watched"]["coverage"][0]["hours_expected"], to - from);
    assert_eq!(document["watched"]["coverage_before"][0]["hours_watched"], from);
}

/// A long period against the few hours before it has new ones, the last few hours against all before them have gone ones.
#[test]
fn new_and_gone_servers_are_named() {
    let sightings = hours::sightings(&PLAN);
    let country_of = hours::country_of(&PLAN);
    let time = |hour: u16| format!("2026-01-{:02}T{:02}:00:00Z", 1 + hour / 24, hour % 24);
    for (kind, cut) in [("new", 2_u16), ("gone", 30)] {
        let before = format!("{}..{}", time(0), time(cut));
        let document = json(
            golden(),
            &["--from", &time(cut), "--compare", &before, "--table", "turnover"],
        );
        let within = |before: bool| sightings.iter().filter(move |row| (row.hour < cut) == before);
        let is_abroad = |server: &u16| country_of[usize::from(*server)] != hours::HOME;
        let servers = |before: bool| within(before).map(|row| row.server).collect::<BTreeSet<u16>>();
        let (here, there) = (servers(kind == "gone"), servers(kind == "new"));
        let mut named: Vec<(usize, String, &str)> = here
            .difference(&there)
            .filter(|server| is_abroad(server))
            .map(|&server| {
                let of_it = within(kind == "gone").filter(|row| row.server == server);
                let hosts: BTreeSet<u32> = of_it.map(|row| row.host).collect();
                let name = hours::server_name(&PLAN, server).server;
                (hosts.len(), name, country_of[usize::from(server)])
            })
            .collect();
        named.sort_by(|one, two| two.0.cmp(&one.0).then_with(|| one.1.cmp(&two.1)));
        let told = document["tables"]["turnover_servers"].as_array().unwrap().iter();
        let told: Vec<&Value> = told.filter(|row| row["servers_are"] == kind).collect();
        assert!(named.len() > 20 && told.len() == 20, "{kind}: {}", named.len());
        for (row, (hosts, server, country)) in told.into_iter().zip(&named) {
            let all = named.len();
            assert_eq!(
                *row,
                serde_json::json!({"servers_are": kind, "server": server, "country": country, "hosts": hosts, "servers_in_all": all})
            );
        }
        let page = text(
            golden(),
            &["--from", &time(cut), "--compare", &before, "--table", "turnover"],
        );
        let more = format!("{} more {kind}", named.len() - 20);
        assert!(page.contains(&more), "{more} in {page}");
    }
}

#[test]
fn a_missing_hour_is_missing_and_not_zero() {
    let sightings = hours::sightings(&PLAN);
    let gap = START_S + 10 * HOUR_S..START_S + 14 * HOUR_S;
    let folder = archive_of(hours::hours(&PLAN, &sightings).filter(|hour| !gap.contains(&hour.hour_s)));
    let document = json(folder.path(), &["--by", "hour"]);
    let coverage = &document["watched"]["coverage"][0];
    assert_eq!(
        (&coverage["hours_watched"], &coverage["hours_missing"]),
        (&32.into(), &4.into())
    );
    let periods = document["tables"]["periods"].as_array().unwrap();
    assert_eq!(periods.len(), 36);
    for (at, row) in periods.iter().enumerate() {
        let missing = (10..14).contains(&at);
        assert_eq!(row["hosts"].is_null(), missing, "{row}");
        assert_eq!(
            row["change_of_hosts"].is_null(),
            missing || at == 14 || at == 0,
            "{row}"
        );
    }
    let page = text(folder.path(), &["--by", "hour", "--table", "periods"]);
    assert!(page.contains("(0 in part, 4 missing)"), "{page}");
}

#[test]
fn hours_twice_in_any_order_and_late_make_the_same_tables() {
    let sightings = hours::sightings(&PLAN);
    let hours: Vec<Hour> = hours::hours(&PLAN, &sightings).collect();
    let expected = json(golden(), &["--compare", "2026-01-01"]);
    let folder = tempfile::tempdir().unwrap();
    let mut archive = Archive::open(&folder.path().join(FOLDER), Retention::default()).unwrap();
    // Revisions come late first, then early ones that say less, then all once more, from the end to the start.
    for mut hour in hours.iter().rev().cloned() {
        hour.revision = 2;
        archive.import(&hour).unwrap();
        let mut early = hour.clone();
        early.revision = 1;
        early.pairs.truncate(hour.pairs.len() / 2);
        early
            .servers
            .retain(|server| early.pairs.iter().any(|pair| pair.server == server.server));
        early.countries.clear();
        early.arrange();
        assert_eq!(archive.import(&early).unwrap(), Added::Kept);
        assert_eq!(archive.import(&hour).unwrap(), Added::Unchanged);
    }
    drop(archive);
    assert_eq!(json(folder.path(), &["--compare", "2026-01-01"]), expected);
}

#[test]
fn a_flow_on_two_taps_counts_once() {
    let row = Sighting {
        hour: 0,
        sensor: 0,
        server: 3,
        host: 9,
    };
    let both = [row, Sighting { sensor: 1, ..row }];
    let plan = Plan {
        hours: 1,
        sensors: 2,
        ..PLAN
    };
    let document = json(archive_of(hours::hours(&plan, &both)).path(), &[]);
    let totals = by(&document, "totals", "place");
    assert_eq!(
        (&totals["abroad"]["servers"], &totals["abroad"]["hosts"]),
        (&1.into(), &1.into())
    );
    assert_eq!(document["tables"]["set_sizes"][0]["servers"], 1);
}

#[test]
fn every_format_tells_the_same_and_what_a_country_is_not() {
    let folder = golden();
    for (format, figure, word) in [
        ("table", "5,630", "does not say who acts"),
        ("markdown", "| 5,630 |", "does not say who acts"),
        ("html", ">5,630</td>", "does not say who acts"),
        ("json", "\"hosts\":5630", "does not say who acts"),
        ("csv", ",5630,", "not who acts"),
    ] {
        let told = text(folder, &["--format", format]);
        assert!(told.contains(figure) && told.contains(word), "{format}: {told}");
        assert_eq!(
            told,
            text(folder, &["--format", format]),
            "the same question, another answer"
        );
    }
    let csv = text(folder, &["--format", "csv", "--table", "countries_by_servers"]);
    let mut lines = csv.lines();
    let columns = lines.next().unwrap().split(',').count();
    assert!(
        lines.clone().count() > 10 && lines.all(|line| line.split(',').count() == columns),
        "{csv}"
    );
    assert!(csv.starts_with("table,rank,country,servers,"), "{csv}");
}

#[test]
fn hostile_words_stay_words() {
    let plan = Plan {
        hours: 1,
        sensors: 1,
        ..PLAN
    };
    let row = Sighting {
        hour: 0,
        sensor: 0,
        server: 3,
        host: 9,
    };
    let mut hours: Vec<Hour> = hours::hours(&plan, &[row]).collect();
    hours[0].watched.country_source = "<script>alert(1)</script>|=cmd".to_owned();
    let folder = archive_of(hours);
    let html = text(folder.path(), &["--format", "html"]);
    assert!(
        html.contains("&lt;script&gt;alert(1)") && !html.contains("<script"),
        "{html}"
    );
    let markdown = text(folder.path(), &["--format", "markdown"]);
    assert!(
        !markdown.contains("<script") && markdown.contains("\\|=cmd"),
        "{markdown}"
    );
}

#[test]
fn what_cannot_be_asked_is_said() {
    let plan = Plan {
        hours: 1,
        sensors: 1,
        ..PLAN
    };
    let folder = archive_of(hours::hours(&plan, &[]));
    for (flags, word) in [
        (&["--from", "yesterday"][..], "2026-03-02"),
        (
            &["--from", "2026-02-01", "--to", "2026-01-01"],
            "--to must be after --from",
        ),
        (&["--compare", "then"], "--compare"),
        (&["--table", "turnover"], "turnover and turnover_servers need --compare"),
        (&["--home-country", "Kina"], "--home-country"),
        (&["--set-sizes", "1,1"], "--set-sizes"),
        (&["--from", "1970", "--by", "hour"], "20,000"),
        (&["--engine", "clickhouse"], "--url"),
        (&["--sensor", "tap0,nobody"], "there are hours of tap0"),
        (&["--from", "2027"], "hours from 2026-01-01T00:00Z to 2026-01-01T01:00Z"),
    ] {
        let output = report(folder.path(), flags);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{flags:?}: {said}");
        assert!(said.contains(word), "{flags:?}: {said}");
    }
    let nothing = tempfile::tempdir().unwrap();
    assert_eq!(report(nothing.path(), &[]).status.code(), Some(1));
    // An hour without a pair is watched, and nothing was found in it.
    let document = json(folder.path(), &[]);
    assert_eq!(document["tables"]["totals"][0]["servers"], 0);
    assert_eq!(document["tables"]["periods"][0]["hosts"], 0);
}

#[test]
fn a_period_cut_to_whole_hours_is_said() {
    let within = ["--from", "2026-01-01T05:20:00Z", "--to", "2026-01-01T09:59:59Z"];
    let output = report(
        golden(),
        &[
            &within[..],
            &["--compare", "2026-01-01T00:00:30Z..2026-01-01T03:00:00Z"],
        ]
        .concat(),
    );
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("the period is 2026-01-01T05:00Z to 2026-01-01T09:00Z (exclusive)"),
        "{said}"
    );
    assert!(
        said.contains("--compare is cut down to whole hours: 2026-01-01T00:00Z to"),
        "{said}"
    );
    let whole = [
        "--from",
        "2026-01-01T05:00:00Z",
        "--to",
        "2026-01-01T09:00:00Z",
        "--compare",
        "2026-01-01T00:00:00Z..2026-01-01T03:00:00Z",
    ];
    let output_of_whole = report(golden(), &whole);
    assert_eq!(
        (output.stdout, output_of_whole.stderr.is_empty()),
        (output_of_whole.stdout, true)
    );
}

#[test]
fn what_was_forgotten_by_age_is_said() {
    let sightings = hours::sightings(&PLAN);
    let folder = tempfile::tempdir().unwrap();
    let short = Retention {
        suspected_days: 1,
        ..Retention::default()
    };
    let mut archive = Archive::open(&folder.path().join(FOLDER), short).unwrap();
    for hour in hours::hours(&PLAN, &sightings) {
        archive.add(hour).unwrap();
    }
    drop(archive);
    // The newest hour is the 36th, so the first eleven are older than a day; those with a server that is merely suspected lose it.
    let thinned = sightings
        .iter()
        .filter(|row| row.hour < 11 && hours::class(row.server) == 1)
        .map(|row| (row.hour, row.sensor));
    let thinned = thinned.collect::<BTreeSet<(u16, u8)>>().len();
    assert!(thinned > 11);
    let document = json(folder.path(), &[]);
    assert_eq!(document["forgotten_sensor_hours"], thinned);
    let page = text(folder.path(), &["--table", "totals"]);
    let words = page.split_whitespace().collect::<Vec<&str>>().join(" ");
    let told = format!("of {thinned} sensor hours rows have been forgotten by age");
    assert!(words.contains(&told), "{page}");
    let whole = json(golden(), &[]);
    assert_eq!(whole["forgotten_sensor_hours"], 0);
    let late = json(folder.path(), &["--from", "2026-01-01T12:00:00Z"]);
    assert_eq!(late["forgotten_sensor_hours"], 0);
}

#[test]
fn a_period_that_nobody_watched_is_not_a_quiet_one() {
    let page = text(golden(), &["--from", "2025-11", "--to", "2025-12"]);
    assert!(
        page.contains("Nothing of this period was watched.") && page.contains("is not known"),
        "{page}"
    );
    assert!(
        !page.contains("0 hosts") && !page.contains("0 control servers"),
        "{page}"
    );
    assert!(page.lines().all(|line| line.chars().count() <= 120), "{page}");
    // Nor for machines.
    let document = json(golden(), &["--from", "2025-11", "--to", "2025-12"]);
    let totals = by(&document, "totals", "place");
    assert!(
        totals
            .values()
            .all(|row| row["servers"].is_null() && row["hosts"].is_null()),
        "{document}"
    );
}

/// What the README shows is what it prints.
#[test]
fn the_readme_shows_the_truth() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = tempfile::tempdir().unwrap();
    let mut read = Command::cargo_bin("balefire").unwrap();
    read.args(["read", "--quiet", "--output"]).arg(folder.path());
    read.arg(top.join("captures/office_day.pcap")).assert().success();
    let flags = ["--home-country", "SE", "--table", "totals,countries_by_servers"];
    let page = text(folder.path(), &flags);
    let readme = std::fs::read_to_string(top.join("README.md")).unwrap();
    assert!(readme.contains(&format!("report --archive hours {}\n", flags.join(" "))));
    let shown: Vec<String> = page
        .lines()
        .map(|line| format!("    {line}").trim_end().to_owned())
        .collect();
    assert!(readme.contains(&shown.join("\n")), "{page}");
}

//! The archive: what `read` printed is what its hours add up to, and hours of many sensors become one archive.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use balefire_archive::{Answer, Question, SQLITE, Sqlite, Store, Value, find, queries};
use proptest::prelude::*;
use serde_json::Value as Json;

use crate::bench::{Bench, balefire, complaint_of, output_of};

/// Server, host.
type Pairs = BTreeSet<(String, String)>;

/// What is counted, of a document or of an archive.
#[derive(Debug, Default, PartialEq)]
struct Counted {
    pairs: Pairs,
    /// Class and country of each server.
    servers: BTreeMap<String, (i64, String)>,
    /// Servers and hosts by country.
    countries: BTreeMap<String, (i64, i64)>,
    /// Servers and hosts in all, and abroad.
    totals: [i64; 4],
}

fn printed(document: &Json) -> Counted {
    let mut counted = Counted::default();
    for server in document["servers"].as_array().unwrap() {
        let text = |field: &str| server[field].as_str().unwrap().to_owned();
        let address = match text("address") {
            address if address.contains(':') => format!("[{address}]"),
            address => address,
        };
        let place = format!("{address}:{}/{}", server["port"], text("protocol"));
        let identity = match server["names"][0].as_str() {
            Some(name) if server["behind_relay"] == true => format!("{name} via {place}"),
            _ => place,
        };
        let classes = ["suspected", "probable", "confirmed"];
        let class = classes.iter().position(|class| *class == text("class")).unwrap() as i64 + 1;
        counted
            .servers
            .insert(identity.clone(), (class, text("hosting_country")));
        let hosts = server["hosts"].as_array().unwrap().iter();
        counted
            .pairs
            .extend(hosts.map(|host| (identity.clone(), host.as_str().unwrap().to_owned())));
    }
    for row in document["countries"].as_array().unwrap() {
        let number = |field: &str| row[field].as_i64().unwrap();
        if number("servers") > 0 {
            let country = row["country"].as_str().unwrap().to_owned();
            counted.countries.insert(country, (number("servers"), number("hosts")));
        }
    }
    let totals = &document["totals"];
    counted.totals =
        ["servers", "controlled_hosts", "servers_abroad", "hosts_abroad"].map(|field| totals[field].as_i64().unwrap());
    counted
}

fn archived(folder: &Path) -> Counted {
    let path = find(folder).join(SQLITE);
    let store = Store::open_to_read(&path).unwrap();
    let mut counted = Counted::default();
    let mut countries: BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> = BTreeMap::new();
    let counts = "SELECT server, host, class, country FROM pair WHERE class > 0";
    let mut statement = store.connection().prepare(counts).unwrap();
    let mut rows = statement.query(()).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let (server, host): (String, String) = (row.get(0).unwrap(), row.get(1).unwrap());
        let (class, country): (i64, String) = (row.get(2).unwrap(), row.get(3).unwrap());
        let in_country = countries.entry(country.clone()).or_default();
        in_country.0.insert(server.clone());
        in_country.1.insert(host.clone());
        let known = counted
            .servers
            .entry(server.clone())
            .or_insert((class, country.clone()));
        *known = (known.0.max(class), country);
        counted.pairs.insert((server, host));
    }
    let sizes = countries
        .into_iter()
        .map(|(country, (servers, hosts))| (country, (servers.len() as i64, hosts.len() as i64)));
    counted.countries = sizes.collect();
    let Some(mut question) = Question::everything(&store).unwrap() else {
        return counted;
    };
    question.home_country = Some(*b"SE");
    let totals: Vec<_> = queries(&question).filter(|query| query.name == "totals").collect();
    let totals = Sqlite::new(&path)
        .answer(&question, &totals, &|_| ())
        .unwrap()
        .remove(0);
    let [all, abroad] = ["all", "abroad"].map(|place| {
        let row = totals
            .rows
            .iter()
            .find(|row| row[0] == Value::Text(place.to_owned()))
            .unwrap();
        ["servers", "hosts"].map(|name| number(&totals, row, name))
    });
    counted.totals = [all[0], all[1], abroad[0], abroad[1]];
    counted
}

fn number(answer: &Answer, row: &[Value], name: &str) -> i64 {
    let column = answer.columns.iter().position(|column| column == name).unwrap();
    match row[column] {
        Value::Integer(number) => number,
        _ => panic!("{name} of {row:?}"),
    }
}

/// Reads a capture into a folder, and says what was printed.
fn read(capture: &Path, folder: &Path, more: &[&str]) -> Counted {
    let mut command = balefire(&[
        "read",
        "--quiet",
        "--format",
        "json",
        "--home-country",
        "SE",
        "--sensor",
        "tap1",
    ]);
    command.args(more).arg("--output").arg(folder).arg(capture);
    printed(&serde_json::from_str(&output_of(&mut command, 0)).unwrap())
}

/// Captures of the repository, and of a folder that `BALEFIRE_ARCHIVE_CORPUS` names.
fn captures() -> Vec<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../captures");
    let folders = [
        Some(own),
        std::env::var_os("BALEFIRE_ARCHIVE_CORPUS").map(PathBuf::from),
    ];
    let entries = folders
        .into_iter()
        .flatten()
        .flat_map(|folder| fs::read_dir(folder).unwrap());
    let mut captures: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            [".pcap", ".pcap.gz"]
                .iter()
                .any(|end| path.to_string_lossy().ends_with(end))
        })
        .collect();
    captures.sort();
    assert!(captures.len() >= 9);
    captures
}

#[test]
fn hours_add_up_to_what_was_printed() {
    for capture in captures() {
        for more in [&[][..], &["--score-internal", "--suspected", "0.3"]] {
            let bench = Bench::new();
            let folder = bench.path("out");
            let printed = read(&capture, &folder, more);
            assert_eq!(archived(&folder), printed, "{} {more:?}", capture.display());
        }
    }
}

proptest! {
    // Each case makes a capture and reads it twice.
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    /// The hours of made-up traffic, read one by one and merged, are one pass over all of it: whatever its beacons, wherever hours part it.
    #[test]
    fn hours_of_any_traffic_add_up(
        seed in 0u64..1_000_000,
        hosts in 4u32..9,
        start in (0u32..60, 1u32..5),
        beacons in prop::collection::vec((20u32..900, 0usize..4, 0usize..3, 1u32..4), 0..4),
    ) {
        let bench = Bench::new();
        let capture = bench.path("any.pcap");
        let beacon = |(interval_s, country, name, hosts): &(u32, usize, usize, u32)| {
            let country = ["NL", "US", "SE", "KR"][*country];
            let name = ["", ",name=a.example.net", ",name=b.example.net"][*name];
            ["--beacon".to_owned(), format!("interval={interval_s},jitter=0.2,country={country},hosts={hosts}{name}")]
        };
        let start = ["--start".to_owned(), format!("2026-03-02T00:{:02}:00Z", start.0), "--duration".to_owned(), format!("{}h", start.1)];
        let mut command = balefire(&["synth", "--seed", &seed.to_string(), "--hosts", &hosts.to_string()]);
        command.args(start).args(beacons.iter().flat_map(beacon)).arg("--out").arg(&capture).assert().success();
        let printed = read(&capture, &bench.path("out"), &["--suspected", "0.4"]);
        prop_assert_eq!(archived(&bench.path("out")), printed);
    }
}

#[test]
fn an_archive_does_not_depend_on_workers_or_on_being_read_again() {
    let bench = Bench::new();
    let capture = bench.capture();
    let rows = |folder: &str| {
        let store = Store::open_to_read(&find(&bench.path(folder)).join(SQLITE)).unwrap();
        let mut statement = store
            .connection()
            .prepare("SELECT hour_s, revision, hex(digest) FROM hour_row")
            .unwrap();
        let rows = statement
            .query_map((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .unwrap();
        rows.map(Result::unwrap).collect::<Vec<(i64, i64, String)>>()
    };
    read(&capture, &bench.path("one"), &["--workers", "1"]);
    read(&capture, &bench.path("four"), &["--workers", "4"]);
    assert_eq!((rows("one").len(), rows("one")), (5, rows("four")));
    let before = rows("one");
    read(&capture, &bench.path("one"), &["--workers", "2"]);
    assert_eq!(rows("one"), before);
}

#[test]
fn two_taps_that_see_the_same_count_once() {
    let bench = Bench::new();
    let capture = bench.capture();
    for sensor in ["tap1", "tap2"] {
        let mut command = balefire(&["read", "--quiet", "--sensor", sensor, "--output"]);
        command.arg(bench.path(sensor)).arg(&capture).assert().success();
    }
    let printed = archived(&bench.path("tap1"));
    let import = |of: &[&str]| {
        let mut command = balefire(&["archive", "import", "--archive"]);
        command
            .arg(bench.path("all"))
            .args(of.iter().map(|name| bench.path(name)));
        output_of(&mut command, 0)
    };
    assert!(import(&["tap2", "tap1"]).contains("5 hours taken"));
    assert_eq!(archived(&bench.path("all")), printed);
    // Again, by other names for the same.
    let again = import(&["tap1/archive", "tap2/archive/parquet"]);
    assert!(again.contains("0 hours taken, 5 there already"), "{again}");
    assert_eq!(archived(&bench.path("all")), printed);
    let listed = output_of(balefire(&["archive", "ls", "--archive"]).arg(bench.path("all")), 0);
    assert!(
        listed.contains("tap1") && listed.contains("tap2") && listed.contains("2026-03-02T04:00"),
        "{listed}"
    );
    let checked = output_of(balefire(&["archive", "check", "--archive"]).arg(bench.path("all")), 0);
    assert!(checked.contains("10 good, 0 not"), "{checked}");
}

#[test]
fn a_late_revision_counts_whichever_comes_first() {
    let bench = Bench::new();
    let capture = bench.capture();
    // The sensor's first words on its hours are of a capture cut short, its later ones of the whole.
    let bytes = fs::read(&capture).unwrap();
    let cut = bench.file("cut.pcap", &bytes[..bytes.len() / 2]);
    for (folders, capture, code) in [(&["early", "late"][..], &cut, 3), (&["late"][..], &capture, 0)] {
        for folder in folders {
            let mut command = balefire(&["read", "--quiet", "--sensor", "tap1", "--output"]);
            output_of(command.arg(bench.path(folder)).arg(capture), code);
        }
    }
    let report = |name: &str| output_of(balefire(&["report", "--archive"]).arg(bench.path(name)), 0);
    assert_ne!(report("early"), report("late"));
    let wanted = archived(&bench.path("late"));
    for (name, order) in [("one", ["early", "late", "late"]), ("two", ["late", "early", "early"])] {
        for from in order {
            let mut command = balefire(&["archive", "import", "--archive"]);
            output_of(command.arg(bench.path(name)).arg(bench.path(from)), 0);
        }
        assert_eq!(archived(&bench.path(name)), wanted, "{order:?}");
    }
    assert_eq!((report("one"), report("two")), (report("late"), report("late")));
}

#[test]
fn a_torn_file_of_another_archive_is_left_out_and_told_of() {
    let bench = Bench::new();
    read(&bench.capture(), &bench.path("out"), &[]);
    let parquet = bench.path("out/archive/parquet");
    let torn = parquet.join("date=2026-03-02/hour=02/sensor=tap1/rev=1/pair.parquet");
    let bytes = fs::read(&torn).unwrap();
    fs::write(&torn, &bytes[..bytes.len() - 9]).unwrap();
    let mut command = balefire(&["archive", "import", "--archive"]);
    command.arg(bench.path("all")).arg(&parquet);
    let complaint = complaint_of(&mut command, 3);
    assert!(
        complaint.contains("hour=02") && complaint.contains("left out"),
        "{complaint}"
    );
    let listed = output_of(balefire(&["archive", "ls", "--archive"]).arg(bench.path("all")), 0);
    let missing = listed.lines().nth(1).unwrap().split_whitespace().last().unwrap();
    assert_eq!(missing, "1", "a missing hour is visible: {listed}");
    let mut command = balefire(&["archive", "check", "--archive"]);
    assert!(complaint_of(command.arg(bench.path("out")), 3).contains("hour=02"));
}

#[test]
fn a_place_without_hours_makes_no_archive() {
    let bench = Bench::new();
    read(&bench.capture(), &bench.path("out"), &[]);
    fs::create_dir(bench.path("empty")).unwrap();
    for (places, word) in [
        (&["nowhere"][..], "hours come from a folder that was given to --output"),
        (&["empty"], "no hours (date="),
        (&["out", "nowhere"], "nowhere: No such file"),
    ] {
        let mut command = balefire(&["archive", "import", "--archive"]);
        command.arg(bench.path("all"));
        command.args(places.iter().map(|place| bench.path(place)));
        let complaint = complaint_of(&mut command, 1);
        assert!(complaint.contains(word), "{places:?}: {complaint}");
        assert!(!bench.path("all").exists(), "{places:?}");
    }
    // Plain HTTP must be meant.
    let mut command = balefire(&["archive", "import", "--archive"]);
    command.arg(bench.path("all")).arg("s3://bucket/prefix");
    command
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        .env_remove("AWS_ALLOW_HTTP");
    assert!(complaint_of(&mut command, 1).contains("AWS_ALLOW_HTTP=true"));
    assert!(!bench.path("all").exists());
}

#[test]
fn a_file_of_an_hour_that_is_gone_or_forged_is_named() {
    let bench = Bench::new();
    read(&bench.capture(), &bench.path("out"), &[]);
    let parquet = bench.path("out/archive/parquet");
    let file = |hour: &str| parquet.join(format!("date=2026-03-02/hour={hour}/sensor=tap1/rev=1/pair.parquet"));
    fs::remove_file(file("02")).unwrap();
    let mut bytes = fs::read(file("03")).unwrap();
    // The footer says how long it is and where its columns lie.
    let middle = bytes.len() - 200..bytes.len() - 8;
    bytes[middle].iter_mut().for_each(|byte| *byte ^= 0x55);
    fs::write(file("03"), bytes).unwrap();
    let mut command = balefire(&["archive", "import", "--archive"]);
    let complaint = complaint_of(command.arg(bench.path("all")).arg(&parquet), 3);
    assert_eq!(complaint.matches("pair.parquet").count(), 2, "{complaint}");
    assert!(
        complaint.contains("the file is not there, so its hour is not whole"),
        "{complaint}"
    );
    assert!(
        !complaint.contains("panicked") && !complaint.contains("backtrace"),
        "{complaint}"
    );
}

#[test]
fn without_an_archive_there_are_hour_files_only() {
    let bench = Bench::new();
    let folder = bench.path("out");
    read(&bench.capture(), &folder, &["--no-archive"]);
    assert!(!folder.join("archive").exists());
    let complaint = complaint_of(balefire(&["report", "--archive"]).arg(&folder), 1);
    assert!(complaint.contains("balefire read --output"), "{complaint}");
}

#[test]
fn what_a_cluster_needs_is_printed() {
    let text = output_of(
        &mut balefire(&["archive", "ddl", "clickhouse", "--source", "https://s3.example/b"]),
        0,
    );
    assert!(text.contains("S3Queue('https://s3.example/b/date=*"), "{text}");
}

#[test]
fn a_record_says_by_which_settings_and_lists_it_was_made() {
    let bench = Bench::new();
    let capture = bench.capture();
    let first = bench.file("first.csv", b"indicator\n198.51.100.7\n");
    let same = bench.file("same.csv", b"indicator\n198.51.100.7\n");
    let other = bench.file("other.csv", b"indicator\n198.51.100.8\n");
    let record = |name: &str, more: &[&str]| {
        read(&capture, &bench.path(name), more);
        let store = Store::open_to_read(&find(&bench.path(name)).join(SQLITE)).unwrap();
        let select = "SELECT settings_hash, intel_source, gaps, evictions, clock_steps FROM hour_row LIMIT 1";
        let row = store.connection().query_row(select, (), |row| {
            let counts: [Option<i64>; 3] = [row.get(2)?, row.get(3)?, row.get(4)?];
            Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?, counts))
        });
        row.unwrap()
    };
    let intel = |list: &Path| ["--intel".to_owned(), list.display().to_string()];
    let with = |name: &str, list: &Path| {
        let flags = intel(list);
        record(name, &[&flags[0], &flags[1]])
    };
    let plain = record("plain", &[]);
    assert_eq!(
        (plain.1.clone(), plain.2),
        (None, [Some(0); 3]),
        "a file read without a limit"
    );
    let (one, two, three) = (with("one", &first), with("two", &same), with("three", &other));
    assert_eq!(one.0, two.0, "what a list is called decides nothing");
    assert!(one.0 != three.0 && one.0 != plain.0, "what it says does");
    let edition =
        |source: Option<String>| source.and_then(|source| source.split_once(" (").map(|parts| parts.1.to_owned()));
    let edition_of = [one.1, two.1, three.1].map(|source| edition(source).unwrap());
    assert!(
        edition_of[0] == edition_of[1] && edition_of[1] != edition_of[2],
        "{edition_of:?}"
    );
    let rules = |name: &str, text: &str| {
        let path = bench.file(name, text.as_bytes()).display().to_string();
        record(&format!("out-{name}"), &["--allowlist", &path]).0
    };
    let rule = "[[allow]]\naddress = \"198.51.100.9\"\nreason = \"ours\"\n";
    let allowed = rules("a.toml", rule);
    assert_eq!(
        allowed,
        rules("b.toml", &rule.replace("ours", "our own")),
        "a reason decides nothing"
    );
    assert!(allowed != rules("c.toml", &rule.replace(".9", ".10")) && allowed != plain.0);
    assert_ne!(plain.0, record("strict", &["--suspected", "0.9"]).0);
}

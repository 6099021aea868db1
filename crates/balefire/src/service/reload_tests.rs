//! Reloads without packets: what is taken, what is refused, what waits.

use std::fs;

use balefire_detect::Countries;

use super::*;
use crate::flags::SettingFlags;

struct Bench {
    folder: tempfile::TempDir,
    shared: Arc<Shared>,
    orders: Arc<Orders>,
    reloader: Reloader,
}

fn bench(text: &str) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("balefire.toml");
    fs::write(&config, text).unwrap();
    let flags = RunFlags {
        settings: SettingFlags {
            config: Some(config),
            ..SettingFlags::default()
        },
        ..RunFlags::default()
    };
    let settings = daemon::load(&flags).unwrap();
    let shared = Arc::new(Shared::new(
        Countries::embedded(),
        &balefire_detect::Settings::default(),
    ));
    let orders = Arc::new(Orders::with_limit(20));
    let reloader = Reloader::new(flags, settings, Arc::clone(&shared));
    let reloader = reloader.with(Arc::clone(&orders), Decided::default());
    Bench {
        folder,
        shared,
        orders,
        reloader,
    }
}

impl Bench {
    fn reload(&self, text: &str) -> Report {
        fs::write(self.folder.path().join("balefire.toml"), text).unwrap();
        self.reloader.reload()
    }
}

#[test]
fn twenty_broken_files_change_nothing_and_each_is_said() {
    let bench = bench("[detect]\nsuspected = 0.4\n");
    bench.reload("[detect]\nsuspected = 0.4\n");
    let broken = [
        "[run\n",
        "[run]\nworkers = 0\n",
        "[run]\nworkers = \"two\"\n",
        "[runn]\nworkers = 2\n",
        "[detect]\nsuspected = 1.5\n",
        "[detect]\nsuspected = 0.95\n",
        "[detect]\nprobable = -1\n",
        "[detect]\nsuspect = 0.5\n",
        "[home]\nnetworks = [\"10.0.0.0/99\"]\n",
        "[home]\ncountry = \"Mars\"\n",
        "[sensor]\nname = \"a/b\"\n",
        "[limits]\nmemory = \"1TB\"\n",
        "[limits]\nmemory = \"1000\"\n",
        "[alerts]\nper_server_hourly = 0\n",
        "[alerts]\nsyslog = \"tcp:192.0.2.1:514\"\n",
        "[metrics]\nlisten = \"everywhere\"\n",
        "[capture]\nsnaplen_bytes = 1\n",
        "[service]\ncpus = [-1]\n",
        "\u{0}\u{1}\u{2}",
        "[detect]\nsuspected = 0.4\nsuspected = 0.6\n",
    ];
    for text in broken {
        let report = bench.reload(text);
        assert!(
            report.taken.is_empty() && report.failed.len() == 1,
            "{text:?}: {report:?}"
        );
        assert!(
            report.failed[0].contains("the old settings stay in force"),
            "{report:?}"
        );
        assert_eq!(bench.shared.thresholds().suspected, 0.4, "{text:?}");
    }
    let mended = bench.reload("[detect]\nsuspected = 0.6\n");
    assert!(mended.failed.is_empty(), "{mended:?}");
    assert_eq!(bench.shared.thresholds().suspected, 0.6);
}

#[test]
fn what_waits_for_the_next_start_is_named_and_nothing_else() {
    let bench = bench("[run]\nworkers = 1\n");
    let report = bench.reload(
        "[run]\nworkers = 2\n[capture]\nfilter = \"tcp\"\n[detect]\nsuspected = 0.6\n[alerts]\nper_server_hourly = 3\n",
    );
    assert_eq!(report.at_next_start, ["capture.filter", "run.workers"]);
    assert!(
        report.taken.iter().any(|taken| taken.contains("detect.suspected 0.6")),
        "{report:?}"
    );
    assert!(
        report.taken.iter().any(|taken| taken.contains("per_server_hourly 3")),
        "{report:?}"
    );
    let again = bench.reload("[run]\nworkers = 1\n[alerts]\nper_server_hourly = 3\n");
    assert!(again.at_next_start.is_empty(), "{again:?}");
    assert_eq!(bench.orders.per_server_hourly(), 3);
}

#[test]
fn a_country_database_is_replaced_whole_or_not_at_all() {
    let bench = bench("");
    let path = bench.folder.path().join("made.mmdb");
    let text = format!("[detect]\ncountry_db = {:?}\n", path.display().to_string());
    let (one, two) = (database("NL", 1_700_000_000), database("DE", 1_772_438_400));
    let at = |code: &str| {
        let country = bench
            .shared
            .countries()
            .country(balefire_detect::Address::v4([1, 2, 3, 4]));
        assert_eq!(country.code(), code);
    };
    fs::write(&path, &one).unwrap();
    assert_eq!(bench.reload(&text).failed, Vec::<String>::new());
    at("NL");
    fs::write(&path, &two).unwrap();
    let report = bench.reload(&text);
    assert!(
        report
            .taken
            .iter()
            .any(|taken| taken.contains("made.mmdb") && taken.contains("2026-03-02")),
        "{report:?}"
    );
    at("DE");
    for length in [0, 1, 7, two.len() / 2, two.len() - 1] {
        fs::write(&path, &two[..length]).unwrap();
        let report = bench.reload(&text);
        assert_eq!(report.failed.len(), 1, "cut to {length}: {report:?}");
        assert!(report.failed[0].contains("what is in force stays"), "{report:?}");
        at("DE");
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(bench.reload(&text).failed.len(), 1);
    at("DE");
    assert!(bench.reload("").taken.iter().any(|taken| taken.contains("iptocc")));
}

/// A database with one country for every IPv4 address below 128.0.0.0, by the format's description: a search tree of one
/// node (24 bits a record), sixteen zero bytes, the data, the metadata.
fn database(code: &str, built_s: u64) -> Vec<u8> {
    let text = |text: &str| [&[0x40 | text.len() as u8], text.as_bytes()].concat();
    let small = |kind: u8, number: u8| vec![kind << 5 | 1, number];
    let mut bytes = Vec::new();
    // One node: the left record leads to the data, the right one to nothing (the number of nodes).
    bytes.extend([0, 0, 1 + 16, 0, 0, 1]);
    bytes.extend([0; 16]);
    bytes.push(0xe1);
    bytes.extend([text("country_code"), text(code)].concat());
    bytes.extend(b"\xab\xcd\xefMaxMind.com");
    bytes.push(0xe9);
    let mut field = |name: &str, value: Vec<u8>| bytes.extend([text(name), value].concat());
    field("binary_format_major_version", small(5, 2));
    field("binary_format_minor_version", small(5, 0));
    field("build_epoch", [&[8, 2][..], &built_s.to_be_bytes()].concat());
    field("database_type", text("made"));
    field("description", vec![0xe0]);
    field("ip_version", small(5, 4));
    field("languages", vec![0, 4]);
    field("node_count", small(6, 1));
    field("record_size", small(5, 24));
    bytes
}

//! Settings from files and flags, and what they are refused for.

use super::*;

#[test]
fn a_dump_reads_back_to_the_same() {
    let mut settings = Settings::default();
    assert_eq!(toml::from_str::<Settings>(&settings.dump().unwrap()).unwrap(), settings);
    settings.home.networks = Some(vec!["192.0.2.0/24".to_owned().try_into().unwrap()]);
    settings.home.country = Some("NL".to_owned().try_into().unwrap());
    settings.detect.country_db = Some("/a \"b\"/c.mmdb".into());
    settings.capture.filter = "not port 22".to_owned();
    assert_eq!(toml::from_str::<Settings>(&settings.dump().unwrap()).unwrap(), settings);
}

#[test]
fn errors_in_the_file_have_line_and_column() {
    for (text, place, word) in [
        ("[run]\nworker = 2\n", "line 2, column 1", "worker"),
        ("[run]\nworkers = 0\n", "line 2, column 11", "1 to 256"),
        ("[home]\nnetworks = [\"10.0.0.0/8\", \"x\"]\n", "line 2", "\"x\""),
        ("[home]\ncountry = \"Mars\"\n", "line 2, column 11", "two letters"),
        ("[detect]\nsuspected = 1.5\n", "line 2, column 13", "0 to 1"),
        ("[sensor]\nname = \"a/b\"\n", "line 2, column 8", "letters"),
        ("[run\n", "line 1", ""),
    ] {
        let error = toml::from_str::<Settings>(text).unwrap_err().to_string();
        assert!(error.contains(place) && error.contains(word), "{text}: {error}");
    }
}

#[test]
fn tables_follow_the_memory_but_for_what_is_set_by_hand() {
    let settings: Settings =
        toml::from_str("[limits]\nmemory = \"256MiB\"\npairs = 5000\n[run]\nworkers = 2\n").unwrap();
    let limits = settings.table_limits().unwrap();
    assert_eq!(limits.detect.pairs, 5000);
    let derived = TableLimits::within(256 << 20, 2, settings.run.queue_blocks.size()).unwrap();
    assert_eq!(limits.connections, derived.connections);
    assert!(settings.dump().unwrap().contains("memory = \"256MiB\""));
    let too_little: Settings = toml::from_str("[limits]\nmemory = \"1000\"\n").unwrap();
    let said = too_little.check().unwrap_err().to_string();
    assert!(said.contains("limits.memory is 1000") && said.contains("MiB"), "{said}");
    let error = toml::from_str::<Settings>("[limits]\nmemory = \"1TB\"\n")
        .unwrap_err()
        .to_string();
    assert!(error.contains("line 2") && error.contains("512MiB"), "{error}");
}

#[test]
fn flags_go_before_the_file() {
    let mut settings: Settings = toml::from_str("[run]\nworkers = 2\nqueue_blocks = 7\n").unwrap();
    let flags = SettingFlags {
        workers: Some(5),
        home: vec!["192.0.2.0/24".into()],
        ..SettingFlags::default()
    };
    settings.apply(&flags).unwrap();
    assert_eq!((settings.workers(), settings.run.queue_blocks.0), (5, 7));
    assert_eq!(
        settings.home(&["10.9.0.0/16".to_owned()]).unwrap().to_string(),
        "192.0.2.0/24"
    );
    let thresholds = SettingFlags {
        suspected: Some(0.95),
        ..SettingFlags::default()
    };
    settings.apply(&thresholds).unwrap();
    assert!(settings.check().is_err());
    let empty: Settings = toml::from_str("[home]\nnetworks = []\n").unwrap();
    assert!(empty.check().unwrap_err().to_string().contains("no network"));
}

#[test]
fn workers_fit_the_cores_unless_they_are_named() {
    let by_cores = |of: fn(usize) -> Count<1, 256>| [1, 2, 4, 300].map(|cores| of(cores).size());
    assert_eq!(by_cores(RunSection::workers_of_taps), [1, 1, 3, 256]);
    assert_eq!(by_cores(RunSection::workers_of_files), [1, 2, 3, 256]);
    let named = SettingFlags {
        workers: Some(5),
        ..SettingFlags::default()
    };
    assert_eq!(Settings::load_for_files(&named).unwrap().workers(), 5);
    let settings = Settings::load_for_files(&SettingFlags::default()).unwrap();
    assert_eq!(settings.workers(), RunSection::workers_of_files(cores()).size());
}

#[test]
fn the_interface_counts_as_home_only_where_nothing_was_named() {
    let home = Settings::default()
        .home(&["192.0.2.0/24".to_owned()])
        .unwrap()
        .to_string();
    assert!(
        home.starts_with("10.0.0.0/8") && home.ends_with("192.0.2.0/24"),
        "{home}"
    );
}

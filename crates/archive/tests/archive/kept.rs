//! How long rows are kept.

use balefire_archive::{Archive, Retention, place};

use crate::sample::{START_S, hour, tables};

fn rows(archive: &Archive, table: &str) -> i64 {
    archive
        .store()
        .connection()
        .query_row(&format!("SELECT count(*) FROM {table}"), (), |row| row.get(0))
        .unwrap()
}

#[test]
fn rows_go_by_class_and_age_and_totals_stay() {
    let folder = tempfile::tempdir().unwrap();
    let retention = Retention {
        suspected_days: 1,
        probable_days: 3,
        parquet_days: 3,
        ..Retention::default()
    };
    let mut archive = Archive::open(folder.path(), retention).unwrap();
    let servers: [(u8, i64, &[u8]); 3] = [(1, 1, &[1]), (2, 2, &[2, 3]), (3, 3, &[4])];
    // Midnight of five days.
    for day in 0..5 {
        archive.add(hour("a", day * 24, &servers)).unwrap();
    }
    // Of the last day and the day before suspected ones; of the last four days probable ones; all confirmed ones.
    assert_eq!(rows(&archive, "pair"), 2 + 4 * 2 + 5);
    assert_eq!(rows(&archive, "pair_detail"), rows(&archive, "pair"));
    assert_eq!(rows(&archive, "server"), 2 + 4 + 5);
    assert_eq!(rows(&archive, "sensor_hour"), 5, "{}", tables(&archive));
    assert_eq!(rows(&archive, "address"), 4, "no address is without a row");
    let parquet = archive.parquet_folder();
    assert!(!parquet.join(place("a", START_S, 1)).exists());
    assert!(parquet.join(place("a", START_S + 4 * 86_400, 1)).exists());
    // An hour that has lost rows is still known: it does not come back.
    archive.add(hour("a", 0, &servers)).unwrap();
    assert_eq!(rows(&archive, "pair"), 2 + 4 * 2 + 5);
}

#[test]
fn totals_go_with_all_their_hours_have() {
    let folder = tempfile::tempdir().unwrap();
    let retention = Retention {
        totals_days: 2,
        ..Retention::default()
    };
    let mut archive = Archive::open(folder.path(), retention).unwrap();
    for day in 0..6 {
        archive
            .add(hour("a", day * 24, &[(1, 3, &[u8::try_from(day).unwrap()])]))
            .unwrap();
    }
    for table in ["sensor_hour", "pair", "server", "address"] {
        assert_eq!(rows(&archive, table), 3, "{table}");
    }
}

//! Which word on an hour counts.

use balefire_archive::{Added, place, read_hour};

use crate::sample::{hour, open, part_of, tables, totals};

#[test]
fn a_repeated_hour_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut archive = open(folder.path());
    let first = hour("a", 0, &[(1, 2, &[1, 2]), (2, 1, &[2])]);
    assert_eq!(archive.add(first.clone()).unwrap(), Added::New);
    let before = tables(&archive);
    assert_eq!(archive.add(first).unwrap(), Added::Unchanged);
    assert_eq!(tables(&archive), before);
    assert_eq!(archive.store().hours().unwrap()[0].2, 1, "no new revision");
}

#[test]
fn a_later_word_takes_the_place_of_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let mut archive = open(folder.path());
    archive.add(hour("a", 0, &[(1, 2, &[1, 2]), (2, 1, &[2])])).unwrap();
    let late = hour("a", 0, &[(3, 2, &[9])]);
    assert_eq!(archive.add(late.clone()).unwrap(), Added::Replaced);
    assert_eq!(totals(&archive), [1, 1, 1]);
    // Both revisions lie in their folders; the second says what the late hour said.
    let read = read_hour(&archive.parquet_folder().join(place("a", late.hour_s, 2))).unwrap();
    assert_eq!((read.revision, &read.pairs), (2, &late.pairs));
    assert!(archive.parquet_folder().join(place("a", late.hour_s, 1)).exists());
}

#[test]
fn parts_of_a_restarted_sensor_are_put_together_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut archive = open(folder.path());
    let whole = |servers: &[(u8, i64, &[u8])]| hour("a", 0, servers);
    let one = part_of(whole(&[(1, 1, &[1]), (2, 1, &[2])]), 0, 1200);
    let two = part_of(whole(&[(1, 2, &[1, 5])]), 1500, 3599);
    assert_eq!(archive.add(one.clone()).unwrap(), Added::New);
    assert_eq!(archive.add(two.clone()).unwrap(), Added::Joined);
    let read = read_hour(&archive.parquet_folder().join(place("a", one.hour_s, 2))).unwrap();
    assert_eq!(
        (read.watched.parts, read.watched.received, read.watched.partial),
        (2, 2_000, true)
    );
    assert_eq!(
        read.watched.rejects.as_deref(),
        Some("not_ip=14 ip_version=4 link_cut=2")
    );
    assert_eq!((read.watched.servers, read.watched.controlled_hosts), (2, 3));
    let classes: Vec<i64> = read.pairs.iter().map(|pair| pair.class).collect();
    assert_eq!(classes, [2, 2, 1], "a server has one class in an hour");
    // A server of both parts counted anew after the restart.
    assert_eq!(read.pairs[0].check_ins, 80);
    // Either part again is in there already.
    let before = tables(&archive);
    for again in [one, two] {
        assert_eq!(archive.add(again).unwrap(), Added::Kept);
    }
    assert_eq!(tables(&archive), before);
}

#[test]
fn a_fuller_view_of_an_hour_stays() {
    let folder = tempfile::tempdir().unwrap();
    let mut archive = open(folder.path());
    let full = hour("a", 0, &[(1, 2, &[1, 2, 4])]);
    archive.add(full.clone()).unwrap();
    let cut = part_of(hour("a", 0, &[(1, 1, &[1])]), 0, 1800);
    assert_eq!(archive.add(cut.clone()).unwrap(), Added::Kept);
    assert_eq!(totals(&archive), [1, 3, 3]);
    // The other way round the whole hour takes the place.
    let folder = tempfile::tempdir().unwrap();
    let mut archive = open(folder.path());
    archive.add(cut.clone()).unwrap();
    let overlapping = part_of(hour("a", 0, &[(2, 1, &[7, 8])]), 1700, 2000);
    assert_eq!(
        archive.add(overlapping).unwrap(),
        Added::Kept,
        "fewer or as many packets, and not a part of its own"
    );
    assert_eq!(archive.add(full).unwrap(), Added::Replaced);
    assert_eq!(totals(&archive), [1, 3, 3]);
}

#[test]
fn withdrawn_pairs_are_kept_and_not_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut archive = open(folder.path());
    archive.add(hour("a", 0, &[(1, 0, &[1, 2]), (2, 1, &[2])])).unwrap();
    assert_eq!(totals(&archive), [1, 1, 1]);
    let rows: i64 = archive
        .store()
        .connection()
        .query_row("SELECT count(*) FROM pair", (), |row| row.get(0))
        .unwrap();
    assert_eq!(rows, 3);
}

#[test]
fn networks_of_sixty_four_bits_are_counted_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut archive = open(folder.path());
    // 3 and 6 share a /64, 9 has another.
    archive.add(hour("a", 0, &[(1, 1, &[1, 3, 6, 9])])).unwrap();
    assert_eq!(totals(&archive), [1, 4, 3]);
}

//! Hours of other archives: in any order, twice, late, and from two taps that see the same.

use balefire_archive::{Added, ArchiveError, Hour};
use proptest::prelude::*;

use crate::sample::{any_hour, hour, open, tables, totals};

fn of_revision(mut hour: Hour, revision: i64) -> Hour {
    hour.revision = revision;
    hour
}

#[test]
fn the_higher_revision_counts_whichever_comes_first() {
    let one = of_revision(hour("a", 0, &[(1, 1, &[1, 2])]), 1);
    let two = of_revision(hour("a", 0, &[(1, 2, &[1])]), 2);
    for order in [[&one, &two], [&two, &one]] {
        let folder = tempfile::tempdir().unwrap();
        let mut archive = open(folder.path());
        for hour in order {
            archive.import(hour).unwrap();
        }
        assert_eq!(totals(&archive), [1, 1, 1]);
        assert_eq!(archive.import(&two).unwrap(), Added::Unchanged);
        assert_eq!(archive.import(&one).unwrap(), Added::Kept);
    }
}

#[test]
fn the_same_flow_on_two_taps_counts_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut archive = open(folder.path());
    archive
        .import(&of_revision(hour("a", 0, &[(1, 1, &[1, 2])]), 1))
        .unwrap();
    archive
        .import(&of_revision(hour("b", 0, &[(1, 2, &[2, 4])]), 1))
        .unwrap();
    assert_eq!(totals(&archive), [1, 3, 3]);
}

#[test]
fn two_words_with_one_revision_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut archive = open(folder.path());
    archive
        .import(&of_revision(hour("a", 0, &[(1, 1, &[1, 2])]), 1))
        .unwrap();
    let error = archive
        .import(&of_revision(hour("a", 0, &[(2, 1, &[1])]), 1))
        .unwrap_err();
    assert!(matches!(error, ArchiveError::Conflict { .. }), "{error}");
    assert_eq!(totals(&archive), [1, 2, 2]);
}

#[test]
fn the_whole_hour_goes_before_a_part_of_it_in_either_order() {
    let whole = of_revision(hour("a", 0, &[(1, 1, &[1, 2]), (2, 1, &[3])]), 1);
    let mut part = of_revision(hour("a", 0, &[(1, 1, &[1])]), 1);
    part.watched.partial = true;
    for order in [[&whole, &part], [&part, &whole]] {
        let folder = tempfile::tempdir().unwrap();
        let mut archive = open(folder.path());
        for hour in order {
            archive.import(hour).unwrap();
        }
        assert_eq!(totals(&archive), [2, 3, 3]);
        assert_eq!(archive.import(&part).unwrap(), Added::Kept);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn twice_in_any_order_with_late_revisions_is_the_same(
        hours in prop::collection::vec(any_hour(), 1..8), order in any::<prop::sample::Index>(),
    ) {
        // One word for each revision of an hour.
        let mut hours: Vec<Hour> = hours;
        hours.sort_by_key(|hour| (hour.hour_s, hour.sensor_id.clone(), hour.revision));
        hours.dedup_by_key(|hour| (hour.hour_s, hour.sensor_id.clone(), hour.revision));
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (mut forward, mut shuffled) = (open(one.path()), open(two.path()));
        for hour in &hours {
            forward.import(hour).unwrap();
        }
        let middle = order.index(hours.len());
        for hour in hours[middle..].iter().rev().chain(&hours).chain(hours[..middle].iter().rev()) {
            shuffled.import(hour).unwrap();
        }
        prop_assert_eq!(tables(&forward), tables(&shuffled));
    }
}

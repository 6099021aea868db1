//! What a timeline promises: counts, late starts, merges, no overflow.

use proptest::prelude::*;

use super::*;

const S: i64 = 1_000_000_000;
const BASE: i64 = 1_790_000_000 * S;

fn timeline(times_ns: &[i64]) -> Timeline {
    let mut timeline = Timeline::new(times_ns[0], 480);
    times_ns[1..].iter().for_each(|&time| timeline.check_in(time, 480));
    timeline
}

fn merged(one: &Timeline, two: &Timeline) -> Timeline {
    let mut sum = one.clone();
    sum.merge(two);
    sum
}

#[test]
fn starts_closer_than_a_second_to_the_last_kept_one_collapse() {
    let fast = timeline(&(0..100).map(|step| BASE + step * 900_000_000).collect::<Vec<_>>());
    assert_eq!(fast.check_ins(), 50);
    assert_eq!(fast.gaps_ms().collect::<Vec<_>>(), vec![1800; 24]);
    let burst = timeline(&[BASE, BASE + 1, BASE + S - 1, BASE + 60 * S, BASE + 60 * S + 5]);
    assert_eq!(burst.check_ins(), 2);
    assert_eq!(burst.last_ns(), BASE + 60 * S);
}

#[test]
fn recent_gives_the_last_times_in_order() {
    let times: Vec<i64> = (0..100).map(|step| BASE + step * 61 * S + step).collect();
    let recent: Vec<i64> = timeline(&times).recent().collect();
    assert_eq!(recent.len(), Timeline::RECENT);
    for (known, time) in recent.iter().zip(&times[100 - Timeline::RECENT..]) {
        assert!((known - time).abs() <= 1_000_000);
    }
    assert_eq!(recent.last(), times.last());
}

#[test]
fn a_late_start_divides_the_interval_it_falls_in() {
    let mut late = timeline(&[BASE, BASE + 60 * S, BASE + 180 * S, BASE + 240 * S]);
    late.check_in(BASE + 120 * S, 480);
    let in_order = timeline(&[BASE, BASE + 60 * S, BASE + 120 * S, BASE + 180 * S, BASE + 240 * S]);
    assert_eq!(late.histogram(), in_order.histogram());
    assert_eq!(late.recent().collect::<Vec<_>>(), in_order.recent().collect::<Vec<_>>());
    assert_eq!(late.check_ins(), 5);
    late.check_in(BASE + 120 * S - 5, 480);
    late.check_in(BASE + 240 * S - 5, 480);
    assert_eq!(late.check_ins(), 5, "near a check-in that is there already");
    late.check_in(BASE - 60 * S, 480);
    assert_eq!((late.check_ins(), late.first_ns()), (6, BASE - 60 * S));
    assert_eq!(late.recent().next(), Some(BASE - 60 * S));
}

#[test]
fn hours_are_utc_hours_of_day() {
    let midnight = 20_000 * 24 * NS_PER_HOUR;
    let days = timeline(&[midnight, midnight + 24 * NS_PER_HOUR, midnight + 50 * NS_PER_HOUR]);
    assert_eq!((days.hours()[0], days.hours()[2]), (2, 1));
    let mut before_1970 = Timeline::new(-1, 0);
    before_1970.check_in(i64::MAX, 0);
    before_1970.check_in(i64::MIN, 0);
    assert_eq!(before_1970.check_ins(), 3);
    assert!(before_1970.hours()[23] > 0);
}

#[test]
fn years_of_check_ins_neither_overflow_nor_lose_the_count() {
    let mut long = Timeline::new(BASE, 480);
    for step in 1..2_000_000 {
        long.check_in(BASE + step * S, 480);
    }
    assert_eq!(long.check_ins(), 2_000_000);
    assert!(long.hours().iter().all(|&hour| hour > 0));
    assert_eq!(long.size_regularity(), Some(1.0));
}

fn gaps() -> impl Strategy<Value = Vec<i64>> {
    prop::collection::vec(
        prop_oneof![1_i64..2 * S, 2 * S..1000 * S, 1000 * S..200_000 * S],
        0..120,
    )
}

fn times(start: i64, gaps: &[i64]) -> Vec<i64> {
    let mut time = start;
    std::iter::once(start)
        .chain(gaps.iter().map(|gap| {
            time += gap;
            time
        }))
        .collect()
}

fn bins(timeline: &Timeline) -> u32 {
    timeline.histogram().iter().map(|&bin| u32::from(bin)).sum()
}

proptest! {
    #[test]
    fn merge_is_commutative(a in gaps(), b in gaps(), shift in -500_000 * S..500_000 * S) {
        let (a, b) = (timeline(&times(BASE, &a)), timeline(&times(BASE + shift, &b)));
        prop_assert_eq!(merged(&a, &b), merged(&b, &a));
    }

    /// Where no starts collapse, parts of any cut in time add up to the whole.
    #[test]
    fn parts_that_follow_each_other_make_the_whole(gaps in gaps(), cut in 0.0_f64..1.0) {
        let gaps: Vec<i64> = gaps.iter().map(|gap| gap + S).collect();
        let times = times(BASE, &gaps);
        let cut = 1 + ((times.len() - 1) as f64 * cut) as usize;
        prop_assume!(cut < times.len());
        let whole = timeline(&times);
        let sum = merged(&timeline(&times[..cut]), &timeline(&times[cut..]));
        prop_assert_eq!(sum.histogram(), whole.histogram());
        prop_assert_eq!(sum.hours(), whole.hours());
        prop_assert_eq!(sum.check_ins(), whole.check_ins());
        prop_assert_eq!((sum.first_ns(), sum.last_ns()), (whole.first_ns(), whole.last_ns()));
        let (mine, theirs): (Vec<_>, Vec<_>) = (sum.gaps_ms().collect(), whole.gaps_ms().collect());
        prop_assert!(theirs.ends_with(&mine));
        prop_assert!(mine.len() >= theirs.len().min(times.len() - cut - 1));
    }

    /// Interleaved parts keep every count; what the intervals lose is only the division by the other part.
    #[test]
    fn interleaved_parts_keep_their_counts(gaps in gaps(), parity in prop::collection::vec(any::<bool>(), 121)) {
        let times = times(BASE, &gaps.iter().map(|gap| gap + S).collect::<Vec<_>>());
        let part = |which: bool| times.iter().zip(&parity).filter(|(_, p)| **p == which).map(|(t, _)| *t).collect::<Vec<_>>();
        let (one, two) = (part(false), part(true));
        prop_assume!(!one.is_empty() && !two.is_empty());
        let sum = merged(&timeline(&one), &timeline(&two));
        let whole = timeline(&times);
        prop_assert!(sum.check_ins().abs_diff(whole.check_ins()) <= 1, "a millisecond may collapse");
        prop_assert_eq!(sum.first_ns(), whole.first_ns());
        prop_assert_eq!(sum.last_ns(), whole.last_ns());
        if sum.check_ins() == whole.check_ins() {
            prop_assert_eq!(sum.hours(), whole.hours());
        }
        if one.len() <= Timeline::RECENT && two.len() <= Timeline::RECENT && sum.check_ins() == whole.check_ins() {
            prop_assert_eq!(sum.histogram(), whole.histogram());
        }
    }

    /// Any order of any times: no panic, the bins hold no more intervals than there are, the recent times are in order.
    #[test]
    fn any_order_of_times_is_survived(times in prop::collection::vec(prop_oneof![any::<i64>(), BASE..BASE + 1000 * S], 1..200)) {
        let timeline = timeline(&times);
        prop_assert!(bins(&timeline) < timeline.check_ins().max(1) || timeline.check_ins() == 1);
        let recent: Vec<i64> = timeline.recent().collect();
        prop_assert!(recent.is_sorted());
        let twice = merged(&timeline, &timeline);
        prop_assert!(twice.check_ins() >= timeline.check_ins());
    }
}

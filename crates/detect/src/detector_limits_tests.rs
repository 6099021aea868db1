//! That workers, seeds and the order of merges change nothing, and that limits hold under a flood.

use proptest::prelude::*;

use super::*;
use crate::Limits;

/// A mixture of everything, drawn from a seed.
fn mixture(seed: u64, count: usize) -> Vec<Talk> {
    let mut state = seed | 1;
    let mut draw = |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut talks = Vec::new();
    for _ in 0..count {
        let ends = (draw(6) as u16, draw(6) as u16);
        let (from, to) = match draw(8) {
            0 => (outside(ends.0), inside(ends.1)),
            1 => (inside(ends.0), inside(100 + ends.1)),
            2 => (outside(ends.0), outside(100 + ends.1)),
            _ => (inside(ends.0), outside(ends.1)),
        };
        let port = [80, 443, 53, 8080, 123][draw(5) as usize];
        let start = 3600 * S + draw(2000) as i64 * S;
        let interval = (5 + draw(100)) as i64;
        let kind = [
            NameKind::Sni,
            NameKind::HttpHost,
            NameKind::ConnectTarget,
            NameKind::DnsQuery,
        ][draw(4) as usize];
        let name = (draw(2) == 0).then(|| (kind, format!("a.n{}.example", draw(4))));
        let state = if draw(4) == 0 { ConnState::S0 } else { ConnState::Sf };
        let transport = if draw(3) == 0 { Transport::UDP } else { Transport::TCP };
        let jitter = 1 + draw(interval as u64 * S as u64 / 4) as i64;
        for step in 0..4 + draw(60) as i64 {
            let time_ns = start + step * interval * S + draw(jitter as u64) as i64;
            let bursts = if draw(9) == 0 {
                (1..30).map(|beat| beat * 7 * S).collect()
            } else {
                vec![]
            };
            talks.push(Talk {
                time_ns,
                from,
                to,
                port,
                transport,
                name: name.clone(),
                bursts,
                state,
            });
        }
    }
    in_order(talks)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn neither_workers_nor_seeds_change_a_summary(seed in any::<u64>(), workers in 2_usize..5, score_internal in any::<bool>(), other in any::<u64>()) {
        let one = Settings { score_internal, home_country: Some(*b"DE"), ..settings() };
        let talks = mixture(seed, 25);
        let expected = summaries(&one, &talks, 1);
        prop_assert_eq!(&expected, &summaries(&one, &talks, workers));
        prop_assert_eq!(&expected, &summaries(&Settings { hash_seed: other, ..one }, &talks, workers));
    }

    #[test]
    fn parts_merge_in_any_order_and_grouping(seed in any::<u64>(), order in Just([0_usize, 1, 2]).prop_shuffle()) {
        let settings = settings();
        let shared = shared(&settings);
        let talks = mixture(seed, 20);
        let parts: Vec<Part> = (0..3).map(|worker| {
            let mut detector = Detector::new(Arc::new(settings.clone()), shared.clone(), worker);
            talks.iter().filter(|talk| worker_of(&settings, talk, 3) == worker).for_each(|talk| play(&mut detector, talk));
            detector.finish_with_timelines()
        }).collect();
        let join = |mut one: Part, two: Part| { one.merge(two); one };
        let part = |at: usize| parts[order[at]].clone();
        let left = join(join(part(0), part(1)), part(2));
        let right = join(part(0), join(part(1), part(2)));
        let plain = join(join(parts[0].clone(), parts[1].clone()), parts[2].clone());
        prop_assert_eq!(left.timelines(&settings, &shared), plain.timelines(&settings, &shared));
        let [left, right, plain] = [left, right, plain].map(|part| part.conclude(&settings, &shared, RUN, Accounting::default()));
        prop_assert_eq!(&left, &right);
        prop_assert_eq!(&left, &plain);
    }
}

#[test]
fn a_flood_stays_in_bounds_and_the_beacon_is_still_found() {
    let limits = Limits {
        hosts: 500,
        addresses: 1000,
        pairs: 2000,
        timelines: 200,
        names: 200,
    };
    let settings = Settings { limits, ..settings() };
    let shared = shared(&settings);
    let mut detector = Detector::new(Arc::new(settings.clone()), shared.clone(), 0);
    let mut scan = 0_u32;
    for check_in in beacon(inside(1), outside(1), 4433, 60, 5, 600) {
        play(&mut detector, &check_in);
        for _ in 0..100 {
            scan += 1;
            let to = Address::v4([203, (scan >> 16) as u8, (scan >> 8) as u8, scan as u8]);
            let name = format!("h{scan}.example");
            play(
                &mut detector,
                &named(
                    talk(check_in.time_ns + 5, inside(2 + scan as u16 % 2000), to, 443),
                    NameKind::Sni,
                    &name,
                ),
            );
        }
    }
    let gauges = detector.gauges();
    assert!(
        gauges.hosts <= 500 && gauges.destinations <= 1000 && gauges.pairs <= 2000,
        "{gauges:?}"
    );
    assert!(
        gauges.timelines <= 200 && gauges.names <= 400 && gauges.connections <= QUEUE as u64,
        "{gauges:?}"
    );
    assert!(gauges.pairs_evicted > 0 && gauges.names_evicted > 0 && gauges.hosts_evicted > 0);
    let summary = detector
        .finish()
        .conclude(&settings, &shared, RUN, Accounting::default());
    assert_eq!(
        summary.servers.iter().map(|server| server.address).collect::<Vec<_>>(),
        vec![outside(1)]
    );
}

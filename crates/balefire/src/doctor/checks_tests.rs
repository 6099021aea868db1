//! Every judgement on made-up facts: a good machine, and each fault alone.

use std::collections::BTreeSet;

use super::super::ethtool::{Channels, Coalescing, Features, Pause, Rings};
use super::super::facts::{Backlog, Link, Machine};
use super::*;

const WANTED: Wanted = Wanted {
    snaplen_bytes: 16_384,
    buffer_mib: 64,
    threads: 2,
};

fn good() -> Facts {
    Facts {
        interface: "eth7".to_owned(),
        link: Ok(Link {
            up: true,
            carrier: true,
            mtu_bytes: 1500,
            speed_mbit: Some(10_000),
            ..Link::default()
        }),
        driver: Ok(Driver::Named {
            name: "ixgbe".to_owned(),
            version: None,
        }),
        addresses: Ok(Vec::new()),
        rings: Ok(Rings { now: 4096, most: 4096 }),
        channels: Ok(Channels {
            now: 1,
            most: 8,
            combined: true,
        }),
        hash_key: Err("not asked".to_owned()),
        coalescing: Ok(Coalescing {
            delay_us: Some(50),
            adaptive: true,
        }),
        pause: Ok(Pause {
            receives: false,
            sends: false,
        }),
        features: Ok(Features::default()),
        losses: Ok(vec![("rx_dropped".to_owned(), 0)]),
        machine: Machine {
            numa_nodes: Ok("0".to_owned()),
            clock_source: Ok(("tsc".to_owned(), vec!["tsc".to_owned()])),
            capabilities: Ok(1 << 13),
            libpcap: Ok("1.10.5".to_owned()),
            kernel: Ok("6.1.0".to_owned()),
            cores: 4,
            memory_available_kib: Ok(8 << 20),
            backlog: Ok(Backlog {
                most_packets: 1000,
                dropped: 0,
                squeezed: 3,
            }),
            governor: Ok("performance".to_owned()),
        },
    }
}

/// What is not good after one change, with the line that mends it.
fn after(change: impl FnOnce(&mut Facts)) -> Vec<(&'static str, State, String)> {
    let mut facts = good();
    change(&mut facts);
    let bad = judge(&facts, WANTED)
        .into_iter()
        .filter(|finding| finding.state != State::Good);
    bad.map(|finding| (finding.check, finding.state, finding.mend.unwrap_or_default()))
        .collect()
}

#[test]
fn a_good_machine_has_nothing_to_mend() {
    assert_eq!(after(|_| ()), []);
}

#[test]
fn every_fault_has_its_own_line() {
    let one = |check, state, mend: &str| vec![(check, state, mend.to_owned())];
    assert_eq!(
        after(|facts| facts.rings = Ok(Rings { now: 512, most: 4096 })),
        one("rings", State::Advice, "ethtool -G eth7 rx 4096")
    );
    assert_eq!(
        after(|facts| facts.pause = Ok(Pause {
            receives: true,
            sends: true
        })),
        one("pause", State::Advice, "ethtool -A eth7 rx off tx off")
    );
    assert_eq!(
        after(|facts| facts.link.as_mut().unwrap().up = false),
        one("interface", State::Problem, "ip link set eth7 up")
    );
    assert_eq!(
        after(|facts| facts.link.as_mut().unwrap().mtu_bytes = 65_000),
        one(
            "mtu",
            State::Advice,
            "# in the settings file: [capture] snaplen_bytes = 65022"
        )
    );
    assert_eq!(
        after(|facts| facts.machine.clock_source = Ok(("hpet".to_owned(), vec!["hpet".into(), "tsc".into()]))),
        one(
            "clock",
            State::Advice,
            "echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource"
        )
    );
    assert_eq!(
        after(|facts| facts.machine.capabilities = Ok(0)),
        one(
            "capabilities",
            State::Problem,
            "setcap cap_net_raw,cap_net_admin=eip $(command -v balefire)"
        )
    );
    assert_eq!(
        after(|facts| facts.machine.memory_available_kib = Ok(100 << 10)),
        one(
            "memory",
            State::Problem,
            "# in the settings file: [capture] buffer_mb = 25"
        )
    );
    assert_eq!(
        after(|facts| facts.machine.backlog.as_mut().unwrap().dropped = 1),
        one("backlog", State::Advice, "sysctl -w net.core.netdev_max_backlog=10000")
    );
    assert_eq!(
        after(|facts| facts.machine.cores = 1),
        one("cores", State::Advice, "# in the settings file: [run] workers = 1")
    );
    assert_eq!(
        after(|facts| facts.coalescing.as_mut().unwrap().delay_us = Some(5_000)),
        one("coalescing", State::Advice, "ethtool -C eth7 rx-usecs 50")
    );
}

#[test]
fn gluing_offloads_are_named_one_by_one() {
    let names = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<BTreeSet<String>>()
    };
    let found = after(|facts| {
        facts.features = Ok(Features {
            active: names(&["rx-gro", "rx-lro", "tx-checksum-ipv4"]),
            changeable: names(&["rx-gro"]),
        });
    });
    assert_eq!(found.len(), 2);
    assert!(found[0].2.starts_with("# none: rx-lro is fixed on eth7"), "{found:?}");
    assert_eq!(found[1].2, "ethtool -K eth7 rx-gro off");
}

#[test]
fn several_queues_want_a_symmetric_key() {
    let queues = |key: Known<Vec<u8>>| {
        after(|facts| {
            facts.channels.as_mut().unwrap().now = 8;
            facts.hash_key = key;
        })
    };
    assert_eq!(queues(Ok([0x6d, 0x5a].repeat(20))), []);
    assert_eq!(
        queues(Ok(vec![1, 2, 3, 4]))[0].2,
        "ethtool -X eth7 hkey 6d:5a:6d:5a equal 8"
    );
    assert!(
        queues(Err("old kernel".to_owned()))[0]
            .2
            .starts_with("ethtool -L eth7 combined 1")
    );
}

#[test]
fn what_cannot_be_read_says_so() {
    let reason = "ethtool: Operation not permitted".to_owned();
    let mut facts = good();
    facts.rings = Err(reason.clone());
    facts.features = Err(reason.clone());
    let unknown: Vec<Finding> = judge(&facts, WANTED)
        .into_iter()
        .filter(|finding| finding.state == State::Unknown)
        .collect();
    assert_eq!(unknown.len(), 2);
    assert!(unknown.iter().all(|finding| finding.found == reason));
}

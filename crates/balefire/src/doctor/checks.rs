//! What is good, what should be mended, and with which line.
//!
//! In: [`Facts`] and the settings of a capture. Out: [`Finding`]s, in the order a packet meets what they speak of. Not its
//! job: reading (`facts`), printing (the module above).

use balefire_report::counted;

use super::ethtool::is_symmetric;
use super::facts::{Driver, Facts, Known};

/// How a thing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Good,
    /// It works, and could work better or lose less.
    Advice,
    /// Packets are lost or falsified, or nothing is captured at all.
    Problem,
    /// It could not be read.
    Unknown,
}

impl State {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Advice => "advice",
            Self::Problem => "problem",
            Self::Unknown => "unknown",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) check: &'static str,
    pub(super) state: State,
    /// What was found, or why nothing was.
    pub(super) found: String,
    /// Why it matters here; empty where all is well.
    pub(super) why: &'static str,
    /// The line that mends it.
    pub(super) mend: Option<String>,
}

/// What the capture will ask for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) snaplen_bytes: u64,
    pub(super) buffer_mib: u64,
    pub(super) threads: usize,
}

/// Bytes before the IP packet that the MTU does not count: Ethernet and two VLAN tags.
const LINK_BYTES: u64 = 14 + 8;

/// All of them.
pub(super) fn judge(facts: &Facts, wanted: Wanted) -> Vec<Finding> {
    let mut all = vec![interface(facts), driver(facts), addresses(facts)];
    all.extend([mtu(facts, wanted), promiscuity(facts), rings(facts), losses(facts)]);
    all.extend(offloads(facts));
    all.extend([queues(facts), coalescing(facts), pause(facts), backlog(facts)]);
    all.extend([
        numa(facts),
        governor(facts),
        clock(facts),
        memory(facts, wanted),
        cores(facts, wanted),
    ]);
    all.extend([capabilities(facts), libpcap(facts), kernel(facts)]);
    all
}

impl Finding {
    fn good(check: &'static str, found: impl Into<String>) -> Self {
        Self {
            check,
            state: State::Good,
            found: found.into(),
            why: "",
            mend: None,
        }
    }

    fn bad(check: &'static str, state: State, found: impl Into<String>, why: &'static str, mend: String) -> Self {
        Self {
            check,
            state,
            found: found.into(),
            why,
            mend: Some(mend),
        }
    }

    fn unknown(check: &'static str, reason: &str) -> Self {
        Self {
            check,
            state: State::Unknown,
            found: reason.to_owned(),
            why: "",
            mend: None,
        }
    }
}

/// What is mended in the settings file: a comment where the line is pasted into a shell.
fn setting(section: &str, key: &str, value: u64) -> String {
    format!("# in the settings file: [{section}] {key} = {value}")
}

/// The judgement of a fact, or its reason for not being known.
fn of<T>(check: &'static str, fact: &Known<T>, judge: impl FnOnce(&T) -> Finding) -> Finding {
    match fact {
        Ok(fact) => judge(fact),
        Err(reason) => Finding::unknown(check, reason),
    }
}

fn interface(facts: &Facts) -> Finding {
    let name = &facts.interface;
    of("interface", &facts.link, |link| {
        let speed = link
            .speed_mbit
            .map(|speed| format!(", {speed} Mbit/s"))
            .unwrap_or_default();
        match (link.up, link.carrier) {
            (false, _) => Finding::bad(
                "interface",
                State::Problem,
                "down",
                "nothing arrives on an interface that is down",
                format!("ip link set {name} up"),
            ),
            (true, false) => Finding::bad(
                "interface",
                State::Problem,
                "up, no carrier",
                "no cable, or the other end is down",
                format!("ethtool {name}   # look at the cable and at the mirror port of the switch"),
            ),
            (true, true) => Finding::good("interface", format!("up{speed}")),
        }
    })
}

fn driver(facts: &Facts) -> Finding {
    of("driver", &facts.driver, |driver| match driver {
        Driver::Virtual => Finding::good("driver", "none: a virtual interface"),
        Driver::Named { name, version } => {
            let version = version
                .as_ref()
                .map(|version| format!(" {version}"))
                .unwrap_or_default();
            Finding::good("driver", format!("{name}{version}"))
        }
    })
}

fn addresses(facts: &Facts) -> Finding {
    let name = &facts.interface;
    of("addresses", &facts.addresses, |addresses| {
        if addresses.is_empty() || name == "lo" {
            return Finding::good("addresses", counted(addresses.len() as u64, "address"));
        }
        let listed: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        Finding::bad(
            "addresses",
            State::Advice,
            listed.join(" "),
            "a mirror port needs no address: with one, this machine answers into the tap and its own traffic is counted",
            format!("ip address flush dev {name}   # only if this is not the port you log in by"),
        )
    })
}

fn mtu(facts: &Facts, wanted: Wanted) -> Finding {
    of("mtu", &facts.link, |link| {
        let longest = link.mtu_bytes + LINK_BYTES;
        let found = format!(
            "MTU {} bytes, snap length {} bytes",
            link.mtu_bytes, wanted.snaplen_bytes
        );
        if longest <= wanted.snaplen_bytes || facts.interface == "lo" {
            return Finding::good("mtu", found);
        }
        Finding::bad(
            "mtu",
            State::Advice,
            found,
            "longer frames are cut; names beyond the cut are not seen",
            setting("capture", "snaplen_bytes", longest),
        )
    })
}

fn promiscuity(facts: &Facts) -> Finding {
    of("promiscuity", &facts.link, |link| {
        let found = if link.promiscuous {
            "on"
        } else {
            "off; balefire switches it on while it listens (unless --no-promiscuous)"
        };
        Finding::good("promiscuity", found)
    })
}

fn rings(facts: &Facts) -> Finding {
    let name = &facts.interface;
    of("rings", &facts.rings, |rings| {
        let found = format!("receive ring {} of {}", rings.now, rings.most);
        if rings.now >= rings.most {
            return Finding::good("rings", found);
        }
        Finding::bad(
            "rings",
            State::Advice,
            found,
            "a burst that the ring cannot hold is lost before the kernel sees it",
            format!("ethtool -G {name} rx {}", rings.most),
        )
    })
}

fn losses(facts: &Facts) -> Finding {
    let name = &facts.interface;
    of("losses", &facts.losses, |losses| {
        let lost: Vec<String> = losses
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(name, count)| format!("{name} {count}"))
            .collect();
        if lost.is_empty() {
            return Finding::good("losses", "none counted by the interface since it came up");
        }
        Finding::bad(
            "losses",
            State::Advice,
            lost.join(", "),
            "frames were lost before any program could see them (rx_dropped also counts frames nobody wanted)",
            format!("ethtool -S {name}   # names the place; a larger ring (-G) and more queues (-L) help"),
        )
    })
}

/// Offloads that glue frames together or hold them back: what arrives then was never on the wire.
const GLUING: &[(&str, State, &str)] = &[
    (
        "rx-lro",
        State::Problem,
        "large receive offload makes one frame of many: sizes and counts were never on the wire",
    ),
    (
        "rx-gro-hw",
        State::Problem,
        "the hardware makes one frame of many: sizes and counts were never on the wire",
    ),
    (
        "rx-gro",
        State::Advice,
        "receive offload makes one frame of many: sizes and counts were never on the wire",
    ),
    (
        "rx-gro-list",
        State::Advice,
        "receive offload holds frames back and hands them over in lists",
    ),
    (
        "rx-udp-gro-forwarding",
        State::Advice,
        "receive offload makes one datagram of many",
    ),
];

fn offloads(facts: &Facts) -> Vec<Finding> {
    let name = &facts.interface;
    let features = match &facts.features {
        Ok(features) => features,
        Err(reason) => return vec![Finding::unknown("offloads", reason)],
    };
    let found: Vec<Finding> = GLUING
        .iter()
        .filter(|(feature, ..)| features.active.contains(*feature))
        .map(|&(feature, state, why)| {
            let mend = if features.changeable.contains(feature) || feature == "rx-gro" {
                format!("ethtool -K {name} {feature} off")
            } else {
                format!("# none: {feature} is fixed on {name}; capture on an interface where it can be switched off")
            };
            Finding::bad("offloads", state, format!("{feature} is on"), why, mend)
        })
        .collect();
    if found.is_empty() {
        return vec![Finding::good("offloads", "none that changes received frames")];
    }
    found
}

fn queues(facts: &Facts) -> Finding {
    let name = &facts.interface;
    of("queues", &facts.channels, |channels| {
        let found = format!("{} of {}", counted(channels.now.into(), "receive queue"), channels.most);
        if channels.now <= 1 {
            return Finding::good("queues", found);
        }
        match &facts.hash_key {
            Ok(key) if is_symmetric(key) => Finding::good("queues", format!("{found}, symmetric hash key")),
            Ok(key) => {
                let symmetric = vec!["6d:5a"; key.len() / 2].join(":");
                Finding::bad(
                    "queues",
                    State::Advice,
                    format!("{found}, hash key not symmetric"),
                    "the two directions of a connection come by different queues, so an answer may arrive before its question",
                    format!("ethtool -X {name} hkey {symmetric} equal {}", channels.now),
                )
            }
            Err(reason) => Finding::bad(
                "queues",
                State::Advice,
                format!("{found}; hash key: {reason}"),
                "with an unsymmetric hash the two directions of a connection come by different queues",
                format!(
                    "ethtool -L {name} {} 1   # at rates one core can take",
                    if channels.combined { "combined" } else { "rx" }
                ),
            ),
        }
    })
}

/// Microseconds between interrupts above which the time stamps of a capture are visibly lumped.
const LUMPED_US: u32 = 1_000;

fn coalescing(facts: &Facts) -> Finding {
    let name = &facts.interface;
    of("coalescing", &facts.coalescing, |coalescing| {
        let delay = coalescing
            .delay_us
            .map_or("no fixed delay".to_owned(), |us| format!("{us} us"));
        let found = format!("{delay}, adaptive {}", if coalescing.adaptive { "on" } else { "off" });
        if coalescing.delay_us.is_some_and(|us| us > LUMPED_US) {
            return Finding::bad(
                "coalescing",
                State::Advice,
                found,
                "frames get the time of their interrupt: the delay is in every time stamp",
                format!("ethtool -C {name} rx-usecs 50"),
            );
        }
        Finding::good("coalescing", found)
    })
}

fn pause(facts: &Facts) -> Finding {
    let name = &facts.interface;
    of("pause", &facts.pause, |pause| {
        if !pause.sends {
            return Finding::good("pause", "no pause frames are sent");
        }
        Finding::bad(
            "pause",
            State::Advice,
            "pause frames may be sent",
            "a full ring asks the switch to hold back: the loss then happens in the switch, where nobody counts it",
            format!("ethtool -A {name} rx off tx off"),
        )
    })
}

fn backlog(facts: &Facts) -> Finding {
    of("backlog", &facts.machine.backlog, |backlog| {
        let found = format!(
            "{} packets; {} dropped, {} times out of time since start-up",
            backlog.most_packets, backlog.dropped, backlog.squeezed
        );
        if backlog.dropped == 0 {
            return Finding::good("backlog", found);
        }
        Finding::bad(
            "backlog",
            State::Advice,
            found,
            "the kernel's own queue overflowed (virtual interfaces and packet steering use it)",
            format!(
                "sysctl -w net.core.netdev_max_backlog={}",
                backlog.most_packets.saturating_mul(10).min(250_000)
            ),
        )
    })
}

fn numa(facts: &Facts) -> Finding {
    of("numa", &facts.machine.numa_nodes, |nodes| {
        if nodes == "0" {
            return Finding::good("numa", "one memory node");
        }
        match facts.link.as_ref().ok().and_then(|link| link.numa_node) {
            Some(node) => Finding::bad(
                "numa",
                State::Advice,
                format!("interface on memory node {node}, machine has {nodes}"),
                "packets that cross memory nodes cost more than their processing",
                format!(
                    "# in the unit ([Service]), and then restart it: NUMAPolicy=bind NUMAMask={node} CPUAffinity=numa"
                ),
            ),
            None => Finding::unknown(
                "numa",
                &format!("memory nodes {nodes}; the interface does not say its own"),
            ),
        }
    })
}

fn governor(facts: &Facts) -> Finding {
    of("governor", &facts.machine.governor, |governor| {
        if governor != "powersave" && governor != "conservative" {
            return Finding::good("governor", governor.clone());
        }
        Finding::bad(
            "governor",
            State::Advice,
            governor.clone(),
            "cores that slow down between bursts lose the beginning of the next one",
            "cpupower frequency-set -g performance".to_owned(),
        )
    })
}

/// Clock sources that are read without leaving the processor.
const FAST_CLOCKS: &[&str] = &["tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter"];

fn clock(facts: &Facts) -> Finding {
    of("clock", &facts.machine.clock_source, |(now, others)| {
        if FAST_CLOCKS.contains(&now.as_str()) {
            return Finding::good("clock", now.clone());
        }
        let better = others.iter().find(|other| FAST_CLOCKS.contains(&other.as_str()));
        Finding::bad(
            "clock",
            State::Advice,
            now.clone(),
            "every frame is stamped: a slow clock costs up to a microsecond a frame",
            better.map_or_else(
                || "# none: no faster clock is available on this machine".to_owned(),
                |better| format!("echo {better} > /sys/devices/system/clocksource/clocksource0/current_clocksource"),
            ),
        )
    })
}

fn memory(facts: &Facts, wanted: Wanted) -> Finding {
    of("memory", &facts.machine.memory_available_kib, |available| {
        let found = format!("{} MiB available, ring {} MiB", available >> 10, wanted.buffer_mib);
        if wanted.buffer_mib << 10 <= available / 4 {
            return Finding::good("memory", found);
        }
        Finding::bad(
            "memory",
            State::Problem,
            found,
            "the ring alone takes more than a quarter of what is free, and it is never paged out",
            setting("capture", "buffer_mb", (available >> 12).max(1)),
        )
    })
}

fn cores(facts: &Facts, wanted: Wanted) -> Finding {
    let cores = facts.machine.cores;
    let found = format!("{cores} cores, {} capture and worker threads", wanted.threads);
    if wanted.threads <= cores {
        return Finding::good("cores", found);
    }
    Finding::bad(
        "cores",
        State::Advice,
        found,
        "threads that share a core wait for each other",
        setting("run", "workers", cores.saturating_sub(1).max(1) as u64),
    )
}

fn capabilities(facts: &Facts) -> Finding {
    // CAP_NET_RAW of capabilities(7).
    const NET_RAW: u32 = 13;
    of("capabilities", &facts.machine.capabilities, |effective| {
        if effective >> NET_RAW & 1 == 1 {
            return Finding::good("capabilities", "CAP_NET_RAW: may listen");
        }
        Finding::bad(
            "capabilities",
            State::Problem,
            "CAP_NET_RAW is missing",
            "without it no interface can be opened",
            "setcap cap_net_raw,cap_net_admin=eip $(command -v balefire)".to_owned(),
        )
    })
}

fn libpcap(facts: &Facts) -> Finding {
    of("libpcap", &facts.machine.libpcap, |version| {
        Finding::good("libpcap", version.clone())
    })
}

fn kernel(facts: &Facts) -> Finding {
    of("kernel", &facts.machine.kernel, |release| {
        Finding::good("kernel", release.clone())
    })
}

#[cfg(test)]
#[path = "checks_tests.rs"]
mod tests;

//! What can be read about a machine and one of its interfaces without changing anything.
//!
//! In: an interface's name. Out: [`Facts`]; what could not be read is the reason, in words. From `/sys`, `/proc` and the
//! driver (`ethtool`). Not its job: judging (`checks`).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use balefire_capture::{InterfaceAddress, interface_addresses};

use super::ethtool::{Channels, Coalescing, Ethtool, Features, Pause, Rings};

/// A fact, or why it is not known.
pub(super) type Known<T> = Result<T, String>;

/// Everything that is judged.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) interface: String,
    pub(super) link: Known<Link>,
    pub(super) driver: Known<Driver>,
    pub(super) addresses: Known<Vec<InterfaceAddress>>,
    pub(super) rings: Known<Rings>,
    pub(super) channels: Known<Channels>,
    pub(super) hash_key: Known<Vec<u8>>,
    pub(super) coalescing: Known<Coalescing>,
    pub(super) pause: Known<Pause>,
    pub(super) features: Known<Features>,
    pub(super) losses: Known<Vec<(String, u64)>>,
    pub(super) machine: Machine,
}

/// The interface as the kernel shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) up: bool,
    pub(super) carrier: bool,
    pub(super) promiscuous: bool,
    pub(super) mtu_bytes: u64,
    /// Mbit/s, where there is a cable.
    pub(super) speed_mbit: Option<u64>,
    pub(super) numa_node: Option<u32>,
}

/// Who drives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Driver {
    Named { name: String, version: Option<String> },
    Virtual,
}

/// The machine around it.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    pub(super) numa_nodes: Known<String>,
    pub(super) clock_source: Known<(String, Vec<String>)>,
    /// Effective capabilities, by bit.
    pub(super) capabilities: Known<u64>,
    pub(super) libpcap: Known<String>,
    pub(super) kernel: Known<String>,
    pub(super) cores: usize,
    pub(super) memory_available_kib: Known<u64>,
    pub(super) backlog: Known<Backlog>,
    pub(super) governor: Known<String>,
}

/// The kernel's queue between interrupt and protocol, for interfaces without one of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Backlog {
    pub(super) most_packets: u64,
    /// Since the machine was started.
    pub(super) dropped: u64,
    /// Times the kernel ran out of its share of time with packets left.
    pub(super) squeezed: u64,
}

impl Facts {
    /// Reads all of them.
    pub(super) fn read(interface: &str) -> Self {
        let folder = Path::new("/sys/class/net").join(interface);
        // One question after another on one socket; without the socket each has the same reason.
        let mut ethtool = Ethtool::open(interface).map_err(|error| format!("ethtool: {error}"));
        let mut losses = Vec::new();
        for name in ["rx_dropped", "rx_missed_errors", "rx_fifo_errors", "rx_crc_errors"] {
            if let Ok(count) = number(&folder.join("statistics").join(name)) {
                losses.push((name.to_owned(), count));
            }
        }
        Self {
            interface: interface.to_owned(),
            link: link(&folder),
            driver: driver(&folder),
            addresses: interface_addresses(interface).map_err(|error| error.to_string()),
            rings: ask(&mut ethtool, Ethtool::rings),
            channels: ask(&mut ethtool, Ethtool::channels),
            hash_key: ask(&mut ethtool, Ethtool::hash_key),
            coalescing: ask(&mut ethtool, Ethtool::coalescing),
            pause: ask(&mut ethtool, Ethtool::pause),
            features: ask(&mut ethtool, Ethtool::features),
            losses: if losses.is_empty() {
                Err(format!("{} has no statistics", folder.display()))
            } else {
                Ok(losses)
            },
            machine: Machine::read(),
        }
    }
}

impl Machine {
    fn read() -> Self {
        let clocks = Path::new("/sys/devices/system/clocksource/clocksource0");
        let clock_source = || {
            let others = line(&clocks.join("available_clocksource"))?;
            let others = others.split_whitespace().map(str::to_owned).collect();
            Ok((line(&clocks.join("current_clocksource"))?, others))
        };
        Self {
            numa_nodes: line(Path::new("/sys/devices/system/node/online")),
            clock_source: clock_source(),
            capabilities: field("/proc/self/status", "CapEff:")
                .and_then(|text| u64::from_str_radix(&text, 16).map_err(|error| error.to_string())),
            libpcap: libpcap(),
            kernel: line(Path::new("/proc/sys/kernel/osrelease")),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_available_kib: field("/proc/meminfo", "MemAvailable:").and_then(|text| {
                let digits = text.split_whitespace().next().unwrap_or_default();
                digits.parse().map_err(|_| format!("/proc/meminfo: {text:?}"))
            }),
            backlog: backlog(),
            governor: line(Path::new("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
        }
    }
}

fn ask<T>(ethtool: &mut Known<Ethtool>, question: impl FnOnce(&mut Ethtool) -> io::Result<T>) -> Known<T> {
    let ethtool = ethtool.as_mut().map_err(|reason| reason.clone())?;
    question(ethtool).map_err(|error| match error.raw_os_error() {
        // EOPNOTSUPP
        Some(95) => "this driver does not have it".to_owned(),
        _ => format!("ethtool: {error}"),
    })
}

fn link(folder: &Path) -> Known<Link> {
    let flags = line(&folder.join("flags"))?;
    let flags = u32::from_str_radix(flags.trim_start_matches("0x"), 16).map_err(|error| error.to_string())?;
    // IFF_UP, IFF_PROMISC of netdevice(7).
    const UP: u32 = 1;
    const PROMISCUOUS: u32 = 0x100;
    Ok(Link {
        up: flags & UP != 0,
        carrier: number(&folder.join("carrier")) == Ok(1),
        promiscuous: flags & PROMISCUOUS != 0,
        mtu_bytes: number(&folder.join("mtu"))?,
        // -1 and an error both mean: nobody knows.
        speed_mbit: number(&folder.join("speed")).ok(),
        numa_node: number(&folder.join("device/numa_node"))
            .ok()
            .and_then(|node| u32::try_from(node).ok()),
    })
}

fn driver(folder: &Path) -> Known<Driver> {
    if !folder.exists() {
        return Err(format!("{} is not there", folder.display()));
    }
    match fs::read_link(folder.join("device/driver")) {
        Ok(target) => {
            let name = target
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default();
            let version = line(&folder.join("device/driver/module/version")).ok();
            Ok(Driver::Named { name, version })
        }
        Err(_) => Ok(Driver::Virtual),
    }
}

/// The library itself cannot be asked through its crate: the file it was loaded from carries the version in its name.
fn libpcap() -> Known<String> {
    let maps = fs::read_to_string("/proc/self/maps").map_err(|error| format!("/proc/self/maps: {error}"))?;
    let path = maps
        .lines()
        .filter_map(|line| line.split_whitespace().nth(5))
        .find(|path| path.contains("/libpcap"))
        .map(PathBuf::from)
        .ok_or_else(|| "built in, or not among the loaded libraries".to_owned())?;
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    name.split_once(".so.")
        .map(|(_, version)| version.to_owned())
        .ok_or(name)
}

fn backlog() -> Known<Backlog> {
    let path = "/proc/net/softnet_stat";
    let text = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let column = |number: usize| -> u64 {
        let values = text.lines().filter_map(|line| line.split_whitespace().nth(number));
        values.filter_map(|hex| u64::from_str_radix(hex, 16).ok()).sum()
    };
    Ok(Backlog {
        most_packets: number(Path::new("/proc/sys/net/core/netdev_max_backlog"))?,
        dropped: column(1),
        squeezed: column(2),
    })
}

fn line(path: &Path) -> Known<String> {
    fs::read_to_string(path)
        .map(|text| text.trim().to_owned())
        .map_err(|error| format!("{}: {error}", path.display()))
}

fn number(path: &Path) -> Known<u64> {
    line(path)?
        .parse()
        .map_err(|_| format!("{}: no number", path.display()))
}

/// The rest of the line that begins with `name`.
fn field(path: &str, name: &str) -> Known<String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    text.lines()
        .find_map(|line| line.strip_prefix(name))
        .map(|rest| rest.trim().to_owned())
        .ok_or_else(|| format!("{path}: has no {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_read() {
        let facts = Facts::read("lo");
        assert_eq!(facts.driver, Ok(Driver::Virtual));
        let link = facts.link.unwrap();
        assert!(link.mtu_bytes >= 1500, "{link:?}");
        assert!(facts.machine.capabilities.is_ok() && facts.machine.cores > 0);
        assert!(facts.machine.libpcap.is_ok(), "{:?}", facts.machine.libpcap);
    }

    #[test]
    fn what_is_not_there_has_a_reason() {
        let facts = Facts::read("balefire-none");
        assert!(facts.link.unwrap_err().contains("balefire-none"));
        assert!(facts.driver.is_err() && facts.losses.is_err() && facts.features.is_err());
    }
}

//! What to generate, as plain values, and the words that set them.
//!
//! In: flags as `--hosts 20` or `--beacon interval=60,country=NL`, given as name and text. Out: a [`Scenario`]. Not its
//! job: reading a command line (that is the program's), generating.

use std::net::IpAddr;
use std::str::FromStr;

use balefire_decode::Address;

use super::places;
use super::time;

/// A seeded world: hosts behind a tap, what people and services do there, and the beacons among them.
///
/// The same values give the same bytes on every platform.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// Draws everything that is drawn.
    pub seed: u64,
    /// Time of the first packet at the earliest, nanoseconds since 1970-01-01 UTC.
    pub start_ns: i64,
    /// Length, seconds.
    pub duration_s: u64,
    /// Stop after this many packets; `None` for the whole duration.
    pub packets: Option<u64>,
    /// Hosts inside.
    pub hosts: u32,
    /// Browsing sessions per host and hour, on average over the hours people are there.
    pub browsing: f64,
    /// UTC hours when people are there, from and until; the same twice for always.
    pub office: (u8, u8),
    /// Different sites that people visit.
    pub sites: u64,
    /// What runs on hosts by itself, innocent and often regular.
    pub services: Vec<Service>,
    /// The largest answer of a site, bytes.
    pub response_bytes: u32,
    /// Frames are cut to this many bytes, as with a snap length; 0 for never.
    pub snaplen_bytes: usize,
    /// Share of hosts that use IPv6 to the outside.
    pub ipv6: f64,
    /// Share of hosts whose packets carry a VLAN tag.
    pub vlan: f64,
    /// Share of hosts that are seen inside GRE.
    pub gre: f64,
    /// Share of hosts that are seen inside VXLAN.
    pub vxlan: f64,
    /// The beacons.
    pub beacons: Vec<Beacon>,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            seed: 1,
            start_ns: time::parse("2026-03-02T00:00:00Z").unwrap_or(0),
            duration_s: 6 * 3600,
            packets: None,
            hosts: 10,
            browsing: 1.0,
            office: (0, 0),
            sites: 300,
            services: Service::ALL.to_vec(),
            response_bytes: 60_000,
            snaplen_bytes: 0,
            ipv6: 0.0,
            vlan: 0.0,
            gre: 0.0,
            vxlan: 0.0,
            beacons: Vec::new(),
        }
    }
}

/// Something innocent that a host does by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Clock synchronisation, every 1,024 s, all hosts.
    Ntp,
    /// Update checks, hourly with a little jitter, most hosts.
    Updates,
    /// "Am I online", every 300 s, a third of the hosts.
    Connectivity,
    /// Certificate status over plain HTTP, now and then.
    Ocsp,
    /// mDNS and SSDP on the local network.
    Discovery,
    /// One host that watches another by ping, every 60 s.
    Ping,
    /// Mail polling over TLS, every 300 s, a third of the hosts.
    Mail,
    /// A long connection that is kept alive, half of the hosts.
    Push,
    /// Programs that ask their makers' servers every minute to every hour, by names that no list knows: one of
    /// twenty on six of ten hosts. Not in [`Service::ALL`]: nothing in the traffic tells the rarest of them from a beacon with a name.
    Agents,
}

impl Service {
    /// All of them, but the agents.
    pub const ALL: [Self; 8] = [
        Self::Ntp,
        Self::Updates,
        Self::Connectivity,
        Self::Ocsp,
        Self::Discovery,
        Self::Ping,
        Self::Mail,
        Self::Push,
    ];

    /// As written in `--services`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ntp => "ntp",
            Self::Updates => "updates",
            Self::Connectivity => "connectivity",
            Self::Ocsp => "ocsp",
            Self::Discovery => "discovery",
            Self::Ping => "ping",
            Self::Mail => "mail",
            Self::Push => "push",
            Self::Agents => "agents",
        }
    }
}

/// What a beacon speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speech {
    /// TLS 1.3.
    Tls,
    /// HTTP/1.1 in the clear.
    Http,
    /// DNS queries: straight to its server where one is given, else through the site's resolver.
    Dns,
    /// Its own bytes over TCP.
    Tcp,
    /// Datagrams.
    Udp,
    /// ICMP echoes whose data is its own, both ways.
    Icmp,
}

/// How an interval is drawn around the nominal one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JitterLaw {
    /// Evenly in interval x (1 - jitter) to interval x (1 + jitter).
    Uniform,
    /// Evenly in interval x (1 - jitter) to interval: shorter only.
    OneSided,
    /// Normal with standard deviation jitter / 2, cut at +- jitter.
    Gauss,
}

/// What the server of a beacon does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It answers.
    Alive,
    /// Its port is closed.
    Refused,
    /// It is gone.
    Silent,
}

/// One planted beacon: `hosts` hosts that check in with the same server.
#[derive(Clone, Debug, PartialEq)]
pub struct Beacon {
    /// Nominal interval, seconds.
    pub interval_s: f64,
    /// 0 for a clock, 0.5 for intervals half as long again either way.
    pub jitter: f64,
    /// How the jitter is drawn.
    pub law: JitterLaw,
    /// Share of check-ins that do not happen.
    pub drop: f64,
    /// UTC hours when the host is on, from and until; the same twice for always.
    pub hours: (u8, u8),
    /// Seconds into the scenario when it begins.
    pub begin_s: u64,
    /// What it speaks.
    pub speech: Speech,
    /// Small bursts inside one long connection instead of a connection per check-in (TLS and TCP).
    pub heartbeat: bool,
    /// Where the server is: an address of this country is drawn ...
    pub country: Option<[u8; 2]>,
    /// ... or this is its address.
    pub address: Option<Address>,
    /// Addresses behind the name, used in turn at random.
    pub servers: u8,
    /// The server's port.
    pub port: u16,
    /// Ports from there on, used in turn at random.
    pub ports: u8,
    /// Its name, resolved before connections; `None` for a bare address.
    pub name: Option<String>,
    /// Bytes a check-in sends, without the headers of what it speaks.
    pub request_bytes: u32,
    /// Bytes it gets.
    pub response_bytes: u32,
    /// Whether the server is there.
    pub answer: Answer,
    /// Controlled hosts.
    pub hosts: u32,
    /// Number of the first of them.
    pub first_host: u32,
}

impl Default for Beacon {
    fn default() -> Self {
        Self {
            interval_s: 60.0,
            jitter: 0.0,
            law: JitterLaw::Uniform,
            drop: 0.0,
            hours: (0, 0),
            begin_s: 0,
            speech: Speech::Tls,
            heartbeat: false,
            country: None,
            address: None,
            servers: 1,
            port: 443,
            ports: 1,
            name: None,
            request_bytes: 180,
            response_bytes: 240,
            answer: Answer::Alive,
            hosts: 1,
            first_host: 0,
        }
    }
}

/// A flag or a beacon's key has a value that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} \"{value}\": {wanted}")]
pub struct ScenarioError {
    /// The flag without its dashes, or the key.
    pub name: String,
    /// As given.
    pub value: String,
    /// What would have been taken.
    pub wanted: String,
}

impl Scenario {
    /// Every flag that [`Scenario::set`] takes, with its help.
    pub const FLAGS: &'static [(&'static str, &'static str)] = &[
        (
            "seed",
            "number that draws everything; the same seed gives the same bytes",
        ),
        ("start", "first moment, as 2026-03-02T00:00:00Z"),
        ("duration", "length, as 90s, 30m or 12h"),
        ("packets", "stop after so many packets"),
        ("hosts", "hosts inside"),
        ("browsing", "browsing sessions per host and hour"),
        ("office", "UTC hours when people are there, as 8-18; 0-0 for always"),
        ("sites", "different sites that people visit"),
        (
            "services",
            "what hosts do by themselves: all (but agents), none, or of ntp,updates,connectivity,ocsp,discovery,ping,mail,\
             push,agents",
        ),
        ("response-bytes", "the largest answer of a site"),
        ("snaplen", "cut frames to so many bytes; 0 for never"),
        ("ipv6", "share of hosts that use IPv6, 0 to 1"),
        ("vlan", "share of hosts behind a VLAN tag"),
        ("gre", "share of hosts inside GRE"),
        ("vxlan", "share of hosts inside VXLAN"),
        (
            "beacon",
            "a beacon, may be repeated: interval=60,jitter=0.2,law=uniform|one-sided|gauss,drop=0.1,hours=8-18,\
             begin=600,speech=tls|http|dns|tcp|udp|icmp,heartbeat=yes,country=NL,address=192.0.2.7,servers=1,port=443,\
             ports=1,name=a.example,request=180,response=240,answer=alive|refused|silent,hosts=1,first-host=0",
        ),
    ];

    /// Sets what the flag `name` (without dashes) stands for; `beacon` adds one.
    ///
    /// # Errors
    /// An unknown name, or a value out of range; the scenario is unchanged then.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), ScenarioError> {
        let given = Given { name, value };
        match name {
            "seed" => self.seed = given.number(u64::MAX)?,
            "start" => {
                self.start_ns = time::parse(value).ok_or_else(|| given.wrong("a UTC time, as 2026-03-02T00:00:00Z"))?;
            }
            "duration" => {
                let length = time::parse_duration_s(value);
                self.duration_s = length.ok_or_else(|| given.wrong("a length up to 366 days, as 90s, 30m or 12h"))?;
            }
            "packets" => self.packets = Some(given.number(u64::MAX)?),
            "hosts" => self.hosts = given.number(MOST_HOSTS)? as u32,
            "browsing" => self.browsing = given.fraction(1000.0)?,
            "office" => self.office = given.hours()?,
            "sites" => self.sites = given.number(1 << 32)?.max(1),
            "services" => self.services = given.services()?,
            "response-bytes" => self.response_bytes = given.number(1 << 24)? as u32,
            "snaplen" => self.snaplen_bytes = given.number(1 << 18)? as usize,
            "ipv6" => self.ipv6 = given.fraction(1.0)?,
            "vlan" => self.vlan = given.fraction(1.0)?,
            "gre" => self.gre = given.fraction(1.0)?,
            "vxlan" => self.vxlan = given.fraction(1.0)?,
            "beacon" => self.beacons.push(value.parse()?),
            _ => return Err(given.wrong("no such setting of a scenario")),
        }
        Ok(())
    }
}

/// Hosts are numbered within 10.0.0.0/8.
const MOST_HOSTS: u64 = 14_000_000;

impl FromStr for Beacon {
    type Err = ScenarioError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut beacon = Self {
            port: 0,
            ..Self::default()
        };
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            beacon.set(&Given { name, value })?;
        }
        if beacon.port == 0 {
            beacon.port = match beacon.speech {
                Speech::Tls => 443,
                Speech::Http => 80,
                Speech::Dns => 53,
                Speech::Tcp | Speech::Udp => 4444,
                Speech::Icmp => 0,
            };
        }
        if beacon.country.is_none() && beacon.address.is_none() && beacon.speech != Speech::Dns {
            let given = Given {
                name: "beacon",
                value: text,
            };
            return Err(given.wrong("needs country=CC or address=IP; only dns goes without, through the resolver"));
        }
        Ok(beacon)
    }
}

impl Beacon {
    fn set(&mut self, given: &Given<'_>) -> Result<(), ScenarioError> {
        match given.name {
            "interval" => {
                self.interval_s = given.fraction(30.0 * 86_400.0)?;
                if self.interval_s < 0.1 {
                    return Err(given.wrong("seconds, at least 0.1"));
                }
            }
            "jitter" => self.jitter = given.fraction(0.99)?,
            "law" => self.law = given.one_of(&JITTER_LAWS)?,
            "drop" => self.drop = given.fraction(0.99)?,
            "hours" => self.hours = given.hours()?,
            "begin" => self.begin_s = given.number(366 * 86_400)?,
            "speech" => self.speech = given.one_of(&SPEECHES)?,
            "heartbeat" => self.heartbeat = given.one_of(&[("yes", true), ("no", false)])?,
            "country" => self.country = Some(given.country()?),
            "address" => {
                let ip: IpAddr = given.value.parse().map_err(|_| given.wrong("an IP address"))?;
                self.address = Some(ip.into());
            }
            "servers" => self.servers = given.number(64)?.max(1) as u8,
            "port" => self.port = given.number(65_535)? as u16,
            "ports" => self.ports = given.number(64)?.max(1) as u8,
            "name" => self.name = Some(given.value.to_owned()),
            "request" => self.request_bytes = given.number(1 << 20)? as u32,
            "response" => self.response_bytes = given.number(1 << 20)? as u32,
            "answer" => self.answer = given.one_of(&ANSWERS)?,
            "hosts" => self.hosts = given.number(MOST_HOSTS)? as u32,
            "first-host" => self.first_host = given.number(MOST_HOSTS)? as u32,
            _ => return Err(given.wrong("no such key of a beacon")),
        }
        Ok(())
    }
}

const JITTER_LAWS: [(&str, JitterLaw); 3] = [
    ("uniform", JitterLaw::Uniform),
    ("one-sided", JitterLaw::OneSided),
    ("gauss", JitterLaw::Gauss),
];

const SPEECHES: [(&str, Speech); 6] = [
    ("tls", Speech::Tls),
    ("http", Speech::Http),
    ("dns", Speech::Dns),
    ("tcp", Speech::Tcp),
    ("udp", Speech::Udp),
    ("icmp", Speech::Icmp),
];

const ANSWERS: [(&str, Answer); 3] = [
    ("alive", Answer::Alive),
    ("refused", Answer::Refused),
    ("silent", Answer::Silent),
];

/// A name with its text, on the way to a value.
struct Given<'a> {
    name: &'a str,
    value: &'a str,
}

impl Given<'_> {
    fn wrong(&self, wanted: &str) -> ScenarioError {
        ScenarioError {
            name: self.name.to_owned(),
            value: self.value.to_owned(),
            wanted: wanted.to_owned(),
        }
    }

    fn number(&self, most: u64) -> Result<u64, ScenarioError> {
        let number = self
            .value
            .replace('_', "")
            .parse::<u64>()
            .ok()
            .filter(|number| *number <= most);
        number.ok_or_else(|| self.wrong(&format!("a whole number, at most {most}")))
    }

    fn fraction(&self, most: f64) -> Result<f64, ScenarioError> {
        let number = self
            .value
            .parse::<f64>()
            .ok()
            .filter(|number| (0.0..=most).contains(number));
        number.ok_or_else(|| self.wrong(&format!("a number from 0 to {most}")))
    }

    fn hours(&self) -> Result<(u8, u8), ScenarioError> {
        let hours = self
            .value
            .split_once('-')
            .and_then(|(from, until)| Some((from.parse().ok()?, until.parse().ok()?)));
        let hours = hours.filter(|(from, until): &(u8, u8)| *from <= 24 && *until <= 24);
        hours.ok_or_else(|| self.wrong("two UTC hours, as 8-18"))
    }

    fn country(&self) -> Result<[u8; 2], ScenarioError> {
        let code = self.value.as_bytes().try_into().ok();
        let code = code.filter(|code: &[u8; 2]| places::in_country(*code, 0, false).is_some());
        code.ok_or_else(|| {
            let known: Vec<_> = places::countries().collect();
            self.wrong(&format!("one of {}", known.join(" ")))
        })
    }

    fn services(&self) -> Result<Vec<Service>, ScenarioError> {
        match self.value {
            "all" => Ok(Service::ALL.to_vec()),
            "none" => Ok(Vec::new()),
            list => list.split(',').map(|name| self.service(name)).collect(),
        }
    }

    fn service(&self, name: &str) -> Result<Service, ScenarioError> {
        let known = || Service::ALL.into_iter().chain([Service::Agents]);
        known().find(|service| service.name() == name).ok_or_else(|| {
            let names: Vec<_> = known().map(Service::name).collect();
            self.wrong(&format!("all, none, or of {}", names.join(",")))
        })
    }

    fn one_of<T: Copy>(&self, choices: &[(&str, T)]) -> Result<T, ScenarioError> {
        let choice = choices.iter().find(|(name, _)| *name == self.value);
        choice.map(|(_, value)| *value).ok_or_else(|| {
            let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
            self.wrong(&format!("one of {}", names.join(", ")))
        })
    }
}

//! Made-up hourly records whose totals are known beforehand: sensors, servers and hosts of months, with churn and overlap.
//!
//! In: a [`Plan`], which is a seed and the totals. Out: sightings (hour, sensor, server, host), and [`Hour`]s of them. Servers abroad, hosts
//! of theirs, and those of the first country are exactly the plan's; hosts controlled from two countries make the sum over countries larger
//! than the total. Not its job: an archive to put them in.

use std::net::Ipv6Addr;

use balefire_archive::{CountryRow, HOUR_S, Hour, PairRow, SCHEMA_VERSION, SensorHour, ServerRow};

/// 2026-01-01 00:00 UTC.
pub const START_S: i64 = 1_767_225_600;

/// The home country of the plan.
pub const HOME: &str = "CN";

/// Hosting countries abroad; the first is ahead on both rankings, the others by the square of their place.
const COUNTRIES: [&str; 24] = [
    "US", "NL", "DE", "KR", "FR", "RU", "GB", "JP", "SG", "CA", "HK", "IN", "BR", "UA", "PL", "TR", "VN", "IT", "SE",
    "RO", "ES", "BG", "ZA", "PA",
];

const PORTS: [i64; 6] = [443, 80, 8080, 8443, 53, 4444];

/// What is made. All hosts of servers at home come after those of servers abroad.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Of everything that looks random.
    pub seed: u64,
    /// Hours from [`START_S`] on.
    pub hours: u32,
    /// Taps.
    pub sensors: u32,
    /// Servers in [`HOME`].
    pub servers_home: u32,
    /// Servers elsewhere.
    pub servers_abroad: u32,
    /// Those of them in the first country.
    pub servers_first: u32,
    /// Distinct hosts of all servers.
    pub hosts: u32,
    /// Distinct hosts of servers abroad.
    pub hosts_abroad: u32,
    /// Distinct hosts of the first country's.
    pub hosts_first: u32,
    /// Of so many hosts, and of so many servers, one has an IPv6 address, and one more of the servers is a name behind a relay; 0 for none.
    pub one_in_ipv6: u32,
}

impl Plan {
    /// The figures a national CERT published for five months, on ten taps.
    pub const GOLDEN: Self = Self {
        seed: 1,
        hours: 3_624,
        sensors: 10,
        servers_home: 1_592,
        servers_abroad: 13_408,
        servers_first: 4_062,
        hosts: 6_000_000,
        hosts_abroad: 5_630_000,
        hosts_first: 2_910_000,
        one_in_ipv6: 0,
    };

    /// The same at a thousandth of the hosts and a hundredth of the servers and hours, with addresses of both kinds: seconds, for a test.
    pub const SMALL: Self = Self {
        seed: 1,
        hours: 36,
        sensors: 3,
        servers_home: 16,
        servers_abroad: 134,
        servers_first: 40,
        hosts: 6_000,
        hosts_abroad: 5_630,
        hosts_first: 2_910,
        one_in_ipv6: 5,
    };

    /// Servers of all.
    pub fn servers(&self) -> u32 {
        self.servers_abroad + self.servers_home
    }
}

/// One row of a pair: a host was seen at a server, in an hour, by a sensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sighting {
    /// Hour of the plan.
    pub hour: u16,
    /// Its number.
    pub sensor: u8,
    /// Its number.
    pub server: u16,
    /// Its number.
    pub host: u32,
}

/// The servers of every country abroad, as ranges of their numbers; the home country's come behind.
pub fn countries(plan: &Plan) -> Vec<(&'static str, std::ops::Range<u32>)> {
    let others = COUNTRIES.len() - 1;
    let weights: Vec<u64> = (0..others).map(|at| ((others - at) * (others - at)) as u64).collect();
    let (sum, left) = (
        weights.iter().sum::<u64>(),
        u64::from(plan.servers_abroad - plan.servers_first),
    );
    let mut ranges = vec![(COUNTRIES[0], 0..plan.servers_first)];
    let (mut from, mut weight_before) = (plan.servers_first, 0);
    for (country, weight) in COUNTRIES[1..].iter().zip(weights) {
        weight_before += weight;
        let to = plan.servers_first + (left * weight_before / sum) as u32;
        ranges.push((*country, from..to));
        from = to;
    }
    ranges.push((HOME, plan.servers_abroad..plan.servers()));
    ranges
}

/// Every sighting, in order of hour, sensor, server and host, each once.
pub fn sightings(plan: &Plan) -> Vec<Sighting> {
    let ranges = countries(plan);
    let mut made = Vec::new();
    let home = ranges.len() - 1;
    let others: Vec<usize> = (1..home).filter(|&at| !ranges[at].1.is_empty()).collect();
    let others_from = plan.servers_first;
    for host in 0..plan.hosts {
        let random = mix(plan.seed, u64::from(host));
        if host < plan.hosts_first {
            see(plan, &mut made, host, pick(&ranges[0].1, host, random));
            // One in six of the first country's hosts is also controlled from another.
            if random.is_multiple_of(6) {
                let range = &ranges[others[(random >> 8) as usize % others.len()]].1;
                see(plan, &mut made, host, pick(range, u32::MAX, random >> 16));
            }
        } else if host < plan.hosts_abroad {
            // The first ones go once around all servers, so that none is without a host.
            let all = others_from..plan.servers_abroad;
            see(plan, &mut made, host, pick(&all, host - plan.hosts_first, random));
        }
        if host >= plan.hosts_abroad || random % 11 == 3 {
            let turn = host.checked_sub(plan.hosts_abroad).unwrap_or(u32::MAX);
            see(plan, &mut made, host, pick(&ranges[home].1, turn, random >> 24));
        }
    }
    made.sort_unstable();
    made.dedup();
    made
}

/// The hours of the plan, of all sensors, in order; `sightings` are those of [`sightings`].
pub fn hours<'a>(plan: &'a Plan, sightings: &'a [Sighting]) -> impl Iterator<Item = Hour> + 'a {
    let country_of = country_of(plan);
    let mut rest = sightings;
    (0..plan.hours)
        .flat_map(move |hour| (0..plan.sensors).map(move |sensor| (hour as u16, sensor as u8)))
        .map(move |(hour, sensor)| {
            let own = rest.partition_point(|row| (row.hour, row.sensor) <= (hour, sensor));
            let (rows, later) = rest.split_at(own);
            rest = later;
            record(plan, hour, sensor, rows, &country_of)
        })
}

/// The country of every server.
pub fn country_of(plan: &Plan) -> Vec<&'static str> {
    let mut countries_of = vec![HOME; plan.servers() as usize];
    for (country, range) in countries(plan) {
        range.for_each(|server| countries_of[server as usize] = country);
    }
    countries_of
}

/// Who a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerName {
    /// As in a record's `server`.
    pub server: String,
    /// Out of 11.0.0.0/8 or 2001:db8:b::/48.
    pub address: String,
    /// The name behind a relay, which the address then is.
    pub relayed: Option<String>,
}

/// A server by its number.
pub fn server_name(plan: &Plan, server: u16) -> ServerName {
    let port = server_port(server);
    let turn = u32::from(server).checked_rem(plan.one_in_ipv6);
    if turn == Some(1) {
        let address = Ipv6Addr::new(0x2001, 0xdb8, 0xb, 0, 0, 0, 0, server).to_string();
        return ServerName {
            server: format!("[{address}]:{port}/tcp"),
            address,
            relayed: None,
        };
    }
    let address = format!("11.{}.{}.7", server >> 8, server & 255);
    let relayed = (turn == Some(3)).then(|| format!("c{server}.example"));
    let place = format!("{address}:{port}/tcp");
    ServerName {
        server: match &relayed {
            Some(name) => format!("{name} via {place}"),
            None => place,
        },
        address,
        relayed,
    }
}

/// The port of a server by its number.
pub fn server_port(server: u16) -> i64 {
    PORTS[usize::from(server) % 13 % PORTS.len()]
}

/// The address of a host by its number, out of 10.0.0.0/8 or 2001:db8:a::/48, and what is counted as its network: four neighbours share a /64.
pub fn host_address(plan: &Plan, host: u32) -> (String, String) {
    if host.checked_rem(plan.one_in_ipv6) != Some(2) {
        let address = format!("10.{}.{}.{}", host >> 16 & 255, host >> 8 & 255, host & 255);
        return (address.clone(), address);
    }
    let subnet = (host / plan.one_in_ipv6 / 4) as u16;
    let at = |high: u16, low: u16| Ipv6Addr::new(0x2001, 0xdb8, 0xa, subnet, 0, 0, high, low);
    let address = at((host >> 16) as u16, host as u16);
    (address.to_string(), format!("{}/64", at(0, 0)))
}

/// The class of a server by its number.
pub fn class(server: u16) -> i64 {
    1 + i64::from(server % 7 > 2) + i64::from(server % 7 == 6)
}

/// A server of the range: the `turn`-th once around, then the first ones far more often than the last.
fn pick(range: &std::ops::Range<u32>, turn: u32, random: u64) -> u16 {
    let length = range.end - range.start;
    let place = if turn < length {
        turn
    } else {
        let unit = (random & 0xffff_ffff) as f64 / f64::from(u32::MAX);
        ((unit.powi(4) * f64::from(length)) as u32).min(length - 1)
    };
    (range.start + place) as u16
}

/// A pair is seen in one to four hours of its server's life, sometimes by two sensors in the same hour.
fn see(plan: &Plan, made: &mut Vec<Sighting>, host: u32, server: u16) {
    let of_server = mix(plan.seed ^ 0x5e7, u64::from(server));
    let life = (plan.hours / 5 + (of_server >> 20) as u32 % (plan.hours / 2)).max(1);
    let born = of_server as u32 % (plan.hours - life + 1).max(1);
    let random = mix(plan.seed ^ u64::from(server) << 32, u64::from(host));
    let first = (random >> 8) as u32 % life;
    for turn in 0..1 + random as u32 % 4 {
        // Again in the next hour, in seven, in a day and a bit.
        let hour = born + (first + [0, 1, 7, 25][turn as usize]) % life;
        let sensor = host % plan.sensors;
        let mut row = Sighting {
            hour: hour as u16,
            sensor: sensor as u8,
            server,
            host,
        };
        made.push(row);
        if (random >> 40).is_multiple_of(4) {
            row.sensor = ((sensor + 1) % plan.sensors) as u8;
            made.push(row);
        }
    }
}

fn record(plan: &Plan, hour: u16, sensor: u8, rows: &[Sighting], country_of: &[&str]) -> Hour {
    let hour_s = START_S + i64::from(hour) * HOUR_S;
    let mut pairs: Vec<PairRow> = rows.iter().map(|row| pair(plan, row, hour_s, country_of)).collect();
    pairs.sort_by(|one, two| (&one.server, &one.host).cmp(&(&two.server, &two.host)));
    let mut hour = Hour {
        hour_s,
        sensor_id: format!("tap{sensor}"),
        revision: 0,
        watched: watched(hour_s),
        servers: Vec::new(),
        pairs,
        countries: Vec::<CountryRow>::new(),
    };
    for pair in &hour.pairs {
        if hour.servers.last().is_none_or(|last| last.server != pair.server) {
            hour.servers.push(server(pair));
        }
    }
    hour.arrange();
    hour
}

fn pair(plan: &Plan, row: &Sighting, hour_s: i64, country_of: &[&str]) -> PairRow {
    let (host, host_network) = host_address(plan, row.host);
    let ServerName {
        server,
        address,
        relayed,
    } = server_name(plan, row.server);
    PairRow {
        host,
        host_network,
        server,
        address,
        port: server_port(row.server),
        protocol: "tcp".to_owned(),
        country: country_of[usize::from(row.server)].to_owned(),
        class: class(row.server),
        class_at_close: class(row.server),
        score: 0.9,
        name: relayed,
        kinds: "connection_beacon".to_owned(),
        check_ins: 60,
        bytes_out: Some(12_000),
        bytes_in: Some(40_000),
        interval_s: 60.0,
        jitter: 0.1,
        first_ns: hour_s * 1_000_000_000,
        last_ns: (hour_s + 3_540) * 1_000_000_000,
        parts: None,
    }
}

fn server(pair: &PairRow) -> ServerRow {
    ServerRow {
        server: pair.server.clone(),
        address: pair.address.clone(),
        port: pair.port,
        protocol: pair.protocol.clone(),
        behind_relay: pair.name.is_some(),
        names: pair.name.clone(),
        country: pair.country.clone(),
        asn: None,
        class: pair.class,
        class_at_close: pair.class,
        score: pair.score,
        kinds: pair.kinds.clone(),
        first_ns: pair.first_ns,
        last_ns: pair.last_ns,
        check_ins: pair.check_ins,
        hosts: 0,
    }
}

/// A whole hour of a tap that lost nothing.
pub fn watched(hour_s: i64) -> SensorHour {
    SensorHour {
        schema_version: SCHEMA_VERSION,
        partial: false,
        settled: false,
        parts: 1,
        first_packet_ns: Some(hour_s * 1_000_000_000),
        last_packet_ns: Some((hour_s + HOUR_S) * 1_000_000_000 - 1),
        received: 1_000_000,
        wire_bytes: 500_000_000,
        decoded: 1_000_000,
        not_ip: 0,
        rejected: 0,
        decode_panics: 0,
        queue_drops: 0,
        late: 0,
        kernel_drops: Some(20),
        interface_drops: Some(0),
        gaps: None,
        evictions: None,
        clock_steps: None,
        sampling: 1.0,
        hosts: 70_000,
        destinations: 400_000,
        connections: 900_000,
        timelines: 50_000,
        servers: 0,
        controlled_hosts: 0,
        peers: None,
        country_source: "made up".to_owned(),
        country_date: "2026-01-01".to_owned(),
        country_meaning: "country of registration".to_owned(),
        intel_source: None,
        intel_date: None,
        home_country: Some(HOME.to_owned()),
        settings_hash: "0123456789abcdef".to_owned(),
        version: "0.1.0".to_owned(),
        rejects: Some(String::new()),
    }
}

/// SplitMix64 (Steele, Lea, Flood, 2014).
fn mix(seed: u64, number: u64) -> u64 {
    let mut z = seed.wrapping_add(number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

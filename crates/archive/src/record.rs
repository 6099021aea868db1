//! The hourly record, version 2: one hour of one sensor, as `schema.md` has it, field by field.
//!
//! In: nothing; these are the nouns. Out: rows for SQLite and Parquet. Not its job: making them from a summary
//! (`summary`), settling and merging (`settle`, `place`), storing.

use sha2::{Digest, Sha256};

use crate::cell::{Cell, Column, Kind, Row, Value, row};
use crate::error::Fault;

/// Version of the record; grows with every change of its columns. Records of all versions are read.
pub const SCHEMA_VERSION: i64 = 2;

/// The last columns of their tables, which records of version 1 have not got.
pub(crate) const NOT_IN_VERSION_1: [&str; 1] = ["rejects"];

/// Seconds in an hour.
pub const HOUR_S: i64 = 3600;

/// The columns that every table begins with.
pub const FIRST_COLUMNS: [Column; 4] = [
    Column {
        name: "hour_s",
        kind: Kind::Integer,
        nullable: false,
    },
    Column {
        name: "day",
        kind: Kind::Text,
        nullable: false,
    },
    Column {
        name: "sensor_id",
        kind: Kind::Text,
        nullable: false,
    },
    Column {
        name: "revision",
        kind: Kind::Integer,
        nullable: false,
    },
];

/// One hour of one sensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Hour {
    /// Start of the hour, seconds since 1970.
    pub hour_s: i64,
    /// Name of the tap.
    pub sensor_id: String,
    /// Grows with every new word on the hour; 1 is the first, 0 is none given yet.
    pub revision: i64,
    /// What was watched.
    pub watched: SensorHour,
    /// Control servers, in order of their identity.
    pub servers: Vec<ServerRow>,
    /// Their hosts, in order of server and host.
    pub pairs: Vec<PairRow>,
    /// Countries, in order of role and code.
    pub countries: Vec<CountryRow>,
}

row! {
    /// What was watched, and where every packet went.
    SensorHour is "sensor_hour" {
        /// [`SCHEMA_VERSION`].
        schema_version: i64,
        /// Not all of the hour was watched.
        partial: bool,
        /// The classes are those of the whole run, not those known at the hour's end.
        settled: bool,
        /// Pieces put together.
        parts: i64,
        /// First packet.
        first_packet_ns: Option<i64>,
        /// Last packet.
        last_packet_ns: Option<i64>,
        /// Frames.
        received: i64,
        /// Their original lengths.
        wire_bytes: i64,
        /// Frames read.
        decoded: i64,
        /// Good frames of other protocols.
        not_ip: i64,
        /// Unreadable frames.
        rejected: i64,
        /// Those of them that are bugs of the decoder.
        decode_panics: i64,
        /// Frames dropped at full queues.
        queue_drops: i64,
        /// Packets of an hour already closed.
        late: i64,
        /// Lost in the kernel; live only.
        kernel_drops: Option<i64>,
        /// Lost in the interface; live only.
        interface_drops: Option<i64>,
        /// Times in which an interface of the tap was down or gone.
        gaps: Option<i64>,
        /// Table entries that had to go.
        evictions: Option<i64>,
        /// Falls of packet time by more than a second.
        clock_steps: Option<i64>,
        /// Share of packets that the source gives us.
        sampling: f64,
        /// Inside hosts.
        hosts: i64,
        /// Destinations.
        destinations: i64,
        /// Connections.
        connections: i64,
        /// Timelines scored.
        timelines: i64,
        /// Distinct servers of class 1 or more.
        servers: i64,
        /// Distinct hosts of theirs.
        controlled_hosts: i64,
        /// Distinct outside addresses.
        peers: Option<i64>,
        /// Database of the countries.
        country_source: String,
        /// Its date.
        country_date: String,
        /// What its countries mean.
        country_meaning: String,
        /// Edition of the threat intelligence.
        intel_source: Option<String>,
        /// Its date.
        intel_date: Option<String>,
        /// Country of the tap.
        home_country: Option<String>,
        /// Over the settings that decide findings.
        settings_hash: String,
        /// Of the program.
        version: String,
        /// Frames that were not read, by reason: `not_ip=7 link_cut=2`.
        rejects: Option<String>,
    }
}

row! {
    /// A control server in an hour.
    ServerRow is "server" {
        /// Who it is.
        server: String,
        /// Canonical address.
        address: String,
        /// Port.
        port: i64,
        /// `tcp`, `udp`, `icmp`, `icmp6`, `ip`.
        protocol: String,
        /// The address is a relay's.
        behind_relay: bool,
        /// Names, most used first, separated by a space.
        names: Option<String>,
        /// Hosting country.
        country: String,
        /// Autonomous system.
        asn: Option<i64>,
        /// The class that counts, see [`WITHDRAWN`].
        class: i64,
        /// The class known at the hour's end.
        class_at_close: i64,
        /// Highest score of its evidence.
        score: f64,
        /// Kinds of evidence.
        kinds: String,
        /// First check-in so far.
        first_ns: i64,
        /// Last check-in so far.
        last_ns: i64,
        /// Check-ins so far.
        check_ins: i64,
        /// Its hosts in this hour.
        hosts: i64,
    }
}

row! {
    /// A host and its control server in an hour.
    PairRow is "pair" {
        /// Inside address.
        host: String,
        /// Itself, or its /64.
        host_network: String,
        /// As in [`ServerRow`].
        server: String,
        /// As in [`ServerRow`].
        address: String,
        /// As in [`ServerRow`].
        port: i64,
        /// As in [`ServerRow`].
        protocol: String,
        /// As in [`ServerRow`].
        country: String,
        /// Of the server, as in [`ServerRow`].
        class: i64,
        /// Of the server, as in [`ServerRow`].
        class_at_close: i64,
        /// Of this host's best evidence.
        score: f64,
        /// The name the host used.
        name: Option<String>,
        /// Kinds of this host's evidence.
        kinds: String,
        /// Check-ins of its longest timeline so far.
        check_ins: i64,
        /// IP payload from the host so far.
        bytes_out: Option<i64>,
        /// IP payload to the host so far.
        bytes_in: Option<i64>,
        /// Typical interval.
        interval_s: f64,
        /// Half-width of the central 80 % over it.
        jitter: f64,
        /// First check-in so far.
        first_ns: i64,
        /// Last check-in so far.
        last_ns: i64,
        /// What the score is made of.
        parts: Option<String>,
    }
}

row! {
    /// All traffic with a country in an hour.
    CountryRow is "country" {
        /// `hosting`.
        role: String,
        /// Two letters.
        country: String,
        /// Distinct servers of class 1 or more.
        servers: i64,
        /// Distinct hosts of theirs.
        hosts: i64,
        /// Connections, innocent too.
        connections: i64,
        /// IP bytes from hosts.
        bytes_out: i64,
        /// IP bytes to hosts.
        bytes_in: i64,
        /// Packets both ways.
        packets: i64,
        /// Distinct outside addresses.
        peers: Option<i64>,
        /// HyperLogLog of them.
        peers_sketch: Option<Vec<u8>>,
    }
}

/// The class of what an hour named and the whole run does not; 1 to 3 are suspected, probable, confirmed.
pub const WITHDRAWN: i64 = 0;

/// Whether a sensor may be called so: its name becomes part of paths.
pub fn is_sensor_id(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    (1..=64).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(plain)
}

impl Hour {
    /// `YYYY-MM-DD`, UTC.
    pub fn day(&self) -> String {
        day_of(self.hour_s)
    }

    /// What every row begins with.
    pub fn first_values(&self) -> [Value; 4] {
        [
            Value::Integer(self.hour_s),
            Value::Text(self.day()),
            Value::Text(self.sensor_id.clone()),
            Value::Integer(self.revision),
        ]
    }

    /// Puts rows in order and counts what is counted from them, so that equal hours are equal however they were made.
    pub fn arrange(&mut self) {
        self.servers.sort_by(|one, two| one.server.cmp(&two.server));
        self.pairs
            .sort_by(|one, two| (&one.server, &one.host).cmp(&(&two.server, &two.host)));
        self.countries
            .sort_by(|one, two| (&one.role, &one.country).cmp(&(&two.role, &two.country)));
        crate::count::recount(self);
    }

    /// Whether it can be believed: names, times and references between its tables.
    ///
    /// # Errors
    /// Names the first thing that is wrong.
    pub fn check(&self) -> Result<(), Fault> {
        crate::count::check(self)
    }

    /// A fingerprint of all it says, without its revision.
    pub fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        let mut feed = |values: Vec<Value>| {
            for value in values {
                match value {
                    Value::Null => digest.update([0]),
                    Value::Integer(number) => digest.update([&[1], &number.to_le_bytes()[..]].concat()),
                    Value::Real(number) => digest.update([&[2], &number.to_bits().to_le_bytes()[..]].concat()),
                    Value::Text(text) => digest.update([&[3], &text.len().to_le_bytes()[..], text.as_bytes()].concat()),
                    Value::Bytes(bytes) => digest.update([&[4], &bytes.len().to_le_bytes()[..], &bytes].concat()),
                }
            }
        };
        feed(vec![self.hour_s.value(), self.sensor_id.value()]);
        let mut watched = self.watched.values();
        if self.watched.schema_version < 2 {
            // A digest stays what it was when the hour was written.
            watched.truncate(watched.len() - NOT_IN_VERSION_1.len());
        }
        feed(watched);
        for table in [self.servers.len(), self.pairs.len(), self.countries.len()] {
            feed(vec![Value::Integer(table as i64)]);
        }
        self.servers.iter().for_each(|row| feed(row.values()));
        self.pairs.iter().for_each(|row| feed(row.values()));
        self.countries.iter().for_each(|row| feed(row.values()));
        digest.finalize().into()
    }
}

/// The UTC day of a time, `YYYY-MM-DD`. Days to civil date after Howard Hinnant,
/// <https://howardhinnant.github.io/date_algorithms.html#civil_from_days>.
pub(crate) fn day_of(time_s: i64) -> String {
    let days = time_s.div_euclid(86_400).clamp(-719_468, 2_932_896) + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 {
        month_index + 3
    } else {
        month_index - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// The hour of the UTC day, 0 to 23.
pub(crate) fn hour_of_day(time_s: i64) -> i64 {
    time_s.rem_euclid(86_400) / HOUR_S
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days() {
        for (time_s, day) in [
            (0, "1970-01-01"),
            (1_709_164_799, "2024-02-28"),
            (1_709_164_800, "2024-02-29"),
            (-1, "1969-12-31"),
            (253_402_300_799, "9999-12-31"),
        ] {
            assert_eq!(day_of(time_s), day);
        }
        day_of(i64::MIN);
        day_of(i64::MAX);
    }

    #[test]
    fn sensors() {
        assert!(is_sensor_id("tap-1.example") && is_sensor_id("a"));
        for bad in ["", ".hidden", "a/b", "a=b", "ä", &"a".repeat(65)] {
            assert!(!is_sensor_id(bad), "{bad}");
        }
    }
}

//! The hosting country of an address, by a named database.
//!
//! In: the embedded registration data, or the bytes of an `.mmdb` file. Out: a [`Country`] per address, and the
//! [`CountrySource`] that every table prints. Not its job: opening files (the program hands over bytes), counting.
//!
//! A country is where an address is registered or located, never who acts from it.

use std::fmt;
use std::net::IpAddr;

use balefire_decode::Address;
use maxminddb::{PathElement, Reader};

use crate::summary::{Country, CountrySource};

/// The crate and version of the embedded data; its patch number counts the daily builds.
const EMBEDDED_NAME: &str = "iptocc 1.4.175";
/// The day that version was published with the registries' files of the night before.
const EMBEDDED_DATE: &str = "2026-11-01";

/// Licence and origin of the embedded data, for `--version` and the notices of a package.
pub const EMBEDDED_NOTICE: &str = "Countries of registration: iptocc 1.4.175, copyright (c) 2017-2020 Ronie Martinez, MIT OR Apache-2.0; \
     made from the delegated statistics of AFRINIC, APNIC, ARIN, LACNIC and RIPE NCC. \
     The country is the one an address block is registered in, which need not be where it is used.";

/// About half a second of walking at the start.
const MOST_NETWORKS_WALKED: usize = 4_000_000;

/// Looks up hosting countries. Shared by all workers; never changes: another one takes its place ([`crate::Shared::replace_countries`]).
pub struct Countries {
    data: Data,
    source: CountrySource,
}

enum Data {
    Embedded,
    Mmdb(Box<Reader<Vec<u8>>>, Shape),
}

/// Where a record keeps the code. Found in the file itself: vendors differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// `country.iso_code`, then `registered_country.iso_code`: MaxMind's and DB-IP's country and city files.
    Nested,
    /// `country_code`: IPinfo lite and the sapics/ip-location-db files.
    Flat,
    /// `country` holding the code itself: IPinfo's older country files.
    Plain,
}

/// The bytes are no usable country database.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {reason}")]
pub struct CountriesError {
    /// The file, as given.
    pub name: String,
    /// What is wrong and how to mend it.
    pub reason: String,
}

impl Countries {
    /// The registration data built into the program.
    pub fn embedded() -> Self {
        let source = CountrySource {
            name: EMBEDDED_NAME.to_owned(),
            date: EMBEDDED_DATE.to_owned(),
            meaning: "country of registration",
        };
        Self {
            data: Data::Embedded,
            source,
        }
    }

    /// A MaxMind DB file, whole, in memory; `name` is its file name, for messages and tables.
    ///
    /// # Errors
    /// If the bytes are no such database, are cut short, or no record in it holds a country code.
    pub fn from_mmdb(name: &str, bytes: Vec<u8>) -> Result<Self, CountriesError> {
        let error = |reason: String| CountriesError {
            name: name.to_owned(),
            reason,
        };
        let damaged = |cause: maxminddb::MaxMindDbError| {
            error(format!(
                "no usable MaxMind DB ({cause}); get the .mmdb file again, it may be cut short"
            ))
        };
        let reader = Reader::from_source(bytes).map_err(damaged)?;
        // A walk of the tree finds damage now rather than as missing countries later. The reader's own verification also
        // refuses sound files of vendors that leave the description empty.
        let networks = reader.networks(maxminddb::WithinOptions::default()).map_err(damaged)?;
        networks
            .take(MOST_NETWORKS_WALKED)
            .try_for_each(|network| network.map(drop))
            .map_err(damaged)?;
        let shape = shape(&reader).ok_or_else(|| {
            error(format!(
                "a database of type \"{}\" without country codes (neither country.iso_code nor country_code); \
                 use a country or city database",
                reader.metadata().database_type
            ))
        })?;
        let source = CountrySource {
            name: format!("{name} ({})", reader.metadata().database_type),
            date: civil_date(reader.metadata().build_epoch),
            meaning: "country of location",
        };
        Ok(Self {
            data: Data::Mmdb(Box::new(reader), shape),
            source,
        })
    }

    /// What is printed beside every country table.
    pub fn source(&self) -> &CountrySource {
        &self.source
    }

    /// The hosting country, [`Country::UNKNOWN`] if the database has none.
    pub fn country(&self, address: Address) -> Country {
        let ip = address.ip();
        match &self.data {
            Data::Embedded => {
                let code = match ip {
                    IpAddr::V4(ip) => iptocc::country_code(ip),
                    IpAddr::V6(ip) => iptocc::country_code(ip),
                };
                code.map_or(Country::UNKNOWN, country_of)
            }
            Data::Mmdb(reader, shape) => {
                let found = reader.lookup(ip).ok().and_then(|record| shape.code(&record));
                found.map_or(Country::UNKNOWN, country_of)
            }
        }
    }
}

impl fmt::Debug for Countries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Countries")
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

impl Shape {
    fn code<'a>(self, record: &maxminddb::LookupResult<'a, Vec<u8>>) -> Option<&'a str> {
        let at = |path: &[PathElement<'_>]| record.decode_path::<&str>(path).ok().flatten();
        let iso = PathElement::Key("iso_code");
        match self {
            Self::Nested => at(&[PathElement::Key("country"), iso.clone()])
                .or_else(|| at(&[PathElement::Key("registered_country"), iso])),
            Self::Flat => at(&[PathElement::Key("country_code")]),
            Self::Plain => at(&[PathElement::Key("country")]),
        }
    }
}

/// The shape of the first records that hold a code; a few thousand are looked at, because special ranges come first.
fn shape(reader: &Reader<Vec<u8>>) -> Option<Shape> {
    let networks = reader.networks(maxminddb::WithinOptions::default()).ok()?;
    let shapes = [Shape::Nested, Shape::Flat, Shape::Plain];
    networks.take(10_000).flatten().find_map(|record| {
        shapes.into_iter().find(|shape| {
            shape
                .code(&record)
                .is_some_and(|code| country_of(code) != Country::UNKNOWN)
        })
    })
}

/// Two ASCII letters, or unknown: a code from a file may be anything.
fn country_of(code: &str) -> Country {
    match code.as_bytes() {
        [a, b] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => {
            Country([a.to_ascii_uppercase(), b.to_ascii_uppercase()])
        }
        _ => Country::UNKNOWN,
    }
}

/// The UTC date of a Unix time. Days to civil date after Howard Hinnant,
/// <https://howardhinnant.github.io/date_algorithms.html#civil_from_days>.
fn civil_date(unix_s: u64) -> String {
    let days = i64::try_from(unix_s / 86_400).unwrap_or(0).min(3_000_000) + 719_468;
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

#[cfg(test)]
#[path = "countries_tests.rs"]
mod tests;

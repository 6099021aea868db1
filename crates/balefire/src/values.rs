//! Values that cannot be wrong: each is checked where it is read, in a settings file or a flag alike.
//!
//! In: texts and numbers of the operator. Out: types that hold only what can be used, or an error that says what would
//! do. Not its job: what the values are for.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use balefire_detect::Home;
use balefire_report::is_sensor_name;

/// A whole number from `LOW` to `HIGH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u64")]
pub(crate) struct Count<const LOW: u64, const HIGH: u64>(pub(crate) u64);

impl<const LOW: u64, const HIGH: u64> Count<LOW, HIGH> {
    pub(crate) fn size(self) -> usize {
        // HIGH is below 2^32 everywhere.
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl<const LOW: u64, const HIGH: u64> TryFrom<u64> for Count<LOW, HIGH> {
    type Error = String;

    fn try_from(number: u64) -> Result<Self, Self::Error> {
        if (LOW..=HIGH).contains(&number) {
            Ok(Self(number))
        } else {
            Err(format!("{number} is out of range: {LOW} to {HIGH}"))
        }
    }
}

/// An amount of memory, as written: bytes, or a number with KiB, MiB or GiB (or K, M, G, meant the same).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Memory(pub(crate) u64);

impl TryFrom<String> for Memory {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let trimmed = text.trim();
        let digits = trimmed.len() - trimmed.trim_start_matches(|letter: char| letter.is_ascii_digit()).len();
        let (number, unit) = trimmed.split_at(digits);
        let shift = match unit.trim().to_ascii_lowercase().as_str() {
            "" | "b" => Some(0),
            "k" | "kib" => Some(10),
            "m" | "mib" => Some(20),
            "g" | "gib" => Some(30),
            _ => None,
        };
        let bytes = number.parse::<u64>().ok().zip(shift);
        let bytes = bytes.and_then(|(number, shift)| number.checked_mul(1 << shift));
        bytes
            .map(Self)
            .ok_or_else(|| format!("{text:?} is no amount of memory: write it as 512MiB or 2GiB"))
    }
}

impl From<Memory> for String {
    fn from(memory: Memory) -> Self {
        let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
        let whole = units
            .iter()
            .find(|(shift, _)| memory.0 > 0 && memory.0.trailing_zeros() >= *shift);
        whole.map_or_else(
            || memory.0.to_string(),
            |(shift, unit)| format!("{}{unit}", memory.0 >> shift),
        )
    }
}

/// A score.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f64")]
pub(crate) struct Score(pub(crate) f64);

impl TryFrom<f64> for Score {
    type Error = String;

    fn try_from(score: f64) -> Result<Self, Self::Error> {
        if (0.0..=1.0).contains(&score) {
            Ok(Self(score))
        } else {
            Err(format!("{score} is no score: 0 to 1"))
        }
    }
}

/// ISO 3166-1 alpha-2, in capitals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct CountryCode(pub(crate) [u8; 2]);

impl TryFrom<String> for CountryCode {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        // A code that no address can have would make every server one abroad.
        let code = <[u8; 2]>::try_from(text.trim().to_ascii_uppercase().as_bytes()).ok();
        code.filter(|code| balefire_report::is_country_code(*code))
            .map(Self)
            .ok_or_else(|| {
                format!("{text:?} is no country: write its two letters of ISO 3166-1, as NL (or GB, not UK)")
            })
    }
}

impl From<CountryCode> for String {
    fn from(code: CountryCode) -> Self {
        code.0.iter().map(|&letter| char::from(letter)).collect()
    }
}

/// A network in CIDR form, as written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Network(String);

impl Network {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let text = text.trim().to_owned();
        Home::parse([text.as_str()])
            .map(|_| Self(text))
            .map_err(|error| error.to_string())
    }
}

/// The name of a tap; part of file names. The default is the host's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct SensorName(String);

impl SensorName {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SensorName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        if is_sensor_name(&name) {
            Ok(Self(name))
        } else {
            Err(format!(
                "{name:?} cannot name files: use letters, digits, dot, dash and underscore, at most 64"
            ))
        }
    }
}

impl Default for SensorName {
    fn default() -> Self {
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        name.trim()
            .to_owned()
            .try_into()
            .unwrap_or_else(|_| Self("sensor".to_owned()))
    }
}

/// Where to listen: address and port, or nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Listen(pub(crate) Option<SocketAddr>);

impl Default for Listen {
    /// Only this machine; the port is balefire's own choice among those that nobody has registered for metrics.
    fn default() -> Self {
        Self(Some(SocketAddr::from(([127, 0, 0, 1], 9477))))
    }
}

impl TryFrom<String> for Listen {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.trim() == "off" {
            return Ok(Self(None));
        }
        text.trim()
            .parse()
            .map(|address| Self(Some(address)))
            .map_err(|_| format!("{text:?} is no address with a port: write 127.0.0.1:9477, or off"))
    }
}

impl From<Listen> for String {
    fn from(listen: Listen) -> Self {
        listen.0.map_or_else(|| "off".to_owned(), |address| address.to_string())
    }
}

/// A place that takes syslog messages (RFC 5424).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) enum Syslog {
    Udp(SocketAddr),
    Unix(PathBuf),
}

impl TryFrom<String> for Syslog {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if let Some(path) = text.strip_prefix("unix:") {
            return Ok(Self::Unix(path.into()));
        }
        let address = text.strip_prefix("udp:").and_then(|address| address.parse().ok());
        address
            .map(Self::Udp)
            .ok_or_else(|| format!("{text:?} is no syslog: write udp:192.0.2.1:514, or unix:/dev/log"))
    }
}

impl From<Syslog> for String {
    fn from(place: Syslog) -> Self {
        match place {
            Syslog::Udp(address) => format!("udp:{address}"),
            Syslog::Unix(path) => format!("unix:{}", path.display()),
        }
    }
}

/// How the body of a syslog message is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SyslogFormat {
    #[default]
    Json,
    Cef,
}

/// Where sizes of sets begin: from 1, each larger than the one before, at most 32.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<i64>", into = "Vec<i64>")]
pub(crate) struct SetSizes(pub(crate) Vec<i64>);

impl TryFrom<Vec<i64>> for SetSizes {
    type Error = String;

    fn try_from(sizes: Vec<i64>) -> Result<Self, Self::Error> {
        let grows = sizes.windows(2).all(|pair| pair[0] < pair[1]);
        if sizes.first() == Some(&1) && grows && sizes.len() <= 32 {
            Ok(Self(sizes))
        } else {
            Err(format!(
                "{sizes:?} are no sizes of sets: begin with 1, let each be larger than the one before, at most 32, as 1,2,10,100"
            ))
        }
    }
}

impl From<SetSizes> for Vec<i64> {
    fn from(sizes: SetSizes) -> Self {
        sizes.0
    }
}

impl Default for SetSizes {
    fn default() -> Self {
        Self(balefire_archive::SET_SIZES.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_at_their_edges() {
        assert!(Count::<1, 4>::try_from(0).is_err() && Count::<1, 4>::try_from(5).is_err());
        assert_eq!(Count::<1, 4>::try_from(4).unwrap().size(), 4);
        assert!(Score::try_from(f64::NAN).is_err() && Score::try_from(-0.1).is_err() && Score::try_from(1.0).is_ok());
        assert_eq!(String::from(CountryCode::try_from("nl".to_owned()).unwrap()), "NL");
        assert!(CountryCode::try_from("UK".to_owned()).is_err());
        assert!(CountryCode::try_from("N1".to_owned()).is_err() && CountryCode::try_from("é".to_owned()).is_err());
        assert!(Network::try_from("10.0.0.0/33".to_owned()).is_err());
        assert_eq!(String::from(Listen::default()), "127.0.0.1:9477");
        assert_eq!(Listen::try_from("off".to_owned()).unwrap().0, None);
        assert!(Listen::try_from("9477".to_owned()).is_err());
        assert!(is_sensor_name(SensorName::default().as_str()));
        assert_eq!(SetSizes::try_from(SetSizes::default().0), Ok(SetSizes::default()));
        for bad in [vec![], vec![2, 10], vec![1, 10, 10], (1..34).collect()] {
            assert!(SetSizes::try_from(bad).is_err());
        }
    }
}

//! Values that cannot be wrong: each is checked where it is read, in a settings file or a flag alike.
//!
//! In: texts and numbers of the operator. Out: types that hold only what can be used, or an error that says what would
//! do. Not its job: what the values are for.

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
        match text.trim().as_bytes() {
            &[first, second] if first.is_ascii_alphabetic() && second.is_ascii_alphabetic() => {
                Ok(Self([first.to_ascii_uppercase(), second.to_ascii_uppercase()]))
            }
            _ => Err(format!(
                "{text:?} is no country: write its two letters of ISO 3166-1, as NL"
            )),
        }
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
        assert!(CountryCode::try_from("N1".to_owned()).is_err() && CountryCode::try_from("é".to_owned()).is_err());
        assert!(Network::try_from("10.0.0.0/33".to_owned()).is_err());
        assert!(is_sensor_name(SensorName::default().as_str()));
        assert_eq!(SetSizes::try_from(SetSizes::default().0), Ok(SetSizes::default()));
        for bad in [vec![], vec![2, 10], vec![1, 10, 10], (1..34).collect()] {
            assert!(SetSizes::try_from(bad).is_err());
        }
    }
}

//! The beginning of an X.509 certificate (RFC 5280 section 4.1): issuer, validity, subject.
//!
//! In: its DER, whole or cut. Out: [`Parsed`] if what is wanted stands before the cut. Not its job: signatures, and
//! whether anyone should trust it.

use super::Teller;
use super::text::Text;
use crate::{Certificate, Fact, Validity};

const TAG_INTEGER: u8 = 0x02;
const TAG_OBJECT: u8 = 0x06;
const TAG_UTC_TIME: u8 = 0x17;
const TAG_GENERALIZED_TIME: u8 = 0x18;
const TAG_BMP_STRING: u8 = 0x1e;
const TAG_SEQUENCE: u8 = 0x30;
const TAG_SET: u8 = 0x31;
/// The version, which is explicitly tagged with 0.
const TAG_VERSION: u8 = 0xa0;
/// Object identifier 2.5.4.3.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// Bytes of a common name that are kept, its upper bound (RFC 5280 appendix A.1, ub-common-name).
const COMMON_NAME_BYTES: usize = 64;
const DAY_S: i64 = 86_400;

/// What is wanted of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parsed<'a> {
    issuer: &'a [u8],
    subject: &'a [u8],
    not_before_s: i64,
    not_after_s: i64,
}

impl<'a> Parsed<'a> {
    /// `None` if it is broken, or cut before the end of its subject.
    pub(super) fn of(der: &'a [u8]) -> Option<Self> {
        // The cut falls into the outer two, whose ends are not wanted.
        let mut certificate = Der(Der(der).enter(TAG_SEQUENCE)?).enter(TAG_SEQUENCE).map(Der)?;
        if certificate.0.first() == Some(&TAG_VERSION) {
            certificate.take(TAG_VERSION)?;
        }
        certificate.take(TAG_INTEGER)?;
        certificate.take(TAG_SEQUENCE)?; // signature algorithm
        let issuer = certificate.take(TAG_SEQUENCE)?;
        let mut validity = Der(certificate.take(TAG_SEQUENCE)?);
        let (not_before_s, not_after_s) = (validity.time_s()?, validity.time_s()?);
        let subject = certificate.take(TAG_SEQUENCE)?;
        Some(Self {
            issuer,
            subject,
            not_before_s,
            not_after_s,
        })
    }

    fn validity_days(&self) -> u32 {
        u32::try_from(self.not_after_s.saturating_sub(self.not_before_s) / DAY_S).unwrap_or(0)
    }
}

/// Tells of it.
pub(super) fn tell(parsed: &Parsed<'_>, teller: &mut Teller<'_>) {
    let subject = common_name(parsed.subject);
    let issuer = common_name(parsed.issuer);
    let certificate = Certificate {
        subject: teller.counted(&subject),
        issuer: teller.counted(&issuer),
        is_self_signed: parsed.subject == parsed.issuer,
        validity: Some(Validity {
            not_before_s: parsed.not_before_s,
            days: parsed.validity_days(),
        }),
    };
    teller.fact(&Fact::Certificate(certificate));
}

/// The last common name of a distinguished name, which is the most specific one; empty if there is none.
fn common_name(name: &[u8]) -> Text<COMMON_NAME_BYTES> {
    let mut rest = Der(name);
    let mut found = Text::of(b"");
    while let Some(set) = rest.take(TAG_SET) {
        let mut attributes = Der(set);
        while let Some(attribute) = attributes.take(TAG_SEQUENCE) {
            let mut attribute = Der(attribute);
            if attribute.take(TAG_OBJECT) == Some(COMMON_NAME)
                && let Some((tag, value)) = attribute.any()
            {
                found = string(tag, value);
            }
        }
    }
    found
}

/// A string's characters; of two-octet ones those that have a lower octet only.
fn string(tag: u8, value: &[u8]) -> Text<COMMON_NAME_BYTES> {
    let is_wide = tag == TAG_BMP_STRING && value.chunks(2).all(|two| two.len() == 2 && two[0] == 0);
    if !is_wide {
        return Text::of(value);
    }
    let mut narrow = [0; COMMON_NAME_BYTES + 1];
    let length = narrow.len().min(value.len() / 2);
    for (to, two) in narrow.iter_mut().zip(value.chunks_exact(2)) {
        *to = two[1];
    }
    Text::of(&narrow[..length])
}

/// DER values one after the other.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The contents of the next value, which must be whole.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (found, length, rest) = self.head()?;
        let (value, after) = rest.split_at_checked(length)?;
        if found != tag {
            return None;
        }
        self.0 = after;
        Some(value)
    }

    /// The next value, whatever it is.
    fn any(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, ..) = self.head()?;
        self.take(tag).map(|value| (tag, value))
    }

    /// The contents of the next value as far as they go.
    fn enter(&self, tag: u8) -> Option<&'a [u8]> {
        let (found, length, rest) = self.head()?;
        (found == tag).then(|| &rest[..length.min(rest.len())])
    }

    /// Tag, length and what follows.
    fn head(&self) -> Option<(u8, usize, &'a [u8])> {
        let (tag, rest) = self.0.split_first()?;
        let (first, rest) = rest.split_first()?;
        let octets = match first {
            0..=0x7f => return Some((*tag, usize::from(*first), rest)),
            0x81..=0x83 => usize::from(first & 0x7f),
            // Indefinite lengths are not DER; longer ones are no certificate.
            _ => return None,
        };
        let (length, rest) = rest.split_at_checked(octets)?;
        let length = length.iter().fold(0, |length, octet| length << 8 | usize::from(*octet));
        Some((*tag, length, rest))
    }

    /// The next value as a time, seconds since 1970.
    fn time_s(&mut self) -> Option<i64> {
        let (tag, text) = self.any()?;
        // Two digits of a year are of 1950 to 2049 (RFC 5280 section 4.1.2.5.1).
        let (year, rest) = match tag {
            TAG_UTC_TIME => {
                let (year, rest) = number(text, 2)?;
                (if year < 50 { 2000 + year } else { 1900 + year }, rest)
            }
            TAG_GENERALIZED_TIME => number(text, 4)?,
            _ => return None,
        };
        let (month, rest) = number(rest, 2)?;
        let (day, rest) = number(rest, 2)?;
        let (hour, rest) = number(rest, 2)?;
        let (minute, rest) = number(rest, 2)?;
        // Seconds are required of a certificate, and left out by some.
        let second = number(rest, 2).map_or(0, |(second, _)| second);
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return None;
        }
        Some(((days_to(year, month, day) * 24 + hour) * 60 + minute) * 60 + second)
    }
}

/// A number of so many digits, and what follows it.
fn number(text: &[u8], digits: usize) -> Option<(i64, &[u8])> {
    let (number, rest) = text.split_at_checked(digits)?;
    let is_number = number.iter().all(u8::is_ascii_digit);
    let value = number
        .iter()
        .fold(0, |value, digit| value * 10 + i64::from(digit.wrapping_sub(b'0')));
    is_number.then_some((value, rest))
}

/// Days from 1970-01-01 to a day of the Gregorian calendar: whole years counted from March, so that the leap day is a
/// year's last. By hand, because the usual "no end", the last second of 9999, is beyond what `jiff` calls a timestamp.
const fn days_to(year: i64, month: i64, day: i64) -> i64 {
    /// Days from the first of March of year 0 to 1970-01-01.
    const EPOCH_DAYS: i64 = 719_468;
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // Months from March on have 31, 30, 31, 30, 31 days, over and over: 153 in five.
    year * 365 + leap_days + (153 * month + 2) / 5 + day - 1 - EPOCH_DAYS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (date, days) in [
            ((1970, 1, 1), 0),
            ((1969, 12, 31), -1),
            ((2000, 2, 29), 11_016),
            ((2000, 3, 1), 11_017),
            ((2024, 1, 1), 19_723),
            ((9999, 12, 31), 2_932_896),
        ] {
            assert_eq!(days_to(date.0, date.1, date.2), days, "{date:?}");
        }
    }

    #[test]
    fn both_forms_of_time_are_read() {
        let time = |tag: u8, text: &str| Der(&[&[tag, text.len() as u8], text.as_bytes()].concat()).time_s();
        assert_eq!(time(TAG_UTC_TIME, "700101000001Z"), Some(1));
        assert_eq!(time(TAG_UTC_TIME, "491231235959Z"), Some(2_524_607_999));
        assert_eq!(time(TAG_GENERALIZED_TIME, "20240101000000Z"), Some(19_723 * DAY_S));
        assert_eq!(
            time(TAG_GENERALIZED_TIME, "99991231235959Z"),
            Some(2_932_897 * DAY_S - 1)
        );
        for broken in ["7001", "700001000001Z", "70010x000001Z", ""] {
            assert_eq!(time(TAG_UTC_TIME, broken), None, "{broken}");
        }
        assert_eq!(time(TAG_OBJECT, "700101000001Z"), None);
    }

    #[test]
    fn wide_strings_are_narrowed() {
        assert_eq!(string(TAG_BMP_STRING, b"\0a\0b").text(), "ab");
        assert_eq!(string(TAG_BMP_STRING, b"\x04\x10").text(), "\\004\\016");
        assert_eq!(string(0x0c, b"ab").text(), "ab");
    }
}

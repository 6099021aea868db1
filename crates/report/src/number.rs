//! Numbers for people: thousands separated, three significant digits, the unit always there; and times.
//!
//! In: plain numbers in the unit their function names. Out: text of stable shape. Not its job: alignment (`grid`) and the
//! rounding of exported numbers (`document`).

use jiff::Timestamp;

/// `62322` as `62,322`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with its noun: `1 host`, `9 hosts`, `1,204 table entries`, `2 addresses`.
pub fn counted(number: u64, noun: &str) -> String {
    let number_text = thousands(number);
    match noun.strip_suffix('y') {
        _ if number == 1 => format!("1 {noun}"),
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{number_text} {stem}ies"),
        _ if noun.ends_with('s') => format!("{number_text} {noun}es"),
        _ => format!("{number_text} {noun}s"),
    }
}

/// Three significant digits with an SI prefix: `1_920_000.0` as `1.92 M`. The unit follows at the caller's.
pub fn engineering(number: f64) -> String {
    const PREFIXES: [&str; 6] = ["", " k", " M", " G", " T", " P"];
    let mut scaled = finite(number).max(0.0);
    let mut prefix = 0;
    // 999.5 and up rounds to 1000, which belongs to the next prefix.
    while scaled >= 999.5 && prefix + 1 < PREFIXES.len() {
        scaled /= 1000.0;
        prefix += 1;
    }
    let text = if prefix == 0 && scaled.fract() == 0.0 {
        format!("{scaled:.0}")
    } else {
        significant(scaled)
    };
    format!("{text}{}", PREFIXES[prefix])
}

/// Bytes in decimal units: `46.1 MB`.
pub fn bytes(number: u64) -> String {
    let text = engineering(number as f64);
    if text.contains(' ') {
        format!("{text}B")
    } else {
        format!("{text} B")
    }
}

/// Seconds in three significant digits: `33.0 s`, `0.950 s`, `1,805 s`.
pub fn seconds(number: f64) -> String {
    let number = finite(number).max(0.0);
    if number >= 999.5 {
        format!("{} s", thousands(number.round() as u64))
    } else {
        format!("{} s", significant(number))
    }
}

/// A length of time in its two largest units: `23 h 59 m`, `12 d 4 h`, `41 s`.
pub fn duration(nanoseconds: i64) -> String {
    let whole_s = nanoseconds.max(0) as u64 / 1_000_000_000;
    let (days, hours, minutes, rest_s) = (whole_s / 86_400, whole_s / 3600 % 24, whole_s / 60 % 60, whole_s % 60);
    match whole_s {
        0 => format!("{} s", significant(nanoseconds.max(0) as f64 / 1e9)),
        1..60 => format!("{rest_s} s"),
        60..3600 => format!("{minutes} m {rest_s} s"),
        3600..86_400 => format!("{hours} h {minutes} m"),
        _ => format!("{days} d {hours} h"),
    }
}

/// A share from 0 to 1 as `52 %`; below one in a hundred with one digit, and never `0 %` or `100 %` where it is not.
pub fn percent(share: f64) -> String {
    let percent = finite(share) * 100.0;
    match percent {
        p if p <= 0.0 => "0 %".to_owned(),
        p if p < 0.1 => "<0.1 %".to_owned(),
        p if p < 0.95 => format!("{p:.1} %"),
        p if (99.5..100.0).contains(&p) => ">99 %".to_owned(),
        p => format!("{p:.0} %"),
    }
}

/// A score with two digits, which never claims a certainty it has not: `>0.99`, `<0.01`. What is 1 was rounded to it.
pub fn score(score: f64) -> String {
    match score {
        s if s >= 0.995 => ">0.99".to_owned(),
        s if s > 0.0 && s < 0.005 => "<0.01".to_owned(),
        s => format!("{:.2}", finite(s)),
    }
}

/// Nanoseconds as the latency they are: `0.4 ms`, `12.0 us`.
pub fn latency(nanoseconds: u64) -> String {
    let (number, unit) = match nanoseconds {
        0..1_000 => (nanoseconds as f64, "ns"),
        1_000..1_000_000 => (nanoseconds as f64 / 1e3, "us"),
        1_000_000..1_000_000_000 => (nanoseconds as f64 / 1e6, "ms"),
        _ => (nanoseconds as f64 / 1e9, "s"),
    };
    format!("{} {unit}", significant(number))
}

/// RFC 3339 in UTC with six digits of fraction, always: texts of one length sort as the times do.
pub fn rfc3339(time_ns: i64) -> String {
    timestamp(time_ns).strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

/// For people, to the second: `2024-05-01 00:00:03 UTC`.
pub fn date_time(time_ns: i64) -> String {
    timestamp(time_ns).strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// The time of day: `00:00:41`.
pub fn time_of_day(time_ns: i64) -> String {
    timestamp(time_ns).strftime("%H:%M:%S").to_string()
}

/// The UTC hour as file names carry it: `20240501T14Z`.
pub(crate) fn hour_stamp(time_ns: i64) -> String {
    timestamp(time_ns).strftime("%Y%m%dT%HZ").to_string()
}

/// Three significant digits of a number below 1,000.
pub(crate) fn significant(number: f64) -> String {
    let digits = match number.abs() {
        0.0 => return "0".to_owned(),
        n if n < 0.9995 => 3,
        n if n < 9.995 => 2,
        n if n < 99.95 => 1,
        _ => 0,
    };
    format!("{number:.digits$}")
}

/// The number itself, or 0 for what no reader can use.
fn finite(number: f64) -> f64 {
    if number.is_finite() { number } else { 0.0 }
}

/// Every `i64` of nanoseconds (years 1677 to 2262) is inside jiff's range, so the fallback is never taken.
fn timestamp(time_ns: i64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(time_ns)).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        assert_eq!(
            [0, 999, 1000, 62_322, 1_234_567].map(thousands),
            ["0", "999", "1,000", "62,322", "1,234,567"]
        );
        assert_eq!(engineering(1_920_000.0), "1.92 M");
        assert_eq!(engineering(999.7), "1.00 k");
        assert_eq!(engineering(12.0), "12");
        assert_eq!(engineering(f64::NAN), "0");
        assert_eq!([bytes(0), bytes(999), bytes(46_100_000)], ["0 B", "999 B", "46.1 MB"]);
        assert_eq!(
            [33.0, 0.95, 300.04, 1805.2, 9.999].map(seconds),
            ["33.0 s", "0.950 s", "300 s", "1,805 s", "10.0 s"]
        );
        assert_eq!(
            [1.0, 0.524, 0.004, 0.0001, 0.999, 0.0].map(percent),
            ["100 %", "52 %", "0.4 %", "<0.1 %", ">99 %", "0 %"]
        );
        assert_eq!(
            [1.0, 0.998, 0.97, 0.001, 0.0, f64::NAN].map(score),
            [">0.99", ">0.99", "0.97", "<0.01", "0.00", "0.00"]
        );
        assert_eq!([400_000, 1_200, 5].map(latency), ["400 us", "1.20 us", "5.00 ns"]);
    }

    #[test]
    fn one_is_singular() {
        assert_eq!(counted(1, "host"), "1 host");
        assert_eq!(counted(0, "host"), "0 hosts");
        assert_eq!(counted(1_204, "table entry"), "1,204 table entries");
        assert_eq!([counted(2, "day"), counted(2, "address")], ["2 days", "2 addresses"]);
        assert_eq!(format!("1 of {}", counted(3, "country")), "1 of 3 countries");
    }

    #[test]
    fn durations() {
        const S: i64 = 1_000_000_000;
        assert_eq!(duration(86_399 * S), "23 h 59 m");
        assert_eq!(duration(1_051_860 * S), "12 d 4 h");
        assert_eq!(
            [duration(41 * S), duration(61 * S), duration(S / 20), duration(-5)],
            ["41 s", "1 m 1 s", "0.050 s", "0 s"]
        );
    }

    #[test]
    fn times() {
        let time_ns = 1_714_521_603_123_456_789;
        assert_eq!(rfc3339(time_ns), "2024-05-01T00:00:03.123456Z");
        assert_eq!(date_time(time_ns), "2024-05-01 00:00:03 UTC");
        assert_eq!(hour_stamp(time_ns), "20240501T00Z");
        assert_eq!(rfc3339(-1), "1969-12-31T23:59:59.999999Z");
        assert!(rfc3339(i64::MIN).starts_with("1677-") && rfc3339(i64::MAX).starts_with("2262-"));
    }
}

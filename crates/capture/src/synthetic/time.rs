//! Times and lengths as text, and hours of a day.
//!
//! In: `2026-03-02T00:00:00Z`, `12h`. Out: nanoseconds, seconds. Not its job: zones, local time, leap seconds.

const NS_PER_S: i64 = 1_000_000_000;
const S_PER_HOUR: i64 = 3_600;

/// Nanoseconds since 1970 of a UTC time written as RFC 3339 with a `Z`, whole seconds; years 1970 to 2099.
pub(super) fn parse(text: &str) -> Option<i64> {
    let (date, clock) = text.strip_suffix('Z')?.split_once('T')?;
    let date = three(date, '-')?;
    let clock = three(clock, ':')?;
    let [year, month, day] = date;
    let [hour, minute, second] = clock;
    let fits = (1970..2100).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * S_PER_HOUR + minute * 60 + second;
    fits.then_some(seconds * NS_PER_S)
}

fn three(text: &str, separator: char) -> Option<[i64; 3]> {
    let mut parts = text
        .split(separator)
        .map(|part| part.parse::<u16>().ok().map(i64::from));
    let found = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(found)
}

/// Days from 1970-01-01 in the Gregorian calendar, years counted from March (Richards, "Calendars", in: Explanatory
/// Supplement to the Astronomical Almanac, 3rd ed., section 15.11).
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468
}

/// Seconds of a length: a whole number with `s`, `m`, `h`, `d` or nothing (seconds); at most 366 days.
pub(super) fn parse_duration_s(text: &str) -> Option<u64> {
    let (number, unit) = match text.char_indices().last()? {
        (at, 's') => (&text[..at], 1),
        (at, 'm') => (&text[..at], 60),
        (at, 'h') => (&text[..at], 3_600),
        (at, 'd') => (&text[..at], 86_400),
        _ => (text, 1),
    };
    let seconds = number.parse::<u64>().ok()?.checked_mul(unit)?;
    (seconds <= 366 * 86_400).then_some(seconds)
}

/// How long from `time_ns` until the UTC hours `from` to `until` are on, nanoseconds: 0 within them. The same hour
/// twice means always; `from` after `until` means over midnight.
pub(super) fn until_hours_ns(time_ns: i64, (from, until): (u8, u8)) -> i64 {
    let day = time_ns.rem_euclid(24 * S_PER_HOUR * NS_PER_S);
    let hour = day / (S_PER_HOUR * NS_PER_S);
    let (from, until) = (i64::from(from) % 24, i64::from(until));
    let inside = match from.cmp(&until) {
        std::cmp::Ordering::Equal => true,
        std::cmp::Ordering::Less => (from..until).contains(&hour),
        std::cmp::Ordering::Greater => hour >= from || hour < until,
    };
    if inside {
        0
    } else {
        (from * S_PER_HOUR * NS_PER_S - day).rem_euclid(24 * S_PER_HOUR * NS_PER_S)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(parse("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(parse("2024-02-29T12:00:01Z"), Some(1_709_208_001 * NS_PER_S));
        assert_eq!(parse("2026-03-02T00:00:00Z"), Some(1_772_409_600 * NS_PER_S));
        for wrong in [
            "2026-03-02",
            "2026-13-02T00:00:00Z",
            "2026-03-02T24:00:00Z",
            "2026-03-02T00:00:00",
            "",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn lengths_have_units_and_a_limit() {
        assert_eq!(parse_duration_s("90"), Some(90));
        assert_eq!(parse_duration_s("12h"), Some(43_200));
        for wrong in ["", "h", "1.5h", "-1s", "367d", "99999999999999999999d"] {
            assert_eq!(parse_duration_s(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn waiting_ends_when_the_hours_begin() {
        let at = |hour: i64| hour * S_PER_HOUR * NS_PER_S;
        assert_eq!(until_hours_ns(at(9), (8, 18)), 0);
        assert_eq!(until_hours_ns(at(18), (8, 18)), at(14));
        assert_eq!(until_hours_ns(at(7), (8, 18)), at(1));
        assert_eq!(until_hours_ns(at(23), (22, 6)), 0);
        assert_eq!(until_hours_ns(at(7), (22, 6)), at(15));
        assert_eq!(until_hours_ns(at(3), (0, 0)), 0);
        assert_eq!(until_hours_ns(at(23), (8, 24)), 0);
    }
}

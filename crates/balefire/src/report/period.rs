//! Times and periods as operators write them.
//!
//! In: text. Out: whole hours, seconds since 1970, or an error that says what would do. Not its job: what is in the period.

use balefire_archive::HOUR_S;
use jiff::Timestamp;
use jiff::civil::Date;

use crate::exit::Failure;

/// The start of the hour of a time, of a day or of a month; `cut` is set where the time is within an hour.
pub(super) fn hour_of(flag: &str, text: &str, cut: &mut bool) -> Result<i64, Failure> {
    if let Some((from_s, _)) = named(text) {
        return Ok(from_s);
    }
    let time: Timestamp = text.parse().map_err(|error| {
        Failure::usage(format!(
            "{flag} {text:?}: {error}; write 2026-03-02T00:00:00Z, 2026-03-02 or 2026-03"
        ))
    })?;
    let hour_s = time.as_second().div_euclid(HOUR_S) * HOUR_S;
    *cut |= time != Timestamp::from_second(hour_s).unwrap_or(time);
    Ok(hour_s)
}

/// A period: `2025`, `2025-12`, `2025-12-31`, `FROM..TO`, or `previous` to the one given.
pub(super) fn period(text: &str, asked: (i64, i64), cut: &mut bool) -> Result<(i64, i64), Failure> {
    let (from_s, to_s) = if text == "previous" {
        (asked.0 - (asked.1 - asked.0), asked.0)
    } else if let Some((from, to)) = text.split_once("..") {
        (hour_of("--compare", from, cut)?, hour_of("--compare", to, cut)?)
    } else {
        named(text).ok_or_else(|| {
            Failure::usage(format!(
                "--compare {text:?} is no period: write 2025, 2025-12, 2025-12-31, 2025-10-01..2026-01-01, or previous"
            ))
        })?
    };
    if to_s <= from_s {
        return Err(Failure::usage(format!(
            "--compare {text:?} is empty: its end must be after its start"
        )));
    }
    Ok((from_s, to_s))
}

/// A year, a month or a day: its start and end.
fn named(text: &str) -> Option<(i64, i64)> {
    let part = |range: std::ops::Range<usize>| -> Option<i16> {
        text.get(range)
            .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?
            .parse()
            .ok()
    };
    let dashes = text.match_indices('-').map(|(at, _)| at);
    let (date, end) = match (text.len(), dashes.collect::<Vec<usize>>().as_slice()) {
        (4, []) => {
            let date = Date::new(part(0..4)?, 1, 1).ok()?;
            (date, Date::new(part(0..4)?.checked_add(1)?, 1, 1).ok()?)
        }
        (7, [4]) => {
            let date = Date::new(part(0..4)?, part(5..7)?.try_into().ok()?, 1).ok()?;
            (date, date.last_of_month().tomorrow().ok()?)
        }
        (10, [4, 7]) => {
            let date = Date::new(part(0..4)?, part(5..7)?.try_into().ok()?, part(8..10)?.try_into().ok()?).ok()?;
            (date, date.tomorrow().ok()?)
        }
        _ => return None,
    };
    let second = |date: Date| Some(format!("{date}T00:00:00Z").parse::<Timestamp>().ok()?.as_second());
    Some((second(date)?, second(end)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_read_as_they_are_written() {
        const NEW_YEAR_S: i64 = 1_767_225_600;
        const DAY_S: i64 = 86_400;
        let asked = (NEW_YEAR_S, NEW_YEAR_S + 31 * DAY_S);
        let read = |text: &str| period(text, asked, &mut false).unwrap();
        assert_eq!(read("previous"), (NEW_YEAR_S - 31 * DAY_S, NEW_YEAR_S));
        assert_eq!(read("2025-12"), read("previous"));
        assert_eq!(read("2025"), (NEW_YEAR_S - 365 * DAY_S, NEW_YEAR_S));
        assert_eq!(read("2024-02"), (NEW_YEAR_S - 700 * DAY_S, NEW_YEAR_S - 671 * DAY_S));
        assert_eq!(read("2026-01-01"), (NEW_YEAR_S, NEW_YEAR_S + DAY_S));
        assert_eq!(
            read("2025-12-31..2026-01-01T05:30:00Z"),
            (NEW_YEAR_S - DAY_S, NEW_YEAR_S + 5 * HOUR_S)
        );
        for bad in [
            "",
            "2025-13",
            "2025-02-30",
            "20251",
            "now",
            "2026-01..2025-01",
            "..",
            "é025",
            "+202",
            "2025-1-",
            "99999",
        ] {
            assert!(period(bad, asked, &mut false).is_err(), "{bad}");
        }
        for (text, within) in [
            ("2026-01-01T01:59:00+01:00", true),
            ("2026-01-01T00:00:00.5Z", true),
            ("2026-01-01T00:00:00Z", false),
            ("2026-01", false),
        ] {
            let mut cut = false;
            assert_eq!(hour_of("--from", text, &mut cut).ok(), Some(NEW_YEAR_S), "{text}");
            assert_eq!(cut, within, "{text}");
        }
    }
}

//! Times as lists write them, to seconds since 1970.
//!
//! In: RFC 3339 texts, or dates alone (their first second, UTC). Out: seconds, or nothing. Not its job: clocks; these are
//! held against packet times.

/// Seconds since 1970-01-01 UTC; `None` where the text is no time after it.
pub(crate) fn seconds(text: &str) -> Option<i64> {
    let text = text.trim();
    let (date, rest) = text.split_at_checked(10)?;
    let number = |text: &str| -> Option<i64> {
        text.bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| text.parse().ok())?
    };
    let mut parts = date.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if (year.len(), month.len(), day.len()) != (4, 2, 2) || parts.next().is_some() {
        return None;
    }
    let midnight = days(number(year)?, number(month)?, number(day)?)? * 86_400;
    let Some(rest) = rest.strip_prefix(['T', 't', ' ']) else {
        return (rest.is_empty() && midnight >= 0).then_some(midnight);
    };
    let (clock, zone) = rest.split_at(rest.find(['Z', 'z', '+', '-', ' ']).unwrap_or(rest.len()));
    let whole = clock.split_once('.').map_or(clock, |(whole, _)| whole);
    let mut parts = whole.split(':').map(number);
    let (hour, minute) = (parts.next()??, parts.next()??);
    let second = parts.next().unwrap_or(Some(0))?;
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let zone_s = match zone.trim() {
        "" | "Z" | "z" | "UTC" => 0,
        offset => {
            let (hours, minutes) = offset.get(1..)?.split_once(':')?;
            let ahead = number(hours)? * 3600 + number(minutes)? * 60;
            if offset.starts_with('-') { -ahead } else { ahead }
        }
    };
    let time = midnight + hour * 3600 + minute * 60 + second - zone_s;
    (time >= 0).then_some(time)
}

/// Days from 1970-01-01 in the Gregorian calendar: years begin in March, so that the leap day is the last of one.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let longest = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=longest).contains(&day) {
        return None;
    }
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let of_year = (153 * month + 2) / 5 + day - 1;
    // 719,468 days lie between 0000-03-01 and 1970-01-01.
    Some(365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + of_year - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_and_what_is_none() {
        for (text, time) in [
            ("1970-01-01", 0),
            ("2000-02-29", 951_782_400),
            ("2026-03-02T00:10:00Z", 1_772_410_200),
            ("2026-03-02T00:10:00.123456Z", 1_772_410_200),
            ("2026-03-02 00:10:00", 1_772_410_200),
            ("2026-03-02 00:10:00 UTC", 1_772_410_200),
            ("2026-03-02T02:10+02:00", 1_772_410_200),
        ] {
            assert_eq!(seconds(text), Some(time), "{text}");
        }
        for none in [
            "",
            "soon",
            "2026-02-30",
            "2026-13-01",
            "2026-1-1",
            "1969-12-31",
            "2026-03-02T25:00:00Z",
            "ümlaut-da-da",
        ] {
            assert_eq!(seconds(none), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_time_or_none(text in any::<String>()) {
            let _ = seconds(&text);
        }
    }
}

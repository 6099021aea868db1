//! One field's text to one value: times, numbers, addresses, ports, protocols, states. Bytes in, `None` for what is not one.

use std::net::IpAddr;

use balefire_decode::{Address, Transport};

use crate::ConnState;

const NS_PER_S: i64 = 1_000_000_000;

/// Whole numbers from here on are milliseconds, as Zeek's `LogAscii::json_timestamps = JSON::TS_MILLIS` writes them: in
/// seconds this would be the year 5138.
const FIRST_MILLISECONDS: u64 = 100_000_000_000;

/// A time: seconds since 1970 with a fraction, whole milliseconds, or RFC 3339. Nanoseconds since 1970-01-01 UTC.
pub(super) fn time_ns(text: &[u8]) -> Option<i64> {
    if let Some((whole, fraction_ns)) = decimal(text) {
        if whole >= FIRST_MILLISECONDS {
            let ns = i64::try_from(whole).ok()?.checked_mul(1_000_000)?;
            return ns.checked_add(fraction_ns / 1000);
        }
        return i64::try_from(whole)
            .ok()?
            .checked_mul(NS_PER_S)?
            .checked_add(fraction_ns);
    }
    let text = std::str::from_utf8(text).ok()?;
    let time: jiff::Timestamp = text.parse().ok()?;
    i64::try_from(time.as_nanosecond()).ok().filter(|&ns| ns >= 0)
}

/// Seconds with a fraction; nanoseconds.
pub(super) fn duration_ns(text: &[u8]) -> Option<i64> {
    let (whole, fraction_ns) = decimal(text)?;
    i64::try_from(whole)
        .ok()?
        .checked_mul(NS_PER_S)?
        .checked_add(fraction_ns)
}

/// The largest count that is believed of one connection, 256 TiB: sums of such counts stay far from 64 bits.
const LARGEST_COUNT: u64 = 1 << 48;

/// A count; a fraction, as programs with one number type write it, is dropped.
pub(super) fn count(text: &[u8]) -> Option<u64> {
    decimal(text)
        .map(|(whole, _)| whole)
        .filter(|&whole| whole <= LARGEST_COUNT)
}

/// `digits[.digits]` as the whole part and the fraction's first nine digits.
fn decimal(text: &[u8]) -> Option<(u64, i64)> {
    let mut whole: u64 = 0;
    let mut digits = text.iter().enumerate();
    for (index, &byte) in digits.by_ref() {
        match byte {
            b'0'..=b'9' => whole = whole.checked_mul(10)?.checked_add(u64::from(byte - b'0'))?,
            b'.' if index > 0 => break,
            _ => return None,
        }
    }
    let (mut fraction_ns, mut unit) = (0, NS_PER_S / 10);
    for (_, &byte) in digits {
        if !byte.is_ascii_digit() {
            return None;
        }
        fraction_ns += i64::from(byte - b'0') * unit;
        unit /= 10;
    }
    (!text.is_empty()).then_some((whole, fraction_ns))
}

/// An IP address. A zone (`fe80::1%eth0`) is dropped.
pub(super) fn address(text: &[u8]) -> Option<Address> {
    if let Some(octets) = dotted_quad(text) {
        return Some(Address::v4(octets));
    }
    let text = std::str::from_utf8(text).ok()?;
    let text = text.split_once('%').map_or(text, |(address, _)| address);
    text.parse::<IpAddr>().ok().map(Address::from)
}

/// The plain case by hand: the standard parser costs four times as much, twice a line.
fn dotted_quad(text: &[u8]) -> Option<[u8; 4]> {
    let mut octets = [0; 4];
    let (mut octet, mut value, mut digits) = (0, 0u16, 0);
    for &byte in text {
        match byte {
            b'0'..=b'9' => {
                // "010" is refused, as the standard parser does: some read it as octal.
                if digits == 3 || (digits > 0 && value == 0) {
                    return None;
                }
                value = value * 10 + u16::from(byte - b'0');
                digits += 1;
            }
            b'.' => {
                *octets.get_mut(octet)? = u8::try_from(value).ok().filter(|_| digits > 0)?;
                (octet, value, digits) = (octet + 1, 0, 0);
            }
            _ => return None,
        }
    }
    *octets.get_mut(octet)? = u8::try_from(value).ok().filter(|_| digits > 0)?;
    (octet == 3).then_some(octets)
}

/// A port.
pub(super) fn port(text: &[u8]) -> Option<u16> {
    count(text).and_then(|port| u16::try_from(port).ok())
}

/// A transport protocol by name or number. Zeek calls both ICMPs `icmp` and what it does not know `unknown_transport`,
/// which becomes 255, the number reserved for no protocol.
pub(super) fn transport(text: &[u8], v4: bool) -> Option<Transport> {
    if text.eq_ignore_ascii_case(b"tcp") {
        Some(Transport::TCP)
    } else if text.eq_ignore_ascii_case(b"udp") {
        Some(Transport::UDP)
    } else if text.eq_ignore_ascii_case(b"icmp") {
        Some(if v4 { Transport::ICMP } else { Transport::ICMP6 })
    } else if [&b"icmp6"[..], b"icmpv6", b"ipv6-icmp"]
        .iter()
        .any(|name| text.eq_ignore_ascii_case(name))
    {
        Some(Transport::ICMP6)
    } else if text == b"unknown_transport" {
        Some(Transport(255))
    } else {
        count(text).and_then(|number| u8::try_from(number).ok()).map(Transport)
    }
}

/// A connection state in Zeek's spelling, in either case.
pub(super) fn state(text: &[u8]) -> Option<ConnState> {
    const STATES: [ConnState; 13] = [
        ConnState::Sf,
        ConnState::S0,
        ConnState::S1,
        ConnState::S2,
        ConnState::S3,
        ConnState::Rej,
        ConnState::Rsto,
        ConnState::Rstr,
        ConnState::Rstos0,
        ConnState::Rstrh,
        ConnState::Sh,
        ConnState::Shr,
        ConnState::Oth,
    ];
    STATES
        .into_iter()
        .find(|state| text.eq_ignore_ascii_case(state.name().as_bytes()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_in_every_spelling() {
        let wanted = Some(1_790_000_000_123_456_000);
        assert_eq!(time_ns(b"1790000000.123456"), wanted);
        assert_eq!(time_ns(b"2026-09-21T14:13:20.123456Z"), wanted);
        assert_eq!(time_ns(b"2026-09-21T16:13:20.123456+02:00"), wanted);
        assert_eq!(time_ns(b"1790000000123"), Some(1_790_000_000_123_000_000));
        assert_eq!(time_ns(b"1790000000"), Some(1_790_000_000_000_000_000));
        assert_eq!(time_ns(b"0.0000000019"), Some(1), "beyond nanoseconds is cut");
        for bad in [
            "",
            "-",
            ".",
            ".5",
            "-1.0",
            "1e9",
            "nan",
            "99999999999",
            "99999999999999999999",
            "2026-09-21T14:13:20",
        ] {
            assert_eq!(time_ns(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn protocols_and_states() {
        assert_eq!(transport(b"TCP", true), Some(Transport::TCP));
        assert_eq!(transport(b"icmp", false), Some(Transport::ICMP6));
        assert_eq!(transport(b"47", true), Some(Transport(47)));
        assert_eq!(transport(b"256", true), None);
        assert_eq!(state(b"RSTOS0"), Some(ConnState::Rstos0));
        assert_eq!(state(b"sf"), Some(ConnState::Sf));
        assert_eq!(state(b"SF "), None);
    }

    #[test]
    fn counts_and_ports() {
        assert_eq!(
            (count(b"12"), count(b"12.0"), count(b"-1"), count(b"")),
            (Some(12), Some(12), None, None)
        );
        assert_eq!(
            (count(b"18446744073709551616"), count(b"281474976710657")),
            (None, None)
        );
        assert_eq!((port(b"65535"), port(b"65536")), (Some(65535), None));
        assert_eq!(duration_ns(b"0.000001"), Some(1000));
    }

    proptest! {
        #[test]
        fn the_short_address_parser_agrees_with_the_standard_one(text in "[0-9.]{0,16}|([0-9]{1,3}\\.){3}[0-9]{1,3}") {
            let standard = text.parse::<std::net::Ipv4Addr>().ok().map(|ip| ip.octets());
            prop_assert_eq!(dotted_quad(text.as_bytes()), standard);
        }

        #[test]
        fn addresses_print_back(octets: [u8; 16]) {
            let address = Address::v6(octets);
            prop_assert_eq!(super::address(address.to_string().as_bytes()), Some(address));
        }

        #[test]
        fn no_text_panics(text in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = (time_ns(&text), duration_ns(&text), count(&text), super::address(&text), transport(&text, true));
        }
    }
}

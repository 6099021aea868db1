//! NTP (RFC 5905 section 7.3): whether a datagram is a client's request.
//!
//! In: a datagram. Out: yes or no. What the time is, is nobody's wish here.

/// A packet without extensions, and with the two usual kinds of authenticator (MD5 and SHA-1, key identifier included).
const LENGTHS: [usize; 3] = [48, 68, 72];
/// Symmetric active and client.
const MODES: [u8; 2] = [1, 3];
const VERSIONS: std::ops::RangeInclusive<u8> = 1..=4;
/// Stratum 16 is unsynchronised.
const MOST_STRATUM: u8 = 16;
/// Largest poll exponent (RFC 5905 section 7.2, MAXPOLL).
const MOST_POLL: u8 = 17;

/// Whether it is one.
pub(super) fn is_request(bytes: &[u8]) -> bool {
    let Some([first, stratum, poll, precision, ..]) = bytes.first_chunk::<4>() else {
        return false;
    };
    LENGTHS.contains(&bytes.len())
        && MODES.contains(&(first & 7))
        && VERSIONS.contains(&(first >> 3 & 7))
        && *stratum <= MOST_STRATUM
        && *poll <= MOST_POLL
        // An exponent of two seconds, never above zero.
        && (*precision == 0 || *precision >= 0x80)
        // Root delay and dispersion are at most 16 s (MAXDISP), in units of 2^-16 s.
        && [4, 8].into_iter().all(|place| bytes[place] == 0 && bytes[place + 1] <= 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_known_by_their_form() {
        let mut request = [0; 48];
        for first in [0x1b, 0x23, 0xe3] {
            request[0] = first;
            assert!(is_request(&request), "{first:#x}");
        }
        assert!(!is_request(&request[..47]));
        for (place, value) in [
            (0, 0x24),
            (0, 0x3b),
            (0, 0x03),
            (1, 17),
            (2, 18),
            (3, 1),
            (4, 1),
            (9, 17),
        ] {
            let mut other = request;
            other[place] = value;
            assert!(!is_request(&other), "{place} {value:#x}");
        }
    }
}

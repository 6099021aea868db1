//! One indicator from its text: an address, a network, a domain, a URL's host, a JA4 fingerprint; defanged or not.
//!
//! In: what stands in one field or line of a list. Out: [`Indicator`], or the [`Refusal`] that says why not. Not its job:
//! lines and columns ([`super::list`]).

use std::net::IpAddr;

use balefire_decode::Address;
use balefire_track::Ja4;

use super::name;
use crate::key::is_group;

/// Longest text of one indicator; URLs are the longest.
const MOST_BYTES: usize = 4096;

/// What is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// Addresses with these leading bits, of 128; an IPv4 prefix counts from 96.
    Network(u128, u8),
    /// A domain and everything below it.
    Domain(String),
    /// A TLS client's fingerprint.
    Ja4(Ja4),
}

/// One indicator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Indicator {
    pub(crate) value: Value,
    /// Only at this port; 0 for any.
    pub(crate) port: u16,
}

/// Why a text is no indicator that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Of a file.
    #[error("a file hash: no tap sees it")]
    FileHash,
    /// Of a mailbox.
    #[error("a mail address: only its domain could be met, and that has other mailboxes")]
    MailAddress,
    /// Of a kind that no tap sees, or that is not read.
    #[error("of a kind that is not met on a network")]
    OtherKind,
    /// Marked as not to be used for detection.
    #[error("not marked for detection (to_ids, revoked, indicator_types)")]
    NotForDetection,
    /// Names everything below a suffix under which anybody may register.
    #[error("a public suffix names everybody below it: list the domain itself")]
    PublicSuffix,
    /// None of the accepted forms.
    #[error("neither address, network, domain, URL nor JA4: write one of these per line")]
    NoDomain,
    /// An address nobody can be reached at.
    #[error("no server can have this address (unspecified, loopback, multicast, broadcast)")]
    NoServer,
    /// A prefix that covers a good part of the Internet.
    #[error("covers too much: give IPv4 networks at least /8, IPv6 networks /16")]
    TooWide,
    /// A prefix length, or a port, that there is not.
    #[error("the prefix length or port is out of range")]
    OutOfRange,
    /// Longer than anything that could be met.
    #[error("longer than 4096 bytes")]
    TooLong,
    /// A pattern with operators or objects that are not read.
    #[error("a STIX pattern beyond =, IN, ISSUBSET and OR over addresses, domains and URLs")]
    Pattern,
    /// A time until which it holds that is none.
    #[error("no time: write 2027-01-31 or 2027-01-31T12:00:00Z")]
    NoTime,
    /// A row without anything in the columns that name indicators.
    #[error("nothing in the columns that hold indicators")]
    EmptyRow,
    /// As many as can be kept.
    #[error("beyond the limit of indicators")]
    Limit,
}

impl Refusal {
    /// Whether somebody made a mistake; otherwise the text is fine but of no use to a tap.
    pub(crate) fn is_fault(self) -> bool {
        !matches!(
            self,
            Self::FileHash | Self::MailAddress | Self::OtherKind | Self::NotForDetection | Self::Limit
        )
    }
}

impl Indicator {
    /// Reads one text.
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        let text = text.trim().trim_matches(['"', '\'', '`']).trim();
        if text.len() > MOST_BYTES {
            return Err(Refusal::TooLong);
        }
        let text = refanged(text);
        if let Some((_, rest)) = text.split_once("://") {
            return authority(rest);
        }
        if let Some(ja4) = ja4(&text) {
            return Ok(Self {
                value: Value::Ja4(ja4),
                port: 0,
            });
        }
        if is_file_hash(&text) {
            return Err(Refusal::FileHash);
        }
        if let Some((before, after)) = text.split_once('/') {
            if before.parse::<IpAddr>().is_ok() && !after.is_empty() && after.bytes().all(|byte| byte.is_ascii_digit())
            {
                let (bits, prefix) = network(&text).ok_or(Refusal::OutOfRange)?;
                return served(bits, prefix).map(|value| Self { value, port: 0 });
            }
            return authority(&text);
        }
        if text.contains('@') {
            return Err(Refusal::MailAddress);
        }
        host_and_port(&text)
    }
}

/// An address or a network, bits below the prefix cleared; the prefix counts from 128 bits.
pub(crate) fn network(text: &str) -> Option<(u128, u8)> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix.trim().parse::<u8>().ok()?)),
        None => (text, None),
    };
    let ip: IpAddr = address.trim().parse().ok()?;
    let longest = if ip.is_ipv4() { 32 } else { 128 };
    let prefix = prefix.unwrap_or(longest);
    if prefix > longest {
        return None;
    }
    let prefix = prefix + (128 - longest);
    Some((Address::from(ip).bits() & mask(prefix), prefix))
}

/// The leading bits of a prefix.
pub(crate) fn mask(prefix: u8) -> u128 {
    u128::MAX.checked_shl(u32::from(128 - prefix.min(128))).unwrap_or(0)
}

/// A fingerprint as JA4 writes it: the kind of transport, version and so on in ten characters, then two hashes
/// (<https://github.com/FoxIO-LLC/ja4/blob/main/technical_details/JA4.md>).
pub(crate) fn ja4(text: &str) -> Option<Ja4> {
    let lower = text.to_ascii_lowercase();
    let bytes: [u8; Ja4::BYTES] = lower.as_bytes().try_into().ok()?;
    let hash = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_hexdigit);
    let fits = matches!(bytes[0], b't' | b'q' | b'd')
        && bytes[..10].iter().all(u8::is_ascii_alphanumeric)
        && (bytes[10], bytes[23]) == (b'_', b'_')
        && hash(&bytes[11..23])
        && hash(&bytes[24..]);
    Ja4::new(bytes).filter(|_| fits)
}

/// The value of a network that somebody can serve from.
fn served(bits: u128, prefix: u8) -> Result<Value, Refusal> {
    let address = Address::of_bits(bits);
    let narrowest = if address.is_v4() && prefix >= 96 { 96 + 8 } else { 16 };
    if prefix < narrowest {
        return Err(Refusal::TooWide);
    }
    if is_group(address) {
        return Err(Refusal::NoServer);
    }
    Ok(Value::Network(bits, prefix))
}

/// What follows `://`: user, host, port, path.
fn authority(rest: &str) -> Result<Indicator, Refusal> {
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let authority = &rest[..end];
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    host_and_port(host)
}

fn host_and_port(text: &str) -> Result<Indicator, Refusal> {
    let (host, port) = match (text.strip_prefix('['), text.matches(':').count()) {
        (Some(bracketed), _) => {
            let (host, after) = bracketed.split_once(']').ok_or(Refusal::NoDomain)?;
            (host, after.strip_prefix(':'))
        }
        (None, 1) => text
            .split_once(':')
            .map_or((text, None), |(host, port)| (host, Some(port))),
        _ => (text, None),
    };
    let port = match port {
        None | Some("" | "*") => 0,
        Some(port) => port.parse::<u16>().map_err(|_| Refusal::OutOfRange)?,
    };
    let value = match network(host).filter(|_| !host.contains('/')) {
        Some((bits, prefix)) => served(bits, prefix)?,
        None => Value::Domain(name::normal(host)?),
    };
    Ok(Indicator { value, port })
}

/// Defanged text as it was: `hxxps[:]//evil[.]example` and the like.
fn refanged(text: &str) -> String {
    let mut plain = text.to_owned();
    if plain.contains(['[', '(', '{']) {
        for (fanged, meant) in [
            ("[.]", "."),
            ("(.)", "."),
            ("{.}", "."),
            ("[dot]", "."),
            ("(dot)", "."),
            ("[:]", ":"),
            ("[://]", "://"),
            ("[/]", "/"),
            ("[@]", "@"),
        ] {
            if plain.contains(fanged) {
                plain = plain.replace(fanged, meant);
            }
        }
    }
    plain
}

fn is_file_hash(text: &str) -> bool {
    matches!(text.len(), 32 | 40 | 64 | 96 | 128) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn said(text: &str) -> String {
        match Indicator::parse(text) {
            Ok(Indicator { value, port }) => match value {
                Value::Network(bits, prefix) => format!("{}/{prefix}:{port}", Address::of_bits(bits)),
                Value::Domain(name) => format!("{name}:{port}"),
                Value::Ja4(ja4) => format!("{ja4}:{port}"),
            },
            Err(refusal) => format!("{refusal:?}"),
        }
    }

    #[test]
    fn every_accepted_form() {
        for (text, meant) in [
            ("192.0.2.7", "192.0.2.7/128:0"),
            ("192.0.2[.]7:4443", "192.0.2.7/128:4443"),
            ("198.51.100.77/24", "198.51.100.0/120:0"),
            ("2001:db8::1", "2001:db8::1/128:0"),
            ("[2001:DB8::1]:443", "2001:db8::1/128:443"),
            ("2001:db8:1::/48", "2001:db8:1::/48:0"),
            ("::ffff:192.0.2.7", "192.0.2.7/128:0"),
            ("Evil[.]Example", "evil.example:0"),
            ("evil(dot)example", "evil.example:0"),
            ("evil.example:8080", "evil.example:8080"),
            ("hxxps[:]//user:pw@evil[.]example:8443/a/b?c#d", "evil.example:8443"),
            ("http://192.0.2.7/gate.php", "192.0.2.7/128:0"),
            ("http://[2001:db8::7]/", "2001:db8::7/128:0"),
            ("evil.example/path", "evil.example:0"),
            ("\"evil.example\"", "evil.example:0"),
            (
                "T13d1516h2_8daaf6152771_e5627efa2ab1",
                "t13d1516h2_8daaf6152771_e5627efa2ab1:0",
            ),
        ] {
            assert_eq!(said(text), meant, "{text}");
        }
    }

    #[test]
    fn every_refusal() {
        for (text, why) in [
            ("d41d8cd98f00b204e9800998ecf8427e", "FileHash"),
            ("somebody@evil.example", "MailAddress"),
            ("co.uk", "PublicSuffix"),
            ("https://github.io/", "PublicSuffix"),
            ("word", "NoDomain"),
            ("two words.example", "NoDomain"),
            ("127.0.0.1", "NoServer"),
            ("224.0.0.1", "NoServer"),
            ("0.0.0.0/0", "TooWide"),
            ("::/0", "TooWide"),
            ("64.0.0.0/7", "TooWide"),
            ("192.0.2.0/33", "OutOfRange"),
            ("192.0.2.1:70000", "OutOfRange"),
        ] {
            assert_eq!(said(text), why, "{text}");
        }
        assert_eq!(said(&"a".repeat(5000)), "TooLong");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            let _ = Indicator::parse(&text);
        }

        #[test]
        fn any_address_is_itself(bits in any::<u32>(), port in 1_u16..) {
            let address = std::net::Ipv4Addr::from(bits);
            match Indicator::parse(&format!("{address}:{port}")) {
                Ok(Indicator { value: Value::Network(found, 128), port: at }) => {
                    prop_assert_eq!(Address::of_bits(found), Address::from(IpAddr::V4(address)));
                    prop_assert_eq!(at, port);
                }
                other => prop_assert_eq!(other, Err(Refusal::NoServer)),
            }
        }
    }
}

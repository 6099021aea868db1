//! Names from logs: lower case, capped, free of control characters, with the port split off where there is one.

use crate::NameKind;

use super::entry::Name;
use super::value;

/// The longest name DNS allows, in text form (RFC 1035 section 2.3.4).
const MAX_NAME_BYTES: usize = 253;

/// A server name as it is. An address names nothing.
pub(super) fn plain(kind: NameKind, text: &[u8]) -> Option<Name> {
    if value::address(text).is_some() {
        return None;
    }
    Some(Name {
        text: clean(text)?,
        kind,
        port: 0,
    })
}

/// `host`, `host:port` or `[v6]:port`. The target of a CONNECT counts as a name even if it is an address: it is the server
/// that the proxy hides.
pub(super) fn with_port(kind: NameKind, text: &[u8]) -> Option<Name> {
    let (host, port) = split_port(text);
    if kind == NameKind::ConnectTarget {
        return Some(Name {
            text: clean(host)?,
            kind,
            port,
        });
    }
    plain(kind, host).map(|name| Name { port, ..name })
}

/// The authority of an absolute URI, `http://host:port/path`.
pub(super) fn authority(uri: &[u8]) -> Option<&[u8]> {
    let scheme = uri.windows(3).take(16).position(|three| three == b"://")?;
    let rest = &uri[scheme + 3..];
    let end = rest
        .iter()
        .position(|byte| matches!(byte, b'/' | b'?' | b'#'))
        .unwrap_or(rest.len());
    let authority = &rest[..end];
    let user = authority.iter().rposition(|&byte| byte == b'@').map_or(0, |at| at + 1);
    Some(&authority[user..])
}

fn split_port(text: &[u8]) -> (&[u8], u16) {
    if let Some(bracketed) = text.strip_prefix(b"[") {
        let Some(end) = bracketed.iter().position(|&byte| byte == b']') else {
            return (bracketed, 0);
        };
        let port = bracketed[end + 1..].strip_prefix(b":").and_then(value::port);
        return (&bracketed[..end], port.unwrap_or(0));
    }
    let mut colons = text.iter().enumerate().filter(|&(_, &byte)| byte == b':');
    match (colons.next(), colons.next()) {
        (Some((colon, _)), None) => (&text[..colon], value::port(&text[colon + 1..]).unwrap_or(0)),
        _ => (text, 0),
    }
}

/// Zeek writes bytes it does not print as `\xNN`; that is undone before the name is cleaned, so that a name is the same
/// whichever log it came from. What is not printable ASCII becomes `?`, as do the characters that would break a table.
fn clean(text: &[u8]) -> Option<Box<str>> {
    let mut name = String::with_capacity(text.len().min(MAX_NAME_BYTES));
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        if name.len() == MAX_NAME_BYTES {
            break;
        }
        let (byte, after) = match after {
            [b'x', high, low, after @ ..] if first == b'\\' => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, after),
                _ => (first, &rest[1..]),
            },
            _ => (first, after),
        };
        name.push(if byte.is_ascii_graphic() {
            char::from(byte.to_ascii_lowercase())
        } else {
            '?'
        });
        rest = after;
    }
    if name.ends_with('.') {
        name.pop();
    }
    (!name.is_empty()).then(|| name.into_boxed_str())
}

pub(super) fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(name: Option<Name>) -> Option<(String, u16)> {
        name.map(|name| (name.text.into_string(), name.port))
    }

    #[test]
    fn ports_are_split_off() {
        let host = |raw: &str| text(with_port(NameKind::HttpHost, raw.as_bytes()));
        assert_eq!(host("Example.COM:8080"), Some(("example.com".into(), 8080)));
        assert_eq!(host("example.com."), Some(("example.com".into(), 0)));
        assert_eq!(host("192.0.2.1:80"), None, "an address is no name");
        assert_eq!(host("[2001:db8::1]:443"), None);
        let target = |raw: &str| text(with_port(NameKind::ConnectTarget, raw.as_bytes()));
        assert_eq!(target("192.0.2.1:443"), Some(("192.0.2.1".into(), 443)));
        assert_eq!(target("[2001:db8::1]:443"), Some(("2001:db8::1".into(), 443)));
        assert_eq!(target(":443"), None);
    }

    #[test]
    fn absolute_uris_name_the_host() {
        assert_eq!(
            authority(b"http://user@example.com:81/a?b"),
            Some(&b"example.com:81"[..])
        );
        assert_eq!(authority(b"/path"), None);
    }

    #[test]
    fn escapes_are_undone_and_control_characters_are_not_let_through() {
        let name = plain(NameKind::Sni, b"a\\x41\\x1b[31m\\xzz b\xff").expect("a name");
        assert_eq!(&*name.text, "aa?[31m\\xzz?b?");
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_short_printable_name(raw in proptest::collection::vec(any::<u8>(), 0..400)) {
            for kind in [NameKind::Sni, NameKind::ConnectTarget] {
                if let Some(name) = with_port(kind, &raw) {
                    prop_assert!(!name.text.is_empty() && name.text.len() <= MAX_NAME_BYTES);
                    prop_assert!(name.text.bytes().all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase()));
                }
            }
            let _ = authority(&raw);
        }
    }
}

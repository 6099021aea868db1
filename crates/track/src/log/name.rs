//! Names from logs, made the same as those from packets.

use std::borrow::Cow;

use crate::NameKind;
use crate::application::name::{Name as Harmless, split_authority};

use super::entry::Name;

/// A server name as it is.
pub(super) fn plain(kind: NameKind, text: &[u8]) -> Option<Name> {
    named(kind, &unescaped(text), 0)
}

/// `host`, `host:port` or `[v6]:port`.
pub(super) fn with_port(kind: NameKind, text: &[u8]) -> Option<Name> {
    let text = unescaped(text);
    let (host, port) = split_authority(text.trim_ascii());
    named(kind, host, port)
}

/// The authority of an absolute URI, `http://host:port/path`.
pub(super) fn authority(uri: &[u8]) -> Option<&[u8]> {
    /// The longest scheme that is looked for; a path may hold a URI of its own further on.
    const SCHEME_BYTES: usize = 16;
    let scheme = uri.windows(3).take(SCHEME_BYTES).position(|three| three == b"://")?;
    let rest = &uri[scheme + 3..];
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#'));
    Some(&rest[..end.unwrap_or(rest.len())])
}

fn named(kind: NameKind, text: &[u8], port: u16) -> Option<Name> {
    let name = Harmless::of_host(text);
    let text: Box<str> = name.text().into();
    (!text.is_empty()).then_some(Name { text, kind, port })
}

/// Zeek writes bytes it does not print as `\xNN`; undone, so that a name is the same whichever log it came from.
pub(super) fn unescaped(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'\\') {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        let escape = match rest {
            [b'\\', b'x', high, low, after @ ..] => {
                hex(*high).zip(hex(*low)).map(|(high, low)| (high << 4 | low, after))
            }
            _ => None,
        };
        let (byte, after) = escape.unwrap_or((first, after));
        bytes.push(byte);
        rest = after;
    }
    Cow::Owned(bytes)
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
        assert_eq!(host("[2001:db8::1]:443"), Some(("2001:db8::1".into(), 443)));
        assert_eq!(host(":443"), None);
    }

    #[test]
    fn absolute_uris_name_the_host() {
        assert_eq!(
            authority(b"http://user@example.com:81/a?b"),
            Some(&b"user@example.com:81"[..])
        );
        assert_eq!(authority(b"/path"), None);
        assert_eq!(authority(b"/redirect/far/away?to=http://example.com"), None);
    }

    #[test]
    fn escapes_are_undone_and_control_characters_are_not_let_through() {
        let name = plain(NameKind::Sni, b"a\\x41\\x1b[31m\\xzz").expect("a name");
        assert_eq!(&*name.text, "aa\\027[31m\\092xzz");
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_short_printable_name(raw in proptest::collection::vec(any::<u8>(), 0..400)) {
            for kind in [NameKind::Sni, NameKind::ConnectTarget] {
                if let Some(name) = with_port(kind, &raw) {
                    prop_assert!(!name.text.is_empty() && name.text.len() <= 253);
                    prop_assert!(name.text.bytes().all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase()));
                }
            }
            let _ = authority(&raw);
        }
    }
}

//! Names from the wire made harmless: lower case, printable ASCII, capped.
//!
//! In: bytes. Out: [`Name`]. A byte that is no printable character is written as its decimal escape, `\ddd`, as
//! zone files do (RFC 1035 section 5.1), so that different names stay different. Of a name that is too long the right
//! end is kept, because that is where the registered domain stands.

/// Longest name kept: the longest a host name can be (RFC 1035 section 2.3.4, less length and root octets).
const NAME_BYTES: usize = 253;

/// A harmless name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Name {
    /// Filled from the right.
    bytes: [u8; NAME_BYTES],
    start: usize,
    truncated: bool,
}

impl Name {
    /// A host name as protocols carry it in text.
    pub(crate) fn of_host(text: &[u8]) -> Self {
        let text = text.trim_ascii();
        let text = text.strip_suffix(b".").unwrap_or(text);
        let mut name = Self::EMPTY;
        if !name.prepend_plain(text, is_plain) {
            for byte in text.iter().rev() {
                if name.truncated {
                    break;
                }
                name.prepend(*byte);
            }
        }
        name
    }

    /// A name of plain labels as it stands in a message, from its first length octet to before the root's; `labels` are the
    /// places of the length octets. None if it is not that plain, or too long.
    pub(super) fn of_plain_octets(octets: &[u8], labels: &[u8]) -> Option<Self> {
        let text = octets.get(1..)?;
        let mut name = Self::EMPTY;
        let start = NAME_BYTES.checked_sub(text.len())?;
        let room = &mut name.bytes[start..];
        for (to, from) in room.iter_mut().zip(text) {
            *to = from.to_ascii_lowercase();
        }
        for place in labels.iter().skip(1) {
            *room.get_mut(usize::from(*place).checked_sub(1)?)? = b'.';
        }
        // Without a way out of the loop it is done many bytes at a time. A dot in a label is one too many.
        let all_plain = room.iter().fold(true, |plain, byte| plain & is_plain(*byte));
        let dots = room
            .iter()
            .fold(0_u8, |dots, byte| dots.wrapping_add(u8::from(*byte == b'.')));
        name.start = start;
        (all_plain && usize::from(dots) + 1 == labels.len()).then_some(name)
    }

    /// A name as labels; a dot inside a label is escaped.
    pub(super) fn of_labels<'a>(labels: impl DoubleEndedIterator<Item = &'a [u8]>) -> Self {
        let mut name = Self::EMPTY;
        for (place, label) in labels.rev().enumerate() {
            if place > 0 {
                name.prepend_all(b".");
            }
            if name.prepend_plain(label, |byte| is_plain(byte) && byte != b'.') {
                continue;
            }
            for byte in label.iter().rev() {
                if *byte == b'.' {
                    name.prepend_all(b"\\046")
                } else {
                    name.prepend(*byte)
                }
            }
        }
        name
    }

    /// The name; empty if there was none.
    pub(crate) fn text(&self) -> &str {
        // Only ASCII is ever put in.
        std::str::from_utf8(&self.bytes[self.start..]).unwrap_or_default()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.start == NAME_BYTES
    }

    pub(super) const fn is_truncated(&self) -> bool {
        self.truncated
    }

    const EMPTY: Self = Self {
        bytes: [0; NAME_BYTES],
        start: NAME_BYTES,
        truncated: false,
    };

    /// Nearly all names and labels are plain and fit: those are taken in one piece. Says whether this was one.
    #[inline]
    fn prepend_plain(&mut self, bytes: &[u8], is_plain: impl Fn(u8) -> bool) -> bool {
        // Without a way out of the loop it is done many bytes at a time.
        let all_plain = bytes.iter().fold(true, |plain, byte| plain & is_plain(*byte));
        match self.start.checked_sub(bytes.len()) {
            Some(start) if all_plain && !self.truncated => {
                for (to, from) in self.bytes[start..self.start].iter_mut().zip(bytes) {
                    *to = from.to_ascii_lowercase();
                }
                self.start = start;
                true
            }
            _ => false,
        }
    }

    fn prepend(&mut self, byte: u8) {
        match byte {
            b'\\' => self.prepend_all(b"\\092"),
            b'!'..=b'~' => self.prepend_all(&[byte.to_ascii_lowercase()]),
            _ => {
                let digit = |value: u8| b'0' + value % 10;
                self.prepend_all(&[b'\\', digit(byte / 100), digit(byte / 10), digit(byte)]);
            }
        }
    }

    fn prepend_all(&mut self, bytes: &[u8]) {
        match self.start.checked_sub(bytes.len()) {
            Some(start) if !self.truncated => {
                self.bytes[start..self.start].copy_from_slice(bytes);
                self.start = start;
            }
            _ => self.truncated = true,
        }
    }
}

/// Whether a byte stands for itself, in lower case.
const fn is_plain(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~') && byte != b'\\'
}

/// Splits `host`, `host:port` or `[v6]:port`, with or without `user@`, into host and port; 0 if there is none.
pub(crate) fn split_authority(authority: &[u8]) -> (&[u8], u16) {
    let host_port = match authority.iter().rposition(|byte| *byte == b'@') {
        Some(at) => &authority[at + 1..],
        None => authority,
    };
    if let Some(rest) = host_port.strip_prefix(b"[") {
        let end = rest.iter().position(|byte| *byte == b']').unwrap_or(rest.len());
        let after = rest.get(end + 1..).unwrap_or_default();
        return (&rest[..end], after.strip_prefix(b":").map_or(0, port));
    }
    let mut colons = host_port
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b':')
        .map(|(place, _)| place);
    match (colons.next(), colons.next()) {
        (Some(colon), None) => (&host_port[..colon], port(&host_port[colon + 1..])),
        _ => (host_port, 0),
    }
}

fn port(text: &[u8]) -> u16 {
    std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lowered_escaped_and_stripped_of_the_root() {
        assert_eq!(Name::of_host(b" WWW.Example.COM. ").text(), "www.example.com");
        assert_eq!(
            Name::of_host(b"a\x1b[31m\xe2\x80\xae").text(),
            "a\\027[31m\\226\\128\\174"
        );
        assert_eq!(
            Name::of_labels([&b"a.b"[..], b"\\x", b"COM"].into_iter()).text(),
            "a\\046b.\\092x.com"
        );
    }

    #[test]
    fn the_right_end_of_a_long_name_is_kept() {
        let mut long = vec![b'a'; 300];
        long.extend(b".example.com");
        let name = Name::of_host(&long);
        assert!(name.is_truncated() && name.text().ends_with("a.example.com"));
        assert_eq!(name.text().len(), 253);
        // An escape is kept whole or not at all.
        let name = Name::of_host(&[0; 100]);
        assert_eq!(name.text().len(), 252);
    }

    #[test]
    fn authorities_split() {
        for (authority, host, port) in [
            (&b"example.com"[..], &b"example.com"[..], 0),
            (b"example.com:8443", b"example.com", 8443),
            (b"user:pass@example.com:1", b"example.com", 1),
            (b"[2001:db8::1]:443", b"2001:db8::1", 443),
            (b"[2001:db8::1]", b"2001:db8::1", 0),
            (b"2001:db8::1", b"2001:db8::1", 0),
            (b"[", b"", 0),
            (b"x:99999", b"x", 0),
            (b"", b"", 0),
        ] {
            assert_eq!(split_authority(authority), (host, port), "{authority:?}");
        }
    }
}

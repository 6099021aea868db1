//! Texts from the wire made harmless: printable ASCII, capped; case and left end are kept.
//!
//! In: bytes. Out: [`Text`]. Another byte is written as its decimal escape, `\ddd`, as in names, so that different texts
//! stay different.

/// A harmless text of at most `BYTES` bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<const BYTES: usize> {
    bytes: [u8; BYTES],
    length: usize,
    is_truncated: bool,
}

impl<const BYTES: usize> Text<BYTES> {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut text = Self {
            bytes: [0; BYTES],
            length: 0,
            is_truncated: false,
        };
        // Nearly all of them are harmless: those are taken at once.
        let kept = &bytes[..bytes.len().min(BYTES)];
        let mut harmless = 0;
        while kept.get(harmless).is_some_and(|byte| is_harmless(*byte)) {
            harmless += 1;
        }
        text.append(&kept[..harmless]);
        for byte in &bytes[harmless..] {
            match byte {
                b'\\' => text.append(b"\\092"),
                _ if is_harmless(*byte) => text.append(&[*byte]),
                _ => {
                    let digit = |value: u8| b'0' + value % 10;
                    text.append(&[b'\\', digit(byte / 100), digit(byte / 10), digit(*byte)]);
                }
            }
            if text.is_truncated {
                break;
            }
        }
        text
    }

    pub(crate) fn text(&self) -> &str {
        // Only ASCII is ever put in.
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }

    pub(super) const fn is_truncated(&self) -> bool {
        self.is_truncated
    }

    fn append(&mut self, bytes: &[u8]) {
        match self.bytes.get_mut(self.length..self.length + bytes.len()) {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.length += bytes.len();
            }
            None => self.is_truncated = true,
        }
    }
}

const fn is_harmless(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'\\'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped_and_cut_at_the_right_end() {
        let text = Text::<16>::of(b"A b\\\x1b[");
        assert_eq!((text.text(), text.is_truncated()), ("A b\\092\\027[", false));
        // An escape is kept whole or not at all.
        let text = Text::<6>::of(b"abc\xff");
        assert_eq!((text.text(), text.is_truncated()), ("abc", true));
        for (from, to, is_truncated) in [("", "", false), ("abc", "abc", false), ("abcd", "abc", true)] {
            let text = Text::<3>::of(from.as_bytes());
            assert_eq!((text.text(), text.is_truncated()), (to, is_truncated));
        }
    }
}

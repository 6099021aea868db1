//! Texts from the wire made harmless: printable ASCII, capped; case and left end are kept.
//!
//! In: bytes. Out: [`Text`]. Another byte is written as its decimal escape, `\ddd`, as in names, so that different texts
//! stay different.

/// A harmless text of at most `BYTES` bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<const BYTES: usize> {
    bytes: [u8; BYTES],
    length: usize,
    is_truncated: bool,
}

impl<const BYTES: usize> Text<BYTES> {
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut text = Self {
            bytes: [0; BYTES],
            length: 0,
            is_truncated: false,
        };
        for byte in bytes {
            match byte {
                b'\\' => text.append(b"\\092"),
                b' '..=b'~' => text.append(&[*byte]),
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

    pub(super) fn text(&self) -> &str {
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
    }
}

//! Keys from a terminal in raw mode.
//!
//! In: bytes of standard input. Out: [`Key`]s. Read here and not by the terminal library, which goes on for ever, at full speed,
//! on a terminal that has gone away: a console of a program that runs for months must see that and end. Not its job: what a key
//! means (`app`).

use std::io;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::app::Key;

/// After an Escape: how long the rest of a sequence may take, even over a slow line. Later it was the key itself.
const SEQUENCE: Duration = Duration::from_millis(50);
/// Sequences are shorter; a longer one is noise.
const LONGEST_SEQUENCE: usize = 16;

/// See the head of this file.
#[derive(Debug, Default)]
pub(crate) struct Keyboard {
    begun: Vec<u8>,
}

impl Keyboard {
    /// The keys pressed until `patience` is over, or sooner.
    ///
    /// # Errors
    /// The terminal has gone away.
    pub(crate) fn wait(&mut self, patience: Duration) -> io::Result<Vec<Key>> {
        let patience = if self.begun.is_empty() { patience } else { SEQUENCE };
        if readable(patience)? {
            let mut buffer = [0; 256];
            match rustix::io::read(io::stdin(), &mut buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(bytes) => self.begun.extend_from_slice(&buffer[..bytes]),
                Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
                Err(error) => return Err(error.into()),
            }
            Ok(self.take(false))
        } else {
            Ok(self.take(true))
        }
    }

    /// The keys in what has come; `over` says that no more of a sequence will.
    fn take(&mut self, over: bool) -> Vec<Key> {
        let mut keys = Vec::new();
        let mut rest = &self.begun[..];
        while !rest.is_empty() {
            match first(rest) {
                Some((key, bytes)) => {
                    keys.extend(key);
                    rest = &rest[bytes..];
                }
                None if over || rest.len() > LONGEST_SEQUENCE => {
                    // An Escape with nothing behind it is the key; of anything else the first byte is noise.
                    keys.extend((rest == [0x1b]).then_some(Key::Escape));
                    rest = &rest[1..];
                }
                None => break,
            }
        }
        self.begun = rest.to_vec();
        keys
    }
}

fn readable(patience: Duration) -> io::Result<bool> {
    let stdin = io::stdin();
    let mut watched = [PollFd::new(&stdin, PollFlags::IN)];
    let timeout = Timespec {
        tv_sec: patience.as_secs().cast_signed(),
        tv_nsec: i64::from(patience.subsec_nanos()),
    };
    match poll(&mut watched, Some(&timeout)) {
        // Also where it hung up: reading says so.
        Ok(ready) => Ok(ready > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The first key (`None` for a sequence that means nothing here) and its bytes, or `None` where it is not whole.
fn first(bytes: &[u8]) -> Option<(Option<Key>, usize)> {
    let key = match bytes[0] {
        0x1b => return sequence(bytes),
        b'\r' | b'\n' => Key::Enter,
        b'\t' => Key::Tab,
        0x7f | 0x08 => Key::Backspace,
        control @ 1..=26 => Key::Control(char::from(control - 1 + b'a')),
        0..0x20 => return Some((None, 1)),
        _ => return letter(bytes),
    };
    Some((Some(key), 1))
}

/// A letter in UTF-8.
fn letter(bytes: &[u8]) -> Option<(Option<Key>, usize)> {
    let length = match bytes[0] {
        0..0x80 => 1,
        0xc0..0xe0 => 2,
        0xe0..0xf0 => 3,
        0xf0..0xf8 => 4,
        _ => return Some((None, 1)),
    };
    let text = bytes.get(..length)?;
    match std::str::from_utf8(text) {
        Ok(text) => Some((text.chars().next().map(Key::Char), length)),
        Err(_) => Some((None, 1)),
    }
}

/// ECMA-48 control sequences as xterm, linux and VT terminals send them: `ESC [ parameters letter`, and `ESC O letter`.
fn sequence(bytes: &[u8]) -> Option<(Option<Key>, usize)> {
    let (parameters, last) = match bytes.get(1)? {
        b'O' => (&[][..], 2),
        b'[' => {
            let end = bytes[2..].iter().position(|byte| (0x40..=0x7e).contains(byte))?;
            (&bytes[2..2 + end], 2 + end)
        }
        // Escape, and then an other key.
        _ => return Some((Some(Key::Escape), 1)),
    };
    let number = parameters.split(|byte| *byte == b';').next().unwrap_or_default();
    let key = match (bytes.get(last)?, number) {
        (b'A', _) => Some(Key::Up),
        (b'B', _) => Some(Key::Down),
        (b'C', _) => Some(Key::Right),
        (b'D', _) => Some(Key::Left),
        (b'H', _) | (b'~', b"1" | b"7") => Some(Key::Home),
        (b'F', _) | (b'~', b"4" | b"8") => Some(Key::End),
        (b'Z', _) => Some(Key::BackTab),
        (b'M', b"") => Some(Key::Enter),
        (b'~', b"5") => Some(Key::PageUp),
        (b'~', b"6") => Some(Key::PageDown),
        _ => None,
    };
    Some((key, last + 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        let mut keyboard = Keyboard { begun: bytes.to_vec() };
        let mut keys = keyboard.take(false);
        keys.extend(keyboard.take(true));
        keys
    }

    #[test]
    fn keys_as_terminals_send_them() {
        assert_eq!(
            keys(b"q\r\t\x7f\x03"),
            [Key::Char('q'), Key::Enter, Key::Tab, Key::Backspace, Key::Control('c')]
        );
        assert_eq!(
            keys(b"\x1b[A\x1bOB\x1b[1;5C\x1b[5~\x1b[6~"),
            [Key::Up, Key::Down, Key::Right, Key::PageUp, Key::PageDown]
        );
        assert_eq!(
            keys(b"\x1b[Z\x1b[1~\x1b[F\x1b[15~"),
            [Key::BackTab, Key::Home, Key::End]
        );
        assert_eq!(keys("ü日".as_bytes()), [Key::Char('ü'), Key::Char('日')]);
        assert_eq!(keys(b"\x1b"), [Key::Escape]);
        assert_eq!(keys(b"\x1bq"), [Key::Escape, Key::Char('q')]);
    }

    #[test]
    fn a_sequence_in_two_pieces_is_one_key() {
        let mut keyboard = Keyboard::default();
        keyboard.begun.extend(b"\x1b[");
        assert!(keyboard.take(false).is_empty());
        keyboard.begun.extend(b"6~");
        assert_eq!(keyboard.take(false), [Key::PageDown]);
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut keyboard = Keyboard { begun: bytes };
            keyboard.take(true);
            prop_assert!(keyboard.begun.is_empty());
        }
    }
}

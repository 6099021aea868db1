//! How a page may look: colour or none.
//!
//! In: the program's word on the terminal. Out: text wrapped in ANSI colour, or as it is. Colour carries only class and
//! loss, and is never their only carrier. Not its job: asking the terminal (the program does).

use balefire_detect::Class;

/// How text is dressed. The default is plain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Write ANSI colours: only to a terminal, and not where `NO_COLOR` is set.
    pub colour: bool,
}

impl Style {
    pub(crate) fn class(self, class: Class, text: &str) -> String {
        let code = match class {
            Class::Suspected => "33",
            Class::Probable => "31",
            Class::Confirmed => "1;31",
        };
        self.wrap(code, text)
    }

    pub(crate) fn loss(self, text: &str) -> String {
        self.wrap("31", text)
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

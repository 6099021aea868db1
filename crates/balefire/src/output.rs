//! Standard output and standard error, and what a terminal can take.
//!
//! In: finished text. Out: the same on its stream. A reader that has gone away (`balefire read ... | head`) is no error.
//! What the program says in passing is also remembered for consoles, and waits while a full-screen one has the terminal.
//! Not its job: making the text.

use std::collections::VecDeque;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::SystemTime;

use balefire_report::{Style, clean, counted};
use parking_lot::Mutex;

use crate::exit::Failure;

/// Writes to standard output; a closed pipe is success.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::failed(format!("standard output: {error}"))),
        Ok(()) => Ok(()),
    }
}

/// One line (or a few) on standard error, in the program's name; file names in it cannot draw. Nothing can be done if
/// that fails.
pub(crate) fn complain(message: &str) {
    let lines: Vec<String> = message.lines().map(clean).collect();
    remark(&format!("balefire: {}", lines.join("\n")));
}

/// One line on standard error, as it is; consoles show it among the events.
pub(crate) fn remark(line: &str) {
    remember(line);
    figures(line);
}

/// One line of figures on standard error: not among the events, as consoles have pages for them.
pub(crate) fn figures(line: &str) {
    let mut words = WORDS.lock();
    let Some(held) = &mut words.held else {
        drop(words);
        let _ = writeln!(io::stderr().lock(), "{line}");
        return;
    };
    if held.len() < MOST_HELD {
        held.push(line.to_owned());
    } else {
        words.unheld += 1;
    }
}

/// Lines that wait for standard error while a full-screen console has the terminal; more are counted.
const MOST_HELD: usize = 200;
/// Remarks remembered for a console.
const MOST_REMEMBERED: usize = 100;

/// What was said lately.
struct Words {
    /// With their times, and numbered on from 1 by `said`.
    last: VecDeque<(SystemTime, String)>,
    said: u64,
    /// `Some` while a console has the terminal.
    held: Option<Vec<String>>,
    unheld: u64,
}

static WORDS: Mutex<Words> = Mutex::new(Words {
    last: VecDeque::new(),
    said: 0,
    held: None,
    unheld: 0,
});

fn remember(line: &str) {
    let mut words = WORDS.lock();
    if words.last.len() >= MOST_REMEMBERED {
        words.last.pop_front();
    }
    words.last.push_back((SystemTime::now(), line.to_owned()));
    words.said += 1;
}

/// Remarks since the one of this number (0 for all that are remembered), and the number of the newest.
pub(crate) fn said_since(number: u64) -> (Vec<(SystemTime, String)>, u64) {
    let words = WORDS.lock();
    let new = usize::try_from(words.said.saturating_sub(number)).unwrap_or(usize::MAX);
    let old = words.last.len().saturating_sub(new);
    (words.last.iter().skip(old).cloned().collect(), words.said)
}

/// From now on nothing is written to standard error: a full-screen console has the terminal.
pub(crate) fn hold() {
    WORDS.lock().held.get_or_insert_default();
}

/// Writes what has waited.
pub(crate) fn release() {
    let (held, unheld) = {
        let mut words = WORDS.lock();
        (words.held.take().unwrap_or_default(), std::mem::take(&mut words.unheld))
    };
    held.iter().for_each(|line| figures(line));
    if unheld > 0 {
        figures(&format!("balefire: and {}", counted(unheld, "more line")));
    }
}

/// Writes a file the operator named, whole.
pub(crate) fn write_file(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(|error| {
        Failure::failed(format!(
            "{}: {error}; give a file in a folder that exists and has room",
            path.display()
        ))
    })
}

/// How standard output may look.
pub(crate) fn stdout_style() -> Style {
    Style {
        colour: io::stdout().is_terminal() && colour_is_wanted(),
    }
}

/// How standard error may look.
pub(crate) fn stderr_style() -> Style {
    Style {
        colour: stderr_is_terminal() && colour_is_wanted(),
    }
}

pub(crate) fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// <https://no-color.org>: any value but the empty one asks for none; a terminal that calls itself dumb can show none.
fn colour_is_wanted() -> bool {
    let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    !no_colour && !dumb
}

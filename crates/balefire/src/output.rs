//! Standard output and standard error, and what a terminal can take.
//!
//! In: finished text. Out: the same on its stream. A reader that has gone away (`balefire read ... | head`) is no error.
//! Not its job: making the text.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use balefire_report::{Style, clean};

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
    let _ = writeln!(io::stderr().lock(), "balefire: {}", lines.join("\n"));
}

/// One line on standard error, as it is.
pub(crate) fn remark(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
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

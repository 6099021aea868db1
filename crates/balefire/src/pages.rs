//! `balefire completions` and `balefire man`: what a package carries beside the program, made from its own flags.
//!
//! In: a shell's name, or a folder. Out: completions on standard output; one manual page for the program and one for each of its
//! commands. Not its job: the texts, which are those of `--help` (`flags`).

use std::fs;
use std::path::Path;

use balefire_report::clean;
use clap::CommandFactory;
use clap_complete::{Shell, generate};

use crate::exit::{Exit, Failure};
use crate::flags::Flags;
use crate::output;

pub(crate) fn completions(shell: Shell) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    generate(shell, &mut Flags::command(), "balefire", &mut script);
    output::print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}

pub(crate) fn man(folder: &Path) -> Result<Exit, Failure> {
    let failed = |error: std::io::Error| Failure::failed(clean(&format!("{}: {error}", folder.display())));
    fs::create_dir_all(folder).map_err(failed)?;
    clap_mangen::generate_to(Flags::command(), folder).map_err(failed)?;
    Ok(Exit::Done)
}

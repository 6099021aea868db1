//! `balefire`: finds the hosts behind a network tap that are controlled from outside, and the servers that control them.
//!
//! In: flags, a settings file, signals. Out: pages, documents, files, an exit code. Not its job: any of the work between,
//! which the libraries beside it do: `capture`, `decode`, `track`, `detect`, `pipeline`, `report`, `archive`.

mod allow;
mod archive;
mod config;
mod console;
mod doctor;
mod exit;
mod flags;
mod intel;
mod interfaces;
mod keep;
mod lists;
mod live;
mod logs;
mod output;
mod pages;
mod plan;
mod profile;
mod read;
mod report;
mod run;
mod service;
mod settings;
mod signals;
mod stats;
mod synth;
mod top;
mod values;

use std::process::ExitCode;

use clap::Parser;

use crate::exit::{Exit, Failure};
use crate::flags::{Command, Flags};

fn main() -> ExitCode {
    // clap prints usage errors itself, with exit code 2, and help and version with 0.
    let flags = Flags::parse();
    let exit = run(flags).unwrap_or_else(|failure| {
        output::complain(&failure.to_string());
        failure.exit
    });
    exit.into()
}

fn run(flags: Flags) -> Result<Exit, Failure> {
    match flags.command {
        Command::Read(flags) => read::run(&flags),
        Command::Live(flags) => live::run(&flags),
        Command::Run(flags) => service::daemon::run(&flags),
        Command::Ctl(flags) => service::ctl::run(&flags),
        Command::Top(flags) => top::run(&flags),
        Command::Stats(flags) => stats::run(&flags),
        Command::Synth(flags) => synth::run(&flags),
        Command::Archive(command) => archive::run(&command),
        Command::Report(flags) => report::run(&flags),
        Command::Interfaces => interfaces::run(),
        Command::Doctor(flags) => doctor::run(&flags),
        Command::Intel(command) => intel::run(&command),
        Command::Allow(command) => allow::run(&command),
        Command::Config(command) => config::run(&command),
        Command::Completions { shell } => pages::completions(shell),
        Command::Man { folder } => pages::man(&folder),
    }
}

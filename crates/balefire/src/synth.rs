//! `balefire synth`: writes a capture of a made-up office, the same for the same flags on every machine.
//!
//! In: the flags of a scenario, which the generator names and reads itself. Out: a capture file. Not its job: making packets
//! (`capture::synthetic`).

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use balefire_capture::synthetic::{Scenario, write_capture};
use balefire_report::counted;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, FromArgMatches};

use crate::exit::{Exit, Failure};
use crate::output;

/// Where to, and what was given, in the order of the command line.
#[derive(Clone, Debug)]
pub(crate) struct SynthFlags {
    out: PathBuf,
    given: Vec<(String, String)>,
}

impl Args for SynthFlags {
    fn augment_args(command: clap::Command) -> clap::Command {
        let out = Arg::new("out")
            .long("out")
            .value_name("FILE")
            .required(true)
            .value_parser(clap::value_parser!(PathBuf))
            .help("Capture file to write (pcap, nanoseconds); `-` is standard output");
        let flags = Scenario::FLAGS.iter().map(|&(name, help)| {
            Arg::new(name)
                .long(name)
                .value_name("VALUE")
                .action(ArgAction::Append)
                .help(help)
        });
        command.arg(out).args(flags)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SynthFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut given = Vec::new();
        for &(name, _) in Scenario::FLAGS {
            if matches.value_source(name) == Some(ValueSource::CommandLine) {
                let values = matches.get_many::<String>(name).unwrap_or_default();
                given.extend(values.map(|value| (name.to_owned(), value.clone())));
            }
        }
        let out = matches.get_one::<PathBuf>("out").cloned();
        let out =
            out.ok_or_else(|| clap::Error::raw(clap::error::ErrorKind::MissingRequiredArgument, "--out FILE\n"))?;
        Ok(Self { out, given })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

pub(crate) fn run(flags: &SynthFlags) -> Result<Exit, Failure> {
    let mut scenario = Scenario::default();
    for (name, value) in &flags.given {
        scenario
            .set(name, value)
            .map_err(|error| Failure::usage(format!("--{error}")))?;
    }
    let failed = |error: std::io::Error| Failure::failed(format!("{}: {error}", flags.out.display()));
    let file: Box<dyn Write> = if flags.out.as_os_str() == "-" {
        Box::new(std::io::stdout().lock())
    } else {
        Box::new(File::create(&flags.out).map_err(failed)?)
    };
    let packets = match write_capture(&scenario, BufWriter::with_capacity(1 << 20, file)) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(Exit::Done),
        written => written.map_err(failed)?,
    };
    output::remark(&format!("{}: {}", flags.out.display(), counted(packets, "packet")));
    Ok(Exit::Done)
}

//! `balefire config check` and `balefire config dump`: the settings in effect.
//!
//! In: what was typed. Out: a word that they can be used, or the settings as TOML. Not its job: what they mean (`settings`).

use balefire_detect::Home;

use crate::exit::{Exit, Failure};
use crate::flags::{ConfigCommand, SettingFlags};
use crate::service::refuse;
use crate::settings::{RunSection, Settings, cores};
use crate::{lists, output, plan, read};

pub(crate) fn run(command: &ConfigCommand) -> Result<Exit, Failure> {
    match command {
        ConfigCommand::Check(flags) => check(flags)?,
        ConfigCommand::Dump(flags) => output::print(&dump(&Settings::load(flags)?)?)?,
    }
    Ok(Exit::Done)
}

/// The settings, and before them what they cannot say themselves.
fn dump(settings: &Settings) -> Result<String, Failure> {
    let tables = settings.table_limits()?;
    let head = format!(
        "# balefire {}: the settings in effect; this is a settings file for --config.\n\
         # [home] without networks: {}; live adds the networks of its interface.\n\
         # [detect] without country_db: the built-in countries of registration.\n\
         # [run] without workers: here {}, and {} for files.\n\
         # [limits] memory = \"{}\" (without: 1GiB a worker) gives each worker at most: connections = {}, hosts = {},\n\
         # addresses = {}, pairs = {}, timelines = {}, names = {}; each can be set by hand.\n",
        env!("CARGO_PKG_VERSION"),
        Home::DEFAULT_NETWORKS.join(", "),
        RunSection::workers_of_taps(cores()).size(),
        RunSection::workers_of_files(cores()).size(),
        String::from(settings.memory()),
        tables.connections,
        tables.detect.hosts,
        tables.detect.addresses,
        tables.detect.pairs,
        tables.detect.timelines,
        tables.detect.names,
    );
    Ok(format!("{head}\n{}", settings.dump()?))
}

/// Reads everything a run would read before it starts.
fn check(flags: &SettingFlags) -> Result<(), Failure> {
    let settings = Settings::load(flags)?;
    let countries = plan::countries(&settings)?;
    let home = settings.home(&[])?;
    refuse::unusable(&settings)?;
    let loaded = lists::load(&settings)?;
    loaded.remarks.iter().for_each(|remark| output::remark(remark));
    // An empty input compiles the filter and reads nothing.
    read::check_filter(&settings.capture.filter)?;
    let source = countries.source();
    let of = flags
        .config
        .as_ref()
        .map_or_else(|| "defaults and flags".to_owned(), |path| path.display().to_string());
    output::print(&format!(
        "{of}: good. Sensor {}, home {home}, workers {}, countries from {} of {}, {}.\n",
        settings.sensor.name.as_str(),
        settings.workers(),
        source.name,
        source.date,
        loaded.words(&loaded.lists),
    ))
}

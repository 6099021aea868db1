//! What cannot work, found before a run begins: the same for `run` and for `config check`.
//!
//! In: settings, each value good by itself. Out: the first thing that cannot work together with the others or with this machine, and what
//! mends it. Not its job: single values (`values`), opening anything.

use std::fs;
use std::path::Path;

use balefire_report::bytes;

use super::cores::Cores;
use super::metrics;
use crate::exit::Failure;
use crate::settings::Settings;

pub(crate) fn unusable(settings: &Settings) -> Result<(), Failure> {
    interfaces(settings)?;
    paths(settings)?;
    if let Some(address) = settings.metrics.listen.0 {
        metrics::check(address, settings.metrics.anywhere)?;
    }
    Cores::plan(settings)?;
    // Where the machine does not say what it has, nothing is refused.
    main_memory().map_or(Ok(()), |has| memory(settings, has))
}

fn interfaces(settings: &Settings) -> Result<(), Failure> {
    let interfaces = &settings.service.interfaces;
    match (1..interfaces.len()).find(|&at| interfaces[..at].contains(&interfaces[at])) {
        Some(at) => Err(Failure::usage(format!(
            "interface {} is named twice, and every packet of it would count twice; name it once ([service] readers shares it among threads)",
            interfaces[at]
        ))),
        None => Ok(()),
    }
}

/// A path that is there, but says nothing, is a value that was forgotten.
fn paths(settings: &Settings) -> Result<(), Failure> {
    let named = [
        ("service.output", &settings.service.output),
        ("service.socket", &settings.service.socket),
        ("alerts.file", &settings.alerts.file),
        ("detect.country_db", &settings.detect.country_db),
        ("detect.allowlist", &settings.detect.allowlist),
    ];
    let empty = |path: &Option<std::path::PathBuf>| path.as_deref().is_some_and(|path| path == Path::new(""));
    match named.into_iter().find(|(_, path)| empty(path)) {
        Some((name, _)) => Err(Failure::usage(format!(
            "{name} is empty: give it a path, or leave it out"
        ))),
        None => Ok(()),
    }
}

/// `has` is the machine's, bytes.
fn memory(settings: &Settings, has: u64) -> Result<(), Failure> {
    if let Some(limit) = settings.limits.memory.filter(|limit| limit.0 > has) {
        return Err(Failure::usage(format!(
            "limits.memory is {}, and this machine has {}: name less, or leave it out for 1 GiB a worker",
            String::from(limit),
            bytes(has)
        )));
    }
    let service = &settings.service;
    let sockets = (service.interfaces.len() * service.readers.size()).max(1) as u64;
    let rings = (settings.capture.buffer_mb.0 << 20).saturating_mul(sockets);
    if rings > has / 2 {
        return Err(Failure::usage(format!(
            "capture.buffer_mb = {} for each of {sockets} readers is {}, and this machine has {}: the kernel never pages a ring out, so \
             name at most {} here",
            settings.capture.buffer_mb.0,
            bytes(rings),
            bytes(has),
            (has / 2 / sockets) >> 20
        )));
    }
    Ok(())
}

/// Main memory, bytes (proc_meminfo(5)).
fn main_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = total.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str, has: u64) -> Option<String> {
        let settings: Settings = toml::from_str(text).unwrap();
        let checked = unusable(&settings).and_then(|()| memory(&settings, has));
        checked.err().map(|failure| failure.to_string())
    }

    #[test]
    fn what_cannot_work_is_refused_with_what_mends_it() {
        const GIB: u64 = 1 << 30;
        for (text, words) in [
            ("[service]\ninterfaces = [\"a\", \"b\", \"a\"]\n", "a is named twice"),
            ("[service]\noutput = \"\"\n", "service.output is empty"),
            ("[alerts]\nfile = \"\"\n", "alerts.file is empty"),
            ("[metrics]\nlisten = \"0.0.0.0:9477\"\n", "anywhere = true"),
            ("[service]\ncpus = [1023]\n", "1023 is no core"),
            ("[service]\ncpus = [0, 0]\n", "named twice"),
            ("[limits]\nmemory = \"5GiB\"\n", "limits.memory is 5GiB"),
            (
                "[capture]\nbuffer_mb = 2047\n[service]\ninterfaces = [\"a\", \"b\"]\n",
                "name at most 1024",
            ),
        ] {
            let found = refused(text, 4 * GIB);
            assert!(
                found.as_ref().is_some_and(|found| found.contains(words)),
                "{text}: {found:?}"
            );
        }
        for text in [
            "",
            "[metrics]\nlisten = \"0.0.0.0:9477\"\nanywhere = true\n",
            "[limits]\nmemory = \"4GiB\"\n",
        ] {
            assert_eq!(refused(text, 4 * GIB), None, "{text}");
        }
    }

    #[test]
    fn this_machine_says_what_it_has() {
        assert!(main_memory().is_some_and(|has| has > 64 << 20));
    }
}

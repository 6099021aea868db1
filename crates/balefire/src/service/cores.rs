//! Which thread stays on which core.
//!
//! In: `[service] cpus`, and which threads there will be. Out: one core of its own for every thread that handles packets (readers, the
//! capture thread, workers, in this order), where there are enough; what is left is for all others. Where there are too few, all
//! threads stay on all of them: two busy threads bound to one core would wait for each other while another core idles. Not its job: which
//! cores are good ones (`doctor` says where the interface's memory is).

use std::collections::BTreeMap;
use std::fs;

use balefire_pipeline::Begin;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::exit::Failure;
use crate::settings::Settings;

/// See the head of this file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cores {
    /// By the thread's name.
    own: BTreeMap<String, usize>,
    /// For all others.
    rest: Vec<usize>,
}

impl Cores {
    /// Refuses cores that are not there; `None` where none are named.
    pub(super) fn plan(settings: &Settings) -> Result<Option<Self>, Failure> {
        let usable = sched_getaffinity(None);
        let usable =
            usable.map_err(|error| Failure::failed(format!("service.cpus: the cores cannot be asked for: {error}")))?;
        let usable: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|core| usable.is_set(*core)).collect();
        let named: Vec<usize> = settings.service.cpus.iter().map(|core| core.size()).collect();
        Self::chosen(&named, &threads(settings), &usable).map_err(Failure::usage)
    }

    fn chosen(named: &[usize], threads: &[String], usable: &[usize]) -> Result<Option<Self>, String> {
        if named.is_empty() {
            return Ok(None);
        }
        for (number, core) in named.iter().enumerate() {
            if !usable.contains(core) {
                return Err(format!(
                    "service.cpus: {core} is no core that this process may use; it has {}",
                    listed(usable)
                ));
            }
            if named[..number].contains(core) {
                return Err(format!("service.cpus: {core} is named twice; name every core once"));
            }
        }
        if named.len() < threads.len() {
            return Ok(Some(Self {
                own: BTreeMap::new(),
                rest: named.to_vec(),
            }));
        }
        let own = threads.iter().cloned().zip(named.iter().copied()).collect();
        let left = &named[threads.len()..];
        Ok(Some(Self {
            own,
            rest: if left.is_empty() { named } else { left }.to_vec(),
        }))
    }

    /// Binds the calling thread, and so all it starts from now on, to what is for all others.
    pub(super) fn bind_rest(&self) -> Result<(), Failure> {
        bind(&self.rest).map_err(|error| Failure::failed(format!("service.cpus: {error}")))
    }

    /// What binds every thread that handles packets as it begins.
    pub(super) fn begin(&self) -> Begin {
        let own = self.own.clone();
        Begin::with(move |name| {
            if let Some(core) = own.get(name) {
                // The same call went well for the thread that started this one, with cores that were looked at.
                let _ = bind(&[*core]);
            }
        })
    }

    /// For the log.
    pub(super) fn words(&self, settings: &Settings) -> String {
        if self.own.is_empty() {
            let threads = threads(settings).len();
            return format!(
                "all threads on cores {}; {threads} would give each that handles packets its own",
                listed(&self.rest)
            );
        }
        let own: Vec<String> = self
            .own
            .iter()
            .map(|(name, core)| format!("{name} on core {core}"))
            .collect();
        format!("{}, all others on {}", own.join(", "), listed(&self.rest))
    }
}

/// Cores that every thread of this process may use, as the kernel says, by the thread's name (of which it keeps 15 letters).
pub(super) fn of_threads() -> BTreeMap<String, String> {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let each = tasks.filter_map(|task| {
        let name = fs::read_to_string(task.path().join("comm")).ok()?;
        let status = fs::read_to_string(task.path().join("status")).ok()?;
        let cores = status
            .lines()
            .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
        Some((name.trim_end().to_owned(), cores.trim().to_owned()))
    });
    each.collect()
}

/// Every thread that handles packets, by the names that the pipeline gives them.
fn threads(settings: &Settings) -> Vec<String> {
    let service = &settings.service;
    let readers = service.interfaces.iter();
    let readers =
        readers.flat_map(|name| (0..service.readers.size()).map(move |number| format!("reader-{name}-{number}")));
    let workers = (0..settings.workers()).map(|number| format!("worker-{number}"));
    readers.chain(["capture".to_owned()]).chain(workers).collect()
}

fn bind(cores: &[usize]) -> rustix::io::Result<()> {
    let mut set = CpuSet::new();
    cores.iter().for_each(|core| set.set(*core));
    sched_setaffinity(None, &set)
}

fn listed(cores: &[usize]) -> String {
    let cores: Vec<String> = cores.iter().map(ToString::to_string).collect();
    cores.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn threads_that_handle_packets_get_a_core_each_and_the_others_the_rest() {
        let busy = names(&["reader-eth2-0", "capture", "worker-0"]);
        let usable = [0, 1, 2, 3, 4, 5, 6, 7];
        let plan = |cores: &[usize]| Cores::chosen(cores, &busy, &usable);
        let all = plan(&[4, 5, 6, 1, 0]).unwrap().unwrap();
        assert_eq!(all.own.get("reader-eth2-0"), Some(&4));
        assert_eq!(
            (all.own["capture"], all.own["worker-0"], &all.rest[..]),
            (5, 6, &[1, 0][..])
        );
        let exact = plan(&[4, 5, 6]).unwrap().unwrap();
        assert_eq!((exact.own.len(), &exact.rest[..]), (3, &[4, 5, 6][..]));
        let few = plan(&[4, 5]).unwrap().unwrap();
        assert_eq!((few.own.len(), &few.rest[..]), (0, &[4, 5][..]));
        assert_eq!(plan(&[]).unwrap(), None);
        assert!(
            plan(&[4, 900]).unwrap_err().contains("900 is no core"),
            "the kernel would leave it out in silence"
        );
        assert!(plan(&[4, 4]).unwrap_err().contains("twice"));
    }

    #[test]
    fn names_are_those_of_the_threads() {
        let settings: Settings =
            toml::from_str("[service]\ninterfaces = [\"a\", \"b\"]\nreaders = 2\n[run]\nworkers = 2\n").unwrap();
        let expected = [
            "reader-a-0",
            "reader-a-1",
            "reader-b-0",
            "reader-b-1",
            "capture",
            "worker-0",
            "worker-1",
        ];
        assert_eq!(threads(&settings), names(&expected));
    }

    #[test]
    fn a_bound_thread_is_seen_to_be_bound() {
        let allowed = sched_getaffinity(None).unwrap();
        let core = (0..CpuSet::MAX_CPU).find(|core| allowed.is_set(*core)).unwrap();
        let cores = Cores {
            own: [("bound".to_owned(), core)].into(),
            rest: Vec::new(),
        };
        let begin = move || {
            let begun = cores.own["bound"];
            bind(&[begun]).unwrap();
            of_threads().get("bound").cloned()
        };
        let thread = std::thread::Builder::new()
            .name("bound".to_owned())
            .spawn(begin)
            .unwrap();
        assert_eq!(thread.join().unwrap(), Some(core.to_string()));
    }
}

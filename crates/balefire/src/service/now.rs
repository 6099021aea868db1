//! Evidence of this moment, for whoever asks the running program.
//!
//! In: control servers as the registry has them. Out: the same with the evidence that the workers give within [`PATIENCE`], and of which
//! moment it is. Waits on the asker's own thread, never on one that handles packets. Not its job: what evidence is (`detect`), showing it.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use balefire_detect::{Address, ControlServer, CountrySource, Shared};

/// A worker looks for questions with every block and every 20 ms while it has none; the end of an hour keeps it longer, and then an
/// answer without its part is better than none.
const PATIENCE: Duration = Duration::from_millis(800);

/// Between looks whether all have answered.
const NAP: Duration = Duration::from_millis(5);

/// See the head of this file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Now {
    pub(crate) servers: Vec<ControlServer>,
    /// What their countries are by.
    pub(crate) country_source: Option<CountrySource>,
    /// Time of the newest packet that those who answered had seen.
    pub(crate) as_of_ns: Option<i64>,
    /// Every worker has answered.
    pub(crate) is_whole: bool,
}

/// Asks about the best of these, and waits for the answer.
pub(crate) fn ask(shared: &Arc<Shared>, servers: &[&ControlServer]) -> Now {
    let about: Vec<(&ControlServer, &[Address])> = servers.iter().map(|server| (*server, &[][..])).collect();
    let asked = shared.ask(&about);
    let begun = Instant::now();
    while !asked.is_answered() && begun.elapsed() < PATIENCE {
        thread::sleep(NAP);
    }
    Now {
        is_whole: asked.is_answered(),
        as_of_ns: asked.newest_ns(),
        servers: asked.servers(),
        country_source: Some(shared.countries().source().clone()),
    }
}

//! SIGINT and SIGTERM: the first asks for an orderly end, the second ends at once. SIGHUP: lists are read anew, on a tap.
//!
//! In: signals. Out: a flag that the pipeline watches, and a call to whatever wakes a source that waits. Not its job: what
//! an orderly end is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::exit::Failure;
use crate::{output, top};

/// How long an orderly end may take before the operator is told that it is under way.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether to stop, and whether a signal was the reason.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop {
    /// Watched by the pipeline.
    pub(crate) asked: Arc<AtomicBool>,
    /// Not the time limit, but a signal.
    by_signal: Arc<AtomicBool>,
}

impl Stop {
    pub(crate) fn was_signalled(&self) -> bool {
        self.by_signal.load(Relaxed)
    }
}

/// How a source ends.
pub(crate) struct Ending {
    /// Called once, at the first signal or the limit: wakes a source that waits, so that it ends by itself.
    pub(crate) wake: Box<dyn Fn() + Send>,
    /// How long it may take to deliver what it still has, before the pipeline is told to stop as well.
    pub(crate) grace: Duration,
    /// The end is asked for after this time even without a signal.
    pub(crate) limit: Option<Duration>,
    /// Called at every SIGHUP; without it that signal ends the program, as it does any.
    pub(crate) reload: Option<Box<dyn Fn() + Send>>,
}

impl Ending {
    /// A source that looks at nothing but the flag.
    pub(crate) fn at_once() -> Self {
        Self {
            wake: Box::new(|| ()),
            grace: Duration::ZERO,
            limit: None,
            reload: None,
        }
    }
}

/// Watches for signals on a thread of its own, which lives as long as the program.
pub(crate) fn watch(ending: Ending) -> Result<Stop, Failure> {
    let stop = Stop::default();
    let mut wanted = vec![SIGINT, SIGTERM];
    wanted.extend(ending.reload.is_some().then_some(SIGHUP));
    let mut signals =
        Signals::new(wanted).map_err(|error| Failure::failed(format!("signals cannot be caught: {error}")))?;
    let told = stop.clone();
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            let reload = ending.reload.as_deref();
            let signalled = wait(&mut signals, ending.limit, reload);
            told.by_signal.store(signalled, Relaxed);
            (ending.wake)();
            let again = wait(&mut signals, Some(ending.grace), None);
            told.asked.store(true, Relaxed);
            if !again && !wait(&mut signals, Some(PATIENCE), None) {
                output::complain("still closing; a second signal ends it at once, and loses the open hour");
                wait(&mut signals, None, None);
            }
            top::restore();
            output::complain("ended by a second signal; the open hour is lost");
            std::process::exit(1);
        })
        .map_err(|error| Failure::failed(format!("a thread could not be started: {error}")))?;
    Ok(stop)
}

/// Waits for a signal to end, or until the time is up; says whether there was one.
fn wait(signals: &mut Signals, limit: Option<Duration>, reload: Option<&(dyn Fn() + Send)>) -> bool {
    let ends = |signal: i32| {
        if signal == SIGHUP {
            reload.inspect(|reload| reload());
        }
        signal != SIGHUP
    };
    let Some(limit) = limit else {
        return signals.forever().any(ends);
    };
    let begun = Instant::now();
    while begun.elapsed() < limit {
        if signals.pending().any(ends) {
            return true;
        }
        thread::sleep(Duration::from_millis(50).min(limit.saturating_sub(begun.elapsed())));
    }
    false
}

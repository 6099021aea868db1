//! SIGINT and SIGTERM: the first asks for an orderly end, the second ends at once.
//!
//! In: signals. Out: a flag that the pipeline watches, and a call to whatever wakes a source that waits. Not its job: what
//! an orderly end is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::exit::Failure;

/// How long an orderly end may take before the operator is told that it is under way.
const PATIENCE: Duration = Duration::from_secs(5);

/// Watches for signals on a thread of its own.
///
/// `wake` is called once, after the flag is set. With `limit` the end is asked for after that time as well.
pub(crate) fn watch(
    wake: impl Fn() + Send + 'static,
    limit: Option<Duration>,
) -> Result<(Arc<AtomicBool>, Arc<AtomicBool>), Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let by_signal = Arc::new(AtomicBool::new(false));
    let mut signals = Signals::new([SIGINT, SIGTERM])
        .map_err(|error| Failure::failed(format!("signals cannot be caught: {error}")))?;
    let (flag, signal_flag) = (Arc::clone(&stop), Arc::clone(&by_signal));
    let body = move || {
        let deadline = limit.map(|limit| Instant::now() + limit);
        let by_signal = wait(&mut signals, deadline);
        signal_flag.store(by_signal, Relaxed);
        flag.store(true, Relaxed);
        wake();
        let told = Instant::now() + PATIENCE;
        if !wait(&mut signals, Some(told)) {
            crate::output::complain("still closing; a second signal ends it at once, and loses the open hour");
            wait(&mut signals, None);
        }
        crate::output::complain("ended by a second signal; the open hour is lost");
        std::process::exit(1);
    };
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(body)
        .map_err(|error| Failure::failed(format!("a thread could not be started: {error}")))?;
    Ok((stop, by_signal))
}

/// Waits for a signal, or until the deadline; says whether there was one.
fn wait(signals: &mut Signals, deadline: Option<Instant>) -> bool {
    let Some(deadline) = deadline else {
        return signals.forever().next().is_some();
    };
    while Instant::now() < deadline {
        if signals.pending().next().is_some() {
            return true;
        }
        thread::sleep(Duration::from_millis(50).min(deadline.saturating_duration_since(Instant::now())));
    }
    false
}

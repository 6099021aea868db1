//! What alerts may be told while they run: another limit, and to open their files anew.
//!
//! In: orders from the control socket and from reloads. Out: what the collector's thread takes up with its next look, a second later
//! at most, and the answer to whoever waits for it. Not its job: files (`outputs`).

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::{Value, json};

/// How long an order is waited for: snapshots come once a second, and an hour's end may hold one up.
const PATIENCE: Duration = Duration::from_secs(4);

/// Files that were opened anew, or why not.
pub(super) type Reopened = Result<Vec<String>, String>;

/// See the head of this file.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    per_server_hourly: AtomicU32,
    /// Somebody waits for files to be opened anew.
    rotate: AtomicBool,
    rotated: Mutex<Option<Reopened>>,
    /// There are alerts to give orders to.
    is_served: AtomicBool,
}

impl Orders {
    /// At most so many alerts of a server in an hour.
    pub(crate) fn with_limit(per_server_hourly: u32) -> Self {
        let orders = Self::default();
        orders.limit(per_server_hourly);
        orders.is_served.store(true, Relaxed);
        orders
    }

    pub(crate) fn limit(&self, per_server_hourly: u32) {
        self.per_server_hourly.store(per_server_hourly, Relaxed);
    }

    pub(crate) fn per_server_hourly(&self) -> u32 {
        self.per_server_hourly.load(Relaxed)
    }

    /// Orders files to be opened anew, and waits for it.
    pub(crate) fn rotate(&self) -> Value {
        if !self.is_served.load(Relaxed) {
            return json!({"error": "no alerts are written: [alerts] in the settings file names where to"});
        }
        *self.rotated.lock() = None;
        self.rotate.store(true, Relaxed);
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(20));
            match self.rotated.lock().take() {
                Some(Ok(files)) => return json!({"done": "rotate", "files": files}),
                Some(Err(reason)) => return json!({"error": reason}),
                None => {}
            }
        }
        json!({"error": "ordered, but not taken up yet: the collector is busy; look again in a moment"})
    }

    /// The other side: does what is ordered.
    pub(super) fn take_up(&self, reopen: impl FnOnce() -> Reopened) {
        if self.rotate.swap(false, Relaxed) {
            let reopened = reopen();
            *self.rotated.lock() = Some(reopened);
        }
    }
}

//! What the running program knows of itself, for whoever asks.
//!
//! In: hours and snapshots, from the collector's thread. Out: [`State`], read by metrics and the control socket. One lock,
//! held for a copy; never touched by a thread that handles packets. Not its job: showing it.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use balefire_detect::{Accounting, ControlServer, Shared, Summary};
use balefire_pipeline::{Lost, Snapshot, TapWatch};
use parking_lot::Mutex;

use super::Attendant;
use super::alerts::OutputCounts;
use super::now::{self, Now};
use crate::top::Board;

/// Everything that can be asked for.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) sensor: String,
    /// Most memory the run was given; 0 for unknown.
    pub(crate) memory_cap_bytes: u64,
    pub(crate) snapshot: Snapshot,
    /// When the snapshot was taken.
    pub(crate) taken: Instant,
    pub(crate) hours: Hours,
    /// The last closed hour: its servers with their evidence, as many as a snapshot has, and what the allowlist hid.
    pub(crate) last_hour: Option<Arc<Summary>>,
    /// Of every thread: since when its beats stand still.
    pub(crate) threads: Vec<Beat>,
    pub(crate) alerts: AlertCounts,
    /// The same by output.
    pub(crate) alert_outputs: Vec<OutputCounts>,
    /// Entries each kind of table may have, over all workers; by the names of [`balefire_pipeline::TableGauge`].
    pub(crate) table_limits: Vec<(&'static str, u64)>,
    /// Interfaces of a tap, and since when and why each is lost, if it is.
    pub(crate) interfaces: Vec<(String, Option<Lost>)>,
    /// Gaps of all interfaces.
    pub(crate) gaps: u64,
}

/// Hours closed since the start.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Hours {
    pub(crate) kept: u64,
    pub(crate) lost: u64,
    pub(crate) partial: u64,
    /// End of the last one, and when it was closed by the wall clock.
    pub(crate) last_end_ns: Option<i64>,
    pub(crate) last_closed: Option<SystemTime>,
}

/// Alerts since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AlertCounts {
    pub(crate) sent: u64,
    pub(crate) suppressed: u64,
    /// Those that at least one output did not take.
    pub(crate) failed: u64,
}

/// A thread's sign of life.
#[derive(Clone, Debug)]
pub(crate) struct Beat {
    pub(crate) name: String,
    beats: u64,
    since: Instant,
}

impl Beat {
    /// For how long the thread has shown no life.
    pub(crate) fn silent(&self) -> Duration {
        self.since.elapsed()
    }
}

/// See the head of this file; clones share one state.
#[derive(Clone, Debug)]
pub(crate) struct Vitals {
    state: Arc<Mutex<State>>,
    board: Board,
    tap: Option<TapWatch>,
    /// Whose workers are asked for evidence.
    shared: Option<Arc<Shared>>,
}

impl Vitals {
    pub(crate) fn new(sensor: &str, table_limits: Vec<(&'static str, u64)>) -> Self {
        Self {
            board: Board::default(),
            state: Arc::new(Mutex::new(State {
                sensor: sensor.to_owned(),
                memory_cap_bytes: 0,
                snapshot: Snapshot::default(),
                taken: Instant::now(),
                hours: Hours::default(),
                last_hour: None,
                threads: Vec::new(),
                alerts: AlertCounts::default(),
                alert_outputs: Vec::new(),
                table_limits,
                interfaces: Vec::new(),
                gaps: 0,
            })),
            tap: None,
            shared: None,
        }
    }

    /// Looks after the readers of a tap, too.
    pub(crate) fn with_tap(mut self, watch: TapWatch) -> Self {
        self.tap = Some(watch);
        self
    }

    /// Knows whom to ask for evidence, too.
    pub(crate) fn with_detector(mut self, shared: &Arc<Shared>) -> Self {
        self.shared = Some(Arc::clone(shared));
        self
    }

    /// What workers know of these servers now; waits for it.
    pub(crate) fn evidence_now(&self, servers: &[&ControlServer]) -> Now {
        match &self.shared {
            Some(shared) if !servers.is_empty() => now::ask(shared, servers),
            _ => Now::default(),
        }
    }

    /// The cap of `--memory`, for consoles.
    pub(crate) fn know_memory_cap(&self, bytes: u64) {
        self.state.lock().memory_cap_bytes = bytes;
    }

    /// What consoles show beyond the state.
    pub(crate) fn board(&self) -> &Board {
        &self.board
    }

    /// The answer to `top` and `top ID` on the control socket.
    pub(crate) fn top(&self, state: &State, id: &str) -> serde_json::Value {
        self.board.answer(state, id, |servers| self.evidence_now(servers))
    }

    /// A copy of it all.
    pub(crate) fn state(&self) -> State {
        self.state.lock().clone()
    }

    pub(crate) fn alerts(&self, counts: AlertCounts, outputs: Vec<OutputCounts>) {
        let mut state = self.state.lock();
        (state.alerts, state.alert_outputs) = (counts, outputs);
    }

    /// The thread that has been silent longest.
    pub(crate) fn most_silent(&self) -> Option<(String, Duration)> {
        let state = self.state.lock();
        let longest = state.threads.iter().max_by_key(|beat| beat.silent())?;
        Some((longest.name.clone(), longest.silent()))
    }
}

impl Attendant for Vitals {
    fn hour(&mut self, hour: &Summary, kept: bool) {
        let servers = hour.servers.iter().take(SHOWN_SERVERS).cloned().collect();
        let closed = Summary {
            allowed: hour.allowed.clone(),
            ..narrowed(hour, servers)
        };
        let mut state = self.state.lock();
        state.last_hour = Some(Arc::new(closed));
        let hours = &mut state.hours;
        *(if kept { &mut hours.kept } else { &mut hours.lost }) += 1;
        hours.partial += u64::from(hour.period.partial);
        hours.last_end_ns = Some(hour.period.end_ns);
        hours.last_closed = Some(SystemTime::now());
        self.board.hour(hour, kept);
    }

    fn tick(&mut self, snapshot: &Snapshot) {
        let interfaces = self.tap.as_ref().map(TapWatch::lost).unwrap_or_default();
        self.board.tick(snapshot, &interfaces);
        if let Some(shared) = &self.shared {
            self.board.keep_current(snapshot, shared);
        }
        let mut state = self.state.lock();
        let now = Instant::now();
        let threads = snapshot.threads.iter();
        let threads = threads.map(|thread| (thread.name.clone(), thread.beats));
        let readers = self.tap.as_ref().map(TapWatch::beats).unwrap_or_default();
        for (name, beats) in threads.chain(readers) {
            match state.threads.iter_mut().find(|beat| beat.name == name) {
                Some(beat) if beat.beats == beats => {}
                Some(beat) => (beat.beats, beat.since) = (beats, now),
                None => state.threads.push(Beat {
                    name,
                    beats,
                    since: now,
                }),
            }
        }
        if let Some(tap) = &self.tap {
            state.interfaces = tap.lost();
            state.gaps = tap.gaps();
        }
        state.taken = now;
        state.snapshot = snapshot.clone();
    }
}

/// Servers of the last hour that are kept: as many as a snapshot shows.
const SHOWN_SERVERS: usize = 1000;

/// An hour with these servers, and without what an hour has in great numbers.
pub(super) fn narrowed(hour: &Summary, servers: Vec<ControlServer>) -> Summary {
    Summary {
        period: hour.period,
        first_packet_ns: hour.first_packet_ns,
        last_packet_ns: hour.last_packet_ns,
        accounting: Accounting::default(),
        totals: hour.totals,
        servers,
        countries: Vec::new(),
        country_source: hour.country_source.clone(),
        peers: Vec::new(),
        intel: Vec::new(),
        allowed: balefire_detect::Allowed::default(),
    }
}

/// The wall clock, nanoseconds since 1970.
pub(crate) fn now_ns() -> i64 {
    nanoseconds(SystemTime::now())
}

/// Nanoseconds since 1970.
pub(crate) fn nanoseconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// Seconds since 1970.
pub(crate) fn unix_seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use balefire_pipeline::ThreadUse;

    use super::*;

    #[test]
    fn a_thread_whose_beats_stand_still_is_silent() {
        let mut vitals = Vitals::new("tap", Vec::new());
        let snapshot = |busy_beats| Snapshot {
            threads: [("capture", 7), ("worker-0", busy_beats)]
                .map(|(name, beats)| ThreadUse {
                    name: name.to_owned(),
                    busy: 0.0,
                    beats,
                })
                .to_vec(),
            ..Snapshot::default()
        };
        vitals.tick(&snapshot(1));
        std::thread::sleep(Duration::from_millis(30));
        vitals.tick(&snapshot(2));
        let (name, silent) = vitals.most_silent().unwrap();
        assert_eq!(name, "capture");
        assert!(silent >= Duration::from_millis(30), "{silent:?}");
    }
}

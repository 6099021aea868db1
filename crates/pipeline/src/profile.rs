//! Where the time of each thread went, for operators who ask: laps of a clock at the borders between stages.
//!
//! In: [`Watch::lap`] at every border a thread crosses. Out: one [`ThreadProfile`] per thread. Not asked for, no clock is read.
//! A worker crosses a border per 64 packets, and several per packet that begins, names or ends a connection; each costs
//! some 20 to 50 ns. So a profiled run is slower, and its shares matter more than its sum. Not its job: deciding anything.

use std::thread;
use std::time::Instant;

use balefire_track::{Closed, Endpoints, Fact, Opened, Sink, Volume};
use rustix::time::{ClockId, clock_gettime};

/// What a thread does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Stage {
    Wait,
    Read,
    Dispatch,
    Decode,
    Track,
    Application,
    Detect,
    Close,
    Merge,
    Report,
}

impl Stage {
    const ALL: [Self; 10] = [
        Self::Wait,
        Self::Read,
        Self::Dispatch,
        Self::Decode,
        Self::Track,
        Self::Application,
        Self::Detect,
        Self::Close,
        Self::Merge,
        Self::Report,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Read => "read",
            Self::Dispatch => "dispatch",
            Self::Decode => "decode",
            Self::Track => "track",
            Self::Application => "application",
            Self::Detect => "detect",
            Self::Close => "close",
            Self::Merge => "merge",
            Self::Report => "report",
        }
    }
}

/// One thread's time, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadProfile {
    /// Its role, as the thread is called.
    pub name: String,
    /// Processor time, user and system, nanoseconds.
    pub cpu_ns: u64,
    /// Wall time by stage, nanoseconds, in the order of the packet's way; stages that took none are left out.
    ///
    /// `wait`: for a block, a full queue, a message or a silent tap. `read`: frames into blocks. `dispatch`: choosing workers,
    /// handing over. `decode`: plain frames on the capture thread; all others, with fragments, on the worker's. `track`: the connection table. `application`: hellos, requests, DNS.
    /// `detect`: timelines, names, scores as they grow. `close`: a worker's part of an hour or the run. `merge`: parts put
    /// together and judged. `report`: what the observer does with an hour, a second's figures.
    pub stages: Vec<(&'static str, u64)>,
}

/// A thread's stopwatch.
#[derive(Debug)]
pub(crate) struct Watch {
    last: Option<Instant>,
    spent_ns: [u64; Stage::ALL.len()],
}

impl Watch {
    /// A watch that runs, or one that never reads a clock.
    pub(crate) fn new(on: bool) -> Self {
        Self {
            last: on.then(Instant::now),
            spent_ns: [0; Stage::ALL.len()],
        }
    }

    pub(crate) const fn is_on(&self) -> bool {
        self.last.is_some()
    }

    /// The thread's own work begins: what was before (being made, starting) is nobody's.
    pub(crate) fn start(&mut self) {
        if let Some(last) = &mut self.last {
            *last = Instant::now();
        }
    }

    /// What was done since the last lap was this.
    #[inline]
    pub(crate) fn lap(&mut self, stage: Stage) {
        if let Some(last) = &mut self.last {
            let now = Instant::now();
            self.spent_ns[stage as usize] += now.duration_since(*last).as_nanos() as u64;
            *last = now;
        }
    }

    /// The profile of the thread that calls; `None` if the watch does not run.
    pub(crate) fn profile(&self) -> Option<ThreadProfile> {
        self.is_on().then(|| ThreadProfile {
            // The collector is the thread that called, whatever that is called.
            name: match thread::current().name() {
                Some(name) if name == "capture" || name.starts_with("worker-") => name.to_owned(),
                _ => "collector".to_owned(),
            },
            cpu_ns: thread_cpu_ns(),
            stages: Stage::ALL
                .iter()
                .map(|stage| (stage.name(), self.spent_ns[*stage as usize]))
                .filter(|(_, spent_ns)| *spent_ns > 0)
                .collect(),
        })
    }
}

fn thread_cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// A sink that takes the time of another.
pub(crate) struct Timed<'a, S> {
    pub(crate) sink: &'a mut S,
    pub(crate) watch: &'a mut Watch,
    /// What the tracker does when it is not in the sink.
    pub(crate) around: Stage,
}

impl<'a, S: Sink> Timed<'a, S> {
    pub(crate) const fn new(sink: &'a mut S, watch: &'a mut Watch) -> Self {
        Self {
            sink,
            watch,
            around: Stage::Track,
        }
    }

    fn within<T>(&mut self, call: impl FnOnce(&mut S) -> T) -> T {
        self.watch.lap(self.around);
        let result = call(self.sink);
        self.watch.lap(Stage::Detect);
        result
    }
}

impl<S: Sink> Sink for Timed<'_, S> {
    fn opened(&mut self, opened: &Opened) -> u32 {
        self.within(|sink| sink.opened(opened))
    }

    fn ahead(&self, tag: u32) {
        self.sink.ahead(tag);
    }

    // A few nanoseconds each: less than a lap costs. It counts as tracking.
    fn packet(&mut self, tag: u32, from_originator: bool, time_ns: i64, ip_bytes: u32) {
        self.sink.packet(tag, from_originator, time_ns, ip_bytes);
    }

    fn volume(&mut self, tag: u32, from_originator: bool, time_ns: i64, volume: &Volume) {
        self.sink.volume(tag, from_originator, time_ns, volume);
    }

    fn reading(&mut self, begins: bool) {
        self.watch.lap(self.around);
        self.around = if begins { Stage::Application } else { Stage::Track };
    }

    fn fact(&mut self, tag: u32, endpoints: &Endpoints, time_ns: i64, fact: &Fact<'_>) {
        self.within(|sink| sink.fact(tag, endpoints, time_ns, fact));
    }

    fn burst(&mut self, tag: u32, endpoints: &Endpoints, time_ns: i64, payload_bytes: u32) {
        self.within(|sink| sink.burst(tag, endpoints, time_ns, payload_bytes));
    }

    fn closed(&mut self, tag: u32, closed: &Closed) {
        self.within(|sink| sink.closed(tag, closed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_that_is_off_says_nothing() {
        let mut watch = Watch::new(false);
        watch.start();
        watch.lap(Stage::Decode);
        assert_eq!((watch.is_on(), watch.profile()), (false, None));
    }

    #[test]
    fn the_laps_add_up_to_the_time_that_passed() {
        let begun = Instant::now();
        let mut watch = Watch::new(true);
        for stage in [Stage::Read, Stage::Dispatch, Stage::Read, Stage::Wait] {
            while begun.elapsed().as_micros() % 100 < 50 {}
            watch.lap(stage);
        }
        let passed_ns = begun.elapsed().as_nanos() as u64;
        let profile = watch.profile().unwrap();
        let names: Vec<_> = profile.stages.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["wait", "read", "dispatch"]);
        let sum_ns: u64 = profile.stages.iter().map(|(_, spent_ns)| spent_ns).sum();
        assert!(sum_ns <= passed_ns && sum_ns > 0, "{sum_ns} of {passed_ns}");
        assert!(profile.cpu_ns > 0);
    }
}

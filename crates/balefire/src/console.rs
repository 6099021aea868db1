//! What is shown and written while a run goes on: hour files, a progress bar, or rows of live figures.
//!
//! In: finished hours and snapshots, from the pipeline. Out: files, lines on standard error. Not its job: what a row says
//! (`report`), the answer at the end (`run`).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use balefire_detect::{Class, ControlServer, State, Summary};
use balefire_pipeline::{Observer, PipelineError, Snapshot};
use balefire_report::{
    HourFiles, LiveQueue, LiveRow, Style, Written, by_class, counted, live_header, live_news, live_row, rfc3339,
    thousands,
};
use indicatif::{ProgressBar, ProgressStyle};

use crate::keep::Keeper;
use crate::output;
use crate::service::Attendant;
use crate::service::beside::{Beside, ServerKey, key};
use crate::top::Shown;

/// Rows of live figures under one heading.
const ROWS_PER_HEADING: u32 = 20;

/// Servers remembered as told of; beyond, all is forgotten and the standing ones are told once more.
const MOST_TOLD: usize = 10_000;

/// Shown on standard error.
enum Screen {
    /// Nothing but errors.
    None,
    /// How far the files are read.
    Progress(Box<ProgressBar>),
    /// Rows of figures.
    Rows {
        every: Duration,
        next: Duration,
        rows: u32,
        style: Style,
    },
    /// The whole terminal, on a thread of its own.
    Full(Shown),
}

/// The observer of a run.
pub(crate) struct Console<'a> {
    screen: Screen,
    hours: Option<&'a HourFiles>,
    archive: Option<Keeper>,
    /// A tap goes on when an hour cannot be written; a file does not, it can be read again.
    goes_on: bool,
    /// Class of the servers that were told of, so that each is told of once per class.
    told: BTreeMap<ServerKey, Class>,
    written: [u64; 4],
    not_written: u64,
    started: Instant,
    /// Told of everything after the console itself.
    attendants: Vec<Box<dyn Attendant>>,
}

impl<'a> Console<'a> {
    /// For capture files: a progress bar where standard error is a terminal.
    pub(crate) fn for_files(hours: Option<&'a HourFiles>, archive: Option<Keeper>, quiet: bool) -> Self {
        let screen = if quiet || !output::stderr_is_terminal() {
            Screen::None
        } else {
            Screen::Progress(Box::new(bar()))
        };
        Self::new(screen, hours, archive, false)
    }

    /// For a tap: a row every so often.
    pub(crate) fn for_tap(hours: Option<&'a HourFiles>, archive: Option<Keeper>, quiet: bool, every: Duration) -> Self {
        let rows = Screen::Rows {
            every,
            next: Duration::ZERO,
            rows: 0,
            style: output::stderr_style(),
        };
        Self::new(if quiet { Screen::None } else { rows }, hours, archive, true)
    }

    fn new(screen: Screen, hours: Option<&'a HourFiles>, archive: Option<Keeper>, goes_on: bool) -> Self {
        Self {
            screen,
            hours,
            archive,
            goes_on,
            told: BTreeMap::new(),
            written: [0; 4],
            not_written: 0,
            started: Instant::now(),
            attendants: Vec::new(),
        }
    }

    /// Tells another of everything, too.
    pub(crate) fn attend(&mut self, attendant: Box<dyn Attendant>) {
        self.attendants.push(attendant);
    }

    /// Knows what was told before a restart.
    pub(crate) fn remember(&mut self, beside: &[u8]) {
        self.told = Beside::read(beside).lines();
        if !self.told.is_empty() {
            output::remark(&format!(
                "control servers told of before the restart, and not again: {}",
                thousands(self.told.len() as u64)
            ));
        }
    }

    /// Shows the run on the whole terminal, in place of rows.
    pub(crate) fn fill(&mut self, shown: Shown) {
        self.screen = Screen::Full(shown);
    }

    /// Takes the progress bar away, or the full screen; returns the run's length in seconds.
    pub(crate) fn finish(&mut self) -> f64 {
        match &mut self.screen {
            Screen::Progress(bar) => bar.finish_and_clear(),
            Screen::Full(shown) => shown.close(),
            Screen::None | Screen::Rows { .. } => {}
        }
        self.started.elapsed().as_secs_f64()
    }

    /// Whether an hour was lost.
    pub(crate) fn has_failed(&self) -> bool {
        self.not_written > 0 || self.archive.as_ref().is_some_and(Keeper::has_failed)
    }

    /// What to say of the hour files at the end.
    pub(crate) fn notes(&self) -> Vec<String> {
        let [new, replaced, unchanged, beside] = self.written;
        let kinds = [
            (new, "new"),
            (replaced, "replaced"),
            (unchanged, "unchanged"),
            (beside, "beside an other part"),
        ];
        let kinds = kinds.iter().filter(|(hours, _)| *hours > 0);
        let words: Vec<String> = kinds
            .map(|(hours, kind)| format!("{} {kind}", thousands(*hours)))
            .collect();
        let mut notes = Vec::new();
        if !words.is_empty() {
            notes.push(format!("Hours written: {}.", words.join(", ")));
        }
        if self.not_written > 0 {
            notes.push(format!(
                "Hours that could not be written: {}.",
                thousands(self.not_written)
            ));
        }
        notes.extend(self.archive.iter().flat_map(Keeper::notes));
        notes
    }

    /// The run is over, and this is what it says: hours that waited for it go into the archive.
    pub(crate) fn settle(&mut self, run: &Summary) {
        if let Some(Err(error)) = self.archive.as_mut().map(|archive| archive.finish(run)) {
            // The answer is printed all the same; `has_failed` decides how the program ends.
            output::complain(&error.to_string());
        }
    }

    /// Tells of servers whose class is new or higher.
    fn tell_news(&mut self, servers: &[ControlServer]) {
        for server in servers {
            if self.told.len() >= MOST_TOLD {
                self.told.clear();
            }
            let key = key(server);
            if self.told.get(&key).is_none_or(|class| *class < server.class) {
                self.told.insert(key, server.class);
                output::figures(&live_news(server, output::stderr_style()));
            }
        }
    }

    /// A line that does not disturb the bar.
    fn say(&self, line: &str) {
        match &self.screen {
            Screen::Progress(bar) => bar.suspend(|| output::remark(line)),
            _ => output::remark(line),
        }
    }

    fn write(&mut self, hour: &Summary) -> Result<(), PipelineError> {
        let Some(files) = self.hours else { return Ok(()) };
        match files.write(hour) {
            Ok(written) => {
                let place = match written {
                    Written::New => 0,
                    Written::Replaced => 1,
                    Written::Unchanged => 2,
                    Written::Beside => 3,
                };
                self.written[place] += 1;
                Ok(())
            }
            Err(error) if self.goes_on => {
                self.not_written += 1;
                self.say(&format!(
                    "balefire: {error}; the tap goes on, the hour of {} is lost",
                    rfc3339(hour.period.start_ns)
                ));
                Ok(())
            }
            Err(error) => Err(PipelineError::Observer(error.to_string())),
        }
    }
}

impl Console<'_> {
    fn keep(&mut self, hour: &Summary) -> Result<(), PipelineError> {
        let Some(archive) = &mut self.archive else {
            return Ok(());
        };
        match archive.hour(hour) {
            Err(error) if self.goes_on => {
                self.say(&format!(
                    "balefire: {error}; the tap goes on, the hour of {} waits to get into the archive",
                    rfc3339(hour.period.start_ns)
                ));
                Ok(())
            }
            done => done.map_err(|error| PipelineError::Observer(error.to_string())),
        }
    }
}

impl Observer for Console<'_> {
    fn hour(&mut self, hour: &Summary) -> Result<(), PipelineError> {
        if let Screen::Rows { rows, .. } = &mut self.screen {
            *rows = 0;
            let totals = &hour.totals;
            let partial = if hour.period.partial { ", partly watched" } else { "" };
            output::figures(&format!(
                "hour of {}{partial}: {}{}, {}, {}",
                rfc3339(hour.period.start_ns),
                counted(totals.servers, "control server"),
                by_class(totals.servers_by_class),
                counted(totals.controlled_hosts, "controlled host"),
                counted(hour.accounting.received, "packet"),
            ));
        }
        let lost_before = self.not_written;
        let kept = self.write(hour).and_then(|()| self.keep(hour));
        let is_kept = kept.is_ok() && self.not_written == lost_before;
        for attendant in &mut self.attendants {
            attendant.hour(hour, is_kept);
        }
        kept
    }

    fn state(&mut self, mut state: State) {
        let mut beside = Beside::read(&state.beside);
        beside.set_lines(&self.told);
        state.beside = beside.written();
        for attendant in &mut self.attendants {
            attendant.state(&mut state);
        }
    }

    fn tick(&mut self, snapshot: &Snapshot) {
        for attendant in &mut self.attendants {
            attendant.tick(snapshot);
        }
        if matches!(self.screen, Screen::Rows { .. }) {
            self.tell_news(&snapshot.servers);
        }
        match &mut self.screen {
            Screen::None | Screen::Full(_) => {}
            Screen::Progress(bar) => progress(bar, snapshot),
            Screen::Rows {
                every,
                next,
                rows,
                style,
            } => {
                let elapsed = Duration::from_secs_f64(snapshot.elapsed_s.clamp(0.0, 1e12));
                // Half a tick of grace, so that a tick a moment early does not skip a row.
                if elapsed + Duration::from_millis(500) < *next {
                    return;
                }
                *next = elapsed + *every;
                if *rows == 0 {
                    output::figures(&live_header());
                }
                *rows = (*rows + 1) % ROWS_PER_HEADING;
                output::figures(&live_row(&row(snapshot), *style));
            }
        }
    }
}

fn row(snapshot: &Snapshot) -> LiveRow {
    let kernel = snapshot.kernel.unwrap_or_default();
    LiveRow {
        elapsed_s: snapshot.elapsed_s,
        packets_per_s: snapshot.packets_per_s,
        bits_per_s: snapshot.bits_per_s,
        kernel_drops: kernel.dropped_kernel,
        interface_drops: kernel.dropped_interface,
        queue_drops: snapshot.queues.iter().map(|queue| queue.dropped).sum(),
        queues: snapshot
            .queues
            .iter()
            .map(|queue| LiveQueue {
                blocks: queue.blocks,
                capacity: queue.capacity,
            })
            .collect(),
        busiest: snapshot.threads.iter().map(|thread| thread.busy).fold(0.0, f64::max),
        latency_p99_ns: snapshot.latency.p99,
        hosts: snapshot.hosts,
        timelines: snapshot.timelines,
        evictions: snapshot.evictions,
        servers: snapshot.servers_total,
        countries: snapshot.countries.clone(),
    }
}

fn bar() -> ProgressBar {
    ProgressBar::no_length()
}

/// Bytes of the input where their sum is known, otherwise only what was read.
fn progress(bar: &ProgressBar, snapshot: &Snapshot) {
    let source = &snapshot.source;
    if bar.length().is_none() {
        let template = if source.input_bytes_total > 0 {
            "{bar:30} {percent:>3} %  {decimal_bytes}/{decimal_total_bytes}  {decimal_bytes_per_sec}  {eta} left  {msg}"
        } else {
            "{spinner} {decimal_bytes}  {decimal_bytes_per_sec}  {msg}"
        };
        // The templates are constants; if one were wrong the plain bar would stay.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        // After the style: a length makes the bar draw itself.
        if source.input_bytes_total > 0 {
            bar.set_length(source.input_bytes_total);
        }
    }
    bar.set_position(source.input_bytes);
    bar.set_message(counted(snapshot.accounting.received, "packet"));
}

//! `balefire live`: a network interface through the whole detector, until it is told to stop.
//!
//! In: what was typed. Out: rows of figures while it runs, hour files, the answer at the end. Not its job: the interface
//! (`capture`), running (`run`).

use std::sync::Arc;
use std::time::Duration;

use balefire_capture::{CaptureError, LiveOptions, LiveSource, interface_addresses};
use balefire_detect::Shared;
use balefire_report::Unit;

use crate::console::Console;
use crate::exit::{Exit, Failure};
use crate::flags::LiveFlags;
use crate::keep::Keeper;
use crate::lists;
use crate::output;
use crate::plan::Plan;
use crate::run::{self, Title};
use crate::service::alerts::{Alerts, Orders, Output as AlertOutput, Outputs};
use crate::service::ctl::Rule;
use crate::service::metrics;
use crate::service::vitals::Vitals;
use crate::settings::Settings;
use crate::signals::{self, Ending};
use crate::top::{self, Shown};

/// How long the interface may take to deliver what the kernel still holds after a signal. The program must be gone within 2 s.
pub(crate) const DRAIN: Duration = Duration::from_secs(1);

/// Seconds between rows where nobody watches: a row a minute is what a log can take for months.
pub(crate) const EVERY_IN_A_LOG: u64 = 60;

pub(crate) fn run(flags: &LiveFlags) -> Result<Exit, Failure> {
    let mut settings = Settings::load(&flags.settings)?;
    settings.apply_live(flags)?;
    let mut plan = Plan::new(&settings, &flags.output, &networks(&flags.interface)?)?;
    let source = LiveSource::open(&flags.interface, &options(&settings)).map_err(failure)?;
    let stopper = source.stopper();
    let (of_lists, shared) = (settings.clone(), Arc::clone(&plan.shared));
    let stop = signals::watch(Ending {
        reload: Some(Box::new(move || lists::reload(&of_lists, &shared))),
        wake: Box::new(move || stopper.stop()),
        grace: DRAIN,
        limit: flags.duration.map(Duration::from_secs),
    })?;
    let default_every = if output::stderr_is_terminal() {
        1
    } else {
        EVERY_IN_A_LOG
    };
    let every = Duration::from_secs(flags.every.unwrap_or(default_every));
    let keeper = plan
        .archive
        .take()
        .map(|(archive, about)| Keeper::for_tap(archive, about));
    let mut console = Console::for_tap(plan.hours.as_ref(), keeper, plan.quiet, every);
    let vitals = Vitals::new(&plan.sensor, plan.table_limits()).with_detector(&plan.shared);
    vitals.know_memory_cap(settings.memory().0);
    console.attend(Box::new(vitals.clone()));
    if let Some(file) = &flags.alerts {
        let orders = Arc::new(Orders::with_limit(settings.alerts.per_server_hourly.size() as u32));
        let outputs = Outputs::new(vec![AlertOutput::file(file)?]);
        let alerts = Alerts::new(&plan.sensor, orders, outputs, vitals.clone());
        console.attend(Box::new(alerts.asking(&plan.shared)));
    }
    if flags.metrics.is_some()
        && let Some(address) = settings.metrics.listen.0
    {
        let bound = metrics::open(address, settings.metrics.anywhere, &vitals)?;
        output::remark(&format!("metrics on http://{bound}/metrics"));
    }
    if !plan.quiet {
        output::remark(&format!("listening on {}, home {}", flags.interface, plan.detect.home));
    }
    if is_full_screen(flags, plan.quiet) {
        console.fill(Shown::beside(&vitals, allow(&settings, &plan.shared))?);
    }
    let title = Title {
        input: flags.interface.clone(),
        again: None,
        unit: Unit::Packets,
    };
    run::run(Box::new(source), &plan, console, &title, &stop.asked)
}

/// What the console's key for a rule does.
fn allow(settings: &Settings, shared: &Arc<Shared>) -> top::Allow {
    let (settings, shared) = (settings.clone(), Arc::clone(shared));
    Box::new(move |rule| {
        let Some(file) = &settings.detect.allowlist else {
            return Err("no allowlist: start it with --allowlist FILE".to_owned());
        };
        let added = Rule::from(rule.clone()).append_to(file);
        let added = added.map_err(|failure| failure.to_string())?;
        lists::reload(&settings, &shared);
        Ok(added)
    })
}

/// The full-screen console is for a person at a terminal that can show it.
fn is_full_screen(flags: &LiveFlags, quiet: bool) -> bool {
    if flags.plain || quiet {
        return false;
    }
    let hindrance = top::hindrance();
    if let Some(words) = hindrance.as_deref().filter(|words| !words.is_empty()) {
        output::remark(words);
    }
    hindrance.is_none()
}

/// The networks the interface itself is in; an address that stands for the whole Internet is left out.
pub(crate) fn networks(interface: &str) -> Result<Vec<String>, Failure> {
    let addresses = interface_addresses(interface).map_err(failure)?;
    let networks = addresses.iter().filter(|address| address.prefix_bits > 0);
    Ok(networks.map(ToString::to_string).collect())
}

pub(crate) fn options(settings: &Settings) -> LiveOptions {
    let capture = &settings.capture;
    let filter = Some(capture.filter.trim()).filter(|filter| !filter.is_empty());
    // Both numbers are checked: below 2^18 bytes and 2^11 MiB.
    LiveOptions {
        promiscuous: capture.promiscuous,
        snaplen_bytes: u32::try_from(capture.snaplen_bytes.0).unwrap_or(u32::MAX),
        buffer_bytes: u32::try_from(capture.buffer_mb.0 << 20).unwrap_or(u32::MAX),
        filter: filter.map(str::to_owned),
        ..LiveOptions::default()
    }
}

pub(crate) fn failure(error: CaptureError) -> Failure {
    match error {
        CaptureError::Filter { .. } => Failure::usage(error.to_string()),
        error => Failure::failed(format!("{error} (`balefire interfaces` lists what can be opened)")),
    }
}

//! `balefire run`: the detector as a service, from a settings file, for months.
//!
//! In: what was typed and the settings file. Out: hours, alerts, metrics, words to the service manager, until SIGTERM or
//! SIGINT. In this order: everything that can be refused is opened, then rights are given up, then packets are taken. Not
//! its job: any of the parts (`tap` of the pipeline, `alerts`, `metrics`, `sandbox`, `notify`).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use balefire_pipeline::{Begin, Tap, TapOptions};
use balefire_report::Unit;

use super::alerts::{Alerts, Orders, Output, Outputs};
use super::control::{Bound, Control};
use super::cores::Cores;
use super::links::Links;
use super::lock::Lock;
use super::notify::{self, Notifier};
use super::reload::Reloader;
use super::state::StateKeeper;
use super::vitals::Vitals;
use super::{control, metrics, refuse, sandbox, state};
use crate::console::Console;
use crate::exit::{Exit, Failure};
use crate::flags::{Format, OutputFlags, RunFlags};
use crate::keep::Keeper;
use crate::live::{self, DRAIN, EVERY_IN_A_LOG};
use crate::output;
use crate::plan::{Answer, Plan};
use crate::run::{self, Title};
use crate::settings::Settings;
use crate::signals::{self, Ending};

pub(crate) fn run(flags: &RunFlags) -> Result<Exit, Failure> {
    let settings = load(flags)?;
    let Some(folder) = &settings.service.output else {
        return Err(Failure::usage(
            "no folder for the hours: --output DIR, or [service] output in the settings file",
        ));
    };
    if settings.service.interfaces.is_empty() {
        return Err(Failure::usage(
            "no interface: --interface IFACE, or [service] interfaces in the settings file; `balefire interfaces` lists them",
        ));
    }
    refuse::unusable(&settings)?;
    let cores = Cores::plan(&settings)?;
    if let Some(cores) = &cores {
        cores.bind_rest()?;
        output::remark(&cores.words(&settings));
    }
    let begin = cores.as_ref().map(Cores::begin).unwrap_or_default();
    let mut plan = plan(&settings, folder)?;
    plan.pipeline.begin = begin.clone();
    let _lock = Lock::take(folder)?;
    let beside = take_up(&mut plan, &settings, folder);
    let tap = open(&settings, begin)?;
    let vitals = Vitals::new(&plan.sensor, plan.table_limits()).with_tap(tap.watch());
    let vitals = vitals.with_detector(&plan.shared);
    let (alerts, orders) = alerts(&settings, &plan, &vitals)?;
    let control = settings.socket().map(|path| control::bind(&path)).transpose()?;
    let _bound = settings.socket().map(Bound);
    let landlock = if settings.service.sandbox {
        // The socket is removed at the end, where its folder lets us.
        let socket = parent(settings.service.socket.as_ref());
        sandbox::enter(
            &readable(flags, &settings),
            &writable(&settings, folder),
            socket.as_deref(),
        )?
        .landlock
    } else {
        "switched off"
    };
    output::remark(&format!(
        "rights given up: {}; landlock: {landlock}",
        settings.service.sandbox
    ));

    let stopper = tap.stopper();
    let keeper = plan.archive.take();
    let keeper = keeper.map(|(archive, about)| Keeper::for_tap(archive, about));
    let decided = keeper.as_ref().map(Keeper::decided).unwrap_or_default();
    let reloader = Reloader::new(flags.clone(), settings.clone(), Arc::clone(&plan.shared));
    let reloader = Arc::new(reloader.with(Arc::clone(&orders), decided));
    let at_signal = Arc::clone(&reloader);
    let stop = signals::watch(Ending {
        wake: Box::new(move || {
            notify::stopping();
            stopper.stop();
        }),
        grace: DRAIN,
        limit: None,
        reload: Some(Box::new(move || drop(at_signal.reload()))),
    })?;
    let mut console = Console::for_tap(
        plan.hours.as_ref(),
        keeper,
        plan.quiet,
        Duration::from_secs(EVERY_IN_A_LOG),
    );
    console.remember(&beside);
    vitals.know_memory_cap(settings.memory().0);
    console.attend(Box::new(vitals.clone()));
    console.attend(Box::new(Links::new(tap.watch())));
    if let Some(mut alerts) = alerts {
        alerts.remember(&beside);
        console.attend(Box::new(alerts));
    }
    // After the alerts, which put what they told beside it.
    console.attend(Box::new(StateKeeper::new(folder)));
    console.attend(Box::new(Notifier::new(vitals.clone())));
    if let Some(listener) = control {
        let control = Control {
            vitals: vitals.clone(),
            shared: Arc::clone(&plan.shared),
            reloader,
            orders,
            landlock,
        };
        control::open(listener, control)?;
    }
    if let Some(address) = settings.metrics.listen.0 {
        let bound = metrics::open(address, settings.metrics.anywhere, &vitals)?;
        output::remark(&format!("metrics on http://{bound}/metrics"));
    }
    let interfaces = settings.service.interfaces.join(", ");
    output::remark(&format!("listening on {interfaces}, home {}", plan.detect.home));
    let title = Title {
        input: interfaces,
        again: None,
        unit: Unit::Packets,
    };
    run::run(Box::new(tap), &plan, console, &title, &stop.asked)
}

pub(super) fn load(flags: &RunFlags) -> Result<Settings, Failure> {
    let mut settings = Settings::load(&flags.settings)?;
    settings.apply_run(flags);
    Ok(settings)
}

fn plan(settings: &Settings, folder: &Path) -> Result<Plan, Failure> {
    let output = OutputFlags {
        format: Format::Table,
        output: Some(folder.to_owned()),
        no_archive: false,
        scores: None,
        why: None,
        profile: false,
        quiet: false,
    };
    let mut networks = Vec::new();
    for interface in &settings.service.interfaces {
        networks.extend(live::networks(interface)?);
    }
    let mut plan = Plan::new(settings, &output, &networks)?;
    plan.answer = Answer::Nothing;
    Ok(plan)
}

/// What the run before knew, if it can be used; returns what it kept beside.
fn take_up(plan: &mut Plan, settings: &Settings, folder: &Path) -> Vec<u8> {
    plan.pipeline.keep_state = true;
    let Some(mut state) = state::load(folder, &plan.detect, settings.memory().0) else {
        return Vec::new();
    };
    // Pairs and destinations are known by hashes of that seed.
    plan.detect = Arc::new(balefire_detect::Settings {
        hash_seed: state.seed(),
        ..(*plan.detect).clone()
    });
    let beside = std::mem::take(&mut state.beside);
    *plan.pipeline.state.lock() = Some(state);
    beside
}

fn open(settings: &Settings, begin: Begin) -> Result<Tap, Failure> {
    let options = TapOptions {
        interfaces: settings.service.interfaces.clone(),
        readers: settings.service.readers.size(),
        live: live::options(settings),
        begin,
    };
    Tap::open(&options).map_err(live::failure)
}

fn alerts(settings: &Settings, plan: &Plan, vitals: &Vitals) -> Result<(Option<Alerts>, Arc<Orders>), Failure> {
    let wanted = &settings.alerts;
    let mut outputs = Vec::new();
    if let Some(path) = &wanted.file {
        outputs.push(Output::file(path)?);
    }
    if wanted.stdout {
        outputs.push(Output::Stdout);
    }
    if let Some(place) = &wanted.syslog {
        outputs.push(Output::syslog(place, &plan.sensor, wanted.syslog_format)?);
    }
    if outputs.is_empty() {
        return Ok((None, Arc::default()));
    }
    let orders = Arc::new(Orders::with_limit(wanted.per_server_hourly.size() as u32));
    let alerts = Alerts::new(&plan.sensor, Arc::clone(&orders), Outputs::new(outputs), vitals.clone());
    Ok((Some(alerts.asking(&plan.shared)), orders))
}

fn readable(flags: &RunFlags, settings: &Settings) -> Vec<PathBuf> {
    let detect = &settings.detect;
    let files = [&flags.settings.config, &detect.country_db, &detect.allowlist];
    let folder = |path: &PathBuf| path.parent().map(Path::to_owned);
    // The folder, as a file that is replaced is another file.
    let folders = files.into_iter().flatten().chain(&detect.intel).filter_map(folder);
    folders.filter(|folder| !folder.as_os_str().is_empty()).collect()
}

fn writable(settings: &Settings, folder: &Path) -> Vec<PathBuf> {
    let mut folders = vec![folder.to_owned()];
    folders.extend(parent(settings.alerts.file.as_ref()));
    folders
}

fn parent(path: Option<&PathBuf>) -> Option<PathBuf> {
    let folder = path?.parent()?;
    (!folder.as_os_str().is_empty()).then(|| folder.to_owned())
}

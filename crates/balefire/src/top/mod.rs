//! The console: `balefire top`, attached to the running service, and what `balefire live` shows on a terminal.
//!
//! In: views, over the control socket or of this very process. Out: pages on a terminal, lines where there is none. One model
//! (`view`), filled in the running program (`fill`, `board`); what is drawn is a function of it and of what a person did (`draw`,
//! `app`), so that all of it is tested without a terminal. Not its job: finding anything, answering questions of others.

mod app;
mod board;
mod canvas;
mod draw;
mod evidence;
mod fill;
mod keys;
mod overview;
mod pages;
mod plain;
mod screen;
mod sheet;
mod terminal;
#[cfg(test)]
mod tests;
mod view;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use balefire_detect::ControlServer;
use serde::de::DeserializeOwned;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

pub(crate) use self::board::Board;
pub(crate) use self::terminal::{hindrance, restore};

pub(crate) use self::app::Allowing;
use self::screen::{Quitting, Source};
use self::view::{Explained, SCHEMA, View};
use crate::exit::{Exit, Failure};
use crate::flags::TopFlags;
use crate::output;
use crate::service::vitals::Vitals;
use crate::service::{control, ctl};

/// `balefire top`.
pub(crate) fn run(flags: &TopFlags) -> Result<Exit, Failure> {
    let socket = ctl::socket_of(flags.socket.as_ref(), flags.config.as_ref())?;
    let mut source = Attached { socket };
    // Before the terminal is taken: a service that is not there is said on it, not in it.
    source.view().map_err(Failure::failed)?;
    let end = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&end))
            .map_err(|error| Failure::failed(format!("signals cannot be caught: {error}")))?;
    }
    let hindrance = if flags.plain { Some(String::new()) } else { hindrance() };
    let Some(words) = hindrance else {
        let source = Box::new(source);
        let shown = screen::show(source, terminal::look(), Quitting::Leaves, &end);
        return match shown {
            Ok(()) => Ok(Exit::Done),
            Err(error) => Err(Failure::failed(format!("the terminal: {error}; --plain prints lines"))),
        };
    };
    if !words.is_empty() {
        output::remark(&words);
    }
    plain::show(Box::new(source), Duration::from_secs(flags.every), &end)
}

/// A service behind its control socket.
struct Attached {
    socket: PathBuf,
}

impl Attached {
    fn ask<T: DeserializeOwned>(&self, question: &str) -> Result<T, String> {
        let answer = control::ask(&self.socket, question).map_err(|failure| failure.to_string())?;
        if let Some(error) = answer["error"].as_str() {
            return Err(balefire_report::clean(error));
        }
        serde_json::from_value(answer)
            .map_err(|error| format!("the service's answer is not what `top` expects: {error}"))
    }
}

impl Source for Attached {
    fn view(&mut self) -> Result<View, String> {
        let view: View = self.ask("top")?;
        if view.schema != SCHEMA {
            let service = balefire_report::clean(&view.version);
            return Err(format!(
                "the service is balefire {service}, this is {}: use the `top` of the service's own version",
                env!("CARGO_PKG_VERSION")
            ));
        }
        Ok(view)
    }

    fn explain(&mut self, id: &str) -> Result<Explained, String> {
        let explained: Explained = self.ask(&format!("top {id}"))?;
        if explained.server.id == id {
            Ok(explained)
        } else {
            Err("the service's answer is of an other server".to_owned())
        }
    }

    fn allow(&mut self, rule: &Allowing) -> Result<String, String> {
        let done = ctl::allow(&self.socket, &rule.clone().into()).map_err(|failure| failure.to_string())?;
        // What could not be read is what the rule waits for.
        let failed = done["failed"][0].as_str().or(done["added"].as_str());
        Ok(balefire_report::clean(failed.unwrap_or("added")))
    }
}

/// What `a` does in the program's own console: adds a rule, and puts it in force.
pub(crate) type Allow = Box<dyn Fn(&Allowing) -> Result<String, String> + Send>;

/// This very process.
struct Own(Vitals, Allow);

impl Source for Own {
    fn view(&mut self) -> Result<View, String> {
        Ok(self.0.board().view(&self.0.state()))
    }

    fn explain(&mut self, id: &str) -> Result<Explained, String> {
        let ask = |servers: &[&ControlServer]| self.0.evidence_now(servers);
        let explained = self.0.board().explain(&self.0.state(), id, ask);
        explained.ok_or_else(|| "it is not suspected any more".to_owned())
    }

    fn allow(&mut self, rule: &Allowing) -> Result<String, String> {
        (self.1)(rule)
    }
}

/// The console of a running detector, on a thread beside it.
#[derive(Debug)]
pub(crate) struct Shown {
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Shown {
    /// Takes the terminal for the program's own run; quitting ends the run as SIGINT does. A terminal that goes away ends the
    /// console, not the run.
    pub(crate) fn beside(vitals: &Vitals, allow: Allow) -> Result<Self, Failure> {
        let end = Arc::new(AtomicBool::new(false));
        let (source, ending) = (Box::new(Own(vitals.clone(), allow)), Arc::clone(&end));
        let body = move || {
            if let Err(error) = screen::show(source, terminal::look(), Quitting::Interrupts, &ending) {
                output::complain(&format!("the console's terminal: {error}; the tap goes on without it"));
            }
        };
        let thread = thread::Builder::new().name(terminal::THREAD.to_owned()).spawn(body);
        let thread = thread.map_err(|error| Failure::failed(format!("a thread could not be started: {error}")))?;
        Ok(Self {
            end,
            thread: Some(thread),
        })
    }

    /// Gives the terminal back.
    pub(crate) fn close(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of it was told by the panic itself.
            let _ = thread.join();
        }
        restore();
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.close();
    }
}

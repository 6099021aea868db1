//! The console at work: keys in, screens out, a view a second.
//!
//! In: a [`Source`] of views, asked on a thread of its own so that a service that is slow to answer stops no key. Out: the
//! screen, files of rows. Not its job: what a key does (`app`), what is drawn (`draw`).

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use balefire_report::rfc3339;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Size;
use rustix::process::{Signal, getpid, kill_process};

use super::app::{Action, Allowing, App};
use super::canvas::Look;
use super::draw;
use super::keys::Keyboard;
use super::terminal::{self, Taken};
use super::view::{Explained, View};

/// Between two views.
const EVERY: Duration = Duration::from_secs(1);
/// Between two questions for the evidence that is open.
const AGAIN_EVERY: Duration = Duration::from_secs(5);
/// Between two looks at everything that is no key.
const NAP: Duration = Duration::from_millis(100);

/// Where views come from.
pub(crate) trait Source: Send {
    fn view(&mut self) -> Result<View, String>;
    fn explain(&mut self, id: &str) -> Result<Explained, String>;
    /// Adds a rule to the allowlist in force; says what came of it.
    fn allow(&mut self, rule: &Allowing) -> Result<String, String>;
}

/// What is asked of it beside views.
enum Question {
    Explain(String),
    Allow(Allowing),
}

/// What quitting is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quitting {
    /// The console ends, and nothing else.
    Leaves,
    /// The whole program ends in order, as at SIGINT, and the console with it.
    Interrupts,
}

enum News {
    View(Box<Result<View, String>>),
    Explained(String, Box<Result<Explained, String>>),
    Said(String),
}

/// Shows views until the person quits or `end` is set.
///
/// # Errors
/// The terminal cannot be used, or has gone away.
pub(crate) fn show(source: Box<dyn Source>, look: Look, quitting: Quitting, end: &AtomicBool) -> io::Result<()> {
    let (questions, asked) = channel();
    let (answers, news) = channel();
    thread::Builder::new()
        .name("console-views".to_owned())
        .spawn(move || ask(source, &asked, &answers))?;
    let (taken, terminal) = terminal::take()?;
    let mut screen = Screen {
        terminal,
        taken: Some(taken),
        look,
        quitting,
        app: App::default(),
        view: Arc::default(),
        questions,
        explained: Instant::now(),
        is_ending: false,
    };
    let mut keyboard = Keyboard::default();
    let mut drawn_size = Size::default();
    let mut changed = true;
    while !end.load(Ordering::Relaxed) {
        for news in news.try_iter() {
            screen.learn(news);
            changed = true;
        }
        screen.explain_again();
        let size = screen.terminal.size()?;
        if changed || size != drawn_size {
            screen.draw()?;
            drawn_size = size;
        }
        changed = false;
        for key in keyboard.wait(NAP)? {
            changed = true;
            let shown = screen.shown();
            if let Some(action) = screen.app.press(key, &shown)
                && screen.act(action)?
            {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Asks for a view a second, and for whatever else is wanted, until nobody listens.
fn ask(mut source: Box<dyn Source>, questions: &Receiver<Question>, answers: &Sender<News>) {
    let mut next = Instant::now();
    loop {
        let now = Instant::now();
        let news = if next <= now {
            next = now + EVERY;
            News::View(Box::new(source.view()))
        } else {
            match questions.recv_timeout(next - now) {
                Ok(Question::Explain(id)) => {
                    let answer = Box::new(source.explain(&id));
                    News::Explained(id, answer)
                }
                Ok(Question::Allow(rule)) => News::Said(source.allow(&rule).unwrap_or_else(|why| why)),
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        };
        if answers.send(news).is_err() {
            return;
        }
    }
}

struct Screen {
    terminal: Terminal<CrosstermBackend<io::Stdout>>,
    /// `None` for the moment in which the shell has the terminal.
    taken: Option<Taken>,
    look: Look,
    quitting: Quitting,
    app: App,
    view: Arc<View>,
    questions: Sender<Question>,
    /// When the evidence that is shown was asked for.
    explained: Instant,
    /// The program was asked to end.
    is_ending: bool,
}

impl Screen {
    fn shown(&self) -> Arc<View> {
        Arc::clone(self.app.paused.as_ref().unwrap_or(&self.view))
    }

    fn learn(&mut self, news: News) {
        match news {
            News::View(answer) => match *answer {
                Ok(view) => {
                    self.view = Arc::new(view);
                    self.app.trouble = None;
                }
                Err(why) => self.app.trouble = Some(format!("no answer, what you see is old: {why}")),
            },
            News::Explained(id, answer) => self.app.explained(&id, *answer),
            News::Said(words) => self.app.message = Some(words),
        }
    }

    /// What is open is kept as it is now.
    fn explain_again(&mut self) {
        if self.explained.elapsed() < AGAIN_EVERY {
            return;
        }
        if let Some(id) = self.app.explained_id() {
            self.explained = Instant::now();
            let _ = self.questions.send(Question::Explain(id.to_owned()));
        }
    }

    fn draw(&mut self) -> io::Result<()> {
        let (view, look, app) = (self.shown(), self.look, &mut self.app);
        self.terminal.draw(|frame| {
            let area = frame.area();
            frame.buffer_mut().clone_from(&draw::render(&view, app, look, area));
        })?;
        Ok(())
    }

    /// Whether that was all.
    fn act(&mut self, action: Action) -> io::Result<bool> {
        match action {
            Action::Quit | Action::Interrupt if self.quitting == Quitting::Leaves => return Ok(true),
            // Asked twice by one key it would lose the open hour: only ^C means that.
            Action::Quit if self.is_ending => {}
            Action::Quit | Action::Interrupt => {
                self.is_ending = true;
                self.app.message = Some("ending: the open hour is being closed".to_owned());
                kill_process(getpid(), Signal::INT)?;
            }
            Action::Suspend if self.quitting == Quitting::Interrupts => {
                self.app.message = Some("^Z would stop the capture with the screen: it does nothing here".to_owned());
            }
            Action::Suspend => {
                self.taken = None;
                kill_process(getpid(), Signal::TSTP)?;
                let (taken, terminal) = terminal::take()?;
                (self.taken, self.terminal) = (Some(taken), terminal);
                self.terminal.clear()?;
            }
            Action::Redraw => self.terminal.clear()?,
            Action::Explain(id) => {
                self.explained = Instant::now();
                // The thread lives as long as this sender.
                let _ = self.questions.send(Question::Explain(id));
            }
            Action::Allow(rule) => {
                self.app.message = Some(format!("allowing {} ...", rule.words()));
                let _ = self.questions.send(Question::Allow(rule));
            }
            Action::Export(what, text) => self.app.message = Some(export(&self.shown(), &what, &text)),
        }
        Ok(false)
    }
}

/// Writes a new file into the working folder; what became of it, in words.
fn export(view: &View, what: &str, text: &str) -> String {
    let name = file_name(view, what);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&name)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    match written {
        Ok(()) => format!("written: {name}"),
        Err(error) => {
            format!("{name} not written: {error}; start the console in a folder with room that you may write to")
        }
    }
}

/// `balefire-SENSOR-servers-20261124T142307Z.csv`, whatever the sensor is called.
fn file_name(view: &View, what: &str) -> String {
    let is_plain = |letter: &char| letter.is_ascii_alphanumeric() || "-_.".contains(*letter);
    let sensor: String = view.sensor.chars().filter(is_plain).take(40).collect();
    let stamp: String = rfc3339(view.clock_ns)
        .chars()
        .take(19)
        .filter(|letter| !"-:".contains(*letter))
        .collect();
    format!("balefire-{sensor}-{what}-{stamp}Z.csv")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sensor_cannot_choose_the_folder_of_a_file() {
        let view = View {
            sensor: "../../etc/tap\u{1b}1".to_owned(),
            clock_ns: 1_795_530_187_000_000_000,
            ..View::default()
        };
        let name = file_name(&view, "servers");
        assert_eq!(name, "balefire-....etctap1-servers-20261124T142307Z.csv");
    }
}

//! What a person does with the console: pages, selection, sorting, filter, pause, what is open.
//!
//! In: [`Key`]s and the model. Out: the state that `draw` reads, and now and then an [`Action`] for whoever owns the terminal.
//! Pure: no terminal, no clock, no file. Not its job: drawing, reading keys (`keys`).

use std::sync::Arc;

use super::pages::Page;
use super::sheet::{Sheet, Sorting};
use super::view::{Explained, View};

/// A key, as far as it means something here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Char(char),
    Control(char),
    Enter,
    Escape,
    Tab,
    BackTab,
    Backspace,
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Home,
    End,
}

/// What must be done outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Quit,
    /// ^C: where quitting takes its time, a second one is meant.
    Interrupt,
    /// Stop for the shell's `fg`.
    Suspend,
    /// The screen may be torn: draw all of it.
    Redraw,
    /// Ask what is known of the server with this id.
    Explain(String),
    /// Add a rule to the allowlist.
    Allow(Allowing),
    /// Write a file: a part of its name, and its text.
    Export(String, String),
}

/// A rule that a person writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Allowing {
    /// An address, or a name.
    pub(crate) server: String,
    pub(crate) port: Option<u16>,
    pub(crate) reason: String,
}

impl Allowing {
    /// As a command would name the server.
    pub(crate) fn words(&self) -> String {
        match self.port {
            Some(port) => format!("{} --port {port}", self.server),
            None => self.server.clone(),
        }
    }
}

/// What lies over the page.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Over {
    #[default]
    Nothing,
    Help {
        scroll: u16,
    },
    /// A filter is being typed; this was in force before.
    Filter(String),
    /// What is known of a server; `None` until the answer is here.
    Evidence {
        id: String,
        known: Option<Box<Explained>>,
        scroll: u16,
    },
    /// A reason is being typed, for a rule; what was there before comes back.
    Allow {
        rule: Allowing,
        before: Box<Over>,
    },
    /// An event in full.
    Event {
        text: String,
        scroll: u16,
    },
}

/// How one page is looked at.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Pane {
    pub(crate) sorting: Sorting,
    /// Of the rows as they are arranged.
    pub(crate) selected: usize,
    /// The selected row, to be found again in the next view.
    id: Option<String>,
    /// First row on the screen.
    pub(crate) top: usize,
}

/// Letters of a filter, and of a reason.
const LONGEST_FILTER: usize = 64;
const LONGEST_REASON: usize = 160;

/// See the head of this file.
#[derive(Clone, Debug, Default)]
pub(crate) struct App {
    pub(crate) page: Page,
    panes: [Pane; Page::ALL.len()],
    pub(crate) over: Over,
    /// What was shown when the person said stop.
    pub(crate) paused: Option<Arc<View>>,
    /// Said in the last line until the next key.
    pub(crate) message: Option<String>,
    /// Why the view is old.
    pub(crate) trouble: Option<String>,
    /// Rows of a list that fit.
    rows: usize,
}

impl App {
    pub(crate) fn pane(&self) -> &Pane {
        &self.panes[self.page as usize]
    }

    fn pane_mut(&mut self) -> &mut Pane {
        &mut self.panes[self.page as usize]
    }

    /// The rows of the page as they are to be drawn.
    pub(crate) fn sheet(&self, view: &View) -> Sheet {
        self.page.sheet(view).arranged(&self.pane().sorting)
    }

    /// Before drawing: the selection stays on its row, and on the screen. `rows` fit on it.
    pub(crate) fn settle(&mut self, view: &View, rows: usize) {
        self.rows = rows.max(1);
        let sheet = self.sheet(view);
        let rows = self.rows;
        let pane = self.pane_mut();
        let found = pane
            .id
            .as_ref()
            .and_then(|id| sheet.rows.iter().position(|row| row.id == *id));
        pane.selected = found.unwrap_or(pane.selected).min(sheet.rows.len().saturating_sub(1));
        // The first row is wherever the first row is, until somebody goes elsewhere.
        if found.is_none() {
            pane.id = None;
        }
        let last_top = sheet.rows.len().saturating_sub(rows);
        pane.top = pane
            .top
            .clamp((pane.selected + 1).saturating_sub(rows), pane.selected)
            .min(last_top);
    }

    /// One key. `view` is what is on the screen.
    pub(crate) fn press(&mut self, key: Key, view: &Arc<View>) -> Option<Action> {
        self.message = None;
        match key {
            Key::Control('c') => return Some(Action::Interrupt),
            Key::Control('z') => return Some(Action::Suspend),
            Key::Control('l') => return Some(Action::Redraw),
            _ => {}
        }
        match &mut self.over {
            Over::Nothing => self.press_page(key, view),
            Over::Filter(before) => {
                let before = std::mem::take(before);
                self.press_filter(key, before);
                None
            }
            Over::Allow { rule, before } => {
                let (rule, before) = (std::mem::take(rule), std::mem::take(before));
                self.press_reason(key, rule, before)
            }
            Over::Help { .. } | Over::Evidence { .. } | Over::Event { .. } => self.press_reader(key),
        }
    }

    /// The answer to [`Action::Explain`].
    pub(crate) fn explained(&mut self, asked: &str, answer: Result<Explained, String>) {
        // The answer may come while a reason is being typed.
        let over = match &mut self.over {
            Over::Allow { before, .. } => &mut **before,
            over => over,
        };
        let Over::Evidence { id, known, .. } = over else {
            return;
        };
        if id != asked {
            return;
        }
        match answer {
            Ok(explained) => *known = Some(Box::new(explained)),
            // What is open stays open when it is asked for again.
            Err(why) if known.is_some() => self.message = Some(why),
            Err(why) => {
                self.over = Over::Nothing;
                self.message = Some(why);
            }
        }
    }

    /// The server whose evidence is shown, to be asked about again.
    pub(crate) fn explained_id(&self) -> Option<&str> {
        match &self.over {
            Over::Evidence { id, known: Some(_), .. } if self.paused.is_none() => Some(id),
            _ => None,
        }
    }

    fn press_page(&mut self, key: Key, view: &Arc<View>) -> Option<Action> {
        let screen = self.rows.max(1);
        match key {
            Key::Char('q') => return Some(Action::Quit),
            Key::Char('?') => self.over = Over::Help { scroll: 0 },
            Key::Char(digit @ '1'..='5') => {
                self.page = Page::ALL[usize::from(digit as u8 - b'1')];
            }
            Key::Tab | Key::Right | Key::Char('l') => self.turn(1),
            Key::BackTab | Key::Left | Key::Char('h') => self.turn(Page::ALL.len() - 1),
            Key::Down | Key::Char('j') => self.go(view, |row| row + 1),
            Key::Up | Key::Char('k') => self.go(view, |row| row.saturating_sub(1)),
            Key::PageDown | Key::Char(' ') | Key::Control('f') => self.go(view, |row| row + screen),
            Key::PageUp | Key::Char('b') | Key::Control('b') => self.go(view, |row| row.saturating_sub(screen)),
            Key::Home | Key::Char('g') => {
                self.go(view, |_| 0);
                self.pane_mut().id = None;
            }
            Key::End | Key::Char('G') => self.go(view, |_| usize::MAX),
            Key::Char(letter @ ('s' | 'S')) => self.sort(view, letter == 'S'),
            Key::Char('r') => {
                let sorting = &mut self.pane_mut().sorting;
                sorting.reversed = !sorting.reversed;
            }
            Key::Char('/') if self.page != Page::Overview => {
                self.over = Over::Filter(self.pane().sorting.filter.clone());
            }
            Key::Escape => self.pane_mut().sorting.filter.clear(),
            Key::Char('p') => {
                self.paused = match self.paused.take() {
                    None => Some(Arc::clone(view)),
                    Some(_) => None,
                };
            }
            Key::Char('e') => {
                return Some(Action::Export(self.page.name().to_owned(), self.sheet(view).csv()));
            }
            Key::Char('a') if matches!(self.page, Page::Servers | Page::Hosts) => self.allow_selected(view),
            Key::Enter => return self.enter(view),
            _ => {}
        }
        None
    }

    fn turn(&mut self, by: usize) {
        self.page = Page::ALL[(self.page as usize + by) % Page::ALL.len()];
    }

    fn go(&mut self, view: &View, to: impl FnOnce(usize) -> usize) {
        let sheet = self.sheet(view);
        let pane = self.pane_mut();
        pane.selected = to(pane.selected).min(sheet.rows.len().saturating_sub(1));
        pane.id = sheet.rows.get(pane.selected).map(|row| row.id.clone());
    }

    fn sort(&mut self, view: &View, backwards: bool) {
        let next = self.page.sheet(view).next_sort(self.pane().sorting.column, backwards);
        let pane = self.pane_mut();
        pane.sorting.column = next;
        pane.sorting.reversed = false;
        // Sorting is for looking at the first rows.
        (pane.selected, pane.id) = (0, None);
    }

    fn enter(&mut self, view: &View) -> Option<Action> {
        let selected = self.sheet(view).rows.get(self.pane().selected)?.id.clone();
        match self.page {
            Page::Overview => self.page = Page::Servers,
            Page::Servers => return Some(self.ask(selected)),
            Page::Hosts => {
                let host = view.hosts.iter().find(|host| host.address == selected)?;
                return Some(self.ask(host.best.clone()));
            }
            Page::Countries => {
                self.page = Page::Servers;
                let pane = self.pane_mut();
                *pane = Pane {
                    sorting: Sorting {
                        filter: format!("cc:{selected}"),
                        ..Sorting::default()
                    },
                    ..Pane::default()
                };
            }
            Page::Events => {
                let mut events = view.events.iter();
                let event = events.find(|event| format!("{} {}", event.time_ns, event.text) == selected)?;
                let time = balefire_report::date_time(event.time_ns);
                self.over = Over::Event {
                    text: format!("{time} {}\n\n{}", event.kind.name(), event.text),
                    scroll: 0,
                };
            }
        }
        None
    }

    /// A reason is asked for; of a host it is for the best of its servers.
    fn allow_selected(&mut self, view: &View) {
        let Some(selected) = self
            .sheet(view)
            .rows
            .get(self.pane().selected)
            .map(|row| row.id.clone())
        else {
            return;
        };
        let id = match self.page {
            Page::Hosts => view
                .hosts
                .iter()
                .find(|host| host.address == selected)
                .map(|host| host.best.clone()),
            _ => Some(selected),
        };
        let server = id.and_then(|id| view.servers.iter().find(|server| server.id == id));
        if let Some(server) = server {
            self.over = Over::Allow {
                rule: super::evidence::rule(server),
                before: Box::default(),
            };
        }
    }

    fn press_reason(&mut self, key: Key, mut rule: Allowing, before: Box<Over>) -> Option<Action> {
        match key {
            Key::Escape => {
                self.over = *before;
                return None;
            }
            Key::Enter if rule.reason.trim().is_empty() => {
                self.message = Some("a rule needs its reason; Esc leaves it".to_owned());
            }
            Key::Enter => {
                self.over = *before;
                rule.reason = rule.reason.trim().to_owned();
                return Some(Action::Allow(rule));
            }
            Key::Backspace => {
                rule.reason.pop();
            }
            Key::Control('u') => rule.reason.clear(),
            Key::Char(letter) if rule.reason.chars().count() < LONGEST_REASON => rule.reason.push(letter),
            _ => {}
        }
        self.over = Over::Allow { rule, before };
        None
    }

    fn ask(&mut self, id: String) -> Action {
        self.over = Over::Evidence {
            id: id.clone(),
            known: None,
            scroll: 0,
        };
        Action::Explain(id)
    }

    fn press_filter(&mut self, key: Key, before: String) {
        let pane = self.pane_mut();
        let filter = &mut pane.sorting.filter;
        match key {
            Key::Enter => {
                self.over = Over::Nothing;
                return;
            }
            Key::Escape => {
                *filter = before;
                self.over = Over::Nothing;
                return;
            }
            Key::Backspace => {
                filter.pop();
            }
            Key::Control('u') => filter.clear(),
            Key::Char(letter) if filter.chars().count() < LONGEST_FILTER => filter.push(letter),
            _ => {}
        }
        (pane.selected, pane.id) = (0, None);
        self.over = Over::Filter(before);
    }

    fn press_reader(&mut self, key: Key) -> Option<Action> {
        let screen = u16::try_from(self.rows.max(2) - 1).unwrap_or(u16::MAX);
        let (Over::Help { scroll } | Over::Evidence { scroll, .. } | Over::Event { scroll, .. }) = &mut self.over
        else {
            return None;
        };
        *scroll = match key {
            Key::Down | Key::Char('j') => scroll.saturating_add(1),
            Key::Up | Key::Char('k') => scroll.saturating_sub(1),
            Key::PageDown | Key::Char(' ') | Key::Control('f') => scroll.saturating_add(screen),
            Key::PageUp | Key::Char('b') | Key::Control('b') => scroll.saturating_sub(screen),
            Key::Home | Key::Char('g') => 0,
            Key::End | Key::Char('G') => u16::MAX,
            Key::Char('e') => return self.export_open(),
            Key::Char('a') => {
                self.allow_open();
                return None;
            }
            Key::Escape | Key::Enter | Key::Left | Key::Backspace | Key::Char('q' | 'h' | '?') => {
                self.over = Over::Nothing;
                return None;
            }
            _ => *scroll,
        };
        None
    }

    fn allow_open(&mut self) {
        if let Over::Evidence { known: Some(known), .. } = &self.over {
            let rule = super::evidence::rule(&known.server);
            let before = Box::new(std::mem::take(&mut self.over));
            self.over = Over::Allow { rule, before };
        }
    }

    /// The score's parts of every sign that is open.
    fn export_open(&self) -> Option<Action> {
        let Over::Evidence { known: Some(known), .. } = &self.over else {
            return None;
        };
        Some(Action::Export("evidence".to_owned(), super::evidence::csv(known)))
    }

    /// From which line a text of so many lines is drawn, when so many fit: the end is the end.
    pub(crate) fn scrolled(&mut self, lines: usize, fit: usize) -> u16 {
        let most = u16::try_from(lines.saturating_sub(fit)).unwrap_or(u16::MAX);
        match &mut self.over {
            Over::Help { scroll } | Over::Evidence { scroll, .. } | Over::Event { scroll, .. } => {
                *scroll = (*scroll).min(most);
                *scroll
            }
            _ => 0,
        }
    }
}

//! The terminal: taken, and given back whatever happens.
//!
//! In: nothing. Out: a terminal in raw mode on its other screen; afterwards as it was, also after a panic, a signal that ends
//! the program, or `^Z`. While it is taken, what the program says waits ([`output::hold`]). Not its job: drawing.

use std::env;
use std::io::{self, IsTerminal, Stdout, Write};
use std::panic;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};

use super::canvas::Look;
use crate::output;

/// Whether the terminal is ours now.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The name of the thread that draws; with the program's main thread the one whose panic gives the terminal back.
pub(crate) const THREAD: &str = "console";

/// Gives the terminal back when dropped.
#[derive(Debug)]
pub(crate) struct Taken;

impl Drop for Taken {
    fn drop(&mut self) {
        restore();
    }
}

/// Takes the terminal.
pub(crate) fn take() -> io::Result<(Taken, Terminal<CrosstermBackend<Stdout>>)> {
    static HOOK: Once = Once::new();
    HOOK.call_once(restore_on_panic);
    output::hold();
    TAKEN.store(true, Ordering::SeqCst);
    // From here on, whatever fails gives back.
    let taken = Taken;
    enable_raw_mode()?;
    execute!(io::stdout(), EnterAlternateScreen, Hide)?;
    Ok((taken, Terminal::new(CrosstermBackend::new(io::stdout()))?))
}

/// Gives the terminal back, if it is taken; then what waited is said.
pub(crate) fn restore() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    // What fails here fails on a terminal that has gone away.
    let _ = execute!(io::stdout(), Show, LeaveAlternateScreen);
    let _ = io::stdout().flush();
    let _ = disable_raw_mode();
    output::release();
}

/// A panic of a worker may be caught and counted, and is none of the screen's; it is told of when the screen is gone. One of the
/// main thread or of the console ends them.
fn restore_on_panic() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |panicked| {
        let thread = thread::current();
        let ends = thread.name().is_none_or(|name| name == "main" || name == THREAD);
        if ends {
            restore();
        }
        if TAKEN.load(Ordering::SeqCst) {
            output::complain(&panicked.to_string());
        } else {
            before(panicked);
        }
    }));
}

/// Why there can be no full-screen console here: an empty text where nobody sits before it, words where somebody does.
pub(crate) fn hindrance() -> Option<String> {
    if !(io::stdin().is_terminal() && io::stdout().is_terminal() && io::stderr().is_terminal()) {
        return Some(String::new());
    }
    hindrance_of(env::var("TERM").ok().as_deref())
}

fn hindrance_of(term: Option<&str>) -> Option<String> {
    match term {
        None | Some("") => {
            Some("TERM is not set: lines in place of the full-screen console (--plain asks for them)".to_owned())
        }
        Some("dumb") => {
            Some("TERM=dumb cannot show the full-screen console: lines in its place (--plain asks for them)".to_owned())
        }
        Some(_) => None,
    }
}

/// What this terminal can show.
pub(crate) fn look() -> Look {
    let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(variable);
    let mut look = look_of(&env::var("TERM").unwrap_or_default(), locale.as_deref());
    look.colour &= output::stdout_style().colour;
    look
}

/// Mono terminals by name, as terminfo(5) writes them: `-m`, `-mono`, and the VT series without colour.
fn look_of(term: &str, locale: Option<&str>) -> Look {
    let mono = term.ends_with("-m") || term.ends_with("-mono") || ["vt52", "vt100", "vt102", "vt220"].contains(&term);
    let utf8 = locale.is_some_and(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.ends_with("utf-8") || locale.ends_with("utf8")
    });
    Look {
        colour: !mono,
        // The kernel's own console has no font for eighths of blocks.
        blocks: utf8 && term != "linux",
        letters: utf8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the test below runs in a terminal.
    #[test]
    #[ignore = "takes the terminal: for the test of panics"]
    fn panic_with_the_terminal_taken() {
        let console = thread::Builder::new().name(THREAD.to_owned());
        let drawing = console.spawn(|| {
            let (_taken, mut terminal) = take().unwrap();
            terminal
                .draw(|frame| frame.render_widget("drawn", frame.area()))
                .unwrap();
            output::remark("said while it was taken");
            // A worker's panic is caught, and touches nothing.
            let worker = thread::Builder::new().name("worker-0".to_owned());
            assert!(worker.spawn(|| panic!("a frame")).unwrap().join().is_err());
            assert!(TAKEN.load(Ordering::SeqCst));
            thread::sleep(std::time::Duration::from_secs(1));
            panic!("a bug of the console");
        });
        assert!(drawing.unwrap().join().is_err());
        output::remark("given back");
    }

    #[test]
    fn a_panic_gives_the_terminal_back_and_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let tmux = |arguments: &[&str]| {
            let server = format!("balefire-panic-{}", std::process::id());
            let mut command = std::process::Command::new("tmux");
            command.args(["-u", "-L", &server]).args(arguments);
            command.env_remove("TMUX").env("TMUX_TMPDIR", folder.path());
            command.current_dir(folder.path()).output()
        };
        let test = env::current_exe().unwrap();
        let script = format!(
            "stty -a > before; RUST_BACKTRACE=0 {} --ignored --exact --nocapture top::terminal::tests::panic_with_the_terminal_taken; \
             stty -a > after; echo ended; sleep 30",
            test.display()
        );
        std::fs::write(folder.path().join("script"), script).unwrap();
        let size = ["-x", "100", "-y", "40"];
        let Ok(made) = tmux(
            &[
                &["-f", "/dev/null", "new-session", "-d"],
                &size[..],
                &["exec sh script"],
            ]
            .concat(),
        ) else {
            let mut stderr = io::stderr();
            let _ = writeln!(stderr, "SKIPPED: needs tmux (package tmux)");
            return;
        };
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let text = || String::from_utf8_lossy(&tmux(&["capture-pane", "-p"]).unwrap().stdout).into_owned();
        let mut was_drawn = false;
        for _ in 0..200 {
            was_drawn |= text().starts_with("drawn");
            if text().contains("ended") {
                break;
            }
            thread::sleep(std::time::Duration::from_millis(50));
        }
        let (told, settings) = (text(), |name| std::fs::read(folder.path().join(name)).unwrap());
        tmux(&["kill-server"]).unwrap();
        assert!(was_drawn, "{told}");
        for words in [
            "a bug of the console",
            "a frame",
            "said while it was taken",
            "given back",
            "ended",
        ] {
            assert!(told.contains(words), "no {words:?} in\n{told}");
        }
        assert_eq!(settings("before"), settings("after"));
    }

    #[test]
    fn terminals_by_their_names() {
        let look = |term, locale| {
            let look = look_of(term, locale);
            (look.colour, look.blocks, look.letters)
        };
        assert_eq!(look("xterm-256color", Some("en_GB.UTF-8")), (true, true, true));
        assert_eq!(look("xterm-mono", Some("C.utf8")), (false, true, true));
        assert_eq!(look("vt220", Some("C")), (false, false, false));
        assert_eq!(look("linux", Some("C.UTF-8")), (true, false, true));
        assert_eq!(look("screen", None), (true, false, false));
        assert!(hindrance_of(Some("dumb")).is_some_and(|words| words.contains("--plain")));
        assert!(hindrance_of(None).is_some() && hindrance_of(Some("xterm")).is_none());
    }
}

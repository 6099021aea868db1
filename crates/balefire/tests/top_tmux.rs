//! The console, for real: `balefire top` and `balefire live` in tmux, driven by keys. Needs tmux, for `live` also root and
//! iproute2; says so and skips without them.
//!
//! In: the recorded answers in `tests/top/`, from a socket of the test's own. Out: what stands on the screen after each key, a
//! terminal given back as it was. Not its job: what pages look like in full (snapshots beside the code).

#![allow(clippy::unwrap_used, reason = "a test that cannot set up its surroundings fails")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

const BALEFIRE: &str = env!("CARGO_BIN_EXE_balefire");
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn a_person_at_the_console() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(folder.path());
    let Some(screen) = Screen::start("console", folder.path(), &service.top("")) else {
        return;
    };
    screen.until("7: 2 confirmed, 3 probable, 2 suspected");
    screen.press(&["2", "j", "j"]);
    screen.until("row 3 of 7");
    screen.press(&["/", "c", "c", ":", "u", "s", "Enter"]);
    screen.until("3 of 7 servers");
    screen.press(&["e"]);
    screen.until("written: balefire-tap1-servers-20261124T142307Z.csv");
    let written = fs::read_to_string(folder.path().join("balefire-tap1-servers-20261124T142307Z.csv")).unwrap();
    assert_eq!(written.lines().count(), 4, "{written}");
    screen.press(&["e"]);
    screen.until("not written");
    screen.press(&["Escape"]);
    screen.until("row 1 of 7");
    screen.press(&["Enter"]);
    screen.until("connection beacon of 10.1.0.8 by the name cdn.example.net");
    screen.until("14:23:06");
    screen.press(&["a", "o", "u", "r", "s"]);
    screen.until("allow 198.51.100.17 --port 443, because: ours_");
    screen.press(&["Enter"]);
    screen.until("added address 198.51.100.17, port 443");
    let rules = fs::read_to_string(folder.path().join("allow.toml")).unwrap();
    assert!(rules.contains("198.51.100.17") && rules.contains("ours"), "{rules}");
    screen.press(&["q", "Tab", "PageDown"]);
    screen.until("row 19 of 30");
    screen.resize(160, 50);
    screen.until("4 m 3 s");
    screen.resize(50, 12);
    screen.until("too small");
    screen.resize(80, 24);
    screen.until("row 19 of 30");
    assert!(!screen.text().contains('\u{1b}'));

    service.stop();
    screen.until("no answer, what you see is old");
    let service = Service::start(folder.path());
    screen.until("? help");
    screen.press(&["q"]);
    screen.until("ended 0");
    screen.is_given_back(folder.path());
    drop(service);
}

#[test]
fn a_signal_gives_the_terminal_back() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(folder.path());
    for signal in ["TERM", "INT", "HUP"] {
        let Some(screen) = Screen::start(&format!("signal{signal}"), folder.path(), &service.top("")) else {
            return;
        };
        screen.until("[1 overview]");
        screen.signal(signal);
        screen.until("ended 0");
        screen.is_given_back(folder.path());
    }
}

/// `^Z` is the shell's, and its `fg` brings the console back.
#[test]
fn the_shell_has_the_terminal_between() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(folder.path());
    let program = format!(
        "set -m; {}; stty -a > between; echo stopped; read go; fg",
        service.top("")
    );
    let Some(screen) = Screen::start("shell", folder.path(), &program) else {
        return;
    };
    screen.until("[1 overview]");
    screen.press(&["2", "C-z"]);
    screen.until("stopped");
    assert_eq!(screen.value("#{alternate_on}"), "0");
    let settings = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    screen.wait(|_| settings("between") == settings("before"), "the shell's terminal");
    assert!(screen.run(&["send-keys", "Enter"]).status.success());
    screen.until("row 1 of 7");
    screen.press(&["q"]);
    screen.until("ended 0");
    screen.is_given_back(folder.path());
}

#[test]
fn terminals_that_show_less() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(folder.path());
    let Some(screen) = Screen::start("colours", folder.path(), &service.top("")) else {
        return;
    };
    screen.press(&["2"]);
    screen.until("row 1 of 7");
    assert!(screen.dressed().contains("\u{1b}[38;5;1m"), "{}", screen.dressed());
    drop(screen);
    let screen = Screen::start(
        "mono",
        folder.path(),
        &format!("NO_COLOR=1 LC_ALL=C {}", service.top("")),
    )
    .unwrap();
    screen.press(&["2"]);
    screen.until("row 1 of 7");
    assert!(!screen.dressed().contains("\u{1b}[38"), "{}", screen.dressed());
    assert!(screen.text().contains("--------"));
    drop(screen);
    let screen = Screen::start("dumb", folder.path(), &format!("TERM=dumb {}", service.top(""))).unwrap();
    screen.until("TERM=dumb cannot show the full-screen console");
    screen.until("1.82 M");
    screen.signal("TERM");
    screen.until("ended 0");
}

#[test]
fn lines_where_there_is_no_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(folder.path());
    let mut top = Command::new(BALEFIRE)
        .args(["top", "--socket"])
        .arg(&service.socket)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(top.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("lost kern/iface/queue"));
    assert!(lines.next().unwrap().unwrap().contains("US 3 NL 1 DE 1 HK 1"));
    // Nobody reads any more: that is an end, and no failure.
    drop(lines);
    assert!(top.wait().unwrap().success());
    let nobody = Command::new(BALEFIRE)
        .args(["top", "--socket", "/nonexistent/socket"])
        .output()
        .unwrap();
    assert_eq!(nobody.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("is the service running"));
}

/// `live` takes the terminal, and quitting it is an orderly end: the page is printed, below what was there before.
#[test]
fn live_fills_the_terminal_and_ends_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let Some(namespace) = Namespace::new("a") else { return };
    let live = |rest: &str| format!("ip netns exec {} {BALEFIRE} live -i lo {rest}", namespace.0);
    let Some(screen) = Screen::start("live", folder.path(), &live("")) else {
        return;
    };
    screen.until("[1 overview]");
    screen.until("worker-0");
    screen.press(&["5"]);
    screen.until("listening on lo");
    screen.signal("HUP");
    screen.until("lists read anew");
    screen.press(&["q"]);
    screen.until("ended 0");
    assert!(screen.text().contains("0 received = 0 decoded"), "{}", screen.text());
    screen.is_given_back(folder.path());
    drop(screen);
    let screen = Screen::start("liveplain", folder.path(), &live("--plain --duration 2")).unwrap();
    screen.until("lost kern/iface/queue");
    screen.until("ended 0");
}

/// The console of a real service, over its own socket.
#[test]
fn a_service_is_watched() {
    let folder = tempfile::tempdir().unwrap();
    let Some(namespace) = Namespace::new("b") else { return };
    let output = folder.path().join("out");
    let mut service = Command::new("ip")
        .args(["netns", "exec", &namespace.0, BALEFIRE, "run", "-i", "lo", "--output"])
        .arg(&output)
        .stderr(fs::File::create(folder.path().join("said")).unwrap())
        .spawn()
        .unwrap();
    let socket = output.join(".balefire.sock");
    let begun = Instant::now();
    while !socket.exists() {
        let said = || fs::read_to_string(folder.path().join("said")).unwrap();
        assert!(begun.elapsed() < PATIENCE, "{}", said());
        sleep(Duration::from_millis(50));
    }
    let top = format!("{BALEFIRE} top --socket {}", socket.display());
    if let Some(screen) = Screen::start("service", folder.path(), &top) {
        screen.until("reader");
        screen.until("of 1.07 GB");
        screen.press(&["5"]);
        screen.until("listening on lo");
        screen.press(&["q"]);
        screen.until("ended 0");
    }
    let ended = Command::new(BALEFIRE)
        .args(["ctl", "shutdown", "--socket"])
        .arg(&socket)
        .status();
    assert!(ended.unwrap().success());
    assert!(service.wait().unwrap().success());
}

/// A terminal that is gone ends the console; the tap goes on, and does not spin.
#[test]
fn live_outlives_its_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let Some(namespace) = Namespace::new("c") else { return };
    let live = format!("ip netns exec {} {BALEFIRE} live -i lo --workers 1", namespace.0);
    let Some(screen) = Screen::start("gone", folder.path(), &live) else {
        return;
    };
    screen.until("[1 overview]");
    let live = screen.child();
    drop(screen);
    sleep(Duration::from_secs(1));
    // utime and stime are the 14th and 15th field (proc(5)), in hundredths of a second.
    let ticks = || -> u64 {
        let stat = fs::read_to_string(format!("/proc/{live}/stat")).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    let before = ticks();
    sleep(Duration::from_secs(2));
    let spent = ticks() - before;
    assert!(spent < 100, "{spent} hundredths of a second in two seconds of silence");
    assert!(Command::new("kill").arg(&live).status().unwrap().success());
    let begun = Instant::now();
    while Path::new(&format!("/proc/{live}")).exists() {
        assert!(begun.elapsed() < PATIENCE);
        sleep(Duration::from_millis(50));
    }
}

/// Answers `top` as a running service does.
struct Service {
    socket: PathBuf,
}

impl Service {
    fn start(folder: &Path) -> Self {
        let socket = folder.join("balefire.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let answers = [include_str!("top/view.json"), include_str!("top/explained.json")];
        let allow = format!("{{\"file\": {:?}, \"rules\": []}}", folder.join("allow.toml"));
        spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut question = String::new();
                BufReader::new(&stream).read_line(&mut question).unwrap();
                let answer = match question.trim_end().split_once(' ') {
                    None if question == "end\n" => return,
                    None if question == "allow\n" => &allow,
                    None if question == "reload\n" => "{\"done\": \"reload\", \"failed\": []}",
                    None => answers[0],
                    Some(_) => answers[1],
                };
                // A console that has ended meanwhile is no failure of the service.
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Self { socket }
    }

    fn top(&self, rest: &str) -> String {
        format!("{BALEFIRE} top --socket {} {rest}", self.socket.display())
    }

    fn stop(self) {
        fs::remove_file(&self.socket).unwrap();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Ok(mut stream) = std::os::unix::net::UnixStream::connect(&self.socket) {
            let _ = stream.write_all(b"end\n");
        }
        let _ = fs::remove_file(&self.socket);
    }
}

/// A terminal of 80 x 24 in a tmux server of its own, with a shell that runs one program.
struct Screen {
    server: String,
    /// Where the tmux server's socket is, so that nothing is left of it.
    folder: PathBuf,
}

impl Screen {
    fn start(name: &str, folder: &Path, program: &str) -> Option<Self> {
        if Command::new("tmux").arg("-V").output().is_err() {
            skip("needs tmux (package tmux)");
            return None;
        }
        let server = format!("balefire-{name}-{}", std::process::id());
        let screen = Self {
            server,
            folder: folder.to_owned(),
        };
        // The program's number is on the screen's shell, so that a signal reaches it and nothing else.
        let script = format!("stty -a > before; {program}; echo ended $?; stty -a > after; sleep 60");
        let script_file = folder.join(format!("{name}.sh"));
        fs::write(&script_file, script).unwrap();
        let made = screen
            .command(&["-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", "-c"])
            .arg(folder)
            .arg(format!("exec sh {}", script_file.display()))
            .env("LC_ALL", "C.UTF-8")
            .env_remove("NO_COLOR")
            .env_remove("TMUX")
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Some(screen)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("tmux");
        command.args(["-u", "-L", &self.server]).args(arguments);
        command.env("TMUX_TMPDIR", &self.folder);
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn press(&self, keys: &[&str]) {
        self.until_running();
        for key in keys {
            assert!(self.run(&["send-keys", key]).status.success());
        }
    }

    /// Keys pressed before the program reads them belong to the shell.
    fn until_running(&self) {
        self.wait(|screen| screen.value("#{alternate_on}") == "1", "the full screen");
    }

    fn resize(&self, columns: u16, rows: u16) {
        let (columns, rows) = (columns.to_string(), rows.to_string());
        assert!(
            self.run(&["resize-window", "-x", &columns, "-y", &rows])
                .status
                .success()
        );
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.run(&["capture-pane", "-p"]).stdout).into_owned()
    }

    /// With its colours.
    fn dressed(&self) -> String {
        String::from_utf8_lossy(&self.run(&["capture-pane", "-p", "-e"]).stdout).into_owned()
    }

    fn value(&self, format: &str) -> String {
        let output = self.run(&["display-message", "-p", format]);
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn until(&self, words: &str) {
        self.wait(|screen| screen.text().contains(words), words);
    }

    fn wait(&self, is_there: impl Fn(&Self) -> bool, what: &str) {
        let begun = Instant::now();
        while !is_there(self) {
            assert!(begun.elapsed() < PATIENCE, "no {what:?} on\n{}", self.text());
            sleep(Duration::from_millis(50));
        }
    }

    /// The program that the screen's shell runs.
    fn child(&self) -> String {
        let shell = self.value("#{pane_pid}");
        let children = fs::read_to_string(format!("/proc/{shell}/task/{shell}/children")).unwrap();
        children.trim().to_owned()
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args(["-s", signal, &self.child()]).status();
        assert!(sent.unwrap().success());
    }

    /// The program has ended, and everything is as it was before.
    fn is_given_back(&self, folder: &Path) {
        self.wait(
            |_| fs::read(folder.join("after")).is_ok_and(|text| !text.is_empty()),
            "the file `after`",
        );
        let settings = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
        assert_eq!(settings("before"), settings("after"));
        assert_eq!(self.value("#{alternate_on} #{cursor_flag}"), "0 1");
        fs::remove_file(folder.join("after")).unwrap();
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.run(&["kill-server"]);
    }
}

/// Past the test harness, which shows nothing of a test that passes.
fn skip(reason: &str) {
    let mut stderr = std::io::stderr();
    let _ = writeln!(stderr, "SKIPPED: {reason}");
}

/// A network namespace with nothing but a loopback interface.
struct Namespace(String);

impl Namespace {
    fn new(test: &str) -> Option<Self> {
        let name = format!("bftop{}{test}", std::process::id());
        let made = Command::new("ip").args(["netns", "add", &name]).output();
        match made {
            Ok(made) if made.status.success() => {}
            Ok(made) => {
                let reason = String::from_utf8_lossy(&made.stderr).trim().to_owned();
                skip(&format!("needs root and namespaces: {reason}"));
                return None;
            }
            Err(_) => {
                skip("needs ip (package iproute2)");
                return None;
            }
        }
        let namespace = Self(name);
        let up = Command::new("ip")
            .args(["-n", &namespace.0, "link", "set", "lo", "up"])
            .output()
            .unwrap();
        assert!(up.status.success(), "{}", String::from_utf8_lossy(&up.stderr));
        Some(namespace)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).output();
    }
}

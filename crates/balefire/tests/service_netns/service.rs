//! `balefire run` in a namespace, and what can be asked of it.
//!
//! In: a folder with its settings. Out: what it says, answers and notifies. Ended when it is dropped.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::link::{Link, skip, succeed, within};

pub(crate) const BALEFIRE: &str = env!("CARGO_BIN_EXE_balefire");

/// Before the program: a user without rights, but for CAP_NET_RAW.
const NOBODY: [&str; 9] = [
    "setpriv",
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
    "--bounding-set=-all,+net_raw",
    "--inh-caps=-all,+net_raw",
    "--ambient-caps=-all,+net_raw",
    "--no-new-privs",
    "--",
];

pub(crate) struct Service {
    pub(crate) child: Child,
    receiver: String,
    folder: PathBuf,
    socket: UnixDatagram,
    heard: String,
}

impl Service {
    /// Starts it, and waits until it says that it is ready.
    pub(crate) fn start(link: &Link, folder: &Path) -> Self {
        Self::start_by(link, folder, "", &[])
    }

    /// The same with more settings.
    pub(crate) fn start_with(link: &Link, folder: &Path, more: &str) -> Self {
        Self::start_by(link, folder, more, &[])
    }

    /// As nobody, with CAP_NET_RAW alone.
    pub(crate) fn start_as_nobody(link: &Link, folder: &Path, more: &str) -> Self {
        Self::start_by(link, folder, more, &NOBODY)
    }

    /// Whether nobody can: the folder is opened to all for it.
    pub(crate) fn may_be_nobody(folder: &Path) -> bool {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
        let mut setpriv = Command::new(NOBODY[0]);
        let setpriv = setpriv.args(&NOBODY[1..]).args([BALEFIRE, "--version"]).output();
        setpriv.is_ok_and(|output| output.status.success())
    }

    fn start_by(link: &Link, folder: &Path, more: &str, by: &[&str]) -> Self {
        fs::create_dir_all(folder.join("out")).unwrap();
        if !by.is_empty() {
            chown(folder.join("out"), Some(65_534), Some(65_534)).unwrap();
        }
        settle_with(folder, more);
        let _ = fs::remove_file(folder.join("notify"));
        let socket = UnixDatagram::bind(folder.join("notify")).unwrap();
        fs::set_permissions(folder.join("notify"), fs::Permissions::from_mode(0o666)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let said = fs::File::create(folder.join("said")).unwrap();
        let child = Self::command_by(&link.receiver, folder, by)
            .env("NOTIFY_SOCKET", folder.join("notify"))
            .env("WATCHDOG_USEC", "20000000")
            // A folder of its own, so that those of others are outside.
            .env("TMPDIR", folder.join("out"))
            .stdout(Stdio::null())
            .stderr(said)
            .spawn()
            .unwrap();
        let mut service = Self {
            child,
            receiver: link.receiver.clone(),
            folder: folder.to_owned(),
            socket,
            heard: String::new(),
        };
        let deadline = Instant::now() + Duration::from_secs(20);
        while !service.heard("READY=1") {
            assert!(Instant::now() < deadline, "not ready: {}", service.said());
        }
        service
    }

    pub(crate) fn command(receiver: &str, folder: &Path) -> Command {
        Self::command_by(receiver, folder, &[])
    }

    fn command_by(receiver: &str, folder: &Path, by: &[&str]) -> Command {
        let mut words = by.to_vec();
        words.push(BALEFIRE);
        let mut command = within(receiver, words[0]);
        command.args(&words[1..]);
        command.args(["run", "--config"]).arg(folder.join("balefire.toml"));
        command
    }

    /// Whether the service manager was told that.
    pub(crate) fn heard(&mut self, word: &str) -> bool {
        let mut buffer = [0; 1024];
        while let Ok(length) = self.socket.recv(&mut buffer) {
            self.heard.push_str(&String::from_utf8_lossy(&buffer[..length]));
            self.heard.push('\n');
            if self.heard.contains(word) {
                break;
            }
        }
        self.heard.contains(word)
    }

    pub(crate) fn said(&self) -> String {
        fs::read_to_string(self.folder.join("said")).unwrap()
    }

    /// What every thread waits for.
    pub(crate) fn threads(&self) -> String {
        let Ok(tasks) = fs::read_dir(format!("/proc/{}/task", self.child.id())) else {
            return String::new();
        };
        let read = |path: PathBuf| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        let lines = tasks.flatten().map(|task| task.path());
        let lines = lines.map(|task| format!("{} in {}\n", read(task.join("comm")), read(task.join("wchan"))));
        lines.collect()
    }

    pub(crate) fn until_said(&self, words: &str) {
        let deadline = Instant::now() + Duration::from_secs(5);
        while !self.said().contains(words) {
            assert!(Instant::now() < deadline, "{}", self.said());
            sleep(Duration::from_millis(50));
        }
    }

    /// Over HTTP from within the namespace, by the shell's own sockets.
    pub(crate) fn metric(&self, name: &str) -> Option<u64> {
        let ask = "exec 3<>/dev/tcp/127.0.0.1/9477; printf 'GET /metrics HTTP/1.1\\r\\n\\r\\n' >&3; cat <&3";
        let page = within(&self.receiver, "bash").args(["-c", ask]).output().unwrap();
        let page = String::from_utf8_lossy(&page.stdout).into_owned();
        let line = page
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
        line.trim_end_matches(".0").parse().ok()
    }

    pub(crate) fn until(&self, name: &str, value: u64) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.metric(name) != Some(value) {
            assert!(
                Instant::now() < deadline,
                "{name} is {:?}, not {value}: {}",
                self.metric(name),
                self.said()
            );
            sleep(Duration::from_millis(100));
        }
    }

    pub(crate) fn until_lost_is(&self, value: u64) {
        self.until("balefire_interface_lost{interface=\"bfvr\"}", value);
    }

    pub(crate) fn has_given_up_rights(&self) {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let mut looked = 0;
        for task in tasks {
            let status = fs::read_to_string(task.unwrap().path().join("status")).unwrap();
            let field = |name: &str| {
                let line = status.lines().find_map(|line| line.strip_prefix(name));
                line.unwrap_or_default().trim().to_owned()
            };
            let name = field("Name:");
            assert_eq!(
                (field("NoNewPrivs:"), field("Seccomp:")),
                ("1".into(), "2".into()),
                "{name}"
            );
            assert_eq!(field("CapEff:"), "0000000000002000", "{name}: only CAP_NET_RAW");
            looked += 1;
        }
        assert!(looked >= 6, "{looked} threads");
    }

    /// No thread is root's, none has more than it needs, and a file outside its folders is refused by the kernel, whoever owns it.
    pub(crate) fn is_nobody_with_no_rights(&self) {
        self.has_given_up_rights();
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let uids = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap();
        assert!(uids.split_whitespace().all(|uid| uid == "65534"), "{uids}");
        let answer = self.ctl("status");
        assert_eq!(answer["user"], 65_534);
        self.refuses_outside(&answer);
    }

    /// Its alerts' file becomes a link to a folder that everybody may write to, but that is not among its own.
    pub(crate) fn refuses_outside(&self, status: &serde_json::Value) {
        if status["sandbox"]["landlock"].as_str().unwrap().starts_with("not") {
            skip("the kernel has no landlock: nothing outside is refused by it");
            return;
        }
        let outside = tempfile::tempdir().unwrap();
        fs::set_permissions(outside.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let path = self.folder.join("out/alerts.jsonl");
        fs::rename(&path, path.with_extension("mine")).unwrap();
        symlink(outside.path().join("alerts.jsonl"), &path).unwrap();
        let mut command = Command::new(BALEFIRE);
        let command = command.args(["ctl", "rotate", "--config"]);
        let refused = command.arg(self.folder.join("balefire.toml")).output().unwrap();
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(
            !refused.status.success() && said.contains("Permission denied"),
            "{said}"
        );
        assert!(!outside.path().join("alerts.jsonl").exists());
        fs::remove_file(&path).unwrap();
        fs::rename(path.with_extension("mine"), &path).unwrap();
    }

    /// Over the control socket.
    pub(crate) fn ctl(&self, word: &str) -> serde_json::Value {
        self.ctl_words(&[word])
    }

    /// A word, and what it is about.
    pub(crate) fn ctl_about(&self, word: &str, about: &str) -> serde_json::Value {
        self.ctl_words(&[word, about])
    }

    fn ctl_words(&self, words: &[&str]) -> serde_json::Value {
        let mut command = Command::new(BALEFIRE);
        let command = command.arg("ctl").args(words).args(["--json", "--config"]);
        let output = succeed(command.arg(self.folder.join("balefire.toml")));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    pub(crate) fn answers(&self, received: u64) {
        let status = self.ctl("status");
        assert_eq!(status["packets"]["received"].as_u64(), Some(received), "{status}");
        assert_eq!(status["sandbox"]["seccomp"], true, "{status}");
        let stats = self.ctl("stats");
        assert_eq!(stats["accounting"]["received"].as_u64(), Some(received), "{stats}");
        assert!(self.ctl("allow")["rules"].is_array());
        for word in ["servers", "hosts", "countries"] {
            assert!(self.ctl(word)[word].is_array(), "{word}");
        }
    }

    /// A broken settings file, or a good one.
    pub(crate) fn reloads(&self, broken: bool) {
        settle_with(&self.folder, "");
        let path = self.folder.join("balefire.toml");
        if broken {
            let text = fs::read_to_string(&path).unwrap();
            fs::write(&path, text + "[detect]\nsuspected = 7\n").unwrap();
        }
        // The socket is named, as a client cannot read the broken file either.
        let mut command = Command::new(BALEFIRE);
        let command = command.args(["ctl", "reload", "--json", "--socket"]);
        let output = command.arg(self.folder.join("out/.balefire.sock")).output().unwrap();
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let failed = answer["failed"].as_array().unwrap().len();
        assert_eq!(
            (failed, output.status.success()),
            (usize::from(broken), !broken),
            "{answer}"
        );
    }

    /// The file is moved away, and there again when the answer comes.
    pub(crate) fn rotates(&self) {
        let path = self.folder.join("out/alerts.jsonl");
        fs::rename(&path, path.with_extension("1")).unwrap();
        assert_eq!(self.ctl("rotate")["files"][0], path.display().to_string());
        assert!(path.exists());
    }

    pub(crate) fn refuses_a_second(&self) {
        let second = Self::command(&self.receiver, &self.folder).output().unwrap();
        let said = String::from_utf8_lossy(&second.stderr).into_owned();
        assert_eq!(second.status.code(), Some(1), "{said}");
        assert!(said.contains(&format!("process {}", self.child.id())), "{said}");
    }

    pub(crate) fn signal(&self, name: &str) {
        succeed(Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]));
    }

    /// Waits for the end; whether it was a good one.
    pub(crate) fn ended(&mut self) -> bool {
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(status.success(), "{status}: {}", self.said());
                return true;
            }
            sleep(Duration::from_millis(10));
        }
        false
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes the settings file, with `more` behind `[service]`.
pub(crate) fn settle_with(folder: &Path, more: &str) {
    let settings = format!(
        "[sensor]\nname = \"test\"\n[service]\ninterfaces = [\"bfvr\"]\nreaders = 2\noutput = {:?}\n{more}\
         [run]\nworkers = 2\nqueue_blocks = 256\n[archive]\nwrite = false\n[alerts]\nfile = {:?}\n",
        folder.join("out"),
        folder.join("out/alerts.jsonl"),
    );
    fs::write(folder.join("balefire.toml"), settings).unwrap();
}

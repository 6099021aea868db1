//! The control socket: a Unix socket with mode 0660 on which the running service answers one question per connection.
//!
//! In: a line, one of [`WORDS`], and for `why` what is asked about. Out: one JSON object, and the end of the connection. What comes
//! from the wire is made harmless, so a client may print it. `socket.md` beside this file describes the protocol. Not its
//! job: the socket's loop (`listen`), the answers (`answers`, `why`), showing them (`ctl`).

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use balefire_detect::Shared;
use balefire_report::clean;
use rustix::fs::Mode;
use rustix::process::{Signal, getpid, kill_process, umask};
use serde_json::{Value, json};

use super::alerts::Orders;
use super::listen::{Answerer, Door, MOST_QUESTION_BYTES, serve};
use super::reload::Reloader;
use super::vitals::Vitals;
use super::{answers, why};
use crate::exit::Failure;

/// What can be asked.
pub(crate) const WORDS: [&str; 10] = [
    "status",
    "stats",
    "servers",
    "hosts",
    "countries",
    "why",
    "allow",
    "reload",
    "rotate",
    "shutdown",
];

/// The socket's name where the settings do not give one, in the output folder.
pub(crate) const DEFAULT_NAME: &str = ".balefire.sock";

/// The longest answer a client takes: a thousand servers with their hosts are some hundred kilobytes.
const MOST_ANSWER_BYTES: u64 = 16 << 20;

/// How long a client waits: a reload may read ten million indicators.
const MOST_WAIT: Duration = Duration::from_secs(120);

/// The socket, made before rights are given up. The folder's lock is held, so a socket that lies there is of a dead instance;
/// anything else is somebody's, and stays.
pub(crate) fn bind(path: &Path) -> Result<UnixListener, Failure> {
    let refused = |error: io::Error| Failure::failed(format!("control socket {}: {error}", path.display()));
    match fs::symlink_metadata(path) {
        Ok(there) if !there.file_type().is_socket() => {
            return Err(Failure::failed(format!(
                "control socket {}: something else than a socket is there, and is left as it is; give [service] socket another path",
                path.display()
            )));
        }
        Ok(_) => fs::remove_file(path).map_err(refused)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(refused(error)),
    }
    // Between making it and setting its mode nobody else may come in.
    let before = umask(Mode::from_bits_truncate(0o177));
    let bound = UnixListener::bind(path);
    umask(before);
    let listener = bound.map_err(refused)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o660)).map_err(refused)?;
    Ok(listener)
}

/// Removes the socket at the end, so that nobody knocks where nobody is. What cannot be removed the next start removes.
#[derive(Debug)]
pub(crate) struct Bound(pub(crate) PathBuf);

impl Drop for Bound {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Answers from now on.
pub(crate) fn open(listener: UnixListener, control: Control) -> Result<(), Failure> {
    serve("control", Door::Unix(listener), Box::new(control))
}

/// Asks a running service: a word, or a word and what it is about.
pub(crate) fn ask(path: &Path, question: &str) -> Result<Value, Failure> {
    let refused = |error: io::Error| {
        Failure::failed(format!(
            "{}: {error}; is the service running, and may this user reach its socket?",
            path.display()
        ))
    };
    let mut stream = UnixStream::connect(path).map_err(refused)?;
    stream.set_read_timeout(Some(MOST_WAIT)).map_err(refused)?;
    stream.write_all(format!("{question}\n").as_bytes()).map_err(refused)?;
    let mut text = String::new();
    stream
        .take(MOST_ANSWER_BYTES)
        .read_to_string(&mut text)
        .map_err(refused)?;
    serde_json::from_str(&text).map_err(|error| Failure::failed(format!("the service's answer is no JSON: {error}")))
}

/// What answers are made of.
pub(crate) struct Control {
    pub(crate) vitals: Vitals,
    pub(crate) shared: Arc<Shared>,
    pub(crate) reloader: Arc<Reloader>,
    pub(crate) orders: Arc<Orders>,
    pub(crate) landlock: &'static str,
}

impl Answerer for Control {
    fn answer(&mut self, question: &[u8], ended: bool) -> Option<Vec<u8>> {
        if !ended && !question.contains(&b'\n') {
            return None;
        }
        let line = question.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        let line = line.trim();
        let (word, about) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let answer = self.about(word, about.trim());
        Some(format!("{answer}\n").into_bytes())
    }

    fn too_long(&self) -> Vec<u8> {
        let error = format!("a question has at most {MOST_QUESTION_BYTES} bytes, in one line");
        format!("{}\n", json!({ "error": error })).into_bytes()
    }
}

impl Control {
    fn about(&self, word: &str, about: &str) -> Value {
        let state = self.vitals.state();
        match word {
            "status" => answers::status(&state, self.landlock),
            "stats" => answers::stats(&state),
            "servers" => {
                json!({"servers": state.snapshot.servers.iter().map(answers::server).collect::<Vec<_>>()})
            }
            "hosts" => json!({"hosts": answers::hosts(&state.snapshot.servers)}),
            "countries" => json!({"countries": answers::countries(&state)}),
            "why" => why::answer(&state, about, |servers| self.vitals.evidence_now(servers)),
            "allow" => answers::allow(&state, &self.shared.lists().allow, self.reloader.allowlist().as_deref()),
            "reload" => self.reloader.reload().json(),
            "rotate" => self.orders.rotate(),
            // What consoles ask, not people.
            "top" => self.vitals.top(&state, about),
            "shutdown" => match kill_process(getpid(), Signal::TERM) {
                Ok(()) => json!({"done": word}),
                Err(error) => json!({"error": error.to_string()}),
            },
            other => json!({"error": format!("{:?} is none of {}", clean(other), WORDS.join(", "))}),
        }
    }
}

#[cfg(test)]
mod tests {
    use balefire_detect::Countries;

    use super::*;
    use crate::flags::RunFlags;
    use crate::settings::Settings;

    #[test]
    fn what_is_no_socket_is_left_where_it_lies() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        fs::write(&path, "precious").unwrap();
        assert!(bind(&path).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"precious");
        std::os::unix::fs::symlink(&path, folder.path().join("link")).unwrap();
        assert!(bind(&folder.path().join("link")).is_err());
    }

    #[test]
    fn every_word_is_answered_over_the_socket_and_others_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(DEFAULT_NAME);
        // What a killed instance leaves.
        drop(bind(&path).unwrap());
        let listener = bind(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        let shared = Arc::new(Shared::new(
            Countries::embedded(),
            &balefire_detect::Settings::default(),
        ));
        let control = Control {
            vitals: Vitals::new("tap", Vec::new()),
            reloader: Arc::new(Reloader::new(
                RunFlags::default(),
                Settings::default(),
                Arc::clone(&shared),
            )),
            shared,
            orders: Arc::default(),
            landlock: "full",
        };
        open(listener, control).unwrap();
        for word in [
            "status",
            "stats",
            "servers",
            "hosts",
            "countries",
            "allow",
            "reload",
            "why 192.0.2.1",
        ] {
            let answer = ask(&path, word).unwrap();
            assert!(answer.get("error").is_none(), "{word}: {answer}");
        }
        assert_eq!(ask(&path, "status").unwrap()["sensor"], "tap");
        assert_eq!(ask(&path, "reload").unwrap()["failed"], json!([]));
        // Nobody takes up the order, as no alerts are written.
        assert!(ask(&path, "rotate").unwrap()["error"].is_string());
        assert!(ask(&path, "why").unwrap()["error"].is_string());
        let refused = ask(&path, "rm -rf\u{1b}").unwrap();
        assert!(
            refused["error"].as_str().unwrap().contains("none of status"),
            "{refused}"
        );
        assert!(ask(&folder.path().join("none"), "status").is_err());
    }
}

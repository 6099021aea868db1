//! What every test starts with: a folder of its own, a capture in it, and the program.
//!
//! In: nothing. Out: commands, captures made by the program itself. Not its job: asserting anything of a topic.

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::Value;

/// The program, with nothing of the caller's surroundings that changes its output.
pub(crate) fn balefire(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_balefire"));
    command.args(arguments).env_remove("NO_COLOR").env("TERM", "xterm");
    command
}

/// A folder that goes away with its test.
pub(crate) struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Six hours of a small office with one beacon of a minute to a bare address and one by name.
    pub(crate) fn capture(&self) -> PathBuf {
        let path = self.path("office.pcap");
        let synth = [
            "synth",
            "--seed",
            "7",
            "--hosts",
            "6",
            "--duration",
            "4h",
            "--start",
            "2026-03-02T00:10:00Z",
            "--beacon",
            "interval=60,jitter=0.2,country=NL,port=8443",
            "--beacon",
            "interval=120,jitter=0.1,country=US,name=cdn.example.net,hosts=2,first-host=2",
            "--out",
        ];
        balefire(&synth).arg(&path).assert().success();
        path
    }

    /// A file of this folder with these bytes.
    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

/// Standard output of a run that must end with this code.
pub(crate) fn output_of(command: &mut Command, code: i32) -> String {
    let output = command.assert().code(code).get_output().clone();
    String::from_utf8(output.stdout).unwrap()
}

/// What it complained of.
pub(crate) fn complaint_of(command: &mut Command, code: i32) -> String {
    let output = command.assert().code(code).get_output().clone();
    String::from_utf8(output.stderr).unwrap()
}

/// The JSON document of a run over this capture.
pub(crate) fn document(capture: &Path, more: &[&str]) -> Value {
    let mut command = balefire(&["read", "--format", "json"]);
    serde_json::from_str(&output_of(command.args(more).arg(capture), 0)).unwrap()
}

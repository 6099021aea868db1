//! What a package carries beside the program: manual pages and completions made from its flags, settings, allowlist and unit of the
//! packaging folder.
//!
//! In: the program and `packaging/`. Out: pages for every command, files that the program itself takes, a unit that systemd takes and
//! finds closed enough. Says so and skips where systemd-analyze is not there.

#![allow(clippy::unwrap_used, reason = "a test that cannot set up its surroundings fails")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const BALEFIRE: &str = env!("CARGO_BIN_EXE_balefire");

/// The most that `systemd-analyze security` may find open.
const MOST_EXPOSURE: f64 = 2.0;

fn packaged(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging").join(name)
}

fn balefire(arguments: &[&str]) -> Output {
    Command::new(BALEFIRE).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn every_command_has_a_page_and_completions() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man");
    let made = balefire(&["man", pages.to_str().unwrap()]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let help = text(&balefire(&["--help"]).stdout);
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands: Vec<&str> = commands
        .take_while(|line| !line.is_empty())
        .filter_map(|line| {
            line.strip_prefix("  ")?
                .split_whitespace()
                .next()
                .filter(|_| !line.starts_with("   "))
        })
        .filter(|command| *command != "help")
        .collect();
    assert!(commands.len() > 8, "{commands:?}");
    for command in &commands {
        let page = fs::read_to_string(pages.join(format!("balefire-{command}.1"))).unwrap();
        assert!(
            page.contains(".SH SYNOPSIS") && page.contains(".SH DESCRIPTION"),
            "{command}"
        );
    }
    assert!(pages.join("balefire.1").exists() && pages.join("balefire-archive-import.1").exists());
    assert!(!pages.join("balefire-man.1").exists());
    for shell in ["bash", "zsh", "fish"] {
        let script = text(&balefire(&["completions", shell]).stdout);
        for word in &commands {
            assert!(script.contains(word), "{shell}: {word}");
        }
        // What `ctl` can be asked; fish is given no values of arguments without a flag.
        assert!(shell == "fish" || script.contains("rotate"), "{shell}");
    }
}

#[test]
fn packaged_settings_and_allowlist_are_what_the_program_takes() {
    let settings = packaged("balefire.toml");
    let folder = tempfile::tempdir().unwrap();
    // The allowlist is where the package puts it only once that is installed.
    let here = fs::read_to_string(&settings).unwrap();
    let here = here.replace("/etc/balefire/allow.toml", packaged("allow.toml").to_str().unwrap());
    // What is commented out is meant to be switched on.
    let all: String = here
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(setting) if setting.contains(" = ") && !setting.contains("/") && !setting.contains("`") => {
                format!("{setting}\n")
            }
            _ => format!("{line}\n"),
        })
        .collect();
    for (name, text_of_it) in [("as_it_is.toml", here), ("all.toml", all)] {
        let path = folder.path().join(name);
        fs::write(&path, text_of_it).unwrap();
        let checked = balefire(&["config", "check", "--config", path.to_str().unwrap()]);
        assert!(checked.status.success(), "{name}: {}", text(&checked.stderr));
    }
    let checked = balefire(&["allow", "check", packaged("allow.toml").to_str().unwrap()]);
    assert!(checked.status.success(), "{}", text(&checked.stderr));
}

#[test]
fn the_unit_is_sound_and_closed() {
    let unit = fs::read_to_string(packaged("balefire.service")).unwrap();
    let Some(said) = complaints(&unit) else {
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED service_files: needs systemd-analyze (package systemd)"
        );
        return;
    };
    assert_eq!(said, "");
    let (is_closed, found) = security(&unit);
    assert!(is_closed, "{found}");
    // What is asked here is answered otherwise where the unit is worse.
    for line in ["Type=notify", "ExecStart=", "WatchdogSec=60"] {
        let wrong = unit.replace(
            line,
            &format!("{}odd ", line.split_once('=').unwrap().0.to_owned() + "="),
        );
        assert_ne!(complaints(&wrong).unwrap(), "", "{line}");
    }
    let open = |gone: &[&str]| {
        let kept = unit
            .lines()
            .filter(|line| !gone.iter().any(|gone| line.starts_with(gone)));
        kept.fold(String::new(), |unit, line| unit + line + "\n")
    };
    for gone in [
        &["User=", "Group="][..],
        &["SystemCallFilter="],
        &["CapabilityBoundingSet="],
        &["ProtectSystem=", "PrivateDevices="],
    ] {
        let (is_closed, found) = security(&open(gone));
        assert!(!is_closed, "without {gone:?}: {found}");
    }
}

/// `systemd-analyze` on a unit; `None` where there is no such program.
fn analyze(unit: &str, arguments: &[&str]) -> Option<Output> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("balefire.service");
    // The program is where the package puts it only once that is installed; so are its pages.
    let here = unit
        .replace("/usr/bin/balefire", BALEFIRE)
        .replace("Documentation=", "#");
    fs::write(&path, here).unwrap();
    Command::new("systemd-analyze").args(arguments).arg(&path).output().ok()
}

/// What `verify` says of this unit; it says other things of other units of the machine.
fn complaints(unit: &str) -> Option<String> {
    let verified = analyze(unit, &["verify", "--man=no"])?;
    let said = text(&verified.stdout) + &text(&verified.stderr);
    let mut complaints: String = said.lines().filter(|line| line.contains("balefire")).collect();
    if !verified.status.success() && complaints.is_empty() {
        complaints = said;
    }
    Some(complaints)
}

/// Whether the exposure is below the limit, by systemd's own judgement, and what it looked at.
fn security(unit: &str) -> (bool, String) {
    // The threshold is in tenths.
    let most = format!("--threshold={}", (MOST_EXPOSURE * 10.0) as u32);
    let judged = analyze(unit, &["security", "--offline=true", "--no-pager", &most]).unwrap();
    let found = text(&judged.stdout) + &text(&judged.stderr);
    let level = found.lines().find_map(|line| line.split("balefire.service: ").nth(1));
    let level: f64 = level.unwrap().split_whitespace().next().unwrap().parse().unwrap();
    assert_eq!(judged.status.success(), level <= MOST_EXPOSURE, "{found}");
    (judged.status.success(), found)
}

//! The HTML of `balefire report` in a real browser: Chromium without a screen.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::report::{golden, text};

/// A page of this size takes a second; a browser that hangs must not hang the tests.
const PATIENCE_S: &str = "90";

#[test]
fn a_browser_shows_the_figures_and_has_nothing_to_complain_about() {
    if Command::new("chromium").arg("--version").output().is_err() {
        eprintln!("SKIPPED: no chromium; apt-get install chromium");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    fs::write(
        &page,
        text(
            golden(),
            &["--format", "html", "--by", "day", "--compare", "2026-01-01"],
        ),
    )
    .unwrap();

    let seen = chromium(folder.path(), &page, "--dump-dom");
    let dom = String::from_utf8_lossy(&seen.stdout);
    for figure in [
        ">134</td>",
        ">5,630</td>",
        ">2,910</td>",
        "United States",
        "it does not say who acts",
        "Watched 36 of 36 hours",
    ] {
        assert!(dom.contains(figure), "{figure} is not in the page: {dom}");
    }
    // Two rankings of bars, a map to each, two lines, a dot a day on each.
    assert_eq!(dom.matches("<svg").count(), 6, "{dom}");
    assert_eq!(dom.matches("<title>United States: ").count(), 2, "{dom}");
    assert_eq!(dom.matches("<circle").count(), 4, "{dom}");
    let said = String::from_utf8_lossy(&seen.stderr);
    let complaints: Vec<&str> = said.lines().filter(|line| line.contains("CONSOLE")).collect();
    assert!(complaints.is_empty(), "{complaints:?}");

    let picture = std::env::var_os("BALEFIRE_SCREENSHOT").map_or_else(|| folder.path().join("page.png"), Into::into);
    chromium(folder.path(), &page, &format!("--screenshot={}", picture.display()));
    // A blank page of this size compresses to a tenth of it.
    assert!(fs::metadata(&picture).unwrap().len() > 40_000);
    let print = folder.path().join("page.pdf");
    chromium(folder.path(), &page, &format!("--print-to-pdf={}", print.display()));
    assert!(fs::read(&print).unwrap().starts_with(b"%PDF"));
}

/// The check above is worth something only if a console message is seen.
#[test]
fn a_page_that_complains_is_noticed() {
    if Command::new("chromium").arg("--version").output().is_err() {
        eprintln!("SKIPPED: no chromium; apt-get install chromium");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    fs::write(&page, "<!doctype html><script>console.error('here')</script>").unwrap();
    let said = chromium(folder.path(), &page, "--dump-dom").stderr;
    assert!(String::from_utf8_lossy(&said).contains("CONSOLE"));
}

fn chromium(folder: &Path, page: &Path, what: &str) -> Output {
    let output = Command::new("timeout")
        .args([
            PATIENCE_S,
            "chromium",
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
        ])
        .args([
            "--no-first-run",
            "--hide-scrollbars",
            "--enable-logging=stderr",
            "--window-size=1000,3600",
        ])
        .arg(format!("--user-data-dir={}", folder.join("profile").display()))
        .arg(what)
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

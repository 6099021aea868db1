//! `balefire ctl`: asks the running service, and prints its answer.
//!
//! In: a word, what it is about, and where the socket is. Out: lines for people, or the service's JSON as it is. Not its job: what is answered
//! (`control`), tables (`tables`).

mod tables;

use std::path::{Path, PathBuf};

use balefire_detect::{AllowFields, AllowRule};
use serde_json::Value;

use super::control::{DEFAULT_NAME, ask};
use super::vitals::now_ns;
use crate::allow::append;
use crate::exit::{Exit, Failure};
use crate::flags::{AllowAddFlags, CtlFlags, CtlWord, SettingFlags};
use crate::output;
use crate::settings::Settings;
use crate::top::Allowing;

pub(crate) fn run(flags: &CtlFlags) -> Result<Exit, Failure> {
    let socket = socket(flags)?;
    let question = question(flags)?;
    let answer = match (&flags.about, &flags.reason) {
        (Some(server), Some(reason)) if flags.word == CtlWord::Allow => allow(
            &socket,
            &Rule {
                server: server.clone(),
                port: flags.port,
                host: flags.host.clone(),
                reason: reason.clone(),
                expires: flags.expires.clone(),
            },
        )?,
        _ => asked(&socket, &question)?,
    };
    if flags.json {
        let text = serde_json::to_string_pretty(&answer);
        let text = text.map_err(|error| Failure::failed(error.to_string()))?;
        output::print(&format!("{text}\n"))?;
    } else {
        output::print(&lines(flags.word, &answer))?;
    }
    let failed = answer["failed"].as_array().is_some_and(|failed| !failed.is_empty());
    Ok(if failed { Exit::Failed } else { Exit::Done })
}

/// The answer for people.
fn lines(word: CtlWord, answer: &Value) -> String {
    if let Some(table) = tables::table(word, answer) {
        return table;
    }
    let mut lines = String::new();
    if word == CtlWord::Why {
        explain(answer, &mut lines);
    } else {
        tell(answer, 0, &mut lines);
    }
    lines
}

/// The line that is sent.
fn question(flags: &CtlFlags) -> Result<String, Failure> {
    match (flags.word, &flags.about) {
        (CtlWord::Why, Some(about)) => Ok(format!("why {}", about.trim())),
        (CtlWord::Why, None) => Err(Failure::usage(
            "why whom? balefire ctl why ADDRESS, ADDRESS:PORT or NAME; of a server, or of a host",
        )),
        (CtlWord::Allow, Some(_)) if flags.reason.is_none() => Err(Failure::usage(
            "a rule needs its reason: balefire ctl allow SERVER --reason TEXT",
        )),
        (CtlWord::Allow, _) | (_, None) => Ok(flags.word.name().to_owned()),
        (word, Some(about)) => Err(Failure::usage(format!("{} takes nothing more: {about:?}", word.name()))),
    }
}

fn asked(socket: &Path, question: &str) -> Result<Value, Failure> {
    let answer = ask(socket, question)?;
    match answer["error"].as_str() {
        Some(error) => Err(Failure::failed(error)),
        None => Ok(answer),
    }
}

/// A server that is not to be reported any more.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rule {
    pub(crate) server: String,
    pub(crate) port: Option<u16>,
    pub(crate) host: Option<String>,
    pub(crate) reason: String,
    pub(crate) expires: Option<String>,
}

impl From<Allowing> for Rule {
    fn from(rule: Allowing) -> Self {
        Self {
            server: rule.server,
            port: rule.port,
            reason: rule.reason,
            ..Self::default()
        }
    }
}

impl Rule {
    /// Adds it to a file.
    pub(crate) fn append_to(&self, file: &Path) -> Result<String, Failure> {
        append(&AllowAddFlags {
            server: Some(self.server.clone()),
            port: self.port,
            ja4: None,
            host: self.host.clone(),
            reason: self.reason.clone(),
            expires: self.expires.clone(),
            allowlist: Some(file.to_owned()),
            config: None,
        })
    }
}

/// Adds the rule to the file that the service reads, with the rights of whoever asks: the service itself may write no settings.
/// Then it is told to read it.
pub(crate) fn allow(socket: &Path, rule: &Rule) -> Result<Value, Failure> {
    let answer = asked(socket, "allow")?;
    let Some(file) = answer["file"].as_str() else {
        return Err(Failure::usage(
            "the service has no allowlist: set detect.allowlist in its settings file, and `balefire ctl reload`",
        ));
    };
    // A service watches what happens now: a rule of the past would hide nothing there.
    if let Some(expires) = &rule.expires
        && is_past(expires)
    {
        return Err(Failure::usage(format!(
            "--expires {expires} is past already: name the first day on which the rule no longer holds, or leave it out; nothing was added"
        )));
    }
    let added = rule.append_to(Path::new(file))?;
    let mut reloaded = asked(socket, "reload")?;
    if let Value::Object(fields) = &mut reloaded {
        fields.insert("added".to_owned(), Value::from(added));
    }
    Ok(reloaded)
}

/// Whether the day has begun; what is no day is for the file's own check to say.
fn is_past(expires: &str) -> bool {
    let fields = AllowFields {
        port: Some(1),
        reason: "-",
        expires: Some(expires),
        ..AllowFields::default()
    };
    let ends_ns = AllowRule::new(&fields).ok().and_then(|rule| rule.expires_ns());
    ends_ns.is_some_and(|ends_ns| ends_ns <= now_ns())
}

/// What it is, then the page.
fn explain(answer: &Value, lines: &mut String) {
    let text = |field: &str| answer[field].as_str().unwrap_or_default();
    lines.push_str(&format!("{}: {}\n", text("asked"), text("says")));
    // What is known now goes before what was known when the hour closed.
    match answer["page_now"].as_str().or(answer["page"].as_str()) {
        Some(page) => lines.push_str(&format!("\n{}\n", page.trim_end())),
        None => tell(&answer["now"], 0, lines),
    }
}

fn socket(flags: &CtlFlags) -> Result<PathBuf, Failure> {
    socket_of(flags.socket.as_ref(), flags.config.as_ref())
}

/// Where the service answers: as told, or as its settings file says.
pub(crate) fn socket_of(socket: Option<&PathBuf>, config: Option<&PathBuf>) -> Result<PathBuf, Failure> {
    if let Some(path) = socket {
        return Ok(path.clone());
    }
    let settings = Settings::load(&SettingFlags {
        config: config.cloned(),
        ..SettingFlags::default()
    })?;
    settings.socket().ok_or_else(|| {
        Failure::usage(format!(
            "where is the service? --socket PATH, or --config with its settings file (the socket is {DEFAULT_NAME} in its output folder)"
        ))
    })
}

/// Names and values, indented; a list has a line per entry.
fn tell(value: &Value, depth: usize, lines: &mut String) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match field {
                    Value::Object(_) => {
                        lines.push_str(&format!("{indent}{name}\n"));
                        tell(field, depth + 1, lines);
                    }
                    Value::Array(entries) => {
                        lines.push_str(&format!("{indent}{name} ({})\n", entries.len()));
                        tell(field, depth + 1, lines);
                    }
                    plain => lines.push_str(&format!("{indent}{name:<20} {}\n", word(plain))),
                }
            }
        }
        Value::Array(entries) => {
            for entry in entries {
                lines.push_str(&format!("{indent}{}\n", row(entry)));
            }
        }
        plain => lines.push_str(&format!("{indent}{}\n", word(plain))),
    }
}

/// An entry of a list in one line.
fn row(entry: &Value) -> String {
    match entry {
        Value::Object(fields) => {
            let cells = fields.iter().map(|(name, value)| format!("{name} {}", row(value)));
            cells.collect::<Vec<_>>().join("  ")
        }
        Value::Array(entries) => entries.iter().map(row).collect::<Vec<_>>().join(" "),
        plain => word(plain),
    }
}

fn word(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_day_that_has_begun_is_past() {
        assert!(is_past("2020-01-31") && !is_past("2999-01-31") && !is_past("soon"));
    }

    #[test]
    fn answers_become_lines() {
        let mut lines = String::new();
        tell(
            &json!({"up_s": 5, "packets": {"received": 7}, "servers": [{"address": "192.0.2.1", "hosts": ["10.0.0.1"]}]}),
            0,
            &mut lines,
        );
        for line in [
            "up_s                 5",
            "  received             7",
            "servers (1)",
            "  address 192.0.2.1  hosts 10.0.0.1",
        ] {
            assert!(lines.lines().any(|found| found == line), "{line} in\n{lines}");
        }
    }
}

//! `balefire ctl`: asks the running service, and prints its answer.
//!
//! In: a word and where the socket is. Out: lines for people, or the service's JSON as it is. Not its job: what is answered
//! (`control`).

use std::path::PathBuf;

use serde_json::Value;

use super::control::{DEFAULT_NAME, ask};
use crate::exit::{Exit, Failure};
use crate::flags::{CtlFlags, SettingFlags};
use crate::output;
use crate::settings::Settings;

pub(crate) fn run(flags: &CtlFlags) -> Result<Exit, Failure> {
    let answer = ask(&socket(flags)?, flags.word.name())?;
    if let Some(error) = answer["error"].as_str() {
        return Err(Failure::failed(error));
    }
    if flags.json {
        let text = serde_json::to_string_pretty(&answer);
        let text = text.map_err(|error| Failure::failed(error.to_string()))?;
        output::print(&format!("{text}\n"))?;
    } else {
        let mut lines = String::new();
        tell(&answer, 0, &mut lines);
        output::print(&lines)?;
    }
    Ok(Exit::Done)
}

fn socket(flags: &CtlFlags) -> Result<PathBuf, Failure> {
    if let Some(path) = &flags.socket {
        return Ok(path.clone());
    }
    let settings = Settings::load(&SettingFlags {
        config: flags.config.clone(),
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

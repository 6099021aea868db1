//! `balefire allow`: the allowlist, read, shown, added to.
//!
//! In: a TOML file of `[[allow]]` tables. Out: checked rules, or an error that names file and line; a file with one rule more.
//! Not its job: what a rule hides (`detect`).

use std::fs;
use std::io::{ErrorKind, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use balefire_detect::{AllowFields, AllowRule, Allowlist};
use balefire_report::{clean, counted, rfc3339};
use serde::Deserialize;
use toml::Spanned;

use crate::exit::{Exit, Failure};
use crate::flags::{AllowAddFlags, AllowCommand, AllowlistFlags, SettingFlags};
use crate::output;
use crate::settings::Settings;

/// The file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct AllowFile {
    allow: Vec<Spanned<AllowTable>>,
}

/// `[[allow]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AllowTable {
    address: Option<String>,
    cidr: Option<String>,
    domain: Option<String>,
    port: Option<u16>,
    ja4: Option<String>,
    host: Option<String>,
    #[serde(default)]
    reason: String,
    /// A date, or a text with one.
    expires: Option<toml::Value>,
}

pub(crate) fn run(command: &AllowCommand) -> Result<Exit, Failure> {
    match command {
        AllowCommand::Check(flags) => check(flags)?,
        AllowCommand::List(flags) => list(flags)?,
        AllowCommand::Add(flags) => add(flags)?,
    }
    Ok(Exit::Done)
}

/// Reads an allowlist.
pub(crate) fn read(path: &Path) -> Result<Allowlist, Failure> {
    let text = fs::read_to_string(path).map_err(|error| {
        let mend = "an allowlist is a TOML file; `balefire allow add` makes one";
        Failure::usage(clean(&format!("{}: {error}; {mend}", path.display())))
    })?;
    parse(&text).map_err(|error| Failure::usage(format!("{}: {error}", clean(&path.display().to_string()))))
}

/// The rules of a text, or what is wrong and in which line.
fn parse(text: &str) -> Result<Allowlist, String> {
    let file: AllowFile = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
    let mut rules = Vec::with_capacity(file.allow.len());
    for spanned in file.allow {
        let line = 1 + text[..spanned.span().start.min(text.len())].matches('\n').count();
        let table = spanned.into_inner();
        let expires = match &table.expires {
            None => None,
            Some(toml::Value::String(text)) => Some(text.clone()),
            Some(value) => Some(value.to_string()),
        };
        let rule = AllowRule::new(&AllowFields {
            address: table.address.as_deref(),
            cidr: table.cidr.as_deref(),
            domain: table.domain.as_deref(),
            port: table.port,
            ja4: table.ja4.as_deref(),
            host: table.host.as_deref(),
            reason: &table.reason,
            expires: expires.as_deref(),
        });
        rules.push(rule.map_err(|error| format!("the rule at line {line} {error}"))?);
    }
    Ok(Allowlist::new(rules))
}

fn check(flags: &AllowlistFlags) -> Result<(), Failure> {
    let path = path_of(flags.file.as_ref(), flags.config.as_ref())?;
    let rules = read(&path)?;
    let name = clean(&path.display().to_string());
    output::print(&format!(
        "{name}: good, {}\n",
        counted(rules.rules().len() as u64, "rule")
    ))
}

fn list(flags: &AllowlistFlags) -> Result<(), Failure> {
    let rules = read(&path_of(flags.file.as_ref(), flags.config.as_ref())?)?;
    let lines = rules.rules().iter().map(|rule| {
        let until = rule
            .expires_ns()
            .map(|expires_ns| format!(", until {}", rfc3339(expires_ns)));
        clean(&format!(
            "{}{}: {}",
            rule.text(),
            until.unwrap_or_default(),
            rule.reason()
        )) + "\n"
    });
    output::print(&lines.collect::<String>())
}

fn add(flags: &AllowAddFlags) -> Result<(), Failure> {
    output::print(&(append(flags)? + "\n"))
}

/// Adds a rule to the file, and says so in a line.
pub(crate) fn append(flags: &AllowAddFlags) -> Result<String, Failure> {
    let path = path_of(flags.allowlist.as_ref(), flags.config.as_ref())?;
    let before = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => return Err(Failure::failed(clean(&format!("{}: {error}", path.display())))),
    };
    let name = clean(&path.display().to_string());
    // A file with a mistake in it is not made longer.
    parse(&before).map_err(|error| Failure::usage(format!("{name}: {error}; mend it first, nothing was added")))?;
    let gap = match before.as_str() {
        "" => "",
        text if text.ends_with("\n\n") => "",
        text if text.ends_with('\n') => "\n",
        _ => "\n\n",
    };
    let after = format!("{before}{gap}{}", table(flags));
    let rules = parse(&after).map_err(|error| Failure::usage(format!("{error}; nothing was added")))?;
    if let Some((new, there)) = rules.rules().split_last()
        && let Some(same) = there.iter().find(|rule| rule.covers(new))
    {
        let (text, reason) = (clean(same.text()), clean(same.reason()));
        return Ok(format!("{name}: {text} is there already ({reason}); nothing was added"));
    }
    replace(&path, &after).map_err(|error| Failure::failed(format!("{name}: {error}; nothing was added")))?;
    let last = rules.rules().last().map(|rule| clean(rule.text())).unwrap_or_default();
    Ok(format!(
        "{name}: added {last}; {}",
        counted(rules.rules().len() as u64, "rule")
    ))
}

/// The rule as a table. Every text is written as TOML quotes it.
fn table(flags: &AllowAddFlags) -> String {
    let server = flags.server.as_deref().map(|server| {
        let field = match server {
            server if server.contains('/') => "cidr",
            server if server.parse::<IpAddr>().is_ok() => "address",
            _ => "domain",
        };
        (field, server)
    });
    let texts = [
        server,
        flags.ja4.as_deref().map(|ja4| ("ja4", ja4)),
        flags.host.as_deref().map(|host| ("host", host)),
        Some(("reason", flags.reason.as_str())),
        flags.expires.as_deref().map(|expires| ("expires", expires)),
    ];
    let mut table = String::from("[[allow]]\n");
    for (field, text) in texts.into_iter().flatten() {
        table.push_str(&format!("{field} = {}\n", toml::Value::from(text)));
        if Some((field, text)) == server
            && let Some(port) = flags.port
        {
            table.push_str(&format!("port = {port}\n"));
        }
    }
    if let (None, Some(port)) = (server, flags.port) {
        table.push_str(&format!("port = {port}\n"));
    }
    table
}

/// Puts the text in the file's place, whole or not at all, with the rights the file had.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let beside = folder.join(format!(".{name}.{}.tmp", std::process::id()));
    let written = (|| {
        let mut file = fs::File::create(&beside)?;
        if let Ok(before) = fs::metadata(path) {
            file.set_permissions(before.permissions())?;
        }
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, path)
    })();
    if written.is_err() {
        // Best effort: the error that led here is the one to tell.
        let _ = fs::remove_file(&beside);
    }
    written
}

fn path_of(named: Option<&PathBuf>, config: Option<&PathBuf>) -> Result<PathBuf, Failure> {
    if let Some(path) = named {
        return Ok(path.clone());
    }
    let settings = Settings::load(&SettingFlags {
        config: config.cloned(),
        ..SettingFlags::default()
    })?;
    settings.detect.allowlist.ok_or_else(|| {
        Failure::usage("no allowlist: name the file (allow add: --allowlist FILE), or set detect.allowlist in the file of --config")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_line() {
        for (text, words) in [
            ("# mine\n\n[[allow]]\naddress = \"192.0.2.1\"\n", "line 3 has no reason"),
            ("[[allow]]\nreason = \"x\"\n", "line 1 names nothing"),
            ("[[allow]]\nadress = \"192.0.2.1\"\n", "line 2, column 1"),
            ("[[allow]]\nport = 70000\nreason = \"x\"\n", "line 2"),
            ("[[allow]]\ndomain = \"co.uk\"\nreason = \"x\"\n", "public suffix"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn a_rule_that_is_there_is_not_added_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("allow.toml");
        let add = |server: &str, expires: Option<&str>| {
            append(&AllowAddFlags {
                server: Some(server.to_owned()),
                reason: "ours".to_owned(),
                expires: expires.map(str::to_owned),
                allowlist: Some(file.clone()),
                ..AllowAddFlags::default()
            })
            .unwrap()
        };
        assert!(add("192.0.2.1", Some("2027-01-31")).contains("added"));
        assert!(add("192.0.2.1", Some("2027-01-01")).contains("there already (ours)"));
        assert!(add("192.0.2.1", None).contains("added"), "it lasts longer");
        assert!(add("192.0.2.1", Some("2027-01-31")).contains("there already"));
        assert!(add("192.0.2.2", None).contains("added"));
        assert_eq!(read(&file).unwrap().rules().len(), 3);
    }

    #[test]
    fn dates_are_dates_or_texts() {
        for expires in ["2027-01-31", "\"2027-01-31\"", "2027-01-31T00:00:00Z"] {
            let text = format!("[[allow]]\nport = 443\nreason = \"x\"\nexpires = {expires}\n");
            let rules = parse(&text).unwrap();
            assert_eq!(
                rules.rules()[0].expires_ns(),
                Some(1_801_353_600_000_000_000),
                "{expires}"
            );
        }
        assert!(parse("").unwrap().rules().is_empty());
    }
}

//! `balefire doctor`: looks at an interface and its machine before they are trusted with a tap, and changes nothing.
//!
//! In: an interface's name and the settings. Out: a line per thing looked at, with the line that mends it, or the same as
//! JSON. Not its job: mending.

mod checks;
mod ethtool;
mod facts;
mod netlink;

use std::path::Path;

use balefire_report::clean;
use serde::Serialize;

use self::checks::{Finding, State, Wanted, judge};
use self::facts::Facts;
use crate::exit::{Exit, Failure};
use crate::flags::DoctorFlags;
use crate::output;
use crate::settings::Settings;

pub(crate) fn run(flags: &DoctorFlags) -> Result<Exit, Failure> {
    let settings = Settings::load(&flags.settings)?;
    let interface = flags.interface.as_str();
    if interface == "any" {
        return Err(Failure::usage(
            "any stands for all interfaces, and each has its own driver and rings: name one; `balefire interfaces` lists them",
        ));
    }
    // The name becomes part of a path below.
    let is_name = !interface.is_empty() && !interface.contains('/') && !interface.starts_with('.');
    if !is_name || !Path::new("/sys/class/net").join(interface).exists() {
        return Err(Failure::failed(format!(
            "{interface}: no such interface; `balefire interfaces` lists what is there"
        )));
    }
    let capture = &settings.capture;
    let wanted = Wanted {
        snaplen_bytes: capture.snaplen_bytes.0,
        buffer_mib: capture.buffer_mb.0,
        threads: settings.workers() + 1,
    };
    let findings = judge(&Facts::read(interface), wanted);
    output::print(&if flags.json {
        json(interface, &findings)?
    } else {
        page(interface, &findings)
    })?;
    let lost = findings.iter().any(|finding| finding.state == State::Problem);
    Ok(if lost { Exit::Failed } else { Exit::Done })
}

fn page(interface: &str, findings: &[Finding]) -> String {
    let mut text = format!("{}, as balefire would listen to it\n\n", clean(interface));
    for finding in findings {
        text.push_str(&format!(
            "{:<8}  {:<12}  {}\n",
            finding.state.name(),
            finding.check,
            clean(&finding.found)
        ));
        if !finding.why.is_empty() {
            text.push_str(&format!("{:24}{}\n", "", finding.why));
        }
        if let Some(mend) = &finding.mend {
            text.push_str(&format!("{:24}  {}\n", "", clean(mend)));
        }
    }
    let count = |state| findings.iter().filter(|finding| finding.state == state).count();
    text.push_str(&format!(
        "\n{} good, {} to improve, {} to mend, {} not known. Nothing was changed.\n",
        count(State::Good),
        count(State::Advice),
        count(State::Problem),
        count(State::Unknown),
    ));
    text
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    interface: &'a str,
    findings: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    check: &'static str,
    state: &'static str,
    found: &'a str,
    why: Option<&'static str>,
    mend: Option<&'a str>,
}

fn json(interface: &str, findings: &[Finding]) -> Result<String, Failure> {
    let rows = findings.iter().map(|finding| Row {
        check: finding.check,
        state: finding.state.name(),
        found: &finding.found,
        why: Some(finding.why).filter(|why| !why.is_empty()),
        mend: finding.mend.as_deref(),
    });
    let document = Document {
        schema: "balefire-doctor/1",
        interface,
        findings: rows.collect(),
    };
    serde_json::to_string_pretty(&document)
        .map(|text| text + "\n")
        .map_err(|error| Failure::failed(format!("the findings have no JSON form: {error}")))
}

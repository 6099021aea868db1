//! How long every step and table of a report takes: `report ARCHIVE [URL SOURCE]`.
//!
//! In: an archive's folder, or a ClickHouse server and where its hours are. Out: a line per step and table, and the peak memory of
//! this process. Not its job: rendering.

use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;

use anyhow::{Context, bail};
use balefire_archive::{ClickHouse, Query, Question, SQLITE, Sqlite, Store, queries};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let start = Instant::now();
    let lines = Mutex::new(Vec::new());
    let done = |name: &str| {
        let thread = format!("{:?}", std::thread::current().id());
        let mut lines = lines.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        lines.push((thread, name.to_owned(), start.elapsed().as_secs_f64()));
    };
    let answers = match arguments.as_slice() {
        [archive] => {
            let path = Path::new(archive).join(SQLITE);
            let question = Question::everything(&Store::open_to_read(&path)?)?.context("no hour is in the archive")?;
            let tables: Vec<&Query> = queries(&question).collect();
            Sqlite::new(&path).answer(&question, &tables, &done)?
        }
        [url, source] => {
            let mut server = ClickHouse::new(url, source, None, "bench")?;
            let question = server.everything()?.context("no hour is in the source")?;
            let tables: Vec<&Query> = queries(&question).collect();
            balefire_archive::answer(&mut server, &question, &tables, &done)?
        }
        _ => bail!("usage: report ARCHIVE, or report URL SOURCE"),
    };
    let all_s = start.elapsed().as_secs_f64();
    let lines = lines.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    println!("{:12} {:24} {:>8} {:>8}", "thread", "step or table", "took s", "at s");
    for (at, (thread, name, at_s)) in lines.iter().enumerate() {
        let before_s = lines[..at]
            .iter()
            .rfind(|line| line.0 == *thread)
            .map_or(0.0, |line| line.2);
        println!("{thread:12} {name:24} {:8.2} {at_s:8.2}", at_s - before_s);
    }
    println!("whole report {all_s:.1} s; peak memory {}", peak_memory());
    for answer in answers.iter().filter(|answer| answer.rows.len() <= 12) {
        println!("{}: {:?}", answer.name, answer.rows);
    }
    Ok(())
}

/// As the kernel counts it, proc_pid_status(5).
fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or_else(|| "not known".to_owned(), |line| line.trim().to_owned())
}

//! Whole runs over logs made here: the same answer for every number of workers, and every line accounted for.

use std::fmt::Write as _;
use std::io::{self, BufRead, Cursor};

use balefire_detect::{Class, Countries, Summary};

use super::*;
use crate::run::Snapshot;

const T0: u32 = 1_790_002_800;

/// A beacon every five minutes, give or take, for a day, among hosts that browse.
fn office() -> String {
    let mut lines: Vec<(u32, String)> = Vec::new();
    for beat in 0..288u32 {
        let at = T0 + beat * 300 + beat * 37 % 41;
        lines.push((at, format!("10.0.0.66,104.248.234.238,8443,tcp,480,{}", 900 + beat % 3)));
    }
    for visit in 0..6000u32 {
        let at = T0 + visit.wrapping_mul(2_654_435_761) % 86_400;
        let (host, site) = (visit % 40, visit * visit % 331);
        lines.push((
            at,
            format!(
                "10.0.1.{host},198.51.{}.{},443,tcp,{},{}",
                site / 200,
                site % 200,
                visit % 7919,
                visit % 65_537
            ),
        ));
    }
    lines.sort();
    let mut log = String::from("ts,src,dst,dport,proto,bytes_out,bytes_in\n");
    for (at, line) in lines {
        let _ = writeln!(log, "{at}.25,{line}");
    }
    log
}

fn input(name: &str, text: &str) -> LogInput {
    let text = text.to_owned();
    let open = move || -> io::Result<Box<dyn BufRead + Send>> { Ok(Box::new(Cursor::new(text.clone()))) };
    LogInput {
        name: name.to_owned(),
        found: false,
        open: Box::new(open),
    }
}

#[derive(Default)]
struct Hours(Vec<Summary>);

impl Observer for Hours {
    fn hour(&mut self, hour: &Summary) -> Result<(), PipelineError> {
        self.0.push(hour.clone());
        Ok(())
    }

    fn tick(&mut self, _: &Snapshot) {}
}

fn run(inputs: Vec<LogInput>, workers: usize) -> (LogOutcome, Vec<Summary>) {
    let settings = Settings {
        workers,
        keep_timelines: true,
        ..Settings::default()
    };
    let detect = Arc::new(balefire_detect::Settings {
        hash_seed: workers as u64,
        ..balefire_detect::Settings::default()
    });
    let shared = Arc::new(Shared::new(Countries::embedded(), &detect));
    let mut hours = Hours::default();
    let outcome = run_logs(inputs, &settings, &detect, &shared, &mut hours, &AtomicBool::new(false)).unwrap();
    (outcome, hours.0)
}

#[test]
fn a_beacon_is_found_and_every_line_is_accounted_for() {
    let log = office() + "nonsense\n";
    let (LogOutcome { outcome, logs }, hours) = run(vec![input("conn.csv", &log)], 1);
    let accounting = &outcome.summary.accounting;
    assert_eq!(
        (accounting.received, accounting.accounted(), accounting.late),
        (6288, 6288, 0)
    );
    assert_eq!(
        accounting.wire_bytes,
        outcome
            .summary
            .countries
            .iter()
            .map(|row| row.bytes_out + row.bytes_in)
            .sum::<u64>()
    );
    assert_eq!(logs.joined.connections, 6288);
    assert_eq!((logs.faults.len(), logs.faults[0].line), (1, 6290));
    assert_eq!((hours.len(), outcome.hours_watched), (24, (24, 24)));
    assert_eq!(hours.iter().map(|hour| hour.accounting.received).sum::<u64>(), 6288);
    let first = &outcome.summary.servers[0];
    assert_eq!(
        (first.address.to_string(), first.port),
        ("104.248.234.238".to_owned(), 8443)
    );
    assert!(first.class >= Class::Probable, "{first:?}");
    assert!(
        outcome
            .timelines
            .iter()
            .any(|row| row.server == first.address && row.check_ins == 288)
    );
}

#[test]
fn workers_do_not_show() {
    let log = office();
    let alone = run(vec![input("conn.csv", &log)], 1);
    for workers in [2, 5] {
        let together = run(vec![input("conn.csv", &log)], workers);
        assert_eq!(alone.0.outcome.summary, together.0.outcome.summary);
        assert_eq!(alone.0.outcome.timelines, together.0.outcome.timelines);
        assert_eq!(alone.1, together.1, "hour by hour");
    }
}

/// The same day as Zeek writes it: several logs in order of the connections' ends, some tab-separated, some JSON.
fn as_zeek() -> Vec<LogInput> {
    let fields = "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tduration\torig_bytes\tresp_bytes\tconn_state\n";
    let mut conn = [
        String::from("#separator \\x09\n") + fields,
        String::new(),
        String::new(),
    ];
    let mut tls = String::new();
    let mut ended: Vec<(u64, String)> = Vec::new();
    for (number, line) in office().lines().skip(1).enumerate() {
        let f: Vec<&str> = line.split(',').collect();
        let duration = number % 50;
        let at: u64 = f[0].trim_end_matches(".25").parse().unwrap();
        let id = format!(
            "\"uid\":\"C{number}\",\"id.orig_h\":\"{}\",\"id.orig_p\":{},\"id.resp_h\":\"{}\",\"id.resp_p\":{}",
            f[1],
            1024 + number,
            f[2],
            f[3]
        );
        if number % 3 == 0 {
            let _ = writeln!(
                tls,
                "{{\"ts\":{at}.5,{id},\"version\":\"TLSv13\",\"server_name\":\"host-{}.example\"}}",
                f[2]
            );
        }
        let line = if number % 2 == 0 {
            format!(
                "{}\tC{number}\t{}\t{}\t{}\t{}\ttcp\t{duration}.0\t{}\t{}\tSF\n",
                f[0],
                f[1],
                1024 + number,
                f[2],
                f[3],
                f[5],
                f[6]
            )
        } else {
            format!(
                "{{\"ts\":{},{id},\"proto\":\"tcp\",\"duration\":{duration},\"orig_bytes\":{},\"resp_bytes\":{},\"conn_state\":\"SF\"}}\n",
                f[0], f[5], f[6]
            )
        };
        ended.push((at + duration as u64, line));
    }
    ended.sort_by_key(|(end, _)| *end);
    for (number, (_, line)) in ended.into_iter().enumerate() {
        conn[if line.starts_with('{') {
            1 + usize::from(number > 3000)
        } else {
            0
        }] += &line;
    }
    let names = ["conn.00.log", "conn.01.log", "conn.02.log"];
    let mut inputs: Vec<_> = names.iter().zip(&conn).map(|(name, log)| input(name, log)).collect();
    inputs.push(input("ssl.log", &tls));
    inputs
}

#[test]
fn zeek_logs_in_pieces_give_the_same_as_one_csv() {
    let (csv, _) = run(vec![input("conn.csv", &office())], 1);
    let (zeek, hours) = run(as_zeek(), 3);
    assert_eq!(zeek.logs.joined.connections, 6288);
    assert_eq!((zeek.logs.joined.facts_joined, zeek.logs.joined.facts_alone), (2096, 0));
    assert_eq!(zeek.outcome.summary.accounting.received, 6288 + 2096);
    assert_eq!(zeek.outcome.summary.accounting.late, 0);
    assert_eq!(hours.len(), 24);
    let by_address = |outcome: &LogOutcome| {
        let rows = outcome
            .outcome
            .timelines
            .iter()
            .filter(|row| row.server.to_string() == "104.248.234.238");
        rows.map(|row| (row.host, row.check_ins, row.interval_s)).next()
    };
    assert_eq!(by_address(&csv), by_address(&zeek));
    let first = &zeek.outcome.summary.servers[0];
    assert_eq!(first.names, ["host-104.248.234.238.example"]);
    let (again, _) = run(as_zeek(), 1);
    assert_eq!(again.outcome.summary, zeek.outcome.summary);
    assert_eq!(again.outcome.timelines, zeek.outcome.timelines);
}

#[test]
fn nothing_in_nothing_out() {
    let (empty, hours) = run(
        vec![input("conn.csv", "ts,src,dst,dport,proto,bytes_out,bytes_in\n")],
        2,
    );
    assert_eq!(empty.outcome.summary.accounting.received, 0);
    assert_eq!((hours.len(), empty.outcome.hours_watched), (0, (0, 0)));
}

#[test]
fn a_stop_ends_the_run_whole() {
    let detect = Arc::new(balefire_detect::Settings::default());
    let shared = Arc::new(Shared::new(Countries::embedded(), &detect));
    let stop = Arc::new(AtomicBool::new(false));
    let (mut hours, mut line, asked) = (Hours::default(), 0, Arc::clone(&stop));
    // The signal comes while the log is read.
    let text = office();
    let open = move || -> io::Result<Box<dyn BufRead + Send>> {
        let asked = Arc::clone(&asked);
        let lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
        let lines = lines.into_iter().inspect(move |_| {
            line += 1;
            asked.store(line > 1000, Relaxed);
        });
        Ok(Box::new(io::BufReader::with_capacity(
            1,
            Lines(lines, Cursor::new(Vec::new())),
        )))
    };
    let input = LogInput {
        name: "a".to_owned(),
        found: false,
        open: Box::new(open),
    };
    let stopped = run_logs(vec![input], &Settings::default(), &detect, &shared, &mut hours, &stop).unwrap();
    let accounting = stopped.outcome.summary.accounting;
    assert!((900..1100).contains(&accounting.received), "{accounting:?}");
    assert_eq!(accounting.received, accounting.accounted());
    assert!(hours.0.last().is_some_and(|hour| hour.period.partial));
}

/// Text line by line, so that what is read ahead is little.
struct Lines<I>(I, Cursor<Vec<u8>>);

impl<I: Iterator<Item = String>> io::Read for Lines<I> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.1.read(buffer)? {
            0 => {
                self.1 = Cursor::new(self.0.next().unwrap_or_default().into_bytes());
                self.1.read(buffer)
            }
            read => Ok(read),
        }
    }
}

//! Logs side by side: order, faults, endings.

use std::io::{BufReader, Cursor};

use balefire_decode::Address;

use super::*;

const HEADER: &str = "ts,src,dst,dport,proto,bytes_out,bytes_in\n";

fn line(time_s: u32, host: u8) -> String {
    format!("{time_s},10.0.0.{host},192.0.2.1,443,tcp,1,2\n")
}

fn input(name: &str, text: impl Into<Vec<u8>>) -> LogInput {
    let text = text.into();
    let open = move || -> io::Result<Box<dyn BufRead + Send>> { Ok(Box::new(Cursor::new(text.clone()))) };
    LogInput {
        name: name.to_owned(),
        found: false,
        open: Box::new(open),
    }
}

fn found(input: LogInput) -> LogInput {
    LogInput { found: true, ..input }
}

fn open(inputs: Vec<LogInput>) -> Result<LogSource, PipelineError> {
    LogSource::open(inputs, &AtomicBool::new(false))
}

fn entries(source: &mut LogSource) -> Vec<(i64, Address)> {
    std::iter::from_fn(|| source.next())
        .map(|entry| (entry.time_ns / 1_000_000_000, entry.endpoints.originator))
        .collect()
}

#[test]
fn logs_are_read_by_time_and_of_equal_times_in_the_order_given() {
    let first = [HEADER, &line(5, 1), &line(7, 1), &line(9, 1)].concat();
    let second = [HEADER, &line(4, 2), &line(7, 2), &line(8, 2)].concat();
    let mut source = open(vec![input("a", first), input("b", second)]).unwrap();
    let order: Vec<_> = entries(&mut source)
        .iter()
        .map(|(time_s, host)| (*time_s, host.octets()[15]))
        .collect();
    assert_eq!(order, [(4, 2), (5, 1), (7, 1), (7, 2), (8, 2), (9, 1)]);
    assert_eq!(source.into_leftovers(), (vec![], vec![]));
}

#[test]
fn very_many_logs_are_closed_while_they_wait() {
    let inputs = (0..MAX_OPEN as u32 + 50).rev();
    let inputs = inputs.map(|at| {
        input(
            &at.to_string(),
            [HEADER, "bad line\n", &line(at * 2, 1), &line(at * 2 + 1, 1)].concat(),
        )
    });
    let mut source = open(inputs.collect()).unwrap();
    assert!(source.logs.iter().all(|log| log.reader.is_none()));
    let times: Vec<_> = entries(&mut source).iter().map(|(time_s, _)| *time_s).collect();
    assert_eq!(times, (0..(MAX_OPEN as i64 + 50) * 2).collect::<Vec<_>>());
    let (_, faults) = source.into_leftovers();
    assert!(
        faults
            .iter()
            .all(|fault| (fault.line, fault.lines, fault.lines_used) == (2, 1, 2)),
        "counted once: {faults:?}"
    );
}

#[test]
fn bad_lines_are_counted_by_reason_with_the_first_ones_number() {
    let text = [
        HEADER,
        &line(1, 1),
        "x,10.0.0.1,192.0.2.1,443,tcp,1,2\n",
        "2,10.0.0.1\n",
        &line(3, 1),
        "y,10.0.0.1,192.0.2.1,443,tcp,1,2",
    ];
    let mut source = open(vec![input("conn.csv", text.concat())]).unwrap();
    assert_eq!(entries(&mut source).len(), 2);
    let (_, faults) = source.into_leftovers();
    let said: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert!(
        said[0].starts_with("conn.csv: line 3 and 1 more: column ts is no time"),
        "{said:?}"
    );
    assert!(said[0].ends_with("; left out, 2 other lines used"), "{said:?}");
    assert_eq!(
        said[1],
        "conn.csv: line 4: fewer fields than the header names; left out, 2 other lines used"
    );
    assert_eq!(said.len(), 2);
}

#[test]
fn a_line_without_an_end_does_not_fill_the_memory() {
    let long = vec![b'x'; 3 * MAX_LINE_BYTES as usize];
    let text = [HEADER.as_bytes(), &long, b"\n", line(1, 1).as_bytes()].concat();
    let mut source = open(vec![input("long", text)]).unwrap();
    assert_eq!(entries(&mut source).len(), 1);
    assert!(source.logs[0].buffer.capacity() <= 2 * MAX_LINE_BYTES as usize);
    let (_, faults) = source.into_leftovers();
    assert_eq!((faults[0].line, faults[0].lines), (2, 1));
}

/// Gives what it has, then fails, as a cut compressed file does.
struct Cut(Cursor<Vec<u8>>);

impl Read for Cut {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "cut short")),
            read => Ok(read),
        }
    }
}

fn cut(name: &str, text: String) -> LogInput {
    let open = move || -> io::Result<Box<dyn BufRead + Send>> {
        Ok(Box::new(BufReader::new(Cut(Cursor::new(text.clone().into_bytes())))))
    };
    LogInput {
        name: name.to_owned(),
        found: true,
        open: Box::new(open),
    }
}

#[test]
fn a_log_cut_short_counts_as_far_as_it_goes() {
    let whole = [HEADER, &line(1, 1), &line(2, 1)].concat();
    let mut source = open(vec![
        cut("cut.gz", whole.clone() + "3,10.0"),
        input("b", [HEADER, &line(5, 2)].concat()),
    ])
    .unwrap();
    assert_eq!(entries(&mut source).len(), 3, "the other log goes on");
    let (_, faults) = source.into_leftovers();
    assert_eq!(faults.len(), 1);
    assert_eq!(
        faults[0].to_string(),
        "cut.gz: reading stopped after line 3: cut short; its 2 usable lines so far count"
    );

    let mut at_once = open(vec![cut("cut.gz", String::new())]).unwrap();
    assert_eq!(entries(&mut at_once), []);
    assert_eq!(
        at_once.into_leftovers().1.len(),
        1,
        "a file found in a folder that cannot be read is told of"
    );
}

#[test]
fn a_named_log_must_be_one_and_a_found_one_may_be_another() {
    let error = |inputs| open(inputs).map(drop).unwrap_err().to_string();
    let prose = error(vec![input("notes.txt", "dear diary\n")]);
    assert!(
        prose.starts_with("notes.txt: no connection log: found \"dear diary\"; wanted: "),
        "{prose}"
    );
    let weird = "#fields\tts\tuid\tname\n1\tC\tbad\n";
    let nothing = error(vec![
        found(input("weird.log", weird)),
        found(input("stderr.log", "oops\n")),
    ]);
    assert_eq!(
        nothing,
        format!("weird.log: no connection is told of here, nor in 1 others; {READ}")
    );

    let mut source = open(vec![
        found(input("weird.log", weird)),
        input("a", [HEADER, &line(1, 1)].concat()),
    ])
    .unwrap();
    assert_eq!(entries(&mut source).len(), 1);
    assert_eq!(source.into_leftovers(), (vec!["weird.log".to_owned()], vec![]));
    let quiet = open(vec![input("quiet.csv", HEADER)]);
    assert!(quiet.is_ok(), "an hour without a connection is no mistake");
}

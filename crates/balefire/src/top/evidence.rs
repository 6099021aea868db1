//! The page of one server: what is known of it, sign by sign.
//!
//! In: an [`Explained`]. Out: lines for a screen of some width, and CSV of what the scores are made of. Not its job: asking,
//! scrolling.

use std::fmt::Write as _;

use balefire_report::{counted, csv_cell, date_time, duration, percent, score, seconds, thousands, time_of_day};

use super::app::Allowing;
use super::canvas::Tint;
use super::view::{Explained, Server, Sign};

/// A line, and what it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Line {
    pub(crate) text: String,
    pub(crate) tint: Tint,
}

/// Bins of the histogram in an octave, as `detect` counts them.
const BINS_PER_OCTAVE: usize = balefire_detect::BINS_PER_OCTAVE;
/// The last check-in times shown.
const TIMES_SHOWN: usize = 10;
/// Columns of the line of check-ins.
const LINE_COLUMNS: usize = 64;
/// Hosts named.
const HOSTS_SHOWN: usize = 40;
/// Columns that labels take.
const LABEL: usize = 12;

/// The page. `marks` are eight letters from little to much.
pub(crate) fn page(known: &Explained, width: usize, marks: impl Fn(&[f64]) -> String) -> Vec<Line> {
    let mut lines = Lines {
        width,
        lines: Vec::new(),
    };
    lines.head(&known.server);
    let hour = |(start_ns, end_ns)| format!("the hour {} to {}", date_time(start_ns), time_of_day(end_ns));
    let words = match (known.now_ns, known.hour_ns) {
        (Some(now_ns), None) => format!(
            "as of {}, as the worker that follows it sees it; no hour with it has closed",
            date_time(now_ns)
        ),
        (Some(now_ns), Some(closed)) => {
            format!(
                "as of {}, as the worker that follows it sees it; {} had it, too",
                date_time(now_ns),
                hour(closed)
            )
        }
        (None, Some(closed)) => format!("as of {}: the workers have not answered since", hour(closed)),
        (None, None) if known.signs.is_empty() => {
            "none: the workers have not answered, and no hour with it has closed".to_owned()
        }
        (None, None) => "as the worker that follows it saw it; it did not say when".to_owned(),
    };
    lines.labelled("evidence", &words);
    let until_ns = known.now_ns.or(known.hour_ns.map(|(_, end_ns)| end_ns));
    for sign in &known.signs {
        lines.blank();
        lines.sign(sign, until_ns, &marks);
    }
    let more = known.signs_total.saturating_sub(known.signs.len() as u64);
    if more > 0 {
        lines.blank();
        lines.plain(&format!("and {}", counted(more, "more sign")));
    }
    lines.blank();
    lines.hosts(known);
    lines.labelled(
        "allow",
        &format!(
            "key a, or: balefire allow add {} --reason ...",
            rule(&known.server).words()
        ),
    );
    lines.blank();
    lines.plain("Hosting country, not an actor. An address may be many machines, and a machine many addresses.");
    lines.lines
}

/// A row for each part of each score.
pub(crate) fn csv(known: &Explained) -> String {
    let mut text = String::from("server,kind,host,name,check_ins,interval_s,jitter,timing,score,part,log_odds,text\n");
    for sign in &known.signs {
        for part in &sign.parts {
            let cells = [
                csv_cell(&known.server.id),
                csv_cell(&sign.kind),
                csv_cell(&sign.host),
                csv_cell(sign.name.as_deref().unwrap_or_default()),
                sign.check_ins.to_string(),
                format!("{:.3}", sign.interval_s),
                format!("{:.4}", sign.jitter),
                format!("{:.4}", sign.timing),
                format!("{:.4}", sign.score),
                csv_cell(&part.name),
                format!("{:.4}", part.log_odds),
                csv_cell(&part.text),
            ];
            text.push_str(&cells.join(","));
            text.push('\n');
        }
    }
    text
}

/// The server as a rule of the allowlist names it.
pub(crate) fn rule(server: &Server) -> Allowing {
    let name = server.names.first();
    // The address is a relay's, which others use, too.
    let behind_relay = name.filter(|name| server.id.ends_with(&format!(" {name}")));
    Allowing {
        server: behind_relay.unwrap_or(&server.address).clone(),
        port: Some(server.port).filter(|port| *port > 0 && behind_relay.is_none()),
        reason: String::new(),
    }
}

/// Check-ins on a line from the first to `until_ns`, a mark in the column of each: even gaps are a clock, an empty end is one that stopped.
pub(crate) fn line_of(times_ns: &[i64], until_ns: i64, columns: usize) -> String {
    let Some(&first_ns) = times_ns.first() else {
        return String::new();
    };
    let last_ns = times_ns.iter().copied().fold(until_ns, i64::max);
    let span_ns = i128::from(last_ns) - i128::from(first_ns);
    let mut line = vec!['.'; columns];
    for time_ns in times_ns {
        let since_ns = (i128::from(*time_ns) - i128::from(first_ns)).max(0);
        let column = since_ns * (columns as i128 - 1) / span_ns.max(1);
        if let Some(mark) = usize::try_from(column).ok().and_then(|column| line.get_mut(column)) {
            *mark = '|';
        }
    }
    line.into_iter().collect()
}

struct Lines {
    width: usize,
    lines: Vec<Line>,
}

impl Lines {
    fn tinted(&mut self, text: &str, tint: Tint) {
        self.lines.push(Line {
            text: text.to_owned(),
            tint,
        });
    }

    fn plain(&mut self, text: &str) {
        for line in wrapped(text, self.width) {
            self.tinted(&line, Tint::Plain);
        }
    }

    fn blank(&mut self) {
        self.tinted("", Tint::Plain);
    }

    /// A label, and a text beside it that goes on below itself.
    fn labelled(&mut self, label: &str, text: &str) {
        for (number, line) in wrapped(text, self.width.saturating_sub(LABEL)).into_iter().enumerate() {
            let label = if number == 0 { label } else { "" };
            self.tinted(&format!("{label:<LABEL$}{line}"), Tint::Plain);
        }
    }

    fn head(&mut self, server: &Server) {
        let known_by = server.score.map_or_else(
            || "by threat intelligence".to_owned(),
            |number| format!("score {}", score(number)),
        );
        self.tinted(
            &format!(
                "{}   {}   {known_by}   {} {}",
                server.id,
                server.class.name(),
                server.country,
                server.country_name
            ),
            Tint::Class(server.class),
        );
        if !server.names.is_empty() {
            self.labelled("names", &server.names.join(" "));
        }
        self.labelled(
            "seen",
            &format!(
                "{} of {}, first {}, last {}",
                counted(server.check_ins, "check-in"),
                counted(server.hosts, "host"),
                date_time(server.first_ns),
                date_time(server.last_ns)
            ),
        );
    }

    fn sign(&mut self, sign: &Sign, until_ns: Option<i64>, marks: &impl Fn(&[f64]) -> String) {
        let kind = sign.kind.replace('_', " ");
        let by = sign
            .name
            .as_deref()
            .map(|name| format!(" by the name {name}"))
            .unwrap_or_default();
        if sign.listed.is_empty() {
            self.tinted(
                &format!("{kind} of {}{by}   score {}", sign.host, score(sign.score)),
                Tint::Strong,
            );
        } else {
            self.tinted(&format!("{kind}: {}{by}", sign.host), Tint::Strong);
            for entry in &sign.listed {
                self.labelled("  listed", entry);
            }
        }
        let span = duration(sign.last_ns.saturating_sub(sign.first_ns));
        if sign.listed.is_empty() {
            self.labelled(
                "  timing",
                &format!(
                    "{}: {}, {} apart (+-{}), over {span}",
                    score(sign.timing),
                    counted(sign.check_ins, "check-in"),
                    seconds(sign.interval_s),
                    percent(sign.jitter)
                ),
            );
        } else {
            self.labelled("  contacts", &format!("{} over {span}", thousands(sign.check_ins)));
        }
        self.intervals(sign, marks);
        self.hours(sign, marks);
        self.times(sign, until_ns);
        self.parts(sign);
        if sign.listed.is_empty() && sign.innocent.is_empty() {
            self.labelled(
                "  innocent",
                "if a monitoring or update client of yours does this: timing alone never excludes it",
            );
        }
        for (label, texts) in [("  innocent", &sign.innocent), ("  missing", &sign.missing)] {
            if !texts.is_empty() {
                self.labelled(label, &texts.join("; "));
            }
        }
    }

    /// A letter per bin, whole octaves from the shortest interval to the longest, with a mark above each octave.
    fn intervals(&mut self, sign: &Sign, marks: &impl Fn(&[f64]) -> String) {
        // Far beyond any interval, and far from any overflow.
        let bin = |from_s: f64| (from_s.max(1.0).log2() * BINS_PER_OCTAVE as f64).round().min(4_096.0) as usize;
        let bins: Vec<(usize, u64)> = sign
            .intervals
            .iter()
            .map(|(from_s, count)| (bin(*from_s), *count))
            .collect();
        let (Some(first), Some(last)) = (bins.iter().map(|bin| bin.0).min(), bins.iter().map(|bin| bin.0).max()) else {
            return;
        };
        let first = first / BINS_PER_OCTAVE * BINS_PER_OCTAVE;
        // 33 octaves of seconds are 272 years.
        let last = ((last / BINS_PER_OCTAVE + 1) * BINS_PER_OCTAVE).min(first + 33 * BINS_PER_OCTAVE);
        let mut counts = vec![0.0; last - first];
        for (bin, count) in bins {
            if let Some(counted) = counts.get_mut(bin - first) {
                *counted += count as f64;
            }
        }
        let mut octaves = String::new();
        for octave in (first..last).step_by(BINS_PER_OCTAVE) {
            let start_s = (octave as f64 / BINS_PER_OCTAVE as f64).exp2().round() as u64;
            let _ = write!(octaves, "{:<BINS_PER_OCTAVE$}", short(start_s));
        }
        self.cut("  intervals", octaves.trim_end());
        self.cut("", &with_points(&counts, marks));
    }

    fn hours(&mut self, sign: &Sign, marks: &impl Fn(&[f64]) -> String) {
        let counts: Vec<f64> = sign.hours.iter().take(24).map(|count| *count as f64).collect();
        if counts.iter().any(|count| *count > 0.0) {
            self.cut("  UTC hours", "0     6     12    18");
            self.cut("", &with_points(&counts, marks));
        }
    }

    /// The last check-ins as a line in time, and as times.
    fn times(&mut self, sign: &Sign, until_ns: Option<i64>) {
        let skipped = sign.recent_ns.len().saturating_sub(TIMES_SHOWN);
        let times: Vec<String> = sign.recent_ns[skipped..]
            .iter()
            .map(|&time_ns| time_of_day(time_ns))
            .collect();
        if let (Some(first), Some(last)) = (sign.recent_ns.first(), sign.recent_ns.last()) {
            let until_ns = until_ns.map_or(*last, |until_ns| until_ns.max(*last));
            let columns = self.width.saturating_sub(LABEL).min(LINE_COLUMNS);
            let (from, until) = (time_of_day(*first), time_of_day(until_ns));
            self.cut(
                "  check-ins",
                &format!("{from:<0$}{until}", columns.saturating_sub(until.len())),
            );
            self.cut("", &line_of(&sign.recent_ns, until_ns, columns));
            self.labelled("  last", &times.join(" "));
        }
    }

    fn parts(&mut self, sign: &Sign) {
        if sign.parts.is_empty() {
            return;
        }
        let most = sign.parts.iter().map(|part| part.log_odds.abs()).fold(0.0, f64::max);
        for (number, part) in sign.parts.iter().enumerate() {
            let label = if number == 0 { "  made of" } else { "" };
            let bar = if most > 0.0 {
                "#".repeat((part.log_odds.abs() / most * 6.0).round() as usize)
            } else {
                String::new()
            };
            let mark = if part.log_odds < 0.0 { '-' } else { '+' };
            let head = format!("{label:<LABEL$}{mark} {:>5.2} {bar:<6} ", part.log_odds.abs());
            let text = format!("{}: {}", part.name, part.text);
            for (row, line) in wrapped(&text, self.width.saturating_sub(head.len()))
                .into_iter()
                .enumerate()
            {
                let head = if row == 0 { head.clone() } else { " ".repeat(head.len()) };
                self.tinted(&format!("{head}{line}"), Tint::Plain);
            }
        }
        let sum: f64 = sign.parts.iter().map(|part| part.log_odds).sum();
        let mark = if sum < 0.0 { '-' } else { '+' };
        self.labelled(
            "",
            &format!(
                "= {mark}{:.2} (log-odds, natural logarithm), a score of {}",
                sum.abs(),
                score(sign.score)
            ),
        );
    }

    fn hosts(&mut self, known: &Explained) {
        let mut hosts: Vec<&str> = known.hosts.iter().take(HOSTS_SHOWN).map(String::as_str).collect();
        let more = known.server.hosts.saturating_sub(hosts.len() as u64);
        let more = format!("and {} more", thousands(more));
        if known.server.hosts > hosts.len() as u64 {
            hosts.push(&more);
        }
        self.labelled("hosts", &hosts.join(" "));
    }

    /// A line that is no text: cut, not wrapped.
    fn cut(&mut self, label: &str, text: &str) {
        self.tinted(&format!("{label:<LABEL$}{text}"), Tint::Plain);
    }
}

/// Marks for counts; none is a point, so that columns can be followed.
fn with_points(counts: &[f64], marks: &impl Fn(&[f64]) -> String) -> String {
    let drawn = marks(counts);
    let pairs = drawn.chars().zip(counts);
    pairs
        .map(|(mark, count)| if *count > 0.0 { mark } else { '.' })
        .collect()
}

/// At most seven letters, to fit above an octave.
fn short(whole_s: u64) -> String {
    match whole_s {
        0..120 => format!("{whole_s} s"),
        120..7_200 => format!("{} m", whole_s / 60),
        7_200..172_800 => format!("{} h", whole_s / 3_600),
        _ => format!("{} d", whole_s / 86_400),
    }
}

/// Broken between words; a word that is longer than a line is cut into lines.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let width = width.max(8);
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        let mut taken = 0;
        for word in paragraph.split_whitespace() {
            let mut word: Vec<char> = word.chars().collect();
            if taken > 0 && taken + 1 + word.len() > width {
                lines.push(std::mem::take(&mut line));
                taken = 0;
            }
            while word.len() > width {
                let rest = word.split_off(width);
                lines.push(word.into_iter().collect());
                word = rest;
            }
            if taken > 0 {
                line.push(' ');
                taken += 1;
            }
            taken += word.len();
            line.extend(word);
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_broken_between_words_where_it_can_be() {
        assert_eq!(wrapped("one two three four", 9), ["one two", "three", "four"]);
        assert_eq!(wrapped("abcdefghijkl mn", 8), ["abcdefgh", "ijkl mn"]);
        assert_eq!(wrapped("", 8), [""]);
        assert_eq!(wrapped("a\n\nb", 8), ["a", "", "b"]);
    }

    #[test]
    fn check_ins_stand_where_they_were() {
        let times = [100, 110, 120, 130];
        assert_eq!(line_of(&times, 130, 7), "|.|.|.|");
        assert_eq!(line_of(&times, 160, 7), "||||...", "silence since");
        assert_eq!(line_of(&[5], 5, 3), "|..");
        assert_eq!(line_of(&[], 5, 3), "");
        assert_eq!(line_of(&[i64::MIN, i64::MAX], 0, 3), "|.|");
        assert_eq!(line_of(&[7, 3], 9, 1), "|");
    }

    #[test]
    fn a_rule_names_the_server_or_behind_a_relay_its_name() {
        let server = Server {
            id: "192.0.2.9:3128/tcp mail.example".to_owned(),
            address: "192.0.2.9".to_owned(),
            port: 3128,
            names: vec!["mail.example".to_owned()],
            ..Server::default()
        };
        assert_eq!(rule(&server).words(), "mail.example");
        let direct = Server {
            id: "192.0.2.9:3128/tcp".to_owned(),
            ..server
        };
        assert_eq!(rule(&direct).words(), "192.0.2.9 --port 3128");
        let pinged = Server { port: 0, ..direct };
        assert_eq!(rule(&pinged).words(), "192.0.2.9");
    }

    #[test]
    fn a_histogram_of_odd_numbers_is_drawn_all_the_same() {
        let mut lines = Lines {
            width: 80,
            lines: Vec::new(),
        };
        let sign = Sign {
            intervals: vec![(f64::NAN, 3), (0.0, 1), (1e300, 2), (f64::INFINITY, 1)],
            ..Sign::default()
        };
        lines.intervals(&sign, &|counts| "#".repeat(counts.len()));
        assert!(
            lines.lines.iter().all(|line| line.text.len() < 400),
            "{:?}",
            lines.lines
        );
    }
}

//! Lists in columns: which of them hold indicators, by the names in the header.
//!
//! In: text whose header is its first line that is no comment, or its last comment line before (as the public blocklists of
//! control servers write it). Out: rows taken into a [`Reading`]. Not its job: quoted line ends, which no such list has.

use super::indicator::Refusal;
use super::list::{Beside, Reading};

/// Names of columns that hold indicators.
const VALUES: &[&str] = &[
    "indicator",
    "ioc",
    "ioc_value",
    "value",
    "ip",
    "ip_address",
    "ipaddress",
    "ipv4",
    "ipv6",
    "address",
    "dst_ip",
    "dest_ip",
    "destination_ip",
    "dst",
    "cidr",
    "network",
    "subnet",
    "domain",
    "domain_name",
    "host",
    "hostname",
    "fqdn",
    "url",
    "ja4",
];
const PORTS: &[&str] = &["port", "dst_port", "dest_port", "destination_port"];
/// Columns that say what it is, best first.
const LABELS: &[&str] = &[
    "label",
    "malware_printable",
    "malware",
    "family",
    "signature",
    "threat",
    "description",
    "comment",
    "tags",
    "name",
];
const UNTIL: &[&str] = &["valid_until", "expires", "expiration", "expiry", "not_after"];
const KINDS: &[&str] = &["type", "ioc_type", "indicator_type"];
const FOR_DETECTION: &[&str] = &["to_ids"];
/// Lines before the first row in which a header is looked for.
const HEAD_LINES: usize = 200;

/// Which column holds what.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Columns {
    separator: char,
    values: Vec<usize>,
    port: Option<usize>,
    labels: Vec<usize>,
    until: Option<usize>,
    kind: Option<usize>,
    for_detection: Option<usize>,
    /// The header's line where it is no comment, from 1.
    header: Option<u32>,
}

impl Columns {
    /// The columns, if the text has a header.
    pub(crate) fn find(text: &str) -> Option<Self> {
        let mut in_comment: Option<(Self, usize)> = None;
        for (line, place) in text.lines().take(HEAD_LINES).zip(1..) {
            let line = line.trim();
            if line.is_empty() {
                continue;
            }
            if let Some(comment) = line.strip_prefix(['#', ';']) {
                let comment = comment.trim_start_matches('#');
                // One word alone is prose.
                let header = Self::named(comment).filter(|(_, columns)| *columns > 1);
                in_comment = header.or(in_comment);
                continue;
            }
            if let Some((columns, _)) = Self::named(line) {
                return Some(Self {
                    header: Some(place),
                    ..columns
                });
            }
            let fits = |columns: &Self, count: usize| fields(line, columns.separator).len() == count;
            return in_comment
                .filter(|(columns, count)| fits(columns, *count))
                .map(|(columns, _)| columns);
        }
        None
    }

    /// Reads every row.
    pub(crate) fn read(&self, text: &str, list: &mut Reading<'_>) {
        for (line, place) in text.lines().zip(1_u32..) {
            let line = line.trim();
            let is_comment = line.starts_with('#') || (line.starts_with(';') && self.separator != ';');
            if line.is_empty() || is_comment || self.header == Some(place) {
                continue;
            }
            let fields = fields(line, self.separator);
            let at = |column: Option<usize>| column.and_then(|at| fields.get(at)).map_or("", |field| field.trim());
            if at(self.for_detection).eq_ignore_ascii_case("false") || at(self.for_detection) == "0" {
                list.refuse(place, line, Refusal::NotForDetection);
                continue;
            }
            if is_other_kind(at(self.kind)) {
                list.refuse(place, line, Refusal::OtherKind);
                continue;
            }
            let label = self
                .labels
                .iter()
                .map(|&column| at(Some(column)))
                .find(|label| !label.is_empty());
            let port = match at(self.port) {
                "" | "0" | "*" | "-" => None,
                port => match port.parse::<u16>() {
                    Ok(port) => Some(port),
                    Err(_) => {
                        list.refuse(place, line, Refusal::OutOfRange);
                        continue;
                    }
                },
            };
            let beside = Beside {
                port,
                label: label.unwrap_or_default(),
                until: at(self.until),
            };
            let mut empty = true;
            for value in self
                .values
                .iter()
                .map(|&column| at(Some(column)))
                .filter(|value| !matches!(*value, "" | "-"))
            {
                empty = false;
                list.take(place, value, beside);
            }
            if empty {
                list.refuse(place, line, Refusal::EmptyRow);
            }
        }
    }

    /// The columns of a line if one of them is called as those that hold indicators are, and how many there are.
    fn named(line: &str) -> Option<(Self, usize)> {
        let separator = [',', ';', '\t']
            .into_iter()
            .max_by_key(|separator| (line.matches(*separator).count(), *separator == ','))?;
        let names: Vec<String> = fields(line, separator)
            .iter()
            .map(|name| name.trim().to_ascii_lowercase().replace([' ', '-'], "_"))
            .collect();
        let all = |wanted: &[&str]| -> Vec<usize> {
            let known = names
                .iter()
                .enumerate()
                .filter(|(_, name)| wanted.contains(&name.as_str()));
            known.map(|(at, _)| at).collect()
        };
        let by_rank = |wanted: &[&str]| -> Vec<usize> {
            let places = wanted
                .iter()
                .filter_map(|wanted| names.iter().position(|name| name == wanted));
            places.collect()
        };
        let first = |wanted: &[&str]| by_rank(wanted).first().copied();
        let values = all(VALUES);
        let columns = Self {
            separator,
            port: first(PORTS),
            labels: by_rank(LABELS),
            until: first(UNTIL),
            kind: first(KINDS),
            for_detection: first(FOR_DETECTION),
            header: None,
            values,
        };
        (!columns.values.is_empty()).then_some((columns, names.len()))
    }
}

/// Types of MISP and of the public feeds that no tap sees.
fn is_other_kind(kind: &str) -> bool {
    let kind = kind.to_ascii_lowercase();
    [
        "md5",
        "sha1",
        "sha224",
        "sha256",
        "sha384",
        "sha512",
        "ssdeep",
        "imphash",
        "tlsh",
        "file",
        "mutex",
        "regkey",
        "mail",
        "user-agent",
        "ja3",
        "jarm",
        "yara",
        "sigma",
        "text",
        "comment",
        "link",
    ]
    .iter()
    .any(|other| kind.contains(other))
}

/// The fields of a line (RFC 4180 without line ends in quotes; blanks before an opening quote are passed over).
fn fields(line: &str, separator: char) -> Vec<String> {
    let mut fields = Vec::new();
    let mut field = String::new();
    let mut quoted = false;
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                field.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if field.trim().is_empty() => {
                field.clear();
                quoted = true;
            }
            letter if letter == separator && !quoted => fields.push(std::mem::take(&mut field)),
            letter => field.push(letter),
        }
    }
    fields.push(field);
    fields
}

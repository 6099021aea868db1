//! Lines of one log, one after another: finds out what kind of log it is from its first line, then reads the rest.

use super::columns::{Kind, Role, Roles};
use super::entry::Entry;
use super::fault::{HeaderFault, LineFault, Reason};
use super::json;
use super::name::hex;
use super::row::Row;

/// What a line was.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// A usable line.
    Entry(Entry),
    /// A line of a log that is not read, or one that tells nothing: a TLS handshake without a name.
    Unused,
    /// A header, a comment, an empty line.
    Header,
    /// It cannot be used; the next one may.
    Fault(LineFault),
}

/// Whether a file that begins with these bytes is text, and so a log rather than a capture. Its first line decides, which
/// the log's writer chose; what follows came over the wire. A character cut off at the end is no reason to say no.
pub fn is_text(head: &[u8]) -> bool {
    let mut lines = head.split(|&byte| byte == b'\n' || byte == b'\r');
    let Some(first) = lines.find(|line| !line.is_empty()) else {
        return false;
    };
    let text = match std::str::from_utf8(first) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&first[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.is_empty() && !text.chars().any(|c| c.is_control() && c != '\t')
}

/// Reads the lines of one log.
#[derive(Debug)]
pub struct Parser {
    form: Form,
    separator: u8,
    unset: Vec<u8>,
    empty: Vec<u8>,
    columns: Vec<Option<Role>>,
    kind: Kind,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Unknown,
    Separated,
    Json,
}

impl Default for Parser {
    fn default() -> Self {
        Self {
            form: Form::Unknown,
            separator: b'\t',
            unset: b"-".to_vec(),
            empty: b"(empty)".to_vec(),
            columns: Vec::new(),
            kind: Kind::Other,
        }
    }
}

impl Parser {
    /// A parser for a log that has not been looked at.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the next line; a line end at its end is no part of it.
    ///
    /// # Errors
    /// The log as a whole cannot be used: the line is a header that is not one of those that are read.
    pub fn line(&mut self, line: &[u8]) -> Result<Line, HeaderFault> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return Ok(Line::Header);
        }
        match self.form {
            Form::Unknown => self.first(line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line)),
            _ if line.starts_with(b"#") => self.directive(line),
            Form::Json => Ok(Self::object(line)),
            Form::Separated => Ok(self.fields(line)),
        }
    }

    /// Whether the lines of this log tell of connections, as far as its first lines say.
    pub fn is_known(&self) -> bool {
        self.form == Form::Json || self.kind != Kind::Other
    }

    fn first(&mut self, line: &[u8]) -> Result<Line, HeaderFault> {
        if line.starts_with(b"#") {
            self.directive(line)
        } else if line.starts_with(b"{") {
            self.first_object(line)
        } else {
            // Zeek's tab-separated mode without `#` lines begins with the names as well.
            self.separator = if line.contains(&b'\t') { b'\t' } else { b',' };
            let names: Vec<&[u8]> = Fields::new(line, self.separator).map(<[u8]>::trim_ascii).collect();
            self.header(&names, false)
        }
    }

    fn first_object(&mut self, line: &[u8]) -> Result<Line, HeaderFault> {
        let read = Self::object(line);
        // A cut or broken first line says nothing of the others; an object of other things does.
        let known = json::fields(line).is_none_or(|fields| fields[Role::Time as usize].is_some());
        if !known {
            return Err(HeaderFault {
                missing: Vec::new(),
                found: listed(json::keys(line)),
            });
        }
        self.form = Form::Json;
        Ok(read)
    }

    /// `#separator \x09`, `#unset_field -`, `#fields ts uid ...`; the separator's own line is split by a space.
    fn directive(&mut self, line: &[u8]) -> Result<Line, HeaderFault> {
        if let Some(text) = line.strip_prefix(b"#separator ") {
            self.separator = match text {
                [b'\\', b'x', high, low] => hex(*high).zip(hex(*low)).map_or(b'\t', |(high, low)| high << 4 | low),
                [byte] => *byte,
                _ => b'\t',
            };
            return Ok(Line::Header);
        }
        let mut fields = line.split(|&byte| byte == self.separator);
        let directive = fields.next().unwrap_or_default();
        match directive {
            b"#fields" => return self.header(&fields.collect::<Vec<_>>(), true),
            b"#unset_field" => self.unset = fields.next().unwrap_or_default().to_vec(),
            b"#empty_field" => self.empty = fields.next().unwrap_or_default().to_vec(),
            _ => {}
        }
        Ok(Line::Header)
    }

    /// Column names: of a `#fields` line, or of a first line that consists of names.
    fn header(&mut self, names: &[&[u8]], marked: bool) -> Result<Line, HeaderFault> {
        self.columns = names.iter().map(|name| Role::of(name)).collect();
        let mut roles = Roles::default();
        self.columns.iter().flatten().for_each(|&role| roles.insert(role));
        let has = |wanted: &[u8]| names.iter().any(|name| name.eq_ignore_ascii_case(wanted));
        self.kind = if marked || has(b"id.orig_h") {
            Kind::of(roles)
        } else {
            Kind::Csv
        };
        // Zeek writes dozens of other logs, and says so by its mark; other text is a mistake to tell of.
        let unknown = roles.is_empty() || self.kind == Kind::Other;
        let missing = if unknown { Vec::new() } else { self.kind.missing(roles) };
        if (unknown && !marked) || !missing.is_empty() {
            let found = listed(names.iter().map(|name| String::from_utf8_lossy(name).into_owned()));
            return Err(HeaderFault { missing, found });
        }
        self.form = Form::Separated;
        Ok(Line::Header)
    }

    fn fields(&self, line: &[u8]) -> Line {
        if self.kind == Kind::Other {
            return Line::Unused;
        }
        let mut row = Row::new();
        let mut columns = self.columns.iter();
        for field in Fields::new(line, self.separator) {
            let Some(role) = columns.next() else { break };
            if let Some(role) = role
                && field != self.unset
                && field != self.empty
            {
                row.set(*role, field);
            }
        }
        if columns.next().is_some() {
            return Line::Fault(LineFault::new(Reason::Fields, ""));
        }
        entry(&row, self.kind)
    }

    fn object(line: &[u8]) -> Line {
        let Some(fields) = json::fields(line) else {
            return Line::Fault(LineFault::new(Reason::Json, ""));
        };
        let unescaped = json::unescape(&fields);
        let row = json::row(&fields, &unescaped);
        entry(&row, Kind::of(row.roles()))
    }
}

fn entry(row: &Row<'_>, kind: Kind) -> Line {
    match row.entry(kind) {
        Ok(Some(entry)) => Line::Entry(entry),
        Ok(None) => Line::Unused,
        Err(fault) => Line::Fault(fault),
    }
}

/// Names for an error message: a dozen, printable, none longer than a word.
fn listed(names: impl IntoIterator<Item = String>) -> String {
    const SHOWN: usize = 12;
    const WORD: usize = 40;
    let mut names = names.into_iter();
    let shown: Vec<String> = names
        .by_ref()
        .take(SHOWN)
        .map(|name| {
            name.chars()
                .take(WORD)
                .map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' })
                .collect()
        })
        .collect();
    let more = if names.next().is_some() { ", ..." } else { "" };
    format!("{}{more}", shown.join(","))
}

/// Fields of a separated line. A field of a comma-separated line may be in quotes; a line end within them is not read.
struct Fields<'a> {
    rest: Option<&'a [u8]>,
    separator: u8,
}

impl<'a> Fields<'a> {
    const fn new(line: &'a [u8], separator: u8) -> Self {
        Self {
            rest: Some(line),
            separator,
        }
    }

    /// The end of a quoted field: its closing quote, behind which a separator or the line's end must come.
    fn quoted(&self, rest: &[u8]) -> Option<usize> {
        if self.separator != b',' || rest.first() != Some(&b'"') {
            return None;
        }
        let closes = |&(index, &byte): &(usize, &u8)| {
            byte == b'"' && rest.get(index + 1).is_none_or(|&next| next == self.separator)
        };
        rest.iter().enumerate().skip(1).find(closes).map(|(index, _)| index)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        if let Some(end) = self.quoted(rest) {
            self.rest = rest.get(end + 2..);
            return Some(&rest[1..end]);
        }
        match rest.iter().position(|&byte| byte == self.separator) {
            Some(end) => {
                self.rest = Some(&rest[end + 1..]);
                Some(&rest[..end])
            }
            None => {
                self.rest = None;
                Some(rest)
            }
        }
    }
}

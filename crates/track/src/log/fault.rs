//! Why a line or a whole log cannot be used, in words an operator can act on.

use std::fmt;

/// Why one line cannot be used. Small and plain: a log of bad lines must not be slower than one of good lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineFault {
    /// What is wrong.
    pub reason: Reason,
    /// In which column; empty where the line as a whole is meant.
    pub column: &'static str,
}

/// Kinds of [`LineFault`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Reason {
    /// A column that every line needs is empty or missing.
    Missing,
    /// No time.
    Time,
    /// No address.
    Address,
    /// No port.
    Port,
    /// No transport protocol.
    Protocol,
    /// No number, or one too large to be believed of one connection.
    Number,
    /// No connection state of Zeek's.
    State,
    /// The line has fewer fields than the header.
    Fields,
    /// Not a JSON object.
    Json,
    /// Longer than any line of these logs.
    Long,
}

impl Reason {
    /// How many there are, for tables of counters.
    pub const COUNT: usize = Self::Long as usize + 1;
}

impl LineFault {
    /// For lines that a reader did not read to their end.
    pub const TOO_LONG: Self = Self::new(Reason::Long, "");

    pub(super) const fn new(reason: Reason, column: &'static str) -> Self {
        Self { reason, column }
    }
}

impl fmt::Display for LineFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let column = self.column;
        match self.reason {
            Reason::Missing => write!(f, "column {column} is empty"),
            Reason::Time => write!(
                f,
                "column {column} is no time (seconds since 1970, or RFC 3339 with its offset)"
            ),
            Reason::Address => write!(f, "column {column} is no IP address"),
            Reason::Port => write!(f, "column {column} is no port (0 to 65535)"),
            Reason::Protocol => write!(
                f,
                "column {column} is no protocol (tcp, udp, icmp, icmp6 or its number)"
            ),
            Reason::Number => write!(f, "column {column} is no number, or too large a one"),
            Reason::State => write!(f, "column {column} is no connection state of Zeek's (SF, S0, REJ, ...)"),
            Reason::Fields => f.write_str("fewer fields than the header names"),
            Reason::Json => f.write_str("not one whole JSON object"),
            Reason::Long => f.write_str("the line is too long for a log of connections"),
        }
    }
}

impl std::error::Error for LineFault {}

/// Why a whole log cannot be used: its header (or first object) is not one of those that are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderFault {
    /// Required columns that are missing; empty if nothing at all was recognised.
    pub missing: Vec<&'static str>,
    /// The column names found, cleaned and capped.
    pub found: String,
}

/// What is read, for error messages.
const WANTED: &str = "wanted: a CSV headed ts,src,dst,dport,proto,bytes_out,bytes_in (any order; also duration, name, state, \
                      service, sport), or Zeek's conn, dns, ssl, quic or http log with its #fields line or as JSON lines";

impl fmt::Display for HeaderFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.missing.is_empty() {
            write!(f, "no connection log: found \"{}\"; {WANTED}", self.found)
        } else {
            let columns = if self.missing.len() == 1 { "column" } else { "columns" };
            write!(
                f,
                "{columns} {} missing: found \"{}\"; {WANTED}",
                self.missing.join(", "),
                self.found
            )
        }
    }
}

impl std::error::Error for HeaderFault {}

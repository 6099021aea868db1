//! Columns by meaning: the vocabularies of the connection CSV and of Zeek, and what a log with certain columns is about.

/// What a column means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Role {
    Time,
    Source,
    SourcePort,
    Destination,
    DestinationPort,
    Protocol,
    BytesOut,
    BytesIn,
    IpBytesOut,
    IpBytesIn,
    PacketsOut,
    PacketsIn,
    Duration,
    State,
    Service,
    Name,
    Uid,
    Query,
    ServerName,
    Method,
    Host,
    Uri,
    RequestBytes,
    ResponseBytes,
    UserAgent,
    Status,
    QueryType,
    ResponseCode,
    Answers,
    AnswerTimes,
    TlsVersion,
    NextProtocol,
    Ja4,
    Subject,
    Issuer,
    Validation,
    /// Only DNS logs have it.
    DnsMark,
    /// Only TLS logs have it.
    TlsMark,
    /// Only QUIC logs have it.
    QuicMark,
}

/// How many roles there are.
pub(super) const ROLES: usize = Role::QuicMark as usize + 1;

/// A raw value per role.
pub(super) type PerRole<T> = [T; ROLES];

/// Every role with its name in the connection CSV and in Zeek's logs
/// (<https://docs.zeek.org/en/master/script-reference/log-files.html>).
const VOCABULARY: &[(Role, &str, &str)] = &[
    (Role::Time, "ts", "ts"),
    (Role::Source, "src", "id.orig_h"),
    (Role::SourcePort, "sport", "id.orig_p"),
    (Role::Destination, "dst", "id.resp_h"),
    (Role::DestinationPort, "dport", "id.resp_p"),
    (Role::Protocol, "proto", "proto"),
    (Role::BytesOut, "bytes_out", "orig_bytes"),
    (Role::BytesIn, "bytes_in", "resp_bytes"),
    (Role::IpBytesOut, "", "orig_ip_bytes"),
    (Role::IpBytesIn, "", "resp_ip_bytes"),
    (Role::PacketsOut, "", "orig_pkts"),
    (Role::PacketsIn, "", "resp_pkts"),
    (Role::Duration, "duration", "duration"),
    (Role::State, "state", "conn_state"),
    (Role::Service, "service", "service"),
    (Role::Name, "name", ""),
    (Role::Uid, "", "uid"),
    (Role::Query, "", "query"),
    (Role::ServerName, "", "server_name"),
    (Role::Method, "", "method"),
    (Role::Host, "", "host"),
    (Role::Uri, "", "uri"),
    (Role::RequestBytes, "", "request_body_len"),
    (Role::ResponseBytes, "", "response_body_len"),
    (Role::UserAgent, "", "user_agent"),
    (Role::Status, "", "status_code"),
    (Role::QueryType, "", "qtype"),
    (Role::ResponseCode, "", "rcode"),
    (Role::Answers, "", "answers"),
    (Role::AnswerTimes, "", "TTLs"),
    (Role::TlsVersion, "", "version"),
    (Role::NextProtocol, "", "next_protocol"),
    (Role::Ja4, "", "ja4"),
    (Role::Subject, "", "subject"),
    (Role::Issuer, "", "issuer"),
    (Role::Validation, "", "validation_status"),
    (Role::DnsMark, "", "qtype_name"),
    (Role::DnsMark, "", "trans_id"),
    (Role::TlsMark, "", "cipher"),
    (Role::QuicMark, "", "client_initial_dcid"),
];

impl Role {
    /// The role of a column of this name, in either vocabulary.
    pub(super) fn of(column: &[u8]) -> Option<Self> {
        let is = |name: &str| !name.is_empty() && column.eq_ignore_ascii_case(name.as_bytes());
        VOCABULARY
            .iter()
            .find(|(_, csv, zeek)| is(csv) || is(zeek))
            .map(|&(role, ..)| role)
    }

    /// The column's name in one of the vocabularies.
    pub(super) fn column(self, zeek: bool) -> &'static str {
        VOCABULARY
            .iter()
            .find(|(role, ..)| *role == self)
            .map_or(
                "",
                |&(_, csv, zeek_name)| if zeek || csv.is_empty() { zeek_name } else { csv },
            )
    }
}

/// A set of roles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Roles(u64);

impl Roles {
    /// One bit per role, in the order of [`Role`].
    pub(super) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub(super) fn insert(&mut self, role: Role) {
        self.0 |= 1 << role as u64;
    }

    pub(super) const fn has(self, role: Role) -> bool {
        self.0 & 1 << role as u64 != 0
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// What a log is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The connection CSV.
    Csv,
    /// Zeek's conn.
    Connections,
    Dns,
    Tls,
    Quic,
    Http,
    /// A log of something else, as Zeek writes many.
    Other,
}

impl Kind {
    /// Decided by the columns, never by a file's name: rotated and filtered logs have any name.
    pub(super) const fn of(roles: Roles) -> Self {
        if roles.has(Role::Query) && (roles.has(Role::DnsMark) || roles.has(Role::QueryType)) {
            Self::Dns
        } else if roles.has(Role::ServerName) || roles.has(Role::TlsMark) {
            if roles.has(Role::QuicMark) {
                Self::Quic
            } else {
                Self::Tls
            }
        } else if roles.has(Role::Method) && (roles.has(Role::Host) || roles.has(Role::RequestBytes)) {
            Self::Http
        } else if roles.has(Role::BytesOut) || roles.has(Role::State) || roles.has(Role::PacketsOut) {
            Self::Connections
        } else {
            Self::Other
        }
    }

    /// The columns without which nothing can be made of a line.
    const fn required(self) -> &'static [Role] {
        const ENDS: &[Role] = &[Role::Time, Role::Source, Role::Destination, Role::DestinationPort];
        match self {
            Self::Csv => &[
                Role::Time,
                Role::Source,
                Role::Destination,
                Role::DestinationPort,
                Role::Protocol,
                Role::BytesOut,
                Role::BytesIn,
            ],
            Self::Connections => &[
                Role::Time,
                Role::Source,
                Role::Destination,
                Role::DestinationPort,
                Role::Protocol,
            ],
            Self::Dns | Self::Tls | Self::Quic | Self::Http => ENDS,
            Self::Other => &[],
        }
    }

    /// Names of the required columns that `roles` lacks.
    pub(super) fn missing(self, roles: Roles) -> Vec<&'static str> {
        let lacks = self.required().iter().filter(|&&role| !roles.has(role));
        lacks.map(|role| role.column(self != Self::Csv)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_has_its_own_bit_and_at_least_one_name() {
        const { assert!(ROLES <= 64) }
        for (role, csv, zeek) in VOCABULARY {
            assert!(!csv.is_empty() || !zeek.is_empty());
            for name in [csv, zeek].into_iter().filter(|name| !name.is_empty()) {
                assert_eq!(Role::of(name.as_bytes()), Some(*role), "{name}");
            }
        }
        assert_eq!(Role::of(b""), None);
    }
}

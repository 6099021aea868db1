//! What lines of Zeek's `dns`, `ssl` and `http` logs tell beside a name, told as packets would tell it.
//!
//! In: fields of a line. Out: [`Learnt`], and from that the [`Fact`]s. Not its job: names ([`super::name`]), connections.

use balefire_decode::Address;

use crate::application::text::Text;
use crate::{Certificate, DnsMessage, Fact, HttpBody, HttpRequest, Ja4, Protocol, TlsHello};

use super::columns::{Kind, Role};
use super::entry::{Entry, EntryKind, Learnt};
use super::row::Row;
use super::{name, value};

/// Bytes of a target or user agent that are kept, as of packets.
const TEXT_BYTES: usize = 128;
/// Bytes of a common name, and of a method or protocol.
const COMMON_NAME_BYTES: usize = 64;
const WORD_BYTES: usize = 32;

/// What a line tells; none of connections and what has nothing but a name.
pub(super) fn of(row: &Row<'_>, kind: Kind) -> Option<Box<Learnt>> {
    let learnt = match kind {
        Kind::Dns => dns(row),
        Kind::Tls | Kind::Quic => tls(row),
        Kind::Http => http(row),
        Kind::Csv | Kind::Connections | Kind::Other => return None,
    };
    Some(Box::new(learnt))
}

/// The protocol a connection's line names; of several that it runs over each other the first that is known here.
pub(super) fn protocol(service: &[u8]) -> Option<Protocol> {
    const NAMES: [(&str, Protocol); 9] = [
        ("ssl", Protocol::Tls),
        ("tls", Protocol::Tls),
        ("http", Protocol::Http),
        ("dns", Protocol::Dns),
        ("ssh", Protocol::Ssh),
        ("smtp", Protocol::Smtp),
        ("irc", Protocol::Irc),
        ("quic", Protocol::Quic),
        ("ntp", Protocol::Ntp),
    ];
    let known = |word: &[u8]| {
        NAMES
            .iter()
            .find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes()))
    };
    let found = service
        .split(|&byte| byte == b',')
        .filter_map(|word| known(word.trim_ascii()));
    // `ssl,quic` is QUIC: TLS is a part of it.
    found
        .map(|&(_, protocol)| protocol)
        .reduce(|one, two| if two == Protocol::Quic { two } else { one })
}

fn dns(row: &Row<'_>) -> Learnt {
    let mut times = members(row.field(Role::AnswerTimes)).map(value::count);
    let mut answers = 0_u16;
    let mut addresses = Vec::new();
    for answer in members(row.field(Role::Answers)) {
        answers = answers.saturating_add(1);
        let ttl_s = times.next().flatten().and_then(|time_s| u32::try_from(time_s).ok());
        if let Some(address) = value::address(answer)
            && addresses.len() < Fact::MOST_DNS_ANSWERS
        {
            addresses.push((address, ttl_s.unwrap_or(0)));
        }
    }
    Learnt::Dns {
        query_type: small(row.field(Role::QueryType)).unwrap_or(0),
        code: small(row.field(Role::ResponseCode)).and_then(|code| u8::try_from(code).ok()),
        answers,
        addresses,
    }
}

fn tls(row: &Row<'_>) -> Learnt {
    let version = match row.field(Role::TlsVersion) {
        b"TLSv13" => 0x0304,
        b"TLSv12" => 0x0303,
        b"TLSv11" => 0x0302,
        b"TLSv10" => 0x0301,
        b"SSLv3" => 0x0300,
        _ => 0,
    };
    let (subject, issuer) = (row.field(Role::Subject), row.field(Role::Issuer));
    // Zeek's words for what OpenSSL finds (policy/protocols/ssl/validate-certs).
    let says_so = row
        .field(Role::Validation)
        .to_ascii_lowercase()
        .starts_with(b"self signed certificate");
    let certificate = (!subject.is_empty() || !issuer.is_empty() || says_so).then(|| {
        let own = says_so || (!subject.is_empty() && subject == issuer);
        (common_name(subject), common_name(issuer), own)
    });
    Learnt::Tls {
        version,
        alpn: text::<WORD_BYTES>(row.field(Role::NextProtocol)),
        ja4: row.field(Role::Ja4).try_into().ok().and_then(Ja4::new),
        certificate,
    }
}

fn http(row: &Row<'_>) -> Learnt {
    let agent = row.field(Role::UserAgent);
    Learnt::Http {
        method: text::<WORD_BYTES>(row.field(Role::Method)),
        path: text::<TEXT_BYTES>(row.field(Role::Uri)),
        user_agent: (!agent.is_empty()).then(|| text::<TEXT_BYTES>(agent)),
        has_host: !row.field(Role::Host).is_empty(),
        status: small(row.field(Role::Status)),
        response_bytes: value::count(row.field(Role::ResponseBytes)),
    }
}

/// The facts of a line, in the order in which packets tell them; its name was told before.
pub(super) fn tell(entry: &Entry, mut tell: impl FnMut(&Fact<'_>)) {
    if let Some(protocol) = entry.protocol {
        tell(&Fact::Protocol(protocol));
    }
    match entry.learnt.as_deref() {
        Some(Learnt::Dns {
            query_type,
            code,
            answers,
            addresses,
        }) => tell_dns(entry, *query_type, *code, *answers, addresses, &mut tell),
        Some(Learnt::Tls {
            version,
            alpn,
            ja4,
            certificate,
        }) => {
            tell(&Fact::Tls(TlsHello {
                has_server_name: entry.name.is_some(),
                alpn,
                version: *version,
                ja4: *ja4,
            }));
            if let Some((subject, issuer, is_self_signed)) = certificate {
                tell(&Fact::Certificate(Certificate {
                    subject,
                    issuer,
                    is_self_signed: *is_self_signed,
                    validity: None,
                }));
            }
        }
        Some(Learnt::Http {
            method,
            path,
            user_agent,
            has_host,
            status,
            response_bytes,
        }) => {
            tell(&Fact::Http(HttpRequest {
                method,
                path,
                user_agent: user_agent.as_deref(),
                has_host: *has_host,
                is_whole: true,
            }));
            if let Some(status) = status {
                tell(&Fact::HttpStatus(*status));
            }
            if response_bytes.is_some() {
                tell(&Fact::HttpBody(HttpBody {
                    is_response: true,
                    content_bytes: *response_bytes,
                }));
            }
        }
        None => {}
    }
}

/// A question, and its answer if there was one. Logs do not tell how long messages were: that stays 0.
fn tell_dns(
    entry: &Entry,
    query_type: u16,
    code: Option<u8>,
    answers: u16,
    addresses: &[(Address, u32)],
    tell: &mut impl FnMut(&Fact<'_>),
) {
    let Some(name) = entry.name.as_ref().map(|name| &*name.text) else {
        return;
    };
    let question = DnsMessage {
        name,
        is_answer: false,
        query_type,
        code: 0,
        name_octets: u8::try_from(name.len() + 2).unwrap_or(u8::MAX),
        labels: u8::try_from(name.split('.').count()).unwrap_or(u8::MAX),
        message_bytes: 0,
        answers: 0,
        answer_type: 0,
        answer_data_bytes: 0,
    };
    if query_type != 0 {
        tell(&Fact::DnsMessage(question));
    }
    let Some(code) = code else { return };
    tell(&Fact::DnsMessage(DnsMessage {
        is_answer: true,
        code,
        answers,
        ..question
    }));
    for &(address, ttl_s) in addresses {
        tell(&Fact::DnsAnswer { name, address, ttl_s });
    }
}

/// Whether a fact of this line is worth an entry though it has no name.
pub(super) fn stands_alone(kind: EntryKind, learnt: Option<&Learnt>) -> bool {
    kind != EntryKind::Fact || matches!(learnt, Some(Learnt::Tls { .. }))
}

/// Members of a set or list: `a,b` in tabs, `["a","b"]` or `[1,2]` in JSON.
fn members(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|byte| matches!(byte, b',' | b'[' | b']' | b'"'))
        .map(<[u8]>::trim_ascii)
        .filter(|member| !member.is_empty())
}

/// `CN=name,O=...`: the name, in either order of the parts; empty if there is none.
fn common_name(distinguished: &[u8]) -> Box<str> {
    let parts = distinguished.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
    let common = parts.filter_map(|part| part.strip_prefix(b"CN=")).next();
    text::<COMMON_NAME_BYTES>(common.unwrap_or_default())
}

fn text<const BYTES: usize>(raw: &[u8]) -> Box<str> {
    Text::<BYTES>::of(&name::unescaped(raw)).text().into()
}

fn small(field: &[u8]) -> Option<u16> {
    value::count(field).and_then(|number| u16::try_from(number).ok())
}

#[cfg(test)]
#[path = "learnt_tests.rs"]
mod tests;

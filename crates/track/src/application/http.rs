//! The first HTTP/1 request and the status of its response (RFC 9112).
//!
//! In: a stream that begins with a method, or with a status line. Out: which host the request names: the target of
//! CONNECT, or the host of an absolute URI, or the Host field, in this order of trust (RFC 9112 section 3.2.2); and the
//! request itself when its head ends; the status at once, and the lengths of both bodies at the end of their heads. Heads
//! that are cut give what stands before the cut.

use httparse::{EMPTY_HEADER, Header, Request, Response, Status};

use super::name::{Name, split_authority};
use super::text::Text;
use super::{CONNECT, Reading, Teller};
use crate::{Fact, HttpBody, HttpRequest, NameKind, Protocol};

/// Fields looked at; browsers send fewer than 30.
const MOST_FIELDS: usize = 64;
/// Longest method name taken for one; the longest registered is UPDATEREDIRECTREF (IANA HTTP Method Registry).
const METHOD_BYTES: usize = 17;
/// Bytes of a target or user agent that are kept.
const TEXT_BYTES: usize = 128;

/// Whether the bytes may be a request: capitals (and `-`), then a space; a prefix of that may be one.
pub(super) fn may_begin(bytes: &[u8]) -> bool {
    let method = bytes
        .iter()
        .take_while(|byte| byte.is_ascii_uppercase() || **byte == b'-')
        .count();
    method <= METHOD_BYTES && bytes.get(method).is_none_or(|byte| *byte == b' ')
}

/// Reads the request's head.
pub(super) fn read(bytes: &[u8], last: bool, teller: &mut Teller<'_>) -> Reading {
    let mut fields = [EMPTY_HEADER; MOST_FIELDS];
    let mut request = Request::new(&mut fields);
    // After an error or a short head the request holds what was read before.
    let status = request.parse(bytes);
    let may_grow = matches!(status, Ok(Status::Partial)) && !last;
    let (Some(method), Some(target), Some(_version)) = (request.method, request.path, request.version) else {
        if may_grow {
            return Reading::More;
        }
        if matches!(status, Ok(Status::Partial)) {
            cut_request_line(bytes, teller);
        }
        return Reading::Done;
    };
    teller.protocol(Protocol::Http);
    let is_connect = method == "CONNECT";
    let host = field(request.headers, "host");
    if !is_connect {
        if let Some(authority) = authority_of(target.as_bytes()) {
            tell_name(NameKind::HttpHost, authority, teller);
        } else if let Some(host) = host {
            tell_name(NameKind::HttpHost, host, teller);
        }
    }
    if may_grow {
        return Reading::More;
    }
    if is_connect {
        tell_name(NameKind::ConnectTarget, target.as_bytes(), teller);
    }
    let path = Text::<TEXT_BYTES>::of(target.as_bytes());
    let user_agent = field(request.headers, "user-agent").map(Text::<TEXT_BYTES>::of);
    let fact = Fact::Http(HttpRequest {
        method: method.get(..METHOD_BYTES).unwrap_or(method),
        path: teller.counted(&path),
        user_agent: user_agent.as_ref().map(|text| teller.counted(text)),
        has_host: host.is_some(),
        is_whole: matches!(status, Ok(Status::Complete(_))),
    });
    teller.fact(&fact);
    if matches!(status, Ok(Status::Complete(_))) {
        tell_body(false, request.headers, teller);
    }
    if is_connect {
        teller.mark(CONNECT);
        return Reading::Tunnel;
    }
    Reading::Done
}

/// Reads a status line; none if it is none.
pub(super) fn read_response(bytes: &[u8], last: bool, teller: &mut Teller<'_>) -> Option<Reading> {
    const BEGINNING: &[u8] = b"HTTP/1.";
    /// Such as `HTTP/1.1 200`.
    const STATUS: std::ops::Range<usize> = 9..12;
    let compared = bytes.len().min(BEGINNING.len());
    if bytes[..compared] != BEGINNING[..compared] {
        return None;
    }
    let Some(digits) = bytes.get(STATUS) else {
        return Some(if last { Reading::Done } else { Reading::More });
    };
    if bytes[STATUS.start - 1] != b' ' || !digits.iter().all(u8::is_ascii_digit) {
        return Some(Reading::Done);
    }
    let status = digits
        .iter()
        .fold(0, |status, digit| status * 10 + u16::from(digit - b'0'));
    teller.protocol(Protocol::Http);
    teller.status(status);
    if teller.has(CONNECT) && status / 100 == 2 {
        return Some(Reading::Tunnel);
    }
    let mut fields = [EMPTY_HEADER; MOST_FIELDS];
    let mut response = Response::new(&mut fields);
    Some(match response.parse(bytes) {
        Ok(Status::Partial) if !last => Reading::More,
        Ok(Status::Complete(_)) => {
            tell_body(true, response.headers, teller);
            Reading::Done
        }
        _ => Reading::Done,
    })
}

/// What a whole head says of its body; chunks overrule a length (RFC 9112 section 6.3).
fn tell_body(is_response: bool, fields: &[Header<'_>], teller: &mut Teller<'_>) {
    let is_chunked = field(fields, "transfer-encoding").is_some();
    let length =
        field(fields, "content-length").and_then(|digits| std::str::from_utf8(digits).ok()?.trim().parse().ok());
    if is_chunked || length.is_some() {
        teller.fact(&Fact::HttpBody(HttpBody {
            is_response,
            content_bytes: length.filter(|_| !is_chunked),
        }));
    }
}

/// A field's value.
fn field<'a>(fields: &[Header<'a>], name: &str) -> Option<&'a [u8]> {
    let field = fields.iter().find(|field| field.name.eq_ignore_ascii_case(name));
    field.map(|field| field.value)
}

/// The authority of an absolute URI.
fn authority_of(target: &[u8]) -> Option<&[u8]> {
    let scheme_end = target.windows(3).position(|three| three == b"://")?;
    let scheme = &target[..scheme_end];
    if !scheme.eq_ignore_ascii_case(b"http") && !scheme.eq_ignore_ascii_case(b"https") {
        return None;
    }
    let rest = &target[scheme_end + 3..];
    let end = rest
        .iter()
        .position(|byte| matches!(byte, b'/' | b'?' | b'#'))
        .unwrap_or(rest.len());
    Some(&rest[..end])
}

/// A request line cut in its target: the host of an absolute URI may still be whole.
fn cut_request_line(bytes: &[u8], teller: &mut Teller<'_>) {
    let mut words = bytes.splitn(3, |byte| *byte == b' ');
    let (Some(_method), Some(target)) = (words.next(), words.next()) else {
        return;
    };
    if let Some(authority) = authority_of(target)
        && target.len() > authority.len() + b"https://".len()
    {
        teller.protocol(Protocol::Http);
        tell_name(NameKind::HttpHost, authority, teller);
    }
}

fn tell_name(kind: NameKind, authority: &[u8], teller: &mut Teller<'_>) {
    let (host, port) = split_authority(authority.trim_ascii());
    teller.name(kind, &Name::of_host(host), port);
}

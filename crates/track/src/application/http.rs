//! The first HTTP/1 request (RFC 9112): which host it names.
//!
//! In: a stream that begins with a method. Out: the target of CONNECT, or the host of an absolute URI, or the Host
//! field, in this order of trust (RFC 9112 section 3.2.2). Heads that are cut give what stands before the cut.

use httparse::{EMPTY_HEADER, Request, Status};

use super::name::{Name, split_authority};
use super::{Reading, Teller};
use crate::NameKind;

/// Fields looked at; browsers send fewer than 30.
const MOST_FIELDS: usize = 64;
/// Longest method name taken for one; the longest registered is UPDATEREDIRECTREF (IANA HTTP Method Registry).
const METHOD_BYTES: usize = 17;

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
    let is_whole = !matches!(status, Ok(Status::Partial)) || last;
    let (Some(method), Some(target), Some(_version)) = (request.method, request.path, request.version) else {
        return match status {
            Ok(Status::Partial) if !last => Reading::More,
            Ok(Status::Partial) => {
                cut_request_line(bytes, teller);
                Reading::Done
            }
            _ => Reading::Done,
        };
    };
    if method == "CONNECT" {
        if is_whole {
            tell(NameKind::ConnectTarget, target.as_bytes(), teller);
            return Reading::Tunnel;
        }
        return Reading::More;
    }
    let host = request
        .headers
        .iter()
        .find(|field| field.name.eq_ignore_ascii_case("host"));
    if let Some(authority) = authority_of(target.as_bytes()) {
        tell(NameKind::HttpHost, authority, teller);
    } else if let Some(host) = host {
        tell(NameKind::HttpHost, host.value, teller);
    } else if !is_whole {
        return Reading::More;
    }
    Reading::Done
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
        tell(NameKind::HttpHost, authority, teller);
    }
}

fn tell(kind: NameKind, authority: &[u8], teller: &mut Teller<'_>) {
    let (host, port) = split_authority(authority.trim_ascii());
    teller.name(kind, &Name::of_host(host), port);
}

//! Protocols known by their first line: SSH, SMTP, IRC, and HTTP/2 without TLS.
//!
//! In: a side's first bytes. Out: the protocol, if they leave no doubt. What is told is only that; FTP and POP3 begin
//! with some of the same words and are not taken for one of these.

use crate::Protocol;

/// Every SSH side begins with this (RFC 4253 section 4.2).
const SSH: &[u8] = b"SSH-";
/// The preface of HTTP/2 (RFC 9113 section 3.4).
const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n";
/// Bytes of a line looked at; IRC's limit (RFC 2812 section 2.3), and SMTP's for a reply (RFC 5321 section 4.5.3.1.5).
const LINE_BYTES: usize = 512;

/// By what the originator says first.
pub(super) fn of_client(bytes: &[u8]) -> Option<Protocol> {
    if bytes.starts_with(SSH) {
        return Some(Protocol::Ssh);
    }
    if bytes.starts_with(HTTP2) {
        return Some(Protocol::Http2);
    }
    let line = first_line(bytes)?;
    let (command, parameters) = split_word(line);
    if command.eq_ignore_ascii_case(b"EHLO")
        || command.eq_ignore_ascii_case(b"HELO")
        || command.eq_ignore_ascii_case(b"LHLO")
    {
        return (!parameters.is_empty() && !is_http(line)).then_some(Protocol::Smtp);
    }
    is_irc_client(command, parameters, bytes).then_some(Protocol::Irc)
}

/// By what the responder says first.
pub(super) fn of_server(bytes: &[u8]) -> Option<Protocol> {
    if bytes.starts_with(SSH) {
        return Some(Protocol::Ssh);
    }
    let line = first_line(bytes)?;
    // A greeting (RFC 5321 section 4.2); FTP greets with the same code and another text.
    if line.starts_with(b"220") && contains_ignoring_case(line, b"SMTP") {
        return Some(Protocol::Smtp);
    }
    let (prefix, rest) = split_word(line);
    let (command, parameters) = if prefix.first() == Some(&b':') && prefix.len() > 1 {
        split_word(rest)
    } else if line.starts_with(b"NOTICE ") || line.starts_with(b"PING :") {
        return Some(Protocol::Irc);
    } else {
        return None;
    };
    let is_numeric = command.len() == 3 && command.iter().all(u8::is_ascii_digit);
    let is_word = [&b"NOTICE"[..], b"CAP", b"PING", b"MODE", b"JOIN", b"PRIVMSG"].contains(&command);
    ((is_numeric || is_word) && !parameters.is_empty()).then_some(Protocol::Irc)
}

/// Whether a client registers (RFC 2812 section 3.1), or goes on talking if its beginning was not seen.
fn is_irc_client(command: &[u8], parameters: &[u8], bytes: &[u8]) -> bool {
    let is = |word: &[u8]| command.eq_ignore_ascii_case(word);
    if parameters.is_empty() || is_http(parameters) {
        return false;
    }
    if is(b"NICK") {
        return !parameters.contains(&b' ');
    }
    if is(b"CAP") {
        return [&b"LS"[..], b"REQ", b"END"].contains(&split_word(parameters).0);
    }
    if is(b"USER") {
        // Four parameters; FTP and POP3 have one.
        return parameters.iter().filter(|byte| **byte == b' ').count() >= 3;
    }
    if is(b"PASS") {
        let next = bytes
            .iter()
            .position(|byte| *byte == b'\n')
            .map(|end| &bytes[end + 1..]);
        return next.is_some_and(|next| {
            let (command, _) = split_word(first_line(next).unwrap_or(next));
            command.eq_ignore_ascii_case(b"NICK") || command.eq_ignore_ascii_case(b"USER")
        });
    }
    (is(b"JOIN") && matches!(parameters[0], b'#' | b'&'))
        || (is(b"PRIVMSG") && contains_ignoring_case(parameters, b" :"))
        || (is(b"PONG") && parameters[0] == b':')
}

/// The first line without its end, if it ends.
fn first_line(bytes: &[u8]) -> Option<&[u8]> {
    let bytes = &bytes[..bytes.len().min(LINE_BYTES)];
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    Some(bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]))
}

fn split_word(line: &[u8]) -> (&[u8], &[u8]) {
    match line.iter().position(|byte| *byte == b' ') {
        Some(end) => (&line[..end], &line[end + 1..]),
        None => (line, &[]),
    }
}

/// Whether a line is an HTTP request's, whatever its method is called.
fn is_http(line: &[u8]) -> bool {
    contains_ignoring_case(line, b" HTTP/")
}

fn contains_ignoring_case(line: &[u8], word: &[u8]) -> bool {
    line.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_known_by_their_first_line() {
        for (text, protocol) in [
            ("SSH-2.0-OpenSSH_9.6\r\n", Some(Protocol::Ssh)),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Some(Protocol::Http2)),
            ("EHLO mail.example\r\n", Some(Protocol::Smtp)),
            ("helo x\n", Some(Protocol::Smtp)),
            ("NICK bot|1234\r\nUSER a b c :d\r\n", Some(Protocol::Irc)),
            ("USER a 0 * :real name\r\n", Some(Protocol::Irc)),
            ("PASS secret\r\nnick x\r\n", Some(Protocol::Irc)),
            ("CAP LS 302\r\n", Some(Protocol::Irc)),
            ("PRIVMSG #c2 :hello\r\n", Some(Protocol::Irc)),
            ("USER anonymous\r\n", None),
            ("PASS secret\r\n", None),
            ("PASS secret\r\nLIST\r\n", None),
            ("NICK /x HTTP/1.1\r\n", None),
            ("EHLO", None),
            ("EHLO\r\n", None),
            ("", None),
        ] {
            assert_eq!(of_client(text.as_bytes()), protocol, "{text}");
        }
    }

    #[test]
    fn servers_are_known_by_their_first_line() {
        for (text, protocol) in [
            ("SSH-1.99-x\r\n", Some(Protocol::Ssh)),
            ("220 mx.example ESMTP Postfix\r\n", Some(Protocol::Smtp)),
            ("220-mx.example esmtp\r\n220 x\r\n", Some(Protocol::Smtp)),
            (":irc.example NOTICE AUTH :*** Looking up\r\n", Some(Protocol::Irc)),
            (":irc.example 001 nick :Welcome\r\n", Some(Protocol::Irc)),
            ("PING :12345\r\n", Some(Protocol::Irc)),
            ("220 ProFTPD Server ready\r\n", None),
            ("+OK POP3 ready\r\n", None),
            (": \r\n", None),
            (":a b\r\n", None),
        ] {
            assert_eq!(of_server(text.as_bytes()), protocol, "{text}");
        }
    }
}

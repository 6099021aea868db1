//! What is said inside datagrams and plain connections: DNS, HTTP/1.1, NTP, SSDP.
//!
//! In: names, addresses, sizes. Out: payload bytes. Not its job: packets, times; TLS is next door.

use balefire_decode::Address;

use super::frame::Payload;
use super::random::Random;

/// Type A or AAAA by the family asked for, TXT for text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    A,
    Aaaa,
    Txt,
}

impl Question {
    fn number(self) -> u16 {
        match self {
            Self::A => 1,
            Self::Txt => 16,
            Self::Aaaa => 28,
        }
    }
}

/// A query for `name` (RFC 1035 section 4.1) with recursion desired.
pub(super) fn dns_query(id: u16, name: &str, question: Question) -> Vec<u8> {
    let mut message = Vec::with_capacity(18 + name.len());
    message.extend_from_slice(&id.to_be_bytes());
    message.extend_from_slice(&[0x01, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.split('.').filter(|label| !label.is_empty()) {
        let label = &label.as_bytes()[..label.len().min(63)];
        message.push(label.len() as u8);
        message.extend_from_slice(label);
    }
    message.push(0);
    message.extend_from_slice(&question.number().to_be_bytes());
    message.extend_from_slice(&1u16.to_be_bytes());
    message
}

/// The answer to a query: the addresses (or the text), with a time to live.
pub(super) fn dns_answer(query: &[u8], question: Question, addresses: &[Address], text: &[u8], ttl_s: u32) -> Vec<u8> {
    let mut message = query.to_vec();
    let answers = if question == Question::Txt {
        1
    } else {
        addresses.len() as u16
    };
    message[2] = 0x81;
    message[3] = 0x80;
    message[6..8].copy_from_slice(&answers.to_be_bytes());
    let mut record = |data: &[u8]| {
        // 0xc00c points back at the name of the question.
        message.extend_from_slice(&[0xc0, 0x0c]);
        message.extend_from_slice(&question.number().to_be_bytes());
        message.extend_from_slice(&1u16.to_be_bytes());
        message.extend_from_slice(&ttl_s.to_be_bytes());
        message.extend_from_slice(&(data.len() as u16).to_be_bytes());
        message.extend_from_slice(data);
    };
    match question {
        Question::A => addresses.iter().for_each(|address| record(&address.octets()[12..])),
        Question::Aaaa => addresses.iter().for_each(|address| record(&address.octets())),
        Question::Txt => {
            let text = &text[..text.len().min(255)];
            let mut data = vec![text.len() as u8];
            data.extend_from_slice(text);
            record(&data);
        }
    }
    message
}

/// A GET, or a POST where there is a body to send.
pub(super) fn http_request(host: &str, path: &str, agent: &str, body_bytes: u32, salt: u32) -> Payload {
    let head = if body_bytes == 0 {
        format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\nAccept: */*\r\n\r\n")
    } else {
        format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\n\
             Content-Type: application/octet-stream\r\nContent-Length: {body_bytes}\r\n\r\n"
        )
    };
    Payload {
        head: head.into_bytes(),
        filler_bytes: body_bytes,
        salt,
    }
}

/// A 200 with a body, or a 204 without.
pub(super) fn http_response(kind: &str, body_bytes: u32, salt: u32) -> Payload {
    let head = if body_bytes == 0 {
        "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n".to_owned()
    } else {
        format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {body_bytes}\r\nConnection: close\r\n\r\n")
    };
    Payload {
        head: head.into_bytes(),
        filler_bytes: body_bytes,
        salt,
    }
}

/// A client's (mode 3) or a server's (mode 4) NTP version 4 message, RFC 5905 section 7.3.
pub(super) fn ntp(server: bool, random: &mut Random) -> Vec<u8> {
    let mut message = vec![0u8; 48];
    message[0] = if server { 0x24 } else { 0x23 };
    message[1] = if server { 2 } else { 0 };
    message[2] = 6;
    message[3] = 0xec;
    random.fill(&mut message[40..48]);
    if server {
        random.fill(&mut message[4..40]);
    }
    message
}

/// The search a desktop sends to find media and printers (UPnP Device Architecture 1.1, section 1.3.2).
pub(super) fn ssdp_search() -> Vec<u8> {
    b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\n\
      ST: urn:schemas-upnp-org:device:MediaRenderer:1\r\n\r\n"
        .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_repeats_the_question_and_counts_its_records() {
        let query = dns_query(7, "mail.example", Question::A);
        assert_eq!(&query[12..26], b"\x04mail\x07example\x00");
        let answer = dns_answer(
            &query,
            Question::A,
            &[Address::v4([192, 0, 2, 1]), Address::v4([192, 0, 2, 2])],
            &[],
            60,
        );
        assert_eq!(answer[6..8], [0, 2]);
        assert_eq!(answer.len(), query.len() + 2 * 16);
        assert_eq!(answer[answer.len() - 4..], [192, 0, 2, 2]);
    }
}

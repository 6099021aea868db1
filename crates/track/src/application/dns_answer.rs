//! DNS answers (RFC 1035 section 4.1): how much they say, and which addresses a name has.
//!
//! In: the responder's datagrams or TCP stream. Out: one message fact per answer and its first addresses. Answers to no
//! question (multicast DNS) or to several are none here. The addresses are those of the name asked for, through whatever
//! aliases: the client will use them under that name.

use balefire_decode::Address;

use super::dns::{HEADER_BYTES, Question};
use super::{Reading, Teller};
use crate::{DnsMessage, Fact, Protocol};

/// Records walked through; a message of 4 KiB has room for some 250, an honest one has fewer than 30.
const MOST_RECORDS: u16 = 64;
/// Octets of a record's type, class, time to live and data length.
const RECORD_HEAD_BYTES: usize = 10;
const TYPE_A: u16 = 1;
const TYPE_AAAA: u16 = 28;
const CLASS_INTERNET: u16 = 1;

/// Reads a datagram, of `wire_bytes` before it was cut; whether it is a DNS answer.
pub(super) fn read_datagram(bytes: &[u8], wire_bytes: u32, teller: &mut Teller<'_>) -> bool {
    read_message(bytes, u16::try_from(wire_bytes).unwrap_or(u16::MAX), teller)
}

/// Reads the message at the start of a segment.
pub(super) fn read(bytes: &[u8], last: bool, teller: &mut Teller<'_>) -> Reading {
    let Some((length, message)) = bytes.split_first_chunk::<2>() else {
        return if last { Reading::Done } else { Reading::More };
    };
    let length = u16::from_be_bytes(*length);
    if usize::from(length) < HEADER_BYTES || !is_answer_header(message) {
        return Reading::Done;
    }
    if message.len() < usize::from(length) && !last {
        return Reading::More;
    }
    if read_message(message.get(..usize::from(length)).unwrap_or(message), length, teller) {
        Reading::Messages
    } else {
        Reading::Done
    }
}

/// Whether what there is of a header may be that of a standard answer (QR 1, opcode 0, Z 0) with one question.
fn is_answer_header(message: &[u8]) -> bool {
    let is = |place: usize, mask: u8, bits: u8| message.get(place).is_none_or(|octet| octet & mask == bits);
    is(2, 0xf8, 0x80) && is(3, 0x40, 0) && is(4, 0xff, 0) && is(5, 0xff, 1)
}

fn read_message(message: &[u8], message_bytes: u16, teller: &mut Teller<'_>) -> bool {
    if message.len() < HEADER_BYTES || !is_answer_header(message) {
        return false;
    }
    let Some(question) = Question::of(message) else {
        return false;
    };
    let Some(name) = question.name() else {
        return true;
    };
    let name = name.text();
    teller.protocol(Protocol::Dns);
    let records = Records::of(message, question.end());
    teller.fact(&Fact::DnsMessage(DnsMessage {
        is_answer: true,
        code: message[3] & 0x0f,
        answers: records.claimed,
        answer_type: records.first_type,
        answer_data_bytes: records.data_bytes,
        ..question.measures(name, message_bytes)
    }));
    if name.is_empty() {
        return true;
    }
    for (address, ttl_s) in &records.addresses[..records.address_count] {
        let (address, ttl_s) = (*address, *ttl_s);
        teller.fact(&Fact::DnsAnswer { name, address, ttl_s });
    }
    true
}

/// What is wanted of the answer records.
struct Records {
    claimed: u16,
    first_type: u16,
    data_bytes: u16,
    addresses: [(Address, u32); Fact::MOST_DNS_ANSWERS],
    address_count: usize,
}

impl Records {
    fn of(message: &[u8], begin: usize) -> Self {
        let mut records = Self {
            claimed: u16::from_be_bytes([message[6], message[7]]),
            first_type: 0,
            data_bytes: 0,
            addresses: [(Address::UNSPECIFIED, 0); Fact::MOST_DNS_ANSWERS],
            address_count: 0,
        };
        let mut place = begin;
        for _ in 0..records.claimed.min(MOST_RECORDS) {
            match records.add(message, place) {
                Some(end) => place = end,
                None => break,
            }
        }
        records
    }

    /// Takes the record at a place and gives the place after it.
    fn add(&mut self, message: &[u8], place: usize) -> Option<usize> {
        let head = after_name(message, place)?;
        let data = head + RECORD_HEAD_BYTES;
        let &[t0, t1, c0, c1, l0, l1, l2, l3, d0, d1] = message.get(head..data)?.first_chunk()?;
        let kind = u16::from_be_bytes([t0, t1]);
        let length = u16::from_be_bytes([d0, d1]);
        if self.first_type == 0 {
            self.first_type = kind;
        }
        let end = data + usize::from(length);
        let captured = message.len().min(end).saturating_sub(data);
        self.data_bytes = self.data_bytes.saturating_add(captured as u16);
        let data = message.get(data..end)?;
        let address = match kind {
            TYPE_A => data.try_into().ok().map(Address::v4),
            TYPE_AAAA => data.try_into().ok().map(Address::v6),
            _ => None,
        };
        if let Some(address) = address
            && u16::from_be_bytes([c0, c1]) & 0x7fff == CLASS_INTERNET
            && let Some(room) = self.addresses.get_mut(self.address_count)
        {
            *room = (address, u32::from_be_bytes([l0, l1, l2, l3]));
            self.address_count += 1;
        }
        Some(end)
    }
}

/// The place after a name. Its compression is not followed: what it says is not wanted.
fn after_name(message: &[u8], mut place: usize) -> Option<usize> {
    loop {
        match message.get(place)? {
            0 => return Some(place + 1),
            length @ 1..=63 => place += 1 + usize::from(*length),
            0xc0.. => return Some(place + 2),
            _ => return None,
        }
    }
}

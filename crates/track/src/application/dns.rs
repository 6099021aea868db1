//! DNS queries (RFC 1035 section 4, over TCP with a length before each message): the name asked for.
//!
//! In: a datagram, or a TCP stream of messages. Out: the name of the question. Messages are known by their form, which
//! is strict enough that other protocols do not pass for it. Multicast DNS and LLMNR have the same form and are told
//! alike; the port tells them apart. NetBIOS names are recognised and not told: they are no domain names.

use super::name::Name;
use super::{Reading, Teller};
use crate::NameKind;

const HEADER_BYTES: usize = 12;
/// Labels of the longest name: 255 octets, each label at least two.
const MOST_LABELS: usize = 127;
/// Octets of the longest name, length octets and root included (RFC 1035 section 2.3.4).
const NAME_OCTETS: usize = 255;
/// Question types of NetBIOS name service: NB and NBSTAT (RFC 1002 section 4.2.1.2). The latter is also that of SRV.
const NETBIOS_TYPES: [u16; 2] = [0x20, 0x21];
/// Octets of a NetBIOS name's first label: 16 bytes, each half written as a letter from A to P (RFC 1001 section 14.1).
const NETBIOS_LABEL_BYTES: usize = 32;

/// A query of one question is short; what claims to be longer is some other protocol's first bytes.
const LONGEST_QUERY: usize = 2048;

/// Reads a datagram; whether it is DNS.
pub(super) fn read_datagram(bytes: &[u8], teller: &mut Teller<'_>) -> bool {
    let question = Question::of(bytes);
    if let Some(question) = &question {
        question.tell(teller);
    }
    question.is_some()
}

/// Reads the messages at the start of a segment.
pub(super) fn read(bytes: &[u8], last: bool, teller: &mut Teller<'_>) -> Reading {
    let Some((length, message)) = bytes.split_first_chunk::<2>() else {
        return if last { Reading::Done } else { Reading::More };
    };
    let length = usize::from(u16::from_be_bytes(*length));
    if !(HEADER_BYTES..=LONGEST_QUERY).contains(&length) || !is_query_header(message) {
        return Reading::Done;
    }
    let question = Question::of(message.get(..length).unwrap_or(message));
    match question {
        Some(question) => {
            question.tell(teller);
            Reading::Messages
        }
        None if message.len() < length && !last => Reading::More,
        None => Reading::Done,
    }
}

/// Whether what there is of a header may be that of a query with one question.
fn is_query_header(message: &[u8]) -> bool {
    // Standard query (QR 0, opcode 0), RCODE 0; one question, no answer, no authority, at most two additional records
    // (EDNS, a signature).
    let is_flag_octet = |place: usize, mask: u8| message.get(place).is_none_or(|octet| octet & mask == 0);
    let is_count = |place: usize, most: u8, least: u8| {
        message.get(place).is_none_or(|high| *high == 0)
            && message.get(place + 1).is_none_or(|low| (least..=most).contains(low))
    };
    is_flag_octet(2, 0xf8)
        && is_flag_octet(3, 0x4f)
        && is_count(4, 1, 1)
        && is_count(6, 0, 0)
        && is_count(8, 0, 0)
        && is_count(10, 2, 0)
}

/// The question of a query.
struct Question<'a> {
    labels: [&'a [u8]; MOST_LABELS],
    label_count: usize,
    kind: u16,
}

impl<'a> Question<'a> {
    /// `None` if the message is no query, or is cut inside the name.
    fn of(message: &'a [u8]) -> Option<Self> {
        if message.len() < HEADER_BYTES || !is_query_header(message) {
            return None;
        }
        let mut labels = [&[][..]; MOST_LABELS];
        let mut label_count = 0;
        let mut rest = &message[HEADER_BYTES..];
        loop {
            let (length, after) = rest.split_first()?;
            // The upper two bits mark compression, which a question has nothing to point at.
            if *length > 63 {
                return None;
            }
            if *length == 0 {
                rest = after;
                break;
            }
            let label;
            (label, rest) = after.split_at_checked(usize::from(*length))?;
            *labels.get_mut(label_count)? = label;
            label_count += 1;
            if message.len() - HEADER_BYTES - rest.len() >= NAME_OCTETS {
                return None;
            }
        }
        // A cut may fall on the type and class; what is there must fit.
        let word = |place: usize| {
            rest.get(place..place + 2)
                .map(|two| u16::from_be_bytes([two[0], two[1]]))
        };
        let kind = word(0).unwrap_or(1);
        // The class's upper bit asks for a unicast answer in multicast DNS (RFC 6762 section 5.4). Internet, chaos, any.
        let class = word(2).unwrap_or(1) & 0x7fff;
        let without_more = message[11] == 0 && rest.len() > 4;
        (kind != 0 && matches!(class, 1 | 3 | 255) && !without_more).then_some(Self {
            labels,
            label_count,
            kind,
        })
    }

    fn tell(&self, teller: &mut Teller<'_>) {
        if !self.is_netbios() {
            let labels = self.labels[..self.label_count].iter().copied();
            teller.name(NameKind::DnsQuery, &Name::of_labels(labels), 0);
        }
    }

    fn is_netbios(&self) -> bool {
        let first = self.labels[0];
        NETBIOS_TYPES.contains(&self.kind)
            && first.len() == NETBIOS_LABEL_BYTES
            && first.iter().all(|letter| (b'A'..=b'P').contains(letter))
    }
}

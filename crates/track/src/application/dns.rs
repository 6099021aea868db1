//! DNS queries (RFC 1035 section 4, over TCP with a length before each message): the name asked for, and its measures.
//!
//! In: a datagram, or a TCP stream of messages. Out: the name of the question, and what a tunnel would show of itself.
//! Messages are known by their form, which is strict enough that other protocols do not pass for it. Multicast DNS and
//! LLMNR have the same form and are told alike; the port tells them apart. NetBIOS names are recognised and not told:
//! they are no domain names. Answers are the next file's job.

use super::name::Name;
use super::{Reading, Teller};
use crate::{DnsMessage, Fact, NameKind, Protocol};

pub(super) const HEADER_BYTES: usize = 12;
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

/// Reads a datagram, of `wire_bytes` before it was cut; whether it is DNS.
pub(super) fn read_datagram(bytes: &[u8], wire_bytes: u32, teller: &mut Teller<'_>) -> bool {
    let question = Question::of_query(bytes);
    if let Some(question) = &question {
        question.tell(u16::try_from(wire_bytes).unwrap_or(u16::MAX), teller);
    }
    question.is_some()
}

/// Reads the message at the start of a segment.
pub(super) fn read(bytes: &[u8], last: bool, teller: &mut Teller<'_>) -> Reading {
    let Some((length, message)) = bytes.split_first_chunk::<2>() else {
        return if last { Reading::Done } else { Reading::More };
    };
    let length = u16::from_be_bytes(*length);
    if !(HEADER_BYTES..=LONGEST_QUERY).contains(&usize::from(length)) || !is_query_header(message) {
        return Reading::Done;
    }
    let question = Question::of_query(message.get(..usize::from(length)).unwrap_or(message));
    match question {
        Some(question) => {
            question.tell(length, teller);
            Reading::Messages
        }
        None if message.len() < usize::from(length) && !last => Reading::More,
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

/// The question of a message.
pub(super) struct Question<'a> {
    /// From its first byte on.
    bytes: &'a [u8],
    /// Where in it the labels' length octets stand: all within [`NAME_OCTETS`].
    labels: [u8; MOST_LABELS],
    label_count: usize,
    kind: u16,
    name_octets: usize,
}

impl<'a> Question<'a> {
    /// `None` if the message is no query, or is cut inside the name.
    fn of_query(message: &'a [u8]) -> Option<Self> {
        if message.len() < HEADER_BYTES || !is_query_header(message) {
            return None;
        }
        let question = Self::of(message)?;
        let without_more = message[11] == 0 && message.len() > question.end();
        (!without_more).then_some(question)
    }

    /// The question after a header. `None` if there is none, or it is cut inside the name.
    pub(super) fn of(message: &'a [u8]) -> Option<Self> {
        let mut labels = [0; MOST_LABELS];
        let mut label_count = 0;
        let question = message.get(HEADER_BYTES..)?;
        let mut rest = question;
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
            // Below `NAME_OCTETS`, as the end of the loop has seen to.
            *labels.get_mut(label_count)? = (question.len() - rest.len()) as u8;
            label_count += 1;
            (_, rest) = after.split_at_checked(usize::from(*length))?;
            if question.len() - rest.len() >= NAME_OCTETS {
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
        (kind != 0 && matches!(class, 1 | 3 | 255)).then_some(Self {
            bytes: question,
            labels,
            label_count,
            kind,
            name_octets: question.len() - rest.len(),
        })
    }

    /// Where it ends in its message, type and class included.
    pub(super) const fn end(&self) -> usize {
        HEADER_BYTES + self.name_octets + 4
    }

    /// The name asked for; none if it is no domain name.
    pub(super) fn name(&self) -> Option<Name> {
        if self.is_netbios() {
            return None;
        }
        let octets = &self.bytes[..self.name_octets - 1];
        Some(
            Name::of_plain_octets(octets, &self.labels[..self.label_count])
                .unwrap_or_else(|| Name::of_labels(self.labels())),
        )
    }

    /// A query's measures; those of an answer are added by who knows them.
    pub(super) fn measures<'n>(&self, name: &'n str, message_bytes: u16) -> DnsMessage<'n> {
        DnsMessage {
            name,
            is_answer: false,
            query_type: self.kind,
            code: 0,
            // At most 255 and 127, as `of` has seen to.
            name_octets: self.name_octets as u8,
            labels: self.label_count as u8,
            message_bytes,
            answers: 0,
            answer_type: 0,
            answer_data_bytes: 0,
        }
    }

    fn tell(&self, message_bytes: u16, teller: &mut Teller<'_>) {
        if let Some(name) = self.name() {
            teller.protocol(Protocol::Dns);
            teller.name(NameKind::DnsQuery, &name, 0);
            teller.fact(&Fact::DnsMessage(self.measures(name.text(), message_bytes)));
        }
    }

    fn labels(&self) -> impl DoubleEndedIterator<Item = &'a [u8]> {
        let bytes = self.bytes;
        let label = move |at: &u8| {
            let (length, rest) = bytes.get(usize::from(*at)..)?.split_first()?;
            rest.get(..usize::from(*length))
        };
        self.labels[..self.label_count].iter().filter_map(label)
    }

    fn is_netbios(&self) -> bool {
        let first = self.labels().next().unwrap_or_default();
        NETBIOS_TYPES.contains(&self.kind)
            && first.len() == NETBIOS_LABEL_BYTES
            && first.iter().all(|letter| (b'A'..=b'P').contains(letter))
    }
}

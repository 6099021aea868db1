//! Generic netlink, as little as asking the kernel a question takes: a request with attributes, the reply's attributes.
//!
//! In: a family's name, a command, attributes. Out: attributes of the reply, walked with every length checked. The layout is
//! that of netlink(7) and of the kernel's `include/uapi/linux/{netlink,genetlink}.h`: 16 bytes of header, 4 of
//! generic header, then attributes of length (2), type (2), value, padded to 4, in the machine's byte order. Not its
//! job: what the attributes mean (`ethtool`).

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink::GENERIC, netlink::SocketAddrNetlink, recv,
    sendto, socket_with,
};

/// The kernel answers at once; a sandbox that swallows requests must not hold us.
const PATIENCE: Duration = Duration::from_secs(1);

/// The kernel's own replies are at most 16 KiB (NLMSG_GOODSIZE) but for bitsets, which are below twice that.
const MOST_REPLY_BYTES: usize = 64 * 1024;

const HEADER_BYTES: usize = 16;
const GENERIC_HEADER_BYTES: usize = 4;
const REQUEST: u16 = 1;
const ERROR: u16 = 2;
const NESTED: u16 = 0x8000;
/// Flags in the two highest bits of an attribute's type.
const TYPE_MASK: u16 = 0x3fff;

/// The family that names all others (`GENL_ID_CTRL`), its question and the attributes used.
const CONTROL: u16 = 0x10;
const CONTROL_GET_FAMILY: u8 = 3;
const CONTROL_FAMILY_ID: u16 = 1;
const CONTROL_FAMILY_NAME: u16 = 2;

/// A socket to one family.
#[derive(Debug)]
pub(super) struct Family {
    socket: OwnedFd,
    id: u16,
    sequence: u32,
}

impl Family {
    /// Finds the family by its name.
    pub(super) fn open(name: &str) -> io::Result<Self> {
        let socket = socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            Some(GENERIC),
        )?;
        set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
        let mut family = Self {
            socket,
            id: CONTROL,
            sequence: 0,
        };
        let mut attributes = Attributes::default();
        attributes.text(CONTROL_FAMILY_NAME, name);
        let reply = family.ask(CONTROL_GET_FAMILY, &attributes)?;
        let id = find(&reply, CONTROL_FAMILY_ID).and_then(|value| value.get(..2)?.try_into().ok());
        family.id = u16::from_ne_bytes(id.ok_or_else(malformed)?);
        Ok(family)
    }

    /// One question, one reply: its attributes.
    pub(super) fn ask(&mut self, command: u8, attributes: &Attributes) -> io::Result<Vec<u8>> {
        self.sequence += 1;
        let message = request(self.id, self.sequence, command, attributes);
        sendto(
            &self.socket,
            &message,
            SendFlags::empty(),
            &SocketAddrNetlink::new(0, 0),
        )?;
        let mut reply = vec![0; MOST_REPLY_BYTES];
        let (_, length) = recv(&self.socket, reply.as_mut_slice(), RecvFlags::empty())?;
        payload(&reply[..length.min(reply.len())]).map(<[u8]>::to_vec)
    }
}

/// Attributes of a request.
#[derive(Debug, Default)]
pub(super) struct Attributes {
    bytes: Vec<u8>,
}

impl Attributes {
    /// A text, ended by a zero.
    pub(super) fn text(&mut self, kind: u16, text: &str) {
        let mut value = text.as_bytes().to_vec();
        value.push(0);
        self.put(kind, &value);
    }

    /// Attributes within one.
    pub(super) fn nest(&mut self, kind: u16, inner: &Self) {
        self.put(kind | NESTED, &inner.bytes);
    }

    fn put(&mut self, kind: u16, value: &[u8]) {
        // Ours are names of interfaces and families: tens of bytes.
        let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
        self.bytes.extend_from_slice(&length.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(value);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

/// Walks attributes; ends at the first whose length is wrong.
pub(super) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(bytes.get(2..4)?.try_into().ok()?) & TYPE_MASK;
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// The first attribute of a kind.
pub(super) fn find(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(bytes)
        .find(|(found, _)| *found == kind)
        .map(|(_, value)| value)
}

/// A number of one or four bytes.
pub(super) fn number(bytes: &[u8], kind: u16) -> Option<u32> {
    match find(bytes, kind)? {
        [byte] => Some(u32::from(*byte)),
        value => Some(u32::from_ne_bytes(value.try_into().ok()?)),
    }
}

/// A text, without the zero that ends it.
pub(super) fn text(value: &[u8]) -> String {
    let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
    String::from_utf8_lossy(&value[..end]).into_owned()
}

fn request(id: u16, sequence: u32, command: u8, attributes: &Attributes) -> Vec<u8> {
    let length = HEADER_BYTES + GENERIC_HEADER_BYTES + attributes.bytes.len();
    let mut message = Vec::with_capacity(length);
    message.extend_from_slice(&(length as u32).to_ne_bytes());
    message.extend_from_slice(&id.to_ne_bytes());
    message.extend_from_slice(&REQUEST.to_ne_bytes());
    message.extend_from_slice(&sequence.to_ne_bytes());
    message.extend_from_slice(&0u32.to_ne_bytes());
    message.extend_from_slice(&[command, 1, 0, 0]);
    message.extend_from_slice(&attributes.bytes);
    message
}

/// The attributes of a reply, or the error that it is.
fn payload(message: &[u8]) -> io::Result<&[u8]> {
    let length: [u8; 4] = message.get(..4).and_then(|b| b.try_into().ok()).ok_or_else(malformed)?;
    let kind: [u8; 2] = message
        .get(4..6)
        .and_then(|b| b.try_into().ok())
        .ok_or_else(malformed)?;
    let message = message
        .get(..u32::from_ne_bytes(length) as usize)
        .ok_or_else(malformed)?;
    if u16::from_ne_bytes(kind) == ERROR {
        let code: [u8; 4] = message
            .get(HEADER_BYTES..HEADER_BYTES + 4)
            .and_then(|b| b.try_into().ok())
            .ok_or_else(malformed)?;
        return Err(io::Error::from_raw_os_error(i32::from_ne_bytes(code).saturating_neg()));
    }
    message.get(HEADER_BYTES + GENERIC_HEADER_BYTES..).ok_or_else(malformed)
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the kernel's reply is malformed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_read_as_they_were_written() {
        let mut inner = Attributes::default();
        inner.text(2, "eth0");
        let mut outer = Attributes::default();
        outer.nest(1, &inner);
        outer.put(5, &7u32.to_ne_bytes());
        outer.put(6, &[9]);
        assert_eq!(outer.bytes.len() % 4, 0);
        let nested = find(&outer.bytes, 1).unwrap();
        assert_eq!(text(find(nested, 2).unwrap()), "eth0");
        assert_eq!(number(&outer.bytes, 5), Some(7));
        assert_eq!(number(&outer.bytes, 6), Some(9));
        assert_eq!(find(&outer.bytes, 4), None);
    }

    #[test]
    fn lengths_that_lie_end_the_walk() {
        for bytes in [
            &[][..],
            &[4],
            &[0, 0, 1, 0],
            &[3, 0, 1, 0],
            &[9, 0, 1, 0, 1, 2, 3, 4],
            &[255, 255, 1, 0],
        ] {
            assert_eq!(attributes(bytes).count(), 0, "{bytes:?}");
        }
        assert!(payload(&[]).is_err() && payload(&[255, 0, 0, 0, 16, 0]).is_err());
    }

    #[test]
    fn an_error_reply_is_the_systems_error() {
        let mut message = vec![36, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        message.extend_from_slice(&(-19i32).to_ne_bytes());
        message.resize(36, 0);
        assert_eq!(payload(&message).unwrap_err().raw_os_error(), Some(19));
    }
}

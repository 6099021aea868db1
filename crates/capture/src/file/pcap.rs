//! The classic format: one header of 24 bytes, then records of one frame each.
//!
//! In: bytes of the file, where they are. Out: records that point into them. Not its job: reading the bytes, and what
//! to do about a cut end. Format: draft-ietf-opsawg-pcap; the older variants as libpcap's sf-pcap.c tells them.

use balefire_decode::LinkType;

use super::walk::{Broken, Walk, be_or_le, u16_at, u32_at};
use crate::link::prefix_bytes;
use crate::{FrameRecord, MAX_FRAME_BYTES};

/// Bytes of the file header.
pub(super) const FILE_HEADER_BYTES: usize = 24;

/// Bits 16 to 25 of the link type field are reserved; a file that sets them is of no known format.
const LINK_RESERVED: u32 = 0x03ff_0000;

/// The first four bytes of a pcap file, by byte order and unit of time.
pub(super) fn is_magic(first: [u8; 4]) -> bool {
    variant(first).is_some()
}

/// Byte order, nanoseconds in a unit of the fraction, bytes of a record header.
fn variant(first: [u8; 4]) -> Option<(bool, u32, usize)> {
    let known = |magic: u32| match magic {
        0xa1b2_c3d4 => Some((1_000, 16)),
        0xa1b2_3c4d => Some((1, 16)),
        // Kuznetzov's libpcap for Linux 2.0: eight more bytes a record (interface, protocol, packet type).
        0xa1b2_cd34 => Some((1_000, 24)),
        _ => None,
    };
    let (little, big) = (known(u32::from_le_bytes(first)), known(u32::from_be_bytes(first)));
    little
        .map(|(unit, header)| (false, unit, header))
        .or(big.map(|(unit, header)| (true, unit, header)))
}

/// Which of a record's two lengths comes first. Files before version 2.3 have the wire length first, 2.3 has both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LengthOrder {
    CapturedFirst,
    WireFirst,
    SmallerIsCaptured,
}

/// Where a pcap file's reading stands: nothing but its header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pcap {
    big: bool,
    unit_ns: u32,
    record_header_bytes: usize,
    lengths: LengthOrder,
    link: LinkType,
    /// Bytes before every frame that were never on the wire.
    prefix_bytes: u32,
}

impl Pcap {
    /// Reads the file header.
    pub(super) fn new(header: &[u8; FILE_HEADER_BYTES]) -> Result<Self, String> {
        let Some((big, unit_ns, record_header_bytes)) = variant([header[0], header[1], header[2], header[3]]) else {
            return Err("no pcap magic".to_owned());
        };
        let (major, minor) = (u16_at(header, 4, big), u16_at(header, 6, big));
        let lengths = match (major, minor) {
            // 543.0 is what DG/UX tcpdump wrote.
            (2, 0..=2) | (543, _) => LengthOrder::WireFirst,
            (2, 3) => LengthOrder::SmallerIsCaptured,
            (2, _) => LengthOrder::CapturedFirst,
            _ => return Err(format!("pcap version {major}.{minor}; versions 2.x are read")),
        };
        let field = u32_at(header, 20, big);
        if field & LINK_RESERVED != 0 {
            return Err(format!("pcap link type field {field:#010x} has reserved bits set"));
        }
        // The top bits say how long the frames' check sequence is; the frames are read alike.
        let link = LinkType((field & 0xffff) as u16);
        Ok(Self {
            big,
            unit_ns,
            record_header_bytes,
            lengths,
            link,
            prefix_bytes: prefix_bytes(link),
        })
    }

    /// Appends a record for every whole frame in `bytes` from `at` on.
    pub(super) fn walk(&self, bytes: &[u8], at: usize, frames: &mut Vec<FrameRecord>) -> Walk {
        if self.big {
            self.walk_order::<true>(bytes, at, frames)
        } else {
            self.walk_order::<false>(bytes, at, frames)
        }
    }

    fn walk_order<const BIG: bool>(&self, bytes: &[u8], mut at: usize, frames: &mut Vec<FrameRecord>) -> Walk {
        while let Some(header) = bytes.get(at..).and_then(|rest| rest.first_chunk::<16>()) {
            let field = |n: usize| be_or_le::<BIG>([header[n], header[n + 1], header[n + 2], header[n + 3]]);
            let (captured, wire_bytes) = self.order(field(8), field(12));
            if captured as usize > MAX_FRAME_BYTES {
                let reason = format!("record of {captured} captured bytes, the limit is {MAX_FRAME_BYTES}");
                return Walk {
                    at,
                    broken: Some(Broken { at, reason }),
                };
            }
            let start = at + self.record_header_bytes;
            let end = start + captured as usize;
            if end > bytes.len() {
                break;
            }
            frames.push(FrameRecord {
                // At most (2^32 - 1) * 10^9 + (2^32 - 1) * 1000, less than half of what an i64 holds.
                time_ns: i64::from(field(0)) * 1_000_000_000 + i64::from(field(4)) * i64::from(self.unit_ns),
                offset: start as u32,
                captured,
                wire_bytes: wire_bytes.saturating_sub(self.prefix_bytes),
                link: self.link,
                interface: 0,
            });
            at = end;
        }
        Walk { at, broken: None }
    }

    #[inline]
    fn order(&self, first: u32, second: u32) -> (u32, u32) {
        match self.lengths {
            LengthOrder::CapturedFirst => (first, second),
            LengthOrder::WireFirst => (second, first),
            LengthOrder::SmallerIsCaptured => (first.min(second), first.max(second)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(magic: [u8; 4], version: [u8; 4], link: [u8; 4]) -> [u8; 24] {
        let mut header = [0; 24];
        header[..4].copy_from_slice(&magic);
        header[4..8].copy_from_slice(&version);
        header[20..].copy_from_slice(&link);
        header
    }

    const LITTLE: [u8; 4] = [0xd4, 0xc3, 0xb2, 0xa1];

    #[test]
    fn every_magic_gives_its_order_and_unit() {
        let big_ns = Pcap::new(&header([0xa1, 0xb2, 0x3c, 0x4d], [0, 2, 0, 4], [0, 0, 0, 113])).unwrap();
        assert_eq!((big_ns.big, big_ns.unit_ns, big_ns.link), (true, 1, LinkType(113)));
        let little = Pcap::new(&header(LITTLE, [2, 0, 4, 0], [1, 0, 0, 0])).unwrap();
        assert_eq!(
            (little.big, little.unit_ns, little.record_header_bytes),
            (false, 1_000, 16)
        );
        let modified = Pcap::new(&header([0x34, 0xcd, 0xb2, 0xa1], [2, 0, 4, 0], [1, 0, 0, 0])).unwrap();
        assert_eq!(modified.record_header_bytes, 24);
        assert!(!is_magic([0xa1, 0xb2, 0xc3, 0xd5]));
    }

    #[test]
    fn check_sequence_bits_are_no_part_of_the_link_type_and_reserved_bits_are_refused() {
        let file = Pcap::new(&header(LITTLE, [2, 0, 4, 0], [1, 0, 0, 0x34])).unwrap();
        assert_eq!(file.link, LinkType(1));
        let error = Pcap::new(&header(LITTLE, [2, 0, 4, 0], [0, 0, 0x30, 0])).unwrap_err();
        assert_eq!(error, "pcap link type field 0x00300000 has reserved bits set");
        assert!(Pcap::new(&header(LITTLE, [1, 0, 4, 0], [1, 0, 0, 0])).is_err());
    }

    #[test]
    fn old_versions_have_the_wire_length_first() {
        for (version, lengths) in [
            ([2, 0, 2, 0], [9u32, 3]),
            ([2, 0, 3, 0], [9, 3]),
            ([2, 0, 3, 0], [3, 9]),
        ] {
            let file = Pcap::new(&header(LITTLE, version, [1, 0, 0, 0])).unwrap();
            let mut record = vec![0; 8];
            record.extend(lengths[0].to_le_bytes());
            record.extend(lengths[1].to_le_bytes());
            record.extend([7; 3]);
            let mut frames = Vec::new();
            assert_eq!(file.walk(&record, 0, &mut frames).at, record.len());
            assert_eq!((frames[0].captured, frames[0].wire_bytes), (3, 9));
        }
    }

    #[test]
    fn a_frame_above_the_limit_breaks_the_walk_where_it_stands() {
        let file = Pcap::new(&header(LITTLE, [2, 0, 4, 0], [1, 0, 0, 0])).unwrap();
        let mut records = vec![0; 16];
        records.extend([0; 8]);
        records.extend((MAX_FRAME_BYTES as u32 + 1).to_le_bytes());
        records.extend([0; 4]);
        let mut frames = Vec::new();
        let walk = file.walk(&records, 0, &mut frames);
        assert_eq!((frames.len(), walk.at), (1, 16));
        assert_eq!(
            walk.broken.unwrap().reason,
            "record of 262145 captured bytes, the limit is 262144"
        );
    }
}

//! The block format: sections of either byte order, each with its own interfaces, and packets in three kinds of block.
//!
//! In: bytes of the file, where they are. Out: records that point into them. Not its job: reading the bytes, name
//! resolution, statistics, secrets and custom blocks, which are stepped over. Format: draft-ietf-opsawg-pcapng.

use balefire_decode::LinkType;

use super::clock::Clock;
use super::walk::{Broken, Walk, u16_at, u32_at, u64_at};
use crate::link::prefix_bytes;
use crate::{FrameRecord, MAX_FRAME_BYTES};

/// The block type of a section header; the same in either byte order.
pub(super) const SECTION_HEADER: u32 = 0x0a0d_0d0a;

/// The longest block that is looked into: the longest frame and as much again for options. Others may be of any length.
pub(super) const MAX_BLOCK_BYTES: usize = 2 * MAX_FRAME_BYTES;

/// The most interfaces of a section: a frame record numbers them in 16 bits.
const MAX_INTERFACES: usize = 1 << 16;

const INTERFACE_DESCRIPTION: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

/// Type and length before the body of a block.
const HEAD_BYTES: usize = 8;
/// The length again, after the body.
const TAIL_BYTES: usize = 4;

const OPTION_END: u16 = 0;
const OPTION_TIME_RESOLUTION: u16 = 9;
const OPTION_TIME_OFFSET: u16 = 14;

/// One interface of the section that is being read.
#[derive(Clone, Copy, Debug)]
struct Interface {
    link: LinkType,
    /// Bytes before every frame that were never on the wire.
    prefix_bytes: u32,
    /// 0: no limit.
    snaplen: u32,
    clock: Clock,
}

/// A block that is being stepped over, longer than what was at hand.
#[derive(Clone, Copy, Debug)]
struct Skip {
    /// Bytes before its repeated length.
    left: u64,
    /// The length that must be repeated there.
    length: u32,
}

/// Where a pcapng file's reading stands.
#[derive(Debug, Default)]
pub(super) struct Pcapng {
    big: bool,
    interfaces: Vec<Interface>,
    interfaces_seen: bool,
    skip: Option<Skip>,
    /// Time of the last packet that had one; what simple packets, which have none, are given.
    last_time_ns: i64,
}

impl Pcapng {
    /// Whether any section described an interface. Without one a file cannot hold a packet.
    pub(super) fn has_interface(&self) -> bool {
        self.interfaces_seen
    }

    /// Whether the bytes so far end inside a block that is being stepped over.
    pub(super) fn is_skipping(&self) -> bool {
        self.skip.is_some()
    }

    /// The length of the section header that a file begins with; `None` where that needs more than `start`.
    pub(super) fn section_header_bytes(start: &[u8]) -> Result<Option<usize>, String> {
        if start.len() < HEAD_BYTES + TAIL_BYTES {
            return Ok(None);
        }
        let size = u32_at(start, 4, byte_order(start)?) as usize;
        if !(28..=MAX_BLOCK_BYTES).contains(&size) {
            return Err(format!("pcapng section header says it is {size} bytes long"));
        }
        Ok(Some(size))
    }

    /// Appends a record for every whole packet in `bytes` from `at` on.
    pub(super) fn walk(&mut self, bytes: &[u8], mut at: usize, frames: &mut Vec<FrameRecord>) -> Walk {
        loop {
            if self.skip.is_some() {
                match self.step_over(bytes, &mut at) {
                    Ok(true) => {}
                    Ok(false) => return Walk { at, broken: None },
                    Err(reason) => {
                        return Walk {
                            at,
                            broken: Some(Broken { at, reason }),
                        };
                    }
                }
            }
            match self.block(bytes, at, frames) {
                Ok(Some(length)) => at += length,
                Ok(None) if self.skip.is_some() => at += HEAD_BYTES,
                Ok(None) => return Walk { at, broken: None },
                Err(reason) => {
                    return Walk {
                        at,
                        broken: Some(Broken { at, reason }),
                    };
                }
            }
        }
    }

    /// Takes the block at `at`; gives its length, or `None` where more bytes are needed.
    #[inline]
    fn block(&mut self, bytes: &[u8], at: usize, frames: &mut Vec<FrameRecord>) -> Result<Option<usize>, String> {
        let rest = &bytes[at..];
        if rest.len() < HEAD_BYTES + TAIL_BYTES {
            return Ok(None);
        }
        let kind = u32_at(rest, 0, self.big);
        if kind == SECTION_HEADER {
            self.big = byte_order(rest)?;
        }
        let length = u32_at(rest, 4, self.big);
        // Lengths are multiples of 4, but writers exist that leave the padding out of the number.
        let size = (length as usize).checked_next_multiple_of(4).unwrap_or(usize::MAX);
        if size < HEAD_BYTES + TAIL_BYTES {
            return Err(format!("block of type {kind:#x} says it is {length} bytes long"));
        }
        let known = matches!(
            kind,
            SECTION_HEADER | INTERFACE_DESCRIPTION | OBSOLETE_PACKET | SIMPLE_PACKET | ENHANCED_PACKET
        );
        if known && size > MAX_BLOCK_BYTES {
            return Err(format!(
                "block of type {kind:#x} of {length} bytes, the limit is {MAX_BLOCK_BYTES}"
            ));
        }
        let Some(block) = rest.get(..size) else {
            if !known {
                self.skip = Some(Skip {
                    left: u64::from(length) - (HEAD_BYTES + TAIL_BYTES) as u64,
                    length,
                });
            }
            return Ok(None);
        };
        let repeated = u32_at(block, size - TAIL_BYTES, self.big);
        if repeated != length {
            return Err(format!(
                "block of type {kind:#x} is {length} bytes long at its start and {repeated} at its end"
            ));
        }
        let body = &block[HEAD_BYTES..size - TAIL_BYTES];
        match kind {
            ENHANCED_PACKET => self.enhanced(body, at, frames)?,
            SIMPLE_PACKET => self.simple(body, at, frames)?,
            OBSOLETE_PACKET => self.obsolete(body, at, frames)?,
            INTERFACE_DESCRIPTION => self.describe(body)?,
            SECTION_HEADER => self.section(body)?,
            _ => {}
        }
        Ok(Some(size))
    }

    /// Goes on stepping over a long block; whether its end was reached.
    fn step_over(&mut self, bytes: &[u8], at: &mut usize) -> Result<bool, String> {
        let Some(skip) = &mut self.skip else { return Ok(true) };
        let step = skip.left.min((bytes.len() - *at) as u64);
        skip.left -= step;
        // `step` is at most the length of a slice.
        *at += step as usize;
        if skip.left > 0 || bytes.len() - *at < TAIL_BYTES {
            return Ok(false);
        }
        let repeated = u32_at(bytes, *at, self.big);
        if repeated != skip.length {
            return Err(format!(
                "block is {} bytes long at its start and {repeated} at its end",
                skip.length
            ));
        }
        *at += TAIL_BYTES;
        self.skip = None;
        Ok(true)
    }

    /// A new section: nothing of the one before holds.
    fn section(&mut self, body: &[u8]) -> Result<(), String> {
        if body.len() < 16 {
            return Err(format!(
                "section header with a body of {} bytes, 16 are the least",
                body.len()
            ));
        }
        let version = (u16_at(body, 4, self.big), u16_at(body, 6, self.big));
        // 1.2 is what some writers put for 1.0; the draft asks readers to take it.
        if version != (1, 0) && version != (1, 2) {
            return Err(format!(
                "pcapng version {}.{}; 1.0 and 1.2 are read",
                version.0, version.1
            ));
        }
        self.interfaces.clear();
        options(&body[16..], self.big, |_, _| {}).map_err(|reason| format!("section header: {reason}"))
    }

    fn describe(&mut self, body: &[u8]) -> Result<(), String> {
        if body.len() < 8 {
            return Err(format!(
                "interface description with a body of {} bytes, 8 are the least",
                body.len()
            ));
        }
        if self.interfaces.len() == MAX_INTERFACES {
            return Err(format!("more than {MAX_INTERFACES} interfaces in a section"));
        }
        let big = self.big;
        let (mut resolution, mut offset_s) = (6, 0);
        // An option of another length than its own says nothing.
        options(&body[8..], big, |code, value| match (code, value) {
            (OPTION_TIME_RESOLUTION, [value]) => resolution = *value,
            (OPTION_TIME_OFFSET, value) if value.len() == 8 => offset_s = u64_at(value, 0, big).cast_signed(),
            _ => {}
        })
        .map_err(|reason| format!("interface description: {reason}"))?;
        let link = LinkType(u16_at(body, 0, big));
        let snaplen = u32_at(body, 4, big);
        let (prefix_bytes, clock) = (prefix_bytes(link), Clock::new(resolution, offset_s));
        self.interfaces.push(Interface {
            link,
            prefix_bytes,
            snaplen,
            clock,
        });
        self.interfaces_seen = true;
        Ok(())
    }

    #[inline]
    fn enhanced(&mut self, body: &[u8], at: usize, frames: &mut Vec<FrameRecord>) -> Result<(), String> {
        let interface = u32_at(body, 0, self.big);
        self.timed(interface, body, at, frames)
    }

    /// Like an enhanced packet, but 16 bits of interface and 16 of drops.
    fn obsolete(&mut self, body: &[u8], at: usize, frames: &mut Vec<FrameRecord>) -> Result<(), String> {
        let interface = u16_at(body, 0, self.big);
        self.timed(interface.into(), body, at, frames)
    }

    /// The body that enhanced and obsolete packets share after their interface: time, both lengths, the frame.
    #[inline]
    fn timed(&mut self, number: u32, body: &[u8], at: usize, frames: &mut Vec<FrameRecord>) -> Result<(), String> {
        let Some(fields) = body.first_chunk::<20>() else {
            return Err(format!(
                "packet block with a body of {} bytes, 20 are the least",
                body.len()
            ));
        };
        let interface = self.interface(number)?;
        let field = |n| u32_at(fields, n, self.big);
        let ticks = u64::from(field(4)) << 32 | u64::from(field(8));
        let (captured, wire_bytes) = (field(12), field(16));
        if captured as usize > body.len() - 20 {
            return Err(format!(
                "packet of {captured} captured bytes in a block with {} for it",
                body.len() - 20
            ));
        }
        let time_ns = interface.clock.time_ns(ticks);
        self.last_time_ns = time_ns;
        let start = at + HEAD_BYTES + 20;
        frames.push(interface.record(start, captured, wire_bytes, time_ns, number)?);
        Ok(())
    }

    fn simple(&mut self, body: &[u8], at: usize, frames: &mut Vec<FrameRecord>) -> Result<(), String> {
        if body.len() < 4 {
            return Err("simple packet block without a length".to_owned());
        }
        let interface = self.interface(0)?;
        let wire_bytes = u32_at(body, 0, self.big);
        let snaplen = if interface.snaplen == 0 {
            u32::MAX
        } else {
            interface.snaplen
        };
        let captured = wire_bytes.min(snaplen);
        if captured as usize > body.len() - 4 {
            return Err(format!(
                "packet of {captured} captured bytes in a block with {} for it",
                body.len() - 4
            ));
        }
        let start = at + HEAD_BYTES + 4;
        frames.push(interface.record(start, captured, wire_bytes, self.last_time_ns, 0)?);
        Ok(())
    }

    #[inline]
    fn interface(&self, number: u32) -> Result<Interface, String> {
        match self.interfaces.get(number as usize) {
            Some(interface) => Ok(*interface),
            None => Err(format!(
                "packet of interface {number}, the section describes {}",
                self.interfaces.len()
            )),
        }
    }
}

impl Interface {
    #[inline]
    fn record(
        &self,
        start: usize,
        captured: u32,
        wire_bytes: u32,
        time_ns: i64,
        number: u32,
    ) -> Result<FrameRecord, String> {
        if captured as usize > MAX_FRAME_BYTES {
            return Err(format!(
                "packet of {captured} captured bytes, the limit is {MAX_FRAME_BYTES}"
            ));
        }
        let wire_bytes = wire_bytes.saturating_sub(self.prefix_bytes);
        // Both fit: a block of frames is 1 MiB, and a section has at most 2^16 interfaces.
        let (offset, interface) = (start as u32, number as u16);
        Ok(FrameRecord {
            time_ns,
            offset,
            captured,
            wire_bytes,
            link: self.link,
            interface,
        })
    }
}

/// The byte order of the section that begins with `block`: whether it is big-endian.
fn byte_order(block: &[u8]) -> Result<bool, String> {
    match u32_at(block, 8, false) {
        0x1a2b_3c4d => Ok(false),
        0x4d3c_2b1a => Ok(true),
        other => Err(format!("section header with byte-order magic {other:#010x}")),
    }
}

/// Calls `each` with every option's code and value.
fn options(mut list: &[u8], big: bool, mut each: impl FnMut(u16, &[u8])) -> Result<(), String> {
    while !list.is_empty() {
        if list.len() < 4 {
            return Err(format!("{} bytes left for an option", list.len()));
        }
        let (code, size) = (u16_at(list, 0, big), usize::from(u16_at(list, 2, big)));
        if code == OPTION_END {
            return Ok(());
        }
        let Some(value) = list.get(4..4 + size) else {
            return Err(format!("option {code} of {size} bytes, {} are left", list.len() - 4));
        };
        each(code, value);
        list = &list[(4 + size.next_multiple_of(4)).min(list.len())..];
    }
    Ok(())
}

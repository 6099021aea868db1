//! The 802.11 family: data frames and the headers that capturing radios put before them.
//!
//! In: a span at one of those headers. Out: the LLC header inside an unencrypted data frame. Not its job: decryption,
//! management frames, the second and later parts of an aggregate.

use super::{Layer, Next};
use crate::Reject;
use crate::span::Span;

/// Bits of radiotap's flags field (<https://www.radiotap.org/fields/Flags.html>).
const FLAG_FCS_AT_END: u8 = 0x10;
const FLAG_DATA_PADDED: u8 = 0x20;

/// An 802.11 frame (IEEE 802.11-2020, 9.2.4); `flags` are radiotap's.
pub(super) fn frame(span: Span<'_>, flags: u8) -> Result<Next<'_>, Reject> {
    let [control, bits] = span.array(0)?;
    let (kind, subtype) = (control >> 2 & 3, control >> 4);
    // Only data frames carry IP, and of those not the ones without data.
    if control & 3 != 0 || kind != 2 || subtype & 4 != 0 {
        return Err(Reject::NotIp);
    }
    if bits & 0x40 != 0 {
        return Err(Reject::LinkEncrypted);
    }
    let four_addresses = bits & 3 == 3;
    let quality_of_service = subtype & 8 != 0;
    let mut header_bytes = if four_addresses { 30 } else { 24 };
    let mut aggregate = false;
    if quality_of_service {
        aggregate = span.byte(header_bytes)? & 0x80 != 0;
        header_bytes += if bits & 0x80 != 0 { 6 } else { 2 };
    }
    if flags & FLAG_DATA_PADDED != 0 {
        header_bytes = header_bytes.next_multiple_of(4);
    }
    let inside = span.skip(header_bytes)?;
    if aggregate {
        // The first part only: addresses, its length, LLC.
        let part_bytes = inside.be16(12)?;
        return Ok(Next::new(Layer::Llc, inside.skip(14)?.limit(part_bytes.into())));
    }
    Ok(Next::new(Layer::Llc, inside))
}

/// Radiotap (<https://www.radiotap.org>): the flags say whether the frame is padded and has its checksum.
pub(super) fn radiotap(span: Span<'_>) -> Result<Next<'_>, Reject> {
    let header_bytes = usize::from(span.le16(2)?);
    if span.byte(0)? != 0 || header_bytes < 8 {
        return Err(Reject::LinkMalformed);
    }
    let flags = radiotap_flags(span.limit(header_bytes)).unwrap_or(0);
    let inside = span.skip(header_bytes)?;
    let checksum_bytes = if flags & FLAG_FCS_AT_END != 0 { 4 } else { 0 };
    frame(inside.limit(inside.wire_bytes().saturating_sub(checksum_bytes)), flags)
}

/// The flags field comes first but for the 8-byte timer, after all words of the presence bitmap.
fn radiotap_flags(span: Span<'_>) -> Result<u8, Reject> {
    let present = span.le32(4)?;
    if present & 2 == 0 {
        return Ok(0);
    }
    let mut words = 1;
    while span.le32(4 * words)? & 0x8000_0000 != 0 {
        words += 1;
        if words > super::MAX_LINK_HEADERS {
            return Err(Reject::LinkTooDeep);
        }
    }
    let mut at = 4 + 4 * words;
    if present & 1 != 0 {
        at = at.next_multiple_of(8) + 8;
    }
    span.byte(at)
}

/// Prism monitor header: message code, then the header's length, little-endian as its drivers wrote it.
pub(super) fn prism(span: Span<'_>) -> Result<Next<'_>, Reject> {
    Ok(Next::new(Layer::Dot11, span.skip(header_length(span.le32(4)?)?)?))
}

/// AVS header: version, then the header's length, big-endian.
pub(super) fn avs(span: Span<'_>) -> Result<Next<'_>, Reject> {
    Ok(Next::new(Layer::Dot11, span.skip(header_length(span.be32(4)?)?)?))
}

/// CACE per-packet information: the header's length and the link type of what follows, little-endian.
pub(super) fn per_packet_information(span: Span<'_>) -> Result<Next<'_>, Reject> {
    let header_bytes = header_length(span.le16(2)?.into())?;
    let link = u16::try_from(span.le32(4)?).map_err(|_| Reject::LinkUnsupported)?;
    Ok(Next::new(Layer::Link(crate::LinkType(link)), span.skip(header_bytes)?))
}

/// A length field that covers itself.
fn header_length(claimed_bytes: u32) -> Result<usize, Reject> {
    usize::try_from(claimed_bytes)
        .ok()
        .filter(|&bytes| bytes >= 8)
        .ok_or(Reject::LinkMalformed)
}

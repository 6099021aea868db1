//! A cursor in one frame: what is left of it at some layer, in captured bytes and in bytes on the wire.
//!
//! In: a [`Frame`]. Out: checked reads and narrower spans. Not its job: knowing what the bytes mean. The two lengths
//! are kept apart because a snap length cuts the capture, never the conversation's volume.

use crate::{Frame, Reject};

/// The rest of a frame from some header on. Invariant: `at <= end` and `at <= frame.len()`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span<'a> {
    frame: &'a [u8],
    at: usize,
    /// Where this layer ends on the wire, as an offset in the frame; may lie beyond what was captured.
    end: usize,
}

impl<'a> Span<'a> {
    /// The whole frame. A capture that claims fewer bytes on the wire than it holds is believed in what it holds.
    pub(crate) fn new(frame: Frame<'a>) -> Self {
        Self {
            frame: frame.bytes,
            at: 0,
            end: frame.bytes.len().max(frame.wire_bytes as usize),
        }
    }

    /// The captured bytes from here to the end of the layer.
    #[inline]
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.frame
            .get(self.at..self.end.min(self.frame.len()))
            .unwrap_or_default()
    }

    /// The bytes on the wire from here to the end of the layer.
    #[inline]
    pub(crate) fn wire_bytes(&self) -> usize {
        self.end - self.at
    }

    /// The byte at `at` from here.
    #[inline]
    pub(crate) fn byte(&self, at: usize) -> Result<u8, Reject> {
        self.bytes().get(at).copied().ok_or(Reject::LinkCut)
    }

    /// The big-endian 16 bits at `at` from here.
    #[inline]
    pub(crate) fn be16(&self, at: usize) -> Result<u16, Reject> {
        self.array(at).map(u16::from_be_bytes)
    }

    /// The big-endian 32 bits at `at` from here.
    #[inline]
    pub(crate) fn be32(&self, at: usize) -> Result<u32, Reject> {
        self.array(at).map(u32::from_be_bytes)
    }

    /// The little-endian 16 bits at `at` from here.
    #[inline]
    pub(crate) fn le16(&self, at: usize) -> Result<u16, Reject> {
        self.array(at).map(u16::from_le_bytes)
    }

    /// The little-endian 32 bits at `at` from here.
    #[inline]
    pub(crate) fn le32(&self, at: usize) -> Result<u32, Reject> {
        self.array(at).map(u32::from_le_bytes)
    }

    /// The `N` bytes at `at` from here.
    #[inline]
    pub(crate) fn array<const N: usize>(&self, at: usize) -> Result<[u8; N], Reject> {
        self.bytes()
            .get(at..)
            .and_then(|rest| rest.first_chunk())
            .copied()
            .ok_or(Reject::LinkCut)
    }

    /// Past a header of `header_bytes`, all of which must have been captured.
    #[inline]
    pub(crate) fn skip(self, header_bytes: usize) -> Result<Self, Reject> {
        if header_bytes > self.bytes().len() {
            return Err(Reject::LinkCut);
        }
        Ok(Self {
            at: self.at + header_bytes,
            ..self
        })
    }

    /// Past a header that may be cut: what follows then has no captured bytes, but keeps its length on the wire.
    #[inline]
    pub(crate) fn skip_cut(self, header_bytes: usize) -> Body {
        let after = self.wire_bytes().saturating_sub(header_bytes);
        let captured = self.bytes().len();
        let offset = self.at + header_bytes.min(captured);
        Body {
            offset,
            captured: captured.saturating_sub(header_bytes),
            wire_bytes: after,
        }
    }

    /// At most `wire_bytes` from here: a length field says the layer ends there.
    #[inline]
    pub(crate) fn limit(self, wire_bytes: usize) -> Self {
        Self {
            end: self.end.min(self.at.saturating_add(wire_bytes)),
            ..self
        }
    }
}

/// Where a payload lies and how long it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Body {
    /// Offset in the frame, never beyond its captured bytes.
    pub(crate) offset: usize,
    /// Captured bytes from there on.
    pub(crate) captured: usize,
    /// Bytes on the wire.
    pub(crate) wire_bytes: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LinkType;

    fn span(bytes: &[u8], wire_bytes: u32) -> Span<'_> {
        Span::new(Frame {
            link: LinkType::ETHERNET,
            bytes,
            wire_bytes,
        })
    }

    #[test]
    fn a_cut_frame_keeps_its_length_on_the_wire() {
        let rest = span(&[0; 10], 100).skip(4).unwrap();
        assert_eq!((rest.bytes().len(), rest.wire_bytes()), (6, 96));
        assert_eq!(
            rest.skip_cut(20),
            Body {
                offset: 10,
                captured: 0,
                wire_bytes: 76
            }
        );
        assert_eq!(rest.skip(7).unwrap_err(), Reject::LinkCut);
    }

    #[test]
    fn a_limit_cuts_the_padding_off() {
        let rest = span(&[0; 60], 60).skip(14).unwrap().limit(28);
        assert_eq!((rest.bytes().len(), rest.wire_bytes()), (28, 28));
        assert_eq!(rest.byte(28), Err(Reject::LinkCut));
    }

    #[test]
    fn more_captured_than_on_the_wire_is_believed() {
        assert_eq!(span(&[0; 60], 20).wire_bytes(), 60);
    }
}

//! What must hold for every frame whatever it holds; used by the property tests, by the replay of fuzz seeds, and by the
//! fuzz target itself.
//!
//! In: a frame. Out: a panic that says what does not hold. Not its job: what a given frame decodes to.

use balefire_decode::{FragmentTable, Frame, LinkType, Packet, decode, decode_fast, decode_honest, outermost, peek};

/// The frame a fuzz input stands for: link type and bytes cut off by the snap length, 16 bits little-endian each, then
/// what was captured. Numbers beyond the known link types are Ethernet, so that most inputs reach IP.
pub(crate) fn frame_of(input: &[u8]) -> Option<Frame<'_>> {
    let (head, bytes) = input.split_first_chunk::<4>()?;
    let [link_low, link_high, cut_low, cut_high] = *head;
    let link = u16::from_le_bytes([link_low, link_high]);
    let cut_bytes = u32::from(u16::from_le_bytes([cut_low, cut_high]));
    let link = if link > 300 { LinkType::ETHERNET } else { LinkType(link) };
    Some(Frame {
        link,
        bytes,
        wire_bytes: bytes.len() as u32 + cut_bytes,
    })
}

/// Decodes one frame in every way and holds the answers against each other.
pub(crate) fn check(frame: Frame<'_>) {
    let honest = decode_honest(frame);
    if let Some(fast) = decode_fast(frame) {
        assert_eq!(Ok(fast), honest, "fast and honest path differ");
    }
    let decoded = decode(frame);
    assert_eq!(decoded, honest, "decode is neither path");
    let peeked = peek(frame);
    let _ = outermost(frame);
    let Ok(mut packet) = decoded else { return };
    assert_eq!(peeked, Some((packet.src, packet.dst)), "peek is not decode");
    check_lengths(&packet, frame);
    let before = packet;
    FragmentTable::new(8, 1).resolve(&mut packet, 0);
    assert_eq!(packet, before, "an empty fragment table changed a packet");
}

fn check_lengths(packet: &Packet, frame: Frame<'_>) {
    let wire_bytes = frame.wire_bytes.max(frame.bytes.len() as u32);
    let payload_end = u64::from(packet.payload_offset) + u64::from(packet.payload_captured);
    assert!(
        payload_end <= frame.bytes.len() as u64,
        "payload beyond the capture: {packet:?}"
    );
    assert!(
        packet.payload_captured <= packet.payload_bytes,
        "more captured than sent: {packet:?}"
    );
    assert!(
        packet.payload_bytes < packet.ip_bytes,
        "payload not inside its packet: {packet:?}"
    );
    assert!(
        packet.ip_bytes <= wire_bytes,
        "packet longer than its frame: {packet:?}"
    );
}

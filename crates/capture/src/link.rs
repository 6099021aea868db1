//! Link types between their three worlds: capture files (LINKTYPE_), libpcap on this system (DLT_), and the wire.
//!
//! In and out: numbers. Not its job: reading headers of any link type, which is `decode`'s.

use balefire_decode::LinkType;

/// Pairs of LINKTYPE_ and DLT_ that differ on Linux; all others are equal
/// (<https://www.tcpdump.org/linktypes.html>, columns "LINKTYPE_ value" and "Corresponding DLT_ name").
const DIFFERENT: &[(u16, i32)] = &[(100, 11), (101, 12), (102, 15), (103, 16)];

/// The link type as libpcap's calls on this system number it.
pub(crate) fn dlt_of(link: LinkType) -> i32 {
    DIFFERENT
        .iter()
        .find(|(file, _)| *file == link.0)
        .map_or(i32::from(link.0), |(_, dlt)| *dlt)
}

/// The link type as capture files number it, of what libpcap says of an interface.
pub(crate) fn link_of(dlt: i32) -> LinkType {
    match DIFFERENT.iter().find(|(_, system)| *system == dlt) {
        Some((file, _)) => LinkType(*file),
        // No DLT_ is negative or above 16 bits; one that were would be a type nobody reads.
        None => LinkType(u16::try_from(dlt).unwrap_or(u16::MAX)),
    }
}

/// Bytes that a capturing host of this link type puts before every frame as a note of its own, and that counting tools
/// leave out of the frame's length: SunATM, MTP2, IrDA, LAPD, SITA, Bluetooth H4, PPP with direction, I2C, LLCP, Bluetooth
/// monitor. Measured on tshark 4.0.17 with a made-up frame of every link type; the frame's captured bytes keep them.
pub(crate) fn prefix_bytes(link: LinkType) -> u32 {
    match link.0 {
        204 => 1,
        245 => 2,
        123 | 139 | 201 | 254 => 4,
        196 | 209 => 5,
        144 | 177 => 16,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_ip_has_two_numbers_and_ethernet_one() {
        assert_eq!(dlt_of(LinkType(101)), 12);
        assert_eq!(link_of(12), LinkType(101));
        assert_eq!(dlt_of(LinkType(1)), 1);
        assert_eq!(link_of(1), LinkType(1));
        assert_eq!(link_of(-1), LinkType(u16::MAX));
    }
}

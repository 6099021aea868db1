//! The loops that the detector is measured against: they only count.
//!
//! In: a classic pcap file. Out: packets and their bytes on the wire. Not its job: looking into a packet.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// What a loop counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Packets.
    pub packets: u64,
    /// Their bytes on the wire.
    pub wire_bytes: u64,
}

/// libpcap through its callback (`pcap_loop`), the cheapest way it has.
///
/// # Errors
/// libpcap's, as text.
pub fn libpcap_callback(path: &Path) -> io::Result<Counted> {
    let mut capture = pcap::Capture::from_file(path).map_err(io::Error::other)?;
    let mut counted = Counted::default();
    capture
        .for_each(None, |packet| {
            counted.packets += 1;
            counted.wire_bytes += u64::from(packet.header.len);
        })
        .map_err(io::Error::other)?;
    Ok(counted)
}

/// libpcap one packet at a time (`pcap_next_ex`), the common way.
///
/// # Errors
/// libpcap's, as text.
pub fn libpcap_next(path: &Path) -> io::Result<Counted> {
    let mut capture = pcap::Capture::from_file(path).map_err(io::Error::other)?;
    let mut counted = Counted::default();
    loop {
        match capture.next_packet() {
            Ok(packet) => {
                counted.packets += 1;
                counted.wire_bytes += u64::from(packet.header.len);
            }
            Err(pcap::Error::NoMorePackets) => return Ok(counted),
            Err(error) => return Err(io::Error::other(error)),
        }
    }
}

/// Bytes of one read in [`reads`].
const READ_BYTES: usize = 256 * 1024;

/// Large reads and a walk over the record headers: what any program that sees every packet must at least do.
///
/// # Errors
/// The system's; `InvalidData` for anything but a little-endian pcap.
pub fn reads(path: &Path) -> io::Result<Counted> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0u8; READ_BYTES];
    let mut header = [0u8; 24];
    file.read_exact(&mut header)?;
    if !matches!(header[..4], [0x4d, 0x3c, 0xb2, 0xa1] | [0xd4, 0xc3, 0xb2, 0xa1]) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "not a little-endian pcap file",
        ));
    }
    let mut counted = Counted::default();
    let mut kept = 0;
    loop {
        let got = file.read(&mut buffer[kept..])?;
        if got == 0 {
            return Ok(counted);
        }
        let filled = kept + got;
        let used = walk(&buffer[..filled], &mut counted);
        buffer.copy_within(used..filled, 0);
        kept = filled - used;
        if kept == buffer.len() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a record longer than the buffer",
            ));
        }
    }
}

/// Counts the whole records at the beginning of `bytes` and returns their length.
fn walk(bytes: &[u8], counted: &mut Counted) -> usize {
    let mut at = 0;
    while let Some(header) = bytes[at..].first_chunk::<16>() {
        let captured = u32::from_le_bytes([header[8], header[9], header[10], header[11]]) as usize;
        let next = at + 16 + captured;
        if next > bytes.len() {
            break;
        }
        counted.packets += 1;
        counted.wire_bytes += u64::from(u32::from_le_bytes([header[12], header[13], header[14], header[15]]));
        at = next;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpora::{Kind, Size, write};

    #[test]
    fn all_loops_count_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mix.pcap");
        let size = Size {
            seed: 1,
            packets: 20_000,
            connections: 0,
            hosts: 0,
        };
        let written = write(Kind::Mix, &size, File::create(&path).unwrap()).unwrap();
        let counted = reads(&path).unwrap();
        assert_eq!(
            (counted.packets, counted.wire_bytes),
            (written.packets, written.wire_bytes)
        );
        assert_eq!(libpcap_callback(&path).unwrap(), counted);
        assert_eq!(libpcap_next(&path).unwrap(), counted);
    }
}

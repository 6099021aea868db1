//! Writes frames into a capture file: nanosecond pcap, little endian, one link type.
//!
//! In: frames with their times. Out: bytes into any [`Write`]. Not its job: pcapng, compression, choosing what to keep.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use balefire_decode::LinkType;

use crate::{FrameRecord, MAX_FRAME_BYTES};

/// pcap's magic for nanosecond times, written in the file's own byte order (draft-ietf-opsawg-pcap, section 4).
const MAGIC_NANOSECONDS: u32 = 0xa1b2_3c4d;

const NS_PER_S: i64 = 1_000_000_000;

/// A pcap file being written.
///
/// ```
/// use balefire_capture::PcapWriter;
/// use balefire_decode::LinkType;
///
/// let mut writer = PcapWriter::new(Vec::new(), LinkType(1))?;
/// writer.write(1_700_000_000_000_000_123, 1514, &[0; 60])?;
/// let file: Vec<u8> = writer.finish()?;
/// assert_eq!(file.len(), 24 + 16 + 60);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct PcapWriter<W: Write> {
    out: BufWriter<W>,
    link: LinkType,
    frames: u64,
}

impl PcapWriter<File> {
    /// Creates (or empties) the file at `path` and writes the header.
    ///
    /// # Errors
    /// The system's, from creating or writing.
    pub fn create(path: &Path, link: LinkType) -> io::Result<Self> {
        Self::new(File::create(path)?, link)
    }
}

impl<W: Write> PcapWriter<W> {
    /// Writes the file header for frames of `link`.
    ///
    /// # Errors
    /// The system's, from writing.
    pub fn new(out: W, link: LinkType) -> io::Result<Self> {
        let mut out = BufWriter::with_capacity(1 << 16, out);
        out.write_all(&MAGIC_NANOSECONDS.to_le_bytes())?;
        out.write_all(&2u16.to_le_bytes())?;
        out.write_all(&4u16.to_le_bytes())?;
        out.write_all(&[0; 8])?;
        out.write_all(&(MAX_FRAME_BYTES as u32).to_le_bytes())?;
        out.write_all(&u32::from(link.0).to_le_bytes())?;
        Ok(Self { out, link, frames: 0 })
    }

    /// Appends one frame of which `bytes` were captured and that had `wire_bytes` on the wire.
    ///
    /// The format counts seconds in 32 unsigned bits: a time before 1970 or after 2106 is written as the nearest that fits.
    ///
    /// # Errors
    /// `InvalidInput` for more than [`MAX_FRAME_BYTES`] bytes, which no reader takes; else the system's.
    pub fn write(&mut self, time_ns: i64, wire_bytes: u32, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() > MAX_FRAME_BYTES {
            let reason = format!("frame of {} bytes, a capture file takes {MAX_FRAME_BYTES}", bytes.len());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        let (seconds, nanoseconds) = split_time(time_ns);
        let mut header = [0u8; 16];
        header[0..4].copy_from_slice(&seconds.to_le_bytes());
        header[4..8].copy_from_slice(&nanoseconds.to_le_bytes());
        header[8..12].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
        header[12..16].copy_from_slice(&wire_bytes.to_le_bytes());
        self.out.write_all(&header)?;
        self.out.write_all(bytes)?;
        self.frames += 1;
        Ok(())
    }

    /// Appends a frame of a block: `record` with the `bytes` it describes.
    ///
    /// # Errors
    /// `InvalidInput` when the record's link type is not the file's; else as [`PcapWriter::write`].
    pub fn write_frame(&mut self, record: &FrameRecord, bytes: &[u8]) -> io::Result<()> {
        if record.link != self.link {
            let reason = format!(
                "frame of link type {} into a file of link type {}",
                record.link.0, self.link.0
            );
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        self.write(record.time_ns, record.wire_bytes, bytes)
    }

    /// Frames written so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Writes out what is buffered and gives the output back.
    ///
    /// # Errors
    /// The system's, from writing.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        self.out.into_inner().map_err(io::IntoInnerError::into_error)
    }
}

/// Seconds and nanoseconds as the format holds them, saturating at both ends of its range.
fn split_time(time_ns: i64) -> (u32, u32) {
    if time_ns < 0 {
        return (0, 0);
    }
    match u32::try_from(time_ns / NS_PER_S) {
        Ok(seconds) => (seconds, (time_ns % NS_PER_S) as u32),
        Err(_) => (u32::MAX, NS_PER_S as u32 - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_the_format() {
        let mut writer = PcapWriter::new(Vec::new(), LinkType(113)).unwrap();
        writer.write(1_500_000_007, 9, &[0xaa, 0xbb]).unwrap();
        assert_eq!(writer.frames(), 1);
        let file = writer.finish().unwrap();
        assert_eq!(file[..8], [0x4d, 0x3c, 0xb2, 0xa1, 2, 0, 4, 0]);
        assert_eq!(file[16..24], [0, 0, 4, 0, 113, 0, 0, 0]);
        assert_eq!(file[24..32], [1, 0, 0, 0, 0x07, 0x65, 0xcd, 0x1d]);
        assert_eq!(file[32..], [2, 0, 0, 0, 9, 0, 0, 0, 0xaa, 0xbb]);
    }

    #[test]
    fn times_outside_the_format_saturate() {
        assert_eq!(split_time(-1), (0, 0));
        assert_eq!(split_time(i64::MIN), (0, 0));
        assert_eq!(split_time(i64::MAX), (u32::MAX, 999_999_999));
        assert_eq!(split_time(i64::from(u32::MAX) * NS_PER_S + 5), (u32::MAX, 5));
    }

    #[test]
    fn refuses_what_the_file_cannot_hold() {
        let mut writer = PcapWriter::new(Vec::new(), LinkType(1)).unwrap();
        assert!(writer.write(0, 0, &vec![0; MAX_FRAME_BYTES + 1]).is_err());
        let record = FrameRecord {
            time_ns: 0,
            offset: 0,
            captured: 1,
            wire_bytes: 1,
            link: LinkType(113),
            interface: 0,
        };
        let error = writer.write_frame(&record, &[0]).unwrap_err();
        assert_eq!(error.to_string(), "frame of link type 113 into a file of link type 1");
        assert_eq!(writer.frames(), 0);
    }
}

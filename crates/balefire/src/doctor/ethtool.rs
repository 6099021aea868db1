//! What a network interface's driver says of itself: rings, channels, coalescing, pause frames, offloads, the hash key.
//!
//! In: an interface's name. Out: the numbers, or the system's reason why there are none. Asked by generic netlink
//! (family `ethtool`, the kernel's `include/uapi/linux/ethtool_netlink.h`, kernel 5.6 and later), which needs no
//! right and, unlike the older ioctl, no unsafe code. Only `GET` is ever sent. Not its job: judging (`checks`).

use std::collections::BTreeSet;
use std::io;

use super::netlink::{Attributes, Family, attributes, find, number, text};

/// `ETHTOOL_MSG_*_GET`.
const FEATURES_GET: u8 = 11;
const RINGS_GET: u8 = 15;
const CHANNELS_GET: u8 = 17;
const COALESCE_GET: u8 = 19;
const PAUSE_GET: u8 = 21;
const RSS_GET: u8 = 38;

/// Every request begins with a header that names the interface.
const HEADER: u16 = 1;
const HEADER_DEV_NAME: u16 = 2;

/// A connection to the kernel for one interface.
#[derive(Debug)]
pub(super) struct Ethtool {
    family: Family,
    interface: String,
}

/// Descriptors of the receive ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rings {
    pub(super) now: u32,
    pub(super) most: u32,
}

/// Receive queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Channels {
    pub(super) now: u32,
    pub(super) most: u32,
    /// Queues receive and send (`combined`), or only receive (`rx`).
    pub(super) combined: bool,
}

/// When an interrupt is raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Coalescing {
    pub(super) delay_us: Option<u32>,
    pub(super) adaptive: bool,
}

/// Flow control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pause {
    pub(super) receives: bool,
    pub(super) sends: bool,
}

/// Offloads by their names in `ethtool -K`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Features {
    pub(super) active: BTreeSet<String>,
    /// Those that can be changed.
    pub(super) changeable: BTreeSet<String>,
}

impl Ethtool {
    pub(super) fn open(interface: &str) -> io::Result<Self> {
        let family = Family::open("ethtool")?;
        Ok(Self {
            family,
            interface: interface.to_owned(),
        })
    }

    pub(super) fn rings(&mut self) -> io::Result<Rings> {
        let reply = self.ask(RINGS_GET)?;
        let (now, most) = (number(&reply, 6), number(&reply, 2));
        let (now, most) = now.zip(most).ok_or_else(untold)?;
        Ok(Rings { now, most })
    }

    pub(super) fn channels(&mut self) -> io::Result<Channels> {
        let reply = self.ask(CHANNELS_GET)?;
        let of = |now, most| Some((number(&reply, now)?, number(&reply, most)?));
        let combined = of(9, 5).filter(|(_, most)| *most > 0);
        let (now, most) = combined.or_else(|| of(6, 2)).ok_or_else(untold)?;
        Ok(Channels {
            now,
            most,
            combined: combined.is_some(),
        })
    }

    pub(super) fn coalescing(&mut self) -> io::Result<Coalescing> {
        let reply = self.ask(COALESCE_GET)?;
        Ok(Coalescing {
            delay_us: number(&reply, 2),
            adaptive: number(&reply, 11) == Some(1),
        })
    }

    pub(super) fn pause(&mut self) -> io::Result<Pause> {
        let reply = self.ask(PAUSE_GET)?;
        let (receives, sends) = number(&reply, 3).zip(number(&reply, 4)).ok_or_else(untold)?;
        Ok(Pause {
            receives: receives == 1,
            sends: sends == 1,
        })
    }

    pub(super) fn features(&mut self) -> io::Result<Features> {
        let reply = self.ask(FEATURES_GET)?;
        let (changeable, active) = find(&reply, 2).zip(find(&reply, 4)).ok_or_else(untold)?;
        Ok(Features {
            active: set_bits(active),
            changeable: set_bits(changeable),
        })
    }

    /// The key of the hash that spreads flows over the receive queues.
    pub(super) fn hash_key(&mut self) -> io::Result<Vec<u8>> {
        let reply = self.ask(RSS_GET)?;
        find(&reply, 5).map(<[u8]>::to_vec).ok_or_else(untold)
    }

    fn ask(&mut self, command: u8) -> io::Result<Vec<u8>> {
        let mut header = Attributes::default();
        header.text(HEADER_DEV_NAME, &self.interface);
        let mut request = Attributes::default();
        request.nest(HEADER, &header);
        self.family.ask(command, &request)
    }
}

/// The same key for both directions of a flow: it repeats every 16 bits, so that the hash does not change when the two
/// addresses and the two ports change places (Woo and Park, "Scalable TCP Session Monitoring with Symmetric Receive-side
/// Scaling", 2012).
pub(super) fn is_symmetric(key: &[u8]) -> bool {
    key.len() > 2 && key.chunks(2).all(|pair| key.starts_with(pair))
}

/// Names of the bits that are set in a verbose bitset: all that are listed where it has no mask, those with a value else.
fn set_bits(bitset: &[u8]) -> BTreeSet<String> {
    const NO_MASK: u16 = 1;
    const BITS: u16 = 3;
    const BIT: u16 = 1;
    const BIT_NAME: u16 = 2;
    const BIT_VALUE: u16 = 3;
    let listed_are_set = find(bitset, NO_MASK).is_some();
    let bits = find(bitset, BITS).unwrap_or_default();
    let bits = attributes(bits).filter(|(kind, _)| *kind == BIT).map(|(_, bit)| bit);
    bits.filter(|bit| listed_are_set || find(bit, BIT_VALUE).is_some())
        .filter_map(|bit| find(bit, BIT_NAME).map(text))
        .collect()
}

fn untold() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "the driver does not say")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_repeat_are_symmetric() {
        assert!(is_symmetric(&[0x6d, 0x5a].repeat(20)));
        assert!(!is_symmetric(&[]));
        let microsofts = [0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b];
        assert!(!is_symmetric(&microsofts));
    }

    #[test]
    fn loopback_has_offloads_and_no_ring() {
        let mut loopback = match Ethtool::open("lo") {
            Ok(loopback) => loopback,
            // A kernel before 5.6, or a sandbox without netlink: doctor says so too.
            Err(error) => return assert!(!error.to_string().is_empty()),
        };
        let features = loopback.features().unwrap();
        assert!(features.active.contains("rx-gro"), "{features:?}");
        assert!(loopback.rings().is_err());
        assert!(Ethtool::open("balefire-none").unwrap().features().is_err());
    }
}

//! What a host may talk to: an address and port, or a name.
//!
//! In: endpoints or hashed names. Out: [`Destination`], the key of prevalence and, with a host, of timelines. Not its job:
//! hashing, tables.

use balefire_decode::{Address, Transport};

/// What the bits of a [`Destination`] are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Scope {
    /// An address, a port and a transport.
    Service,
    /// A name from SNI or an HTTP Host header, wherever it is served from.
    Name,
    /// The target of an HTTP CONNECT.
    ConnectTarget,
    /// A registered domain asked for in DNS.
    Domain,
}

/// A destination, 24 bytes. Names are held as their seeded hash: parts of several workers, which share the seed, can be
/// merged without carrying every name a host ever used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Destination {
    /// The address; or a name's hash in the upper half and in the lower that of the address it is reached through (0 = any).
    pub(crate) bits: u128,
    pub(crate) port: u16,
    /// IP protocol number; 0 for names.
    pub(crate) transport: u8,
    pub(crate) scope: Scope,
}

impl Destination {
    #[inline]
    pub(crate) fn service(address: Address, port: u16, transport: Transport) -> Self {
        Self {
            bits: address.bits(),
            port,
            transport: transport.0,
            scope: Scope::Service,
        }
    }

    /// Everything but the bits, packed for hashing.
    #[inline]
    pub(crate) fn tail(&self) -> u32 {
        (u32::from(self.port) << 16) | (u32::from(self.transport) << 8) | self.scope as u32
    }
}

/// Whether an address stands for many receivers or none: nobody is controlled from there.
/// IPv4 multicast RFC 5771, limited broadcast RFC 919, "this network" RFC 1122; IPv6 multicast RFC 4291.
#[inline]
pub(crate) fn is_group(address: Address) -> bool {
    let bits = address.bits();
    if address.is_v4() {
        let first_octet = (bits >> 24) as u8;
        first_octet >= 224 || first_octet == 0 || first_octet == 127
    } else {
        bits >> 120 == 0xff || bits <= 1
    }
}

/// Whether an inside address is probably the directed broadcast of its subnet. The prefix length is unknown; in
/// subnets of /24 and longer the last octet 255 is nearly always the broadcast address, and datagrams to it are discovery.
#[inline]
pub(crate) fn is_directed_broadcast(address: Address, transport: Transport) -> bool {
    transport == Transport::UDP && address.is_v4() && address.bits() as u8 == 255
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_no_servers() {
        for group in [
            "224.0.0.251",
            "239.255.255.250",
            "255.255.255.255",
            "ff02::fb",
            "0.0.0.0",
            "127.0.0.1",
            "::1",
            "::",
        ] {
            assert!(
                is_group(Address::from(group.parse::<std::net::IpAddr>().unwrap())),
                "{group}"
            );
        }
        for one in ["223.255.255.255", "1.0.0.1", "2001:db8::1", "fe80::1"] {
            assert!(
                !is_group(Address::from(one.parse::<std::net::IpAddr>().unwrap())),
                "{one}"
            );
        }
        assert!(is_directed_broadcast(Address::v4([192, 168, 1, 255]), Transport::UDP));
        assert!(!is_directed_broadcast(Address::v4([192, 168, 1, 255]), Transport::TCP));
    }

    #[test]
    fn a_destination_stays_small() {
        assert!(size_of::<Destination>() <= 32);
    }
}

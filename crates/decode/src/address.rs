//! One address type for both families: 16 bytes, IPv4 as `::ffff:a.b.c.d`, so that tables have one key shape.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IP address as 16 bytes in network order; IPv4 is held IPv4-mapped.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Address([u8; 16]);

impl Address {
    /// `::`, which stands for "none" where an address is optional.
    pub const UNSPECIFIED: Self = Self([0; 16]);

    /// From the four octets of an IPv4 header.
    #[inline]
    pub const fn v4(octets: [u8; 4]) -> Self {
        // Made as a number, in registers: sixteen single bytes in memory stall the hash that reads them next.
        Self((0xffff << 32 | u32::from_be_bytes(octets) as u128).to_be_bytes())
    }

    /// From the sixteen octets of an IPv6 header.
    #[inline]
    pub const fn v6(octets: [u8; 16]) -> Self {
        Self(octets)
    }

    /// The sixteen octets, in network order.
    #[inline]
    pub const fn octets(&self) -> &[u8; 16] {
        &self.0
    }

    /// The octets as one number, for hashing and prefix tests.
    #[inline]
    pub const fn bits(&self) -> u128 {
        u128::from_be_bytes(self.0)
    }

    /// Whether this is an IPv4 address.
    #[inline]
    pub const fn is_v4(&self) -> bool {
        (self.bits() >> 32) == 0xffff
    }

    /// The standard library's form; mapped addresses become IPv4.
    pub fn ip(&self) -> IpAddr {
        Ipv6Addr::from(self.0).to_canonical()
    }
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => ip.into(),
            IpAddr::V6(ip) => ip.into(),
        }
    }
}

impl From<Ipv4Addr> for Address {
    fn from(ip: Ipv4Addr) -> Self {
        Self::v4(ip.octets())
    }
}

impl From<Ipv6Addr> for Address {
    fn from(ip: Ipv6Addr) -> Self {
        Self::v6(ip.octets())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ip().fmt(f)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ip().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families_print_as_themselves() {
        assert_eq!(Address::v4([192, 0, 2, 1]).to_string(), "192.0.2.1");
        assert_eq!(Address::from(Ipv6Addr::LOCALHOST).to_string(), "::1");
        assert!(Address::v4([0, 0, 0, 0]).is_v4());
        assert!(!Address::UNSPECIFIED.is_v4());
    }
}

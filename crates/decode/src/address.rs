//! One address type for both families: 16 bytes, IPv4 as `::ffff:a.b.c.d`, so that tables have one key shape.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IP address in 16 bytes; IPv4 is held IPv4-mapped.
// The bytes are those of the number in the machine's own order: hashes, tables and comparisons take the number, many times for
// one time that somebody wants octets. An array of bytes and no `u128`, so that it needs no alignment in the tables' entries.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Address([u8; 16]);

impl Address {
    /// `::`, which stands for "none" where an address is optional.
    pub const UNSPECIFIED: Self = Self([0; 16]);

    /// From the four octets of an IPv4 header.
    #[inline]
    pub const fn v4(octets: [u8; 4]) -> Self {
        Self::of_bits(0xffff << 32 | u32::from_be_bytes(octets) as u128)
    }

    /// From the sixteen octets of an IPv6 header.
    #[inline]
    pub const fn v6(octets: [u8; 16]) -> Self {
        Self::of_bits(u128::from_be_bytes(octets))
    }

    /// From the number that [`Address::bits`] gives.
    #[inline]
    pub const fn of_bits(bits: u128) -> Self {
        Self(bits.to_ne_bytes())
    }

    /// The sixteen octets, in network order.
    #[inline]
    pub const fn octets(&self) -> [u8; 16] {
        self.bits().to_be_bytes()
    }

    /// The octets as one number, the first one highest.
    #[inline]
    pub const fn bits(&self) -> u128 {
        u128::from_ne_bytes(self.0)
    }

    /// Whether this is an IPv4 address.
    #[inline]
    pub const fn is_v4(&self) -> bool {
        (self.bits() >> 32) == 0xffff
    }

    /// The standard library's form; mapped addresses become IPv4.
    pub fn ip(&self) -> IpAddr {
        Ipv6Addr::from(self.bits()).to_canonical()
    }
}

impl Default for Address {
    fn default() -> Self {
        Self::UNSPECIFIED
    }
}

/// As the octets are ordered.
impl Ord for Address {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        self.bits().cmp(&other.bits())
    }
}

impl PartialOrd for Address {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for Address {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(self.bits());
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
    fn the_order_is_that_of_the_octets() {
        let ascending = [
            Address::UNSPECIFIED,
            Address::v4([0, 0, 0, 1]),
            Address::v4([9, 255, 255, 255]),
            Address::v4([10, 0, 0, 1]),
            Address::from(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
            Address::from(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 1, 0)),
        ];
        assert!(ascending.is_sorted_by(|a, b| a < b));
        assert!(ascending.is_sorted_by(|a, b| a.octets() < b.octets()));
        assert_eq!(Address::v6(ascending[4].octets()), ascending[4]);
    }

    #[test]
    fn both_families_print_as_themselves() {
        assert_eq!(Address::v4([192, 0, 2, 1]).to_string(), "192.0.2.1");
        assert_eq!(Address::from(Ipv6Addr::LOCALHOST).to_string(), "::1");
        assert!(Address::v4([0, 0, 0, 0]).is_v4());
        assert!(!Address::UNSPECIFIED.is_v4());
    }
}

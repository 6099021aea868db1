//! Which addresses are inside: decides who of two ends is the host and who may be the control server.
//!
//! In: the configured networks. Out: a [`Role`] per conversation. Both the dispatcher and the detector ask here, so they
//! can never disagree.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use balefire_decode::Address;

/// Who is who in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The originator is inside, the responder outside: the case this program exists for.
    Outbound,
    /// The originator is outside, the responder inside.
    Inbound,
    /// Both ends are inside.
    Internal,
    /// Both ends are outside: a tap on a transit link. The originator is taken as the host.
    Transit,
}

/// A network in CIDR form, over 128-bit addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    bits: u128,
    mask: u128,
}

/// The text is no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is no network: write an address with a prefix length, as 192.0.2.0/24 or 2001:db8::/32")]
pub struct NetworkError {
    /// As given.
    pub text: String,
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || NetworkError { text: text.to_owned() };
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u32>().map_err(|_| error())?)),
            None => (text, None),
        };
        let ip: IpAddr = address.trim().parse().map_err(|_| error())?;
        let longest = if ip.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(longest);
        if prefix > longest {
            return Err(error());
        }
        let host_bits = longest - prefix;
        let mask = if host_bits == 128 { 0 } else { u128::MAX << host_bits };
        Ok(Self {
            bits: Address::from(ip).bits() & mask,
            mask,
        })
    }
}

/// The addresses that stand for IPv4: `::ffff:0:0/96`, RFC 4291 section 2.5.5.2.
const MAPPED: u128 = 0xffff_0000_0000;

/// What is known of an address from its first octet alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Octet {
    /// Every address that begins with it is outside.
    Outside,
    /// Every one is inside.
    Inside,
    /// The networks decide.
    Either,
}

/// The networks behind the tap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// As configured, for people.
    networks: Vec<Network>,
    /// By the first octet of an IPv4 address, and of an IPv6 address: asked several times per connection, and nearly always
    /// enough.
    by_octet: [Box<[Octet; 256]>; 2],
}

impl Home {
    /// Private, shared, link-local and unique-local ranges: RFC 1918, RFC 6598, RFC 3927, RFC 4193, RFC 4291.
    pub const DEFAULT_NETWORKS: &'static [&'static str] = &[
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "fc00::/7",
        "fe80::/10",
    ];

    /// From texts in CIDR form.
    ///
    /// # Errors
    /// The first text that is no network.
    pub fn parse<'a>(networks: impl IntoIterator<Item = &'a str>) -> Result<Self, NetworkError> {
        let networks = networks.into_iter().map(str::parse).collect::<Result<_, _>>()?;
        Ok(Self::of(networks))
    }

    fn of(networks: Vec<Network>) -> Self {
        let of = |lowest: u128, highest: u128| {
            let has = |network: &Network, bits: u128| bits & network.mask == network.bits;
            // A network either has both ends of the octet's range and so all of it, or lies within it, or outside.
            if networks
                .iter()
                .any(|network| has(network, lowest) && has(network, highest))
            {
                Octet::Inside
            } else if networks
                .iter()
                .any(|network| (lowest..=highest).contains(&network.bits))
            {
                Octet::Either
            } else {
                Octet::Outside
            }
        };
        let ipv4 = |octet: u128| of(MAPPED | octet << 24, MAPPED | octet << 24 | 0xff_ffff);
        let ipv6 = |octet: u128| match octet {
            // The mapped addresses lie within.
            0 => Octet::Either,
            _ => of(octet << 120, (octet << 120) | ((1 << 120) - 1)),
        };
        let by_octet = [
            Box::new(std::array::from_fn(|octet| ipv4(octet as u128))),
            Box::new(std::array::from_fn(|octet| ipv6(octet as u128))),
        ];
        Self { networks, by_octet }
    }

    /// Whether the address is inside.
    #[inline]
    pub fn contains(&self, address: Address) -> bool {
        let bits = address.bits();
        let octet = if bits >> 32 == MAPPED >> 32 {
            self.by_octet[0][(bits >> 24) as usize & 0xff]
        } else {
            self.by_octet[1][(bits >> 120) as usize]
        };
        match octet {
            Octet::Outside => false,
            Octet::Inside => true,
            Octet::Either => self.networks.iter().any(|network| bits & network.mask == network.bits),
        }
    }

    /// Who is who between an originator and a responder.
    #[inline]
    pub fn role(&self, originator: Address, responder: Address) -> Role {
        match (self.contains(originator), self.contains(responder)) {
            (true, false) => Role::Outbound,
            (false, true) => Role::Inbound,
            (true, true) => Role::Internal,
            (false, false) => Role::Transit,
        }
    }
}

impl Default for Home {
    fn default() -> Self {
        Self::parse(Self::DEFAULT_NETWORKS.iter().copied()).unwrap_or_else(|_| Self::of(Vec::new()))
    }
}

impl fmt::Display for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, network) in self.networks.iter().enumerate() {
            let v4 = network.mask.leading_ones() >= 96 && Address::of_bits(network.bits).is_v4();
            let prefix = network.mask.leading_ones() - if v4 { 96 } else { 0 };
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{}/{prefix}", Address::of_bits(network.bits))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The first octet is a shortcut, never another answer: of addresses near the edges of networks of any length.
        #[test]
        fn the_shortcut_agrees_with_the_networks(
            networks in prop::collection::vec((any::<u128>(), 0_u32..=128, any::<bool>()), 0..6),
            near in 0_usize..6,
            off in -2_i128..=2,
            any in any::<u128>(),
        ) {
            let texts: Vec<String> = networks.iter().map(|&(bits, prefix, v4)| match v4 {
                true => format!("{}/{}", std::net::Ipv4Addr::from(bits as u32), prefix % 33),
                false => format!("{}/{prefix}", std::net::Ipv6Addr::from(bits)),
            }).collect();
            let home = Home::parse(texts.iter().map(String::as_str)).unwrap();
            let edge = home.networks.get(near).map_or(any, |network| [network.bits, network.bits | !network.mask][near % 2]);
            for bits in [edge.wrapping_add_signed(off), any, MAPPED | any & 0xffff_ffff] {
                let expected = home.networks.iter().any(|network| bits & network.mask == network.bits);
                prop_assert_eq!(home.contains(Address::of_bits(bits)), expected);
            }
        }
    }

    #[test]
    fn an_address_is_inside_if_a_network_holds_it() {
        let texts = [
            "10.0.0.0/8",
            "10.1.0.0/16",
            "10.255.255.255",
            "11.0.0.0/32",
            "2001:db8::/32",
            "2001:db8:1::/48",
            "::/128",
        ];
        let home = Home::parse(texts).unwrap();
        let edges = home.networks.iter().flat_map(|net| [net.bits, net.bits | !net.mask]);
        let around = edges.flat_map(|edge| [edge.wrapping_sub(1), edge, edge.wrapping_add(1)]);
        for bits in around.chain([0, 1, u128::MAX]) {
            let address = Address::of_bits(bits);
            let expected = home.networks.iter().any(|net| bits & net.mask == net.bits);
            assert_eq!(home.contains(address), expected, "{address}");
        }
        assert!(
            Home::parse(["0.0.0.0/0", "::/0"])
                .unwrap()
                .contains(Address::v6([0xff; 16]))
        );
        assert!(!Home::parse([]).unwrap().contains(Address::v4([10, 0, 0, 1])));
    }

    #[test]
    fn default_ranges_print_as_written() {
        assert_eq!(Home::default().to_string(), Home::DEFAULT_NETWORKS.join(","));
    }

    #[test]
    fn roles() {
        let home = Home::default();
        let inside = Address::v4([10, 1, 2, 3]);
        let outside = Address::v4([192, 0, 2, 1]);
        assert_eq!(home.role(inside, outside), Role::Outbound);
        assert_eq!(home.role(outside, inside), Role::Inbound);
        assert_eq!(home.role(inside, inside), Role::Internal);
        assert_eq!(home.role(outside, outside), Role::Transit);
        assert!(Home::parse(["10.0.0.0/33"]).is_err());
        assert!(
            Home::parse(["0.0.0.0/0"]).is_ok_and(|all| all.contains(outside) && !all.contains(Address::UNSPECIFIED))
        );
        assert!(Home::parse(["::/0"]).is_ok_and(|all| all.contains(outside)));
    }
}

//! Why a frame did not become a packet: one reason each, dense numbers so that a counter is an array index.

/// Why a frame did not become a [`crate::Packet`]. Every frame that is not decoded has exactly one, in the order of the layers.
///
/// `reject as usize` is below [`Reject::COUNT`], so counters are a plain array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Reject {
    /// A good frame of another protocol: ARP, LLDP, spanning tree, a wireless management frame.
    NotIp,
    /// A link type this program does not read.
    LinkUnsupported,
    /// The link layer's payload is encrypted (802.11 with its protected bit, MACsec).
    LinkEncrypted,
    /// The capture ends inside the headers before the IP header.
    LinkCut,
    /// A link-layer header contradicts itself.
    LinkMalformed,
    /// More tags, labels and link headers than [`crate::MAX_LINK_HEADERS`].
    LinkTooDeep,
    /// Announced as IP, but the version is neither 4 nor 6.
    IpVersion,
    /// The capture ends inside the IP header.
    IpHeaderCut,
    /// The IP header's own length is below its minimum.
    IpHeaderLength,
    /// The IP packet's length is below its header's.
    IpLength,
    /// The capture, or the packet, ends inside an extension header.
    ExtensionCut,
    /// An extension header contradicts itself.
    ExtensionMalformed,
    /// More extension headers than [`crate::MAX_EXTENSION_HEADERS`].
    ExtensionsTooMany,
    /// The capture ends before the ports.
    TransportCut,
    /// The transport header is shorter than its minimum, or longer than the packet.
    TransportMalformed,
    /// More tunnels inside one another than [`crate::MAX_TUNNELS`].
    TunnelTooDeep,
}

impl Reject {
    /// Every reason, in the order of the layers.
    pub const ALL: &'static [Self] = &[
        Self::NotIp,
        Self::LinkUnsupported,
        Self::LinkEncrypted,
        Self::LinkCut,
        Self::LinkMalformed,
        Self::LinkTooDeep,
        Self::IpVersion,
        Self::IpHeaderCut,
        Self::IpHeaderLength,
        Self::IpLength,
        Self::ExtensionCut,
        Self::ExtensionMalformed,
        Self::ExtensionsTooMany,
        Self::TransportCut,
        Self::TransportMalformed,
        Self::TunnelTooDeep,
    ];

    /// How many reasons there are: the length of an array of counters indexed by `reject as usize`.
    pub const COUNT: usize = Self::ALL.len();

    /// The counter's name in exports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotIp => "not_ip",
            Self::LinkUnsupported => "link_unsupported",
            Self::LinkEncrypted => "link_encrypted",
            Self::LinkCut => "link_cut",
            Self::LinkMalformed => "link_malformed",
            Self::LinkTooDeep => "link_too_deep",
            Self::IpVersion => "ip_version",
            Self::IpHeaderCut => "ip_header_cut",
            Self::IpHeaderLength => "ip_header_length",
            Self::IpLength => "ip_length",
            Self::ExtensionCut => "extension_cut",
            Self::ExtensionMalformed => "extension_malformed",
            Self::ExtensionsTooMany => "extensions_too_many",
            Self::TransportCut => "transport_cut",
            Self::TransportMalformed => "transport_malformed",
            Self::TunnelTooDeep => "tunnel_too_deep",
        }
    }

    /// The layer that refused: `link`, `ip`, `transport` or `tunnel`.
    pub const fn layer(self) -> &'static str {
        match self {
            Self::NotIp
            | Self::LinkUnsupported
            | Self::LinkEncrypted
            | Self::LinkCut
            | Self::LinkMalformed
            | Self::LinkTooDeep => "link",
            Self::IpVersion
            | Self::IpHeaderCut
            | Self::IpHeaderLength
            | Self::IpLength
            | Self::ExtensionCut
            | Self::ExtensionMalformed
            | Self::ExtensionsTooMany => "ip",
            Self::TransportCut | Self::TransportMalformed => "transport",
            Self::TunnelTooDeep => "tunnel",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_reason_is_its_own_index() {
        for (index, &reject) in Reject::ALL.iter().enumerate() {
            assert_eq!(reject as usize, index, "{reject:?}");
        }
    }

    #[test]
    fn names_are_distinct() {
        let names: HashSet<_> = Reject::ALL.iter().map(|reject| reject.name()).collect();
        assert_eq!(names.len(), Reject::COUNT);
    }
}

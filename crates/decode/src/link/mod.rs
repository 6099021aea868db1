//! From the first byte of a frame to its IP header: which family reads which link type, and the walk through them.
//!
//! In: a frame's [`Span`]. Out: the span of the IP header, or why there is none. Not its job: IP itself, and the tunnels
//! that run over IP (those come back here for the link layer they carry).

mod cooked;
mod ethernet;
mod ppp;
mod wifi;

use crate::span::Span;
use crate::{LinkType, Reject};

/// The most link headers, tags and label stacks before the IP header of one conversation. Real frames have up to
/// about six (provider bridge, label stack, pseudowire, customer tags); more is a mistake or an attack.
pub const MAX_LINK_HEADERS: usize = 32;

/// What the bytes at a [`Next`] are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layer {
    /// A frame of this link type.
    Link(LinkType),
    /// What an EtherType announces; the type itself is behind us.
    EtherType(u16),
    /// An Ethernet destination, source and type or length.
    Ethernet,
    /// An 802.2 header.
    Llc,
    /// MPLS labels.
    Mpls,
    /// A PPP frame, address and control bytes optional.
    Ppp,
    /// Cisco HDLC.
    CiscoHdlc,
    /// A frame relay address and what follows.
    FrameRelay,
    /// An 802.11 frame.
    Dot11,
    /// An IP header, the version decides which.
    Ip,
    /// An IP header announced as IPv4. It is read as its version says; only counting minds the announcement.
    Ip4,
    /// An IP header announced as IPv6, likewise.
    Ip6,
}

/// The next header and where it begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Next<'a> {
    pub(crate) layer: Layer,
    pub(crate) span: Span<'a>,
}

impl<'a> Next<'a> {
    pub(crate) fn new(layer: Layer, span: Span<'a>) -> Self {
        Self { layer, span }
    }
}

/// Walks to the IP header: what comes back is one of the IP layers.
pub(crate) fn walk_to_ip(mut next: Next<'_>) -> Result<Next<'_>, Reject> {
    for _ in 0..=MAX_LINK_HEADERS {
        let span = next.span;
        next = match next.layer {
            Layer::Ip | Layer::Ip4 | Layer::Ip6 => return Ok(next),
            Layer::Link(link) => first_header(link, span)?,
            Layer::EtherType(ether_type) => ethernet::announced(ether_type, span)?,
            Layer::Ethernet => ethernet::header(span)?,
            Layer::Llc => ethernet::llc(span)?,
            Layer::Mpls => ethernet::mpls(span)?,
            Layer::Ppp => ppp::frame(span)?,
            Layer::CiscoHdlc => ppp::cisco_hdlc(span)?,
            Layer::FrameRelay => ppp::frame_relay(span)?,
            Layer::Dot11 => wifi::frame(span, 0)?,
        };
    }
    Err(Reject::LinkTooDeep)
}

/// The header a link type begins with. Numbers and layouts: <https://www.tcpdump.org/linktypes.html>.
fn first_header(link: LinkType, span: Span<'_>) -> Result<Next<'_>, Reject> {
    let plain = |layer| Ok(Next::new(layer, span));
    match link.0 {
        0 => cooked::null(span),
        1 => plain(Layer::Ethernet),
        6 => cooked::token_ring(span),
        7 => cooked::arcnet(span, 2),
        8 => ppp::slip(span),
        9 | 50 => plain(Layer::Ppp),
        10 => cooked::fddi(span),
        // RAW has the number 101 in files; 12 and 14 are what some systems wrote for it.
        12 | 14 | 101 => plain(Layer::Ip),
        228 => plain(Layer::Ip4),
        229 => plain(Layer::Ip6),
        51 => ppp::pppoe(span),
        100 => plain(Layer::Llc),
        104 => plain(Layer::CiscoHdlc),
        105 => plain(Layer::Dot11),
        107 => plain(Layer::FrameRelay),
        108 => cooked::open_bsd_loop(span),
        113 => cooked::linux_sll(span),
        119 => wifi::prism(span),
        123 => cooked::sun_atm(span),
        127 => wifi::radiotap(span),
        129 => cooked::arcnet(span, 4),
        163 => wifi::avs(span),
        178..=181 => cooked::juniper(link.0, span),
        182 => ppp::multilink_frame_relay(span),
        192 => wifi::per_packet_information(span),
        204 => Ok(Next::new(Layer::Ppp, span.skip(1)?)),
        205 => Ok(Next::new(Layer::CiscoHdlc, span.skip(1)?)),
        206 => Ok(Next::new(Layer::FrameRelay, span.skip(1)?)),
        226 => cooked::ipnet(span),
        239 => cooked::netfilter_log(span),
        242 => cooked::ip_over_infiniband(span),
        // Apple writes PKTAP as the user-defined type 149 in pcap files, and 258 in pcapng.
        149 | 258 => cooked::pktap(span),
        276 => cooked::linux_sll2(span),
        // Switch tags of Linux DSA: between the addresses and the type (Broadcom, Marvell), or in front.
        281 | 284 => ethernet::tagged(span, 4),
        282 => Ok(Next::new(Layer::Ethernet, span.skip(4)?)),
        285 => ethernet::tagged(span, 8),
        _ => Err(Reject::LinkUnsupported),
    }
}

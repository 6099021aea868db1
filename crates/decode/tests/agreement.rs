//! The fast path, the honest path and the peek must agree on every frame: random bytes, sane frames, sane frames damaged.

mod support;

use balefire_decode::{Frame, LinkType, decode_fast};
use proptest::collection::vec;
use proptest::prelude::*;

use support::check::{check, frame_of};
use support::{ethernet, inner_4, inner_6, ipv4, ipv4_fragment, ipv6, tcp, udp, vlan, whole};

/// An IP payload the decoder cares for.
fn transport() -> impl Strategy<Value = (u8, Vec<u8>)> {
    let payload = || vec(any::<u8>(), 0..40);
    prop_oneof![
        (any::<u16>(), any::<u16>(), payload()).prop_map(|(src, dst, inside)| (6, tcp(src, dst, &inside))),
        (any::<u16>(), any::<u16>(), payload()).prop_map(|(src, dst, inside)| (17, udp(src, dst, &inside))),
        (any::<bool>(), payload()).prop_map(|(echo, inside)| (1, [&[if echo { 8 } else { 3 }], &*inside].concat())),
        tunnel_port().prop_map(|port| (
            17,
            udp(
                40000,
                port,
                &[&[8, 0, 0, 0, 0, 0, 1, 0], &*ethernet(0x0800, &inner_4())].concat()
            )
        )),
        Just((47, [&[0, 0, 8, 0], &*inner_4()].concat())),
        Just((41, inner_6())),
        (any::<u8>(), payload()),
    ]
}

fn tunnel_port() -> impl Strategy<Value = u16> {
    proptest::sample::select(vec![4789, 8472, 4790, 6081, 2152, 3544, 1701, 6635, 4754])
}

fn ip() -> impl Strategy<Value = (u16, Vec<u8>)> {
    prop_oneof![
        transport().prop_map(|(protocol, inside)| (0x0800, ipv4(1, protocol, &inside))),
        (transport(), any::<u16>())
            .prop_map(|((protocol, inside), field)| (0x0800, ipv4_fragment(1, protocol, field, &inside))),
        transport().prop_map(|(next, inside)| (0x86dd, ipv6(1, next, &inside))),
    ]
}

/// A sane Ethernet frame with up to three tags and up to 20 bytes of padding.
fn sane() -> impl Strategy<Value = Vec<u8>> {
    (ip(), 0..4_usize, 0..20_usize).prop_map(|((ether_type, ip), tags, padding)| {
        let mut announced = (ether_type, ip);
        for _ in 0..tags {
            announced = (0x8100, vlan(announced.0, &announced.1));
        }
        let mut frame = ethernet(announced.0, &announced.1);
        frame.resize(frame.len() + padding, 0);
        frame
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn on_sane_frames(frame in sane()) {
        check(whole(LinkType::ETHERNET, &frame));
    }

    #[test]
    fn on_damaged_frames(
        mut frame in sane(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        kept in any::<prop::sample::Index>(),
        cut in any::<bool>(),
        wire_bytes in 0..200_u32,
    ) {
        for (place, value) in damage {
            let place = place.index(frame.len().min(64));
            frame[place] = value;
        }
        let bytes = if cut { &frame[..kept.index(frame.len())] } else { &frame[..] };
        check(Frame { link: LinkType::ETHERNET, bytes, wire_bytes });
    }

    #[test]
    fn on_any_bytes_of_any_link_type(input in vec(any::<u8>(), 4..200), link in 0..300_u16) {
        let input = [link.to_le_bytes().as_slice(), &input].concat();
        check(frame_of(&input).unwrap());
    }
}

/// The fast path must answer the plain case, or every other test here would pass with an empty one.
#[test]
fn the_fast_path_answers_the_plain_case() {
    for (ether_type, ip) in [
        (0x0800, ipv4(1, 6, &tcp(40000, 443, b"GET /"))),
        (0x0800, ipv4(1, 17, &udp(40000, 53, b"query"))),
        (0x86dd, ipv6(1, 6, &tcp(40000, 443, b""))),
        (0x86dd, ipv6(1, 17, &udp(40000, 53, b"query"))),
    ] {
        let plain = ethernet(ether_type, &ip);
        let tagged = ethernet(0x8100, &vlan(ether_type, &ip));
        let twice = ethernet(0x88a8, &vlan(0x8100, &vlan(ether_type, &ip)));
        for frame in [plain, tagged, twice] {
            assert!(decode_fast(whole(LinkType::ETHERNET, &frame)).is_some(), "{frame:02x?}");
        }
    }
}

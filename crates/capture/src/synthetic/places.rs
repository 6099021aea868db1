//! Addresses for synthetic servers, by country.
//!
//! In: a country code and a number. Out: an address that the registries' published statistics assign to that country.
//! Not its job: saying anything of who is there.
//!
//! The blocks are arbitrary examples: for each country the middle one of the whole /16 (IPv6: one of the first /32) that
//! the registries' delegated statistics give it. Nothing is claimed of their holders, and no packet is ever sent to
//! them: these addresses only appear in files. A test looks every block up again.

use balefire_decode::Address;

use super::random::split_mix;

/// Country code, the first two octets of an IPv4 /16, the first two groups of an IPv6 /32.
type Place = ([u8; 2], [u8; 2], [u16; 2]);

const PLACES: &[Place] = &[
    (*b"AR", [186, 60], [0x2001, 0x1318]),
    (*b"AU", [124, 179], [0x2001, 0x0388]),
    (*b"BG", [92, 247], [0x2001, 0x1ac8]),
    (*b"BR", [187, 46], [0x2001, 0x1284]),
    (*b"CA", [142, 50], [0x2001, 0x0410]),
    (*b"CL", [186, 79], [0x2001, 0x1310]),
    (*b"CN", [116, 230], [0x2001, 0x0250]),
    (*b"DE", [89, 1], [0x2001, 0x0638]),
    (*b"EG", [154, 188], [0x2001, 0x4220]),
    (*b"ES", [85, 61], [0x2001, 0x0720]),
    (*b"FR", [90, 47], [0x2001, 0x0660]),
    (*b"GB", [86, 6], [0x2001, 0x0630]),
    (*b"HK", [146, 101], [0x2001, 0x0ce0]),
    (*b"ID", [110, 139], [0x2001, 0x0d10]),
    (*b"IL", [89, 138], [0x2001, 0x0bf8]),
    (*b"IN", [117, 217], [0x2001, 0x0ca8]),
    (*b"IR", [5, 216], [0x2001, 0x14e8]),
    (*b"IT", [91, 81], [0x2001, 0x0750]),
    (*b"JP", [133, 190], [0x2001, 0x0200]),
    (*b"KE", [154, 78], [0x2001, 0x4358]),
    (*b"KR", [122, 35], [0x2001, 0x0220]),
    (*b"MX", [189, 128], [0x2001, 0x1200]),
    (*b"NG", [105, 118], [0x2001, 0x4270]),
    (*b"NL", [145, 22], [0x2001, 0x0600]),
    (*b"PL", [83, 238], [0x2001, 0x06a0]),
    (*b"RO", [88, 158], [0x2001, 0x0b30]),
    (*b"RU", [95, 26], [0x2001, 0x0640]),
    (*b"SE", [95, 196], [0x2001, 0x06b0]),
    (*b"SG", [43, 99], [0x2001, 0x0c10]),
    (*b"TH", [124, 122], [0x2001, 0x03c8]),
    (*b"TR", [88, 246], [0x2001, 0x0a98]),
    (*b"TW", [120, 107], [0x2001, 0x0288]),
    (*b"UA", [92, 112], [0x2001, 0x3840]),
    (*b"US", [73, 219], [0x2001, 0x0400]),
    (*b"VN", [113, 173], [0x2001, 0x0ee0]),
    (*b"ZA", [152, 109], [0x2001, 0x4200]),
];

/// How many servers the documentation ranges of RFC 5737 hold, without their first and last addresses.
const DOCUMENTED: u64 = 3 * 254;

/// The last of these are kept for services; the others are for sites.
const SERVICES: u64 = 62;

/// An address registered in `country`; the same number gives the same address. `None` for a country without a block here.
pub(super) fn in_country(country: [u8; 2], number: u64, v6: bool) -> Option<Address> {
    let place = PLACES.iter().find(|place| place.0 == country)?;
    Some(in_place(place, number, v6))
}

/// The codes of all countries that [`in_country`] knows, in order.
pub(super) fn countries() -> impl Iterator<Item = &'static str> {
    PLACES.iter().map(|place| std::str::from_utf8(&place.0).unwrap_or("--"))
}

/// The address of innocent service `number`, always in a documentation range.
pub(super) fn of_service(number: u64, v6: bool) -> Address {
    documented(DOCUMENTED - SERVICES + number % SERVICES, v6)
}

/// The address of innocent site `number`: the first ones are in the documentation ranges, the many of a large scenario
/// in blocks of all countries.
pub(super) fn of_site(number: u64, v6: bool) -> Address {
    if v6 || number < DOCUMENTED - SERVICES {
        return documented(number, v6);
    }
    in_place(
        &PLACES[(split_mix(number) % PLACES.len() as u64) as usize],
        number,
        false,
    )
}

/// 2001:db8::/32 (RFC 3849) holds any number, the three IPv4 ranges hold [`DOCUMENTED`].
fn documented(number: u64, v6: bool) -> Address {
    if v6 {
        let mut octets = [0; 16];
        octets[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
        octets[8..].copy_from_slice(&split_mix(number).to_be_bytes());
        return Address::v6(octets);
    }
    let last = (number % 254 + 1) as u8;
    match number / 254 {
        0 => Address::v4([192, 0, 2, last]),
        1 => Address::v4([198, 51, 100, last]),
        _ => Address::v4([203, 0, 113, last]),
    }
}

fn in_place(place: &Place, number: u64, v6: bool) -> Address {
    let mixed = split_mix(number ^ 0x0073_6572_7665_7273);
    let [.., high, low] = mixed.to_be_bytes();
    if v6 {
        let mut octets = [0; 16];
        octets[..2].copy_from_slice(&place.2[0].to_be_bytes());
        octets[2..4].copy_from_slice(&place.2[1].to_be_bytes());
        octets[8..].copy_from_slice(&mixed.to_be_bytes());
        return Address::v6(octets);
    }
    // Never .0 or .255: in a /24 these are the network and its broadcast address.
    Address::v4([place.1[0], place.1[1], high, low % 254 + 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_is_registered_where_it_says() {
        for place in PLACES {
            let code = std::str::from_utf8(&place.0).unwrap();
            for number in 0..200 {
                for v6 in [false, true] {
                    let address = in_country(place.0, number, v6).unwrap();
                    assert_eq!(iptocc::country_code(address.ip()), Some(code), "{address}");
                }
            }
        }
    }

    #[test]
    fn sites_do_not_share_addresses_within_the_documentation_ranges() {
        let sites = (0..DOCUMENTED - SERVICES).map(|number| of_site(number, false));
        let mut seen: Vec<_> = sites
            .chain((0..SERVICES).map(|number| of_service(number, false)))
            .collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len() as u64, DOCUMENTED);
        assert!(in_country(*b"ZZ", 0, false).is_none());
    }
}

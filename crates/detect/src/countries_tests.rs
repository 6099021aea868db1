//! Country look-up, on a small database made here.

use super::*;

fn v4(a: u8, b: u8, c: u8, d: u8) -> Address {
    Address::v4([a, b, c, d])
}

/// A MaxMind DB of one node for IPv4: addresses below 128.0.0.0 have the record, the rest have none. Written after the
/// specification at <https://maxmind.github.io/MaxMind-DB/>, version 2.0.
fn database(record: &[u8]) -> Vec<u8> {
    const NODES: u32 = 1;
    let mut bytes = Vec::new();
    // The left record points 16 bytes of separator behind the tree: the first byte of data. The right one is "not found".
    bytes.extend_from_slice(&(NODES + 16).to_be_bytes()[1..]);
    bytes.extend_from_slice(&NODES.to_be_bytes()[1..]);
    bytes.extend_from_slice(&[0; 16]);
    bytes.extend_from_slice(record);
    bytes.extend_from_slice(b"\xab\xcd\xefMaxMind.com");
    let fields: &[(&str, Vec<u8>)] = &[
        ("binary_format_major_version", vec![0xa1, 2]),
        ("binary_format_minor_version", vec![0xa0]),
        // 2026-03-01, an unsigned 64-bit integer (extended type 9).
        (
            "build_epoch",
            [&[0x04, 0x02][..], &1_772_323_200_u32.to_be_bytes()].concat(),
        ),
        ("database_type", text("Test-Country")),
        ("description", vec![0xe0]),
        ("ip_version", vec![0xa1, 4]),
        ("languages", vec![0x00, 0x04]),
        ("node_count", vec![0xc1, NODES as u8]),
        ("record_size", vec![0xa1, 24]),
    ];
    bytes.push(0xe0 | fields.len() as u8);
    for (name, value) in fields {
        bytes.extend(text(name));
        bytes.extend_from_slice(value);
    }
    bytes
}

fn text(text: &str) -> Vec<u8> {
    assert!(text.len() < 29);
    [&[0x40 | text.len() as u8], text.as_bytes()].concat()
}

fn map(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = vec![0xe0 | entries.len() as u8];
    for (key, value) in entries {
        bytes.extend(text(key));
        bytes.extend_from_slice(value);
    }
    bytes
}

#[test]
fn both_shapes_are_read() {
    let nested = map(&[("country", map(&[("iso_code", text("NL"))]))]);
    let registered = map(&[("registered_country", map(&[("iso_code", text("NL"))]))]);
    for record in [
        nested,
        registered,
        map(&[("country_code", text("nl"))]),
        map(&[("country", text("NL"))]),
    ] {
        let countries = Countries::from_mmdb("test.mmdb", database(&record)).unwrap();
        assert_eq!(countries.country(v4(9, 9, 9, 9)), Country(*b"NL"));
        assert_eq!(countries.country(v4(200, 0, 0, 1)), Country::UNKNOWN);
        assert_eq!(
            countries.country(Address::from(std::net::Ipv6Addr::LOCALHOST)),
            Country::UNKNOWN
        );
        assert_eq!(countries.source().date, "2026-03-01");
        assert_eq!(countries.source().name, "test.mmdb (Test-Country)");
    }
}

#[test]
fn damaged_and_unfit_files_say_what_is_wrong() {
    let whole = database(&map(&[("country_code", text("NL"))]));
    for length in 0..whole.len() {
        if let Err(error) = Countries::from_mmdb("cut.mmdb", whole[..length].to_vec()) {
            assert!(error.to_string().starts_with("cut.mmdb: "), "{error}");
        } else {
            panic!("{length} of {} bytes were accepted", whole.len());
        }
    }
    let cities = database(&map(&[("city", text("Utrecht"))]));
    let error = Countries::from_mmdb("city.mmdb", cities).unwrap_err().to_string();
    assert!(
        error.contains("Test-Country") && error.contains("country_code"),
        "{error}"
    );
    assert!(Countries::from_mmdb("no.mmdb", b"not a database".to_vec()).is_err());
}

#[test]
fn a_code_that_is_none_is_unknown() {
    for odd in ["N", "NLD", "", "1A", "\u{202e}"] {
        assert_eq!(country_of(odd), Country::UNKNOWN);
    }
}

#[test]
fn the_embedded_data_knows_well_known_networks() {
    let countries = Countries::embedded();
    assert_eq!(countries.country(v4(8, 8, 8, 8)), Country(*b"US"));
    assert_eq!(countries.country(v4(10, 0, 0, 1)), Country::UNKNOWN);
    assert!(EMBEDDED_NOTICE.contains(EMBEDDED_NAME));
}

#[test]
fn dates() {
    assert_eq!(civil_date(0), "1970-01-01");
    assert_eq!(civil_date(951_782_400), "2000-02-29");
    assert_eq!(civil_date(4_102_444_799), "2099-12-31");
    assert!(!civil_date(u64::MAX).is_empty());
}

/// The lock file is the truth: the name printed beside every table must be the version that is built in.
#[test]
fn the_printed_version_is_the_locked_one() {
    let lock = include_str!("../../../Cargo.lock");
    let version = EMBEDDED_NAME.strip_prefix("iptocc ").unwrap();
    assert!(lock.contains(&format!("name = \"iptocc\"\nversion = \"{version}\"")));
}

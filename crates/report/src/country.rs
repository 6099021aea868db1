//! Country codes to names for people.
//!
//! In: an ISO 3166-1 alpha-2 code. Out: its English short name, in the form people say it. Not its job: which country an
//! address belongs to (`detect`). `EU` is in the list because registries hand out addresses under it, `XK` because
//! databases use it.

use balefire_detect::Country;

/// One line per code, `US United States`, in order of code.
const NAMES: &str = include_str!("countries.txt");

/// The country's English short name; `unknown` for an address without an entry, the code itself for one not assigned.
pub fn country_name(country: &Country) -> String {
    let code = country.code();
    if *country == Country::UNKNOWN {
        return "unknown".to_owned();
    }
    NAMES
        .lines()
        .find_map(|line| line.strip_prefix(code)?.strip_prefix(' '))
        .map_or_else(|| crate::clean(code), str::to_owned)
}

/// Whether the code is in the list.
pub fn is_country_code(code: [u8; 2]) -> bool {
    NAMES.lines().any(|line| line.as_bytes().starts_with(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_code_and_a_name() {
        let mut before = "";
        for line in NAMES.lines() {
            let (code, name) = line.split_once(' ').unwrap();
            assert!(
                code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase()),
                "{line}"
            );
            assert!(code > before && !name.is_empty(), "{line} after {before}");
            before = code;
        }
    }

    #[test]
    fn codes() {
        assert!([*b"GB", *b"EU", *b"XK"].into_iter().all(is_country_code));
        assert!(![*b"UK", *b"XX", *b"--"].into_iter().any(is_country_code));
    }

    #[test]
    fn names() {
        assert_eq!(country_name(&Country(*b"US")), "United States");
        assert_eq!(country_name(&Country(*b"ZW")), "Zimbabwe");
        assert_eq!(country_name(&Country::UNKNOWN), "unknown");
        assert_eq!(country_name(&Country(*b"QQ")), "QQ");
        assert_eq!(country_name(&Country([0x1b, b'['])), "\u{fffd}[");
    }
}

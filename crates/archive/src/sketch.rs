//! Sketches of outside addresses: how many distinct ones there were, where listing them would be too much.
//!
//! In: addresses of one hour, or sketches of several. Out: bytes as Apache DataSketches' HLL writes them, and estimates. The
//! same set gives the same bytes. Not its job: which addresses.

use datasketches::hash::value::raw_bytes;
use datasketches::hll::{HllSketch, HllType, HllUnion};

use balefire_detect::Address;

/// Registers, as a power of two: a relative standard error of 0.83 / sqrt(2^11) = 1.8 % (DataSketches documentation, "HLL
/// Sketch"), in at most 2 KiB a country and hour.
const LG_K: u8 = 11;

/// A sketch of these addresses, which must be in order; `None` without any.
pub(crate) fn of(addresses: impl Iterator<Item = Address>) -> Option<Vec<u8>> {
    let mut sketch = HllSketch::new(LG_K, HllType::Hll8).ok()?;
    for address in addresses {
        sketch.update(raw_bytes::from_slice(&address.octets()));
    }
    (!sketch.is_empty()).then(|| sketch.serialize())
}

/// The sketch of all; `None` without any. What is no sketch is passed over.
pub fn union<'a>(sketches: impl Iterator<Item = &'a [u8]>) -> Option<Vec<u8>> {
    let united = unite(sketches)?;
    Some(united.to_sketch(HllType::Hll8).serialize())
}

/// Distinct addresses in all of these sketches, about.
pub fn estimate<'a>(sketches: impl Iterator<Item = &'a [u8]>) -> Option<f64> {
    // The composite estimate does not depend on the order in which the sketches came.
    unite(sketches).map(|united| united.composite_estimate())
}

/// Whether these bytes are a sketch that can be used.
pub(crate) fn is_sketch(bytes: &[u8]) -> bool {
    HllSketch::deserialize(bytes).is_ok_and(|sketch| sketch.lg_config_k() == LG_K)
}

fn unite<'a>(sketches: impl Iterator<Item = &'a [u8]>) -> Option<HllUnion> {
    let mut union = HllUnion::new(LG_K).ok()?;
    for sketch in sketches.filter_map(|bytes| HllSketch::deserialize(bytes).ok()) {
        union.update(&sketch);
    }
    (!union.is_empty()).then_some(union)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(range: std::ops::Range<u32>) -> impl Iterator<Item = Address> {
        range.map(|number| Address::v4(number.to_be_bytes()))
    }

    #[test]
    fn the_union_of_halves_counts_each_address_once() {
        let (one, two) = (
            of(addresses(0..60_000)).unwrap(),
            of(addresses(40_000..100_000)).unwrap(),
        );
        let both = estimate([&one[..], &two[..]].into_iter()).unwrap();
        assert!((both / 100_000.0 - 1.0).abs() < 0.06, "{both}");
        let united = union([&two[..], &one[..]].into_iter()).unwrap();
        assert_eq!(estimate([&united[..]].into_iter()), Some(both));
        assert!(is_sketch(&united) && !is_sketch(&united[..9]) && !is_sketch(b""));
    }

    #[test]
    fn nothing_has_no_sketch() {
        assert_eq!(of(addresses(0..0)), None);
        assert_eq!(union([&b"junk"[..]].into_iter()), None);
    }
}

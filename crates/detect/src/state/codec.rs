//! How values of the tables are written into a state, and read back: short, the same for the same value, never trusted.
//!
//! In: values. Out: bytes, and values again, or `None` where bytes are none of them. Not its job: what is kept, and in what order
//! ([`super`]), whether the bytes are whole (their checksum).
//!
//! Numbers of 16 and 32 bits are LEB128, as most are small; 64 bits are written as they are, as most are hashes and times; of an
//! array only what is not zero.

use balefire_decode::{Address, Transport};

/// Bytes that are read.
#[derive(Debug)]
pub(crate) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next bytes, exactly so many.
    pub(crate) fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }
}

/// A value that is kept.
pub(crate) trait Kept: Sized {
    /// Writes it.
    fn put(&self, out: &mut Vec<u8>);

    /// Reads it; `None` where there is none.
    fn take(from: &mut Input<'_>) -> Option<Self>;
}

/// Writes the fields that are named, in this order; sets the others, when read, to what is said behind `else`. A field that is
/// neither does not compile, so none is forgotten. What is read must pass the check behind `if`, so that no arithmetic on it can fail.
macro_rules! kept {
    ($type:ty { $($field:ident),* $(,)? } $(else { $($other:ident: $value:expr),* $(,)? })? $(if $check:expr)?) => {
        impl $crate::state::Kept for $type {
            fn put(&self, out: &mut Vec<u8>) {
                $($crate::state::Kept::put(&self.$field, out);)*
            }

            fn take(from: &mut $crate::state::Input<'_>) -> Option<Self> {
                $(let $field = $crate::state::Kept::take(from)?;)*
                let read = Self { $($field,)* $($($other: $value,)*)? };
                $(
                    let check: fn(&Self) -> bool = $check;
                    if !check(&read) {
                        return None;
                    }
                )?
                Some(read)
            }
        }
    };
}

/// Writes which of these variants it is; their order is part of the form.
macro_rules! kept_choice {
    ($type:ty { $($variant:ident),* $(,)? }) => {
        impl $crate::state::Kept for $type {
            fn put(&self, out: &mut Vec<u8>) {
                let all = [$(<$type>::$variant),*];
                let at = all.iter().position(|one| one == self).unwrap_or_default();
                out.push(at as u8);
            }

            fn take(from: &mut $crate::state::Input<'_>) -> Option<Self> {
                let all = [$(<$type>::$variant),*];
                all.get(usize::from(u8::take(from)?)).copied()
            }
        }
    };
}

pub(crate) use {kept, kept_choice};

impl Kept for u8 {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(*self);
    }

    fn take(from: &mut Input<'_>) -> Option<Self> {
        from.array().map(|[byte]| byte)
    }
}

impl Kept for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn take(from: &mut Input<'_>) -> Option<Self> {
        match u8::take(from)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl Kept for u32 {
    fn put(&self, out: &mut Vec<u8>) {
        let mut rest = *self;
        while rest >= 0x80 {
            out.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        out.push(rest as u8);
    }

    fn take(from: &mut Input<'_>) -> Option<Self> {
        let mut value = 0_u64;
        for shift in (0..35).step_by(7) {
            let byte = u8::take(from)?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return value.try_into().ok();
            }
        }
        None
    }
}

impl Kept for u16 {
    fn put(&self, out: &mut Vec<u8>) {
        u32::from(*self).put(out);
    }

    fn take(from: &mut Input<'_>) -> Option<Self> {
        u32::take(from)?.try_into().ok()
    }
}

impl Kept for u64 {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend(self.to_le_bytes());
    }

    fn take(from: &mut Input<'_>) -> Option<Self> {
        from.array().map(Self::from_le_bytes)
    }
}

impl Kept for i64 {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend(self.to_le_bytes());
    }

    fn take(from: &mut Input<'_>) -> Option<Self> {
        from.array().map(Self::from_le_bytes)
    }
}

impl Kept for f32 {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend(self.to_le_bytes());
    }

    fn take(from: &mut Input<'_>) -> Option<Self> {
        from.array().map(Self::from_le_bytes).filter(|value| !value.is_nan())
    }
}

impl Kept for Address {
    fn put(&self, out: &mut Vec<u8>) {
        let octets = self.octets();
        out.push(u8::from(self.is_v4()));
        out.extend(if self.is_v4() { &octets[12..] } else { &octets[..] });
    }

    fn take(from: &mut Input<'_>) -> Option<Self> {
        if bool::take(from)? {
            from.array().map(Self::v4)
        } else {
            from.array().map(Self::v6)
        }
    }
}

impl Kept for Transport {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(self.0);
    }

    fn take(from: &mut Input<'_>) -> Option<Self> {
        u8::take(from).map(Self)
    }
}

impl Kept for Box<str> {
    fn put(&self, out: &mut Vec<u8>) {
        put_text(self, out);
    }

    fn take(from: &mut Input<'_>) -> Option<Self> {
        take_text(from).map(Self::from)
    }
}

/// A text, with its length in front.
pub(crate) fn put_text(text: &str, out: &mut Vec<u8>) {
    // Texts of the tables are shorter than a name may be; of a longer one the left end.
    let mut end = text.len().min(usize::from(u8::MAX));
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    out.push(end as u8);
    out.extend(&text.as_bytes()[..end]);
}

/// The same, read.
pub(crate) fn take_text<'a>(from: &mut Input<'a>) -> Option<&'a str> {
    let len = usize::from(u8::take(from)?);
    std::str::from_utf8(from.bytes(len)?).ok()
}

impl<T: Kept> Kept for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }

    fn take(from: &mut Input<'_>) -> Option<Self> {
        Some(if bool::take(from)? { Some(T::take(from)?) } else { None })
    }
}

impl<A: Kept, B: Kept> Kept for (A, B) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }

    fn take(from: &mut Input<'_>) -> Option<Self> {
        Some((A::take(from)?, B::take(from)?))
    }
}

impl<A: Kept, B: Kept, C: Kept> Kept for (A, B, C) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
        self.2.put(out);
    }

    fn take(from: &mut Input<'_>) -> Option<Self> {
        Some((A::take(from)?, B::take(from)?, C::take(from)?))
    }
}

/// How many are not zero, then each with the number of zeros before it.
impl<T: Kept + Copy + Default + PartialEq, const N: usize> Kept for [T; N] {
    fn put(&self, out: &mut Vec<u8>) {
        let zero = T::default();
        (self.iter().filter(|value| **value != zero).count() as u32).put(out);
        let mut skipped = 0_u32;
        for value in self {
            if *value == zero {
                skipped += 1;
            } else {
                skipped.put(out);
                value.put(out);
                skipped = 0;
            }
        }
    }

    fn take(from: &mut Input<'_>) -> Option<Self> {
        let mut values = [T::default(); N];
        let mut at = 0_usize;
        for _ in 0..u32::take(from)? {
            at = at.checked_add(u32::take(from)? as usize)?;
            *values.get_mut(at)? = T::take(from)?;
            at += 1;
        }
        Some(values)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn back<T: Kept>(value: &T) -> Option<T> {
        let mut out = Vec::new();
        value.put(&mut out);
        let mut from = Input::new(&out);
        T::take(&mut from).filter(|_| from.is_empty())
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            small: u32, short: u16, long: u64, time: i64, flag: bool, text in ".{0,40}",
            bits: u128, mut array: [u16; 20], pair: Option<(u32, bool)>, zeros in 0_usize..20,
        ) {
            array[..zeros].fill(0);
            prop_assert_eq!(back(&small), Some(small));
            prop_assert_eq!(back(&short), Some(short));
            prop_assert_eq!(back(&long), Some(long));
            prop_assert_eq!(back(&time), Some(time));
            prop_assert_eq!(back(&flag), Some(flag));
            prop_assert_eq!(back(&Box::<str>::from(&*text)), Some(Box::from(&*text)));
            prop_assert_eq!(back(&Address::of_bits(bits)), Some(Address::of_bits(bits)));
            prop_assert_eq!(back(&Address::v4([10, 0, 0, 1])), Some(Address::v4([10, 0, 0, 1])));
            prop_assert_eq!(back(&array), Some(array));
            prop_assert_eq!(back(&pair), Some(pair));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let from = || Input::new(&bytes);
            let _ = (u32::take(&mut from()), <[u16; 24]>::take(&mut from()), Box::<str>::take(&mut from()));
            let _ = <Option<(Address, u16, u32)> as Kept>::take(&mut from());
        }
    }
}

//! What both formats' walkers share: how a walk over a piece of a file ended, and fields of either byte order.

/// How far a walk came.
#[derive(Debug)]
pub(super) struct Walk {
    /// Everything before this is used up; the rest belongs to a record that is not whole yet.
    pub(super) at: usize,
    /// Set where the file contradicts its format; nothing after it can be trusted.
    pub(super) broken: Option<Broken>,
}

/// A place where a file contradicts its format.
#[derive(Debug)]
pub(super) struct Broken {
    /// Where, in the walked bytes.
    pub(super) at: usize,
    /// What is wrong there.
    pub(super) reason: String,
}

/// A field in the byte order of the file.
#[inline]
pub(super) fn be_or_le<const BIG: bool>(field: [u8; 4]) -> u32 {
    if BIG {
        u32::from_be_bytes(field)
    } else {
        u32::from_le_bytes(field)
    }
}

/// 16 bits at `at`; 0 beyond the end, which every caller has ruled out.
#[inline]
pub(super) fn u16_at(bytes: &[u8], at: usize, big: bool) -> u16 {
    let Some(field) = bytes.get(at..).and_then(|rest| rest.first_chunk::<2>()) else {
        return 0;
    };
    if big {
        u16::from_be_bytes(*field)
    } else {
        u16::from_le_bytes(*field)
    }
}

/// 32 bits at `at`; 0 beyond the end, which every caller has ruled out.
#[inline]
pub(super) fn u32_at(bytes: &[u8], at: usize, big: bool) -> u32 {
    let Some(field) = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>()) else {
        return 0;
    };
    if big {
        u32::from_be_bytes(*field)
    } else {
        u32::from_le_bytes(*field)
    }
}

/// 64 bits at `at`; 0 beyond the end, which every caller has ruled out.
#[inline]
pub(super) fn u64_at(bytes: &[u8], at: usize, big: bool) -> u64 {
    let Some(field) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) else {
        return 0;
    };
    if big {
        u64::from_be_bytes(*field)
    } else {
        u64::from_le_bytes(*field)
    }
}

//! Asks the processor to fetch a cache line before it is needed; the only unsafe code of this crate.
//!
//! In: a reference. Out: nothing, a hint that changes no result. Elsewhere than on x86-64 it does nothing.
#![allow(
    unsafe_code,
    reason = "the prefetch instruction is only offered as an unsafe intrinsic"
)]

/// Bytes of a cache line on the processors this runs on; a wrong figure costs speed, not truth.
const LINE_BYTES: usize = 64;

/// Fetches every line of `value` into the nearest cache.
#[inline(always)]
pub fn fetch<T>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let start = std::ptr::from_ref(value).cast::<i8>();
        for offset in (0..size_of::<T>()).step_by(LINE_BYTES) {
            // SAFETY: `start + offset` stays inside the object that `value` borrows, and a prefetch neither reads nor
            // writes for the program: it may not fault whatever the address. SSE, which has it, is part of x86-64.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(start.wrapping_add(offset)) };
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = (value, LINE_BYTES);
    }
}

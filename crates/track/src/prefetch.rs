//! Advice about memory: cache lines asked of the processor before they are needed, huge pages of the operating system;
//! the only unsafe code of this crate.
//!
//! In: references to what will be used. Out: nothing, hints that change no result. Elsewhere than on x86-64, or on Linux
//! for huge pages, they do nothing. Public, so that the stages beside this one, whose tables are as large, need no
//! unsafe code of their own.
#![allow(
    unsafe_code,
    reason = "the prefetch instruction and madvise are only offered as unsafe functions"
)]

/// Bytes of a cache line on the processors this runs on; a wrong figure costs speed, not truth.
const LINE_BYTES: usize = 64;

/// Fetches every line of `value` into the nearest cache.
#[inline(always)]
pub fn fetch<T>(value: &T) {
    for offset in (0..size_of::<T>()).step_by(LINE_BYTES) {
        fetch_line(std::ptr::from_ref(value).cast::<u8>().wrapping_add(offset));
    }
}

/// Fetches the lines of the first and the 64th byte: most frames' headers lie there, wherever the frame begins. The rest
/// of a long payload the processor's own stream prefetcher brings.
#[inline(always)]
pub fn fetch_head(bytes: &[u8]) {
    fetch_line(bytes.as_ptr());
    if bytes.len() > LINE_BYTES {
        fetch_line(bytes.as_ptr().wrapping_add(LINE_BYTES));
    }
}

/// Asks for huge pages under what a vector holds or will hold: a table of many megabytes that is used in random order
/// otherwise waits for the translation of nearly every address (a page of 4 KiB each), and faults on each page once.
/// Where the system has none to give, ordinary pages serve.
pub fn huge_pages<T>(table: &Vec<T>) {
    #[cfg(target_os = "linux")]
    {
        use rustix::mm::{Advice, madvise};
        const HUGE_PAGE_BYTES: usize = 2 << 20;
        let bytes = table.capacity() * size_of::<T>();
        let start = table.as_ptr().cast_mut().cast::<u8>();
        let skipped = start.align_offset(HUGE_PAGE_BYTES);
        let whole = bytes.saturating_sub(skipped) / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES;
        if whole > 0 {
            // SAFETY: the range lies inside the vector's own allocation, and this advice changes neither the contents of
            // memory nor what may be accessed, only how large the pages are that the system puts under it. A refusal
            // (a kernel without huge pages) is as good as none asked.
            let _ = unsafe { madvise(start.wrapping_add(skipped).cast(), whole, Advice::LinuxHugepage) };
        }
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = table;
    }
}

#[inline(always)]
fn fetch_line(line: *const u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch neither reads nor writes for the program, and may not fault whatever the address. SSE, which
        // has it, is part of x86-64.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.cast::<i8>()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = line;
    }
}

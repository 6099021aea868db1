//! What the benches share: reproducible corpora, the loops to compare with, and where results are kept.
//!
//! In: seeds and sizes. Out: capture files, counts, tables. Not its job: being part of the product.

pub mod boost;
pub mod child;
pub mod corpora;
pub mod hours;
pub mod loops;
pub mod offices;
pub mod runs;
pub mod stages;
pub mod variants;

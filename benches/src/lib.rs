//! Shared pieces of the benches.

pub mod variants;

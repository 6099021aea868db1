//! Shared pieces of the benches.

pub mod boost;
pub mod variants;

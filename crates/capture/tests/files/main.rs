//! Capture files of every variant, read back through the public interface: what is written is what is read, whatever the
//! byte order, the packing, the pieces it comes in, and up to where it is cut.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by its panic; helpers outside test functions too"
)]

mod damage;
mod forge;
mod formats;
mod inputs;

//! The archive through its public face: folders in, tables out. One file per topic.

#![allow(clippy::unwrap_used, reason = "a test that cannot set up its surroundings fails")]

mod closing;
mod files;
mod imports;
mod kept;
mod sample;
mod settling;
mod words;

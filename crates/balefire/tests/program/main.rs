//! The program through its binary. One test binary, one file per topic.

#![allow(clippy::unwrap_used, reason = "a test that cannot set up its surroundings fails")]

mod answers;
mod bench;
mod captures;
mod damage;
mod hours;
mod logs;
mod memory;
mod settings;
mod usage;

//! The program through its binary. One test binary, one file per topic.

#![allow(clippy::unwrap_used, reason = "a test that cannot set up its surroundings fails")]

mod answers;
mod archive;
mod bench;
mod browser;
mod captures;
mod damage;
mod doctor;
mod hours;
mod lists;
mod logs;
mod memory;
mod report;
mod settings;
mod usage;

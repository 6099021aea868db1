//! The pages, documents and files that come of hand-made summaries. One binary, one file per topic.

#![allow(clippy::unwrap_used, reason = "a test that cannot set up its surroundings fails")]

mod hostile;
mod hours;
mod pages;
mod sample;

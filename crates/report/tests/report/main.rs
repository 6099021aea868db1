//! The pages, documents and files that come of hand-made summaries. One binary, one file per topic.

mod hostile;
mod hours;
mod pages;
mod sample;

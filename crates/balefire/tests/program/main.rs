//! The program through its binary. One test binary, one file per topic.

mod answers;
mod bench;
mod damage;
mod hours;
mod settings;
mod usage;

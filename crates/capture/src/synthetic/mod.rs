//! Seeded synthetic traffic: hosts with people and services, and beacons planted among them.
//!
//! In: a [`Scenario`], plain values. Out: frames in time order, as an engine ([`Traffic`]), a [`crate::Source`]
//! ([`SyntheticSource`]) or a capture file ([`write_capture`]), and the truth of what was planted
//! ([`Scenario::planted`]). The same scenario gives the same bytes everywhere. Not its job: sending anything: this makes
//! files and blocks for tests, benches and demonstrations of the detector.
//!
//! The way through: [`Traffic`] lets people, services and beacons act in time order; they open conversations (`host`,
//! `talk`) that plan segments (`plan`) filled with words (`words`, `tls`), and `frame` writes each as it falls due.

mod beacons;
mod frame;
mod host;
mod people;
mod places;
mod plan;
mod random;
mod scenario;
mod services;
mod source;
mod talk;
mod time;
mod tls;
mod traffic;
mod words;

#[cfg(test)]
mod tests;

pub use beacons::Planted;
pub use random::Random;
pub use scenario::{Answer, Beacon, JitterLaw, Scenario, ScenarioError, Service, Speech};
pub use source::{SyntheticSource, write_capture};
pub use traffic::{SyntheticFrame, Traffic};

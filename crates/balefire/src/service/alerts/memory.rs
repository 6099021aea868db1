//! What alerts told, over restarts.
//!
//! In: servers with the class and hosts that were told of. Out: the form that is kept, and the same again. Not its job: the form's
//! bytes (`beside`), deciding what to tell.

use std::collections::BTreeMap;
use std::time::Instant;

use super::super::beside::Remembered;
use super::{MOST_HOSTS, MOST_SERVERS, ServerKey, Told};

pub(super) fn kept(told: &BTreeMap<ServerKey, Told>) -> Vec<Remembered> {
    told.iter()
        .map(|(key, told)| {
            let mut kept = Remembered::new(key, told.class);
            kept.hosts = told.hosts.iter().map(|host| host.ip()).collect();
            kept.suppressed = told.suppressed;
            kept
        })
        .collect()
}

pub(super) fn told(kept: Vec<Remembered>, now: Instant) -> BTreeMap<ServerKey, Told> {
    let known = kept.into_iter().take(MOST_SERVERS).filter_map(|server| {
        let (key, class) = server.key_and_class()?;
        let told = Told {
            class,
            hosts: server.hosts.into_iter().take(MOST_HOSTS).map(Into::into).collect(),
            seen: now,
            window: now,
            in_window: 0,
            suppressed: server.suppressed,
        };
        Some((key, told))
    });
    known.collect()
}

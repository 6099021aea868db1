//! What was told, over restarts: so that a restart does not tell it again.
//!
//! In: servers with the class and hosts that were told of. Out: JSON, kept beside the detector's state, and the same again. Not its
//! job: files (`state`), deciding what to tell.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Instant;

use balefire_detect::{Class, Transport};
use serde::{Deserialize, Serialize};

use super::{MOST_HOSTS, MOST_SERVERS, ServerKey, Told};

/// One server.
#[derive(Debug, Serialize, Deserialize)]
struct Remembered {
    address: IpAddr,
    port: u16,
    transport: u8,
    name: Option<String>,
    class: u8,
    hosts: Vec<IpAddr>,
    suppressed: u64,
}

const CLASSES: [Class; 3] = [Class::Suspected, Class::Probable, Class::Confirmed];

pub(super) fn written(told: &BTreeMap<ServerKey, Told>) -> Vec<u8> {
    let all: Vec<Remembered> = told
        .iter()
        .map(|((address, port, transport, name), told)| Remembered {
            address: address.ip(),
            port: *port,
            transport: transport.0,
            name: name.clone(),
            class: told.class as u8,
            hosts: told.hosts.iter().map(|host| host.ip()).collect(),
            suppressed: told.suppressed,
        })
        .collect();
    // Plain values: there is nothing in them that JSON has no form for.
    serde_json::to_vec(&all).unwrap_or_default()
}

pub(super) fn read(bytes: &[u8], now: Instant) -> BTreeMap<ServerKey, Told> {
    let all: Vec<Remembered> = serde_json::from_slice(bytes).unwrap_or_default();
    let known = all.into_iter().take(MOST_SERVERS).filter_map(|server| {
        let key = (
            server.address.into(),
            server.port,
            Transport(server.transport),
            server.name,
        );
        let told = Told {
            class: *CLASSES.get(usize::from(server.class))?,
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

//! What was told of servers, over restarts: so that a restart does not tell it again.
//!
//! In: servers with the class that was told of them, from whoever tells. Out: JSON, kept beside the detector's state, and the same
//! again; what cannot be read is nothing, and is told once more. Not its job: files (`state`), deciding what to tell.

use std::collections::BTreeMap;
use std::net::IpAddr;

use balefire_detect::{Address, Class, ControlServer, Transport};
use serde::{Deserialize, Serialize};

/// What tells servers apart; behind a relay the name does.
pub(crate) type ServerKey = (Address, u16, Transport, Option<String>);

/// The key of a server.
pub(crate) fn key(server: &ControlServer) -> ServerKey {
    let name = server.behind_relay.then(|| server.names.first().cloned()).flatten();
    (server.address, server.port, server.transport, name)
}

/// See the head of this file.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Beside {
    /// Of alerts.
    pub(super) alerts: Vec<Remembered>,
    /// Of lines on standard error.
    lines: Vec<Remembered>,
}

/// One server.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Remembered {
    address: Option<IpAddr>,
    port: u16,
    transport: u8,
    name: Option<String>,
    class: u8,
    pub(super) hosts: Vec<IpAddr>,
    pub(super) suppressed: u64,
}

const CLASSES: [Class; 3] = [Class::Suspected, Class::Probable, Class::Confirmed];

impl Beside {
    pub(crate) fn read(bytes: &[u8]) -> Self {
        serde_json::from_slice(bytes).unwrap_or_default()
    }

    pub(crate) fn written(&self) -> Vec<u8> {
        // Plain values: there is nothing in them that JSON has no form for.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The servers of which a line told.
    pub(crate) fn lines(&self) -> BTreeMap<ServerKey, Class> {
        self.lines.iter().filter_map(Remembered::key_and_class).collect()
    }

    pub(crate) fn set_lines(&mut self, told: &BTreeMap<ServerKey, Class>) {
        self.lines = told.iter().map(|(key, class)| Remembered::new(key, *class)).collect();
    }
}

impl Remembered {
    pub(super) fn new((address, port, transport, name): &ServerKey, class: Class) -> Self {
        Self {
            address: Some(address.ip()),
            port: *port,
            transport: transport.0,
            name: name.clone(),
            class: class as u8,
            ..Self::default()
        }
    }

    pub(super) fn key_and_class(&self) -> Option<(ServerKey, Class)> {
        let key = (
            self.address?.into(),
            self.port,
            Transport(self.transport),
            self.name.clone(),
        );
        Some((key, *CLASSES.get(usize::from(self.class))?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_remembered_and_what_cannot_be_read_is_nothing() {
        let key = |port| (Address::v4([192, 0, 2, 1]), port, Transport::TCP, None);
        let told = BTreeMap::from([(key(443), Class::Probable), (key(80), Class::Confirmed)]);
        let mut beside = Beside::default();
        beside.set_lines(&told);
        let bytes = beside.written();
        assert_eq!(Beside::read(&bytes).lines(), told);
        let strange = br#"{"lines": [{"address": "192.0.2.1", "class": 9}, {"port": 1}], "more": 1}"#;
        for bytes in [&b""[..], b"[]", b"{\"lines\": 3}", &bytes[..bytes.len() - 2], strange] {
            assert_eq!(Beside::read(bytes).lines(), BTreeMap::new());
        }
    }
}

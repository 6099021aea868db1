//! How many hosts show which client: JA4 fingerprints of TLS, User-Agents of plain HTTP.
//!
//! In: a fingerprint and the host that showed it. Out: about how many different hosts did, over all workers once their parts are
//! merged. Not its job: what a client is.
//!
//! Hosts are counted in 256 bits per fingerprint: exact enough up to about a thousand, and above that a client is common.

use balefire_decode::Address;

use crate::table::{Entry, Table};
use crate::tunnel::{Distinct, fnv};

/// Fingerprints kept per worker. A network shows some hundreds; the coldest of more goes.
const MOST: usize = 1 << 14;

/// Of one fingerprint, by its seeded hash.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Client {
    pub(crate) hash: u64,
    pub(crate) hosts: Distinct<4>,
    /// As it is written, for people.
    pub(crate) text: Box<str>,
}

#[derive(Debug)]
struct Shown {
    client: Client,
    again: bool,
}

impl Entry for Shown {
    fn hash(&self) -> u64 {
        self.client.hash
    }

    fn second_chance(&mut self) -> bool {
        std::mem::take(&mut self.again)
    }
}

/// The clients of one worker's hosts.
#[derive(Debug)]
pub(crate) struct Clients(Table<Shown>);

impl Clients {
    pub(crate) fn new() -> Self {
        Self(Table::new(MOST))
    }

    /// `host` showed the fingerprint with this hash, written like this.
    pub(crate) fn shown(&mut self, hash: u64, host: Address, text: &str) {
        // Not seeded, so that the estimate is the same in every run.
        let host = fnv(&host.octets());
        let found = self.0.find(hash, |shown| shown.client.hash == hash);
        if let Some(shown) = found.and_then(|slot| self.0.at_mut(slot)) {
            shown.again = true;
            shown.client.hosts.add(host);
            return;
        }
        let mut hosts = Distinct::default();
        hosts.add(host);
        self.0.insert(Shown {
            client: Client {
                hash,
                hosts,
                text: text.into(),
            },
            again: false,
        });
    }

    /// What is known of a fingerprint.
    pub(crate) fn client(&self, hash: u64) -> Option<&Client> {
        let slot = self.0.find(hash, |shown| shown.client.hash == hash)?;
        self.0.at(slot).map(|shown| &shown.client)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = Client> + '_ {
        self.0.iter().map(|shown| shown.client.clone())
    }

    pub(crate) fn evicted(&self) -> u64 {
        self.0.evicted()
    }

    pub(crate) fn bytes(&self) -> usize {
        // A JA4 has 36 bytes, a User-Agent up to 128.
        self.0.bytes() + self.0.len() * 128
    }
}

impl Clients {
    /// Puts one back.
    pub(crate) fn restore(&mut self, client: Client) {
        let found = self.0.find(client.hash, |shown| shown.client.hash == client.hash);
        match found.and_then(|slot| self.0.at_mut(slot)) {
            Some(shown) => shown.client.hosts.merge(&client.hosts),
            None => {
                self.0.insert(Shown { client, again: false });
            }
        }
    }
}

crate::state::kept!(Client { hash, hosts, text });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_counted_once_over_workers() {
        let host = |last: u8| Address::v4([10, 0, 0, last]);
        let (mut one, mut two) = (Clients::new(), Clients::new());
        for last in 0..20 {
            one.shown(7 << 32, host(last), "t13d");
            one.shown(7 << 32, host(last), "t13d");
            two.shown(7 << 32, host(last + 10), "t13d");
        }
        two.shown(9 << 32, host(1), "curl");
        let mut all = Distinct::<4>::default();
        for client in one.all().chain(two.all()).filter(|client| client.hash == 7 << 32) {
            all.merge(&client.hosts);
        }
        let hosts = all.estimate().round();
        assert!((28.0..=33.0).contains(&hosts), "{hosts}");
        let hosts = |clients: &Clients| clients.client(9 << 32).map(|client| client.hosts.estimate().round());
        assert_eq!((hosts(&two), hosts(&one)), (Some(1.0), None));
        assert_eq!(two.client(9 << 32).map(|client| &*client.text), Some("curl"));
    }
}

//! What payloads showed of the two programs that talk: kept for the few servers of which it says something, shown with evidence.
//!
//! In: certificates that are odd, HTTP requests that post or name no server. Out: [`Traits`] of a finding. Not its job: fingerprints
//! of clients ([`crate::clients`]), what any of it is worth ([`crate::context`]).
//!
//! A network has few servers with an odd certificate, and few pairs where HTTP without TLS does either; so the table is small, what it
//! holds is written once, and the coldest goes.

use balefire_track::{Certificate, Protocol};

use crate::table::{Entry, Table};

/// Pairs kept per worker; texts of one are 400 bytes at most.
const MOST: usize = 1 << 13;

/// What was seen of a server's certificate, where it is none that a public authority issues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerCertificate {
    /// The subject's common name; empty if it has none.
    pub subject: String,
    /// The issuer's.
    pub issuer: String,
    /// Subject and issuer are the same, byte for byte.
    pub is_self_signed: bool,
    /// Since when it is valid, nanoseconds since 1970; `None` where that is not told.
    pub not_before_ns: Option<i64>,
    /// How many days.
    pub validity_days: Option<u32>,
}

/// What was seen of what host and server say to each other, as far as it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traits {
    /// What the last connection's payload was, by its content.
    pub protocol: Option<Protocol>,
    /// Fingerprint of the client (JA4 of TLS, User-Agent of plain HTTP) in the last connection that showed one.
    pub client: Option<String>,
    /// Method and target of the first HTTP request that posted or named no server.
    pub request: Option<String>,
    /// Certificate of the server, if it is odd.
    pub certificate: Option<ServerCertificate>,
}

impl Traits {
    /// Takes in what is not known yet.
    pub(crate) fn unite(&mut self, other: Self) {
        self.protocol = self.protocol.or(other.protocol);
        self.client = self.client.take().or(other.client);
        self.request = self.request.take().or(other.request);
        self.certificate = self.certificate.take().or(other.certificate);
    }
}

/// One pair of host and service, by its seeded hash.
#[derive(Debug)]
struct Pair {
    hash: u64,
    request: Option<Box<str>>,
    certificate: Option<Box<ServerCertificate>>,
    again: bool,
}

impl Entry for Pair {
    fn hash(&self) -> u64 {
        self.hash
    }

    fn second_chance(&mut self) -> bool {
        std::mem::take(&mut self.again)
    }
}

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct Shown(Table<Pair>);

impl Shown {
    pub(crate) fn new() -> Self {
        Self(Table::new(MOST))
    }

    /// The server of this pair showed an odd certificate.
    pub(crate) fn certificate(&mut self, pair: u64, certificate: &Certificate<'_>) {
        let Some(pair) = self.pair(pair) else { return };
        if pair.certificate.is_none() {
            pair.certificate = Some(Box::new(ServerCertificate {
                subject: certificate.subject.to_owned(),
                issuer: certificate.issuer.to_owned(),
                is_self_signed: certificate.is_self_signed,
                not_before_ns: certificate
                    .validity
                    .map(|validity| validity.not_before_s.saturating_mul(1_000_000_000)),
                validity_days: certificate.validity.map(|validity| validity.days),
            }));
        }
    }

    /// The host of this pair asked for this.
    pub(crate) fn request(&mut self, pair: u64, method: &str, target: &str) {
        let Some(pair) = self.pair(pair) else { return };
        if pair.request.is_none() {
            pair.request = Some(format!("{method} {target}").into());
        }
    }

    /// What is kept of a pair.
    pub(crate) fn of(&self, pair: u64) -> Traits {
        let slot = self.0.find(pair, |known| known.hash == pair);
        let Some(known) = slot.and_then(|slot| self.0.at(slot)) else {
            return Traits::default();
        };
        Traits {
            request: known.request.as_deref().map(str::to_owned),
            certificate: known.certificate.as_deref().cloned(),
            ..Traits::default()
        }
    }

    pub(crate) fn evicted(&self) -> u64 {
        self.0.evicted()
    }

    pub(crate) fn bytes(&self) -> usize {
        // Texts of an entry are counted as if they were full: they are few.
        self.0.bytes() + self.0.len() * 400
    }

    fn pair(&mut self, hash: u64) -> Option<&mut Pair> {
        let known = self.0.find(hash, |known| known.hash == hash);
        let slot = known.unwrap_or_else(|| {
            let fresh = Pair {
                hash,
                request: None,
                certificate: None,
                again: false,
            };
            self.0.insert(fresh).0
        });
        let pair = self.0.at_mut(slot)?;
        pair.again = known.is_some();
        Some(pair)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_kept_and_the_coldest_goes() {
        let mut shown = Shown::new();
        let certificate = |subject| Certificate {
            subject,
            issuer: "own",
            is_self_signed: false,
            validity: None,
        };
        shown.certificate(7 << 32, &certificate("first"));
        shown.certificate(7 << 32, &certificate("second"));
        shown.request(7 << 32, "GET", "/a");
        shown.request(7 << 32, "POST", "/b");
        let traits = shown.of(7 << 32);
        assert_eq!(traits.request.as_deref(), Some("GET /a"));
        assert_eq!(traits.certificate.map(|kept| kept.subject).as_deref(), Some("first"));
        for pair in 0..2 * MOST as u64 {
            shown.request((pair + 100) << 32, "GET", "/");
        }
        assert_eq!(shown.of(7 << 32), Traits::default());
        assert!(shown.evicted() > MOST as u64);
        assert!(shown.bytes() < 8 << 20, "{}", shown.bytes());
    }
}

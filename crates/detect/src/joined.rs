//! Findings that are one thing seen twice: by address and by name, at the server and at the resolver that was asked for it, of a
//! group and of its members.
//!
//! In: what was [`Found`]. Out: the server that each belongs to, and each sign once. Not its job: judging, ranking.

use std::collections::{BTreeMap, HashMap};

use balefire_decode::{Address, Transport};

use crate::candidate::{Candidate, Place};
use crate::group::network;
use crate::key::Scope;
use crate::shared::ServerKey;
use crate::summary::{Country, Evidence};

/// A group of which one member has at least this share of the check-ins says nothing beside that member.
const MOST_OF_ONE: f64 = 0.8;

/// Evidence on its way to a server.
pub(crate) struct Found<'a> {
    pub(crate) candidate: &'a Candidate,
    pub(crate) evidence: Evidence,
    pub(crate) country: Country,
}

impl Found<'_> {
    fn network(&self) -> (Address, Address, Transport) {
        let candidate = self.candidate;
        let network = network(candidate.role(), candidate.server);
        (candidate.host, network, candidate.transport)
    }
}

/// Every finding with the server it belongs to.
pub(crate) fn by_server(mut found: Vec<Found<'_>>) -> BTreeMap<ServerKey, Vec<Found<'_>>> {
    drop_idle_groups(&mut found);
    let groups = group_keys(&found);
    let names = name_keys(&found, &groups);
    let mut domains: HashMap<(Address, &str), (f64, ServerKey)> = HashMap::new();
    // A resolver that is a server itself: who asks it straight talks to it, whatever the names.
    let mut places: HashMap<(Address, Place), ServerKey> = HashMap::new();
    let keys: Vec<Option<ServerKey>> = found
        .iter()
        .map(|one| {
            let candidate = one.candidate;
            let key = match candidate.scope {
                Scope::Service | Scope::Name => groups
                    .get(&one.network())
                    .or_else(|| names.get(&(candidate.host, candidate.name.as_deref()?)))
                    .cloned()
                    .unwrap_or_else(|| own_key(candidate)),
                Scope::ConnectTarget => own_key(candidate),
                Scope::Domain => return None,
            };
            serves_domain(&mut domains, one, &key);
            places.insert((candidate.host, candidate.place()), key.clone());
            Some(key)
        })
        .collect();
    let mut servers: BTreeMap<ServerKey, Vec<Found<'_>>> = BTreeMap::new();
    for (one, key) in found.into_iter().zip(keys) {
        let candidate = one.candidate;
        let asked = (candidate.host, candidate.name.as_deref().unwrap_or_default());
        let key = key
            .or_else(|| places.get(&(candidate.host, candidate.place())).cloned())
            .or_else(|| domains.get(&asked).map(|(_, key)| key.clone()))
            .unwrap_or_else(|| own_key(candidate));
        servers.entry(key).or_default().push(one);
    }
    servers
}

/// Where a host beacons to a name, its questions for that name's domain are the same thing, wherever it asked: the server
/// is listed, not the resolver. Of several servers below one domain the surest.
fn serves_domain<'a>(domains: &mut HashMap<(Address, &'a str), (f64, ServerKey)>, one: &Found<'a>, key: &ServerKey) {
    let Some(name) = one.candidate.name.as_deref() else {
        return;
    };
    let domain = psl::domain_str(name).unwrap_or(name);
    let score = one.evidence.score;
    let known = domains.get(&(one.candidate.host, domain));
    if known.is_none_or(|(surest, _)| score > *surest) {
        domains.insert((one.candidate.host, domain), (score, key.clone()));
    }
}

/// A group is reported where it is surer than each of its members, or they are not reported at all.
fn drop_idle_groups(found: &mut Vec<Found<'_>>) {
    let mut best: HashMap<(Address, Address, Transport), f64> = HashMap::new();
    for member in found.iter().filter(|one| !one.candidate.is_group()) {
        if matches!(member.candidate.scope, Scope::Service | Scope::Name) {
            let score = best.entry(member.network()).or_default();
            *score = score.max(member.evidence.score);
        }
    }
    found.retain(|one| {
        let Some(group) = one.candidate.group() else {
            return true;
        };
        let member = best.get(&one.network());
        group.largest_share() < MOST_OF_ONE && member.is_none_or(|score| *score < one.evidence.score)
    });
}

/// The server that stands for each reported group: hosts of the same network share one.
fn group_keys(found: &[Found<'_>]) -> HashMap<(Address, Address, Transport), ServerKey> {
    let mut shared: BTreeMap<(Address, Transport), ServerKey> = BTreeMap::new();
    let mut keys = HashMap::new();
    for one in found.iter().filter(|one| one.candidate.is_group()) {
        let (host, network, transport) = one.network();
        let key = shared
            .entry((network, transport))
            .or_insert_with(|| own_key(one.candidate));
        keys.insert((host, network, transport), key.clone());
    }
    keys
}

/// Where a host beacons to a name, its timelines to the single addresses behind that name are the same thing again.
fn name_keys<'a>(
    found: &[Found<'a>],
    groups: &HashMap<(Address, Address, Transport), ServerKey>,
) -> HashMap<(Address, &'a str), ServerKey> {
    let by_name = found.iter().filter(|one| one.candidate.scope == Scope::Name);
    by_name
        .filter_map(|one| {
            let candidate = one.candidate;
            let key = groups.get(&one.network()).cloned();
            Some((
                (candidate.host, candidate.name.as_deref()?),
                key.unwrap_or_else(|| own_key(candidate)),
            ))
        })
        .collect()
}

/// The server that a finding names by itself.
pub(crate) fn own_key(candidate: &Candidate) -> ServerKey {
    ServerKey {
        address: candidate.server,
        port: candidate.port,
        transport: candidate.transport,
        behind_relay: candidate.name.clone().filter(|_| candidate.behind_relay()),
    }
}

/// The signs of one server, best first, each once: what is there by address and by name is one sign with both keys.
pub(crate) fn once(mut signs: Vec<Evidence>) -> Vec<Evidence> {
    signs.sort_by(|one, two| {
        two.score
            .total_cmp(&one.score)
            .then(one.kind.name().cmp(two.kind.name()))
            .then(one.host.cmp(&two.host))
            .then_with(|| one.name.cmp(&two.name))
            .then(one.first_ns.cmp(&two.first_ns))
            .then_with(|| one.keyed_by.cmp(&two.keyed_by))
    });
    let mut kept: Vec<Evidence> = Vec::with_capacity(signs.len());
    let mut places: HashMap<(Address, &'static str, String), usize> = HashMap::new();
    for sign in signs {
        // Only what has a name is there twice; a rhythm and its other readings are one sign, the surest is kept.
        let key = (
            sign.host,
            sign.kind.of_connections(),
            sign.name.clone().unwrap_or_default(),
        );
        match places.get(&key).filter(|_| sign.name.is_some()) {
            Some(&at) => kept[at].unite(sign),
            None => {
                places.insert(key, kept.len());
                kept.push(sign);
            }
        }
    }
    kept
}

impl Evidence {
    /// Takes in the same sign seen another way.
    fn unite(&mut self, other: Self) {
        self.addresses.extend(other.addresses);
        self.addresses.sort_unstable();
        self.addresses.dedup();
        self.ports.extend(other.ports);
        self.ports.sort_unstable();
        self.ports.dedup();
        self.keyed_by.extend(other.keyed_by);
        self.keyed_by.sort_unstable();
        self.keyed_by.dedup();
        self.traits.unite(other.traits);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::EvidenceKind;
    use crate::traits::Traits;

    fn sign(name: Option<&str>, keyed_by: &'static str, score: f64) -> Evidence {
        Evidence {
            kind: EvidenceKind::ConnectionBeacon,
            host: Address::v4([10, 0, 0, 1]),
            flow: None,
            name: name.map(str::to_owned),
            addresses: vec![Address::v4([192, 0, 2, if score > 0.9 { 1 } else { 2 }])],
            ports: vec![443],
            keyed_by: vec![keyed_by],
            interval_s: 60.0,
            jitter: 0.1,
            check_ins: 9,
            first_ns: 0,
            last_ns: 9,
            timing: 0.9,
            sent_bytes: None,
            received_bytes: None,
            score,
            parts: vec![],
            innocent: vec![],
            missing: vec![],
            histogram: Box::new([0; crate::INTERVAL_BINS]),
            hours: [0; 24],
            recent_ns: vec![],
            traits: Traits::default(),
            intel: None,
        }
    }

    #[test]
    fn the_same_sign_by_address_and_by_name_is_there_once() {
        let signs = vec![
            sign(Some("a.example"), "address", 0.8),
            sign(Some("a.example"), "name", 0.95),
            sign(None, "address", 0.7),
            sign(None, "address", 0.6),
        ];
        let kept = once(signs);
        assert_eq!(kept.len(), 3, "nameless ones are different addresses");
        assert_eq!((kept[0].score, &kept[0].keyed_by[..]), (0.95, &["address", "name"][..]));
        assert_eq!(kept[0].addresses.len(), 2);
    }
}

//! What DNS tells besides check-ins: addresses that were given for names, and names that carry data.
//!
//! In: queries and answers of the hosts of one worker. Out: changes in its tables of resolutions and tunnels. Not its job:
//! DNS beacons, which are check-ins like any other ([`crate::intake`]).

use balefire_decode::Address;
use balefire_track::DnsMessage;

use crate::Timeline;
use crate::detector::Detector;
use crate::home::Role;
use crate::innocent::is_site_local_name;
use crate::intake::Ends;
use crate::key::Scope;
use crate::ledger::Record;
use crate::seen::Deed;
use crate::summary::EvidenceKind;
use crate::tunnel::{NO_DOMAIN, is_resolver_port, split};

impl Detector {
    /// The host was given this address for this name.
    pub(crate) fn resolved_to(&mut self, ends: &Ends, name: &str, address: Address, time_ns: i64) {
        let name = self.names.intern(name, &self.seed);
        let hash = self.seed.ends(ends.host, address);
        self.resolved
            .given(hash, (ends.host, address), time_ns, name, &self.names);
        let host = self.seed.address(ends.host);
        self.seen.host(host, ends.host, self.period, Deed::Resolved);
    }

    /// A query: one more name below its domain.
    pub(crate) fn tunnel_query(&mut self, ends: &Ends, name: &str, time_ns: i64) {
        if is_site_local_name(name) || !is_resolver_port(ends.port, ends.server) {
            return;
        }
        let (data, domain) = split(name);
        if data.is_empty() {
            return;
        }
        let (slot, name_hash, hash) = self.tunnel_key(ends, domain);
        let fresh = || {
            let timeline = Timeline::new(time_ns, 0);
            let mut record = Record::new(hash, ends.host, ends.server, ends.port, ends.transport, timeline);
            record.kind = EvidenceKind::DnsTunnel;
            record.scope = Scope::Domain;
            record.role = ends.role;
            record.name = slot;
            record
        };
        self.tunnels.query((hash, time_ns, self.period), data, name_hash, fresh);
        self.rescore_tunnel(hash);
    }

    /// The type of the query just told.
    pub(crate) fn dns_type(&mut self, ends: &Ends, message: &DnsMessage<'_>) {
        let (data, domain) = split(message.name);
        if data.is_empty() || is_site_local_name(message.name) {
            return;
        }
        let (_, _, hash) = self.tunnel_key(ends, domain);
        if let Some(tunnel) = self.tunnels.find(hash) {
            tunnel.sketch.query_type(message.query_type);
        }
    }

    /// Slot and hash of the domain's name, and the identity of host and domain.
    fn tunnel_key(&mut self, ends: &Ends, domain: Option<&str>) -> (u32, u64, u64) {
        let (slot, name_hash) = self.names.intern(domain.unwrap_or(NO_DOMAIN), &self.seed);
        let relay = (ends.role != Role::Outbound || domain.is_none()).then_some(ends.server);
        let key = self.seed.named(name_hash, Scope::Domain, relay, 0);
        let (host, destination) = (self.seed.address(ends.host), self.seed.destination(&key));
        (
            slot,
            name_hash,
            self.seed.pair(host, destination, EvidenceKind::DnsTunnel),
        )
    }
}

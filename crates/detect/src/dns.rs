//! What DNS and ICMP tell besides check-ins: addresses that were given for names, names and echoes that carry data.
//!
//! In: queries, answers and echoes of the hosts of one worker. Out: changes in its tables of resolutions and sketches. Not its job:
//! DNS beacons, which are check-ins like any other ([`crate::intake`]).

use balefire_decode::Address;
use balefire_track::{DnsMessage, Echo};

use crate::Timeline;
use crate::detector::Detector;
use crate::echo::EchoSketch;
use crate::home::Role;
use crate::innocent::is_site_local_name;
use crate::intake::Ends;
use crate::key::{Destination, Scope};
use crate::ledger::Record;
use crate::seen::Deed;
use crate::sketched::{Sketch, Sketched};
use crate::summary::EvidenceKind;
use crate::tunnel::{NO_DOMAIN, NameSketch, is_resolver_port, split};

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
        if let Some(known) = self.sketched.names.find(hash) {
            known.record.timeline.check_in(time_ns, 0);
        } else {
            let timeline = Timeline::new(time_ns, 0);
            let mut record = Record::new(hash, ends.host, ends.server, ends.port, ends.transport, timeline);
            record.kind = EvidenceKind::DnsTunnel;
            record.scope = Scope::Domain;
            record.role = ends.role;
            record.name = slot;
            let sketch = Sketch::Names(NameSketch::default());
            self.sketched.names.insert(Sketched::new(record, sketch, name_hash));
        }
        let period = self.period;
        if let Some(Sketched {
            record,
            sketch: Sketch::Names(names),
            ..
        }) = self.sketched.names.find(hash)
        {
            names.query(data);
            record.period = period;
        }
        self.rescore_sketched(hash);
    }

    /// An ICMP echo request or its reply.
    pub(crate) fn echo(&mut self, ends: &Ends, echo: &Echo, time_ns: i64) {
        if ends.role == Role::Internal && !self.settings.score_internal {
            return;
        }
        let key = Destination::service(ends.server, 0, ends.transport);
        let (host, destination) = (self.seed.address(ends.host), self.seed.destination(&key));
        let hash = self.seed.pair(host, destination, EvidenceKind::IcmpTunnel);
        if let Some(known) = self.sketched.echoes.find(hash) {
            known.record.timeline.check_in(time_ns, echo.payload_bytes);
        } else {
            let timeline = Timeline::new(time_ns, echo.payload_bytes);
            let mut record = Record::new(hash, ends.host, ends.server, 0, ends.transport, timeline);
            record.kind = EvidenceKind::IcmpTunnel;
            record.role = ends.role;
            let sketch = Sketch::Echoes(EchoSketch::default());
            self.sketched.echoes.insert(Sketched::new(record, sketch, 0));
        }
        let period = self.period;
        if let Some(Sketched {
            record,
            sketch: Sketch::Echoes(echoes),
            ..
        }) = self.sketched.echoes.find(hash)
        {
            echoes.add(echo);
            record.period = period;
        }
        self.rescore_sketched(hash);
    }

    /// The type of the query just told.
    pub(crate) fn dns_type(&mut self, ends: &Ends, message: &DnsMessage<'_>) {
        let (data, domain) = split(message.name);
        if data.is_empty() || is_site_local_name(message.name) {
            return;
        }
        let (_, _, hash) = self.tunnel_key(ends, domain);
        if let Some(Sketched {
            sketch: Sketch::Names(names),
            ..
        }) = self.sketched.names.find(hash)
        {
            names.query_type(message.query_type);
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

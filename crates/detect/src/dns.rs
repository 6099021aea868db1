//! What DNS tells besides check-ins: addresses that were given for names, and names that carry data.
//!
//! In: queries and answers of the hosts of one worker. Out: changes in its tables of resolutions and tunnels. Not its job:
//! DNS beacons, which are check-ins like any other ([`crate::intake`]).

use balefire_decode::Address;

use crate::Timeline;
use crate::detector::Detector;
use crate::intake::Ends;
use crate::key::Scope;
use crate::ledger::Record;
use crate::questions::Below;
use crate::seen::Deed;
use crate::summary::EvidenceKind;
use crate::tunnel::is_resolver_port;

impl Detector {
    /// The host was given this address for the name of this slot and hash. `given` are the hashes of the host and of both.
    pub(crate) fn resolved_to(
        &mut self,
        ends: &Ends,
        name: (u32, u64),
        address: Address,
        given: (u64, u64),
        time_ns: i64,
    ) {
        self.resolved
            .given(given.1, (ends.host, address), time_ns, name, &self.names);
        self.seen.host(given.0, ends.host, self.period, Deed::Resolved);
    }

    /// A question: one more name below its domain.
    pub(crate) fn asked_below(&mut self, ends: &Ends, data: &str, below: &Below, time_ns: i64) {
        if !is_resolver_port(ends.port, ends.server) {
            return;
        }
        let fresh = || {
            let timeline = Timeline::new(time_ns, 0);
            let mut record = Record::new(below.hash, ends.host, ends.server, ends.port, ends.transport, timeline);
            record.kind = EvidenceKind::DnsTunnel;
            record.scope = Scope::Domain;
            record.role = ends.role;
            record.name = below.slot;
            record
        };
        self.tunnels
            .query((below.hash, time_ns, self.period), data, below.name_hash, fresh);
        self.rescore_tunnel(below.hash);
    }

    /// The type of such a question.
    pub(crate) fn asked_below_for(&mut self, below: &Below, query_type: u16) {
        if let Some(tunnel) = self.tunnels.find(below.hash) {
            tunnel.sketch.query_type(query_type);
        }
    }
}

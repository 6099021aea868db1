//! What DNS and ICMP tell besides check-ins: addresses that were given for names, names and echoes that carry data.
//!
//! In: queries, answers and echoes of the hosts of one worker. Out: changes in its tables of resolutions and sketches. Not its job:
//! DNS beacons, which are check-ins like any other ([`crate::intake`]).

use balefire_decode::Address;
use balefire_track::Echo;

use crate::Timeline;
use crate::detector::Detector;
use crate::echo::EchoSketch;
use crate::home::Role;
use crate::intake::Ends;
use crate::key::{Destination, Scope};
use crate::ledger::Record;
use crate::questions::Below;
use crate::seen::Deed;
use crate::sketched::{Sketch, Sketched, is_judged_at};
use crate::summary::EvidenceKind;
use crate::tunnel::{NameSketch, is_resolver_port};

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
        let period = self.period;
        let slot = match self.sketched.names.slot(below.hash) {
            Some(slot) => {
                if let Some(known) = self.sketched.names.in_slot(slot) {
                    known.record.timeline.check_in(time_ns, 0);
                }
                slot
            }
            None => {
                let timeline = Timeline::new(time_ns, 0);
                let mut record = Record::new(below.hash, ends.host, ends.server, ends.port, ends.transport, timeline);
                record.kind = EvidenceKind::DnsTunnel;
                record.scope = Scope::Domain;
                record.role = ends.role;
                record.name = below.slot;
                let sketch = Sketch::Names(NameSketch::default());
                self.sketched
                    .names
                    .insert(Sketched::new(record, sketch, below.name_hash))
            }
        };
        if let Some(Sketched {
            record,
            sketch: Sketch::Names(names),
            ..
        }) = self.sketched.names.in_slot(slot)
        {
            names.query(data);
            record.period = period;
            record.used_from(ends.server, ends.port, ends.client_port);
            if is_judged_at(names.queries()) {
                self.rescore_sketched(below.hash);
            }
        }
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
            record.client_port = ends.client_port;
        }
        self.rescore_sketched(hash);
    }

    /// The type of such a question.
    pub(crate) fn asked_below_for(&mut self, below: &Below, query_type: u16) {
        if let Some(Sketched {
            sketch: Sketch::Names(names),
            ..
        }) = self.sketched.names.find(below.hash)
        {
            names.query_type(query_type);
        }
    }
}

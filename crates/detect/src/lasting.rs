//! Connections that stay open: for how long, and what they carried.
//!
//! In: connections of one pair that last [`LEAST_NS`] or longer, as they end, or while they are open when their client speaks.
//! Out: a [`LastingSketch`]. Not its job: weights; datagrams, whose "connections" are only silence that did not come.

use balefire_track::Protocol;

use crate::Timeline;
use crate::detector::Detector;
use crate::home::Role;
use crate::intake::{Connection, Ends};
use crate::key::{Destination, Scope};
use crate::ledger::Record;
use crate::names::NO_NAME;
use crate::sketched::{Sketch, Sketched};
use crate::summary::EvidenceKind;

/// Shorter connections are not kept: pages, downloads and mail stay open for minutes.
pub(crate) const LEAST_NS: i64 = 600_000_000_000;

/// See the head of this file.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct LastingSketch {
    /// Those that ended; an open one is not among them.
    pub(crate) ended: u32,
    pub(crate) longest_ns: i64,
    /// Of those that ended: how long they lasted, and their payload both ways.
    pub(crate) total_ns: i64,
    pub(crate) payload_bytes: u64,
    pub(crate) protocol: Option<Protocol>,
}

// The protocol is shown again by the next connection.
crate::state::kept!(LastingSketch { ended, longest_ns, total_ns, payload_bytes } else { protocol: None });

impl LastingSketch {
    pub(crate) fn connections(&self) -> u32 {
        self.ended.max(1)
    }

    /// Payload both ways, bytes an hour; none while nothing has ended.
    pub(crate) fn bytes_an_hour(&self) -> Option<f64> {
        (self.ended > 0).then(|| self.payload_bytes as f64 / (self.total_ns as f64 / 3.6e12).max(1e-3))
    }
}

impl Detector {
    /// A connection lasted from `first_ns` to `last_ns`; `ended` has its payload both ways and whether it failed if that is all.
    pub(crate) fn lasted(&mut self, ends: &Ends, number: u32, first_ns: i64, last_ns: i64, ended: Option<u64>) {
        if ends.role == Role::Internal && !self.settings.score_internal {
            return;
        }
        let Some(connection) = self.connections.get(number) else {
            return;
        };
        let (relayed, bare_hello, odd_certificate) =
            (connection.relayed, connection.bare_hello, connection.odd_certificate);
        let (protocol, name) = (connection.protocol, self.name_of(connection));
        let key = Destination::service(ends.server, ends.port, ends.transport);
        let hash = self.seed.pair(
            self.seed.address(ends.host),
            self.seed.destination(&key),
            EvidenceKind::LongConnection,
        );
        if self.sketched.lasting.find(hash).is_none() {
            let timeline = Timeline::new(first_ns, 0);
            let mut record = Record::new(hash, ends.host, ends.server, ends.port, ends.transport, timeline);
            record.kind = EvidenceKind::LongConnection;
            record.scope = Scope::Service;
            record.role = ends.role;
            let sketch = Sketch::Lasting(LastingSketch::default());
            self.sketched.lasting.insert(Sketched::new(record, sketch, 0));
        }
        let (period, name_hash) = (self.period, self.names.hash(name));
        let Some(Sketched {
            record,
            sketch: Sketch::Lasting(lasting),
            name_hash: known_name,
            ..
        }) = self.sketched.lasting.find(hash)
        else {
            return;
        };
        record.period = period;
        record.client_port = ends.client_port;
        if name != NO_NAME {
            (record.name, *known_name) = (name, name_hash);
        }
        lasting.longest_ns = lasting.longest_ns.max(last_ns.saturating_sub(first_ns));
        lasting.protocol = protocol.or(lasting.protocol);
        record.timeline.check_in(first_ns, 0);
        if let Some(payload_bytes) = ended {
            lasting.ended = lasting.ended.saturating_add(1);
            lasting.total_ns = lasting.total_ns.saturating_add(last_ns.saturating_sub(first_ns));
            lasting.payload_bytes = lasting.payload_bytes.saturating_add(payload_bytes);
            record.closed = record.closed.saturating_add(1);
            record.relayed = record.relayed.saturating_add(u32::from(relayed));
            record.named = record.named.saturating_add(u32::from(name != NO_NAME && !relayed));
            record.bare_hellos = record.bare_hellos.saturating_add(u16::from(bare_hello));
            record.odd_certificates = record.odd_certificates.saturating_add(u16::from(odd_certificate));
        } else if record.closed == 0 {
            // Still open, and the only one: what is known of it so far.
            record.relayed = u32::from(relayed);
            record.named = u32::from(name != NO_NAME && !relayed);
            record.bare_hellos = u16::from(bare_hello);
            record.odd_certificates = u16::from(odd_certificate);
        }
        self.rescore_sketched(hash);
    }

    /// The name a connection gave, while it is known.
    pub(crate) fn name_of(&self, connection: &Connection) -> u32 {
        if self.names.hash(connection.name) == connection.name_hash {
            connection.name
        } else {
            NO_NAME
        }
    }
}

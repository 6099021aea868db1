//! Traffic by hosting country, on the hottest path: a few additions per packet.
//!
//! In: a tag per connection, then a call per packet. Out: counters per country and the times of the first and last packet.
//! Not its job: which country an address has.
//!
//! A tag is `place << 23 | connection`: the upper nine bits find the counters without any look-up; the lower are the
//! detector's own number of the connection.

use crate::part::{Part, Traffic};
use crate::summary::Country;

/// Bits of a tag that number the connection.
const CONNECTION_BITS: u32 = 23;
/// "Not followed": the largest connection number.
pub(crate) const UNFOLLOWED: u32 = (1 << CONNECTION_BITS) - 1;
/// Two places per country, one per direction of the originator.
const PLACES: usize = 1 << (32 - CONNECTION_BITS);
/// Codes with places of their own, 0 and 1 apart; 249 are assigned in ISO 3166-1.
const MOST_COUNTRIES: usize = PLACES / 2;

/// Both directions of one place.
#[derive(Clone, Copy, Debug, Default)]
struct Counter {
    bytes_by_originator: u64,
    bytes_by_responder: u64,
    packets: u64,
    connections: u64,
}

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct TrafficCounters {
    counters: Box<[Counter; PLACES]>,
    /// The country of each pair of places. The first pair counts what has no country: traffic inside, and to groups.
    codes: Vec<Country>,
    /// Place of a code by its letters.
    places: Box<[u8; 26 * 26]>,
    first_ns: i64,
    last_ns: i64,
}

impl TrafficCounters {
    pub(crate) fn new() -> Self {
        Self {
            counters: Box::new([Counter::default(); PLACES]),
            codes: vec![Country::UNKNOWN, Country::UNKNOWN],
            places: Box::new([0; 26 * 26]),
            first_ns: i64::MAX,
            last_ns: i64::MIN,
        }
    }

    /// The tag of a connection that has just begun; `reversed` where the host is the responder. Counts the connection.
    #[inline]
    pub(crate) fn tag(&mut self, country: Option<Country>, reversed: bool, connection: u32) -> u32 {
        let place = country.map_or(0, |country| self.place(country));
        let tag = (place * 2 + u32::from(reversed)) << CONNECTION_BITS | connection;
        self.counters[(tag >> CONNECTION_BITS) as usize].connections += 1;
        tag
    }

    /// The connection number in a tag.
    #[inline]
    pub(crate) fn connection(tag: u32) -> u32 {
        tag & UNFOLLOWED
    }

    /// One packet.
    #[inline]
    pub(crate) fn packet(&mut self, tag: u32, from_originator: bool, time_ns: i64, ip_bytes: u32) {
        let counter = &mut self.counters[(tag >> CONNECTION_BITS) as usize];
        // Both sides are written, so that the direction is no branch: it is close to random.
        let out = u64::from(ip_bytes) * u64::from(from_originator);
        counter.bytes_by_originator += out;
        counter.bytes_by_responder += u64::from(ip_bytes) - out;
        counter.packets += 1;
        self.first_ns = self.first_ns.min(time_ns);
        self.last_ns = self.last_ns.max(time_ns);
    }

    /// Many packets of one direction at once.
    pub(crate) fn volume(&mut self, tag: u32, from_originator: bool, time_ns: i64, ip_bytes: u64, packets: u64) {
        let counter = &mut self.counters[(tag >> CONNECTION_BITS) as usize];
        let bytes = if from_originator {
            &mut counter.bytes_by_originator
        } else {
            &mut counter.bytes_by_responder
        };
        *bytes = bytes.saturating_add(ip_bytes);
        counter.packets = counter.packets.saturating_add(packets);
        self.first_ns = self.first_ns.min(time_ns);
        self.last_ns = self.last_ns.max(time_ns);
    }

    /// Time of the newest packet since [`Self::take`].
    pub(crate) fn newest_ns(&self) -> Option<i64> {
        (self.first_ns <= self.last_ns).then_some(self.last_ns)
    }

    /// Everything counted since the last time, as a part; starts anew.
    pub(crate) fn take(&mut self) -> Part {
        let mut part = Part::default();
        for (place, counter) in self
            .counters
            .iter()
            .enumerate()
            .filter(|(_, counter)| counter.connections + counter.packets > 0)
        {
            part.connections += counter.connections;
            if place < 2 {
                continue;
            }
            let (out, inward) = match place % 2 {
                0 => (counter.bytes_by_originator, counter.bytes_by_responder),
                _ => (counter.bytes_by_responder, counter.bytes_by_originator),
            };
            let traffic = Traffic {
                connections: counter.connections,
                bytes_out: out,
                bytes_in: inward,
                packets: counter.packets,
            };
            part.traffic.entry(self.codes[place / 2]).or_default().add(&traffic);
        }
        if self.first_ns <= self.last_ns {
            part.first_packet_ns = Some(self.first_ns);
            part.last_packet_ns = Some(self.last_ns);
        }
        self.counters.fill(Counter::default());
        (self.first_ns, self.last_ns) = (i64::MAX, i64::MIN);
        part
    }

    fn place(&mut self, country: Country) -> u32 {
        let letter = |byte: u8| usize::from(byte.wrapping_sub(b'A'));
        let at = letter(country.0[0])
            .saturating_mul(26)
            .saturating_add(letter(country.0[1]));
        if letter(country.0[1]) >= 26 || at >= self.places.len() {
            return 1;
        }
        if self.places[at] == 0 {
            if self.codes.len() == MOST_COUNTRIES {
                return 1;
            }
            self.places[at] = self.codes.len() as u8;
            self.codes.push(country);
        }
        u32::from(self.places[at])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_and_countries_are_kept_apart() {
        let mut counters = TrafficCounters::new();
        let nl = Country(*b"NL");
        let out = counters.tag(Some(nl), false, 5);
        let inbound = counters.tag(Some(nl), true, UNFOLLOWED);
        let inside = counters.tag(None, false, 7);
        assert_eq!(
            (TrafficCounters::connection(out), TrafficCounters::connection(inbound)),
            (5, UNFOLLOWED)
        );
        counters.packet(out, true, 10, 100);
        counters.packet(out, false, 11, 1000);
        counters.packet(inbound, true, 12, 7);
        counters.packet(inside, true, 9, 1);
        let part = counters.take();
        let expected = Traffic {
            connections: 2,
            bytes_out: 100,
            bytes_in: 1007,
            packets: 3,
        };
        assert_eq!(part.traffic.into_iter().collect::<Vec<_>>(), vec![(nl, expected)]);
        assert_eq!(
            (part.connections, part.first_packet_ns, part.last_packet_ns),
            (3, Some(9), Some(12))
        );
        assert_eq!(counters.take().connections, 0);
    }

    #[test]
    fn every_two_letters_are_accepted_and_the_rest_is_unknown() {
        let mut counters = TrafficCounters::new();
        for first in b'A'..=b'Z' {
            for second in b'A'..=b'Z' {
                counters.tag(Some(Country([first, second])), true, 0);
            }
        }
        for odd in [*b"--", *b"a1", [0xff, b'A'], [b'A', b'-']] {
            counters.tag(Some(Country(odd)), false, 0);
        }
        let part = counters.take();
        assert_eq!(part.connections, 26 * 26 + 4);
        assert_eq!(part.traffic.len(), MOST_COUNTRIES - 1);
        assert_eq!(
            part.traffic.values().map(|traffic| traffic.connections).sum::<u64>(),
            26 * 26 + 4
        );
    }
}

//! ICMP echoes between a host and a server as a channel: what pings carry, in a few numbers.
//!
//! In: the echo requests and replies of one pair. Out: an [`EchoSketch`]. Not its job: weights, tables.
//!
//! A reply returns what its request carried (RFC 792), and programs that ping repeat one pattern; a tunnel cannot do either.

use balefire_track::Echo;

use crate::tunnel::Distinct;

/// Requests remembered until their replies come: pings are sent once a second or slower, floods by the hundred.
const REMEMBERED: usize = 8;

/// See the head of this file. 160 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct EchoSketch {
    requests: u32,
    replies: u32,
    /// Replies that return something else than was sent, and those to nothing that is remembered.
    altered: u32,
    unasked: u32,
    /// Requests long enough to have a pattern behind the time stamp, and their different patterns.
    patterned: u32,
    patterns: Distinct<4>,
    /// Different lengths of requests; those so short that the pattern differs with the length.
    sizes: Distinct<1>,
    short_sizes: Distinct<1>,
    request_bytes: u64,
    reply_bytes: u64,
    /// Identifier with sequence number, and head, of the last requests.
    asked: [(u32, u32); REMEMBERED],
    next: u8,
}

crate::state::kept!(EchoSketch {
    requests, replies, altered, unasked, patterned, patterns, sizes, short_sizes, request_bytes, reply_bytes, asked, next,
} if |read| usize::from(read.next) < REMEMBERED);

impl EchoSketch {
    /// One message.
    pub(crate) fn add(&mut self, echo: &Echo) {
        let number = u32::from(echo.identifier) << 16 | u32::from(echo.sequence);
        if echo.is_reply {
            self.replies = self.replies.saturating_add(1);
            self.reply_bytes += u64::from(echo.payload_bytes);
            let mut same = self
                .asked
                .iter()
                .filter(|asked| asked.0 == number && asked.1 != 0)
                .peekable();
            if same.peek().is_none() {
                self.unasked = self.unasked.saturating_add(1);
            } else if !same.any(|asked| asked.1 == echo.head) {
                self.altered = self.altered.saturating_add(1);
            }
            return;
        }
        self.requests = self.requests.saturating_add(1);
        self.request_bytes += u64::from(echo.payload_bytes);
        self.asked[usize::from(self.next) % REMEMBERED] = (number, echo.head);
        self.next = (self.next + 1) % REMEMBERED as u8;
        self.sizes.add(u64::from(echo.payload_bytes));
        if echo.pattern != 0 {
            self.patterned = self.patterned.saturating_add(1);
            self.patterns.add(u64::from(echo.pattern));
            if (echo.payload_bytes as usize) < Echo::SAMPLE_BYTES {
                self.short_sizes.add(u64::from(echo.payload_bytes));
            }
        }
    }

    pub(crate) fn messages(&self) -> u32 {
        self.requests.saturating_add(self.replies)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.request_bytes + self.reply_bytes
    }

    /// Octets of the larger direction's messages.
    pub(crate) fn mean_bytes(&self) -> f64 {
        let mean = |bytes: u64, messages: u32| bytes as f64 / f64::from(messages.max(1));
        mean(self.request_bytes, self.requests).max(mean(self.reply_bytes, self.replies))
    }

    /// Shares of replies that return something else, and that nobody asked for; none below three replies.
    pub(crate) fn replies(&self) -> Option<(f64, f64)> {
        let share = |count: u32| f64::from(count) / f64::from(self.replies);
        (self.replies >= 3).then(|| (share(self.altered), share(self.unasked)))
    }

    /// Share of requests with a pattern of their own, those apart that differ only by their length; none below four.
    pub(crate) fn changing(&self) -> Option<f64> {
        let excused = (self.short_sizes.estimate() - 1.0).max(0.0);
        let patterns = (self.patterns.estimate() - excused).max(1.0);
        // One pattern in any number of requests is no change.
        (self.patterned >= 4).then(|| ((patterns - 1.0) / f64::from(self.patterned - 1)).min(1.0))
    }

    /// Different lengths of requests.
    pub(crate) fn sizes(&self) -> f64 {
        self.sizes.estimate()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn echo(is_reply: bool, sequence: u16, payload_bytes: u32, head: u32, pattern: u32) -> Echo {
        Echo {
            is_reply,
            identifier: 7,
            sequence,
            payload_bytes,
            head,
            pattern,
        }
    }

    #[test]
    fn a_ping_returns_what_was_sent_and_repeats_itself() {
        let mut sketch = EchoSketch::default();
        for number in 1..=50 {
            sketch.add(&echo(false, number, 56, 1_000 + u32::from(number), 9));
            sketch.add(&echo(true, number, 56, 1_000 + u32::from(number), 9));
        }
        assert_eq!(sketch.replies(), Some((0.0, 0.0)));
        assert!(sketch.changing().unwrap() < 0.05 && sketch.sizes() < 1.5);
        assert_eq!((sketch.messages(), sketch.bytes()), (100, 5_600));
    }

    #[test]
    fn a_tunnel_does_neither() {
        let mut sketch = EchoSketch::default();
        for number in 1..=50_u32 {
            let mixed = number.wrapping_mul(0x9e37_79b9);
            sketch.add(&echo(false, number as u16, 60 + 16 * (number % 7), mixed, mixed ^ 1));
            sketch.add(&echo(true, number as u16, 90, !mixed, mixed ^ 2));
            sketch.add(&echo(true, 10_000 + number as u16, 90, mixed, mixed ^ 3));
        }
        assert_eq!(sketch.replies(), Some((0.5, 0.5)));
        assert!(sketch.changing().unwrap() > 0.8 && (5.0..9.0).contains(&sketch.sizes()));
        assert!(sketch.mean_bytes() > 89.0);
    }

    #[test]
    fn lengths_tried_one_after_the_other_are_no_change() {
        let mut sketch = EchoSketch::default();
        for number in 17..50_u32 {
            sketch.add(&echo(false, number as u16, number, number, number));
        }
        assert!(sketch.changing().unwrap() < 0.2);
        assert_eq!(sketch.replies(), None);
    }
}

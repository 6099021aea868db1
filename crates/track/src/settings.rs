//! What the tracker can be told. Plain values; files and flags are the program's business.

const SECOND_NS: i64 = 1_000_000_000;

/// Limits and timeouts of one [`crate::Tracker`]. Timeouts are times of silence, on packet time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Most live connections, 1 to [`Settings::MOST_CONNECTIONS`]; at the limit the oldest of the least interesting
    /// [`crate::Class`] makes room. Finished connections that linger count too.
    pub connections: usize,
    /// Seed of the index: keys are chosen by attackers, so it is drawn anew for every run. It changes no result.
    pub seed: u64,
    /// TCP that was established. One hour, not the five minutes of Zeek's `tcp_inactivity_timeout`: a control
    /// connection with a rare heartbeat must stay one connection, and an hour is the usual idle limit of stateful
    /// firewalls, so that what lives on behind one speaks more often. (RFC 5382 asks address translators for 2 h 4 min.)
    pub tcp_timeout_ns: i64,
    /// TCP of which only the originator was seen and no payload. 40 s: Linux repeats a SYN after 1, 2, 4, 8, 16 and
    /// 32 s of silence (RFC 6298 doubling), and one attempt with its repetitions must stay one.
    pub tcp_attempt_timeout_ns: i64,
    /// TCP that one side has closed: 240 s, the least transitory timeout RFC 5382 (REQ-5) allows a translator.
    pub tcp_closing_timeout_ns: i64,
    /// How long finished TCP is remembered after its last packet, so that stragglers open no ghost connection:
    /// 5 s, Zeek's `tcp_close_delay`.
    pub tcp_linger_ns: i64,
    /// UDP and every other transport without states: 60 s, Zeek's `udp_inactivity_timeout`.
    pub udp_timeout_ns: i64,
    /// ICMP: 60 s, Zeek's `icmp_inactivity_timeout`.
    pub icmp_timeout_ns: i64,
    /// Most buffers for application data that spans segments; when all are in use the oldest is taken over.
    pub payload_buffers: usize,
}

impl Settings {
    /// The index packs a connection's number and part of its hash into 32 bits; this leaves the hash 7 of them.
    pub const MOST_CONNECTIONS: usize = (1 << 25) - 1;
    /// A connection refers to its buffer in 16 bits.
    pub const MOST_PAYLOAD_BUFFERS: usize = 1 << 15;

    /// The same with every value inside its bounds.
    pub(crate) fn bounded(mut self) -> Self {
        self.connections = self.connections.clamp(1, Self::MOST_CONNECTIONS);
        self.payload_buffers = self.payload_buffers.min(Self::MOST_PAYLOAD_BUFFERS);
        for timeout_ns in [
            &mut self.tcp_timeout_ns,
            &mut self.tcp_attempt_timeout_ns,
            &mut self.tcp_closing_timeout_ns,
            &mut self.tcp_linger_ns,
            &mut self.udp_timeout_ns,
            &mut self.icmp_timeout_ns,
        ] {
            // A year is more than any use; the bound keeps sums of times far from overflow.
            *timeout_ns = (*timeout_ns).clamp(0, 366 * 86_400 * SECOND_NS);
        }
        self
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connections: 1 << 20,
            seed: 0,
            tcp_timeout_ns: 3_600 * SECOND_NS,
            tcp_attempt_timeout_ns: 40 * SECOND_NS,
            tcp_closing_timeout_ns: 240 * SECOND_NS,
            tcp_linger_ns: 5 * SECOND_NS,
            udp_timeout_ns: 60 * SECOND_NS,
            icmp_timeout_ns: 60 * SECOND_NS,
            payload_buffers: 4_096,
        }
    }
}

//! One host inside: its addresses, how its packets are wrapped, and how it opens conversations.
//!
//! In: the scenario and a host's number. Out: conversations planned in its name. Not its job: deciding when and with
//! whom: people, services and beacons do.

use balefire_decode::{Address, Transport};

use super::frame::{Flow, Payload, Wrap};
use super::plan::Plan;
use super::random::{Random, split_mix};
use super::scenario::Scenario;
use super::talk::{self, NS_PER_MS, NS_PER_S, Talk};
use super::tls::{self, Client};
use super::words::{self, Question};

/// The site's resolver; the tap sees questions to it.
const RESOLVER: [Address; 2] = [
    Address::v4([10, 0, 0, 53]),
    Address::v6([0xfd, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x53]),
];

/// Who a host is; computed from its number, so a million of them take no memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Host {
    pub(super) address: Address,
    pub(super) wrap: Wrap,
    /// The client of its browser.
    pub(super) browser: Client,
}

impl Host {
    pub(super) fn new(scenario: &Scenario, number: u32) -> Self {
        let mut random = Random::new(scenario.seed, 0x0068_6f73_7400_0000 ^ u64::from(number));
        let wrap = wrap(scenario, &mut random);
        let v6 = random.chance(scenario.ipv6);
        let browser = if random.chance(0.5) {
            Client::BrowserHybrid
        } else {
            Client::Browser
        };
        Self {
            address: inside(number, v6),
            wrap,
            browser,
        }
    }

    pub(super) fn is_v6(&self) -> bool {
        !self.address.is_v4()
    }
}

fn wrap(scenario: &Scenario, random: &mut Random) -> Wrap {
    let drawn = random.unit();
    if drawn < scenario.vlan {
        Wrap::Vlan(10 + random.below(20) as u16)
    } else if drawn < scenario.vlan + scenario.gre {
        Wrap::Gre
    } else if drawn < scenario.vlan + scenario.gre + scenario.vxlan {
        Wrap::Vxlan(5_000 + random.below(4) as u32)
    } else {
        Wrap::Plain
    }
}

/// 10.1.0.0 upwards, 250 to a /24; for IPv6 a unique local network (RFC 4193) that the site's border translates.
fn inside(number: u32, v6: bool) -> Address {
    if v6 {
        let [a, b, c, d] = number.to_be_bytes();
        return Address::v6([0xfd, 0, 0, 0x10, 0, 1, 0, 0, 0, 0, 0, 0x01, a, b, c, d]);
    }
    let (network, host) = (number / 250, number % 250);
    Address::v4([
        10,
        (1 + network / 256).min(254) as u8,
        (network % 256) as u8,
        (2 + host) as u8,
    ])
}

/// A server outside, as a conversation needs it.
#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) address: Address,
    pub(super) port: u16,
    pub(super) name: Option<String>,
}

/// How many bytes one request and its answer have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exchange {
    pub(super) request_bytes: u32,
    pub(super) response_bytes: u32,
}

/// A program on a host: it has its own randomness and walks through the host's ephemeral ports.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) host: Host,
    pub(super) random: Random,
    port: u16,
}

impl Caller {
    /// `role` keeps programs on one host apart.
    pub(super) fn new(scenario: &Scenario, number: u32, role: u64) -> Self {
        let mut random = Random::new(scenario.seed, split_mix(role) ^ u64::from(number));
        let port = random.below(16_384) as u16;
        Self {
            host: Host::new(scenario, number),
            random,
            port,
        }
    }

    /// A new conversation with `address` from the next port of 49152 to 65535 (RFC 6335 section 6).
    pub(super) fn flow(&mut self, address: Address, port: u16, transport: Transport) -> Flow {
        self.port = (self.port + 1 + self.random.below(7) as u16) % 16_384;
        Flow {
            inside: self.host.address,
            outside: address,
            inside_port: 49_152 + self.port,
            outside_port: port,
            transport,
            wrap: self.host.wrap,
        }
    }

    /// A new TCP connection that will begin at `now_ns`.
    pub(super) fn connect(&mut self, server: &Server, now_ns: i64) -> Talk {
        let flow = self.flow(server.address, server.port, Transport::TCP);
        Talk::new(flow, now_ns, self.round_trip_ns(server.address), self.random.bits())
    }

    /// Between 5 and 185 ms by the server's address, with up to a tenth of queueing on top.
    pub(super) fn round_trip_ns(&mut self, address: Address) -> i64 {
        let distance = split_mix(address.bits() as u64) % 180_000_000;
        let base = 5 * NS_PER_MS + distance as i64;
        base + self.random.below(base as u64 / 10) as i64
    }

    /// Asks the resolver for the name's addresses; returns when the answer is there. A bare address costs nothing.
    pub(super) fn resolve(&mut self, plan: &mut Plan, server: &Server, ttl_s: u32, now_ns: i64) -> i64 {
        let Some(name) = &server.name else { return now_ns };
        let v6 = self.host.is_v6();
        let question = if v6 { Question::Aaaa } else { Question::A };
        let flow = self.flow(RESOLVER[usize::from(v6)], 53, Transport::UDP);
        let query = words::dns_query(self.random.bits() as u16, name, question);
        let answer = words::dns_answer(&query, question, &[server.address], &[], ttl_s);
        let wait = NS_PER_MS + self.random.below(20_000_000) as i64;
        talk::datagrams(plan, flow, now_ns, wait, query.into(), Some(answer.into())) + NS_PER_MS
    }

    /// Asks `resolver` (the site's own where `None`) for `name` and gets a text.
    pub(super) fn ask_text(&mut self, plan: &mut Plan, resolver: Option<&Server>, name: &str, text: u32, now_ns: i64) {
        let (address, port) = match resolver {
            Some(server) => (server.address, server.port),
            None => (RESOLVER[usize::from(self.host.is_v6())], 53),
        };
        let flow = self.flow(address, port, Transport::UDP);
        let query = words::dns_query(self.random.bits() as u16, name, Question::Txt);
        let mut bytes = vec![0; text.min(255) as usize];
        self.random.fill(&mut bytes);
        bytes
            .iter_mut()
            .for_each(|byte| *byte = b"0123456789abcdef"[usize::from(*byte & 15)]);
        let answer = words::dns_answer(&query, Question::Txt, &[], &bytes, 1);
        let wait = self.round_trip_ns(address);
        talk::datagrams(plan, flow, now_ns, wait, query.into(), Some(answer.into()));
    }

    /// Opens a TLS connection and shakes hands.
    pub(super) fn greet_tls(&mut self, plan: &mut Plan, server: &Server, client: Client, now_ns: i64) -> Talk {
        let mut talk = self.connect(server, now_ns);
        talk.open(plan);
        let hello = tls::client_hello(&mut self.random, server.name.as_deref(), client);
        talk.say(plan, true, hello.into());
        // Certificates make most of a server's flight: one of a few lengths by server, shorter for small clients.
        let certificates = match client {
            Client::Library => 900,
            _ => 1_800 + (split_mix(server.address.bits() as u64) % 1_500) as u32,
        };
        talk.say(plan, false, tls::server_flight(&mut self.random, certificates));
        talk.say(plan, true, tls::client_finished(&mut self.random));
        talk
    }

    /// One request and its answer inside TLS.
    pub(super) fn exchange_tls(&mut self, plan: &mut Plan, talk: &mut Talk, exchange: Exchange) {
        for part in tls::application_data(&mut self.random, exchange.request_bytes) {
            talk.say(plan, true, part);
        }
        talk.wait(self.random.below(30_000_000) as i64);
        for part in tls::application_data(&mut self.random, exchange.response_bytes) {
            talk.say(plan, false, part);
        }
    }

    /// Ends a TLS connection: a closing alert of the client, then FIN.
    pub(super) fn part_tls(&mut self, plan: &mut Plan, talk: &mut Talk) {
        for alert in tls::application_data(&mut self.random, 2) {
            talk.say(plan, true, alert);
        }
        talk.close(plan, true);
    }

    /// A whole TLS connection with one exchange.
    pub(super) fn visit_tls(
        &mut self,
        plan: &mut Plan,
        server: &Server,
        client: Client,
        exchange: Exchange,
        now_ns: i64,
    ) {
        let mut talk = self.greet_tls(plan, server, client, now_ns);
        self.exchange_tls(plan, &mut talk, exchange);
        self.part_tls(plan, &mut talk);
    }

    /// A whole HTTP/1.1 connection with one request; the server closes.
    pub(super) fn visit_http(
        &mut self,
        plan: &mut Plan,
        server: &Server,
        [path, agent]: [&str; 2],
        exchange: Exchange,
        now_ns: i64,
    ) {
        let mut talk = self.connect(server, now_ns);
        talk.open(plan);
        let bare = server.address.to_string();
        let host = server.name.as_deref().unwrap_or(&bare);
        let salt = self.random.bits() as u32;
        talk.say(
            plan,
            true,
            words::http_request(host, path, agent, exchange.request_bytes, salt),
        );
        talk.wait(self.random.below(30_000_000) as i64);
        talk.say(
            plan,
            false,
            words::http_response("application/octet-stream", exchange.response_bytes, salt ^ 1),
        );
        talk.close(plan, false);
    }

    /// Filler of this many bytes.
    pub(super) fn noise(&mut self, bytes: u32) -> Payload {
        Payload {
            head: Vec::new(),
            filler_bytes: bytes,
            salt: self.random.bits() as u32,
        }
    }
}

/// A length of time drawn log-normally, in nanoseconds, at most a day.
pub(super) fn pause_ns(random: &mut Random, median_s: f64, sigma: f64) -> i64 {
    (random.log_normal(median_s, sigma).min(86_400.0) * NS_PER_S as f64) as i64
}

//! The planted beacons: one actor per controlled host.
//!
//! In: a [`Beacon`] and a host. Out: its check-ins. Not its job: anything a check-in would carry: there is no code here
//! that talks to a network, and the payloads are noise.

use balefire_decode::{Address, Transport};

use super::host::{Caller, Exchange, Host, Server};
use super::places;
use super::plan::Plan;
use super::random::{Random, split_mix};
use super::scenario::{Answer, Beacon, JitterLaw, Scenario, Speech};
use super::talk::{self, NS_PER_S, Talk};
use super::time;
use super::tls::Client;
use super::traffic::Actor;

/// Time to live of a beacon's name: shorter than most intervals, so most check-ins ask anew.
const NAME_TTL_S: u32 = 120;

/// What was planted: the truth that a detector's findings are held against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planted {
    /// Place of the beacon in [`Scenario::beacons`].
    pub beacon: usize,
    /// The controlled host.
    pub host: Address,
    /// The server's addresses; none for a beacon that asks the site's resolver.
    pub servers: Vec<Address>,
    /// The server's port.
    pub port: u16,
    /// The server's name.
    pub name: Option<String>,
}

impl Scenario {
    /// Every controlled host with its servers.
    pub fn planted(&self) -> Vec<Planted> {
        let mut planted = Vec::new();
        for (index, beacon) in self.beacons.iter().enumerate() {
            for host in controlled_hosts(self, beacon) {
                let Host { address, .. } = Host::new(self, host);
                let servers = servers(self, index, !address.is_v4());
                let (port, name) = (beacon.port, beacon.name.clone());
                planted.push(Planted {
                    beacon: index,
                    host: address,
                    servers,
                    port,
                    name,
                });
            }
        }
        planted
    }
}

/// The numbers of the hosts under `beacon`.
pub(super) fn controlled_hosts(scenario: &Scenario, beacon: &Beacon) -> std::ops::Range<u32> {
    let first = beacon.first_host.min(scenario.hosts);
    first..first.saturating_add(beacon.hosts).min(scenario.hosts)
}

/// The addresses of a beacon's server: neighbours in a /24 where there are several.
fn servers(scenario: &Scenario, index: usize, v6: bool) -> Vec<Address> {
    let beacon = &scenario.beacons[index];
    let number = split_mix(scenario.seed ^ split_mix(index as u64 + 1));
    let drawn = beacon
        .country
        .and_then(|country| places::in_country(country, number, v6));
    let Some(first) = beacon.address.or(drawn) else {
        return Vec::new();
    };
    (0..beacon.servers.max(1)).map(|step| neighbour(first, step)).collect()
}

fn neighbour(address: Address, step: u8) -> Address {
    let mut octets = address.octets();
    octets[15] = octets[15].wrapping_add(step);
    Address::v6(octets)
}

/// A beacon on a host.
#[derive(Debug)]
pub(super) struct Implant {
    beacon: Beacon,
    servers: Vec<Server>,
    caller: Caller,
    open: Option<Talk>,
    name_known_until_ns: i64,
    /// Echo requests so far (ICMP).
    echoes: u16,
}

impl Implant {
    /// `None` when the host's address family cannot reach the beacon's server.
    pub(super) fn new(scenario: &Scenario, index: usize, number: u32) -> Option<Self> {
        let beacon = scenario.beacons[index].clone();
        let caller = Caller::new(scenario, number, 0x1000 + index as u64);
        let v6 = caller.host.is_v6();
        let servers: Vec<_> = servers(scenario, index, v6)
            .into_iter()
            .map(|address| Server {
                address,
                port: beacon.port,
                name: beacon.name.clone(),
            })
            .collect();
        if servers.iter().any(|server| server.address.is_v4() == v6) {
            return None;
        }
        Some(Self {
            beacon,
            servers,
            caller,
            open: None,
            name_known_until_ns: i64::MIN,
            echoes: 0,
        })
    }

    /// Within one interval of its beginning.
    pub(super) fn first_ns(&mut self, start_ns: i64) -> i64 {
        let into_s = self.beacon.begin_s as f64 + self.caller.random.unit() * self.beacon.interval_s;
        start_ns + (into_s * NS_PER_S as f64) as i64
    }

    fn gap_ns(&mut self) -> i64 {
        let Beacon {
            interval_s,
            jitter,
            law,
            ..
        } = self.beacon;
        let offset = draw_offset(&mut self.caller.random, law);
        (interval_s * (1.0 + jitter * offset) * NS_PER_S as f64) as i64
    }

    fn check_in(&mut self, now_ns: i64, plan: &mut Plan) {
        if self.beacon.speech == Speech::Dns {
            return self.ask(now_ns, plan);
        }
        let mut server = self.servers[self.caller.random.below(self.servers.len() as u64) as usize].clone();
        if self.beacon.ports > 1 {
            server.port = server
                .port
                .saturating_add(self.caller.random.below(u64::from(self.beacon.ports)) as u16);
        }
        let mut at = now_ns;
        if self.open.is_none() && now_ns >= self.name_known_until_ns {
            at = self.caller.resolve(plan, &server, NAME_TTL_S, now_ns);
            self.name_known_until_ns = now_ns + i64::from(NAME_TTL_S) * NS_PER_S;
        }
        let exchange = self.exchange();
        match self.beacon.answer {
            Answer::Refused => self.caller.connect(&server, at).refused(plan),
            Answer::Silent => self.caller.connect(&server, at).unanswered(plan),
            Answer::Alive if self.beacon.heartbeat => self.beat(&server, exchange, at, plan),
            Answer::Alive => self.speak(&server, exchange, at, plan),
        }
    }

    /// One check-in in twenty brings a task: a longer answer.
    fn exchange(&mut self) -> Exchange {
        let Beacon {
            request_bytes,
            response_bytes,
            ..
        } = self.beacon;
        let task = if self.caller.random.chance(0.05) {
            self.caller.random.between(200, 2_000) as u32
        } else {
            0
        };
        Exchange {
            request_bytes,
            response_bytes: response_bytes + task,
        }
    }

    fn speak(&mut self, server: &Server, exchange: Exchange, at: i64, plan: &mut Plan) {
        let caller = &mut self.caller;
        match self.beacon.speech {
            Speech::Tls => caller.visit_tls(plan, server, Client::Library, exchange, at),
            Speech::Http => {
                let words = ["/news/latest", "Mozilla/4.0 (compatible)"];
                caller.visit_http(
                    plan,
                    server,
                    words,
                    Exchange {
                        request_bytes: 0,
                        ..exchange
                    },
                    at,
                );
            }
            Speech::Udp => {
                let flow = caller.flow(server.address, server.port, Transport::UDP);
                let wait = caller.round_trip_ns(server.address);
                let question = caller.noise(exchange.request_bytes.min(1_400));
                let answer = caller.noise(exchange.response_bytes.min(1_400));
                talk::datagrams(plan, flow, at, wait, question, Some(answer));
            }
            Speech::Icmp => self.echo(server, exchange, at, plan),
            Speech::Tcp | Speech::Dns => {
                let mut talk = caller.connect(server, at);
                talk.open(plan);
                let (question, answer) = (
                    caller.noise(exchange.request_bytes),
                    caller.noise(exchange.response_bytes),
                );
                talk.say(plan, true, question);
                talk.say(plan, false, answer);
                talk.close(plan, true);
            }
        }
    }

    /// An echo whose request and reply each carry data of their own.
    fn echo(&mut self, server: &Server, exchange: Exchange, at: i64, plan: &mut Plan) {
        let caller = &mut self.caller;
        let transport = if server.address.is_v4() {
            Transport::ICMP
        } else {
            Transport::ICMP6
        };
        let mut flow = caller.flow(server.address, 0, transport);
        flow.inside_port = 0;
        let times_ns = [at, at + caller.round_trip_ns(server.address)];
        // One identifier for one program, as ping has; its sequence numbers go up.
        self.echoes = self.echoes.wrapping_add(1);
        let number = 0x5a5a_0000 | u32::from(self.echoes);
        let question = caller.noise(exchange.request_bytes.min(1_400));
        let answer = caller.noise(exchange.response_bytes.min(1_400));
        talk::echo(plan, flow, times_ns, number, [question, answer]);
    }

    /// A burst in the connection that is open, or in a new one.
    fn beat(&mut self, server: &Server, exchange: Exchange, at: i64, plan: &mut Plan) {
        let tls = self.beacon.speech == Speech::Tls;
        let mut talk = match self.open.take() {
            Some(mut talk) => {
                talk.now_ns = talk.now_ns.max(at);
                talk
            }
            None if tls => self.caller.greet_tls(plan, server, Client::Library, at),
            None => {
                let mut talk = self.caller.connect(server, at);
                talk.open(plan);
                talk
            }
        };
        if tls {
            self.caller.exchange_tls(plan, &mut talk, exchange);
        } else {
            let (question, answer) = (
                self.caller.noise(exchange.request_bytes),
                self.caller.noise(exchange.response_bytes),
            );
            talk.say(plan, true, question);
            talk.say(plan, false, answer);
        }
        self.open = Some(talk);
    }

    /// A question under the beacon's name: a label that changes where bytes go out, the bare name where none do.
    fn ask(&mut self, now_ns: i64, plan: &mut Plan) {
        let base = self.beacon.name.as_deref().unwrap_or("check.example");
        let mut label = String::new();
        for _ in 0..self.beacon.request_bytes.min(30) {
            label.push_str(&format!("{:02x}", self.caller.random.below(256)));
        }
        let name = if label.is_empty() {
            base.to_owned()
        } else {
            format!("{label}.{base}")
        };
        let text = self.beacon.response_bytes;
        self.caller.ask_text(plan, self.servers.first(), &name, text, now_ns);
    }
}

/// Where in the jitter's range an interval falls: -1 to 1.
fn draw_offset(random: &mut Random, law: JitterLaw) -> f64 {
    match law {
        JitterLaw::Uniform => 2.0 * random.unit() - 1.0,
        JitterLaw::OneSided => -random.unit(),
        JitterLaw::Gauss => (random.gauss() / 2.0).clamp(-1.0, 1.0),
    }
}

impl Actor for Implant {
    fn act(&mut self, now_ns: i64, plan: &mut Plan) -> Option<i64> {
        let off = time::until_hours_ns(now_ns, self.beacon.hours);
        if off > 0 {
            // The host was off, so its long connection is gone as well.
            self.open = None;
            return Some(now_ns + off + self.caller.random.below(600 * NS_PER_S as u64) as i64);
        }
        if !self.caller.random.chance(self.beacon.drop) {
            self.check_in(now_ns, plan);
        }
        Some(now_ns + self.gap_ns().max(NS_PER_S / 100))
    }
}

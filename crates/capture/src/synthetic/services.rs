//! What machines do by themselves, innocent and often as regular as a beacon: the reason why timing alone proves nothing.
//!
//! In: a service and a host. Out: its traffic. Not its job: people, beacons. The names are those that common systems
//! really use for these things, so that a reader of the traffic can know them; the addresses are documentation ranges.

use balefire_decode::{Address, Transport};

use super::host::{Caller, Exchange, Server, pause_ns};
use super::places;
use super::plan::Plan;
use super::random::Random;
use super::scenario::{Scenario, Service};
use super::talk::{self, NS_PER_S, Talk};
use super::tls::Client;
use super::traffic::Actor;
use super::words;

/// Different agents, and how often they ask: the round numbers that people choose.
const AGENTS: u64 = 20;
const AGENT_PERIODS_S: [f64; 6] = [300.0, 60.0, 600.0, 900.0, 1_800.0, 3_600.0];

/// A few are on most hosts, many on few: the square of a uniform draw.
fn popular_agent(random: &mut Random) -> u64 {
    let unit = random.unit();
    (unit * unit * AGENTS as f64) as u64
}

/// One service on one host.
#[derive(Debug)]
pub(super) struct Routine {
    service: Service,
    caller: Caller,
    /// The connection that is kept alive (push).
    open: Option<Talk>,
    /// Which program, of the agents.
    agent: u64,
    count: u32,
}

impl Routine {
    /// The service's routine on this host, if it runs there.
    pub(super) fn new(scenario: &Scenario, number: u32, service: Service) -> Option<Self> {
        let mut caller = Caller::new(scenario, number, 0x100 + service as u64);
        let share = match service {
            Service::Ntp | Service::Ocsp | Service::Discovery => 1.0,
            Service::Updates => 0.8,
            Service::Push => 0.5,
            Service::Connectivity | Service::Mail => 0.34,
            Service::Agents => 0.6,
            Service::Ping => f64::from(u8::from(number == 0)),
        };
        let runs = caller.random.chance(share) && (service != Service::Discovery || !caller.host.is_v6());
        runs.then_some(Self {
            service,
            // Drawn for agents only, so that the other services stay as they are.
            agent: match service {
                Service::Agents => popular_agent(&mut caller.random),
                _ => 0,
            },
            caller,
            open: None,
            count: 0,
        })
    }

    /// A first time anywhere within one period.
    pub(super) fn first_ns(&mut self, start_ns: i64) -> i64 {
        start_ns + (self.caller.random.unit() * self.period_s() * NS_PER_S as f64) as i64
    }

    /// Nominal seconds between two times.
    fn period_s(&self) -> f64 {
        match self.service {
            // The longest poll interval of a settled client: 2^10 s (RFC 5905 section 7.2, figure 4).
            Service::Ntp => 1_024.0,
            Service::Updates => 3_600.0,
            Service::Connectivity | Service::Mail => 300.0,
            Service::Ocsp => 7_200.0,
            Service::Discovery => 1_800.0,
            Service::Ping => 60.0,
            Service::Push => 900.0,
            Service::Agents => AGENT_PERIODS_S[(self.agent % AGENT_PERIODS_S.len() as u64) as usize],
        }
    }

    fn gap_ns(&mut self) -> i64 {
        let period = self.period_s();
        let random = &mut self.caller.random;
        let seconds = match self.service {
            Service::Ocsp => random.exponential(period),
            Service::Updates => period * (0.95 + 0.1 * random.unit()),
            Service::Ntp => period + 4.0 * random.gauss(),
            _ => period + 0.3 * random.unit(),
        };
        (seconds.max(1.0) * NS_PER_S as f64) as i64
    }

    fn server(&self, number: u64, port: u16, name: &str) -> Server {
        let address = places::of_service(number, self.caller.host.is_v6());
        Server {
            address,
            port,
            name: Some(name.to_owned()),
        }
    }

    fn run(&mut self, now_ns: i64, plan: &mut Plan) {
        match self.service {
            Service::Ntp => self.ask_time(now_ns, plan),
            Service::Updates => self.check_updates(now_ns, plan),
            Service::Connectivity => {
                let server = self.server(10, 80, "detectportal.firefox.com");
                let words = ["/success.txt", "Mozilla/5.0"];
                self.fetch(&server, words, 8, now_ns, plan);
            }
            Service::Ocsp => {
                let server = self.server(11, 80, "ocsp.digicert.com");
                self.fetch(&server, ["/", "Microsoft-CryptoAPI/10.0"], 471, now_ns, plan);
            }
            Service::Discovery => self.discover(now_ns, plan),
            Service::Ping => {
                let transport = if self.caller.host.is_v6() {
                    Transport::ICMP6
                } else {
                    Transport::ICMP
                };
                let address = places::of_service(20, self.caller.host.is_v6());
                let mut flow = self.caller.flow(address, 0, transport);
                flow.inside_port = 0;
                let wait = self.caller.round_trip_ns(address);
                talk::ping(plan, flow, now_ns, wait, 0x1234_0000 | (self.count & 0xffff));
            }
            Service::Mail => {
                let server = self.server(12, 993, "outlook.office365.com");
                let at = self.caller.resolve(plan, &server, 300, now_ns);
                let exchange = Exchange {
                    request_bytes: 120,
                    response_bytes: 300,
                };
                self.caller.visit_tls(plan, &server, Client::System, exchange, at);
            }
            Service::Push => self.keep_alive(now_ns, plan),
            Service::Agents => {
                let server = self.server(40 + self.agent, 443, &format!("api.agent{}.example", self.agent));
                let at = self.caller.resolve(plan, &server, 300, now_ns);
                let exchange = Exchange {
                    request_bytes: 300 + 40 * self.agent as u32,
                    response_bytes: 250,
                };
                self.caller.visit_tls(plan, &server, Client::System, exchange, at);
            }
        }
    }

    fn ask_time(&mut self, now_ns: i64, plan: &mut Plan) {
        let server = self.server(u64::from(self.count % 3), 123, "pool.ntp.org");
        // Clients ask for the pool's addresses anew about once a day, 84 polls.
        let at = if self.count.is_multiple_of(84) {
            self.caller.resolve(plan, &server, 3_600, now_ns)
        } else {
            now_ns
        };
        let mut flow = self.caller.flow(server.address, 123, Transport::UDP);
        flow.inside_port = 123;
        let wait = self.caller.round_trip_ns(server.address);
        let question = words::ntp(false, &mut self.caller.random);
        let answer = words::ntp(true, &mut self.caller.random);
        talk::datagrams(plan, flow, at, wait, question.into(), Some(answer.into()));
    }

    fn check_updates(&mut self, now_ns: i64, plan: &mut Plan) {
        let server = self.server(9, 443, "update.googleapis.com");
        let at = self.caller.resolve(plan, &server, 300, now_ns);
        // Mostly "nothing new", now and then a package.
        let response_bytes = if self.caller.random.chance(0.05) { 20_000 } else { 600 };
        let exchange = Exchange {
            request_bytes: 900,
            response_bytes,
        };
        self.caller.visit_tls(plan, &server, Client::System, exchange, at);
    }

    fn fetch(&mut self, server: &Server, words: [&str; 2], bytes: u32, now_ns: i64, plan: &mut Plan) {
        let at = self.caller.resolve(plan, server, 300, now_ns);
        let exchange = Exchange {
            request_bytes: 0,
            response_bytes: bytes,
        };
        self.caller.visit_http(plan, server, words, exchange, at);
    }

    /// Multicast needs no answer here: answers are unicast between neighbours, which a border tap does not see.
    fn discover(&mut self, now_ns: i64, plan: &mut Plan) {
        let mut mdns = self.caller.flow(Address::v4([224, 0, 0, 251]), 5353, Transport::UDP);
        mdns.inside_port = 5353;
        let question = words::dns_query(0, "_ipp._tcp.local", words::Question::Txt);
        talk::datagrams(plan, mdns, now_ns, 0, question.into(), None);
        let ssdp = self
            .caller
            .flow(Address::v4([239, 255, 255, 250]), 1900, Transport::UDP);
        for second in 1..=3 {
            talk::datagrams(
                plan,
                ssdp,
                now_ns + second * NS_PER_S,
                0,
                words::ssdp_search().into(),
                None,
            );
        }
    }

    fn keep_alive(&mut self, now_ns: i64, plan: &mut Plan) {
        let mut talk = match self.open.take() {
            Some(mut talk) => {
                talk.now_ns = talk.now_ns.max(now_ns);
                talk
            }
            None => {
                let server = self.server(13, 5228, "mtalk.google.com");
                let at = self.caller.resolve(plan, &server, 300, now_ns);
                self.caller.greet_tls(plan, &server, Client::System, at)
            }
        };
        self.caller.exchange_tls(
            plan,
            &mut talk,
            Exchange {
                request_bytes: 7,
                response_bytes: 7,
            },
        );
        // A message comes in now and then.
        if self.caller.random.chance(0.2) {
            talk.wait(pause_ns(&mut self.caller.random, 20.0, 0.5));
            self.caller.exchange_tls(
                plan,
                &mut talk,
                Exchange {
                    request_bytes: 40,
                    response_bytes: 700,
                },
            );
        }
        self.open = Some(talk);
    }
}

impl Actor for Routine {
    fn act(&mut self, now_ns: i64, plan: &mut Plan) -> Option<i64> {
        self.run(now_ns, plan);
        self.count = self.count.wrapping_add(1);
        Some(now_ns + self.gap_ns())
    }
}

//! People at work: sessions, pages, several servers a page.
//!
//! In: the scenario's browsing rate and hours. Out: DNS questions, TLS and HTTP connections. Not its job: what machines
//! do by themselves. Gaps and sizes are log-normal, as measured web traffic is (Downey, "Lognormal and Pareto
//! distributions in the Internet", 2005): many short, some very long.

use super::host::{Caller, Exchange, Server, pause_ns};
use super::places;
use super::plan::Plan;
use super::random::{Random, split_mix};
use super::scenario::Scenario;
use super::talk::{NS_PER_MS, NS_PER_S};
use super::time;
use super::traffic::Actor;

const SECONDS_PER_HOUR: f64 = 3_600.0;

/// Spread of the gap between sessions; the median is chosen so that the mean gives the scenario's rate.
const SESSION_GAP_SIGMA: f64 = 1.0;

/// Names that a host keeps, and for how long: content networks say a few minutes.
const KNOWN_NAMES: usize = 8;
const NAME_TTL_S: u32 = 300;

/// How many different servers of third parties there are to every ten sites.
const SHARED_SERVERS_PER_TEN_SITES: u64 = 2;

/// One person at one host.
#[derive(Debug)]
pub(super) struct Person {
    caller: Caller,
    sites: u64,
    office: (u8, u8),
    session_gap_median_s: f64,
    response_bytes: u32,
    pages_left: u32,
    /// The site being read: the next page is mostly there.
    site: u64,
    /// Names the host still knows, and until when: what was asked last.
    known: [(u64, i64); KNOWN_NAMES],
    asked: usize,
}

impl Person {
    pub(super) fn new(scenario: &Scenario, number: u32) -> Self {
        // The mean of a log-normal is its median times e^(sigma^2 / 2) = 1.65 for sigma 1.
        let mean_s = SECONDS_PER_HOUR / scenario.browsing.max(1e-6);
        Self {
            caller: Caller::new(scenario, number, 1),
            sites: scenario.sites,
            office: scenario.office,
            session_gap_median_s: mean_s / 1.648_721_270_700_128,
            response_bytes: scenario.response_bytes,
            pages_left: 0,
            site: 0,
            known: [(u64::MAX, i64::MIN); KNOWN_NAMES],
            asked: 0,
        }
    }

    /// When this person first sits down: anywhere within one mean gap, which is what a stationary tap sees.
    pub(super) fn first_ns(&mut self, start_ns: i64) -> i64 {
        let mean_s = self.session_gap_median_s * 1.648_721_270_700_128;
        start_ns + (self.caller.random.unit() * mean_s * NS_PER_S as f64) as i64
    }

    fn load_page(&mut self, now_ns: i64, plan: &mut Plan) {
        let others = self.caller.random.below(5);
        self.load(self.site, now_ns, plan);
        for _ in 0..others {
            let shared = (self.sites * SHARED_SERVERS_PER_TEN_SITES / 10).max(1);
            let other = self.sites + popular(&mut self.caller.random, shared);
            let later = pause_ns(&mut self.caller.random, 0.15, 0.8);
            self.load(other, now_ns + later, plan);
        }
    }

    fn load(&mut self, number: u64, now_ns: i64, plan: &mut Plan) {
        let caller = &mut self.caller;
        let server = site(number, caller.host.is_v6());
        let mut at = now_ns;
        if !self
            .known
            .iter()
            .any(|(name, until_ns)| *name == number && now_ns < *until_ns)
        {
            at = caller.resolve(plan, &server, NAME_TTL_S, now_ns);
            self.known[self.asked % KNOWN_NAMES] = (number, now_ns + i64::from(NAME_TTL_S) * NS_PER_S);
            self.asked += 1;
        }
        let median = 850.0;
        let bytes = |random: &mut Random| (random.log_normal(median, 1.2) as u32).clamp(120, self.response_bytes);
        if server.port == 80 {
            let exchange = Exchange {
                request_bytes: 0,
                response_bytes: bytes(&mut caller.random),
            };
            caller.visit_http(plan, &server, ["/", "Mozilla/5.0 (X11; Linux x86_64)"], exchange, at);
            return;
        }
        let browser = caller.host.browser;
        let mut talk = caller.greet_tls(plan, &server, browser, at);
        for _ in 0..1 + caller.random.below(5) {
            let request_bytes = caller.random.between(90, 700) as u32;
            let exchange = Exchange {
                request_bytes,
                response_bytes: bytes(&mut caller.random),
            };
            caller.exchange_tls(plan, &mut talk, exchange);
            talk.wait(pause_ns(&mut caller.random, 0.2, 1.0));
        }
        // Kept alive for a while; some clients just go.
        talk.wait(caller.random.between(1, 30) as i64 * NS_PER_S);
        if caller.random.chance(0.1) {
            talk.reset(plan, true);
        } else {
            caller.part_tls(plan, &mut talk);
        }
    }
}

impl Actor for Person {
    fn act(&mut self, now_ns: i64, plan: &mut Plan) -> Option<i64> {
        let away = time::until_hours_ns(now_ns, self.office);
        if away > 0 {
            self.pages_left = 0;
            return Some(now_ns + away + pause_ns(&mut self.caller.random, self.session_gap_median_s, 0.5));
        }
        if self.pages_left == 0 {
            self.pages_left = (self.caller.random.log_normal(2.5, 0.8) as u32).clamp(1, 30);
            self.site = popular(&mut self.caller.random, self.sites);
        } else if self.caller.random.chance(0.3) {
            self.site = popular(&mut self.caller.random, self.sites);
        }
        self.load_page(now_ns, plan);
        self.pages_left -= 1;
        let random = &mut self.caller.random;
        let wait = match self.pages_left {
            0 => pause_ns(random, self.session_gap_median_s, SESSION_GAP_SIGMA),
            _ => pause_ns(random, 18.0, 1.1),
        };
        Some(now_ns + wait.max(100 * NS_PER_MS))
    }
}

/// A number below `count`, small ones much more often: the cube of a uniform draw, near to a Zipf law in its head.
fn popular(random: &mut Random, count: u64) -> u64 {
    let unit = random.unit();
    (unit * unit * unit * count as f64) as u64
}

/// The server of a site: one in twelve is plain HTTP.
fn site(number: u64, v6: bool) -> Server {
    let port = if split_mix(number).is_multiple_of(12) { 80 } else { 443 };
    Server {
        address: places::of_site(number, v6),
        port,
        name: Some(format!("www.site{number}.example")),
    }
}

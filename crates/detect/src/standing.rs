//! How a destination stands among all that is seen: how many hosts use it and its client, for how long it is known, and whether what
//! is spoken there is what its port is for.
//!
//! In: [`Facts`]. Out: weights of a [`Context`]. Not its job: the weights of the timeline itself ([`crate::context`], which says how all
//! of them were chosen).

use balefire_track::Protocol;

use crate::context::{Context, Facts, part};
use crate::summary::EvidenceKind;
use crate::timing::Timing;

/// Most that prevalence can raise: the only host of many that goes there. Public studies of enterprise traffic find that
/// few destinations have one visitor and that most control servers are among them (BAYWATCH, DSN 2016).
pub(crate) const RAREST: f64 = 1.2;
const PER_RARER: f64 = 0.4;
/// Most that prevalence can lower.
const MOST_COMMON: f64 = -3.0;
/// How few hosts show the client's fingerprint (JA4, or User-Agent in the clear): implants bring their own client; so does every
/// rare program. Per natural unit of the share of hosts.
const PER_RARER_CLIENT: f64 = 0.4;
const RARE_CLIENT: f64 = 1.0;
const COMMON_CLIENT: f64 = -0.3;
/// Hosts without which nothing is rare.
const ENOUGH_HOSTS: f64 = 8.0;
/// What is spoken is not what the port stands for (MITRE ATT&CK T1571, non-standard port): another protocol, or none that is known
/// here, as of some chat and game programs at web ports.
const OTHER_PROTOCOL: f64 = 1.2;
const NO_PROTOCOL: f64 = 0.6;
/// What is spoken, by its content. Backups, rsync and remote commands run over SSH on a timer, and mail servers deliver to each other
/// again and again; few implants do either. Of those who still speak IRC many are bots.
const SSH: f64 = -1.5;
const SMTP: f64 = -1.5;
const IRC: f64 = 0.5;
/// How long a destination has been known to anybody inside. Published detectors look at new destinations first: few of a day's are
/// new, and most of those that turn out to control are (Oprea and others, DSN 2015; Yen and others, ACSAC 2013). Asked only after
/// days of watching, as before everything is new; an implant is found after a median of eleven days (M-Trends 2025), so weeks of use
/// excuse little.
const LEAST_WATCHED_DAYS: u16 = 2;
const PER_NEWER: f64 = 0.3;
const NEWEST: f64 = 0.6;
const PER_OLDER: f64 = -0.2;
const OLDEST: f64 = -0.6;

/// What polls has a timer, and checks in like a clock but for the network's delays; implants draw every sleep from a range so as not to.
/// By default 50 % of the sleep (Sliver), 23 (Mythic), 20 (PoshC2), 10 (Covenant), and none (Cobalt Strike, Empire, Metasploit), which
/// operators change; of what else is regular perhaps one program in five. Half of what both would be worth. What keeps a connection alive
/// is a clock on either side.
const DRAWN: f64 = 0.5;
const CLOCK: f64 = -0.3;
/// Jitter of clocks, and from which it is drawn; above the last one, people's intervals spread as far.
const CLOCK_JITTER: f64 = 0.03;
const DRAWN_JITTER: f64 = 0.12;
const WIDE_JITTER: (f64, f64) = (0.7, 0.9);

/// Another suspicion of the same host: droppers bring a second implant, and implants have servers in reserve (MITRE ATT&CK T1105,
/// T1008). It counts by its own score, and not of an address with so many services that it may be many machines (NAT, a terminal
/// server).
const BESIDE: f64 = 0.8;
const MANY_MACHINES: u64 = 500;

impl Context {
    /// How many hosts share the destination. With fewer than four hosts there is nothing to compare with.
    pub(crate) fn prevalence(&mut self, facts: &Facts<'_>) {
        let all = facts.hosts_all as f64;
        let there = (facts.hosts_there.max(1) as f64).min(all.max(1.0));
        if all < 4.0 {
            return;
        }
        let rare = (PER_RARER * (all / there).ln()).clamp(0.0, RAREST);
        // Full weight from a quarter of all hosts on: a botnet is rarely that large a part of a network.
        let common = 0.8 * (there / 2.0).max(1.0).ln() * (there / all / 0.25).sqrt().min(1.0);
        self.add(part::PREVALENCE, there, (rare - common).clamp(MOST_COMMON, RAREST));
    }

    /// How rare the client is among the hosts.
    pub(crate) fn client(&mut self, facts: &Facts<'_>) {
        let all = facts.hosts_all as f64;
        let Some(hosts) = facts.client_hosts.filter(|_| all >= ENOUGH_HOSTS) else {
            return;
        };
        let hosts = hosts.clamp(1.0, all);
        let log_odds = if hosts * 4.0 >= all {
            COMMON_CLIENT
        } else {
            (PER_RARER_CLIENT * (all / 4.0 / hosts).ln()).clamp(0.0, RARE_CLIENT)
        };
        self.add(part::CLIENT, hosts, log_odds);
    }

    /// What is spoken.
    pub(crate) fn spoken(&mut self, facts: &Facts<'_>) {
        let (which, log_odds) = match facts.protocol {
            Some(Protocol::Ssh) => (0.0, SSH),
            Some(Protocol::Smtp) => (1.0, SMTP),
            Some(Protocol::Irc) => (2.0, IRC),
            _ => return,
        };
        self.add(part::SPOKEN, which, log_odds);
    }

    /// Content against port.
    pub(crate) fn mismatch(&mut self, facts: &Facts<'_>) {
        let share = f64::from(facts.mismatched) / f64::from(facts.closed.max(1));
        let each = match facts.protocol {
            Some(Protocol::Unknown) => NO_PROTOCOL,
            _ => OTHER_PROTOCOL,
        };
        self.add(part::MISMATCH, share, each * share.min(1.0));
    }

    /// How long the destination has been known.
    pub(crate) fn known_for(&mut self, facts: &Facts<'_>) {
        let Some((known, watched)) = facts.days.filter(|(_, watched)| *watched >= LEAST_WATCHED_DAYS) else {
            return;
        };
        let days = |days: u16| f64::from(days) + 1.0;
        let log_odds = if known < watched {
            (PER_NEWER * (days(watched) / days(known)).ln()).min(NEWEST)
        } else {
            (PER_OLDER * days(watched).ln()).max(OLDEST)
        };
        self.add(part::KNOWN_FOR, f64::from(known), log_odds);
    }

    /// How the intervals spread, as far as there is a rhythm at all.
    pub(crate) fn drawn(&mut self, timing: &Timing, facts: &Facts<'_>) {
        if !matches!(facts.kind, EvidenceKind::ConnectionBeacon | EvidenceKind::Heartbeat) {
            return;
        }
        let jitter = timing.jitter;
        let log_odds = if jitter < DRAWN_JITTER {
            let share = ((jitter - CLOCK_JITTER) / (DRAWN_JITTER - CLOCK_JITTER)).max(0.0);
            let clock = if facts.kind == EvidenceKind::Heartbeat {
                0.0
            } else {
                CLOCK
            };
            clock + (DRAWN - clock) * share
        } else {
            let (from, to) = WIDE_JITTER;
            DRAWN * ((to - jitter) / (to - from)).clamp(0.0, 1.0)
        };
        self.add(part::DRAWN, jitter, log_odds * timing.probability);
    }

    /// What else is suspected of the host.
    pub(crate) fn beside(&mut self, facts: &Facts<'_>) {
        if facts.services <= MANY_MACHINES {
            self.add(part::BESIDE, facts.beside, BESIDE * facts.beside);
        }
    }
}

#[cfg(test)]
mod tests {
    use balefire_decode::Transport;

    use super::*;
    use crate::context::tests::plain;

    fn weight(facts: &Facts<'_>, name: &str) -> f64 {
        let context = Context::of(facts);
        let found = context.iter().find(|weight| weight.name == name);
        found.map_or(0.0, |weight| weight.log_odds)
    }

    #[test]
    fn what_is_new_after_days_of_watching_raises_and_what_is_old_lowers_a_little() {
        let known_for = |days| {
            weight(
                &Facts {
                    days: Some(days),
                    ..plain()
                },
                part::KNOWN_FOR,
            )
        };
        assert_eq!(known_for((0, 0)), 0.0, "on the first day everything is new");
        assert_eq!(known_for((0, 1)), 0.0);
        assert!(known_for((0, 30)) > known_for((5, 30)) && known_for((5, 30)) > 0.0);
        assert!(known_for((30, 30)) < known_for((3, 3)) && known_for((3, 3)) < 0.0);
        assert!(known_for((0, u16::MAX)) <= NEWEST && known_for((u16::MAX, u16::MAX)) >= OLDEST);
    }

    #[test]
    fn another_protocol_than_the_ports_raises_and_takes_the_ports_excuse() {
        let dns = |mismatched, protocol| Facts {
            port: 53,
            transport: Transport::TCP,
            closed: 20,
            mismatched,
            protocol: Some(protocol),
            ..plain()
        };
        assert_eq!(weight(&dns(0, Protocol::Dns), part::MISMATCH), 0.0);
        assert!(weight(&dns(0, Protocol::Dns), part::KNOWN_SERVICE) < 0.0);
        let (tls, unknown) = (dns(20, Protocol::Tls), dns(20, Protocol::Unknown));
        assert_eq!(weight(&tls, part::MISMATCH), OTHER_PROTOCOL);
        assert_eq!(weight(&unknown, part::MISMATCH), NO_PROTOCOL);
        assert_eq!(weight(&tls, part::KNOWN_SERVICE), 0.0);
        assert!(weight(&dns(2, Protocol::Tls), part::MISMATCH) < 0.2);
    }

    #[test]
    fn timers_of_machines_speak_ssh_and_bots_irc() {
        let spoken = |protocol| {
            let facts = Facts {
                protocol: Some(protocol),
                ..plain()
            };
            weight(&facts, part::SPOKEN)
        };
        assert_eq!((spoken(Protocol::Ssh), spoken(Protocol::Irc)), (SSH, IRC));
        assert_eq!((spoken(Protocol::Smtp), spoken(Protocol::Tls)), (SMTP, 0.0));
    }

    #[test]
    fn sleeps_that_are_drawn_raise_and_timers_lower() {
        let drawn = |jitter, kind| {
            let mut context = Context::default();
            let timing = Timing {
                jitter,
                probability: 1.0,
                ..crate::score_timing(&crate::Timeline::new(0, 0))
            };
            context.drawn(&timing, &Facts { kind, ..plain() });
            context.log_odds()
        };
        let beacon = |jitter| drawn(jitter, EvidenceKind::ConnectionBeacon);
        assert_eq!((beacon(0.0), beacon(0.2), beacon(0.5)), (CLOCK, DRAWN, DRAWN));
        assert!(beacon(0.05) > CLOCK && beacon(0.05) < beacon(0.1) && beacon(0.8) < DRAWN && beacon(1.5) == 0.0);
        assert_eq!(drawn(0.0, EvidenceKind::Heartbeat), 0.0);
        assert_eq!(drawn(0.2, EvidenceKind::DnsBeacon), 0.0);
    }

    #[test]
    fn another_suspicion_counts_by_its_score_and_not_of_a_crowd() {
        let beside = |beside, services| {
            let facts = Facts {
                beside,
                services,
                ..plain()
            };
            weight(&facts, part::BESIDE)
        };
        assert_eq!((beside(0.0, 100), beside(0.9, 100)), (0.0, BESIDE * 0.9));
        assert_eq!(beside(0.9, 5_000), 0.0);
    }
}

//! Innocent services that are as regular as a beacon: a table of protocols, ports and names with their sources.
//!
//! In: a port and transport, a name, an address. Out: what was matched and how much it lowers the score. Not its job:
//! silencing: a match is one named part among others, so a regular timeline to an odd server on port 123 still stands out.

mod names;
mod ports;

use balefire_decode::{Address, Transport};

use crate::context::Facts;
use crate::home::Role;
use names::NAMES;
use ports::PORTS;

/// One known service.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Innocent {
    /// For people: `NTP`, `certificate revocation (OCSP, CRL)`.
    pub(crate) what: &'static str,
    /// Added to the log-odds; negative.
    pub(crate) log_odds: f64,
}

/// How sure a match makes us. A port alone can be chosen by an attacker; a name in SNI or Host can be forged, but the
/// address it is used with is then still judged by itself.
const BY_PORT: f64 = -3.5;
/// A service port of the network itself, at an address inside: a gateway, a resolver, a neighbour.
const AT_HOME: f64 = -7.0;
/// Time service, with messages of the length that it has (RFC 5905 section 7.3).
const NTP_BYTES: u32 = 48;
const NTP: f64 = -6.0;
/// A rhythm of pings: echoes that carry data are a sign of their own, and without data nothing can be controlled.
const PING: f64 = -7.0;
const BY_WEAK_PORT: f64 = -1.2;
const BY_NAME: f64 = -4.0;
/// Clouds and content networks that also serve anybody's own site.
const BY_PLATFORM: f64 = -1.5;

/// What a port stands for, judged by the port alone.
pub(crate) fn by_port(transport: Transport, port: u16) -> Option<Innocent> {
    if transport == Transport::ICMP || transport == Transport::ICMP6 {
        return Some(Innocent {
            what: "ping or other ICMP monitoring (RFC 792, RFC 4443)",
            log_odds: PING,
        });
    }
    let row = PORTS.iter().find(|row| row.0 == transport.0 && row.1 == port)?;
    Some(Innocent {
        what: row.2,
        log_odds: row.3,
    })
}

/// A port's row for a server seen closer: services of a network are inside it, and NTP has its own length.
pub(crate) fn at_home(found: Innocent, facts: &Facts<'_>) -> Innocent {
    const LOCAL: &[u16] = &[53, 67, 68, 123, 137, 138, 547, 1900, 3702, 5351, 5353, 5355];
    if facts.transport != Transport::UDP {
        return found;
    }
    let size = facts.typical_size_bytes;
    let is_ntp = facts.port == 123 && size >= NTP_BYTES && size.is_multiple_of(NTP_BYTES);
    let log_odds = match facts.role {
        Role::Internal if LOCAL.contains(&facts.port) => AT_HOME,
        _ if is_ntp => NTP,
        _ => return found,
    };
    Innocent { log_odds, ..found }
}

/// What a name stands for: the row with the longest suffix of it.
pub(crate) fn by_name(name: &str) -> Option<Innocent> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let mut best: Option<(usize, Innocent)> = None;
    for (what, suffixes, log_odds) in NAMES {
        for suffix in *suffixes {
            if is_below(name, suffix) && best.is_none_or(|(length, _)| suffix.len() > length) {
                best = Some((
                    suffix.len(),
                    Innocent {
                        what,
                        log_odds: *log_odds,
                    },
                ));
            }
        }
    }
    best.map(|(_, innocent)| innocent)
}

/// What a registered domain stands for: known services live below it, among others perhaps.
pub(crate) fn by_domain(domain: &str) -> Option<Innocent> {
    let rows = NAMES
        .iter()
        .filter(|row| row.1.iter().any(|name| is_below(name, domain)));
    let what = rows.map(|row| row.0).next()?;
    Some(Innocent {
        what,
        log_odds: BY_PLATFORM,
    })
}

/// Public resolvers by address, for DNS over HTTPS without a name. Source: the operators' pages (developers.google.com/speed/public-dns,
/// developers.cloudflare.com/1.1.1.1, quad9.net, opendns.com).
pub(crate) fn by_address(address: Address) -> Option<Innocent> {
    const RESOLVERS: &[[u8; 4]] = &[
        [8, 8, 8, 8],
        [8, 8, 4, 4],
        [1, 1, 1, 1],
        [1, 0, 0, 1],
        [9, 9, 9, 9],
        [149, 112, 112, 112],
        [208, 67, 222, 222],
        [208, 67, 220, 220],
    ];
    RESOLVERS
        .iter()
        .any(|&octets| Address::v4(octets) == address)
        .then_some(Innocent {
            what: "public DNS resolver",
            log_odds: BY_PORT,
        })
}

/// Names that never leave a site, or are asked for by machinery: reverse look-ups, service discovery, unqualified names.
/// Sources: RFC 6761, RFC 6762, RFC 8375, RFC 1035 (in-addr.arpa), RFC 2782 (underscored service names).
pub(crate) fn is_site_local_name(name: &str) -> bool {
    const LOCAL: &[&str] = &[
        "arpa",
        "local",
        "localhost",
        "localdomain",
        "lan",
        "home",
        "internal",
        "corp",
        "intranet",
        "test",
        "invalid",
    ];
    !name.contains('.') || name.starts_with('_') || LOCAL.iter().any(|suffix| is_below(name, suffix))
}

/// A name that a registry sold: what a site calls its own machines may be one too.
pub(crate) fn is_public_name(name: &str) -> bool {
    !is_site_local_name(name) && psl::suffix(name.as_bytes()).is_some_and(|suffix| suffix.is_known())
}

fn is_below(name: &str, suffix: &str) -> bool {
    name.strip_suffix(suffix)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_whole_labels_and_the_longest_row_wins() {
        assert_eq!(
            by_name("ocsp.digicert.com").map(|found| found.what),
            Some("certificate revocation check (OCSP, CRL)")
        );
        assert_eq!(
            by_name("mobile.events.data.microsoft.com").map(|found| found.what),
            Some("telemetry")
        );
        assert_eq!(
            by_name("x.microsoft.com.").map(|found| found.log_odds),
            Some(BY_PLATFORM)
        );
        assert_eq!(by_name("evilmicrosoft.com"), None);
        assert_eq!(by_name("microsoft.com.evil.example"), None);
    }

    #[test]
    fn a_domain_is_known_by_what_lives_below_it() {
        assert_eq!(
            by_domain("msftconnecttest.com").map(|found| found.log_odds),
            Some(BY_PLATFORM)
        );
        assert_eq!(by_domain("digicert.com").map(|found| found.log_odds), Some(BY_PLATFORM));
        assert_eq!(by_domain("bad.example"), None);
    }

    #[test]
    fn a_match_only_lowers() {
        assert!(PORTS.iter().all(|row| row.3 < 0.0) && NAMES.iter().all(|row| row.2 < 0.0));
        assert!(by_port(Transport::UDP, 123).is_some() && by_port(Transport::TCP, 123).is_none());
        assert!(by_port(Transport::TCP, 443).is_none() && by_port(Transport::TCP, 80).is_none());
    }

    #[test]
    fn no_row_is_there_twice() {
        let mut ports: Vec<_> = PORTS.iter().map(|row| (row.0, row.1)).collect();
        let mut names: Vec<_> = NAMES.iter().flat_map(|row| row.1.iter().copied()).collect();
        let (all_ports, all_names) = (ports.len(), names.len());
        ports.sort_unstable();
        ports.dedup();
        names.sort_unstable();
        names.dedup();
        assert_eq!((ports.len(), names.len()), (all_ports, all_names));
        assert!(
            names
                .iter()
                .all(|name| !name.starts_with('.') && *name == name.to_ascii_lowercase())
        );
    }

    #[test]
    fn site_local_names() {
        for name in [
            "4.3.2.1.in-addr.arpa",
            "printer.local",
            "wpad",
            "_ldap._tcp.dc.example.org",
            "host.lan",
        ] {
            assert!(is_site_local_name(name), "{name}");
        }
        assert!(!is_site_local_name("example.org"));
    }
}

//! The allowlist: which findings the operator does not want to see, why, and until when.
//!
//! In: rules, each a few fields that must all match. Out: whether a finding is hidden, and how many each rule hid. It acts when a
//! period is concluded, so a new rule hides at once what is suspected already, and nothing is forgotten for it. Not its job: files.

use std::collections::HashSet;

use balefire_decode::Address;
use balefire_track::Ja4;

use crate::intel;

/// A rule as it is written. At least one field besides `reason` and `expires` must be there.
#[derive(Clone, Copy, Debug, Default)]
pub struct AllowFields<'a> {
    /// The server's address.
    pub address: Option<&'a str>,
    /// A network the server is in.
    pub cidr: Option<&'a str>,
    /// The name used for the server is this or lies below it.
    pub domain: Option<&'a str>,
    /// The server's port; behind a proxy the one asked for.
    pub port: Option<u16>,
    /// The host was seen to use this fingerprint with the server.
    pub ja4: Option<&'a str>,
    /// The host inside: an address or a network.
    pub host: Option<&'a str>,
    /// Why; it is shown with what the rule hides.
    pub reason: &'a str,
    /// The first day (`2027-01-31`, UTC) or moment on which the rule no longer holds.
    pub expires: Option<&'a str>,
}

/// A rule that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AllowError {
    /// It would hide everything.
    #[error("names nothing: give at least one of address, cidr, domain, port, ja4, host")]
    Empty,
    /// Nobody would know in a year why it is there.
    #[error("has no reason: say why, in reason = \"...\"")]
    NoReason,
    /// A field that is not what its name says.
    #[error("{field} = \"{text}\": {mend}")]
    Field {
        /// The field.
        field: &'static str,
        /// As written.
        text: String,
        /// What would do.
        mend: &'static str,
    },
}

type Network = (u128, u8);

/// A rule, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowRule {
    servers: Vec<Network>,
    domain: Option<String>,
    port: Option<u16>,
    ja4: Option<Ja4>,
    host: Option<Network>,
    text: String,
    reason: String,
    expires_ns: Option<i64>,
}

impl AllowRule {
    /// Checks a rule.
    ///
    /// # Errors
    /// See [`AllowError`].
    pub fn new(fields: &AllowFields<'_>) -> Result<Self, AllowError> {
        let wrong = |field, text: &str, mend| AllowError::Field {
            field,
            text: text.to_owned(),
            mend,
        };
        let mut servers = Vec::new();
        if let Some(text) = fields.address {
            let address = intel::network(text).filter(|_| !text.contains('/'));
            servers
                .push(address.ok_or_else(|| wrong("address", text, "write one address, as 192.0.2.7 or 2001:db8::7"))?);
        }
        if let Some(text) = fields.cidr {
            let mend = "write a network, as 192.0.2.0/24 or 2001:db8::/32";
            servers.push(intel::network(text).ok_or_else(|| wrong("cidr", text, mend))?);
        }
        let domain = fields.domain.map(|text| {
            let mend = "write a domain, as updates.example.org; a public suffix would hide everybody below it";
            intel::normal(text.trim()).map_err(|_| wrong("domain", text, mend))
        });
        let ja4 = fields.ja4.map(|text| {
            let mend = "write a JA4 fingerprint, as t13d1516h2_8daaf6152771_e5627efa2ab1";
            intel::ja4(text.trim()).ok_or_else(|| wrong("ja4", text, mend))
        });
        let host = fields.host.map(|text| {
            let mend = "write the address or network of hosts inside, as 10.1.0.5 or 10.1.0.0/24";
            intel::network(text).ok_or_else(|| wrong("host", text, mend))
        });
        let expires = fields.expires.map(|text| {
            let mend = "write the first day it no longer holds, as 2027-01-31";
            intel::seconds(text).ok_or_else(|| wrong("expires", text, mend))
        });
        if let Some(0) = fields.port {
            return Err(wrong("port", "0", "write a port from 1 to 65535"));
        }
        let text = described(fields);
        if text.is_empty() {
            return Err(AllowError::Empty);
        }
        let reason = fields.reason.trim().to_owned();
        if reason.is_empty() {
            return Err(AllowError::NoReason);
        }
        Ok(Self {
            servers,
            domain: domain.transpose()?,
            port: fields.port,
            ja4: ja4.transpose()?,
            host: host.transpose()?,
            text,
            reason,
            expires_ns: expires.transpose()?.map(|s| s.saturating_mul(1_000_000_000)),
        })
    }

    /// Its fields, as `domain updates.example.org, port 443`.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Why it is there.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// From when on it no longer holds.
    pub fn expires_ns(&self) -> Option<i64> {
        self.expires_ns
    }

    /// Whether it hides all that the other hides, by the same fields and for as long.
    pub fn covers(&self, other: &Self) -> bool {
        let fields = |rule: &Self| Self {
            text: String::new(),
            reason: String::new(),
            expires_ns: None,
            ..rule.clone()
        };
        let lasts = self
            .expires_ns
            .is_none_or(|expires_ns| other.expires_ns.is_some_and(|other_ns| other_ns <= expires_ns));
        lasts && fields(self) == fields(other)
    }

    pub(crate) fn ja4(&self) -> Option<Ja4> {
        self.ja4
    }

    fn hides(&self, finding: &Finding<'_>) -> bool {
        let within = |network: &Network, address: Address| address.bits() & intel::mask(network.1) == network.0;
        // The address of a relay is not the server's: a rule for it would hide all that is behind.
        self.expires_ns.is_none_or(|expires_ns| finding.last_ns < expires_ns)
            && self
                .servers
                .iter()
                .all(|network| !finding.behind_relay && within(network, finding.server))
            && self.port.is_none_or(|port| finding.port == port)
            && self.host.is_none_or(|network| within(&network, finding.host))
            && self.ja4.is_none_or(|ja4| finding.ja4.contains(&ja4))
            && self.domain.as_deref().is_none_or(|domain| {
                let below = |name: &&str| intel::suffixes(name).any(|suffix| suffix == domain);
                finding.names.iter().any(below)
            })
    }
}

fn described(fields: &AllowFields<'_>) -> String {
    let port = fields.port.map(|port| port.to_string());
    let parts = [
        ("address", fields.address),
        ("cidr", fields.cidr),
        ("domain", fields.domain),
        ("port", port.as_deref()),
        ("ja4", fields.ja4),
        ("host", fields.host),
    ];
    let parts = parts
        .iter()
        .filter_map(|(name, text)| text.map(|text| format!("{name} {}", text.trim())));
    parts.collect::<Vec<_>>().join(", ")
}

/// What a rule is held against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Finding<'a> {
    pub(crate) host: Address,
    pub(crate) server: Address,
    /// 0 where it is not known.
    pub(crate) port: u16,
    /// The address is that of a proxy or resolver.
    pub(crate) behind_relay: bool,
    pub(crate) names: &'a [&'a str],
    pub(crate) ja4: &'a [Ja4],
    pub(crate) last_ns: i64,
}

/// All rules, in the order of the file.
#[derive(Clone, Debug, Default)]
pub struct Allowlist {
    rules: Vec<AllowRule>,
}

impl Allowlist {
    /// From rules.
    pub fn new(rules: Vec<AllowRule>) -> Self {
        Self { rules }
    }

    /// The rules.
    pub fn rules(&self) -> &[AllowRule] {
        &self.rules
    }

    /// The first rule that hides a finding.
    pub(crate) fn hides(&self, finding: &Finding<'_>) -> Option<usize> {
        self.rules.iter().position(|rule| rule.hides(finding))
    }
}

/// What a rule did in a period.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedRule {
    /// Its fields.
    pub rule: String,
    /// Why it is there.
    pub reason: String,
    /// From when on it no longer holds.
    pub expires_ns: Option<i64>,
    /// That was before the period's last packet.
    pub expired: bool,
    /// Findings it hid; where several rules would, the first of them counts.
    pub hits: u64,
}

/// What the allowlist did in a period.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Findings that were hidden: what would have been reported of one host at one port of a server.
    pub findings: u64,
    /// Every rule, with or without hits.
    pub rules: Vec<AllowedRule>,
}

/// An allowlist at work on one period.
#[derive(Debug)]
pub(crate) struct Tally<'a> {
    allow: &'a Allowlist,
    /// What was hidden, by rule: several signs of one host at one port of a server are one finding.
    hidden: HashSet<(usize, Address, Address, u16, String)>,
}

impl<'a> Tally<'a> {
    pub(crate) fn new(allow: &'a Allowlist) -> Self {
        Self {
            allow,
            hidden: HashSet::new(),
        }
    }

    /// Whether nothing could be hidden anyway.
    pub(crate) fn is_idle(&self) -> bool {
        self.allow.rules.is_empty()
    }

    pub(crate) fn hides(&mut self, finding: &Finding<'_>) -> bool {
        let rule = self.allow.hides(finding);
        if let Some(rule) = rule {
            // Behind a relay every name is a server of its own.
            let name = finding.names.first().filter(|_| finding.behind_relay);
            let name = name.copied().unwrap_or_default().to_owned();
            self.hidden
                .insert((rule, finding.host, finding.server, finding.port, name));
        }
        rule.is_some()
    }

    pub(crate) fn allowed(self, last_packet_ns: Option<i64>) -> Allowed {
        let mut hits = vec![0; self.allow.rules.len()];
        for (rule, ..) in &self.hidden {
            hits[*rule] += 1;
        }
        let rules = self.allow.rules.iter().zip(&hits).map(|(rule, &hits)| AllowedRule {
            rule: rule.text.clone(),
            reason: rule.reason.clone(),
            expires_ns: rule.expires_ns,
            expired: rule
                .expires_ns
                .zip(last_packet_ns)
                .is_some_and(|(expires_ns, last_ns)| expires_ns <= last_ns),
            hits,
        });
        Allowed {
            findings: hits.iter().sum(),
            rules: rules.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(fields: AllowFields<'_>) -> AllowRule {
        AllowRule::new(&AllowFields {
            reason: "known",
            ..fields
        })
        .unwrap()
    }

    fn finding<'a>(names: &'a [&'a str]) -> Finding<'a> {
        Finding {
            host: Address::v4([10, 1, 0, 5]),
            server: Address::v4([192, 0, 2, 7]),
            port: 443,
            behind_relay: false,
            names,
            ja4: &[],
            last_ns: 1_000,
        }
    }

    #[test]
    fn all_fields_must_match() {
        let names = ["a.updates.example"];
        let one = finding(&names);
        let fields = AllowFields {
            address: Some("192.0.2.7"),
            cidr: Some("192.0.2.0/24"),
            domain: Some("Updates.Example"),
            port: Some(443),
            host: Some("10.1.0.0/16"),
            ..AllowFields::default()
        };
        assert!(rule(fields).hides(&one));
        for other in [
            AllowFields {
                address: Some("192.0.2.8"),
                ..fields
            },
            AllowFields {
                cidr: Some("198.51.100.0/24"),
                ..fields
            },
            AllowFields {
                domain: Some("dates.example"),
                ..fields
            },
            AllowFields {
                port: Some(80),
                ..fields
            },
            AllowFields {
                host: Some("10.2.0.0/16"),
                ..fields
            },
            AllowFields {
                ja4: Some("t13d1516h2_8daaf6152771_e5627efa2ab1"),
                ..fields
            },
            AllowFields {
                expires: Some("1970-01-01"),
                ..fields
            },
        ] {
            assert!(!rule(other).hides(&one), "{other:?}");
        }
        let relayed = Finding {
            behind_relay: true,
            ..one
        };
        assert!(!rule(fields).hides(&relayed), "a relay's address is not the server's");
        let by_name = AllowFields {
            domain: Some("updates.example"),
            ..AllowFields::default()
        };
        assert!(rule(by_name).hides(&relayed) && !rule(by_name).hides(&finding(&[])));
    }

    #[test]
    fn a_rule_says_what_is_wrong_with_it() {
        let some = AllowFields {
            address: Some("192.0.2.7"),
            reason: "known",
            ..AllowFields::default()
        };
        for (fields, words) in [
            (
                AllowFields {
                    reason: "known",
                    ..AllowFields::default()
                },
                "names nothing",
            ),
            (AllowFields { reason: " ", ..some }, "no reason"),
            (
                AllowFields {
                    address: Some("192.0.2.0/24"),
                    ..some
                },
                "write one address",
            ),
            (
                AllowFields {
                    cidr: Some("x"),
                    ..some
                },
                "write a network",
            ),
            (
                AllowFields {
                    domain: Some("co.uk"),
                    ..some
                },
                "public suffix",
            ),
            (AllowFields { port: Some(0), ..some }, "1 to 65535"),
            (AllowFields { ja4: Some("x"), ..some }, "JA4"),
            (
                AllowFields {
                    host: Some("x"),
                    ..some
                },
                "hosts inside",
            ),
            (
                AllowFields {
                    expires: Some("tomorrow"),
                    ..some
                },
                "2027-01-31",
            ),
        ] {
            let error = AllowRule::new(&fields).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn the_first_rule_counts_and_an_expired_one_is_named() {
        let day = 86_400 * 1_000_000_000;
        let list = Allowlist::new(vec![
            rule(AllowFields {
                port: Some(443),
                expires: Some("1970-01-02"),
                ..AllowFields::default()
            }),
            rule(AllowFields {
                address: Some("192.0.2.7"),
                ..AllowFields::default()
            }),
            rule(AllowFields {
                port: Some(443),
                ..AllowFields::default()
            }),
        ]);
        let mut tally = Tally::new(&list);
        assert!(tally.hides(&finding(&[])));
        assert!(tally.hides(&Finding {
            last_ns: day,
            ..finding(&[])
        }));
        assert!(!tally.hides(&Finding {
            port: 80,
            server: Address::v4([192, 0, 2, 8]),
            ..finding(&[])
        }));
        let allowed = tally.allowed(Some(day));
        assert_eq!(allowed.findings, 2);
        assert_eq!(
            allowed.rules.iter().map(|rule| rule.hits).collect::<Vec<_>>(),
            [1, 1, 0]
        );
        assert_eq!(
            allowed.rules.iter().map(|rule| rule.expired).collect::<Vec<_>>(),
            [true, false, false]
        );
    }
}

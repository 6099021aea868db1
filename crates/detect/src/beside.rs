//! What else is suspected of a host: an implant seldom comes alone, and seldom has one server.
//!
//! In: candidates with their scores. Out: for each the surest other suspicion of its host. Not its job: what that is worth
//! ([`crate::standing`]).
//!
//! Another suspicion is one of something else: of another network, another registered domain, another habit (port, transport, kind of
//! sign). What one program does with many servers, or one server seen in two ways, says nothing twice.

use std::collections::HashMap;

use balefire_decode::Address;
use foldhash::fast::RandomState;

use crate::candidate::{Candidate, Surroundings};
use crate::group::network;
use crate::score::Judged;
use crate::summary::EvidenceKind;

/// Suspicions kept per host, surest first: enough to find one of something else.
const MOST: usize = 8;

/// One suspicion.
#[derive(Clone, Copy, Debug)]
struct Suspicion<'a> {
    score: f64,
    candidate: &'a Candidate,
    domain: Option<&'a str>,
}

/// See the head of this file.
#[derive(Debug, Default)]
pub(crate) struct Beside<'a>(HashMap<Address, Vec<Suspicion<'a>>, RandomState>);

impl<'a> Beside<'a> {
    /// From everything judged, in a fixed order; of what scores at least `least`.
    pub(crate) fn of(candidates: &'a [Candidate], judged: &[(Surroundings<'a>, Judged)], least: f64) -> Self {
        let mut beside = Self::default();
        for (candidate, (around, judged)) in candidates.iter().zip(judged) {
            // Names in constant use are asked for again as they expire: too weak to speak for another sign.
            if judged.score < least || judged.kind == EvidenceKind::DnsBeacon {
                continue;
            }
            let suspicions = beside.0.entry(candidate.host).or_default();
            let at = suspicions.partition_point(|one| one.score >= judged.score);
            suspicions.insert(
                at,
                Suspicion {
                    score: judged.score,
                    candidate,
                    domain: domain(candidate, around),
                },
            );
            suspicions.truncate(MOST);
        }
        beside
    }

    /// Score of the surest suspicion of the candidate's host that is of something else; 0 where there is none.
    pub(crate) fn surest(&self, candidate: &Candidate, around: &Surroundings<'_>) -> f64 {
        let Some(suspicions) = self.0.get(&candidate.host) else {
            return 0.0;
        };
        let place = |one: &Candidate| (network(one.role(), one.server), one.transport);
        let domain = domain(candidate, around);
        let is_other = |one: &&Suspicion<'_>| {
            place(one.candidate) != place(candidate)
                && one.candidate.habit() != candidate.habit()
                && (domain.is_none() || domain != one.domain)
        };
        suspicions.iter().find(is_other).map_or(0.0, |one| one.score)
    }
}

/// The registered domain that a candidate's server is known by.
fn domain<'a>(candidate: &'a Candidate, around: &Surroundings<'a>) -> Option<&'a str> {
    let name = candidate.name.as_deref().or(around.resolved)?;
    Some(psl::domain_str(name).unwrap_or(name))
}

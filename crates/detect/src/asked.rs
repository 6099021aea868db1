//! Evidence between two hours: what workers know at this moment of servers that somebody asks about.
//!
//! In: servers of the registry, from a console, an alert, a person. Out: the same servers with their signs, each judged by the one
//! worker that has it, by what that worker knows of its surroundings. Not its job: the last word, which an hour's end has from all
//! workers ([`crate::Part::conclude`]); waiting for answers: whoever asks has a clock.
//!
//! Workers look for questions where they look for new lists, once per block and whenever they have nothing to do: one atomic load. A
//! question names timelines, not servers, so that each costs a worker one look-up, and one judgement if it is its own: 512 of them take
//! some milliseconds, and are asked for by people and new findings, never by packets.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use balefire_decode::Address;
use parking_lot::Mutex;

use crate::confirm;
use crate::detector::Detector;
use crate::joined::once;
use crate::shared::Shared;
use crate::summary::{ControlServer, Evidence};
use crate::timing::score_timing;

/// Servers of one question; of more the first are asked about.
pub const MOST_ASKED: usize = 64;
/// Signs of one server, best first; of named hosts one each.
const MOST_SIGNS: usize = 8;
/// Questions that wait; the oldest is forgotten, and stays without an answer.
const MOST_OPEN: usize = 16;

/// A question that was put; its answers come as workers find the time.
#[derive(Clone, Debug)]
pub struct Asked {
    question: Arc<Question>,
    workers: usize,
}

#[derive(Debug)]
pub(crate) struct Question {
    servers: Vec<ControlServer>,
    /// Timelines, and to which server each belongs.
    signs: Vec<(u64, usize)>,
    answers: Mutex<Answers>,
}

#[derive(Debug, Default)]
struct Answers {
    workers: usize,
    evidence: Vec<(usize, Evidence)>,
    newest_ns: Option<i64>,
}

/// Where questions lie until every worker has seen them.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    /// Questions so far.
    asked: AtomicU64,
    workers: AtomicUsize,
    open: Mutex<VecDeque<(u64, Arc<Question>)>>,
}

impl Desk {
    /// One more worker answers; returns the number of questions it has not missed.
    pub(crate) fn enrol(&self) -> u64 {
        self.workers.fetch_add(1, Ordering::Relaxed);
        self.asked.load(Ordering::Acquire)
    }

    fn put(&self, question: Question) -> Asked {
        let question = Arc::new(question);
        let mut open = self.open.lock();
        if open.len() >= MOST_OPEN {
            open.pop_front();
        }
        let number = self.asked.load(Ordering::Relaxed) + 1;
        open.push_back((number, Arc::clone(&question)));
        self.asked.store(number, Ordering::Release);
        Asked {
            question,
            workers: self.workers.load(Ordering::Relaxed),
        }
    }

    /// Questions behind this number that some worker has not answered.
    pub(crate) fn since(&self, number: u64) -> Vec<(u64, Arc<Question>)> {
        let open = self.open.lock();
        open.iter().filter(|(asked, _)| *asked > number).cloned().collect()
    }

    /// So many workers have answered it; after the last its evidence is its asker's alone.
    fn answered(&self, number: u64, workers: usize) {
        if workers >= self.workers.load(Ordering::Relaxed) {
            self.open.lock().retain(|(asked, _)| *asked != number);
        }
    }
}

impl Asked {
    /// Whether every worker has answered. One that is stuck, or has ended, never does.
    pub fn is_answered(&self) -> bool {
        self.question.answers.lock().workers >= self.workers
    }

    /// Packet time of the newest packet of those that have answered: of this moment the evidence is.
    pub fn newest_ns(&self) -> Option<i64> {
        self.question.answers.lock().newest_ns
    }

    /// The servers as they stood when they were asked about, with the evidence that has come so far, best first.
    pub fn servers(&self) -> Vec<ControlServer> {
        let mut servers = self.question.servers.clone();
        for (server, evidence) in &self.question.answers.lock().evidence {
            servers[*server].evidence.push(evidence.clone());
        }
        for server in &mut servers {
            let mut signs = once(std::mem::take(&mut server.evidence));
            // What lists say first, as in an hour.
            signs.sort_by_key(|sign| sign.intel.is_none());
            server.evidence = signs;
        }
        servers
    }
}

impl Shared {
    /// Asks the workers for the evidence against these servers: of the hosts named beside each, or where none is, the best.
    pub fn ask(&self, about: &[(&ControlServer, &[Address])]) -> Asked {
        let about = &about[..about.len().min(MOST_ASKED)];
        let signs = about.iter().enumerate().flat_map(|(number, (server, hosts))| {
            let signs = self.signs_of(server, hosts, MOST_SIGNS);
            signs.into_iter().map(move |timeline| (timeline, number))
        });
        self.desk.put(Question {
            signs: signs.collect(),
            servers: about
                .iter()
                .map(|(server, _)| ControlServer {
                    evidence: Vec::new(),
                    ..(*server).clone()
                })
                .collect(),
            answers: Mutex::default(),
        })
    }
}

impl Detector {
    /// There is nothing to do for a moment: what waits to be worked on together has waited long enough, on a quiet tap it would for minutes.
    pub fn rest(&mut self) {
        self.drain();
        self.answer();
    }

    /// Answers what was asked since the last call. Called once per block, and by [`Self::rest`].
    pub fn answer(&mut self) {
        let newest = self.shared.desk.asked.load(Ordering::Acquire);
        if newest == self.answered {
            return;
        }
        self.drain();
        for (number, question) in self.shared.desk.since(self.answered) {
            let wanted = question.signs.iter();
            let found: Vec<_> = wanted
                .filter_map(|(timeline, server)| Some((*server, self.evidence_of(*timeline)?)))
                .collect();
            let mut answers = question.answers.lock();
            answers.evidence.extend(found);
            answers.newest_ns = answers.newest_ns.max(self.traffic.newest_ns());
            answers.workers += 1;
            self.shared.desk.answered(number, answers.workers);
        }
        self.answered = newest;
    }

    /// What is known of a timeline now, if it is this worker's.
    fn evidence_of(&self, timeline: u64) -> Option<Evidence> {
        if let Some(sighting) = self.watch.sighting(timeline) {
            return confirm::evidence(sighting, &self.watch.lists.intel);
        }
        let record = self.ledger.find(timeline).and_then(|slot| self.ledger.at(slot));
        let (record, sketched) = match record {
            Some(record) => (record, None),
            None => {
                let sketched = self.sketched.at(timeline)?;
                (&sketched.record, Some(sketched))
            }
        };
        let around = self.surroundings(record);
        let timing = score_timing(&record.timeline);
        let candidate = self.candidate(record, timing, sketched);
        Some(candidate.evidence(&candidate.judge(&around), &around))
    }
}

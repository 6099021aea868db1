//! Says when an interface of the tap is lost, and when it is back.
//!
//! In: the readers' state, once a second. Out: a line on standard error, which the service manager's log keeps. Not its job: the gap in the
//! hour's record (`tap` of the pipeline), events of the console (`top`).

use std::collections::BTreeMap;

use balefire_detect::Summary;
use balefire_pipeline::{Lost, Snapshot, TapWatch};
use balefire_report::clean;

use super::Attendant;
use super::vitals::now_ns;
use crate::output;

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct Links {
    tap: TapWatch,
    lost: BTreeMap<String, Lost>,
}

impl Links {
    pub(crate) fn new(tap: TapWatch) -> Self {
        Self {
            tap,
            lost: BTreeMap::new(),
        }
    }

    /// What there is to say of these interfaces.
    fn news(&mut self, states: Vec<(String, Option<Lost>)>, now_ns: i64) -> Vec<String> {
        let mut news = Vec::new();
        for (name, lost) in states {
            match (self.lost.get(&name), lost) {
                (None, Some(lost)) => {
                    news.push(format!(
                        "{}: lost: {}; nothing is captured there until it is back, and the hour's record names the gap",
                        clean(&name),
                        clean(&lost.reason)
                    ));
                    self.lost.insert(name, lost);
                }
                (Some(before), None) => {
                    let gap_s = now_ns.saturating_sub(before.since_ns) as f64 / 1e9;
                    news.push(format!("{}: back after {gap_s:.0} s", clean(&name)));
                    self.lost.remove(&name);
                }
                _ => {}
            }
        }
        news
    }
}

impl Attendant for Links {
    fn hour(&mut self, _hour: &Summary, _kept: bool) {}

    fn tick(&mut self, _snapshot: &Snapshot) {
        for line in self.news(self.tap.lost(), now_ns()) {
            // Not among the remarks, as the console has an event of its own for it.
            output::figures(&format!("balefire: {line}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use balefire_pipeline::TapWatch;

    use super::*;

    #[test]
    fn an_interface_is_told_of_when_it_is_lost_and_when_it_is_back() {
        let mut links = Links::new(TapWatch::default());
        let state = |lost: Option<&str>| {
            let lost = lost.map(|reason| Lost {
                since_ns: 1_000_000_000,
                reason: reason.to_owned(),
            });
            vec![("eth2".to_owned(), lost)]
        };
        assert_eq!(links.news(state(None), 0), Vec::<String>::new());
        let news = links.news(state(Some("no carrier")), 2_000_000_000);
        assert!(
            news.len() == 1 && news[0].starts_with("eth2: lost: no carrier; "),
            "{news:?}"
        );
        // Down, and then gone: still lost.
        assert_eq!(links.news(state(Some("gone")), 9_000_000_000), Vec::<String>::new());
        assert_eq!(links.news(state(None), 13_400_000_000), ["eth2: back after 12 s"]);
        assert_eq!(links.news(state(None), 14_000_000_000), Vec::<String>::new());
    }
}

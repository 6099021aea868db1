//! The order of work, the same for every engine: what is given, then each step once, then the tables.
//!
//! In: a [`Question`], tables by name, an [`Engine`]. Out: answers in the order asked for. Not its job: how an engine is spoken to.

use std::collections::BTreeSet;

use super::{Answer, Query, Question, STEPS};
use crate::error::ArchiveError;

/// Something that runs the `.sql` files.
pub trait Engine {
    /// Fills what is given, makes the views.
    ///
    /// # Errors
    /// If it cannot be reached or refuses.
    fn prepare(&mut self, question: &Question) -> Result<(), ArchiveError>;

    /// Keeps the rows of a step.
    ///
    /// # Errors
    /// As [`Self::prepare`].
    fn step(&mut self, step: &Query) -> Result<(), ArchiveError>;

    /// Answers a table.
    ///
    /// # Errors
    /// As [`Self::prepare`].
    fn answer(&mut self, query: &Query) -> Result<Answer, ArchiveError>;
}

/// Answers these tables. `done` is told the name of every step and table when it is finished.
///
/// # Errors
/// What the engine says.
pub fn answer(
    engine: &mut dyn Engine,
    question: &Question,
    queries: &[&Query],
    done: &dyn Fn(&str),
) -> Result<Vec<Answer>, ArchiveError> {
    engine.prepare(question)?;
    done("question");
    let needed = needed(queries);
    let mut kept: BTreeSet<&str> = BTreeSet::new();
    let mut answers = Vec::with_capacity(queries.len());
    for query in queries {
        // A step is made when the first table needs it, so that each table's own cost is seen.
        let own = self::needed(&[query]);
        for step in STEPS.iter().filter(|step| own.contains(step.name)) {
            debug_assert!(needed.contains(step.name));
            if kept.insert(step.name) {
                engine.step(step)?;
                done(step.name);
            }
        }
        answers.push(engine.answer(query)?);
        done(query.name);
    }
    Ok(answers)
}

/// The steps that these tables read, directly or not.
fn needed(queries: &[&Query]) -> BTreeSet<&'static str> {
    let mut needed: BTreeSet<&'static str> = queries.iter().flat_map(|query| query.reads).copied().collect();
    // Steps come after what they read, so one way back is enough.
    for step in STEPS.iter().rev() {
        if needed.contains(step.name) {
            needed.extend(step.reads);
        }
    }
    needed
}

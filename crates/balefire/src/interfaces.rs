//! `balefire interfaces`: what can be listened to, and what would mend the rest.
//!
//! In: nothing. Out: a table, and the reasons. Not its job: opening interfaces (`capture`).

use crate::exit::{Exit, Failure};

pub(crate) fn run() -> Result<Exit, Failure> {
    Err(Failure::failed("to come with the tap"))
}

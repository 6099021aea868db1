//! `balefire live`: a network interface through the whole detector, until it is told to stop.
//!
//! In: what was typed. Out: rows of figures while it runs, hour files, the answer at the end. Not its job: the interface
//! (`capture`), running (`run`).

use crate::exit::{Exit, Failure};
use crate::flags::LiveFlags;

pub(crate) fn run(_flags: &LiveFlags) -> Result<Exit, Failure> {
    Err(Failure::failed("to come with the tap"))
}

//! The user's filter on files: compiled once per link type, at the first frame of that type.
//!
//! In: an expression in libpcap's language, frames. Out: yes or no. On a tap the kernel filters instead.

use std::collections::HashMap;

use balefire_decode::LinkType;
use pcap::{BpfProgram, Capture, Linktype};

use crate::link::dlt_of;
use crate::{Block, CaptureError};

/// A filter expression and its programs.
pub(super) struct Filter {
    expression: String,
    /// `None` where the expression means nothing on that link type: no frame of it passes.
    programs: HashMap<LinkType, Option<BpfProgram>>,
}

impl std::fmt::Debug for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Filter")
            .field("expression", &self.expression)
            .finish_non_exhaustive()
    }
}

impl Filter {
    /// Checks the expression on Ethernet, so that a typing error is found before anything runs.
    pub(super) fn new(expression: String) -> Result<Self, CaptureError> {
        let ethernet = LinkType(1);
        match compile(&expression, ethernet) {
            Ok(program) => Ok(Self {
                programs: HashMap::from([(ethernet, Some(program))]),
                expression,
            }),
            Err(reason) => Err(CaptureError::Filter { expression, reason }),
        }
    }

    /// Leaves the frames that pass in `block`; returns how many did not.
    ///
    /// libpcap's `len` is the captured length here: of frames cut by the snap length it is the shorter one.
    pub(super) fn apply(&mut self, block: &mut Block) -> u64 {
        let Block { bytes, frames } = block;
        let before = frames.len();
        frames.retain(|frame| {
            let start = frame.offset as usize;
            self.program(frame.link)
                .is_some_and(|program| program.filter(&bytes[start..start + frame.captured as usize]))
        });
        (before - frames.len()) as u64
    }

    fn program(&mut self, link: LinkType) -> Option<&BpfProgram> {
        let Self { expression, programs } = self;
        programs
            .entry(link)
            .or_insert_with(|| compile(expression, link).ok())
            .as_ref()
    }
}

fn compile(expression: &str, link: LinkType) -> Result<BpfProgram, String> {
    let dead = Capture::dead(Linktype(dlt_of(link))).map_err(|error| error.to_string())?;
    dead.compile(expression, true).map_err(|error| error.to_string())
}

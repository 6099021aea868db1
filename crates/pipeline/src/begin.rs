//! What every thread of a run does first.
//!
//! In: a function of whoever starts the run, to whom the thread tells its name from within: there it may bind the thread to a core, for
//! memory is given where it is first written. Not its job: cores.

use std::fmt;
use std::sync::Arc;

/// See the head of this file. The default does nothing.
#[derive(Clone, Default)]
pub struct Begin(Option<Arc<dyn Fn(&str) + Send + Sync>>);

impl Begin {
    /// Called by every thread as its first act, with its name: `capture`, `worker-0`, `reader-eth2-0`.
    pub fn with(act: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(act)))
    }

    pub(crate) fn call(&self, name: &str) {
        if let Some(act) = &self.0 {
            act(name);
        }
    }
}

impl fmt::Debug for Begin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Begin").field(&self.0.is_some()).finish()
    }
}

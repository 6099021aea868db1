//! The operator's own word on servers: threat intelligence and the allowlist, which may change while a run goes on.
//!
//! In: [`Lists`], whole, whenever they are read anew. Out: the ones in force, for workers that ask for the version once per
//! block and for whoever concludes. Not its job: reading them ([`crate::IntelBuilder`], [`crate::AllowRule`]), applying them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;

use crate::allow::Allowlist;
use crate::intel::Intel;

/// Both lists. The default names nobody and allows nobody.
#[derive(Debug, Default)]
pub struct Lists {
    /// Who is known to control hosts.
    pub intel: Intel,
    /// Who is not to be reported.
    pub allow: Allowlist,
}

/// The lists in force. The lock is taken when they change, and once by everybody who then sees a new version.
#[derive(Debug, Default)]
pub(crate) struct InForce {
    lists: RwLock<Arc<Lists>>,
    version: AtomicU64,
}

impl InForce {
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// The lists, and a version that is not newer than they are.
    pub(crate) fn now(&self) -> (Arc<Lists>, u64) {
        let lists = self.lists.read();
        (Arc::clone(&lists), self.version())
    }

    /// The same lists, apart from what is put in force later.
    pub(crate) fn held(&self) -> Self {
        let (lists, version) = self.now();
        Self {
            lists: RwLock::new(lists),
            version: AtomicU64::new(version),
        }
    }

    pub(crate) fn replace(&self, lists: Lists) {
        let lists = Arc::new(lists);
        let mut place = self.lists.write();
        let before = std::mem::replace(&mut *place, lists);
        self.version.fetch_add(1, Ordering::Release);
        drop(place);
        // Millions of indicators may go with it, and nobody is to wait for that.
        drop(before);
    }
}

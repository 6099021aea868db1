//! What a program without object storage says of it.
//!
//! In: a URL. Out: a refusal that says what to do. Not its job: anything else.

use std::path::Path;

use crate::archive::Archive;
use crate::error::ArchiveError;
use crate::store::Store;
use crate::transfer::Transfer;

/// Takes nothing.
pub(crate) fn import(_: &mut Archive, url: &str) -> Result<Transfer, ArchiveError> {
    refusal(url)
}

/// Knows nothing.
pub(crate) fn hours_of(url: &str) -> Result<u64, ArchiveError> {
    refusal(url)
}

/// Puts nothing.
///
/// # Errors
/// Always.
pub fn push(_: &Store, _: &Path, url: &str) -> Result<Transfer, ArchiveError> {
    refusal(url)
}

fn refusal<T>(url: &str) -> Result<T, ArchiveError> {
    Err(ArchiveError::Remote {
        url: url.to_owned(),
        reason: "this balefire was built without object storage (feature `object-storage` of balefire-archive)"
            .to_owned(),
    })
}

//! Keeps a second instance off the same output folder.
//!
//! In: the folder. Out: a lock that lasts as long as the program, however it ends: the kernel releases it. Not its job: the
//! folder's files.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use crate::exit::Failure;

/// Held while it lives.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, or says who has it.
    pub(crate) fn take(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join(".balefire.lock");
        let failed = |error: std::io::Error| {
            Failure::failed(format!(
                "{}: {error}; the output folder must be there and be writable for this user",
                path.display()
            ))
        };
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(failed)?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut holder = String::new();
            let _ = (&file).take(32).read_to_string(&mut holder);
            return Err(Failure::failed(format!(
                "{}: another balefire (process {}) writes there; stop it, or give another folder",
                folder.display(),
                holder.trim()
            )));
        }
        let written = file
            .set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| writeln!(file, "{}", std::process::id()));
        written.map_err(failed)?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_was_first() {
        let folder = tempfile::tempdir().unwrap();
        let first = Lock::take(folder.path()).unwrap();
        let error = Lock::take(folder.path()).unwrap_err().to_string();
        assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
        drop(first);
        assert!(Lock::take(folder.path()).is_ok());
        assert!(Lock::take(&folder.path().join("none")).is_err());
    }
}

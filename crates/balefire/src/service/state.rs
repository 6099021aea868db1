//! What the detector knows, in a file of the output folder, from one run to the next.
//!
//! In: the state at every hour's end, and the file that is there at the start. Out: the file, whole or as it was before (written beside,
//! synced, renamed; for nobody else to read, as it has the seed of the tables); the state, or a word why the run goes on without.
//! Not its job: the form (`detect`).

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use balefire_detect::{Settings, State, Summary};
use balefire_pipeline::Snapshot;
use balefire_report::{bytes, rfc3339, thousands};

use super::Attendant;
use crate::output;

/// The file's name, in the output folder.
const NAME: &str = ".balefire.state";

/// Writes the state after every hour. A failure is said once until it is mended, and holds up nothing.
#[derive(Debug)]
pub(crate) struct StateKeeper {
    path: PathBuf,
    is_broken: bool,
}

impl StateKeeper {
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            path: folder.join(NAME),
            is_broken: false,
        }
    }

    fn write(&self, state: &State) -> io::Result<()> {
        let beside = self.path.with_extension("state.new");
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(true).mode(0o600);
        let written = options.open(&beside).and_then(|mut file| {
            file.write_all(&state.to_bytes())?;
            file.sync_all()
        });
        let kept = written.and_then(|()| fs::rename(&beside, &self.path));
        if kept.is_err() {
            // A full disk gets its room back; the error that led here is the one to tell.
            let _ = fs::remove_file(&beside);
            return kept;
        }
        // The rename itself is on the disk with its folder.
        self.path
            .parent()
            .map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }
}

impl Attendant for StateKeeper {
    fn hour(&mut self, _hour: &Summary, _kept: bool) {}

    fn tick(&mut self, _snapshot: &Snapshot) {}

    fn state(&mut self, state: &mut State) {
        let kept = self.write(state);
        match &kept {
            Err(error) if !self.is_broken => output::complain(&format!(
                "{}: {error}; what is known would be lost with a restart, give it room; further failures are not told",
                self.path.display()
            )),
            Ok(()) if self.is_broken => output::remark("the state is kept again"),
            _ => {}
        }
        self.is_broken = kept.is_err();
        if state.left_out > 0 {
            output::remark(&format!(
                "state: no room for {} entries that would be missed least; they are known until the next restart",
                thousands(state.left_out)
            ));
        }
    }
}

/// The state of the run before, if there is one that can be used; what cannot be is said by name, and moved aside for whoever wants to
/// know.
pub(crate) fn load(folder: &Path, settings: &Settings, most_bytes: u64) -> Option<State> {
    let path = folder.join(NAME);
    let read = File::open(&path).and_then(|file| {
        let length = file.metadata()?.len();
        if length > most_bytes {
            return Err(io::Error::other(format!(
                "{} are more than the memory of this run",
                bytes(length)
            )));
        }
        let mut content = Vec::new();
        file.take(most_bytes).read_to_end(&mut content)?;
        Ok(content)
    });
    let content = match read {
        Ok(content) => content,
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        Err(error) => return refuse(&path, &error.to_string()),
    };
    let state = State::from_bytes(&content).and_then(|state| state.fits(settings).map(|()| state));
    match state {
        Ok(state) => {
            output::remark(&format!(
                "state of the hour until {} taken up: {} of {} workers",
                rfc3339(state.taken_ns()),
                bytes(content.len() as u64),
                state.workers(),
            ));
            Some(state)
        }
        Err(error) => refuse(&path, &error.to_string()),
    }
}

fn refuse(path: &Path, reason: &str) -> Option<State> {
    let aside = path.with_extension("state.refused");
    let moved = match fs::rename(path, &aside) {
        Ok(()) => format!("it is {} now", aside.display()),
        Err(error) => format!("it stays, as it cannot be moved: {error}"),
    };
    output::complain(&format!(
        "{}: {reason}; {moved}, and the run begins without: what was learnt before is not known",
        path.display()
    ));
    None
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const ROOM: u64 = 1 << 20;

    #[test]
    fn a_state_is_there_at_the_next_start_and_only_for_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings::default();
        assert_eq!(load(folder.path(), &settings, ROOM), None);
        let mut keeper = StateKeeper::new(folder.path());
        let mut state = State::new(&settings, 7, Vec::new());
        state.beside = b"told".to_vec();
        keeper.state(&mut state);
        let path = folder.path().join(NAME);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(load(folder.path(), &settings, ROOM), Some(state.clone()));
        // A disk without room: the state before stays.
        keeper.path = folder.path().join("none").join(NAME);
        keeper.state(&mut state);
        assert!(keeper.is_broken);
        assert_eq!(load(folder.path(), &settings, ROOM), Some(state));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_used_is_moved_aside_and_the_run_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings::default();
        let path = folder.path().join(NAME);
        let whole = State::new(&settings, 7, Vec::new()).to_bytes();
        for content in [&b"a text"[..], &whole[..whole.len() - 1], &[], &[0; 64]] {
            fs::write(&path, content).unwrap();
            assert_eq!(load(folder.path(), &settings, ROOM), None);
            assert!(!path.exists() && path.with_extension("state.refused").exists());
        }
        fs::write(&path, &whole).unwrap();
        assert_eq!(load(folder.path(), &settings, 10), None, "larger than the run may be");
    }
}

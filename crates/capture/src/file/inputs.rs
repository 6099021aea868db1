//! From what the user named to the files that will be read: folders, patterns, standard input, and their order.
//!
//! In: paths as given. Out: one entry per file. Not its job: opening them.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use crate::CaptureError;

/// How deep folders inside folders are followed: by hour inside day inside month inside sensor is 4.
const MAX_DEPTH: usize = 16;

/// One input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A file the user named: not being able to open it is the user's to mend, before anything runs.
    Named(PathBuf),
    /// A file found in a folder or by a pattern: it may be gone again, or be something else.
    Found(PathBuf),
    /// Standard input.
    Standard,
}

impl Input {
    /// As it is called in messages.
    pub fn path(&self) -> &Path {
        match self {
            Self::Named(path) | Self::Found(path) => path,
            Self::Standard => Path::new("-"),
        }
    }
}

/// Lists the files of every input, in the order given, the files of a folder or pattern by name.
///
/// # Errors
/// An input is not there, or a folder or pattern holds no file.
pub fn expand(inputs: &[PathBuf]) -> Result<Vec<Input>, CaptureError> {
    let mut files = Vec::new();
    for input in inputs {
        if input.as_os_str() == OsStr::new("-") {
            files.push(Input::Standard);
            continue;
        }
        match std::fs::metadata(input) {
            Ok(metadata) if metadata.is_dir() => {
                let before = files.len();
                folder(input, 0, &mut files)?;
                if files.len() == before {
                    return Err(nothing(input, "no files in this folder"));
                }
            }
            Ok(_) => files.push(Input::Named(input.clone())),
            Err(error) if error.kind() == io::ErrorKind::NotFound && is_pattern(input) => pattern(input, &mut files)?,
            Err(source) => {
                return Err(CaptureError::Io {
                    path: input.clone(),
                    source,
                });
            }
        }
    }
    Ok(files)
}

/// Whether a path that does not exist is meant as a pattern; one that exists is always a file.
fn is_pattern(path: &Path) -> bool {
    path.to_str().is_some_and(|path| path.contains(['*', '?', '[']))
}

fn pattern(path: &Path, files: &mut Vec<Input>) -> Result<(), CaptureError> {
    let text = path.to_str().unwrap_or_default();
    let matches = glob::glob(text).map_err(|error| nothing(path, &format!("no pattern: {error}")))?;
    let before = files.len();
    // A folder that may not be looked into has no matches; the pattern says "any that are there".
    for found in matches.flatten() {
        if found.is_dir() {
            folder(&found, 0, files)?;
        } else {
            files.push(Input::Found(found));
        }
    }
    if files.len() == before {
        return Err(nothing(path, "no file matches this pattern"));
    }
    Ok(())
}

/// Appends the files in a folder and the folders in it, sorted by name; hidden ones and links to folders are left out.
fn folder(path: &Path, depth: usize, files: &mut Vec<Input>) -> Result<(), CaptureError> {
    let io_error = |source| CaptureError::Io {
        path: path.to_path_buf(),
        source,
    };
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(path).map_err(io_error)? {
        let entry = entry.map_err(io_error)?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        entries.push((entry.path(), entry.file_type().map_err(io_error)?.is_dir()));
    }
    entries.sort();
    for (path, is_dir) in entries {
        if !is_dir {
            // A link may lead to a folder: following it could go round in circles.
            if !path.is_dir() {
                files.push(Input::Found(path));
            }
        } else if depth < MAX_DEPTH {
            folder(&path, depth + 1, files)?;
        }
    }
    Ok(())
}

fn nothing(path: &Path, reason: &str) -> CaptureError {
    CaptureError::NotACapture {
        path: path.to_path_buf(),
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(files: &[Input], under: &Path) -> Vec<String> {
        files
            .iter()
            .map(|file| file.path().strip_prefix(under).unwrap().display().to_string())
            .collect()
    }

    #[test]
    fn folders_and_patterns_are_listed_by_name_without_hidden_files() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.pcap", "a.pcap", ".hidden", "c.txt"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        std::fs::create_dir(dir.path().join("aa")).unwrap();
        std::fs::write(dir.path().join("aa/z.pcap"), "").unwrap();
        std::os::unix::fs::symlink(dir.path(), dir.path().join("circle")).unwrap();

        let found = expand(&[dir.path().to_path_buf()]).unwrap();
        assert_eq!(names(&found, dir.path()), ["a.pcap", "aa/z.pcap", "b.pcap", "c.txt"]);
        let found = expand(&[dir.path().join("*.pcap")]).unwrap();
        assert_eq!(names(&found, dir.path()), ["a.pcap", "b.pcap"]);
        assert!(matches!(found[0], Input::Found(_)));
        let named = expand(&[dir.path().join("b.pcap"), "-".into()]).unwrap();
        assert_eq!(named, [Input::Named(dir.path().join("b.pcap")), Input::Standard]);
    }

    #[test]
    fn a_name_that_is_a_file_is_no_pattern() {
        let dir = tempfile::tempdir().unwrap();
        let odd = dir.path().join("[1].pcap");
        std::fs::write(&odd, "").unwrap();
        assert_eq!(expand(std::slice::from_ref(&odd)).unwrap(), [Input::Named(odd)]);
    }

    #[test]
    fn what_is_not_there_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let message = |name: &str| expand(&[dir.path().join(name)]).unwrap_err().to_string();
        assert!(message("none.pcap").ends_with("none.pcap: No such file or directory (os error 2)"));
        assert!(message("*.pcap").ends_with("*.pcap: no file matches this pattern"));
        assert!(message("").ends_with("no files in this folder"));
    }
}

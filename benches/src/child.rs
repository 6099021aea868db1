//! A program run once, and what it used: wall and processor time, peak memory.
//!
//! In: a command line. Out: what it printed, and [`Used`]. Not its job: what the figures mean.

use std::io::{self, Read};
use std::process::{Command, Stdio};
use std::time::Instant;

use wait4::Wait4;

/// What one process used.
#[derive(Clone, Copy, Debug)]
pub struct Used {
    /// From its start to its end, seconds.
    pub wall_s: f64,
    /// Processor time in its own code, all threads, seconds.
    pub user_s: f64,
    /// Processor time in the kernel, all threads, seconds.
    pub system_s: f64,
    /// Largest resident memory, bytes.
    pub peak_bytes: u64,
}

impl Used {
    /// Processor time, all threads, seconds.
    pub fn cpu_s(&self) -> f64 {
        self.user_s + self.system_s
    }
}

/// Runs a command to its end. Its standard error goes where ours goes, unless it is to be silent.
///
/// # Errors
/// It cannot be started, or says that it failed.
pub fn run(words: &[String], silent: bool) -> io::Result<(Used, Vec<u8>)> {
    let begun = Instant::now();
    let mut child = Command::new(&words[0])
        .args(&words[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(if silent { Stdio::null() } else { Stdio::inherit() })
        .spawn()?;
    let mut said = Vec::new();
    if let Some(mut out) = child.stdout.take() {
        out.read_to_end(&mut said)?;
    }
    let used = child.wait4()?;
    let wall_s = begun.elapsed().as_secs_f64();
    if !used.status.success() {
        let reason = format!("{} ended with {}", words.join(" "), used.status);
        return Err(io::Error::other(reason));
    }
    let used = Used {
        wall_s,
        user_s: used.rusage.utime.as_secs_f64(),
        system_s: used.rusage.stime.as_secs_f64(),
        peak_bytes: used.rusage.maxrss,
    };
    Ok((used, said))
}

/// `taskset -c PROCESSORS`, if any are named: what pins the command that follows.
pub fn pinned(processors: Option<&str>) -> Vec<String> {
    processors.map_or_else(Vec::new, |list| {
        vec!["taskset".to_owned(), "-c".to_owned(), list.to_owned()]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_measured_and_its_failure_told() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let (used, said) = run(&words("echo 7"), true).unwrap();
        assert_eq!(said, b"7\n");
        assert!(used.wall_s > 0.0 && used.peak_bytes > 0);
        assert!(run(&words("false"), true).unwrap_err().to_string().contains("false"));
    }
}

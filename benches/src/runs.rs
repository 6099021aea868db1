//! Where results are kept, and what machine made them: `benches/runs/DATE-MACHINE/`.
//!
//! In: a result as JSON. Out: a file beside the notes of the machine. Not its job: measuring.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// The machine a result was made on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Processor, as it names itself.
    pub processor: String,
    /// Logical processors.
    pub cores: usize,
    /// Main memory, bytes.
    pub memory_bytes: u64,
    /// Kernel release.
    pub kernel: String,
}

impl Machine {
    /// This machine, from `/proc`; what cannot be read is said to be unknown.
    pub fn this() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, name: &str| -> Option<String> {
            let line = text.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let memory = field(&read("/proc/meminfo"), "MemTotal");
        let kilobytes = memory.and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
        Self {
            processor: field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| "unknown".to_owned()),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_bytes: kilobytes.unwrap_or(0) * 1024,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        }
    }

    /// A short name for a folder: the processor's words and the number of cores.
    pub fn name(&self) -> String {
        let words = self.processor.split(|c: char| !c.is_ascii_alphanumeric());
        let words = words.filter(|word| !word.is_empty() && !["R", "TM", "CPU", "Processor"].contains(word));
        let short: Vec<_> = words.take(4).map(str::to_lowercase).collect();
        format!("{}-{}c", short.join("-"), self.cores)
    }

    /// As JSON, with the load at this moment: a busy machine explains odd figures.
    pub fn notes(&self) -> Value {
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        json!({
            "processor": self.processor,
            "cores": self.cores,
            "memory_bytes": self.memory_bytes,
            "kernel": self.kernel,
            "load_average_1min": load.split(' ').next().and_then(|text| text.parse::<f64>().ok()),
        })
    }
}

/// `benches/runs/DATE-MACHINE` in this repository.
pub fn folder(machine: &Machine) -> PathBuf {
    let date = jiff::Timestamp::now().to_string();
    let date = date.get(..10).unwrap_or("undated");
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("runs")
        .join(format!("{date}-{}", machine.name()))
}

/// Writes `value` as `folder/name.json`, readable.
///
/// # Errors
/// The system's.
pub fn keep(folder: &Path, name: &str, value: &Value) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let path = folder.join(format!("{name}.json"));
    fs::write(&path, format!("{value:#}\n"))?;
    Ok(path)
}

/// The middle value, or the mean of the two middle ones; 0 for none.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => 0.0,
        length if length.is_multiple_of(2) => f64::midpoint(sorted[middle - 1], sorted[middle]),
        _ => sorted[middle],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_in_the_middle() {
        assert_eq!(median(&[]), 0.0);
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn a_machine_has_a_name_fit_for_a_folder() {
        let machine = Machine {
            processor: "Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz".to_owned(),
            cores: 2,
            memory_bytes: 0,
            kernel: String::new(),
        };
        assert_eq!(machine.name(), "intel-xeon-platinum-8481c-2c");
        assert!(Machine::this().cores > 0);
    }
}

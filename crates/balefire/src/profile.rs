//! `--profile`: where the time of each thread went, as a small table for people and as JSON.
//!
//! In: the threads' profiles and the number of packets. Out: text. Not its job: taking the time (`pipeline`).

use std::fmt::Write;

use balefire_pipeline::ThreadProfile;
use serde_json::{Value, json};

/// One line per thread: its processor time per packet, and what part of its wall time each stage took.
pub(crate) fn table(threads: &[ThreadProfile], packets: u64) -> String {
    let mut text = "Profile      CPU ns/packet  wall time by stage\n".to_owned();
    for thread in threads {
        let wall_ns: u64 = thread.stages.iter().map(|(_, spent_ns)| spent_ns).sum();
        let mut stages = String::new();
        for (stage, spent_ns) in &thread.stages {
            let part = *spent_ns as f64 / wall_ns.max(1) as f64 * 100.0;
            let per_packet_ns = *spent_ns as f64 / packets.max(1) as f64;
            let comma = if stages.is_empty() { "" } else { ", " };
            // Writing to a text cannot fail.
            let _ = write!(stages, "{comma}{stage} {part:.0} % ({per_packet_ns:.0} ns)");
        }
        let cpu_ns = thread.cpu_ns as f64 / packets.max(1) as f64;
        let _ = writeln!(text, "{:<12} {cpu_ns:>13.1}  {stages}", thread.name);
    }
    text
}

/// The document with a field `profile` at its end: a list of threads with their `cpu_ns` and nanoseconds by stage.
pub(crate) fn into_document(document: String, threads: &[ThreadProfile]) -> String {
    let Some(head) = document.trim_end().strip_suffix('}') else {
        return document;
    };
    let threads: Vec<Value> = threads
        .iter()
        .map(|thread| {
            let stages: serde_json::Map<_, _> = thread
                .stages
                .iter()
                .map(|(stage, spent_ns)| ((*stage).to_owned(), json!(spent_ns)))
                .collect();
            json!({ "thread": thread.name, "cpu_ns": thread.cpu_ns, "stages_ns": stages })
        })
        .collect();
    format!("{},\n  \"profile\": {}\n}}\n", head.trim_end(), Value::Array(threads))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_and_their_stages_are_shown() {
        let threads = [ThreadProfile {
            name: "worker-0".to_owned(),
            cpu_ns: 3_000,
            stages: vec![("wait", 1_000), ("decode", 3_000)],
        }];
        let text = table(&threads, 100);
        assert!(
            text.contains("worker-0") && text.contains("30.0  wait 25 % (10 ns), decode 75 % (30 ns)"),
            "{text}"
        );
        let document = into_document("{\n  \"schema\": 1\n}\n".to_owned(), &threads);
        let value: Value = serde_json::from_str(&document).unwrap();
        assert_eq!(value["schema"], 1);
        assert_eq!(value["profile"][0]["stages_ns"]["decode"], 3_000);
    }
}

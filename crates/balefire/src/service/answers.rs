//! What the service answers, as JSON: how it is, its counters, servers, hosts, countries, the allowlist.
//!
//! In: [`State`], which the collector's thread keeps. Out: values whose texts are harmless. `socket.md` beside this file says what
//! every field is. Not its job: who asks (`control`), evidence (`why`).

use std::fs;
use std::path::Path;

use balefire_detect::{Allowlist, ControlServer};
use balefire_pipeline::TableGauge;
use balefire_report::{clean, rfc3339};
use serde_json::{Map, Value, json};

use super::cores;
use super::metrics::resident_bytes;
use super::vitals::State;

/// How it is.
pub(super) fn status(state: &State, landlock: &str) -> Value {
    let snapshot = &state.snapshot;
    let accounting = &snapshot.accounting;
    let kernel = snapshot.kernel.unwrap_or_default();
    let dropped: u64 = snapshot.queues.iter().map(|queue| queue.dropped).sum();
    let threads = state.threads.iter();
    let cores = cores::of_threads();
    // The kernel keeps 15 letters of a name.
    let cores_of = |name: &str| cores.get(name.get(..15).unwrap_or(name));
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "sensor": clean(&state.sensor),
        "process": std::process::id(),
        "user": rustix::process::getuid().as_raw(),
        "up_s": snapshot.elapsed_s.round(),
        "interfaces": state.interfaces.iter()
            .map(|(name, lost)| json!({
                "name": clean(name),
                "lost": lost.is_some(),
                "lost_since": lost.as_ref().map(|lost| rfc3339(lost.since_ns)),
                "lost_reason": lost.as_ref().map(|lost| clean(&lost.reason)),
            }))
            .collect::<Vec<_>>(),
        "gaps": state.gaps,
        "packets": {
            "per_second": snapshot.packets_per_s.round(),
            "received": accounting.received,
            "decoded": accounting.decoded,
            "rejected": accounting.rejects.iter().map(|(_, frames)| frames).sum::<u64>(),
            "dropped_queue": dropped,
            "dropped_kernel": kernel.dropped_kernel,
            "dropped_interface": kernel.dropped_interface,
            "newest": snapshot.packet_time_ns.map(rfc3339),
        },
        "tables": snapshot.tables.iter()
            .map(|table| (table.name.to_owned(), json!({"entries": table.entries, "evicted": table.evicted})))
            .collect::<serde_json::Map<_, _>>(),
        "servers": snapshot.servers_by_class.iter().sum::<u64>(),
        "hours": {
            "kept": state.hours.kept,
            "lost": state.hours.lost,
            "last_end": state.hours.last_end_ns.map(rfc3339),
        },
        "alerts": {
            "sent": state.alerts.sent,
            "suppressed": state.alerts.suppressed,
            "failed": state.alerts.failed,
            "outputs": outputs(state),
        },
        "threads": threads
            .map(|beat| json!({"name": clean(&beat.name), "silent_s": beat.silent().as_secs(), "cores": cores_of(&beat.name)}))
            .collect::<Vec<_>>(),
        "sandbox": rights(landlock),
    })
}

fn outputs(state: &State) -> Vec<Value> {
    let outputs = state.alert_outputs.iter();
    outputs
        .map(|output| json!({"kind": output.kind, "taken": output.taken, "failed": output.failed}))
        .collect()
}

/// Every counter.
pub(super) fn stats(state: &State) -> Value {
    let snapshot = &state.snapshot;
    let accounting = &snapshot.accounting;
    let rejects = accounting.rejects.iter();
    let limit = |table: &TableGauge| state.table_limits.iter().find(|(name, _)| *name == table.name);
    json!({
        "sensor": clean(&state.sensor),
        "up_s": snapshot.elapsed_s.round(),
        "newest_packet": snapshot.packet_time_ns.map(rfc3339),
        "packets_per_s": snapshot.packets_per_s.round(),
        "bits_per_s": snapshot.bits_per_s.round(),
        "accounting": {
            "received": accounting.received,
            "wire_bytes": accounting.wire_bytes,
            "decoded": accounting.decoded,
            "rejects": rejects.map(|(reject, frames)| (reject.name().to_owned(), json!(frames))).collect::<Map<_, _>>(),
            "dropped_queue": snapshot.queues.iter().map(|queue| queue.dropped).sum::<u64>(),
            "decode_panics": accounting.decode_panics,
            "late": accounting.late,
            "kernel_drops": accounting.kernel_drops,
            "interface_drops": accounting.interface_drops,
        },
        "queues": snapshot.queues.iter().enumerate()
            .map(|(worker, queue)| json!({
                "worker": worker, "blocks": queue.blocks, "capacity": queue.capacity, "dropped": queue.dropped,
            }))
            .collect::<Vec<_>>(),
        "threads": snapshot.threads.iter()
            .map(|thread| json!({"name": clean(&thread.name), "busy": (thread.busy * 1e3).round() / 1e3}))
            .collect::<Vec<_>>(),
        "latency_ns": {
            "p50": snapshot.latency.p50,
            "p99": snapshot.latency.p99,
            "p999": snapshot.latency.p999,
            "max": snapshot.latency.max,
        },
        "tables": snapshot.tables.iter()
            .map(|table| json!({
                "name": table.name,
                "entries": table.entries,
                "limit": limit(table).map(|(_, limit)| limit),
                "evicted": table.evicted,
            }))
            .collect::<Vec<_>>(),
        "resident_bytes": resident_bytes().map(|bytes| bytes as u64),
        "servers_by_class": {
            "suspected": snapshot.servers_by_class[0],
            "probable": snapshot.servers_by_class[1],
            "confirmed": snapshot.servers_by_class[2],
        },
        "hours": {"kept": state.hours.kept, "lost": state.hours.lost, "partial": state.hours.partial},
        "alerts": {"sent": state.alerts.sent, "suppressed": state.alerts.suppressed, "failed": state.alerts.failed, "outputs": outputs(state)},
        "gaps": state.gaps,
    })
}

/// The allowlist in force, with what its rules hid in the last closed hour.
pub(super) fn allow(state: &State, allowlist: &Allowlist, file: Option<&Path>) -> Value {
    let hour = state.last_hour.as_deref();
    let hits = |rule: &str| {
        let counted = hour?.allowed.rules.iter().find(|counted| counted.rule == rule)?;
        Some(counted.hits)
    };
    let rules = allowlist.rules().iter().map(|rule| {
        json!({
            "rule": clean(rule.text()),
            "reason": clean(rule.reason()),
            "expires": rule.expires_ns().map(rfc3339),
            "hits_last_hour": hits(rule.text()),
        })
    });
    json!({
        "file": file.map(|path| clean(&path.display().to_string())),
        "last_hour": hour.map(|hour| rfc3339(hour.period.start_ns)),
        "rules": rules.collect::<Vec<_>>(),
    })
}

/// As the kernel says, not as we meant it.
fn rights(landlock: &str) -> Value {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    let field = |name: &str| {
        let found = status.lines().find_map(|line| line.strip_prefix(name));
        found.map(|text| text.trim().to_owned())
    };
    json!({
        "capabilities": field("CapEff:"),
        "no_new_privs": field("NoNewPrivs:").map(|text| text == "1"),
        "seccomp": field("Seccomp:").map(|text| text == "2"),
        "landlock": landlock,
    })
}

/// A server as it stands, without evidence.
pub(super) fn server(server: &ControlServer) -> Value {
    json!({
        "rank": server.rank,
        "address": server.address.to_string(),
        "port": server.port,
        "protocol": server.transport.name(),
        "names": server.names.iter().map(|name| clean(name)).collect::<Vec<_>>(),
        "hosting_country": clean(server.country.code()),
        "class": server.class.name(),
        "score": balefire_report::has_score(server).then(|| (server.score * 1e4).round() / 1e4),
        "hosts": server.hosts.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "check_ins": server.check_ins,
        "first": rfc3339(server.first_ns),
        "last": rfc3339(server.last_ns),
    })
}

/// Each controlled host with its servers, in address order.
pub(super) fn hosts(servers: &[ControlServer]) -> Vec<Value> {
    let mut hosts = std::collections::BTreeMap::<_, Vec<String>>::new();
    for server in servers {
        for host in &server.hosts {
            let place = format!("{}:{}", server.address, server.port);
            hosts.entry(*host).or_default().push(place);
        }
    }
    let hosts = hosts.into_iter();
    hosts
        .map(|(host, servers)| json!({"host": host.to_string(), "servers": servers}))
        .collect()
}

/// Hosting countries as they stand.
pub(super) fn countries(state: &State) -> Vec<Value> {
    let rows = state.snapshot.countries.iter();
    rows.map(|row| {
        json!({
            "hosting_country": clean(row.country.code()),
            "servers": row.servers,
            "hosts": row.hosts,
            "rank_by_servers": row.rank_by_servers,
            "rank_by_hosts": row.rank_by_hosts,
        })
    })
    .collect()
}

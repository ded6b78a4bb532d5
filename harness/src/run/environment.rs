//! The machine and the software that a report's numbers belong to.

use std::fs;

use serde_json::{Value, json};

use crate::cli::{RunArgs, database_url};

/// Cores, memory, kernel, versions, and what the command line said.
#[must_use]
pub fn describe(args: &RunArgs) -> Value {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    json!({
        "cores": cores,
        "cpu": field("/proc/cpuinfo", "model name"),
        "memory_bytes": field("/proc/meminfo", "MemTotal").and_then(|text| kibibytes(&text)),
        "os": std::env::consts::OS,
        "architecture": std::env::consts::ARCH,
        "kernel": fs::read_to_string("/proc/sys/kernel/osrelease").ok().map(|t| t.trim().to_owned()),
        "version": env!("CARGO_PKG_VERSION"),
        "commit": env!("DOORBUSTER_COMMIT"),
        "build": if cfg!(debug_assertions) { "debug" } else { "release" },
        "kafka": args.kafka.as_deref().unwrap_or("embedded"),
        "scale": args.scale,
        "seed": args.seed,
        "shards": args.shards,
        "segment": args.segment.to_string(),
        "database": if database_url(args.database.as_ref()).is_some() { "postgres" } else { "none" },
        "replicas": args.replicas.as_ref().map(ToString::to_string),
    })
}

/// The first value of `name: value` lines.
fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    })
}

fn kibibytes(text: &str) -> Option<u64> {
    Some(text.strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

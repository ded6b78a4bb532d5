//! The load in our own words.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;

use crate::server::Server;
use crate::{Done, Load, Tool, cost};

pub(crate) struct Doorbuster(pub(crate) PathBuf);

/// Thresholds crossed, or a generator that lagged: there is a figure all the same.
const FINE: [i32; 2] = [99, 90];

impl Tool for Doorbuster {
    fn name(&self) -> &'static str {
        "doorbuster"
    }

    fn run(&self, load: Load, server: &Server, time: Duration) -> anyhow::Result<Option<Done>> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("load.toml");
        std::fs::write(&file, scenario(load, server, time))?;
        let reports = folder.path().join("reports");
        let mut command = Command::new(&self.0);
        command.arg("run").arg(&file).arg("--no-tui").arg("--reports").arg(&reports);
        if let Load::Most { .. } = load {
            // A process for each core, as the others have threads.
            command.args(["--shards", "2"]);
        }
        let (_, cost) = cost::of(&mut command, &FINE)?;
        let run = std::fs::read_dir(&reports)?.next().context("no report")??;
        let summary = std::fs::read_to_string(run.path().join("summary.json"))?;
        let summary: Value = serde_json::from_str(&summary)?;
        let metric = |name: &str, field: &str| summary["metrics"][name][field].as_f64();
        let counted = if matches!(load, Load::Sockets(_)) { "ws_sessions" } else { "http_reqs" };
        let count = metric(counted, "count").context("nothing was counted")?;
        let failed = match load {
            Load::Sockets(_) => metric("ws_errors", "count"),
            _ => metric("http_req_failed", "passes"),
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts")]
        Ok(Some(Done {
            count: count as u64,
            failed: failed.unwrap_or(0.0) as u64,
            per_second: count / time.as_secs_f64(),
            lag_p99_ms: metric("send_lag", "p(99)"),
            cost,
        }))
    }
}

fn scenario(load: Load, server: &Server, time: Duration) -> String {
    let (address, seconds) = (server.address, time.as_secs());
    let executor = match load {
        Load::Rate(rate) => format!(
            "executor = \"constant-arrival-rate\"\nrate = {rate}\nduration = \"{seconds}s\"\npreAllocatedVUs = 100\nmaxVUs = 1000"
        ),
        Load::Most { connections } => {
            format!("executor = \"constant-vus\"\nvus = {connections}\nduration = \"{seconds}s\"")
        }
        Load::Sockets(count) => {
            // All are opened in the first quarter of the time, as k6 is told to.
            format!(
                "executor = \"per-vu-iterations\"\nvus = {count}\nmaxDuration = \"{}s\"",
                seconds * 4
            )
        }
    };
    if matches!(load, Load::Sockets(_)) {
        return format!(
            "name = \"sockets\"\n[scenarios.sockets]\nexec = \"websocket\"\n{executor}\n[scenarios.sockets.params]\n\
             url = \"ws://{address}/ws/${{vu}}\"\nhold = \"{seconds}s\"\n[[scenarios.sockets.params.steps]]\n\
             name = \"greeting\"\nexpect = {{ contains = \"order_update\", within = \"30s\" }}\n"
        );
    }
    format!(
        "name = \"orders\"\n[scenarios.orders]\nexec = \"http\"\n{executor}\n[scenarios.orders.params]\n\
         baseUrl = \"http://{address}\"\n[[scenarios.orders.params.steps]]\nname = \"order\"\nmethod = \"POST\"\nurl = \"/order\"\n\
         json = {{ product_id = \"product-1\", quantity = 2 }}\n\
         check = {{ status = 201, json = {{ \"$.status\" = \"created\" }} }}\n"
    )
}

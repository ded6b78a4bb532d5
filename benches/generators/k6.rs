//! The load in k6's words. k6 is an external tool: found on PATH, or left out.

use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;

use crate::server::Server;
use crate::{Done, Load, Tool, cost};

pub(crate) struct K6;

impl Tool for K6 {
    fn name(&self) -> &'static str {
        "k6"
    }

    fn run(&self, load: Load, server: &Server, time: Duration) -> anyhow::Result<Option<Done>> {
        if Command::new("k6").arg("version").output().is_err() {
            return Ok(None);
        }
        let folder = tempfile::tempdir()?;
        let (file, summary) = (folder.path().join("load.js"), folder.path().join("summary.json"));
        std::fs::write(&file, script(load, server, time))?;
        let mut command = Command::new("k6");
        command.args(["run", "--quiet", "--no-usage-report", "--summary-trend-stats", "p(99)"]);
        command.arg("--summary-export").arg(&summary).arg(&file);
        let (_, cost) = cost::of(&mut command, &[])?;
        let summary: Value = serde_json::from_str(&std::fs::read_to_string(summary)?)?;
        let metric = |name: &str, field: &str| summary["metrics"][name][field].as_f64();
        let counted = if matches!(load, Load::Sockets(_)) { "ws_sessions" } else { "http_reqs" };
        let count = metric(counted, "count").context("nothing was counted")?;
        let failed = metric("http_req_failed", "passes").unwrap_or(0.0)
            + metric("dropped_iterations", "count").unwrap_or(0.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts")]
        Ok(Some(Done {
            count: count as u64,
            failed: failed as u64,
            per_second: count / time.as_secs_f64(),
            lag_p99_ms: None,
            cost,
        }))
    }
}

fn script(load: Load, server: &Server, time: Duration) -> String {
    let (address, seconds) = (server.address, time.as_secs());
    let executor = match load {
        Load::Rate(rate) => format!(
            "executor: 'constant-arrival-rate', rate: {rate}, duration: '{seconds}s', preAllocatedVUs: 100, maxVUs: 1000"
        ),
        Load::Most { connections } => {
            format!("executor: 'constant-vus', vus: {connections}, duration: '{seconds}s'")
        }
        Load::Sockets(count) => {
            format!(
                "executor: 'per-vu-iterations', vus: {count}, iterations: 1, maxDuration: '{}s'",
                seconds * 4
            )
        }
    };
    if matches!(load, Load::Sockets(_)) {
        return format!(
            "import ws from 'k6/ws';\nimport {{ check }} from 'k6';\n\
             export const options = {{ scenarios: {{ sockets: {{ {executor} }} }} }};\n\
             export default function () {{\n  const answer = ws.connect(`ws://{address}/ws/${{__VU}}`, (socket) => {{\n\
             \x20   socket.on('message', (text) => check(text, {{ greeting: (t) => t.includes('order_update') }}));\n\
             \x20   socket.setTimeout(() => socket.close(), {seconds}000);\n  }});\n\
             \x20 check(answer, {{ opens: (a) => a && a.status === 101 }});\n}}\n"
        );
    }
    format!(
        "import http from 'k6/http';\nimport {{ check }} from 'k6';\n\
         export const options = {{ scenarios: {{ orders: {{ {executor} }} }} }};\n\
         const headers = {{ 'content-type': 'application/json' }};\n\
         export default function () {{\n\
         \x20 const body = JSON.stringify({{ product_id: 'product-1', quantity: 2 }});\n\
         \x20 const answer = http.post('http://{address}/order', body, {{ headers }});\n\
         \x20 check(answer, {{ status: (a) => a.status === 201, created: (a) => a.json('status') === 'created' }});\n}}\n"
    )
}

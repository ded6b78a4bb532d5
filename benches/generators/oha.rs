//! The load in oha's words. oha checks nothing and holds no sockets; found on PATH, or left out.

use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;

use crate::server::Server;
use crate::{Done, Load, Tool, cost};

pub(crate) struct Oha;

/// Connections at a given rate: more than are ever busy at once.
const CONNECTIONS: u32 = 100;

impl Tool for Oha {
    fn name(&self) -> &'static str {
        "oha"
    }

    fn run(&self, load: Load, server: &Server, time: Duration) -> anyhow::Result<Option<Done>> {
        if Command::new("oha").arg("--version").output().is_err() {
            return Ok(None);
        }
        let mut command = Command::new("oha");
        command
            .args(["--no-tui", "--output-format", "json", "-z"])
            .arg(format!("{}s", time.as_secs()));
        match load {
            Load::Rate(rate) => command.args([
                "--latency-correction",
                "-q",
                &rate.to_string(),
                "-c",
                &CONNECTIONS.to_string(),
            ]),
            Load::Most { connections } => command.args(["-c", &connections.to_string()]),
            Load::Sockets(_) => return Ok(None),
        };
        command.args(["-m", "POST", "-T", "application/json"]);
        command.args(["-d", r#"{"product_id":"product-1","quantity":2}"#]);
        command.arg(format!("http://{}/order", server.address));
        let (output, cost) = cost::of(&mut command, &[])?;
        let told: Value =
            serde_json::from_slice(&output.stdout).context("oha says something else")?;
        let statuses = told["statusCodeDistribution"].as_object().context("no statuses")?;
        let count = |code: &str| statuses.get(code).and_then(Value::as_u64).unwrap_or(0);
        let all: u64 = statuses.values().filter_map(Value::as_u64).sum();
        #[expect(clippy::cast_precision_loss, reason = "a count of requests")]
        Ok(Some(Done {
            count: count("201"),
            failed: all - count("201"),
            per_second: all as f64 / time.as_secs_f64(),
            lag_p99_ms: None,
            cost,
        }))
    }
}

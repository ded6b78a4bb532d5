//! The table, and whether the goals are met.

use std::fmt;
use std::time::Duration;

use crate::{Done, Load};

/// Each measurement, in the order in which it was made.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
}

struct Row {
    load: Load,
    tool: &'static str,
    done: Done,
    /// What the server used meanwhile.
    server: Duration,
}

/// A goal: what it is called, the limit, and the measured value. All are limits from above but for the one that says so.
struct Goal {
    name: String,
    limit: f64,
    value: f64,
    at_least: bool,
}

impl Goal {
    fn met(&self) -> bool {
        if self.at_least { self.value >= self.limit } else { self.value <= self.limit }
    }
}

/// Of CPU microseconds for each request (issue: 1,000/s, 10,000/s, most).
const MICROSECONDS: [f64; 3] = [56.0, 22.0, 10.0];
/// Of the send lag's 99th percentile in milliseconds.
const LAG_MS: [f64; 2] = [0.5, 1.0];
const SHARE_OF_OHA: f64 = 0.85;
const SOCKETS_MB: f64 = 120.0;
const SOCKETS_CPU_S: f64 = 1.5;

impl Row {
    #[expect(clippy::cast_precision_loss, reason = "a count of requests")]
    fn microseconds(&self) -> f64 {
        self.done.cost.cpu.as_secs_f64() * 1e6 / (self.done.count.max(1) as f64)
    }

    #[expect(clippy::cast_precision_loss, reason = "a size in megabytes")]
    fn megabytes(&self) -> f64 {
        self.done.cost.peak_pss_bytes as f64 / 1e6
    }

    fn label(&self) -> String {
        match self.load {
            Load::Rate(rate) => format!("{rate}/s"),
            Load::Most { connections } => format!("most, {connections} connections"),
            Load::Sockets(count) => format!("{count} sockets"),
        }
    }
}

impl Report {
    pub(crate) fn add(&mut self, load: Load, tool: &'static str, done: Done, server: Duration) {
        self.rows.push(Row { load, tool, done, server });
    }

    pub(crate) fn all_met(&self) -> bool {
        self.goals().iter().all(Goal::met)
    }

    fn goals(&self) -> Vec<Goal> {
        let mut goals = Vec::new();
        for row in self.rows.iter().filter(|row| row.tool == "doorbuster") {
            let mut most = |what: &str, limit, value| {
                let name = format!("{}: {what}", row.label());
                goals.push(Goal { name, limit, value, at_least: false });
            };
            let place = match row.load {
                Load::Rate(rate) => usize::from(rate > 1_000),
                Load::Most { .. } => 2,
                Load::Sockets(_) => {
                    most("memory, MB", SOCKETS_MB, row.megabytes());
                    most("CPU, s", SOCKETS_CPU_S, row.done.cost.cpu.as_secs_f64());
                    continue;
                }
            };
            most("CPU per request, µs", MICROSECONDS[place], row.microseconds());
            if let (Some(limit), Some(lag)) = (LAG_MS.get(place), row.done.lag_p99_ms) {
                most("send lag p99, ms", *limit, lag);
            }
            let oha = |other: &&Row| other.tool == "oha" && other.load == row.load;
            if let (Load::Most { .. }, Some(oha)) = (row.load, self.rows.iter().find(oha)) {
                let value = row.done.per_second / oha.done.per_second;
                let name = format!("{}: share of oha's rate", row.label());
                goals.push(Goal { name, limit: SHARE_OF_OHA, value, at_least: true });
            }
        }
        goals
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| load | tool | done | failed | per second | CPU per one | CPU | memory | send lag p99 | server's CPU |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|---|---|---|")?;
        for row in &self.rows {
            let Done { count, failed, per_second, lag_p99_ms, cost } = row.done;
            let lag = lag_p99_ms.map_or_else(|| "–".to_owned(), |lag| format!("{lag:.2} ms"));
            writeln!(
                f,
                "| {} | {} | {count} | {failed} | {per_second:.0} | {:.1} µs | {:.2} s | {:.0} MB | {lag} | {:.2} s |",
                row.label(),
                row.tool,
                row.microseconds(),
                cost.cpu.as_secs_f64(),
                row.megabytes(),
                row.server.as_secs_f64(),
            )?;
        }
        writeln!(f, "\n| goal | limit | measured | |\n|---|---|---|---|")?;
        for goal in self.goals() {
            let sign = if goal.at_least { "≥" } else { "≤" };
            let verdict = if goal.met() { "met" } else { "MISSED" };
            writeln!(
                f,
                "| {} | {sign} {} | {:.2} | {verdict} |",
                goal.name, goal.limit, goal.value
            )?;
        }
        Ok(())
    }
}

//! The plans that are measured.

use std::time::Duration;

use loadgen::executor::schedule::Arrivals;
use loadgen::scenario::{self, Scenario, Stage};

const SECOND: Duration = Duration::from_secs(1);

/// A rate that stays, or goes from a half to one and a half of itself.
pub(crate) struct Planned {
    pub(crate) name: String,
    toml: String,
    pub(crate) arrivals: Arrivals,
    pub(crate) duration: Duration,
    /// The goal of its send lag's 99th percentile, in milliseconds.
    pub(crate) lag_goal_ms: f64,
}

impl Planned {
    pub(crate) fn both(rate: u32, duration: Duration) -> [Self; 2] {
        let lag_goal_ms = if rate <= 1000 { 0.5 } else { 1.0 };
        let (low, high) = (f64::from(rate) / 2.0, f64::from(rate) * 1.5);
        let seconds = duration.as_secs();
        [
            Self {
                name: format!("constant {rate}/s"),
                toml: format!(
                    "executor = \"constant-arrival-rate\"\nrate = {rate}\nduration = \"{seconds}s\"\n"
                ),
                arrivals: Arrivals::constant(f64::from(rate), SECOND, duration),
                duration,
                lag_goal_ms,
            },
            Self {
                name: format!("ramping {low} to {high}/s"),
                toml: format!(
                    "executor = \"ramping-arrival-rate\"\nstartRate = {low}\n\
                     stages = [{{ duration = \"{seconds}s\", target = {high} }}]\n"
                ),
                arrivals: Arrivals::ramping(low, SECOND, &[Stage { duration, target: high }]),
                duration,
                lag_goal_ms,
            },
        ]
    }

    pub(crate) fn scenario(&self) -> anyhow::Result<Scenario> {
        let text = format!(
            "name = \"pacing\"\n[scenarios.pacing]\nexec = \"check-inventory\"\n{}preAllocatedVUs = 2000\n",
            self.toml
        );
        let file = scenario::parse(&text).map_err(|errors| anyhow::anyhow!("{errors:?}"))?;
        let mut scenarios = file.phases.into_iter().flat_map(|phase| phase.scenarios);
        scenarios.next().ok_or_else(|| anyhow::anyhow!("a file without a scenario"))
    }
}

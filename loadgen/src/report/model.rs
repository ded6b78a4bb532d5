//! What a run was: the one value that every report format renders.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::metrics::LoadState;
use crate::threshold::ThresholdVerdict;

/// How a run ended. Ordered by precedence: of several, the greatest decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything held.
    Pass,
    /// A threshold was crossed, or had no data.
    ThresholdCrossed,
    /// A signal ended the run before its time.
    Interrupted,
    /// The generator itself was too slow: what it measured says nothing about the shop.
    Invalid,
    /// An order was lost, doubled or treated wrongly.
    AuditViolation,
}

impl Verdict {
    /// k6's exit code where k6 has one, ours (90, 91) where it has none.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::ThresholdCrossed => 99,
            Self::Interrupted => 105,
            Self::Invalid => 90,
            Self::AuditViolation => 91,
        }
    }

    /// A word or two for people: `PASS`, `THRESHOLD CROSSED`, …
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::ThresholdCrossed => "THRESHOLD CROSSED",
            Self::Interrupted => "INTERRUPTED",
            Self::Invalid => "INVALID MEASUREMENT",
            Self::AuditViolation => "AUDIT VIOLATION",
        }
    }
}

/// Whether the generator kept its own promises.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Validity {
    pub valid: bool,
    /// The 99th percentile of actual minus intended start.
    pub send_lag_p99: Duration,
    /// What it may be at most.
    pub limit: Duration,
    /// Why the measurement is not valid.
    pub reason: Option<String>,
}

/// What one process used. A dashboard shows the present; a report the whole run, with peaks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProcessUsage {
    pub name: String,
    pub pid: u32,
    /// Of one core: 100 is one core fully used. Over the last interval, or over the whole run.
    pub cpu_percent: f64,
    pub cpu_seconds: f64,
    /// Proportional set size: shared pages are counted once over all processes.
    pub pss_bytes: u64,
    pub peak_pss_bytes: u64,
    pub fds: u64,
}

/// A service that was killed, and how long its work stood still.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recovery {
    pub service: String,
    /// When it was killed, since the phase began.
    pub killed_at: Duration,
    /// From the kill to the first effect of its successor; `None` when there was none.
    pub recovered_in: Option<Duration>,
}

/// What one process used at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct UsagePoint {
    /// Since the phase began.
    pub at_s: f64,
    /// Of one core, since the point before.
    pub cpu_percent: f64,
    pub pss_bytes: u64,
}

/// What one process used over time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UsageLine {
    pub name: String,
    pub points: Vec<UsagePoint>,
}

/// The rate that was planned, for charts that plot the achieved one beside it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RatePlan {
    /// The metric that counts what is planned: `orders_created`, `iterations`.
    pub metric: String,
    /// Seconds since the phase began and the rate per second, in straight lines. Empty where nothing is
    /// started by the clock.
    pub points: Vec<(f64, f64)>,
}

impl RatePlan {
    /// Keeps the corners only: a plan with a point a second has as many as its stages afterwards.
    #[must_use]
    pub fn new(metric: &str, points: &[(f64, f64)]) -> Self {
        let straight = |a: (f64, f64), b: (f64, f64), c: (f64, f64)| {
            let between = a.1 + (c.1 - a.1) * (b.0 - a.0) / (c.0 - a.0);
            (between - b.1).abs() <= 1e-9 * (1.0 + b.1.abs())
        };
        let mut kept: Vec<(f64, f64)> = Vec::new();
        for point in points {
            if let [.., a, b] = kept[..]
                && straight(a, b, *point)
            {
                kept.pop();
            }
            kept.push(*point);
        }
        Self { metric: metric.to_owned(), points: kept }
    }

    /// The rate at a moment; nothing outside of the plan.
    #[must_use]
    pub fn at(&self, second: f64) -> f64 {
        let leg = |pair: &[(f64, f64)]| match pair {
            [(from, start), (to, end)] if (*from..=*to).contains(&second) => {
                let share = if to > from { (second - from) / (to - from) } else { 1.0 };
                Some(start + (end - start) * share)
            }
            _ => None,
        };
        self.points.windows(2).find_map(leg).unwrap_or(0.0)
    }
}

/// What was done to the system under test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisturbanceKind {
    Kill,
    Restart,
    Fault,
}

impl DisturbanceKind {
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Restart => "restart",
            Self::Fault => "fault",
        }
    }
}

/// A stretch of time in which something was done to the system under test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Disturbance {
    pub kind: DisturbanceKind,
    /// Whom it hit.
    pub what: String,
    /// Since the phase began.
    pub from: Duration,
    /// When it was as before; `None` when it never was.
    pub until: Option<Duration>,
}

/// One phase of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PhaseReport {
    pub name: String,
    pub started_at: DateTime<Utc>,
    /// How long the load lasted.
    pub duration: Duration,
    /// The time over which counters' rates are judged: without the tail in which iterations only end.
    pub judged_over: Duration,
    pub plan: RatePlan,
    pub load: LoadState,
    pub thresholds: Vec<ThresholdVerdict>,
    pub validity: Validity,
    /// The auditor's report as it serialises itself; null when nothing was audited.
    pub audit: Value,
    /// The same for people, a line per check.
    pub audit_lines: Vec<String>,
    pub processes: Vec<ProcessUsage>,
    /// The same over time.
    pub usage: Vec<UsageLine>,
    pub recovery: Vec<Recovery>,
    pub disturbances: Vec<Disturbance>,
}

/// A whole run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    pub scenario: String,
    pub started_at: DateTime<Utc>,
    pub verdict: Verdict,
    /// The machine and the software: any object.
    pub environment: Value,
    pub phases: Vec<PhaseReport>,
}

#[cfg(test)]
mod tests {
    use super::{RatePlan, Verdict};

    #[test]
    fn a_plan_keeps_its_corners_and_its_jumps() {
        let ramp = (0..=10_u32).map(|second| (f64::from(second), f64::from(second) * 7.3));
        let flat = (11..=20_u32).map(|second| (f64::from(second), 5.0));
        let plan = RatePlan::new("iterations", &ramp.chain(flat).collect::<Vec<_>>());
        assert_eq!(plan.points, [(0.0, 0.0), (10.0, 73.0), (11.0, 5.0), (20.0, 5.0)]);
        assert_eq!(RatePlan::new("iterations", &[]).points, []);
    }

    #[test]
    fn an_audit_violation_outranks_an_invalid_measurement_and_that_a_crossed_threshold() {
        let worst = [Verdict::ThresholdCrossed, Verdict::AuditViolation, Verdict::Invalid];
        assert_eq!(worst.into_iter().max().map(Verdict::exit_code), Some(91));
        let invalid = [Verdict::Pass, Verdict::Invalid, Verdict::ThresholdCrossed];
        assert_eq!(invalid.into_iter().max().map(Verdict::exit_code), Some(90));
    }
}

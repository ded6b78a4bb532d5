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

/// One phase of a run.
#[derive(Debug, Clone)]
pub struct PhaseReport {
    pub name: String,
    pub started_at: DateTime<Utc>,
    /// How long the load lasted.
    pub duration: Duration,
    pub load: LoadState,
    pub thresholds: Vec<ThresholdVerdict>,
    pub validity: Validity,
    /// The auditor's report as it serialises itself; null when nothing was audited.
    pub audit: Value,
    /// The same for people, a line per check.
    pub audit_lines: Vec<String>,
    pub processes: Vec<ProcessUsage>,
    pub recovery: Vec<Recovery>,
}

/// A whole run.
#[derive(Debug, Clone)]
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
    use super::Verdict;

    #[test]
    fn an_audit_violation_outranks_an_invalid_measurement_and_that_a_crossed_threshold() {
        let worst = [Verdict::ThresholdCrossed, Verdict::AuditViolation, Verdict::Invalid];
        assert_eq!(worst.into_iter().max().map(Verdict::exit_code), Some(91));
        let invalid = [Verdict::Pass, Verdict::Invalid, Verdict::ThresholdCrossed];
        assert_eq!(invalid.into_iter().max().map(Verdict::exit_code), Some(90));
    }
}

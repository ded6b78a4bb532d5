//! What the dashboard is told.

use std::sync::Arc;
use std::time::Duration;

use crate::course::Percent;
use crate::metrics::LoadState;
use crate::report::{ProcessUsage, Validity};
use crate::threshold::ThresholdVerdict;

/// Everything that the dashboard shows, as of one moment.
#[derive(Debug, Clone)]
pub struct Dashboard {
    pub run: RunInfo,
    pub load: Arc<LoadState>,
    pub thresholds: Vec<ThresholdVerdict>,
    pub validity: Validity,
    pub processes: Vec<ProcessUsage>,
    /// What happened, oldest first: kills, recoveries, the audit's progress.
    pub notices: Vec<String>,
}

/// Where the run stands.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunInfo {
    pub scenario: String,
    pub phase: String,
    /// From 1.
    pub phase_index: usize,
    pub phases: usize,
    /// What the phase is doing: `starting`, `load`, `draining`, `audit`, …
    pub activity: String,
    /// Since the phase's load began, without pauses.
    pub elapsed: Duration,
    pub is_paused: bool,
    /// What was made of the plan's rate.
    pub rate: Percent,
    /// How long the phase's load is planned to last.
    pub total: Duration,
    /// Descriptors that one process may have; 0 where that is not known.
    pub descriptor_limit: u64,
    /// The metric that counts what the plan's rate means, such as `orders_created`; its windows
    /// are plotted against the target.
    pub rate_metric: String,
    /// The plan: (seconds since the load began, iterations per second), joined by straight lines.
    /// Empty for closed models, which have no target.
    pub target_rate: Vec<(f64, f64)>,
}

/// What the person at the keyboard asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Pause, or go on.
    Pause,
    /// Ten percent of the plan's rate more, or less.
    Faster,
    Slower,
    /// Write the report as it stands.
    Snapshot,
    /// Stop starting iterations and finish those that run.
    Stop,
    /// Stop at once.
    Kill,
}

//! A phase as its report tells it: at the end, and while its load goes on.

use std::path::PathBuf;
use std::time::Duration;

use contract::Timestamp;
use loadgen::conductor::LoadResult;
use loadgen::metrics::LoadState;
use loadgen::report::{self, PhaseReport, RatePlan, RunReport};

use super::disturbances::disturbances;
use super::environment;
use super::phase::{Audited, PhaseRun, verdict};
use super::screen::Screen;
use crate::usage::Usage;

impl PhaseRun<'_> {
    /// How the phase went, with or without an audit.
    pub(super) fn describe(
        &self,
        screen: &Screen,
        started_at: Timestamp,
        took: Duration,
        result: LoadResult,
        usage: &Usage,
        audited: Audited,
    ) -> anyhow::Result<PhaseReport> {
        let disturbances = disturbances(&audited.kills, &audited.restarts, &self.settings.shop);
        let LoadResult { state, thresholds, validity, judged_over, .. } = result;
        Ok(PhaseReport {
            name: self.phase.name.clone(),
            started_at,
            duration: took,
            judged_over,
            plan: RatePlan::new(&screen.info.rate_metric, &screen.info.target_rate),
            load: state,
            thresholds,
            validity,
            audit: audited.json()?,
            audit_lines: audited.lines(),
            processes: usage.overall(),
            usage: usage.lines(),
            recovery: audited.recovery,
            disturbances,
        })
    }

    /// Writes the report of a load that goes on into the phase's folder, without an audit: that is of ended orders.
    pub(super) fn save(
        &self,
        screen: &Screen,
        started_at: Timestamp,
        took: Duration,
        usage: &Usage,
    ) -> anyhow::Result<PathBuf> {
        let result = LoadResult {
            state: LoadState::clone(&screen.load),
            thresholds: screen.thresholds.clone(),
            validity: screen.validity.clone(),
            judged_over: screen.info.elapsed.min(self.phase.load_duration()),
            aborted: false,
            stopped: false,
        };
        let verdict = verdict(&result, &Audited::default(), screen.interrupted());
        let phase = self.describe(screen, started_at, took, result, usage, Audited::default())?;
        let run = RunReport {
            scenario: self.scenario.to_owned(),
            started_at,
            verdict,
            environment: environment::describe(self.args),
            phases: vec![phase],
        };
        let folder = self.folder.join("snapshots").join(format!("{:.1}s", took.as_secs_f64()));
        std::fs::create_dir_all(&folder)?;
        report::write_all(&folder, &run)?;
        Ok(folder)
    }
}

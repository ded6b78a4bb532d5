//! The progress line for where there is no terminal.

use super::Dashboard;
use super::history::History;
use super::state::{Health, State};
use crate::course::Percent;
use crate::report::figures;

/// One line that says where the run stands, without a line break or colours.
#[must_use]
pub fn line(dashboard: &Dashboard) -> String {
    let state = State::of(dashboard, &History::default());
    let run = &dashboard.run;
    let mut parts = vec![format!(
        "{} {}/{} {}/{}",
        run.phase,
        run.phase_index,
        run.phases,
        figures::duration(run.elapsed),
        figures::duration(run.total),
    )];
    if !run.activity.is_empty() {
        parts.push(run.activity.clone());
    }
    if run.is_paused {
        parts.push("PAUSED".to_owned());
    }
    if run.rate != Percent::PLAN {
        parts.push(format!("{} of the plan", run.rate));
    }
    if let Some(rate) = state.rate.now {
        let target = state.rate.target_now;
        let target = target.map_or(String::new(), |rate| format!(" of {}", figures::count(rate)));
        parts.push(format!("{}/s{target}", figures::count(rate.round())));
    }
    if let Some([_, p95, p99]) = state.latency.now {
        let (p95, p99) = (figures::milliseconds(p95), figures::milliseconds(p99));
        parts.push(format!("{} p95 {p95} p99 {p99}", state.latency.subject));
    }
    if let Some(sockets) = state.sockets.now.filter(|open| *open > 0.0) {
        parts.push(format!("{} sockets", figures::count(sockets)));
    }
    if state.error_count > 0 {
        parts.push(format!("{} errors", figures::count(state.error_count_f64())));
    }
    if !dashboard.thresholds.is_empty() {
        let ok = dashboard.thresholds.iter().filter(|verdict| verdict.ok).count();
        parts.push(format!("{ok}/{} thresholds", dashboard.thresholds.len()));
    }
    if state.health != Health::Ok {
        parts.push(state.health.label().to_owned());
    }
    parts.join(" · ")
}

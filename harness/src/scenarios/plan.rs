//! `doorbuster scenarios show --plan`: what a scenario comes to, before anybody runs it.

use std::fmt::Write as _;

use anyhow::Context as _;
use loadgen::estimate::{self, Iterations};
use loadgen::preflight::{self, Limits};
use loadgen::report::figures;
use loadgen::scenario::{Phase, Scenario, duration};

use super::Loaded;
use crate::settings::PhaseSettings;

/// The plan as text.
///
/// # Errors
/// When the machine does not tell its limits.
pub(super) fn plan(loaded: &Loaded, shards: u32) -> anyhow::Result<String> {
    let mut out = format!("{}: {}\n", loaded.file.name, loaded.file.description);
    let limits = Limits::of_this_machine(u64::from(shards)).context("this machine's limits")?;
    for (phase, settings) in loaded.file.phases.iter().zip(&loaded.settings) {
        let limits = limits_of(settings, limits);
        describe(&mut out, phase, &limits);
    }
    Ok(out)
}

/// The machine's limits under those that a phase's shop sets.
pub(crate) fn limits_of(settings: &PhaseSettings, own: Limits) -> Limits {
    Limits {
        orders_per_minute: u64::from(settings.shop.order_limit),
        sockets_per_address: u64::from(settings.shop.sockets_per_address),
        ..own
    }
}

fn describe(out: &mut String, phase: &Phase, limits: &Limits) {
    let lasts = duration::text(phase.load_duration());
    let most = duration::text(phase.longest_duration());
    put(out, format_args!("\nphase {}: {lasts}, at most {most} with what runs then", phase.name));
    let name = widest(phase.scenarios.iter().map(|scenario| scenario.name.as_str()), "scenario");
    let flow = widest(phase.scenarios.iter().map(|scenario| scenario.flow.name()), "flow");
    put(
        out,
        format_args!(
            "  {:name$}  {:21}  {:flow$}  {:>7} {:>7}  {:>9}  {:>10}",
            "scenario", "executor", "flow", "from", "to", "users", "iterations"
        ),
    );
    for scenario in &phase.scenarios {
        row(out, scenario, name, flow);
        for stage in &scenario.stages {
            let (from, to) = (duration::text(stage.span.from), duration::text(stage.span.to));
            let width = name + flow + 25;
            put(out, format_args!("  {:width$}  {from:>7} {to:>7}", format!("  {}", stage.name)));
        }
    }
    needs(out, phase, limits);
    put(out, "  thresholds");
    if phase.thresholds.is_empty() {
        put(out, "    none: only the measurement and the audit decide");
    }
    for threshold in &phase.thresholds {
        let abort = if threshold.abort_on_fail { ", or the run ends at once" } else { "" };
        put(out, format_args!("    {}: {}{abort}", threshold.selector(), threshold.expression));
    }
}

fn row(out: &mut String, scenario: &Scenario, name: usize, flow: usize) {
    let span = scenario.span();
    let (from, to) = (duration::text(span.from), duration::text(span.to));
    let users = figures::count(f64::from(scenario.executor.max_vus()));
    let iterations = match estimate::iterations(scenario) {
        Iterations::Planned(count) => figures::count(count),
        Iterations::Open => "as served".to_owned(),
    };
    put(
        out,
        format_args!(
            "  {:name$}  {:21}  {:flow$}  {from:>7} {to:>7}  {users:>9}  {iterations:>10}",
            scenario.name,
            scenario.executor.name(),
            scenario.flow.name(),
        ),
    );
}

#[expect(clippy::cast_precision_loss, reason = "shown to three digits")]
fn needs(out: &mut String, phase: &Phase, limits: &Limits) {
    let count = |number: u64| figures::count(number as f64);
    let rate = estimate::peak_rate(phase);
    if rate > 0.0 {
        put(out, format_args!("  peak rate         {}/s", figures::count(rate)));
    }
    put(out, format_args!("  virtual users     {} at most", count(estimate::peak_vus(phase))));
    let memory = figures::bytes(estimate::memory_bytes(phase, limits.shards) as f64);
    put(out, format_args!("  load's memory     about {memory}"));
    match preflight::check(phase, limits) {
        Ok(needs) => {
            let most = count(limits.descriptors);
            let each = if limits.shards > 1 { " in each load process" } else { "" };
            let descriptors = count(needs.descriptors);
            put(out, format_args!("  file descriptors  {descriptors} of {most}{each}"));
            put(out, format_args!("  client ports      {}", count(needs.ports)));
            put(out, format_args!("  client addresses  {}", count(needs.addresses)));
        }
        Err(error) => put(out, format_args!("  does not fit: {error}")),
    }
}

fn widest<'a>(names: impl Iterator<Item = &'a str>, heading: &str) -> usize {
    names.map(|name| name.chars().count()).max().unwrap_or_default().max(heading.len())
}

/// A line without blanks at its end.
fn put(out: &mut String, line: impl std::fmt::Display) {
    // Writing to a string never fails.
    let _ = writeln!(out, "{}", line.to_string().trim_end());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_says_what_runs_when_and_what_it_needs() {
        let loaded = super::super::load("spike").unwrap();
        let text = plan(&loaded, 1).unwrap();
        for part in [
            "phase spike: 50s, at most 1m20s with what runs then",
            "12,000",
            "settling",
            "peak rate         1,020/s",
            "virtual users     11,000 at most",
            "load's memory     about 130 MB",
            "http_req_duration{name:order,stage:spike}: p(95)<500",
        ] {
            assert!(text.contains(part), "no {part:?} in {text}");
        }
    }

    #[test]
    fn what_does_not_fit_is_told_with_what_would() {
        let mut loaded = super::super::load("targets").unwrap();
        loaded.file.phases[0].scale(1000.0);
        let text = plan(&loaded, 1).unwrap();
        assert!(text.contains("does not fit:") && text.contains("--scale"), "{text}");
    }
}

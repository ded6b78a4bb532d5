//! The summary in Markdown, for a pull request's comment or a wiki.

use std::fmt::Write as _;
use std::io;

use super::digest;
use super::figures;
use super::{Format, PhaseReport, RunReport, Verdict};
use crate::metrics::Aggregate;

/// The Markdown summary as a report file.
pub(super) struct Markdown;

impl Format for Markdown {
    fn file_name(&self) -> &'static str {
        "summary.md"
    }

    fn render(&self, run: &RunReport) -> io::Result<Vec<u8>> {
        Ok(markdown(run).into_bytes())
    }
}

/// The whole run: verdict, thresholds, times, pipeline, processes, generator, audit.
#[must_use]
pub fn markdown(run: &RunReport) -> String {
    let mark = if run.verdict == Verdict::Pass { "✅" } else { "❌" };
    let mut out = format!(
        "# {mark} {}: {}\n\nStarted {} · exit code {}\n",
        cell(&run.scenario),
        run.verdict.label(),
        run.started_at.format("%Y-%m-%d %H:%M:%S UTC"),
        run.verdict.exit_code(),
    );
    for phase in &run.phases {
        let duration = figures::duration(phase.duration);
        line(&mut out, &format!("\n## {} ({duration})", cell(&phase.name)));
        thresholds(&mut out, phase);
        times(&mut out, phase);
        totals(&mut out, phase);
        checks(&mut out, phase);
        processes(&mut out, phase);
        closing(&mut out, phase);
    }
    out
}

fn thresholds(out: &mut String, phase: &PhaseReport) {
    if phase.thresholds.is_empty() {
        return;
    }
    line(out, "\n| | threshold | value | margin |\n|---|---|---:|---:|");
    for verdict in &phase.thresholds {
        let shown = |value: f64| figures::threshold(&verdict.threshold, value);
        let row = format!(
            "| {} | `{}: {}` | {} | {} |",
            if verdict.ok { "✅" } else { "❌" },
            cell(&verdict.threshold.selector()),
            verdict.threshold.expression,
            verdict.value.map_or("no data".to_owned(), shown),
            verdict.margin.map_or(String::new(), shown),
        );
        line(out, &row);
    }
}

fn times(out: &mut String, phase: &PhaseReport) {
    let mut is_first = true;
    for selector in digest::selectors(&phase.load, &phase.thresholds) {
        let tags = selector.tags();
        let Some(Aggregate::Trend(trend)) = phase.load.select(&selector.metric, &tags) else {
            continue;
        };
        if trend.is_empty() {
            continue;
        }
        if std::mem::take(&mut is_first) {
            line(
                out,
                "\n| times | count | med | p95 | p99 | max |\n|---|---:|---:|---:|---:|---:|",
            );
        }
        let at = |percentile| figures::milliseconds(trend.percentile_ms(percentile));
        let row = format!(
            "| `{}` | {} | {} | {} | {} | {} |",
            cell(&selector.label),
            figures::count(as_f64(trend.count())),
            at(50.0),
            at(95.0),
            at(99.0),
            figures::milliseconds(trend.max_ms()),
        );
        line(out, &row);
    }
}

fn totals(out: &mut String, phase: &PhaseReport) {
    let mut is_first = true;
    for metric in phase.load.metrics() {
        let Some(samples) = phase.load.select(&metric, &[]) else { continue };
        let Some((value, detail)) = super::total(&metric, &samples, phase.duration) else {
            continue;
        };
        if std::mem::take(&mut is_first) {
            line(out, "\n| totals | value | |\n|---|---:|---:|");
        }
        line(out, &format!("| `{}` | {value} | {detail} |", cell(&metric)));
    }
}

fn checks(out: &mut String, phase: &PhaseReport) {
    let checks = digest::checks(&phase.load);
    if checks.is_empty() {
        return;
    }
    line(out, "\n| | check | held | did not |\n|---|---|---:|---:|");
    for check in checks {
        let mark = if check.fails == 0 { "✅" } else { "❌" };
        let (held, not) = (as_f64(check.passes), as_f64(check.fails));
        let (held, not) = (figures::count(held), figures::count(not));
        line(out, &format!("| {mark} | {} | {held} | {not} |", cell(&check.name)));
    }
}

fn processes(out: &mut String, phase: &PhaseReport) {
    if phase.processes.is_empty() {
        return;
    }
    line(out, "\n| process | CPU | of one core | peak PSS |\n|---|---:|---:|---:|");
    for process in &phase.processes {
        let row = format!(
            "| {} | {:.1} s | {:.0} % | {} |",
            cell(&process.name),
            process.cpu_seconds,
            process.cpu_percent,
            figures::bytes(as_f64(process.peak_pss_bytes)),
        );
        line(out, &row);
    }
}

fn closing(out: &mut String, phase: &PhaseReport) {
    line(out, &format!("\n**Generator:** {}", super::validity_line(&phase.validity)));
    for recovery in &phase.recovery {
        line(out, &format!("\n**Recovery:** {}", super::recovery_line(recovery)));
    }
    if !phase.audit_lines.is_empty() {
        line(out, "\n**Audit**\n");
    }
    for audit in &phase.audit_lines {
        line(out, &format!("- {audit}"));
    }
}

/// A bar would end a table's cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn line(out: &mut String, text: &str) {
    // Writing into a string cannot fail.
    let _ = writeln!(out, "{text}");
}

#[expect(clippy::cast_precision_loss, reason = "counts and sizes stay far below 2^52")]
fn as_f64(number: u64) -> f64 {
    number as f64
}

//! The summary in Markdown, for a pull request's comment or a wiki: the verdict and what failed at once, all
//! else behind headings that open.

use std::fmt::Write as _;
use std::io;

use super::audit::Audit;
use super::digest;
use super::figures;
use super::{Format, PhaseReport, RunReport, Verdict};
use crate::metrics::Aggregate;
use crate::threshold::ThresholdVerdict;

/// The Markdown summary as a report file.
pub(super) struct Markdown;

impl Format for Markdown {
    fn name(&self) -> &'static str {
        "markdown"
    }

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
        "## {mark} {}: {}\n\nStarted {} · exit code {}\n",
        cell(&run.scenario),
        run.verdict.label(),
        run.started_at.format("%Y-%m-%d %H:%M:%S UTC"),
        run.verdict.exit_code(),
    );
    for phase in &run.phases {
        let duration = figures::duration(phase.duration);
        let held = phase.thresholds.iter().filter(|verdict| verdict.ok).count();
        let of = phase.thresholds.len();
        line(&mut out, &format!("\n### {} ({duration}): {held} of {of} hold", cell(&phase.name)));
        thresholds(&mut out, phase);
        closing(&mut out, phase);
        details(&mut out, "Times", &times(phase));
        details(&mut out, "Totals", &totals(phase));
        details(&mut out, "Checks", &checks(phase));
        details(&mut out, "Errors", &errors(phase));
        details(&mut out, "Processes", &processes(phase));
        details(&mut out, "Audit", &audit(phase));
    }
    out
}

/// What failed stands open; what held, where there is something that did not, behind a heading.
fn thresholds(out: &mut String, phase: &PhaseReport) {
    let table = |wanted: bool| {
        let rows = phase.thresholds.iter().filter(|verdict| verdict.ok == wanted);
        let rows: String = rows.map(threshold).collect();
        match rows.is_empty() {
            true => rows,
            false => format!("| | threshold | value | margin |\n|---|---|---:|---:|\n{rows}"),
        }
    };
    let (held, crossed) = (table(true), table(false));
    if crossed.is_empty() {
        if !held.is_empty() {
            line(out, &format!("\n{}", held.trim_end()));
        }
    } else {
        line(out, &format!("\n{}", crossed.trim_end()));
        details(out, "Thresholds that hold", &held);
    }
}

fn threshold(verdict: &ThresholdVerdict) -> String {
    let shown = |value: f64| figures::threshold(&verdict.threshold, value);
    format!(
        "| {} | {} | {} | {} |\n",
        if verdict.ok { "✅" } else { "❌" },
        code(&format!("{}: {}", verdict.threshold.selector(), verdict.threshold.expression)),
        verdict.value.map_or("no data".to_owned(), shown),
        super::margin_line(verdict),
    )
}

fn times(phase: &PhaseReport) -> String {
    let mut rows = String::new();
    for selector in digest::selectors(&phase.load, &phase.thresholds) {
        let tags = selector.tags();
        let Some(Aggregate::Trend(trend)) = phase.load.select(&selector.metric, &tags) else {
            continue;
        };
        if trend.is_empty() {
            continue;
        }
        let at = |percentile| figures::milliseconds(trend.percentile_ms(percentile));
        let row = format!(
            "| {} | {} | {} | {} | {} | {} |",
            code(&selector.label),
            figures::count(as_f64(trend.count())),
            at(50.0),
            at(95.0),
            at(99.0),
            figures::milliseconds(trend.max_ms()),
        );
        line(&mut rows, &row);
    }
    table("| times | count | med | p95 | p99 | max |\n|---|---:|---:|---:|---:|---:|", rows)
}

fn totals(phase: &PhaseReport) -> String {
    let mut rows = String::new();
    for metric in phase.load.metrics() {
        let Some(samples) = phase.load.select(&metric, &[]) else { continue };
        if let Some((value, detail)) = super::total(&metric, &samples, phase.duration) {
            line(&mut rows, &format!("| {} | {value} | {detail} |", code(&metric)));
        }
    }
    table("| totals | value | |\n|---|---:|---:|", rows)
}

fn checks(phase: &PhaseReport) -> String {
    let mut rows = String::new();
    for check in digest::checks(&phase.load) {
        let mark = if check.fails == 0 { "✅" } else { "❌" };
        let (held, not) = (as_f64(check.passes), as_f64(check.fails));
        let (held, not) = (figures::count(held), figures::count(not));
        line(&mut rows, &format!("| {mark} | {} | {held} | {not} |", cell(&check.name)));
    }
    table("| | check | held | did not |\n|---|---|---:|---:|", rows)
}

fn errors(phase: &PhaseReport) -> String {
    let mut rows = String::new();
    for (what, count) in digest::errors(&phase.load) {
        line(&mut rows, &format!("| {} | {} |", cell(&what), figures::count(as_f64(count))));
    }
    table("| error | count |\n|---|---:|", rows)
}

fn processes(phase: &PhaseReport) -> String {
    let mut rows = String::new();
    for process in &phase.processes {
        let row = format!(
            "| {} | {:.1} s | {:.0} % | {} |",
            cell(&process.name),
            process.cpu_seconds,
            process.cpu_percent,
            figures::bytes(as_f64(process.peak_pss_bytes)),
        );
        line(&mut rows, &row);
    }
    table("| process | CPU | of one core | peak PSS |\n|---|---:|---:|---:|", rows)
}

/// Every check that was asked, and what it looked at.
fn audit(phase: &PhaseReport) -> String {
    let mut rows = String::new();
    for check in Audit::read(&phase.audit).map(|audit| audit.checks).unwrap_or_default() {
        let mark = if check.passed { "✅" } else { "❌" };
        let found = check.failure().unwrap_or_default();
        line(
            &mut rows,
            &format!("| {mark} | {} | {} | {found} |", code(&check.name), check.seen()),
        );
    }
    table("| | check | looked at | found |\n|---|---|---|---|", rows)
}

fn closing(out: &mut String, phase: &PhaseReport) {
    line(out, &format!("\n**Generator:** {}", cell(&super::validity_line(&phase.validity))));
    for recovery in &phase.recovery {
        line(out, &format!("\n**Recovery:** {}", cell(&super::recovery_line(recovery))));
    }
    let audit = Audit::read(&phase.audit).map(|audit| audit.checks).unwrap_or_default();
    if audit.is_empty() {
        return;
    }
    let passed = audit.iter().filter(|check| check.passed).count();
    line(out, &format!("\n**Audit:** {passed} of {} checks passed", audit.len()));
    for check in audit.iter().filter(|check| !check.passed) {
        let found = check.failure().unwrap_or_default();
        line(out, &format!("- ❌ {} {found}: {}", code(&check.name), cell(&check.claim)));
    }
}

/// A table, unless it has no row.
fn table(head: &str, rows: String) -> String {
    if rows.is_empty() { rows } else { format!("{head}\n{rows}") }
}

fn details(out: &mut String, heading: &str, body: &str) {
    if !body.is_empty() {
        let body = body.trim_end();
        line(out, &format!("\n<details><summary>{heading}</summary>\n\n{body}\n\n</details>"));
    }
}

/// Text of others within a table: a bar would end the cell, a bracket begin a tag.
pub(crate) fn cell(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('|', "\\|");
    text.replace(['\n', '\r'], " ")
}

/// The same as code, where entities would be shown as they are written.
pub(crate) fn code(text: &str) -> String {
    let text = text.replace('`', "'").replace('|', "\\|").replace(['\n', '\r'], " ");
    format!("`{text}`")
}

fn line(out: &mut String, text: &str) {
    // Writing into a string cannot fail.
    let _ = writeln!(out, "{text}");
}

#[expect(clippy::cast_precision_loss, reason = "counts and sizes stay far below 2^52")]
fn as_f64(number: u64) -> f64 {
    number as f64
}

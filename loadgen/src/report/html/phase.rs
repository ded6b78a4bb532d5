//! What the page shows of one phase: its tables in words and numbers. `phase.html` lays them out.

use super::chart::{Chart, Points, Spark};
use super::charts;
use crate::metrics::{Aggregate, TrendTotal};
use crate::report::audit::Audit;
use crate::report::{PhaseReport, digest, figures};
use crate::threshold::{Operator, ThresholdVerdict};

/// Rows of a table at most; the summary has them all.
const MAX_ROWS: usize = 120;
/// Violations that are told with their order's history.
const MAX_EXAMPLES: usize = 5;

pub(super) struct PhaseView {
    pub anchor: String,
    pub name: String,
    pub duration: String,
    pub started: String,
    pub valid: bool,
    pub validity: String,
    pub thresholds: Vec<ThresholdRow>,
    pub held: usize,
    pub charts: Vec<Chart>,
    pub times: Vec<TimesRow>,
    pub totals: Vec<TotalRow>,
    pub checks: Vec<CheckRow>,
    pub errors: Vec<ErrorRow>,
    pub stages: Vec<StageRow>,
    pub processes: Vec<ProcessRow>,
    pub cpu_together: String,
    pub memory_together: String,
    pub disturbances: Vec<DisturbanceRow>,
    pub recovery: Vec<String>,
    pub audit: Option<AuditView>,
}

pub(super) struct ThresholdRow {
    pub ok: bool,
    pub selector: String,
    pub expression: String,
    pub value: String,
    pub margin: String,
    /// How much of what is allowed was used, 0 to 100; `None` where that means nothing.
    pub used: Option<u32>,
}

pub(super) struct TimesRow {
    pub label: String,
    pub is_part: bool,
    /// count, average, min, med, p90, p95, p99, p99.9, max.
    pub cells: [String; 9],
}

pub(super) struct TotalRow {
    pub metric: String,
    pub value: String,
    pub detail: String,
}

pub(super) struct CheckRow {
    pub ok: bool,
    pub name: String,
    pub passes: String,
    pub fails: String,
}

pub(super) struct ErrorRow {
    pub what: String,
    pub count: String,
    /// Of the most frequent one, 0 to 100.
    pub share: f64,
}

/// Bars from 0 in percent of the slowest stage.
pub(super) struct StageRow {
    pub label: &'static str,
    pub count: String,
    pub p50: String,
    pub p95: String,
    pub p99: String,
    pub bars: [f64; 3],
}

pub(super) struct ProcessRow {
    pub name: String,
    pub cpu: String,
    pub percent: String,
    pub peak: String,
    pub fds: String,
    pub cpu_line: Option<Spark>,
    pub memory_line: Option<Spark>,
}

pub(super) struct DisturbanceRow {
    pub kind: &'static str,
    pub what: String,
    pub from: String,
    pub lasted: String,
}

pub(super) struct AuditView {
    pub passed: bool,
    pub headline: String,
    pub checks: Vec<AuditRow>,
    pub examples: Vec<ExampleRow>,
}

pub(super) struct AuditRow {
    pub ok: bool,
    pub name: String,
    pub claim: String,
    pub seen: String,
    pub found: String,
}

pub(super) struct ExampleRow {
    pub check: String,
    pub what: String,
    pub timeline: Vec<String>,
}

impl PhaseView {
    pub(super) fn of(phase: &PhaseReport, index: usize) -> Self {
        let memory: u64 = phase.processes.iter().map(|process| process.peak_pss_bytes).sum();
        let cpu: f64 = phase.processes.iter().map(|process| process.cpu_seconds).sum();
        Self {
            anchor: format!("phase-{}", index + 1),
            name: phase.name.clone(),
            duration: figures::duration(phase.duration),
            started: phase.started_at.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
            valid: phase.validity.valid,
            validity: crate::report::validity_line(&phase.validity),
            thresholds: phase.thresholds.iter().map(threshold).collect(),
            held: phase.thresholds.iter().filter(|verdict| verdict.ok).count(),
            charts: charts::charts(phase),
            times: times(phase),
            totals: totals(phase),
            checks: checks(phase),
            errors: errors(phase),
            stages: stages(phase),
            processes: processes(phase),
            cpu_together: format!("{cpu:.1} s"),
            memory_together: figures::bytes(as_f64(memory)),
            disturbances: disturbances(phase),
            recovery: phase.recovery.iter().map(crate::report::recovery_line).collect(),
            audit: Audit::read(&phase.audit).map(audit),
        }
    }
}

fn threshold(verdict: &ThresholdVerdict) -> ThresholdRow {
    let shown = |value: f64| figures::threshold(&verdict.threshold, value);
    ThresholdRow {
        ok: verdict.ok,
        selector: verdict.threshold.selector(),
        expression: verdict.threshold.expression.to_string(),
        value: verdict.value.map_or("no data".to_owned(), shown),
        margin: crate::report::margin_line(verdict),
        used: used(verdict),
    }
}

#[expect(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "clamped to 0..=100")]
fn used(verdict: &ThresholdVerdict) -> Option<u32> {
    let (value, limit) = (verdict.value?, verdict.threshold.expression.limit);
    let used = match verdict.threshold.expression.operator {
        Operator::Less | Operator::LessOrEqual if limit > 0.0 => value / limit,
        Operator::Greater | Operator::GreaterOrEqual if value > 0.0 => limit / value,
        _ => return None,
    };
    Some((used * 100.0).clamp(0.0, 100.0).round() as u32)
}

fn times(phase: &PhaseReport) -> Vec<TimesRow> {
    let mut rows = Vec::new();
    for selector in digest::selectors(&phase.load, &phase.thresholds) {
        let samples = phase.load.select(&selector.metric, &selector.tags());
        let Some(Aggregate::Trend(trend)) = samples else { continue };
        if trend.is_empty() {
            continue;
        }
        let at = |percentile| figures::milliseconds(trend.percentile_ms(percentile));
        let cells = [
            figures::count(as_f64(trend.count())),
            figures::milliseconds(trend.avg_ms()),
            figures::milliseconds(trend.min_ms()),
            at(50.0),
            at(90.0),
            at(95.0),
            at(99.0),
            at(99.9),
            figures::milliseconds(trend.max_ms()),
        ];
        rows.push(TimesRow { label: selector.label, is_part: !selector.tags.is_empty(), cells });
    }
    rows.truncate(MAX_ROWS);
    rows
}

fn totals(phase: &PhaseReport) -> Vec<TotalRow> {
    let row = |metric: &std::sync::Arc<str>| {
        let samples = phase.load.select(metric, &[])?;
        let (value, detail) = crate::report::total(metric, &samples, phase.duration)?;
        Some(TotalRow { metric: metric.to_string(), value, detail })
    };
    phase.load.metrics().iter().filter_map(row).take(MAX_ROWS).collect()
}

fn checks(phase: &PhaseReport) -> Vec<CheckRow> {
    let row = |check: digest::Check| CheckRow {
        ok: check.fails == 0,
        passes: figures::count(as_f64(check.passes)),
        fails: figures::count(as_f64(check.fails)),
        name: check.name,
    };
    digest::checks(&phase.load).into_iter().map(row).take(MAX_ROWS).collect()
}

fn errors(phase: &PhaseReport) -> Vec<ErrorRow> {
    let errors = digest::errors(&phase.load);
    let most = errors.first().map_or(1, |(_, count)| *count).max(1);
    let row = |(what, count): (String, u64)| ErrorRow {
        what,
        count: figures::count(as_f64(count)),
        share: 100.0 * as_f64(count) / as_f64(most),
    };
    errors.into_iter().map(row).take(MAX_ROWS).collect()
}

fn stages(phase: &PhaseReport) -> Vec<StageRow> {
    let stages = digest::pipeline(&phase.load);
    let all = [50.0, 95.0, 99.0];
    let at = |trend: &TrendTotal| all.map(|percentile| trend.percentile_ms(percentile));
    let slowest = stages.iter().map(|(_, _, trend)| at(trend)[2]).fold(f64::MIN_POSITIVE, f64::max);
    let row = |(_, label, trend): &(&str, &'static str, TrendTotal)| {
        let [p50, p95, p99] = at(trend).map(figures::milliseconds);
        let bars = at(trend).map(|ms| (1000.0 * ms / slowest).round() / 10.0);
        StageRow { label, count: figures::count(as_f64(trend.count())), p50, p95, p99, bars }
    };
    stages.iter().map(row).collect()
}

fn processes(phase: &PhaseReport) -> Vec<ProcessRow> {
    let end = charts::end_s(phase);
    let points = phase.usage.iter().flat_map(|line| &line.points);
    // All in one scale: a row can be compared with the next.
    let busiest = points.clone().map(|point| point.cpu_percent).fold(0.0, f64::max);
    let largest = points.map(|point| as_f64(point.pss_bytes)).fold(0.0, f64::max);
    let row = |process: &crate::report::ProcessUsage| {
        let line = phase.usage.iter().find(|line| line.name == process.name);
        let spark = |what: &str, class, max, of: fn(&crate::report::UsagePoint) -> f64| {
            let points: Points = line?.points.iter().map(|point| (point.at_s, of(point))).collect();
            let label = format!("{what} of {} over time", process.name);
            (points.len() > 1).then(|| Spark::new(label, class, &points, end, max))
        };
        ProcessRow {
            name: process.name.clone(),
            cpu: format!("{:.1} s", process.cpu_seconds),
            percent: format!("{:.0} %", process.cpu_percent),
            peak: figures::bytes(as_f64(process.peak_pss_bytes)),
            fds: figures::count(as_f64(process.fds)),
            cpu_line: spark("CPU", "c0", busiest, |point| point.cpu_percent),
            memory_line: spark("memory", "c4", largest, |point| as_f64(point.pss_bytes)),
        }
    };
    phase.processes.iter().map(row).take(MAX_ROWS).collect()
}

fn disturbances(phase: &PhaseReport) -> Vec<DisturbanceRow> {
    let row = |one: &crate::report::Disturbance| {
        let lasted = one.until.map(|until| until.saturating_sub(one.from).as_secs_f64() * 1000.0);
        DisturbanceRow {
            kind: one.kind.label(),
            what: one.what.clone(),
            from: figures::duration(one.from),
            lasted: lasted.map_or("never over".to_owned(), figures::milliseconds),
        }
    };
    phase.disturbances.iter().map(row).take(MAX_ROWS).collect()
}

fn audit(audit: Audit) -> AuditView {
    let figure = |count: u64| figures::count(as_f64(count));
    let headline = format!(
        "{} checks over {} orders ({} ended) and {} records: {} violations; {} repeats, {} lost races",
        audit.checks.len(),
        figure(audit.orders),
        figure(audit.ended),
        figure(audit.records),
        figure(audit.violations),
        figure(audit.repeats),
        figure(audit.lost_races),
    );
    let passed = audit.passed();
    let example = |check: &crate::report::audit::AuditCheck| {
        let of = |example: &crate::report::audit::Example| ExampleRow {
            check: check.name.clone(),
            what: match &example.order_id {
                Some(id) => format!("{id} {}", example.what),
                None => example.what.clone(),
            },
            timeline: example.timeline.iter().take(MAX_ROWS).cloned().collect(),
        };
        check.examples.iter().take(MAX_EXAMPLES).map(of).collect::<Vec<_>>()
    };
    let examples = audit.checks.iter().filter(|check| !check.passed).flat_map(example).collect();
    let row = |check: crate::report::audit::AuditCheck| AuditRow {
        ok: check.passed,
        seen: check.seen(),
        found: check.failure().unwrap_or_default(),
        name: check.name,
        claim: check.claim,
    };
    AuditView { passed, headline, examples, checks: audit.checks.into_iter().map(row).collect() }
}

#[expect(clippy::cast_precision_loss, reason = "counts and sizes stay far below 2^52")]
fn as_f64(number: u64) -> f64 {
    number as f64
}

//! What is compared of a phase: a row per figure.

use std::collections::BTreeSet;

use super::statistics::{self, Difference, Estimate};
use super::{Finding, Row, Unit};
use crate::metrics::{Aggregate, names};
use crate::report::{PhaseReport, digest};

/// Percentiles of every trend.
const PERCENTILES: [(&str, f64); 3] = [("p50", 50.0), ("p95", 95.0), ("p99", 99.0)];
/// Processes that make the load; all others are what it is made for.
const GENERATOR: [&str; 2] = ["load", "harness"];

/// All rows of two phases.
pub(super) fn rows(a: &PhaseReport, b: &PhaseReport) -> Vec<Row> {
    let mut rows = times(a, b);
    rows.extend(throughput(a, b));
    rows.extend(shares(a, b));
    rows.extend(errors(a, b));
    rows.extend(cost(a, b));
    rows
}

/// Which way is good.
#[derive(Clone, Copy)]
enum Better {
    Lower,
    Higher,
}

fn row(
    metric: &str,
    figure: &str,
    unit: Unit,
    better: Better,
    (a, b): (Estimate, Estimate),
) -> Row {
    let finding = match (statistics::difference(a, b), better) {
        (Difference::Unclear, _) => Finding::Unclear,
        (Difference::Lower, Better::Lower) | (Difference::Higher, Better::Higher) => {
            Finding::Better
        }
        _ => Finding::Worse,
    };
    Row::new(metric, figure, unit, finding, a, b)
}

fn times(a: &PhaseReport, b: &PhaseReport) -> Vec<Row> {
    let mut rows = Vec::new();
    for selector in digest::selectors(&a.load, &a.thresholds) {
        let tags = selector.tags();
        let of = |phase: &PhaseReport| match phase.load.select(&selector.metric, &tags) {
            Some(Aggregate::Trend(trend)) if !trend.is_empty() => Some(trend),
            _ => None,
        };
        let (Some(before), Some(after)) = (of(a), of(b)) else { continue };
        for (figure, at) in PERCENTILES {
            let both = (statistics::percentile(&before, at), statistics::percentile(&after, at));
            rows.push(row(&selector.label, figure, Unit::Milliseconds, Better::Lower, both));
        }
    }
    rows
}

fn throughput(a: &PhaseReport, b: &PhaseReport) -> Vec<Row> {
    let counted = [
        names::HTTP_REQS,
        names::ORDERS_CREATED,
        names::ITERATIONS,
        names::WS_MSGS_RECEIVED,
        names::KAFKA_MESSAGES_RECEIVED,
    ];
    let of = |phase: &PhaseReport, metric| {
        statistics::per_second(phase.load.count(metric, &[]), phase.judged_over.as_secs_f64())
    };
    let counts = |metric: &&str| a.load.count(metric, &[]) + b.load.count(metric, &[]) > 0;
    let one = |metric| {
        row(metric, "per second", Unit::PerSecond, Better::Higher, (of(a, metric), of(b, metric)))
    };
    counted.into_iter().filter(counts).map(one).collect()
}

fn shares(a: &PhaseReport, b: &PhaseReport) -> Vec<Row> {
    let shares = [
        (names::HTTP_REQ_FAILED, Better::Lower),
        (names::CHECKS, Better::Higher),
        (names::AVAILABILITY, Better::Higher),
    ];
    let one = |(metric, better): (&str, Better)| {
        let (before, after) = (a.load.rate(metric, &[]), b.load.rate(metric, &[]));
        let both = (statistics::share(before), statistics::share(after));
        (before.total > 0 && after.total > 0)
            .then(|| row(metric, "share", Unit::Share, better, both))
    };
    shares.into_iter().filter_map(one).collect()
}

/// Errors by kind, per second, so that a longer run does not look worse.
fn errors(a: &PhaseReport, b: &PhaseReport) -> Vec<Row> {
    let (of_a, of_b) = (digest::errors(&a.load), digest::errors(&b.load));
    let kinds: BTreeSet<&String> = of_a.iter().chain(&of_b).map(|(what, _)| what).collect();
    let one = |what: &String| {
        let of = |errors: &[(String, u64)], phase: &PhaseReport| {
            let count = errors.iter().find(|(kind, _)| kind == what).map_or(0, |(_, count)| *count);
            statistics::per_second(count, phase.judged_over.as_secs_f64())
        };
        row(what, "per second", Unit::PerSecond, Better::Lower, (of(&of_a, a), of(&of_b, b)))
    };
    kinds.into_iter().map(one).collect()
}

/// What one unit of work costs: one number for each run, so nothing is said of chance.
fn cost(a: &PhaseReport, b: &PhaseReport) -> Vec<Row> {
    let Some((work, each)) = work(a, b) else { return Vec::new() };
    let mut rows = Vec::new();
    let cpu_ms = |phase: &PhaseReport, seconds: f64| {
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
        let count = phase.load.count(work, &[]).max(1) as f64;
        1000.0 * seconds / count
    };
    let together = |phase: &PhaseReport| {
        let own = phase.processes.iter().filter(|process| !is_generator(&process.name));
        cpu_ms(phase, own.map(|process| process.cpu_seconds).sum())
    };
    if a.processes.iter().chain(&b.processes).any(|process| !is_generator(&process.name)) {
        let both = (together(a), together(b));
        rows.push(Row::told(
            "all but the generator",
            &format!("CPU per {each}"),
            Unit::Milliseconds,
            both,
        ));
    }
    for before in &a.processes {
        let Some(after) = b.processes.iter().find(|after| after.name == before.name) else {
            continue;
        };
        let cpu = (cpu_ms(a, before.cpu_seconds), cpu_ms(b, after.cpu_seconds));
        rows.push(Row::told(&before.name, &format!("CPU per {each}"), Unit::Milliseconds, cpu));
        #[expect(clippy::cast_precision_loss, reason = "sizes stay far below 2^52")]
        let memory = (before.peak_pss_bytes as f64, after.peak_pss_bytes as f64);
        rows.push(Row::told(&before.name, "peak memory", Unit::Bytes, memory));
    }
    rows
}

/// The unit of work that both did, and what it is called.
fn work(a: &PhaseReport, b: &PhaseReport) -> Option<(&'static str, &'static str)> {
    let units = [
        (names::ORDERS_CREATED, "order"),
        (names::HTTP_REQS, "request"),
        (names::KAFKA_MESSAGES_RECEIVED, "message"),
        (names::ITERATIONS, "iteration"),
    ];
    let both_did =
        |(metric, _): &(&str, &str)| a.load.count(metric, &[]) > 0 && b.load.count(metric, &[]) > 0;
    units.into_iter().find(both_did)
}

fn is_generator(process: &str) -> bool {
    GENERATOR.iter().any(|name| process.starts_with(name))
}

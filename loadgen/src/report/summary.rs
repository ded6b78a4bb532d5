//! `summary.json`: metrics, checks and thresholds in the shape of k6's `--summary-export`, and
//! beside them what k6 cannot tell.

use std::io;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::digest::{self, Selector};
use super::{Format, PhaseReport, RunReport};
use crate::metrics::{Aggregate, TrendTotal, names};
use crate::threshold::ThresholdVerdict;

/// The summary as a report file.
pub(super) struct Json;

impl Format for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn file_name(&self) -> &'static str {
        "summary.json"
    }

    fn render(&self, run: &RunReport) -> io::Result<Vec<u8>> {
        let mut text = serde_json::to_vec_pretty(&summary(run))?;
        text.push(b'\n');
        Ok(text)
    }
}

/// The whole run as JSON. With one phase its members stand at the top level, with several under
/// `phases`, by name.
#[must_use]
pub fn summary(run: &RunReport) -> Value {
    let mut top = Map::new();
    top.insert("scenario".into(), json!(run.scenario));
    top.insert("started_at".into(), json!(run.started_at));
    top.insert("verdict".into(), json!(run.verdict));
    top.insert("exit_code".into(), json!(run.verdict.exit_code()));
    top.insert("environment".into(), run.environment.clone());
    if let [only] = &run.phases[..] {
        top.extend(phase_object(only));
    } else {
        let phases =
            run.phases.iter().map(|phase| (phase.name.clone(), phase_object(phase).into()));
        top.insert("phases".into(), Value::Object(phases.collect()));
    }
    Value::Object(top)
}

fn phase_object(phase: &PhaseReport) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("duration_s".into(), number(phase.duration.as_secs_f64()));
    object.insert("metrics".into(), metrics(phase));
    object.insert("root_group".into(), root_group(phase));
    let thresholds: Vec<Value> = phase.thresholds.iter().map(threshold).collect();
    object.insert("thresholds".into(), thresholds.into());
    object.insert("pipeline".into(), pipeline(phase));
    object.insert("generator".into(), generator(phase));
    object.insert("processes".into(), processes(phase));
    object.insert("recovery".into(), recovery(phase));
    object.insert("disturbances".into(), disturbances(phase));
    object.insert("audit".into(), phase.audit.clone());
    object
}

fn metrics(phase: &PhaseReport) -> Value {
    let mut metrics = Map::new();
    for selector in digest::selectors(&phase.load, &phase.thresholds) {
        let samples = phase.load.select(&selector.metric, &selector.tags());
        let mut values = samples.map_or_else(Map::new, |samples| metric(&samples, phase.duration));
        let judged: Map<String, Value> = of_selector(&phase.thresholds, &selector)
            // k6 writes here whether a threshold was crossed: true is bad.
            .map(|verdict| (verdict.threshold.expression.to_string(), json!(!verdict.ok)))
            .collect();
        if !judged.is_empty() {
            values.insert("thresholds".into(), judged.into());
        }
        metrics.insert(selector.label, values.into());
    }
    metrics.into()
}

fn of_selector<'a>(
    verdicts: &'a [ThresholdVerdict],
    selector: &'a Selector,
) -> impl Iterator<Item = &'a ThresholdVerdict> {
    verdicts.iter().filter(|verdict| {
        verdict.threshold.metric == selector.metric && verdict.threshold.tags == selector.tags
    })
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn metric(samples: &Aggregate, duration: Duration) -> Map<String, Value> {
    let value = match samples {
        Aggregate::Counter(count) => {
            let seconds = duration.as_secs_f64();
            let rate = if seconds > 0.0 { *count as f64 / seconds } else { 0.0 };
            json!({ "count": count, "rate": number(rate) })
        }
        Aggregate::Gauge(gauge) => json!({
            "value": number(gauge.value), "min": number(gauge.min), "max": number(gauge.max),
        }),
        Aggregate::Rate(rate) => json!({
            "passes": rate.passes, "fails": rate.total - rate.passes, "value": number(rate.share()),
        }),
        Aggregate::Trend(trend) => json!({
            "count": trend.count(),
            "avg": number(trend.avg_ms()),
            "min": number(trend.min_ms()),
            "med": number(trend.percentile_ms(50.0)),
            "max": number(trend.max_ms()),
            "p(90)": number(trend.percentile_ms(90.0)),
            "p(95)": number(trend.percentile_ms(95.0)),
            "p(99)": number(trend.percentile_ms(99.0)),
            "p(99.9)": number(trend.percentile_ms(99.9)),
        }),
    };
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn root_group(phase: &PhaseReport) -> Value {
    let checks: Map<String, Value> = digest::checks(&phase.load)
        .into_iter()
        .map(|check| {
            let path = format!("::{}", check.name);
            let value = json!({
                "name": check.name, "path": path, "passes": check.passes, "fails": check.fails,
            });
            (check.name, value)
        })
        .collect();
    json!({ "name": "", "path": "", "groups": {}, "checks": checks })
}

fn threshold(verdict: &ThresholdVerdict) -> Value {
    json!({
        "metric": verdict.threshold.selector(),
        "expression": verdict.threshold.expression.to_string(),
        "ok": verdict.ok,
        "no_data": verdict.no_data,
        "value": verdict.value.map(number),
        "limit": number(verdict.threshold.expression.limit),
        "margin": verdict.margin.map(number),
    })
}

fn pipeline(phase: &PhaseReport) -> Value {
    let stages = digest::pipeline(&phase.load);
    let stages = stages.iter().map(|(metric, _, trend)| ((*metric).to_owned(), times(trend)));
    Value::Object(stages.collect())
}

fn times(trend: &TrendTotal) -> Value {
    json!({
        "count": trend.count(),
        "p50_ms": number(trend.percentile_ms(50.0)),
        "p95_ms": number(trend.percentile_ms(95.0)),
        "p99_ms": number(trend.percentile_ms(99.0)),
        "max_ms": number(trend.max_ms()),
    })
}

fn generator(phase: &PhaseReport) -> Value {
    json!({
        "valid": phase.validity.valid,
        "reason": phase.validity.reason,
        "send_lag_p99_ms": number(phase.validity.send_lag_p99.as_secs_f64() * 1000.0),
        "send_lag_limit_ms": number(phase.validity.limit.as_secs_f64() * 1000.0),
        "send_lag": times(&phase.load.trend(names::SEND_LAG, &[])),
        "dropped_iterations": phase.load.count(names::DROPPED_ITERATIONS, &[]),
    })
}

fn processes(phase: &PhaseReport) -> Value {
    let processes = phase.processes.iter().map(|process| {
        let value = json!({
            "cpu_seconds": number(process.cpu_seconds),
            "cpu_percent": number(process.cpu_percent),
            "peak_pss_bytes": process.peak_pss_bytes,
            "fds": process.fds,
        });
        (process.name.clone(), value)
    });
    Value::Object(processes.collect())
}

fn recovery(phase: &PhaseReport) -> Value {
    let recovery = phase.recovery.iter().map(|recovery| {
        json!({
            "service": recovery.service,
            "killed_at_s": number(recovery.killed_at.as_secs_f64()),
            "recovered_in_s": recovery.recovered_in.map(|time| number(time.as_secs_f64())),
        })
    });
    Value::Array(recovery.collect())
}

fn disturbances(phase: &PhaseReport) -> Value {
    let disturbances = phase.disturbances.iter().map(|one| {
        json!({
            "kind": one.kind.label(),
            "what": one.what,
            "from_s": number(one.from.as_secs_f64()),
            "until_s": one.until.map(|until| number(until.as_secs_f64())),
        })
    });
    Value::Array(disturbances.collect())
}

/// Six decimals: finer is noise. JSON knows no infinity; what is not finite becomes null.
fn number(value: f64) -> Value {
    let rounded = (value * 1e6).round() / 1e6;
    serde_json::Number::from_f64(rounded).map_or(Value::Null, Value::Number)
}

//! What is to be seen, computed from what is known. No drawing here.

mod flow;
mod generator;
mod http;
mod websocket;

use std::sync::Arc;

pub(super) use flow::Flow;
pub(super) use generator::Generator;
pub(super) use http::{Bucket, Request};
pub(super) use websocket::WebSockets;

use super::Dashboard;
use super::history::History;
use crate::metrics::{LoadState, Reading, Window, names};
use crate::report::digest;
use crate::threshold::{Aggregation, Operator, ThresholdVerdict};

/// A generator whose lag reaches this share of its limit is shown as lagging.
const LAGGING_SHARE: f64 = 0.5;

/// Whether the generator's numbers can be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Health {
    Ok,
    Lagging,
    Invalid,
}

impl Health {
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Lagging => "LAGGING",
            Self::Invalid => "INVALID",
        }
    }
}

/// Points of a chart: seconds since the phase began, and a value.
pub(super) type Points = Vec<(f64, f64)>;

#[derive(Debug, Default)]
pub(super) struct Rate {
    pub achieved: Points,
    pub target: Points,
    pub now: Option<f64>,
    pub target_now: Option<f64>,
}

#[derive(Debug, Default)]
pub(super) struct Latency {
    /// Whose times these are: `order`, `http`, `kafka`.
    pub subject: String,
    /// Milliseconds.
    pub p50: Points,
    pub p95: Points,
    pub p99: Points,
    /// The latest p50, p95 and p99.
    pub now: Option<[f64; 3]>,
}

#[derive(Debug, Default)]
pub(super) struct Sockets {
    pub open: Points,
    pub now: Option<f64>,
    pub peak: f64,
}

/// One stage of the saga, laid out in time as the stages follow each other.
#[derive(Debug)]
pub(super) struct Stage {
    pub label: &'static str,
    /// Where it typically begins: the sum of the medians before it, in milliseconds.
    pub start_ms: f64,
    pub p50_ms: f64,
    pub p95_ms: f64,
}

/// How a threshold stands while the run goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Holds,
    /// Without data yet, or a total that still grows towards its limit.
    Waiting,
    Crossed,
}

/// Everything that the views draw and a dashboard does not say outright.
#[derive(Debug)]
pub(super) struct State {
    pub health: Health,
    pub rate: Rate,
    pub latency: Latency,
    pub sockets: Sockets,
    pub stages: Vec<Stage>,
    pub statuses: Vec<(String, u64)>,
    pub errors: Vec<(String, u64)>,
    pub error_count: u64,
    pub requests: Vec<Request>,
    pub histogram: Vec<Bucket>,
    pub websockets: WebSockets,
    pub flow: Flow,
    pub generator: Generator,
    /// New errors over time, in the order of `errors`.
    pub error_lines: Vec<Vec<f64>>,
    /// CPU (percent) and memory (bytes) over time, in the order of the dashboard's processes.
    pub process_lines: Vec<(Vec<f64>, Vec<f64>)>,
    /// The charts' right edge in seconds.
    pub horizon_s: f64,
}

impl State {
    pub(super) fn of(dashboard: &Dashboard, history: &History) -> Self {
        let load = &dashboard.load;
        let windows = digest::finished_windows(load);
        let total_s = dashboard.run.total.as_secs_f64();
        let errors = digest::errors(load);
        let processes = dashboard.processes.iter();
        Self {
            requests: http::requests(load, &windows),
            histogram: http::histogram(load),
            websockets: websocket::websockets(load, &windows),
            flow: flow::flow(load, &windows),
            generator: generator::generator(load, &windows),
            error_lines: errors.iter().map(|(kind, _)| history.new_errors(kind)).collect(),
            process_lines: processes
                .map(|process| (history.cpu(&process.name), history.memory(&process.name)))
                .collect(),
            health: health(dashboard),
            rate: rate(dashboard, &windows),
            latency: latency(load, &windows),
            sockets: sockets(load, &windows),
            stages: stages(load),
            statuses: digest::statuses(load),
            error_count: errors.iter().map(|(_, count)| count).sum(),
            errors,
            horizon_s: total_s.max(load.elapsed().as_secs_f64()).max(1.0),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "an error count is far below 2^52")]
    pub(super) fn error_count_f64(&self) -> f64 {
        self.error_count as f64
    }
}

/// How a threshold stands at present.
pub(super) fn standing(verdict: &ThresholdVerdict) -> Standing {
    let expression = verdict.threshold.expression;
    // A window that has passed can no longer become better.
    let goes_on = expression.window.is_none();
    let grows = goes_on
        && expression.aggregation == Aggregation::Count
        && matches!(expression.operator, Operator::Greater | Operator::GreaterOrEqual);
    // A peak can still come, as a total can.
    let peaks = expression.aggregation == Aggregation::Max
        && matches!(expression.operator, Operator::Greater | Operator::GreaterOrEqual);
    match verdict {
        ThresholdVerdict { ok: true, .. } => Standing::Holds,
        ThresholdVerdict { no_data: true, .. } => Standing::Waiting,
        _ if grows || peaks => Standing::Waiting,
        _ => Standing::Crossed,
    }
}

fn rate(dashboard: &Dashboard, windows: &[Arc<Window>]) -> Rate {
    let run = &dashboard.run;
    let achieved = per_second(windows, &run.rate_metric);
    let now = achieved.last().map(|point| point.1);
    let target_now = planned(&run.target_rate, run.elapsed.as_secs_f64());
    Rate { achieved, target: run.target_rate.clone(), now, target_now }
}

/// The plan's rate at a moment, between its points on a straight line.
fn planned(plan: &[(f64, f64)], at_s: f64) -> Option<f64> {
    let next = plan.iter().position(|(time, _)| *time > at_s);
    match next {
        None => plan.last().map(|point| point.1),
        Some(0) => plan.first().map(|point| point.1),
        Some(next) => {
            let ((t0, r0), (t1, r1)) = (plan[next - 1], plan[next]);
            Some(r0 + (r1 - r0) * (at_s - t0) / (t1 - t0))
        }
    }
}

fn latency(load: &LoadState, windows: &[Arc<Window>]) -> Latency {
    let has = |metric, tags: &[(&str, &str)]| !load.trend(metric, tags).is_empty();
    let (metric, name, subject) = if has(names::HTTP_REQ_DURATION, &[("name", "order")]) {
        (names::HTTP_REQ_DURATION, Some("order"), "order")
    } else if has(names::KAFKA_LATENCY, &[]) {
        (names::KAFKA_LATENCY, None, "kafka")
    } else {
        (names::HTTP_REQ_DURATION, None, "http")
    };
    let at = |choose: fn([f64; 3]) -> f64| {
        trend(windows, metric, name, |reading| match reading {
            Reading::Trend { p50, p95, p99, .. } => Some(choose([p50, p95, p99])),
            _ => None,
        })
    };
    let [p50, p95, p99] = [at(|of| of[0]), at(|of| of[1]), at(|of| of[2])];
    let now = match (p50.last(), p95.last(), p99.last()) {
        (Some(p50), Some(p95), Some(p99)) => Some([p50.1, p95.1, p99.1]),
        _ => None,
    };
    Latency { subject: subject.to_owned(), p50, p95, p99, now }
}

fn sockets(load: &LoadState, windows: &[Arc<Window>]) -> Sockets {
    let open = gauge(windows, names::WS_OPEN);
    let total = load.gauge(names::WS_OPEN, &[]);
    Sockets {
        open,
        now: total.map(|total| total.value),
        peak: total.map_or(0.0, |total| total.max),
    }
}

fn stages(load: &LoadState) -> Vec<Stage> {
    let mut start_ms = 0.0;
    let mut before_notification = 0.0;
    let mut stages = Vec::new();
    for (metric, label, trend) in digest::pipeline(load) {
        let (p50_ms, p95_ms) = (trend.percentile_ms(50.0), trend.percentile_ms(95.0));
        let begins = match metric {
            names::ORDER_SHIPPED | names::ORDER_ENDED => 0.0,
            // Shipping and notification both follow the payment.
            names::PIPELINE_NOTIFICATION => before_notification,
            _ => start_ms,
        };
        if metric == names::PIPELINE_SHIPPING {
            before_notification = start_ms;
        } else if metric != names::PIPELINE_NOTIFICATION {
            start_ms += p50_ms;
            before_notification = start_ms;
        }
        stages.push(Stage { label, start_ms: begins, p50_ms, p95_ms });
    }
    stages
}

/// The generator's health, not the shop's: a shop that falls behind shows in rates and errors.
fn health(dashboard: &Dashboard) -> Health {
    let validity = &dashboard.validity;
    if !validity.valid {
        Health::Invalid
    } else if validity.send_lag_p99 > validity.limit.mul_f64(LAGGING_SHARE) {
        Health::Lagging
    } else {
        Health::Ok
    }
}

#[expect(clippy::cast_precision_loss, reason = "a run's milliseconds are far below 2^52")]
fn points(windows: &[Arc<Window>], value: impl Fn(&Window) -> Option<f64>) -> Points {
    let middle = |window: &Window| (window.start_ms + window.width_ms / 2) as f64 / 1000.0;
    windows.iter().filter_map(|window| Some((middle(window), value(window)?))).collect()
}

/// A counter's rate over time.
fn per_second(windows: &[Arc<Window>], metric: &str) -> Points {
    points(windows, |window| match window.reading(metric, None)? {
        Reading::Counter { per_second, .. } => Some(per_second),
        _ => None,
    })
}

fn gauge(windows: &[Arc<Window>], metric: &str) -> Points {
    points(windows, |window| match window.reading(metric, None)? {
        Reading::Gauge(value) => Some(value),
        _ => None,
    })
}

/// What `choose` takes of a trend's readings over time.
fn trend(
    windows: &[Arc<Window>],
    metric: &str,
    name: Option<&str>,
    choose: impl Fn(Reading) -> Option<f64>,
) -> Points {
    points(windows, |window| choose(window.reading(metric, name)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_read_between_its_points() {
        let plan = [(0.0, 0.0), (10.0, 100.0), (20.0, 100.0)];
        assert_eq!(planned(&plan, 5.0), Some(50.0));
        assert_eq!(planned(&plan, 15.0), Some(100.0));
        assert_eq!(planned(&plan, 99.0), Some(100.0));
        assert_eq!(planned(&[], 1.0), None);
    }
}

//! What reports and the dashboard say about a load besides its raw metrics.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::metrics::{LoadState, TrendTotal, Window, names};
use crate::threshold::ThresholdVerdict;

/// The saga's stages in their order: the metric and what people call it.
pub(crate) const STAGES: [(&str, &str); 4] = [
    (names::PIPELINE_INVENTORY, "inventory"),
    (names::PIPELINE_PAYMENT, "payment"),
    (names::PIPELINE_SHIPPING, "shipping"),
    (names::PIPELINE_NOTIFICATION, "notification"),
];

/// From the intended start to the end of the saga, as a client sees it.
pub(crate) const JOURNEYS: [(&str, &str); 2] =
    [(names::ORDER_SHIPPED, "order → shipped"), (names::ORDER_ENDED, "order → ended")];

/// One metric as a whole, or one of its sub-metrics.
pub(crate) struct Selector {
    /// As thresholds write it: `http_reqs{name:order}`.
    pub label: String,
    pub metric: String,
    pub tags: BTreeMap<String, String>,
}

impl Selector {
    pub(crate) fn tags(&self) -> Vec<(&str, &str)> {
        self.tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
    }
}

/// Every metric with samples or a threshold, each followed by the sub-metrics that thresholds
/// name and, for response times, by one per request name.
pub(crate) fn selectors(load: &LoadState, thresholds: &[ThresholdVerdict]) -> Vec<Selector> {
    let mut listed: Vec<String> = load.metrics().iter().map(ToString::to_string).collect();
    for verdict in thresholds {
        if !listed.contains(&verdict.threshold.metric) {
            listed.push(verdict.threshold.metric.clone());
        }
    }
    let mut selectors = Vec::new();
    for metric in listed {
        let mut parts: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        for threshold in thresholds.iter().map(|verdict| &verdict.threshold) {
            if threshold.metric == metric && !threshold.tags.is_empty() {
                parts.insert(threshold.selector(), threshold.tags.clone());
            }
        }
        if metric == names::HTTP_REQ_DURATION {
            for name in load.tag_values(&metric, "name") {
                let label = format!("{metric}{{name:{name}}}");
                parts.insert(label, BTreeMap::from([("name".to_owned(), name)]));
            }
        }
        let (label, tags) = (metric.clone(), BTreeMap::new());
        selectors.push(Selector { label, metric: metric.clone(), tags });
        selectors.extend(parts.into_iter().map(|(label, tags)| {
            let metric = metric.clone();
            Selector { label, metric, tags }
        }));
    }
    selectors
}

/// What happened over time. The newest window is left out while it fills: it would look like a collapse.
pub(crate) fn finished_windows(load: &LoadState) -> Vec<Arc<Window>> {
    let elapsed_ms = u64::try_from(load.elapsed().as_millis()).unwrap_or(u64::MAX);
    let mut windows = load.windows();
    windows.retain(|window| window.start_ms + window.width_ms <= elapsed_ms + window.width_ms / 10);
    windows
}

/// How often one check held and did not.
pub(crate) struct Check {
    pub name: String,
    pub passes: u64,
    pub fails: u64,
}

/// All checks, by name.
pub(crate) fn checks(load: &LoadState) -> Vec<Check> {
    let of = |name: String| {
        let rate = load.rate(names::CHECKS, &[("check", &name)]);
        Check { name, passes: rate.passes, fails: rate.total - rate.passes }
    };
    load.tag_values(names::CHECKS, "check").into_iter().map(of).collect()
}

/// The stages and journeys that have samples.
pub(crate) fn pipeline(load: &LoadState) -> Vec<(&'static str, &'static str, TrendTotal)> {
    let all = STAGES.into_iter().chain(JOURNEYS);
    all.map(|(metric, label)| (metric, label, load.trend(metric, &[])))
        .filter(|(_, _, trend)| !trend.is_empty())
        .collect()
}

/// What went wrong, most frequent first: `(what, how often)`.
pub(crate) fn errors(load: &LoadState) -> Vec<(String, u64)> {
    let mut errors = Vec::new();
    for (status, _) in statuses(load) {
        // Informational to redirection (and the 404 that a flow expects) are no errors; what a
        // flow did not expect is tagged so.
        let unexpected = [("status", status.as_str()), ("expected_response", "false")];
        errors.push((format!("HTTP {status}"), load.count(names::HTTP_REQS, &unexpected)));
    }
    for (metric, what) in [
        (names::HTTP_REQS, "HTTP"),
        (names::WS_ERRORS, "WebSocket"),
        (names::KAFKA_ERRORS, "Kafka"),
    ] {
        let mut named = 0;
        for error in load.tag_values(metric, "error") {
            let count = load.count(metric, &[("error", &error)]);
            named += count;
            errors.push((format!("{what} {error}"), count));
        }
        if metric != names::HTTP_REQS {
            errors.push((format!("{what} errors"), load.count(metric, &[]) - named));
        }
    }
    for (metric, what) in [
        (names::DROPPED_ITERATIONS, "dropped iterations"),
        (names::KAFKA_MESSAGES_LOST, "Kafka messages lost"),
        (names::KAFKA_MESSAGES_DUPLICATED, "Kafka messages doubled"),
    ] {
        errors.push((what.to_owned(), load.count(metric, &[])));
    }
    errors.retain(|(_, count)| *count > 0);
    errors.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    errors
}

/// How often each HTTP status came: `(status, how often)`. Requests without an answer carry the
/// status 0, and are counted as errors by their kind.
pub(crate) fn statuses(load: &LoadState) -> Vec<(String, u64)> {
    let count = |status: String| {
        let count = load.count(names::HTTP_REQS, &[("status", &status)]);
        (status, count)
    };
    let mut statuses = load.tag_values(names::HTTP_REQS, "status");
    statuses.retain(|status| status != "0");
    statuses.into_iter().map(count).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::metrics::Registry;

    #[test]
    fn a_request_without_an_answer_is_one_error_and_no_status() {
        let registry = Registry::new();
        let unexpected = ("expected_response", "false");
        for (tags, count) in [
            (vec![("status", "201"), ("expected_response", "true")], 90),
            (vec![("status", "503"), unexpected], 3),
            (vec![("status", "0"), unexpected, ("error", "timeout")], 2),
        ] {
            registry.add(registry.counter(names::HTTP_REQS, &tags), count);
        }
        registry.add(registry.counter(names::KAFKA_ERRORS, &[]), 1);
        let mut load = LoadState::new();
        load.merge(0, &registry.snapshot(Duration::from_secs(1))).expect("a sound snapshot");
        let owned = |pairs: &[(&str, u64)]| {
            pairs.iter().map(|(what, count)| ((*what).to_owned(), *count)).collect::<Vec<_>>()
        };
        let expected = owned(&[("HTTP 503", 3), ("HTTP timeout", 2), ("Kafka errors", 1)]);
        assert_eq!(errors(&load), expected);
        assert_eq!(statuses(&load), owned(&[("201", 90), ("503", 3)]));
    }
}

//! What a threshold says about a load.

use std::time::Duration;

use super::{Aggregation, Operator, Threshold, ThresholdVerdict};
use crate::metrics::{Aggregate, LoadState};

/// Judges a threshold. `elapsed` is the duration of the phase's load, for counters' rates.
#[must_use]
pub fn evaluate(threshold: &Threshold, load: &LoadState, elapsed: Duration) -> ThresholdVerdict {
    let tags: Vec<(&str, &str)> =
        threshold.tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let expression = threshold.expression;
    let value = load
        .select(&threshold.metric, &tags)
        .and_then(|samples| aggregate(&samples, expression.aggregation, elapsed));
    let ok = value.is_some_and(|value| expression.operator.holds(value, expression.limit));
    ThresholdVerdict {
        threshold: threshold.clone(),
        value,
        ok,
        margin: value.and_then(|value| margin(expression.operator, value, expression.limit)),
        no_data: value.is_none(),
        // What has no data yet may still get some: only the end can judge that.
        abort: threshold.abort_on_fail
            && value.is_some()
            && !ok
            && elapsed >= threshold.delay_abort_eval,
    }
}

/// Judges all thresholds of a phase, in their order.
#[must_use]
pub fn evaluate_all(
    thresholds: &[Threshold],
    load: &LoadState,
    elapsed: Duration,
) -> Vec<ThresholdVerdict> {
    thresholds.iter().map(|threshold| evaluate(threshold, load, elapsed)).collect()
}

/// `None` without samples, or when the kind does not know the aggregation.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn aggregate(samples: &Aggregate, aggregation: Aggregation, elapsed: Duration) -> Option<f64> {
    match (samples, aggregation) {
        (Aggregate::Counter(count), Aggregation::Count) => Some(*count as f64),
        (Aggregate::Counter(count), Aggregation::Rate) => {
            (!elapsed.is_zero()).then(|| *count as f64 / elapsed.as_secs_f64())
        }
        (Aggregate::Gauge(gauge), Aggregation::Value) => Some(gauge.value),
        (Aggregate::Gauge(gauge), Aggregation::Min) => Some(gauge.min),
        (Aggregate::Gauge(gauge), Aggregation::Max) => Some(gauge.max),
        (Aggregate::Rate(rate), Aggregation::Rate) => (rate.total > 0).then(|| rate.share()),
        (Aggregate::Trend(trend), aggregation) if !trend.is_empty() => match aggregation {
            Aggregation::Avg => Some(trend.avg_ms()),
            Aggregation::Min => Some(trend.min_ms()),
            Aggregation::Max => Some(trend.max_ms()),
            Aggregation::Med => Some(trend.percentile_ms(50.0)),
            Aggregation::Percentile(percentile) => Some(trend.percentile_ms(percentile)),
            Aggregation::Count => Some(trend.count() as f64),
            Aggregation::Rate | Aggregation::Value => None,
        },
        _ => None,
    }
}

fn margin(operator: Operator, value: f64, limit: f64) -> Option<f64> {
    match operator {
        Operator::Less | Operator::LessOrEqual => Some(limit - value),
        Operator::Greater | Operator::GreaterOrEqual => Some(value - limit),
        // Zero, not minus zero, when it is met.
        Operator::Equal | Operator::StrictEqual => Some(0.0 - (value - limit).abs()),
        Operator::NotEqual => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Registry;

    const TEN_SECONDS: Duration = Duration::from_secs(10);

    fn load() -> LoadState {
        let registry = Registry::new();
        let order = registry.trend("http_req_duration", &[("name", "order"), ("status", "201")]);
        let late = registry.trend("http_req_duration", &[("name", "order"), ("status", "503")]);
        let status = registry.trend("http_req_duration", &[("name", "status"), ("status", "200")]);
        for ms in 1..=100 {
            registry.observe(order, Duration::from_millis(ms));
        }
        registry.observe(late, Duration::from_secs(1));
        registry.observe(status, Duration::from_secs(2));
        let created = registry.counter("orders_created", &[]);
        registry.add(created, 9990);
        let _never = registry.counter("dropped_iterations", &[]);
        let _empty = registry.rate("checks", &[]);
        let open = registry.gauge("ws_open", &[]);
        registry.set(open, 10_001.0);
        registry.set(open, 12.0);
        let mut state = LoadState::new();
        state.merge(0, &registry.snapshot(TEN_SECONDS)).expect("a sound snapshot");
        state
    }

    fn verdict(selector: &str, expression: &str) -> ThresholdVerdict {
        let threshold = Threshold::new(selector, expression).expect("a valid threshold");
        evaluate(&threshold, &load(), TEN_SECONDS)
    }

    #[test]
    fn a_submetric_merges_the_series_that_match() {
        assert_eq!(verdict("http_req_duration{name:order}", "count==101").value, Some(101.0));
        assert_eq!(verdict("http_req_duration", "max<=2000").value, Some(2000.0));
        let p95 = verdict("http_req_duration{name:order,status:201}", "p(95)<200");
        assert!(p95.ok && p95.value.is_some_and(|value| (94.9..=95.1).contains(&value)), "{p95:?}");
        assert!(p95.margin.is_some_and(|margin| (104.9..=105.1).contains(&margin)), "{p95:?}");
    }

    #[test]
    fn counters_rate_is_per_second_of_the_load() {
        let rate = verdict("orders_created", "rate>=998");
        assert_eq!((rate.value, rate.ok, rate.margin), (Some(999.0), true, Some(1.0)));
        let short = verdict("orders_created", "rate>=1000");
        assert_eq!((short.ok, short.margin), (false, Some(-1.0)));
    }

    #[test]
    fn gauges_keep_their_highest_value() {
        assert!(verdict("ws_open", "max>=10000").ok);
        assert_eq!(verdict("ws_open", "value>=10000").value, Some(12.0));
    }

    #[test]
    fn a_registered_counter_at_zero_is_data_and_anything_else_without_samples_fails() {
        assert!(verdict("dropped_iterations", "count==0").ok);
        for (selector, expression) in [
            ("checks", "rate>=0"),
            ("http_req_duration{name:typo}", "p(95)<200"),
            ("vus", "value<9"),
        ] {
            let empty = verdict(selector, expression);
            assert!(empty.no_data && !empty.ok && empty.value.is_none(), "{empty:?}");
        }
    }

    #[test]
    fn aborts_only_after_the_delay_and_with_data() {
        let mut threshold = Threshold::new("orders_created", "count>1000000").expect("valid");
        threshold.abort_on_fail = true;
        threshold.delay_abort_eval = Duration::from_secs(5);
        let load = load();
        assert!(!evaluate(&threshold, &load, Duration::from_secs(4)).abort);
        assert!(evaluate(&threshold, &load, Duration::from_secs(5)).abort);
        threshold.metric = "orders_unknown".into();
        assert!(!evaluate(&threshold, &load, TEN_SECONDS).abort);
    }
}

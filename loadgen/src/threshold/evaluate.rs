//! What a threshold says about a load.

use std::time::Duration;

use super::planned::Stretch;
use super::{Operator, Threshold, ThresholdVerdict};
use crate::metrics::{Aggregation, Kind, LoadState, WindowValue, builtin};

/// Judges a threshold. `elapsed` is the duration of the phase's load, for counters' rates.
#[must_use]
pub fn evaluate(threshold: &Threshold, load: &LoadState, elapsed: Duration) -> ThresholdVerdict {
    let worst = match threshold.expression.window {
        None => whole(threshold, load, elapsed).map(|value| Worst { value, window: None }),
        Some(_) => worst_window(threshold, load, elapsed),
    };
    let (operator, limit) = (threshold.expression.operator, threshold.expression.limit);
    let ok = worst.map_or(threshold.no_data_passes, |worst| operator.holds(worst.value, limit));
    let began = threshold
        .within
        .filter(|_| threshold.is_of_stage())
        .map_or(Duration::ZERO, |span| span.from);
    ThresholdVerdict {
        threshold: threshold.clone(),
        value: worst.map(|worst| worst.value),
        ok,
        margin: worst.and_then(|worst| margin(operator, worst.value, limit)),
        no_data: worst.is_none(),
        window: worst.and_then(|worst| worst.window),
        // What has no data yet may still get some: only the end can judge that.
        abort: threshold.abort_on_fail
            && worst.is_some()
            && !ok
            && elapsed.saturating_sub(began) >= threshold.delay_abort_eval,
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

/// The value that decides, and when the window began that has it.
#[derive(Debug, Clone, Copy)]
struct Worst {
    value: f64,
    window: Option<Stretch>,
}

/// The value over the whole load, or over its stage.
fn whole(threshold: &Threshold, load: &LoadState, elapsed: Duration) -> Option<f64> {
    let tags: Vec<(&str, &str)> =
        threshold.tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let samples = load.select(&threshold.metric, &tags)?;
    let whole = Stretch { from: Duration::ZERO, to: elapsed };
    let stage = threshold.within.filter(|_| threshold.is_of_stage());
    let span = stage.map_or(whole, |span| Stretch { from: span.from, to: span.to.min(elapsed) });
    let value = samples.value(threshold.expression.aggregation, span.length())?;
    if threshold.expression.of_plan { share_of_plan(threshold, value, span) } else { Some(value) }
}

/// A rate in percent of the planned one. `None` where nothing was planned.
fn share_of_plan(threshold: &Threshold, per_second: f64, span: Stretch) -> Option<f64> {
    let planned = threshold.planned.arrivals(span) / span.length().as_secs_f64();
    (planned > 0.0).then(|| per_second / planned * 100.0)
}

/// The window that is farthest on the wrong side of the limit, or nearest to it.
fn worst_window(threshold: &Threshold, load: &LoadState, elapsed: Duration) -> Option<Worst> {
    let track = load.track(&threshold.track()?)?;
    let within = judged(threshold, elapsed);
    let mut worst: Option<Worst> = None;
    for window in track.values() {
        let span = span_of(window);
        if span.from < within.from || span.to > within.to {
            continue;
        }
        for value in [window.min, window.max] {
            let value = match threshold.expression.of_plan {
                true => share_of_plan(threshold, value, span),
                false => Some(value),
            };
            let Some(value) = value else { continue };
            if worst.is_none_or(|worst| badness(threshold, value) > badness(threshold, worst.value))
            {
                worst = Some(Worst { value, window: Some(span) });
            }
        }
    }
    worst
}

/// Windows outside of this are not judged. Times and shares have samples until the last iteration has ended;
/// sums would only be thinned by the tail in which nothing starts.
fn judged(threshold: &Threshold, elapsed: Duration) -> Stretch {
    let all = Stretch { from: Duration::ZERO, to: Duration::MAX };
    let planned = threshold.within.unwrap_or(Stretch { from: Duration::ZERO, to: elapsed });
    let kind = builtin::find(&threshold.metric).map(|metric| metric.kind);
    let sums =
        kind == Some(Kind::Counter) || threshold.expression.aggregation == Aggregation::Count;
    match (sums, threshold.is_of_stage()) {
        (true, _) => Stretch { from: planned.from, to: planned.to.min(elapsed) },
        (false, true) => planned,
        (false, false) => all,
    }
}

fn span_of(window: WindowValue) -> Stretch {
    Stretch {
        from: Duration::from_millis(window.start_ms),
        to: Duration::from_millis(window.end_ms),
    }
}

fn badness(threshold: &Threshold, value: f64) -> f64 {
    -margin(threshold.expression.operator, value, threshold.expression.limit).unwrap_or_default()
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

    /// Ten seconds with 100 requests each, of 10 ms but for the sixth second: then of a second.
    fn ten_seconds(thresholds: &[Threshold]) -> LoadState {
        let registry = Registry::new();
        let mut state = LoadState::tracking(thresholds.iter().filter_map(Threshold::track));
        let tags = [("name", "order")];
        let (trend, count) =
            (registry.trend("http_req_duration", &tags), registry.counter("http_reqs", &tags));
        let checks = registry.rate("checks", &tags);
        for second in 1..=10 {
            let (slow, requests) = (second == 6, if second == 6 { 50 } else { 100 });
            for _ in 0..requests {
                registry.observe(trend, Duration::from_millis(if slow { 1000 } else { 10 }));
                registry.record(checks, !slow);
            }
            registry.add(count, requests);
            let snapshot = registry.snapshot(Duration::from_secs(second));
            state.merge(0, &snapshot).expect("a sound snapshot");
        }
        state.close();
        state
    }

    fn windowed(selector: &str, expression: &str) -> ThresholdVerdict {
        let threshold = Threshold::new(selector, expression).expect("a valid threshold");
        let load = ten_seconds(std::slice::from_ref(&threshold));
        evaluate(&threshold, &load, TEN_SECONDS)
    }

    #[test]
    fn a_window_is_crossed_where_the_whole_load_is_not() {
        let whole = windowed("http_req_duration{name:order}", "p(90)<200");
        assert!(whole.ok && whole.window.is_none(), "{whole:?}");
        let window = windowed("http_req_duration{name:order}", "p(90)[3s]<200");
        assert!(!window.ok && window.value == Some(1000.0), "{window:?}");
        // The first of those that contain the sixth second.
        let span = window.window.expect("a window");
        assert_eq!((span.from.as_secs(), span.to.as_secs()), (3, 6));
        let wide = windowed("http_req_duration{name:order}", "p(90)[10s]<200");
        assert!(wide.ok && wide.value.is_some_and(|value| value < 10.1), "{wide:?}");
    }

    #[test]
    fn sums_and_shares_have_windows_too() {
        for (selector, expression, value, ok) in [
            ("http_reqs", "rate[2s]>=90", 75.0, false),
            ("http_reqs", "rate[5s]>=90", 90.0, true),
            ("http_reqs", "count[1s]>=100", 50.0, false),
            ("http_reqs", "count[1s]<=100", 100.0, true),
            ("http_reqs{name:order}", "count[2s]==200", 150.0, false),
            ("checks", "rate[1s]>50%", 0.0, false),
            ("checks", "rate[4s]>80%", 300.0 / 350.0, true),
        ] {
            let verdict = windowed(selector, expression);
            assert_eq!((verdict.value, verdict.ok), (Some(value), ok), "{selector}: {expression}");
        }
    }

    #[test]
    fn no_window_is_judged_before_it_is_full_and_no_series_is_no_data() {
        let long = windowed("http_reqs", "rate[11s]>=1000");
        assert!(long.no_data && !long.ok, "{long:?}");
        let typo = windowed("http_reqs{name:typo}", "count[2s]<5");
        assert!(typo.no_data && !typo.ok, "{typo:?}");
    }

    #[test]
    fn a_sum_that_stands_still_is_0_in_its_windows() {
        let threshold = Threshold::new("http_reqs", "rate[2s]>0").expect("valid");
        let registry = Registry::new();
        let mut state = LoadState::tracking(threshold.track());
        let count = registry.counter("http_reqs", &[]);
        for second in 1..=10 {
            registry.add(count, if second < 4 { 100 } else { 0 });
            state.merge(0, &registry.snapshot(Duration::from_secs(second))).expect("sound");
        }
        let verdict = evaluate(&threshold, &state, TEN_SECONDS);
        assert_eq!((verdict.value, verdict.ok), (Some(0.0), false), "what is sealed is judged");
    }

    #[test]
    fn no_data_passes_where_it_may() {
        let mut threshold = Threshold::new("ws_errors", "count==0").expect("valid");
        assert!(!evaluate(&threshold, &load(), TEN_SECONDS).ok);
        threshold.no_data_passes = true;
        let verdict = evaluate(&threshold, &load(), TEN_SECONDS);
        assert!(verdict.ok && verdict.no_data && !verdict.abort);
    }

    #[test]
    fn the_achieved_rate_is_compared_with_the_plan() {
        let text = r#"
name = "plan"
[scenarios.orders]
executor = "ramping-arrival-rate"
exec = "place-order"
startRate = 0
preAllocatedVUs = 1
startTime = "2s"
stages = [{ duration = "4s", target = 100, name = "up" }, { duration = "4s", target = 100, name = "top" }]
[thresholds]
"iterations" = ["rate>=99%", "rate[2s]>=90%"]
"iterations{stage:top}" = ["rate>=99%"]
"#;
        let phase = crate::scenario::parse(text).expect("valid").phases.remove(0);
        let registry = Registry::new();
        let mut state = LoadState::tracking(phase.thresholds.iter().filter_map(Threshold::track));
        let (up, top) = (registry.stage("up"), registry.stage("top"));
        let iterations = registry.counter("iterations", &[("scenario", "orders")]);
        for (second, count) in (1..=10).zip([0, 0, 12, 38, 62, 88, 100, 98, 60, 100]) {
            registry.enter(Some(if second <= 6 { up } else { top }));
            registry.add(iterations, count);
            state.merge(0, &registry.snapshot(Duration::from_secs(second))).expect("sound");
        }
        state.close();
        let verdicts = evaluate_all(&phase.thresholds, &state, phase.load_duration());
        let values: Vec<_> = verdicts.iter().map(|verdict| verdict.value.map(f64::round)).collect();
        // 558 of 600; 158 of 200 in the seventh and eighth second of the scenario; 358 of 400.
        assert_eq!(values, [Some(93.0), Some(79.0), Some(90.0)], "{verdicts:#?}");
        assert!(verdicts.iter().all(|verdict| !verdict.ok));
        let worst = verdicts[1].window.expect("a window");
        assert_eq!((worst.from.as_secs(), worst.to.as_secs()), (7, 9));
    }
}

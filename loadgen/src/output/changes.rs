//! What a state has that an earlier one had not: series by series.

use std::sync::Arc;

use crate::metrics::{Aggregate, LoadState, RateTotal, SeriesKey, TrendTotal};

/// One series and what happened to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Change<'a> {
    pub key: &'a SeriesKey,
    pub changed: Changed,
}

/// What was added, or the present value.
#[derive(Debug, Clone, PartialEq)]
pub enum Changed {
    Counter { count: u64, per_second: f64 },
    Gauge(f64),
    Rate(RateTotal),
    Trend(TrendTotal),
}

/// The series that have new samples, and all gauges.
#[must_use]
pub fn changes<'a>(before: &LoadState, now: &'a LoadState) -> Vec<Change<'a>> {
    let seconds = now.elapsed().saturating_sub(before.elapsed()).as_secs_f64();
    let mut old = before.sums().peekable();
    let mut changes = Vec::new();
    for (key, aggregate) in now.sums() {
        // Both are in the order of their keys, and what there was stays.
        while old.next_if(|(old, _)| *old < key).is_some() {}
        let old = old.next_if(|(old, _)| *old == key).map(|(_, aggregate)| aggregate);
        if old.is_some_and(|old| Arc::ptr_eq(old, aggregate)) {
            continue;
        }
        if let Some(changed) = since(old.map(|old| &**old), aggregate, seconds) {
            changes.push(Change { key, changed });
        }
    }
    changes.extend(now.gauges().map(|(key, value)| Change { key, changed: Changed::Gauge(value) }));
    changes
}

#[expect(clippy::cast_precision_loss, reason = "a second's counts are far below 2^52")]
fn since(old: Option<&Aggregate>, now: &Aggregate, seconds: f64) -> Option<Changed> {
    match now {
        Aggregate::Counter(now) => {
            let before = if let Some(Aggregate::Counter(before)) = old { *before } else { 0 };
            let count = now.saturating_sub(before);
            // A counter's first line says that it is there, at 0.
            (count > 0 || old.is_none()).then(|| {
                let per_second = if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
                Changed::Counter { count, per_second }
            })
        }
        Aggregate::Rate(now) => {
            let none = RateTotal::default();
            let before = if let Some(Aggregate::Rate(before)) = old { *before } else { none };
            let total = now.total.saturating_sub(before.total);
            let passes = now.passes.saturating_sub(before.passes);
            (total > 0).then_some(Changed::Rate(RateTotal { passes, total }))
        }
        Aggregate::Trend(now) => {
            let new = match old {
                Some(Aggregate::Trend(before)) => now.since(before),
                _ => now.clone(),
            };
            (!new.is_empty()).then_some(Changed::Trend(new))
        }
        Aggregate::Gauge(total) => Some(Changed::Gauge(total.value)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::metrics::Registry;

    #[test]
    fn only_what_is_new_is_told() {
        let registry = Registry::new();
        let times = registry.trend("http_req_duration", &[("name", "order")]);
        let (reqs, quiet) =
            (registry.counter("http_reqs", &[]), registry.counter("ws_errors", &[]));
        let checks = registry.rate("checks", &[]);
        let mut state = LoadState::new();
        let mut tell = |millis: u64, count: u64, second: u64| {
            for _ in 0..count {
                registry.observe(times, Duration::from_millis(millis));
                registry.record(checks, millis < 100);
            }
            registry.add(reqs, count);
            registry.add(quiet, 0);
            registry.set(registry.gauge("vus", &[]), 3.0);
            let before = state.clone();
            state.merge(0, &registry.snapshot(Duration::from_secs(second))).unwrap();
            (before, state.clone())
        };
        let (before, now) = tell(10, 4, 1);
        let first = changes(&before, &now);
        let names: Vec<_> = first.iter().map(|change| &*change.key.metric).collect();
        assert_eq!(names, ["checks", "http_req_duration", "http_reqs", "ws_errors", "vus"]);
        let (before, now) = tell(200, 6, 4);
        let second: Vec<_> =
            changes(&before, &now).into_iter().map(|change| change.changed).collect();
        assert_eq!(second[0], Changed::Rate(RateTotal { passes: 0, total: 6 }));
        let Changed::Trend(trend) = &second[1] else { panic!("{second:?}") };
        assert_eq!((trend.count(), trend.avg_ms()), (6, 200.0));
        assert!((199.0..=201.0).contains(&trend.min_ms()), "{trend:?}");
        assert_eq!(second[2], Changed::Counter { count: 6, per_second: 2.0 });
        assert_eq!(second[3], Changed::Gauge(3.0));
        assert_eq!(changes(&now, &now).len(), 1, "but for gauges");
    }
}

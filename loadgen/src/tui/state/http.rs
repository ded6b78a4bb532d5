//! Requests by name, and how their times are distributed.

use std::sync::Arc;

use crate::metrics::{LoadState, RateTotal, Reading, TrendTotal, Window, names};
use crate::report::figures;

/// One kind of request.
#[derive(Debug)]
pub(in crate::tui) struct Request {
    pub(in crate::tui) name: String,
    pub(in crate::tui) count: u64,
    /// In the latest second.
    pub(in crate::tui) per_second: f64,
    pub(in crate::tui) times: TrendTotal,
    /// `passes` are those that failed.
    pub(in crate::tui) failed: RateTotal,
}

/// Requests whose time lies between two limits.
#[derive(Debug, PartialEq)]
pub(in crate::tui) struct Bucket {
    /// From this many milliseconds on.
    pub(in crate::tui) from_ms: f64,
    pub(in crate::tui) count: u64,
}

impl Bucket {
    pub(in crate::tui) fn label(&self) -> String {
        figures::milliseconds(self.from_ms)
    }
}

/// Every kind of request, by its name.
pub(in crate::tui) fn requests(load: &LoadState, windows: &[Arc<Window>]) -> Vec<Request> {
    let request = |name: String| {
        let tags = [("name", name.as_str())];
        let reading = windows.last().and_then(|last| last.reading(names::HTTP_REQS, Some(&name)));
        let per_second = match reading {
            Some(Reading::Counter { per_second, .. }) => per_second,
            _ => 0.0,
        };
        Request {
            count: load.count(names::HTTP_REQS, &tags),
            per_second,
            times: load.trend(names::HTTP_REQ_DURATION, &tags),
            failed: load.rate(names::HTTP_REQ_FAILED, &tags),
            name,
        }
    };
    load.tag_values(names::HTTP_REQS, "name").into_iter().map(request).collect()
}

/// The steps of a decade.
const STEPS: [u64; 3] = [1, 2, 5];

/// All requests' times in buckets of 1, 2, 5, 10, … from the first to the last that is not empty.
#[expect(clippy::cast_precision_loss, reason = "at most an hour of microseconds")]
pub(in crate::tui) fn histogram(load: &LoadState) -> Vec<Bucket> {
    let times = load.trend(names::HTTP_REQ_DURATION, &[]);
    if times.is_empty() {
        return Vec::new();
    }
    let recorded = times.histogram();
    let limits = (0..10_u32).flat_map(|decade| STEPS.map(|step| step * 10_u64.pow(decade)));
    let limits: Vec<u64> = limits.collect();
    let mut buckets: Vec<Bucket> = limits
        .windows(2)
        .map(|pair| Bucket {
            from_ms: pair[0] as f64 / 1000.0,
            count: recorded.count_between(pair[0], pair[1] - 1),
        })
        .collect();
    let last = buckets.iter().rposition(|bucket| bucket.count > 0).map_or(0, |last| last + 1);
    buckets.truncate(last);
    let first = buckets.iter().position(|bucket| bucket.count > 0).unwrap_or_default();
    buckets.split_off(first)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::metrics::Registry;

    #[test]
    fn a_histogram_begins_and_ends_where_there_is_something() {
        let registry = Registry::new();
        let trend = registry.trend(names::HTTP_REQ_DURATION, &[]);
        for micros in [1500, 1900, 4000, 60_000] {
            registry.observe(trend, Duration::from_micros(micros));
        }
        let mut load = LoadState::new();
        load.merge(0, &registry.snapshot(Duration::from_secs(1))).expect("a sound snapshot");
        let counts: Vec<_> = histogram(&load).iter().map(|b| (b.label(), b.count)).collect();
        let expected =
            [("1 ms", 2), ("2 ms", 1), ("5 ms", 0), ("10 ms", 0), ("20 ms", 0), ("50 ms", 1)];
        assert_eq!(counts, expected.map(|(label, count)| (label.to_owned(), count)));
        assert_eq!(histogram(&LoadState::new()), []);
    }
}

//! Segments merged are one run: exactly as one machine would have counted.

use std::sync::LazyLock;
use std::time::Duration;

use hdrhistogram::Histogram;
use loadgen::metrics::{LoadState, Reading, Registry, Snapshot};
use loadgen::report::{MergeRunsError, RunReport, merge};
use loadgen::threshold::{Threshold, evaluate_all};
use proptest::prelude::*;
use serde_json::json;

use super::report::report;
use super::run;

/// What one shard records in one second.
#[derive(Debug, Clone)]
struct Second {
    times_us: Vec<u32>,
    failed: Vec<bool>,
    open: u16,
}

fn second() -> impl Strategy<Value = Second> {
    let times = prop::collection::vec(1..5_000_000_u32, 0..20);
    (times, prop::collection::vec(any::<bool>(), 0..6), any::<u16>())
        .prop_map(|(times_us, failed, open)| Second { times_us, failed, open })
}

fn snapshots(seconds: &[Second]) -> Vec<Snapshot> {
    let registry = Registry::new();
    let order = registry.trend("http_req_duration", &[("name", "order")]);
    let status = registry.trend("http_req_duration", &[("name", "status")]);
    let count = registry.counter("http_reqs", &[("name", "order")]);
    let failed = registry.rate("http_req_failed", &[]);
    let open = registry.gauge("ws_open", &[]);
    let play = |(at, second): (u64, &Second)| {
        for (index, micros) in second.times_us.iter().enumerate() {
            let trend = if index % 3 == 0 { status } else { order };
            registry.observe(trend, Duration::from_micros(u64::from(*micros)));
        }
        registry.add(count, second.times_us.len() as u64);
        second.failed.iter().for_each(|failure| registry.record(failed, *failure));
        registry.set(open, f64::from(second.open));
        registry.snapshot(Duration::from_secs(at + 1))
    };
    (0_u64..).zip(seconds).map(play).collect()
}

/// Written down and read again, as between two machines.
fn sent(load: &LoadState) -> LoadState {
    let text = serde_json::to_string(load).expect("a load can be written");
    serde_json::from_str(&text).expect("and read")
}

fn thresholds() -> Vec<Threshold> {
    [
        ("http_req_duration{name:order}", "p(95)<2000"),
        ("http_req_duration", "avg<2500"),
        ("http_req_duration", "max<4900"),
        ("http_reqs", "rate>50"),
        ("http_req_failed", "rate<0.5"),
        ("ws_open", "max<90000"),
        ("ws_open", "value<60000"),
    ]
    .into_iter()
    .map(|(selector, expression)| Threshold::new(selector, expression).expect(selector))
    .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn segments_merged_are_exactly_one_load(
        shards in prop::collection::vec(prop::collection::vec(second(), 1..30), 1..5),
    ) {
        let shards: Vec<Vec<Snapshot>> = shards.iter().map(|seconds| snapshots(seconds)).collect();
        let mut whole = LoadState::new();
        let mut merged: Option<LoadState> = None;
        // Shards report side by side: one that came after all others would find their windows sealed.
        for second in 0..shards.iter().map(Vec::len).max().unwrap_or(0) {
            for (index, shard) in shards.iter().enumerate() {
                if let Some(snapshot) = shard.get(second) {
                    whole.merge(index, snapshot).expect("a sound snapshot");
                }
            }
        }
        for shard in &shards {
            let mut segment = LoadState::new();
            for snapshot in shard {
                segment.merge(0, snapshot).expect("a sound snapshot");
            }
            match &mut merged {
                Some(merged) => merged.join(&sent(&segment)).expect("of one kind"),
                None => merged = Some(sent(&segment)),
            }
        }
        let merged = sent(&merged.expect("at least one shard"));
        prop_assert_eq!(merged.metrics(), whole.metrics());
        for metric in whole.metrics() {
            prop_assert_eq!(merged.select(&metric, &[]), whole.select(&metric, &[]));
            let order = [("name", "order")];
            prop_assert_eq!(merged.select(&metric, &order), whole.select(&metric, &order));
        }
        let judged = |load: &LoadState| evaluate_all(&thresholds(), load, whole.elapsed());
        prop_assert_eq!(judged(&merged), judged(&whole));
        windows_agree(&merged, &whole)?;
        intervals_agree(&merged, &whole)?;
    }
}

/// The end of the histogram's bucket that a time in milliseconds lies in: what is seen of a part's longest time is the time
/// itself, and of the same time among longer ones its bucket.
fn bucket(ms: f64) -> u64 {
    let histogram = Histogram::<u64>::new(3).expect("three digits are supported");
    histogram.highest_equivalent((ms * 1000.0).round() as u64)
}

/// Counts and gauges exactly; percentiles, which cannot be summed, never lower than they were.
fn windows_agree(merged: &LoadState, whole: &LoadState) -> Result<(), TestCaseError> {
    let (merged, whole) = (merged.windows(), whole.windows());
    prop_assert_eq!(merged.len(), whole.len());
    for (ours, theirs) in merged.iter().zip(&whole) {
        prop_assert_eq!((ours.start_ms, ours.width_ms), (theirs.start_ms, theirs.width_ms));
        for (key, reading) in theirs.readings() {
            let own = ours.reading(&key.metric, key.name.as_deref());
            match (own, reading) {
                (Some(Reading::Counter { count, .. }), Reading::Counter { count: other, .. }) => {
                    prop_assert_eq!(count, other);
                }
                (
                    Some(Reading::Trend { count, p50, p95, p99, max }),
                    Reading::Trend { count: others, p50: b50, p95: b95, p99: b99, max: bmax },
                ) => {
                    prop_assert_eq!((count, max), (others, bmax));
                    let [ours, theirs] =
                        [[p50, p95, p99], [b50, b95, b99]].map(|all| all.map(bucket));
                    let bounds = ours.iter().zip(&theirs).all(|(bound, own)| bound >= own);
                    prop_assert!(bounds, "{:?} {:?}", own, reading);
                }
                (own, reading) => prop_assert_eq!(own, Some(reading)),
            }
        }
    }
    Ok(())
}

fn intervals_agree(merged: &LoadState, whole: &LoadState) -> Result<(), TestCaseError> {
    let (merged, whole) = (merged.intervals(), whole.intervals());
    prop_assert_eq!(merged.len(), whole.len());
    for (ours, theirs) in merged.iter().zip(&whole) {
        let (ours, theirs): (Vec<_>, Vec<_>) =
            (ours.histograms().collect(), theirs.histograms().collect());
        prop_assert_eq!(ours, theirs);
    }
    Ok(())
}

/// Played once: it takes a second.
static PLAYED: LazyLock<RunReport> = LazyLock::new(|| report(&["shop"]));

fn segment(text: &str) -> (String, RunReport) {
    let mut run = PLAYED.clone();
    run.environment["segment"] = json!(text);
    (format!("run {text}"), run)
}

#[test]
fn two_segments_are_one_run_of_twice_the_load() {
    let one = &*PLAYED;
    let merged = merge(vec![segment("2/2"), segment("1/2")]).expect("the segments of one test");
    let (before, after) = (&one.phases[0], &merged.phases[0]);
    for metric in ["http_reqs", "orders_created", "ws_errors"] {
        assert_eq!(after.load.count(metric, &[]), 2 * before.load.count(metric, &[]), "{metric}");
    }
    assert_eq!(after.load.gauge("ws_open", &[]).map(|open| open.value > 20_000.0), Some(true));
    let rate = |run: &RunReport| {
        let of_rate = |verdict: &&loadgen::threshold::ThresholdVerdict| {
            verdict.threshold.metric == "orders_created"
        };
        run.phases[0].thresholds.iter().find(of_rate).and_then(|verdict| verdict.value)
    };
    assert_eq!(rate(&merged), rate(one).map(|rate| 2.0 * rate), "thresholds are judged anew");
    assert_eq!(after.plan.at(30.0), 2000.0);
    assert_eq!(after.processes.len(), 2 * before.processes.len());
    assert_eq!(after.audit["violations"], 4);
    assert_eq!(merged.environment["segments"], 2);
    assert!(after.processes[0].name.starts_with("1 "), "{}", after.processes[0].name);
    assert_eq!(merged.verdict, loadgen::report::Verdict::ThresholdCrossed);
    assert_eq!(run::thresholds().len(), after.thresholds.len());
}

#[test]
fn what_is_not_one_test_is_not_merged() {
    let refused = |runs: Vec<(String, RunReport)>| merge(runs).expect_err("refused").to_string();
    assert_eq!(merge(Vec::new()), Err(MergeRunsError::Nothing));
    let missing = refused(vec![segment("1/3"), segment("3/3")]);
    assert!(missing.contains("segment 2/3 is missing"), "{missing}");
    let twice = refused(vec![segment("1/2"), segment("1/2"), segment("2/2")]);
    assert!(twice.contains("overlaps"), "{twice}");
    let other = refused(vec![segment("1/2"), segment("2/3")]);
    assert!(other.contains("one of 2 segments") && other.contains("one of 3"), "{other}");
    for bad in ["0/2", "3/2", "half", "1/x"] {
        assert!(refused(vec![segment(bad)]).contains("I/N"), "{bad}");
    }
    let whole = refused(vec![("a whole run".into(), PLAYED.clone())]);
    assert!(whole.contains("a whole run is no segment") && whole.contains("--segment"), "{whole}");
    let mut renamed = segment("2/2");
    renamed.1.scenario = "another".into();
    assert!(refused(vec![segment("1/2"), renamed]).contains("\"another\" instead of \"targets\""));
    let mut faster = segment("2/2");
    faster.1.environment["scale"] = json!(2.0);
    assert!(refused(vec![segment("1/2"), faster]).contains("scale"));
}

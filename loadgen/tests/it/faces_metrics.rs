//! Recording, merging, and what it costs.

use std::time::Duration;

use loadgen::metrics::{LoadState, Reading, Registry, Snapshot};
use proptest::prelude::*;

/// What one shard records before one snapshot.
#[derive(Debug, Clone)]
struct Step {
    shard: usize,
    length_ms: u64,
    times_us: Vec<u64>,
    count: u64,
    passes: Vec<bool>,
    gauge: Option<u32>,
    name: &'static str,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (
        0..3_usize,
        1..700_u64,
        proptest::collection::vec(0..5_000_000_000_u64, 0..8),
        0..1000_u64,
        proptest::collection::vec(any::<bool>(), 0..4),
        proptest::option::of(0..20_000_u32),
        prop_oneof![Just("order"), Just("status")],
    )
        .prop_map(|(shard, length_ms, times_us, count, passes, gauge, name)| Step {
            shard,
            length_ms,
            times_us,
            count,
            passes,
            gauge,
            name,
        });
    // At 700 ms at most, six steps of a shard stay within the windows that are open.
    proptest::collection::vec(step, 1..7)
}

fn snapshots(steps: &[Step]) -> Vec<(usize, Snapshot)> {
    let shards = [Registry::new(), Registry::new(), Registry::new()];
    let mut clocks = [0_u64; 3];
    let mut snapshots = Vec::new();
    for step in steps {
        let registry = &shards[step.shard];
        let tags = [("name", step.name)];
        let trend = registry.trend("http_req_duration", &tags);
        for micros in &step.times_us {
            registry.observe(trend, Duration::from_micros(*micros));
        }
        registry.add(registry.counter("http_reqs", &tags), step.count);
        let checks = registry.rate("checks", &tags);
        for pass in &step.passes {
            registry.record(checks, *pass);
        }
        if let Some(value) = step.gauge {
            registry.set(registry.gauge("ws_open", &[]), f64::from(value));
        }
        clocks[step.shard] += step.length_ms;
        let elapsed = Duration::from_millis(clocks[step.shard]);
        snapshots.push((step.shard, registry.snapshot(elapsed)));
    }
    snapshots
}

fn merged<'a>(snapshots: impl Iterator<Item = &'a (usize, Snapshot)>) -> LoadState {
    let mut state = LoadState::new();
    for (shard, snapshot) in snapshots {
        state.merge(*shard, snapshot).expect("a sound snapshot");
    }
    state
}

proptest! {
    #[test]
    fn the_order_of_snapshots_does_not_matter(steps in steps(), seed in any::<u64>()) {
        let in_order = snapshots(&steps);
        let mut shuffled = in_order.clone();
        let mut random = seed;
        for last in (1..shuffled.len()).rev() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            shuffled.swap(last, usize::try_from(random >> 33).expect("31 bits") % (last + 1));
        }
        let (a, b) = (merged(in_order.iter()), merged(shuffled.iter()));
        prop_assert_eq!(a.windows(), b.windows());
        prop_assert_eq!(a, b);
    }

    #[test]
    fn nothing_is_lost_between_recording_and_the_merged_state(steps in steps()) {
        let snapshots = snapshots(&steps);
        let text = serde_json::to_string(&snapshots).expect("snapshots are JSON");
        let read: Vec<(usize, Snapshot)> = serde_json::from_str(&text).expect("and back");
        let state = merged(read.iter());
        let times: Vec<u64> =
            steps.iter().flat_map(|step| &step.times_us).map(|us| (*us).clamp(1, 3_600_000_000)).collect();
        let trend = state.trend("http_req_duration", &[]);
        prop_assert_eq!(trend.count(), times.len() as u64);
        if let (Some(min), Some(max)) = (times.iter().min(), times.iter().max()) {
            prop_assert_eq!(trend.min_ms(), *min as f64 / 1000.0);
            prop_assert_eq!(trend.max_ms(), *max as f64 / 1000.0);
        }
        let named = ["order", "status"].map(|name| state.count("http_reqs", &[("name", name)]));
        prop_assert_eq!(named[0] + named[1], steps.iter().map(|step| step.count).sum::<u64>());
        let passes = steps.iter().flat_map(|step| &step.passes).filter(|pass| **pass).count();
        prop_assert_eq!(state.rate("checks", &[]).passes, passes as u64);
    }
}

#[test]
fn percentiles_are_exact_to_three_digits() {
    let registry = Registry::new();
    let trend = registry.trend("order_shipped", &[]);
    for micros in 1..=100_000 {
        registry.observe(trend, Duration::from_micros(micros));
    }
    let mut state = LoadState::new();
    state.merge(0, &registry.snapshot(Duration::from_secs(1))).expect("sound");
    let trend = state.trend("order_shipped", &[]);
    for percentile in [0.1, 1.0, 50.0, 95.0, 99.0, 99.9, 100.0] {
        let expected = percentile;
        let got = trend.percentile_ms(percentile);
        assert!((got - expected).abs() <= expected * 0.001 + 0.001, "p{percentile}: {got}");
    }
    assert!((trend.avg_ms() - 50.0005).abs() < 1e-9, "{}", trend.avg_ms());
}

#[test]
fn sockets_of_two_shards_add_up_and_their_peak_is_one_that_was_real() {
    let shards = [Registry::new(), Registry::new()];
    let mut state = LoadState::new();
    // The shards' peaks lie in different seconds: 900 and 800 were never open together.
    for (second, readings) in [(1, [900.0, 100.0]), (2, [300.0, 800.0]), (3, [0.0, 0.0])] {
        for (shard, registry) in shards.iter().enumerate() {
            registry.set(registry.gauge("ws_open", &[]), readings[shard]);
            let snapshot = registry.snapshot(Duration::from_secs(second));
            state.merge(shard, &snapshot).expect("sound");
        }
    }
    let open = state.gauge("ws_open", &[]).expect("it was set");
    assert_eq!((open.value, open.max, open.min), (0.0, 1100.0, 0.0));
}

#[test]
fn a_damaged_histogram_is_named_and_the_rest_is_kept() {
    let registry = Registry::new();
    registry.observe(registry.trend("send_lag", &[]), Duration::from_millis(1));
    registry.add(registry.counter("iterations", &[]), 7);
    let text = serde_json::to_string(&registry.snapshot(Duration::from_secs(1))).expect("JSON");
    let start = text.find("\"histogram\":\"").expect("a histogram") + 13;
    let damaged = format!("{}AAAA{}", &text[..start], &text[start + 4..]);
    let snapshot: Snapshot = serde_json::from_str(&damaged).expect("still JSON");
    let mut state = LoadState::new();
    let error = state.merge(0, &snapshot).expect_err("damaged").to_string();
    assert!(error.starts_with("the histogram of send_lag is damaged"), "{error}");
    assert_eq!(state.count("iterations", &[]), 7);
}

#[test]
fn memory_is_bounded_and_nothing_is_lost_however_long_a_run() {
    let registry = Registry::new();
    let trend = registry.trend("http_req_duration", &[("name", "order")]);
    let reqs = registry.counter("http_reqs", &[]);
    let mut state = LoadState::new();
    let seconds = 4000;
    for second in 1..=seconds {
        registry.observe(trend, Duration::from_millis(1 + second % 50));
        registry.add(reqs, 10);
        let snapshot = registry.snapshot(Duration::from_secs(second));
        state.merge(0, &snapshot).expect("sound");
    }
    let windows = state.windows();
    assert!(windows.len() < 900 + 400, "{}", windows.len());
    assert!(windows.iter().is_sorted_by_key(|window| window.start_ms));
    let counted: u64 = windows
        .iter()
        .filter_map(|window| match window.reading("http_reqs", None)? {
            Reading::Counter { count, per_second } => {
                assert!((per_second - 10.0).abs() < 1e-9, "{per_second}");
                Some(count)
            }
            _ => None,
        })
        .sum();
    assert_eq!(counted, seconds * 10);
    let intervals = state.intervals();
    assert!(intervals.len() <= 181, "{}", intervals.len());
    let logged: u64 = intervals
        .iter()
        .flat_map(|interval| interval.histograms())
        .filter(|(key, _)| key.name.is_none())
        .map(|(_, histogram)| histogram.len())
        .sum();
    assert_eq!(logged, seconds);
}

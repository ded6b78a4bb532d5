//! Two runs side by side.

use std::time::Duration;

use loadgen::compare::{Comparison, Finding};
use loadgen::metrics::{LoadState, Registry};
use loadgen::report::RunReport;

use super::report::report;

fn compared(a: &RunReport, b: &RunReport) -> Comparison {
    Comparison::of(("reports/a", a), ("reports/b", b))
}

/// A run whose orders take so long, ten thousand times, with so many failures.
fn run(millis: u64, failures: u64) -> RunReport {
    let mut run = report(&["shop"]);
    let registry = Registry::new();
    let trend = registry.trend("http_req_duration", &[("name", "order")]);
    let failed = registry.rate("http_req_failed", &[]);
    for at in 0..10_000_u64 {
        registry.observe(trend, Duration::from_micros(millis * (500 + at % 1000)));
        registry.record(failed, at < failures);
    }
    registry.add(registry.counter("http_reqs", &[("name", "order")]), 10_000);
    let mut load = LoadState::new();
    load.merge(0, &registry.snapshot(Duration::from_secs(60))).expect("a sound snapshot");
    run.phases[0].load = load;
    run
}

#[test]
fn a_run_does_not_differ_from_itself() {
    let run = report(&["shop", "again"]);
    let comparison = compared(&run, &run);
    assert!(comparison.notes.is_empty(), "{:?}", comparison.notes);
    let rows: Vec<_> = comparison.phases.iter().flat_map(|phase| &phase.rows).collect();
    assert!(rows.len() > 60, "{} rows", rows.len());
    assert!(rows.iter().all(|row| matches!(row.finding, Finding::Unclear | Finding::NotJudged)));
    assert_eq!(comparison.regressions(0.0).count(), 0);
}

#[test]
fn slower_and_more_failures_are_told_and_are_regressions() {
    let (fast, slow) = (run(10, 0), run(12, 400));
    let comparison = compared(&fast, &slow);
    let row = |subject: &str, figure: &str| {
        let rows = &comparison.phases[0].rows;
        rows.iter().find(|row| row.subject == subject && row.figure == figure).expect(subject)
    };
    assert_eq!(row("http_req_duration{name:order}", "p95").words, "slower");
    assert_eq!(row("http_req_failed", "share").words, "more: worse");
    assert_eq!(row("http_reqs", "per second").words, "no clear difference");
    let worse: Vec<&str> =
        comparison.regressions(10.0).map(|(_, row)| row.figure.as_str()).collect();
    assert!(worse.contains(&"p50") && worse.contains(&"share"), "{worse:?}");
    assert!(comparison.regressions(30.0).all(|(_, row)| row.figure == "share"), "20 % are no 30");
    assert_eq!(compared(&slow, &fast).regressions(0.0).count(), 0, "the other way it is better");
}

#[test]
fn for_a_terminal_and_for_a_pull_request() {
    let (fast, slow) = (run(10, 0), run(12, 400));
    let mut slow = slow;
    slow.environment = serde_json::json!({ "cores": 4 });
    let comparison = compared(&fast, &slow);
    insta::assert_snapshot!(comparison.text());
    insta::assert_snapshot!(comparison.markdown());
    let json = serde_json::to_value(&comparison).expect("JSON");
    assert!(json["caveat"].as_str().is_some_and(|text| text.contains("One run each")));
    assert_eq!(json["phases"][0]["rows"][0]["unit"], "milliseconds");
}

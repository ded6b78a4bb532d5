//! One run in every format.

use std::time::Duration;

use chrono::DateTime;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use loadgen::report::{
    self, Disturbance, DisturbanceKind, PhaseReport, ProcessUsage, RatePlan, Recovery, RunReport,
    UsageLine, UsagePoint, Verdict,
};
use loadgen::threshold::evaluate_all;
use serde_json::{Value, json};

use super::run::{self, Run};

fn audit() -> Value {
    let check = |name: &str, violations: u64| {
        json!({
            "name": name,
            "claim": "each order that was created is in the log exactly once",
            "passed": violations == 0,
            "looked_at": { "orders": 60_000, "records": 240_000, "frames": 0 },
            "violations": violations,
            "examples": (0..violations).map(|order| json!({
                "order_id": format!("order-{order}"),
                "what": "was charged twice",
                "timeline": ["12.000 s orders/0@7 created", "12.020 s payment/0@9 paid"],
            })).collect::<Vec<_>>(),
        })
    };
    json!({
        "verdict": "violations", "orders": 60_000, "ended": 60_000, "records": 240_000, "repeats": 12,
        "lost_races": 0, "violations": 2,
        "checks": [check("accepted-once", 0), check("money-adds-up", 2)],
    })
}

/// What the processes used, a point every two seconds.
fn usage(run: &Run) -> Vec<UsageLine> {
    let line = |process: &ProcessUsage| {
        let at = |second: u64| UsagePoint {
            at_s: second as f64,
            cpu_percent: process.cpu_percent * (1.0 + 0.2 * (second as f64 / 5.0).sin()),
            pss_bytes: process.pss_bytes * (second + 10) / (run::TOTAL_S + 10),
        };
        let points = (0..=run::TOTAL_S).step_by(2).map(at).collect();
        UsageLine { name: process.name.clone(), points }
    };
    run.processes().iter().map(line).collect()
}

pub(crate) fn report(phases: &[&str]) -> RunReport {
    let run = Run::at(run::TOTAL_S);
    let duration = Duration::from_secs(run::TOTAL_S);
    let started_at = DateTime::from_timestamp(1_800_000_000, 0).expect("a time");
    let phase = |name: &&str| PhaseReport {
        name: (*name).to_owned(),
        started_at,
        duration,
        judged_over: duration,
        plan: RatePlan::new("orders_created", &[(0.0, 1000.0), (60.0, 1000.0)]),
        load: run.load.clone(),
        thresholds: evaluate_all(&run::thresholds(), &run.load, duration),
        validity: run::validity(&run.load),
        audit: audit(),
        audit_lines: vec!["✓ 60,000 orders created: each is in the log exactly once".into()],
        processes: run.processes(),
        recovery: vec![Recovery {
            service: "payment".into(),
            killed_at: Duration::from_secs(32),
            recovered_in: Some(Duration::from_millis(1200)),
        }],
        usage: usage(&run),
        disturbances: vec![Disturbance {
            kind: DisturbanceKind::Kill,
            what: "payment".into(),
            from: Duration::from_secs(32),
            until: Some(Duration::from_millis(33_200)),
        }],
    };
    RunReport {
        scenario: "targets".into(),
        started_at,
        verdict: Verdict::ThresholdCrossed,
        environment: json!({ "cores": 2 }),
        phases: phases.iter().map(phase).collect(),
    }
}

#[test]
fn the_summary_has_the_shape_that_k6_users_know() {
    let text = serde_json::to_string_pretty(&report::summary(&report(&["shop"]))).expect("JSON");
    insta::assert_snapshot!(text);
}

#[test]
fn several_phases_stand_under_their_names() {
    let summary = report::summary(&report(&["shop", "kafka"]));
    assert_eq!(summary["exit_code"], 99);
    assert_eq!(summary["metrics"], Value::Null);
    for phase in ["shop", "kafka"] {
        let metrics = &summary["phases"][phase]["metrics"];
        assert_eq!(metrics["http_req_duration{name:order}"]["thresholds"]["p(95)<200"], false);
        assert_eq!(metrics["availability"]["thresholds"]["rate>=0.999"], true);
    }
}

#[test]
fn for_the_terminal() {
    insta::assert_snapshot!(report::text_in(&report(&["shop"]), false));
    let colored = report::text_in(&report(&["shop"]), true);
    assert!(colored.contains("\u{1b}[31m✗"), "a crossed threshold is red");
}

#[test]
fn for_a_pull_request() {
    insta::assert_snapshot!(report::markdown(&report(&["shop"])));
}

#[test]
fn every_format_is_written_and_the_interval_log_holds_every_sample() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = report(&["shop", "again"]);
    let files = report::write_all(folder.path(), &run).expect("a writable folder");
    let names: Vec<_> = files.iter().filter_map(|file| file.file_name()?.to_str()).collect();
    let wanted =
        ["summary.json", "report.html", "summary.md", "summary.txt", "junit.xml", "timeline.csv"];
    assert_eq!(names[..6], wanted);
    assert_eq!(names[6..], ["latency.hlog", "run.json.gz"]);
    let log = std::fs::read(folder.path().join("latency.hlog")).expect("the log");
    let mut samples = 0;
    for entry in IntervalLogIterator::new(&log) {
        if let LogEntry::Interval(interval) = entry.expect("a line of the standard format")
            && interval.tag().is_some_and(|tag| tag.as_str() == "shop:http_req_duration:order")
        {
            let mut text = interval.encoded_histogram().as_bytes();
            let mut bytes = Vec::new();
            let mut reader = base64::read::DecoderReader::new(
                &mut text,
                &base64::engine::general_purpose::STANDARD,
            );
            std::io::Read::read_to_end(&mut reader, &mut bytes).expect("base64");
            let histogram: hdrhistogram::Histogram<u64> =
                hdrhistogram::serialization::Deserializer::new()
                    .deserialize(&mut bytes.as_slice())
                    .expect("a histogram");
            samples += histogram.len();
        }
    }
    let orders = run.phases[0].load.trend("http_req_duration", &[("name", "order")]).count();
    assert_eq!(samples, orders);
    let missing = report::write_all(&folder.path().join("missing"), &run).expect_err("no folder");
    assert!(missing.to_string().contains("summary.json"), "{missing}");
}

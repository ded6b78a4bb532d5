//! `report.html`: needs nothing else, leaves nothing out, lets nothing in.

use std::time::Duration;

use loadgen::metrics::{LoadState, Registry};
use loadgen::report::{RunReport, html};
use loadgen::threshold::{Threshold, evaluate_all};

use super::report::report;
use super::run;

fn page(run: &RunReport) -> String {
    html(run).expect("the page is rendered")
}

#[test]
fn the_page_needs_nothing_from_elsewhere() {
    let page = page(&report(&["shop", "again"]));
    for outside in [
        "http://", "https://", "//cdn", "<link", "<script", "<img", "<iframe", "url(", "@import",
        "src=",
    ] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.contains("prefers-color-scheme: dark") && page.contains("name=\"viewport\""));
}

#[test]
fn every_threshold_check_and_picture_is_there() {
    let run = report(&["shop"]);
    let page = page(&run);
    for threshold in run::thresholds() {
        let (selector, expression) = (threshold.selector(), threshold.expression.to_string());
        let expression = expression.replace('<', "&#60;").replace('>', "&#62;");
        assert!(page.contains(&format!("<code>{selector}</code>")), "{selector}");
        assert!(page.contains(&expression), "{expression}");
    }
    for part in [
        "THRESHOLD CROSSED",
        "accepted-once",
        "money-adds-up",
        "2 violations",
        "was charged twice",
        "no data",
        "status is 201",
        "HTTP 503",
        "doorbuster",
        "cores",
    ] {
        assert!(page.contains(part), "{part}");
    }
    for title in [
        "Rate",
        "response time: order",
        "Percentiles",
        "Open WebSockets",
        "Virtual users",
        "Errors",
        "Send lag",
    ] {
        assert!(page.contains(&format!("<title>{title}</title>")), "{title}");
    }
    let (charts, described) =
        (page.matches("<svg").count(), page.matches("role=\"img\" aria-label").count());
    assert!(charts >= 20 && described >= charts, "{charts} pictures, {described} described");
    assert_eq!(
        page.matches("class=\"band kill\"").count(),
        page.matches("<figure").count() - 1,
        "all but percentiles"
    );
}

const HOSTILE: &str = "</title><script>alert('x')</script>\"&{{7*7}}";

#[test]
fn names_that_look_like_markup_stay_text() {
    let mut run = report(&[HOSTILE, "two"]);
    run.scenario = HOSTILE.into();
    run.environment = serde_json::json!({ HOSTILE: HOSTILE });
    let registry = Registry::new();
    registry.record(registry.rate("checks", &[("check", HOSTILE)]), false);
    registry.observe(
        registry.trend("http_req_duration", &[("name", HOSTILE)]),
        Duration::from_millis(3),
    );
    registry.add(registry.counter("http_reqs", &[("name", HOSTILE), ("error", HOSTILE)]), 3);
    let mut load = LoadState::new();
    load.merge(0, &registry.snapshot(Duration::from_secs(1))).expect("a sound snapshot");
    let phase = &mut run.phases[0];
    phase.load = load;
    phase.plan.metric = HOSTILE.into();
    phase.disturbances[0].what = HOSTILE.into();
    phase.processes[0].name = HOSTILE.into();
    phase.recovery[0].service = HOSTILE.into();
    phase.validity.reason = Some(HOSTILE.into());
    phase.audit["checks"][0]["claim"] = HOSTILE.into();
    phase.audit["checks"][1]["examples"][0]["timeline"][0] = HOSTILE.into();
    let page = page(&run);
    assert!(!page.contains("<script"), "a name became a script");
    assert!(page.matches("&#60;script&#62;alert").count() >= 12, "the names are shown");
    assert_eq!(page.matches("</title>").count(), page.matches("<title>").count());
}

#[test]
fn a_run_without_a_shop_has_a_page_too() {
    let mut run = report(&["http"]);
    let registry = Registry::new();
    registry.observe(
        registry.trend("http_req_duration", &[("name", "index")]),
        Duration::from_millis(3),
    );
    let mut load = LoadState::new();
    load.merge(0, &registry.snapshot(Duration::from_secs(1))).expect("a sound snapshot");
    let phase = &mut run.phases[0];
    phase.load = load;
    phase.audit = serde_json::Value::Null;
    (phase.processes, phase.usage, phase.recovery, phase.disturbances) = Default::default();
    phase.thresholds.clear();
    phase.plan.points.clear();
    let page = page(&run);
    assert!(page.contains("response time: index") && page.contains("has no thresholds"));
    assert!(
        !page.contains("<h3>Audit")
            && !page.contains("<h3>Pipeline")
            && !page.contains("<h3>Processes")
    );
}

#[test]
fn twenty_minutes_make_no_larger_page_than_they_must() {
    let size = |seconds: u64| {
        let mut run = report(&["shop"]);
        let long = run::Run::at(seconds);
        let duration = Duration::from_secs(seconds);
        let thresholds: Vec<Threshold> = run::thresholds();
        let phase = &mut run.phases[0];
        (phase.duration, phase.judged_over) = (duration, duration);
        phase.thresholds = evaluate_all(&thresholds, &long.load, duration);
        phase.load = long.load;
        page(&run).len()
    };
    let (minutes, twenty) = (size(300), size(1200));
    assert!(twenty < minutes * 5 / 4, "{minutes} bytes for 5 minutes, {twenty} for 20");
    assert!(twenty < 300_000, "{twenty} bytes");
}

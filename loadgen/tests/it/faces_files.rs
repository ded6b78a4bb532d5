//! The files that a run leaves for programs: JSON by its schema, JUnit, CSV, and the saved run.

use std::io::Write as _;
use std::time::Duration;

use loadgen::report::{self, FORMATS, RunReport};
use serde_json::{Value, json};

use super::report::report;

fn file(run: &RunReport, name: &str) -> String {
    let format = FORMATS.iter().find(|format| format.name() == name).expect(name);
    String::from_utf8(format.render(run).expect(name)).expect("text")
}

fn complaints(summary: &Value) -> Vec<String> {
    let schema = include_str!("../../../reports/schema.json");
    let schema: Value = serde_json::from_str(schema).expect("the schema is JSON");
    jsonschema::meta::validate(&schema).expect("the schema is one");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    validator
        .iter_errors(summary)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

#[test]
fn summaries_are_as_the_schema_says() {
    for phases in [&["shop"][..], &["shop", "kafka"], &[]] {
        let summary = report::summary(&report(phases));
        assert_eq!(complaints(&summary), Vec::<String>::new(), "{phases:?}");
    }
    let mut empty = report(&["nothing"]);
    let phase = &mut empty.phases[0];
    phase.load = Default::default();
    phase.audit = Value::Null;
    phase.thresholds =
        loadgen::threshold::evaluate_all(&super::run::thresholds(), &phase.load, Duration::ZERO);
    (phase.processes, phase.usage, phase.recovery, phase.disturbances) = Default::default();
    assert_eq!(complaints(&report::summary(&empty)), Vec::<String>::new());
}

#[test]
fn the_schema_refuses_what_is_no_summary() {
    let summary = report::summary(&report(&["shop"]));
    type Spoil = (&'static str, fn(&mut Value));
    let spoilt: [Spoil; 6] = [
        ("no metrics", |summary| drop(summary.as_object_mut().unwrap().remove("metrics"))),
        ("a verdict of its own", |summary| summary["verdict"] = json!("fine")),
        ("a count below 0", |summary| summary["metrics"]["http_reqs"]["count"] = json!(-1)),
        ("a time in words", |summary| {
            summary["metrics"]["http_req_duration"]["med"] = json!("3 ms")
        }),
        ("no generator", |summary| summary["generator"] = Value::Null),
        ("an audit without checks", |summary| summary["audit"] = json!({ "verdict": "pass" })),
    ];
    for (what, spoil) in spoilt {
        let mut summary = summary.clone();
        spoil(&mut summary);
        assert!(!complaints(&summary).is_empty(), "{what} was accepted");
    }
}

#[test]
fn junit_has_a_suite_for_each_phase_and_a_case_for_all_that_can_fail() {
    let mut run = report(&["shop", "<kafka> & more"]);
    run.phases[1].validity.valid = false;
    insta::assert_snapshot!(file(&run, "junit"));
}

#[test]
fn the_time_line_has_a_row_for_each_window_and_series() {
    let run = report(&["shop"]);
    let csv = file(&run, "csv");
    let rows: usize =
        run.phases[0].load.windows().iter().map(|window| window.readings().count()).sum();
    assert_eq!(csv.lines().count(), rows + 1);
    let tenth: Vec<&str> = csv.lines().filter(|line| line.starts_with("shop,10,")).collect();
    insta::assert_snapshot!(
        [&[csv.lines().next().expect("a head")], &tenth[..]].concat().join("\n")
    );
}

#[test]
fn a_saved_run_is_the_same_run_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = report(&["shop", "again"]);
    report::write_all(folder.path(), &run).expect("a writable folder");
    let again = report::load(folder.path()).expect("the saved run");
    let by_file = report::load(&folder.path().join(report::ARCHIVE_FILE)).expect("the saved run");
    for format in FORMATS.iter().filter(|format| format.name() != "archive") {
        let (before, after) = (format.render(&run), format.render(&again));
        assert!(before.expect("rendered") == after.expect("rendered"), "{} differs", format.name());
    }
    assert_eq!(again, by_file);
    let size = std::fs::metadata(folder.path().join(report::ARCHIVE_FILE)).expect("the file").len();
    assert!(size < 400_000, "{size} bytes for two minutes");
}

#[test]
fn what_is_no_saved_run_is_refused_with_a_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let said = |text: &[u8]| {
        let file = folder.path().join("run.json.gz");
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text).expect("memory");
        std::fs::write(&file, gzip.finish().expect("memory")).expect("a writable folder");
        report::load(folder.path()).expect_err("no saved run").to_string()
    };
    let missing = report::load(folder.path()).expect_err("nothing there").to_string();
    assert!(missing.contains("name a folder that `doorbuster run` has written"), "{missing}");
    assert!(said(b"not JSON").contains("damaged"));
    let newer = said(
        br#"{"format":"doorbuster-run","version":99,"written_by":"9.9.9","run":{"new":true}}"#,
    );
    assert!(newer.contains("version 99") && newer.contains("9.9.9"), "{newer}");
    let other = said(br#"{"format":"shopping-list","version":1,"written_by":"me","run":{}}"#);
    assert!(other.contains("shopping-list"), "{other}");
    assert!(
        said(br#"{"format":"doorbuster-run","version":1,"written_by":"1","run":{}}"#)
            .contains("scenario")
    );
    std::fs::write(folder.path().join("run.json.gz"), b"no gzip").expect("a writable folder");
    let plain = report::load(folder.path()).expect_err("no gzip").to_string();
    assert!(plain.contains("damaged"), "{plain}");
}

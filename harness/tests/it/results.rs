//! What a real run leaves behind: rendered again, compared, refused.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::process::{one_shop, output, text};

/// Messages through the broker alone: no services, so it is over soon.
const PIPE: &str = "\
name = \"pipe\"
sendLagLimit = \"60s\"
[shop]
services = false
[scenarios.pipe]
executor = \"constant-arrival-rate\"
exec = \"kafka-pipe\"
rate = 10
duration = \"2s\"
preAllocatedVUs = 20
params = { messages = 20 }
[thresholds]
\"kafka_messages_received\" = [\"count==400\"]
";

/// Runs it once; the run's folder.
fn run(folder: &tempfile::TempDir) -> PathBuf {
    let file = folder.path().join("pipe.toml");
    fs::write(&file, PIPE).unwrap();
    let reports = folder.path().join("reports");
    let ended = output(&[
        "run",
        file.to_str().unwrap(),
        "--no-tui",
        "--reports",
        reports.to_str().unwrap(),
    ]);
    assert_eq!(ended.status.code(), Some(0), "{}{}", text(&ended.stdout), text(&ended.stderr));
    fs::read_dir(&reports).unwrap().next().unwrap().unwrap().path()
}

fn complaints(summary: &Value) -> Vec<String> {
    let schema: Value = serde_json::from_str(include_str!("../../../reports/schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    validator
        .iter_errors(summary)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

#[test]
fn a_real_runs_files_are_there_valid_and_made_again() {
    let _turn = one_shop();
    let folder = tempfile::tempdir().unwrap();
    let run = run(&folder);
    let place = run.to_str().unwrap();
    let read = |name: &str| fs::read_to_string(run.join(name)).expect(name);
    let summary = read("summary.json");
    assert_eq!(complaints(&serde_json::from_str(&summary).unwrap()), Vec::<String>::new());
    let page = read("report.html");
    assert!(page.contains("Kafka: produced → consumed") && page.contains("broker"), "{page}");
    assert!(read("junit.xml").contains("kafka_messages_received: count==400"));
    assert!(read("timeline.csv").lines().count() > 10);
    for name in ["summary.json", "report.html", "junit.xml"] {
        fs::remove_file(run.join(name)).unwrap();
    }
    let again = output(&["report", place]);
    assert_eq!(again.status.code(), Some(0), "{}", text(&again.stderr));
    assert_eq!((read("summary.json"), read("report.html")), (summary.clone(), page));
    let printed = output(&["report", place, "--format", "json", "--stdout"]);
    assert_eq!(text(&printed.stdout), summary);
    let unknown = output(&["report", place, "--format", "pdf"]);
    assert_eq!(unknown.status.code(), Some(104));
    assert!(text(&unknown.stderr).contains("use json, html"), "{}", text(&unknown.stderr));
    compared_with_itself(place);
    merged_with_itself(place);
}

fn compared_with_itself(run: &str) {
    let compared = output(&["compare", run, run, "--fail-on-regression", "0"]);
    let said = text(&compared.stdout);
    assert_eq!(compared.status.code(), Some(0), "{said}");
    assert!(said.contains("kafka_latency p95") && said.contains("no clear difference"), "{said}");
    assert!(!said.contains("slower") || said.contains("One run each"), "{said}");
    let json = output(&["compare", run, run, "--json"]);
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["phases"][0]["name"], "pipe");
}

fn merged_with_itself(run: &str) {
    let merged = output(&["merge", run, run]);
    assert_eq!(merged.status.code(), Some(104));
    assert!(text(&merged.stderr).contains("--segment"), "{}", text(&merged.stderr));
}

#[test]
fn a_folder_that_is_no_run_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap();
    for arguments in [&["report", place][..], &["compare", place, place], &["merge", place, place]]
    {
        let refused = output(arguments);
        assert_eq!(refused.status.code(), Some(104), "{arguments:?}");
        assert!(text(&refused.stderr).contains("run.json.gz"), "{}", text(&refused.stderr));
    }
}

#[test]
fn two_segments_of_a_run_are_merged_into_one() {
    let _turn = one_shop();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pipe.toml");
    fs::write(&file, PIPE).unwrap();
    let reports = folder.path().join("reports");
    for segment in ["1/2", "2/2"] {
        let arguments = ["run", file.to_str().unwrap(), "--no-tui", "--segment", segment];
        let to = ["--reports", reports.to_str().unwrap()];
        let ended = output(&[&arguments[..], &to].concat());
        assert_eq!(
            ended.status.code(),
            Some(99),
            "half of the messages only: {}",
            text(&ended.stdout)
        );
    }
    let mut runs: Vec<String> = fs::read_dir(&reports)
        .unwrap()
        .map(|entry| entry.unwrap().path().to_str().unwrap().to_owned())
        .collect();
    runs.sort();
    let to = folder.path().join("merged");
    let merged = output(&["merge", &runs[0], &runs[1], "--to", to.to_str().unwrap()]);
    let said = format!("{}{}", text(&merged.stdout), text(&merged.stderr));
    assert_eq!(merged.status.code(), Some(0), "{said}");
    let summary = crate::process::summary(&to);
    assert_eq!(summary["metrics"]["kafka_messages_received"]["count"], 400, "{said}");
    assert_eq!(complaints(&summary), Vec::<String>::new());
    assert!(said.contains("began"), "one after the other is no one load: {said}");
}

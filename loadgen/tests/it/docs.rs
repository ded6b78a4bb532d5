//! The references in `docs/` have everything that there is.

use loadgen::flow::NAMES as FLOWS;
use loadgen::metrics::Unit;
use loadgen::metrics::builtin::METRICS;
use loadgen::scenario::EXECUTORS;

fn document(name: &str) -> String {
    let path = format!("{}/../docs/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn every_metric_stands_in_the_reference_as_in_the_register() {
    let document = document("metrics.md");
    for metric in METRICS {
        let unit = match metric.unit {
            Unit::Count => "",
            Unit::Bytes => "bytes",
            Unit::Milliseconds => "ms",
            Unit::Share => "0 to 1",
        };
        let row = format!("| `{}` | {} | {unit} | {} |", metric.name, metric.kind, metric.help);
        assert!(document.contains(&row), "docs/metrics.md lacks this line:\n{row}");
    }
    let rows = document.lines().skip_while(|line| !line.starts_with("| metric")).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|')).count();
    assert_eq!(rows, METRICS.len(), "docs/metrics.md names a metric that there is no longer");
}

#[test]
fn every_key_that_a_scenario_may_have_stands_in_the_reference() {
    let document = document("scenarios.md");
    let executors = EXECUTORS.map(|executor| {
        format!("[scenarios.{executor}]\nexecutor = {executor:?}\nexec = \"watch-order\"\n")
    });
    let flows = ["kafka-pipe", "check-inventory"]
        .map(|flow| format!("[scenarios.{flow}]\nexecutor = \"constant-vus\"\nexec = {flow:?}\n"));
    let one = format!(
        "name = \"all\"\n{}{}[scenarios.s]\nexecutor = \"ramping-vus\"\nexec = \"place-order\"\n\
         stages = [{{}}]\n[thresholds]\nchecks = {{}}\n",
        executors.concat(),
        flows.concat(),
    );
    let phases = format!("{one}[[phases]]\n");
    let mut keys = loadgen::scenario::keys(&one);
    keys.extend(loadgen::scenario::keys(&phases));
    assert!(keys.len() > 30, "{keys:?}");
    for key in keys {
        let mentioned = [format!("`{key}`"), format!("{key} =")];
        assert!(
            mentioned.iter().any(|text| document.contains(text)),
            "docs/scenarios.md does not mention `{key}`"
        );
    }
    for name in EXECUTORS.iter().chain(FLOWS.iter()) {
        assert!(document.contains(&format!("`{name}`")), "docs/scenarios.md lacks `{name}`");
    }
}

//! `doorbuster gate` with real processes: programs that take no time and say what a build of such a speed would.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::process::{output, text};

/// A build whose times are so many percent of the ordinary, within 3 % of it from run to run, and that ends with
/// this code.
fn build(folder: &Path, name: &str, percent: u32, code: u8) -> PathBuf {
    let script = format!(
        "#!/bin/sh
case \"$*\" in *--help*) echo '--reports DIR'; exit 0;; esac
for last; do :; done
mkdir -p \"$last/run\"
runs=$(cat '{counter}' 2>/dev/null || echo 0)
echo $((runs + 1)) > '{counter}'
wobble=$(( (runs * 7919 + {percent}) % 7 - 3 ))
time=$(( {percent} * (100 + wobble) ))
echo \"{name} $last\" >> '{log}'
cat > \"$last/run/summary.json\" <<END
{{\"scenario\": \"fake\", \"metrics\": {{
 \"http_req_duration\": {{\"count\": 9, \"med\": $time, \"p(95)\": $(( time * 2 )), \"p(99)\": $(( time * 3 ))}},
 \"http_reqs\": {{\"count\": 1000, \"rate\": 100}}}},
 \"processes\": {{\"shop\": {{\"cpu_seconds\": $time}}}}}}
END
exit {code}
",
        counter = folder.join(format!("{name}.count")).display(),
        log = folder.join("order.log").display(),
    );
    let path = folder.join(name);
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// Gates with a few pairs, or as `more` says.
fn gate(folder: &Path, base: &Path, head: &Path, more: &[&str]) -> (Option<i32>, String, String) {
    let place = |path: &Path| path.to_str().unwrap().to_owned();
    let (base, head, to) = (place(base), place(head), place(&folder.join("runs")));
    let mut arguments = vec!["gate", "--base", &base, "--head", &head, "--to", &to];
    arguments.extend(more);
    if !more.contains(&"--pairs") {
        arguments.extend(["--pairs", "4"]);
    }
    let output = output(&arguments);
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_build_passes_against_itself_in_turn() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (base, head) = (build(folder, "base", 100, 0), build(folder, "head", 100, 99));
    let (code, said, errors) = gate(folder, &base, &head, &["--json"]);
    assert_eq!(code, Some(0), "{said}{errors}");
    let judgement: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(judgement["standing"], "pass", "{said}");
    assert_eq!(judgement["figures"].as_array().map(Vec::len), Some(5));
    let order = fs::read_to_string(folder.join("order.log")).unwrap();
    let order: Vec<&str> = order.lines().filter_map(|line| line.split(' ').next()).collect();
    let abba = ["base", "head", "head", "base", "base", "head", "head", "base"];
    assert_eq!(order[..8], abba);
}

#[test]
fn a_tenth_slower_fails_and_says_where() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (base, head) = (build(folder, "base", 100, 0), build(folder, "head", 110, 0));
    let (code, said, errors) = gate(folder, &base, &head, &["--pairs", "8", "--markdown"]);
    assert_eq!(code, Some(99), "{said}{errors}");
    assert!(said.contains("❌ Gate: FAIL") && said.contains("| ❌ | fake | p50 |"), "{said}");
    assert!(said.contains("| ✅ | fake | p99 |"), "15 % are allowed: {said}");
}

#[test]
fn what_cannot_be_judged_ends_with_a_code_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let base = build(folder, "base", 100, 0);
    for (name, ends, code) in [("late", 90, 90), ("wrong", 91, 91), ("broken", 104, 104)] {
        let head = build(folder, name, 100, ends);
        let (ended, said, errors) = gate(folder, &base, &head, &[]);
        assert_eq!(ended, Some(code), "{name}: {said}{errors}");
    }
    let (ended, _, errors) = gate(folder, &base, &folder.join("nowhere"), &[]);
    assert_eq!(ended, Some(104));
    assert!(errors.contains("there is no such program"), "{errors}");
    let (ended, _, errors) = gate(folder, &base, Path::new("/bin/true"), &[]);
    assert_eq!(ended, Some(104));
    assert!(errors.contains("no doorbuster"), "{errors}");
}

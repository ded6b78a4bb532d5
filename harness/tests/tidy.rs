//! What the compiler does not check: who may know whom (DESIGN §1), and how long a file gets.

use std::fs;
use std::path::{Path, PathBuf};

/// The workspace's packages: folder, name, and which of ours each may depend on.
const MAY_USE: [(&str, &str, &[&str]); 6] = [
    ("sim", "sim", &[]),
    ("services/contract", "contract", &[]),
    ("services", "services", &["contract"]),
    ("loadgen", "loadgen", &["contract"]),
    ("harness", "doorbuster", &["sim", "contract", "services", "loadgen"]),
    ("benches", "benches", &["sim", "contract", "services", "loadgen"]),
];

/// Lines in a file, beyond which it is split.
const MAX_LINES: usize = 400;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn manifest(folder: &str) -> toml::Table {
    let path = root().join(folder).join("Cargo.toml");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    text.parse().unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of ours").flatten() {
        let path = entry.path();
        if path.is_dir() && !path.ends_with("target") && !path.ends_with("node_modules") {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn no_package_knows_one_that_it_must_not_know() {
    let ours: Vec<&str> = MAY_USE.iter().map(|(_, name, _)| *name).collect();
    for (folder, name, allowed) in MAY_USE {
        let manifest = manifest(folder);
        assert_eq!(manifest["package"]["name"].as_str(), Some(name), "{folder}");
        let dependencies = manifest["dependencies"].as_table().expect("a table");
        for dependency in dependencies.keys().filter(|key| ours.contains(&key.as_str())) {
            assert!(
                allowed.contains(&dependency.as_str()),
                "{name} depends on {dependency}: ARCHITECTURE.md does not allow that arrow"
            );
        }
    }
}

#[test]
fn every_member_of_the_workspace_is_in_the_table() {
    let manifest = manifest(".");
    let members = manifest["workspace"]["members"].as_array().expect("members");
    for member in members.iter().filter_map(toml::Value::as_str) {
        assert!(MAY_USE.iter().any(|(folder, ..)| *folder == member), "{member} is new: add it");
    }
}

#[test]
fn files_stay_short_enough_to_be_read() {
    let mut found = Vec::new();
    for (folder, ..) in MAY_USE {
        sources(&root().join(folder), &mut found);
    }
    found.sort();
    found.dedup();
    assert!(found.len() > 50, "the search found only {} files", found.len());
    let long: Vec<String> = found
        .iter()
        .map(|path| (path, fs::read_to_string(path).expect("readable").lines().count()))
        .filter(|(_, lines)| *lines > MAX_LINES)
        .map(|(path, lines)| format!("{}: {lines} lines", path.display()))
        .collect();
    assert!(long.is_empty(), "longer than {MAX_LINES} lines:\n{}", long.join("\n"));
}

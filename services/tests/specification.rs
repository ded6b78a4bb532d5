//! `SPECIFICATION.md` names a test for each line of the specification: each of them exists.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Where tests are looked for, from the workspace's root.
const SOURCES: [&str; 3] = ["services", "harness", "loadgen"];

/// Rows that need no test of ours: their lines belong elsewhere, or a command judges them.
const ELSEWHERE: [&str; 3] = ["*page*", "*deployment*", "*`.ci/coverage`*"];

/// Sections of the specification that the page goes through.
const SECTIONS: [&str; 20] = [
    "2.1", "2.2", "2.3", "3.1", "3.2", "4.1", "4.2", "4.3", "5.1", "5.2", "6.1", "6.2", "6.3",
    "9.1", "9.2", "9.3", "10.1", "10.2", "10.3", "10.4",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn page() -> String {
    fs::read_to_string(root().join("services/SPECIFICATION.md")).unwrap()
}

/// A line of a table: what the specification says, where it is, its tests.
struct Row {
    line: String,
    place: String,
    tests: String,
}

fn rows(page: &str) -> Vec<Row> {
    let cells = page.lines().filter(|line| line.starts_with("| ")).map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [line, place, tests] = cells.as_slice() else { panic!("not three cells: {line}") };
        Row { line: (*line).to_owned(), place: (*place).to_owned(), tests: (*tests).to_owned() }
    });
    cells.filter(|row| row.line != "the specification says").collect()
}

/// What stands between back quotes.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The names of all tests in a folder.
fn tests(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.ends_with("target") && !path.ends_with("node_modules") {
            tests(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.extend(tests_of(&fs::read_to_string(path).unwrap()));
        }
    }
}

/// The functions that follow a test's attribute, and those with arguments inside `proptest!`.
fn tests_of(source: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut marked = false;
    for line in source.lines().map(str::trim_start) {
        marked |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        let name = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
        if let Some(name) = name.filter(|_| std::mem::take(&mut marked)) {
            names.extend(name.split('(').next().map(str::to_owned));
        }
    }
    names
}

#[test]
fn every_line_of_the_specification_names_tests_that_exist() {
    let mut known = BTreeSet::new();
    for folder in SOURCES {
        tests(&root().join(folder), &mut known);
    }
    assert!(known.len() > 200, "the search found only {} tests", known.len());
    let page = page();
    let mut wrong = Vec::new();
    for row in rows(&page) {
        let named = quoted(&row.tests);
        if ELSEWHERE.contains(&row.tests.as_str()) {
            continue;
        }
        if named.is_empty() {
            wrong.push(format!("no test: {}", row.line));
        }
        let unknown = named.into_iter().filter(|name| !known.contains(*name));
        wrong.extend(unknown.map(|name| format!("there is no test {name}: {}", row.line)));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What is promised to clients and cannot be provoked from outside is seen by another test, which exists.
#[test]
fn promises_that_other_tests_see_kept_name_them() {
    let mut known = BTreeSet::new();
    tests(&root().join("services"), &mut known);
    let doors = fs::read_to_string(root().join("services/tests/it/api/doors.rs")).unwrap();
    let register = doors.split("SEEN_ELSEWHERE").nth(1).unwrap();
    let register = register.split("];").next().unwrap();
    let words: Vec<&str> = register.split('"').skip(1).step_by(2).collect();
    assert!(words.len() >= 9 && words.len().is_multiple_of(3), "{words:?}");
    for name in words.iter().skip(2).step_by(3) {
        assert!(known.contains(*name), "there is no test {name}");
    }
}

#[test]
fn every_place_that_the_page_names_exists() {
    let mut wrong = Vec::new();
    for row in rows(&page()) {
        for place in quoted(&row.place).into_iter().filter(|place| place.contains('/')) {
            let place = place.split_whitespace().next().unwrap_or_default();
            let found = ["services/src", "services", "."]
                .iter()
                .any(|folder| root().join(folder).join(place).exists());
            // The page of the shop is written apart from the services.
            if !found && !row.tests.contains("*page*") {
                wrong.push(format!("{place}: {}", row.line));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_section_is_gone_through() {
    let page = page();
    let headings: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    for section in SECTIONS {
        assert!(headings.iter().any(|found| found.starts_with(section)), "no section {section}");
    }
    assert!(rows(&page).len() > 100, "only {} lines", rows(&page).len());
}

//! `junit.xml`, for CI: a suite per phase, a case per threshold, per check of the audit, and for the generator.

use std::io;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::audit::{Audit, AuditCheck};
use super::{Format, PhaseReport, RunReport, figures};
use crate::threshold::ThresholdVerdict;

/// The cases as a report file.
pub(super) struct Junit;

impl Format for Junit {
    fn name(&self) -> &'static str {
        "junit"
    }

    fn file_name(&self) -> &'static str {
        "junit.xml"
    }

    fn render(&self, run: &RunReport) -> io::Result<Vec<u8>> {
        let mut report = Report::new(&*run.scenario);
        report.set_timestamp(run.started_at);
        report.set_time(run.phases.iter().map(|phase| phase.duration).sum());
        report.add_test_suites(run.phases.iter().map(suite));
        report.to_string().map(String::into_bytes).map_err(io::Error::other)
    }
}

fn suite(phase: &PhaseReport) -> TestSuite {
    let mut suite = TestSuite::new(&*phase.name);
    suite.set_timestamp(phase.started_at);
    suite.set_time(phase.duration);
    suite.add_test_cases(phase.thresholds.iter().map(threshold));
    if let Some(audit) = Audit::read(&phase.audit) {
        suite.add_test_cases(audit.checks.iter().map(check));
    }
    let invalid = (!phase.validity.valid).then(|| super::validity_line(&phase.validity));
    suite.add_test_case(case("generator", "the generator kept up", invalid, ""));
    suite
}

fn threshold(verdict: &ThresholdVerdict) -> TestCase {
    let name = format!("{}: {}", verdict.threshold.selector(), verdict.threshold.expression);
    let crossed = match verdict.value {
        _ if verdict.ok => None,
        None => Some("no data".to_owned()),
        Some(value) => {
            let value = figures::threshold(&verdict.threshold, value);
            let margin = super::margin_line(verdict);
            Some(if margin.is_empty() { value } else { format!("{value}, {margin}") })
        }
    };
    case("thresholds", &name, crossed, "")
}

fn check(check: &AuditCheck) -> TestCase {
    let examples = check.examples.iter().flat_map(|example| {
        let order = example.order_id.as_deref().unwrap_or_default();
        let headline = format!("{order} {}", example.what).trim().to_owned();
        std::iter::once(headline).chain(example.timeline.iter().map(|line| format!("    {line}")))
    });
    let told = std::iter::once(check.claim.clone()).chain(examples).collect::<Vec<_>>().join("\n");
    case("audit", &check.name, check.failure(), &told)
}

fn case(class: &str, name: &str, failure: Option<String>, told: &str) -> TestCase {
    let status = failure.map_or_else(TestCaseStatus::success, |message| {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_message(message).set_type(class);
        if !told.is_empty() {
            status.set_description(told);
        }
        status
    });
    let mut case = TestCase::new(name, status);
    case.set_classname(class);
    case
}

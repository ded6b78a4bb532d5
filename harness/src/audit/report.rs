//! The audit's verdict, as JSON for the summary and as lines for people.

use serde::Serialize;

use super::Evidence;
use super::checks::Finding;
use super::timeline::timeline;

/// Violations of one check that are printed with their timeline.
const PRINTED_VIOLATIONS: usize = 3;

/// What an audit found.
#[derive(Debug, Clone, Serialize)]
pub struct AuditReport {
    /// `pass` or `violations`.
    pub verdict: &'static str,
    pub orders: u64,
    pub ended: u64,
    pub records: u64,
    /// Records that came again with identical bytes.
    pub repeats: u64,
    /// Second decisions on decided steps, which everybody ignores.
    pub lost_races: u64,
    pub violations: u64,
    pub checks: Vec<CheckReport>,
}

/// One check's part of it.
#[derive(Debug, Clone, Serialize)]
pub struct CheckReport {
    pub name: &'static str,
    pub claim: &'static str,
    pub passed: bool,
    pub looked_at: LookedAtReport,
    pub violations: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<Example>,
}

#[derive(Debug, Clone, Serialize)]
pub struct LookedAtReport {
    pub orders: u64,
    pub records: u64,
    pub frames: u64,
}

/// A violation, with all that is known about its order.
#[derive(Debug, Clone, Serialize)]
pub struct Example {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
    pub what: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<String>,
}

impl AuditReport {
    pub(super) fn new(evidence: &Evidence, findings: Vec<Finding>) -> Self {
        let checks: Vec<CheckReport> =
            findings.into_iter().map(|finding| check_report(evidence, finding)).collect();
        let passed = checks.iter().all(|check| check.passed) && !checks.is_empty();
        Self {
            verdict: if passed { "pass" } else { "violations" },
            orders: evidence.model.orders().len() as u64,
            ended: evidence.model.ended() as u64,
            records: evidence.model.records().len() as u64,
            repeats: evidence.model.repeats,
            lost_races: evidence.model.lost_races,
            violations: checks.iter().map(|check| check.violations).sum(),
            checks,
        }
    }

    #[must_use]
    pub fn passed(&self) -> bool {
        self.verdict == "pass"
    }

    /// The check of this name.
    #[must_use]
    pub fn check(&self, name: &str) -> Option<&CheckReport> {
        self.checks.iter().find(|check| check.name == name)
    }

    /// The audit for a terminal: one line for all when it passes, the violations when not.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!(
            "{} checks over {} orders ({} ended) and {} records: {} violations; {} repeats, {} lost races",
            self.checks.len(),
            self.orders,
            self.ended,
            self.records,
            self.violations,
            self.repeats,
            self.lost_races
        )];
        for check in self.checks.iter().filter(|check| !check.passed) {
            let name = check.name;
            if check.violations == 0 {
                lines.push(format!("✗ {name}: looked at nothing, so it proves nothing"));
                continue;
            }
            lines.push(format!("✗ {name}: {} violations. {}", check.violations, check.claim));
            for example in check.examples.iter().take(PRINTED_VIOLATIONS) {
                let order =
                    example.order_id.as_deref().map_or(String::new(), |id| format!("{id} "));
                lines.push(format!("    {order}{}", example.what));
                lines.extend(example.timeline.iter().map(|line| format!("        {line}")));
            }
        }
        lines
    }

    /// Every check with what it looked at, one line each.
    #[must_use]
    pub fn table(&self) -> Vec<String> {
        let row = |check: &CheckReport| {
            let mark = if check.passed { '✓' } else { '✗' };
            let LookedAtReport { orders, records, frames } = check.looked_at;
            format!(
                "{mark} {:22} orders {orders:>7}  records {records:>8}  frames {frames:>8}  violations {}",
                check.name, check.violations
            )
        };
        self.checks.iter().map(row).collect()
    }
}

fn check_report(evidence: &Evidence, finding: Finding) -> CheckReport {
    let passed = finding.passed();
    let example = |violation: super::checks::Violation| Example {
        timeline: violation.order.map_or_else(Vec::new, |id| timeline(evidence, id)),
        order_id: violation.order.map(|id| id.to_string()),
        what: violation.what,
    };
    let looked_at = finding.looked_at;
    CheckReport {
        name: finding.name,
        claim: finding.claim,
        passed,
        looked_at: LookedAtReport {
            orders: looked_at.orders,
            records: looked_at.records,
            frames: looked_at.frames,
        },
        violations: finding.violation_count,
        examples: finding.violations.into_iter().map(example).collect(),
    }
}

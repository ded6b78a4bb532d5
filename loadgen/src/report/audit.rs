//! The auditor's report as the other reports read it. The auditor serialises it; what it does not say is empty.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What an audit found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Audit {
    pub verdict: String,
    pub orders: u64,
    pub ended: u64,
    pub records: u64,
    pub repeats: u64,
    pub lost_races: u64,
    pub violations: u64,
    pub checks: Vec<AuditCheck>,
}

/// One check's part of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct AuditCheck {
    pub name: String,
    /// What must be so.
    pub claim: String,
    pub passed: bool,
    pub looked_at: LookedAt,
    pub violations: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<Example>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct LookedAt {
    pub orders: u64,
    pub records: u64,
    pub frames: u64,
}

/// A violation, with what is known about its order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Example {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
    pub what: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<String>,
}

impl Audit {
    /// `None` where nothing was audited.
    pub(crate) fn read(audit: &Value) -> Option<Self> {
        if audit.is_null() { None } else { serde_json::from_value(audit.clone()).ok() }
    }

    /// Adds another part's audit: a check has passed when it has in both.
    pub(crate) fn add(&mut self, other: Self, max_examples: usize) {
        self.orders += other.orders;
        self.ended += other.ended;
        self.records += other.records;
        self.repeats += other.repeats;
        self.lost_races += other.lost_races;
        self.violations += other.violations;
        for check in other.checks {
            match self.checks.iter_mut().find(|own| own.name == check.name) {
                Some(own) => own.add(check, max_examples),
                None => self.checks.push(check),
            }
        }
        self.verdict = if self.passed() { "pass" } else { "violations" }.to_owned();
    }

    pub(crate) fn passed(&self) -> bool {
        !self.checks.is_empty() && self.checks.iter().all(|check| check.passed)
    }
}

impl AuditCheck {
    fn add(&mut self, other: Self, max_examples: usize) {
        self.passed &= other.passed;
        self.violations += other.violations;
        self.looked_at.orders += other.looked_at.orders;
        self.looked_at.records += other.looked_at.records;
        self.looked_at.frames += other.looked_at.frames;
        self.examples.extend(other.examples);
        self.examples.truncate(max_examples);
    }

    /// Why it did not pass, in a sentence.
    pub(crate) fn failure(&self) -> Option<String> {
        match (self.passed, self.violations) {
            (true, _) => None,
            (false, 0) => Some("looked at nothing, so it proves nothing".to_owned()),
            (false, count) => Some(format!("{count} violations")),
        }
    }

    /// What it looked at: `1,000 orders, 8,000 records`.
    pub(crate) fn seen(&self) -> String {
        let LookedAt { orders, records, frames } = self.looked_at;
        let parts = [(orders, "orders"), (records, "records"), (frames, "frames")];
        let said = parts.into_iter().filter(|(count, _)| *count > 0);
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
        let said =
            said.map(|(count, what)| format!("{} {what}", super::figures::count(count as f64)));
        said.collect::<Vec<_>>().join(", ")
    }
}

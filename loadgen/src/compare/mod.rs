//! Two runs side by side: what differs, by how much, and how sure that is.
//!
//! | file | does |
//! |---|---|
//! | `statistics.rs` | intervals, and whether two values differ |
//! | `rows.rs` | what is compared |
//! | `render.rs` | text and Markdown |
//!
//! Never says more than one run each can tell: that two runs differ by more than chance within them explains, not
//! why. Another hour, another neighbour on the machine, and the same build differs from itself.

mod render;
mod rows;
mod statistics;

use serde::Serialize;
use serde_json::Value;

use crate::report::{RunReport, Verdict};
use statistics::Estimate;

/// What every output says.
pub const CAVEAT: &str = "One run each: what is called faster or slower differs by more than chance within the two \
     runs explains (95 %). Whether the build is the reason, only several runs in turn can tell: doorbuster gate.";

/// Two runs, compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    pub a: RunLabel,
    pub b: RunLabel,
    pub caveat: &'static str,
    /// What makes the two less comparable.
    pub notes: Vec<String>,
    pub phases: Vec<PhaseComparison>,
}

/// Which run it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunLabel {
    /// As it was named.
    pub name: String,
    pub scenario: String,
    pub started_at: String,
    pub verdict: Verdict,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PhaseComparison {
    pub name: String,
    pub rows: Vec<Row>,
}

/// What a figure is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    Milliseconds,
    PerSecond,
    /// 0 to 1.
    Share,
    Bytes,
}

/// What can be said of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    Better,
    Worse,
    /// No clear difference.
    Unclear,
    /// One number each, of which nobody knows how it varies.
    NotJudged,
}

/// One figure of both runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The metric with its tags, or the process.
    pub subject: String,
    pub figure: String,
    pub unit: Unit,
    pub a: f64,
    pub b: f64,
    /// The ends of the 95 % intervals; null where the samples do not reach.
    pub a_interval: [Option<f64>; 2],
    pub b_interval: [Option<f64>; 2],
    pub difference: f64,
    /// `b / a`; null when `a` is 0.
    pub ratio: Option<f64>,
    pub finding: Finding,
    /// The same in words: `faster`, `slower`, `no clear difference`.
    pub words: &'static str,
}

impl Row {
    fn new(
        subject: &str,
        figure: &str,
        unit: Unit,
        finding: Finding,
        a: Estimate,
        b: Estimate,
    ) -> Self {
        Self {
            subject: subject.to_owned(),
            figure: figure.to_owned(),
            unit,
            a: a.value,
            b: b.value,
            a_interval: [a.low, a.high],
            b_interval: [b.low, b.high],
            difference: b.value - a.value,
            ratio: (a.value != 0.0).then(|| b.value / a.value),
            finding,
            words: words(finding, unit, b.value > a.value),
        }
    }

    /// A figure without an interval.
    fn told(subject: &str, figure: &str, unit: Unit, (a, b): (f64, f64)) -> Self {
        let of = |value| Estimate { value, low: None, high: None };
        Self::new(subject, figure, unit, Finding::NotJudged, of(a), of(b))
    }

    /// Clearly worse, and by more than so many percent.
    #[must_use]
    pub fn is_regression(&self, percent: f64) -> bool {
        let factor = 1.0 + percent / 100.0;
        // What was 0 and is something has grown by more than any percentage.
        let beyond = self.ratio.is_none_or(|ratio| ratio > factor || ratio < 1.0 / factor);
        self.finding == Finding::Worse && beyond
    }
}

fn words(finding: Finding, unit: Unit, is_more: bool) -> &'static str {
    match (finding, unit) {
        (Finding::Unclear, _) => "no clear difference",
        (Finding::NotJudged, _) => "",
        (Finding::Better, Unit::Milliseconds) => "faster",
        (Finding::Worse, Unit::Milliseconds) => "slower",
        (Finding::Better, _) if is_more => "more: better",
        (Finding::Worse, _) if is_more => "more: worse",
        (Finding::Better, _) => "fewer: better",
        (Finding::Worse, _) => "fewer: worse",
    }
}

impl Comparison {
    /// Compares two runs, each with what it was named.
    #[must_use]
    pub fn of((a_name, a): (&str, &RunReport), (b_name, b): (&str, &RunReport)) -> Self {
        let mut notes = notes(a, b);
        let mut phases = Vec::new();
        for (index, before) in a.phases.iter().enumerate() {
            // A scenario's only phase carries its name: of two scenarios they still belong together.
            let only = a.phases.len() == 1 && b.phases.len() == 1;
            let after = match only {
                true => b.phases.get(index),
                false => b.phases.iter().find(|after| after.name == before.name),
            };
            match after {
                Some(after) => phases.push(PhaseComparison {
                    name: before.name.clone(),
                    rows: rows::rows(before, after),
                }),
                None => notes.push(format!("phase {} is only in A", before.name)),
            }
        }
        let (a, b) = (label(a_name, a), label(b_name, b));
        Self { a, b, caveat: CAVEAT, notes, phases }
    }

    /// Every figure that is clearly worse by more than so many percent.
    pub fn regressions(&self, percent: f64) -> impl Iterator<Item = (&str, &Row)> {
        let rows = self
            .phases
            .iter()
            .flat_map(|phase| phase.rows.iter().map(|row| (phase.name.as_str(), row)));
        rows.filter(move |(_, row)| row.is_regression(percent))
    }
}

fn label(name: &str, run: &RunReport) -> RunLabel {
    RunLabel {
        name: name.to_owned(),
        scenario: run.scenario.clone(),
        started_at: run.started_at.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
        verdict: run.verdict,
    }
}

/// What a reader must know before believing a difference.
fn notes(a: &RunReport, b: &RunReport) -> Vec<String> {
    let mut notes = Vec::new();
    if a.scenario != b.scenario {
        notes.push(format!("different scenarios: {} and {}", a.scenario, b.scenario));
    }
    for (name, run) in [("A", a), ("B", b)] {
        for phase in run.phases.iter().filter(|phase| !phase.validity.valid) {
            notes.push(format!("{name}, phase {}: the generator did not keep up", phase.name));
        }
        if run.verdict == Verdict::Interrupted {
            notes.push(format!("{name} was ended before its time"));
        }
    }
    let shown = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let (of_a, of_b) = (&a.environment, &b.environment);
    for key in of_a.as_object().into_iter().flatten().map(|(key, _)| key) {
        if of_a[key] != of_b[key] {
            notes.push(format!("{key}: {} in A, {} in B", shown(&of_a[key]), shown(&of_b[key])));
        }
    }
    notes
}

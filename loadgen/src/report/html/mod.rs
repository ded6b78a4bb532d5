//! `report.html`: the whole run in one file that needs nothing else, for a browser of any width, by day and night.
//!
//! | file | holds |
//! |---|---|
//! | `page.html`, `phase.html`, `style.css` | the page; askama escapes all that comes from a run |
//! | `chart.rs`, `chart.svg`, `spark.svg`, `scale.rs` | pictures |
//! | `charts.rs` | which pictures a phase has |
//! | `timeline.rs` | windows, few enough for a picture |
//! | `phase.rs` | a phase's tables |
//!
//! Its size does not grow with the run: windows become at most a few hundred points, tables have a last row.

mod chart;
mod charts;
mod phase;
mod scale;
mod timeline;

use std::io;

use askama::Template;
use serde_json::Value;

use super::{Format, RunReport, Verdict};
use phase::PhaseView;

/// The page as a report file.
pub(super) struct Html;

impl Format for Html {
    fn name(&self) -> &'static str {
        "html"
    }

    fn file_name(&self) -> &'static str {
        "report.html"
    }

    fn render(&self, run: &RunReport) -> io::Result<Vec<u8>> {
        html(run).map(String::into_bytes)
    }
}

/// The page.
///
/// # Errors
/// When the template cannot be rendered.
pub fn html(run: &RunReport) -> io::Result<String> {
    Page::of(run).render().map_err(io::Error::other)
}

#[derive(Template)]
#[template(path = "page.html")]
struct Page {
    style: &'static str,
    scenario: String,
    verdict: &'static str,
    passed: bool,
    meaning: &'static str,
    exit_code: u8,
    started: String,
    phases: Vec<PhaseView>,
    environment: Vec<(String, String)>,
}

impl Page {
    fn of(run: &RunReport) -> Self {
        let phases = run.phases.iter().enumerate();
        Self {
            style: include_str!("style.css"),
            scenario: run.scenario.clone(),
            verdict: run.verdict.label(),
            passed: run.verdict == Verdict::Pass,
            meaning: meaning(run.verdict),
            exit_code: run.verdict.exit_code(),
            started: run.started_at.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
            phases: phases.map(|(index, phase)| PhaseView::of(phase, index)).collect(),
            environment: environment(&run.environment),
        }
    }
}

fn meaning(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => {
            "Every threshold held, every check of the audit passed, and the generator kept up."
        }
        Verdict::ThresholdCrossed => "A threshold was crossed, or had no data.",
        Verdict::Interrupted => "A signal ended the run before its time.",
        Verdict::Invalid => {
            "The load generator itself was too slow: the times say more about it than about the system."
        }
        Verdict::AuditViolation => "An order was lost, doubled or treated wrongly.",
    }
}

/// Names and values for people; what is not known is left out.
fn environment(environment: &Value) -> Vec<(String, String)> {
    let shown = |value: &Value| match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    let entry = |(name, value): (&String, &Value)| {
        let value = match (name.as_str(), value.as_f64()) {
            ("memory_bytes", Some(bytes)) => super::figures::bytes(bytes),
            _ => shown(value)?,
        };
        Some((name.trim_end_matches("_bytes").replace('_', " "), value))
    };
    environment.as_object().into_iter().flatten().filter_map(entry).collect()
}
